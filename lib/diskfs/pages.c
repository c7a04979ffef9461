/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages for answers to reads.

   The kernel clears each page of vm_allocate at its first touch, with a fault and 4,096 instructions: half of what reading a file costs.  Pages in a
   row (vm_allocate_contiguous) it gives as they are and already mapped, in a sixth of that time; the privilege that this needs is the root file system's.
   They are wired until they leave our memory with the answer.

   Short answers are cut off a longer piece: asking for one page costs as much as asking for three.  */

#include "diskfs-internal.h"

#include <mach/gnumach.h>

/* The longest answer; the kernel has no runs of free pages that are much longer. */
#define RAW_MAX ((size_t) 1 << 20)
/* Where it looks for them: servers/rumpdisk/dma.c says why this bound. */
#define RAW_END ((rpc_phys_addr_t) 1 << 32)
/* Answers that are cut off a piece, and its length. */
#define SHORT_MAX ((size_t) 16 << 10)
#define PIECE ((size_t) 128 << 10)

static pthread_mutex_t piece_lock = PTHREAD_MUTEX_INITIALIZER;  /* a leaf */
static vm_address_t piece, piece_end;                           /* what is left of it; piece_lock */

static kern_return_t contiguous(vm_address_t *address, size_t size)
{
    rpc_phys_addr_t physical;
    return vm_allocate_contiguous(diskfs_arguments.host_priv, mach_task_self(), address, &physical, size, 0, RAW_END, vm_page_size);
}

static kern_return_t piece_cut(vm_address_t *address, size_t size)
{
    kern_return_t err = KERN_SUCCESS;
    pthread_mutex_lock(&piece_lock);
    if (piece_end - piece < size) {
        if (piece_end > piece)
            vm_deallocate(mach_task_self(), piece, piece_end - piece);
        piece = piece_end = 0;
        err = contiguous(&piece, PIECE);
        piece_end = err ? 0 : piece + PIECE;
        piece = err ? 0 : piece;
    }
    if (!err) {
        *address = piece;
        piece += size;
    }
    pthread_mutex_unlock(&piece_lock);
    return err;
}

kern_return_t diskfs_pages_allocate(vm_address_t *address, size_t size)
{
    bool may = diskfs_arguments.host_priv != MACH_PORT_NULL && size <= RAW_MAX;
    if (may && (size <= SHORT_MAX ? piece_cut(address, size) : contiguous(address, size)) == KERN_SUCCESS)
        return KERN_SUCCESS;
    *address = 0;
    return vm_allocate(mach_task_self(), address, size, TRUE);
}
