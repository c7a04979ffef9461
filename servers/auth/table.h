/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: a hash table from port names to whoever waits there.  It grows; each name once.  No lock of its own.  Pure
   functions. */

#ifndef AUTH_TABLE_H
#define AUTH_TABLE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* To be embedded in what is kept. */
struct table_entry {
    uint32_t name;
    struct table_entry *next;
};

struct table {
    struct table_entry **slots;
    size_t size;       /* a power of two, or 0 */
    size_t count;
};

/* The entry of NAME, or NULL. */
struct table_entry *table_find(const struct table *table, uint32_t name);
/* Adds ENTRY, whose name is not in the table.  ENOMEM: nothing happened. */
error_t table_add(struct table *table, struct table_entry *entry);
/* Takes out ENTRY, which is in the table. */
void table_remove(struct table *table, struct table_entry *entry);

#endif
