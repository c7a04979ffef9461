/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host, processors, processor sets and time (mach_host.defs; Mach manual, "Host Interface", "Processor Sets"). */

#include "../arch/x86_64/machine.h"
#include "../device/device.h"
#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../vm/page.h"
#include "host.h"
#include "mach_host_S.h"
#include "task.h"

#include <mach/host_info.h>
#include <mach/machine.h>
#include <mach/policy.h>
#include <mach/processor_info.h>

struct host realhost;
struct processor processors[1];
struct processor_set default_set;

static uint64_t boot_micros;    /* wall clock at boot */
static int64_t adjust_left;     /* microseconds that host_adjust_time has still to work in */

void host_init(void)
{
    realhost.self = port_alloc_kernel(KOBJECT_HOST, &realhost);
    realhost.priv = port_alloc_kernel(KOBJECT_HOST_PRIV, &realhost);
    processors[0].self = port_alloc_kernel(KOBJECT_PROCESSOR, &processors[0]);
    default_set.self = port_alloc_kernel(KOBJECT_PSET, &default_set);
    default_set.name = port_alloc_kernel(KOBJECT_PSET_NAME, &default_set);
    if (!realhost.self || !realhost.priv || !processors[0].self || !default_set.self || !default_set.name)
        panic("no memory for the host's ports");
    boot_micros = machine_wall_clock() * 1000000;
}

/* ---- time --------------------------------------------------------------------------------- */

uint64_t host_boot_micros(void)
{
    return boot_micros;
}

static uint64_t now_micros(void)
{
    return boot_micros + machine_uptime_micros();
}

void host_tick(void)
{
    /* Adjustment runs at half a percent. */
    int64_t step = min(max(adjust_left, -(int64_t)(5000 / HZ)), (int64_t)(5000 / HZ));
    adjust_left -= step;
    boot_micros += (uint64_t)step;
    device_time_update();
}

kern_return_t rpc_host_get_time(host_t host, time_value_t *time)
{
    *time = time_of_micros(now_micros());
    return host ? KERN_SUCCESS : KERN_INVALID_HOST;
}

kern_return_t rpc_host_get_time64(host_t host, time_value64_t *time)
{
    *time = time64_of_micros(now_micros());
    return host ? KERN_SUCCESS : KERN_INVALID_HOST;
}

kern_return_t rpc_host_get_uptime64(host_t host, time_value64_t *time)
{
    *time = time64_of_micros(machine_uptime_micros());
    return host ? KERN_SUCCESS : KERN_INVALID_HOST;
}

kern_return_t rpc_host_set_time64(host_t host, time_value64_t time)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    if (time.nanoseconds < 0 || time.nanoseconds >= 1000000000 || time.seconds < 0)
        return KERN_INVALID_ARGUMENT;
    boot_micros = (uint64_t)time.seconds * 1000000 + (uint64_t)time.nanoseconds / 1000 - machine_uptime_micros();
    return KERN_SUCCESS;
}

kern_return_t rpc_host_set_time(host_t host, time_value_t time)
{
    return rpc_host_set_time64(host, (time_value64_t){time.seconds, (int64_t)time.microseconds * 1000});
}

kern_return_t rpc_host_adjust_time64(host_t host, time_value64_t adjustment, time_value64_t *old)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    *old = (time_value64_t){adjust_left / 1000000, adjust_left % 1000000 * 1000};
    adjust_left = adjustment.seconds * 1000000 + adjustment.nanoseconds / 1000;
    return KERN_SUCCESS;
}

kern_return_t rpc_host_adjust_time(host_t host, time_value_t adjustment, time_value_t *old)
{
    time_value64_t old64 = {0, 0};
    kern_return_t kr = rpc_host_adjust_time64(host, (time_value64_t){adjustment.seconds, (int64_t)adjustment.microseconds * 1000}, &old64);
    *old = (time_value_t){old64.seconds, (integer_t)(old64.nanoseconds / 1000)};
    return kr;
}

/* ---- what machine this is ------------------------------------------------------------------- */

kern_return_t rpc_host_info(host_t host, int flavor, host_info_t out, mach_msg_type_number_t *count)
{
    if (host == NULL)
        return KERN_INVALID_ARGUMENT;
    switch (flavor) {
    case HOST_BASIC_INFO:
        if (*count < HOST_BASIC_INFO_COUNT)
            return KERN_FAILURE;
        *(struct host_basic_info *)out = (struct host_basic_info){
            .max_cpus = 1, .avail_cpus = 1, .memory_size = page_counts.total * PAGE_SIZE, .cpu_type = CPU_TYPE_X86_64,
            .cpu_subtype = CPU_SUBTYPE_AT386};
        *count = HOST_BASIC_INFO_COUNT;
        return KERN_SUCCESS;
    case HOST_PROCESSOR_SLOTS:
        if (*count < 1)
            return KERN_INVALID_ARGUMENT;
        out[0] = 0;
        *count = 1;
        return KERN_SUCCESS;
    case HOST_SCHED_INFO:
        if (*count < HOST_SCHED_INFO_COUNT)
            return KERN_FAILURE;
        *(struct host_sched_info *)out = (struct host_sched_info){.min_timeout = 1000 / HZ, .min_quantum = QUANTUM_TICKS * 1000 / HZ};
        *count = HOST_SCHED_INFO_COUNT;
        return KERN_SUCCESS;
    case HOST_LOAD_INFO:
        if (*count < HOST_LOAD_INFO_COUNT)
            return KERN_FAILURE;
        memset(out, 0, sizeof(struct host_load_info));
        *count = HOST_LOAD_INFO_COUNT;
        return KERN_SUCCESS;
    default:
        return KERN_INVALID_ARGUMENT;
    }
}

kern_return_t rpc_host_get_kernel_version(host_t host, kernel_version_t version)
{
    /* Programs look for the name at the beginning. */
    ksnprintf(version, 512, "%s", machine_version);
    return host ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_host_reboot(host_t host, int options)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    machine_halt(options);
}

/* ---- processors ------------------------------------------------------------------------------------- */

static kern_return_t one_port(struct ipc_port *port, mach_port_t **list, mach_msg_type_number_t *count)
{
    *list = kalloc(sizeof **list);
    if (*list == NULL)
        return KERN_RESOURCE_SHORTAGE;
    **list = (mach_port_t)port_make_send(port);
    *count = 1;
    return KERN_SUCCESS;
}

kern_return_t rpc_host_processors(host_t host, processor_array_t *list, mach_msg_type_number_t *count)
{
    return host ? one_port(processors[0].self, list, count) : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_host_processor_sets(host_t host, processor_set_name_array_t *list, mach_msg_type_number_t *count)
{
    return host ? one_port(default_set.name, list, count) : KERN_INVALID_ARGUMENT;
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

kern_return_t rpc_processor_get_assignment(processor_t processor, processor_set_t *set)
{
    *set = &default_set;
    return processor ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_processor_info(processor_t processor, int flavor, host_t *host, processor_info_t out, mach_msg_type_number_t *count)
{
    if (processor == NULL || flavor != PROCESSOR_BASIC_INFO)
        return KERN_INVALID_ARGUMENT;
    if (*count < PROCESSOR_BASIC_INFO_COUNT)
        return KERN_FAILURE;
    *(struct processor_basic_info *)out = (struct processor_basic_info){.cpu_type = CPU_TYPE_X86_64, .cpu_subtype = CPU_SUBTYPE_AT386,
                                                                        .running = 1, .is_master = 1};
    *count = PROCESSOR_BASIC_INFO_COUNT;
    *host = &realhost;
    return KERN_SUCCESS;
}

kern_return_t rpc_processor_set_info(processor_set_t set, int flavor, host_t *host, processor_set_info_t out, mach_msg_type_number_t *count)
{
    if (set == NULL)
        return KERN_INVALID_ARGUMENT;
    *host = &realhost;
    switch (flavor) {
    case PROCESSOR_SET_BASIC_INFO:
        if (*count < PROCESSOR_SET_BASIC_INFO_COUNT)
            return KERN_FAILURE;
        *(struct processor_set_basic_info *)out = (struct processor_set_basic_info){
            .processor_count = 1, .task_count = (integer_t)task_count, .thread_count = (integer_t)thread_count_all};
        *count = PROCESSOR_SET_BASIC_INFO_COUNT;
        return KERN_SUCCESS;
    case PROCESSOR_SET_SCHED_INFO:
        if (*count < PROCESSOR_SET_SCHED_INFO_COUNT)
            return KERN_FAILURE;
        *(struct processor_set_sched_info *)out =
            (struct processor_set_sched_info){.policies = POLICY_TIMESHARE, .max_priority = set->max_priority};
        *count = PROCESSOR_SET_SCHED_INFO_COUNT;
        return KERN_SUCCESS;
    default:
        return KERN_INVALID_ARGUMENT;
    }
}

kern_return_t rpc_processor_set_max_priority(processor_set_t set, int priority, boolean_t change_threads)
{
    (void)change_threads;
    if (set == NULL || priority < 0 || priority >= PRIORITIES)
        return KERN_INVALID_ARGUMENT;
    set->max_priority = priority;
    return KERN_SUCCESS;
}
