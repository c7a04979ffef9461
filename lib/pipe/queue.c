/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: see queue.h. */

#include "queue.h"

#include <stdlib.h>
#include <string.h>

enum { PACKET_ROOM = 4096 - sizeof(struct packet) - 32 };

void queue_init(struct queue *queue, bool records)
{
    *queue = (struct queue) { .records = records };
}

/* EXACT: no more will be gathered in it. */
static struct packet *packet_create(struct queue *queue, size_t length, bool exact)
{
    size_t room = exact || length > PACKET_ROOM ? length : PACKET_ROOM;
    struct packet *packet = queue->spare;

    if (packet && packet->room >= length)
        queue->spare = NULL;
    else if (!(packet = malloc(sizeof *packet + room)))
        return NULL;
    else
        packet->room = room;
    packet->next = NULL;
    packet->start = packet->end = packet->overhead = 0;
    packet->extras = (struct extras) { 0 };
    return packet;
}

static void packet_drop_first(struct queue *queue)
{
    struct packet *packet = queue->first;

    queue->first = packet->next;
    if (!queue->first)
        queue->last = NULL;
    queue->packets--;
    if (!queue->spare && packet->room == PACKET_ROOM)
        queue->spare = packet;
    else
        free(packet);
}

void queue_clear(struct queue *queue, void (*drop)(struct extras *extras))
{
    while (queue->first) {
        if (drop)
            drop(&queue->first->extras);
        packet_drop_first(queue);
    }
    free(queue->spare);
    queue->spare = NULL;
    queue->bytes = queue->overhead = 0;
}

error_t queue_put(struct queue *queue, const void *data, size_t length, const struct extras *extras)
{
    struct packet *last = queue->last;
    bool apart = queue->records || (extras && extras_any(extras));

    if (apart || !last || last->room - last->end < length) {
        last = packet_create(queue, length, apart);
        if (!last)
            return ENOMEM;
        if (extras)
            last->extras = *extras;
        if (apart)
            last->overhead = sizeof *last + last->extras.control_length + last->extras.nrights * RIGHT_OVERHEAD;
        queue->overhead += last->overhead;
        if (queue->last)
            queue->last->next = last;
        else
            queue->first = last;
        queue->last = last;
        queue->packets++;
    }
    memcpy(last->data + last->end, data, length);
    last->end += length;
    queue->bytes += length;
    return 0;
}

/* May a read that has begun go on into PACKET? */
static bool packet_continues(const struct queue *queue, const struct packet *packet)
{
    return packet && !queue->records && !extras_any(&packet->extras);
}

size_t queue_available(const struct queue *queue, size_t amount)
{
    const struct packet *packet = queue->first;
    size_t available = 0;

    if (!packet)
        return 0;
    do {
        available += packet->end - packet->start;
        packet = packet->next;
    } while (available < amount && packet_continues(queue, packet));
    return available < amount ? available : amount;
}

static void extras_move(struct queue *queue, struct packet *packet, struct extras *extras,
                        void (*drop)(struct extras *extras))
{
    queue->overhead -= packet->overhead;
    packet->overhead = 0;
    if (extras)
        *extras = packet->extras;
    else if (drop)
        drop(&packet->extras);
    packet->extras = (struct extras) { 0 };
}

size_t queue_get(struct queue *queue, void *data, size_t amount, struct extras *extras, bool peek, bool *truncated,
                 void (*drop)(struct extras *extras))
{
    struct packet *packet = queue->first;
    size_t done = 0;

    if (extras)
        *extras = (struct extras) { 0 };
    if (truncated)
        *truncated = packet && queue->records && packet->end - packet->start > amount;
    if (!packet)
        return 0;
    if (!peek)
        extras_move(queue, packet, extras, drop);
    do {
        size_t there = packet->end - packet->start, take = there < amount - done ? there : amount - done;
        struct packet *next = packet->next;

        if (data)
            memcpy((char *) data + done, packet->data + packet->start, take);
        done += take;
        if (!peek) {
            packet->start += take;
            queue->bytes -= queue->records ? there : take;
            if (packet->start == packet->end || queue->records)
                packet_drop_first(queue);
        }
        packet = next;
    } while (done < amount && packet_continues(queue, packet));
    return done;
}
