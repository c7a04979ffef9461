/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages for answers to reads.

   The kernel clears each page of vm_allocate at its first touch, with a fault and 4,096 instructions: half of what
   reading a file costs.  Pages in a row (vm_allocate_contiguous) it gives as they are and already mapped, in a sixth of
   that time; the privilege that this needs is the root file system's. They are wired until they leave our memory with
   the answer.  */

#include "diskfs-internal.h"


/* The longest answer; the kernel has no runs of free pages that are much longer. */
#define RAW_MAX ((size_t) 1 << 20)
/* Where it looks for them: servers/rumpdisk/dma.c says why this bound. */
#define RAW_END ((uint64_t) 1 << 32)

kern_return_t diskfs_pages_allocate(vm_address_t *address, size_t size)
{
    uint64_t physical;
    if (diskfs_arguments.host_priv != MACH_PORT_NULL && size <= RAW_MAX
        && ports_row_allocate(diskfs_arguments.host_priv, size, RAW_END, address, &physical) == KERN_SUCCESS)
        return KERN_SUCCESS;
    *address = 0;
    return vm_allocate(mach_task_self(), address, size, TRUE);
}
