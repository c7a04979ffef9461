/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: any bytes as what a virtio block device says: features, configuration, the used ring, status bytes.
    The driver must stay inside its memory, end each request at most once, and not hang.

   Sources: servers/rumpdisk/block_queue.c servers/rumpdisk/virtio_device.c servers/rumpdisk/virtio_queue.c
   Max: 4096 */

#include "../unit/block/fake_watch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../servers/rumpdisk/virtio.h"

#define REQUESTS 80u

static const uint8_t *input;
static size_t left;
static unsigned int done[REQUESTS];
static struct block_request requests[REQUESTS];
static uint8_t status;

/* The driver waits: the time goes by at once. */
int usleep(useconds_t useconds)
{
    (void)useconds;
    return 0;
}

static uint32_t take(unsigned int size)
{
    uint32_t value = 0;
    for (unsigned int i = 0; i < size && left > 0; i++, left--)
        value |= (uint32_t)*input++ << 8 * i;
    return value;
}

/* Mostly a device that works, so that what comes later is reached. */
static uint32_t reg_read(struct virtio *virtio, unsigned int offset, unsigned int size)
{
    (void)virtio;
    switch (offset) {
    case VIRTIO_STATUS:
        return status;
    case VIRTIO_QUEUE_SIZE:
        return 256;
    case VIRTIO_GENERATION:
        return 0;
    case VIRTIO_DEVICE_FEATURE:
        return take(size) | 1;
    default:
        return take(size);
    }
}

static void reg_write(struct virtio *virtio, unsigned int offset, unsigned int size, uint32_t value)
{
    (void)virtio, (void)size;
    if (offset == VIRTIO_STATUS)
        status = value;
}

static uint32_t config(struct virtio *virtio, unsigned int offset, unsigned int size)
{
    (void)virtio, (void)offset;
    return take(size);
}

static unsigned int interrupt_status(struct virtio *virtio)
{
    (void)virtio;
    return take(1) & 3;
}

static void notify(struct virtio *virtio)
{
    (void)virtio;
}

static const struct virtio_transport transport = {reg_read, reg_write, config, interrupt_status, notify, NULL};

static void request_done(struct block_request *request, error_t err)
{
    (void)err;
    if (done[request - requests]++ > 0)
        abort();
}

static void requests_submit(struct virtio *virtio)
{
    static uint64_t pages[64];
    unsigned int log = virtio->unit.sector_log;
    memset(done, 0, sizeof done);
    for (unsigned int i = 0; i < 64; i++)
        pages[i] = FAKE_RAM_BASE + 4096 * (i * 5 % 64);
    for (unsigned int i = 0; i < REQUESTS; i++) {
        requests[i] = (struct block_request){.unit = &virtio->unit, .kind = i % 3, .lba = i, .done = request_done,
                                             .length = i % 3 == BLOCK_FLUSH ? 0 : (size_t)(1 + i % 16) << log,
                                             .memory = {.pages = pages, .offset = 4 * i}};
        block_submit(&requests[i]);
    }
}

static void device_say(struct virtio *virtio)
{
    struct virtio_used *used = (struct virtio_used *)virtio->used;
    switch (take(1) % 6) {
    case 0:
        used->index = take(2);
        break;
    case 1:
        fake_clock += take(1);
        block_queue_watch(&virtio->queue, fake_clock);
        break;
    case 2:
        virtio->slots[take(1) % BLOCK_SLOTS].status = take(1);
        break;
    case 3:
        used->ring[take(1) % virtio->size].id = take(4);
        break;
    default: /* the next one is used, of a slot that may be in flight */
        used->ring[used->index++ % virtio->size].id = take(1);
    }
    block_queue_service(&virtio->queue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static struct virtio virtio;
    input = data;
    left = length;
    status = 0;
    fake_ram_used = 0;
    virtio = (struct virtio){.transport = &transport, .limits.end = UINT64_MAX};
    block_queue_init(&virtio.queue, &virtio_queue_ops, 1, "fuzz");
    if (virtio_start(&virtio) == 0 && virtio_run(&virtio) == 0) {
        requests_submit(&virtio);
        while (left > 0)
            device_say(&virtio);
    }
    pthread_mutex_destroy(&virtio.queue.lock);
    return 0;
}
