/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SATA disks behind AHCI host bus adapters, by DMA and interrupts.

   Specification: Serial ATA AHCI 1.3.1; ATA part in ata.h. Left out: port multipliers, hot plugging, power
   management, command completion coalescing, IDE emulation of controllers that are not in AHCI mode.

   A port is a block_queue of 32 slots with one unit, a disk or an optical drive. Queued commands (FPDMA) are used
   where disk and adapter have them, but not for a request that has failed before: then the port tells nothing about
   which command failed (10.2.2 needs the disk's log), so what was in flight is tried again alone and unqueued.

       absent --link up, signature--> running  (the rest is the queue's, see block.h)

   Limits and their reasons: 32 slots a port (the hardware's); a piece at most AHCI_PRDS scattered runs of memory (a
   table of one page) or 65536 sectors (the command's count); 10 s for a disk to get ready (spinning up takes up to
   8); one interrupt thread an adapter. */

#ifndef RUMPDISK_AHCI_H
#define RUMPDISK_AHCI_H

#include "ahci_command.h"
#include "ata.h"
#include "atapi.h"
#include "block.h"

#define AHCI_SPIN_UP_S 10
#define AHCI_PORTS 32u

struct ahci_hba;

struct ahci_port {
    struct block_queue queue;        /* first */
    struct ata_unit unit;
    struct ahci_hba *hba;            /* constant */
    unsigned int number;             /* constant */
    volatile uint32_t *regs;         /* constant */
    struct ahci_header *list;        /* constant; contents: queue lock, and the hardware */
    struct ahci_table *tables;       /* constant, one a slot */
    uint64_t list_physical, tables_physical; /* constant */
    bool queuing;                    /* constant once the unit is known: commands are queued ones (FPDMA) */
    uint32_t busy_queued;            /* queue lock: slots with queued commands */
    char cause[80];                  /* queue lock: of the last error */
};

struct ahci_hba {
    volatile uint32_t *regs;         /* constant */
    uint32_t cap;                    /* constant */
    struct block_limits limits;      /* constant */
    char place[16];                  /* constant: its PCI address, for messages */
    struct ahci_port *ports[AHCI_PORTS]; /* constant after attaching; NULL: no usable disk */
};

/* ---- between the parts of the driver (ahci_hba.c, ahci_port.c, ahci_queue.c) ------- */

static inline uint32_t ahci_read32(volatile uint32_t *regs, unsigned int offset)
{
    return regs[offset / 4];
}
static inline void ahci_write32(volatile uint32_t *regs, unsigned int offset, uint32_t value)
{
    regs[offset / 4] = value;
}

/* Waits until (register & MASK) == VALUE, at most MILLISECONDS; ETIMEDOUT. */
error_t ahci_wait(volatile uint32_t *regs, unsigned int offset, uint32_t mask, uint32_t value,
                  unsigned int milliseconds);

/* ahci_port.c. Creation of the port's structures; starting; and bringing the link up again after an error (queue
   lock held). ENXIO: no disk there. Identification fills the unit; ENOTSUP: of a kind that cannot be used.
   Restarting is what one failed command asks for whose slot is known (6.2.2.1): the link stays as it is. */
error_t ahci_port_create(struct ahci_hba *hba, unsigned int number, struct ahci_port **port);
error_t ahci_port_start(struct ahci_port *port);
error_t ahci_port_reset(struct ahci_port *port);
error_t ahci_port_restart(struct ahci_port *port);
error_t ahci_port_identify(struct ahci_port *port);

/* ahci_queue.c. */
extern const struct block_queue_ops ahci_queue_ops;

#endif
