/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtio block device made of memory: the device's side of VIRTIO 1.1, 2.6, 4.1.4.3 and 5.2 as far as
   servers/rumpdisk/virtio*.c use it, and a few ways to misbehave.  What a driver must not do is counted in
   `complaints'.  It works when it is notified, or by fake_work. */

#ifndef FAKE_VIRTIO_H
#define FAKE_VIRTIO_H

#include "../block/fake_watch.h"

#include "../../../servers/rumpdisk/virtio.h"

#define FAKE_SECTORS 8192u

static struct {
    /* How it is and behaves. */
    uint64_t offered;
    uint32_t size_max, seg_max, blk_size;
    unsigned int queue_size;
    bool hold, refuses_features, never_reset;
    uint64_t fail_sector;
    unsigned int failures, fail_status;
    /* What it has seen. */
    unsigned int complaints, requests, flushes, notifications, interrupts, resets, pieces_most;
    /* Its own. */
    uint8_t status, isr;
    uint32_t feature_select, driver_select;
    uint64_t accepted;
    unsigned int enabled_size;
    uint64_t descriptors, available, used;
    uint16_t seen, done;
    bool enabled;
    uint8_t disk[FAKE_SECTORS * 512];
} fake;

static void *must(uint64_t physical, size_t size)
{
    static uint8_t nowhere[1 << 16];
    void *memory = fake_ram_at(physical, size);
    if (memory)
        return memory;
    fake.complaints++;
    return nowhere;
}

/* One piece of a request's data, at byte AT of the disk. */
static void piece_do(const struct virtio_descriptor *piece, uint32_t type, size_t at)
{
    void *memory = must(piece->address, piece->length);
    if (piece->length > fake.size_max && (fake.accepted & VIRTIO_BLK_SIZE_MAX))
        fake.complaints++;
    if (!(piece->flags & VIRTIO_WRITE) != (type == VIRTIO_OUT) || at + piece->length > sizeof fake.disk) {
        fake.complaints++;
        return;
    }
    type == VIRTIO_OUT ? memcpy(fake.disk + at, memory, piece->length) : memcpy(memory, fake.disk + at, piece->length);
}

static uint8_t request_do(const struct virtio_descriptor *table, unsigned int first, unsigned int limit)
{
    const struct virtio_descriptor *entry = &table[first];
    const struct virtio_header *header = must(entry->address, sizeof *header);
    size_t at = header->sector * 512, begin = at;
    unsigned int pieces = 0;
    if (entry->length != 16 || (entry->flags & VIRTIO_WRITE))
        fake.complaints++;
    bool fails = header->type != VIRTIO_FLUSH && header->sector == fake.fail_sector && fake.failures > 0;
    for (; entry->flags & VIRTIO_NEXT; pieces++) {
        if (entry->next >= limit || pieces > limit) {
            fake.complaints++;
            return 1;
        }
        entry = &table[entry->next];
        if (!(entry->flags & VIRTIO_NEXT))
            break;
        if (!fails)
            piece_do(entry, header->type, at);
        at += entry->length;
    }
    if (pieces > fake.seg_max && (fake.accepted & VIRTIO_BLK_SEG_MAX))
        fake.complaints++;
    if (pieces > fake.pieces_most)
        fake.pieces_most = pieces;
    if ((at - begin) % (fake.accepted & VIRTIO_BLK_BLK_SIZE ? fake.blk_size : 512) || entry->length != 1
        || !(entry->flags & VIRTIO_WRITE))
        fake.complaints++;
    fake.flushes += header->type == VIRTIO_FLUSH;
    uint8_t status = fails ? fake.fail_status : 0;
    fake.failures -= fails;
    *(uint8_t *)must(entry->address, 1) = status;
    return status;
}

static void used_put(uint32_t id)
{
    struct virtio_used *used = must(fake.used, 6 + 8 * fake.enabled_size);
    used->ring[fake.done++ % fake.enabled_size].id = id;
    used->index = fake.done;
    const struct virtio_available *available = must(fake.available, 6 + 2 * fake.enabled_size);
    uint16_t event = available->ring[fake.enabled_size];
    if (!(fake.accepted & VIRTIO_EVENT_IDX) || event == (uint16_t)(fake.done - 1)) {
        fake.isr |= VIRTIO_ISR_QUEUE;
        fake.interrupts++;
    }
}

static void fake_work(void)
{
    if (!fake.enabled || !(fake.status & VIRTIO_DRIVER_OK))
        return;
    const struct virtio_available *available = must(fake.available, 6 + 2 * fake.enabled_size);
    while (!fake.hold && fake.seen != available->index) {
        unsigned int head = available->ring[fake.seen++ % fake.enabled_size];
        const struct virtio_descriptor *ring = must(fake.descriptors, 16 * fake.enabled_size);
        fake.requests++;
        if (head >= fake.enabled_size)
            fake.complaints++;
        else if (ring[head].flags & VIRTIO_TABLE)
            request_do(must(ring[head].address, ring[head].length), 0, ring[head].length / 16);
        else
            request_do(ring, head, fake.enabled_size);
        used_put(head);
    }
    /* The available index of which we want to be told. */
    struct virtio_used *used = must(fake.used, 6 + 8 * fake.enabled_size);
    memcpy(&used->ring[fake.enabled_size], &fake.seen, 2);
}

static void status_write(uint8_t value)
{
    if (value == 0 && !fake.never_reset) {
        fake.resets++;
        fake.status = fake.isr = 0;
        fake.enabled = false;
        fake.seen = fake.done = 0;
        fake.accepted = 0;
        return;
    }
    if ((value & VIRTIO_FEATURES_OK) && (fake.refuses_features || (fake.accepted & ~fake.offered)))
        value &= ~VIRTIO_FEATURES_OK;
    fake.status = fake.never_reset && value == 0 ? fake.status : value;
}

static uint32_t reg_read(struct virtio *virtio, unsigned int offset, unsigned int size)
{
    (void)virtio, (void)size;
    switch (offset) {
    case VIRTIO_DEVICE_FEATURE:
        return fake.offered >> (32 * fake.feature_select);
    case VIRTIO_STATUS:
        return fake.status;
    case VIRTIO_QUEUE_SIZE:
        return fake.enabled ? fake.enabled_size : fake.queue_size;
    default:
        return 0;
    }
}

static void half_set(uint64_t *value, bool high, uint32_t half)
{
    *value = high ? (uint32_t)*value | (uint64_t)half << 32 : (*value & ~0xffffffffull) | half;
}

static void reg_write(struct virtio *virtio, unsigned int offset, unsigned int size, uint32_t value)
{
    (void)virtio, (void)size;
    switch (offset) {
    case VIRTIO_DEVICE_FEATURE_SELECT:
        fake.feature_select = value & 1;
        break;
    case VIRTIO_DRIVER_FEATURE_SELECT:
        fake.driver_select = value & 1;
        break;
    case VIRTIO_DRIVER_FEATURE:
        half_set(&fake.accepted, fake.driver_select, value);
        break;
    case VIRTIO_STATUS:
        status_write(value);
        break;
    case VIRTIO_QUEUE_SIZE:
        fake.enabled_size = value;
        break;
    case VIRTIO_QUEUE_ENABLE:
        fake.enabled = true;
        fake.complaints += fake.enabled_size == 0 || fake.enabled_size > fake.queue_size
                           || (fake.enabled_size & (fake.enabled_size - 1));
        break;
    case VIRTIO_QUEUE_DESCRIPTORS:
    case VIRTIO_QUEUE_DESCRIPTORS + 4:
        half_set(&fake.descriptors, offset & 4, value);
        break;
    case VIRTIO_QUEUE_AVAILABLE:
    case VIRTIO_QUEUE_AVAILABLE + 4:
        half_set(&fake.available, offset & 4, value);
        break;
    case VIRTIO_QUEUE_USED:
    case VIRTIO_QUEUE_USED + 4:
        half_set(&fake.used, offset & 4, value);
        break;
    }
}

static uint32_t config_read(struct virtio *virtio, unsigned int offset, unsigned int size)
{
    (void)virtio, (void)size;
    return offset == 0 ? FAKE_SECTORS : offset == 8 ? fake.size_max : offset == 12 ? fake.seg_max
           : offset == 20 ? fake.blk_size : 0;
}

static unsigned int isr_read(struct virtio *virtio)
{
    (void)virtio;
    unsigned int isr = fake.isr;
    fake.isr = 0;
    return isr;
}

static void notify(struct virtio *virtio)
{
    (void)virtio;
    fake.notifications++;
    fake_work();
}

static const struct virtio_transport fake_transport = {reg_read, reg_write, config_read, isr_read, notify, NULL};

/* The most it can offer; a ring of 256. */
static void fake_begin(void)
{
    memset(&fake, 0, sizeof fake);
    fake.offered = ~0ull;
    fake.size_max = 65536;
    fake.seg_max = 126;
    fake.blk_size = 512;
    fake.queue_size = 256;
    fake.fail_sector = UINT64_MAX;
    fake_ram_used = 0;
}

#endif
