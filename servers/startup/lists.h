/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lists.h: who is essential, and who wants to hear of the end.  No messages here: runs in unit tests on the host.
   Callers hold the lock of the state that a list is part of. */

#ifndef STARTUP_LISTS_H
#define STARTUP_LISTS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

typedef uint32_t lists_port_t;  /* a port name */

struct essential {
    struct essential *next;
    lists_port_t task;          /* send right, owned */
    char *name;
    int pid;                    /* its process, to ask how it ended; 0: not known yet; -1: not to be had */
    lists_port_t reply;         /* a reply right that is owed, or 0 */
    unsigned reply_type;
};
struct essential_list {
    struct essential *first;
};

/* Records TASK (owned by the list on success), or gives it the new NAME if it is there (then *KNOWN, and the right
   stays the caller's). ENOMEM. */
error_t essential_add(struct essential_list *list, lists_port_t task, const char *name, struct essential **entry,
                      bool *known);
struct essential *essential_find(struct essential_list *list, lists_port_t task);
/* Is there one of that name? */
bool essential_has(const struct essential_list *list, const char *name);

/* One whose process is not known yet, NULL: there is none. */
struct essential *essential_without_pid(struct essential_list *list);

/* On whose behalf somebody asks: a user id, or one of these. */
enum { ASKER_ROOT = 0, ASKER_UNKNOWN = -1 };
typedef unsigned int lists_asker_t;
/* Ports die with their tasks, but those of servers live for ever, and anybody may name any port that he has a right to:
   so each asker but root may have so many in the list. */
enum { NOTIFY_QUOTA = 64 };

enum { NOTIFY_NAME = 63 };      /* bytes of a name that are kept */

struct notify {
    struct notify *next;
    lists_port_t port;          /* send right, owned */
    lists_asker_t asker;
    char *name;                 /* printable: it goes to the console, and anybody may choose it */
    lists_port_t reply;         /* while it is waited for: the receive right of its answer; else 0 */
    int result;                 /* what it answered */
};
struct notify_list {
    struct notify *first;
};
/* Records PORT (owned by the list on success), or takes note that it is there (*KNOWN; then the right stays the
   caller's): it has the new NAME and ASKER if that is root or the same as before; what others asked for stays as it
   was.  EAGAIN: ASKER has NOTIFY_QUOTA of them; ENOMEM. */
error_t notify_add(struct notify_list *list, lists_port_t port, lists_asker_t asker, const char *name, bool *known);
/* Takes PORT's request out, for the caller to free with notify_free; NULL: none. */
struct notify *notify_take(struct notify_list *list, lists_port_t port);

/* The order at the end.  First all whom somebody else than root asked for: */
/* Takes them out; empty: there are none. */
struct notify_list notify_take_users(struct notify_list *list);
/* Then root's, one after the other, each of which is waited for as long as anybody. Takes out who is to be told next:
   first those that are not essential, the last that asked before the others; then ROOT_NAME, the root file system; then
   the essential ones that it needs, as its disk. NULL: nobody is left. */
struct notify *notify_next(struct notify_list *list, const struct essential_list *essentials, const char *root_name);
void notify_free(struct notify *notify);

#endif
