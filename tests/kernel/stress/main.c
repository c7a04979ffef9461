/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_stress: the kernel's only program makes and ends tasks and threads, and fills memory, very often; what the kernel holds is the same
   afterwards.

   Arguments: --host-priv-port=N --device-master-port=N [--scale=N] [PART...]
   Each part (of those named: all) is done once to let the kernel's caches grow, then N times as often (1), and says how many pages, tasks, threads and names there were
   before and after.  The last line is `= N operations, N passed, N failed`.  */

#include <mach.h>
#include <mach/gnumach.h>
#include <mach/mach_host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../campaign.h"
#include "../frame.h"

enum {
    BASE = 2000,       /* operations of a part at scale 1 */
    PAGES_SLACK = 40,  /* what caches keep */
    RESERVE_PAGES = 256,
};

static unsigned long operations, failed, passed;

/* What ended may need a moment until it is gone. */
static struct figures figures_settle(struct figures before)
{
    struct figures now = figures_take();
    for (int i = 0; i < 200 && (now.tasks != before.tasks || now.threads != before.threads || now.pages + PAGES_SLACK < before.pages); i++) {
        pause_ms(10);
        now = figures_take();
    }
    return now;
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
    for (unsigned long round = 0; round < count / 1000; round++) {
        vm_address_t memory = 0;
        long pages = figures_take().pages - RESERVE_PAGES;
        if (pages <= 0 || vm_allocate(mach_task_self(), &memory, (vm_size_t)pages * 4096, TRUE))
            return false;
        for (long i = 0; i < pages; i++)
            *(volatile long *)(memory + (vm_size_t)i * 4096) = i;
        for (long i = 0; i < pages; i++)
            if (*(volatile long *)(memory + (vm_size_t)i * 4096) != i)
                return false;
        vm_deallocate(mach_task_self(), memory, (vm_size_t)pages * 4096);
    }
    return true;
}

static void part_run(const char *name, bool (*part)(unsigned long count), unsigned long scale)
{
    say("@ %s\n", name);
    bool good = part(BASE);
    pause_ms(100);
    struct figures before = figures_take();
    good &= part(BASE * scale);
    struct figures after = figures_settle(before);
    good &= after.tasks == before.tasks && after.threads == before.threads && after.names == before.names
            && after.pages + PAGES_SLACK >= before.pages;
    *(good ? &passed : &failed) += 1;
    operations += BASE * (scale + 1);
    say("%s %s: pages free %ld, then %ld; tasks %d, %d; threads %d, %d; names %d, %d\n", good ? "." : "!", name, before.pages, after.pages,
        before.tasks, after.tasks, before.threads, after.threads, before.names, after.names);
}

static bool chosen(const char *name, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
        any |= argv[i][0] != '-';
    }
    return !any;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*run)(unsigned long count);
    } parts[] = {{"threads", threads_come_and_go}, {"tasks", tasks_come_and_go}, {"copies", copies_come_and_go}, {"children", children_run},
                 {"helpers", helpers_run}, {"crowd", crowd_comes_and_goes}, {"memory", memory_fills}};
    unsigned long scale = 1;
    for (int i = 1; i < argc; i++)
        sscanf(argv[i], "--scale=%lu", &scale);
    if (!campaign_open(argc, argv))
        return 1;
    for (unsigned int i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (chosen(parts[i].name, argc, argv))
            part_run(parts[i].name, parts[i].run, scale);
    say("= %lu operations, %lu passed, %lu failed\n", operations, passed, failed);
    for (;;)
        pause_ms(1000000);
}
