/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pager: memory objects that a server backs: the memory-object protocol, and the server's own access to the same pages.

   A pager is the memory object of one file.  The kernel is the page cache: it asks for pages
   (memory_object_data_request), gives changed ones back (data_return), and says when a page that was handed out
   read-only is written for the first time (data_unlock).  The server's own reads and writes go through windows, maps of
   the same object, so they see what mappings see.

   Order.  The messages of one memory object are handled one after the other, in the order in which the kernel sent
   them: each pager belongs to one of a few buckets, each served by a single thread.  So a page that the kernel gave
   back is on the disk before it is asked for again, and when the kernel says that a lock request is done, all that it
   gave back before has been written.  These threads never touch a window and take no lock under which anybody touches
   one.

   Which pages may be read ahead.  A page that may be dirty in the kernel must never be handed out unasked: the kernel
   may have thrown the dirty one out, and its contents may still wait in our queue while we read the disk.  So pages are
   handed out write-locked unless they are asked for to be written, and `hot` notes those that were not.

   Changed pages.  They are counted in all pagers together.  When there are more than a sixteenth of the machine's
   memory a thread has them written, pager by pager (behind.c), and when there are twice as many the server's own
   writers wait for it: a kernel that must throw out changed pages to have memory for the very servers that write them
   may find none.

   Errors.  A page that cannot be read gives its faulting threads a memory exception, but not ours: while a server
   thread copies through a window, a page that fails is supplied as zeros, the copy returns the error, and the page is
   thrown out again.

   Locks: pager->lock, then the one lock of behind.c; kernel calls on the control port are made under the former.
   Callbacks are called without it.  */

#ifndef PAGER_PAGER_H
#define PAGER_PAGER_H

#include <ports/ports.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pager;

/* What a page fetch asks for and gives.  Offsets are bytes, multiples of the page size.  */
struct pager_fetch {
    uint64_t start, end;       /* in: what may be fetched; out: what was */
    uint64_t page;             /* in: the page that must be among it */
    bool write;                /* in: it will be written */
    void *buffer;              /* out: its contents in page-aligned memory that is handed over (store_read's); NULL: all
                                  zeros */
};

struct pager_ops {
    /* Fetches pages.  An error is given to whoever waits for the page.  */
    error_t (*fetch)(void *hook, struct pager_fetch *fetch);
    /* Writes LENGTH bytes (whole pages) of DATA, which stays the library's.  What lies behind the end of the file is to
       be ignored.  An error cannot be told to anybody: the server reports it.  */
    error_t (*write)(void *hook, uint64_t offset, const void *data, size_t length);
    /* The pages [OFFSET, OFFSET + LENGTH) are about to be written by somebody for the first time: see that they have
       room on the disk.  OWN: by the server itself (pager_write).  An error is given to the writer.  */
    error_t (*unlock)(void *hook, uint64_t offset, size_t length, bool own);
    /* The kernel or a client has the object from now on / nobody has it any more.  Called in turns, without the
       lock.  */
    void (*acquire)(void *hook);
    void (*release)(void *hook);
};

/* Makes the buckets and starts their threads.  Once, before anything else.  */
error_t pager_init(void);
/* HOST, the host's privileged port (kept, not consumed) or MACH_PORT_NULL: new pages of files are then had at less
   expense.  Before the first pager.  */
void pager_use_host_priv(mach_port_t host);

/* A pager with one reference, the caller's (ports_object_deref by pager_destroy).  Nothing is mapped yet.  */
error_t pager_create(const struct pager_ops *ops, void *hook, struct pager **pager);
/* The end: nobody has the object (ops->release was called or ops->acquire never).  Unmaps windows, gives up the
   reference.  HOOK is not used afterwards.  */
void pager_destroy(struct pager *pager);

/* A send right to the memory object, the caller's; MACH_PORT_NULL if there is no memory.  The kernel keeps its pages
   when it is unmapped until pager_uncache.  */
mach_port_t pager_object(struct pager *pager);

/* A right for a client to map the file with, the caller's: a proxy that the kernel makes.  It allows PROT at most, and
   nobody can speak the memory-object protocol to us through it.  It counts as somebody who has the object.  ENOMEM, or
   the kernel's error.  */
error_t pager_proxy(struct pager *pager, vm_prot_t prot, mach_port_t *proxy);

/* Copies LENGTH bytes at OFFSET to DATA through a window.  SIZE: the file's size now, as a hint for the window's size.
   EIO, ENOSPC and whatever ops said.  One at a time for each pager: the caller holds the file's lock.  */
error_t pager_read(struct pager *pager, uint64_t offset, void *data, size_t length, uint64_t size);
/* The same the other way; DATA NULL: zeros.  DATA may be memory that a client sent: EFAULT when it cannot be
   touched.  */
error_t pager_write(struct pager *pager, uint64_t offset, const void *data, size_t length, uint64_t size);

/* Has changed pages in [OFFSET, OFFSET + LENGTH) written, piece by piece.  WAIT: they are (ops->write has returned for
   each; whether it could write them is the backend's to remember); otherwise it returns when all but the last pieces
   are written.  EIO: the kernel could not be asked.  */
error_t pager_sync(struct pager *pager, uint64_t offset, uint64_t length, bool wait);
/* Throws the kernel's pages in the range away; on return none is there, none is being supplied, none waits to be
   written.  The backend must have seen to it that fetch gives none any more, or the new contents.  */
void pager_discard(struct pager *pager, uint64_t offset, uint64_t length);
/* Unmaps our windows and asks the kernel to forget the object as soon as nobody maps it; changed pages are written
   first.  ops->release follows, perhaps at once.  False: nobody has the object, ops->release need not be waited
   for.  */
bool pager_uncache(struct pager *pager);

/* Whether the kernel may hold pages of the object.  */
bool pager_is_active(struct pager *pager);

/* How many fetches were made, and their bytes, in all pagers; for statistics.  */
void pager_stats(unsigned long *fetches, unsigned long *bytes);

#endif /* PAGER_PAGER_H */
