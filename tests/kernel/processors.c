/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: processors and processor sets (Mach manual, "Processors and Processor Sets"), and that two processors work at
   the same time.  GNU Mach's image is for one processor; on ours, with more, the answers must be the same but for their
   number. */

#include <mach/policy.h>
#include <mach/processor_info.h>
#include <mach/thread_info.h>
#include <mach/thread_switch.h>

#include "frame.h"

enum { RALLY = 800 }; /* by turns of one processor 80 s, and a case may take 60 */

/* What two threads throw to each other by memory alone. */
static struct {
    volatile int ball;
    volatile bool stop; /* helpers end */
} rally;

static mach_port_t default_set_name(void)
{
    mach_port_t name = MACH_PORT_NULL;
    EXPECT(processor_set_default(host_priv, &name), KERN_SUCCESS);
    return name;
}

static mach_port_t default_set(void)
{
    mach_port_t name = default_set_name(), set = MACH_PORT_NULL;
    EXPECT(host_processor_set_priv(host_priv, name, &set), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), name);
    return set;
}

static void ports_drop(mach_port_t *ports, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), ports[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)ports, count * sizeof *ports);
}

/* The first processor; *COUNT: how many there are. */
static mach_port_t processor_first(unsigned int *count)
{
    processor_array_t list;
    mach_msg_type_number_t number = 0;
    if (!EXPECT(host_processors(host_priv, &list, &number), KERN_SUCCESS) || !CHECK(number >= 1))
        return MACH_PORT_NULL;
    mach_port_t first = list[0];
    mach_port_mod_refs(mach_task_self(), first, MACH_PORT_RIGHT_SEND, 1);
    ports_drop(list, number);
    if (count)
        *count = number;
    return first;
}

/* ---- what there is -------------------------------------------------------------------------- */

CASE(counts_agree)
{
    unsigned int count = 0;
    mach_port_t processor = processor_first(&count), set = default_set();
    struct processor_set_basic_info info;
    host_t host;
    mach_msg_type_number_t size = PROCESSOR_SET_BASIC_INFO_COUNT;
    EXPECT(processor_set_info(set, PROCESSOR_SET_BASIC_INFO, &host, (processor_set_info_t)&info, &size), KERN_SUCCESS);
    OBSERVE(size);
    CHECK((unsigned int)info.processor_count == count);
    CHECK(processors_available() == count);
    CHECK(info.task_count > 0 && info.thread_count >= info.task_count);
    remark("%u processors", count);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), set);
    mach_port_deallocate(mach_task_self(), processor);
}

CASE(processors_need_the_privileged_port)
{
    processor_array_t list;
    mach_msg_type_number_t count;
    EXPECT(host_processors(mach_host_self(), &list, &count), KERN_INVALID_ARGUMENT);
    EXPECT(host_processors(mach_task_self(), &list, &count), KERN_INVALID_ARGUMENT);
}

CASE(basic_info)
{
    mach_port_t processor = processor_first(NULL);
    struct processor_basic_info info;
    host_t host = MACH_PORT_NULL;
    mach_msg_type_number_t size = PROCESSOR_BASIC_INFO_COUNT;
    EXPECT(processor_info(processor, PROCESSOR_BASIC_INFO, &host, (processor_info_t)&info, &size), KERN_SUCCESS);
    OBSERVE(size);
    OBSERVE(info.running);
    OBSERVE(info.slot_num);
    OBSERVE(info.is_master);
    OBSERVE(info.cpu_type);
    CHECK(host == mach_host_self());
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), processor);
}

CASE(info_wrong_flavor_or_size)
{
    mach_port_t processor = processor_first(NULL);
    integer_t info[16];
    host_t host = MACH_PORT_NULL;
    mach_msg_type_number_t size = PROCESSOR_BASIC_INFO_COUNT - 1;
    OBSERVE(processor_info(processor, PROCESSOR_BASIC_INFO, &host, info, &size));
    size = 0;
    OBSERVE(processor_info(processor, PROCESSOR_BASIC_INFO, &host, info, &size));
    for (int flavor = -1; flavor < 4; flavor++) {
        size = 16;
        kern_return_t kr = processor_info(processor, flavor, &host, info, &size);
        OBSERVE(kr);
        if (kr == KERN_SUCCESS)
            mach_port_deallocate(mach_task_self(), host);
    }
    size = 16;
    OBSERVE(processor_info(mach_task_self(), PROCESSOR_BASIC_INFO, &host, info, &size));
    mach_port_deallocate(mach_task_self(), processor);
}

CASE(slots_are_the_processors)
{
    integer_t slots[64];
    mach_msg_type_number_t count = 64;
    EXPECT(host_info(mach_host_self(), HOST_PROCESSOR_SLOTS, slots, &count), KERN_SUCCESS);
    CHECK(count == processors_available());
    for (unsigned int i = 0; i < count; i++)
        CHECK(slots[i] == (integer_t)i);
}

CASE(set_info_wrong_flavor_or_size)
{
    mach_port_t set = default_set();
    integer_t info[16];
    host_t host = MACH_PORT_NULL;
    mach_msg_type_number_t size;
    for (int flavor = 0; flavor < 4; flavor++)
        for (int room = 0; room < 6; room++) {
            size = (mach_msg_type_number_t)room;
            kern_return_t kr = processor_set_info(set, flavor, &host, info, &size);
            OBSERVE(kr);
            if (kr == KERN_SUCCESS)
                mach_port_deallocate(mach_task_self(), host);
        }
    mach_port_deallocate(mach_task_self(), set);
}

CASE(set_sched_info)
{
    mach_port_t set = default_set();
    struct processor_set_sched_info info;
    host_t host = MACH_PORT_NULL;
    mach_msg_type_number_t size = PROCESSOR_SET_SCHED_INFO_COUNT;
    REQUIRE(processor_set_info(set, PROCESSOR_SET_SCHED_INFO, &host, (processor_set_info_t)&info, &size), KERN_SUCCESS);
    OBSERVE(info.policies);
    OBSERVE(info.max_priority);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), set);
}

/* ---- starting and stopping ------------------------------------------------------------------- */

CASE(start_what_runs)
{
    mach_port_t processor = processor_first(NULL);
    OBSERVE(processor_start(processor));
    OBSERVE(processor_start(mach_task_self()));
    mach_port_deallocate(mach_task_self(), processor);
}

CASE(exit_the_master)
{
    mach_port_t processor = processor_first(NULL);
    OBSERVE(processor_exit(processor));
    OBSERVE(processor_exit(mach_task_self()));
    CHECK(processors_available() >= 1);
    mach_port_deallocate(mach_task_self(), processor);
}

CASE(control_has_no_commands)
{
    mach_port_t processor = processor_first(NULL);
    integer_t command[2] = {1, 2};
    OBSERVE(processor_control(processor, command, 2));
    OBSERVE(processor_control(processor, command, 0));
    OBSERVE(processor_control(mach_task_self(), command, 2));
    mach_port_deallocate(mach_task_self(), processor);
}

/* ---- sets --------------------------------------------------------------------------------------- */

CASE(one_set)
{
    processor_set_name_array_t list;
    mach_msg_type_number_t count = 0;
    mach_port_t name = default_set_name();
    REQUIRE(host_processor_sets(host_priv, &list, &count), KERN_SUCCESS);
    OBSERVE(count);
    CHECK(list[0] == name);
    ports_drop(list, count);
    REQUIRE(host_processor_sets(mach_host_self(), &list, &count), KERN_SUCCESS);
    OBSERVE(count);
    ports_drop(list, count);
    mach_port_t set = MACH_PORT_NULL;
    OBSERVE(host_processor_set_priv(mach_host_self(), name, &set));
    OBSERVE(host_processor_set_priv(host_priv, mach_task_self(), &set));
    mach_port_deallocate(mach_task_self(), name);
}

CASE(set_create)
{
    mach_port_t set = MACH_PORT_NULL, name = MACH_PORT_NULL;
    OBSERVE(processor_set_create(host_priv, &set, &name));
    OBSERVE(processor_set_create(mach_host_self(), &set, &name));
}

CASE(set_destroy)
{
    mach_port_t set = default_set(), name = default_set_name();
    OBSERVE(processor_set_destroy(set));
    OBSERVE(processor_set_destroy(name));
    OBSERVE(processor_set_destroy(mach_task_self()));
    mach_port_deallocate(mach_task_self(), set);
    mach_port_deallocate(mach_task_self(), name);
}

CASE(assignment)
{
    mach_port_t processor = processor_first(NULL), set = default_set(), name = default_set_name(), got = MACH_PORT_NULL;
    OBSERVE(processor_assign(processor, set, FALSE));
    OBSERVE(processor_assign(processor, set, TRUE));
    OBSERVE(processor_get_assignment(processor, &got));
    CHECK(got == name);
    mach_port_deallocate(mach_task_self(), got);
    OBSERVE(task_assign(mach_task_self(), set, FALSE));
    OBSERVE(task_assign_default(mach_task_self(), FALSE));
    OBSERVE(thread_assign(mach_thread_self(), set));
    OBSERVE(thread_assign_default(mach_thread_self()));
    EXPECT(task_get_assignment(mach_task_self(), &got), KERN_SUCCESS);
    CHECK(got == name);
    mach_port_deallocate(mach_task_self(), got);
    EXPECT(thread_get_assignment(mach_thread_self(), &got), KERN_SUCCESS);
    CHECK(got == name);
    mach_port_deallocate(mach_task_self(), got);
    mach_port_deallocate(mach_task_self(), processor);
    mach_port_deallocate(mach_task_self(), set);
    mach_port_deallocate(mach_task_self(), name);
}

static void policies_observe(mach_port_t set)
{
    struct processor_set_sched_info info = {0};
    host_t host = MACH_PORT_NULL;
    mach_msg_type_number_t size = PROCESSOR_SET_SCHED_INFO_COUNT;
    EXPECT(processor_set_info(set, PROCESSOR_SET_SCHED_INFO, &host, (processor_set_info_t)&info, &size), KERN_SUCCESS);
    OBSERVE(info.policies);
    mach_port_deallocate(mach_task_self(), host);
}

static void policy_observe(mach_port_t thread)
{
    struct thread_sched_info info = {0};
    mach_msg_type_number_t size = THREAD_SCHED_INFO_COUNT;
    EXPECT(thread_info(thread, THREAD_SCHED_INFO, (thread_info_t)&info, &size), KERN_SUCCESS);
    OBSERVE(info.policy);
    OBSERVE(info.data);
}

static void wait_for_end(void *unused)
{
    (void)unused;
    while (!rally.stop)
        thread_switch(MACH_PORT_NULL, SWITCH_OPTION_WAIT, 10);
}

CASE(set_policies)
{
    mach_port_t set = default_set();
    for (int policy = -1; policy < 5; policy++)
        OBSERVE(processor_set_policy_enable(set, policy));
    policies_observe(set);
    /* Fixed priorities are allowed now: a thread that is not this one takes and gives it up again. */
    struct helper helper = {0};
    rally.stop = false;
    helper_start(&helper, wait_for_end, NULL);
    OBSERVE(thread_policy(helper.thread, POLICY_FIXEDPRI, 50));
    policy_observe(helper.thread);
    OBSERVE(thread_policy(helper.thread, POLICY_TIMESHARE, 0));
    policy_observe(helper.thread);
    rally.stop = true;
    CHECK(helper_join(&helper));
    for (int policy = -1; policy < 5; policy++)
        OBSERVE(processor_set_policy_disable(set, policy, FALSE));
    OBSERVE(processor_set_policy_enable(mach_task_self(), 1));
    policies_observe(set);
    mach_port_deallocate(mach_task_self(), set);
}

CASE(set_max_priority)
{
    mach_port_t set = default_set();
    struct processor_set_sched_info info = {0};
    host_t host = MACH_PORT_NULL;
    mach_msg_type_number_t size = PROCESSOR_SET_SCHED_INFO_COUNT;
    OBSERVE(processor_set_max_priority(set, -1, FALSE));
    OBSERVE(processor_set_max_priority(set, 64, FALSE));
    OBSERVE(processor_set_max_priority(mach_task_self(), 20, FALSE));
    OBSERVE(processor_set_max_priority(set, 20, FALSE));
    EXPECT(processor_set_info(set, PROCESSOR_SET_SCHED_INFO, &host, (processor_set_info_t)&info, &size), KERN_SUCCESS);
    OBSERVE(info.max_priority);
    mach_port_deallocate(mach_task_self(), host);
    OBSERVE(processor_set_max_priority(set, 0, FALSE));
    EXPECT(processor_set_info(set, PROCESSOR_SET_SCHED_INFO, &host, (processor_set_info_t)&info, &size), KERN_SUCCESS);
    OBSERVE(info.max_priority);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), set);
}

CASE(set_tasks_and_threads)
{
    mach_port_t set = default_set(), *list = NULL;
    mach_msg_type_number_t count = 0;
    bool found = false;
    REQUIRE(processor_set_tasks(set, &list, &count), KERN_SUCCESS);
    for (unsigned int i = 0; i < count; i++)
        found |= list[i] == mach_task_self();
    CHECK(found);
    ports_drop(list, count);
    OBSERVE(processor_set_tasks(mach_task_self(), &list, &count));
    mach_port_deallocate(mach_task_self(), set);
}

CASE(set_lists_threads)
{
    mach_port_t set = default_set(), name = default_set_name(), self = mach_thread_self(), *list = NULL;
    mach_msg_type_number_t count = 0;
    bool found = false;
    kern_return_t kr = processor_set_threads(set, &list, &count);
    OBSERVE(kr);
    for (unsigned int i = 0; kr == KERN_SUCCESS && i < count; i++)
        found |= list[i] == self;
    OBSERVE(found);
    if (kr == KERN_SUCCESS)
        ports_drop(list, count);
    OBSERVE(processor_set_threads(name, &list, &count));
    OBSERVE(processor_set_threads(mach_task_self(), &list, &count));
    OBSERVE(processor_set_threads(MACH_PORT_NULL, &list, &count));
    mach_port_deallocate(mach_task_self(), self);
    mach_port_deallocate(mach_task_self(), set);
    mach_port_deallocate(mach_task_self(), name);
}

/* ---- two at the same time -------------------------------------------------------------------------- */

static void rally_play(void *argument)
{
    int side = (int)(long)argument;
    while (rally.ball < RALLY && !rally.stop)
        if (rally.ball % 2 == side)
            __atomic_store_n(&rally.ball, rally.ball + 1, __ATOMIC_SEQ_CST);
        else
            __asm__ volatile("pause");
}

/* Without a second processor each throw takes a time slice.  With one, all of them are done long before the case's
   limit. */
CASE(two_threads_run_at_once)
{
    struct helper players[2] = {{0}, {0}};
    rally.ball = 0;
    rally.stop = processors_available() < 2; /* nothing to see then */
    for (long side = 0; side < 2; side++)
        helper_start(&players[side], rally_play, (void *)side);
    for (int side = 0; side < 2; side++)
        CHECK(helper_join(&players[side]));
    CHECK(rally.stop || rally.ball == RALLY);
    remark("%d throws", rally.ball);
}

static void spin(void *argument)
{
    unsigned long *count = argument;
    while (!rally.stop)
        (*(volatile unsigned long *)count)++;
}

/* A thread that spins on another processor is stopped, read, changed and ended from here. */
CASE(spinning_thread_obeys)
{
    struct helper helper = {0};
    unsigned long count = 0;
    rally.stop = false;
    helper_start(&helper, spin, &count);
    for (int i = 0; i < 200; i++) {
        while (*(volatile unsigned long *)&count == 0)
            thread_switch(MACH_PORT_NULL, SWITCH_OPTION_DEPRESS, 1);
        CHECK(thread_suspend(helper.thread) == KERN_SUCCESS);
        struct i386_thread_state state;
        mach_msg_type_number_t size = i386_THREAD_STATE_COUNT;
        CHECK(thread_get_state(helper.thread, i386_THREAD_STATE, (thread_state_t)&state, &size) == KERN_SUCCESS);
        unsigned long seen = *(volatile unsigned long *)&count;
        for (volatile int wait = 0; wait < 1000; wait++)
            ;
        CHECK(*(volatile unsigned long *)&count == seen);
        CHECK(thread_set_state(helper.thread, i386_THREAD_STATE, (thread_state_t)&state, size) == KERN_SUCCESS);
        count = 0;
        CHECK(thread_resume(helper.thread) == KERN_SUCCESS);
    }
    helper_kill(&helper);
    unsigned long seen = *(volatile unsigned long *)&count;
    for (volatile int wait = 0; wait < 100000; wait++)
        ;
    CHECK(*(volatile unsigned long *)&count == seen);
}

/* Memory that goes away, or may no longer be written, under a thread that writes it on another processor. */
static struct {
    volatile int *volatile page;
    volatile unsigned long writes;
} victim;

static void write_page(void *unused)
{
    (void)unused;
    while (!rally.stop) {
        volatile int *page = victim.page;
        if (page)
            (*page)++;
        victim.writes++;
    }
}

CASE(write_protected_under_a_writer)
{
    struct helper helper = {0};
    vm_address_t address = 0, copy;
    rally.stop = false;
    victim.page = NULL;
    victim.writes = 0;
    REQUIRE(vm_allocate(mach_task_self(), &address, vm_page_size, TRUE), KERN_SUCCESS);
    victim.page = (volatile int *)address;
    helper_start(&helper, write_page, NULL);
    for (int i = 0; i < 100; i++) {
        unsigned long before = victim.writes;
        while (victim.writes < before + 10)
            thread_switch(MACH_PORT_NULL, SWITCH_OPTION_DEPRESS, 1);
        mach_msg_type_number_t size;
        /* A copy by reference: the page is write-protected, and the writer gets its own. */
        if (!CHECK(vm_read(mach_task_self(), address, vm_page_size, &copy, &size) == KERN_SUCCESS))
            break;
        int first = *(volatile int *)copy;
        before = victim.writes;
        while (victim.writes < before + 10)
            thread_switch(MACH_PORT_NULL, SWITCH_OPTION_DEPRESS, 1);
        CHECK(*(volatile int *)copy == first);
        vm_deallocate(mach_task_self(), copy, size);
    }
    rally.stop = true;
    CHECK(helper_join(&helper));
    vm_deallocate(mach_task_self(), address, vm_page_size);
}
