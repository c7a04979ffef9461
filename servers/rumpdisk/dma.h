/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that the disk reads from or writes into, without copying it where that can be.

   Measured on GNU Mach 1.8, in instructions for 4 KiB / 64 KiB / 1 MiB:
     vm_allocate_contiguous, which does not clear the pages            3,700 /  15,000 /   197,000
     vm_allocate, vm_wire, vm_pages_phys                              10,500 /  97,000 / 1,520,000
     out-of-line data: vm_wire, vm_pages_phys                         10,400 / 120,000 / 4,200,000  (it copies the
                                                                      pages)
                       the same after vm_protect for reading only      5,900 /  16,400 /   185,000
                       copied to contiguous memory                     7,200 /  46,000 /   700,000
                       copied to a page kept for that                  3,300
   So reads go into contiguous memory, of which the pages are then moved to the client; where none is left, into pages
   wired one by one.  Writes go out of the client's pages, made unwritable and wired where they are, unless these are
   badly aligned or too high in memory: then they are copied; so is what fits into a page. */

#ifndef RUMPDISK_DMA_H
#define RUMPDISK_DMA_H

#include <mach.h>

#include "block.h"

/* Pages whose addresses have room in the structure: the kernel's answer is then not memory of its own. */
#define DMA_PAGES 17u

/* Not to be moved once filled in: it points into itself. */
struct dma {
    void *address;             /* where the transfer's first byte is for the processor */
    size_t length;             /* bytes of the transfer */
    struct block_memory memory; /* where it is for the disk */
    vm_address_t wired, wired_end; /* pages to unwire when it is over */
    vm_address_t pages, pages_end; /* memory that holds memory.pages, or nothing */
    vm_address_t own, own_end;     /* pages of ours to deallocate when it is over, or nothing */
    struct dma_bounce *bounce;     /* the page of ours to give back when it is over, or NULL */
    uint64_t few_pages[DMA_PAGES];
};

/* Before all else: the right by which memory is wired. */
void dma_init(mach_port_t host_priv);

/* Memory to read LENGTH bytes into.  Its contents are whatever was there. KERN_RESOURCE_SHORTAGE and the like. */
kern_return_t dma_read_begin(const struct block_limits *limits, size_t length, struct dma *dma);
/* The data is there. DMA->address is vm_deallocate'able memory, the caller's; it is wired until it is deallocated
   or moved to another task. */
void dma_read_end(struct dma *dma);

/* Makes LENGTH bytes at DATA (a multiple of 512) readable for the disk. KERN_MEMORY_ERROR: the client's memory
   cannot be touched. */
kern_return_t dma_write_begin(const struct block_limits *limits, void *data, size_t length, struct dma *dma);
/* Undoes that. DATA stays. */
void dma_write_end(struct dma *dma);

/* Gives up the memory of a read that failed. */
void dma_read_cancel(struct dma *dma);

#endif
