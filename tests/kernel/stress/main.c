/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_stress: the kernel's only program makes and ends tasks and threads, and fills memory, very often; what the
   kernel holds is the same afterwards.

   Arguments: --host-priv-port=N --device-master-port=N [--scale=N] [PART...]
   Each part (of those named: all) is done once to let the kernel's caches grow, then N times as often (1), and says how
   many pages, tasks, threads and names there were before and after.  The last line is `= N operations, N passed, N
   failed`.  */

#include <mach.h>
#include <mach/gnumach.h>
#include <mach/mach_host.h>
#include <mach_debug/mach_debug_types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../campaign.h"
#include "../frame.h"
#include "mach_debug_U.h"

enum {
    BASE = 2000,       /* operations of a part at scale 1 */
    PAGES_SLACK = 320, /* what is kept until memory is short: 16 to 32 stacks of 8 pages, and what is free in caches */
    RESERVE_PAGES = 256, /* that the part "memory" leaves */
    CACHES_MAX = 64,
    FILL_ROUNDS_MAX = 20, /* of the part "memory" */
    LAST_ROUNDS_MAX = 5, /* of the part "last": each takes seconds, until the kernel sees that nothing moves */
};

static unsigned long operations, failed, passed;

static bool figures_are(void *before)
{
    const struct figures *wanted = before;
    struct figures now = figures_take();
    return now.tasks == wanted->tasks && now.threads == wanted->threads && now.names == wanted->names &&
           now.pages + PAGES_SLACK >= wanted->pages;
}

/* ---- where pages went --------------------------------------------------------------------------------- */

struct caches {
    cache_info_t info[CACHES_MAX], *list; /* list: as the kernel gave it */
    mach_msg_type_number_t count;
};

static void caches_take(struct caches *caches)
{
    mach_port_t host = (mach_host_self)();
    caches->list = caches->info;
    caches->count = CACHES_MAX;
    if (host_slab_info(host, &caches->list, &caches->count))
        caches->count = 0;
    if (caches->list != caches->info) { /* out of line */
        caches->count = caches->count < CACHES_MAX ? caches->count : CACHES_MAX;
        memcpy(caches->info, caches->list, caches->count * sizeof *caches->list);
        vm_deallocate(mach_task_self(), (vm_address_t)caches->list, caches->count * sizeof *caches->list);
    }
    mach_port_deallocate(mach_task_self(), host);
}

/* Which of the kernel's caches have grown or shrunk. */
static void caches_compare(const struct caches *before, const struct caches *after)
{
    for (unsigned int i = 0; i < after->count && i < before->count; i++) {
        const cache_info_t *a = &before->info[i], *b = &after->info[i];
        if (a->nr_slabs != b->nr_slabs || a->nr_objs != b->nr_objs)
            say("  cache %s: pages %lu, then %lu; objects %lu, %lu\n", b->name,
                (unsigned long)(a->nr_slabs * a->slab_size / 4096), (unsigned long)(b->nr_slabs * b->slab_size / 4096),
                (unsigned long)a->nr_objs, (unsigned long)b->nr_objs);
    }
}

/* ---- the parts: each returns false when the kernel refuses ------------------------------------------ */

static bool threads_come_and_go(unsigned long count)
{
    mach_port_t thread;
    for (unsigned long i = 0; i < count; i++) {
        if (thread_create(mach_task_self(), &thread))
            return false;
        thread_terminate(thread);
        mach_port_deallocate(mach_task_self(), thread);
    }
    return true;
}

static bool tasks_come_and_go(unsigned long count)
{
    mach_port_t task;
    for (unsigned long i = 0; i < count; i++) {
        if (task_create(mach_task_self(), FALSE, &task))
            return false;
        task_terminate(task);
        mach_port_deallocate(mach_task_self(), task);
    }
    return true;
}

/* Copies of this task, which writes to its own memory while they live. */
static bool copies_come_and_go(unsigned long count)
{
    static volatile char data[16][4096];
    mach_port_t task;
    for (unsigned long i = 0; i < count / 4; i++) {
        if (task_create(mach_task_self(), TRUE, &task))
            return false;
        data[i % 16][0]++;
        task_terminate(task);
        mach_port_deallocate(mach_task_self(), task);
    }
    return true;
}

static void nothing(void *unused)
{
    (void)unused;
}

/* Copies that run and end by themselves. */
static bool children_run(unsigned long count)
{
    for (unsigned long i = 0; i < count / 40; i++) {
        struct child child;
        child_create(&child, nothing, NULL);
        child_start(&child);
        if (!child_join(&child))
            return false;
    }
    return true;
}

static bool helpers_run(unsigned long count)
{
    for (unsigned long i = 0; i < count / 10; i++) {
        struct helper helper = {0};
        helper_start(&helper, nothing, NULL);
        if (!helper_join(&helper))
            return false;
    }
    return true;
}

/* Many at once. */
static bool crowd_comes_and_goes(unsigned long count)
{
    enum { CROWD = 300 };
    static mach_port_t tasks[CROWD], threads[CROWD];
    for (unsigned long round = 0; round < count / 1000; round++) {
        for (unsigned int i = 0; i < CROWD; i++)
            if (task_create(mach_task_self(), i % 2, &tasks[i]) || thread_create(tasks[i], &threads[i]))
                return false;
        for (unsigned int i = 0; i < CROWD; i++) {
            task_terminate(tasks[i]);
            mach_port_deallocate(mach_task_self(), threads[i]);
            mach_port_deallocate(mach_task_self(), tasks[i]);
        }
    }
    return true;
}

/* Every page there is but a few, written and freed. */
static bool memory_fills(unsigned long count)
{
    unsigned long rounds = count / 1000 < FILL_ROUNDS_MAX ? count / 1000 : FILL_ROUNDS_MAX;
    for (unsigned long round = 0; round < rounds; round++) {
        vm_address_t memory = 0;
        long pages = figures_take().pages - RESERVE_PAGES;
        if (pages <= 0 || vm_allocate(mach_task_self(), &memory, (vm_size_t)pages * 4096, TRUE))
            return false;
        for (long i = 0; i < pages; i++)
            *(volatile long *)(memory + (vm_size_t)i * 4096) = i;
        for (long i = 0; i < pages; i++)
            if (*(volatile long *)(memory + (vm_size_t)i * 4096) != i) {
                say("  page %ld of %ld has %ld\n", i, pages, *(volatile long *)(memory + (vm_size_t)i * 4096));
                return false;
            }
        vm_deallocate(mach_task_self(), memory, (vm_size_t)pages * 4096);
    }
    return true;
}

/* A copy of this task writes to more pages than there are, until the kernel has none for it any more and ends it. */
struct filler {
    volatile unsigned long written, free_least;
    vm_size_t pages;
};

static void filler_main(void *argument)
{
    struct filler *filler = argument;
    vm_address_t memory = 0;
    if (vm_allocate(mach_task_self(), &memory, filler->pages * 4096, TRUE))
        return;
    for (unsigned long i = 0; i < filler->pages; i++) {
        *(volatile long *)(memory + i * 4096) = (long)i;
        filler->written = i + 1;
    }
}

static bool filler_run(struct filler *filler)
{
    struct child child;
    struct figures before = figures_take();
    *filler = (struct filler){.pages = (vm_size_t)before.pages + 4096, .free_least = (unsigned long)before.pages};
    child_create(&child, filler_main, filler);
    child_start(&child);
    while (!(port_type(child.task) & MACH_PORT_TYPE_DEAD_NAME)) {
        long now = figures_take().pages;
        if (now < (long)filler->free_least)
            filler->free_least = (unsigned long)now;
        pause_ms(5);
    }
    child_kill(&child);
    say("  last: %lu pages of %ld written, then the task was ended; free at the least %lu\n", filler->written,
        before.pages, filler->free_least);
    return filler->written < filler->pages && filler->written + RESERVE_PAGES > (unsigned long)before.pages;
}

static bool memory_fills_to_the_last(unsigned long count)
{
    vm_address_t page = 0;
    unsigned long rounds = count / 1000 < LAST_ROUNDS_MAX ? count / 1000 : LAST_ROUNDS_MAX;
    bool good = vm_allocate(mach_task_self(), &page, 4096, TRUE) == 0 &&
                vm_inherit(mach_task_self(), page, 4096, VM_INHERIT_SHARE) == 0;
    for (unsigned long round = 0; good && round < rounds; round++)
        good = filler_run((struct filler *)page);
    vm_deallocate(mach_task_self(), page, 4096);
    return good;
}

static void part_run(const char *name, bool (*part)(unsigned long count), unsigned long scale)
{
    say("@ %s\n", name);
    bool good = part(BASE);
    pause_ms(100);
    static struct caches caches_before, caches_after;
    caches_take(&caches_after); /* its memory is there when pages are counted */
    caches_take(&caches_before);
    struct figures before = figures_take();
    good &= part(BASE * scale);
    good &= settle(figures_are, &before, 200);
    struct figures after = figures_take();
    caches_take(&caches_after);
    *(good ? &passed : &failed) += 1;
    operations += BASE * (scale + 1);
    say("%s %s: pages free %ld, then %ld; tasks %d, %d; threads %d, %d; names %d, %d\n", good ? "." : "!", name,
        before.pages, after.pages, before.tasks, after.tasks, before.threads, after.threads, before.names, after.names);
    caches_compare(&caches_before, &caches_after);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*run)(unsigned long count);
    } parts[] = {{"threads", threads_come_and_go}, {"tasks", tasks_come_and_go},      {"copies", copies_come_and_go},
                 {"children", children_run},       {"helpers", helpers_run},          {"crowd", crowd_comes_and_goes},
                 {"memory", memory_fills},         {"last", memory_fills_to_the_last}};
    unsigned long scale = 1;
    for (int i = 1; i < argc; i++)
        sscanf(argv[i], "--scale=%lu", &scale);
    if (!campaign_open(argc, argv))
        return 1;
    for (unsigned int i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (part_chosen(parts[i].name, argc, argv))
            part_run(parts[i].name, parts[i].run, scale);
    say("= %lu operations, %lu passed, %lu failed\n", operations, passed, failed);
    for (;;)
        pause_ms(1000000);
}
