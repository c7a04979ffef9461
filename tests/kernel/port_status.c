/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: what a receive right tells and lets set (Mach manual, "Receive Rights"). */

#include "messages.h"
#include "rights.h"

CASE(status_of_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        mach_port_status_t status;
        observe_as(mach_port_get_receive_status(mach_task_self(), named.name, &status), "%s", kind_names[kind]);
        named_destroy(&named);
    }
    mach_port_status_t status;
    EXPECT(mach_port_get_receive_status(mach_task_self(), MACH_PORT_NULL, &status), KERN_INVALID_NAME);
    EXPECT(mach_port_get_receive_status(mach_task_self(), MACH_PORT_DEAD, &status), KERN_INVALID_NAME);
}

CASE(setters_of_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        observe_as(mach_port_set_qlimit(mach_task_self(), named.name, 3), "%s: qlimit", kind_names[kind]);
        observe_as(mach_port_set_mscount(mach_task_self(), named.name, 3), "%s: mscount", kind_names[kind]);
        observe_as(mach_port_set_seqno(mach_task_self(), named.name, 3), "%s: seqno", kind_names[kind]);
        observe_as(mach_port_set_protected_payload(mach_task_self(), named.name, 3), "%s: payload", kind_names[kind]);
        observe_as(mach_port_clear_protected_payload(mach_task_self(), named.name), "%s: no payload", kind_names[kind]);
        named_destroy(&named);
    }
}

CASE(qlimit_values)
{
    mach_port_t unused = name_fresh();
    static const mach_port_msgcount_t limits[] = {0, 1, 2, 5, 15, 16, 17, 100, 0x7fffffff, 0xffffffff};
    mach_port_t port = port_create();
    for (unsigned int i = 0; i < sizeof limits / sizeof *limits; i++) {
        observe_as(mach_port_set_qlimit(mach_task_self(), port, limits[i]), "%u", limits[i]);
        observe_as(port_status(port).mps_qlimit, "%u: limit", limits[i]);
    }
    OBSERVE(mach_port_set_qlimit(mach_task_self(), unused, 17));
    OBSERVE(mach_port_set_qlimit(mach_task_self(), MACH_PORT_NULL, 17));
    port_destroy(port);
}

CASE(qlimit_bounds_the_queue)
{
    mach_port_t port = port_create_with_send();
    for (mach_port_msgcount_t limit = 0; limit <= 16; limit++) {
        unsigned int sent = 0;
        EXPECT(mach_port_set_qlimit(mach_task_self(), port, limit), KERN_SUCCESS);
        while (sent < 40 && send_empty(port, sent) == MACH_MSG_SUCCESS)
            sent++;
        observe_as(sent, "limit %u", limit);
        OBSERVE(port_status(port).mps_msgcount);
        OBSERVE(send_empty(port, 1));
        while (receive_within(port, 0) == MACH_MSG_SUCCESS)
            ;
    }
    port_destroy(port);
}

CASE(qlimit_lowered_below_the_queue)
{
    mach_port_t port = port_create_with_send();
    for (int i = 0; i < 5; i++)
        EXPECT(send_empty(port, i), MACH_MSG_SUCCESS);
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 2), KERN_SUCCESS);
    for (int i = 0; i < 5; i++) {
        OBSERVE(send_empty(port, 50));
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_id);
    }
    while (receive_within(port, 0) == MACH_MSG_SUCCESS)
        OBSERVE(received()->msgh_id);
    port_destroy(port);
}

CASE(qlimit_raised_lets_send)
{
    mach_port_t port = port_create_with_send();
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 1), KERN_SUCCESS);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(send_empty(port, 2), MACH_SEND_TIMED_OUT);
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 2), KERN_SUCCESS);
    EXPECT(send_empty(port, 2), MACH_MSG_SUCCESS);
    EXPECT(send_empty(port, 3), MACH_SEND_TIMED_OUT);
    port_destroy(port);
}

CASE(mscount_values)
{
    static const mach_port_mscount_t counts[] = {0, 1, 77, 0x7fffffff, 0x80000000, 0xffffffff};
    mach_port_t port = port_create();
    for (unsigned int i = 0; i < sizeof counts / sizeof *counts; i++) {
        EXPECT(mach_port_set_mscount(mach_task_self(), port, counts[i]), KERN_SUCCESS);
        EXPECT(port_status(port).mps_mscount, counts[i]);
    }
    EXPECT(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND), KERN_SUCCESS);
    EXPECT(port_status(port).mps_mscount, 0);
    port_destroy(port);
}

CASE(mscount_counts_made_rights_only)
{
    mach_port_t port = port_create(), got;
    mach_msg_type_name_t type;
    OBSERVE(port_status(port).mps_mscount);
    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
    OBSERVE(port_status(port).mps_mscount);
    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_COPY_SEND);
    OBSERVE(port_status(port).mps_mscount);
    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, 5);
    OBSERVE(port_status(port).mps_mscount);
    mach_port_extract_right(mach_task_self(), port, MACH_MSG_TYPE_MAKE_SEND_ONCE, &got, &type);
    OBSERVE(port_status(port).mps_mscount);
    mach_port_deallocate(mach_task_self(), got);
    OBSERVE(receive_within(port, 0));
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND, 0, 0, 1);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_status(port).mps_mscount);
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, port, MACH_MSG_TYPE_MAKE_SEND, 1);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_status(port).mps_mscount);
    port_destroy(port);
}

CASE(seqno_counts_received_messages)
{
    mach_port_t port = port_create_with_send();
    for (int i = 0; i < 4; i++) {
        EXPECT(send_empty(port, i), MACH_MSG_SUCCESS);
        EXPECT(port_status(port).mps_seqno, (unsigned int)i);
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        EXPECT(received()->msgh_seqno, (unsigned int)i);
    }
    EXPECT(port_status(port).mps_seqno, 4);
    port_destroy(port);
}

CASE(seqno_set_and_wrapping)
{
    mach_port_t port = port_create_with_send();
    EXPECT(mach_port_set_seqno(mach_task_self(), port, 0xfffffffe), KERN_SUCCESS);
    for (int i = 0; i < 4; i++) {
        EXPECT(send_empty(port, i), MACH_MSG_SUCCESS);
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_seqno);
    }
    EXPECT(port_status(port).mps_seqno, 2);
    port_destroy(port);
}

CASE(seqno_of_messages_not_received)
{
    mach_port_t port = port_create_with_send();
    /* One too large is destroyed and counted; one left in the queue is not. */
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 9);
    const int values[8] = {1};
    message_add_integers(&message_out, values, 8);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_LARGE | MACH_RCV_TIMEOUT, 0, 32, port, 0, 0),
           MACH_RCV_TOO_LARGE);
    EXPECT(port_status(port).mps_seqno, 0);
    EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 32, port, 0, 0), MACH_RCV_TOO_LARGE);
    EXPECT(port_status(port).mps_seqno, 1);
    OBSERVE(message_in.header.msgh_seqno);
    port_destroy(port);
}

CASE(send_once_rights_are_counted)
{
    mach_port_t port = port_create();
    for (int i = 0; i < 3; i++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, i);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
        OBSERVE(port_status(port).mps_sorights);
    }
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    OBSERVE(port_status(port).mps_sorights);
    OBSERVE(port_type(message_in.header.msgh_remote_port));
    mach_port_deallocate(mach_task_self(), message_in.header.msgh_remote_port);
    OBSERVE(port_status(port).mps_sorights);
    OBSERVE(port_status(port).mps_msgcount);
    port_destroy(port);
}

CASE(send_rights_in_messages_are_counted)
{
    mach_port_t port = port_create();
    OBSERVE(port_status(port).mps_srights);
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND, 0, 0, 1);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_status(port).mps_srights);
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    OBSERVE(port_status(port).mps_srights);
    OBSERVE(port_type(port));
    port_destroy(port);
}

CASE(protected_payload_in_messages)
{
    static const unsigned long payloads[] = {0, 1, 0x123456789abcdef0, ~0ul};
    mach_port_t port = port_create_with_send();
    for (unsigned int i = 0; i < 4; i++) {
        EXPECT(mach_port_set_protected_payload(mach_task_self(), port, payloads[i]), KERN_SUCCESS);
        EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_protected_payload);
        OBSERVE(MACH_MSGH_BITS_LOCAL(received()->msgh_bits));
        OBSERVE(MACH_MSGH_BITS_REMOTE(received()->msgh_bits));
    }
    EXPECT(mach_port_clear_protected_payload(mach_task_self(), port), KERN_SUCCESS);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_local_port == port, 1);
    EXPECT(MACH_MSGH_BITS_LOCAL(received()->msgh_bits), MACH_MSG_TYPE_PORT_SEND);
    EXPECT(mach_port_clear_protected_payload(mach_task_self(), port), KERN_SUCCESS);
    port_destroy(port);
}

CASE(protected_payload_of_send_once_messages)
{
    mach_port_t port = port_create();
    EXPECT(mach_port_set_protected_payload(mach_task_self(), port, 4711), KERN_SUCCESS);
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, 1);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    OBSERVE(message_in.header.msgh_protected_payload);
    OBSERVE(message_in.header.msgh_bits);
    mach_port_deallocate(mach_task_self(), message_in.header.msgh_remote_port);
    /* The notification has it as well. */
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    EXPECT(message_in.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
    OBSERVE(message_in.header.msgh_protected_payload);
    OBSERVE(message_in.header.msgh_bits);
    port_destroy(port);
}

CASE(protected_payload_set_while_queued)
{
    mach_port_t port = port_create_with_send();
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(mach_port_set_protected_payload(mach_task_self(), port, 5), KERN_SUCCESS);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    OBSERVE(received()->msgh_protected_payload);
    OBSERVE(MACH_MSGH_BITS_LOCAL(received()->msgh_bits));
    port_destroy(port);
}

CASE(protected_payload_through_a_set)
{
    mach_port_t set = set_create(), port = port_create_with_send();
    EXPECT(mach_port_set_protected_payload(mach_task_self(), port, 6), KERN_SUCCESS);
    EXPECT(mach_port_move_member(mach_task_self(), port, set), KERN_SUCCESS);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(receive_within(set, 0), MACH_MSG_SUCCESS);
    OBSERVE(received()->msgh_protected_payload);
    OBSERVE(MACH_MSGH_BITS_LOCAL(received()->msgh_bits));
    port_destroy(port);
    port_destroy(set);
}

CASE(protected_payload_goes_with_the_receive_right)
{
    mach_port_t port = port_create_with_send();
    EXPECT(mach_port_set_protected_payload(mach_task_self(), port, 7), KERN_SUCCESS);
    mach_port_t back = receive_right_back(receive_right_hide(port));
    EXPECT(back == port, 1);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    OBSERVE(MACH_MSGH_BITS_LOCAL(received()->msgh_bits));
    port_destroy(port);
}

CASE(status_into_unmapped_memory)
{
    mach_port_t port = port_create();
    /* The stub writes it: only the reply counts. */
    mach_port_status_t *status = pages_allocate(1);
    OBSERVE(mach_port_get_receive_status(mach_task_self(), port, status));
    pages_free(status, 1);
    port_destroy(port);
}
