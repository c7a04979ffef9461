/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doubly linked lists whose links lie in the objects themselves.  A list is a link that points to itself when it is
   empty. */

#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(head) {&(head), &(head)}

/* The object of TYPE whose MEMBER is at LINK. */
#define list_entry(link, type, member) ((type *)((char *)(link) - offsetof(type, member)))

/* Every link of the list HEAD; in the first form LINK's object may be removed and freed in the body. */
#define list_for_each_safe(link, after, head)                                                                       \
    for (struct list *link = (head)->next, *after = link->next; link != (head); link = after, after = link->next)
#define list_for_each(link, head) for (struct list *link = (head)->next; link != (head); link = link->next)

static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_insert_between(struct list *link, struct list *prev, struct list *next)
{
    link->prev = prev;
    link->next = next;
    prev->next = link;
    next->prev = link;
}

static inline void list_append(struct list *list, struct list *link)
{
    list_insert_between(link, list->prev, list);
}

static inline void list_prepend(struct list *list, struct list *link)
{
    list_insert_between(link, list, list->next);
}

/* Leaves LINK alone in the world, so that removing it again does no harm. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* The first link, taken off; NULL if there is none. */
static inline struct list *list_pop(struct list *list)
{
    struct list *link = list->next;
    if (link == list)
        return NULL;
    list_remove(link);
    return link;
}

/* All of FROM goes behind what TO has; FROM is empty then. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
