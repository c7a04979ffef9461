/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mapping devices (Mach manual, "Device Map"; device "time", Mach manual "Host Time"; device "mem"). */

#include <mach/time_value.h>

#include "devices.h"

static void map_observe(mach_port_t device, vm_prot_t protection, vm_offset_t offset, vm_size_t size)
{
    mach_port_t pager = MACH_PORT_NULL;
    kern_return_t kr = device_map(device, protection, offset, size, &pager, 0);
    observe("code", kr);
    if (kr == KERN_SUCCESS && MACH_PORT_VALID(pager))
        mach_port_deallocate(mach_task_self(), pager);
}

/* The page of the device "time"; NULL: not to be had. */
static volatile struct mapped_time_value *time_mapped(void)
{
    mach_port_t time = device_opened("time"), pager = MACH_PORT_NULL;
    vm_address_t address = 0;
    if (!EXPECT(device_map(time, VM_PROT_READ, 0, sizeof(struct mapped_time_value), &pager, 0), D_SUCCESS))
        return NULL;
    EXPECT(vm_map(mach_task_self(), &address, vm_page_size, 0, TRUE, pager, 0, FALSE, VM_PROT_READ, VM_PROT_READ,
                  VM_INHERIT_NONE),
           KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), pager);
    mach_port_deallocate(mach_task_self(), time);
    return (volatile struct mapped_time_value *)address;
}

CASE(time_is_the_hosts)
{
    volatile struct mapped_time_value *mapped = time_mapped();
    time_value_t before, after;
    if (mapped == NULL)
        return;
    EXPECT(host_get_time(mach_host_self(), &before), KERN_SUCCESS);
    long seconds = mapped->seconds, wide = (long)mapped->time_value.seconds;
    EXPECT(host_get_time(mach_host_self(), &after), KERN_SUCCESS);
    CHECK(seconds >= before.seconds - 10 && seconds <= after.seconds);
    CHECK(wide >= before.seconds - 10 && wide <= after.seconds);
    vm_deallocate(mach_task_self(), (vm_address_t)mapped, vm_page_size);
}

CASE(time_goes_on)
{
    volatile struct mapped_time_value *mapped = time_mapped();
    if (mapped == NULL)
        return;
    long first = mapped->seconds * 1000000l + mapped->microseconds;
    long up = (long)mapped->uptime_value.seconds * 1000000000l + (long)mapped->uptime_value.nanoseconds;
    pause_ms(100);
    CHECK(mapped->seconds * 1000000l + mapped->microseconds > first);
    CHECK((long)mapped->uptime_value.seconds * 1000000000l + (long)mapped->uptime_value.nanoseconds > up);
    EXPECT(mapped->seconds - mapped->check_seconds, 0);
    vm_deallocate(mach_task_self(), (vm_address_t)mapped, vm_page_size);
}

CASE(time_is_set)
{
    volatile struct mapped_time_value *mapped = time_mapped();
    time_value_t now, then;
    if (mapped == NULL)
        return;
    EXPECT(host_get_time(mach_host_self(), &now), KERN_SUCCESS);
    then = (time_value_t){.seconds = 1000000000, .microseconds = 500000};
    EXPECT(host_set_time(host_priv, then), KERN_SUCCESS);
    pause_ms(30);
    CHECK(mapped->seconds >= 1000000000 && mapped->seconds < 1000000100);
    EXPECT(host_get_time(mach_host_self(), &then), KERN_SUCCESS);
    CHECK(then.seconds >= 1000000000 && then.seconds < 1000000100);
    EXPECT(host_set_time(host_priv, now), KERN_SUCCESS);
    vm_deallocate(mach_task_self(), (vm_address_t)mapped, vm_page_size);
}

CASE(time_is_not_set_without_privilege)
{
    time_value_t value = {.seconds = 1000000000, .microseconds = 0};
    OBSERVE(host_set_time(mach_host_self(), value));
    OBSERVE(host_adjust_time(mach_host_self(), value, &value));
    OBSERVE(host_set_time(mach_task_self(), value));
}

CASE(time_adjustment_is_what_is_left)
{
    time_value_t delta = {.seconds = 0, .microseconds = 0}, old = {0};
    EXPECT(host_adjust_time(host_priv, delta, &old), KERN_SUCCESS);
    delta.seconds = 100;
    EXPECT(host_adjust_time(host_priv, delta, &old), KERN_SUCCESS);
    OBSERVE(old.seconds);
    pause_ms(50);
    delta.seconds = 0;
    EXPECT(host_adjust_time(host_priv, delta, &old), KERN_SUCCESS);
    CHECK(old.seconds > 0 && old.seconds <= 100);
}

CASE_DIFFERS(time_map_errors)
{
    mach_port_t time = device_opened("time");
    map_observe(time, VM_PROT_READ | VM_PROT_WRITE, 0, vm_page_size);
    map_observe(time, VM_PROT_READ, vm_page_size, vm_page_size);
    map_observe(time, VM_PROT_READ, 0, 4 * vm_page_size);
    map_observe(time, VM_PROT_READ, 0, 0);
    map_observe(time, VM_PROT_NONE, 0, vm_page_size);
    map_observe(time, 0x100, 0, vm_page_size);
    mach_port_deallocate(mach_task_self(), time);
}

CASE_OURS(time_page_cannot_be_written)
{
    mach_port_t time = device_opened("time"), pager = MACH_PORT_NULL;
    vm_address_t address = 0;
    REQUIRE(device_map(time, VM_PROT_READ, 0, vm_page_size, &pager, 0), D_SUCCESS);
    kern_return_t kr = vm_map(mach_task_self(), &address, vm_page_size, 0, TRUE, pager, 0, FALSE,
                              VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE);
    OBSERVE(kr);
    if (kr == KERN_SUCCESS) {
        /* Who writes through the kernel is told by a code, not by an exception. */
        vm_offset_t word = 0;
        CHECK(vm_write(mach_task_self(), address, (vm_offset_t)&word, sizeof word) != KERN_SUCCESS);
        vm_deallocate(mach_task_self(), address, vm_page_size);
    }
    mach_port_deallocate(mach_task_self(), pager);
    mach_port_deallocate(mach_task_self(), time);
}

CASE(mem_shows_the_first_megabyte)
{
    mach_port_t mem = device_opened("mem"), pager = MACH_PORT_NULL;
    vm_address_t address = 0;
    REQUIRE(device_map(mem, VM_PROT_READ, 0xf0000, 0x10000, &pager, 0), D_SUCCESS);
    kern_return_t kr = vm_map(mach_task_self(), &address, 0x10000, 0, TRUE, pager, 0, FALSE, VM_PROT_READ, VM_PROT_READ,
                              VM_INHERIT_NONE);
    OBSERVE(kr);
    if (kr == KERN_SUCCESS) {
        /* The BIOS begins with a far jump at its last 16 bytes. */
        EXPECT(((volatile unsigned char *)address)[0xfff0], 0xea);
        vm_deallocate(mach_task_self(), address, 0x10000);
    }
    mach_port_deallocate(mach_task_self(), pager);
    mach_port_deallocate(mach_task_self(), mem);
}

CASE_DIFFERS(mem_is_not_memory)
{
    mach_port_t mem = device_opened("mem"), pager = MACH_PORT_NULL;
    /* Memory that the kernel gives to programs; the window of PCI devices. */
    vm_address_t address = 0;
    kern_return_t kr = device_map(mem, VM_PROT_READ, 0x8000000, vm_page_size, &pager, 0);
    OBSERVE(kr);
    if (kr == KERN_SUCCESS) {
        OBSERVE(vm_map(mach_task_self(), &address, vm_page_size, 0, TRUE, pager, 0x8000000, FALSE, VM_PROT_READ,
                       VM_PROT_READ, VM_INHERIT_NONE));
        mach_port_deallocate(mach_task_self(), pager);
        if (address)
            vm_deallocate(mach_task_self(), address, vm_page_size);
    }
    map_observe(mem, VM_PROT_READ | VM_PROT_WRITE, 0xfe000000, vm_page_size);
    mach_port_deallocate(mach_task_self(), mem);
}

/* Addresses that no processor has: a mapping of them could only fault. */
CASE_OURS(mem_ends_with_the_address_space)
{
    mach_port_t mem = device_opened("mem"), pager = MACH_PORT_NULL;
    EXPECT(device_map(mem, VM_PROT_READ, 1ul << 60, vm_page_size, &pager, 0), D_INVALID_OPERATION);
    EXPECT(device_map(mem, VM_PROT_READ, 0x1000000000000000, ~0ul, &pager, 0), D_INVALID_OPERATION);
    EXPECT(device_map(mem, VM_PROT_READ, 0xfe000000, ~0ul - vm_page_size, &pager, 0), D_INVALID_OPERATION);
    EXPECT(device_map(mem, VM_PROT_READ, 0xfe000001, vm_page_size, &pager, 0), D_INVALID_OPERATION);
    mach_port_deallocate(mach_task_self(), mem);
}

CASE(map_of_devices_without_memory)
{
    static const char *const names[] = {"console", "irq", "kmsg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mach_port_t device = device_opened(names[i]);
        map_observe(device, VM_PROT_READ, 0, vm_page_size);
        mach_port_deallocate(mach_task_self(), device);
    }
}
