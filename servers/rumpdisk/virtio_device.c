/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device as a whole: reset, features, queue, what it says of itself (VIRTIO 1.1, 3.1.1, 5.2.5). */

#include "virtio.h"

#include <string.h>
#include <unistd.h>

#define RESET_MS 5000u
#define CONFIG_TRIES 100u

static uint32_t reg_read(struct virtio *virtio, unsigned int offset, unsigned int size)
{
    return virtio->transport->read(virtio, offset, size);
}

static void reg_write(struct virtio *virtio, unsigned int offset, unsigned int size, uint32_t value)
{
    virtio->transport->write(virtio, offset, size, value);
}

static void reg_write64(struct virtio *virtio, unsigned int offset, uint64_t value)
{
    reg_write(virtio, offset, 4, value);
    reg_write(virtio, offset + 4, 4, value >> 32);
}

static void status_add(struct virtio *virtio, unsigned int bit)
{
    reg_write(virtio, VIRTIO_STATUS, 1, reg_read(virtio, VIRTIO_STATUS, 1) | bit);
}

/* What is in flight is not touched any more once the status reads as 0 (4.1.4.3.2). */
static error_t device_reset(struct virtio *virtio)
{
    reg_write(virtio, VIRTIO_STATUS, 1, 0);
    for (unsigned int slept = 0;; slept += 10) {
        for (unsigned int look = 0; look < 100; look++)
            if (reg_read(virtio, VIRTIO_STATUS, 1) == 0)
                return 0;
        if (slept >= RESET_MS)
            return ETIMEDOUT;
        usleep(10000); /* the kernel's tick */
    }
}

static uint64_t features_read(struct virtio *virtio)
{
    reg_write(virtio, VIRTIO_DEVICE_FEATURE_SELECT, 4, 0);
    uint64_t features = reg_read(virtio, VIRTIO_DEVICE_FEATURE, 4);
    reg_write(virtio, VIRTIO_DEVICE_FEATURE_SELECT, 4, 1);
    return features | (uint64_t)reg_read(virtio, VIRTIO_DEVICE_FEATURE, 4) << 32;
}

/* Agrees on FEATURES, in the order of 3.1.1. */
static error_t features_set(struct virtio *virtio, uint64_t features)
{
    reg_write(virtio, VIRTIO_DRIVER_FEATURE_SELECT, 4, 0);
    reg_write(virtio, VIRTIO_DRIVER_FEATURE, 4, features);
    reg_write(virtio, VIRTIO_DRIVER_FEATURE_SELECT, 4, 1);
    reg_write(virtio, VIRTIO_DRIVER_FEATURE, 4, features >> 32);
    status_add(virtio, VIRTIO_FEATURES_OK);
    return reg_read(virtio, VIRTIO_STATUS, 1) & VIRTIO_FEATURES_OK ? 0 : ENOTSUP;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static size_t available_place(unsigned int size)
{
    return size * sizeof(struct virtio_descriptor);
}

static size_t used_place(unsigned int size)
{
    return (available_place(size) + sizeof(struct virtio_available) + (size + 1) * sizeof(uint16_t) + 3) & ~(size_t)3;
}

/* The ring in one page, the slots' headers in another, their tables in more. */
static error_t memory_create(struct virtio *virtio)
{
    void *ring, *slots, *tables = NULL;
    _Static_assert(VIRTIO_RING_MAX * (16 + 2 + 8) + 16 <= BLOCK_PAGE, "a ring fits into a page");
    _Static_assert(BLOCK_SLOTS * sizeof(struct virtio_slot) <= BLOCK_PAGE, "the slots fit into a page");
    error_t err = block_memory_allocate(&virtio->limits, BLOCK_PAGE, &ring, &virtio->ring_physical);
    if (!err)
        err = block_memory_allocate(&virtio->limits, BLOCK_PAGE, &slots, &virtio->slots_physical);
    if (!err && (virtio->features & VIRTIO_INDIRECT))
        err = block_memory_allocate(&virtio->limits, BLOCK_SLOTS * BLOCK_PAGE, &tables, &virtio->tables_physical);
    if (err)
        return err;
    virtio->descriptors = ring;
    virtio->available = (void *)((char *)ring + available_place(virtio->size));
    virtio->used = (void *)((char *)ring + used_place(virtio->size));
    virtio->used_event = &virtio->available->ring[virtio->size];
    virtio->available_event = (const volatile uint16_t *)&virtio->used->ring[virtio->size];
    virtio->slots = slots;
    virtio->tables = tables;
    return 0;
}

static error_t queue_enable(struct virtio *virtio)
{
    memset(virtio->descriptors, 0, BLOCK_PAGE);
    virtio->filled = virtio->told = virtio->taken = 0;
    reg_write(virtio, VIRTIO_QUEUE_SELECT, 2, 0);
    if (reg_read(virtio, VIRTIO_QUEUE_SIZE, 2) < virtio->size)
        return ENOTSUP;
    reg_write(virtio, VIRTIO_QUEUE_SIZE, 2, virtio->size);
    reg_write(virtio, VIRTIO_MSIX_CONFIG, 2, virtio->messages ? 0 : VIRTIO_NO_VECTOR);
    reg_write(virtio, VIRTIO_QUEUE_MSIX, 2, virtio->messages ? 0 : VIRTIO_NO_VECTOR);
    if (virtio->messages && reg_read(virtio, VIRTIO_QUEUE_MSIX, 2) != 0)
        return ENOMEM;
    reg_write64(virtio, VIRTIO_QUEUE_DESCRIPTORS, virtio->ring_physical);
    reg_write64(virtio, VIRTIO_QUEUE_AVAILABLE, virtio->ring_physical + available_place(virtio->size));
    reg_write64(virtio, VIRTIO_QUEUE_USED, virtio->ring_physical + used_place(virtio->size));
    reg_write(virtio, VIRTIO_QUEUE_ENABLE, 2, 1);
    return 0;
}

error_t virtio_run(struct virtio *virtio)
{
    error_t err = device_reset(virtio);
    /* One that does not stop must not reach memory that is somebody else's by then. */
    if (virtio->transport->mastering)
        virtio->transport->mastering(virtio, !err);
    if (err)
        return err;
    status_add(virtio, VIRTIO_ACKNOWLEDGE);
    status_add(virtio, VIRTIO_DRIVER);
    err = features_set(virtio, virtio->features);
    if (!err)
        err = queue_enable(virtio);
    status_add(virtio, err ? VIRTIO_FAILED : VIRTIO_DRIVER_OK);
    return err;
}

/* ---- what it is -------------------------------------------------------------------------------- */

/* The device configuration, of one moment (2.4.1). */
static error_t config_read(struct virtio *virtio, uint32_t *words)
{
    for (unsigned int try = 0; try < CONFIG_TRIES; try++) {
        uint32_t before = reg_read(virtio, VIRTIO_GENERATION, 1);
        for (unsigned int i = 0; i < VIRTIO_BLK_CONFIG_LENGTH / 4; i++)
            words[i] = virtio->transport->config(virtio, 4 * i, 4);
        if (reg_read(virtio, VIRTIO_GENERATION, 1) == before)
            return 0;
    }
    return EIO;
}

static error_t unit_fill(struct virtio *virtio, const uint32_t *config)
{
    struct block_unit *unit = &virtio->unit;
    uint32_t block = virtio->features & VIRTIO_BLK_BLK_SIZE ? config[VIRTIO_BLK_CONFIG_BLK_SIZE / 4] : 512;
    uint64_t capacity = config[0] | (uint64_t)config[1] << 32;
    if (block < 512 || block > BLOCK_PAGE || (block & (block - 1)))
        return ENOTSUP;
    *unit = (struct block_unit){.queue = &virtio->queue, .model = "Virtio disk", .limits = virtio->limits,
                                .sector_log = __builtin_ctz(block),
                                .write_cache = virtio->features & VIRTIO_BLK_FLUSH,
                                .readonly = virtio->features & VIRTIO_BLK_RO};
    unit->sectors = capacity >> (unit->sector_log - 9);
    return unit->sectors == 0 || capacity > UINT64_MAX >> 9 ? ENODEV : 0;
}

/* How much a request may hold. */
static void limits_fill(struct virtio *virtio, const uint32_t *config)
{
    uint32_t pieces = virtio->features & VIRTIO_BLK_SEG_MAX ? config[VIRTIO_BLK_CONFIG_SEG_MAX / 4] : 1;
    uint32_t most = (virtio->features & VIRTIO_INDIRECT ? VIRTIO_TABLE_ENTRIES : VIRTIO_SHARE) - 2;
    virtio->data_most = pieces == 0 ? 1 : pieces < most ? pieces : most;
    virtio->piece_max = virtio->features & VIRTIO_BLK_SIZE_MAX ? config[VIRTIO_BLK_CONFIG_SIZE_MAX / 4] : 1u << 30;
}

/* The ring's size: a power of two; and how many requests it holds. */
static error_t size_fill(struct virtio *virtio, unsigned int *depth)
{
    reg_write(virtio, VIRTIO_QUEUE_SELECT, 2, 0);
    unsigned int most = reg_read(virtio, VIRTIO_QUEUE_SIZE, 2);
    for (virtio->size = VIRTIO_RING_MAX; virtio->size > most; virtio->size /= 2)
        ;
    *depth = virtio->features & VIRTIO_INDIRECT ? virtio->size : virtio->size / VIRTIO_SHARE;
    return *depth == 0 ? ENOTSUP : 0;
}

error_t virtio_start(struct virtio *virtio)
{
    uint32_t config[VIRTIO_BLK_CONFIG_LENGTH / 4];
    unsigned int depth;
    error_t err = device_reset(virtio);
    if (err)
        return err;
    status_add(virtio, VIRTIO_ACKNOWLEDGE);
    status_add(virtio, VIRTIO_DRIVER);
    uint64_t features = features_read(virtio) & VIRTIO_WANTED;
    if (!(features & VIRTIO_VERSION_1))
        return ENOTSUP;
    err = features_set(virtio, features);
    virtio->features = features;
    if (!err)
        err = config_read(virtio, config);
    if (!err)
        err = unit_fill(virtio, config);
    if (err)
        return err;
    limits_fill(virtio, config);
    /* A block of the unit must fit into a request, in pieces of any place. */
    if (virtio->piece_max < 1u << virtio->unit.sector_log || (virtio->data_most < 2 && virtio->unit.sector_log > 9))
        return ENOTSUP;
    err = size_fill(virtio, &depth);
    if (!err)
        err = memory_create(virtio);
    if (!err)
        virtio->queue.depth = depth < BLOCK_SLOTS ? depth : BLOCK_SLOTS;
    return err;
}
