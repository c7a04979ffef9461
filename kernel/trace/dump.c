/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tasks, threads, ports, maps, memory as text. */

#include "dump.h"

#include "../ipc/ipc.h"
#include "../task/task.h"
#include "../vm/map.h"
#include "symbols.h"

#define SAVED_FRAME_POINTER 5 /* where cpu_switch_stack puts rbp, in words from the saved stack pointer */

static const char *name_of(const struct task *task)
{
    return task->name[0] ? task->name : "(no name)";
}

/* ---- tasks and threads --------------------------------------------------------------------- */

void dump_tasks(void)
{
    unsigned int number = 0;
    kprintf("   n address          threads  names  KiB mapped  KiB resident  suspended  name\n");
    list_for_each(link, &all_tasks) {
        struct task *task = list_entry(link, struct task, all_link);
        kprintf("%4u %lx %7u %6u %11lu %13lu %10u  %s%s\n", number++, (uint64_t)task, task->thread_count,
                task->space ? space_used(task->space) : 0, task->map ? task->map->size / 1024 : 0,
                task->map ? task->map->pmap->resident * (PAGE_SIZE / 1024) : 0, task->suspend_count, name_of(task),
                task->active ? "" : " (dead)");
    }
}

struct wait_search {
    const struct wait_queue *queue;
    mach_port_name_t name;
    const char *how; /* NULL: not found yet */
};

/* Is ENTRY's port what the queue belongs to? */
static void wait_search_visit(struct ipc_space *space, struct ipc_entry *entry, void *cookie)
{
    (void)space;
    struct wait_search *search = cookie;
    const char *how = NULL;
    if (entry->bits & MACH_PORT_TYPE_PORT_SET)
        how = &entry->pset->queue.receivers == search->queue ? "a message to the set" : NULL;
    else if (!(entry->bits & MACH_PORT_TYPE_DEAD_NAME) && IP_VALID(entry->port))
        how = &entry->port->queue.receivers == search->queue ? "a message to the port"
              : &entry->port->senders == search->queue       ? "room in the queue of the port"
                                                             : NULL;
    if (how) {
        search->how = how;
        search->name = entry->name;
    }
}

static void wait_print(struct thread *thread)
{
    uint64_t offset;
    struct wait_search search = {.queue = thread->wait_queue};
    if (thread->wait_event) {
        const char *name = symbol_lookup((uint64_t)thread->wait_event, &offset);
        kprintf(" for the event %lx%s%s", (uint64_t)thread->wait_event, name ? " " : "", name ? name : "");
        return;
    }
    if (thread->wait_queue == NULL || thread->task->space == NULL)
        return;
    space_walk(thread->task->space, wait_search_visit, &search);
    if (search.how)
        kprintf(" for %s %u", search.how, search.name);
    else
        kprintf(" on the queue %lx", (uint64_t)thread->wait_queue);
}

static void thread_print(struct thread *thread)
{
    static const char *const states[] = {"runs", "waits", "stopped", "dead"};
    kprintf("  thread %lx: %s", (uint64_t)thread, states[thread->state]);
    if (thread->state == THREAD_WAITING)
        wait_print(thread);
    if (thread->suspend_count)
        kprintf(", suspended %u times", thread->suspend_count);
    kprintf(", priority %d (base %d)", thread->sched_priority, thread->priority);
    if (thread->task->map)
        kprintf(", user rip %lx rsp %lx", thread_frame(thread)->rip, thread_frame(thread)->rsp);
    kprintf("%s%s\n", thread->name[0] ? ", " : "", thread->name);
}

void dump_task(struct task *task)
{
    kprintf("task %lx %s: %u threads, suspended %u times, %u references\n", (uint64_t)task, name_of(task),
            task->thread_count, task->suspend_count, task->refs);
    list_for_each(link, &task->threads)
        thread_print(list_entry(link, struct thread, task_link));
}

void dump_thread(struct thread *thread)
{
    thread_print(thread);
    if (thread->state == THREAD_RUNNING && !thread->on_run_queue) {
        kprintf("  it has the processor\n");
        return;
    }
    const uint64_t *saved = (const uint64_t *)thread->stack_pointer;
    if ((uint64_t)(saved + 1) == (uint64_t)thread->frame) { /* it left by ipc/fast.c: only where it will go on is on its
                                                               stack */
        symbol_print(saved[0]);
        return;
    }
    backtrace_print((const uint64_t *)saved[SAVED_FRAME_POINTER]);
}

struct task *dump_task_lookup(const char *text)
{
    uint64_t number = 0, count = 0;
    bool is_number = *text != 0, hexadecimal = strlen(text) > 8;
    for (const char *c = text; *c && is_number; c++) {
        unsigned int digit = *c <= '9' ? (unsigned int)(*c - '0') : (unsigned int)((*c | 32) - 'a') + 10;
        is_number = digit < (hexadecimal ? 16u : 10u);
        number = number * (hexadecimal ? 16 : 10) + digit;
    }
    list_for_each(link, &all_tasks) {
        struct task *task = list_entry(link, struct task, all_link);
        if (is_number ? (uint64_t)task == number || count++ == number : strcmp(task->name, text) == 0)
            return task;
    }
    return NULL;
}

struct thread *dump_thread_lookup(uint64_t address)
{
    list_for_each(task_link, &all_tasks) {
        struct task *task = list_entry(task_link, struct task, all_link);
        list_for_each(link, &task->threads)
            if ((uint64_t)list_entry(link, struct thread, task_link) == address)
                return list_entry(link, struct thread, task_link);
    }
    return NULL;
}

/* ---- ports -------------------------------------------------------------------------------------- */

/* What a port of the kernel's stands for, in the order of enum kobject_type. */
static const char *const kobject_names[] = {"",
                                            "task",
                                            "thread",
                                            "host",
                                            "host privileges",
                                            "processor",
                                            "set",
                                            "set name",
                                            "memory object",
                                            "memory object control",
                                            "object name",
                                            "device master",
                                            "device",
                                            "I/O permission",
                                            "proxy"};

#define MESSAGES_SHOWN 8

/* Who receives from PORT, and the ids of the first messages that wait. */
static void receiver_show(const struct ipc_port *port)
{
    unsigned int shown = 0;
    kprintf("of %s, %u messages, %u send rights, %u send-once rights%s",
            port->receiver == NULL ? "a message"
            : port->receiver->task ? name_of(port->receiver->task)
                                   : "the kernel",
            port->msgcount, port->srights, port->sorights, port->pset ? ", in a set" : "");
    if (port->msgcount > 0)
        list_for_each(link, &port->messages->messages) {
            const struct kmsg *kmsg = list_entry(link, struct kmsg, link);
            if (kmsg_remote(kmsg) == port && shown++ < MESSAGES_SHOWN)
                kprintf("%s %d", shown == 1 ? ": ids" : "", kmsg->header.msgh_id);
        }
    kprintf("\n");
}

static void port_print(struct ipc_space *space, struct ipc_entry *entry, void *cookie)
{
    (void)space, (void)cookie;
    kprintf("  %6u", entry->name);
    if (entry->bits & MACH_PORT_TYPE_PORT_SET) {
        unsigned int members = 0;
        list_for_each(link, &entry->pset->members)
            members++;
        kprintf(" set of %u ports\n", members);
        return;
    }
    if (entry->bits & MACH_PORT_TYPE_DEAD_NAME) {
        kprintf(" dead name, %u references\n", entry->bits & ENTRY_UREFS);
        return;
    }
    const struct ipc_port *port = entry->port;
    kprintf("%s%s%s", entry->bits & MACH_PORT_TYPE_RECEIVE ? " receive" : "",
            entry->bits & MACH_PORT_TYPE_SEND ? " send" : "",
            entry->bits & MACH_PORT_TYPE_SEND_ONCE ? " send-once" : "");
    kprintf(" (%u) port %lx: ", entry->bits & ENTRY_UREFS, (uint64_t)port);
    if (!port->active)
        kprintf("dead\n");
    else if (port->kobject_type && port->kobject_type < countof(kobject_names))
        kprintf("the kernel's: %s %lx\n", kobject_names[port->kobject_type], (uint64_t)port->kobject);
    else
        receiver_show(port);
}

void dump_ports(struct task *task)
{
    if (task->space == NULL)
        return;
    kprintf("names of %s: %u\n", name_of(task), space_used(task->space));
    space_walk(task->space, port_print, NULL);
}

/* ---- memory --------------------------------------------------------------------------------------- */

void dump_map(struct task *task)
{
    if (task->map == NULL)
        return;
    kprintf("map of %s: %zu entries, %lu KiB, %zu pages mapped\n", name_of(task), task->map->count,
            task->map->size / 1024, task->map->pmap->resident);
    for (struct map_entry *entry = map_lookup_above(task->map, 0); entry; entry = map_next(task->map, entry)) {
        const struct vm_object *object = entry->object;
        unsigned int shadows = 0;
        kprintf("  %lx-%lx %c%c%c%s%s", entry->start, entry->end, entry->protection & VM_PROT_READ ? 'r' : '-',
                entry->protection & VM_PROT_WRITE ? 'w' : '-', entry->protection & VM_PROT_EXECUTE ? 'x' : '-',
                entry->shared ? " shared" : "", entry->wired ? " wired" : "");
        if (object == NULL) {
            kprintf(" untouched\n");
            continue;
        }
        for (const struct vm_object *below = object->shadow; below; below = below->shadow)
            shadows++;
        kprintf(" object %lx+%lx: %zu pages%s%s", (uint64_t)object, entry->offset, object->resident,
                object->is_physical ? ", device memory"
                : object->pager     ? ", a pager's"
                                    : "",
                entry->needs_copy ? ", copied when written" : "");
        if (shadows)
            kprintf(", %u objects below", shadows);
        kprintf("\n");
    }
}

/* What the pages in the queues hold: anonymous memory or files, changed or not, and what is on its way to a pager. */
static void contents_show(void)
{
    size_t anonymous[2] = {0, 0}, files[2] = {0, 0}, laundry = 0;
    for (size_t i = 0; i < page_limit >> PAGE_SHIFT; i++) {
        struct page *page = &page_array[i];
        if (!page->managed || page->free || !(page->active || page->inactive || page->wired || page->laundry) ||
            page->object == NULL)
            continue;
        if (page->laundry)
            laundry++;
        else
            (page->object->internal ? anonymous : files)[pmap_page_modified(page)]++;
    }
    kprintf("contents: anonymous %zu changed, %zu not; of pagers %zu changed, %zu not; %zu on their way\n",
            anonymous[1], anonymous[0], files[1], files[0], laundry);
}

void dump_memory(void)
{
    kprintf("pages: %zu, free %zu, active %zu, inactive %zu, wired %zu; page-out begins below %zu free ones\n",
            page_counts.total, page_counts.free, page_counts.active, page_counts.inactive, page_counts.wired,
            page_free_target);
    contents_show();
}

static void cache_print(const struct cache *cache, void *cookie)
{
    (void)cookie;
    if (cache->total)
        kprintf("  %-20s %6zu bytes: %8zu used of %8zu\n", cache->name, cache->size, cache->used, cache->total);
}

void dump_caches(void)
{
    cache_walk(cache_print, NULL);
}
