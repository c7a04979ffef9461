/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests in a split virtqueue (VIRTIO 1.1, 2.6, 5.2.6).

   Both sides look at memory that the other writes, without locks: an index is written after what it announces; and
   between writing our index and reading the event index of the other side (or the reverse) stands a full barrier, so
   that one of the two sees the other's (2.6.7, 2.6.13.3). */

#include "virtio.h"

#include <stdatomic.h>
#include <stdio.h>

/* The processor keeps its stores in order, and its loads; the compiler must too. */
static inline void order(void)
{
    __asm__ volatile("" : : : "memory");
}

/* ---- events -------------------------------------------------------------------------------- */

/* Has the index gone past EVENT on its way from OLD to NEW? (2.6.7.2) */
static bool event_passed(uint16_t event, uint16_t new, uint16_t old)
{
    return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

/* ---- issuing ------------------------------------------------------------------------------- */

static void piece_set(struct virtio_descriptor *descriptor, uint64_t address, size_t length, bool device_writes,
                      unsigned int next)
{
    descriptor->address = address;
    descriptor->length = length;
    descriptor->flags = VIRTIO_NEXT | (device_writes ? VIRTIO_WRITE : 0);
    descriptor->next = next;
}

/* Takes BYTES back from the last of *COUNT pieces. */
static void pieces_cut(struct virtio_descriptor *table, unsigned int *count, size_t bytes)
{
    while (bytes > 0) {
        struct virtio_descriptor *last = &table[*count];
        if (last->length > bytes) {
            last->length -= bytes;
            return;
        }
        bytes -= last->length;
        (*count)--;
    }
}

/* Fills TABLE, whose entries are numbers BASE and up, with at most VIRTIO->data_most pieces of LENGTH bytes from byte
   FROM of MEMORY, beginning with entry 1; *COUNT are used. Gives the bytes: LENGTH or less, whole sectors of
   1 << SECTOR_LOG. */
static size_t pieces_fill(const struct virtio *virtio, struct virtio_descriptor *table, unsigned int base,
                          const struct block_memory *memory, size_t from, size_t length, unsigned int sector_log,
                          bool device_writes, unsigned int *count)
{
    unsigned int used = 0;
    size_t done = 0;
    while (done < length) {
        size_t run;
        uint64_t address = block_memory_at(memory, from + done, &run);
        struct virtio_descriptor *last = &table[used];
        if (run > length - done)
            run = length - done;
        bool joined = used > 0 && last->address + last->length == address && last->length < virtio->piece_max;
        if (!joined && used == virtio->data_most)
            break;
        size_t room = virtio->piece_max - (joined ? last->length : 0);
        if (run > room)
            run = room;
        if (joined) {
            last->length += run;
        } else {
            used++;
            piece_set(&table[used], address, run, device_writes, base + used + 1);
        }
        done += run;
    }
    size_t excess = done < length ? done & (((size_t)1 << sector_log) - 1) : 0;
    pieces_cut(table, &used, excess);
    *count = used;
    return done - excess;
}

/* The slot's table, and the number of its first entry. */
static struct virtio_descriptor *slot_table(const struct virtio *virtio, unsigned int slot, unsigned int *base)
{
    *base = virtio->tables ? 0 : slot * VIRTIO_SHARE;
    return virtio->tables ? virtio->tables + slot * VIRTIO_TABLE_ENTRIES : virtio->descriptors + *base;
}

static void slot_announce(struct virtio *virtio, unsigned int slot, unsigned int base, unsigned int entries)
{
    unsigned int head = base;
    if (virtio->tables) {
        head = slot;
        virtio->descriptors[head] = (struct virtio_descriptor){
            .address = virtio->tables_physical + slot * BLOCK_PAGE,
            .length = entries * sizeof(struct virtio_descriptor), .flags = VIRTIO_TABLE};
    }
    virtio->available->ring[virtio->filled++ % virtio->size] = head;
}

static size_t virtio_issue(struct block_queue *queue, unsigned int slot, struct block_request *request, bool alone)
{
    struct virtio *virtio = (struct virtio *)queue;
    unsigned int base, pieces = 0, log = request->unit->sector_log;
    struct virtio_descriptor *table = slot_table(virtio, slot, &base);
    size_t left = request->length - request->finished;
    (void)alone;
    uint64_t place = virtio->slots_physical + slot * sizeof *virtio->slots;
    volatile struct virtio_slot *state = &virtio->slots[slot];
    state->header.type = request->kind == BLOCK_WRITE ? VIRTIO_OUT
                         : request->kind == BLOCK_READ ? VIRTIO_IN : VIRTIO_FLUSH;
    state->header.reserved = 0;
    state->header.sector = request->kind == BLOCK_FLUSH ? 0 : block_request_lba(request) << (log - 9);
    state->status = VIRTIO_STATUS_NONE;
    piece_set(&table[0], place, sizeof(struct virtio_header), false, base + 1);
    if (left > 0)
        left = pieces_fill(virtio, table, base, &request->memory, request->finished, left, log,
                           request->kind == BLOCK_READ, &pieces);
    table[pieces + 1] = (struct virtio_descriptor){
        .address = place + offsetof(struct virtio_slot, status), .length = 1, .flags = VIRTIO_WRITE};
    slot_announce(virtio, slot, base, pieces + 2);
    return left;
}

static void virtio_kick(struct block_queue *queue)
{
    struct virtio *virtio = (struct virtio *)queue;
    uint16_t old = virtio->told;
    order();
    *(volatile uint16_t *)&virtio->available->index = virtio->filled;
    virtio->told = virtio->filled;
    atomic_thread_fence(memory_order_seq_cst);
    bool wanted = virtio->features & VIRTIO_EVENT_IDX ? event_passed(*virtio->available_event, virtio->filled, old)
                                                      : !(virtio->used->flags & 1);
    if (wanted)
        virtio->transport->notify(virtio);
}

/* ---- completion ------------------------------------------------------------------------------ */

static void used_handle(struct virtio *virtio, uint32_t id)
{
    unsigned int slot = virtio->tables ? id : id / VIRTIO_SHARE;
    if (slot >= BLOCK_SLOTS || !(virtio->queue.busy >> slot & 1) || (!virtio->tables && id % VIRTIO_SHARE != 0))
        return; /* of no request that is in flight */
    unsigned int status = virtio->slots[slot].status;
    if (status != VIRTIO_STATUS_OK)
        fprintf(stderr, "rumpdisk: %s: status 0x%x\n", virtio->queue.name, status);
    block_queue_ended(&virtio->queue, slot,
                      status == VIRTIO_STATUS_OK ? 0 : status == VIRTIO_STATUS_UNSUPPORTED ? ENOTSUP : EIO);
}

/* Takes what is used; false: more than was there to be used. */
static bool used_take(struct virtio *virtio)
{
    for (;;) {
        uint16_t index = virtio->used->index;
        if (index == virtio->taken) {
            *virtio->used_event = virtio->taken;
            atomic_thread_fence(memory_order_seq_cst);
            if (virtio->used->index == virtio->taken)
                return true;
            continue;
        }
        if ((uint16_t)(index - virtio->taken) > virtio->size)
            return false;
        order();
        for (; virtio->taken != index; virtio->taken++)
            used_handle(virtio, virtio->used->ring[virtio->taken % virtio->size].id);
    }
}

static const char *virtio_collect(struct block_queue *queue)
{
    struct virtio *virtio = (struct virtio *)queue;
    unsigned int why = virtio->messages ? VIRTIO_ISR_QUEUE : virtio->transport->interrupt_status(virtio);
    if (!virtio->features)
        return NULL; /* it does not run yet */
    if (!used_take(virtio))
        return "damaged queue";
    if ((why & VIRTIO_ISR_CONFIG) && (virtio->transport->read(virtio, VIRTIO_STATUS, 1) & VIRTIO_NEEDS_RESET))
        return "it asks for a reset";
    return NULL;
}

static error_t virtio_reset(struct block_queue *queue)
{
    return virtio_run((struct virtio *)queue);
}

const struct block_queue_ops virtio_queue_ops = {
    .issue = virtio_issue, .kick = virtio_kick, .collect = virtio_collect, .reset = virtio_reset,
};
