/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads and tasks: making, ending, changing. */

#include <mach/mach_traps.h>
#include <mach/thread_switch.h>

#include "bench.h"

static thread_t me, near_thread, far_thread;

static uint64_t threads(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        thread_t thread;
        must(thread_create(mach_task_self(), &thread), "thread_create");
        must(thread_terminate(thread), "thread_terminate");
        must(mach_port_deallocate(mach_task_self(), thread), "mach_port_deallocate");
    }
    return instructions() - start;
}

static uint64_t tasks(const struct operation *operation, unsigned int rounds)
{
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        task_t task;
        must(task_create(mach_task_self(), operation->size != 0, &task), "task_create");
        must(task_terminate(task), "task_terminate");
        must(mach_port_deallocate(mach_task_self(), task), "mach_port_deallocate");
    }
    return instructions() - start;
}

/* Gives the processor back to the thread that measures, again and again. */
static void pass_on(void *argument)
{
    (void)argument;
    for (;;)
        thread_switch(me, SWITCH_OPTION_NONE, 0);
}

static uint64_t switches(const struct operation *operation, unsigned int rounds)
{
    thread_t other = *operation->port;
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i += 2)
        thread_switch(other, SWITCH_OPTION_NONE, 0);
    uint64_t spent = instructions() - start;
    return spent;
}

/* The threads that only switches need run from its first round to its last. */
static uint64_t switches_resumed(const struct operation *operation, unsigned int rounds)
{
    must(thread_resume(*operation->port), "thread_resume");
    uint64_t spent = switches(operation, rounds);
    must(thread_suspend(*operation->port), "thread_suspend");
    return spent;
}

void tasks_start(void)
{
    me = mach_thread_self();
    partner_give(me);
    partner_copy(&me, sizeof me);
    near_thread = partner_start(mach_task_self(), pass_on, NULL);
    must(thread_suspend(near_thread), "thread_suspend");
    far_thread = partner_start(partner_task, pass_on, NULL);
    must(thread_suspend(far_thread), "thread_suspend");
}

const struct operation task_operations[] = {
    {"context switch within a task", 20000, switches_resumed, 0, &near_thread},
    {"context switch between tasks", 20000, switches_resumed, 0, &far_thread},
    {"thread create and terminate", 4000, threads, 0, NULL},
    {"task create and terminate, empty", 1000, tasks, 0, NULL},
    {"task create inheriting memory and terminate", 400, tasks, 1, NULL},
    {NULL, 0, NULL, 0, NULL},
};
