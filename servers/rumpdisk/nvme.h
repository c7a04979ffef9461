/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NVMe controllers: disks behind PCI Express that take commands from queues in memory.

   Specification: NVM Express 1.4; 7.6.1 (initialisation), 7.5.1 (interrupts by line and by message), 4.1 (queues), 9.1
   (errors, timeouts). Left out: more than one pair of I/O queues (there is one interrupt thread, and the block layer
   has 64 commands in flight, fewer than one pair holds), memory of the controller's own, shadow doorbells, power
   states, firmware, namespaces that come and go, shutdown notification (a flush comes before the power goes).

   A controller is in one of these states:

       disabled --attach: enable, identify, create queues--> running --fatal, or a command that cannot be aborted-->
       disabled
           |                                                                                          (reset does the
           same again)
           +--it does not become ready or not ready in its time--> dead: bus mastering off, every request EIO, tried
           again later

   A command that takes too long: Abort; it is then completed with a status that lets it be tried again, by itself.
   What is not completed even so, resets the controller (block.h).  A status without "do not retry" is tried again.

   Limits and their reasons: 64 commands in flight (the block layer's slots; rings of 128 so that they never fill); a
   command at most what the controller says (MDTS), and what one page of PRPs describes, 2 MiB; pages of 4096 bytes.

   Locks: everything here is the queue's lock's, attaching apart. */

#ifndef RUMPDISK_NVME_H
#define RUMPDISK_NVME_H

#include <pci/pci.h>

#include "block.h"
#include "nvme_command.h"

/* A queue in memory, as the one who fills (submission) or empties it (completion) knows it. */
struct nvme_ring {
    void *entries;              /* constant */
    uint64_t physical;          /* constant */
    unsigned int count;         /* constant: entries */
    volatile uint32_t *doorbell; /* constant */
    unsigned int position;      /* next entry to fill or to look at */
    unsigned int phase;         /* completion: what the next entry's phase bit will be */
};

struct nvme {
    struct block_queue queue;                       /* first */
    struct pci_bus *bus;                            /* constant; NULL in tests */
    struct pci_function function;                   /* constant */
    char place[16];                                 /* constant: "00:04.0" */
    volatile uint32_t *regs;                        /* constant */
    uint64_t cap;                                   /* constant */
    struct block_limits limits;                     /* constant */
    struct nvme_identity identity;                  /* constant once identified */
    bool messages;                                  /* constant: interrupts are messages, INTMS not ours to touch */
    bool listening;                                 /* constant once it runs: interrupts have a handler */
    struct nvme_ring admin_sq, admin_cq, sq, cq;
    uint64_t *lists;                                /* constant: a page for each slot */
    uint64_t lists_physical;                        /* constant */
    uint8_t *scratch;                               /* constant: a page for Identify */
    uint64_t scratch_physical;                      /* constant */
    uint16_t ids[BLOCK_SLOTS];                      /* identifier of the command in each slot */
    uint16_t generation;                            /* of identifiers: an old completion does not end a new command */
    unsigned int aborting;                          /* Abort commands that are not over */
};

struct nvme_namespace {
    struct block_unit unit; /* first */
    uint32_t number;        /* constant */
};

/* Brings NVME, whose regs and limits are set, up: queues in memory, enabled, identified; no interrupt is needed.
   ENOTSUP, ENODEV, ETIMEDOUT, EIO, ENOMEM. */
error_t nvme_controller_start(struct nvme *nvme);
/* The same for one that has been running. */
error_t nvme_controller_reset(struct nvme *nvme);

/* Adds a unit for each namespace that can be used, and tells of the others. */
void nvme_namespaces_add(struct nvme *nvme);

/* nvme_queue.c. An admin command that is waited for by looking, with the data in `scratch`; *RESULT (or NULL): word 0.
   EIO: it failed. */
error_t nvme_admin(struct nvme *nvme, struct nvme_command *command, uint32_t *result);
/* Interrupts have a handler from now on. */
void nvme_listen(struct nvme *nvme);
/* Makes the rings empty, as the controller takes them when it is enabled or they are created. */
void nvme_rings_clear(struct nvme *nvme);

extern const struct block_queue_ops nvme_queue_ops;

static inline uint32_t nvme_read32(const struct nvme *nvme, unsigned int offset)
{
    return nvme->regs[offset / 4];
}
static inline void nvme_write32(const struct nvme *nvme, unsigned int offset, uint32_t value)
{
    nvme->regs[offset / 4] = value;
}

#endif
