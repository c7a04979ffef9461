/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve: the kernel's messages to a memory object.  For one pager they come one after the other (pager.h).

   Each message brings a send right to the control port; they are the same name, and are given back many at a time.  */

#include "pager-internal.h"

#include <mach.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "memory_object_S.h"

/* Bytes fetched at once: around a page that is asked for out of order, and at most when the pages are asked for in
   order.  */
#define AHEAD_MIN ((size_t)64 << 10)
/* Not more: GNU Mach takes memory that is handed over in lists of 64 pages; with a longer data_supply, which goes
   through its continuation, sooner or later the whole machine stands still (all threads wait, timeouts do not
   expire). */
#define AHEAD_MAX ((size_t)256 << 10)
#define CONTROL_REFS_MAX 4096
/* What a request for pages waits while there is hardly any memory: not for ever, because changed pages may be behind it
   in the queue.  */
#define SCARCE_MS 2000
/* Files for which pages wait to be asked for, at a time: 256 KiB each.  */
#define NEXT_MAX 8

static atomic_ulong stat_fetches, stat_bytes;
static atomic_int next_count;          /* files with next_end set */

void pager_stats(unsigned long *fetches, unsigned long *bytes)
{
    *fetches = atomic_load(&stat_fetches);
    *bytes = atomic_load(&stat_bytes);
}

/* All that was asked for has been written.  Lock held.  */
static void flying_landed(struct pager *p)
{
    behind_sub(p->flying);
    p->flying = 0;
}

/* Takes note of the send right that came with a message.  False: it is not the kernel's, so the message is of somebody
   who pretends to be it, and is to be refused.  (Clients get proxies only, so nobody should have a right to send us
   anything; this is the second lock on the door.)  Lock held.  */
static bool control_count(struct pager *p, mach_port_t control)
{
    if (control != p->control || control == MACH_PORT_NULL)
        return false;
    if (++p->control_refs >= CONTROL_REFS_MAX) {
        mach_port_mod_refs(mach_task_self(), control, MACH_PORT_RIGHT_SEND, -(mach_port_delta_t)(p->control_refs - 1));
        p->control_refs = 1;
    }
    return true;
}

/* 0, or the error to answer with: then the message's rights are the loop's.  */
static kern_return_t serving_begin(struct pager *p, mach_port_t control)
{
    pthread_mutex_lock(&p->lock);
    bool genuine = control_count(p, control);
    p->serving = genuine;
    pthread_mutex_unlock(&p->lock);
    return genuine ? 0 : KERN_INVALID_ARGUMENT;
}

static void serving_end(struct pager *p)
{
    pthread_mutex_lock(&p->lock);
    p->serving = false;
    pthread_mutex_unlock(&p->lock);
}

/* ---- beginning and end ------------------------------------------------------------------------ */

kern_return_t S_memory_object_init(struct pager *p, mach_port_t control, mach_port_t name, vm_size_t page_size)
{
    if (!p)
        return EOPNOTSUPP;
    mach_port_deallocate(mach_task_self(), name);
    if (page_size != vm_page_size) {
        memory_object_destroy(control, KERN_INVALID_ARGUMENT);
        mach_port_deallocate(mach_task_self(), control);
        return 0;
    }
    pthread_mutex_lock(&p->lock);
    if (p->control != MACH_PORT_NULL) {             /* a second kernel, or somebody who pretends to be one */
        memory_object_destroy(control, KERN_RESOURCE_SHORTAGE);
        mach_port_deallocate(mach_task_self(), control);
    } else {
        p->control = control;
        p->control_refs = 1;
        memory_object_ready(control, !p->uncached, MEMORY_OBJECT_COPY_DELAY);
    }
    pthread_mutex_unlock(&p->lock);
    return 0;
}

kern_return_t S_memory_object_terminate(struct pager *p, mach_port_t control, mach_port_t name)
{
    if (!p)
        return EOPNOTSUPP;
    pthread_mutex_lock(&p->lock);
    bool genuine = control == p->control;
    if (genuine) {
        p->control = MACH_PORT_NULL;
        pager_next_drop(p, 0, UINT64_MAX);
        pager_note_cold(p, 0, UINT64_MAX);
        bits_clear(&p->present, 0, UINT64_MAX);
        bits_clear(&p->syncing, 0, UINT64_MAX);
        p->lock_done = p->lock_sent;
        flying_landed(p);
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    if (!genuine)
        return KERN_INVALID_ARGUMENT;
    mach_port_destroy(mach_task_self(), control);
    mach_port_destroy(mach_task_self(), name);
    return 0;
}

/* ---- pages to the kernel ------------------------------------------------------------------------- */

/* Whether PAGE may be handed out without having been asked for: it cannot be dirty in the kernel or on its way here;
   and the kernel does not have it, as far as we know, unless EVICTED: the kernel throws pages out, so that our notes
   mean little.  Lock held.  */
static bool page_may_come(struct pager *p, uint64_t page, bool evicted)
{
    return (evicted || !bits_test(&p->present, page)) && !bits_test(&p->hot, page) && !bits_test(&p->syncing, page);
}

/* The end of those pages from FIRST on, before LIMIT, of which each may come; FIRST: there are none.  Lock held.  */
static uint64_t come_end(struct pager *p, uint64_t first, uint64_t limit, bool evicted)
{
    if (limit <= first)
        return first;
    if (limit - first == 1)
        return page_may_come(p, first, evicted) ? limit : first;
    if (!evicted)
        limit = bits_next(&p->present, first, limit);
    limit = bits_next(&p->hot, first, limit);
    return bits_next(&p->syncing, first, limit);
}

/* What to fetch for PAGE.  Lock held.  */
static void fetch_plan(struct pager *p, uint64_t offset, bool write, struct pager_fetch *f)
{
    uint64_t page = offset / vm_page_size, start = page, end = page + 1;
    bool own = offset >= p->own_start && offset < p->own_end, evicted = bits_test(&p->present, page);
    const uint64_t most = ports_memory_state(vm_page_size) == MEMORY_ENOUGH ? AHEAD_MAX / vm_page_size : 1;
    if (write && own && p->own_write) {              /* all of the row that will be written: copies may run backwards */
        uint64_t first = p->own_start / vm_page_size, limit = (p->own_end + vm_page_size - 1) / vm_page_size;
        while (start > first && end - start < most && page_may_come(p, start - 1, evicted))
            start--;
        end = come_end(p, end, limit < start + most ? limit : start + most, evicted);
    } else if (!write && own && !p->own_in_order) {  /* somewhere in the file: what is wanted, no more */
        uint64_t limit = (p->own_end + vm_page_size - 1) / vm_page_size;
        p->ahead = 0;
        end = come_end(p, end, limit < start + most ? limit : start + most, evicted);
    } else if (!write) {
        /* Our own copies may touch the pages of a row in any order, so there the rows count.  */
        bool in_order = own || offset == p->next_fetch;
        p->ahead = !in_order                  ? AHEAD_MIN
                   : p->ahead * 2 > AHEAD_MAX ? AHEAD_MAX
                   : p->ahead * 2 < AHEAD_MIN ? AHEAD_MIN
                                              : p->ahead * 2;
        uint64_t cluster = AHEAD_MIN / vm_page_size;
        uint64_t first = own ? p->own_start / vm_page_size : in_order ? page : page / cluster * cluster;
        while (start > first && end - start < most && page_may_come(p, start - 1, evicted))
            start--;
        uint64_t limit = in_order ? start + p->ahead / vm_page_size : (page / cluster + 1) * cluster;
        end = come_end(p, end, limit < start + most ? limit : start + most, evicted);
    }
    *f = (struct pager_fetch){ start * vm_page_size, end * vm_page_size, page * vm_page_size, write, NULL };
}

/* Leaves of the map of what the kernel has, from so many on; they mean 16 GiB of a file if it is read in order, but
   somebody may read a page here and there in a hole as large as the format allows.  */
#define PRESENT_MAX 4096

/* The kernel does not say when it throws out pages that nobody has changed, so the notes only grow: when they are many
   they are made true by taking those pages away from it.  Lock held.  */
static void present_prune(struct pager *p)
{
    if (p->present.count < PRESENT_MAX || p->present.count < p->prune_at)
        return;
    uint64_t first = 0, end = bits_end(&p->present);
    while ((first = bits_next(&p->present, first, end)) < end) {
        uint64_t leaf = first / BITS_LEAF * BITS_LEAF, stop = leaf + BITS_LEAF;
        if (!bits_any(&p->hot, leaf, stop) && !bits_any(&p->syncing, leaf, stop)) {
            memory_object_lock_request(p->control, leaf * vm_page_size, BITS_LEAF * vm_page_size,
                                       MEMORY_OBJECT_RETURN_NONE, true, VM_PROT_NO_CHANGE, MACH_PORT_NULL);
            bits_clear(&p->present, leaf, stop);
        }
        first = stop;
    }
    p->prune_at = 2 * p->present.count;
}

/* Notes that the kernel is going to have the pages of F, so that nobody else gives them to it meanwhile.  *STALE: it
   may have some already, which must go first; not if the page that is asked for may have been changed since.  False: no
   memory for the notes.  Lock held.  */
static bool fetch_note(struct pager *p, const struct pager_fetch *f, bool *stale)
{
    uint64_t first = f->start / vm_page_size, end = f->end / vm_page_size;
    p->generation++;
    present_prune(p);
    if (!bits_make_room(&p->present, first, end))
        return false;
    *stale = bits_any(&p->present, first, end) && !bits_any(&p->hot, first, end) && !bits_any(&p->syncing, first, end);
    bits_set(&p->present, first, end);
    return true;
}

/* The kernel will not have those pages of PLAN that F has not (all, if F is NULL).  */
static void fetch_unnote(struct pager *p, const struct pager_fetch *plan, const struct pager_fetch *f)
{
    pthread_mutex_lock(&p->lock);
    bits_clear(&p->present, plan->start / vm_page_size, (f ? f->start : plan->end) / vm_page_size);
    if (f)
        bits_clear(&p->present, f->end / vm_page_size, plan->end / vm_page_size);
    pthread_mutex_unlock(&p->lock);
}

/* Hands what was fetched to the kernel, APART: each page for itself, as it may have some already and takes none behind
   such a page.  (GNU Mach loses them, for good.)  0 or ENOMEM.  */
static error_t fetch_supply(struct pager *p, mach_port_t control, struct pager_fetch *f, bool apart)
{
    size_t length = f->end - f->start, step = apart ? vm_page_size : length;
    if (!f->buffer)
        f->buffer = pager_zeros(length);
    if (!f->buffer)
        return ENOMEM;
    /* One step with the note: a sync in between would ask the kernel for pages that it does not have yet, and forget
       that they may be changed. */
    pthread_mutex_lock(&p->lock);
    uint64_t first = f->start / vm_page_size, end = f->end / vm_page_size;
    if (f->write && !bits_make_room(&p->hot, first, end)) {     /* what was there for the note may be gone since */
        pthread_mutex_unlock(&p->lock);
        munmap(f->buffer, length);
        return ENOMEM;
    }
    if (f->write)
        pager_note_hot(p, first, end);
    for (size_t done = 0; done < length; done += step)
        memory_object_data_supply(control, f->start + done, (vm_address_t)f->buffer + done, step, true,
                                  f->write ? VM_PROT_NONE : VM_PROT_WRITE, false, MACH_PORT_NULL);
    pthread_mutex_unlock(&p->lock);
    p->next_fetch = f->end;
    return 0;
}

/* ---- pages for later -------------------------------------------------------------------------------- */

/* While pages that were read in order are looked at, those behind them are fetched.  They are not given to the kernel
   unasked: it could have asked for them meanwhile, and a request for pages that it has cannot be told from one for
   pages that it has thrown out.  */

void pager_next_drop(struct pager *p, uint64_t offset, uint64_t end)
{
    if (!p->next_end || end <= p->next_start || offset >= p->next_end)
        return;
    if (p->next_here && p->next_buffer)
        munmap(p->next_buffer, p->next_end - p->next_start);
    p->next_start = p->next_end = 0;
    p->next_here = false;
    p->next_buffer = NULL;
    atomic_fetch_sub(&next_count, 1);
}

/* Gives what was fetched for later if PAGE is among it.  Whatever else is asked for there drops it.  Lock held.  */
static bool next_take(struct pager *p, uint64_t page, bool write, struct pager_fetch *f)
{
    bool found = p->next_here && !write && page >= p->next_start && page < p->next_end;
    if (found) {
        *f = (struct pager_fetch){ p->next_start, p->next_end, page, false, p->next_buffer };
        p->next_buffer = NULL;
        p->ahead = AHEAD_MAX;
    }
    pager_next_drop(p, page, write ? UINT64_MAX : page + vm_page_size);
    return found;
}

/* The pages from START on that may be fetched for later, into *F; they are then expected.  */
static bool next_plan(struct pager *p, uint64_t start, struct pager_fetch *f)
{
    uint64_t first = start / vm_page_size, end;
    pthread_mutex_lock(&p->lock);
    pager_next_drop(p, 0, UINT64_MAX);
    end = come_end(p, first, first + AHEAD_MAX / vm_page_size, false);
    bool any = end > first && ports_memory_state(0) == MEMORY_ENOUGH && p->control != MACH_PORT_NULL && !p->uncached;
    if (any && atomic_fetch_add(&next_count, 1) >= NEXT_MAX) {
        atomic_fetch_sub(&next_count, 1);
        any = false;
    }
    if (any) {
        p->next_start = start;
        p->next_end = end * vm_page_size;
        *f = (struct pager_fetch){ start, end * vm_page_size, start, false, NULL };
    }
    pthread_mutex_unlock(&p->lock);
    return any;
}

static void next_fetch(struct pager *p, uint64_t start)
{
    struct pager_fetch f;
    if (!next_plan(p, start, &f))
        return;
    error_t err = p->ops->fetch(p->hook, &f);
    pthread_mutex_lock(&p->lock);
    bool wanted = !err && p->next_end && f.start == p->next_start;
    if (wanted) {
        p->next_end = f.end;
        p->next_here = true;
        p->next_buffer = f.buffer;
    } else {
        pager_next_drop(p, 0, UINT64_MAX);
    }
    pthread_mutex_unlock(&p->lock);
    if (!wanted && !err && f.buffer)
        munmap(f.buffer, f.end - f.start);
}

/* ---- the server's own reads of what the kernel does not have ---------------------------------------------- */

/* Whether the kernel has none of the pages of F and none may be on its way.  Lock held.  */
static bool pages_may_come(struct pager *p, const struct pager_fetch *f)
{
    uint64_t end = f->end / vm_page_size;
    if (come_end(p, f->start / vm_page_size, end, false) < end)
        return false;
    return p->control != MACH_PORT_NULL && !p->uncached;
}

/* Gives the pages of F, which were fetched in GENERATION, to the kernel unasked, unless anything has happened to the
   file's pages since: under the lock, so that no request for them is answered meanwhile.  */
static void direct_supply(struct pager *p, struct pager_fetch *f, uint64_t generation)
{
    uint64_t first = f->start / vm_page_size, end = f->end / vm_page_size;
    pthread_mutex_lock(&p->lock);
    bool may = p->generation == generation && pages_may_come(p, f) && bits_make_room(&p->present, first, end);
    if (may) {
        bits_set(&p->present, first, end);
        may = memory_object_data_supply(p->control, f->start, (vm_address_t)f->buffer, f->end - f->start, true,
                                        VM_PROT_WRITE, false, MACH_PORT_NULL) == KERN_SUCCESS;
    }
    pthread_mutex_unlock(&p->lock);
    if (!may)
        munmap(f->buffer, f->end - f->start);
}

size_t pager_read_direct(struct pager *p, uint64_t offset, void *data, size_t length)
{
    uint64_t start = offset / vm_page_size * vm_page_size,
             end = (offset + length + vm_page_size - 1) / vm_page_size * vm_page_size;
    struct pager_fetch f = { start, end, start, false, NULL };
    pthread_mutex_lock(&p->lock);
    bool may = !p->own_in_order && length <= AHEAD_MIN && pages_may_come(p, &f);
    uint64_t generation = p->generation;
    pthread_mutex_unlock(&p->lock);
    if (!may || p->ops->fetch(p->hook, &f) || !f.buffer)
        return 0;
    size_t got = 0;
    if (f.start == start) {
        got = f.end - offset < length ? f.end - offset : length;
        memcpy(data, (char *)f.buffer + (offset - start), got);
    }
    direct_supply(p, &f, generation);
    return got;
}

/* ---- pages that fail ---------------------------------------------------------------------------------- */

/* The page at OFFSET, which the server itself is using, failed with ERR.  False: that cannot be noted, so nothing may
   stand for it.  Lock held.  */
static bool own_fail(struct pager *p, uint64_t offset, error_t err)
{
    uint64_t page = offset / vm_page_size;
    if (!p->own_error)
        p->own_error = err;
    if (!bits_make_room(&p->failed, page, page + 1))
        return false;
    bits_set(&p->failed, page, page + 1);
    return true;
}

/* A page cannot be had.  */
static void fetch_fail(struct pager *p, mach_port_t control, uint64_t offset, bool write, error_t err)
{
    pthread_mutex_lock(&p->lock);
    bool own = offset >= p->own_start && offset < p->own_end && own_fail(p, offset, err);
    pthread_mutex_unlock(&p->lock);
    void *zeros = own ? mmap(NULL, vm_page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                      : MAP_FAILED;
    if (zeros != MAP_FAILED)
        memory_object_data_supply(control, offset, (vm_address_t)zeros, vm_page_size, true,
                                  write ? VM_PROT_NONE : VM_PROT_WRITE, false, MACH_PORT_NULL);
    else
        memory_object_data_error(control, offset, vm_page_size, KERN_MEMORY_ERROR);
}

/* A write to [OFFSET, OFFSET + LENGTH) is announced.  */
static error_t unlock_prepare(struct pager *p, uint64_t offset, size_t length)
{
    pthread_mutex_lock(&p->lock);
    bool own = p->own_write && offset >= p->own_start && offset < p->own_end;
    pthread_mutex_unlock(&p->lock);
    return p->ops->unlock(p->hook, offset, length, own);
}

/* Answers the request for PAGE and what may come with it; where to go on.  */
static uint64_t request_serve(struct pager *p, mach_port_t control, uint64_t page, bool write)
{
    struct pager_fetch plan, f;
    bool stale = false;
    pthread_mutex_lock(&p->lock);
    bool ready = next_take(p, page, write, &plan);
    if (!ready)
        fetch_plan(p, page, write, &plan);
    error_t err = fetch_note(p, &plan, &stale) ? 0 : ENOMEM;
    pthread_mutex_unlock(&p->lock);
    f = plan;
    /* The request may be older than what the kernel has now; to throw that out would make those who use it ask once
       more, without an end. */
    bool apart = stale && ports_kernel_is_ours();
    if (stale && !apart)
        memory_object_lock_request(control, f.start, f.end - f.start, MEMORY_OBJECT_RETURN_NONE, true,
                                   VM_PROT_NO_CHANGE, MACH_PORT_NULL);
    if (!err && write)
        err = unlock_prepare(p, f.start, f.end - f.start);
    if (!err && !ready)
        err = p->ops->fetch(p->hook, &f);
    if (!err && (f.start != plan.start || f.end != plan.end))
        fetch_unnote(p, &plan, &f);
    if (!err)
        err = fetch_supply(p, control, &f, apart);
    if (!err) {
        atomic_fetch_add_explicit(&stat_fetches, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&stat_bytes, f.end - f.start, memory_order_relaxed);
        return f.end;
    }
    if (ready && plan.buffer)
        munmap(plan.buffer, plan.end - plan.start);
    fetch_unnote(p, &plan, NULL);
    fetch_fail(p, control, page, write, err);
    return page + vm_page_size;
}

kern_return_t S_memory_object_data_request(struct pager *p, mach_port_t control, vm_offset_t offset, vm_size_t length,
                                           vm_prot_t access)
{
    if (!p)
        return EOPNOTSUPP;
    bool write = access & VM_PROT_WRITE;
    if (serving_begin(p, control))
        return KERN_INVALID_ARGUMENT;
    if (ports_memory_state(0) == MEMORY_SCARCE)
        ports_memory_wait(MEMORY_SHORT, SCARCE_MS);
    for (uint64_t page = offset, end = offset + length; page < end && !(page % vm_page_size);) {
        page = request_serve(p, control, page, write);
        if (!write && p->ahead >= AHEAD_MAX && page >= end)
            next_fetch(p, page);
    }
    serving_end(p);
    return 0;
}

kern_return_t S_memory_object_data_unlock(struct pager *p, mach_port_t control, vm_offset_t offset, vm_size_t length,
                                          vm_prot_t access)
{
    if (!p)
        return EOPNOTSUPP;
    if (serving_begin(p, control))
        return KERN_INVALID_ARGUMENT;
    pthread_mutex_lock(&p->lock);
    uint64_t start = offset, end = offset + length;
    /* the row that is being written, at once */
    if (p->own_write && offset >= p->own_start && offset < p->own_end) {
        start = p->own_start;
        end = (p->own_end + vm_page_size - 1) / vm_page_size * vm_page_size;
    }
    pthread_mutex_unlock(&p->lock);
    error_t err = access & VM_PROT_WRITE ? unlock_prepare(p, start, end - start) : 0;
    pthread_mutex_lock(&p->lock);
    p->generation++;
    pager_next_drop(p, start, end);
    if (!err && !bits_make_room(&p->hot, start / vm_page_size, end / vm_page_size))
        err = ENOMEM;
    bool own_failed = err && p->own_write && offset >= p->own_start && offset < p->own_end;
    if (!err)
        pager_note_hot(p, start / vm_page_size, end / vm_page_size);
    else if (own_failed)
        own_failed = own_fail(p, offset, err);
    /* A writer that cannot have the page: it is thrown out, so that the writer asks for it again, and gets the error
       then.  Our own gets it, to be thrown out by itself.  The lock is held until the kernel knows, so that no sync
       takes the pages for clean before they are.  */
    bool flush = err && !own_failed;
    memory_object_lock_request(control, err ? offset : start, err ? length : end - start, MEMORY_OBJECT_RETURN_NONE,
                               flush, flush ? VM_PROT_NO_CHANGE : VM_PROT_NONE, MACH_PORT_NULL);
    pthread_mutex_unlock(&p->lock);
    serving_end(p);
    return 0;
}

/* ---- pages from the kernel ---------------------------------------------------------------------------- */

kern_return_t S_memory_object_data_return(struct pager *p, mach_port_t control, vm_offset_t offset, pointer_t data,
                                          mach_msg_type_number_t length, boolean_t dirty, boolean_t kernel_copy)
{
    if (!p)
        return EOPNOTSUPP;
    if (serving_begin(p, control))
        return KERN_INVALID_ARGUMENT;
    pthread_mutex_lock(&p->lock);
    p->generation++;
    pager_next_drop(p, offset, offset + length);
    /* stands for one that could not be had */
    bool failed = bits_any(&p->failed, offset / vm_page_size, (offset + length) / vm_page_size);
    pthread_mutex_unlock(&p->lock);
    if (dirty && !failed && !(offset % vm_page_size) && !(length % vm_page_size))
        (void)p->ops->write(p->hook, offset, (const void *)data, length);
    vm_deallocate(mach_task_self(), (vm_address_t)data, length);
    pthread_mutex_lock(&p->lock);
    if (!kernel_copy) {
        pager_note_cold(p, offset / vm_page_size, (offset + length) / vm_page_size);
        bits_clear(&p->present, offset / vm_page_size, (offset + length) / vm_page_size);
        if (length == vm_page_size)
            pager_evict_neighbours(p, offset / vm_page_size);
    }
    pthread_mutex_unlock(&p->lock);
    serving_end(p);
    return 0;
}

/* ---- acknowledgements ------------------------------------------------------------------------------------ */

kern_return_t S_memory_object_lock_completed(struct pager *p, mach_port_t control, vm_offset_t offset, vm_size_t length)
{
    (void)offset, (void)length;
    if (!p)
        return EOPNOTSUPP;
    pthread_mutex_lock(&p->lock);
    if (!control_count(p, control)) {
        pthread_mutex_unlock(&p->lock);
        return KERN_INVALID_ARGUMENT;
    }
    if (p->lock_done < p->lock_sent && ++p->lock_done == p->lock_sent) {
        bits_clear(&p->syncing, 0, UINT64_MAX);
        flying_landed(p);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return 0;
}

kern_return_t S_memory_object_supply_completed(struct pager *p, mach_port_t control, vm_offset_t offset,
                                               vm_size_t length, kern_return_t result, vm_offset_t error_offset)
{
    (void)offset, (void)length, (void)result, (void)error_offset;
    if (!p)
        return EOPNOTSUPP;
    mach_port_deallocate(mach_task_self(), control);
    return 0;
}

kern_return_t S_memory_object_change_completed(struct pager *p, boolean_t may_cache,
                                               memory_object_copy_strategy_t strategy)
{
    (void)may_cache, (void)strategy;
    return p ? 0 : EOPNOTSUPP;
}

/* Only for MEMORY_OBJECT_COPY_CALL, which we never ask for.  */
kern_return_t S_memory_object_copy(struct pager *p, mach_port_t control, vm_offset_t offset, vm_size_t length,
                                   mach_port_t object)
{
    (void)p, (void)control, (void)offset, (void)length, (void)object;
    return EOPNOTSUPP;
}
