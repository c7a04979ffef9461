/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench.h: what the parts of the kernel's benchmark share.  The program is the kernel's only module: it asks the kernel
   for one thing many times and counts instructions with the time stamp counter, which counts them under `-icount
   shift=0,sleep=off`. */

#ifndef BENCH_KERNEL_BENCH_H
#define BENCH_KERNEL_BENCH_H

#include <mach.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096ul

/* One thing to measure. */
struct operation {
    const char *name;
    unsigned int rounds;
    /* Does it ROUNDS times and gives the instructions that were spent, of all tasks and the kernel together. */
    uint64_t (*run)(const struct operation *operation, unsigned int rounds);
    uint64_t size;              /* bytes, where there are some */
    mach_port_t *port;          /* the server's, where there is one */
};
/* each ends with a name of NULL */
extern const struct operation message_operations[], memory_operations[], task_operations[];

/* The time stamp counter: instructions so far. */
static inline uint64_t instructions(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Ends the benchmark with a message if RESULT is not success; WHAT names the call. */
void must(kern_return_t result, const char *what);

/* ---- other threads and tasks (partner.c) ----------------------------------------------------- */

/* The second task, a copy of this one when partner_init was called. */
extern task_t partner_task;
/* Makes it.  What START_* need must lie in memory by then. */
void partner_init(void);
/* A thread of TASK (this one or partner_task) that runs START(ARGUMENT), which must not return and calls nothing of the
   C library but traps and simple routines.  In ARGUMENT's words names are TASK's. */
thread_t partner_start(task_t task, void (*start)(void *argument), void *argument);
/* A port for a server in TASK: this task has a send right, TASK the receive right, both under one name. */
mach_port_t partner_port(task_t task);
/* A send right to PORT, under its own name, for the second task. */
void partner_give(mach_port_t port);

/* Copies the variable at WHERE, of SIZE bytes, to the same address of the second task (and what else is in its
   pages). */
void partner_copy(const void *where, size_t size);

/* messages.c and memory.c: start their servers; before and after the second task is made. */
void messages_prepare(void);
void messages_start(void);
void memory_prepare(void);
void memory_start(void);
void tasks_start(void);

#endif /* BENCH_KERNEL_BENCH_H */
