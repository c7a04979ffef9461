/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples of program counters (mach/pc_sample.h): where a task's threads, or one thread, were at each clock tick, or
   made faults: pages of zeros, copies and pages from a pager (SAMPLED_PC_VM_REACTIVATION_FAULTS do not come).  */

#ifndef TASK_SAMPLING_H
#define TASK_SAMPLING_H

#include <mach/pc_sample.h>

#include "task.h"

#define SAMPLES_KEPT 512
#define SAMPLES_GIVEN 320 /* at once: what fits into the kernel's largest reply (ipc/ipc.h, KMSG_LARGE) */

struct samples {
    sampled_pc_flavor_t flavor; /* bits SAMPLED_PC_…: what is sampled */
    sampled_pc_seqno_t taken;   /* how many were, so far; the last SAMPLES_KEPT are in the ring */
    struct sampled_pc ring[SAMPLES_KEPT];
};

/* Notes where THREAD is in user mode, for whoever samples it or its task and wants KIND. */
void sample_note(struct thread *thread, sampled_pc_flavor_t kind);

/* One test, on the clock's and the faults' way. */
static inline void sample_take(struct thread *thread, sampled_pc_flavor_t kind)
{
    if (unlikely(thread->samples || thread->task->samples))
        sample_note(thread, kind);
}

/* Ends the sampling that *SAMPLES is, if any. */
void samples_drop(struct samples **samples);

#endif
