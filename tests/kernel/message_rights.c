/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: rights in the bodies of messages (Mach manual, "Exchanging Port Rights"). */

#include "messages.h"
#include "rights.h"

/* Sends one right of a fresh name of KIND inline in every disposition and says what arrives. */
static void body_observe(enum kind kind)
{
    mach_port_t carrier = port_create_with_send();
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_PORT_NAME; type <= MACH_MSG_TYPE_MAKE_SEND_ONCE; type++) {
        struct named named = named_create(kind);
        message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_add_ports(&message_out, &named.name, 1, type);
        mach_msg_return_t mr = message_send(&message_out);
        observe_as(mr, "disposition %u", type);
        observe_as(port_type(named.name) >> 16, "disposition %u: left", type);
        if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, carrier, 0) == MACH_MSG_SUCCESS) {
            mach_port_t got = message_port(&message_in, 0, 0);
            mach_msg_type_t *item = message_item(&message_in, 0);
            observe_as(message_in.header.msgh_bits, "disposition %u: bits", type);
            observe_as(item->msgt_name, "disposition %u: arrives as", type);
            observe_as(item->msgt_size, "disposition %u: size", type);
            observe_as(item->msgt_deallocate, "disposition %u: deallocate", type);
            observe_as(got == named.name, "disposition %u: same name", type);
            observe_as(got == MACH_PORT_DEAD, "disposition %u: dead", type);
            observe_as(port_type(got) >> 16, "disposition %u: received", type);
            observe_as(port_refs(got, MACH_PORT_RIGHT_SEND), "disposition %u: references", type);
            if (got != named.name && port_type(got))
                mach_port_destroy(mach_task_self(), got);
        }
        EXPECT(port_refs(carrier, MACH_PORT_RIGHT_SEND), 1);
        named_destroy(&named);
    }
    port_destroy(carrier);
}

CASE(body_receive)
{
    body_observe(KIND_RECEIVE);
}

CASE(body_send)
{
    body_observe(KIND_SEND);
}

CASE(body_both)
{
    body_observe(KIND_BOTH);
}

CASE(body_send_once)
{
    body_observe(KIND_SEND_ONCE);
}

CASE(body_set)
{
    body_observe(KIND_SET);
}

CASE(body_dead)
{
    body_observe(KIND_DEAD);
}

CASE(body_none)
{
    body_observe(KIND_NONE);
}

CASE(body_reserved_names)
{
    mach_port_t carrier = port_create_with_send(), names[2] = {MACH_PORT_NULL, MACH_PORT_DEAD};
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_MOVE_RECEIVE; type <= MACH_MSG_TYPE_MAKE_SEND_ONCE; type++) {
        message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_add_ports(&message_out, names, 2, type);
        observe_as(message_send(&message_out), "%u", type);
        observe_as(message_receive(&message_in, carrier, 0), "%u: received", type);
        observe_as(message_port(&message_in, 0, 0), "%u: null", type);
        observe_as((int)message_port(&message_in, 0, 1), "%u: ~0", type);
        observe_as(message_item(&message_in, 0)->msgt_name, "%u: as", type);
    }
    port_destroy(carrier);
}

CASE(names_are_not_rights)
{
    mach_port_t carrier = port_create_with_send(), name = 12345;
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_inline(&message_out, MACH_MSG_TYPE_PORT_NAME, 32, 1, &name);
    message_out.header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    OBSERVE(message_port(&message_in, 0, 0));
    OBSERVE(message_in.header.msgh_bits);
    port_destroy(carrier);
}

CASE(many_rights_of_one_port)
{
    enum { COUNT = 200 };
    mach_port_t carrier = port_create_with_send(), port = port_create(), names[COUNT];
    for (int i = 0; i < COUNT; i++)
        names[i] = port;
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, names, COUNT, MACH_MSG_TYPE_MAKE_SEND);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_status(port).mps_mscount);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    int same = 0;
    for (int i = 0; i < COUNT; i++)
        same += message_port(&message_in, 0, i) == port;
    EXPECT(same, COUNT);
    EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), COUNT);
    port_destroy(port);
    port_destroy(carrier);
}

CASE(many_send_once_rights)
{
    enum { COUNT = 200 };
    mach_port_t carrier = port_create_with_send(), port = port_create(), names[COUNT];
    for (int i = 0; i < COUNT; i++)
        names[i] = port;
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, names, COUNT, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(port_status(port).mps_sorights, COUNT);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
    int dead = 0;
    for (int i = 0; i < COUNT; i++) {
        dead += port_type(message_port(&message_in, 0, i)) == MACH_PORT_TYPE_DEAD_NAME;
        mach_port_deallocate(mach_task_self(), message_port(&message_in, 0, i));
    }
    EXPECT(dead, COUNT);
    port_destroy(carrier);
}

CASE(rights_that_run_out_in_the_middle)
{
    /* The second of two moves finds nothing: the first is lost with the message. */
    struct named named = named_create(KIND_SEND);
    mach_port_t carrier = port_create_with_send(), names[2] = {named.name, named.name}, reply = port_create();
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 1);
    message_add_ports(&message_out, names, 2, MACH_MSG_TYPE_MOVE_SEND);
    EXPECT(message_send(&message_out), MACH_SEND_INVALID_RIGHT);
    OBSERVE(port_type(named.name) >> 16);
    OBSERVE(port_status(carrier).mps_msgcount);
    OBSERVE(port_refs(carrier, MACH_PORT_RIGHT_SEND));
    OBSERVE(port_status(reply).mps_sorights);
    OBSERVE(notification_next(reply));
    named_destroy(&named);
    port_destroy(reply);
    port_destroy(carrier);
}

CASE(error_behind_other_items)
{
    struct named named = named_create(KIND_SEND), receive = named_create(KIND_RECEIVE),
                 sonce = named_create(KIND_SEND_ONCE);
    mach_port_t carrier = port_create_with_send(), wrong = name_fresh();
    char *page = pages_allocate(1);
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &named.name, 1, MACH_MSG_TYPE_COPY_SEND);
    message_add_ports(&message_out, &receive.name, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    message_add_ports(&message_out, &sonce.name, 1, MACH_MSG_TYPE_MOVE_SEND_ONCE);
    message_add_memory(&message_out, page, vm_page_size, true);
    message_add_ports(&message_out, &wrong, 1, MACH_MSG_TYPE_COPY_SEND);
    EXPECT(message_send(&message_out), MACH_SEND_INVALID_RIGHT);
    OBSERVE(port_refs(named.name, MACH_PORT_RIGHT_SEND));
    OBSERVE(port_type(receive.name));
    OBSERVE(port_type(sonce.name));
    OBSERVE(notification_next(sonce.keeper));
    OBSERVE(memory_mapped(page));
    named_destroy(&named);
    named_destroy(&receive);
    named_destroy(&sonce);
    port_destroy(carrier);
}

CASE(destination_moved_in_its_own_body)
{
    mach_port_t port = port_create_with_send();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &port, 1, MACH_MSG_TYPE_MOVE_SEND);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_type(port) >> 16);
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    OBSERVE(message_port(&message_in, 0, 0) == port);
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
    port_destroy(port);
}

/* ---- circles ---------------------------------------------------------------------------------- */

CASE(receive_right_sent_to_itself)
{
    mach_port_t port = port_create_with_send();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &port, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_type(port) >> 16);
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_DEAD_NAME));
    mach_port_destroy(mach_task_self(), port);
}

CASE(receive_right_sent_to_itself_with_messages)
{
    mach_port_t port = port_create_with_send(), other = port_create();
    for (int i = 0; i < 3; i++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_add_ports(&message_out, &other, 1, MACH_MSG_TYPE_MAKE_SEND);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    }
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, other, MACH_MSG_TYPE_MAKE_SEND_ONCE, 1);
    message_add_ports(&message_out, &port, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_type(port) >> 16);
    OBSERVE(port_status(other).mps_srights);
    OBSERVE(notification_next(other));
    mach_port_destroy(mach_task_self(), port);
    port_destroy(other);
}

CASE(two_receive_rights_in_a_circle)
{
    mach_port_t one = port_create_with_send(), other = port_create_with_send();
    message_begin(&message_out, one, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &other, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    message_begin(&message_out, other, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &one, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_type(one) >> 16);
    OBSERVE(port_type(other) >> 16);
    mach_port_destroy(mach_task_self(), one);
    mach_port_destroy(mach_task_self(), other);
}

CASE(many_receive_rights_in_a_circle)
{
    enum { COUNT = 12 };
    mach_port_t ports[COUNT];
    for (int i = 0; i < COUNT; i++)
        ports[i] = port_create_with_send();
    for (int i = 0; i < COUNT; i++) {
        message_begin(&message_out, ports[(i + 1) % COUNT], MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_add_array(&message_out, &ports[i], 1, MACH_MSG_TYPE_MOVE_RECEIVE, false);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    }
    for (int i = 0; i < COUNT; i++) {
        OBSERVE(port_type(ports[i]) >> 16);
        mach_port_destroy(mach_task_self(), ports[i]);
    }
}

CASE(receive_rights_in_a_chain)
{
    enum { COUNT = 12 };
    mach_port_t ports[COUNT], port;
    for (int i = 0; i < COUNT; i++)
        ports[i] = port_create();
    for (int i = COUNT - 1; i > 0; i--) {
        message_begin(&message_out, ports[i - 1], MACH_MSG_TYPE_MAKE_SEND, 0, 0, i);
        message_add_ports(&message_out, &ports[i], 1, MACH_MSG_TYPE_MOVE_RECEIVE);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    }
    port = ports[0];
    for (int i = 1; i < COUNT; i++) {
        EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
        EXPECT(message_in.header.msgh_id, i);
        port_destroy(port);
        port = message_port(&message_in, 0, 0);
    }
    port_destroy(port);
}

CASE(receive_rights_in_a_chain_that_is_cut)
{
    enum { COUNT = 100 };
    static mach_port_t ports[COUNT];
    for (int i = 0; i < COUNT; i++)
        ports[i] = port_create_with_send();
    for (int i = COUNT - 1; i > 0; i--) {
        message_begin(&message_out, ports[i - 1], MACH_MSG_TYPE_COPY_SEND, 0, 0, i);
        message_add_ports(&message_out, &ports[i], 1, MACH_MSG_TYPE_MOVE_RECEIVE);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    }
    EXPECT(mach_port_destroy(mach_task_self(), ports[0]), KERN_SUCCESS);
    int dead = 0;
    for (int i = 1; i < COUNT; i++) {
        dead += port_type(ports[i]) == MACH_PORT_TYPE_DEAD_NAME;
        mach_port_destroy(mach_task_self(), ports[i]);
    }
    EXPECT(dead, COUNT - 1);
}

CASE(receive_right_sent_to_itself_full)
{
    mach_port_t port = port_create_with_send();
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 0), KERN_SUCCESS);
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &port, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    OBSERVE(message_send(&message_out));
    OBSERVE(port_type(port) >> 16);
    mach_port_destroy(mach_task_self(), port);
}

CASE(receive_right_to_a_dead_port)
{
    /* The destination dies while the message is in its queue. */
    mach_port_t port = port_create_with_send(), keeper = receive_right_hide(port), outer = receive_right_hide(keeper);
    EXPECT(mach_port_destroy(mach_task_self(), outer), KERN_SUCCESS);
    OBSERVE(port_type(port) >> 16);
    mach_port_destroy(mach_task_self(), port);
}

/* ---- arrays out of line ---------------------------------------------------------------------------- */

CASE(array_of_every_disposition)
{
    mach_port_t carrier = port_create_with_send();
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_MOVE_RECEIVE; type <= MACH_MSG_TYPE_MAKE_SEND_ONCE; type++) {
        struct named named = named_create(type == MACH_MSG_TYPE_MOVE_SEND_ONCE ? KIND_SEND_ONCE : KIND_BOTH);
        mach_port_t names[3] = {named.name, MACH_PORT_NULL, MACH_PORT_DEAD};
        message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_add_array(&message_out, names, 3, type, false);
        observe_as(message_send(&message_out), "%u", type);
        observe_as(message_receive(&message_in, carrier, 0), "%u: received", type);
        mach_msg_type_t *item = message_item(&message_in, 0);
        mach_port_t *got = message_pointer(&message_in, 0);
        observe_as(item->msgt_name, "%u: as", type);
        observe_as(item->msgt_size, "%u: size", type);
        observe_as(item->msgt_number, "%u: number", type);
        observe_as(item->msgt_inline, "%u: inline", type);
        observe_as(item->msgt_deallocate, "%u: deallocate", type);
        observe_as(got[0] == named.name, "%u: same name", type);
        observe_as(port_type(got[0]) >> 16, "%u: got", type);
        observe_as(got[1], "%u: null", type);
        observe_as((int)got[2], "%u: ~0", type);
        if (got[0] != named.name)
            mach_port_destroy(mach_task_self(), got[0]);
        pages_free(got, 1);
        named_destroy(&named);
    }
    port_destroy(carrier);
}

CASE(array_of_nothing)
{
    mach_port_t carrier = port_create_with_send();
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_array(&message_out, memory_hole(), 0, MACH_MSG_TYPE_MAKE_SEND, true);
    message_add_ports(&message_out, &carrier, 0, MACH_MSG_TYPE_MAKE_SEND);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    OBSERVE(message_in.header.msgh_bits);
    OBSERVE((long)message_pointer(&message_in, 0));
    OBSERVE(message_item(&message_in, 0)->msgt_number);
    OBSERVE(message_item(&message_in, 0)->msgt_name);
    port_destroy(carrier);
}

CASE(array_deallocated)
{
    mach_port_t carrier = port_create_with_send(), port = port_create();
    mach_port_t *names = pages_allocate(2);
    for (int i = 0; i < 1500; i++)
        names[i] = port;
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_array(&message_out, names, 1500, MACH_MSG_TYPE_MAKE_SEND, true);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(memory_mapped(names));
    OBSERVE(memory_mapped(names + 1024));
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), 1500);
    mach_port_t *got = message_pointer(&message_in, 0);
    OBSERVE(got[1499] == port);
    OBSERVE(got[1500]);
    pages_free(got, 2);
    port_destroy(port);
    port_destroy(carrier);
}

CASE(array_in_unmapped_memory)
{
    mach_port_t carrier = port_create_with_send(), *hole = memory_hole();
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_array(&message_out, hole, 4, MACH_MSG_TYPE_COPY_SEND, false);
    EXPECT(message_send(&message_out), MACH_SEND_INVALID_MEMORY);
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_array(&message_out, hole, 4, MACH_MSG_TYPE_COPY_SEND, true);
    EXPECT(message_send(&message_out), MACH_SEND_INVALID_MEMORY);
    EXPECT(port_refs(carrier, MACH_PORT_RIGHT_SEND), 1);
    port_destroy(carrier);
}

CASE(array_with_a_wrong_name)
{
    mach_port_t carrier = port_create_with_send(), good = port_create(), names[3] = {good, name_fresh(), good};
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_array(&message_out, names, 3, MACH_MSG_TYPE_MAKE_SEND, false);
    EXPECT(message_send(&message_out), MACH_SEND_INVALID_RIGHT);
    OBSERVE(port_status(good).mps_srights);
    OBSERVE(port_status(good).mps_mscount);
    port_destroy(good);
    port_destroy(carrier);
}

CASE(array_dies_in_the_queue)
{
    mach_port_t carrier = port_create_with_send(), port = port_create(), names[100];
    for (int i = 0; i < 100; i++)
        names[i] = port;
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_array(&message_out, names, 100, MACH_MSG_TYPE_MAKE_SEND_ONCE, false);
    message_add_array(&message_out, names, 100, MACH_MSG_TYPE_MAKE_SEND, false);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), carrier), KERN_SUCCESS);
    OBSERVE(port_status(port).mps_srights);
    OBSERVE(port_status(port).mps_sorights);
    OBSERVE(port_status(port).mps_msgcount);
    port_destroy(port);
}

/* ---- rights that die on the way ----------------------------------------------------------------------- */

CASE(ports_die_on_the_way)
{
    mach_port_t carrier = port_create_with_send(), ports[4];
    for (int i = 0; i < 4; i++)
        ports[i] = port_create();
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, ports[0], MACH_MSG_TYPE_MAKE_SEND, 1);
    message_add_ports(&message_out, &ports[1], 1, MACH_MSG_TYPE_MAKE_SEND);
    message_add_ports(&message_out, &ports[2], 1, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    message_add_array(&message_out, &ports[3], 1, MACH_MSG_TYPE_MAKE_SEND, false);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    for (int i = 0; i < 4; i++)
        port_destroy(ports[i]);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    OBSERVE((int)message_in.header.msgh_remote_port);
    OBSERVE((int)message_port(&message_in, 0, 0));
    OBSERVE((int)message_port(&message_in, 1, 0));
    OBSERVE((int)*(mach_port_t *)message_pointer(&message_in, 2));
    for (int i = 0; i < 3; i++)
        OBSERVE(message_item(&message_in, i)->msgt_name);
    pages_free(message_pointer(&message_in, 2), 1);
    port_destroy(carrier);
}

CASE(dead_names_carried)
{
    mach_port_t carrier = port_create_with_send(), dead = port_create_dead();
    mach_port_mod_refs(mach_task_self(), dead, MACH_PORT_RIGHT_DEAD_NAME, 2);
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &dead, 1, MACH_MSG_TYPE_MOVE_SEND);
    message_add_ports(&message_out, &dead, 1, MACH_MSG_TYPE_COPY_SEND);
    message_add_ports(&message_out, &dead, 1, MACH_MSG_TYPE_MOVE_SEND_ONCE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(port_refs(dead, MACH_PORT_RIGHT_DEAD_NAME), 1);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    for (int i = 0; i < 3; i++) {
        OBSERVE((int)message_port(&message_in, i, 0));
        OBSERVE(message_item(&message_in, i)->msgt_name);
    }
    mach_port_deallocate(mach_task_self(), dead);
    port_destroy(carrier);
}

/* ---- between tasks ------------------------------------------------------------------------------------ */

static void echo(void *argument)
{
    static struct message message;
    mach_port_t port = *(mach_port_t *)argument;
    if (message_receive(&message, port, 20000))
        return;
    /* What came goes back to the reply port. */
    message.header.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(message.header.msgh_bits), 0) |
                               MACH_MSGH_BITS_COMPLEX;
    message.header.msgh_local_port = MACH_PORT_NULL;
    message_send_within(&message, NO_LIMIT);
}

CASE(rights_there_and_back)
{
    struct child child;
    mach_port_t theirs = name_fresh(), reply = port_create(), ports[3], got[3];
    mach_port_t server = port_create_with_send();
    child_create(&child, echo, &theirs);
    REQUIRE(mach_port_insert_right(child.task, theirs, server, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    child_start(&child);
    for (int i = 0; i < 3; i++)
        ports[i] = port_create();
    message_begin(&message_out, server, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 1);
    message_add_ports(&message_out, &ports[0], 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    message_add_ports(&message_out, &ports[1], 1, MACH_MSG_TYPE_MAKE_SEND);
    message_add_ports(&message_out, &ports[2], 1, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, reply, 20000), MACH_MSG_SUCCESS);
    for (int i = 0; i < 3; i++) {
        got[i] = message_port(&message_in, i, 0);
        OBSERVE(port_type(got[i]) >> 16);
    }
    OBSERVE(got[1] == ports[1]);
    CHECK(child_join(&child));
    EXPECT(port_type(server), MACH_PORT_TYPE_DEAD_NAME);
    mach_port_deallocate(mach_task_self(), server);
    port_destroy(got[0]);
    mach_port_deallocate(mach_task_self(), got[2]);
    EXPECT(notification_next(ports[2]), MACH_NOTIFY_SEND_ONCE);
    port_destroy(ports[1]);
    port_destroy(ports[2]);
    port_destroy(reply);
}
