/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: the four lists of ids behind an auth handle, and who may have which.  Pure functions. */

#ifndef AUTH_IDS_H
#define AUTH_IDS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A list as the client gave it: order and duplicates mean something to the C library (the first available uid is the
   real one, the second the saved one). */
struct ids_list {
    uid_t *ids;
    unsigned int count;
};

/* Constant after ids_create; the lists lie in one block. */
struct ids {
    struct ids_list euids, auids, egids, agids;
};

/* No list of a handle is longer. */
#define IDS_LIST_MAX 65536

/* How ids_create copies: memory that a client sent needs care (ports_copy_guarded), other memory memcpy. */
typedef error_t (*ids_copy_t)(void *to, const void *from, size_t bytes);

/* Copies the four lists into IDS with COPY, whose error it returns.  E2BIG: a list is too long; ENOMEM. */
error_t ids_create(struct ids *ids, const struct ids_list *euids, const struct ids_list *auids,
                   const struct ids_list *egids, const struct ids_list *agids, ids_copy_t copy);
void ids_destroy(struct ids *ids);

/* May a new handle have WANTED, made by whoever holds the COUNT handles GIVEN?  Each id must be effective or available
   in one of them; uid 0 among those allows all.  Takes time in proportion to the ids on both sides, nearly.  EPERM,
   ENOMEM. */
error_t ids_check(const struct ids *const *given, size_t count, const struct ids *wanted);

#endif
