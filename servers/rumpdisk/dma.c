/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for transfers; see dma.h. */

#include "dma.h"

#include <mach/gnumach.h>
#include <ports/ports.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The kernel keeps no longer runs of free pages, and GNU Mach stops when it is asked for one. */
#define CONTIGUOUS_MAX (4u << 20)
/* GNU Mach looks for a run below a bound no higher than this everywhere in its memory; asked for any address it
   gives runs of the first 16 MiB only, and it stops when a lower bound lies within one of its own pieces of memory. */
#define CONTIGUOUS_END ((rpc_phys_addr_t)1 << 32)

static mach_port_t host_priv; /* constant after dma_init */

void dma_init(mach_port_t priv)
{
    host_priv = priv;
}

static uint64_t end_of(const struct block_limits *limits)
{
    return limits->end < CONTIGUOUS_END ? limits->end : CONTIGUOUS_END;
}

/* While disks are being attached, by a thread that nobody has made privileged. */
error_t block_memory_allocate(const struct block_limits *limits, size_t size, void **where, uint64_t *physical)
{
    vm_address_t address;
    rpc_phys_addr_t start;
    error_t err = vm_allocate_contiguous(host_priv, mach_task_self(), &address, &start, round_page(size), 0,
                                         end_of(limits), vm_page_size);
    if (err)
        return err;
    memset((void *)address, 0, round_page(size));
    *where = (void *)address;
    *physical = start;
    return 0;
}

/* A longer read is refused while memory is short. */
#define SMALL ((size_t)16 << 10)

static kern_return_t contiguous(const struct block_limits *limits, size_t length, struct dma *dma)
{
    vm_address_t address;
    uint64_t physical;
    size_t size = round_page(length);
    if (size > CONTIGUOUS_MAX)
        return KERN_RESOURCE_SHORTAGE;
    kern_return_t err = ports_row_allocate(host_priv, size, end_of(limits), &address, &physical);
    if (err)
        return err;
    *dma = (struct dma){
        .address = (void *)address,
        .length = length,
        .memory = {.base = physical},
        .wired = address,
        .wired_end = address + size,
    };
    return 0;
}

/* ---- pages kept for short writes ------------------------------------------------------- */

struct dma_bounce {
    struct dma_bounce *next; /* bounce_lock */
    void *page;
    uint64_t physical;
};

static pthread_mutex_t bounce_lock = PTHREAD_MUTEX_INITIALIZER;
static struct dma_bounce *bounce_free; /* bounce_lock */

/* As many as were ever in use at the same time: at most the slots of all ports and what waits for them. */
static struct dma_bounce *bounce_get(void)
{
    pthread_mutex_lock(&bounce_lock);
    struct dma_bounce *bounce = bounce_free;
    if (bounce)
        bounce_free = bounce->next;
    pthread_mutex_unlock(&bounce_lock);
    if (bounce)
        return bounce;
    struct dma dma;
    bounce = malloc(sizeof *bounce);
    if (!bounce)
        return NULL;
    /* For all adapters. */
    static const struct block_limits low = {.end = BLOCK_REACH_32};
    if (contiguous(&low, vm_page_size, &dma)) {
        free(bounce);
        return NULL;
    }
    bounce->page = dma.address;
    bounce->physical = dma.memory.base;
    return bounce;
}

static void bounce_put(struct dma_bounce *bounce)
{
    pthread_mutex_lock(&bounce_lock);
    bounce->next = bounce_free;
    bounce_free = bounce;
    pthread_mutex_unlock(&bounce_lock);
}

/* ---- pages where they are ------------------------------------------------------------------ */

/* Wires LENGTH bytes at ADDRESS with PROT and finds out where they are.  KERN_INVALID_ADDRESS when some are out of the
   adapter's reach. */
static kern_return_t wire(const struct block_limits *limits, vm_address_t address, size_t length, vm_prot_t prot,
                          struct dma *dma)
{
    vm_address_t first = trunc_page(address), end = round_page(address + length);
    rpc_phys_addr_t *pages = (rpc_phys_addr_t *)dma->few_pages;
    mach_msg_type_number_t count = DMA_PAGES;
    kern_return_t err = 0;
    /* What a client keeps a copy of would be copied page by page when it is wired while it could be written. */
    if (!(prot & VM_PROT_WRITE))
        err = vm_protect(mach_task_self(), first, end - first, FALSE, VM_PROT_READ);
    if (!err)
        err = vm_wire(host_priv, mach_task_self(), first, end - first, prot);
    if (err)
        return err;
    err = vm_pages_phys(host_priv, mach_task_self(), first, end - first, &pages, &count);
    if (!err) {
        dma->address = (void *)address;
        dma->length = length;
        dma->memory = (struct block_memory){.pages = (const uint64_t *)pages, .offset = address - first};
        dma->wired = first;
        dma->wired_end = end;
        dma->own = dma->own_end = 0;
        dma->bounce = NULL;
        dma->pages = (const uint64_t *)pages == dma->few_pages ? 0 : (vm_address_t)pages;
        dma->pages_end = dma->pages + (dma->pages ? count * sizeof *pages : 0);
        if (count < (end - first) / vm_page_size)
            err = KERN_INVALID_ADDRESS;
        for (mach_msg_type_number_t i = 0; i < count; i++)
            if (pages[i] == 0 || pages[i] == (rpc_phys_addr_t)-1 || pages[i] >= limits->end)
                err = KERN_INVALID_ADDRESS;
        if (!err)
            return 0;
        if (dma->pages_end > dma->pages)
            vm_deallocate(mach_task_self(), dma->pages, dma->pages_end - dma->pages);
    }
    vm_wire(host_priv, mach_task_self(), first, end - first, VM_PROT_NONE);
    return err;
}

static void release(struct dma *dma)
{
    if (dma->wired_end > dma->wired)
        vm_wire(host_priv, mach_task_self(), dma->wired, dma->wired_end - dma->wired, VM_PROT_NONE);
    if (dma->pages_end > dma->pages)
        vm_deallocate(mach_task_self(), dma->pages, dma->pages_end - dma->pages);
    if (dma->bounce)
        bounce_put(dma->bounce);
    if (dma->own_end > dma->own)
        vm_deallocate(mach_task_self(), dma->own, dma->own_end - dma->own);
}

kern_return_t dma_read_begin(const struct block_limits *limits, size_t length, struct dma *dma)
{
    kern_return_t err = contiguous(limits, length, dma);
    if (!err)
        return 0;
    if (length > SMALL && ports_memory_state(0) != MEMORY_ENOUGH)
        return KERN_RESOURCE_SHORTAGE;  /* the client asks for less, or comes again */
    vm_address_t address = 0;
    err = vm_allocate(mach_task_self(), &address, round_page(length), TRUE);
    if (err)
        return err;
    err = wire(limits, address, length, VM_PROT_READ | VM_PROT_WRITE, dma);
    if (err)
        vm_deallocate(mach_task_self(), address, round_page(length));
    return err;
}

void dma_read_end(struct dma *dma)
{
    /* Pages that leave our memory, with a message or for good, the kernel unwires by itself. */
    dma->wired = dma->wired_end;
    release(dma);
}

void dma_read_cancel(struct dma *dma)
{
    release(dma);
    vm_deallocate(mach_task_self(), trunc_page((vm_address_t)dma->address), round_page(dma->length));
}

kern_return_t dma_write_begin(const struct block_limits *limits, void *data, size_t length, struct dma *dma)
{
    vm_address_t address = (vm_address_t)data;
    struct dma_bounce *bounce = length <= vm_page_size ? bounce_get() : NULL;
    if (bounce) {
        if (ports_copy_guarded(bounce->page, data, length)) {
            bounce_put(bounce);
            return KERN_MEMORY_ERROR;
        }
        *dma = (struct dma){
            .address = bounce->page, .length = length, .memory = {.base = bounce->physical}, .bounce = bounce};
        return 0;
    }
    /* The hardware wants words (NVMe) or even addresses. */
    if (address % 4 == 0) {
        kern_return_t err = wire(limits, address, length, VM_PROT_READ, dma);
        if (err != KERN_INVALID_ADDRESS)
            return err;
    }
    kern_return_t err = contiguous(limits, length, dma);
    if (err)
        return err;
    dma->own = dma->wired;
    dma->own_end = dma->wired_end;
    if (ports_copy_guarded(dma->address, data, length)) {
        release(dma);
        return KERN_MEMORY_ERROR;
    }
    return 0;
}

void dma_write_end(struct dma *dma)
{
    release(dma);
}
