/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pagers tell the kernel (mach.defs, memory_object_*; Mach manual, chapter "External Memory Management").  MIG gives the object
   with a reference, which each routine drops: simple routines have no destructor for it. */

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

/* The page of COPY at AT goes to OBJECT at OFFSET: itself if nobody else has it, or a copy.  NULL: it cannot be had. */
static struct page *page_steal(struct vm_copy *copy, struct map_entry *entry, uint64_t at)
{
    struct vm_object *source = entry->object;
    if (source && source->internal && source->refs == 1 && source->shadow == NULL && source->copy == NULL) {
        struct page *page = page_lookup(source, entry->offset + (at - entry->start));
        if (page && !page->busy && page->wired == 0) {
            pmap_page_protect(page, VM_PROT_NONE);
            page_remove(page);
            return page;
        }
    }
    struct page *page = page_alloc(0, UINT64_MAX);
    if (page == NULL)
        return NULL;
    uint64_t begin = max(at, copy->offset), end = min(at + PAGE_SIZE, copy->offset + copy->size);
    page_zero(page);
    if (begin < end && !vm_copy_read(copy, begin - copy->offset, (char *)page_address(page) + (begin - at), end - begin)) {
        page_free(page, 0);
        return NULL;
    }
    return page;
}

static struct map_entry *copy_entry_at(struct vm_copy *copy, uint64_t at)
{
    list_for_each(link, &copy->entries) {
        struct map_entry *entry = list_entry(link, struct map_entry, link);
        if (at >= entry->start && at < entry->end)
            return entry;
    }
    return NULL;
}

/* A page that was waited for gives way to the one that has come. */
static void page_supply(struct vm_object *object, struct page *page, uint64_t offset, vm_prot_t lock, bool precious)
{
    struct page *awaited = page_lookup(object, offset);
    if (awaited && !awaited->absent) {
        page_free(page, 0); /* the kernel has one, and it may be newer */
        return;
    }
    if (awaited)
        page_discard(awaited);
    page->lock = lock;
    page->precious = precious;
    page->dirty = page->referenced = false;
    page_insert(page, object, offset);
    page_activate(page);
}

static struct page *bytes_page(struct vm_copy *copy, uint64_t at)
{
    struct page *page = page_alloc(0, UINT64_MAX);
    if (page == NULL)
        return NULL;
    page_zero(page);
    memcpy(page_address(page), copy->bytes + at, min(copy->size - at, PAGE_SIZE));
    return page;
}

static kern_return_t supply(struct vm_object *object, uint64_t offset, struct vm_copy *copy, vm_prot_t lock, bool precious, uint64_t *done)
{
    uint64_t size = copy->size;
    for (*done = 0; *done < size; *done += PAGE_SIZE) {
        struct map_entry *entry = copy->is_bytes ? NULL : copy_entry_at(copy, *done);
        struct page *page = copy->is_bytes ? bytes_page(copy, *done) : entry && copy->offset == 0 ? page_steal(copy, entry, *done) : NULL;
        if (page == NULL)
            return KERN_MEMORY_ERROR;
        page_supply(object, page, offset + *done, lock, precious);
    }
    return KERN_SUCCESS;
}

kern_return_t rpc_memory_object_data_supply(vm_object_t object, vm_offset_t offset, vm_offset_t data, mach_msg_type_number_t size,
                                            vm_prot_t lock, boolean_t precious, ipc_port_t reply_to, mach_msg_type_name_t reply_type)
{
    struct vm_copy *copy = (struct vm_copy *)data;
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    if (range_bad(offset, size) || copy == NULL || copy->offset) {
        object_deref(object);
        return KERN_INVALID_ARGUMENT;
    }
    uint64_t done;
    kern_return_t kr = supply(object, offset, copy, lock, precious, &done);
    if (IP_VALID(reply_to))
        memory_object_supply_completed(reply_to, reply_type, object->control, offset, size, kr, kr ? offset + done : 0);
    vm_copy_discard(copy);
    object_deref(object);
    return KERN_SUCCESS;
}

/* Pages that were waited for in the range: an error, or zeros. */
static void range_settle(struct vm_object *object, uint64_t offset, uint64_t size, bool error)
{
    for (uint64_t at = offset; at < offset + size; at += PAGE_SIZE) {
        struct page *page = page_lookup(object, at);
        if (page == NULL || !page->absent)
            continue;
        page->absent = false;
        page->error = error;
        if (!error)
            page_zero(page);
        page_wakeup(page);
        page_activate(page);
    }
}

static uint64_t range_limit(struct vm_object *object, uint64_t offset, uint64_t size)
{
    return offset >= object->size ? min(size, PAGE_SIZE) : min(size, align_up(object->size - offset, PAGE_SIZE));
}

kern_return_t rpc_memory_object_data_error(vm_object_t object, vm_offset_t offset, vm_size_t size, kern_return_t reason)
{
    (void)reason;
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    range_settle(object, align_down(offset, PAGE_SIZE), range_limit(object, offset, size), true);
    object_deref(object);
    return KERN_SUCCESS;
}

kern_return_t rpc_memory_object_data_unavailable(vm_object_t object, vm_offset_t offset, vm_size_t size)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    range_settle(object, align_down(offset, PAGE_SIZE), range_limit(object, offset, size), false);
    object_deref(object);
    return KERN_SUCCESS;
}

static void attributes_set(struct vm_object *object, boolean_t may_cache, memory_object_copy_strategy_t strategy)
{
    object->can_cache = may_cache;
    object->copy_strategy = strategy;
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

kern_return_t rpc_memory_object_change_attributes(vm_object_t object, boolean_t may_cache, memory_object_copy_strategy_t strategy,
                                                  ipc_port_t reply_to, mach_msg_type_name_t reply_type)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    kern_return_t kr = strategy_bad(strategy) ? KERN_INVALID_ARGUMENT : KERN_SUCCESS;
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

/* Sets what the pager forbids on resident pages. */
static void range_lock(struct vm_object *object, uint64_t start, uint64_t end, vm_prot_t lock)
{
    list_for_each(link, &object->pages) {
        struct page *page = list_entry(link, struct page, link);
        if (page->offset < start || page->offset >= end || page->absent)
            continue;
        page->lock = lock;
        page->unlock_requested = false;
        page->unlock_access = 0;
        if (lock)
            pmap_page_protect(page, VM_PROT_ALL & ~lock);
        if (page->wanted)
            page_wakeup(page);
    }
}

kern_return_t rpc_memory_object_lock_request(vm_object_t object, vm_offset_t offset, vm_size_t size, memory_object_return_t should_return,
                                             boolean_t should_flush, vm_prot_t lock, ipc_port_t reply_to, mach_msg_type_name_t reply_type)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    if (lock & ~(VM_PROT_ALL | VM_PROT_NO_CHANGE)) {
        object_deref(object);
        return KERN_INVALID_ARGUMENT;
    }
    uint64_t start = align_down(offset, PAGE_SIZE), end = align_up(offset + size, PAGE_SIZE);
    if (end < start)
        end = UINT64_MAX;
    object_clean(object, start, end, should_return, should_flush);
    if (!should_flush && lock != VM_PROT_NO_CHANGE)
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

kern_return_t rpc_vm_object_sync(vm_object_t object, vm_offset_t offset, vm_size_t size, boolean_t should_flush, boolean_t should_return,
                                 boolean_t should_iosync)
{
    (void)should_iosync;
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    uint64_t start = align_down(offset, PAGE_SIZE), end = align_up(offset + size, PAGE_SIZE);
    object_clean(object, start, end, should_return ? MEMORY_OBJECT_RETURN_ALL : MEMORY_OBJECT_RETURN_NONE, should_flush);
    return KERN_SUCCESS;
}
