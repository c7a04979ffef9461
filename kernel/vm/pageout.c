/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pageout: a kernel thread that frees memory when little is left.

   Inactive pages are taken in order: used since they were deactivated → active again; clean and a pager has them → freed; changed → given
   to their pager, one run of neighbours a message, and free when the pager has let go of it.  Anonymous pages stay: there is
   no default pager that takes them.  Objects that nobody uses go first. */

#include "pageout.h"

#include "../task/task.h"
#include "object.h"

#define SCAN_MAX 4096 /* pages looked at in a turn */

static struct thread *pageout_thread;
static bool wanted;

bool pageout_privileged(void)
{
    return current_thread() == pageout_thread;
}

void pageout_wake(void)
{
    if (!wanted) {
        wanted = true;
        thread_wakeup(&wanted);
    }
}

bool pageout_wait(void)
{
    if (pageout_thread == NULL || pageout_privileged())
        return false;
    size_t before = page_counts.free;
    pageout_wake();
    thread_sleep(&page_counts.free, false);
    return page_counts.free > before || page_counts.free > page_free_reserved;
}

static void refill_inactive(void)
{
    size_t target = (page_counts.active + page_counts.inactive) / 3;
    while (page_counts.inactive < target && !list_empty(&page_active_queue)) {
        struct page *page = list_entry(page_active_queue.next, struct page, queue);
        pmap_page_referenced(page);
        page_deactivate(page);
    }
}

/* One inactive page; true: it is free now, or on its way. */
static bool page_reclaim(struct page *page)
{
    struct vm_object *object = page->object;
    if (object == NULL || page->busy || page->wired) {
        page_activate(page);
        return false;
    }
    if (pmap_page_referenced(page)) {
        page_activate(page);
        return false;
    }
    if (object->pager == NULL || !object->alive) {
        page_activate(page);
        return false;
    }
    pmap_page_protect(page, VM_PROT_NONE);
    if (pmap_page_modified(page) || page->precious)
        object_page_return(object, page, true);
    else
        page_discard(page);
    return true;
}

static size_t reclaim_some(void)
{
    size_t freed = 0;
    refill_inactive();
    for (size_t scanned = 0; scanned < SCAN_MAX && page_counts.free < page_free_target && !list_empty(&page_inactive_queue); scanned++)
        freed += page_reclaim(list_entry(page_inactive_queue.next, struct page, queue));
    return freed;
}

static void pageout_loop(void *argument)
{
    (void)argument;
    for (;;) {
        while (!wanted)
            thread_sleep(&wanted, false);
        wanted = false;
        size_t freed = 0;
        while (page_counts.free < page_free_target && object_cache_trim())
            freed++;
        if (page_counts.free < page_free_target)
            freed += reclaim_some();
        thread_wakeup(&page_counts.free);
        if (freed == 0 && page_counts.free <= page_free_reserved)
            sched_yield();
    }
}

void pageout_init(void)
{
    pageout_thread = thread_make_kernel("pageout", pageout_loop, NULL, PRIORITY_KERNEL);
}
