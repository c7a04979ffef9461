/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: bytes, control data and port rights on their way from writers to readers.  No locks, no messages: the caller
   holds the lock of the pipe that the queue is in.

   A queue is a list of packets.  In a stream packets only carry: small writes are gathered in the last packet while
   it has room, and a read takes from as many as it likes, but never beyond one with rights or control data, which go
   out with the first of its bytes.  Otherwise a packet is a record: a read takes exactly one and drops what did not
   fit. */

#ifndef PIPE_QUEUE_H
#define PIPE_QUEUE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* What goes with the bytes.  The queue owns copies of everything: RIGHTS are send rights, CONTROL malloc'd, FROM is a
   reference. */
struct extras {
    unsigned int *rights; /* names of send rights: mach_port_t */
    unsigned int nrights;
    char *control;
    size_t control_length;
    void *from;           /* an object of lib/ports, referenced, or NULL: the sender's address */
};
enum { RIGHT_OVERHEAD = 64 }; /* bytes that a right on its way counts for */
static inline bool extras_any(const struct extras *extras)
{
    return extras->nrights || extras->control_length || extras->from;
}

struct packet {
    struct packet *next;
    size_t start, end, room; /* bytes [start, end) of data[room] are there */
    size_t overhead;         /* what it costs beside its bytes, if it is a record or has extras */
    struct extras extras;
    char data[];
};

struct queue {
    struct packet *first, *last;
    struct packet *spare;    /* one empty packet of the usual size, so that small transfers allocate nothing */
    size_t bytes;            /* data bytes in all packets */
    size_t overhead;         /* of all packets: empty records, rights and control data fill a queue, too */
    size_t packets;
    bool records;
};

void queue_init(struct queue *queue, bool records);
/* Frees all packets; DROP, if not null, is told of the extras of each packet so that it gives up rights and
   references. */
void queue_clear(struct queue *queue, void (*drop)(struct extras *extras));
/* Appends LENGTH bytes and EXTRAS, which the queue then owns.  ENOMEM: nothing has changed. */
error_t queue_put(struct queue *queue, const void *data, size_t length, const struct extras *extras);
/* How many bytes a queue_get of AMOUNT would give. */
size_t queue_available(const struct queue *queue, size_t amount);
/* Takes at most AMOUNT bytes into DATA (null: drops them); how many is the result.  *EXTRAS becomes the caller's (all
   zero if there were none); null: the extras are given to DROP.  *TRUNCATED, if not null: a record was longer than
   AMOUNT.  With PEEK nothing is removed and no extras are given. */
size_t queue_get(struct queue *queue, void *data, size_t amount, struct extras *extras, bool peek, bool *truncated,
                 void (*drop)(struct extras *extras));

#endif /* PIPE_QUEUE_H */
