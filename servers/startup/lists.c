/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lists.c: who is essential, and who wants to hear of the end. */

#include "lists.h"

#include <stdlib.h>
#include <string.h>

struct essential *essential_find(struct essential_list *list, lists_port_t task)
{
    struct essential *e = list->first;
    while (e && e->task != task)
        e = e->next;
    return e;
}

bool essential_has(const struct essential_list *list, const char *name)
{
    for (const struct essential *e = list->first; e; e = e->next)
        if (!strcmp(e->name, name))
            return true;
    return false;
}

struct essential *essential_without_pid(struct essential_list *list)
{
    struct essential *e = list->first;
    while (e && e->pid)
        e = e->next;
    return e;
}

error_t essential_add(struct essential_list *list, lists_port_t task, const char *name, struct essential **entry,
                      bool *known)
{
    char *copy = strdup(name);
    if (!copy)
        return ENOMEM;
    struct essential *e = essential_find(list, task);
    *known = e != NULL;
    if (!e) {
        e = calloc(1, sizeof *e);
        if (!e) {
            free(copy);
            return ENOMEM;
        }
        e->task = task;
        e->next = list->first;
        list->first = e;
    }
    free(e->name);
    e->name = copy;
    *entry = e;
    return 0;
}

/* A copy of NAME that can be shown: nothing in it ends a line of the console or moves its cursor. NULL: no memory. */
static char *name_copy(const char *name)
{
    char *copy = strndup(name, NOTIFY_NAME);
    for (char *c = copy; c && *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return copy;
}

/* NAME and ASKER instead of what N has, if ASKER may say so. */
static error_t notify_rename(struct notify *n, lists_asker_t asker, const char *name)
{
    if (asker != ASKER_ROOT && (asker == (lists_asker_t)ASKER_UNKNOWN || asker != n->asker))
        return 0;
    char *copy = name_copy(name);
    if (!copy)
        return ENOMEM;
    free(n->name);
    n->name = copy;
    n->asker = asker;
    return 0;
}

error_t notify_add(struct notify_list *list, lists_port_t port, lists_asker_t asker, const char *name, bool *known)
{
    unsigned int count = 0;
    struct notify *n;
    for (n = list->first; n && n->port != port; n = n->next)
        count += n->asker == asker;
    *known = n != NULL;
    if (n)
        return notify_rename(n, asker, name);
    if (asker != ASKER_ROOT && count >= NOTIFY_QUOTA)
        return EAGAIN;
    n = calloc(1, sizeof *n);
    if (!n)
        return ENOMEM;
    n->name = name_copy(name);
    if (!n->name) {
        free(n);
        return ENOMEM;
    }
    n->port = port;
    n->asker = asker;
    n->next = list->first;
    list->first = n;
    return 0;
}

struct notify *notify_take(struct notify_list *list, lists_port_t port)
{
    for (struct notify **prevp = &list->first; *prevp; prevp = &(*prevp)->next)
        if ((*prevp)->port == port) {
            struct notify *n = *prevp;
            *prevp = n->next;
            return n;
        }
    return NULL;
}

struct notify_list notify_take_users(struct notify_list *list)
{
    struct notify_list users = {NULL};
    struct notify **lastp = &users.first;
    for (struct notify **prevp = &list->first; *prevp;) {
        struct notify *n = *prevp;
        if (n->asker == ASKER_ROOT) {
            prevp = &n->next;
            continue;
        }
        *prevp = n->next;
        n->next = NULL;
        *lastp = n;
        lastp = &n->next;
    }
    return users;
}

static int notify_rank(const struct notify *n, const struct essential_list *essentials, const char *root_name)
{
    if (!strcmp(n->name, root_name))
        return 1;
    return essential_has(essentials, n->name) ? 2 : 0;
}

struct notify *notify_next(struct notify_list *list, const struct essential_list *essentials, const char *root_name)
{
    for (int rank = 0; rank <= 2; rank++)
        for (struct notify *n = list->first; n; n = n->next)
            if (notify_rank(n, essentials, root_name) == rank)
                return notify_take(list, n->port);
    return NULL;
}

void notify_free(struct notify *n)
{
    free(n->name);
    free(n);
}
