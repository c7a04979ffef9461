/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The growing hash table of table.h.  */

#include "table.h"

#include <stdlib.h>

enum { TABLE_SLOTS_MIN = 32 };

/* Moves every link into SLOTS, which has SIZE (a power of two) empty slots. */
static void table_rehash(struct ports_table *table, struct ports_link **slots, size_t size)
{
    struct ports_link **old = table->slots;
    size_t old_size = old != NULL ? table->mask + 1 : 0;

    table->slots = slots;
    table->mask = size - 1;
    for (size_t i = 0; i < old_size; i++) {
        struct ports_link *link = old[i];
        while (link != NULL) {
            struct ports_link *next = link->next;
            struct ports_link **slot = &slots[ports_table_slot(table, link->key)];
            link->next = *slot;
            *slot = link;
            link = next;
        }
    }
    free(old);
}

int ports_table_reserve(struct ports_table *table)
{
    size_t size = table->slots != NULL ? table->mask + 1 : 0;
    if (table->count < size)
        return 0;

    size = size != 0 ? size * 2 : TABLE_SLOTS_MIN;
    struct ports_link **slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return ENOMEM;
    table_rehash(table, slots, size);
    return 0;
}

void ports_table_insert(struct ports_table *table, struct ports_link *link)
{
    struct ports_link **slot = &table->slots[ports_table_slot(table, link->key)];
    link->next = *slot;
    *slot = link;
    table->count++;
}

void ports_table_remove(struct ports_table *table, struct ports_link *link)
{
    if (table->slots == NULL)
        return;
    struct ports_link **at = &table->slots[ports_table_slot(table, link->key)];
    while (*at != NULL && *at != link)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = link->next;
    link->next = NULL;
    table->count--;
}

void ports_table_clear(struct ports_table *table)
{
    free(table->slots);
    *table = (struct ports_table){0};
}
