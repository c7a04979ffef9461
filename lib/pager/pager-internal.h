/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of lib/pager share.  */
#ifndef PAGER_INTERNAL_H
#define PAGER_INTERNAL_H

#include "bits.h"
#include "pager.h"

/* A window maps one piece of WINDOW_MAX bytes, or the beginning of it.  */
#define WINDOW_MAX ((uint64_t)64 << 20)
#define WINDOW_MIN ((uint64_t)64 << 10)
/* Windows of a file at a time.  Addresses are finite, and a file may be a hole of terabytes.  */
#define WINDOWS_MAX 256
struct window { uint64_t index; vm_address_t address; uint64_t length; /* 0: not mapped */ };

struct pager {
    struct ports_object port;
    const struct pager_ops *ops;       /* constant */
    void *hook;                        /* constant */

    pthread_mutex_t lock;
    pthread_cond_t changed;            /* lock_done, serving */
    mach_port_t control;               /* send rights; null while the kernel does not have the object; lock */
    unsigned int control_refs;         /* how many send rights came in messages; lock */
    bool acquired;                     /* somebody has send rights; lock */
    bool uncached;                     /* the kernel was told not to keep it; lock */
    bool serving;                      /* a request of the kernel's is being handled; lock */
    uint64_t lock_sent, lock_done;     /* lock requests whose completion was asked for, and has come; lock */
    struct bits hot;                   /* pages that were handed out writable and may be dirty; lock */
    struct bits syncing;               /* pages whose contents a sync has asked for and that may be on their way here;
                                          lock */
    struct bits present;               /* pages that the kernel may hold; lock */
    uint64_t prune_at;                 /* leaves of it that are too many; lock */
    uint64_t generation;               /* changes with each message of the kernel's about pages; lock */
    uint64_t hot_pages;                /* how many are hot; lock */
    uint64_t flying;                   /* how many were hot and have been asked for: counted as changed until the kernel
                                          says done; lock */

    /* Write-behind (behind.c); its lock.  */
    bool listed, dead;
    struct pager *list_next, **list_prevp;

    /* What the server itself is doing through a window, in [start, end); lock.  */
    uint64_t own_start, own_end;
    bool own_write;
    bool own_in_order;                 /* begins where the one before ended */
    uint64_t own_last;                 /* where that was */
    error_t own_error;                 /* of the first page that failed */
    struct bits failed;                /* pages of the kernel's that stand for failed ones: never written */

    /* Reading in order: only its bucket's thread.  */
    uint64_t next_fetch;
    size_t ahead;
    /* The pages that will be asked for next, being fetched or fetched already, while the reader is busy with those
       before (serve.c); lock. Nothing: both ends 0.  What changes these pages' contents or where they are drops
       them.  */
    uint64_t next_start, next_end;
    bool next_here;                    /* they are: in next_buffer; NULL: zeros */
    void *next_buffer;

    /* Windows, in order of their pieces; only whoever holds the file's lock.  */
    struct window *windows;
    uint64_t nwindows;
};

/* Pages asked for in one piece: the kernel makes a copy of each page that it gives back and keeps, so a sync must not
   ask for more at a time than a small machine has.  */
#define PIECE_PAGES 256

extern struct ports_class pager_class;
PORTS_MIG_HOOKS(pager, struct pager, &pager_class)

/* Throws the kernel's pages of [OFFSET, OFFSET + LENGTH) away, and waits until everything that the kernel sent before
   has been handled.  */
kern_return_t pager_flush(struct pager *pager, uint64_t offset, uint64_t length);
/* The kernel, short of memory, has thrown the changed PAGE out: has those around it written too, in one piece instead
   of one by one.  Lock held.  */
void pager_evict_neighbours(struct pager *pager, uint64_t page);
/* Forgets what was fetched for later of the bytes [OFFSET, END), or is on its way.  Lock held.  */
void pager_next_drop(struct pager *pager, uint64_t offset, uint64_t end);
/* Reads somewhere in the file, if the kernel has none of it, straight from what is fetched, and gives the kernel the
   pages afterwards: without the fault, the message and the change of threads that a window costs.  How many of the
   LENGTH bytes; 0: none, go through the window, which also tells errors.  The caller holds the file's lock.  */
size_t pager_read_direct(struct pager *pager, uint64_t offset, void *data, size_t length);
/* LENGTH bytes (whole pages) of zeros, the caller's, for munmap or to be handed over; NULL: no memory.  */
void *pager_zeros(size_t length);
/* Notes that the pages [FIRST, END), for which there is room in the map, may be changed from now on; that they no
   longer are.  Lock held.  */
void pager_note_hot(struct pager *pager, uint64_t first, uint64_t end);
void pager_note_cold(struct pager *pager, uint64_t first, uint64_t end);

/* behind.c.  Starts the thread.  */
error_t behind_init(void);
/* COUNT pages more may be changed, and PAGER has some.  Its lock held.  */
void behind_add(struct pager *pager, uint64_t count);
/* COUNT pages less.  */
void behind_sub(uint64_t count);
/* Waits while there are too many changed pages, for a few seconds at most.  No lock that a pager's thread takes is
   held.  */
void behind_throttle(void);
/* PAGER goes: it is on the list no longer and never again.  */
void behind_forget(struct pager *pager);

/* Unmaps all windows.  */
void pager_windows_drop(struct pager *pager);

#endif /* PAGER_INTERNAL_H */
