/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A watchdog that tests turn by hand, in place of servers/rumpdisk/block_watch.c, and memory for DMA. */

#ifndef FAKE_WATCH_H
#define FAKE_WATCH_H

#include "../../../servers/rumpdisk/block.h"

#include <stdlib.h>
#include <string.h>

static uint64_t fake_clock;
static struct block_queue *fake_queue; /* the last one that was made */

void block_watch_add(struct block_queue *queue)
{
    fake_queue = queue;
}

void block_watch_wake(void)
{
}

uint64_t block_watch_clock(void)
{
    return fake_clock;
}

/* Physical memory: what has an address of 32 bits that is not a pointer. */
#define FAKE_RAM_SIZE (8u << 20)
#define FAKE_RAM_BASE 0x100000u
static uint8_t fake_ram[FAKE_RAM_SIZE];
static size_t fake_ram_used;

error_t block_memory_allocate(const struct block_limits *limits, size_t size, void **where, uint64_t *physical)
{
    (void)limits;
    size = (size + BLOCK_PAGE - 1) & ~(size_t)(BLOCK_PAGE - 1);
    if (size > FAKE_RAM_SIZE - fake_ram_used)
        return ENOMEM;
    *where = memset(fake_ram + fake_ram_used, 0, size);
    *physical = FAKE_RAM_BASE + fake_ram_used;
    fake_ram_used += size;
    return 0;
}

/* The byte at a physical address; NULL: no memory there for SIZE bytes. */
static inline uint8_t *fake_ram_at(uint64_t physical, size_t size)
{
    if (physical < FAKE_RAM_BASE || physical - FAKE_RAM_BASE > FAKE_RAM_SIZE ||
        size > FAKE_RAM_SIZE - (physical - FAKE_RAM_BASE))
        return NULL;
    return fake_ram + (physical - FAKE_RAM_BASE);
}

#endif
