/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing threads, but for the stack: what sched.c and the short way of mach_msg (ipc/fast.c) both do.  Every instruction here is spent in
   each message. */

#ifndef TASK_SWITCH_H
#define TASK_SWITCH_H

#include "../arch/x86_64/pmap.h"
#include "../device/interrupt.h"
#include "../vm/map.h"
#include "task.h"

/* The processor's address space, registers that only user programs use, segment bases and I/O permissions become those of NEXT, after those
   of PREV; both are user threads. */
static inline void sched_user_state_switch(struct cpu *cpu, struct thread *prev, struct thread *next)
{
    struct task *task = next->task;
    struct pmap *pmap = task->map->pmap;
    if (cpu->pmap != pmap) {
        cpu->pmap = cpu->loaded = pmap;
        write_cr3(pmap->root);
    }
    cpu_float_save(prev->float_area); /* it may go on on another processor */
    cpu_float_restore(next->float_area);
    wrmsr(MSR_FS_BASE, next->fs_base);
    /* Loading a selector, which users may, makes a base 0: what prev had may be gone. */
    if (unlikely(next->gs_base | prev->gs_base))
        wrmsr(MSR_KERNEL_GS_BASE, next->gs_base);
    if (unlikely((uint64_t)cpu->io_owner | (uint64_t)task->io))
        io_bitmap_load(cpu, next);
}

/* NEXT is what CPU runs; for the registers and the stack see above and below. */
static inline void sched_thread_switch(struct cpu *cpu, struct thread *next)
{
    cpu->thread = next;
    next->cpu = cpu;
    cpu->tss.rsp[0] = next->stack_top;
    cpu->kernel_rsp = (uint64_t)thread_frame(next);
}

#endif
