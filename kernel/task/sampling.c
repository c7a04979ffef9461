/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples of program counters: sampling.h; mach4.defs.  Lock: the kernel lock. */

#include "sampling.h"

#include "../mig/mig_types.h"
#include "mach4_S.h"

static void samples_add(struct samples *samples, const struct thread *thread, sampled_pc_flavor_t kind)
{
    sampled_pc_flavor_t wanted = samples->flavor & kind;
    if (kind != SAMPLED_PC_PERIODIC)
        wanted |= samples->flavor & SAMPLED_PC_VM_FAULTS_ANY;
    if (wanted == 0)
        return;
    /* Threads can be told apart, but not where they are in the kernel. */
    uint64_t id = (uint64_t)thread * 0x9e3779b97f4a7c15 >> 32;
    samples->ring[samples->taken++ % SAMPLES_KEPT] = (struct sampled_pc){
        .id = id, .pc = thread->frame->rip, .sampletype = wanted};
}

void sample_note(struct thread *thread, sampled_pc_flavor_t kind)
{
    if (thread->samples)
        samples_add(thread->samples, thread, kind);
    if (thread->task->samples)
        samples_add(thread->task->samples, thread, kind);
}

void samples_drop(struct samples **samples)
{
    kfree(*samples, sizeof **samples);
    *samples = NULL;
}

/* Sampling that is on already goes on with another flavor. */
static kern_return_t enable(struct samples **samples, bool active, int *tick, sampled_pc_flavor_t flavor)
{
    if (!active)
        return KERN_FAILURE;
    if (*samples == NULL) {
        *samples = kalloc(sizeof **samples);
        if (*samples == NULL)
            return KERN_RESOURCE_SHORTAGE;
        (*samples)->taken = 0;
    }
    (*samples)->flavor = flavor;
    *tick = 1000000 / HZ;
    return KERN_SUCCESS;
}

static kern_return_t disable(struct samples **samples, int *taken)
{
    *taken = *samples ? (int)(*samples)->taken : 0;
    samples_drop(samples);
    return KERN_SUCCESS;
}

/* Those from number *SEQNO on that are still there, as many as the answer holds; *SEQNO is the number of the next one
   then. */
static kern_return_t get(const struct samples *samples, sampled_pc_seqno_t *seqno, struct sampled_pc *list,
                         mach_msg_type_number_t *count)
{
    if (samples == NULL)
        return KERN_FAILURE;
    sampled_pc_seqno_t there = min(samples->taken, (sampled_pc_seqno_t)SAMPLES_KEPT);
    sampled_pc_seqno_t first = samples->taken - *seqno <= there ? *seqno : samples->taken - there;
    *count = min(samples->taken - first, (sampled_pc_seqno_t)SAMPLES_GIVEN);
    for (mach_msg_type_number_t i = 0; i < *count; i++)
        list[i] = samples->ring[(first + i) % SAMPLES_KEPT];
    *seqno = first + *count;
    return KERN_SUCCESS;
}

/* ---- of tasks and threads ----------------------------------------------------------------------------- */

kern_return_t rpc_task_enable_pc_sampling(task_t task, int *tick, sampled_pc_flavor_t flavor)
{
    return task ? enable(&task->samples, task->active && task != kernel_task, tick, flavor) : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_task_disable_pc_sampling(task_t task, int *taken)
{
    return task ? disable(&task->samples, taken) : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_task_get_sampled_pcs(task_t task, sampled_pc_seqno_t *seqno, sampled_pc_array_t list,
                                       mach_msg_type_number_t *count)
{
    return task ? get(task->samples, seqno, list, count) : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_thread_enable_pc_sampling(thread_t thread, int *tick, sampled_pc_flavor_t flavor)
{
    return thread ? enable(&thread->samples, thread->active, tick, flavor) : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_thread_disable_pc_sampling(thread_t thread, int *taken)
{
    return thread ? disable(&thread->samples, taken) : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_thread_get_sampled_pcs(thread_t thread, sampled_pc_seqno_t *seqno, sampled_pc_array_t list,
                                         mach_msg_type_number_t *count)
{
    return thread ? get(thread->samples, seqno, list, count) : KERN_INVALID_ARGUMENT;
}
