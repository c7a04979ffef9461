/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing hash table of links that live inside the structures it finds.
   It knows no message and takes no lock: the owner of the table has one.  */

#ifndef PORTS_TABLE_H
#define PORTS_TABLE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* Member of whatever a table shall find. */
struct ports_link {
    uint64_t key;
    struct ports_link *next;
};

struct ports_table {
    struct ports_link **slots; /* NULL while empty and never used */
    size_t mask;               /* number of slots, a power of two, less one */
    size_t count;              /* links in the table */
};

/* The structure of TYPE whose MEMBER is at LINK. */
#define PORTS_LINK_OWNER(LINK, TYPE, MEMBER) ((TYPE *)((char *)(LINK) - offsetof(TYPE, MEMBER)))

/* Makes sure that `count + 1` links fit without crowding, so that the next ports_table_insert cannot fail.  ENOMEM
   leaves the table as it was.  */
int ports_table_reserve(struct ports_table *table);

/* Puts LINK in under LINK->key, which no other link in the table has; the room was reserved before.  The table
   borrows LINK until ports_table_remove. */
void ports_table_insert(struct ports_table *table, struct ports_link *link);

/* Takes LINK out; nothing happens if it is not in. */
void ports_table_remove(struct ports_table *table, struct ports_link *link);

/* Frees the slots; the links are the caller's. */
void ports_table_clear(struct ports_table *table);

/* Serial numbers and port names are both dense small numbers: their low bits spread well, and folding in higher
   ones keeps keys apart that are a large power of two from each other. */
static inline size_t ports_table_slot(const struct ports_table *table, uint64_t key)
{
    return (size_t)(key ^ (key >> 20)) & table->mask;
}

/* The link with KEY, or NULL. */
static inline struct ports_link *ports_table_find(const struct ports_table *table, uint64_t key)
{
    if (table->slots == NULL)
        return NULL;
    struct ports_link *link = table->slots[ports_table_slot(table, key)];
    while (link != NULL && link->key != key)
        link = link->next;
    return link;
}

#endif /* PORTS_TABLE_H */
