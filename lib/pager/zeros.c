/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zeros: pages of zeros to hand over.

   The kernel clears a page with 4,096 counted instructions, and a fault before that; memset needs a tenth of that for
   pages that are there already.  So whoever has the privilege takes pages in a row as they are and clears them
   here.  */

#include "pager-internal.h"

#include <mach.h>
#include <mach/gnumach.h>
#include <string.h>
#include <sys/mman.h>

/* Where GNU Mach looks for pages in a row: servers/rumpdisk/dma.c says why this bound.  */
#define RAW_END ((uint64_t)1 << 32)

static mach_port_t host_priv;          /* constant once pagers are used */

void pager_use_host_priv(mach_port_t host)
{
    host_priv = host;
}

void *pager_zeros(size_t length)
{
    vm_address_t address;
    uint64_t physical;
    if (host_priv != MACH_PORT_NULL
        && ports_row_allocate(host_priv, length, RAW_END, &address, &physical) == KERN_SUCCESS) {
        /* The kernel would copy wired pages instead of taking them.  */
        if (vm_wire(host_priv, mach_task_self(), address, length, VM_PROT_NONE) == KERN_SUCCESS) {
            memset((void *)address, 0, length);
            return (void *)address;
        }
        vm_deallocate(mach_task_self(), address, length);
    }
    void *zeros = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return zeros == MAP_FAILED ? NULL : zeros;
}
