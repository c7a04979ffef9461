/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rights.c: makes names of every kind (rights.h). */

#include "rights.h"

#include <stdarg.h>

#include "messages.h"

const char *const kind_names[KIND_COUNT] = {"receive", "send", "receive+send", "send-once", "set", "dead", "none"};
mach_port_t notification_value;

struct named named_create(enum kind kind)
{
    struct named named = {MACH_PORT_NULL, MACH_PORT_NULL};
    switch (kind) {
    case KIND_RECEIVE:
        named.name = port_create();
        break;
    case KIND_BOTH:
        named.name = port_create_with_send();
        break;
    case KIND_SEND:
        named.name = port_create_with_send();
        named.keeper = receive_right_hide(named.name);
        break;
    case KIND_SEND_ONCE:
        named.keeper = port_create();
        named.name = sonce_create(named.keeper);
        break;
    case KIND_SET:
        named.name = set_create();
        break;
    case KIND_DEAD:
        named.name = port_create_dead();
        break;
    default:
        named.name = name_fresh();
    }
    return named;
}

void named_destroy(struct named *named)
{
    if (port_type(named->name))
        mach_port_destroy(mach_task_self(), named->name);
    if (named->keeper && port_type(named->keeper))
        mach_port_destroy(mach_task_self(), named->keeper);
}

mach_port_t sonce_create(mach_port_t port)
{
    mach_port_t name = MACH_PORT_NULL;
    mach_msg_type_name_t type;
    CHECK(mach_port_extract_right(mach_task_self(), port, MACH_MSG_TYPE_MAKE_SEND_ONCE, &name, &type) == KERN_SUCCESS);
    return name;
}

mach_port_t receive_right_hide(mach_port_t name)
{
    mach_port_t keeper = port_create();
    message_begin(&message_out, keeper, MACH_MSG_TYPE_MAKE_SEND, 0, 0, 1);
    message_add_ports(&message_out, &name, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    CHECK(message_send(&message_out) == MACH_MSG_SUCCESS);
    return keeper;
}

mach_port_t receive_right_back(mach_port_t keeper)
{
    CHECK(message_receive(&message_in, keeper, 0) == MACH_MSG_SUCCESS);
    port_destroy(keeper);
    return message_port(&message_in, 0, 0);
}

mach_port_t set_create(void)
{
    mach_port_t name = MACH_PORT_NULL;
    CHECK(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &name) == KERN_SUCCESS);
    return name;
}

mach_port_t name_fresh(void)
{
    static mach_port_t next = 50000;
    do {
        next += 10;
    } while (port_type(next));
    return next;
}

mach_port_status_t port_status(mach_port_t name)
{
    mach_port_status_t status;
    if (mach_port_get_receive_status(mach_task_self(), name, &status))
        memset(&status, 0xff, sizeof status);
    return status;
}

void status_observe(const char *what, mach_port_t name)
{
    mach_port_status_t status = port_status(name);
    observe_as(status.mps_pset != 0, "%s: in a set", what);
    observe_as(status.mps_seqno, "%s: seqno", what);
    observe_as(status.mps_mscount, "%s: mscount", what);
    observe_as(status.mps_qlimit, "%s: qlimit", what);
    observe_as(status.mps_msgcount, "%s: msgcount", what);
    observe_as(status.mps_sorights, "%s: sorights", what);
    observe_as(status.mps_srights, "%s: srights", what);
    observe_as(status.mps_pdrequest, "%s: pdrequest", what);
    observe_as(status.mps_nsrequest, "%s: nsrequest", what);
}

kern_return_t notification_request(mach_port_t name, mach_msg_id_t id, mach_port_mscount_t sync, mach_port_t notify,
                                   bool *previous)
{
    mach_port_t old = MACH_PORT_NULL;
    kern_return_t kr = mach_port_request_notification(mach_task_self(), name, id, sync, notify,
                                                      notify ? MACH_MSG_TYPE_MAKE_SEND_ONCE
                                                             : MACH_MSG_TYPE_MOVE_SEND_ONCE,
                                                      &old);
    if (previous)
        *previous = kr == KERN_SUCCESS && old != MACH_PORT_NULL;
    if (kr == KERN_SUCCESS && MACH_PORT_VALID(old)) {
        mach_port_t own = notify;
        mach_port_deallocate(mach_task_self(), old);
        /* Giving up the old right tells its receiver; not a notification that a case asks about. */
        if (own && port_status(own).mps_msgcount == 1 && message_receive(&message_in, own, 0) == MACH_MSG_SUCCESS)
            CHECK(message_in.header.msgh_id == MACH_NOTIFY_SEND_ONCE);
    }
    return kr;
}

mach_port_t death_watch(mach_port_t name)
{
    mach_port_t notify = port_create();
    EXPECT(notification_request(name, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
    return notify;
}

mach_msg_id_t notification_next(mach_port_t notify)
{
    notification_value = MACH_PORT_NULL;
    if (message_receive(&message_in, notify, 0))
        return -1;
    if (message_in.header.msgh_size >= sizeof(mach_msg_header_t) + 16)
        notification_value = message_port(&message_in, 0, 0);
    return message_in.header.msgh_id;
}

void observe_as(long value, const char *format, ...)
{
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    observe(name, value);
}

void notifications_observe(mach_port_t notify, mach_port_t of)
{
    mach_msg_id_t id;
    while ((id = notification_next(notify)) != -1) {
        OBSERVE(id);
        OBSERVE(message_in.header.msgh_size);
        OBSERVE(message_in.header.msgh_bits);
        OBSERVE(message_in.header.msgh_remote_port);
        if (id == MACH_NOTIFY_NO_SENDERS)
            OBSERVE(notification_value);
        else if (id != MACH_NOTIFY_SEND_ONCE)
            OBSERVE(notification_value == of);
        mach_msg_type_t *item = message_item(&message_in, 0);
        if (item) {
            OBSERVE(item->msgt_name);
            OBSERVE(item->msgt_size);
            OBSERVE(item->msgt_number);
            OBSERVE(item->msgt_inline);
            OBSERVE(item->msgt_deallocate);
            OBSERVE(item->msgt_longform);
        }
    }
}
