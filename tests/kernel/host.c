/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host: what it tells, its time, its privileges (mach_host.defs; Mach manual, "Host Interface").  */

#include "objects.h"

#include <device/device.h>
#include <mach/host_info.h>
#include <mach/notify.h>
#include <mach/time_value.h>

static mach_port_t host_name(void)
{
    return (mach_host_self)();
}

static void host_drop(mach_port_t host)
{
    mach_port_deallocate(mach_task_self(), host);
}

static void counts_try(int flavor, unsigned int exact)
{
    unsigned int counts[] = {0, 1, exact - 1, exact, exact + 1, 1024};
    mach_port_t host = host_name();
    for (unsigned int i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        host_info_data_t data;
        mach_msg_type_number_t count = counts[i];
        OBSERVE(count);
        OBSERVE(host_info(host, flavor, data, &count));
        OBSERVE(count);
    }
    host_drop(host);
}

CASE(counts_basic) { counts_try(HOST_BASIC_INFO, HOST_BASIC_INFO_COUNT); }

CASE(processor_slots)
{
    struct host_basic_info info = {0};
    host_info_data_t slots;
    mach_msg_type_number_t count = HOST_BASIC_INFO_COUNT;
    mach_port_t host = host_name();
    EXPECT(host_info(host, HOST_BASIC_INFO, (host_info_t)&info, &count), KERN_SUCCESS);
    count = 1024;
    EXPECT(host_info(host, HOST_PROCESSOR_SLOTS, slots, &count), KERN_SUCCESS);
    EXPECT(count == (mach_msg_type_number_t)info.avail_cpus, true);
    count = 0;
    EXPECT(host_info(host, HOST_PROCESSOR_SLOTS, slots, &count), KERN_INVALID_ARGUMENT);
    host_drop(host);
}

CASE(counts_sched) { counts_try(HOST_SCHED_INFO, HOST_SCHED_INFO_COUNT); }
CASE(counts_load) { counts_try(HOST_LOAD_INFO, HOST_LOAD_INFO_COUNT); }

CASE(flavors_unknown)
{
    static const int flavors[] = {-1, 0, 5, 100};
    host_info_data_t data;
    mach_port_t host = host_name();
    for (unsigned int i = 0; i < sizeof flavors / sizeof flavors[0]; i++) {
        mach_msg_type_number_t count = 1024;
        EXPECT(host_info(host, flavors[i], data, &count), KERN_INVALID_ARGUMENT);
    }
    mach_msg_type_number_t count = 1024;
    EXPECT(host_info(mach_task_self(), HOST_BASIC_INFO, data, &count), KERN_INVALID_ARGUMENT);
    EXPECT(host_info(host_priv, HOST_BASIC_INFO, data, &count), KERN_SUCCESS);
    host_drop(host);
}

CASE(basic)
{
    struct host_basic_info info = {0};
    mach_msg_type_number_t count = HOST_BASIC_INFO_COUNT;
    mach_port_t host = host_name();
    EXPECT(host_info(host, HOST_BASIC_INFO, (host_info_t)&info, &count), KERN_SUCCESS);
    EXPECT(info.avail_cpus >= 1, true);
    EXPECT(info.max_cpus >= info.avail_cpus, true);
    EXPECT(info.memory_size >> 20 >= 200 && info.memory_size >> 20 <= 256, true);
    OBSERVE(info.cpu_type);
    OBSERVE(info.cpu_subtype);
    host_drop(host);
}

CASE(sched)
{
    struct host_sched_info info = {0};
    mach_msg_type_number_t count = HOST_SCHED_INFO_COUNT;
    mach_port_t host = host_name();
    EXPECT(host_info(host, HOST_SCHED_INFO, (host_info_t)&info, &count), KERN_SUCCESS);
    OBSERVE(info.min_timeout);
    EXPECT(info.min_quantum > 0 && info.min_quantum % info.min_timeout == 0, true);
    host_drop(host);
}

CASE(version)
{
    kernel_version_t version = "";
    mach_port_t host = host_name();
    EXPECT(host_get_kernel_version(host, version), KERN_SUCCESS);
    EXPECT(strnlen(version, sizeof version) > 0 && strnlen(version, sizeof version) < sizeof version, true);
    EXPECT(strstr(version, "GNU-Mach 1.8") || strstr(version, "GNU Mach 1.8"), true);
    OBSERVE(host_get_kernel_version(mach_task_self(), version));
    host_drop(host);
}

/* ---- time ------------------------------------------------------------------------------------- */

CASE(time_goes_on)
{
    time_value_t time = {0, 0};
    time_value64_t before, after, up;
    mach_port_t host = host_name();
    EXPECT(host_get_time64(host, &before), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(host_get_time64(host, &after), KERN_SUCCESS);
    EXPECT(after.seconds > before.seconds ||
               (after.seconds == before.seconds && after.nanoseconds > before.nanoseconds),
           true);
    EXPECT(host_get_time(host, &time), KERN_SUCCESS);
    EXPECT(time.seconds >= after.seconds && time.seconds <= after.seconds + 60, true);
    EXPECT(time.microseconds >= 0 && time.microseconds < 1000000, true);
    EXPECT(host_get_uptime64(host, &up), KERN_SUCCESS);
    EXPECT(up.seconds >= 0 && up.seconds < 100000 && up.nanoseconds >= 0 && up.nanoseconds < 1000000000, true);
    EXPECT(after.seconds > 1500000000, true);
    EXPECT(host_get_time(mach_task_self(), &time), KERN_INVALID_HOST);
    EXPECT(host_get_time64(mach_task_self(), &up), KERN_INVALID_HOST);
    OBSERVE(host_get_uptime64(mach_task_self(), &up));
    EXPECT(host_get_time(host_priv, &time), KERN_SUCCESS);
    host_drop(host);
}

CASE(time_never_goes_back)
{
    time_value64_t last = {0, 0}, now;
    mach_port_t host = host_name();
    unsigned int back = 0;
    for (int i = 0; i < 5000; i++) {
        host_get_uptime64(host, &now);
        back += now.seconds < last.seconds || (now.seconds == last.seconds && now.nanoseconds < last.nanoseconds);
        last = now;
    }
    EXPECT(back, 0);
    host_drop(host);
}

CASE(time_set)
{
    time_value64_t old, set = {2000000000, 500000000}, now;
    time_value_t now32;
    mach_port_t host = host_name();
    EXPECT(host_get_time64(host, &old), KERN_SUCCESS);
    EXPECT(host_set_time64(host_priv, set), KERN_SUCCESS);
    EXPECT(host_get_time64(host, &now), KERN_SUCCESS);
    EXPECT(now.seconds >= 2000000000 && now.seconds < 2000000100, true);
    EXPECT(host_set_time(host_priv, (time_value_t){1700000000, 0}), KERN_SUCCESS);
    EXPECT(host_get_time(host, &now32), KERN_SUCCESS);
    EXPECT(now32.seconds >= 1700000000 && now32.seconds < 1700000100, true);
    EXPECT(host_set_time64(host_priv, old), KERN_SUCCESS);
    host_drop(host);
}

CASE(time_not_set_by_others)
{
    mach_port_t host = host_name();
    time_value64_t out;
    time_value_t out32;
    EXPECT(host_set_time(host, (time_value_t){1, 1}), KERN_INVALID_HOST);
    EXPECT(host_adjust_time(host, (time_value_t){1, 1}, &out32), KERN_INVALID_HOST);
    EXPECT(host_adjust_time64(host, (time_value64_t){1, 1}, &out), KERN_INVALID_HOST);
    EXPECT(host_set_time(mach_task_self(), (time_value_t){1, 1}), KERN_INVALID_HOST);
    host_drop(host);
}

CASE_OURS(time_set_to_nonsense)
{
    EXPECT(host_set_time64(host_priv, (time_value64_t){1, -1}), KERN_INVALID_ARGUMENT);
    EXPECT(host_set_time64(host_priv, (time_value64_t){1, 1000000000}), KERN_INVALID_ARGUMENT);
    EXPECT(host_set_time64(host_priv, (time_value64_t){-1, 0}), KERN_INVALID_ARGUMENT);
    EXPECT(host_set_time64(host_priv, (time_value64_t){INT64_MAX, 0}), KERN_INVALID_ARGUMENT);
    EXPECT(host_set_time(host_priv, (time_value_t){1, 1000000}), KERN_INVALID_ARGUMENT);
}

CASE(time_adjusted)
{
    time_value64_t before;
    EXPECT(host_adjust_time64(host_priv, (time_value64_t){0, 0}, &before), KERN_SUCCESS);
    EXPECT(host_adjust_time64(host_priv, (time_value64_t){100, 0}, &before), KERN_SUCCESS);
    EXPECT(before.seconds, 0);
    EXPECT(host_adjust_time64(host_priv, (time_value64_t){-100, 0}, &before), KERN_SUCCESS);
    EXPECT(before.seconds == 99 || before.seconds == 100, true);
    EXPECT(host_adjust_time64(host_priv, (time_value64_t){0, 0}, &before), KERN_SUCCESS);
    OBSERVE(before.seconds == -100 || before.seconds == -99);
    EXPECT(host_adjust_time64(host_priv, (time_value64_t){0, 0}, &before), KERN_SUCCESS);
    EXPECT(before.seconds, 0);
    EXPECT(before.nanoseconds, 0);
}

/* ---- privileges --------------------------------------------------------------------------------- */

CASE(reboot_not_by_others)
{
    mach_port_t host = host_name();
    EXPECT(host_reboot(host, 0), KERN_INVALID_HOST);
    EXPECT(host_reboot(mach_task_self(), 0), KERN_INVALID_HOST);
    host_drop(host);
}

CASE(privileged_routines_refuse)
{
    mach_port_t host = host_name(), port = port_create_with_send(), *list, set = MACH_PORT_NULL,
                manager = MACH_PORT_NULL;
    mach_msg_type_number_t count;
    vm_address_t address = 0;
    rpc_phys_addr_t physical, *pages = NULL;
    mach_port_t self = mach_thread_self();
    OBSERVE(host_processors(host, &list, &count));
    OBSERVE(host_processor_set_priv(host, host, &set));
    OBSERVE(vm_set_default_memory_manager(host, &manager));
    OBSERVE(vm_allocate_contiguous(host, mach_task_self(), &address, &physical, 4096, 0, 0, 0));
    OBSERVE(vm_pages_phys(host, mach_task_self(), address, 4096, &pages, &count));
    OBSERVE(register_new_task_notification(host, port, MACH_MSG_TYPE_COPY_SEND));
    EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), 1);
    mach_port_deallocate(mach_task_self(), self);
    port_destroy(port);
    host_drop(host);
}

/* ---- new tasks ------------------------------------------------------------------------------------ */

struct new_task_message {
    mach_msg_header_t header;
    mach_msg_type_t task_type;
    uint64_t task;
    mach_msg_type_t parent_type;
    uint64_t parent;
};

CASE_DIFFERS(new_tasks_notified)
{
    mach_port_t port = port_create_with_send(), other = port_create_with_send(), task, child;
    EXPECT(register_new_task_notification(host_priv, port, MACH_MSG_TYPE_COPY_SEND), KERN_SUCCESS);
    EXPECT(register_new_task_notification(host_priv, other, MACH_MSG_TYPE_COPY_SEND), KERN_NO_ACCESS);
    EXPECT(port_refs(other, MACH_PORT_RIGHT_SEND), 1);
    REQUIRE(task_create(mach_task_self(), FALSE, &task), KERN_SUCCESS);
    REQUIRE(task_create(task, FALSE, &child), KERN_SUCCESS);
    mach_port_t tasks[2] = {task, child}, parents[2] = {mach_task_self(), task};
    for (int i = 0; i < 2; i++) {
        EXPECT(receive_within(port, 10000), MACH_MSG_SUCCESS);
        struct new_task_message *message = (struct new_task_message *)received();
        EXPECT(message->header.msgh_id, 4400);
        EXPECT(message->header.msgh_size, sizeof *message);
        EXPECT(message->header.msgh_remote_port, MACH_PORT_NULL);
        OBSERVE(message->task_type.msgt_name);
        EXPECT(message->task == tasks[i], true);
        EXPECT(message->parent == parents[i], true);
        mach_port_deallocate(mach_task_self(), (mach_port_t)message->task);
        mach_port_deallocate(mach_task_self(), (mach_port_t)message->parent);
    }
    /* The notification's port dies: another one may register. */
    port_destroy(port);
    mach_port_t again;
    REQUIRE(task_create(mach_task_self(), FALSE, &again), KERN_SUCCESS);
    OBSERVE(register_new_task_notification(host_priv, other, MACH_MSG_TYPE_COPY_SEND));
    port_destroy(other);
    task_end(again);
    task_end(child);
    task_end(task);
}
