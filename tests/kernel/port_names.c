/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: names of a space (Mach manual, "Port Creation", "Port Destruction", "Port Names"). */

#include "messages.h"
#include "rights.h"

/* What is left under NAME. */
static void name_observe(const char *what, mach_port_t name)
{
    observe_as(port_type(name) >> 16, "%s: type", what);
    for (mach_port_right_t right = 0; right < MACH_PORT_RIGHT_NUMBER; right++)
        observe_as(port_refs(name, right), "%s: references of right %u", what, right);
}

/* ---- allocation --------------------------------------------------------------------------- */

CASE(allocate_receive)
{
    mach_port_t name;
    REQUIRE(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &name), KERN_SUCCESS);
    name_observe("new", name);
    status_observe("new", name);
    EXPECT(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    EXPECT(port_type(name), 0);
}

CASE(allocate_port_set)
{
    mach_port_t name;
    REQUIRE(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &name), KERN_SUCCESS);
    name_observe("new", name);
    EXPECT(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_PORT_SET, -1), KERN_SUCCESS);
    EXPECT(port_type(name), 0);
}

CASE(allocate_dead_name)
{
    mach_port_t name;
    REQUIRE(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_DEAD_NAME, &name), KERN_SUCCESS);
    name_observe("new", name);
    EXPECT(mach_port_deallocate(mach_task_self(), name), KERN_SUCCESS);
    EXPECT(port_type(name), 0);
}

CASE(allocate_wrong_right)
{
    mach_port_t name;
    EXPECT(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_SEND, &name), KERN_INVALID_VALUE);
    EXPECT(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_SEND_ONCE, &name), KERN_INVALID_VALUE);
    EXPECT(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_NUMBER, &name), KERN_INVALID_VALUE);
    EXPECT(mach_port_allocate(mach_task_self(), 0x7fffffff, &name), KERN_INVALID_VALUE);
    EXPECT(mach_port_allocate(mach_task_self(), -1, &name), KERN_INVALID_VALUE);
}

CASE(allocate_into_unmapped_memory)
{
    OBSERVE(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_SEND_ONCE, memory_hole()));
}

CASE(allocate_name_each)
{
    for (mach_port_right_t right = 0; right <= MACH_PORT_RIGHT_NUMBER; right++) {
        mach_port_t name = name_fresh();
        observe_as(mach_port_allocate_name(mach_task_self(), right, name), "right %u", right);
        observe_as(port_type(name) >> 16, "right %u: type", right);
        if (port_type(name))
            mach_port_destroy(mach_task_self(), name);
    }
}

CASE(allocate_name_taken)
{
    for (enum kind kind = 0; kind < KIND_REAL; kind++) {
        struct named named = named_create(kind);
        observe_as(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, named.name), "%s",
                   kind_names[kind]);
        named_destroy(&named);
    }
}

CASE(allocate_name_reserved)
{
    EXPECT(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, MACH_PORT_NULL), KERN_INVALID_VALUE);
    EXPECT(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, MACH_PORT_DEAD), KERN_INVALID_VALUE);
    EXPECT(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, MACH_PORT_NULL), KERN_INVALID_VALUE);
    EXPECT(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_DEAD_NAME, MACH_PORT_DEAD), KERN_INVALID_VALUE);
}

CASE(allocate_name_reserved_and_wrong_right)
{
    OBSERVE(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_SEND, MACH_PORT_NULL));
    mach_port_t taken = port_create();
    OBSERVE(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_SEND, taken));
    port_destroy(taken);
}

/* Allocates each of NAMES and gives it back. */
static void far_names_observe(const mach_port_t *names, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        observe_as(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, names[i]), "%#x", names[i]);
        observe_as(send_empty(names[i], 1), "%#x: send without a send right", names[i]);
    }
    for (unsigned int i = 0; i < count; i++)
        EXPECT(mach_port_mod_refs(mach_task_self(), names[i], MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
}

CASE(allocate_name_far)
{
    static const mach_port_t names[] = {0x1000, 0xffff, 0x10000, 0xffffff};
    far_names_observe(names, 4);
}

CASE_OURS(allocate_name_farthest)
{
    static const mach_port_t names[] = {0x1000000, 0x7fffffff, 0x80000000, 0xfffffffe};
    far_names_observe(names, 4);
    EXPECT(port_names() > 0, 1);
}

CASE(allocate_name_is_not_handed_out)
{
    enum { COUNT = 400 };
    static mach_port_t ports[COUNT];
    mach_port_t first = port_create(), taken = first + 100, met = 0;
    while (port_type(taken))
        taken++;
    REQUIRE(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_DEAD_NAME, taken), KERN_SUCCESS);
    for (int i = 0; i < COUNT; i++) {
        ports[i] = port_create();
        met += ports[i] == taken || ports[i] == 0 || ports[i] == MACH_PORT_DEAD;
    }
    EXPECT(met, 0);
    EXPECT(port_type(taken), MACH_PORT_TYPE_DEAD_NAME);
    for (int i = 0; i < COUNT; i++)
        port_destroy(ports[i]);
    port_destroy(first);
    EXPECT(mach_port_deallocate(mach_task_self(), taken), KERN_SUCCESS);
}

CASE(allocate_name_again_after_destroy)
{
    mach_port_t unused = name_fresh();
    for (int i = 0; i < 3; i++) {
        EXPECT(mach_port_allocate_name(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, unused), KERN_SUCCESS);
        EXPECT(mach_port_destroy(mach_task_self(), unused), KERN_SUCCESS);
        EXPECT(port_type(unused), 0);
    }
}

CASE(allocate_all_at_once)
{
    enum { COUNT = 2000 };
    static mach_port_t ports[COUNT];
    unsigned int before = port_names(), twice = 0;
    for (int i = 0; i < COUNT; i++)
        if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &ports[i]))
            ports[i] = 0;
    EXPECT(port_names() - before, COUNT);
    for (int i = 0; i < COUNT; i++)
        twice += mach_port_mod_refs(mach_task_self(), ports[i], MACH_PORT_RIGHT_RECEIVE, -1) != KERN_SUCCESS;
    EXPECT(twice, 0);
    EXPECT(port_names() - before, 0);
}

CASE(reply_port)
{
    mach_port_t name = mach_reply_port();
    name_observe("reply port", name);
    status_observe("reply port", name);
    port_destroy(name);
}

/* ---- the wrong task --------------------------------------------------------------------------- */

/* Each routine with TASK in place of a task port. */
static void routines_observe(const char *what, mach_port_t task)
{
    mach_port_t unused = name_fresh();
    mach_port_t name = port_create(), got = 0;
    mach_port_array_t names = NULL;
    mach_port_type_array_t types = NULL;
    mach_port_type_t type;
    mach_port_urefs_t refs;
    mach_port_status_t status;
    mach_msg_type_number_t count, types_count;
    mach_msg_type_name_t disposition;
    observe_as(mach_port_names(task, &names, &count, &types, &types_count), "%s: names", what);
    observe_as(mach_port_type(task, name, &type), "%s: type", what);
    observe_as(mach_port_rename(task, name, unused), "%s: rename", what);
    observe_as(mach_port_allocate_name(task, MACH_PORT_RIGHT_RECEIVE, unused), "%s: allocate_name", what);
    observe_as(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &got), "%s: allocate", what);
    observe_as(mach_port_destroy(task, name), "%s: destroy", what);
    observe_as(mach_port_deallocate(task, name), "%s: deallocate", what);
    observe_as(mach_port_get_refs(task, name, MACH_PORT_RIGHT_RECEIVE, &refs), "%s: get_refs", what);
    observe_as(mach_port_mod_refs(task, name, MACH_PORT_RIGHT_RECEIVE, -1), "%s: mod_refs", what);
    observe_as(mach_port_set_qlimit(task, name, 1), "%s: set_qlimit", what);
    observe_as(mach_port_set_mscount(task, name, 1), "%s: set_mscount", what);
    observe_as(mach_port_get_set_status(task, name, &names, &count), "%s: get_set_status", what);
    observe_as(mach_port_move_member(task, name, MACH_PORT_NULL), "%s: move_member", what);
    observe_as(mach_port_request_notification(task, name, MACH_NOTIFY_NO_SENDERS, 0, name, MACH_MSG_TYPE_MAKE_SEND_ONCE,
                                              &got),
               "%s: request_notification", what);
    observe_as(mach_port_insert_right(task, unused, name, MACH_MSG_TYPE_MAKE_SEND), "%s: insert_right", what);
    observe_as(mach_port_extract_right(task, name, MACH_MSG_TYPE_MAKE_SEND, &got, &disposition), "%s: extract_right",
               what);
    observe_as(mach_port_get_receive_status(task, name, &status), "%s: get_receive_status", what);
    observe_as(mach_port_set_seqno(task, name, 1), "%s: set_seqno", what);
    observe_as(mach_port_set_protected_payload(task, name, 1), "%s: set_protected_payload", what);
    observe_as(mach_port_clear_protected_payload(task, name), "%s: clear_protected_payload", what);
    EXPECT(port_type(name), MACH_PORT_TYPE_RECEIVE);
    status_observe(what, name);
    port_destroy(name);
}

CASE(routines_with_null)
{
    routines_observe("null", MACH_PORT_NULL);
}

CASE(routines_with_the_dead_name)
{
    routines_observe("~0", MACH_PORT_DEAD);
}

CASE(routines_with_a_dead_name)
{
    mach_port_t dead = port_create_dead();
    routines_observe("dead", dead);
    EXPECT(port_refs(dead, MACH_PORT_RIGHT_DEAD_NAME), 1);
    mach_port_deallocate(mach_task_self(), dead);
}

CASE(routines_with_a_thread)
{
    mach_port_t thread = mach_thread_self();
    routines_observe("thread", thread);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(routines_with_a_host)
{
    routines_observe("host", mach_host_self());
}

CASE(routines_with_a_receive_right)
{
    mach_port_t port = port_create();
    routines_observe("receive right", port);
    port_destroy(port);
}

static void nothing(void *unused)
{
    (void)unused;
}

CASE(routines_with_a_task_that_died)
{
    struct child child;
    child_create(&child, nothing, NULL);
    mach_port_t task = child.task;
    mach_port_mod_refs(mach_task_self(), task, MACH_PORT_RIGHT_SEND, 1);
    child_start(&child);
    CHECK(child_join(&child));
    for (int i = 0; i < 2000 && port_type(task) != MACH_PORT_TYPE_DEAD_NAME; i++)
        pause_ms(10);
    EXPECT(port_type(task), MACH_PORT_TYPE_DEAD_NAME);
    routines_observe("died", task);
    mach_port_mod_refs(mach_task_self(), task, MACH_PORT_RIGHT_DEAD_NAME, -port_refs(task, MACH_PORT_RIGHT_DEAD_NAME));
}

CASE(another_task)
{
    mach_port_t unused = name_fresh();
    struct child child;
    mach_port_t name = 0, set = 0, got = 0;
    mach_port_type_t type = 0;
    mach_msg_type_name_t disposition = 0;
    child_create(&child, nothing, NULL);
    EXPECT(mach_port_allocate(child.task, MACH_PORT_RIGHT_RECEIVE, &name), KERN_SUCCESS);
    EXPECT(mach_port_allocate(child.task, MACH_PORT_RIGHT_PORT_SET, &set), KERN_SUCCESS);
    EXPECT(mach_port_move_member(child.task, name, set), KERN_SUCCESS);
    EXPECT(mach_port_type(child.task, name, &type), KERN_SUCCESS);
    OBSERVE(type >> 16);
    EXPECT(mach_port_extract_right(child.task, name, MACH_MSG_TYPE_MAKE_SEND, &got, &disposition), KERN_SUCCESS);
    OBSERVE(disposition);
    EXPECT(send_empty(got, 5), MACH_MSG_SUCCESS);
    mach_port_status_t status;
    EXPECT(mach_port_get_receive_status(child.task, name, &status), KERN_SUCCESS);
    OBSERVE(status.mps_msgcount);
    OBSERVE(status.mps_pset == set);
    OBSERVE(status.mps_srights);
    mach_port_t own = port_create();
    EXPECT(mach_port_insert_right(child.task, unused, own, MACH_MSG_TYPE_MAKE_SEND), KERN_SUCCESS);
    EXPECT(mach_port_rename(child.task, unused, unused + 1), KERN_SUCCESS);
    OBSERVE(port_status(own).mps_srights);
    EXPECT(mach_port_deallocate(child.task, unused + 1), KERN_SUCCESS);
    OBSERVE(port_status(own).mps_srights);
    EXPECT(mach_port_destroy(child.task, name), KERN_SUCCESS);
    EXPECT(port_type(got), MACH_PORT_TYPE_DEAD_NAME);
    mach_port_deallocate(mach_task_self(), got);
    port_destroy(own);
    child_kill(&child);
}

/* ---- names and types ------------------------------------------------------------------------------ */

CASE(names_lists_every_kind)
{
    struct named named[KIND_REAL];
    mach_port_array_t names;
    mach_port_type_array_t types;
    mach_msg_type_number_t count = 0, types_count = 0;
    for (enum kind kind = 0; kind < KIND_REAL; kind++)
        named[kind] = named_create(kind);
    REQUIRE(mach_port_names(mach_task_self(), &names, &count, &types, &types_count), KERN_SUCCESS);
    EXPECT(count == types_count, 1);
    for (enum kind kind = 0; kind < KIND_REAL; kind++)
        for (mach_msg_type_number_t i = 0; i < count; i++)
            if (names[i] == named[kind].name)
                observe_as(types[i] >> 16, "%s", kind_names[kind]);
    vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t)types, count * sizeof *types);
    for (enum kind kind = 0; kind < KIND_REAL; kind++)
        named_destroy(&named[kind]);
}

CASE(names_of_an_empty_space)
{
    struct child child;
    mach_port_array_t names = NULL;
    mach_port_type_array_t types = NULL;
    mach_msg_type_number_t count = 99, types_count = 99;
    child_create(&child, nothing, NULL);
    EXPECT(mach_port_names(child.task, &names, &count, &types, &types_count), KERN_SUCCESS);
    EXPECT(count == types_count, 1);
    if (count) {
        vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof *names);
        vm_deallocate(mach_task_self(), (vm_address_t)types, count * sizeof *types);
    }
    child_kill(&child);
}

CASE(type_of_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        mach_port_type_t type = 0;
        observe_as(mach_port_type(mach_task_self(), named.name, &type), "%s", kind_names[kind]);
        observe_as(type >> 16, "%s: type", kind_names[kind]);
        named_destroy(&named);
    }
}

CASE(type_of_reserved_names)
{
    mach_port_type_t type;
    EXPECT(mach_port_type(mach_task_self(), MACH_PORT_NULL, &type), KERN_INVALID_NAME);
    EXPECT(mach_port_type(mach_task_self(), MACH_PORT_DEAD, &type), KERN_INVALID_NAME);
    EXPECT(mach_port_type(mach_task_self(), MACH_PORT_DEAD - 1, &type), KERN_INVALID_NAME);
}

/* ---- renaming ------------------------------------------------------------------------------------- */

CASE(rename_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        mach_port_t to = name_fresh();
        observe_as(mach_port_rename(mach_task_self(), named.name, to), "%s", kind_names[kind]);
        if (kind == KIND_NONE)
            continue;
        observe_as(port_type(named.name), "%s: old name", kind_names[kind]);
        name_observe(kind_names[kind], to);
        named.name = to;
        named_destroy(&named);
    }
}

CASE(rename_to_taken_names)
{
    mach_port_t name = port_create();
    for (enum kind kind = 0; kind < KIND_REAL; kind++) {
        struct named named = named_create(kind);
        observe_as(mach_port_rename(mach_task_self(), name, named.name), "%s", kind_names[kind]);
        named_destroy(&named);
    }
    OBSERVE(mach_port_rename(mach_task_self(), name, name));
    EXPECT(port_type(name), MACH_PORT_TYPE_RECEIVE);
    port_destroy(name);
}

CASE(rename_reserved_names)
{
    mach_port_t unused = name_fresh();
    mach_port_t name = port_create();
    EXPECT(mach_port_rename(mach_task_self(), name, MACH_PORT_NULL), KERN_INVALID_VALUE);
    EXPECT(mach_port_rename(mach_task_self(), name, MACH_PORT_DEAD), KERN_INVALID_VALUE);
    OBSERVE(mach_port_rename(mach_task_self(), MACH_PORT_NULL, unused));
    OBSERVE(mach_port_rename(mach_task_self(), MACH_PORT_DEAD, unused));
    OBSERVE(mach_port_rename(mach_task_self(), MACH_PORT_NULL, MACH_PORT_NULL));
    OBSERVE(mach_port_rename(mach_task_self(), unused, MACH_PORT_DEAD));
    port_destroy(name);
}

CASE(rename_with_a_message)
{
    mach_port_t unused = name_fresh();
    mach_port_t name = port_create_with_send();
    EXPECT(send_empty(name, 77), MACH_MSG_SUCCESS);
    EXPECT(mach_port_rename(mach_task_self(), name, unused), KERN_SUCCESS);
    EXPECT(receive_within(name, 0), MACH_RCV_INVALID_NAME);
    EXPECT(receive_within(unused, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 77);
    EXPECT(received()->msgh_local_port == unused, 1);
    EXPECT(send_empty(unused, 78), MACH_MSG_SUCCESS);
    port_destroy(unused);
}

CASE(rename_a_send_right_is_found_again)
{
    mach_port_t unused = name_fresh();
    struct named named = named_create(KIND_SEND);
    mach_port_t carrier = port_create_with_send();
    EXPECT(mach_port_rename(mach_task_self(), named.name, unused), KERN_SUCCESS);
    named.name = unused;
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, &named.name, 1, MACH_MSG_TYPE_COPY_SEND);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    EXPECT(message_port(&message_in, 0, 0) == unused, 1);
    EXPECT(port_refs(named.name, MACH_PORT_RIGHT_SEND), 2);
    named_destroy(&named);
    port_destroy(carrier);
}

CASE(rename_with_a_request)
{
    mach_port_t unused = name_fresh();
    struct named named = named_create(KIND_SEND);
    mach_port_t notify = death_watch(named.name);
    EXPECT(mach_port_rename(mach_task_self(), named.name, unused), KERN_SUCCESS);
    OBSERVE(port_type(unused) >> 16);
    port_destroy(named.keeper);
    EXPECT(notification_next(notify), MACH_NOTIFY_DEAD_NAME);
    EXPECT(notification_value == unused, 1);
    EXPECT(port_refs(unused, MACH_PORT_RIGHT_DEAD_NAME), 2);
    mach_port_destroy(mach_task_self(), unused);
    port_destroy(notify);
}

CASE(rename_a_set_with_members)
{
    mach_port_t unused = name_fresh();
    mach_port_t set = set_create(), member = port_create_with_send();
    EXPECT(mach_port_move_member(mach_task_self(), member, set), KERN_SUCCESS);
    EXPECT(mach_port_rename(mach_task_self(), set, unused), KERN_SUCCESS);
    EXPECT(port_status(member).mps_pset == unused, 1);
    EXPECT(send_empty(member, 3), MACH_MSG_SUCCESS);
    EXPECT(receive_within(unused, 0), MACH_MSG_SUCCESS);
    mach_port_destroy(mach_task_self(), unused);
    EXPECT(port_status(member).mps_pset, 0);
    port_destroy(member);
}

CASE(rename_a_member)
{
    mach_port_t unused = name_fresh();
    mach_port_t set = set_create(), member = port_create_with_send();
    mach_port_array_t members = NULL;
    mach_msg_type_number_t count = 0;
    EXPECT(mach_port_move_member(mach_task_self(), member, set), KERN_SUCCESS);
    EXPECT(mach_port_rename(mach_task_self(), member, unused), KERN_SUCCESS);
    EXPECT(mach_port_get_set_status(mach_task_self(), set, &members, &count), KERN_SUCCESS);
    EXPECT(count, 1);
    if (count)
        EXPECT(members[0] == unused, 1);
    vm_deallocate(mach_task_self(), (vm_address_t)members, count * sizeof *members);
    port_destroy(unused);
    mach_port_destroy(mach_task_self(), set);
}

/* ---- destroying ------------------------------------------------------------------------------------ */

CASE(destroy_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        observe_as(mach_port_destroy(mach_task_self(), named.name), "%s", kind_names[kind]);
        observe_as(port_type(named.name), "%s: afterwards", kind_names[kind]);
        if (kind == KIND_SEND_ONCE) {
            EXPECT(receive_within(named.keeper, 0), MACH_MSG_SUCCESS);
            EXPECT(received()->msgh_id, MACH_NOTIFY_SEND_ONCE);
        }
        named_destroy(&named);
    }
    EXPECT(mach_port_destroy(mach_task_self(), MACH_PORT_NULL), KERN_INVALID_NAME);
    EXPECT(mach_port_destroy(mach_task_self(), MACH_PORT_DEAD), KERN_INVALID_NAME);
}

CASE(destroy_many_references)
{
    mach_port_t name = port_create_with_send();
    EXPECT(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND, 500), KERN_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), name), KERN_SUCCESS);
    EXPECT(port_type(name), 0);
    struct named named = named_create(KIND_SEND);
    EXPECT(mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, 500), KERN_SUCCESS);
    EXPECT(mach_port_destroy(mach_task_self(), named.name), KERN_SUCCESS);
    EXPECT(port_type(named.name), 0);
    name = receive_right_back(named.keeper);
    EXPECT(port_status(name).mps_srights, 0);
    port_destroy(name);
}

CASE(destroy_a_member)
{
    mach_port_t set = set_create(), member = port_create(), other = port_create();
    mach_port_array_t members = NULL;
    mach_msg_type_number_t count = 0;
    mach_port_move_member(mach_task_self(), member, set);
    mach_port_move_member(mach_task_self(), other, set);
    EXPECT(mach_port_destroy(mach_task_self(), member), KERN_SUCCESS);
    EXPECT(mach_port_get_set_status(mach_task_self(), set, &members, &count), KERN_SUCCESS);
    EXPECT(count, 1);
    vm_deallocate(mach_task_self(), (vm_address_t)members, count * sizeof *members);
    EXPECT(mach_port_destroy(mach_task_self(), set), KERN_SUCCESS);
    EXPECT(port_status(other).mps_pset, 0);
    port_destroy(other);
}

CASE(deallocate_every_kind)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct named named = named_create(kind);
        observe_as(mach_port_deallocate(mach_task_self(), named.name), "%s", kind_names[kind]);
        observe_as(port_type(named.name) >> 16, "%s: afterwards", kind_names[kind]);
        if (kind == KIND_SEND_ONCE)
            observe_as(receive_within(named.keeper, 0) ? -1 : received()->msgh_id, "%s: told", kind_names[kind]);
        named_destroy(&named);
    }
}

CASE(deallocate_reserved_names)
{
    OBSERVE(mach_port_deallocate(mach_task_self(), MACH_PORT_NULL));
    OBSERVE(mach_port_deallocate(mach_task_self(), MACH_PORT_DEAD));
}

CASE(deallocate_counts_down)
{
    struct named send = named_create(KIND_SEND), dead = named_create(KIND_DEAD);
    mach_port_mod_refs(mach_task_self(), send.name, MACH_PORT_RIGHT_SEND, 2);
    mach_port_mod_refs(mach_task_self(), dead.name, MACH_PORT_RIGHT_DEAD_NAME, 2);
    for (int i = 2; i >= 0; i--) {
        EXPECT(mach_port_deallocate(mach_task_self(), send.name), KERN_SUCCESS);
        EXPECT(mach_port_deallocate(mach_task_self(), dead.name), KERN_SUCCESS);
        observe_as(port_refs(send.name, MACH_PORT_RIGHT_SEND), "send %d", i);
        observe_as(port_refs(dead.name, MACH_PORT_RIGHT_DEAD_NAME), "dead %d", i);
    }
    named_destroy(&send);
    named_destroy(&dead);
}
