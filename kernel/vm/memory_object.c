/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pagers tell the kernel (mach.defs, memory_object_*; Mach manual, chapter "External Memory Management").  MIG
   gives the object with a reference, which each routine drops: simple routines have no destructor for it. */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../task/task.h"
#include "map.h"
#include "mach_S.h"
#include "object.h"
#include "pager.h"
#include "proxy.h"

static bool range_bad(vm_offset_t offset, vm_size_t size)
{
    return offset % PAGE_SIZE || offset + size < offset;
}

/* Is what came as the place for the answer no right?  MIG lets any type through there, and a number as it is. */
static bool reply_bad(ipc_port_t port, mach_msg_type_name_t type)
{
    return IP_VALID(port) && type != MACH_MSG_TYPE_PORT_SEND && type != MACH_MSG_TYPE_PORT_SEND_ONCE;
}

/* Makes of the pager's *OFFSET that in OBJECT; false: it lies before. */
static bool offset_from_pager(const struct vm_object *object, vm_offset_t *offset)
{
    bool inside = *offset >= object->paging_offset;
    *offset -= object->paging_offset;
    return inside;
}

/* ---- supplying -------------------------------------------------------------------------------- */

static struct map_entry *copy_entry_at(struct vm_copy *copy, uint64_t at)
{
    list_for_each(link, &copy->entries) {
        struct map_entry *entry = list_entry(link, struct map_entry, link);
        if (at >= entry->start && at < entry->end)
            return entry;
    }
    return NULL;
}

/* The page of COPY at AT itself, out of its object, if nobody else has it; NULL: its contents must be copied. */
static struct page *page_steal(struct vm_copy *copy, uint64_t at)
{
    struct map_entry *entry = copy->is_bytes ? NULL : copy_entry_at(copy, at);
    struct vm_object *source = entry ? entry->object : NULL;
    if (source == NULL || !source->internal || source->refs != 1 || source->copy)
        return NULL;
    struct page *page = page_lookup(source, entry->offset + (at - entry->start));
    if (page == NULL || page->busy || page->wired || page->absent)
        return NULL;
    pmap_page_protect(page, VM_PROT_NONE);
    page_dequeue(page);
    page_remove(page);
    return page;
}

/* One page of COPY becomes OBJECT's at OFFSET, where none is that counts.  KERN_MEMORY_PRESENT, KERN_MEMORY_ERROR,
   KERN_RESOURCE_SHORTAGE. */
static kern_return_t page_supply(struct vm_object *object, uint64_t offset, struct vm_copy *copy, uint64_t at,
                                 vm_prot_t lock, bool precious)
{
    struct page *awaited = page_lookup(object, offset);
    if (awaited && !awaited->absent)
        return KERN_MEMORY_PRESENT;
    /* What nobody waits for would drive out what somebody needs, be it ahead of the reader or the late answer to a
       fault that is over. */
    if (awaited == NULL && !precious && page_counts.free < page_free_minimum)
        return KERN_SUCCESS;
    struct page *page = page_steal(copy, at);
    if (page) {
        if (awaited)
            page_discard(awaited); /* who waits for it finds the other */
        page_insert(page, object, offset);
    } else {
        const void *contents = vm_copy_contents(copy, at);
        if (contents == NULL)
            return KERN_MEMORY_ERROR;
        page = page_lookup(object, offset); /* reading the contents may have waited */
        if (page && !page->absent)
            return KERN_MEMORY_PRESENT;
        if (page == NULL) {
            page = page_alloc(0, UINT64_MAX);
            if (page == NULL)
                return KERN_RESOURCE_SHORTAGE;
            page_insert(page, object, offset);
        }
        memcpy(page_address(page), contents, PAGE_SIZE);
    }
    page->lock = lock;
    page->precious = precious;
    page->dirty = page->referenced = page->absent = false;
    page_wakeup(page);
    page_activate(page);
    return KERN_SUCCESS;
}

kern_return_t rpc_memory_object_data_supply(vm_object_t object, vm_offset_t offset, vm_offset_t data,
                                            mach_msg_type_number_t size, vm_prot_t lock, boolean_t precious,
                                            ipc_port_t reply_to, mach_msg_type_name_t reply_type)
{
    struct vm_copy *copy = (struct vm_copy *)data;
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    vm_offset_t start = offset;
    if (range_bad(offset, size) || copy == NULL || copy->offset || size % PAGE_SIZE || (lock & ~VM_PROT_ALL) ||
        reply_bad(reply_to, reply_type) || !offset_from_pager(object, &start)) {
        object_deref(object);
        return KERN_INVALID_ARGUMENT;
    }
    uint64_t done = 0, missed = 0; /* MISSED: the first page that was not taken, if RESULT says so */
    kern_return_t result = KERN_SUCCESS, kr;
    for (; done < size; done += PAGE_SIZE) {
        /* Behind a page that is there already only what somebody waits for is taken. */
        const struct page *awaited = result ? page_lookup(object, start + done) : NULL;
        if (result && (awaited == NULL || !awaited->absent))
            continue;
        kr = page_supply(object, start + done, copy, done, lock, precious);
        if (kr && result == KERN_SUCCESS) {
            result = kr;
            missed = done;
        }
        if (kr && kr != KERN_MEMORY_PRESENT)
            break;
        if ((done >> PAGE_SHIFT) % PAUSE_PAGES == PAUSE_PAGES - 1)
            sched_pause();
    }
    if (result == KERN_MEMORY_ERROR && missed == 0) {
        object_deref(object);
        return result;
    }
    if (IP_VALID(reply_to))
        memory_object_supply_completed(reply_to, reply_type, object->control, offset, size, result,
                                       result ? offset + missed : 0);
    vm_copy_discard(copy);
    object_deref(object);
    return KERN_SUCCESS;
}

/* The awaited PAGE will not come: an error. */
static void page_fail(struct vm_object *object, struct page *page)
{
    (void)object;
    page->absent = false;
    page->error = true;
    page_wakeup(page);
    page_activate(page);
}

/* The pager has nothing there: it is in what OBJECT is a copy of, or zeros. */
static void page_unavailable(struct vm_object *object, struct page *page)
{
    uint64_t number = object_pager_page(object, page->offset);
    if (object->internal)
        sparse_bits_clear(&object->known, number);
    if (object->shadow && (object->internal || sparse_bits_set(&object->known, number))) {
        page_discard(page);
        return;
    }
    page->absent = false;
    page_zero(page);
    vm_counters.zero_fills++;
    page_wakeup(page);
    page_activate(page);
}

#define OFFSET_END align_down(UINT64_MAX, PAGE_SIZE) /* counting by pages reaches it and does not come round to 0 */

/* Does SETTLE with each page that is awaited in the range. */
static void range_settle(struct vm_object *object, uint64_t offset, uint64_t size,
                         void (*settle)(struct vm_object *, struct page *))
{
    uint64_t end = offset + size < offset ? OFFSET_END : min(offset + size, OFFSET_END);
    if (offset >= end)
        return;
    if ((end - offset) / PAGE_SIZE > object->resident) {
        list_for_each_safe(link, after, &object->pages) {
            struct page *page = list_entry(link, struct page, link);
            if (page->offset >= offset && page->offset < end && page->absent)
                settle(object, page);
        }
        return;
    }
    for (uint64_t at = offset; at < end; at += PAGE_SIZE) {
        struct page *page = page_lookup(object, at);
        if (page && page->absent)
            settle(object, page);
    }
}

kern_return_t rpc_memory_object_data_error(vm_object_t object, vm_offset_t offset, vm_size_t size, kern_return_t reason)
{
    (void)reason;
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    if (offset_from_pager(object, &offset))
        range_settle(object, align_down(offset, PAGE_SIZE), size, page_fail);
    object_deref(object);
    return KERN_SUCCESS;
}

kern_return_t rpc_memory_object_data_unavailable(vm_object_t object, vm_offset_t offset, vm_size_t size)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    if (offset_from_pager(object, &offset))
        range_settle(object, align_down(offset, PAGE_SIZE), size, page_unavailable);
    object_deref(object);
    return KERN_SUCCESS;
}

static void attributes_set(struct vm_object *object, boolean_t may_cache, memory_object_copy_strategy_t strategy)
{
    object->can_cache = may_cache;
    object->temporary |= strategy == MEMORY_OBJECT_COPY_TEMPORARY;
    object->copy_strategy = strategy == MEMORY_OBJECT_COPY_TEMPORARY ? MEMORY_OBJECT_COPY_DELAY : strategy;
    object->pager_ready = true;
    thread_wakeup(&object->pager_ready);
}

static bool strategy_bad(memory_object_copy_strategy_t strategy)
{
    return strategy < MEMORY_OBJECT_COPY_NONE || strategy > MEMORY_OBJECT_COPY_TEMPORARY;
}

kern_return_t rpc_memory_object_ready(vm_object_t object, boolean_t may_cache, memory_object_copy_strategy_t strategy)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    kern_return_t kr = strategy_bad(strategy) ? KERN_INVALID_ARGUMENT : KERN_SUCCESS;
    if (kr == KERN_SUCCESS)
        attributes_set(object, may_cache, strategy);
    object_deref(object);
    return kr;
}

kern_return_t rpc_memory_object_change_attributes(vm_object_t object, boolean_t may_cache,
                                                  memory_object_copy_strategy_t strategy, ipc_port_t reply_to,
                                                  mach_msg_type_name_t reply_type)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    kern_return_t kr = strategy_bad(strategy) || reply_bad(reply_to, reply_type) ? KERN_INVALID_ARGUMENT : KERN_SUCCESS;
    if (kr == KERN_SUCCESS) {
        attributes_set(object, may_cache, strategy);
        if (IP_VALID(reply_to))
            memory_object_change_completed(reply_to, reply_type, may_cache, strategy);
    }
    object_deref(object);
    return kr;
}

kern_return_t rpc_memory_object_get_attributes(vm_object_t object, boolean_t *ready, boolean_t *may_cache,
                                               memory_object_copy_strategy_t *strategy)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    *ready = object->pager_ready;
    *may_cache = object->can_cache;
    *strategy = object->copy_strategy;
    object_deref(object);
    return KERN_SUCCESS;
}

static void page_lock(struct page *page, vm_prot_t lock)
{
    if (page->absent)
        return;
    page->lock = lock;
    page->unlock_requested = false;
    page->unlock_access = 0;
    if (lock)
        pmap_page_protect(page, VM_PROT_ALL & ~lock);
    if (page->wanted)
        page_wakeup(page);
}

/* Sets what the pager forbids on resident pages. */
static void range_lock(struct vm_object *object, uint64_t start, uint64_t end, vm_prot_t lock)
{
    if ((end - start) / PAGE_SIZE > object->resident) {
        list_for_each(link, &object->pages) {
            struct page *page = list_entry(link, struct page, link);
            if (page->offset >= start && page->offset < end)
                page_lock(page, lock);
        }
        return;
    }
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        struct page *page = page_lookup(object, at);
        if (page)
            page_lock(page, lock);
    }
}

kern_return_t rpc_memory_object_lock_request(vm_object_t object, vm_offset_t offset, vm_size_t size,
                                             memory_object_return_t should_return, boolean_t should_flush,
                                             vm_prot_t lock, ipc_port_t reply_to, mach_msg_type_name_t reply_type)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    vm_offset_t from = offset;
    if ((lock & ~VM_PROT_ALL && lock != VM_PROT_NO_CHANGE) || reply_bad(reply_to, reply_type) ||
        !offset_from_pager(object, &from)) {
        object_deref(object);
        return KERN_INVALID_ARGUMENT;
    }
    uint64_t start = align_down(from, PAGE_SIZE), end = align_up(from + size, PAGE_SIZE);
    if (end < start)
        end = OFFSET_END;
    object_clean(object, start, end, should_return, should_flush);
    if (lock != VM_PROT_NO_CHANGE)
        range_lock(object, start, end, lock);
    if (IP_VALID(reply_to))
        memory_object_lock_completed(reply_to, reply_type, object->control, offset, size);
    object_deref(object);
    return KERN_SUCCESS;
}

kern_return_t rpc_memory_object_destroy(vm_object_t object, kern_return_t reason)
{
    (void)reason;
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    object_destroy_pager(object);
    object_deref(object);
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_object_sync(vm_object_t object, vm_offset_t offset, vm_size_t size, boolean_t should_flush,
                                 boolean_t should_return, boolean_t should_iosync)
{
    (void)should_iosync;
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    uint64_t start = align_down(offset, PAGE_SIZE), end = align_up(offset + size, PAGE_SIZE);
    /* Anonymous memory has nowhere else to go. */
    if (!object->internal)
        object_clean(object, start, max(start, end),
                     should_return ? MEMORY_OBJECT_RETURN_ALL : MEMORY_OBJECT_RETURN_NONE, should_flush);
    return KERN_SUCCESS;
}
