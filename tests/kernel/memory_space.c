/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces: allocating, deallocating, protecting, inheriting and looking at ranges (Mach manual, "Virtual Memory
   Interface"). */

#include "memory_help.h"

#include <device/device.h>
#include <device/device_types.h>
#include <mach/vm_attributes.h>
#include <mach/vm_cache_statistics.h>
#include <mach/vm_statistics.h>
#include <mach/vm_wire.h>

#define SELF mach_task_self()
#define TOP ((vm_address_t)1 << 47)

CASE(allocate_nothing)
{
    vm_address_t at = 0x123456;
    OBSERVE(vm_allocate(SELF, &at, 0, 1));
    OBSERVE(at);
    at = 0x123456;
    OBSERVE(vm_allocate(SELF, &at, 0, 0));
    OBSERVE(at);
}

CASE(allocate_gives_zeros)
{
    char *at = pages(3);
    for (unsigned int i = 0; i < 3 * PAGE; i++)
        if (at[i])
            CHECK(at[i] == 0);
    at[0] = at[3 * PAGE - 1] = 1;
    pages_drop(at, 3);
    CHECK(!mapped(at));
}

CASE(allocate_rounds)
{
    char *room = pages(4);
    pages_drop(room, 4);
    vm_address_t at = (vm_address_t)room + PAGE + 100, wanted = (vm_address_t)room + PAGE;
    EXPECT(vm_allocate(SELF, &at, 1, 0), KERN_SUCCESS);
    CHECK(at == wanted);
    EXPECT(touch_write((char *)wanted + PAGE - 1, 1), 0);
    pages_drop((char *)wanted, 1);
}

CASE(allocate_over_something)
{
    char *room = pages(4);
    vm_address_t at = (vm_address_t)room + 3 * PAGE;
    EXPECT(vm_allocate(SELF, &at, 2 * PAGE, 0), KERN_NO_SPACE);
    at = (vm_address_t)room + PAGE;
    EXPECT(vm_allocate(SELF, &at, PAGE, 0), KERN_NO_SPACE);
    pages_drop(room, 4);
}

CASE(allocate_outside)
{
    vm_address_t at = TOP;
    OBSERVE(vm_allocate(SELF, &at, PAGE, 0));
    at = TOP - PAGE;
    OBSERVE(vm_allocate(SELF, &at, 2 * PAGE, 0));
    at = ~(vm_address_t)0 - PAGE;
    OBSERVE(vm_allocate(SELF, &at, 4 * PAGE, 0));
    at = (vm_address_t)0xffff800000000000;
    OBSERVE(vm_allocate(SELF, &at, PAGE, 0));
}

CASE(allocate_too_much)
{
    vm_address_t at = 0;
    OBSERVE(vm_allocate(SELF, &at, TOP, 1));
    OBSERVE(vm_allocate(SELF, &at, (vm_size_t)1 << 62, 1));
    OBSERVE(vm_allocate(SELF, &at, ~(vm_size_t)0, 1));
    OBSERVE(vm_allocate(SELF, &at, ~(vm_size_t)0 - PAGE, 1));
}

CASE(allocate_sparse)
{
    vm_address_t at = 0;
    vm_size_t size = (vm_size_t)1 << 40;
    EXPECT(vm_allocate(SELF, &at, size, 1), KERN_SUCCESS);
    for (unsigned int i = 0; i < 16; i++)
        *(volatile char *)(at + i * (size / 16)) = (char)(i + 1);
    for (unsigned int i = 0; i < 16; i++)
        CHECK(*(volatile char *)(at + i * (size / 16)) == (char)(i + 1));
    EXPECT(vm_deallocate(SELF, at, size), KERN_SUCCESS);
}

CASE(calls_on_no_task)
{
    vm_address_t at = 0;
    mach_port_t dead = port_create_dead();
    vm_statistics_data_t statistics;
    OBSERVE(vm_allocate(host_priv, &at, PAGE, 1));
    OBSERVE(vm_allocate(dead, &at, PAGE, 1));
    OBSERVE(vm_allocate(MACH_PORT_NULL, &at, PAGE, 1));
    OBSERVE(vm_deallocate(host_priv, 0, PAGE));
    OBSERVE(vm_protect(host_priv, 0, PAGE, 0, VM_PROT_READ));
    OBSERVE(vm_inherit(host_priv, 0, PAGE, VM_INHERIT_NONE));
    OBSERVE(vm_copy(host_priv, 0, PAGE, PAGE));
    OBSERVE(vm_statistics(host_priv, &statistics));
    port_destroy(dead);
}

CASE(calls_on_a_dead_task)
{
    mach_port_t task;
    vm_address_t at = 0;
    vm_offset_t data;
    mach_msg_type_number_t count;
    REQUIRE(task_create(SELF, 0, &task), KERN_SUCCESS);
    EXPECT(vm_allocate(task, &at, PAGE, 1), KERN_SUCCESS);
    EXPECT(task_terminate(task), KERN_SUCCESS);
    OBSERVE(vm_allocate(task, &at, PAGE, 1));
    OBSERVE(vm_read(task, at, PAGE, &data, &count));
    port_destroy(task);
}

CASE(deallocate_what_is_not_there)
{
    char *at = pages(4);
    pages_drop(at + PAGE, 2);
    OBSERVE(vm_deallocate(SELF, (vm_address_t)at + PAGE, PAGE));
    OBSERVE(vm_deallocate(SELF, (vm_address_t)at, 0));
    OBSERVE(vm_deallocate(SELF, 0, 0));
    OBSERVE(vm_deallocate(SELF, TOP + PAGE, PAGE));
    OBSERVE(vm_deallocate(SELF, ~(vm_address_t)0 - 10, 5));
    OBSERVE(vm_deallocate(SELF, (vm_address_t)at, ~(vm_size_t)0 - PAGE));
    CHECK(mapped(at) && mapped(at + 3 * PAGE));
    for (unsigned int i = 0; i < 4; i++)
        if (i == 0 || i == 3)
            pages_drop(at + i * PAGE, 1);
    CHECK(!mapped(at + 3 * PAGE));
}

CASE(deallocate_part)
{
    char *at = pages(3);
    memset(at, 7, 3 * PAGE);
    EXPECT(vm_deallocate(SELF, (vm_address_t)at + PAGE + 5, 1), KERN_SUCCESS);
    CHECK(!mapped(at + PAGE));
    CHECK(at[PAGE - 1] == 7 && at[2 * PAGE] == 7);
    pages_drop(at, 1);
    pages_drop(at + 2 * PAGE, 1);
}

CASE(protect_read_only)
{
    char *at = pages(2), value = 0;
    at[0] = 5;
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_READ), KERN_SUCCESS);
    EXPECT(touch_read(at, &value), 0);
    EXPECT(value, 5);
    EXPECT(touch_write(at, 1), KERN_PROTECTION_FAILURE);
    EXPECT(touch_write(at + PAGE, 1), 0);
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_READ | VM_PROT_WRITE), KERN_SUCCESS);
    EXPECT(touch_write(at, 1), 0);
    pages_drop(at, 2);
}

CASE(protect_nothing_allowed)
{
    char *at = pages(1), value = 0;
    at[0] = 5;
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_NONE), KERN_SUCCESS);
    EXPECT(touch_read(at, NULL), KERN_PROTECTION_FAILURE);
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_READ), KERN_SUCCESS);
    EXPECT(touch_read(at, &value), 0);
    EXPECT(value, 5);
    pages_drop(at, 1);
}

CASE(protect_write_without_read)
{
    char *at = pages(1);
    OBSERVE(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_WRITE));
    OBSERVE(touch_write(at, 1));
    pages_drop(at, 1);
}

CASE(protect_beyond_the_maximum)
{
    char *at = pages(1);
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 1, VM_PROT_READ), KERN_SUCCESS);
    EXPECT(touch_write(at, 1), KERN_PROTECTION_FAILURE);
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_READ | VM_PROT_WRITE), KERN_PROTECTION_FAILURE);
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 1, VM_PROT_READ | VM_PROT_WRITE), KERN_PROTECTION_FAILURE);
    pages_drop(at, 1);
}

CASE(protect_of_holes_and_nonsense)
{
    char *at = pages(3);
    pages_drop(at + PAGE, 1);
    OBSERVE(vm_protect(SELF, (vm_address_t)at, 3 * PAGE, 0, VM_PROT_READ));
    OBSERVE(vm_protect(SELF, (vm_address_t)at + PAGE, PAGE, 0, VM_PROT_READ));
    OBSERVE(vm_protect(SELF, (vm_address_t)at, 0, 0, VM_PROT_READ));
    OBSERVE(vm_protect(SELF, (vm_address_t)at, PAGE, 0, 0x100));
    OBSERVE(vm_protect(SELF, (vm_address_t)at, PAGE, 0, -1));
    OBSERVE(vm_protect(SELF, ~(vm_address_t)0 - PAGE, 3 * PAGE, 0, VM_PROT_READ));
    OBSERVE(vm_protect(SELF, (vm_address_t)at, ~(vm_size_t)0, 0, VM_PROT_READ));
    OBSERVE(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_NO_CHANGE));
    pages_drop(at, 1);
    pages_drop(at + 2 * PAGE, 1);
}

CASE(inherit_nonsense)
{
    char *at = pages(3);
    pages_drop(at + PAGE, 1);
    OBSERVE(vm_inherit(SELF, (vm_address_t)at, PAGE, VM_INHERIT_NONE + 1));
    OBSERVE(vm_inherit(SELF, (vm_address_t)at, PAGE, (vm_inherit_t)-1));
    OBSERVE(vm_inherit(SELF, (vm_address_t)at, 3 * PAGE, VM_INHERIT_NONE));
    OBSERVE(vm_inherit(SELF, (vm_address_t)at + PAGE, PAGE, VM_INHERIT_NONE));
    OBSERVE(vm_inherit(SELF, (vm_address_t)at, 0, VM_INHERIT_NONE));
    OBSERVE(vm_inherit(SELF, ~(vm_address_t)0 - PAGE, 3 * PAGE, VM_INHERIT_NONE));
    pages_drop(at, 1);
    pages_drop(at + 2 * PAGE, 1);
}

/* The byte at AT in TASK, or -(error). */
static long task_byte(mach_port_t task, const char *at)
{
    vm_offset_t data;
    mach_msg_type_number_t count;
    vm_address_t page = (vm_address_t)at & ~(PAGE - 1);
    kern_return_t kr = vm_read(task, page, PAGE, &data, &count);
    if (kr)
        return -kr;
    char value = ((char *)data)[(vm_address_t)at - page];
    vm_deallocate(SELF, data, count);
    return value;
}

static kern_return_t task_byte_set(mach_port_t task, const char *at, char value)
{
    char *data = pages(1);
    memset(data, value, PAGE);
    kern_return_t kr = vm_write(task, (vm_address_t)at, (vm_offset_t)data, PAGE);
    pages_drop(data, 1);
    return kr;
}

CASE(inherit_copy_share_none)
{
    mach_port_t task;
    char *at = pages(4);
    for (unsigned int i = 0; i < 4; i++)
        at[i * PAGE] = (char)(i + 1);
    EXPECT(vm_inherit(SELF, (vm_address_t)at, PAGE, VM_INHERIT_COPY), KERN_SUCCESS);
    EXPECT(vm_inherit(SELF, (vm_address_t)at + PAGE, PAGE, VM_INHERIT_SHARE), KERN_SUCCESS);
    EXPECT(vm_inherit(SELF, (vm_address_t)at + 2 * PAGE, PAGE, VM_INHERIT_NONE), KERN_SUCCESS);
    REQUIRE(task_create(SELF, 1, &task), KERN_SUCCESS);
    at[0] = 11;
    at[PAGE] = 12;
    at[3 * PAGE] = 14;
    EXPECT(task_byte(task, at), 1);
    EXPECT(task_byte(task, at + PAGE), 12);
    OBSERVE(task_byte(task, at + 2 * PAGE));
    EXPECT(task_byte(task, at + 3 * PAGE), 4);
    EXPECT(task_byte_set(task, at, 21), KERN_SUCCESS);
    EXPECT(task_byte_set(task, at + PAGE, 22), KERN_SUCCESS);
    OBSERVE(task_byte_set(task, at + 2 * PAGE, 23));
    CHECK(at[0] == 11 && at[PAGE] == 22 && at[2 * PAGE] == 3 && at[3 * PAGE] == 14);
    task_terminate(task);
    port_destroy(task);
    at[PAGE] = 1;
    pages_drop(at, 4);
}

CASE(inherit_through_generations)
{
    mach_port_t child, grandchild;
    char *at = pages(2);
    at[0] = 1;
    at[PAGE] = 2;
    REQUIRE(task_create(SELF, 1, &child), KERN_SUCCESS);
    EXPECT(task_byte_set(child, at, 3), KERN_SUCCESS);
    REQUIRE(task_create(child, 1, &grandchild), KERN_SUCCESS);
    EXPECT(task_byte_set(child, at, 4), KERN_SUCCESS);
    at[PAGE] = 5;
    EXPECT(task_byte(grandchild, at), 3);
    EXPECT(task_byte(grandchild, at + PAGE), 2);
    task_terminate(child);
    port_destroy(child);
    EXPECT(task_byte(grandchild, at), 3);
    EXPECT(task_byte_set(grandchild, at + PAGE, 6), KERN_SUCCESS);
    EXPECT(task_byte(grandchild, at), 3);
    CHECK(at[0] == 1 && at[PAGE] == 5);
    task_terminate(grandchild);
    port_destroy(grandchild);
    pages_drop(at, 2);
}

/* What vm_region says of the first region at or above AT, as distances from BASE. */
static void region_observe(mach_port_t task, const char *base, long distance)
{
    struct region region;
    kern_return_t kr = region_at(task, base + distance, &region);
    OBSERVE(kr);
    if (kr)
        return;
    observe("distance", (long)(region.start - (vm_address_t)base));
    observe("size", (long)region.size);
    OBSERVE(region.protection);
    OBSERVE(region.max_protection);
    OBSERVE(region.inheritance);
    OBSERVE(region.shared);
    observe("name", region.name != MACH_PORT_NULL);
}

CASE(region_of_a_task)
{
    mach_port_t task;
    vm_address_t at = 0x200000;
    REQUIRE(task_create(SELF, 0, &task), KERN_SUCCESS);
    region_observe(task, NULL, 0);
    REQUIRE(vm_allocate(task, &at, 8 * PAGE, 0), KERN_SUCCESS);
    region_observe(task, NULL, 0);
    EXPECT(vm_protect(task, at + 2 * PAGE, PAGE, 0, VM_PROT_READ), KERN_SUCCESS);
    EXPECT(vm_protect(task, at + 3 * PAGE, PAGE, 1, VM_PROT_NONE), KERN_SUCCESS);
    EXPECT(vm_inherit(task, at + 4 * PAGE, PAGE, VM_INHERIT_SHARE), KERN_SUCCESS);
    EXPECT(vm_deallocate(task, at + 6 * PAGE, PAGE), KERN_SUCCESS);
    for (long page = 0; page < 9; page++)
        region_observe(task, (char *)at, page * (long)PAGE + 10);
    region_observe(task, (char *)TOP, 0);
    region_observe(task, (char *)~(vm_address_t)0, 0);
    task_terminate(task);
    port_destroy(task);
}

CASE(region_of_inherited_memory)
{
    mach_port_t task;
    char *at = pages(2);
    memset(at, 1, 2 * PAGE);
    EXPECT(vm_inherit(SELF, (vm_address_t)at, PAGE, VM_INHERIT_SHARE), KERN_SUCCESS);
    EXPECT(vm_inherit(SELF, (vm_address_t)at + PAGE, PAGE, VM_INHERIT_COPY), KERN_SUCCESS);
    REQUIRE(task_create(SELF, 1, &task), KERN_SUCCESS);
    region_observe(SELF, at, 0);
    region_observe(task, at, 0);
    task_terminate(task);
    port_destroy(task);
    pages_drop(at, 2);
}

CASE(statistics)
{
    vm_statistics_data_t before, after;
    vm_cache_statistics_data_t cache;
    EXPECT(vm_statistics(SELF, &before), KERN_SUCCESS);
    EXPECT(before.pagesize, 4096);
    char *at = pages(2048);
    for (unsigned int i = 0; i < 2048; i++)
        at[i * PAGE] = 1;
    EXPECT(vm_statistics(SELF, &after), KERN_SUCCESS);
    CHECK(after.free_count <= before.free_count - 1024); /* some may come from a cache of free pages that is counted as
                                                            used */
    CHECK(after.zero_fill_count >= before.zero_fill_count + 2048);
    CHECK(after.faults >= before.faults + 2048);
    CHECK(after.active_count > 0 && after.wire_count > 0);
    pages_drop(at, 2048);
    EXPECT(vm_cache_statistics(SELF, &cache), KERN_SUCCESS);
    OBSERVE(vm_cache_statistics(host_priv, &cache));
}

CASE(machine_attributes)
{
    char *at = pages(1);
    vm_machine_attribute_val_t value;
    static const unsigned int attributes[] = {0, MATTR_CACHE, MATTR_MIGRATE, MATTR_REPLICATE, 8};
    for (unsigned int i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        value = MATTR_VAL_GET;
        OBSERVE(vm_machine_attribute(SELF, (vm_address_t)at, PAGE, attributes[i], &value));
    }
    value = MATTR_VAL_CACHE_FLUSH;
    OBSERVE(vm_machine_attribute(SELF, TOP, PAGE, MATTR_CACHE, &value));
    OBSERVE(vm_machine_attribute(host_priv, (vm_address_t)at, PAGE, MATTR_CACHE, &value));
    pages_drop(at, 1);
}

static long pages_free(void)
{
    struct vm_statistics info = {0};
    EXPECT(vm_statistics(SELF, &info), KERN_SUCCESS);
    return info.free_count;
}

/* The parts of a region give their memory back one by one. */
CASE_OURS(deallocated_parts_are_free)
{
    enum { MANY = 1200, PART = 400 };
    char *at = pages(MANY);
    for (unsigned int i = 0; i < MANY; i++)
        at[i * PAGE] = 1;
    long before = pages_free();
    pages_drop(at + PART * PAGE, PART);
    CHECK(pages_free() >= before + PART - 50);
    pages_drop(at, PART);
    CHECK(pages_free() >= before + 2 * PART - 50);
    at[2 * PART * PAGE]++;
    pages_drop(at + 2 * PART * PAGE, PART);
    CHECK(pages_free() >= before + MANY - 50);
}

/* What is mapped is wired at once, and cannot be: it is not mapped, and the object is whole. */
CASE_OURS(wired_at_once_and_refused)
{
    mach_port_t task = MACH_PORT_NULL, device = MACH_PORT_NULL, pager = MACH_PORT_NULL;
    vm_address_t at = 0;
    REQUIRE(task_create(SELF, FALSE, &task), KERN_SUCCESS);
    REQUIRE(device_open(device_master, D_READ, "time", &device), 0);
    REQUIRE(device_map(device, VM_PROT_READ, 0, PAGE, &pager, 0), 0);
    EXPECT(vm_wire_all(host_priv, task, VM_WIRE_FUTURE), KERN_SUCCESS);
    for (int i = 0; i < 4; i++) {
        at = 0x10000;
        EXPECT(vm_map(task, &at, PAGE, 0, FALSE, pager, 0, FALSE, VM_PROT_READ | VM_PROT_WRITE,
                      VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_SHARE),
               KERN_PROTECTION_FAILURE);
    }
    at = 0;
    EXPECT(vm_map(SELF, &at, PAGE, 0, TRUE, pager, 0, FALSE, VM_PROT_READ, VM_PROT_READ, VM_INHERIT_SHARE),
           KERN_SUCCESS);
    CHECK(*(volatile int *)at > 0);
    vm_deallocate(SELF, at, PAGE);
    mach_port_deallocate(SELF, pager);
    mach_port_deallocate(SELF, device);
    task_terminate(task);
    mach_port_deallocate(SELF, task);
}
