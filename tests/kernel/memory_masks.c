/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mask of vm_map: the bits that must be zero in the address.  Ones at the low end are an alignment (Mach manual,
   "Mapping Memory Objects"); ones at the high end a limit, as glibc's MAP_32BIT asks for it. */

#include "memory_help.h"
#include "objects.h"
#include "rights.h"

#define ONES (~(vm_address_t)0)
#define BELOW_2G (~(vm_address_t)0x7fffffff)
#define GIB ((vm_address_t)1 << 30)

/* Maps SIZE bytes of zeros in TASK, anywhere behind *AT or just there. */
static kern_return_t zeros_map(mach_port_t task, vm_address_t *at, vm_size_t size, vm_address_t mask, bool anywhere)
{
    return vm_map(task, at, size, mask, anywhere, MACH_PORT_NULL, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_ALL,
                  VM_INHERIT_COPY);
}

/* A page with MASK, twice, in a task that has one at each of 16 MiB, 1 GiB, 3 GiB and 5 GiB. */
static void mask_observe(vm_address_t mask, vm_address_t wish)
{
    static const vm_address_t taken[] = {16 << 20, GIB, 3 * GIB, 5 * GIB};
    mach_port_t task = task_empty();
    for (unsigned int i = 0; i < sizeof taken / sizeof *taken; i++) {
        vm_address_t at = taken[i];
        EXPECT(vm_allocate(task, &at, PAGE, FALSE), KERN_SUCCESS);
    }
    for (int i = 0; i < 2; i++) {
        vm_address_t at = wish;
        kern_return_t result = zeros_map(task, &at, PAGE, mask, TRUE);
        observe_as(result, "mask %lx from %lx", (unsigned long)mask, (unsigned long)wish);
        if (result == KERN_SUCCESS)
            observe_as((at & mask) == 0, "mask %lx from %lx: obeyed", (unsigned long)mask, (unsigned long)wish);
    }
    task_end(task);
}

CASE(mask_aligns)
{
    static const vm_address_t masks[] = {0, 1, 0xfff, 0x1fff, 0xffff, 0x1fffff, GIB - 1, 4 * GIB - 1, 4096 * GIB - 1};
    for (unsigned int i = 0; i < sizeof masks / sizeof *masks; i++) {
        mask_observe(masks[i], 0x5000);
        mask_observe(masks[i], 16 << 20);
    }
}

CASE(mask_of_all_bits)
{
    mask_observe(ONES, 0);
    mask_observe(ONES, 0x5000);
    mask_observe(ONES >> 1, 0x5000);
    mask_observe(ONES >> 16, 0x5000);
    mask_observe(ONES >> 17, 0x5000);
}

CASE(mask_limits)
{
    mask_observe(BELOW_2G, 0);
    mask_observe(BELOW_2G, 0x5000);
    mask_observe(BELOW_2G, 16 << 20);
    mask_observe(BELOW_2G, GIB);
    mask_observe(BELOW_2G, 2 * GIB - PAGE);
    mask_observe(BELOW_2G, 2 * GIB);
    mask_observe(BELOW_2G, 5 * GIB);
    mask_observe(ONES << 63, 0x5000);
}

/* GNU Mach looks behind the first entry alone, and knows no limit of 47 bits. */
CASE_OURS(mask_limits_at_the_ends)
{
    mask_observe(ONES << 20, 0x5000);
    mask_observe(ONES << 13, 0x1000);
    mask_observe(ONES << 12, 0x1000);
    mask_observe(ONES << 47, 0x5000);
}

/* A wish behind which nothing is free. */
CASE(mask_and_a_wish_at_the_top)
{
    mask_observe(0, ((vm_address_t)1 << 47) - 2 * PAGE);
    mask_observe(0xffff, ((vm_address_t)1 << 47) - 2 * PAGE);
    mask_observe(0, ((vm_address_t)1 << 47) - PAGE);
    mask_observe(0, ONES - PAGE + 1);
    mask_observe(BELOW_2G | 0x1fffff, 2 * GIB - PAGE);
}

CASE(mask_limits_and_aligns)
{
    mask_observe(BELOW_2G | 0xffff, 0x5000);
    mask_observe(BELOW_2G | 0x1fffff, 16 << 20);
    mask_observe(BELOW_2G | (GIB - 1), 0x5000);
    mask_observe(BELOW_2G | (2 * GIB - 1), 0x5000);
}

CASE(mask_with_bits_in_the_middle)
{
    mask_observe(0x10000, 0x5000);
    mask_observe(0x10fff, 0x15000);
    mask_observe(GIB, GIB);
    mask_observe(0xf00000fff, 0x5000);
    mask_observe(BELOW_2G | 0x10000, 0x5000);
    mask_observe(BELOW_2G | 0x100fff, 0x5000);
}

/* No room below the limit: a full one, and sizes about it. */
CASE(mask_without_room)
{
    mach_port_t task = task_empty();
    vm_address_t at = PAGE;
    EXPECT(vm_allocate(task, &at, (1 << 20) - PAGE, FALSE), KERN_SUCCESS);
    at = 0x10000;
    OBSERVE(zeros_map(task, &at, PAGE, ONES << 20, TRUE));
    at = 0xff000;
    OBSERVE(zeros_map(task, &at, PAGE, ONES << 20, TRUE));
    at = 0x10000;
    OBSERVE(zeros_map(task, &at, PAGE, ONES << 21, TRUE));
    OBSERVE(at);
    at = 0x10000;
    OBSERVE(zeros_map(task, &at, 1 << 20, ONES << 21, TRUE));
    at = 0x10000;
    OBSERVE(zeros_map(task, &at, (1 << 20) - PAGE, ONES << 21, TRUE));
    OBSERVE(at);
    at = 0x10000;
    OBSERVE(zeros_map(task, &at, 4 * GIB, BELOW_2G, TRUE));
    task_end(task);
}

CASE(mask_and_a_fixed_place)
{
    static const vm_address_t masks[] = {0, 0xfff, 0x1fff, 0xffff, 0x1fffff, 0x10000, BELOW_2G, ONES << 20, ONES};
    for (unsigned int i = 0; i < sizeof masks / sizeof *masks; i++) {
        mach_port_t task = task_empty();
        for (vm_address_t place = 0x11000; place <= 5 * GIB; place *= 8) {
            vm_address_t at = place;
            observe_as(zeros_map(task, &at, PAGE, masks[i], FALSE), "mask %lx at %lx", (unsigned long)masks[i],
                       (unsigned long)place);
        }
        task_end(task);
    }
}
