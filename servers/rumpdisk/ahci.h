/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SATA disks behind AHCI host bus adapters, by DMA and interrupts.

   Specification: Serial ATA AHCI 1.3.1; ATA part in ata.h.  Left out: packet devices, port multipliers, hot plugging,
   power management, command completion coalescing, message-signalled interrupts (GNU Mach gives user space interrupt
   lines only), IDE emulation of controllers that are not in AHCI mode.

   A port is in one of these states:

       absent --link up, ATA signature--> running --error or timeout--> recovering --link up again--> running
                                             |                              |
                                             +--------<--- dead <-----------+ (link does not come up, or the disk
                                                                              does not get ready: every request EIO)

   A request goes: submitted -> pending list -> slot (as many pieces as its memory needs, one after the other) -> done.
   When something goes wrong the port is reset, what was in slots goes back to the head of the list and is tried again, each
   by itself and unqueued, so that the request that fails then is known for the guilty one and alone gets EIO, after
   the third time.

   Limits and their reasons: 32 slots a port (the hardware's); a piece at most AHCI_PRDS scattered runs of memory (a table
   of one page) or 65536 sectors (the command's count); 30 s for a piece until the port is reset (a disk that tries
   hard to read a bad sector takes as long), 10 s for a disk to get ready (spinning up takes up to 8); one interrupt thread an adapter.

   Threads: ahci_submit may be called by any; `done` is called by the interrupt thread, the watchdog or the submitter, with
   no lock held. Lock order: adapter's watch lock and port locks, never two at a time.  */

#ifndef RUMPDISK_AHCI_H
#define RUMPDISK_AHCI_H

#include <mach.h>
#include <pci/pci.h>
#include <pthread.h>

#include "ahci_command.h"
#include "ata.h"

#define AHCI_TIMEOUT_S 30
#define AHCI_SPIN_UP_S 10
#define AHCI_TRIES 3u
#define AHCI_PORTS 32u

enum ahci_kind { AHCI_READ, AHCI_WRITE, AHCI_FLUSH, AHCI_IDENTIFY };

struct ahci_request {
    /* Set by the submitter and constant until `done`. */
    enum ahci_kind kind;
    uint64_t lba;
    uint32_t sectors;          /* length of the transfer; IDENTIFY: 1, FLUSH: 0 */
    struct ahci_memory memory; /* wired; constant, its pages too */
    /* The request is over: 0 or EIO.  REQUEST is the callee's again.  Must not block for long. */
    void (*done)(struct ahci_request *request, error_t err);
    /* The port's; port lock. */
    struct ahci_request *next;
    uint32_t sectors_done;
    uint32_t sectors_issued;   /* of the piece in the slot */
    unsigned int tries;
    uint64_t deadline;         /* seconds of the watchdog's clock */
};

struct ahci_hba;

struct ahci_port {
    struct ahci_hba *hba;            /* constant */
    unsigned int number;             /* constant */
    volatile uint32_t *regs;         /* constant */
    struct ahci_header *list;        /* constant; contents: port lock, and the hardware */
    struct ahci_table *tables;       /* constant, one a slot */
    uint64_t list_physical, tables_physical; /* constant */
    struct ata_identity identity;    /* constant once the port is known to be usable */
    pthread_mutex_t lock;            /* everything below */
    bool dead;
    unsigned int depth;              /* slots in use at most: the disk's queue depth, or the adapter's slots */
    bool queuing;                    /* commands are queued ones (FPDMA) */
    unsigned int solo;               /* so many requests at the head of the list are tried by themselves */
    uint32_t busy;                   /* slots with a command */
    uint32_t busy_queued;            /* those of them that are queued commands */
    struct ahci_request *slots[AHCI_SLOTS];
    struct ahci_request *pending, **pending_end;
    /* Statistics, for the /dev node and for tests. */
    uint64_t commands, bytes, resets;
};

struct ahci_hba {
    struct pci_function function;    /* constant */
    volatile uint32_t *regs;         /* constant */
    uint32_t cap;                    /* constant */
    mach_port_t host_priv;           /* constant */
    mach_port_t irq_device, irq_port; /* constant */
    struct ahci_port *ports[AHCI_PORTS]; /* constant after ahci_hba_attach; NULL: no usable disk */
    pthread_mutex_t watch_lock;
    pthread_cond_t watch_wakeup;
    _Atomic bool watch_asleep;       /* the watchdog sleeps until woken; watch lock to wake it */
    _Atomic uint64_t clock;          /* seconds the watchdog has counted while awake */
};

/* Takes over the adapter FUNCTION of BUS: reset, interrupts, and a port for each disk found.  In *HBA; it lives for ever. Says on stderr
   what it finds fault with. The error that kept the adapter from being used. */
error_t ahci_hba_attach(struct pci_bus *bus, const struct pci_function *function, mach_port_t host_priv,
                        mach_port_t device_master, struct ahci_hba **hba);

/* The first physical address that the adapter cannot reach; UINT64_MAX: it reaches all. */
uint64_t ahci_hba_reach(const struct ahci_hba *hba);

/* Puts REQUEST on its way; `done` will be called exactly once, perhaps before this returns. */
void ahci_submit(struct ahci_port *port, struct ahci_request *request);

/* The same and waits for it: for start-up and shutdown. */
error_t ahci_submit_wait(struct ahci_port *port, struct ahci_request *request);

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
error_t ahci_wait(volatile uint32_t *regs, unsigned int offset, uint32_t mask, uint32_t value, unsigned int milliseconds);

/* Memory for DMA that the processor uses too: SIZE bytes in one piece, wired and zeroed, below 4 GiB unless
   the adapter can do more. */
error_t ahci_memory_allocate(struct ahci_hba *hba, size_t size, void **where, uint64_t *physical);

/* ahci_port.c.  Creation of the port's structures; starting; and bringing the link up again after an error (lock held).
   ENXIO: no disk there. */
error_t ahci_port_create(struct ahci_hba *hba, unsigned int number, struct ahci_port **port);
error_t ahci_port_start(struct ahci_port *port);
error_t ahci_port_reset(struct ahci_port *port);
error_t ahci_port_identify(struct ahci_port *port);

/* ahci_queue.c.  Looks what has ended and goes on: called on an interrupt, and by the watchdog with the time. */
void ahci_port_service(struct ahci_port *port);
void ahci_port_watch(struct ahci_port *port, uint64_t now, bool *active);

#endif
