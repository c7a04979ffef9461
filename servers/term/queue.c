/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.c: see queue.h. */

#include <stdlib.h>
#include <string.h>
#include "queue.h"

static bool queue_grow(struct queue *queue)
{
    unsigned int capacity = queue->capacity ? 2 * queue->capacity : 128;
    uint16_t *slots = malloc(capacity * sizeof *slots);

    if (!slots)
        return false;
    for (unsigned int i = 0; i < queue->count; i++)
        slots[i] = queue_at(queue, i);
    free(queue->slots);
    queue->slots = slots;
    queue->head = 0;
    queue->capacity = capacity;
    return true;
}

bool queue_push(struct queue *queue, uint16_t entry)
{
    if (queue->count == queue->capacity && !queue_grow(queue))
        return false;
    queue->slots[(queue->head + queue->count++) & (queue->capacity - 1)] = entry;
    return true;
}

uint16_t queue_pop(struct queue *queue)
{
    uint16_t entry = queue_at(queue, 0);

    queue->head = (queue->head + 1) & (queue->capacity - 1);
    queue->count--;
    return entry;
}

uint16_t queue_pop_last(struct queue *queue)
{
    return queue_at(queue, --queue->count);
}

void queue_clear(struct queue *queue)
{
    queue->head = queue->count = 0;
}

void queue_destroy(struct queue *queue)
{
    free(queue->slots);
    *queue = (struct queue){ 0 };
}

bool bytes_reserve(struct bytes *bytes, size_t size)
{
    size_t capacity = bytes->capacity ? bytes->capacity : 256;
    char *data;

    if (bytes->capacity - bytes->length >= size)
        return true;
    while (capacity - bytes->length < size)
        capacity *= 2;
    data = realloc(bytes->data, capacity);
    if (!data)
        return false;
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

void bytes_destroy(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){ 0 };
}
