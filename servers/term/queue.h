/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.h: the two kinds of queue in a line: typed characters with their marks, and bytes for the device.  Both grow as
   needed; their users set the limits.  No locks: the line's owner has one. */

#ifndef TERM_QUEUE_H
#define TERM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A ring of characters.  The low byte is the character, the rest its marks. */
struct queue {
    uint16_t *slots;
    unsigned int head, count, capacity; /* capacity is a power of two, or 0 */
};
enum {
    MARK_QUOTED = 0x100, /* typed after the literal-next key: has no special meaning */
    MARK_DELIM = 0x200,  /* ends a line */
    MARK_EOF = 0x400,    /* the end-of-file key: ends a line, is no data */
    MARK_DSUSP = 0x800,  /* the delayed-suspend key: acts when it is read */
};

/* Adds at the end; false without memory, and nothing changed. */
bool queue_push(struct queue *queue, uint16_t entry);
/* The entry number INDEX from the front, which must exist. */
static inline uint16_t queue_at(const struct queue *queue, unsigned int index)
{
    return queue->slots[(queue->head + index) & (queue->capacity - 1)];
}
static inline void queue_mark(struct queue *queue, unsigned int index, uint16_t marks)
{
    queue->slots[(queue->head + index) & (queue->capacity - 1)] |= marks;
}
/* Takes the first, the last entry; there must be one. */
uint16_t queue_pop(struct queue *queue);
uint16_t queue_pop_last(struct queue *queue);
void queue_clear(struct queue *queue);
void queue_destroy(struct queue *queue);

/* Bytes, appended at the end and taken all at once. */
struct bytes {
    char *data;
    size_t length, capacity;
};
/* Makes room for SIZE more bytes; false without memory. */
bool bytes_reserve(struct bytes *bytes, size_t size);
void bytes_destroy(struct bytes *bytes);

#endif /* TERM_QUEUE_H */
