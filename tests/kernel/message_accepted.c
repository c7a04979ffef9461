/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: MACH_SEND_NOTIFY and its msg-accepted notifications, MACH_SEND_CANCEL (Mach manual, "Message Send"). */

#include "messages.h"
#include "rights.h"

/* Sends an empty message with ID to PORT as TYPE, to be queued whatever happens. */
static mach_msg_return_t force(mach_port_t port, mach_msg_type_name_t type, mach_port_t notify, mach_msg_id_t id)
{
    message_begin(&message_out, port, type, 0, 0, id);
    return mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_NOTIFY | MACH_SEND_TIMEOUT, 32, 0, 0, 0,
                         notify);
}

CASE(send_notify_with_room)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_MSG_SUCCESS);
    OBSERVE(port_type(port) >> 16);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(notification_next(notify), -1);
    OBSERVE(port_status(notify).mps_sorights);
    port_destroy(port);
    port_destroy(notify);
}

CASE(send_notify_without_room)
{
    mach_port_t port = port_create_full(), notify = port_create();
    for (int round = 0; round < 2; round++) {
        EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
        OBSERVE(port_type(port) >> 16);
        OBSERVE(port_status(notify).mps_sorights);
        OBSERVE(port_status(port).mps_msgcount);
        EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 3), MACH_SEND_NOTIFY_IN_PROGRESS);
        OBSERVE(message_out.header.msgh_bits);
        OBSERVE(message_out.header.msgh_remote_port == port);
        OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_id);
        OBSERVE(notification_next(notify));
        EXPECT(send_empty(port, 1), MACH_SEND_TIMED_OUT);
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_id);
        OBSERVE(notification_next(notify));
        OBSERVE(notification_value == port);
        OBSERVE(message_in.header.msgh_size);
        OBSERVE(message_in.header.msgh_bits);
        OBSERVE(port_type(port) >> 16);
        EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    }
    port_destroy(port);
    OBSERVE(notification_next(notify));
    port_destroy(notify);
}

CASE(send_notify_after_a_timeout)
{
    mach_port_t port = port_create_full(), notify = port_create();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 2);
    EXPECT(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_NOTIFY | MACH_SEND_TIMEOUT, 32, 0, 0, 50,
                         notify),
           MACH_SEND_WILL_NOTIFY);
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 2);
    OBSERVE(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_NOTIFY, 32, 0, 0, 0, notify));
    port_destroy(port);
    OBSERVE(notification_next(notify));
    port_destroy(notify);
}

CASE(send_notify_wrong_names)
{
    for (enum kind kind = KIND_SEND; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        mach_port_t port = port_create_full(), reply = port_create();
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 2);
        observe_as(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_NOTIFY | MACH_SEND_TIMEOUT, 32, 0, 0, 0,
                                 named.name),
                   "%s", kind_names[kind]);
        observe_as(port_status(port).mps_msgcount, "%s: queued", kind_names[kind]);
        observe_as(port_status(reply).mps_sorights, "%s: send-once rights of the reply port", kind_names[kind]);
        if (port_type(message_out.header.msgh_local_port) == MACH_PORT_TYPE_SEND_ONCE)
            mach_port_destroy(mach_task_self(), message_out.header.msgh_local_port);
        /* With room nobody looks at it. */
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        observe_as(force(port, MACH_MSG_TYPE_COPY_SEND, named.name, 2), "%s: with room", kind_names[kind]);
        port_destroy(port);
        port_destroy(reply);
        named_destroy(&named);
    }
    mach_port_t port = port_create_full();
    OBSERVE(force(port, MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL, 2));
    OBSERVE(force(port, MACH_MSG_TYPE_COPY_SEND, MACH_PORT_DEAD, 2));
    port_destroy(port);
}

CASE(send_notify_the_right_goes)
{
    mach_port_t port = port_create_full(), notify = port_create();
    EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
    EXPECT(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
    OBSERVE(port_type(port) >> 16);
    for (int i = 0; i < 2; i++)
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    OBSERVE(notification_next(notify));
    OBSERVE(notification_value == port);
    port_destroy(port);
    port_destroy(notify);
}

CASE(send_notify_of_a_moved_right)
{
    mach_port_t port = port_create_full(), notify = port_create();
    EXPECT(force(port, MACH_MSG_TYPE_MOVE_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
    OBSERVE(port_type(port) >> 16);
    OBSERVE(force(port, MACH_MSG_TYPE_MAKE_SEND, notify, 3));
    OBSERVE(port_type(port) >> 16);
    while (receive_within(port, 0) == MACH_MSG_SUCCESS)
        OBSERVE(received()->msgh_id);
    for (int i = 0; i < 3; i++) {
        OBSERVE(notification_next(notify));
        OBSERVE(notification_value == port);
    }
    port_destroy(port);
    port_destroy(notify);
}

CASE(send_notify_the_name_changes)
{
    mach_port_t port = port_create_full(), notify = port_create(), unused = name_fresh();
    EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
    EXPECT(mach_port_rename(mach_task_self(), port, unused), KERN_SUCCESS);
    OBSERVE(port_type(unused) >> 16);
    for (int i = 0; i < 2; i++)
        EXPECT(receive_within(unused, 0), MACH_MSG_SUCCESS);
    OBSERVE(notification_next(notify));
    OBSERVE(notification_value == unused);
    OBSERVE(port_type(unused) >> 16);
    port_destroy(unused);
    port_destroy(notify);
}

CASE(send_notify_the_port_dies)
{
    mach_port_t port = port_create_full(), notify = port_create();
    EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
    EXPECT(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    OBSERVE(notification_next(notify));
    OBSERVE(notification_value == port);
    OBSERVE(port_type(port) >> 16);
    mach_port_deallocate(mach_task_self(), port);
    port_destroy(notify);
}

CASE(send_notify_to_a_right_that_is_underway)
{
    /* The receive right is in a message and dies there. */
    struct named named = named_create(KIND_SEND);
    mach_port_t notify = port_create();
    int sent = 0;
    while (sent < 20 && force(named.name, MACH_MSG_TYPE_COPY_SEND, notify, 2) == MACH_MSG_SUCCESS)
        sent++;
    OBSERVE(sent);
    OBSERVE(port_type(named.name) >> 16);
    port_destroy(named.keeper);
    OBSERVE(notification_next(notify));
    OBSERVE(notification_value == named.name);
    OBSERVE(port_type(named.name) >> 16);
    named_destroy(&named);
    port_destroy(notify);
}

CASE(send_notify_the_notify_port_dies)
{
    mach_port_t port = port_create_full(), notify = port_create();
    EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
    port_destroy(notify);
    OBSERVE(port_type(port) >> 16);
    for (int i = 0; i < 2; i++)
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    OBSERVE(port_type(port) >> 16);
    port_destroy(port);
}

CASE(send_notify_too_large_to_receive)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 0), KERN_SUCCESS);
    EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
    EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_LARGE, 0, 8, port, 0, 0),
           MACH_RCV_TOO_LARGE);
    OBSERVE(notification_next(notify));
    EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 8, port, 0, 0), MACH_RCV_TOO_LARGE);
    OBSERVE(notification_next(notify));
    port_destroy(port);
    port_destroy(notify);
}

CASE(send_notify_by_send_once)
{
    mach_port_t port = port_create_full(), notify = port_create();
    EXPECT(force(port, MACH_MSG_TYPE_MAKE_SEND_ONCE, notify, 2), MACH_MSG_SUCCESS);
    port_destroy(port);
    OBSERVE(notification_next(notify));
    port_destroy(notify);
}

CASE(send_notify_through_a_set)
{
    mach_port_t port = port_create_full(), notify = port_create(), set = set_create();
    EXPECT(mach_port_move_member(mach_task_self(), port, set), KERN_SUCCESS);
    EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
    for (int i = 0; i < 2; i++) {
        EXPECT(receive_within(set, 0), MACH_MSG_SUCCESS);
        OBSERVE(notification_next(notify));
    }
    port_destroy(port);
    port_destroy(set);
    port_destroy(notify);
}

CASE(send_notify_moves_with_the_receive_right)
{
    mach_port_t port = port_create_full(), notify = port_create();
    EXPECT(force(port, MACH_MSG_TYPE_COPY_SEND, notify, 2), MACH_SEND_WILL_NOTIFY);
    EXPECT(receive_right_back(receive_right_hide(port)) == port, 1);
    OBSERVE(port_type(port) >> 16);
    for (int i = 0; i < 2; i++) {
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        OBSERVE(notification_next(notify));
    }
    port_destroy(port);
    port_destroy(notify);
}

/* ---- MACH_SEND_CANCEL ----------------------------------------------------------------------------- */

static mach_msg_return_t send_cancelling(mach_port_t name, mach_msg_type_name_t type, mach_port_t notify)
{
    message_begin(&message_out, name, type, 0, 0, 1);
    return mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT | MACH_SEND_CANCEL, 32, 0, 0, 0,
                         notify);
}

CASE(send_cancel_of_a_send_right)
{
    struct named named = named_create(KIND_SEND);
    mach_port_t notify = death_watch(named.name);
    EXPECT(send_cancelling(named.name, MACH_MSG_TYPE_MOVE_SEND, notify), MACH_MSG_SUCCESS);
    OBSERVE(port_type(named.name) >> 16);
    OBSERVE(notification_next(notify));
    OBSERVE(port_status(notify).mps_sorights);
    named_destroy(&named);
    port_destroy(notify);
}

CASE(send_cancel_of_a_send_once_right)
{
    struct named named = named_create(KIND_SEND_ONCE);
    mach_port_t notify = death_watch(named.name);
    EXPECT(send_cancelling(named.name, MACH_MSG_TYPE_MOVE_SEND_ONCE, notify), MACH_MSG_SUCCESS);
    OBSERVE(notification_next(notify));
    OBSERVE(port_status(notify).mps_sorights);
    named_destroy(&named);
    port_destroy(notify);
}

CASE(send_cancel_that_removes_nothing)
{
    struct named named = named_create(KIND_SEND);
    mach_port_t notify = death_watch(named.name);
    EXPECT(send_cancelling(named.name, MACH_MSG_TYPE_COPY_SEND, notify), MACH_MSG_SUCCESS);
    OBSERVE(port_type(named.name) >> 16);
    mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, 1);
    EXPECT(send_cancelling(named.name, MACH_MSG_TYPE_MOVE_SEND, notify), MACH_MSG_SUCCESS);
    OBSERVE(port_type(named.name) >> 16);
    OBSERVE(notification_next(notify));
    named_destroy(&named);
    OBSERVE(notification_next(notify));
    port_destroy(notify);
}

CASE(send_cancel_of_somebody_elses_request)
{
    struct named named = named_create(KIND_SEND);
    mach_port_t notify = port_create(), other = port_create();
    EXPECT(notification_request(named.name, MACH_NOTIFY_DEAD_NAME, 0, other, NULL), KERN_SUCCESS);
    EXPECT(send_cancelling(named.name, MACH_MSG_TYPE_MOVE_SEND, notify), MACH_MSG_SUCCESS);
    OBSERVE(notification_next(notify));
    OBSERVE(notification_next(other));
    named_destroy(&named);
    port_destroy(notify);
    port_destroy(other);
}

CASE(send_cancel_wrong_names)
{
    for (enum kind kind = KIND_RECEIVE; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        mach_port_t port = port_create_with_send();
        observe_as(send_cancelling(port, MACH_MSG_TYPE_COPY_SEND, named.name), "%s", kind_names[kind]);
        observe_as(port_status(port).mps_msgcount, "%s: queued", kind_names[kind]);
        port_destroy(port);
        named_destroy(&named);
    }
    mach_port_t port = port_create_with_send();
    OBSERVE(send_cancelling(port, MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL));
    OBSERVE(send_cancelling(port, MACH_MSG_TYPE_COPY_SEND, MACH_PORT_DEAD));
    OBSERVE(send_cancelling(name_fresh(), MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL));
    port_destroy(port);
}
