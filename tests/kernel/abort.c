/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread_abort at each stage of a message: in the send, in the receive behind it, in a set, stopped and not; what the
   call returns, what its buffer holds then, and where the rights are (mach.defs, thread_abort; Mach manual, "Thread
   Execution").  Waits for other things: abort_waits.c. */

#include "memory_help.h"
#include "messages.h"
#include "objects.h"
#include "rights.h"

#define SELF mach_task_self()

/* What a helper does: one mach_msg_trap with a message that the case has made. */
static struct call {
    struct message message;
    mach_msg_option_t option;
    mach_port_t from;
    mach_msg_timeout_t timeout;
    volatile mach_msg_return_t result;
} call;
enum { PENDING = -999, LONG_MS = 10000000 };

static void call_run(void *unused)
{
    (void)unused;
    call.result = mach_msg_trap(&call.message.header, call.option, call.message.header.msgh_size, sizeof call.message,
                                call.from, call.timeout, MACH_PORT_NULL);
}

static void call_start(struct helper *helper, mach_msg_option_t option, mach_port_t from)
{
    call.option = option;
    call.from = from;
    call.timeout = LONG_MS;
    call.result = PENDING;
    helper_start(helper, call_run, NULL);
    CHECK(helper_waits(helper));
    EXPECT(call.result, PENDING);
}

static void call_abort(struct helper *helper)
{
    EXPECT(thread_abort(helper->thread), KERN_SUCCESS);
    CHECK(helper_join(helper));
    OBSERVE(call.result);
}

/* The header as it lies in the buffer, names told by what they stand for. */
static void header_observe(mach_port_t port, mach_port_t reply)
{
    const mach_msg_header_t *header = &call.message.header;
    OBSERVE(header->msgh_bits);
    OBSERVE(header->msgh_size);
    OBSERVE(header->msgh_id);
    OBSERVE(header->msgh_remote_port == port);
    OBSERVE(header->msgh_remote_port == MACH_PORT_NULL);
    OBSERVE(header->msgh_local_port == reply);
    OBSERVE(header->msgh_local_port == MACH_PORT_NULL);
}

/* ---- the receive ----------------------------------------------------------------------------- */

/* A receive that is interrupted leaves its buffer alone. */
CASE(receive_leaves_the_buffer)
{
    static const mach_msg_option_t options[] = {0, MACH_RCV_INTERRUPT, MACH_RCV_TIMEOUT,
                                                MACH_RCV_TIMEOUT | MACH_RCV_INTERRUPT, MACH_RCV_LARGE};
    for (unsigned int i = 0; i < sizeof options / sizeof *options; i++) {
        mach_port_t port = port_create_with_send();
        struct helper helper = {0};
        memset(&call.message, 0x5a, sizeof call.message);
        call_start(&helper, MACH_RCV_MSG | options[i], port);
        call_abort(&helper);
        bool same = true;
        for (unsigned int at = 0; at < sizeof call.message; at++)
            same &= ((const char *)&call.message)[at] == 0x5a;
        EXPECT(same, true);
        EXPECT(send_empty(port, 5), MACH_MSG_SUCCESS);
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        port_destroy(port);
    }
}

CASE(receive_from_a_set)
{
    static const mach_msg_option_t options[] = {0, MACH_RCV_INTERRUPT, MACH_RCV_TIMEOUT};
    mach_port_t set = set_create(), member = port_create_with_send();
    EXPECT(mach_port_move_member(SELF, member, set), KERN_SUCCESS);
    for (unsigned int i = 0; i < 3; i++) {
        struct helper helper = {0};
        call_start(&helper, MACH_RCV_MSG | options[i], set);
        call_abort(&helper);
        EXPECT(send_empty(member, 5), MACH_MSG_SUCCESS);
        EXPECT(receive_within(set, 0), MACH_MSG_SUCCESS);
        EXPECT(received()->msgh_seqno, i);
    }
    port_destroy(member);
    port_destroy(set);
}

/* The library's mach_msg begins again unless it is told that the caller wants to know. */
static void library_receive(void *interrupt)
{
    call.result = mach_msg(&call.message.header, MACH_RCV_MSG | (interrupt ? MACH_RCV_INTERRUPT : 0), 0,
                           sizeof call.message, call.from, 0, MACH_PORT_NULL);
}

CASE(receive_begun_again_by_the_library)
{
    struct helper helper = {0};
    call.from = port_create_with_send();
    call.result = PENDING;
    helper_start(&helper, library_receive, NULL);
    for (int i = 0; i < 20; i++) {
        CHECK(helper_waits(&helper));
        EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    }
    CHECK(helper_waits(&helper));
    EXPECT(call.result, PENDING);
    EXPECT(send_empty(call.from, 77), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(call.result, MACH_MSG_SUCCESS);
    EXPECT(call.message.header.msgh_id, 77);
    call.result = PENDING;
    helper_start(&helper, library_receive, &call);
    CHECK(helper_waits(&helper));
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(call.result, MACH_RCV_INTERRUPTED);
    port_destroy(call.from);
}

static void receive_raced(bool stopped)
{
    /* A message has come, and the receiver has not run since: the call returns it, or it is still in the queue. */
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    call_start(&helper, MACH_RCV_MSG, port);
    if (stopped)
        EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    EXPECT(send_empty(port, 9), MACH_MSG_SUCCESS);
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    if (stopped)
        EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    bool got = call.result == MACH_MSG_SUCCESS;
    CHECK(got || call.result == MACH_RCV_INTERRUPTED);
    EXPECT(port_status(port).mps_msgcount + got, 1);
    port_destroy(port);
}

CASE(receive_when_the_message_has_come) { receive_raced(false); }
CASE(receive_when_the_message_has_come_and_stopped) { receive_raced(true); }

/* ---- the send --------------------------------------------------------------------------------- */

static void send_plain(mach_msg_option_t option)
{
    mach_port_t port = port_create_full(), reply = port_create();
    struct helper helper = {0};
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 100);
    message_add_integers(&call.message, (int[]){1, 2, 3}, 3);
    call_start(&helper, MACH_SEND_MSG | option, MACH_PORT_NULL);
    call_abort(&helper);
    header_observe(port, reply);
    OBSERVE(*(int *)(call.message.body + sizeof(mach_msg_type_t) + 8));
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
    OBSERVE(port_status(reply).mps_sorights);
    OBSERVE(port_status(port).mps_msgcount);
    /* What came back is sent again as it is. */
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    OBSERVE(mach_msg_trap(&call.message.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, call.message.header.msgh_size, 0, 0,
                          0, 0));
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    OBSERVE(received()->msgh_id);
    OBSERVE(received()->msgh_size);
    OBSERVE(received()->msgh_remote_port != MACH_PORT_NULL);
    if (received()->msgh_remote_port)
        mach_port_deallocate(SELF, received()->msgh_remote_port);
    OBSERVE(port_status(reply).mps_sorights);
    mach_port_destroy(SELF, port);
    mach_port_destroy(SELF, reply);
}

CASE(send_to_a_full_queue) { send_plain(0); }
CASE(send_with_interrupt) { send_plain(MACH_SEND_INTERRUPT); }
CASE(send_with_timeout) { send_plain(MACH_SEND_TIMEOUT); }
CASE(send_with_interrupt_and_timeout) { send_plain(MACH_SEND_INTERRUPT | MACH_SEND_TIMEOUT); }

/* The send half of a call is interrupted: nothing is received. */
CASE(call_in_its_send)
{
    mach_port_t port = port_create_full(), reply = port_create();
    struct helper helper = {0};
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 100);
    call_start(&helper, MACH_SEND_MSG | MACH_RCV_MSG | MACH_SEND_INTERRUPT | MACH_RCV_INTERRUPT, reply);
    call_abort(&helper);
    header_observe(port, reply);
    OBSERVE(port_status(reply).mps_sorights);
    OBSERVE(port_status(port).mps_msgcount);
    if (MACH_MSGH_BITS_LOCAL(call.message.header.msgh_bits) && call.message.header.msgh_local_port != reply)
        mach_port_deallocate(SELF, call.message.header.msgh_local_port);
    mach_port_destroy(SELF, port);
    mach_port_destroy(SELF, reply);
}

/* The send of a call has been done: only its receive is interrupted, and the request is where it was sent. */
static void call_behind_send(mach_msg_option_t option, mach_msg_type_name_t how)
{
    mach_port_t port = port_create_with_send(), reply = port_create();
    struct helper helper = {0};
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, reply, how, 100);
    call_start(&helper, MACH_SEND_MSG | MACH_RCV_MSG | option, reply);
    EXPECT(port_status(port).mps_msgcount, 1);
    call_abort(&helper);
    header_observe(port, reply);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 100);
    OBSERVE(port_status(reply).mps_sorights);
    OBSERVE(port_status(reply).mps_srights);
    /* The answer comes all the same. */
    mach_port_t to = received()->msgh_remote_port;
    message_begin(&message_out, to,
                  MACH_MSGH_BITS_REMOTE(received()->msgh_bits) == MACH_MSG_TYPE_PORT_SEND_ONCE
                      ? MACH_MSG_TYPE_MOVE_SEND_ONCE
                      : MACH_MSG_TYPE_MOVE_SEND,
                  0, 0, 200);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(receive_within(reply, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 200);
    EXPECT(received()->msgh_seqno, 0);
    port_destroy(port);
    port_destroy(reply);
}

CASE(call_in_its_receive) { call_behind_send(0, MACH_MSG_TYPE_MAKE_SEND_ONCE); }
CASE(call_in_its_receive_with_interrupt)
{
    call_behind_send(MACH_RCV_INTERRUPT | MACH_SEND_INTERRUPT, MACH_MSG_TYPE_MAKE_SEND_ONCE);
}
CASE(call_in_its_receive_with_timeouts)
{
    call_behind_send(MACH_RCV_TIMEOUT | MACH_SEND_TIMEOUT, MACH_MSG_TYPE_MAKE_SEND_ONCE);
}
CASE(call_in_its_receive_with_a_send_right) { call_behind_send(MACH_RCV_LARGE, MACH_MSG_TYPE_MAKE_SEND); }

/* A server takes the request and the client is interrupted then: the answer waits for whoever receives next. */
CASE(call_that_is_being_served)
{
    mach_port_t port = port_create_with_send(), reply = port_create();
    struct helper helper = {0};
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 100);
    call_start(&helper, MACH_SEND_MSG | MACH_RCV_MSG, reply);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    mach_port_t to = received()->msgh_remote_port;
    call_abort(&helper);
    EXPECT(port_type(to), MACH_PORT_TYPE_SEND_ONCE);
    message_begin(&message_out, to, MACH_MSG_TYPE_MOVE_SEND_ONCE, 0, 0, 200);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(port_status(reply).mps_msgcount, 1);
    port_destroy(port);
    port_destroy(reply);
}

/* ---- rights and memory of a message that was not sent ------------------------------------------------ */

CASE(send_gives_rights_back)
{
    mach_port_t port = port_create_full(), moved = port_create(), send = port_create_with_send(),
                once_of = port_create();
    struct helper helper = {0};
    mach_port_t once = sonce_create(once_of);
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 100);
    message_add_ports(&call.message, &moved, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    message_add_ports(&call.message, &send, 1, MACH_MSG_TYPE_MOVE_SEND);
    message_add_ports(&call.message, &once, 1, MACH_MSG_TYPE_MOVE_SEND_ONCE);
    message_add_ports(&call.message, &once_of, 1, MACH_MSG_TYPE_MAKE_SEND);
    call_start(&helper, MACH_SEND_MSG, MACH_PORT_NULL);
    OBSERVE(port_type(moved));
    OBSERVE(port_type(send));
    OBSERVE(port_type(once));
    OBSERVE(port_type(once_of));
    call_abort(&helper);
    header_observe(port, MACH_PORT_NULL);
    for (unsigned int i = 0; i < 4; i++) {
        mach_msg_type_t *item = message_item(&call.message, i);
        OBSERVE(item->msgt_name);
        OBSERVE(port_type(message_port(&call.message, i, 0)));
    }
    OBSERVE(message_port(&call.message, 1, 0) == send);
    OBSERVE(message_port(&call.message, 3, 0) == once_of);
    OBSERVE(port_refs(once_of, MACH_PORT_RIGHT_SEND));
    OBSERVE(port_status(once_of).mps_mscount);
    mach_port_destroy(SELF, message_port(&call.message, 0, 0));
    mach_port_destroy(SELF, send);
    mach_port_destroy(SELF, once_of);
    if (port_type(message_port(&call.message, 2, 0)))
        mach_port_destroy(SELF, message_port(&call.message, 2, 0));
    port_destroy(port);
}

CASE(send_gives_memory_back)
{
    mach_port_t port = port_create_full();
    struct helper helper = {0};
    char *given = pages_allocate(3), *lent = pages_allocate(2), small[64] = "small";
    memset(given, 'g', 3 * vm_page_size);
    memset(lent, 'l', 2 * vm_page_size);
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 100);
    message_add_memory(&call.message, given, 3 * vm_page_size, true);
    message_add_memory(&call.message, lent, 2 * vm_page_size, false);
    message_add_memory(&call.message, small, sizeof small, false);
    call_start(&helper, MACH_SEND_MSG, MACH_PORT_NULL);
    EXPECT(memory_mapped(given), false);
    lent[0] = 'x'; /* after the copy */
    call_abort(&helper);
    header_observe(port, MACH_PORT_NULL);
    static const unsigned int bytes[] = {3 * 4096, 2 * 4096, sizeof small};
    for (unsigned int i = 0; i < 3; i++) {
        const char *at = message_pointer(&call.message, i);
        OBSERVE(message_item(&call.message, i)->msgt_deallocate);
        OBSERVE(message_item(&call.message, i)->msgt_inline);
        OBSERVE(at == lent || at == small);
        bool there = memory_mapped(at);
        OBSERVE(there);
        if (there) {
            OBSERVE(at[0]);
            OBSERVE(at[bytes[i] - 1]);
            if (at != lent && at != small)
                vm_deallocate(SELF, (vm_address_t)at, bytes[i]);
        }
    }
    EXPECT(lent[0], 'x');
    pages_free(lent, 2);
    port_destroy(port);
}

/* The names that come back find no room: rights that were lost with their last reference. */
CASE(send_whose_right_died_meanwhile)
{
    mach_port_t port = port_create_full(), send = port_create_with_send();
    struct helper helper = {0};
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 100);
    message_add_ports(&call.message, &send, 1, MACH_MSG_TYPE_COPY_SEND);
    call_start(&helper, MACH_SEND_MSG, MACH_PORT_NULL);
    mach_port_destroy(SELF, send);
    call_abort(&helper);
    header_observe(port, MACH_PORT_NULL);
    OBSERVE(message_item(&call.message, 0)->msgt_name);
    mach_port_t back = message_port(&call.message, 0, 0);
    OBSERVE(back == MACH_PORT_DEAD);
    OBSERVE(back == MACH_PORT_NULL);
    if (back != MACH_PORT_DEAD && port_type(back))
        mach_port_destroy(SELF, back);
    port_destroy(port);
}

/* ---- stopped ------------------------------------------------------------------------------------- */

/* As a signal comes to a thread in a call whose send has been done: its registers say where it is, and it goes on
   elsewhere and back. */
CASE(call_stopped_and_sent_elsewhere)
{
    mach_port_t port = port_create_with_send(), reply = port_create();
    struct helper helper = {0};
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 100);
    call_start(&helper, MACH_SEND_MSG | MACH_RCV_MSG, reply);
    struct i386_thread_state before = detour_through_count(helper.thread);
    EXPECT((int)before.rax, MACH_RCV_INTERRUPTED);
    before.rax = 12345;
    EXPECT(registers_set(helper.thread, &before), KERN_SUCCESS);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(call.result, 12345);
    EXPECT(port_status(port).mps_msgcount, 1);
    port_destroy(port);
    port_destroy(reply);
}

CASE(send_stopped)
{
    mach_port_t port = port_create_full();
    struct helper helper = {0};
    message_begin(&call.message, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 100);
    call_start(&helper, MACH_SEND_MSG, MACH_PORT_NULL);
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    EXPECT((int)registers_get(helper.thread).rax, MACH_SEND_INTERRUPTED);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS); /* room comes too late */
    EXPECT(port_status(port).mps_msgcount, 0);
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS); /* once is enough */
    EXPECT((int)registers_get(helper.thread).rax, MACH_SEND_INTERRUPTED);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(call.result, MACH_SEND_INTERRUPTED);
    port_destroy(port);
}

/* Stopped, not interrupted: it goes on waiting when it is resumed, and the time goes on meanwhile. */
CASE(stopped_without_abort)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    call_start(&helper, MACH_RCV_MSG | MACH_RCV_TIMEOUT, port);
    for (int i = 0; i < 5; i++) {
        EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
        EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
        CHECK(helper_waits(&helper));
        EXPECT(call.result, PENDING);
    }
    EXPECT(send_empty(port, 9), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(call.result, MACH_MSG_SUCCESS);
    port_destroy(port);
}

static volatile bool spin_go, spin_began;

static void spin_then_receive(void *port)
{
    spin_began = true;
    while (!spin_go)
        ;
    call.result = mach_msg_trap(&call.message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof call.message,
                                *(mach_port_t *)port, 30, MACH_PORT_NULL);
}

/* An abort is of the wait that is, not of the one that will be. */
CASE(abort_before_the_call)
{
    mach_port_t port = port_create();
    for (int stopped = 0; stopped < 2; stopped++) {
        struct helper helper = {0};
        spin_go = spin_began = false;
        call.result = PENDING;
        helper_start(&helper, spin_then_receive, &port);
        WAIT_FOR(spin_began);
        if (stopped)
            EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
        EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
        if (stopped)
            EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
        spin_go = true;
        CHECK(helper_join(&helper));
        EXPECT(call.result, MACH_RCV_TIMED_OUT);
    }
    port_destroy(port);
}

/* A thread that has never run. */
CASE(abort_of_a_new_thread)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    bare_create(&bare, SELF, stub_count, (long)&counter);
    for (int i = 0; i < 3; i++)
        EXPECT(thread_abort(bare.thread), KERN_SUCCESS);
    EXPECT(registers_get(bare.thread).rip == (uint64_t)stub_count, true);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(counter > 0);
    bare_end(&bare);
}

CASE(abort_of_the_dead)
{
    mach_port_t thread;
    REQUIRE(thread_create(SELF, &thread), KERN_SUCCESS);
    EXPECT(thread_terminate(thread), KERN_SUCCESS);
    EXPECT(thread_abort(thread), MACH_SEND_INVALID_DEST);
    mach_port_deallocate(SELF, thread);
}

static void wait_in_child(void *page)
{
    mach_msg_header_t header;
    mach_port_t set = MACH_PORT_NULL;
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set);
    *(volatile long *)page = mach_msg_trap(&header, MACH_RCV_MSG, 0, sizeof header, set, 0, MACH_PORT_NULL);
}

/* In a task that is suspended as a whole. */
CASE(abort_in_a_suspended_task)
{
    struct child child;
    vm_address_t page = 0;
    REQUIRE(vm_allocate(SELF, &page, 4096, TRUE), KERN_SUCCESS);
    REQUIRE(vm_inherit(SELF, page, 4096, VM_INHERIT_SHARE), KERN_SUCCESS);
    volatile long *result = (volatile long *)page;
    *result = PENDING;
    child_create(&child, wait_in_child, (void *)page);
    child_start(&child);
    CHECK(thread_waits(child.thread));
    EXPECT(task_suspend(child.task), KERN_SUCCESS);
    EXPECT(thread_abort(child.thread), KERN_SUCCESS);
    EXPECT((int)registers_get(child.thread).rax, MACH_RCV_INTERRUPTED);
    EXPECT(*result, PENDING);
    EXPECT(task_resume(child.task), KERN_SUCCESS);
    CHECK(child_join(&child));
    EXPECT(*result, MACH_RCV_INTERRUPTED);
    vm_deallocate(SELF, page, 4096);
}
