/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names: allocating, renaming and listing them (Mach manual, "Port Manipulation Interface", "Port Names"). */

#include "frame.h"

CASE(allocate_of_unknown_right)
{
    mach_port_t name = 77;
    EXPECT(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_SEND, &name), KERN_INVALID_VALUE);
    OBSERVE(mach_port_allocate(mach_task_self(), 1000, &name));
}

CASE(dead_name_has_no_other_right)
{
    mach_port_t name = port_create_dead();
    EXPECT(port_type(name), MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(send_empty(name, 1), MACH_SEND_INVALID_DEST);
    EXPECT(port_refs(name, MACH_PORT_RIGHT_DEAD_NAME), 1);
    port_destroy(name);
    EXPECT(port_type(name), 0);
}

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
