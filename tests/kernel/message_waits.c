/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: sends and receives that wait: timeouts, interruption, ports that die meanwhile, senders without room. */

#include "messages.h"
#include "objects.h"
#include "rights.h"

/* What a helper does: one mach_msg_trap. */
struct call {
    mach_port_t port;
    mach_msg_option_t option;
    mach_msg_timeout_t timeout;
    mach_msg_id_t id;
    mach_msg_type_name_t type;
    mach_msg_return_t result;
    volatile int ended;
    struct message message;
};
static struct call calls[4];

static void call_run(void *argument)
{
    struct call *call = argument;
    message_begin(&call->message, call->port, call->type, 0, 0, call->id);
    call->result = mach_msg_trap(&call->message.header, call->option, sizeof call->message.header, sizeof call->message,
                                 call->port, call->timeout, MACH_PORT_NULL);
    call->ended = 1;
}

/* Starts call INDEX in a thread of its own and lets it wait. */
static void call_start(int index, struct helper *helper, mach_port_t port, mach_msg_option_t option,
                       mach_msg_timeout_t timeout)
{
    calls[index] = (struct call){.port = port,
                                 .option = option,
                                 .timeout = timeout,
                                 .id = 100 + index,
                                 .type = MACH_MSG_TYPE_COPY_SEND,
                                 .result = -1};
    helper_start(helper, call_run, &calls[index]);
    CHECK(helper_waits(helper));
}

/* ---- timeouts ------------------------------------------------------------------------------------- */

CASE(receive_times_out)
{
    mach_port_t port = port_create();
    static const mach_msg_timeout_t times[] = {0, 1, 5, 10, 50};
    for (unsigned int i = 0; i < sizeof times / sizeof *times; i++)
        EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 64, port, times[i], 0),
               MACH_RCV_TIMED_OUT);
    EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_INTERRUPT, 0, 64, port, 5, 0),
           MACH_RCV_TIMED_OUT);
    EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_LARGE, 0, 64, port, 5, 0),
           MACH_RCV_TIMED_OUT);
    port_destroy(port);
}

CASE(send_times_out)
{
    mach_port_t port = port_create_full();
    static const mach_msg_timeout_t times[] = {0, 1, 5, 10, 50};
    for (unsigned int i = 0; i < sizeof times / sizeof *times; i++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        EXPECT(message_send_within(&message_out, times[i]), MACH_SEND_TIMED_OUT);
    }
    EXPECT(port_status(port).mps_msgcount, 1);
    port_destroy(port);
}

CASE(timeout_without_the_option_is_ignored)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_RCV_MSG, 1);
    OBSERVE(calls[0].ended);
    EXPECT(send_empty(port, 7), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_MSG_SUCCESS);
    port_destroy(port);
}

CASE_OURS(huge_timeouts)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0x7fffffff);
    EXPECT(calls[0].ended, 0);
    EXPECT(send_empty(port, 7), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_MSG_SUCCESS);
    port_destroy(port);
}

CASE(message_comes_before_the_timeout)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 30000);
    EXPECT(send_empty(port, 7), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_MSG_SUCCESS);
    EXPECT(calls[0].message.header.msgh_id, 7);
    port_destroy(port);
}

CASE(timed_out_receiver_is_forgotten)
{
    mach_port_t port = port_create_with_send();
    for (int i = 0; i < 5; i++) {
        EXPECT(receive_within(port, 1), MACH_RCV_TIMED_OUT);
        EXPECT(send_empty(port, i), MACH_MSG_SUCCESS);
        EXPECT(receive_within(port, 1), MACH_MSG_SUCCESS);
        EXPECT(received()->msgh_id, i);
    }
    port_destroy(port);
}

/* ---- senders that wait -------------------------------------------------------------------------------- */

CASE(sender_waits_for_room)
{
    mach_port_t port = port_create_full();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_SEND_MSG, 0);
    EXPECT(calls[0].ended, 0);
    EXPECT(port_status(port).mps_msgcount, 1);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 1);
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_MSG_SUCCESS);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 100);
    port_destroy(port);
}

CASE(every_sender_gets_room)
{
    mach_port_t port = port_create_full();
    struct helper helpers[4] = {0};
    for (int i = 0; i < 4; i++)
        call_start(i, &helpers[i], port, MACH_SEND_MSG, 0);
    int seen = 0;
    for (int i = 0; i < 5; i++) {
        EXPECT(receive_within(port, 20000), MACH_MSG_SUCCESS);
        seen |= received()->msgh_id == 1 ? 16 : 1 << (received()->msgh_id - 100);
    }
    EXPECT(seen, 31);
    for (int i = 0; i < 4; i++) {
        CHECK(helper_join(&helpers[i]));
        EXPECT(calls[i].result, MACH_MSG_SUCCESS);
    }
    port_destroy(port);
}

CASE(sender_waits_while_the_limit_rises)
{
    mach_port_t port = port_create_full();
    struct helper helpers[3] = {0};
    for (int i = 0; i < 3; i++)
        call_start(i, &helpers[i], port, MACH_SEND_MSG, 0);
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 3), KERN_SUCCESS);
    for (int i = 0; i < 3; i++)
        CHECK(helper_waits(&helpers[i]));
    EXPECT(port_status(port).mps_msgcount, 3);
    EXPECT(calls[0].ended + calls[1].ended + calls[2].ended, 2);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    for (int i = 0; i < 3; i++)
        CHECK(helper_join(&helpers[i]));
    port_destroy(port);
}

CASE(sender_waits_while_the_port_dies)
{
    mach_port_t port = port_create_full();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_SEND_MSG, 0);
    EXPECT(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    OBSERVE(calls[0].result);
    mach_port_destroy(mach_task_self(), port);
}

CASE(sender_waits_while_the_right_goes)
{
    mach_port_t port = port_create_full();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_SEND_MSG, 0);
    EXPECT(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
    pause_ms(50);
    EXPECT(calls[0].ended, 0);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_MSG_SUCCESS);
    port_destroy(port);
}

CASE(sender_waits_while_the_receive_right_moves)
{
    mach_port_t port = port_create_full();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_SEND_MSG, 0);
    mach_port_t keeper = receive_right_hide(port);
    pause_ms(50);
    EXPECT(calls[0].ended, 0);
    EXPECT(receive_right_back(keeper) == port, 1);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_MSG_SUCCESS);
    port_destroy(port);
}

CASE(sender_waits_while_the_port_joins_a_set)
{
    mach_port_t port = port_create_full(), set = set_create();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_SEND_MSG, 0);
    EXPECT(mach_port_move_member(mach_task_self(), port, set), KERN_SUCCESS);
    pause_ms(50);
    EXPECT(calls[0].ended, 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(receive_within(set, 20000), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_id);
    }
    CHECK(helper_join(&helper));
    port_destroy(port);
    port_destroy(set);
}

CASE(sender_is_killed)
{
    mach_port_t port = port_create_full(), other = port_create();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_SEND_MSG, 0);
    helper_kill(&helper);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    OBSERVE(receive_within(port, 100));
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
    port_destroy(port);
    port_destroy(other);
}

CASE(limit_of_no_messages_and_a_receiver)
{
    /* Nothing fits the queue, but somebody waits for it. */
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 0), KERN_SUCCESS);
    call_start(0, &helper, port, MACH_RCV_MSG, 0);
    OBSERVE(send_empty(port, 8));
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 1), KERN_SUCCESS);
    CHECK(helper_waits(&helper)); /* one that was sent to runs until it is done */
    if (calls[0].ended == 0)
        OBSERVE(send_empty(port, 9));
    CHECK(helper_join(&helper));
    OBSERVE(calls[0].message.header.msgh_id);
    port_destroy(port);
}

CASE(limit_of_no_messages_and_a_call)
{
    /* The same for one who sends and receives in one call: what the request is not let in for, its answer is. */
    mach_port_t port = port_create_with_send(), reply = port_create();
    struct helper helper = {0};
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 0), KERN_SUCCESS);
    call_start(0, &helper, port, MACH_RCV_MSG, 0);
    mach_msg_header_t request = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
                                 .msgh_size = sizeof request,
                                 .msgh_remote_port = port,
                                 .msgh_local_port = reply,
                                 .msgh_id = 8};
    OBSERVE(mach_msg(&request, MACH_SEND_MSG | MACH_RCV_MSG | MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT, sizeof request,
                     sizeof request, reply, 100, MACH_PORT_NULL));
    OBSERVE(port_status(port).mps_msgcount);
    OBSERVE(port_status(reply).mps_sorights);
    mach_port_t sonce = request.msgh_local_port == port ? request.msgh_remote_port : request.msgh_local_port;
    if (port_type(sonce) & MACH_PORT_TYPE_SEND_ONCE) /* what was not sent has come back */
        mach_port_deallocate(mach_task_self(), sonce);
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 1), KERN_SUCCESS);
    if (calls[0].ended == 0)
        OBSERVE(send_empty(port, 9));
    CHECK(helper_join(&helper));
    OBSERVE(calls[0].message.header.msgh_id);
    port_destroy(port);
    port_destroy(reply);
}

/* ---- interruption ------------------------------------------------------------------------------------------ */

CASE(receiver_is_aborted)
{
    static const mach_msg_option_t options[] = {0, MACH_RCV_INTERRUPT, MACH_RCV_TIMEOUT, MACH_RCV_LARGE};
    for (int i = 0; i < 4; i++) {
        mach_port_t port = port_create_with_send();
        struct helper helper = {0};
        call_start(0, &helper, port, MACH_RCV_MSG | options[i], 30000);
        EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
        CHECK(helper_join(&helper));
        EXPECT(calls[0].result, MACH_RCV_INTERRUPTED);
        EXPECT(send_empty(port, 5), MACH_MSG_SUCCESS);
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        EXPECT(received()->msgh_seqno, 0);
        port_destroy(port);
    }
}

CASE(receiver_of_a_set_is_aborted)
{
    mach_port_t set = set_create();
    struct helper helper = {0};
    call_start(0, &helper, set, MACH_RCV_MSG, 0);
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_RCV_INTERRUPTED);
    port_destroy(set);
}

CASE(sender_is_aborted)
{
    static const mach_msg_option_t options[] = {0, MACH_SEND_INTERRUPT, MACH_SEND_TIMEOUT};
    for (int i = 0; i < 3; i++) {
        mach_port_t port = port_create_full();
        struct helper helper = {0};
        call_start(0, &helper, port, MACH_SEND_MSG | options[i], 30000);
        EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
        CHECK(helper_join(&helper));
        EXPECT(calls[0].result, MACH_SEND_INTERRUPTED);
        OBSERVE(calls[0].message.header.msgh_bits);
        OBSERVE(calls[0].message.header.msgh_remote_port == port);
        OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
        EXPECT(port_status(port).mps_msgcount, 1);
        port_destroy(port);
    }
}

CASE(call_is_aborted_after_the_send)
{
    mach_port_t port = port_create_with_send(), reply = port_create();
    struct helper helper = {0};
    calls[0] = (struct call){.port = port};
    call_start(0, &helper, port, MACH_SEND_MSG | MACH_RCV_MSG, 0);
    /* It has received its own message: the port is where it sends to. */
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_MSG_SUCCESS);
    EXPECT(calls[0].message.header.msgh_id, 100);
    port_destroy(port);
    port_destroy(reply);
}

CASE(abort_before_the_wait)
{
    /* A thread that is suspended and aborted before it comes to wait does not wait. */
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_RCV_MSG, 0);
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    pause_ms(50);
    EXPECT(calls[0].ended, 0);
    EXPECT(send_empty(port, 6), MACH_MSG_SUCCESS);
    OBSERVE(port_status(port).mps_msgcount);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    OBSERVE(calls[0].result);
    port_destroy(port);
}

CASE_DIFFERS(suspended_receiver_takes_its_message)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    call_start(0, &helper, port, MACH_RCV_MSG, 0);
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    EXPECT(send_empty(port, 6), MACH_MSG_SUCCESS);
    pause_ms(50);
    EXPECT(calls[0].ended, 0);
    OBSERVE(port_status(port).mps_msgcount);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(calls[0].result, MACH_MSG_SUCCESS);
    EXPECT(calls[0].message.header.msgh_id, 6);
    port_destroy(port);
}

/* ---- receivers that end ------------------------------------------------------------------------------ */

enum { SERVER_PORT = 100 }; /* the server's name for it */

static void server_run(void *unused)
{
    (void)unused;
    static struct message request;
    for (;;)
        message_receive(&request, SERVER_PORT, NO_LIMIT);
}

/* A request is in the server's hands, which has not run since, when its task ends: who waits for the answer is told,
   and what came with the request is gone. */
CASE(server_ends_with_a_request_in_its_hands)
{
    mach_port_t port = port_create_with_send(), reply = port_create(), cargo = port_create_with_send();
    struct child server;
    child_create(&server, server_run, NULL);
    REQUIRE(mach_port_insert_right(server.task, SERVER_PORT, port, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    EXPECT(thread_priority(server.thread, 60, FALSE), KERN_SUCCESS); /* it has to wait for the processor */
    child_start(&server);
    CHECK(thread_waits(server.thread));
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 1);
    message_add_ports(&message_out, &cargo, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    child_kill(&server);
    EXPECT(message_receive(&message_in, reply, 100000), MACH_MSG_SUCCESS);
    EXPECT(message_in.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
    WAIT_FOR(port_type(cargo) == MACH_PORT_TYPE_DEAD_NAME);
    WAIT_FOR(port_type(port) == MACH_PORT_TYPE_DEAD_NAME);
    port_destroy(cargo);
    port_destroy(port);
    port_destroy(reply);
}
