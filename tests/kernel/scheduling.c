/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Priorities, policies and giving up the processor (mach_host.defs, mach/syscall_sw.h; Mach manual, "Scheduling").  */

#include "objects.h"

#include <mach/mach_traps.h>
#include <mach/policy.h>
#include <mach/processor_info.h>

#define trap_swtch_pri(PRIORITY) TRAP_1(-59, PRIORITY)
#define trap_swtch() TRAP_1(-60, 0)
#define trap_thread_switch(THREAD, OPTION, MS) TRAP_3(-61, THREAD, OPTION, MS)
#define trap_depress_abort(THREAD) TRAP_1(-76, THREAD)

static mach_port_t set_control(void)
{
    mach_port_t host = (mach_host_self)(), name, set = MACH_PORT_NULL;
    CHECK(processor_set_default(host, &name) == KERN_SUCCESS);
    CHECK(host_processor_set_priv(host_priv, name, &set) == KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), name);
    mach_port_deallocate(mach_task_self(), host);
    return set;
}

static void sched_observe(mach_port_t thread)
{
    struct thread_sched_info info = thread_sched(thread);
    OBSERVE(info.policy);
    OBSERVE(info.base_priority);
    OBSERVE(info.max_priority);
    OBSERVE(info.depressed);
}

CASE(thread_priority_bounds)
{
    mach_port_t task = task_empty(), thread;
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    sched_observe(thread);
    for (int i = 0; i < 8; i++) {
        static const int priorities[] = {-1, 64, 63, 0, 24, 25, 26, 100000};
        OBSERVE(priorities[i]);
        OBSERVE(thread_priority(thread, priorities[i], FALSE));
        sched_observe(thread);
    }
    OBSERVE(thread_priority(task, 30, FALSE));
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(thread_priority_sets_max)
{
    mach_port_t task = task_empty(), thread;
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    EXPECT(thread_priority(thread, 40, TRUE), KERN_SUCCESS);
    sched_observe(thread);
    OBSERVE(thread_priority(thread, 30, FALSE));
    OBSERVE(thread_priority(thread, 39, TRUE));
    OBSERVE(thread_priority(thread, 40, FALSE));
    OBSERVE(thread_priority(thread, 50, FALSE));
    sched_observe(thread);
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(thread_max_priority)
{
    mach_port_t task = task_empty(), thread, set = set_control();
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    OBSERVE(thread_max_priority(thread, set, 45));
    sched_observe(thread);
    OBSERVE(thread_max_priority(thread, set, 10));
    sched_observe(thread);
    OBSERVE(thread_max_priority(thread, set, -1));
    OBSERVE(thread_max_priority(thread, set, 64));
    OBSERVE(thread_max_priority(thread, task, 20));
    OBSERVE(thread_max_priority(thread, MACH_PORT_NULL, 20));
    OBSERVE(thread_max_priority(task, set, 20));
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), set);
}

CASE(task_priority)
{
    mach_port_t task = task_empty(), thread, later;
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    OBSERVE(task_priority(task, -1, FALSE));
    OBSERVE(task_priority(task, 64, FALSE));
    OBSERVE(task_priority(thread, 30, FALSE));
    EXPECT(task_priority(task, 30, FALSE), KERN_SUCCESS);
    sched_observe(thread);
    EXPECT(thread_create(task, &later), KERN_SUCCESS);
    sched_observe(later);
    EXPECT(task_priority(task, 40, TRUE), KERN_SUCCESS);
    sched_observe(thread);
    sched_observe(later);
    EXPECT(thread_priority(later, 45, TRUE), KERN_SUCCESS);
    OBSERVE(task_priority(task, 35, TRUE));
    sched_observe(thread);
    sched_observe(later);
    OBSERVE(task_basic(task).base_priority);
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), later);
}

/* A task may have any priority; its new threads get the best one that threads may have. */
CASE(new_threads_of_a_task_with_a_better_priority)
{
    mach_port_t task = task_empty(), thread;
    for (int priority = 0; priority < 30; priority += 5) {
        OBSERVE(task_priority(task, priority, FALSE));
        EXPECT(thread_create(task, &thread), KERN_SUCCESS);
        sched_observe(thread);
        mach_port_deallocate(mach_task_self(), thread);
    }
    task_end(task);
}

CASE(policies)
{
    mach_port_t task = task_empty(), thread;
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    for (int policy = -1; policy <= 4; policy++) {
        OBSERVE(policy);
        OBSERVE(thread_policy(thread, policy, 0));
        sched_observe(thread);
    }
    OBSERVE(thread_policy(task, POLICY_TIMESHARE, 0));
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(fixed_priorities)
{
    mach_port_t task = task_empty(), thread, set = set_control();
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    OBSERVE(processor_set_policy_enable(set, POLICY_FIXEDPRI));
    OBSERVE(thread_policy(thread, POLICY_FIXEDPRI, 50));
    struct thread_sched_info info = thread_sched(thread);
    OBSERVE(info.policy);
    OBSERVE(info.data);
    OBSERVE(thread_policy(thread, POLICY_FIXEDPRI, 5));
    OBSERVE(thread_sched(thread).data);
    OBSERVE(processor_set_policy_disable(set, POLICY_FIXEDPRI, TRUE));
    OBSERVE(thread_sched(thread).policy);
    OBSERVE(thread_policy(thread, POLICY_FIXEDPRI, 50));
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), set);
}

/* ---- giving up the processor ------------------------------------------------------------------------ */

CASE(switch_options)
{
    mach_port_t self = mach_thread_self(), port = port_create_with_send(), dead;
    EXPECT(thread_create(mach_task_self(), &dead), KERN_SUCCESS);
    thread_terminate(dead);
    for (int option = -1; option <= 4; option++) {
        OBSERVE(option);
        OBSERVE(trap_thread_switch(MACH_PORT_NULL, option, 10));
        OBSERVE(trap_thread_switch(self, option, 10));
        OBSERVE(trap_thread_switch(0x7654321, option, 10));
        OBSERVE(trap_thread_switch(port, option, 10));
        OBSERVE(trap_thread_switch(mach_task_self(), option, 10));
        OBSERVE(trap_thread_switch(dead, option, 10));
    }
    EXPECT(thread_sched(self).depressed, 0);
    mach_port_deallocate(mach_task_self(), self);
    mach_port_deallocate(mach_task_self(), dead);
    port_destroy(port);
}

/* swtch tells whether another thread wants the processor.  The kernel's own threads, and what the last case left to be
   ended, may want it at any moment, but not always: between the questions this thread waits, so that all others come to
   their end. */
CASE(switch_alone)
{
    WAIT_FOR(trap_swtch() == 0);
    WAIT_FOR(trap_swtch_pri(0) == 0);
    WAIT_FOR(trap_swtch_pri(63) == 0);
    WAIT_FOR(trap_swtch_pri(-1) == 0);
}

/* With as many threads that spin as there are processors, one of them always wants the processor on which the question
   is asked. */
CASE(switch_with_others)
{
    static volatile long spins;
    enum { PROCESSORS = 16 };
    struct bare others[PROCESSORS];
    unsigned int processors = processors_available();
    REQUIRE(processors <= PROCESSORS, true);
    for (unsigned int i = 0; i < processors; i++) {
        bare_create(&others[i], mach_task_self(), stub_count, (long)&spins);
        thread_resume(others[i].thread);
    }
    WAIT_FOR(trap_swtch() == 1);
    WAIT_FOR(trap_swtch_pri(0) == 1);
    WAIT_FOR(trap_swtch_pri(63) == 1);
    for (unsigned int i = 0; i < processors; i++)
        bare_end(&others[i]);
}

/* Gives the processor up by CALL until the other thread has gone on from SEEN.  It may not do so at once: with more
   processors it has one of its own, which the emulator's host may be slow to run; with one, the clock may take the
   processor from it before its first instruction. */
#define GIVE_UP_UNTIL(COUNTER, SEEN, CALL) \
    do { \
        for (int i_ = 0; i_ < 1000 && *(COUNTER) == (SEEN); i_++) \
            CALL; \
        if (processors_available() > 1) \
            WAIT_FOR(*(COUNTER) > (SEEN)); \
        EXPECT(*(COUNTER) > (SEEN), true); \
    } while (0)

CASE(switch_lets_others_run)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    thread_resume(bare.thread);
    long seen = 0;
    GIVE_UP_UNTIL(&counter, seen, trap_thread_switch(bare.thread, SWITCH_OPTION_NONE, 0));
    seen = counter;
    GIVE_UP_UNTIL(&counter, seen, trap_swtch());
    seen = counter;
    GIVE_UP_UNTIL(&counter, seen, trap_thread_switch(MACH_PORT_NULL, SWITCH_OPTION_DEPRESS, 50));
    seen = counter;
    GIVE_UP_UNTIL(&counter, seen, trap_thread_switch(MACH_PORT_NULL, SWITCH_OPTION_WAIT, 50));
    bare_end(&bare);
}

STUB(stub_depress, "1: mov %rdi, %rbx\n mov $-61, %rax\n xor %edi, %edi\n mov $1, %esi\n mov $100000, %edx\n syscall\n "
                   "mov %rbx, %rdi\n incq (%rdi)\n"
                   "2: cmpq $0, 8(%rdi)\n je 2b\n movq $0, 8(%rdi)\n jmp 1b");

/* A depressed thread says so, and thread_depress_abort ends it. */
CASE(depression)
{
    mach_port_t self = mach_thread_self(), host = (mach_host_self)();
    OBSERVE(thread_depress_abort(self));
    OBSERVE(thread_depress_abort(host));
    OBSERVE(thread_depress_abort(mach_task_self()));
    OBSERVE(trap_depress_abort(self));
    OBSERVE(trap_depress_abort(host));
    OBSERVE(trap_depress_abort(0x7654321));
    OBSERVE(trap_depress_abort(MACH_PORT_NULL));
    mach_port_deallocate(mach_task_self(), self);
    mach_port_deallocate(mach_task_self(), host);
}

CASE(depressed_by_another)
{
    static volatile long data[2], spins;
    enum { PROCESSORS = 16 };
    unsigned int processors = processors_available();
    struct bare bare, others[PROCESSORS];
    REQUIRE(processors <= PROCESSORS, true);
    data[0] = data[1] = spins = 0;
    for (unsigned int i = 0; i < processors; i++) { /* those who keep the depressed one from running */
        bare_create(&others[i], mach_task_self(), stub_count, (long)&spins);
        thread_resume(others[i].thread);
    }
    bare_create(&bare, mach_task_self(), stub_depress, (long)data);
    thread_resume(bare.thread);
    WAIT_FOR(thread_sched(bare.thread).depressed || data[0]);
    OBSERVE(thread_sched(bare.thread).depressed);
    struct thread_sched_info info = thread_sched(bare.thread);
    OBSERVE(info.base_priority);
    OBSERVE(info.depress_priority);
    EXPECT(info.cur_priority > 25, true);
    EXPECT(thread_depress_abort(bare.thread), KERN_SUCCESS);
    EXPECT(thread_sched(bare.thread).depressed, 0);
    WAIT_FOR(data[0] == 1);
    OBSERVE(thread_depress_abort(bare.thread));
    for (unsigned int i = 0; i < processors; i++)
        bare_end(&others[i]);
    bare_end(&bare);
}

/* Two threads of one priority get about the same; one of a worse priority gets less. */
CASE(time_is_shared)
{
    static volatile long counters[3];
    struct bare bare[3];
    memset((void *)counters, 0, sizeof counters);
    for (int i = 0; i < 3; i++)
        bare_create(&bare[i], mach_task_self(), stub_count, (long)&counters[i]);
    EXPECT(thread_priority(bare[2].thread, 60, FALSE), KERN_SUCCESS);
    for (int i = 0; i < 3; i++)
        thread_resume(bare[i].thread);
    bool several = processors_available() > 1, fair = false; /* enough time for all */
    for (int tries = 0; tries < 200 && !fair; tries++) { /* a slice may be long: in the end it is shared */
        pause_ms(500);
        for (int i = 0; i < 3; i++)
            thread_suspend(bare[i].thread);
        long a = counters[0], b = counters[1], c = counters[2];
        fair = a > 0 && b > 0 && (several || (a < 3 * b && b < 3 * a && c <= a && c <= b));
        for (int i = 0; i < 3; i++)
            thread_resume(bare[i].thread);
    }
    EXPECT(fair, true);
    for (int i = 0; i < 3; i++)
        bare_end(&bare[i]);
}

/* How busy the processor is: a thread that runs is seen by the averages, and when it has ended the first of them
   sinks. */
CASE(load_is_seen)
{
    static volatile long counter;
    struct bare bare;
    host_t host = MACH_PORT_NULL;
    struct processor_set_basic_info set;
    struct host_load_info before, info;
    mach_msg_type_number_t count = HOST_LOAD_INFO_COUNT;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    thread_resume(bare.thread);
    do {
        pause_ms(200);
        host_info(mach_host_self(), HOST_LOAD_INFO, (host_info_t)&info, &count);
    } while (info.avenrun[0] < 100);
    mach_port_t name = MACH_PORT_NULL;
    count = PROCESSOR_SET_BASIC_INFO_COUNT;
    EXPECT(processor_set_default(host_priv, &name), KERN_SUCCESS);
    EXPECT(processor_set_info(name, PROCESSOR_SET_BASIC_INFO, &host, (processor_set_info_t)&set, &count), KERN_SUCCESS);
    EXPECT(set.load_average > 0, true);
    bare_end(&bare);
    count = HOST_LOAD_INFO_COUNT;
    before = info;
    do {
        pause_ms(200);
        host_info(mach_host_self(), HOST_LOAD_INFO, (host_info_t)&info, &count);
        if (info.avenrun[0] > before.avenrun[0])
            before = info;
    } while (info.avenrun[0] >= before.avenrun[0]);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), name);
}

/* A thread that always runs comes to worse priorities, and back when it rests. */
CASE(use_costs_priority)
{
    static volatile long counter;
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    int base = thread_sched(bare.thread).base_priority;
    OBSERVE(base);
    thread_resume(bare.thread);
    WAIT_FOR(thread_sched(bare.thread).cur_priority > base);
    thread_suspend(bare.thread);
    int most = thread_sched(bare.thread).cur_priority;
    unsigned int rest = 200;
    do {
        pause_ms(rest);
        rest += rest / 2; /* on a slow machine the thread runs for longer than a millisecond */
        thread_resume(bare.thread);
        pause_ms(1);
        thread_suspend(bare.thread);
    } while (thread_sched(bare.thread).cur_priority >= most);
    bare_end(&bare);
}

/* A better priority runs at once when it wakes, however long others spin. */
CASE(waker_is_not_starved)
{
    static volatile long counters[4];
    struct bare bare[4];
    memset((void *)counters, 0, sizeof counters);
    for (int i = 0; i < 4; i++) {
        bare_create(&bare[i], mach_task_self(), stub_count, (long)&counters[i]);
        thread_resume(bare[i].thread);
    }
    for (int i = 0; i < 50; i++)
        pause_ms(5);
    for (int i = 0; i < 4; i++) { /* and they all get their turns */
        WAIT_FOR(counters[i] > 0);
        bare_end(&bare[i]);
    }
}
