/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: receiving (Mach manual, "Message Receive"). */

#include "messages.h"
#include "rights.h"

/* A message with BYTES of data to PORT by copy-send. */
static void data_send(mach_port_t port, unsigned int bytes, mach_msg_id_t id)
{
    static char data[8192];
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, id);
    message_add_inline(&message_out, MACH_MSG_TYPE_BYTE, 8, bytes, data);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
}

CASE(receive_from_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        observe_as(message_receive(&message_in, named.name, 0), "%s", kind_names[kind]);
        named_destroy(&named);
    }
    EXPECT(message_receive(&message_in, MACH_PORT_NULL, 0), MACH_RCV_INVALID_NAME);
    EXPECT(message_receive(&message_in, MACH_PORT_DEAD, 0), MACH_RCV_INVALID_NAME);
}

CASE(receive_sizes)
{
    mach_port_t port = port_create_with_send();
    for (mach_msg_size_t room = 0; room <= 80; room += 4) {
        data_send(port, 24, room);
        memset(&message_in.header, 0xee, 96);
        observe_as(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, room, port, 0, 0), "room %u",
                   room);
        observe_as(message_in.header.msgh_bits, "room %u: bits", room);
        observe_as(message_in.header.msgh_size, "room %u: size", room);
        observe_as(message_in.header.msgh_id, "room %u: id", room);
        observe_as(message_in.header.msgh_seqno, "room %u: seqno", room);
        observe_as(message_in.header.msgh_local_port == port, "room %u: local port", room);
        observe_as(message_in.body[0] & 0xff, "room %u: first byte of the body", room);
        observe_as(port_status(port).mps_msgcount, "room %u: queued", room);
        while (message_receive(&message_in, port, 0) == MACH_MSG_SUCCESS)
            ;
    }
    port_destroy(port);
}

CASE(receive_sizes_of_a_header)
{
    mach_port_t port = port_create_with_send();
    for (mach_msg_size_t room = 0; room <= 40; room += 4) {
        EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
        memset(&message_in.header, 0xee, 40);
        observe_as(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, room, port, 0, 0), "room %u",
                   room);
        observe_as(message_in.header.msgh_size, "room %u: size", room);
        while (message_receive(&message_in, port, 0) == MACH_MSG_SUCCESS)
            ;
    }
    port_destroy(port);
}

CASE(receive_large)
{
    mach_port_t port = port_create_with_send();
    data_send(port, 24, 1);
    for (mach_msg_size_t room = 0; room <= 72; room += 8) {
        memset(&message_in.header, 0xee, 96);
        observe_as(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_LARGE, 0, room, port, 0,
                                 0),
                   "room %u", room);
        observe_as(message_in.header.msgh_size, "room %u: size", room);
        observe_as(message_in.header.msgh_id, "room %u: id", room);
        observe_as(port_status(port).mps_msgcount, "room %u: queued", room);
    }
    port_destroy(port);
}

CASE(receive_too_large_destroys_what_it_carries)
{
    mach_port_t port = port_create_with_send(), other = port_create();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, other, MACH_MSG_TYPE_MAKE_SEND_ONCE, 8);
    message_add_ports(&message_out, &other, 1, MACH_MSG_TYPE_MAKE_SEND);
    message_add_memory(&message_out, pages_allocate(1), vm_page_size, true);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 32, port, 0, 0), MACH_RCV_TOO_LARGE);
    OBSERVE(message_in.header.msgh_bits);
    OBSERVE(message_in.header.msgh_size);
    OBSERVE(message_in.header.msgh_remote_port);
    OBSERVE(message_in.header.msgh_local_port == port);
    OBSERVE(message_in.header.msgh_id);
    OBSERVE(port_status(other).mps_srights);
    OBSERVE(notification_next(other));
    port_destroy(other);
    port_destroy(port);
}

CASE(receive_too_large_by_a_send_once_right)
{
    mach_port_t port = port_create();
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, port, MACH_MSG_TYPE_MAKE_SEND, 8);
    static const int values[4];
    message_add_integers(&message_out, values, 4);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 32, port, 0, 0), MACH_RCV_TOO_LARGE);
    OBSERVE(message_in.header.msgh_bits);
    OBSERVE(message_in.header.msgh_size);
    OBSERVE(port_type(port));
    status_observe("afterwards", port);
    port_destroy(port);
}

CASE(receive_into_unmapped_memory)
{
    mach_port_t port = port_create_with_send(), other = port_create();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 8);
    message_add_ports(&message_out, &other, 1, MACH_MSG_TYPE_MAKE_SEND);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(mach_msg_trap(memory_hole(), MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 128, port, 0, 0));
    OBSERVE(port_status(port).mps_msgcount);
    /* The rights were received all the same. */
    OBSERVE(port_type(other) >> 16);
    OBSERVE(mach_msg_trap(memory_hole(), MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 128, port, 0, 0));
    mach_port_destroy(mach_task_self(), other);
    port_destroy(port);
}

CASE(receive_into_memory_that_ends)
{
    char *pages = pages_allocate(2);
    pages_free(pages + vm_page_size, 1);
    mach_port_t port = port_create_with_send();
    for (unsigned int room = 0; room <= 72; room += 8) {
        data_send(port, 24, 5);
        observe_as(mach_msg_trap((void *)(pages + vm_page_size - room), MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 128, port,
                                 0, 0),
                   "%u bytes", room);
        observe_as(port_status(port).mps_msgcount, "%u bytes: queued", room);
    }
    pages_free(pages, 1);
    port_destroy(port);
}

CASE(receive_large_into_unmapped_memory)
{
    mach_port_t port = port_create_with_send();
    data_send(port, 24, 5);
    OBSERVE(mach_msg_trap(memory_hole(), MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_LARGE, 0, 32, port, 0, 0));
    EXPECT(port_status(port).mps_msgcount, 1);
    port_destroy(port);
}

CASE(receive_into_kernel_memory)
{
    mach_port_t port = port_create_with_send();
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    OBSERVE(mach_msg_trap((void *)0xffffffff80200000, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 128, port, 0, 0));
    OBSERVE(port_status(port).mps_msgcount);
    port_destroy(port);
}

CASE(receive_fifo)
{
    mach_port_t port = port_create_with_send();
    for (int i = 0; i < 5; i++)
        EXPECT(send_empty(port, i), MACH_MSG_SUCCESS);
    for (int i = 0; i < 5; i++) {
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        EXPECT(received()->msgh_id, i);
    }
    EXPECT(receive_within(port, 0), MACH_RCV_TIMED_OUT);
    port_destroy(port);
}

CASE(receive_notify)
{
    /* MACH_RCV_NOTIFY: a dead-name request on a reply port whose right is new to the receiver. */
    mach_port_t port = port_create_with_send(), notify = port_create();
    struct named other = named_create(KIND_SEND_ONCE);
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, other.name, MACH_MSG_TYPE_MOVE_SEND_ONCE, 5);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_NOTIFY, 0, sizeof message_in,
                          port, 0, notify));
    mach_port_t got = message_in.header.msgh_remote_port;
    OBSERVE(port_type(got) >> 16);
    OBSERVE(port_status(notify).mps_sorights);
    port_destroy(other.keeper);
    OBSERVE(notification_next(notify));
    OBSERVE(notification_value == got);
    OBSERVE(port_refs(got, MACH_PORT_RIGHT_DEAD_NAME));
    mach_port_destroy(mach_task_self(), got);
    port_destroy(notify);
    port_destroy(port);
}

CASE(receive_notify_of_a_known_right)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    struct named other = named_create(KIND_SEND);
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, other.name, MACH_MSG_TYPE_COPY_SEND, 5);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_NOTIFY, 0, sizeof message_in,
                          port, 0, notify));
    OBSERVE(port_refs(other.name, MACH_PORT_RIGHT_SEND));
    OBSERVE(port_type(other.name) >> 16);
    OBSERVE(port_status(notify).mps_sorights);
    named_destroy(&other);
    OBSERVE(notification_next(notify));
    port_destroy(notify);
    port_destroy(port);
}

CASE(receive_notify_without_a_reply_port)
{
    mach_port_t port = port_create_with_send(), notify = port_create();
    EXPECT(send_empty(port, 6), MACH_MSG_SUCCESS);
    OBSERVE(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_NOTIFY, 0, sizeof message_in,
                          port, 0, notify));
    OBSERVE(port_status(notify).mps_sorights);
    EXPECT(send_empty(port, 6), MACH_MSG_SUCCESS);
    OBSERVE(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_NOTIFY, 0, sizeof message_in,
                          port, 0, MACH_PORT_NULL));
    OBSERVE(port_status(port).mps_msgcount);
    port_destroy(notify);
    port_destroy(port);
}

CASE(receive_notify_wrong_names)
{
    for (enum kind kind = KIND_SEND; kind < KIND_COUNT; kind++) {
        mach_port_t port = port_create_with_send(), reply = port_create();
        struct named named = named_create(kind);
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 5);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
        memset(&message_in.header, 0xee, sizeof message_in.header);
        observe_as(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_NOTIFY, 0,
                                 sizeof message_in, port, 0, named.name),
                   "%s", kind_names[kind]);
        observe_as(message_in.header.msgh_size, "%s: size", kind_names[kind]);
        observe_as(port_status(port).mps_msgcount, "%s: queued", kind_names[kind]);
        observe_as(port_status(reply).mps_sorights, "%s: send-once rights of the reply port", kind_names[kind]);
        observe_as(port_status(reply).mps_msgcount, "%s: told the reply port", kind_names[kind]);
        if (port_type(message_in.header.msgh_remote_port) & MACH_PORT_TYPE_SEND_ONCE)
            mach_port_destroy(mach_task_self(), message_in.header.msgh_remote_port);
        named_destroy(&named);
        port_destroy(reply);
        port_destroy(port);
    }
}

/* ---- ports that die --------------------------------------------------------------------------------- */

CASE(reply_port_dies_in_the_queue)
{
    static const mach_msg_type_name_t types[] = {MACH_MSG_TYPE_MAKE_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE};
    for (int i = 0; i < 2; i++) {
        mach_port_t port = port_create_with_send(), reply = port_create();
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, reply, types[i], 5);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
        EXPECT(mach_port_destroy(mach_task_self(), reply), KERN_SUCCESS);
        EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
        OBSERVE((int)message_in.header.msgh_remote_port);
        OBSERVE(message_in.header.msgh_bits);
        port_destroy(port);
    }
}

CASE(dead_names_as_reply_ports)
{
    mach_port_t port = port_create_with_send(), dead = port_create_dead();
    mach_port_mod_refs(mach_task_self(), dead, MACH_PORT_RIGHT_DEAD_NAME, 3);
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_MOVE_SEND; type <= MACH_MSG_TYPE_COPY_SEND; type++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, dead, type, 5);
        observe_as(message_send(&message_out), "%u", type);
        observe_as(port_refs(dead, MACH_PORT_RIGHT_DEAD_NAME), "%u: references", type);
        observe_as(message_receive(&message_in, port, 0), "%u: received", type);
        observe_as((int)message_in.header.msgh_remote_port, "%u: reply port", type);
        observe_as(message_in.header.msgh_bits, "%u: bits", type);
    }
    mach_port_destroy(mach_task_self(), dead);
    port_destroy(port);
}

CASE(reply_is_the_destination_itself)
{
    mach_port_t port = port_create();
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND, port, MACH_MSG_TYPE_MAKE_SEND, 5);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    OBSERVE(message_in.header.msgh_remote_port == port);
    OBSERVE(message_in.header.msgh_local_port == port);
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
    port_destroy(port);
}

/* ---- between threads and tasks ------------------------------------------------------------------------- */

static void answer(void *argument)
{
    send_empty(*(mach_port_t *)argument, 42);
}

CASE(message_between_threads)
{
    mach_port_t name = port_create_with_send();
    struct helper helper = {0};
    helper_start(&helper, answer, &name);
    EXPECT(receive_within(name, 10000), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 42);
    CHECK(helper_join(&helper));
    port_destroy(name);
}

CASE(message_between_tasks)
{
    mach_port_t name = port_create_with_send();
    struct child child;
    child_create(&child, answer, &name);
    REQUIRE(mach_port_insert_right(child.task, name, name, MACH_MSG_TYPE_COPY_SEND), KERN_SUCCESS);
    child_start(&child);
    EXPECT(receive_within(name, 10000), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 42);
    CHECK(child_join(&child));
    port_destroy(name);
}

struct receiver {
    mach_port_t from;
    mach_msg_option_t options;
    mach_msg_size_t room;
    mach_msg_return_t result;
    struct message message;
};
static struct receiver receivers[3];

static void receiver_run(void *argument)
{
    struct receiver *receiver = argument;
    receiver->result = mach_msg_trap(&receiver->message.header, MACH_RCV_MSG | receiver->options, 0, receiver->room,
                                     receiver->from, 0, 0);
}

static void receiver_start(int index, struct helper *helper, mach_port_t name, mach_msg_option_t options,
                           mach_msg_size_t room)
{
    receivers[index] = (struct receiver){.from = name, .options = options, .room = room, .result = -1};
    helper_start(helper, receiver_run, &receivers[index]);
    CHECK(helper_waits(helper));
}

CASE(waiting_receiver_too_small)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    receiver_start(0, &helper, port, 0, 32);
    data_send(port, 24, 3);
    CHECK(helper_join(&helper));
    EXPECT(receivers[0].result, MACH_RCV_TOO_LARGE);
    OBSERVE(receivers[0].message.header.msgh_size);
    OBSERVE(receivers[0].message.header.msgh_id);
    EXPECT(port_status(port).mps_msgcount, 0);
    port_destroy(port);
}

CASE(waiting_receiver_too_small_with_large)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    receiver_start(0, &helper, port, MACH_RCV_LARGE, 32);
    data_send(port, 24, 3);
    CHECK(helper_join(&helper));
    EXPECT(receivers[0].result, MACH_RCV_TOO_LARGE);
    OBSERVE(receivers[0].message.header.msgh_size);
    EXPECT(port_status(port).mps_msgcount, 1);
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    port_destroy(port);
}

CASE(two_receivers_too_small_with_large)
{
    mach_port_t port = port_create_with_send();
    struct helper helpers[2] = {0};
    receiver_start(0, &helpers[0], port, MACH_RCV_LARGE, 32);
    receiver_start(1, &helpers[1], port, MACH_RCV_LARGE, 40);
    data_send(port, 24, 3);
    for (int i = 0; i < 2; i++)
        CHECK(helper_waits(&helpers[i]));
    OBSERVE(port_status(port).mps_msgcount);
    int told = (receivers[0].result == MACH_RCV_TOO_LARGE) + (receivers[1].result == MACH_RCV_TOO_LARGE);
    OBSERVE(told);
    OBSERVE(message_receive(&message_in, port, 0));
    for (int i = 0; i < 2; i++)
        if (receivers[i].result == -1)
            EXPECT(send_empty(port, 9), MACH_MSG_SUCCESS);
    for (int i = 0; i < 2; i++)
        CHECK(helper_join(&helpers[i]));
    port_destroy(port);
}

CASE(receiver_waits_while_the_port_dies)
{
    mach_port_t port = port_create();
    struct helper helper = {0};
    receiver_start(0, &helper, port, 0, 64);
    EXPECT(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receivers[0].result, MACH_RCV_PORT_DIED);
}

CASE(receiver_waits_while_the_right_is_sent_away)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    receiver_start(0, &helper, port, 0, 64);
    mach_port_t keeper = receive_right_hide(port);
    CHECK(helper_join(&helper));
    EXPECT(receivers[0].result, MACH_RCV_PORT_DIED);
    port = receive_right_back(keeper);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    port_destroy(port);
}

CASE(receiver_waits_while_the_right_is_saved)
{
    mach_port_t port = port_create(), notify = port_create();
    struct helper helper = {0};
    EXPECT(notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL), KERN_SUCCESS);
    receiver_start(0, &helper, port, 0, 64);
    EXPECT(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receivers[0].result, MACH_RCV_PORT_DIED);
    EXPECT(notification_next(notify), MACH_NOTIFY_PORT_DESTROYED);
    port_destroy(notification_value);
    port_destroy(notify);
}

CASE(receiver_waits_while_the_name_changes)
{
    mach_port_t port = port_create_with_send(), unused = name_fresh();
    struct helper helper = {0};
    receiver_start(0, &helper, port, 0, 64);
    EXPECT(mach_port_rename(mach_task_self(), port, unused), KERN_SUCCESS);
    EXPECT(send_empty(unused, 1), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receivers[0].result, MACH_MSG_SUCCESS);
    EXPECT(receivers[0].message.header.msgh_local_port == unused, 1);
    port_destroy(unused);
}

CASE(three_receivers_three_messages)
{
    mach_port_t port = port_create_with_send();
    struct helper helpers[3] = {0};
    int seen = 0;
    for (int i = 0; i < 3; i++)
        receiver_start(i, &helpers[i], port, 0, 64);
    for (int i = 0; i < 3; i++)
        EXPECT(send_empty(port, 1 << i), MACH_MSG_SUCCESS);
    for (int i = 0; i < 3; i++) {
        CHECK(helper_join(&helpers[i]));
        EXPECT(receivers[i].result, MACH_MSG_SUCCESS);
        seen |= receivers[i].message.header.msgh_id;
    }
    EXPECT(seen, 7);
    port_destroy(port);
}

CASE(killed_receiver_leaves_the_message)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    receiver_start(0, &helper, port, 0, 64);
    helper_kill(&helper);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_seqno, 0);
    port_destroy(port);
}
