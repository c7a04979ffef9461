/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of an AHCI port and their ends, with registers that the test writes. */

#include "unit.h"

#include "../block/fake_watch.h"
#include "../block/job.h"

#include "../../../servers/rumpdisk/ahci.h"
#include "../../../servers/rumpdisk/ahci_regs.h"

static struct ahci_hba hba;
static struct ahci_port port;
static uint32_t regs[PORT_SIZE / 4];
static struct ahci_header list[AHCI_SLOTS];
static struct ahci_table tables[AHCI_SLOTS];
static unsigned int resets, restarts;

error_t ahci_port_reset(struct ahci_port *p)
{
    CHECK(p == &port);
    resets++;
    memset(regs, 0, sizeof regs);
    return 0;
}

error_t ahci_port_restart(struct ahci_port *p)
{
    CHECK(p == &port);
    restarts++;
    memset(regs, 0, sizeof regs);
    return 0;
}

static void begin(bool packet)
{
    memset(&port, 0, sizeof port);
    memset(regs, 0, sizeof regs);
    memset(tables, 0, sizeof tables);
    resets = restarts = 0;
    port.hba = &hba;
    port.regs = regs;
    port.list = list;
    port.tables = tables;
    port.queuing = !packet;
    port.unit.packet = packet;
    port.unit.block = (struct block_unit){.queue = &port.queue, .sector_log = packet ? 11 : 9, .sectors = 1 << 20};
    block_queue_init(&port.queue, &ahci_queue_ops, packet ? 1 : 32, "test");
}

static void submit(struct job *job, enum block_kind kind, uint64_t lba, size_t length)
{
    *job = (struct job){.request = {.unit = &port.unit.block, .kind = kind, .lba = lba, .length = length,
                                    .memory = {.base = 0x100000}, .done = job_done}};
    block_submit(&job->request);
}

/* The hardware says: interrupt STATUS, the commands in RUNNING are not over. */
static void service(uint32_t status, uint32_t running, uint32_t file)
{
    regs[PORT_IS / 4] = status;
    regs[PORT_CI / 4] = port.busy_queued ? 0 : running;
    regs[PORT_SACT / 4] = port.busy_queued ? running : 0;
    regs[PORT_TFD / 4] = file;
    block_queue_service(&port.queue);
}

static uint8_t command(unsigned int slot)
{
    return tables[slot].fis[2];
}

UNIT_TEST(queued_and_others_never_together)
{
    struct job reads[3], flush, write;
    begin(false);
    for (unsigned int i = 0; i < 3; i++)
        submit(&reads[i], BLOCK_READ, 100 * i, 4096);
    CHECK_EQ(port.busy_queued, 7);
    CHECK(command(2) == ATA_READ_FPDMA_QUEUED && tables[2].fis[12] == 2 << 3 && tables[2].fis[4] == 200);
    CHECK(regs[PORT_SACT / 4] == 4 && regs[PORT_CI / 4] == 4);
    submit(&flush, BLOCK_FLUSH, 0, 0);
    submit(&write, BLOCK_WRITE, 5, 512);
    CHECK_EQ(port.queue.busy, 7);
    service(PORT_INT_SDBS, 4, 0x50);
    CHECK(reads[0].done == 1 && reads[1].done == 1 && reads[2].done == 0);
    CHECK_EQ(port.queue.busy, 4);
    service(PORT_INT_SDBS, 0, 0x50);
    CHECK(reads[2].done == 1 && port.busy_queued == 0 && command(0) == ATA_FLUSH_CACHE_EXT);
    CHECK_EQ(port.queue.busy, 1);
    service(PORT_INT_DHRS, 0, 0x50);
    CHECK(flush.done == 1 && flush.result == 0 && command(0) == ATA_WRITE_FPDMA_QUEUED &&
          (list[0].flags & AHCI_HEADER_WRITE));
    service(PORT_INT_SDBS, 0, 0x50);
    CHECK(write.done == 1 && port.queue.bytes == 3 * 4096 + 512);
}

/* The port does not tell which queued command has failed: all again, one by one, unqueued. */
UNIT_TEST(one_of_several_fails)
{
    struct job good, bad;
    begin(false);
    submit(&bad, BLOCK_READ, 1, 512);
    submit(&good, BLOCK_READ, 2, 512);
    service(PORT_INT_TFES | PORT_INT_SDBS, 3, 0x441);
    CHECK(resets == 1 && !good.done && !bad.done);
    for (unsigned int i = 0; i < 8 && !(good.done && bad.done); i++) {
        CHECK(port.queue.busy == 1 && port.busy_queued == 0 && command(0) == ATA_READ_DMA_EXT);
        if (tables[0].fis[4] == 1)
            service(PORT_INT_TFES, 1, 0x4051);
        else
            service(PORT_INT_DHRS, 0, 0x50);
    }
    CHECK(bad.done == 1 && bad.result == EIO && good.done == 1 && good.result == 0);
    struct job after;
    submit(&after, BLOCK_READ, 3, 512);
    CHECK_EQ(command(0), ATA_READ_FPDMA_QUEUED);
    service(PORT_INT_SDBS, 0, 0x50);
    CHECK(after.done == 1 && after.result == 0);
}

UNIT_TEST(packets_fail_with_their_sense)
{
    struct job job;
    begin(true);
    submit(&job, BLOCK_READ, 7, 4096);
    CHECK(command(0) == ATA_PACKET && (list[0].flags & AHCI_HEADER_PACKET));
    CHECK(tables[0].packet[0] == 0x28 && tables[0].packet[5] == 7 && tables[0].packet[8] == 2);
    service(PORT_INT_TFES, 1, 0x2451);
    CHECK(job.done == 1 && job.result == ENXIO && restarts == 1 && resets == 0);
    submit(&job, BLOCK_READ, 7, 4096);
    service(PORT_INT_TFES, 1, 0x6451);
    CHECK(job.done == 1 && job.result == ESTALE);
}

UNIT_TEST(interrupts_lost_and_of_others)
{
    struct job job;
    begin(false);
    service(PORT_INT_DHRS, 0, 0x50);
    submit(&job, BLOCK_READ, 1, 512);
    service(0, 1, 0x50);
    CHECK_EQ(job.done, 0);
    regs[PORT_SACT / 4] = regs[PORT_CI / 4] = 0;
    block_queue_watch(&port.queue, 1);
    CHECK(job.done == 1 && job.result == 0 && resets == 0);
}

UNIT_TEST(timeout_resets)
{
    struct job job;
    begin(false);
    submit(&job, BLOCK_READ, 1, 512);
    regs[PORT_IS / 4] = 0;
    block_queue_watch(&port.queue, BLOCK_TIMEOUT_S + 1 + fake_clock);
    CHECK(resets == 1 && job.done == 0 && command(0) == ATA_READ_DMA_EXT);
    service(PORT_INT_DHRS, 0, 0x50);
    CHECK(job.done == 1 && job.result == 0);
}

UNIT_MAIN
