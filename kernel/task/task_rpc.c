/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be asked of tasks (mach.defs, mach_host.defs, gnumach.defs; Mach manual, "Tasks"). */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../vm/map.h"
#include "../vm/pageout.h"
#include "gnumach_S.h"
#include "host.h"
#include "mach_S.h"
#include "mach_host_S.h"
#include "task.h"

#include <mach/task_info.h>

time_value_t time_of_micros(uint64_t micros)
{
    return (time_value_t){.seconds = (long_integer_t)(micros / 1000000), .microseconds = (integer_t)(micros % 1000000)};
}

time_value64_t time64_of_micros(uint64_t micros)
{
    return (time_value64_t){.seconds = (int64_t)(micros / 1000000), .nanoseconds = (int64_t)(micros % 1000000 * 1000)};
}

kern_return_t rpc_task_create(task_t parent, boolean_t inherit, task_t *child)
{
    if (parent == NULL)
        return KERN_INVALID_TASK;
    kern_return_t kr = KERN_FAILURE;
    task_ref(parent);
    for (unsigned int tries = 0; parent->active; tries++)
        if ((kr = task_make(parent, inherit, child)) != KERN_RESOURCE_SHORTAGE || !pageout_retry(tries, 0))
            break;
    task_deref(parent);
    return kr;
}

kern_return_t rpc_task_terminate(task_t task)
{
    return task ? task_kill(task) : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_task_suspend(task_t task)
{
    if (task == NULL || !task->active)
        return task ? KERN_FAILURE : KERN_INVALID_ARGUMENT;
    if (task->suspend_count++ == 0)
        list_for_each(link, &task->threads)
            thread_ast(list_entry(link, struct thread, task_link));
    task_settle(task);
    return KERN_SUCCESS;
}

kern_return_t rpc_task_resume(task_t task)
{
    if (task == NULL || !task->active)
        return task ? KERN_FAILURE : KERN_INVALID_ARGUMENT;
    if (task->suspend_count == 0)
        return KERN_FAILURE;
    if (--task->suspend_count == 0)
        list_for_each_safe(link, after, &task->threads)
            thread_continue(list_entry(link, struct thread, task_link));
    return KERN_SUCCESS;
}

/* A list of ports for a reply: kalloc'ed for exactly as many as there are, since it is freed as such. */
static kern_return_t port_array_alloc(size_t count, mach_port_t **array)
{
    *array = count ? kalloc(count * sizeof **array) : NULL;
    return count && *array == NULL ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS;
}

/* Send rights for what is in the list LINKS, behind those that are in ARRAY. */
static void tasks_add(const struct list *links, mach_port_t *array, mach_msg_type_number_t *count)
{
    list_for_each(link, links)
        array[(*count)++] = (mach_port_t)port_make_send(list_entry(link, struct task, all_link)->self);
}

static void threads_add(const struct list *links, mach_port_t *array, mach_msg_type_number_t *count)
{
    list_for_each(link, links)
        array[(*count)++] = (mach_port_t)port_make_send(list_entry(link, struct thread, task_link)->self);
}

kern_return_t rpc_task_threads(task_t task, thread_array_t *list, mach_msg_type_number_t *count)
{
    if (task == NULL)
        return KERN_INVALID_ARGUMENT;
    if (!task->active)
        return KERN_FAILURE;
    kern_return_t kr = port_array_alloc(task->thread_count, list);
    *count = 0;
    if (kr == KERN_SUCCESS)
        threads_add(&task->threads, *list, count);
    return kr;
}

static void basic_info(struct task *task, struct task_basic_info *info)
{
    uint64_t created = task->created;
    *info = (struct task_basic_info){.suspend_count = (integer_t)task->suspend_count,
                                     .base_priority = task->priority,
                                     .virtual_size = task->map->size,
                                     .resident_size = task->map->pmap->resident * PAGE_SIZE};
    info->user_time = convert_time_value_to_user(time_of_micros(task->user_time));
    info->system_time = convert_time_value_to_user(time_of_micros(task->system_time));
    info->creation_time = convert_time_value_to_user(time_of_micros(host_boot_micros() + created));
    info->user_time64 = time64_of_micros(task->user_time);
    info->system_time64 = time64_of_micros(task->system_time);
    info->creation_time64 = time64_of_micros(host_boot_micros() + created);
}

static void events_info(struct task *task, struct task_events_info *info)
{
    *info = (struct task_events_info){.faults = task->faults, .zero_fills = task->zero_fills, .pageins = task->pageins,
                                      .cow_faults = task->cow_faults, .messages_sent = task->messages_sent,
                                      .messages_received = task->messages_received};
}

static void times_info(struct task *task, struct task_thread_times_info *info)
{
    uint64_t user = 0, system = 0;
    list_for_each(link, &task->threads) {
        struct thread *thread = list_entry(link, struct thread, task_link);
        user += thread->user_ticks * (1000000 / HZ);
        system += thread->system_ticks * (1000000 / HZ);
    }
    info->user_time = convert_time_value_to_user(time_of_micros(user));
    info->system_time = convert_time_value_to_user(time_of_micros(system));
    info->user_time64 = time64_of_micros(user);
    info->system_time64 = time64_of_micros(system);
}

/* Callers that do not know the times of 64 bits yet, which are the last fields, get the rest. */
#define TIME64_WORDS (sizeof(time_value64_t) / sizeof(integer_t))

kern_return_t rpc_task_info(task_t task, int flavor, task_info_t out, mach_msg_type_number_t *count)
{
    if (task == NULL)
        return KERN_INVALID_ARGUMENT;
    switch (flavor) {
    case TASK_BASIC_INFO:
        if (*count < TASK_BASIC_INFO_COUNT - 3 * TIME64_WORDS)
            return KERN_INVALID_ARGUMENT;
        basic_info(task, (struct task_basic_info *)out);
        *count = min(*count, (mach_msg_type_number_t)TASK_BASIC_INFO_COUNT);
        return KERN_SUCCESS;
    case TASK_EVENTS_INFO:
        if (*count < TASK_EVENTS_INFO_COUNT)
            return KERN_INVALID_ARGUMENT;
        events_info(task, (struct task_events_info *)out);
        *count = TASK_EVENTS_INFO_COUNT;
        return KERN_SUCCESS;
    case TASK_THREAD_TIMES_INFO:
        if (*count < TASK_THREAD_TIMES_INFO_COUNT - 2 * TIME64_WORDS)
            return KERN_INVALID_ARGUMENT;
        times_info(task, (struct task_thread_times_info *)out);
        *count = min(*count, (mach_msg_type_number_t)TASK_THREAD_TIMES_INFO_COUNT);
        return KERN_SUCCESS;
    default:
        return KERN_INVALID_ARGUMENT;
    }
}

/* ---- special ports --------------------------------------------------------------------------- */

static struct ipc_port **special_port(struct task *task, int which)
{
    switch (which) {
    case TASK_KERNEL_PORT: return &task->self_right;
    case TASK_EXCEPTION_PORT: return &task->exception;
    case TASK_BOOTSTRAP_PORT: return &task->bootstrap;
    default: return NULL;
    }
}

kern_return_t rpc_task_get_special_port(task_t task, int which, ipc_port_t *port)
{
    struct ipc_port **slot = task ? special_port(task, which) : NULL;
    if (slot == NULL)
        return KERN_INVALID_ARGUMENT;
    if (!task->active)
        return KERN_FAILURE;
    *port = port_copy_send(*slot);
    return KERN_SUCCESS;
}

kern_return_t rpc_task_set_special_port(task_t task, int which, ipc_port_t port)
{
    struct ipc_port **slot = task ? special_port(task, which) : NULL;
    if (slot == NULL)
        return KERN_INVALID_ARGUMENT;
    if (!task->active)
        return KERN_FAILURE;
    struct ipc_port *old = *slot;
    *slot = port;
    port_release_send(old);
    return KERN_SUCCESS;
}

kern_return_t rpc_mach_ports_register(task_t task, mach_port_array_t ports, mach_msg_type_number_t count)
{
    if (task == NULL || count > REGISTERED_PORTS)
        return KERN_INVALID_ARGUMENT;
    for (unsigned int i = 0; i < REGISTERED_PORTS; i++) {
        port_release_send(task->registered[i]);
        task->registered[i] = i < count ? (struct ipc_port *)ports[i] : IP_NULL;
    }
    kfree(ports, count * sizeof *ports);
    return KERN_SUCCESS;
}

kern_return_t rpc_mach_ports_lookup(task_t task, mach_port_array_t *ports, mach_msg_type_number_t *count)
{
    if (task == NULL)
        return KERN_INVALID_ARGUMENT;
    kern_return_t kr = port_array_alloc(REGISTERED_PORTS, ports);
    if (kr)
        return kr;
    for (unsigned int i = 0; i < REGISTERED_PORTS; i++)
        (*ports)[i] = (mach_port_t)port_copy_send(task->registered[i]);
    *count = REGISTERED_PORTS;
    return KERN_SUCCESS;
}

kern_return_t rpc_task_set_name(task_t task, const_kernel_debug_name_t name)
{
    if (task == NULL)
        return KERN_INVALID_ARGUMENT;
    ksnprintf(task->name, sizeof task->name, "%.31s", name);
    return KERN_SUCCESS;
}

/* No restartable sequences: every processor has atomic instructions. */
kern_return_t rpc_task_ras_control(task_t task, vm_address_t base, vm_address_t bound, int flavor)
{
    (void)task, (void)base, (void)bound, (void)flavor;
    return KERN_FAILURE;
}

kern_return_t rpc_task_set_essential(task_t task, boolean_t essential)
{
    if (task == NULL)
        return KERN_INVALID_ARGUMENT;
    task->essential = essential;
    return KERN_SUCCESS;
}

kern_return_t rpc_task_priority(task_t task, int priority, boolean_t change_threads)
{
    if (task == NULL || priority < 0 || priority >= PRIORITIES)
        return KERN_INVALID_ARGUMENT;
    kern_return_t kr = KERN_SUCCESS;
    task->priority = priority;
    if (change_threads)
        list_for_each(link, &task->threads) {
            struct thread *thread = list_entry(link, struct thread, task_link);
            if (priority < thread->max_priority)
                kr = KERN_FAILURE; /* it gets the best that it may have */
            thread->priority = max(priority, thread->max_priority);
            sched_priority_changed(thread);
        }
    return kr;
}

kern_return_t rpc_register_new_task_notification(host_t host, ipc_port_t notify)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    if (IP_VALID(host->new_task) && host->new_task->active)
        return KERN_NO_ACCESS;
    port_release_send(host->new_task);
    host->new_task = notify;
    return KERN_SUCCESS;
}

kern_return_t rpc_processor_set_tasks(processor_set_t set, task_array_t *list, mach_msg_type_number_t *count)
{
    if (set == NULL)
        return KERN_INVALID_ARGUMENT;
    kern_return_t kr = port_array_alloc(task_count, list);
    *count = 0;
    if (kr == KERN_SUCCESS)
        tasks_add(&all_tasks, *list, count);
    return kr;
}

/* Those of tasks that live: fewer than thread_count_all, when a task is just being ended. */
kern_return_t rpc_processor_set_threads(processor_set_t set, thread_array_t *list, mach_msg_type_number_t *count)
{
    size_t total = 0;
    if (set == NULL)
        return KERN_INVALID_ARGUMENT;
    list_for_each(link, &all_tasks)
        total += list_entry(link, struct task, all_link)->thread_count;
    kern_return_t kr = port_array_alloc(total, list);
    *count = 0;
    if (kr == KERN_SUCCESS)
        list_for_each(link, &all_tasks)
            threads_add(&list_entry(link, struct task, all_link)->threads, *list, count);
    return kr;
}
