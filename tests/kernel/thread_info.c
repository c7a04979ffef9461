/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What thread_info tells.  */

#include "objects.h"

#include <mach/policy.h>

static void counts_try(int flavor, unsigned int exact)
{
    unsigned int counts[] = {0, 1, exact - 1, exact, exact + 1, 1024};
    mach_port_t self = mach_thread_self();
    for (unsigned int i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        thread_info_data_t data;
        mach_msg_type_number_t count = counts[i];
        OBSERVE(count);
        OBSERVE(thread_info(self, flavor, data, &count));
        OBSERVE(count);
    }
    mach_port_deallocate(mach_task_self(), self);
}

CASE(counts_basic) { counts_try(THREAD_BASIC_INFO, THREAD_BASIC_INFO_COUNT); }
CASE_DIFFERS(counts_sched) { counts_try(THREAD_SCHED_INFO, THREAD_SCHED_INFO_COUNT); }

CASE(flavors_unknown)
{
    static const int flavors[] = {-1, 0, 3, 4, 100, 0x7fffffff};
    thread_info_data_t data;
    mach_port_t self = mach_thread_self(), host = (mach_host_self)(), dead;
    for (unsigned int i = 0; i < sizeof flavors / sizeof flavors[0]; i++) {
        mach_msg_type_number_t count = 1024;
        EXPECT(thread_info(self, flavors[i], data, &count), KERN_INVALID_ARGUMENT);
    }
    mach_msg_type_number_t count = 1024;
    EXPECT(thread_info(host, THREAD_BASIC_INFO, data, &count), KERN_INVALID_ARGUMENT);
    EXPECT(thread_info(mach_task_self(), THREAD_BASIC_INFO, data, &count), KERN_INVALID_ARGUMENT);
    REQUIRE(thread_create(mach_task_self(), &dead), KERN_SUCCESS);
    thread_terminate(dead);
    EXPECT(thread_info(dead, THREAD_BASIC_INFO, data, &count), MACH_SEND_INVALID_DEST);
    mach_port_deallocate(mach_task_self(), self);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), dead);
}

static void wait_long(void *port)
{
    receive_within(*(mach_port_t *)port, 1000000);
}

CASE(run_states)
{
    static volatile long counter;
    mach_port_t port = port_create(), self = mach_thread_self();
    struct helper helper = {0};
    struct bare bare;
    EXPECT(thread_basic(self).run_state, TH_STATE_RUNNING);
    EXPECT(thread_basic(self).suspend_count, 0);
    helper_start(&helper, wait_long, &port);
    EXPECT(thread_waits(helper.thread), true);
    helper_kill(&helper);
    counter = 0;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    thread_resume(bare.thread);
    WAIT_FOR(counter > 0);
    EXPECT(thread_basic(bare.thread).run_state, TH_STATE_RUNNING);
    bare_end(&bare);
    port_destroy(port);
    mach_port_deallocate(mach_task_self(), self);
}

CASE(times_grow)
{
    static volatile long counter;
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    struct thread_basic_info info = thread_basic(bare.thread);
    EXPECT(info.user_time64.seconds + info.user_time64.nanoseconds, 0);
    thread_resume(bare.thread);
    WAIT_FOR(time_microseconds(thread_basic(bare.thread).user_time64) > 200000);
    WAIT_FOR(thread_basic(bare.thread).cpu_usage > 0);
    info = thread_basic(bare.thread);
    EXPECT(info.user_time.seconds == info.user_time64.seconds, true);
    EXPECT(info.user_time.microseconds == info.user_time64.nanoseconds / 1000, true);
    bare_end(&bare);
}

CASE(creation_time)
{
    time_value64_t before, after, made;
    mach_port_t host = (mach_host_self)(), thread;
    EXPECT(host_get_time64(host, &before), KERN_SUCCESS);
    REQUIRE(thread_create(mach_task_self(), &thread), KERN_SUCCESS);
    EXPECT(host_get_time64(host, &after), KERN_SUCCESS);
    made = thread_basic(thread).creation_time64;
    EXPECT(time_is_between(made, before, after), true);
    thread_terminate(thread);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), host);
}

CASE(schedule_of_a_new_thread)
{
    mach_port_t task = task_empty(), thread;
    REQUIRE(thread_create(task, &thread), KERN_SUCCESS);
    struct thread_sched_info info = thread_sched(thread);
    OBSERVE(info.policy);
    OBSERVE(info.data);
    OBSERVE(info.base_priority);
    OBSERVE(info.max_priority);
    OBSERVE(info.depressed);
    OBSERVE(info.depress_priority);
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
}
