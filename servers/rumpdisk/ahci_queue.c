/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands in the slots of a port. Rules of the hardware (AHCI 1.3.1, 5.3, 5.6.4): queued and other commands are
   never in flight together; the bit of a queued command is set in SACT before CI and is cleared in SACT when the
   disk says so; that of another command is cleared in CI. */

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

/* Fills the command part of TABLE, gives the kind for its header. */
static uint32_t table_fill(struct ahci_port *port, struct ahci_table *table, unsigned int slot,
                           const struct block_request *request, bool queued, size_t length)
{
    if (port->unit.packet) {
        ata_fis_packet(table->fis, length > 0);
        atapi_packet_build(request, length, table->packet);
        return AHCI_HEADER_PACKET;
    }
    if (request->kind == BLOCK_READ || request->kind == BLOCK_WRITE)
        ata_fis_transfer(table->fis, request->kind == BLOCK_WRITE, queued, request->fua, block_request_lba(request),
                         length >> request->unit->sector_log, slot);
    else
        ata_fis_command(table->fis,
                        request->kind == BLOCK_FLUSH ? ATA_FLUSH_CACHE_EXT : *(const uint8_t *)request->special);
    return request->kind == BLOCK_WRITE ? AHCI_HEADER_WRITE : 0;
}

static size_t ahci_issue(struct block_queue *queue, unsigned int slot, struct block_request *request, bool alone)
{
    struct ahci_port *port = (struct ahci_port *)queue;
    struct ahci_table *table = &port->tables[slot];
    unsigned int log = request->unit->sector_log, prds = 0;
    bool queued = is_queued(port, request) && !alone;
    size_t left = request->length - request->finished;
    size_t most = (size_t)(port->unit.packet ? ATAPI_SECTORS_MAX : ATA_SECTORS_MAX) << log;
    if (left > most)
        left = most;
    if (left > 0)
        left = ahci_prds_fill(table, &request->memory, request->kind == BLOCK_SPECIAL ? 2 : (size_t)1 << log,
                              request->finished, left, &prds);
    uint32_t kind = table_fill(port, table, slot, request, queued, left);
    ahci_header_fill(&port->list[slot], port->tables_physical + slot * sizeof *table, kind, prds);
    /* The processor keeps its stores in order; the compiler must too. */
    __asm__ volatile("" : : : "memory");
    if (queued) {
        port->busy_queued |= 1u << slot;
        ahci_write32(port->regs, PORT_SACT, 1u << slot);
    }
    ahci_write32(port->regs, PORT_CI, 1u << slot);
    return left;
}

/* One command, not queued, has failed: which one is known, and the port only has to be started again. With queued
   commands to follow the link is reset as well: the error would stay in the status that QEMU's disk shows when it
   takes one. */
static const char *single_failed(struct ahci_port *port, uint32_t file)
{
    unsigned int slot = __builtin_ctzll(port->queue.busy);
    if (port->queuing ? ahci_port_reset(port) : ahci_port_restart(port))
        return "error, and the command list does not start again";
    block_queue_ended(&port->queue, slot, port->unit.packet ? atapi_error(file >> 8) : EIO);
    return NULL;
}

static const char *ahci_collect(struct block_queue *queue)
{
    struct ahci_port *port = (struct ahci_port *)queue;
    uint32_t status = ahci_read32(port->regs, PORT_IS);
    ahci_write32(port->regs, PORT_IS, status);
    if (!queue->busy)
        return NULL;
    if (status & PORT_INT_ERRORS) {
        uint32_t file = ahci_read32(port->regs, PORT_TFD) & 0xffff;
        if ((status & PORT_INT_ERRORS) == PORT_INT_TFES && !port->busy_queued && !(queue->busy & (queue->busy - 1)))
            return single_failed(port, file);
        snprintf(port->cause, sizeof port->cause, "error (interrupt 0x%x, task file 0x%x, SERR 0x%x)", status, file,
                 ahci_read32(port->regs, PORT_SERR));
        return port->cause;
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
