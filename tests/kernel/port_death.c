/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: notifications of what has gone (Mach manual, "Request Notifications"; mach/notify.defs): dead names, ports
   deleted, ports destroyed. */

#include "messages.h"
#include "rights.h"

/* ---- dead names ---------------------------------------------------------------------------------- */

CASE(dead_name_of_every_right)
{
    for (enum kind kind = KIND_SEND; kind <= KIND_SEND_ONCE; kind++) {
        struct named named = named_create(kind);
        mach_port_t notify = death_watch(named.name);
        observe_as(port_type(named.name) >> 16, "%s: asked", kind_names[kind]);
        if (kind == KIND_BOTH)
            mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_RECEIVE, -1);
        else
            port_destroy(named.keeper);
        notifications_observe(notify, named.name);
        observe_as(port_type(named.name) >> 16, "%s: type", kind_names[kind]);
        observe_as(port_refs(named.name, MACH_PORT_RIGHT_DEAD_NAME), "%s: references", kind_names[kind]);
        mach_port_destroy(mach_task_self(), named.name);
        port_destroy(notify);
    }
}

CASE(dead_name_of_a_receive_right_alone)
{
    mach_port_t port = port_create(), notify = death_watch(port);
    EXPECT(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    notifications_observe(notify, port);
    EXPECT(port_type(port), 0);
    port_destroy(notify);
}

CASE(dead_name_to_the_port_that_dies)
{
    struct named named = named_create(KIND_BOTH);
    EXPECT(notification_request(named.name, MACH_NOTIFY_DEAD_NAME, 0, named.name, NULL), KERN_SUCCESS);
    EXPECT(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    OBSERVE(port_type(named.name));
    OBSERVE(port_refs(named.name, MACH_PORT_RIGHT_DEAD_NAME));
    mach_port_destroy(mach_task_self(), named.name);
}

CASE(dead_name_already)
{
    mach_port_t dead = port_create_dead(), notify = port_create();
    EXPECT(notification_request(dead, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_INVALID_ARGUMENT);
    OBSERVE(notification_next(notify));
    EXPECT(notification_request(dead, MACH_NOTIFY_DEAD_NAME, 1, MACH_PORT_NULL, NULL), KERN_INVALID_ARGUMENT);
    EXPECT(port_refs(dead, MACH_PORT_RIGHT_DEAD_NAME), 1);
    EXPECT(notification_request(dead, MACH_NOTIFY_DEAD_NAME, 1, notify, NULL), KERN_SUCCESS);
    notifications_observe(notify, dead);
    EXPECT(port_refs(dead, MACH_PORT_RIGHT_DEAD_NAME), 2);
    OBSERVE(port_type(dead));
    mach_port_destroy(mach_task_self(), dead);
    port_destroy(notify);
}

CASE(dead_name_already_with_all_references)
{
    mach_port_t dead = port_create_dead(), notify = port_create();
    EXPECT(mach_port_mod_refs(mach_task_self(), dead, MACH_PORT_RIGHT_DEAD_NAME, 65534), KERN_SUCCESS);
    EXPECT(notification_request(dead, MACH_NOTIFY_DEAD_NAME, 1, notify, NULL), KERN_UREFS_OVERFLOW);
    notifications_observe(notify, dead);
    EXPECT(port_refs(dead, MACH_PORT_RIGHT_DEAD_NAME), 65535);
    mach_port_destroy(mach_task_self(), dead);
    port_destroy(notify);
}

CASE(dead_name_with_all_send_references)
{
    struct named named = named_create(KIND_SEND);
    mach_port_t notify = port_create();
    EXPECT(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, 65533), KERN_SUCCESS);
    EXPECT(notification_request(named.name, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
    port_destroy(named.keeper);
    EXPECT(notification_next(notify), MACH_NOTIFY_DEAD_NAME);
    EXPECT(port_refs(named.name, MACH_PORT_RIGHT_DEAD_NAME), 65535);
    mach_port_destroy(mach_task_self(), named.name);
    port_destroy(notify);
}

CASE(dead_names_of_many_tasks_and_names)
{
    enum { COUNT = 20 };
    mach_port_t port = port_create(), notify = port_create(), names[COUNT];
    for (int i = 0; i < COUNT; i++) {
        names[i] = sonce_create(port);
        EXPECT(notification_request(names[i], MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
    }
    EXPECT(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
    unsigned int seen = 0;
    while (notification_next(notify) == MACH_NOTIFY_DEAD_NAME)
        for (int i = 0; i < COUNT; i++)
            seen |= (notification_value == names[i]) << i;
    EXPECT(seen, (1u << COUNT) - 1);
    for (int i = 0; i < COUNT; i++) {
        OBSERVE(port_refs(names[i], MACH_PORT_RIGHT_DEAD_NAME));
        mach_port_destroy(mach_task_self(), names[i]);
    }
    port_destroy(notify);
}

/* ---- port deleted ----------------------------------------------------------------------------------- */

CASE(port_deleted_when_a_name_goes)
{
    for (enum kind kind = KIND_RECEIVE; kind <= KIND_SEND_ONCE; kind++) {
        struct named named = named_create(kind);
        mach_port_t notify = death_watch(named.name);
        EXPECT(mach_port_destroy(mach_task_self(), named.name), KERN_SUCCESS);
        notifications_observe(notify, named.name);
        named_destroy(&named);
        port_destroy(notify);
    }
}

CASE(port_deleted_when_the_last_reference_goes)
{
    struct named named = named_create(KIND_SEND);
    mach_port_t notify = port_create();
    mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, 1);
    EXPECT(notification_request(named.name, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(mach_port_deallocate(mach_task_self(), named.name), KERN_SUCCESS);
    EXPECT(notification_next(notify), -1);
    EXPECT(mach_port_deallocate(mach_task_self(), named.name), KERN_SUCCESS);
    notifications_observe(notify, named.name);
    named_destroy(&named);
    port_destroy(notify);
}

CASE(port_deleted_when_a_right_is_sent)
{
    static const enum kind kinds[] = {KIND_RECEIVE, KIND_SEND, KIND_SEND_ONCE};
    static const mach_msg_type_name_t types[] = {MACH_MSG_TYPE_MOVE_RECEIVE, MACH_MSG_TYPE_MOVE_SEND,
                                                 MACH_MSG_TYPE_MOVE_SEND_ONCE};
    for (int i = 0; i < 3; i++) {
        struct named named = named_create(kinds[i]);
        mach_port_t notify = death_watch(named.name), carrier = port_create();
        message_begin(&message_out, carrier, MACH_MSG_TYPE_MAKE_SEND, 0, 0, 1);
        message_add_ports(&message_out, &named.name, 1, types[i]);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
        notifications_observe(notify, named.name);
        port_destroy(carrier);
        notifications_observe(notify, named.name);
        named_destroy(&named);
        port_destroy(notify);
    }
}

CASE(port_deleted_when_a_send_once_right_is_used)
{
    struct named named = named_create(KIND_SEND_ONCE);
    mach_port_t notify = death_watch(named.name);
    message_begin(&message_out, named.name, MACH_MSG_TYPE_MOVE_SEND_ONCE, 0, 0, 1);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    notifications_observe(notify, named.name);
    named_destroy(&named);
    port_destroy(notify);
}

CASE(request_on_a_receive_right_that_is_sent_away)
{
    mach_port_t port = port_create_with_send(), notify = death_watch(port);
    mach_port_t keeper = receive_right_hide(port);
    /* The send right stays under the name, and so does the request. */
    notifications_observe(notify, port);
    OBSERVE(port_type(port) >> 16);
    port_destroy(keeper);
    notifications_observe(notify, port);
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_DEAD_NAME));
    mach_port_destroy(mach_task_self(), port);
    port_destroy(notify);
}

/* ---- port destroyed ----------------------------------------------------------------------------------- */

CASE(port_destroyed_saves_the_receive_right)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(send_empty(port, 5), MACH_MSG_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL), KERN_SUCCESS);
    OBSERVE(port_status(port).mps_pdrequest);
    EXPECT(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    /* The port lives, but the name with its send right has become a dead one. */
    OBSERVE(port_type(port) >> 16);
    OBSERVE(send_empty(port, 6));
    mach_port_destroy(mach_task_self(), port);
    EXPECT(notification_next(notify), MACH_NOTIFY_PORT_DESTROYED);
    OBSERVE(message_in.header.msgh_bits);
    OBSERVE(message_item(&message_in, 0)->msgt_name);
    OBSERVE(message_item(&message_in, 0)->msgt_size);
    port = notification_value;
    status_observe("saved", port);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 5);
    OBSERVE(received()->msgh_seqno);
    port_destroy(port);
    notifications_observe(notify, port);
    port_destroy(notify);
}

CASE(port_destroyed_of_a_destroyed_name)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
    EXPECT(notification_next(notify), MACH_NOTIFY_PORT_DESTROYED);
    OBSERVE(port_type(notification_value));
    status_observe("saved", notification_value);
    port_destroy(notification_value);
    port_destroy(notify);
}

CASE(port_destroyed_of_a_task_that_dies)
{
    struct child child;
    mach_port_t port = port_create_with_send(), notify = port_create();
    child_create(&child, NULL, NULL);
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(mach_port_insert_right(child.task, name_fresh(), port, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    EXPECT(port_type(port), MACH_PORT_TYPE_SEND);
    child_kill(&child);
    if (message_receive(&message_in, notify, 2000) == MACH_MSG_SUCCESS) {
        OBSERVE(message_in.header.msgh_id);
        OBSERVE(message_port(&message_in, 0, 0) == port);
    }
    OBSERVE(port_type(port) >> 16);
    port_destroy(port);
    port_destroy(notify);
}

CASE(port_destroyed_to_the_port_itself)
{
    mach_port_t port = port_create_with_send();
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, port, NULL), KERN_SUCCESS);
    EXPECT(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    OBSERVE(port_type(port) >> 16);
    mach_port_destroy(mach_task_self(), port);
}

CASE(port_destroyed_to_a_dead_port)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL), KERN_SUCCESS);
    port_destroy(notify);
    EXPECT(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    EXPECT(port_type(port), MACH_PORT_TYPE_DEAD_NAME);
    mach_port_destroy(mach_task_self(), port);
}

CASE_DIFFERS(port_destroyed_of_a_member)
{
    mach_port_t port = port_create_with_send(), notify = port_create(), set = set_create();
    EXPECT(mach_port_move_member(mach_task_self(), port, set), KERN_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    EXPECT(notification_next(notify), MACH_NOTIFY_PORT_DESTROYED);
    status_observe("saved", notification_value);
    port_destroy(notification_value);
    mach_port_destroy(mach_task_self(), port);
    port_destroy(set);
    port_destroy(notify);
}

CASE(port_destroyed_when_a_message_dies)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL), KERN_SUCCESS);
    mach_port_t keeper = receive_right_hide(port);
    port_destroy(keeper);
    OBSERVE(notification_next(notify));
    OBSERVE(notification_value == port);
    OBSERVE(port_type(port) >> 16);
    mach_port_destroy(mach_task_self(), port);
    OBSERVE(notification_next(notify));
    port_destroy(notify);
}
