/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block layer: what lies between the devices that clients see (disk.c) and the drivers of adapters (ahci*.c and
   their like).

   Three things:
     unit      a disk: its name, size, abilities.  Made by a driver when it attaches, lives for ever.
     queue     a stream of commands to the hardware: an AHCI port, an IDE channel, an NVMe queue pair.  One or more
               units send their requests through it.  It owns the order, the slots, splitting, retries, timeouts and
               recovery.
     request   one transfer or flush of one unit, of any length.

   A request goes: submitted -> pending list -> slot (as many pieces as its memory needs, one after the other) ->
   done.

   When something goes wrong:
     - The hardware says which command failed (`block_queue_ended` with EIO): that request is tried again, by itself,
       and gets EIO after the BLOCK_TRIES-th time.  Nobody else notices.
     - It does not (`collect` gives a cause), or a command takes longer than BLOCK_TIMEOUT_S and cannot be aborted: the
       queue is reset, what was in slots goes back to the head of the list and is tried again, each by itself, so that
       the request that fails then is known for the guilty one and alone gets EIO.
     - The reset fails: the queue is dead, and every request gets EIO; BLOCK_REVIVE_S later the next request tries the
       reset again.

       running --cause, or timeout--> recovering --ops->reset--> running
          |                               |
          +-----------<--- dead <---------+  (the reset failed)

   Limits and their reasons: BLOCK_SLOTS commands in flight (bits of a word; SATA has 32); 30 s for a command (a
   disk that tries hard to read a bad sector takes as long).

   Threads: block_submit may be called by any; `done` is called by the interrupt thread, the watchdog or the
   submitter, with no lock held. A driver's queue operations are called with the queue's lock held. Lock order:
   queue lock, watchdog's lock.

   Nothing here is a system call but pthread's, so that the queue and the drivers run in unit tests with hardware
   made of bytes. */

#ifndef RUMPDISK_BLOCK_H
#define RUMPDISK_BLOCK_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_SLOTS 64u
#define BLOCK_TRIES 3u
#define BLOCK_TIMEOUT_S 30u
#define BLOCK_REVIVE_S 10u
#define BLOCK_MODEL_SIZE 41u
#define BLOCK_PAGE_LOG 12u
#define BLOCK_PAGE (1u << BLOCK_PAGE_LOG)

struct block_queue;
struct block_unit;

/* ---- memory ------------------------------------------------------------------------- */

/* Memory of a transfer as the hardware sees it: from OFFSET into a run of pages at physical addresses PAGES; or,
   with PAGES null, one piece at BASE. Starts at a multiple of 4. */
struct block_memory {
    const uint64_t *pages;
    uint64_t base;
    size_t offset;
};

/* Physical address of byte AT of the memory, and in *RUN how many bytes follow it in the same page (or without end). */
static inline uint64_t block_memory_at(const struct block_memory *memory, size_t at, size_t *run)
{
    if (!memory->pages) {
        *run = SIZE_MAX;
        return memory->base + memory->offset + at;
    }
    size_t place = memory->offset + at;
    *run = BLOCK_PAGE - place % BLOCK_PAGE;
    return memory->pages[place >> BLOCK_PAGE_LOG] + place % BLOCK_PAGE;
}

/* What an adapter can address. */
struct block_limits {
    uint64_t end;              /* first physical address that is out of reach; UINT64_MAX: none */
};
#define BLOCK_REACH_32 0x100000000ull

/* Memory for DMA that the processor uses too: SIZE bytes in one piece, page-aligned, wired and zeroed. It is never
   given back. (dma.c; tests have their own.) */
error_t block_memory_allocate(const struct block_limits *limits, size_t size, void **where, uint64_t *physical);

/* ---- requests ----------------------------------------------------------------------- */

enum block_kind {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,   /* what was written before it was submitted reaches the medium; without length */
    BLOCK_SPECIAL, /* a command that only the driver knows, e.g. to identify a disk */
};

struct block_request {
    /* Set by the submitter and constant until `done`. */
    struct block_unit *unit;
    enum block_kind kind;
    bool fua;                   /* write: `done` when it is on the medium; only for units that have it */
    bool write;                 /* special: data goes to the device */
    uint64_t lba;               /* in the unit's sectors */
    size_t length;              /* bytes; of reads and writes a multiple of the sector */
    struct block_memory memory; /* wired; constant, its pages too */
    void *special;              /* the driver's */
    /* The request is over: 0, EIO, or another error that the driver gave. REQUEST is the callee's again. Must not
       block for long. */
    void (*done)(struct block_request *request, error_t err);
    /* The queue's; queue lock.  Drivers read `finished`. */
    struct block_request *next;
    size_t finished;            /* bytes of the pieces that are over */
    size_t issued;              /* bytes of the piece in the slot */
    unsigned int tries;         /* more than 0: goes alone */
    bool aborting;
    error_t error;              /* once it is over */
    uint64_t deadline;          /* seconds of the watchdog's clock */
};

/* The next piece's first sector. */
static inline uint64_t block_request_lba(const struct block_request *request);

/* Puts REQUEST on its way; `done` will be called exactly once, perhaps before this returns. */
void block_submit(struct block_request *request);

/* The same and waits for it (sets `done` itself). */
error_t block_submit_wait(struct block_request *request);

/* ---- units -------------------------------------------------------------------------- */

struct block_unit {
    /* Set by the driver, constant after block_unit_add; (m): changes with the medium of a removable unit. */
    struct block_queue *queue;
    char model[BLOCK_MODEL_SIZE]; /* printable, without trailing blanks */
    uint64_t sectors;             /* (m) */
    unsigned int sector_log;      /* (m) 9 to 12: sectors of 512 to 4096 bytes */
    bool write_cache;             /* a flush means something */
    bool fua;                     /* the hardware can write through its cache */
    bool readonly;
    bool optical;                 /* a cd, not a wd */
    struct block_limits limits;
    /* Removable: looks at the medium, and fills what changes with it. Called before the unit is opened, by any
       thread. ENXIO: no medium. NULL: not removable. */
    error_t (*medium_check)(struct block_unit *unit);
    _Atomic unsigned int medium;  /* another number whenever medium_check finds that there may be another medium */
    /* The block layer's. */
    char name[12];                /* wd0; constant */
};

static inline uint64_t block_request_lba(const struct block_request *request)
{
    return request->lba + (request->finished >> request->unit->sector_log);
}

/* Gives the unit its name, the next one of its kind, and tells of it on stderr. Drivers call it in the order of
   ports or namespaces. ENOMEM. UNIT stays where it is for ever. */
error_t block_unit_add(struct block_unit *unit);

/* ---- queues --------------------------------------------------------------------------- */

/* What a driver does for its queue.  Called with the queue's lock held. */
struct block_queue_ops {
    /* May REQUEST go out beside what is in flight? NULL: always, as long as there are slots. Not asked when nothing
       is in flight. */
    bool (*may_issue)(struct block_queue *queue, const struct block_request *request);
    /* Builds the next piece of REQUEST (from byte `finished`, sector block_request_lba) in SLOT and hands it to the
       hardware. ALONE: nothing else is in flight, or will be before this is over, since something went wrong. Gives
       the bytes of the piece: more than 0 and whole sectors unless it is a flush, at most length - finished. */
    size_t (*issue)(struct block_queue *queue, unsigned int slot, struct block_request *request, bool alone);
    /* Several may have been issued: tells the hardware. NULL: nothing to do. */
    void (*kick)(struct block_queue *queue);
    /* Looks at the hardware, acknowledges its interrupt, and calls block_queue_ended for each slot that is over.
       Called on interrupts that may be someone else's, and by the watchdog in case one was lost; `busy` may be 0.
       NULL, or a few words on why all that is in flight cannot be trusted any more. */
    const char *(*collect)(struct block_queue *queue);
    /* The command in SLOT takes too long: asks the hardware to end it, so that it is `collect`ed soon. False, or
       NULL: cannot. */
    bool (*abort)(struct block_queue *queue, unsigned int slot);
    /* Brings the hardware into the state after attaching; nothing is in flight then. May sleep for some seconds. An
       error: dead. */
    error_t (*reset)(struct block_queue *queue);
};

/* First member of the driver's own structure. */
struct block_queue {
    const struct block_queue_ops *ops; /* constant */
    char name[40];                     /* constant: "AHCI port 0", for messages */
    struct block_queue *next_queue;    /* watchdog's lock: all queues */
    pthread_mutex_t lock;              /* everything below */
    bool dead;
    uint64_t dead_since;               /* seconds of the clock */
    unsigned int depth;                /* commands in flight at most: 1 to BLOCK_SLOTS */
    bool alone;                        /* what is in flight must stay by itself */
    uint64_t busy;                     /* slots with a command */
    struct block_request *slots[BLOCK_SLOTS];
    struct block_request *pending, **pending_end;
    struct block_request *over, **over_end; /* not yet told */
    uint64_t commands, bytes, resets;  /* statistics */
};

/* Makes a queue of OPS whose hardware takes DEPTH commands, and puts it under the watchdog's eyes. */
void block_queue_init(struct block_queue *queue, const struct block_queue_ops *ops, unsigned int depth,
                      const char *name, ...) __attribute__((format(printf, 4, 5)));

/* The interrupt's work: collects what is over, issues what waits. */
void block_queue_service(struct block_queue *queue);

/* From `collect`: the command in SLOT is over. ERR: 0; EIO: to be tried again; anything else is told to the
   submitter at once. */
void block_queue_ended(struct block_queue *queue, unsigned int slot, error_t err);

/* From the watchdog: NOW is its clock. True if anything is in flight. */
bool block_queue_watch(struct block_queue *queue, uint64_t now);

/* ---- the watchdog (block_watch.c) ------------------------------------------------------- */

/* Starts its thread. It looks once a second at what is in flight, so an interrupt that never comes costs a second
   and a command that never ends a reset; it sleeps for good when nothing was in flight for a while, until
   block_watch_wake. */
error_t block_watch_start(void);
void block_watch_add(struct block_queue *queue);
/* Something is in flight now.  Cheap when the watchdog is awake. */
void block_watch_wake(void);
/* Seconds that it has counted while awake. */
uint64_t block_watch_clock(void);

#endif
