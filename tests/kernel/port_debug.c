/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: what mach_debug.defs tells of ports.  The C library has no stubs of it: the messages are made here. */

#include "messages.h"
#include "rights.h"

/* mach_port_get_srights, mach_port_dnrequest_info, mach_port_kernel_object */
enum { GET_SRIGHTS = 3007, DNREQUEST_INFO = 3011, KERNEL_OBJECT = 3018 };

/* Asks TASK about NAME by message ID; the result, the answer's first number in *FIRST. */
static long ask(mach_port_t task, mach_msg_id_t id, mach_port_t name, unsigned int *first)
{
    mach_port_t reply = port_create();
    message_begin(&message_out, task, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, id);
    message_add_inline(&message_out, MACH_MSG_TYPE_PORT_NAME, 32, 1, &name);
    long result = message_call(reply);
    *first = message_port(&message_in, 1, 0);
    port_destroy(reply);
    return result;
}

/* Asks about a name of every kind by message ID, and observes the results and the first numbers, which are what WHAT
   says. */
static void ask_every_kind(mach_msg_id_t id, const char *what)
{
    unsigned int first = 0;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        long result = ask(mach_task_self(), id, named.name, &first);
        observe_as(result, "%s", kind_names[kind]);
        if (result == KERN_SUCCESS)
            observe_as(first, "%s: %s", kind_names[kind], what);
        named_destroy(&named);
    }
}

CASE(send_rights_of_every_kind)
{
    unsigned int count = 0;
    ask_every_kind(GET_SRIGHTS, "rights");
    OBSERVE(ask(mach_host_self(), GET_SRIGHTS, 1, &count));
}

CASE(send_rights_are_counted_one_by_one)
{
    mach_port_t port = port_create(), carrier = port_create_with_send(), names[5] = {port, port, port, port, port};
    unsigned int count = 0;
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, names, 5, MACH_MSG_TYPE_MAKE_SEND);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(ask(mach_task_self(), GET_SRIGHTS, port, &count), KERN_SUCCESS);
    EXPECT(count, 5);
    /* In a space all of them are one right with five references. */
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    EXPECT(ask(mach_task_self(), GET_SRIGHTS, port, &count), KERN_SUCCESS);
    EXPECT(count, 1);
    port_destroy(port);
    port_destroy(carrier);
}

CASE(dead_name_requests_of_every_kind)
{
    unsigned int total = 0;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        observe_as(ask(mach_task_self(), DNREQUEST_INFO, named.name, &total), "%s", kind_names[kind]);
        named_destroy(&named);
    }
}

CASE(dead_name_requests_used)
{
    mach_port_t port = port_create(), notify = port_create(), names[6];
    unsigned int total = 0;
    for (int i = 0; i < 6; i++) {
        names[i] = sonce_create(port);
        EXPECT(notification_request(names[i], MACH_NOTIFY_DEAD_NAME, 0, notify, NULL), KERN_SUCCESS);
        EXPECT(ask(mach_task_self(), DNREQUEST_INFO, port, &total), KERN_SUCCESS);
        EXPECT(message_port(&message_in, 2, 0), i + 1);
        CHECK(total >= (unsigned int)i + 1);
    }
    for (int i = 0; i < 6; i++)
        EXPECT(mach_port_deallocate(mach_task_self(), names[i]), KERN_SUCCESS);
    EXPECT(ask(mach_task_self(), DNREQUEST_INFO, port, &total), KERN_SUCCESS);
    EXPECT(message_port(&message_in, 2, 0), 0);
    port_destroy(port);
    port_destroy(notify);
}

CASE(kernel_objects)
{
    unsigned int type = 0;
    mach_port_t thread = mach_thread_self(), set;
    ask_every_kind(KERNEL_OBJECT, "type");
    OBSERVE(ask(mach_task_self(), KERNEL_OBJECT, thread, &type));
    OBSERVE(type);
    OBSERVE(ask(mach_task_self(), KERNEL_OBJECT, mach_task_self(), &type));
    OBSERVE(type);
    OBSERVE(ask(mach_task_self(), KERNEL_OBJECT, mach_host_self(), &type));
    OBSERVE(type);
    OBSERVE(ask(mach_task_self(), KERNEL_OBJECT, host_priv, &type));
    OBSERVE(type);
    OBSERVE(ask(mach_task_self(), KERNEL_OBJECT, device_master, &type));
    OBSERVE(type);
    if (processor_set_default(mach_host_self(), &set) == KERN_SUCCESS) {
        OBSERVE(ask(mach_task_self(), KERNEL_OBJECT, set, &type));
        OBSERVE(type);
        mach_port_deallocate(mach_task_self(), set);
    }
    mach_port_deallocate(mach_task_self(), thread);
}

/* Interfaces by which the kernel calls others. */
CASE(interfaces_not_served)
{
    static const mach_msg_id_t ids[] = {2297, 2400, 2401, 2700, 64, 70, 1, 0, -1};
    unsigned int unused;
    for (unsigned int i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        observe_as(ask(mach_task_self(), ids[i], 1, &unused), "task: %d", ids[i]);
        observe_as(ask(device_master, ids[i], 1, &unused), "device master: %d", ids[i]);
    }
}
