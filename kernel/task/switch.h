/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing threads, but for the stack: what sched.c and the short way of mach_msg (ipc/fast.c) both do.  Every
   instruction here is spent in each message. */

#ifndef TASK_SWITCH_H
#define TASK_SWITCH_H

#include "../arch/x86_64/pmap.h"
#include "../device/interrupt.h"
#include "../vm/map.h"
#include "task.h"

/* Rarely needed; whoever calls it keeps its registers (which the compiler does not believe of a call in C). */
__attribute__((no_caller_saved_registers)) void sched_io_bitmap_load(struct cpu *cpu, struct thread *thread);

/* The processor's address space, registers that only user programs use, segment bases and I/O permissions become those
   of NEXT, after those of PREV; both are user threads.  The gs base and the debug registers are not seen to: a thread
   that has either has `attention`. */
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
    if (unlikely((uint64_t)cpu->io_owner | (uint64_t)task->io))
        __asm__ volatile("call sched_io_bitmap_load" : : "D"(cpu), "S"(next) : "memory", "cc");
}

/* NEXT is what CPU runs; the registers are sched_user_state_switch's business, the stack is the caller's.  NEXT's
   frame. */
static inline struct trap_frame *sched_thread_switch(struct cpu *cpu, struct thread *next)
{
    struct trap_frame *frame = thread_frame(next);
    cpu->thread = next;
    next->cpu = cpu;
    cpu->tss.rsp[0] = next->stack_top;
    cpu->kernel_rsp = (uint64_t)frame;
    return frame;
}

#endif
