/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: the four lists of ids behind an auth handle, and who may have which.  Pure functions. */

#ifndef AUTH_IDS_H
#define AUTH_IDS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A list as the client gave it: order and duplicates mean something to the C library (the first available uid is the real one,
   the second the saved one). */
struct ids_list {
    uid_t *ids;
    unsigned int count;
};

/* Constant after ids_create; the lists lie in one block. */
struct ids {
    struct ids_list euids, auids, egids, agids;
};

/* Copies the four lists into IDS.  ENOMEM. */
error_t ids_create(struct ids *ids, const struct ids_list *euids, const struct ids_list *auids, const struct ids_list *egids,
                   const struct ids_list *agids);
void ids_destroy(struct ids *ids);

/* May a new handle have WANTED, made by whoever holds the COUNT handles GIVEN?  Each id must be effective or available in one of
   them; uid 0 among those allows all.  EPERM. */
error_t ids_check(const struct ids *const *given, size_t count, const struct ids *wanted);

#endif
