/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's name spaces, rights and messages on the host: names near the limits, and random operations with memory
   that runs out. */

#include "host.h"

#include "../unit.h"

static struct ipc_space *space_begin(void)
{
    host_init();
    host_fail = 0;
    struct ipc_space *space = space_create(NULL);
    host_space_use(space);
    return space;
}

static void space_end(struct ipc_space *space)
{
    host_space_use(ipc_space_dead);
    space_destroy(space);
    CHECK_EQ(host_objects(), 0);
}

UNIT_TEST(names_are_found_again)
{
    static const mach_port_name_t names[] = {1,           127,
                                             128,         129,
                                             70000,       DENSE_NAMES - 1,
                                             DENSE_NAMES, DENSE_NAMES + 1,
                                             0x7fffffff,  0xfffffffe};
    struct ipc_space *space = space_begin();
    for (size_t i = 0; i < countof(names); i++)
        CHECK_EQ(rpc_mach_port_allocate_name(space, MACH_PORT_RIGHT_RECEIVE, names[i]), KERN_SUCCESS);
    for (size_t i = 0; i < countof(names); i++) {
        mach_port_type_t type = 0;
        CHECK_EQ(rpc_mach_port_allocate_name(space, MACH_PORT_RIGHT_RECEIVE, names[i]), KERN_NAME_EXISTS);
        CHECK_EQ(rpc_mach_port_type(space, names[i], &type), KERN_SUCCESS);
        CHECK_EQ(type, MACH_PORT_TYPE_RECEIVE);
        CHECK_EQ(rpc_mach_port_destroy(space, names[i]), KERN_SUCCESS);
        CHECK_EQ(rpc_mach_port_type(space, names[i], &type), KERN_INVALID_NAME);
    }
    space_end(space);
}

UNIT_TEST(names_are_handed_out_once)
{
    enum { COUNT = 3000 };
    static bool seen[COUNT * 2];
    struct ipc_space *space = space_begin();
    CHECK_EQ(rpc_mach_port_allocate_name(space, MACH_PORT_RIGHT_DEAD_NAME, 500), KERN_SUCCESS);
    for (int i = 0; i < COUNT; i++) {
        mach_port_name_t name = 0;
        CHECK_EQ(rpc_mach_port_allocate(space, MACH_PORT_RIGHT_DEAD_NAME, &name), KERN_SUCCESS);
        CHECK(name != 0 && name != 500 && name < COUNT * 2 && !seen[name]);
        seen[name % (COUNT * 2)] = true;
    }
    CHECK_EQ(space_used(space), COUNT + 1);
    space_end(space);
}

UNIT_TEST(memory_runs_out_in_every_routine)
{
    struct ipc_space *space = space_begin();
    for (unsigned int at = 1; at < 4; at++)
        for (mach_port_right_t right = 0; right < MACH_PORT_RIGHT_NUMBER; right++) {
            mach_port_name_t name = 0;
            uint32_t used = space_used(space);
            host_fail = at;
            kern_return_t kr = rpc_mach_port_allocate(space, right, &name);
            host_fail = 0;
            CHECK(kr == KERN_SUCCESS || kr == KERN_RESOURCE_SHORTAGE || kr == KERN_INVALID_VALUE);
            CHECK_EQ(space_used(space), used + (kr == KERN_SUCCESS));
        }
    space_end(space);
}

/* A generator that gives the same everywhere. */
static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

UNIT_TEST(random_operations)
{
    static uint8_t data[2000];
    for (uint32_t seed = 1; seed <= 300; seed++) {
        uint32_t state = seed;
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)random_next(&state);
        ipc_play(data, sizeof data);
    }
    CHECK_EQ(host_objects(), 0);
}

UNIT_MAIN
