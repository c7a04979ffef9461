/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands in the slots of a port.  Rules of the hardware (AHCI 1.3.1, 5.3, 5.6.4): queued and other commands are never in flight together;
   the bit of a queued command is set in SACT before CI and is cleared in SACT when the disk says so; that of another command is
   cleared in CI.  */

#include "ahci.h"

#include <stdio.h>

#include "ahci_regs.h"

static bool is_queued(const struct ahci_port *port, const struct block_request *request)
{
    return port->queuing && (request->kind == BLOCK_READ || request->kind == BLOCK_WRITE);
}

static bool ahci_may_issue(struct block_queue *queue, const struct block_request *request)
{
    struct ahci_port *port = (struct ahci_port *)queue;
    return is_queued(port, request) == (port->busy_queued != 0);
}

static size_t ahci_issue(struct block_queue *queue, unsigned int slot, struct block_request *request, bool alone)
{
    struct ahci_port *port = (struct ahci_port *)queue;
    struct ahci_table *table = &port->tables[slot];
    const struct block_unit *unit = &port->unit;
    bool queued = is_queued(port, request) && !alone;
    bool transfer = request->kind == BLOCK_READ || request->kind == BLOCK_WRITE;
    size_t left = request->length - request->finished;
    unsigned int prds = 0;
    if (left > (size_t)ATA_SECTORS_MAX << unit->sector_log)
        left = (size_t)ATA_SECTORS_MAX << unit->sector_log;
    if (left > 0)
        left = ahci_prds_fill(table, &request->memory, (size_t)1 << unit->sector_log, request->finished, left, &prds);
    if (transfer)
        ata_fis_transfer(table->fis, request->kind == BLOCK_WRITE, queued, request->fua, block_request_lba(request),
                         left >> unit->sector_log, slot);
    else
        ata_fis_command(table->fis, request->kind == BLOCK_FLUSH ? ATA_FLUSH_CACHE_EXT : ATA_IDENTIFY_DEVICE);
    ahci_header_fill(&port->list[slot], port->tables_physical + slot * sizeof *table, request->kind == BLOCK_WRITE, prds);
    /* The processor keeps its stores in order; the compiler must too. */
    __asm__ volatile("" : : : "memory");
    if (queued) {
        port->busy_queued |= 1u << slot;
        ahci_write32(port->regs, PORT_SACT, 1u << slot);
    }
    ahci_write32(port->regs, PORT_CI, 1u << slot);
    return left;
}

static const char *ahci_collect(struct block_queue *queue)
{
    struct ahci_port *port = (struct ahci_port *)queue;
    uint32_t status = ahci_read32(port->regs, PORT_IS);
    ahci_write32(port->regs, PORT_IS, status);
    if (!queue->busy)
        return NULL;
    if (status & PORT_INT_ERRORS) {
        fprintf(stderr, "rumpdisk: %s: interrupt status 0x%x, task file 0x%x, SERR 0x%x\n", queue->name, status,
                ahci_read32(port->regs, PORT_TFD) & 0xffff, ahci_read32(port->regs, PORT_SERR));
        return "error";
    }
    uint32_t running = ahci_read32(port->regs, PORT_CI) | (port->busy_queued ? ahci_read32(port->regs, PORT_SACT) : 0);
    for (uint32_t done = queue->busy & ~running; done; done &= done - 1) {
        unsigned int slot = __builtin_ctz(done);
        port->busy_queued &= ~(1u << slot);
        block_queue_ended(queue, slot, 0);
    }
    return NULL;
}

static error_t ahci_reset(struct block_queue *queue)
{
    struct ahci_port *port = (struct ahci_port *)queue;
    port->busy_queued = 0;
    return ahci_port_reset(port);
}

const struct block_queue_ops ahci_queue_ops = {
    .may_issue = ahci_may_issue, .issue = ahci_issue, .collect = ahci_collect, .reset = ahci_reset,
};
