/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: an AHCI port whose registers say anything at any time, with requests of all kinds on their way.
   Each request ends exactly once, slots are not lost, and no more is handed to the hardware than memory was given.

   Sources: servers/rumpdisk/ahci_queue.c servers/rumpdisk/ahci_command.c servers/rumpdisk/block_queue.c
       servers/rumpdisk/ata.c servers/rumpdisk/atapi.c
   Max: 4096
   An input is a byte of what the port is (bit 0: queued commands, bit 1: packets, bit 2: it comes back from a reset)
   and then steps: a byte that says which, and its operands.  */

#include <stdio.h>
#include <stdlib.h>

#include "../unit/block/fake_watch.h"

#include "../../servers/rumpdisk/ahci.h"
#include "../../servers/rumpdisk/ahci_regs.h"

enum { JOBS = 200, MEMORY = 1 << 20 };

static struct ahci_hba hba;
static struct ahci_port port;
static uint32_t regs[PORT_SIZE / 4];
static struct ahci_header list[AHCI_SLOTS];
static struct ahci_table tables[AHCI_SLOTS];
static bool comes_back;

struct job {
    struct block_request request; /* first */
    unsigned int done;
    bool submitted;
};
static struct job jobs[JOBS];
static unsigned int job_count;
static uint64_t pages[MEMORY / BLOCK_PAGE];

error_t ahci_port_reset(struct ahci_port *p)
{
    if (p->queue.busy & ~1ull && p->busy_queued)
        abort();
    memset(regs, 0, sizeof regs);
    return comes_back ? 0 : ETIMEDOUT;
}

error_t ahci_port_restart(struct ahci_port *p)
{
    (void)p;
    return comes_back ? 0 : EIO;
}

static void job_done(struct block_request *request, error_t err)
{
    struct job *job = (struct job *)request;
    if (job->done++ || (!err && request->finished != request->length))
        abort();
}

static void begin(uint8_t kind)
{
    memset(&port, 0, sizeof port);
    memset(regs, 0, sizeof regs);
    memset(jobs, 0, sizeof jobs);
    job_count = 0;
    fake_clock = 0;
    comes_back = kind & 4;
    port.hba = &hba;
    port.regs = regs;
    port.list = list;
    port.tables = tables;
    port.queuing = kind & 1 && !(kind & 2);
    port.unit.packet = kind & 2;
    port.unit.block = (struct block_unit){.queue = &port.queue,
                                          .sector_log = kind & 2   ? 11
                                                        : kind & 8 ? 12
                                                                   : 9,
                                          .sectors = 1 << 30};
    block_queue_init(&port.queue, &ahci_queue_ops, kind & 2 ? 1 : 32, "fuzz");
    for (unsigned int i = 0; i < MEMORY / BLOCK_PAGE; i++)
        pages[i] = 0x100000 + (i * 7 % 256) * (uint64_t)BLOCK_PAGE;
}

/* What stands in the tables of busy slots: no more bytes than the piece has. */
static void tables_check(void)
{
    for (uint64_t busy = port.queue.busy; busy; busy &= busy - 1) {
        unsigned int slot = __builtin_ctzll(busy);
        size_t sum = 0;
        if (slot >= AHCI_SLOTS || list[slot].flags >> 16 > AHCI_PRDS)
            abort();
        for (unsigned int i = 0; i < list[slot].flags >> 16; i++)
            sum += (tables[slot].prds[i].count & 0x3fffff) + 1;
        if (sum != port.queue.slots[slot]->issued)
            abort();
    }
}

static void submit(uint8_t how, uint8_t sectors)
{
    static uint8_t packet[ATAPI_PACKET_SIZE] = {ATA_IDENTIFY_DEVICE};
    if (job_count == JOBS)
        return;
    struct job *job = &jobs[job_count++];
    enum block_kind kind = how % 4;
    if (port.unit.packet && (kind == BLOCK_WRITE || kind == BLOCK_FLUSH))
        kind = BLOCK_READ;
    size_t length = kind == BLOCK_FLUSH ? 0 : kind == BLOCK_SPECIAL ? (sectors & 1 ? 512 : 18)
                    : ((size_t)sectors + 1) << port.unit.block.sector_log;
    if (length > MEMORY - BLOCK_PAGE)
        length = MEMORY - BLOCK_PAGE;
    job->submitted = true;
    job->request = (struct block_request){.unit = &port.unit.block,
                                          .kind = kind,
                                          .fua = how & 4,
                                          .lba = sectors * 1000003ull,
                                          .length = length,
                                          .special = packet,
                                          .done = job_done,
                                          .memory = {.pages = how & 8 ? pages : NULL,
                                                     .base = 0x200000,
                                                     .offset = (how >> 4) * 4u}};
    block_submit(&job->request);
}

static uint32_t word(const uint8_t **data, const uint8_t *end)
{
    uint32_t value = 0;
    for (int i = 0; i < 4 && *data < end; i++)
        value = value << 8 | *(*data)++;
    return value;
}

static void step(uint8_t what, const uint8_t **data, const uint8_t *end)
{
    switch (what % 5) {
    case 0:
    case 1:
        submit(what >> 3, (uint8_t)word(data, end));
        break;
    case 2: /* the port says anything */
        regs[PORT_IS / 4] = word(data, end);
        regs[PORT_CI / 4] = word(data, end);
        regs[PORT_SACT / 4] = word(data, end);
        regs[PORT_TFD / 4] = word(data, end);
        block_queue_service(&port.queue);
        break;
    case 3: /* some commands are over, as they should be */
        regs[PORT_IS / 4] = PORT_INT_SDBS;
        regs[PORT_CI / 4] = regs[PORT_SACT / 4] = (uint32_t)port.queue.busy & word(data, end);
        block_queue_service(&port.queue);
        break;
    default:
        fake_clock += what;
        regs[PORT_IS / 4] = 0;
        block_queue_watch(&port.queue, fake_clock);
    }
    tables_check();
}

/* Everything ends when the hardware behaves. */
static void finish(void)
{
    comes_back = true;
    for (unsigned int i = 0; i < 100000 && (port.queue.busy || port.queue.pending); i++) {
        memset(regs, 0, sizeof regs);
        block_queue_service(&port.queue);
    }
    for (unsigned int i = 0; i < job_count; i++)
        if (jobs[i].done != 1)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    if (size < 1)
        return 0;
    begin(*data++);
    while (data < end)
        step(*data++, &data, end);
    finish();
    return 0;
}
