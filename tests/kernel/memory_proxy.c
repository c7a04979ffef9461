/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: proxies: part of a memory object, with fewer rights, as an object of its own (mach4.defs,
   memory_object_create_proxy, vm_region_create_proxy). */

#include "memory_help.h"
#include "objects.h"

#define SELF mach_task_self()
#define RW (VM_PROT_READ | VM_PROT_WRITE)

static kern_return_t proxy_of(mach_port_t object, vm_prot_t max, rpc_vm_offset_t start, rpc_vm_size_t size,
                              mach_port_t *proxy)
{
    rpc_vm_offset_t offset = 0;
    *proxy = MACH_PORT_NULL;
    return memory_object_create_proxy(SELF, max, &object, MACH_MSG_TYPE_COPY_SEND, 1, &offset, 1, &start, 1, &size, 1,
                                      proxy);
}

/* Maps SIZE bytes of PROXY from OFFSET on. */
static kern_return_t proxy_map(mach_port_t proxy, vm_offset_t offset, vm_size_t size, bool copy, vm_prot_t protection,
                               vm_prot_t max, char **at)
{
    vm_address_t address = 0;
    kern_return_t kr = vm_map(SELF, &address, size, 0, TRUE, proxy, offset, copy, protection, max, VM_INHERIT_COPY);
    *at = (char *)address;
    return kr;
}

/* An object of eight pages that are 10, 11, … */
static char *object_eight(struct object *object)
{
    char *at = object_map(object, 0, 8 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(object, 0, 8, 10, VM_PROT_NONE, false, false);
    return at;
}

static void object_eight_end(struct object *object, char *at)
{
    pages_drop(at, 8);
    object_terminate_expect(object);
}

/* ---- what is refused -------------------------------------------------------------------------------- */

CASE(create_with_other_numbers_of_things)
{
    struct object object;
    char *at = object_eight(&object);
    mach_port_t objects[2] = {object.port, object.port}, proxy;
    rpc_vm_offset_t offsets[2] = {0, 0}, starts[2] = {0, 0};
    rpc_vm_size_t sizes[2] = {PAGE, PAGE};
    for (unsigned int which = 0; which < 16; which++) {
        if (which == 0)
            continue;
        for (unsigned int number = 0; number <= 2; number += 2) {
            proxy = MACH_PORT_NULL;
            OBSERVE(memory_object_create_proxy(SELF, RW, objects, MACH_MSG_TYPE_COPY_SEND, which & 1 ? number : 1,
                                               offsets, which & 2 ? number : 1, starts, which & 4 ? number : 1, sizes,
                                               which & 8 ? number : 1, &proxy));
            if (proxy)
                mach_port_deallocate(SELF, proxy);
        }
    }
    EXPECT(port_refs(object.port, MACH_PORT_RIGHT_SEND), 1);
    object_eight_end(&object, at);
}

CASE(create_of_what_is_no_object)
{
    mach_port_t proxy, dead = port_create_dead(), port = port_create_with_send();
    OBSERVE(proxy_of(MACH_PORT_NULL, RW, 0, PAGE, &proxy));
    OBSERVE(proxy_of(dead, RW, 0, PAGE, &proxy));
    OBSERVE(proxy_of(SELF, RW, 0, PAGE, &proxy) == KERN_SUCCESS);
    if (proxy)
        mach_port_deallocate(SELF, proxy);
    OBSERVE(proxy_of(port, RW, 0, PAGE, &proxy) == KERN_SUCCESS);
    if (proxy)
        mach_port_deallocate(SELF, proxy);
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
    port_destroy(dead);
    port_destroy(port);
}

CASE(create_of_ranges)
{
    struct object object;
    char *at = object_eight(&object);
    static const rpc_vm_offset_t starts[] = {0, 1, PAGE, PAGE + 8, ~0ul, ~0ul - 4095, ~0ul - 4095, 1ul << 62};
    static const rpc_vm_size_t sizes[] = {0, PAGE, 100, PAGE, PAGE, 4095, 4096, 1ul << 62};
    for (unsigned int i = 0; i < sizeof starts / sizeof *starts; i++) {
        mach_port_t proxy;
        OBSERVE(i);
        OBSERVE(proxy_of(object.port, RW, starts[i], sizes[i], &proxy));
        if (proxy)
            mach_port_deallocate(SELF, proxy);
    }
    mach_port_t objects[1] = {object.port}, proxy = MACH_PORT_NULL;
    rpc_vm_offset_t offset = PAGE, start = 0;
    rpc_vm_size_t size = PAGE;
    OBSERVE(memory_object_create_proxy(SELF, RW, objects, MACH_MSG_TYPE_COPY_SEND, 1, &offset, 1, &start, 1, &size, 1,
                                       &proxy));
    offset = 0;
    OBSERVE(memory_object_create_proxy(host_priv, RW, objects, MACH_MSG_TYPE_COPY_SEND, 1, &offset, 1, &start, 1, &size,
                                       1, &proxy));
    EXPECT(port_refs(object.port, MACH_PORT_RIGHT_SEND), 1);
    object_eight_end(&object, at);
}

/* ---- mapping ----------------------------------------------------------------------------------------- */

CASE(map_part_of_an_object)
{
    struct object object;
    char *at = object_eight(&object), *part;
    mach_port_t proxy;
    REQUIRE(proxy_of(object.port, RW, 2 * PAGE, 3 * PAGE, &proxy), KERN_SUCCESS);
    EXPECT(port_type(proxy), MACH_PORT_TYPE_SEND);
    REQUIRE(proxy_map(proxy, 0, 3 * PAGE, false, RW, RW, &part), KERN_SUCCESS);
    for (int i = 0; i < 3; i++)
        EXPECT(part[i * PAGE], 12 + i);
    part[PAGE] = 99;
    EXPECT(at[3 * PAGE], 99);
    pages_drop(part, 3);
    REQUIRE(proxy_map(proxy, PAGE, PAGE, false, RW, RW, &part), KERN_SUCCESS);
    EXPECT(part[0], 99);
    pages_drop(part, 1);
    /* A copy is one's own. */
    REQUIRE(proxy_map(proxy, PAGE, 2 * PAGE, true, RW, RW, &part), KERN_SUCCESS);
    part[0] = 98;
    EXPECT(at[3 * PAGE], 99);
    EXPECT(part[PAGE], 14);
    pages_drop(part, 2);
    mach_port_deallocate(SELF, proxy);
    object_eight_end(&object, at);
}

CASE(map_more_than_the_part)
{
    struct object object;
    char *at = object_eight(&object), *part;
    mach_port_t proxy;
    static const vm_offset_t offsets[] = {0, PAGE, 3 * PAGE, 4 * PAGE, 2 * PAGE};
    static const vm_size_t sizes[] = {4 * PAGE, 3 * PAGE, PAGE, PAGE, PAGE};
    REQUIRE(proxy_of(object.port, RW, 2 * PAGE, 3 * PAGE, &proxy), KERN_SUCCESS);
    for (unsigned int i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        kern_return_t kr = proxy_map(proxy, offsets[i], sizes[i], false, VM_PROT_READ, VM_PROT_READ, &part);
        observe("result", kr);
        if (kr == KERN_SUCCESS)
            vm_deallocate(SELF, (vm_address_t)part, sizes[i]);
    }
    mach_port_deallocate(SELF, proxy);
    object_eight_end(&object, at);
}

/* Offset and size together begin again at 0. */
CASE_DIFFERS(map_around_the_end)
{
    struct object object;
    char *at = object_eight(&object), *part;
    mach_port_t proxy;
    REQUIRE(proxy_of(object.port, RW, 2 * PAGE, 3 * PAGE, &proxy), KERN_SUCCESS);
    kern_return_t kr = proxy_map(proxy, ~(vm_offset_t)0xfff, 2 * PAGE, false, VM_PROT_READ, VM_PROT_READ, &part);
    OBSERVE(kr);
    CHECK(!on_quadrille || kr == KERN_INVALID_ARGUMENT);
    if (kr == KERN_SUCCESS)
        pages_drop(part, 2);
    mach_port_deallocate(SELF, proxy);
    object_eight_end(&object, at);
}

static void region_rights_observe(const char *at)
{
    struct region region;
    EXPECT(region_at(SELF, at, &region), KERN_SUCCESS);
    OBSERVE(region.protection);
    OBSERVE(region.max_protection);
}

/* The proxy's rights are the most that a mapping has. */
CASE(map_with_rights)
{
    struct object object;
    char *at = object_eight(&object), *part;
    static const vm_prot_t rights[] = {VM_PROT_NONE, VM_PROT_READ,  RW,
                                       VM_PROT_ALL,  VM_PROT_WRITE, VM_PROT_READ | VM_PROT_EXECUTE};
    for (unsigned int i = 0; i < sizeof rights / sizeof *rights; i++) {
        mach_port_t proxy;
        OBSERVE(rights[i]);
        EXPECT(proxy_of(object.port, rights[i], 0, 8 * PAGE, &proxy), KERN_SUCCESS);
        for (unsigned int j = 0; j < 4; j++)
            for (unsigned int copy = 0; copy < 2; copy++) {
                static const vm_prot_t wanted[4][2] = {{VM_PROT_READ, VM_PROT_READ},
                                                       {VM_PROT_READ, VM_PROT_ALL},
                                                       {RW, RW},
                                                       {RW, VM_PROT_ALL}};
                kern_return_t kr = proxy_map(proxy, 0, PAGE, copy, wanted[j][0], wanted[j][1], &part);
                observe("mapped", kr);
                if (kr)
                    continue;
                region_rights_observe(part);
                OBSERVE(vm_protect(SELF, (vm_address_t)part, PAGE, FALSE, RW));
                pages_drop(part, 1);
            }
        mach_port_deallocate(SELF, proxy);
    }
    object_eight_end(&object, at);
}

CASE(map_a_proxy_of_a_proxy)
{
    struct object object;
    char *at = object_eight(&object), *part;
    mach_port_t outer, inner;
    REQUIRE(proxy_of(object.port, RW, PAGE, 6 * PAGE, &outer), KERN_SUCCESS);
    kern_return_t kr = proxy_of(outer, VM_PROT_READ, 2 * PAGE, 2 * PAGE, &inner);
    OBSERVE(kr);
    if (kr == KERN_SUCCESS) {
        kr = proxy_map(inner, 0, 2 * PAGE, false, VM_PROT_READ, VM_PROT_READ, &part);
        OBSERVE(kr);
        if (kr == KERN_SUCCESS) {
            EXPECT(part[0], 13);
            EXPECT(part[PAGE], 14);
            region_rights_observe(part);
            pages_drop(part, 2);
        }
        kr = proxy_map(inner, 0, 2 * PAGE, false, RW, RW, &part); /* fewer rights than asked for */
        OBSERVE(kr);
        if (kr == KERN_SUCCESS) {
            region_rights_observe(part);
            pages_drop(part, 2);
        }
        OBSERVE(proxy_map(inner, 0, 3 * PAGE, false, VM_PROT_READ, VM_PROT_READ, &part));
        mach_port_deallocate(SELF, inner);
    }
    mach_port_deallocate(SELF, outer);
    object_eight_end(&object, at);
}

/* An inner proxy goes beyond the outer one. */
CASE_OURS(map_beyond_a_proxy)
{
    struct object object;
    char *at = object_eight(&object), *part;
    mach_port_t outer, beyond;
    REQUIRE(proxy_of(object.port, RW, PAGE, 6 * PAGE, &outer), KERN_SUCCESS);
    REQUIRE(proxy_of(outer, RW, 5 * PAGE, 4 * PAGE, &beyond), KERN_SUCCESS);
    EXPECT(proxy_map(beyond, 0, 4 * PAGE, false, VM_PROT_READ, VM_PROT_READ, &part), KERN_INVALID_ARGUMENT);
    mach_port_deallocate(SELF, beyond);
    mach_port_deallocate(SELF, outer);
    object_eight_end(&object, at);
}

/* The port of the object behind it dies. */
CASE_OURS(object_dies_behind_a_proxy)
{
    mach_port_t port = port_create_with_send(), proxy;
    char *part;
    REQUIRE(proxy_of(port, RW, 0, PAGE, &proxy), KERN_SUCCESS);
    mach_port_mod_refs(SELF, port, MACH_PORT_RIGHT_RECEIVE, -1);
    OBSERVE(proxy_map(proxy, 0, PAGE, false, VM_PROT_READ, VM_PROT_READ, &part));
    mach_port_deallocate(SELF, proxy);
    mach_port_destroy(SELF, port);
}

CASE(mapping_outlives_the_proxy)
{
    struct object object;
    mach_port_t proxy;
    char *at = object_eight(&object), *part;
    REQUIRE(proxy_of(object.port, RW, PAGE, PAGE, &proxy), KERN_SUCCESS);
    REQUIRE(proxy_map(proxy, 0, PAGE, false, RW, RW, &part), KERN_SUCCESS);
    mach_port_deallocate(SELF, proxy);
    EXPECT(part[0], 11);
    pages_drop(part, 1);
    object_eight_end(&object, at);
}

/* A proxy is no pager: messages to it are the kernel's, and do nothing. */
CASE(proxy_takes_no_messages)
{
    struct object object;
    char *at = object_eight(&object);
    mach_port_t proxy;
    REQUIRE(proxy_of(object.port, RW, 0, PAGE, &proxy), KERN_SUCCESS);
    OBSERVE(memory_object_ready(proxy, FALSE, MEMORY_OBJECT_COPY_NONE));
    OBSERVE(vm_object_sync(proxy, 0, PAGE, FALSE, TRUE, FALSE));
    OBSERVE(vm_deallocate(proxy, (vm_address_t)at, PAGE));
    mach_port_deallocate(SELF, proxy);
    object_eight_end(&object, at);
}

/* ---- of regions ------------------------------------------------------------------------------------- */

CASE_OURS(region_proxy_shares_memory)
{
    char *at = pages(4), *part;
    mach_port_t proxy = MACH_PORT_NULL;
    at[PAGE] = 5;
    REQUIRE(vm_region_create_proxy(SELF, (vm_address_t)at, RW, 4 * PAGE, &proxy), KERN_SUCCESS);
    REQUIRE(proxy_map(proxy, PAGE, 2 * PAGE, false, RW, RW, &part), KERN_SUCCESS);
    EXPECT(part[0], 5);
    part[0] = 6;
    part[PAGE] = 7;
    EXPECT(at[PAGE], 6);
    EXPECT(at[2 * PAGE], 7);
    at[PAGE] = 8;
    EXPECT(part[0], 8);
    pages_drop(at, 4);
    EXPECT(part[0], 8); /* the memory is still there */
    EXPECT(part[PAGE], 7);
    pages_drop(part, 2);
    REQUIRE(proxy_map(proxy, 0, 4 * PAGE, false, VM_PROT_READ, VM_PROT_READ, &part), KERN_SUCCESS);
    EXPECT(part[PAGE], 8);
    pages_drop(part, 4);
    mach_port_deallocate(SELF, proxy);
}

CASE_OURS(region_proxy_errors)
{
    char *at = pages(4);
    mach_port_t proxy = MACH_PORT_NULL, dead = task_dead();
    pages_drop(at + 3 * PAGE, 1);
    EXPECT(vm_protect(SELF, (vm_address_t)at, 3 * PAGE, TRUE, VM_PROT_READ), KERN_SUCCESS);
    OBSERVE(vm_region_create_proxy(SELF, (vm_address_t)at, RW, PAGE, &proxy));
    OBSERVE(vm_region_create_proxy(SELF, (vm_address_t)at, VM_PROT_READ, 4 * PAGE, &proxy));
    OBSERVE(vm_region_create_proxy(SELF, (vm_address_t)at + PAGE, VM_PROT_READ, 3 * PAGE, &proxy));
    OBSERVE(vm_region_create_proxy(SELF, 0, VM_PROT_READ, PAGE, &proxy));
    OBSERVE(vm_region_create_proxy(host_priv, (vm_address_t)at, VM_PROT_READ, PAGE, &proxy));
    OBSERVE(vm_region_create_proxy(dead, (vm_address_t)at, VM_PROT_READ, PAGE, &proxy));
    EXPECT(proxy, MACH_PORT_NULL);
    mach_port_deallocate(SELF, dead);
    pages_drop(at, 3);
}

/* Of a pager's object, through a mapping of part of it. */
CASE(region_proxy_of_an_object)
{
    struct object object;
    char *at = object_eight(&object), *window, *part;
    mach_port_t proxy = MACH_PORT_NULL;
    REQUIRE(object_map_more(&object, 3 * PAGE, 3 * PAGE, false, RW, &window), KERN_SUCCESS);
    REQUIRE(vm_region_create_proxy(SELF, (vm_address_t)window, VM_PROT_READ, 3 * PAGE, &proxy), KERN_SUCCESS);
    REQUIRE(proxy_map(proxy, PAGE, PAGE, false, VM_PROT_READ, VM_PROT_READ, &part), KERN_SUCCESS);
    EXPECT(part[0], 14);
    window[PAGE] = 77;
    EXPECT(part[0], 77);
    pages_drop(part, 1);
    mach_port_deallocate(SELF, proxy);
    pages_drop(window, 3);
    object_eight_end(&object, at);
}

/* A proxy may begin within a page, but nothing can be mapped there. */
CASE_OURS(map_what_begins_within_a_page)
{
    struct object object;
    char *at = object_eight(&object), *part;
    mach_port_t proxy = MACH_PORT_NULL;
    REQUIRE(proxy_of(object.port, RW, 8, 3 * PAGE, &proxy), KERN_SUCCESS);
    EXPECT(proxy_map(proxy, 0, PAGE, false, RW, RW, &part), KERN_INVALID_ARGUMENT);
    EXPECT(proxy_map(proxy, 0, PAGE, true, RW, RW, &part), KERN_INVALID_ARGUMENT);
    mach_port_deallocate(SELF, proxy);
    REQUIRE(vm_region_create_proxy(SELF, (vm_address_t)at + 100, VM_PROT_READ, PAGE, &proxy), KERN_SUCCESS);
    EXPECT(proxy_map(proxy, 0, PAGE, false, VM_PROT_READ, VM_PROT_READ, &part), KERN_INVALID_ARGUMENT);
    mach_port_deallocate(SELF, proxy);
    object_eight_end(&object, at);
}
