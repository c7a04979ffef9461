/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: see table.h. */

#include "table.h"

#include <stdlib.h>

/* Names go up in small steps; the multiplication spreads them. */
static size_t table_slot(size_t size, uint32_t name)
{
    return (size_t) (name * 2654435761u) >> 7 & (size - 1);
}

struct table_entry *table_find(const struct table *table, uint32_t name)
{
    if (table->size == 0)
        return NULL;
    struct table_entry *entry = table->slots[table_slot(table->size, name)];
    while (entry != NULL && entry->name != name)
        entry = entry->next;
    return entry;
}

static error_t table_grow(struct table *table)
{
    size_t size = table->size ? 2 * table->size : 16;
    struct table_entry **slots = calloc(size, sizeof *slots);

    if (slots == NULL)
        return table->size ? 0 : ENOMEM; /* longer chains will do */
    for (size_t i = 0; i < table->size; i++)
        for (struct table_entry *entry = table->slots[i], *next; entry != NULL; entry = next) {
            struct table_entry **slot = &slots[table_slot(size, entry->name)];
            next = entry->next;
            entry->next = *slot;
            *slot = entry;
        }
    free(table->slots);
    table->slots = slots;
    table->size = size;
    return 0;
}

error_t table_add(struct table *table, struct table_entry *entry)
{
    error_t err = table->count >= table->size ? table_grow(table) : 0;
    if (err)
        return err;
    struct table_entry **slot = &table->slots[table_slot(table->size, entry->name)];
    entry->next = *slot;
    *slot = entry;
    table->count++;
    return 0;
}

void table_remove(struct table *table, struct table_entry *entry)
{
    struct table_entry **link = &table->slots[table_slot(table->size, entry->name)];
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    table->count--;
}
