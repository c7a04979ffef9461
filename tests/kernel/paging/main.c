/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_paging: anonymous memory goes to a default memory manager and comes back.  The kernel's only program: a
   manager (manager.h), and tasks that need more memory than there is (hogs.h).

   Arguments: --host-priv-port=N --device-master-port=N [PART...]
   After each part (of those named: all) tasks, threads, names and pages, and what the manager has, are as before.  The
   last line is `= N parts, N passed, N failed`.  */

#include <mach.h>
#include <mach/gnumach.h>
#include <mach/mach_host.h>
#include <mach/task_special_ports.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../campaign.h"
#include "hogs.h"
#include "manager.h"

enum {
    PAGES_SLACK = 150,    /* what the kernel's caches keep */
    LIMIT_S = 300,        /* for a part */
    HOGS_MAX = 3,
};

static struct manager manager;
static mach_port_t faults;   /* the tasks' exceptions */
static int part_line;        /* where the running part failed; 0: it did not */

static bool must(int line, bool holds)
{
    if (!holds && part_line == 0)
        part_line = line;
    return holds;
}
#define MUST(COND) must(__LINE__, COND)

/* ---- tasks ------------------------------------------------------------------------------------------- */

static struct child hogs[HOGS_MAX];

static void hog_start(int number, void (*run)(void *), uintptr_t argument)
{
    child_create(&hogs[number], run, (void *)argument);
    MUST(mach_port_insert_right(hogs[number].task, host_priv, host_priv, MACH_MSG_TYPE_COPY_SEND) == 0);
    child_start(&hogs[number]);
}

/* The next exception: its code, and its task is ended; 0: none within MS milliseconds.  (exception_raise: thread, task,
   exception, code.) */
static long fault_take(unsigned int ms)
{
    if (receive_within(faults, ms))
        return 0;
    const char *body = (const char *)(received() + 1);
    mach_port_t thread = *(const mach_port_t *)(body + 8), task = *(const mach_port_t *)(body + 24),
                reply = received()->msgh_remote_port;
    long code = *(const int *)(body + 56);
    task_terminate(task);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), task);
    mach_port_deallocate(mach_task_self(), reply);
    return code;
}

/* Waits until hog NUMBER has ended; gives the code of the last exception that a task had meanwhile. */
static long hog_end(int number)
{
    long code = 0, fault;
    for (int waited = 0; waited < LIMIT_S * 20 && !(port_type(hogs[number].task) & MACH_PORT_TYPE_DEAD_NAME); waited++)
        if ((fault = fault_take(50)))
            code = fault;
    MUST(port_type(hogs[number].task) & MACH_PORT_TYPE_DEAD_NAME);
    child_kill(&hogs[number]);
    return code;
}

static void progress_await(long hundredths)
{
    for (int waited = 0; waited < LIMIT_S * 100 && report->progress < hundredths && report->failed == 0; waited++)
        pause_ms(10);
    MUST(report->progress >= hundredths);
}

/* ---- the parts ---------------------------------------------------------------------------------------- */

/* One hog that does everything itself; TASKS are how many come to their end. */
static void one_hog(void (*run)(void *), uintptr_t argument, int tasks)
{
    hog_start(0, run, argument);
    MUST(hog_end(0) == 0);
    for (int waited = 0; waited < LIMIT_S * 100 && report->ended < tasks && report->failed == 0; waited++)
        pause_ms(10);
    MUST(report->ended == tasks);
}

static void part_fill(void)
{
    long before = manager.board->returned;
    one_hog(hog_fill, 1, 1);
    MUST(manager.board->returned - before > hog_pages / 2);
}

static void part_three_at_once(void)
{
    hog_pages /= 2;
    for (int i = 0; i < 3; i++)
        hog_start(i, hog_fill, (uintptr_t)i);
    for (int i = 0; i < 3; i++)
        MUST(hog_end(i) == 0);
    MUST(report->ended == 3);
}

static void part_fork(void)
{
    one_hog(hog_fork, 0, 2);
}

static void part_children(void)
{
    one_hog(hog_children, 0, 41);
}

static void part_generations(void)
{
    one_hog(hog_generations, GENERATIONS, GENERATIONS);
}

static void part_share(void)
{
    one_hog(hog_share, 0, 2);
}

static void part_map(void)
{
    one_hog(hog_map, 0, 1);
}

/* Tasks end while their memory is out, and while it is on its way. */
static void part_kill(void)
{
    for (int i = 0; i < 4; i++) {
        report->progress = 0;
        hog_start(0, hog_wait, 0);
        progress_await(i % 2 ? 70 : 100);
        child_kill(&hogs[0]);
    }
}

static void part_forget(void)
{
    hog_start(0, hog_forgotten, 0);
    progress_await(100);
    manager.board->forget = true;
    report->go = true;
    MUST(hog_end(0) == 0);
    MUST(report->ended == 1);
    manager.board->forget = false;
}

static void part_refuse(void)
{
    hog_start(0, hog_wait, 0);
    progress_await(100);
    manager.board->refuse = true;
    report->go = true;
    MUST(hog_end(0) == KERN_MEMORY_ERROR);
    manager.board->refuse = false;
}

/* A manager that takes nothing for a while: who needs memory waits for it, or does without in the end, and the others
   go on. */
static void part_deaf(void)
{
    manager.board->deaf = true;
    hog_start(0, hog_wait, 0);
    for (long before = -1; report->progress != before; pause_ms(1000))
        before = report->progress;
    MUST(report->progress < 100);
    report->go = true;
    manager.board->deaf = false;
    long code = hog_end(0);
    MUST(code == KERN_RESOURCE_SHORTAGE || (code == 0 && report->ended == 1));
}

/* What the manager had is lost with it; then anonymous memory stays, and another manager begins anew. */
static void part_dies(void)
{
    hog_start(0, hog_wait, 0);
    progress_await(100);
    manager_kill(&manager);
    report->go = true;
    MUST(hog_end(0) == KERN_MEMORY_ERROR);
    hog_start(0, hog_wait, 0);
    MUST(hog_end(0) == KERN_RESOURCE_SHORTAGE);
    if (MUST(manager_start(&manager)))
        MUST(!manager.board->succeeds);
    one_hog(hog_fill, 3, 1);
}

/* Another manager takes over: what the first one has it still gives back. */
static void part_succession(void)
{
    struct manager first = manager;
    hog_start(0, hog_wait, 0);
    progress_await(100);
    if (!MUST(manager_start(&manager)))
        return;
    MUST(manager.board->succeeds);
    hog_start(1, hog_fill, 4);
    MUST(hog_end(1) == 0);
    report->go = true;
    MUST(hog_end(0) == 0);
    MUST(report->ended == 2 && first.board->requested > 0 && manager.board->returned > 0 &&
         first.board->complaint == 0);
    for (int waited = 0; waited < 2000 && first.board->objects; waited++)
        pause_ms(10);
    MUST(first.board->objects == 0 && first.board->pages == 0);
    manager_kill(&first);
}

/* ---- the run -------------------------------------------------------------------------------------------- */

static const struct part {
    const char *name;
    void (*run)(void);
    long hundredths; /* of the free pages that a hog takes */
} parts[] = {{"fill", part_fill, 200},
             {"three-at-once", part_three_at_once, 200},
             {"fork", part_fork, 130},
             {"children", part_children, 150},
             {"generations", part_generations, 130},
             {"share", part_share, 150},
             {"map", part_map, 130},
             {"kill", part_kill, 200},
             {"forget", part_forget, 200},
             {"refuse", part_refuse, 200},
             {"deaf", part_deaf, 200},
             {"succession", part_succession, 150},
             {"dies", part_dies, 200}};

static bool settled(const struct figures *before, const struct figures *now)
{
    return now->tasks == before->tasks && now->threads == before->threads && now->names == before->names
           && now->pages + PAGES_SLACK >= before->pages && manager.board->objects == 0 && manager.board->pages == 0;
}

static bool part_run(const struct part *part)
{
    struct figures before = figures_take();
    long returned = manager.board->returned, requested = manager.board->requested;
    *report = (struct report){.failed = 0};
    part_line = 0;
    hog_pages = before.pages * part->hundredths / 100;
    say("@ %s: %ld pages, %ld are free\n", part->name, hog_pages, before.pages);
    part->run();
    struct figures after = figures_take();
    for (int i = 0; i < 500 && !settled(&before, &after); i++) {
        pause_ms(10);
        after = figures_take();
    }
    bool good = part_line == 0 && report->failed == 0 && manager.board->complaint == 0 && settled(&before, &after);
    say("%s %s: main.c:%d hogs.c:%d (page %ld) manager.c:%d\n", good ? "." : "!", part->name, part_line, report->failed,
        report->page, manager.board->complaint);
    say("  %ld pages returned, %ld requested; kept %ld of %ld objects; pages free %ld, then %ld; tasks %d, %d; threads "
        "%d, %d; names %d, %d\n",
        manager.board->returned - returned, manager.board->requested - requested, manager.board->pages,
        manager.board->objects, before.pages, after.pages, before.tasks, after.tasks, before.threads, after.threads,
        before.names, after.names);
    return good;
}

/* Memory for all tasks, their exceptions, and this task's own memory wired: what is paged is the hogs'. */
static bool prepare(void)
{
    vm_address_t memory = 0;
    if (vm_allocate(mach_task_self(), &memory, vm_page_size, TRUE) ||
        vm_inherit(mach_task_self(), memory, vm_page_size, VM_INHERIT_SHARE))
        return false;
    report = (struct report *)memory;
    faults = port_create_with_send();
    return task_set_special_port(mach_task_self(), TASK_EXCEPTION_PORT, faults) == 0
           && vm_wire_all(host_priv, mach_task_self(), VM_WIRE_ALL) == 0 && manager_start(&manager);
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;
    if (!campaign_open(argc, argv))
        return 1;
    if (!prepare()) {
        say("= 0 parts: no manager (manager.c:%d), 0 passed, 1 failed\n", manager.board ? manager.board->complaint : 0);
        return 1;
    }
    for (unsigned int i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (part_chosen(parts[i].name, argc, argv))
            *(part_run(&parts[i]) ? &passed : &failed) += 1;
    say("= %d parts, %d passed, %d failed\n", passed + failed, passed, failed);
    for (;;)
        pause_ms(1000000);
}
