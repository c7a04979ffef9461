/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What task_info tells.  */

#include "objects.h"

static void counts_try(int flavor, unsigned int exact)
{
    unsigned int counts[] = {0, 1, exact - 1, exact, exact + 1, 1024};
    for (unsigned int i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        task_info_data_t data;
        mach_msg_type_number_t count = counts[i];
        OBSERVE(count);
        OBSERVE(task_info(mach_task_self(), flavor, data, &count));
        OBSERVE(count);
    }
}

CASE(counts_basic) { counts_try(TASK_BASIC_INFO, TASK_BASIC_INFO_COUNT); }
CASE(counts_events) { counts_try(TASK_EVENTS_INFO, TASK_EVENTS_INFO_COUNT); }
CASE(counts_thread_times) { counts_try(TASK_THREAD_TIMES_INFO, TASK_THREAD_TIMES_INFO_COUNT); }

CASE(flavors_unknown)
{
    static const int flavors[] = {-1, 0, 4, 5, 100, 0x7fffffff};
    task_info_data_t data;
    mach_port_t host = (mach_host_self)(), dead = task_dead();
    for (unsigned int i = 0; i < sizeof flavors / sizeof flavors[0]; i++) {
        mach_msg_type_number_t count = 1024;
        EXPECT(task_info(mach_task_self(), flavors[i], data, &count), KERN_INVALID_ARGUMENT);
    }
    mach_msg_type_number_t count = 1024;
    EXPECT(task_info(host, TASK_BASIC_INFO, data, &count), KERN_INVALID_ARGUMENT);
    EXPECT(task_info(dead, TASK_BASIC_INFO, data, &count), MACH_SEND_INVALID_DEST);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), dead);
}

CASE(sizes_follow_memory)
{
    mach_port_t task = task_empty();
    vm_address_t address = 0;
    char page[4096] __attribute__((aligned(4096)));
    memset(page, 1, sizeof page);
    EXPECT(vm_allocate(task, &address, 16 * 4096, TRUE), KERN_SUCCESS);
    EXPECT(task_basic(task).virtual_size, 16 * 4096);
    EXPECT(task_basic(task).resident_size, 0);
    EXPECT(vm_deallocate(task, address, 4 * 4096), KERN_SUCCESS);
    EXPECT(task_basic(task).virtual_size, 12 * 4096);
    EXPECT(vm_write(task, address + 4 * 4096, (vm_offset_t)page, 4096), KERN_SUCCESS);
    EXPECT(task_basic(task).virtual_size, 12 * 4096);
    EXPECT(vm_deallocate(task, address, 16 * 4096), KERN_SUCCESS);
    EXPECT(task_basic(task).virtual_size, 0);
    EXPECT(task_basic(task).resident_size, 0);
    task_end(task);
}

CASE(resident_grows_by_touch)
{
    vm_address_t address = 0;
    REQUIRE(vm_allocate(mach_task_self(), &address, 64 * 4096, TRUE), KERN_SUCCESS);
    long before = (long)task_basic(mach_task_self()).resident_size;
    for (int i = 0; i < 64; i++)
        ((volatile char *)address)[4096 * i] = 1;
    long after = (long)task_basic(mach_task_self()).resident_size;
    EXPECT(after - before >= 64 * 4096, true);
    vm_deallocate(mach_task_self(), address, 64 * 4096);
}

CASE(creation_time)
{
    time_value64_t before, after, made;
    mach_port_t host = (mach_host_self)();
    EXPECT(host_get_time64(host, &before), KERN_SUCCESS);
    mach_port_t task = task_empty();
    EXPECT(host_get_time64(host, &after), KERN_SUCCESS);
    struct task_basic_info info = task_basic(task);
    made = info.creation_time64;
    EXPECT(time_is_between(made, before, after), true);
    EXPECT(info.creation_time.seconds == made.seconds, true);
    EXPECT(info.user_time64.seconds + info.user_time64.nanoseconds, 0);
    EXPECT(info.system_time64.seconds + info.system_time64.nanoseconds, 0);
    task_end(task);
    mach_port_deallocate(mach_task_self(), host);
}

static struct task_events_info events(void)
{
    struct task_events_info info = {0};
    mach_msg_type_number_t count = TASK_EVENTS_INFO_COUNT;
    CHECK(task_info(mach_task_self(), TASK_EVENTS_INFO, (task_info_t)&info, &count) == KERN_SUCCESS);
    return info;
}

CASE(events_count)
{
    vm_address_t address = 0;
    REQUIRE(vm_allocate(mach_task_self(), &address, 32 * 4096, TRUE), KERN_SUCCESS);
    struct task_events_info before = events();
    for (int i = 0; i < 32; i++)
        ((volatile char *)address)[4096 * i] = 1;
    mach_port_t port = port_create_with_send();
    for (int i = 0; i < 3; i++)
        EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    for (int i = 0; i < 3; i++)
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    struct task_events_info after = events();
    EXPECT(after.faults - before.faults >= 32, true);
    EXPECT(after.zero_fills - before.zero_fills >= 32, true);
    OBSERVE(after.messages_sent - before.messages_sent >= 3);
    OBSERVE(after.messages_received - before.messages_received >= 3);
    port_destroy(port);
    vm_deallocate(mach_task_self(), address, 32 * 4096);
}

static long times_of(mach_port_t task)
{
    struct task_thread_times_info info = {0};
    mach_msg_type_number_t count = TASK_THREAD_TIMES_INFO_COUNT;
    CHECK(task_info(task, TASK_THREAD_TIMES_INFO, (task_info_t)&info, &count) == KERN_SUCCESS);
    return time_microseconds(info.user_time64);
}

CASE(times_grow_and_move)
{
    mach_port_t task;
    struct bare bare;
    vm_address_t page = 0;
    REQUIRE(vm_allocate(mach_task_self(), &page, 4096, TRUE), KERN_SUCCESS);
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    bare_create(&bare, task, stub_count, page);
    EXPECT(times_of(task), 0);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(times_of(task) > 100000);
    EXPECT(task_basic(task).user_time64.seconds + task_basic(task).user_time64.nanoseconds, 0);
    thread_terminate(bare.thread);
    WAIT_FOR(times_of(task) == 0);
    EXPECT(time_microseconds(task_basic(task).user_time64) >= 100000, true);
    mach_port_deallocate(mach_task_self(), bare.thread);
    task_end(task);
    vm_deallocate(mach_task_self(), page, 4096);
}
