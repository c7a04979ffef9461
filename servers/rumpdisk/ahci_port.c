/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One port: its memory, start and stop, reset of the link, identification of the disk (AHCI 1.3.1, 10.1.2, 10.3,
   10.4.2). */

#include "ahci.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ahci_regs.h"

#define FIS_OFFSET 2048u /* received FISes, 256 bytes, 256-aligned, behind the list in the first page */
#define TABLES_OFFSET 4096u

error_t ahci_port_create(struct ahci_hba *hba, unsigned int number, struct ahci_port **result)
{
    struct ahci_port *port = calloc(1, sizeof *port);
    if (!port)
        return ENOMEM;
    port->hba = hba;
    port->number = number;
    port->regs = hba->regs + HBA_PORT(number) / 4;
    port->unit.block = (struct block_unit){.queue = &port->queue, .sector_log = 9, .limits = hba->limits};
    block_queue_init(&port->queue, &ahci_queue_ops, HBA_CAP_SLOTS(hba->cap), "AHCI %s port %u", hba->place, number);
    *result = port;
    return 0;
}

/* The memory the hardware reads and writes, made when there is a disk to read it for. */
static error_t port_memory(struct ahci_port *port)
{
    void *memory;
    uint64_t physical;
    size_t size = TABLES_OFFSET + HBA_CAP_SLOTS(port->hba->cap) * AHCI_TABLE_SIZE;
    error_t err = block_memory_allocate(&port->hba->limits, size, &memory, &physical);
    if (err)
        return err;
    port->list = memory;
    port->list_physical = physical;
    port->tables = (void *)((char *)memory + TABLES_OFFSET);
    port->tables_physical = physical + TABLES_OFFSET;
    return 0;
}

/* The command engine stops within 500 ms or is stuck (10.1.2). */
static error_t port_stop(struct ahci_port *port)
{
    uint32_t command = ahci_read32(port->regs, PORT_CMD) & ~PORT_CMD_ST;
    ahci_write32(port->regs, PORT_CMD, command);
    error_t err = ahci_wait(port->regs, PORT_CMD, PORT_CMD_CR, 0, 500);
    ahci_write32(port->regs, PORT_CMD, command & ~PORT_CMD_FRE);
    error_t fis = ahci_wait(port->regs, PORT_CMD, PORT_CMD_FR, 0, 500);
    return err ? err : fis;
}

/* From a stopped port with a link to one that takes commands. */
static error_t port_run(struct ahci_port *port)
{
    uint64_t fis = port->list_physical + FIS_OFFSET;
    ahci_write32(port->regs, PORT_CLB, port->list_physical);
    ahci_write32(port->regs, PORT_CLBU, port->list_physical >> 32);
    ahci_write32(port->regs, PORT_FB, fis);
    ahci_write32(port->regs, PORT_FBU, fis >> 32);
    ahci_write32(port->regs, PORT_SERR, ~0u);
    ahci_write32(port->regs, PORT_CMD, ahci_read32(port->regs, PORT_CMD) | PORT_CMD_FRE);
    /* A disk that spins up is busy for some seconds. */
    error_t err = ahci_wait(port->regs, PORT_TFD, ATA_STATUS_BSY | ATA_STATUS_DRQ, 0, 1000 * AHCI_SPIN_UP_S);
    if (err)
        return err;
    ahci_write32(port->regs, PORT_IS, ~0u);
    ahci_write32(port->regs, PORT_IE, PORT_INT_WANTED);
    ahci_write32(port->regs, PORT_CMD, ahci_read32(port->regs, PORT_CMD) | PORT_CMD_ST);
    return 0;
}

error_t ahci_port_start(struct ahci_port *port)
{
    if (PORT_SSTS_DET(ahci_read32(port->regs, PORT_SSTS)) != PORT_DET_READY)
        return ENXIO;
    error_t err = port_stop(port);
    if (!err)
        err = port_memory(port);
    if (!err)
        err = port_run(port);
    /* The signature has come with the first FIS. */
    uint32_t signature = ahci_read32(port->regs, PORT_SIG);
    port->unit.packet = signature == PORT_SIG_ATAPI;
    if (!err && signature != PORT_SIG_ATA && signature != PORT_SIG_ATAPI)
        err = ENXIO;
    return err;
}

error_t ahci_port_restart(struct ahci_port *port)
{
    error_t err = port_stop(port);
    /* A drive that is still busy needs a reset of the link. */
    if (!err && (ahci_read32(port->regs, PORT_TFD) & (ATA_STATUS_BSY | ATA_STATUS_DRQ)))
        err = EIO;
    return err ? err : port_run(port);
}

error_t ahci_port_reset(struct ahci_port *port)
{
    port_stop(port);
    /* COMRESET: one millisecond of DET = 1, then the link comes up by itself (10.4.2). */
    uint32_t control = ahci_read32(port->regs, PORT_SCTL) & ~15u;
    ahci_write32(port->regs, PORT_SCTL, control | 1);
    struct timespec millisecond = {.tv_nsec = 2000000};
    nanosleep(&millisecond, NULL);
    ahci_write32(port->regs, PORT_SCTL, control);
    error_t err = ahci_wait(port->regs, PORT_SSTS, 15, PORT_DET_READY, 1000);
    return err ? err : port_run(port);
}

/* Queued commands, if both sides have them. */
static void queuing_enable(struct ahci_port *port, const void *data)
{
    struct ata_identity identity;
    if (!(port->hba->cap & HBA_CAP_SNCQ) || !ata_identity_parse(data, &identity) || identity.queue_depth == 0)
        return;
    port->queuing = true;
    if (port->queue.depth > identity.queue_depth)
        port->queue.depth = identity.queue_depth;
}

error_t ahci_port_identify(struct ahci_port *port)
{
    void *data;
    bool packet = port->unit.packet;
    uint8_t command = packet ? ATA_IDENTIFY_PACKET_DEVICE : ATA_IDENTIFY_DEVICE;
    struct block_request request = {
        .unit = &port->unit.block, .kind = BLOCK_SPECIAL, .length = ATA_SECTOR, .special = &command};
    error_t err = block_memory_allocate(&port->hba->limits, BLOCK_PAGE, &data, &request.memory.base);
    if (err)
        return err;
    /* Identification is no packet, whatever it is for. */
    port->unit.packet = false;
    err = block_submit_wait(&request);
    if (!err)
        err = packet ? atapi_unit_identified(&port->unit, data) : ata_unit_identified(&port->unit, data);
    if (!err && packet)
        port->queue.depth = 1;
    else if (!err)
        queuing_enable(port, data);
    return err;
}
