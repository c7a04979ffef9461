/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: user references, rights inserted and extracted (Mach manual, "Port Rights", "Ports and other Tasks"). */

#include "messages.h"
#include "rights.h"

enum { UREFS_MAX = 65535 };

/* ---- counting ------------------------------------------------------------------------------ */

CASE(get_refs_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        for (mach_port_right_t right = 0; right <= MACH_PORT_RIGHT_NUMBER; right++) {
            mach_port_urefs_t refs = 0;
            kern_return_t kr = mach_port_get_refs(mach_task_self(), named.name, right, &refs);
            observe_as(kr ? kr : (long)refs + 100, "%s: right %u", kind_names[kind], right);
        }
        observe_as(port_refs(named.name, -1), "%s: right -1", kind_names[kind]);
        named_destroy(&named);
    }
}

/* mod_refs of every right with many deltas, each on a fresh name of KIND. */
static void mod_refs_observe(enum kind kind)
{
    static const mach_port_delta_t deltas[] = {0, 1, -1, 2, -2, 65534, 65535, -65535, 0x7fffffff, -0x7fffffff - 1};
    for (mach_port_right_t right = 0; right <= MACH_PORT_RIGHT_NUMBER; right++)
        for (unsigned int i = 0; i < sizeof deltas / sizeof *deltas; i++) {
            struct named named = named_create(kind);
            kern_return_t kr = mach_port_mod_refs(mach_task_self(), named.name, right, deltas[i]);
            observe_as(kr, "right %u by %d", right, deltas[i]);
            observe_as(port_type(named.name) >> 16, "right %u by %d: type", right, deltas[i]);
            if (kr == KERN_SUCCESS && right < MACH_PORT_RIGHT_NUMBER)
                observe_as(port_refs(named.name, right), "right %u by %d: references", right, deltas[i]);
            named_destroy(&named);
        }
}

CASE(mod_refs_receive)
{
    mod_refs_observe(KIND_RECEIVE);
}

CASE(mod_refs_send)
{
    mod_refs_observe(KIND_SEND);
}

CASE(mod_refs_both)
{
    mod_refs_observe(KIND_BOTH);
}

CASE(mod_refs_send_once)
{
    mod_refs_observe(KIND_SEND_ONCE);
}

CASE(mod_refs_set)
{
    mod_refs_observe(KIND_SET);
}

CASE(mod_refs_dead)
{
    mod_refs_observe(KIND_DEAD);
}

CASE(mod_refs_none)
{
    mod_refs_observe(KIND_NONE);
    OBSERVE(mach_port_mod_refs(mach_task_self(), MACH_PORT_NULL, MACH_PORT_RIGHT_SEND, -1));
    OBSERVE(mach_port_mod_refs(mach_task_self(), MACH_PORT_DEAD, MACH_PORT_RIGHT_SEND, -1));
    OBSERVE(mach_port_mod_refs(mach_task_self(), MACH_PORT_DEAD, MACH_PORT_RIGHT_SEND, 1));
    OBSERVE(mach_port_mod_refs(mach_task_self(), MACH_PORT_NULL, MACH_PORT_RIGHT_NUMBER, 0));
}

CASE(send_references_to_the_limit)
{
    struct named named = named_create(KIND_SEND);
    OBSERVE(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, UREFS_MAX - 2));
    OBSERVE(port_refs(named.name, MACH_PORT_RIGHT_SEND));
    for (int i = 0; i < 3; i++) {
        OBSERVE(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, 1));
        OBSERVE(port_refs(named.name, MACH_PORT_RIGHT_SEND));
    }
    OBSERVE(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, -UREFS_MAX));
    OBSERVE(port_type(named.name));
    named_destroy(&named);
}

CASE(dead_references_to_the_limit)
{
    struct named named = named_create(KIND_DEAD);
    OBSERVE(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_DEAD_NAME, UREFS_MAX - 2));
    for (int i = 0; i < 3; i++) {
        OBSERVE(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_DEAD_NAME, 1));
        OBSERVE(port_refs(named.name, MACH_PORT_RIGHT_DEAD_NAME));
    }
    named_destroy(&named);
}

/* Sends CARRIER a copy of the send right NAME and receives it. */
static void send_right_cycle(mach_port_t carrier, mach_port_t name)
{
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &name, 1, MACH_MSG_TYPE_COPY_SEND);
    OBSERVE(message_send(&message_out));
    OBSERVE(message_receive(&message_in, carrier, 0));
    OBSERVE(message_port(&message_in, 0, 0) == name);
}

CASE_DIFFERS(received_send_rights_to_the_limit)
{
    struct named named = named_create(KIND_SEND);
    mach_port_t carrier = port_create_with_send();
    EXPECT(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, UREFS_MAX - 2), KERN_SUCCESS);
    for (int i = 0; i < 3; i++) {
        send_right_cycle(carrier, named.name);
        OBSERVE(port_refs(named.name, MACH_PORT_RIGHT_SEND));
    }
    /* All of them are one right to the port. */
    EXPECT(mach_port_destroy(mach_task_self(), named.name), KERN_SUCCESS);
    mach_port_t back = receive_right_back(named.keeper);
    EXPECT(port_status(back).mps_srights, 0);
    port_destroy(back);
    port_destroy(carrier);
}

/* One message brings more rights than GNU Mach counts.  Who gives each of them back keeps the one it had. */
CASE_OURS(received_send_rights_beyond_the_limit)
{
    enum { MANY = 150000 };
    struct named named = named_create(KIND_SEND);
    mach_port_t carrier = port_create_with_send();
    mach_port_t *names = calloc(MANY, sizeof *names);
    for (unsigned int i = 0; i < MANY; i++)
        names[i] = named.name;
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_array(&message_out, names, MANY, MACH_MSG_TYPE_COPY_SEND, false);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    free(names);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    EXPECT(port_refs(named.name, MACH_PORT_RIGHT_SEND), MANY + 1);
    EXPECT(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, 1), KERN_UREFS_OVERFLOW);
    EXPECT(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, -70000), KERN_SUCCESS);
    long failed = 0;
    for (unsigned int i = 70000; i < MANY; i++)
        failed += mach_port_deallocate(mach_task_self(), named.name) != KERN_SUCCESS;
    EXPECT(failed, 0);
    EXPECT(port_refs(named.name, MACH_PORT_RIGHT_SEND), 1);
    vm_deallocate(mach_task_self(), (vm_address_t)message_pointer(&message_in, 0), MANY * sizeof *names);
    named_destroy(&named);
    port_destroy(carrier);
}

CASE(inserted_send_rights_to_the_limit)
{
    mach_port_t name = port_create_with_send();
    EXPECT(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND, UREFS_MAX - 2), KERN_SUCCESS);
    for (int i = 0; i < 3; i++) {
        OBSERVE(mach_port_insert_right(mach_task_self(), name, name, MACH_MSG_TYPE_MAKE_SEND));
        OBSERVE(port_refs(name, MACH_PORT_RIGHT_SEND));
    }
    OBSERVE(port_status(name).mps_mscount);
    OBSERVE(mach_port_insert_right(mach_task_self(), name, name, MACH_MSG_TYPE_COPY_SEND));
    OBSERVE(port_refs(name, MACH_PORT_RIGHT_SEND));
    OBSERVE(mach_port_insert_right(mach_task_self(), name, name, MACH_MSG_TYPE_MOVE_SEND));
    OBSERVE(port_refs(name, MACH_PORT_RIGHT_SEND));
    port_destroy(name);
}

CASE(receive_right_gone_send_rights_stay_dead)
{
    mach_port_t name = port_create_with_send();
    EXPECT(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND, 4), KERN_SUCCESS);
    EXPECT(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    EXPECT(port_type(name), MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(port_refs(name, MACH_PORT_RIGHT_DEAD_NAME), 5);
    EXPECT(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND, -1), KERN_INVALID_RIGHT);
    EXPECT(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_DEAD_NAME, -5), KERN_SUCCESS);
    EXPECT(port_type(name), 0);
}

CASE(send_once_right_dies)
{
    struct named named = named_create(KIND_SEND_ONCE);
    port_destroy(named.keeper);
    EXPECT(port_type(named.name), MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(port_refs(named.name, MACH_PORT_RIGHT_DEAD_NAME), 1);
    OBSERVE(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND_ONCE, -1));
    EXPECT(mach_port_deallocate(mach_task_self(), named.name), KERN_SUCCESS);
}

CASE(send_once_right_has_a_name_of_its_own)
{
    mach_port_t port = port_create_with_send(), names[3];
    for (int i = 0; i < 3; i++)
        names[i] = sonce_create(port);
    EXPECT(names[0] != names[1] && names[1] != names[2] && names[0] != names[2] && names[0] != port, 1);
    EXPECT(port_status(port).mps_sorights, 3);
    for (int i = 0; i < 3; i++) {
        EXPECT(mach_port_deallocate(mach_task_self(), names[i]), KERN_SUCCESS);
        EXPECT(port_status(port).mps_sorights, 3);
        EXPECT(port_status(port).mps_msgcount, (unsigned int)i + 1);
    }
    for (int i = 0; i < 3; i++) {
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        EXPECT(received()->msgh_id, MACH_NOTIFY_SEND_ONCE);
        OBSERVE(MACH_MSGH_BITS_LOCAL(received()->msgh_bits));
        OBSERVE(received()->msgh_size);
    }
    EXPECT(port_status(port).mps_sorights, 0);
    port_destroy(port);
}

/* ---- inserting ----------------------------------------------------------------------------------- */

CASE(insert_every_disposition)
{
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_MOVE_RECEIVE; type <= MACH_MSG_TYPE_MAKE_SEND_ONCE; type++) {
        mach_port_t unused = name_fresh();
        struct named named = named_create(type == MACH_MSG_TYPE_MOVE_SEND_ONCE ? KIND_SEND_ONCE : KIND_BOTH);
        observe_as(mach_port_insert_right(mach_task_self(), unused, named.name, type), "disposition %u elsewhere",
                   type);
        observe_as(port_type(unused) >> 16, "disposition %u: new name", type);
        observe_as(port_type(named.name) >> 16, "disposition %u: old name", type);
        if (port_type(unused))
            mach_port_destroy(mach_task_self(), unused);
        named_destroy(&named);
    }
}

CASE(insert_under_the_same_name)
{
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_MOVE_RECEIVE; type <= MACH_MSG_TYPE_MAKE_SEND_ONCE; type++) {
        struct named named = named_create(type == MACH_MSG_TYPE_MOVE_SEND_ONCE ? KIND_SEND_ONCE : KIND_BOTH);
        observe_as(mach_port_insert_right(mach_task_self(), named.name, named.name, type), "disposition %u", type);
        observe_as(port_type(named.name) >> 16, "disposition %u: type", type);
        observe_as(port_refs(named.name, MACH_PORT_RIGHT_SEND), "disposition %u: references", type);
        if (type != MACH_MSG_TYPE_MOVE_SEND_ONCE)
            observe_as(port_status(named.name).mps_sorights, "disposition %u: send-once rights", type);
        named_destroy(&named);
    }
}

CASE(insert_pure_rights_elsewhere)
{
    mach_port_t unused = name_fresh();
    struct named send = named_create(KIND_SEND), receive = named_create(KIND_RECEIVE);
    EXPECT(mach_port_insert_right(mach_task_self(), unused, send.name, MACH_MSG_TYPE_MOVE_SEND), KERN_SUCCESS);
    OBSERVE(port_type(send.name));
    OBSERVE(port_type(unused) >> 16);
    OBSERVE(mach_port_insert_right(mach_task_self(), unused + 1, unused, MACH_MSG_TYPE_COPY_SEND));
    EXPECT(mach_port_insert_right(mach_task_self(), unused + 1, receive.name, MACH_MSG_TYPE_MOVE_RECEIVE),
           KERN_SUCCESS);
    OBSERVE(port_type(receive.name));
    OBSERVE(port_type(unused + 1) >> 16);
    mach_port_destroy(mach_task_self(), unused);
    mach_port_destroy(mach_task_self(), unused + 1);
    port_destroy(send.keeper);
}

CASE(insert_under_taken_names)
{
    for (enum kind kind = 0; kind < KIND_REAL; kind++) {
        struct named named = named_create(kind);
        mach_port_t port = port_create();
        observe_as(mach_port_insert_right(mach_task_self(), named.name, port, MACH_MSG_TYPE_MAKE_SEND), "send over %s",
                   kind_names[kind]);
        observe_as(mach_port_insert_right(mach_task_self(), named.name, port, MACH_MSG_TYPE_MAKE_SEND_ONCE),
                   "send-once over %s", kind_names[kind]);
        observe_as(mach_port_insert_right(mach_task_self(), named.name, port, MACH_MSG_TYPE_MOVE_RECEIVE),
                   "receive over %s", kind_names[kind]);
        observe_as(port_type(named.name) >> 16, "%s: type", kind_names[kind]);
        if (port_type(port))
            status_observe(kind_names[kind], port);
        named_destroy(&named);
        if (port_type(port))
            mach_port_destroy(mach_task_self(), port);
    }
}

CASE(insert_reserved_names)
{
    mach_port_t port = port_create();
    EXPECT(mach_port_insert_right(mach_task_self(), MACH_PORT_NULL, port, MACH_MSG_TYPE_MAKE_SEND), KERN_INVALID_VALUE);
    EXPECT(mach_port_insert_right(mach_task_self(), MACH_PORT_DEAD, port, MACH_MSG_TYPE_MAKE_SEND), KERN_INVALID_VALUE);
    OBSERVE(port_status(port).mps_srights);
    OBSERVE(port_status(port).mps_mscount);
    port_destroy(port);
}

CASE(insert_nothing)
{
    mach_port_t unused = name_fresh();
    mach_port_t dead = port_create_dead();
    OBSERVE(mach_port_insert_right(mach_task_self(), unused, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND));
    OBSERVE(mach_port_insert_right(mach_task_self(), unused, MACH_PORT_DEAD, MACH_MSG_TYPE_COPY_SEND));
    OBSERVE(mach_port_insert_right(mach_task_self(), unused, dead, MACH_MSG_TYPE_COPY_SEND));
    OBSERVE(mach_port_insert_right(mach_task_self(), unused, unused + 1, MACH_MSG_TYPE_COPY_SEND));
    OBSERVE(mach_port_insert_right(mach_task_self(), unused, dead, MACH_MSG_TYPE_MAKE_SEND));
    OBSERVE(mach_port_insert_right(mach_task_self(), MACH_PORT_NULL, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND));
    OBSERVE(port_type(unused));
    EXPECT(port_refs(dead, MACH_PORT_RIGHT_DEAD_NAME), 1);
    mach_port_deallocate(mach_task_self(), dead);
}

CASE(insert_wrong_rights)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        for (mach_msg_type_name_t type = 15; type <= 22; type++) {
            mach_port_t unused = name_fresh();
            struct named named = named_create(kind);
            observe_as(mach_port_insert_right(mach_task_self(), unused + 7, named.name, type), "%s as %u",
                       kind_names[kind], type);
            if (port_type(unused + 7))
                mach_port_destroy(mach_task_self(), unused + 7);
            named_destroy(&named);
        }
}

static void nothing(void *unused)
{
    (void)unused;
}

CASE(insert_into_another_task)
{
    struct child child;
    mach_port_type_t type = 0;
    mach_port_urefs_t refs = 0;
    child_create(&child, nothing, NULL);
    mach_port_t port = port_create();
    EXPECT(mach_port_insert_right(child.task, 1000, port, MACH_MSG_TYPE_MAKE_SEND), KERN_SUCCESS);
    EXPECT(mach_port_insert_right(child.task, 1000, port, MACH_MSG_TYPE_MAKE_SEND), KERN_SUCCESS);
    EXPECT(mach_port_insert_right(child.task, 1001, port, MACH_MSG_TYPE_MAKE_SEND), KERN_RIGHT_EXISTS);
    EXPECT(mach_port_insert_right(child.task, 1001, port, MACH_MSG_TYPE_MAKE_SEND_ONCE), KERN_SUCCESS);
    OBSERVE(mach_port_insert_right(child.task, 1001, port, MACH_MSG_TYPE_MAKE_SEND_ONCE));
    EXPECT(mach_port_get_refs(child.task, 1000, MACH_PORT_RIGHT_SEND, &refs), KERN_SUCCESS);
    EXPECT(refs, 2);
    OBSERVE(port_status(port).mps_mscount);
    EXPECT(mach_port_insert_right(child.task, 1000, port, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    EXPECT(port_type(port), 0);
    EXPECT(mach_port_type(child.task, 1000, &type), KERN_SUCCESS);
    EXPECT(type, MACH_PORT_TYPE_SEND_RECEIVE);
    EXPECT(mach_port_destroy(child.task, 1000), KERN_SUCCESS);
    EXPECT(mach_port_type(child.task, 1001, &type), KERN_SUCCESS);
    EXPECT(type, MACH_PORT_TYPE_DEAD_NAME);
    child_kill(&child);
}

/* ---- extracting ------------------------------------------------------------------------------------ */

/* extract_right of every disposition from a fresh name of KIND. */
static void extract_observe(enum kind kind)
{
    static const mach_msg_type_name_t types[] = {0, 15, 16, 17, 18, 19, 20, 21, 22, 23, ~0u};
    for (unsigned int i = 0; i < sizeof types / sizeof *types; i++) {
        struct named named = named_create(kind);
        mach_port_t got = MACH_PORT_NULL;
        mach_msg_type_name_t type = 0;
        kern_return_t kr = mach_port_extract_right(mach_task_self(), named.name, types[i], &got, &type);
        observe_as(kr, "%u", types[i]);
        if (kr == KERN_SUCCESS) {
            observe_as(type, "%u: as", types[i]);
            observe_as(got == named.name, "%u: same name", types[i]);
            observe_as(port_type(got) >> 16, "%u: what it is", types[i]);
            observe_as(port_refs(got, MACH_PORT_RIGHT_SEND), "%u: references", types[i]);
        }
        observe_as(port_type(named.name) >> 16, "%u: what is left", types[i]);
        if (kr == KERN_SUCCESS && got != named.name && port_type(got))
            mach_port_destroy(mach_task_self(), got);
        named_destroy(&named);
    }
}

CASE(extract_from_receive)
{
    extract_observe(KIND_RECEIVE);
}

CASE(extract_from_send)
{
    extract_observe(KIND_SEND);
}

CASE(extract_from_both)
{
    extract_observe(KIND_BOTH);
}

CASE(extract_from_send_once)
{
    extract_observe(KIND_SEND_ONCE);
}

CASE(extract_from_set)
{
    extract_observe(KIND_SET);
}

CASE(extract_from_dead)
{
    extract_observe(KIND_DEAD);
}

CASE(extract_from_none)
{
    extract_observe(KIND_NONE);
}

CASE(extract_reserved_names)
{
    mach_port_t got;
    mach_msg_type_name_t type;
    OBSERVE(mach_port_extract_right(mach_task_self(), MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND, &got, &type));
    OBSERVE(mach_port_extract_right(mach_task_self(), MACH_PORT_DEAD, MACH_MSG_TYPE_COPY_SEND, &got, &type));
    OBSERVE(mach_port_extract_right(mach_task_self(), MACH_PORT_NULL, 99, &got, &type));
}

CASE(extract_the_last_of_several_references)
{
    struct named named = named_create(KIND_SEND);
    mach_port_t got = 0;
    mach_msg_type_name_t type;
    mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, 1);
    struct child child;
    child_create(&child, nothing, NULL);
    /* One of two references goes to the child and comes back: first the count goes down, then the name goes. */
    EXPECT(mach_port_insert_right(child.task, 700, named.name, MACH_MSG_TYPE_MOVE_SEND), KERN_SUCCESS);
    EXPECT(port_refs(named.name, MACH_PORT_RIGHT_SEND), 1);
    EXPECT(mach_port_insert_right(child.task, 700, named.name, MACH_MSG_TYPE_MOVE_SEND), KERN_SUCCESS);
    EXPECT(port_type(named.name), 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(mach_port_extract_right(child.task, 700, MACH_MSG_TYPE_MOVE_SEND, &got, &type), KERN_SUCCESS);
        OBSERVE(port_refs(got, MACH_PORT_RIGHT_SEND));
    }
    EXPECT(mach_port_extract_right(child.task, 700, MACH_MSG_TYPE_MOVE_SEND, &got, &type), KERN_INVALID_NAME);
    child_kill(&child);
    named.name = got;
    named_destroy(&named);
}

CASE(receive_right_moves_with_its_messages)
{
    mach_port_t port = port_create_with_send(), got = 0;
    mach_msg_type_name_t type;
    struct child child;
    mach_port_status_t status;
    child_create(&child, nothing, NULL);
    mach_port_set_qlimit(mach_task_self(), port, 7);
    mach_port_set_seqno(mach_task_self(), port, 40);
    mach_port_set_protected_payload(mach_task_self(), port, 99);
    mach_port_t notify = port_create();
    notification_request(port, MACH_NOTIFY_NO_SENDERS, 100, notify, NULL);
    notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, notify, NULL);
    for (int i = 0; i < 3; i++)
        EXPECT(send_empty(port, 100 + i), MACH_MSG_SUCCESS);
    status_observe("before", port);
    EXPECT(mach_port_insert_right(child.task, 800, port, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    EXPECT(port_type(port), MACH_PORT_TYPE_SEND);
    EXPECT(mach_port_get_receive_status(child.task, 800, &status), KERN_SUCCESS);
    OBSERVE(status.mps_seqno);
    OBSERVE(status.mps_mscount);
    OBSERVE(status.mps_qlimit);
    OBSERVE(status.mps_msgcount);
    OBSERVE(status.mps_srights);
    OBSERVE(status.mps_nsrequest);
    OBSERVE(status.mps_pdrequest);
    EXPECT(mach_port_extract_right(child.task, 800, MACH_MSG_TYPE_MOVE_RECEIVE, &got, &type), KERN_SUCCESS);
    EXPECT(got == port, 1);
    status_observe("after", port);
    for (int i = 0; i < 3; i++) {
        EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
        OBSERVE(received()->msgh_id);
        OBSERVE(received()->msgh_seqno);
        OBSERVE(MACH_MSGH_BITS_LOCAL(received()->msgh_bits));
    }
    notification_request(port, MACH_NOTIFY_PORT_DESTROYED, 0, MACH_PORT_NULL, NULL);
    port_destroy(port);
    port_destroy(notify);
    child_kill(&child);
}

CASE(task_death_gives_rights_up)
{
    struct child child;
    mach_port_t port = port_create(), notify = port_create();
    child_create(&child, nothing, NULL);
    EXPECT(mach_port_insert_right(child.task, 900, port, MACH_MSG_TYPE_MAKE_SEND), KERN_SUCCESS);
    EXPECT(mach_port_insert_right(child.task, 901, port, MACH_MSG_TYPE_MAKE_SEND_ONCE), KERN_SUCCESS);
    mach_port_t theirs = 0, mine = 0;
    mach_msg_type_name_t type;
    EXPECT(mach_port_allocate(child.task, MACH_PORT_RIGHT_RECEIVE, &theirs), KERN_SUCCESS);
    EXPECT(mach_port_extract_right(child.task, theirs, MACH_MSG_TYPE_MAKE_SEND, &mine, &type), KERN_SUCCESS);
    EXPECT(notification_request(port, MACH_NOTIFY_NO_SENDERS, 1, notify, NULL), KERN_SUCCESS);
    child_kill(&child);
    for (int i = 0; i < 2000 && port_type(mine) != MACH_PORT_TYPE_DEAD_NAME; i++)
        pause_ms(10);
    EXPECT(port_type(mine), MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(message_receive(&message_in, notify, 10000), MACH_MSG_SUCCESS);
    EXPECT(message_in.header.msgh_id, MACH_NOTIFY_NO_SENDERS);
    EXPECT(message_receive(&message_in, port, 10000), MACH_MSG_SUCCESS);
    EXPECT(message_in.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
    mach_port_deallocate(mach_task_self(), mine);
    port_destroy(port);
    port_destroy(notify);
}
