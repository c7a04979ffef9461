/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store.h: where the manager keeps pages: in its own memory, but small.  Most pages of these tests are a pattern
   (pattern.h), of which a page keeps where it begins and where it differs; the others are kept whole. */

#ifndef TESTS_KERNEL_PAGING_STORE_H
#define TESTS_KERNEL_PAGING_STORE_H

#include <stdbool.h>
#include <stdint.h>

enum { PAGE_BYTES = 4096, PAGE_WORDS = PAGE_BYTES / 8 };

struct stored_page;
struct stored_object {
    struct stored_page *pages;
    uint64_t id; /* no two objects have the same */
};

/* Takes the store's memory.  False: there is none. */
bool store_open(void);
/* Keeps the page DATA of OBJECT at OFFSET, in place of what was there.  False: the store is full. */
bool store_put(struct stored_object *object, uint64_t offset, const uint64_t *data);
/* Its contents into DATA; false: there is none. */
bool store_get(const struct stored_object *object, uint64_t offset, uint64_t *data);
/* Forgets all pages of OBJECT. */
void store_drop(struct stored_object *object);
/* How many pages are kept. */
long store_count(void);

#endif /* TESTS_KERNEL_PAGING_STORE_H */
