/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page faults: from an address to a page.

   object_fault goes down the chain of shadows until it finds the page, asks a pager, or comes to the end (zeros).
   Whatever may block starts it over from the beginning, by FAULT_RETRY: while the kernel slept, pages, objects and maps
   may have become others.  */

#include "../arch/x86_64/cpu.h"
#include "../ipc/ipc.h"
#include "../task/sampling.h"
#include "../task/task.h"
#include "map.h"
#include "object.h"
#include "pager.h"
#include "pageout.h"

static enum fault_result wait_result_of(enum wait_result result)
{
    return result == WAIT_INTERRUPTED ? FAULT_INTERRUPTED : FAULT_RETRY;
}

/* Waits for PAGE of OBJECT to be no longer busy. */
static enum fault_result busy_wait(struct vm_object *object, struct page *page, bool interruptible)
{
    object_ref(object);
    page->wanted = true;
    enum fault_result result = wait_result_of(thread_sleep(page, interruptible));
    object_deref(object);
    return result;
}

/* A page for OFFSET of OBJECT, inserted, contents undefined; NULL: no memory just now, and the caller must start over
   (or give up). */
static struct page *page_make(struct vm_object *object, uint64_t offset, enum fault_result *result)
{
    struct page *page = pageout_page_alloc();
    if (likely(page != NULL)) {
        page_insert(page, object, offset);
        return page;
    }
    object_ref(object);
    *result = pageout_wait();
    object_deref(object);
    return NULL;
}

static enum fault_result pager_ask(struct vm_object *object, uint64_t offset, vm_prot_t access, bool interruptible)
{
    enum fault_result result;
    if (!object->alive || !object->pager->active)
        return FAULT_ERROR;
    if (!object->pager_ready) {
        object_ref(object);
        result = wait_result_of(thread_sleep(&object->pager_ready, interruptible));
        object_deref(object);
        return result;
    }
    struct page *page = page_make(object, offset, &result);
    if (page == NULL)
        return result;
    page->busy = page->absent = true;
    current_task()->pageins++;
    vm_counters.pageins++;
    sample_take(current_thread(), SAMPLED_PC_VM_PAGEIN_FAULTS);
    object_ref(object);
    bool asked = memory_object_data_request(object->pager, object->control, offset + object->paging_offset, PAGE_SIZE,
                                            access) == KERN_SUCCESS;
    /* Sending may have run the pager already. */
    if (page_lookup(object, offset) != page || !page->busy)
        result = FAULT_RETRY;
    else if (asked)
        result = busy_wait(object, page, interruptible);
    else {
        page_discard(page);
        result = FAULT_ERROR;
    }
    object_deref(object);
    return result;
}

static enum fault_result unlock_ask(struct vm_object *object, struct page *page, vm_prot_t access, bool interruptible)
{
    if (!object->alive || !object->pager || !object->pager->active)
        return FAULT_ERROR;
    if (!page->unlock_requested || (access & ~page->unlock_access)) {
        page->unlock_requested = true;
        page->unlock_access |= access;
        memory_object_data_unlock(object->pager, object->control, page->offset + object->paging_offset, PAGE_SIZE,
                                  access);
    }
    return busy_wait(object, page, interruptible);
}

/* Before the page of OBJECT at OFFSET is written: those that copied the object keep what it was. */
static enum fault_result copy_push(struct vm_object *object, struct page *page, uint64_t offset)
{
    struct vm_object *copy = object->copy;
    enum fault_result result = FAULT_DONE;
    if (offset < copy->shadow_offset || offset - copy->shadow_offset >= copy->size)
        return FAULT_DONE;
    uint64_t at = offset - copy->shadow_offset;
    if (page_lookup(copy, at) || (copy->pager && object_pager_has(copy, at)))
        return FAULT_DONE;
    struct page *kept = page_make(copy, at, &result);
    if (kept == NULL)
        return result;
    page_copy(kept, page);
    kept->dirty = true;
    page_activate(kept);
    pmap_page_protect(page, VM_PROT_NONE);
    return FAULT_DONE;
}

/* The page that PAGE, found below OBJECT, becomes when it is written. */
static enum fault_result copy_up(struct vm_object *object, uint64_t offset, struct page *source, struct page **page)
{
    enum fault_result result = FAULT_DONE;
    if (object->shadow->refs == 1 && object_collapse(object)) {
        /* Nobody else sees what was below: the page may simply have moved up. */
        *page = page_lookup(object, offset);
        if (*page)
            return FAULT_DONE;
        /* What is below cannot be merged, or the page lies deeper: it is where it was. */
    }
    struct page *own = page_make(object, offset, &result);
    if (own == NULL)
        return result;
    page_copy(own, source);
    own->dirty = true;
    page_activate(source);
    /* Others that map this object have the old page. */
    if (object->refs > 1)
        pmap_page_protect(source, VM_PROT_NONE);
    current_task()->cow_faults++;
    vm_counters.cow_faults++;
    sample_take(current_thread(), SAMPLED_PC_VM_COW_FAULTS);
    *page = own;
    return FAULT_DONE;
}

static enum fault_result zero_fill(struct vm_object *object, uint64_t offset, struct page **page)
{
    enum fault_result result = FAULT_DONE;
    *page = page_make(object, offset, &result);
    if (*page == NULL)
        return result;
    page_zero(*page);
    current_task()->zero_fills++;
    vm_counters.zero_fills++;
    sample_take(current_thread(), SAMPLED_PC_VM_ZFILL_FAULTS);
    return FAULT_DONE;
}

/* A resident page was found in OBJECT: may it be used for ACCESS? */
static enum fault_result page_usable(struct vm_object *object, struct page *page, vm_prot_t access, bool interruptible)
{
    if (page->busy)
        return busy_wait(object, page, interruptible);
    if (page->error) {
        page_discard(page);
        return FAULT_ERROR;
    }
    if (page->lock & access)
        return unlock_ask(object, page, access, interruptible);
    return FAULT_DONE;
}

/* As object_fault; *FOUND: the page was there already, in some object, and is still in that. */
static inline enum fault_result page_find(struct vm_object *first, uint64_t first_offset, vm_prot_t access,
                                          bool interruptible, struct page **result, bool *read_only, bool *found)
{
    struct vm_object *object = first;
    uint64_t offset = first_offset;
    struct page *page;
    *read_only = *found = false;
    while ((page = page_lookup(object, offset)) == NULL) {
        if (unlikely(!object->alive) || (object->pager && object_pager_has(object, offset)))
            return pager_ask(object, offset, object == first ? access : access & ~VM_PROT_WRITE, interruptible);
        if (object->shadow == NULL)
            break;
        offset += object->shadow_offset;
        object = object->shadow;
    }
    enum fault_result fault;
    if (page == NULL) {
        fault = zero_fill(first, first_offset, &page);
        if (fault)
            return fault;
    } else {
        fault = page_usable(object, page, object == first ? access : access & ~VM_PROT_WRITE, interruptible);
        if (fault)
            return fault;
        if (object != first && (access & VM_PROT_WRITE)) {
            fault = copy_up(first, first_offset, page, &page);
            if (fault)
                return fault;
        } else {
            *found = true;
            *read_only = object != first;
        }
    }
    if (first->copy) {
        if (access & VM_PROT_WRITE) {
            fault = copy_push(first, page, first_offset);
            if (fault)
                return fault;
            *found = false; /* the pages around it must not be written before they are pushed */
        } else {
            *read_only = true;
        }
    }
    *result = page;
    return FAULT_DONE;
}

enum fault_result object_fault(struct vm_object *object, uint64_t offset, vm_prot_t access, bool interruptible,
                               struct page **page, bool *read_only)
{
    bool found;
    return page_find(object, offset, access, interruptible, page, read_only, &found);
}

/* ---- faults in a map ---------------------------------------------------------------------- */

static kern_return_t physical_fault(struct vm_map *map, struct map_entry *entry, uint64_t address, vm_prot_t access)
{
    struct vm_object *object = entry->object;
    uint64_t offset = entry->offset + (address - entry->start);
    vm_prot_t protection = object->physical_read_only ? entry->protection & ~VM_PROT_WRITE : entry->protection;
    if (offset >= object->size)
        return KERN_MEMORY_ERROR;
    if (access & ~protection)
        return KERN_PROTECTION_FAILURE;
    return pmap_enter(map->pmap, address, object->physical + offset, NULL, protection, object->uncached)
               ? KERN_SUCCESS
               : KERN_RESOURCE_SHORTAGE;
}

/* The entry for ADDRESS, with an object that ACCESS can go to. */
static kern_return_t entry_prepare(struct vm_map *map, uint64_t address, vm_prot_t access, struct map_entry **result)
{
    struct map_entry *entry = map_lookup(map, address);
    if (entry == NULL)
        return KERN_INVALID_ADDRESS;
    if ((entry->protection & access) != access)
        return KERN_PROTECTION_FAILURE;
    if (entry->object == NULL) {
        entry->object = object_create(entry->end - entry->start);
        entry->offset = 0;
        entry->needs_copy = false;
        if (entry->object == NULL)
            return KERN_RESOURCE_SHORTAGE;
    } else if (entry->needs_copy && (access & VM_PROT_WRITE)) {
        if (!object_shadow(&entry->object, &entry->offset, entry->end - entry->start))
            return KERN_RESOURCE_SHORTAGE;
        entry->needs_copy = false;
    }
    *result = entry;
    return KERN_SUCCESS;
}

/* The page of PAGE's object at OFFSET, if it is at hand for PROTECTION.  LINK is that of PAGE's neighbour in the list,
   often the one: pages come in the order of their offsets. */
static inline struct page *neighbour_find(const struct page *page, const struct list *link, uint64_t offset,
                                          vm_prot_t protection)
{
    struct page *other = list_entry(link, struct page, link);
    if (link == &page->object->pages || other->offset != offset)
        other = page_lookup_resident(page->object, offset);
    return other && !other->busy && !other->absent && !other->error && !(other->lock & protection) ? other : NULL;
}

/* PAGE, mapped at ADDRESS with PROTECTION, was there before somebody wanted it: those beside it that are there too will
   be wanted soon, and mapping them now is a tenth of a fault for each.  What lies in several objects is left out. */
#define AROUND 8u /* pages, aligned: as far as one fault looks */
static void neighbours_enter(struct vm_map *map, const struct map_entry *entry, uint64_t address, struct page *page,
                             vm_prot_t protection)
{
    for (const struct vm_object *above = entry->object; above != page->object; above = above->shadow)
        if (above->resident || above->pager)
            return;
    uint64_t around = align_down(address, AROUND * PAGE_SIZE), start = max(around, entry->start),
             end = min(around + AROUND * PAGE_SIZE, entry->end);
    struct page *pages[AROUND], *at = page;
    unsigned int self = (unsigned int)((address - start) / PAGE_SIZE),
                 count = (unsigned int)((end - start) / PAGE_SIZE), first = self, last = self;
    while (last + 1 < count && (at = neighbour_find(at, at->link.next, at->offset + PAGE_SIZE, protection)))
        pages[++last] = at;
    at = page;
    while (first > 0 && (at = neighbour_find(at, at->link.prev, at->offset - PAGE_SIZE, protection)))
        pages[--first] = at;
    pages[self] = page;
    if (first < last)
        pmap_enter_more(map->pmap, start + first * PAGE_SIZE, &pages[first], last - first + 1, protection);
}

/* False: there is no memory for the tables. */
static inline bool page_enter(struct vm_map *map, struct map_entry *entry, uint64_t address, struct page *page,
                              vm_prot_t access, bool read_only, bool found)
{
    vm_prot_t protection = entry->protection & ~page->lock;
    if (read_only || entry->needs_copy)
        protection &= ~VM_PROT_WRITE;
    if (protection & VM_PROT_WRITE) {
        page->object->writable = true;
        if (access & VM_PROT_WRITE)
            page->dirty = true;
    }
    bool entered = pmap_enter(map->pmap, address, page_physical(page), page, protection, false);
    if (found && entered)
        neighbours_enter(map, entry, address, page, protection);
    return entered;
}

/* PAGE has taken the place of OLD in wired memory: it is what stays. */
static void wiring_move(struct page *old, struct page *page)
{
    if (old == page || old->wired == 0)
        return;
    page_wire(page);
    page_unwire(old);
}

kern_return_t vm_fault(struct vm_map *map, uint64_t address, vm_prot_t access, bool wire, bool interruptible)
{
    address = align_down(address, PAGE_SIZE);
    current_task()->faults++;
    vm_counters.faults++;
    for (;;) {
        struct map_entry *entry;
        kern_return_t kr = entry_prepare(map, address, access, &entry);
        if (kr)
            return kr;
        if (entry->object->is_physical)
            return physical_fault(map, entry, address, access);
        struct page *page, *wired = unlikely(entry->wired) && !wire ? page_mapped(map, address) : NULL;
        bool read_only, found;
        enum fault_result result = page_find(entry->object, entry->offset + (address - entry->start), access,
                                             interruptible, &page, &read_only, &found);
        if (likely(result == FAULT_DONE)) {
            if (likely(page_enter(map, entry, address, page, access, read_only, found && !wire))) {
                if (wire)
                    page_wire(page);
                else
                    page_activate(page);
                if (unlikely(wired != NULL))
                    wiring_move(wired, page);
                return KERN_SUCCESS;
            }
            page_activate(page);
            result = pageout_wait(); /* who touches it again without waiting would do so for ever */
        }
        switch (result) {
        case FAULT_ERROR:
            return KERN_MEMORY_ERROR;
        case FAULT_NO_MEMORY:
            return KERN_RESOURCE_SHORTAGE;
        case FAULT_INTERRUPTED:
            return KERN_ABORTED;
        default:
            continue;
        }
    }
}
