/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: port sets (Mach manual, "Port Sets"; "Message Receive" on what is received from them). */

#include "messages.h"
#include "rights.h"

static mach_port_t member_create(mach_port_t set)
{
    mach_port_t port = port_create_with_send();
    CHECK(mach_port_move_member(mach_task_self(), port, set) == KERN_SUCCESS);
    return port;
}

/* How many members SET has, or -1. */
static long members_count(mach_port_t set)
{
    mach_port_array_t members = NULL;
    mach_msg_type_number_t count = 0;
    if (mach_port_get_set_status(mach_task_self(), set, &members, &count))
        return -1;
    if (count)
        vm_deallocate(mach_task_self(), (vm_address_t)members, count * sizeof *members);
    return count;
}

CASE(move_member_every_kind)
{
    mach_port_t set = set_create();
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        observe_as(mach_port_move_member(mach_task_self(), named.name, set), "%s into a set", kind_names[kind]);
        observe_as(mach_port_move_member(mach_task_self(), named.name, MACH_PORT_NULL), "%s out of it",
                   kind_names[kind]);
        observe_as(mach_port_move_member(mach_task_self(), named.name, MACH_PORT_NULL), "%s out of none",
                   kind_names[kind]);
        named_destroy(&named);
    }
    EXPECT(members_count(set), 0);
    port_destroy(set);
}

CASE(move_member_into_every_kind)
{
    mach_port_t port = port_create();
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        observe_as(mach_port_move_member(mach_task_self(), port, named.name), "into %s", kind_names[kind]);
        named_destroy(&named);
    }
    OBSERVE(mach_port_move_member(mach_task_self(), port, MACH_PORT_DEAD));
    OBSERVE(mach_port_move_member(mach_task_self(), MACH_PORT_NULL, MACH_PORT_NULL));
    OBSERVE(mach_port_move_member(mach_task_self(), MACH_PORT_DEAD, MACH_PORT_NULL));
    EXPECT(port_status(port).mps_pset, 0);
    port_destroy(port);
}

CASE(move_member_into_its_own_set)
{
    mach_port_t set = set_create(), first = member_create(set), second = member_create(set);
    EXPECT(mach_port_move_member(mach_task_self(), first, set), KERN_SUCCESS);
    EXPECT(members_count(set), 2);
    EXPECT(mach_port_move_member(mach_task_self(), set, set), KERN_INVALID_RIGHT);
    port_destroy(first);
    port_destroy(second);
    port_destroy(set);
}

CASE(move_member_between_sets)
{
    mach_port_t one = set_create(), other = set_create(), port = member_create(one);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(mach_port_move_member(mach_task_self(), port, other), KERN_SUCCESS);
    EXPECT(members_count(one), 0);
    EXPECT(members_count(other), 1);
    EXPECT(port_status(port).mps_pset == other, 1);
    EXPECT(receive_within(one, 0), MACH_RCV_TIMED_OUT);
    EXPECT(receive_within(other, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_local_port == port, 1);
    port_destroy(port);
    port_destroy(one);
    port_destroy(other);
}

CASE(move_member_to_a_wrong_set_changes_nothing)
{
    mach_port_t unused = name_fresh();
    mach_port_t set = set_create(), port = member_create(set);
    EXPECT(mach_port_move_member(mach_task_self(), port, port), KERN_INVALID_RIGHT);
    EXPECT(mach_port_move_member(mach_task_self(), port, unused), KERN_INVALID_NAME);
    EXPECT(port_status(port).mps_pset == set, 1);
    port_destroy(port);
    port_destroy(set);
}

CASE(get_set_status_of_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        mach_port_array_t members = NULL;
        mach_msg_type_number_t count = 99;
        kern_return_t kr = mach_port_get_set_status(mach_task_self(), named.name, &members, &count);
        observe_as(kr, "%s", kind_names[kind]);
        if (kr == KERN_SUCCESS) {
            observe_as(count, "%s: members", kind_names[kind]);
            if (count)
                vm_deallocate(mach_task_self(), (vm_address_t)members, count * sizeof *members);
        }
        named_destroy(&named);
    }
}

CASE(get_set_status_of_many_members)
{
    enum { MEMBERS = 1500 };
    static mach_port_t ports[MEMBERS];
    mach_port_t set = set_create();
    mach_port_array_t members = NULL;
    mach_msg_type_number_t count = 0, found = 0;
    for (int i = 0; i < MEMBERS; i++) {
        ports[i] = port_create();
        mach_port_move_member(mach_task_self(), ports[i], set);
    }
    EXPECT(mach_port_get_set_status(mach_task_self(), set, &members, &count), KERN_SUCCESS);
    EXPECT(count, MEMBERS);
    for (mach_msg_type_number_t i = 0; i < count; i++)
        for (int k = 0; k < MEMBERS; k++)
            found += members[i] == ports[k];
    EXPECT(found, MEMBERS);
    vm_deallocate(mach_task_self(), (vm_address_t)members, count * sizeof *members);
    for (int i = 0; i < MEMBERS; i++)
        mach_port_mod_refs(mach_task_self(), ports[i], MACH_PORT_RIGHT_RECEIVE, -1);
    EXPECT(members_count(set), 0);
    port_destroy(set);
}

CASE(receive_from_a_member)
{
    mach_port_t set = set_create(), port = member_create(set);
    EXPECT(receive_within(port, 0), MACH_RCV_IN_SET);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    EXPECT(receive_within(port, 0), MACH_RCV_IN_SET);
    EXPECT(mach_port_move_member(mach_task_self(), port, MACH_PORT_NULL), KERN_SUCCESS);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    port_destroy(port);
    port_destroy(set);
}

CASE(receive_from_an_empty_set)
{
    mach_port_t set = set_create();
    EXPECT(receive_within(set, 0), MACH_RCV_TIMED_OUT);
    EXPECT(receive_within(set, 20), MACH_RCV_TIMED_OUT);
    port_destroy(set);
    EXPECT(receive_within(set, 0), MACH_RCV_INVALID_NAME);
}

CASE(send_to_a_set)
{
    mach_port_t set = set_create();
    EXPECT(send_empty(set, 1), MACH_SEND_INVALID_DEST);
    message_begin(&message_out, set, MACH_MSG_TYPE_MAKE_SEND, 0, 0, 1);
    EXPECT(message_send(&message_out), MACH_SEND_INVALID_DEST);
    port_destroy(set);
}

CASE(messages_queued_before_joining)
{
    mach_port_t set = set_create(), one = port_create_with_send(), other = port_create_with_send();
    for (int i = 0; i < 3; i++) {
        EXPECT(send_empty(one, 10 + i), MACH_MSG_SUCCESS);
        EXPECT(send_empty(other, 20 + i), MACH_MSG_SUCCESS);
    }
    EXPECT(mach_port_move_member(mach_task_self(), one, set), KERN_SUCCESS);
    EXPECT(mach_port_move_member(mach_task_self(), other, set), KERN_SUCCESS);
    EXPECT(port_status(one).mps_msgcount, 3);
    for (int i = 0; i < 6; i++) {
        EXPECT(receive_within(set, 0), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_id);
        OBSERVE(received()->msgh_seqno);
        OBSERVE(received()->msgh_local_port == (received()->msgh_id < 20 ? one : other));
    }
    port_destroy(one);
    port_destroy(other);
    port_destroy(set);
}

CASE(messages_of_members_in_order)
{
    enum { MEMBERS = 4, EACH = 5 };
    mach_port_t set = set_create(), ports[MEMBERS];
    for (int i = 0; i < MEMBERS; i++)
        ports[i] = member_create(set);
    for (int k = 0; k < EACH; k++)
        for (int i = MEMBERS - 1; i >= 0; i--)
            EXPECT(send_empty(ports[i], i * 100 + k), MACH_MSG_SUCCESS);
    for (int k = 0; k < EACH * MEMBERS; k++) {
        EXPECT(receive_within(set, 0), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_id);
        EXPECT(received()->msgh_local_port == ports[received()->msgh_id / 100], 1);
        OBSERVE(received()->msgh_seqno);
    }
    EXPECT(receive_within(set, 0), MACH_RCV_TIMED_OUT);
    for (int i = 0; i < MEMBERS; i++)
        port_destroy(ports[i]);
    port_destroy(set);
}

CASE(no_member_is_starved)
{
    mach_port_t set = set_create(), busy = member_create(set), quiet = member_create(set);
    for (int i = 0; i < 5; i++)
        EXPECT(send_empty(busy, 1), MACH_MSG_SUCCESS);
    EXPECT(send_empty(quiet, 2), MACH_MSG_SUCCESS);
    int rounds = 0, met = 0;
    while (rounds++ < 100 && !met) {
        EXPECT(receive_within(set, 0), MACH_MSG_SUCCESS);
        met = received()->msgh_id == 2;
        if (!met)
            EXPECT(send_empty(busy, 1), MACH_MSG_SUCCESS);
    }
    EXPECT(met, 1);
    port_destroy(busy);
    port_destroy(quiet);
    port_destroy(set);
}

CASE(queue_limits_of_members)
{
    mach_port_t set = set_create(), one = member_create(set), other = member_create(set);
    EXPECT(mach_port_set_qlimit(mach_task_self(), one, 1), KERN_SUCCESS);
    EXPECT(send_empty(one, 1), MACH_MSG_SUCCESS);
    EXPECT(send_empty(one, 2), MACH_SEND_TIMED_OUT);
    for (int i = 0; i < 5; i++)
        EXPECT(send_empty(other, 3), MACH_MSG_SUCCESS);
    EXPECT(send_empty(other, 4), MACH_SEND_TIMED_OUT);
    OBSERVE(port_status(one).mps_msgcount);
    OBSERVE(port_status(other).mps_msgcount);
    port_destroy(one);
    port_destroy(other);
    port_destroy(set);
}

CASE(member_dies_with_messages)
{
    mach_port_t set = set_create(), one = member_create(set), other = member_create(set);
    EXPECT(send_empty(one, 1), MACH_MSG_SUCCESS);
    EXPECT(send_empty(other, 2), MACH_MSG_SUCCESS);
    EXPECT(send_empty(one, 3), MACH_MSG_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), one), KERN_SUCCESS);
    EXPECT(receive_within(set, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 2);
    EXPECT(receive_within(set, 0), MACH_RCV_TIMED_OUT);
    port_destroy(other);
    port_destroy(set);
}

CASE(set_dies_messages_stay)
{
    mach_port_t set = set_create(), one = member_create(set), other = member_create(set);
    EXPECT(send_empty(one, 1), MACH_MSG_SUCCESS);
    EXPECT(send_empty(other, 2), MACH_MSG_SUCCESS);
    EXPECT(send_empty(one, 3), MACH_MSG_SUCCESS);
    port_destroy(set);
    EXPECT(receive_within(one, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 1);
    EXPECT(receive_within(one, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 3);
    EXPECT(receive_within(other, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 2);
    port_destroy(one);
    port_destroy(other);
}

CASE(member_sent_away_leaves_its_set)
{
    mach_port_t set = set_create(), port = member_create(set);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    mach_port_t keeper = receive_right_hide(port);
    EXPECT(members_count(set), 0);
    EXPECT(receive_within(set, 0), MACH_RCV_TIMED_OUT);
    EXPECT(receive_right_back(keeper) == port, 1);
    EXPECT(port_status(port).mps_pset, 0);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    port_destroy(port);
    port_destroy(set);
}

CASE(large_message_stays_at_the_head)
{
    mach_port_t set = set_create(), one = member_create(set), other = member_create(set);
    static const int values[16] = {5};
    message_begin(&message_out, one, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_integers(&message_out, values, 16);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(send_empty(other, 2), MACH_MSG_SUCCESS);
    for (int i = 0; i < 2; i++) {
        EXPECT(mach_msg_trap(&message_in.header, MACH_RCV_MSG | MACH_RCV_LARGE | MACH_RCV_TIMEOUT, 0, 32, set, 0, 0),
               MACH_RCV_TOO_LARGE);
        OBSERVE(message_in.header.msgh_size);
    }
    EXPECT(message_receive(&message_in, set, 0), MACH_MSG_SUCCESS);
    OBSERVE(message_in.header.msgh_id);
    EXPECT(message_receive(&message_in, set, 0), MACH_MSG_SUCCESS);
    OBSERVE(message_in.header.msgh_id);
    port_destroy(one);
    port_destroy(other);
    port_destroy(set);
}

CASE(rights_a_set_cannot_have)
{
    mach_port_t set = set_create(), got;
    mach_msg_type_name_t type;
    EXPECT(mach_port_insert_right(mach_task_self(), set, set, MACH_MSG_TYPE_MAKE_SEND), KERN_INVALID_RIGHT);
    OBSERVE(mach_port_extract_right(mach_task_self(), set, MACH_MSG_TYPE_MOVE_RECEIVE, &got, &type));
    OBSERVE(notification_request(set, MACH_NOTIFY_DEAD_NAME, 0, MACH_PORT_NULL, NULL));
    port_destroy(set);
}

/* ---- with receivers waiting --------------------------------------------------------------------- */

struct receiver {
    mach_port_t from;
    mach_msg_return_t result;
    struct message message;
};

static void receiver_run(void *argument)
{
    struct receiver *receiver = argument;
    receiver->result = message_receive(&receiver->message, receiver->from, NO_LIMIT);
}

/* Starts a thread that receives from NAME and lets it get there. */
static void receiver_start(struct receiver *receiver, struct helper *helper, mach_port_t name)
{
    *receiver = (struct receiver){.from = name, .result = -1};
    helper_start(helper, receiver_run, receiver);
    CHECK(helper_waits(helper));
}

CASE(waiting_receiver_gets_from_a_new_member)
{
    static struct receiver receiver;
    struct helper helper = {0};
    mach_port_t set = set_create();
    receiver_start(&receiver, &helper, set);
    mach_port_t port = member_create(set);
    EXPECT(send_empty(port, 31), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receiver.result, MACH_MSG_SUCCESS);
    EXPECT(receiver.message.header.msgh_id, 31);
    EXPECT(receiver.message.header.msgh_local_port == port, 1);
    port_destroy(port);
    port_destroy(set);
}

CASE(waiting_receiver_gets_what_a_new_member_brings)
{
    static struct receiver receiver;
    struct helper helper = {0};
    mach_port_t set = set_create(), port = port_create_with_send();
    EXPECT(send_empty(port, 32), MACH_MSG_SUCCESS);
    receiver_start(&receiver, &helper, set);
    EXPECT(mach_port_move_member(mach_task_self(), port, set), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receiver.result, MACH_MSG_SUCCESS);
    EXPECT(receiver.message.header.msgh_id, 32);
    port_destroy(port);
    port_destroy(set);
}

CASE(port_joins_while_received_from)
{
    static struct receiver receiver;
    struct helper helper = {0};
    mach_port_t set = set_create(), port = port_create_with_send();
    receiver_start(&receiver, &helper, port);
    EXPECT(mach_port_move_member(mach_task_self(), port, set), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receiver.result, MACH_RCV_PORT_CHANGED);
    port_destroy(port);
    port_destroy(set);
}

CASE(set_dies_while_received_from)
{
    static struct receiver receiver;
    struct helper helper = {0};
    mach_port_t set = set_create(), port = member_create(set);
    receiver_start(&receiver, &helper, set);
    EXPECT(mach_port_destroy(mach_task_self(), set), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receiver.result, MACH_RCV_PORT_DIED);
    EXPECT(port_status(port).mps_pset, 0);
    port_destroy(port);
}

CASE(member_dies_while_its_set_is_received_from)
{
    static struct receiver receiver;
    struct helper helper = {0};
    mach_port_t set = set_create(), port = member_create(set), other = member_create(set);
    receiver_start(&receiver, &helper, set);
    port_destroy(port);
    EXPECT(send_empty(other, 33), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receiver.result, MACH_MSG_SUCCESS);
    EXPECT(receiver.message.header.msgh_id, 33);
    port_destroy(other);
    port_destroy(set);
}

CASE(member_leaves_while_its_set_is_received_from)
{
    static struct receiver receiver;
    struct helper helper = {0};
    mach_port_t set = set_create(), port = member_create(set), other = member_create(set);
    receiver_start(&receiver, &helper, set);
    EXPECT(mach_port_move_member(mach_task_self(), port, MACH_PORT_NULL), KERN_SUCCESS);
    EXPECT(send_empty(port, 34), MACH_MSG_SUCCESS);
    EXPECT(send_empty(other, 35), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(receiver.message.header.msgh_id, 35);
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 34);
    port_destroy(port);
    port_destroy(other);
    port_destroy(set);
}

CASE(several_receivers_of_a_set)
{
    enum { RECEIVERS = 4 };
    static struct receiver receivers[RECEIVERS];
    struct helper helpers[RECEIVERS] = {0};
    mach_port_t set = set_create(), port = member_create(set);
    int seen = 0;
    for (int i = 0; i < RECEIVERS; i++)
        receiver_start(&receivers[i], &helpers[i], set);
    for (int i = 0; i < RECEIVERS; i++)
        EXPECT(send_empty(port, 1 << i), MACH_MSG_SUCCESS);
    for (int i = 0; i < RECEIVERS; i++) {
        CHECK(helper_join(&helpers[i]));
        EXPECT(receivers[i].result, MACH_MSG_SUCCESS);
        seen |= receivers[i].message.header.msgh_id;
    }
    EXPECT(seen, (1 << RECEIVERS) - 1);
    port_destroy(port);
    port_destroy(set);
}
