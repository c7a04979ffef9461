/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages on their way back to a pager: memory_object_data_return, at a pager's request (memory_object_lock_request),
   when an object ends, and for pageout.  Neighbours go in one message. */

#include "../ipc/ipc.h"
#include "../task/task.h"
#include "map.h"
#include "object.h"
#include "pager.h"
#include "pageout.h"

#define RETURN_RUN 64 /* pages in one message */

size_t object_laundry_count, object_laundry_unpageable;

void object_laundry_done(struct vm_object *carrier)
{
    object_laundry_count--;
    if (carrier->unpageable)
        object_laundry_unpageable--;
    if (carrier->laundry_of)
        carrier->laundry_of->laundry--;
    pageout_page_freed();
}

static struct vm_object *carrier_create(struct vm_object *object, size_t count)
{
    struct vm_object *carrier = object_create(count * PAGE_SIZE);
    if (carrier) {
        carrier->laundry_of = object;
        carrier->unpageable = object->internal;
        list_append(&object->carriers, &carrier->carrier_link);
    }
    return carrier;
}

/* PAGE itself goes into CARRIER. */
static void page_carry(struct page *page, struct vm_object *carrier, uint64_t at)
{
    struct vm_object *object = page->object;
    page->precious = false;
    page->dirty = true; /* nobody else has its contents */
    page->lock = 0;
    page_dequeue(page);
    page_rename(page, carrier, at);
    page->laundry = true;
    object_laundry_count++;
    object_laundry_unpageable += carrier->unpageable;
    object->laundry++;
    page_wakeup(page);
    page_activate(page); /* it is pageable, once its turn comes; not that of an unpageable carrier */
}

/* A copy of PAGE goes into CARRIER; false: no memory. */
static bool page_carry_copy(struct page *page, struct vm_object *carrier, uint64_t at)
{
    struct page *copy = page_alloc(0, UINT64_MAX);
    if (copy == NULL)
        return false;
    pmap_page_clear_modified(page); /* before the copy: what is written from now on counts again */
    page_copy(copy, page);
    copy->dirty = true;
    page_insert(copy, carrier, at);
    page_activate(copy);
    return true;
}

/* Takes back into OBJECT what a message that could not be sent would have carried. */
static void carrier_empty(struct vm_object *carrier, struct vm_object *object, uint64_t offset)
{
    while (!list_empty(&carrier->pages)) {
        struct page *page = list_entry(carrier->pages.next, struct page, link);
        uint64_t at = offset + page->offset;
        struct page *kept = page_lookup(object, at);
        if (kept)
            kept->dirty = true;
        if (kept) {
            page_discard(page);
            continue;
        }
        page_rename(page, object, at);
        page_activate(page);
    }
}

static bool run_send(struct vm_object *object, uint64_t offset, size_t count, bool dirty, bool flush)
{
    struct vm_object *carrier = carrier_create(object, count);
    if (carrier == NULL)
        return false;
    size_t done = 0;
    for (; done < count; done++) {
        struct page *page = page_lookup(object, offset + done * PAGE_SIZE);
        if (object->internal && !sparse_bits_set(&object->known, object_pager_page(object, page->offset)))
            break;
        if (flush) {
            pmap_page_protect(page, VM_PROT_NONE);
            page_carry(page, carrier, done * PAGE_SIZE);
        } else if (!page_carry_copy(page, carrier, done * PAGE_SIZE)) {
            break;
        }
    }
    struct vm_copy *data = done ? vm_copy_from_object(carrier, done * PAGE_SIZE) : NULL;
    if (data == NULL) {
        carrier_empty(carrier, object, offset);
        object_deref(carrier);
        return false;
    }
    object_ref(carrier);
    bool sent = !memory_object_data_return(object->pager, object->control, offset + object->paging_offset,
                                           (vm_offset_t)data, (unsigned int)(done * PAGE_SIZE), dirty, !flush);
    if (sent)
        vm_counters.pageouts += done;
    else
        carrier_empty(carrier, object, offset);
    object_deref(carrier);
    return sent && done == count;
}

/* Sends COUNT pages from OFFSET on, all resident and either wired or not, to the pager; false: no memory, they are as
   before. */
static bool run_return(struct vm_object *object, uint64_t offset, size_t count, bool dirty, bool flush)
{
    struct thread *thread = current_thread();
    bool privileged = thread->vm_privileged;
    thread->vm_privileged = true; /* what it takes is given back many times over */
    /* The kernel need not keep what it may: all of the message or nothing, as the pager keeps account of it. */
    if (page_counts.free < page_free_minimum + count)
        flush = true;
    if (page_lookup(object, offset)->wired)
        flush = false;
    bool sent = run_send(object, offset, count, dirty, flush);
    thread->vm_privileged = privileged;
    return sent;
}

/* Must PAGE go back to the pager? */
static bool must_return(struct page *page, memory_object_return_t should_return)
{
    if (page == NULL || page->busy || page->absent || page->error || should_return == MEMORY_OBJECT_RETURN_NONE)
        return false;
    return pmap_page_modified(page) || (page->precious && should_return == MEMORY_OBJECT_RETURN_ALL);
}

/* Gives the pages from AT on back that go in one message, as far as END; gives how many. */
static size_t run_clean(struct vm_object *object, uint64_t at, uint64_t end, memory_object_return_t should_return,
                        bool flush)
{
    size_t count = 0;
    bool dirty = false, wired = false;
    while (count < RETURN_RUN && at + count * PAGE_SIZE < end) {
        struct page *page = page_lookup(object, at + count * PAGE_SIZE);
        if (!must_return(page, should_return) || (count && (page->dirty != dirty || !!page->wired != wired)))
            break;
        dirty = page->dirty;
        wired = page->wired;
        count++;
    }
    if (count && !run_return(object, at, count, dirty, flush && !wired))
        kprintf("memory is full: %lu changed pages of a memory object stay\n", count);
    return count;
}

/* Is [START, END) much more than OBJECT has pages?  A user chooses offsets: going through them all may take for
   ever. */
static bool range_sparse(const struct vm_object *object, uint64_t start, uint64_t end)
{
    return (end - start) / PAGE_SIZE > object->resident * 4;
}

static void range_clean(struct vm_object *object, uint64_t start, uint64_t end, memory_object_return_t should_return,
                        bool flush)
{
    if (!range_sparse(object, start, end)) {
        for (uint64_t at = start; at < end;) {
            size_t count = run_clean(object, at, end, should_return, flush);
            at += max(count, 1ul) * PAGE_SIZE;
        }
        return;
    }
    /* Page by page as they are in the list, where those that stay go to the end. */
    for (size_t left = object->resident; left > 0 && !list_empty(&object->pages); left--) {
        struct page *page = list_entry(object->pages.next, struct page, link);
        list_remove(&page->link);
        list_append(&object->pages, &page->link);
        if (page->offset >= start && page->offset < end)
            run_clean(object, page->offset, end, should_return, flush);
    }
}

/* Cuts [*START, *END) down to what is resident, if it is much more. */
static void range_narrow(struct vm_object *object, uint64_t *start, uint64_t *end)
{
    if (!range_sparse(object, *start, *end))
        return;
    uint64_t first = UINT64_MAX, last = 0;
    list_for_each(link, &object->pages) {
        struct page *page = list_entry(link, struct page, link);
        if (page->offset >= *start && page->offset < *end) {
            first = min(first, page->offset);
            last = max(last, page->offset + PAGE_SIZE);
        }
    }
    *start = max(*start, first);
    *end = min(*end, last);
}

/* Frees what is resident in the range, changed or not; who waits for a page asks again. */
static void range_flush(struct vm_object *object, uint64_t start, uint64_t end)
{
    if ((end - start) / PAGE_SIZE > object->resident) {
        list_for_each_safe(link, after, &object->pages) {
            struct page *page = list_entry(link, struct page, link);
            if (page->offset >= start && page->offset < end && !page->wired && !page->absent)
                page_discard(page);
        }
        return;
    }
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        struct page *page = page_lookup(object, at);
        if (page && !page->wired && !page->absent)
            page_discard(page);
    }
}

void object_clean(struct vm_object *object, uint64_t start, uint64_t end, memory_object_return_t should_return,
                  bool flush)
{
    range_narrow(object, &start, &end);
    if (start >= end)
        return;
    if (object->pager && should_return != MEMORY_OBJECT_RETURN_NONE)
        range_clean(object, start, end, should_return, flush);
    if (flush)
        range_flush(object, start, end);
}

/* ---- pageout ------------------------------------------------------------------------------------- */

/* May pageout take the page of OBJECT at OFFSET along with its neighbour? */
static bool goes_along(struct vm_object *object, uint64_t offset)
{
    struct page *page = page_lookup(object, offset);
    return page && page->inactive && !page->busy && !page->absent && !page->error && pmap_page_modified(page) &&
           !pmap_page_referenced(page);
}

size_t object_pageout(struct vm_object *object, struct page *page)
{
    uint64_t start = page->offset, end = start + PAGE_SIZE;
    bool dirty = pmap_page_modified(page);
    while (dirty && end - start < RETURN_RUN * PAGE_SIZE && goes_along(object, end))
        end += PAGE_SIZE;
    while (dirty && end - start < RETURN_RUN * PAGE_SIZE && start >= PAGE_SIZE && goes_along(object, start - PAGE_SIZE))
        start -= PAGE_SIZE;
    size_t before = object->resident;
    run_return(object, start, (end - start) >> PAGE_SHIFT, dirty, true);
    return before - object->resident;
}
