/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host and time (mach_host.defs; Mach manual, "Host Interface"). */

#include "../arch/x86_64/machine.h"
#include "../device/device.h"
#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../trace/debugger.h"
#include "../vm/page.h"
#include "host.h"
#include "mach_host_S.h"
#include "task.h"

#include <mach/host_info.h>
#include <mach/machine.h>

#define RB_DEBUGGER 0x1000 /* of host_reboot's options */

struct host realhost;

static uint64_t boot_micros;    /* wall clock at boot */
static int64_t adjust_left;     /* microseconds that host_adjust_time has still to work in */

void host_init(void)
{
    realhost.self = port_alloc_kernel(KOBJECT_HOST, &realhost);
    realhost.priv = port_alloc_kernel(KOBJECT_HOST_PRIV, &realhost);
    if (!realhost.self || !realhost.priv)
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
    load_tick();
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

#define SECONDS_MAX (INT64_MAX / 1000000 - 1) /* what fits in microseconds */

kern_return_t rpc_host_set_time64(host_t host, time_value64_t time)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    if (time.nanoseconds < 0 || time.nanoseconds >= 1000000000 || time.seconds < 0 || time.seconds > SECONDS_MAX)
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
    kern_return_t kr = rpc_host_adjust_time64(host,
                                              (time_value64_t){adjustment.seconds,
                                                               (int64_t)adjustment.microseconds * 1000},
                                              &old64);
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
        *(struct host_basic_info *)out = (struct host_basic_info){.max_cpus = (integer_t)cpu_count,
                                                                  .avail_cpus = (integer_t)cpu_count,
                                                                  .memory_size = page_counts.total * PAGE_SIZE,
                                                                  .cpu_type = CPU_TYPE_X86_64,
                                                                  .cpu_subtype = CPU_SUBTYPE_AT386};
        *count = HOST_BASIC_INFO_COUNT;
        return KERN_SUCCESS;
    case HOST_PROCESSOR_SLOTS:
        if (*count < cpu_count)
            return KERN_INVALID_ARGUMENT;
        for (uint32_t i = 0; i < cpu_count; i++)
            out[i] = (integer_t)i;
        *count = cpu_count;
        return KERN_SUCCESS;
    case HOST_SCHED_INFO:
        if (*count < HOST_SCHED_INFO_COUNT)
            return KERN_FAILURE;
        *(struct host_sched_info *)out = (struct host_sched_info){.min_timeout = 1000 / HZ,
                                                                  .min_quantum = QUANTUM_TICKS * 1000 / HZ};
        *count = HOST_SCHED_INFO_COUNT;
        return KERN_SUCCESS;
    case HOST_LOAD_INFO:
        if (*count < HOST_LOAD_INFO_COUNT)
            return KERN_FAILURE;
        load_get((struct host_load_info *)out);
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
    if (!(options & RB_DEBUGGER))
        machine_halt(options);
    if (debugger_enabled)
        debugger_enter("host_reboot");
    else
        kprintf("host_reboot: the debugger is not there without the word \"kdb\" on the kernel's command line\n");
    return KERN_SUCCESS;
}
