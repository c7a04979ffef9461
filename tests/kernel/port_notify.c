/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: notifications (Mach manual, "Request Notifications"; mach/notify.defs): their requests, no senders, send-once.
   Those of names and ports that go: port_death.c. */

#include "messages.h"
#include "rights.h"

/* ---- the request ------------------------------------------------------------------------------ */

CASE(request_of_every_kind)
{
    static const mach_msg_id_t ids[] = {MACH_NOTIFY_PORT_DESTROYED, MACH_NOTIFY_NO_SENDERS, MACH_NOTIFY_DEAD_NAME};
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        for (unsigned int i = 0; i < 3; i++)
            for (mach_port_mscount_t sync = 0; sync < 3; sync++) {
                struct named named = named_create(kind);
                mach_port_t notify = port_create();
                observe_as(notification_request(named.name, ids[i], sync, notify, NULL), "%s: %d, sync %u",
                           kind_names[kind], ids[i], sync);
                observe_as(port_type(named.name) >> 16, "%s: type", kind_names[kind]);
                notifications_observe(notify, named.name);
                EXPECT(notification_request(named.name, ids[i], 0, MACH_PORT_NULL, NULL) == 0 || kind != KIND_BOTH, 1);
                notifications_observe(notify, named.name);
                named_destroy(&named);
                port_destroy(notify);
            }
}

CASE(request_of_unknown_notifications)
{
    static const mach_msg_id_t ids[] =
        {0, -1, MACH_NOTIFY_PORT_DELETED, MACH_NOTIFY_MSG_ACCEPTED, MACH_NOTIFY_SEND_ONCE, 64, 73, 0x7fffffff};
    mach_port_t port = port_create(), notify = port_create();
    for (unsigned int i = 0; i < sizeof ids / sizeof *ids; i++)
        observe_as(notification_request(port, ids[i], 0, notify, NULL), "%d", ids[i]);
    /* The send-once rights made for the requests have come back. */
    EXPECT(port_status(notify).mps_sorights, port_status(notify).mps_msgcount);
    port_destroy(port);
    port_destroy(notify);
}

CASE(request_of_reserved_names)
{
    mach_port_t notify = port_create();
    OBSERVE(notification_request(MACH_PORT_NULL, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL));
    OBSERVE(notification_request(MACH_PORT_DEAD, MACH_NOTIFY_DEAD_NAME, 1, notify, NULL));
    OBSERVE(notification_request(MACH_PORT_NULL, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL));
    OBSERVE(notification_request(MACH_PORT_NULL, 0, 0, notify, NULL));
    port_destroy(notify);
}

CASE(request_with_wrong_notify_rights)
{
    mach_port_t port = port_create(), previous = 0, dead = port_create_dead();
    struct named sonce = named_create(KIND_SEND_ONCE);
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_MOVE_RECEIVE; type <= MACH_MSG_TYPE_MAKE_SEND_ONCE; type++) {
        mach_port_t notify = port_create_with_send();
        observe_as(mach_port_request_notification(mach_task_self(), port, MACH_NOTIFY_NO_SENDERS, 9, notify, type,
                                                  &previous),
                   "as %u", type);
        observe_as(previous != 0, "as %u: previous", type);
        if (MACH_PORT_VALID(previous))
            mach_port_deallocate(mach_task_self(), previous);
        previous = 0;
        if (port_type(notify))
            mach_port_destroy(mach_task_self(), notify);
    }
    OBSERVE(mach_port_request_notification(mach_task_self(), port, MACH_NOTIFY_NO_SENDERS, 9, dead,
                                           MACH_MSG_TYPE_MOVE_SEND_ONCE, &previous));
    if (MACH_PORT_VALID(previous))
        mach_port_deallocate(mach_task_self(), previous);
    OBSERVE(port_type(dead));
    OBSERVE(mach_port_request_notification(mach_task_self(), port, MACH_NOTIFY_NO_SENDERS, 9, MACH_PORT_DEAD,
                                           MACH_MSG_TYPE_MOVE_SEND_ONCE, &previous));
    OBSERVE(mach_port_request_notification(mach_task_self(), port, MACH_NOTIFY_NO_SENDERS, 9, sonce.name,
                                           MACH_MSG_TYPE_MOVE_SEND_ONCE, &previous));
    OBSERVE(port_status(port).mps_nsrequest);
    EXPECT(port_type(sonce.name), 0);
    port_destroy(port);
    OBSERVE(notification_next(sonce.keeper));
    named_destroy(&sonce);
    if (port_type(dead))
        mach_port_destroy(mach_task_self(), dead);
}

CASE(request_gives_the_previous_one_back)
{
    static const mach_msg_id_t ids[] = {MACH_NOTIFY_PORT_DESTROYED, MACH_NOTIFY_NO_SENDERS, MACH_NOTIFY_DEAD_NAME};
    for (unsigned int i = 0; i < 3; i++) {
        mach_port_t port = port_create_with_send(), notify = port_create(), old = 0;
        bool previous;
        EXPECT(notification_request(port, ids[i], 0, notify, &previous), KERN_SUCCESS);
        EXPECT(previous, 0);
        EXPECT(port_status(notify).mps_sorights, 1);
        EXPECT(mach_port_request_notification(mach_task_self(), port, ids[i], 0, notify, MACH_MSG_TYPE_MAKE_SEND_ONCE,
                                              &old),
               KERN_SUCCESS);
        EXPECT(port_type(old), MACH_PORT_TYPE_SEND_ONCE);
        EXPECT(port_status(notify).mps_sorights, 2);
        mach_port_deallocate(mach_task_self(), old);
        EXPECT(notification_next(notify), MACH_NOTIFY_SEND_ONCE);
        EXPECT(mach_port_request_notification(mach_task_self(), port, ids[i], 0, MACH_PORT_NULL,
                                              MACH_MSG_TYPE_MAKE_SEND_ONCE, &old),
               KERN_SUCCESS);
        EXPECT(port_type(old), MACH_PORT_TYPE_SEND_ONCE);
        mach_port_deallocate(mach_task_self(), old);
        EXPECT(notification_request(port, ids[i], 0, MACH_PORT_NULL, &previous), KERN_SUCCESS);
        EXPECT(previous, 0);
        status_observe("none left", port);
        mach_port_destroy(mach_task_self(), port);
        EXPECT(notification_next(notify), MACH_NOTIFY_SEND_ONCE);
        port_destroy(notify);
    }
}

CASE(request_whose_notify_port_has_died)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL), KERN_SUCCESS);
    port_destroy(notify);
    OBSERVE(port_status(port).mps_nsrequest);
    EXPECT(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
    OBSERVE(port_status(port).mps_nsrequest);
    port_destroy(port);
    /* The same with a dead name's. */
    struct named send = named_create(KIND_SEND);
    notify = port_create();
    EXPECT(notification_request(send.name, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
    port_destroy(notify);
    port_destroy(send.keeper);
    EXPECT(port_type(send.name), MACH_PORT_TYPE_DEAD_NAME);
    OBSERVE(port_refs(send.name, MACH_PORT_RIGHT_DEAD_NAME));
    mach_port_destroy(mach_task_self(), send.name);
}

/* ---- no senders --------------------------------------------------------------------------------- */

CASE(no_senders_at_once)
{
    mach_port_t port = port_create(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL), KERN_SUCCESS);
    notifications_observe(notify, port);
    OBSERVE(port_status(port).mps_nsrequest);
    port_destroy(port);
    port_destroy(notify);
}

CASE(no_senders_by_sync)
{
    for (mach_port_mscount_t sync = 0; sync < 5; sync++) {
        mach_port_t port = port_create(), notify = port_create();
        for (int i = 0; i < 2; i++) {
            mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
            mach_port_deallocate(mach_task_self(), port);
        }
        EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, sync, notify, NULL), KERN_SUCCESS);
        observe_as(port_status(port).mps_nsrequest, "sync %u: registered", sync);
        observe_as(notification_next(notify), "sync %u: at once", sync);
        observe_as(notification_value, "sync %u: count", sync);
        /* It comes with the last send right, whatever the count is then. */
        mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
        mach_port_deallocate(mach_task_self(), port);
        observe_as(notification_next(notify), "sync %u: later", sync);
        observe_as(notification_value, "sync %u: count later", sync);
        port_destroy(port);
        port_destroy(notify);
    }
}

CASE(no_senders_with_a_large_sync)
{
    mach_port_t port = port_create(), notify = port_create();
    EXPECT(mach_port_set_mscount(mach_task_self(), port, 0xffffffff), KERN_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0xffffffff, notify, NULL), KERN_SUCCESS);
    OBSERVE(notification_next(notify));
    OBSERVE(notification_value);
    port_destroy(port);
    port_destroy(notify);
}

CASE(no_senders_once)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(notification_next(notify), -1);
    for (int i = 0; i < 3; i++) {
        EXPECT(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
        observe_as(notification_next(notify), "round %d", i);
        mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
    }
    port_destroy(port);
    port_destroy(notify);
}

CASE(no_senders_when_a_message_is_received)
{
    mach_port_t port = port_create(), notify = port_create();
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND, 0, 0, 1);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 1, notify, NULL), KERN_SUCCESS);
    EXPECT(notification_next(notify), -1);
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    EXPECT(notification_next(notify), MACH_NOTIFY_NO_SENDERS);
    EXPECT(notification_value, 1);
    port_destroy(port);
    port_destroy(notify);
}

CASE(no_senders_when_a_message_is_destroyed)
{
    mach_port_t port = port_create(), carrier = port_create(), notify = port_create();
    message_begin(&message_out, carrier, MACH_MSG_TYPE_MAKE_SEND, port, MACH_MSG_TYPE_MAKE_SEND, 1);
    message_add_ports(&message_out, &port, 1, MACH_MSG_TYPE_MAKE_SEND);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 2, notify, NULL), KERN_SUCCESS);
    EXPECT(notification_next(notify), -1);
    port_destroy(carrier);
    EXPECT(notification_next(notify), MACH_NOTIFY_NO_SENDERS);
    EXPECT(notification_value, 2);
    port_destroy(port);
    port_destroy(notify);
}

CASE(no_senders_to_the_port_itself)
{
    mach_port_t port = port_create_with_send();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, port, NULL), KERN_SUCCESS);
    OBSERVE(port_status(port).mps_sorights);
    EXPECT(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
    notifications_observe(port, port);
    OBSERVE(port_status(port).mps_sorights);
    port_destroy(port);
}

CASE(no_senders_request_when_the_port_dies)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    notifications_observe(notify, port);
    EXPECT(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
    notifications_observe(notify, port);
    port_destroy(notify);
}

CASE(no_senders_request_moves_with_the_receive_right)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL), KERN_SUCCESS);
    mach_port_t keeper = receive_right_hide(port);
    mach_port_deallocate(mach_task_self(), port);
    notifications_observe(notify, port);
    port = receive_right_back(keeper);
    status_observe("back", port);
    port_destroy(port);
    notifications_observe(notify, port);
    port_destroy(notify);
}

CASE(set_mscount_does_not_fire)
{
    mach_port_t port = port_create(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 5, notify, NULL), KERN_SUCCESS);
    EXPECT(mach_port_set_mscount(mach_task_self(), port, 9), KERN_SUCCESS);
    OBSERVE(notification_next(notify));
    OBSERVE(port_status(port).mps_nsrequest);
    port_destroy(port);
    port_destroy(notify);
}

/* ---- send-once ------------------------------------------------------------------------------------------ */

CASE(send_once_right_destroyed)
{
    struct named named = named_create(KIND_SEND_ONCE);
    EXPECT(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND_ONCE, -1), KERN_SUCCESS);
    notifications_observe(named.keeper, named.name);
    OBSERVE(port_status(named.keeper).mps_sorights);
    named_destroy(&named);
}

CASE(send_once_right_lost_in_a_message)
{
    struct named named = named_create(KIND_SEND_ONCE);
    mach_port_t carrier = port_create();
    message_begin(&message_out, carrier, MACH_MSG_TYPE_MAKE_SEND, named.name, MACH_MSG_TYPE_MOVE_SEND_ONCE, 1);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(port_type(named.name), 0);
    EXPECT(notification_next(named.keeper), -1);
    port_destroy(carrier);
    notifications_observe(named.keeper, named.name);
    named_destroy(&named);
}

CASE(send_once_notifications_go_past_the_limit)
{
    mach_port_t port = port_create(), names[30];
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 1), KERN_SUCCESS);
    for (int i = 0; i < 30; i++)
        names[i] = sonce_create(port);
    for (int i = 0; i < 30; i++)
        EXPECT(mach_port_deallocate(mach_task_self(), names[i]), KERN_SUCCESS);
    EXPECT(port_status(port).mps_msgcount, 30);
    int got = 0;
    while (notification_next(port) == MACH_NOTIFY_SEND_ONCE)
        got++;
    EXPECT(got, 30);
    port_destroy(port);
}

CASE(notifications_in_order_of_a_send_once_right)
{
    struct named named = named_create(KIND_SEND_ONCE);
    EXPECT(notification_request(named.name, MACH_NOTIFY_DEAD_NAME, 0, named.keeper, NULL), KERN_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), named.name), KERN_SUCCESS);
    notifications_observe(named.keeper, named.name);
    named.name = sonce_create(named.keeper);
    EXPECT(notification_request(named.name, MACH_NOTIFY_DEAD_NAME, 0, named.keeper, NULL), KERN_SUCCESS);
    EXPECT(mach_port_deallocate(mach_task_self(), named.name), KERN_SUCCESS);
    notifications_observe(named.keeper, named.name);
    named_destroy(&named);
}

CASE(notifications_in_order_of_a_saved_port)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
    for (int i = 0; i < 3; i++) {
        OBSERVE(notification_next(notify));
        if (message_in.header.msgh_id == MACH_NOTIFY_PORT_DESTROYED)
            port = notification_value;
        if (message_in.header.msgh_id == MACH_NOTIFY_NO_SENDERS)
            OBSERVE(notification_value);
    }
    port_destroy(port);
    port_destroy(notify);
}

CASE(notifications_in_order_of_the_last_send_right)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL), KERN_SUCCESS);
    mach_port_t keeper = receive_right_hide(port);
    EXPECT(notification_request(port, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
    notifications_observe(notify, port);
    port_destroy(keeper);
    port_destroy(notify);
}

CASE(notifications_in_order)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 0, notify, NULL), KERN_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
    mach_port_t sonce = sonce_create(notify);
    EXPECT(mach_port_deallocate(mach_task_self(), sonce), KERN_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
    notifications_observe(notify, port);
    port_destroy(notify);
}
