/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processors and their one set (mach_host.defs; Mach manual, "Processors and Processor Sets").  As in GNU Mach there
   are no other sets, and processors are not started or stopped by request: those routines answer KERN_FAILURE. */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "host.h"
#include "mach_host_S.h"
#include "task.h"

#include <mach/host_info.h>
#include <mach/machine.h>
#include <mach/policy.h>
#include <mach/processor_info.h>

struct processor_set default_set = {.max_priority = PRIORITY_BASE_USER, .policies = POLICY_TIMESHARE};
static struct processor *processors; /* cpu_count of them */

void processors_init(void)
{
    processors = kalloc(cpu_count * sizeof *processors);
    default_set.self = port_alloc_kernel(KOBJECT_PSET, &default_set);
    default_set.name = port_alloc_kernel(KOBJECT_PSET_NAME, &default_set);
    if (!processors || !default_set.self || !default_set.name)
        panic("no memory for the processors' ports");
    for (uint32_t i = 0; i < cpu_count; i++) {
        processors[i] = (struct processor){.self = port_alloc_kernel(KOBJECT_PROCESSOR, &processors[i]), .number = i};
        if (processors[i].self == NULL)
            panic("no memory for the processors' ports");
    }
}

/* ---- processors --------------------------------------------------------------------------- */

kern_return_t rpc_host_processors(host_t host, processor_array_t *list, mach_msg_type_number_t *count)
{
    if (host == NULL)
        return KERN_INVALID_ARGUMENT;
    *list = kalloc(cpu_count * sizeof **list);
    if (*list == NULL)
        return KERN_RESOURCE_SHORTAGE;
    for (uint32_t i = 0; i < cpu_count; i++)
        (*list)[i] = (mach_port_t)port_make_send(processors[i].self);
    *count = cpu_count;
    return KERN_SUCCESS;
}

kern_return_t rpc_processor_info(processor_t processor, int flavor, host_t *host, processor_info_t out,
                                 mach_msg_type_number_t *count)
{
    if (processor == NULL)
        return KERN_INVALID_ARGUMENT;
    if (flavor != PROCESSOR_BASIC_INFO || *count < PROCESSOR_BASIC_INFO_COUNT)
        return KERN_FAILURE;
    *(struct processor_basic_info *)out =
        (struct processor_basic_info){.cpu_type = CPU_TYPE_X86_64, .cpu_subtype = CPU_SUBTYPE_AT386, .running = 1,
                                      .slot_num = (integer_t)processor->number, .is_master = processor->number == 0};
    *count = PROCESSOR_BASIC_INFO_COUNT;
    *host = &realhost;
    return KERN_SUCCESS;
}

static kern_return_t refuse(const struct processor *processor)
{
    return processor ? KERN_FAILURE : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_processor_start(processor_t processor)
{
    return refuse(processor);
}

kern_return_t rpc_processor_exit(processor_t processor)
{
    return refuse(processor);
}

kern_return_t rpc_processor_control(processor_t processor, processor_info_t command, mach_msg_type_number_t count)
{
    (void)command, (void)count;
    return refuse(processor);
}

kern_return_t rpc_processor_assign(processor_t processor, processor_set_t set, boolean_t wait)
{
    (void)processor, (void)set, (void)wait;
    return KERN_FAILURE;
}

kern_return_t rpc_processor_get_assignment(processor_t processor, processor_set_t *set)
{
    *set = &default_set;
    return processor ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

/* ---- the set -------------------------------------------------------------------------------- */

kern_return_t rpc_host_processor_sets(host_t host, processor_set_name_array_t *list, mach_msg_type_number_t *count)
{
    if (host == NULL)
        return KERN_INVALID_ARGUMENT;
    *list = kalloc(sizeof **list);
    if (*list == NULL)
        return KERN_RESOURCE_SHORTAGE;
    **list = (mach_port_t)port_make_send(default_set.name);
    *count = 1;
    return KERN_SUCCESS;
}

kern_return_t rpc_host_processor_set_priv(host_t host, processor_set_t name, processor_set_t *set)
{
    if (host == NULL || name == NULL)
        return KERN_INVALID_ARGUMENT;
    *set = &default_set;
    return KERN_SUCCESS;
}

kern_return_t rpc_processor_set_default(host_t host, processor_set_t *set)
{
    *set = &default_set;
    return host ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_processor_set_create(host_t host, processor_set_t *set, processor_set_t *name)
{
    (void)host, (void)set, (void)name;
    return KERN_FAILURE;
}

kern_return_t rpc_processor_set_destroy(processor_set_t set)
{
    (void)set;
    return KERN_FAILURE;
}

kern_return_t rpc_processor_set_info(processor_set_t set, int flavor, host_t *host, processor_set_info_t out,
                                     mach_msg_type_number_t *count)
{
    if (set == NULL)
        return KERN_INVALID_ARGUMENT;
    struct host_load_info load;
    *host = &realhost;
    switch (flavor) {
    case PROCESSOR_SET_BASIC_INFO:
        if (*count < PROCESSOR_SET_BASIC_INFO_COUNT)
            return KERN_FAILURE;
        load_get(&load);
        *(struct processor_set_basic_info *)
            out = (struct processor_set_basic_info){.processor_count = (integer_t)cpu_count,
                                                    .task_count = (integer_t)task_count,
                                                    .thread_count = (integer_t)thread_count_all,
                                                    .load_average = load.avenrun[0],
                                                    .mach_factor = load.mach_factor[0]};
        *count = PROCESSOR_SET_BASIC_INFO_COUNT;
        return KERN_SUCCESS;
    case PROCESSOR_SET_SCHED_INFO:
        if (*count < PROCESSOR_SET_SCHED_INFO_COUNT)
            return KERN_FAILURE;
        *(struct processor_set_sched_info *)out =
            (struct processor_set_sched_info){.policies = set->policies, .max_priority = set->max_priority};
        *count = PROCESSOR_SET_SCHED_INFO_COUNT;
        return KERN_SUCCESS;
    default:
        return KERN_INVALID_ARGUMENT;
    }
}

/* Sets the maximum priority of all THREADS of LIST to PRIORITY. */
static void threads_limit(struct list *list, int priority)
{
    list_for_each(link, list) {
        struct thread *thread = list_entry(link, struct thread, task_link);
        thread->max_priority = priority;
        if (thread->priority < priority) {
            thread->priority = priority;
            sched_priority_changed(thread);
        }
    }
}

kern_return_t rpc_processor_set_max_priority(processor_set_t set, int priority, boolean_t change_threads)
{
    if (set == NULL || priority < 0 || priority >= PRIORITIES)
        return KERN_INVALID_ARGUMENT;
    set->max_priority = priority;
    if (change_threads)
        list_for_each(link, &all_tasks)
            threads_limit(&list_entry(link, struct task, all_link)->threads, priority);
    return KERN_SUCCESS;
}

static bool policy_known(int policy)
{
    return policy == POLICY_TIMESHARE || policy == POLICY_FIXEDPRI;
}

kern_return_t rpc_processor_set_policy_enable(processor_set_t set, int policy)
{
    if (set == NULL || !policy_known(policy))
        return KERN_INVALID_ARGUMENT;
    set->policies |= policy;
    return KERN_SUCCESS;
}

kern_return_t rpc_processor_set_policy_disable(processor_set_t set, int policy, boolean_t change_threads)
{
    if (set == NULL || policy != POLICY_FIXEDPRI) /* timesharing stays */
        return KERN_INVALID_ARGUMENT;
    set->policies &= ~policy;
    if (change_threads)
        list_for_each(link, &all_tasks)
            list_for_each(thread_link, &list_entry(link, struct task, all_link)->threads)
                sched_policy_set(list_entry(thread_link, struct thread, task_link), POLICY_TIMESHARE, 0);
    return KERN_SUCCESS;
}

/* ---- assignment -------------------------------------------------------------------------------- */

kern_return_t rpc_thread_get_assignment(thread_t thread, processor_set_t *set)
{
    *set = &default_set;
    return thread ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_task_get_assignment(task_t task, processor_set_t *set)
{
    *set = &default_set;
    return task ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_thread_assign(thread_t thread, processor_set_t set)
{
    (void)thread, (void)set;
    return KERN_FAILURE;
}

kern_return_t rpc_thread_assign_default(thread_t thread)
{
    (void)thread;
    return KERN_FAILURE;
}

kern_return_t rpc_task_assign(task_t task, processor_set_t set, boolean_t assign_threads)
{
    (void)task, (void)set, (void)assign_threads;
    return KERN_FAILURE;
}

kern_return_t rpc_task_assign_default(task_t task, boolean_t assign_threads)
{
    (void)task, (void)assign_threads;
    return KERN_FAILURE;
}
