/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads: making, stopping, interrupting and ending them (mach.defs; Mach manual, "Thread Interface").  */

#include "objects.h"

#include <mach/mach_traps.h>
#include <mach_init.h>

/* ---- making ------------------------------------------------------------------------------ */

CASE(created_suspended)
{
    mach_port_t thread;
    REQUIRE(thread_create(mach_task_self(), &thread), KERN_SUCCESS);
    struct thread_basic_info info = thread_basic(thread);
    EXPECT(info.suspend_count, 1);
    OBSERVE(info.run_state);
    OBSERVE(info.flags & ~TH_FLAGS_SWAPPED);
    EXPECT(thread_terminate(thread), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(create_in_no_task)
{
    mach_port_t thread, host = (mach_host_self)(), self = mach_thread_self(), dead = task_dead();
    EXPECT(thread_create(host, &thread), KERN_INVALID_ARGUMENT);
    EXPECT(thread_create(self, &thread), KERN_INVALID_ARGUMENT);
    EXPECT(thread_create(dead, &thread), MACH_SEND_INVALID_DEST);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), self);
    mach_port_deallocate(mach_task_self(), dead);
}

CASE(create_many)
{
    enum { MANY = 200 };
    static mach_port_t threads[MANY];
    mach_port_t task = task_empty();
    unsigned int made = 0;
    for (int i = 0; i < MANY; i++)
        made += thread_create(task, &threads[i]) == KERN_SUCCESS;
    EXPECT(made, MANY);
    for (int i = 0; i < MANY; i += 2)
        thread_terminate(threads[i]);
    task_end(task);
    for (int i = 0; i < MANY; i++)
        mach_port_deallocate(mach_task_self(), threads[i]);
}

CASE(self_is_thread_and_task)
{
    mach_port_t thread = mach_thread_self(), again = mach_thread_self(), *list;
    mach_msg_type_number_t count;
    EXPECT(thread == again, true);
    EXPECT(task_threads(mach_task_self(), &list, &count), KERN_SUCCESS);
    bool found = false;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        found |= list[i] == thread;
        mach_port_deallocate(mach_task_self(), list[i]);
    }
    EXPECT(found, true);
    vm_deallocate(mach_task_self(), (vm_address_t)list, count * sizeof *list);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), thread);
}

/* ---- stopping ---------------------------------------------------------------------------- */

CASE(suspend_counts)
{
    mach_port_t thread, host = (mach_host_self)();
    REQUIRE(thread_create(mach_task_self(), &thread), KERN_SUCCESS);
    for (int i = 2; i <= 5; i++) {
        EXPECT(thread_suspend(thread), KERN_SUCCESS);
        EXPECT(thread_basic(thread).suspend_count, i);
    }
    EXPECT(thread_resume(thread), KERN_SUCCESS);
    EXPECT(thread_basic(thread).suspend_count, 4);
    EXPECT(thread_suspend(host), KERN_INVALID_ARGUMENT);
    EXPECT(thread_resume(host), KERN_INVALID_ARGUMENT);
    EXPECT(thread_suspend(mach_task_self()), KERN_INVALID_ARGUMENT);
    EXPECT(thread_terminate(thread), KERN_SUCCESS);
    EXPECT(thread_resume(thread), MACH_SEND_INVALID_DEST);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), host);
}

CASE(resume_of_running)
{
    static volatile long counter;
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(counter > 0);
    EXPECT(thread_resume(bare.thread), KERN_FAILURE);
    EXPECT(thread_basic(bare.thread).run_state, TH_STATE_RUNNING);
    EXPECT(thread_suspend(bare.thread), KERN_SUCCESS);
    long seen = counter;
    pause_ms(30);
    EXPECT(seen == counter, true);
    OBSERVE(thread_basic(bare.thread).run_state);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(counter > seen);
    bare_end(&bare);
}

STUB(stub_suspend_self, "1: mov $-27, %rax\n syscall\n incq (%rdi)\n jmp 1b");

CASE(suspended_in_system_calls)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    bare_create(&bare, mach_task_self(), stub_suspend_self, (long)&counter);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    for (int i = 0; i < 20; i++) {
        pause_ms(1);
        EXPECT(thread_suspend(bare.thread), KERN_SUCCESS);
        long seen = counter;
        pause_ms(1);
        EXPECT(seen == counter, true);
        EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    }
    bare_end(&bare);
    mach_port_t self = mach_thread_self(); /* the stub took references to its own port */
    mach_port_deallocate(mach_task_self(), self);
    port_destroy(bare.thread);
}

static void suspend_self(void *argument)
{
    mach_port_t thread = mach_thread_self();
    *(volatile long *)argument = 1;
    thread_suspend(thread);
    *(volatile long *)argument = 2;
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(suspends_itself)
{
    volatile long step = 0;
    struct helper helper = {0};
    helper_start(&helper, suspend_self, (void *)&step);
    WAIT_FOR(thread_basic(helper.thread).suspend_count == 1);
    pause_ms(30);
    EXPECT(step, 1);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(step, 2);
}

/* ---- interrupting ---------------------------------------------------------------------------- */

struct wait {
    mach_port_t port;
    volatile long result;
    unsigned int word;
};
enum { PENDING = -999 };

static void wait_receive(void *argument)
{
    struct wait *wait = argument;
    mach_msg_header_t header;
    wait->result = mach_msg(&header, MACH_RCV_MSG | MACH_RCV_INTERRUPT, 0, sizeof header, wait->port, 0,
                            MACH_PORT_NULL);
}

static void wait_receive_timed(void *argument)
{
    struct wait *wait = argument;
    mach_msg_header_t header;
    wait->result = mach_msg(&header, MACH_RCV_MSG | MACH_RCV_INTERRUPT | MACH_RCV_TIMEOUT, 0, sizeof header, wait->port,
                            1000000, MACH_PORT_NULL);
}

static void wait_send(void *argument)
{
    struct wait *wait = argument;
    mach_msg_header_t header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), .msgh_size = sizeof header,
                                .msgh_remote_port = wait->port};
    wait->result = mach_msg(&header, MACH_SEND_MSG | MACH_SEND_INTERRUPT, sizeof header, 0, MACH_PORT_NULL, 0,
                            MACH_PORT_NULL);
}

static void wait_switch(void *argument)
{
    struct wait *wait = argument;
    wait->result = TRAP_3(-61, MACH_PORT_NULL, SWITCH_OPTION_WAIT, 1000000);
}

static void wait_gsync(void *argument)
{
    struct wait *wait = argument;
    wait->result = gsync_wait(mach_task_self(), (vm_address_t)&wait->word, 0, 0, 0, 0);
}

static void wait_gsync_timed(void *argument)
{
    struct wait *wait = argument;
    wait->result = gsync_wait(mach_task_self(), (vm_address_t)&wait->word, 0, 0, 1000000, 4);
}

static void abort_while(void (*entry)(void *), struct wait *wait)
{
    struct helper helper = {0};
    wait->result = PENDING;
    helper_start(&helper, entry, wait);
    if (!CHECK(thread_waits(helper.thread)))
        return;
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    OBSERVE(wait->result);
}

CASE(abort_receive)
{
    struct wait wait = {.port = port_create()};
    abort_while(wait_receive, &wait);
    abort_while(wait_receive_timed, &wait);
    port_destroy(wait.port);
}

CASE(abort_receive_from_set)
{
    struct wait wait = {0};
    EXPECT(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &wait.port), KERN_SUCCESS);
    abort_while(wait_receive, &wait);
    port_destroy(wait.port);
}

static void port_fill(mach_port_t port)
{
    while (send_empty(port, 1) == MACH_MSG_SUCCESS)
        ;
}

CASE(abort_send)
{
    struct wait wait = {.port = port_create_with_send()};
    port_fill(wait.port);
    abort_while(wait_send, &wait);
    port_destroy(wait.port);
}

CASE(abort_thread_switch)
{
    struct wait wait = {0};
    abort_while(wait_switch, &wait);
}

CASE(abort_gsync)
{
    struct wait wait = {0};
    abort_while(wait_gsync, &wait);
    abort_while(wait_gsync_timed, &wait);
}

CASE(abort_suspended_in_receive)
{
    struct wait wait = {.port = port_create(), .result = PENDING};
    struct helper helper = {0};
    helper_start(&helper, wait_receive, &wait);
    CHECK(thread_waits(helper.thread));
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    pause_ms(20);
    EXPECT(wait.result, PENDING);
    struct i386_thread_state state = registers_get(helper.thread);
    EXPECT((int)state.rax == MACH_RCV_INTERRUPTED, true);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(wait.result, MACH_RCV_INTERRUPTED);
    port_destroy(wait.port);
}

/* A suspended thread goes on waiting; what comes meanwhile, it has when it is resumed. */
CASE(suspend_in_receive)
{
    struct wait wait = {.port = port_create_with_send(), .result = PENDING};
    struct helper helper = {0};
    helper_start(&helper, wait_receive, &wait);
    CHECK(thread_waits(helper.thread));
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    OBSERVE(thread_basic(helper.thread).run_state);
    EXPECT(send_empty(wait.port, 5), MACH_MSG_SUCCESS);
    pause_ms(20);
    EXPECT(wait.result, PENDING);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(wait.result, MACH_MSG_SUCCESS);
    port_destroy(wait.port);
}

CASE(abort_of_running)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    OBSERVE(thread_abort(bare.thread));
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(counter > 0);
    EXPECT(thread_suspend(bare.thread), KERN_SUCCESS);
    EXPECT(thread_abort(bare.thread), KERN_SUCCESS);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    long seen = counter;
    WAIT_FOR(counter > seen);
    bare_end(&bare);
}

CASE(abort_of_no_thread)
{
    mach_port_t host = (mach_host_self)(), self = mach_thread_self();
    EXPECT(thread_abort(host), KERN_INVALID_ARGUMENT);
    EXPECT(thread_abort(mach_task_self()), KERN_INVALID_ARGUMENT);
    EXPECT(thread_abort(self), KERN_INVALID_ARGUMENT);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), self);
}

/* ---- ending ------------------------------------------------------------------------------ */

static void end_while(void (*entry)(void *), struct wait *wait)
{
    struct helper helper = {0};
    wait->result = PENDING;
    helper_start(&helper, entry, wait);
    CHECK(thread_waits(helper.thread));
    EXPECT(thread_terminate(helper.thread), KERN_SUCCESS);
    EXPECT(port_type(helper.thread), MACH_PORT_TYPE_DEAD_NAME);
    helper_kill(&helper);
    EXPECT(wait->result, PENDING);
}

CASE(terminate_in_waits)
{
    struct wait wait = {.port = port_create_with_send()};
    end_while(wait_receive, &wait);
    end_while(wait_receive_timed, &wait);
    end_while(wait_switch, &wait);
    end_while(wait_gsync, &wait);
    end_while(wait_gsync_timed, &wait);
    port_fill(wait.port);
    end_while(wait_send, &wait);
    /* The port still works: one message out, one in. */
    EXPECT(receive_within(wait.port, 0), MACH_MSG_SUCCESS);
    EXPECT(send_empty(wait.port, 1), MACH_MSG_SUCCESS);
    EXPECT(send_empty(wait.port, 1), MACH_SEND_TIMED_OUT);
    port_destroy(wait.port);
}

CASE(terminate_suspended_in_wait)
{
    struct wait wait = {.port = port_create(), .result = PENDING};
    struct helper helper = {0};
    helper_start(&helper, wait_receive, &wait);
    CHECK(thread_waits(helper.thread));
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    EXPECT(thread_terminate(helper.thread), KERN_SUCCESS);
    EXPECT(port_type(helper.thread), MACH_PORT_TYPE_DEAD_NAME);
    helper_kill(&helper);
    port_destroy(wait.port);
}

CASE(terminate_running)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(counter > 0);
    EXPECT(thread_terminate(bare.thread), KERN_SUCCESS);
    long seen = counter;
    pause_ms(30);
    EXPECT(seen == counter, true);
    EXPECT(port_type(bare.thread), MACH_PORT_TYPE_DEAD_NAME);
    bare_end(&bare);
}

CASE(terminate_twice)
{
    mach_port_t thread, host = (mach_host_self)();
    REQUIRE(thread_create(mach_task_self(), &thread), KERN_SUCCESS);
    EXPECT(thread_terminate(thread), KERN_SUCCESS);
    EXPECT(thread_terminate(thread), MACH_SEND_INVALID_DEST);
    EXPECT(thread_terminate(host), KERN_INVALID_ARGUMENT);
    EXPECT(thread_terminate(mach_task_self()), KERN_INVALID_ARGUMENT);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), host);
}

static void terminate_self(void *argument)
{
    mach_port_t thread = mach_thread_self();
    *(volatile long *)argument = 1;
    thread_terminate(thread);
    *(volatile long *)argument = 2;
}

CASE(terminates_itself)
{
    volatile long step = 0;
    struct helper helper = {0};
    helper_start(&helper, terminate_self, (void *)&step);
    WAIT_FOR(port_type(helper.thread) == MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(step, 1);
    EXPECT(port_refs(helper.thread, MACH_PORT_RIGHT_DEAD_NAME), 2);
    mach_port_deallocate(mach_task_self(), helper.thread);
    helper_kill(&helper);
}

/* What a thread library ends threads with: the thread, a name, its reply port and its stack in one. */
CASE(terminate_release)
{
    mach_port_t thread, reply = port_create(), spare = port_create_with_send();
    vm_address_t stack = 0;
    REQUIRE(vm_allocate(mach_task_self(), &stack, 8192, TRUE), KERN_SUCCESS);
    REQUIRE(thread_create(mach_task_self(), &thread), KERN_SUCCESS);
    EXPECT(thread_terminate_release(thread, mach_task_self(), spare, reply, stack, 8192), KERN_SUCCESS);
    WAIT_FOR(port_type(thread) == MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(port_type(spare), MACH_PORT_TYPE_RECEIVE);
    EXPECT(port_type(reply), 0);
    EXPECT(vm_deallocate(mach_task_self(), stack, 8192), KERN_SUCCESS);
    port_destroy(spare);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(terminate_release_with_nonsense)
{
    mach_port_t thread[4], host = (mach_host_self)(), dead = task_dead();
    for (int i = 0; i < 4; i++)
        REQUIRE(thread_create(mach_task_self(), &thread[i]), KERN_SUCCESS);
    OBSERVE(thread_terminate_release(thread[0], mach_task_self(), 0x7654321, 0x7654321, 0, 0));
    OBSERVE(thread_terminate_release(thread[1], mach_task_self(), MACH_PORT_NULL, MACH_PORT_NULL, ~0ul - 4095, 8192));
    OBSERVE(thread_terminate_release(thread[2], host, MACH_PORT_NULL, MACH_PORT_NULL, 0, 0));
    OBSERVE(thread_terminate_release(thread[3], dead, MACH_PORT_NULL, MACH_PORT_NULL, 0, 0));
    for (int i = 0; i < 4; i++) { /* all of them, if it takes a moment */
        for (int tries = 0; tries < 100 && port_type(thread[i]) != MACH_PORT_TYPE_DEAD_NAME; tries++)
            pause_ms(10);
        OBSERVE(port_type(thread[i]) == MACH_PORT_TYPE_DEAD_NAME);
        if (port_type(thread[i]) != MACH_PORT_TYPE_DEAD_NAME)
            thread_terminate(thread[i]);
        mach_port_deallocate(mach_task_self(), thread[i]);
    }
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), dead);
}

/* ---- ports ------------------------------------------------------------------------------- */

CASE(special_ports_by_number)
{
    mach_port_t thread, port = port_create_with_send(), host = (mach_host_self)();
    REQUIRE(thread_create(mach_task_self(), &thread), KERN_SUCCESS);
    for (int which = -1; which <= 5; which++) {
        mach_port_t found = MACH_PORT_NULL;
        OBSERVE(which);
        OBSERVE(thread_get_special_port(thread, which, &found));
        OBSERVE(found != MACH_PORT_NULL);
        if (found)
            mach_port_deallocate(mach_task_self(), found);
        found = MACH_PORT_NULL;
        OBSERVE(thread_set_special_port(thread, which, port));
        OBSERVE(thread_get_special_port(thread, which, &found));
        OBSERVE(found == port);
        if (found)
            mach_port_deallocate(mach_task_self(), found);
    }
    mach_port_t found;
    EXPECT(thread_get_special_port(host, THREAD_KERNEL_PORT, &found), KERN_INVALID_ARGUMENT);
    EXPECT(thread_set_special_port(host, THREAD_KERNEL_PORT, port), KERN_INVALID_ARGUMENT);
    EXPECT(thread_set_special_port(thread, THREAD_EXCEPTION_PORT, MACH_PORT_NULL), KERN_SUCCESS);
    EXPECT(thread_terminate(thread), KERN_SUCCESS);
    EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), 1);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), host);
    port_destroy(port);
}

CASE(special_port_of_the_dead)
{
    mach_port_t thread, port = port_create_with_send(), found;
    REQUIRE(thread_create(mach_task_self(), &thread), KERN_SUCCESS);
    EXPECT(thread_terminate(thread), KERN_SUCCESS);
    EXPECT(thread_get_special_port(thread, THREAD_EXCEPTION_PORT, &found), MACH_SEND_INVALID_DEST);
    EXPECT(thread_set_special_port(thread, THREAD_EXCEPTION_PORT, port), MACH_SEND_INVALID_DEST);
    mach_port_deallocate(mach_task_self(), thread);
    port_destroy(port);
}

CASE(wired_by_the_privileged)
{
    mach_port_t self = mach_thread_self(), host = (mach_host_self)();
    EXPECT(thread_wire(host_priv, self, TRUE), KERN_SUCCESS);
    EXPECT(thread_wire(host_priv, self, FALSE), KERN_SUCCESS);
    OBSERVE(thread_wire(host, self, TRUE));
    OBSERVE(thread_wire(host_priv, mach_task_self(), TRUE));
    OBSERVE(thread_wire(host_priv, MACH_PORT_NULL, TRUE));
    mach_port_deallocate(mach_task_self(), self);
    mach_port_deallocate(mach_task_self(), host);
}

/* ---- stopping and going on at once ------------------------------------------------------------------- */

enum { ROUNDS = 300 };
static struct bare spinner;
static volatile long spinner_count;
static volatile bool rounds_over;

/* Takes back what the case does, as soon as possible. */
static void resume_run(void *unused)
{
    (void)unused;
    while (!rounds_over) {
        thread_resume(spinner.thread);
        task_resume(spinner.task);
    }
}

/* With two processors the thread may go on before it has stopped: whoever stops it does not wait for it then. */
CASE(resumed_while_it_is_being_stopped)
{
    struct helper helper = {0};
    struct i386_thread_state state;
    mach_port_t task;
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    bare_create(&spinner, task, stub_count, (long)&spinner_count);
    EXPECT(thread_resume(spinner.thread), KERN_SUCCESS);
    rounds_over = false;
    helper_start(&helper, resume_run, NULL);
    int wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        mach_msg_type_number_t count = i386_THREAD_STATE_COUNT;
        wrong += thread_suspend(spinner.thread) != KERN_SUCCESS;
        wrong += task_suspend(task) != KERN_SUCCESS;
        wrong += thread_get_state(spinner.thread, i386_THREAD_STATE, (thread_state_t)&state, &count) != KERN_SUCCESS;
    }
    EXPECT(wrong, 0);
    rounds_over = true;
    CHECK(helper_join(&helper));
    task_terminate(task);
    mach_port_deallocate(mach_task_self(), spinner.thread);
    mach_port_deallocate(mach_task_self(), task);
}
