/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pageout: a kernel thread that frees memory when little is left.

   Pages in use are in two queues, active and inactive, oldest first.  A third of them is kept inactive; an inactive
   page that was used since (the processor's accessed bit) goes back to the active ones, others are taken in order:
   clean ones are freed, as their pager has them or they are zeros; changed ones go to their pager with their
   neighbours, and are free when it has let go of them (object_return.c).  Anonymous memory goes to the default memory
   manager; without one it stays.

   A pager that is slow or does not answer stops nobody else: no more than LAUNDRY_MAX pages of an object are on their
   way at a time, and what is on its way is itself pageable to the default memory manager.

   Who waits for memory (pageout_wait) waits for good as long as anything moves.  When nothing has moved for STALL_MS,
   or when for THRASH_MS what moves is the little that can, again and again, the task with the most memory has to do
   without (shortage_relieve).

   Lock: the kernel lock. */

#include "pageout.h"

#include "../arch/x86_64/layout.h"
#include "../ipc/ipc.h"
#include "../task/host.h"
#include "../task/task.h"
#include "map.h"
#include "object.h"

#define SCAN_MAX 4096           /* pages looked at in a turn */
#define LAUNDRY_MAX 1024        /* pages of one object on their way */
#define LAUNDRY_MANAGER_MAX 256 /* to the default memory manager in all: it works in the memory that is left */
#define TURN_MS 20              /* between turns; twice as long each time that nothing could be freed, up to */
#define TURN_MAX_MS 640
#define STALL_MS 3000
#define THRASH_MS 6000
/* of a call that found no memory: it may want several pages in one piece, which may not come */
#define RETRIES_MAX 16

static struct thread *pageout_thread;
static struct ipc_port *manager;
static bool wanted;
static struct wait_queue idle_queue = {LIST_INIT(idle_queue.threads)};    /* the thread itself */
static struct wait_queue memory_queue = {LIST_INIT(memory_queue.threads)}; /* faults */
bool pageout_waiting;
static bool has_waited;         /* somebody, since memory was last as free as it should be */

/* ---- the default memory manager -------------------------------------------------------------- */

struct ipc_port *pageout_manager(void)
{
    if (manager && !manager->active) {
        port_release_send(manager);
        manager = NULL;
    }
    return manager;
}

struct ipc_port *pageout_manager_set(struct ipc_port *port)
{
    struct ipc_port *old = pageout_manager();
    manager = port;
    pageout_wake();
    return old;
}

bool pageout_privileged(void)
{
    struct thread *thread = current_thread();
    if (thread == pageout_thread || thread->vm_privileged)
        return true;
    return manager && manager->active && manager->receiver && manager->receiver == thread->task->space;
}

/* ---- waiting ------------------------------------------------------------------------------------ */

void pageout_wake(void)
{
    if (!wanted && pageout_thread) {
        wanted = true;
        wait_queue_wake_all(&idle_queue, WAIT_AWAKENED);
    }
}

void pageout_page_freed(void)
{
    if (pageout_waiting && page_counts.free > page_free_reserved) {
        pageout_waiting = false;
        wait_queue_wake_all(&memory_queue, WAIT_AWAKENED);
    }
}

enum fault_result pageout_wait(void)
{
    if (pageout_thread == NULL || pageout_privileged())
        return FAULT_NO_MEMORY;
    pageout_wake();
    pageout_waiting = has_waited = true;
    wait_begin(&memory_queue, true);
    switch (thread_block()) {
    case WAIT_TIMED_OUT: return FAULT_NO_MEMORY;
    case WAIT_INTERRUPTED: return FAULT_INTERRUPTED;
    default: return FAULT_RETRY;
    }
}

bool pageout_retry(unsigned int tries, size_t size)
{
    unsigned int order = 0;
    while (PAGE_SIZE << order < size && order <= PAGE_VACATE_ORDER_MAX)
        order++;
    if (tries >= RETRIES_MAX)
        return false;
    if (order > 0 && page_vacate(order))
        return true;
    return page_counts.free < page_free_target && pageout_wait() == FAULT_RETRY;
}

/* Sleeps MS milliseconds (0: until pageout_wake). */
static void idle(uint32_t ms)
{
    wait_begin(&idle_queue, false);
    wait_timeout(ms);
    thread_block();
}

/* ---- shortage ----------------------------------------------------------------------------------- */

/* What ending TASK would free, in pages, about. */
static uint64_t task_memory(const struct task *task)
{
    return task->map->pmap->resident + task->thread_count * (KERNEL_STACK_SIZE / PAGE_SIZE) +
           (task->map->count * sizeof(struct map_entry) + space_memory(task->space)) / PAGE_SIZE;
}

/* Others rely on it: it says so itself, or it has the host's privileged port. */
static bool task_spared(const struct task *task)
{
    return task->essential || task == kernel_task || (manager && manager->active && manager->receiver == task->space) ||
           space_reverse(task->space, realhost.priv) != NULL;
}

/* The one with the most memory that is not spared. */
static struct task *task_largest(void)
{
    struct task *largest = NULL;
    uint64_t most = 0;
    list_for_each(link, &all_tasks) {
        struct task *task = list_entry(link, struct task, all_link);
        uint64_t memory = task_spared(task) ? 0 : task_memory(task);
        if (memory > most) {
            largest = task;
            most = memory;
        }
    }
    return largest;
}

/* One that waits for memory: of TASK, or, with NULL, of any that is not essential. */
static struct thread *waiting_thread(const struct task *task)
{
    list_for_each(link, &memory_queue.threads) {
        struct thread *thread = list_entry(link, struct thread, wait_link);
        if (task ? thread->task == task : !thread->task->essential)
            return thread;
    }
    return NULL;
}

/* Nothing can be freed: the largest task has to do without.  The first time its fault fails, if it waits for one; then
   it is ended.  If all are spared, any fault fails. */
static void shortage_relieve(void)
{
    struct task *largest = task_largest();
    struct thread *thread = largest && largest->denied ? NULL : waiting_thread(largest);
    struct task *task = thread ? thread->task : largest;
    if (task == NULL)
        return;
    kprintf("memory is full: %s, which has %lu KiB, %s\n", task->name[0] ? task->name : "a task",
            task_memory(task) * (PAGE_SIZE / 1024), thread ? "gets no more" : "is ended");
    if (thread) {
        task->denied = true;
        thread_wake(thread, WAIT_TIMED_OUT);
    } else {
        task_kill(task);
    }
}

/* ---- choosing pages -------------------------------------------------------------------------------- */

static void refill_inactive(void)
{
    size_t target = (page_counts.active + page_counts.inactive) / 3;
    while (page_counts.inactive < target && !list_empty(&page_active_queue)) {
        struct page *page = list_entry(page_active_queue.next, struct page, queue);
        pmap_page_referenced(page);
        page_deactivate(page);
    }
}

/* Can OBJECT's changed pages go anywhere now?  Anonymous memory gets its pager here. */
static bool outlet_find(struct vm_object *object)
{
    if (!object->internal)
        return object->alive && object->pager && object->pager_ready && object->laundry < LAUNDRY_MAX;
    struct ipc_port *port = pageout_manager();
    if (port == NULL || object_laundry_unpageable >= LAUNDRY_MANAGER_MAX || !object->alive)
        return false;
    return object->pager || object_pager_create(object, port);
}

/* One inactive page: gives how many are free now, or on their way. */
static size_t page_reclaim(struct page *page)
{
    struct vm_object *object = page->object;
    if (object == NULL || page->busy || page->wired || page->absent) {
        page_activate(page);
        return 0;
    }
    if (pmap_page_referenced(page)) {
        vm_counters.reactivations++;
        page_activate(page);
        return 0;
    }
    if ((pmap_page_modified(page) || page->precious) && !outlet_find(object)) {
        page_activate(page); /* and stays mapped: a task's mappings tell how much it has */
        return 0;
    }
    pmap_page_protect(page, VM_PROT_NONE);
    size_t taken = 0;
    if (pmap_page_modified(page) || page->precious) {
        taken = outlet_find(object) ? object_pageout(object, page) : 0;
        if (taken == 0)
            page_activate(page);
    } else if (object->internal || (object->alive && object->pager)) {
        page_discard(page);
        taken = 1;
    } else {
        page_activate(page); /* the last copy: its pager has gone */
    }
    if (taken)
        object_page_lost(object);
    return taken;
}

static size_t reclaim_some(void)
{
    size_t taken = 0, laundry = object_laundry_count;
    refill_inactive();
    for (size_t scanned = 0; scanned < SCAN_MAX && !list_empty(&page_inactive_queue); scanned++) {
        /* What was sent in this turn will be free soon, if all goes well; the next turn does not rely on it. */
        if (page_counts.free + (object_laundry_count - min(laundry, object_laundry_count)) >= page_free_target)
            break;
        taken += page_reclaim(list_entry(page_inactive_queue.next, struct page, queue));
    }
    return taken;
}

/* Almost all that could be paged is anonymous memory, which goes nowhere.  Looks at every page. */
static bool mostly_stuck(void)
{
    struct list *queues[] = {&page_active_queue, &page_inactive_queue};
    size_t stuck = 0;
    if (pageout_manager())
        return false;
    for (unsigned int i = 0; i < 2; i++)
        list_for_each(link, queues[i]) {
            const struct vm_object *object = list_entry(link, struct page, queue)->object;
            stuck += object && object->internal;
        }
    return stuck > (page_counts.active + page_counts.inactive) / 8 * 7;
}

/* Whether memory was short for THRASH_MS since *SHORT_SINCE and hardly anything can move.  It is looked at once in that
   time: much reading and writing of files keeps memory short for long, and harmlessly. */
static bool thrashes(uint64_t *short_since)
{
    if (!has_waited || clock_ticks - *short_since <= THRASH_MS * HZ / 1000)
        return false;
    *short_since = clock_ticks;
    return mostly_stuck();
}

static void pageout_loop(void *argument)
{
    (void)argument;
    uint64_t moved = clock_ticks, short_since = clock_ticks;
    size_t laundry = 0;
    uint32_t turn = TURN_MS;
    for (;;) {
        if (page_counts.free >= page_free_target) {
            wanted = false;
            has_waited = false;
            idle(0);
            moved = short_since = clock_ticks;
            turn = TURN_MS;
        }
        size_t taken = reclaim_some();
        if (taken == 0 && page_counts.free <= page_free_reserved && object_cache_trim())
            taken = 1;
        pageout_page_freed();
        if (taken || object_laundry_count < laundry || page_counts.free > page_free_reserved)
            moved = clock_ticks;
        laundry = object_laundry_count;
        turn = taken ? TURN_MS : min(turn * 2, (uint32_t)TURN_MAX_MS);
        if (thrashes(&short_since) || clock_ticks - moved > STALL_MS * HZ / 1000) {
            shortage_relieve();
            moved = short_since = clock_ticks;
        }
        if (page_counts.free < page_free_target)
            idle(turn);
    }
}

void pageout_init(void)
{
    pageout_thread = thread_make_kernel("pageout", pageout_loop, NULL, PRIORITY_KERNEL);
}
