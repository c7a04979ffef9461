/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: memory that stays: wired, contiguous, with its physical addresses (mach_host.defs, vm_wire; gnumach.defs,
   vm_wire_all, vm_allocate_contiguous, vm_pages_phys), and attributes of the machine. */

#include <mach/vm_attributes.h>
#include <mach/vm_wire.h>

#include "memory_help.h"
#include "objects.h"

#define SELF mach_task_self()
#define RW (VM_PROT_READ | VM_PROT_WRITE)
#define TOP 0x7ffffffff000ul

/* ---- vm_wire --------------------------------------------------------------------------------------- */

CASE(wire_without_a_host)
{
    vm_address_t at = (vm_address_t)pages(1);
    mach_port_t dead = task_dead(), thread = mach_thread_self();
    OBSERVE(vm_wire(SELF, SELF, at, PAGE, RW));
    OBSERVE(vm_wire(thread, SELF, at, PAGE, RW));
    OBSERVE(vm_wire(dead, SELF, at, PAGE, RW));
    OBSERVE(vm_wire(host_priv, host_priv, at, PAGE, RW));
    OBSERVE(vm_wire(host_priv, thread, at, PAGE, RW));
    OBSERVE(vm_wire(host_priv, dead, at, PAGE, RW));
    OBSERVE(vm_wire(mach_host_self(), SELF, at, PAGE, RW)); /* a few pages are anybody's */
    OBSERVE(vm_wire(mach_host_self(), SELF, at, PAGE, VM_PROT_NONE));
    mach_port_deallocate(SELF, dead);
    mach_port_deallocate(SELF, thread);
    pages_drop((void *)at, 1);
}

CASE(wire_protections)
{
    vm_address_t at = (vm_address_t)pages(1);
    for (int access = -1; access < 20; access++) {
        OBSERVE(access);
        OBSERVE(vm_wire(host_priv, SELF, at, PAGE, access));
    }
    EXPECT(vm_wire(host_priv, SELF, at, PAGE, VM_PROT_NONE), KERN_SUCCESS);
    EXPECT(vm_protect(SELF, at, PAGE, FALSE, VM_PROT_READ), KERN_SUCCESS);
    OBSERVE(vm_wire(host_priv, SELF, at, PAGE, VM_PROT_READ));
    OBSERVE(vm_wire(host_priv, SELF, at, PAGE, VM_PROT_NONE));
    OBSERVE(vm_wire(host_priv, SELF, at, PAGE, RW));
    OBSERVE(vm_wire(host_priv, SELF, at, PAGE, VM_PROT_NONE));
    EXPECT(vm_protect(SELF, at, PAGE, FALSE, VM_PROT_NONE), KERN_SUCCESS);
    OBSERVE(vm_wire(host_priv, SELF, at, PAGE, VM_PROT_READ));
    OBSERVE(vm_wire(host_priv, SELF, at, PAGE, VM_PROT_NONE));
    pages_drop((void *)at, 1);
}

CASE(wire_ranges)
{
    vm_address_t at = (vm_address_t)pages(6);
    pages_drop((char *)at + 3 * PAGE, 1);
    OBSERVE(vm_wire(host_priv, SELF, at + 100, 1, RW));
    OBSERVE(vm_wire(host_priv, SELF, at + 100, PAGE, RW));
    OBSERVE(vm_wire(host_priv, SELF, at, 2 * PAGE, VM_PROT_NONE));
    OBSERVE(vm_wire(host_priv, SELF, at, 0, RW));
    OBSERVE(vm_wire(host_priv, SELF, at + 3 * PAGE, PAGE, RW));
    OBSERVE(vm_wire(host_priv, SELF, at, 6 * PAGE, RW));
    OBSERVE(vm_wire(host_priv, SELF, at + 2 * PAGE, 2 * PAGE, RW));
    OBSERVE(vm_wire(host_priv, SELF, at, 6 * PAGE, VM_PROT_NONE));
    OBSERVE(vm_wire(host_priv, SELF, at, 3 * PAGE, VM_PROT_NONE));
    ((volatile char *)at)[0] = 1;
    pages_drop((void *)at, 3);
    pages_drop((char *)at + 4 * PAGE, 2);
}

CASE_DIFFERS(wire_ranges_outside)
{
    mach_port_t task = task_empty();
    OBSERVE(vm_wire(host_priv, task, ~(vm_address_t)0 - PAGE, 4 * PAGE, RW));
    OBSERVE(vm_wire(host_priv, task, 0xffffffff81000000, PAGE, RW));
    OBSERVE(vm_wire(host_priv, task, TOP - PAGE, 4 * PAGE, RW));
    task_end(task);
}

/* Wired memory can be protected, copied, inherited, deallocated. */
CASE(wired_memory_is_memory)
{
    char *at = pages(4), *copy;
    mach_msg_type_number_t size;
    mach_port_t task;
    memset(at, 'w', 4 * PAGE);
    EXPECT(vm_wire(host_priv, SELF, (vm_address_t)at, 4 * PAGE, RW), KERN_SUCCESS);
    EXPECT(vm_read(SELF, (vm_address_t)at, 4 * PAGE, (vm_offset_t *)&copy, &size), KERN_SUCCESS);
    at[PAGE] = 'x';
    EXPECT(copy[PAGE], 'w');
    pages_drop(copy, 4);
    REQUIRE(task_create(SELF, TRUE, &task), KERN_SUCCESS);
    at[2 * PAGE] = 'y';
    EXPECT(vm_read(task, (vm_address_t)at, 4 * PAGE, (vm_offset_t *)&copy, &size), KERN_SUCCESS);
    EXPECT(copy[PAGE], 'x');
    EXPECT(copy[2 * PAGE], 'w');
    pages_drop(copy, 4);
    task_end(task);
    OBSERVE(vm_protect(SELF, (vm_address_t)at, PAGE, FALSE, VM_PROT_READ));
    EXPECT(at[0], 'w');
    OBSERVE(vm_protect(SELF, (vm_address_t)at, PAGE, FALSE, RW));
    at[0] = 'z';
    OBSERVE(vm_inherit(SELF, (vm_address_t)at, PAGE, VM_INHERIT_NONE));
    OBSERVE(vm_write(SELF, (vm_address_t)at + PAGE, (vm_offset_t)at + 2 * PAGE, PAGE));
    EXPECT(at[PAGE], 'y');
    EXPECT(vm_wire(host_priv, SELF, (vm_address_t)at, 4 * PAGE, VM_PROT_NONE), KERN_SUCCESS);
    EXPECT(at[0], 'z');
    EXPECT(vm_wire(host_priv, SELF, (vm_address_t)at, 4 * PAGE, RW), KERN_SUCCESS);
    pages_drop(at, 4);
    EXPECT(mapped(at), false);
}

/* A private copy of a pager's page is wired for reading, then written: what stays in memory is the copy. */
CASE_OURS(wired_copy_is_written)
{
    struct object object;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY), *copy;
    object_fill(&object, at, 0, 'a', VM_PROT_NONE, false);
    REQUIRE(object_map_more(&object, 0, PAGE, true, RW, &copy), KERN_SUCCESS);
    EXPECT(vm_wire(host_priv, SELF, (vm_address_t)copy, PAGE, VM_PROT_READ), KERN_SUCCESS);
    EXPECT(copy[0], 'a');
    copy[0] = 'c';
    EXPECT(object_lock(&object, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, true, VM_PROT_NO_CHANGE), KERN_SUCCESS);
    EXPECT(pager_receive(object.replies, LONG_WAIT).id, MSG_LOCKED);
    object_fill(&object, at, 0, 'b', VM_PROT_NONE, false); /* it was not wired, so it went */
    EXPECT(copy[0], 'c');
    EXPECT(vm_wire(host_priv, SELF, (vm_address_t)copy, PAGE, VM_PROT_NONE), KERN_SUCCESS);
    pages_drop(copy, 1);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

/* Wiring brings a pager's pages, and what it refuses is not wired.  In another task: GNU Mach keeps the map locked
   meanwhile. */
struct wiring {
    mach_port_t task;
    vm_address_t at;
    vm_size_t size;
    volatile kern_return_t result;
};

static void wiring_make(struct wiring *wiring, struct object *object)
{
    *wiring = (struct wiring){.task = task_empty(), .at = 0x100000, .size = 2 * PAGE, .result = -1};
    EXPECT(vm_map(wiring->task, &wiring->at, wiring->size, 0, FALSE, object->port, 0, FALSE, RW, RW, VM_INHERIT_COPY),
           KERN_SUCCESS);
}

static void wire_run(void *argument)
{
    struct wiring *wiring = argument;
    wiring->result = vm_wire(host_priv, wiring->task, wiring->at, wiring->size, VM_PROT_READ);
}

/* HELPER wires two pages of OBJECT: the first one is supplied, the second one asked for. */
static void wiring_begin(struct wiring *wiring, struct helper *helper, struct object *object)
{
    wiring_make(wiring, object);
    helper_start(helper, wire_run, wiring);
    object_request_expect(object, 0);
    object_supply(object, 0, 1, 3, VM_PROT_NONE, false, false);
    object_request_expect(object, PAGE);
}

CASE(wire_asks_the_pager)
{
    struct object object;
    struct helper helper = {0};
    struct wiring wiring;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    wiring_begin(&wiring, &helper, &object);
    object_supply(&object, PAGE, 1, 4, VM_PROT_NONE, false, false);
    CHECK(helper_join(&helper));
    EXPECT(wiring.result, KERN_SUCCESS);
    EXPECT(at[PAGE], 4);
    task_end(wiring.task);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE_OURS(wire_what_a_pager_refuses)
{
    struct object object;
    struct helper helper = {0};
    struct wiring wiring;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    wiring_begin(&wiring, &helper, &object);
    EXPECT(memory_object_data_error(object.control, PAGE, PAGE, KERN_FAILURE), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    OBSERVE(wiring.result);
    task_end(wiring.task);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

/* ---- vm_wire_all ------------------------------------------------------------------------------------- */

CASE_OURS(wire_all_errors)
{
    mach_port_t task = task_empty(), dead = task_dead(), thread = mach_thread_self();
    for (int flags = -1; flags < 6; flags++) {
        OBSERVE(flags);
        OBSERVE(vm_wire_all(host_priv, task, flags));
    }
    EXPECT(vm_wire_all(host_priv, task, VM_WIRE_NONE), KERN_SUCCESS);
    OBSERVE(vm_wire_all(SELF, task, VM_WIRE_ALL));
    OBSERVE(vm_wire_all(host_priv, thread, VM_WIRE_ALL));
    OBSERVE(vm_wire_all(host_priv, host_priv, VM_WIRE_ALL));
    OBSERVE(vm_wire_all(host_priv, dead, VM_WIRE_ALL));
    task_end(task);
    mach_port_deallocate(SELF, dead);
    mach_port_deallocate(SELF, thread);
}

/* What is there is wired, what cannot be used is passed over, what comes later is wired, too: its pages are there
   before they are touched. */
CASE(wire_all_now_and_later)
{
    mach_port_t task = task_empty();
    vm_address_t first = 0x100000, none = 0x200000, later = 0x300000, last = 0x400000;
    EXPECT(vm_allocate(task, &first, 4 * PAGE, FALSE), KERN_SUCCESS);
    EXPECT(vm_allocate(task, &none, PAGE, FALSE), KERN_SUCCESS);
    EXPECT(vm_protect(task, none, PAGE, FALSE, VM_PROT_NONE), KERN_SUCCESS);
    OBSERVE(task_basic(task).resident_size);
    OBSERVE(vm_wire_all(host_priv, task, VM_WIRE_CURRENT));
    OBSERVE(task_basic(task).resident_size);
    EXPECT(vm_allocate(task, &later, 2 * PAGE, FALSE), KERN_SUCCESS);
    OBSERVE(task_basic(task).resident_size);
    OBSERVE(vm_wire_all(host_priv, task, VM_WIRE_FUTURE));
    OBSERVE(task_basic(task).resident_size);
    EXPECT(vm_allocate(task, &last, 8 * PAGE, FALSE), KERN_SUCCESS);
    OBSERVE(task_basic(task).resident_size);
    EXPECT(vm_wire_all(host_priv, task, VM_WIRE_NONE), KERN_SUCCESS);
    last += 0x100000;
    EXPECT(vm_allocate(task, &last, 8 * PAGE, FALSE), KERN_SUCCESS);
    OBSERVE(task_basic(task).resident_size);
    task_end(task);
}

/* ---- contiguous memory --------------------------------------------------------------------------------- */

static void contiguous(vm_size_t size, rpc_phys_addr_t low, rpc_phys_addr_t high, rpc_phys_addr_t align)
{
    vm_address_t at = 0;
    rpc_phys_addr_t physical = 0, *list = NULL;
    mach_msg_type_number_t count = 0;
    observe("size", (long)size);
    observe("low", (long)low);
    observe("high", (long)high);
    observe("align", (long)align);
    kern_return_t kr = vm_allocate_contiguous(host_priv, SELF, &at, &physical, size, low, high, align);
    observe("result", kr);
    if (kr)
        return;
    vm_size_t whole = (size + PAGE - 1) & -PAGE;
    CHECK(physical >= low && (high == 0 || physical + size <= high));
    CHECK(align == 0 || physical % align == 0);
    CHECK(at % PAGE == 0);
    unsigned int wrong = 0;
    for (vm_size_t i = 0; i < whole; i += PAGE)
        wrong += *(volatile long *)(at + i) != 0;
    CHECK(wrong == 0 || !on_quadrille); /* GNU Mach gives what somebody left there */
    wrong = 0;
    if (CHECK(vm_pages_phys(host_priv, SELF, at, whole, &list, &count) == KERN_SUCCESS) && CHECK(count == whole / PAGE))
        for (unsigned int i = 0; i < count; i++)
            wrong += list[i] != physical + i * PAGE;
    CHECK(wrong == 0);
    if (count)
        vm_deallocate(SELF, (vm_address_t)list, count * sizeof *list);
    EXPECT(vm_deallocate(SELF, at, whole), KERN_SUCCESS);
}

CASE(contiguous_sizes)
{
    contiguous(PAGE, 0, 1ul << 32, PAGE);
    contiguous(4 * PAGE, 0, 1ul << 32, PAGE);
    contiguous(64 * PAGE, 0, 1ul << 32, PAGE);
    contiguous(3 * PAGE, 0, 1ul << 32, PAGE);
    contiguous(100, 0, 1ul << 32, PAGE);
    contiguous(PAGE + 1, 0, 1ul << 32, PAGE);
}

CASE_OURS(contiguous_without_limits)
{
    contiguous(PAGE, 0, 0, 0);
    contiguous(PAGE + 1, 0, 0, 0);
    contiguous(1ul << 20, 0, 1ul << 32, 1ul << 20);
}

CASE(contiguous_zones)
{
    contiguous(4 * PAGE, 0, 16ul << 20, PAGE);
    contiguous(16 * PAGE, 0, 1ul << 32, PAGE);
}

CASE_OURS(contiguous_aligned)
{
    contiguous(2 * PAGE, 0, 16ul << 20, 2 * PAGE);
    contiguous(16 * PAGE, 0, 1ul << 32, 16 * PAGE);
}

CASE_OURS(contiguous_too_much)
{
    contiguous(1ul << 40, 0, 1ul << 32, PAGE);
    contiguous(512ul << 20, 0, 1ul << 32, PAGE);
}

CASE(contiguous_nobody)
{
    vm_address_t at = 0;
    rpc_phys_addr_t physical = 0;
    mach_port_t dead = task_dead();
    OBSERVE(vm_allocate_contiguous(SELF, SELF, &at, &physical, PAGE, 0, 1ul << 32, PAGE));
    OBSERVE(vm_allocate_contiguous(mach_host_self(), SELF, &at, &physical, PAGE, 0, 1ul << 32, PAGE));
    OBSERVE(vm_allocate_contiguous(host_priv, host_priv, &at, &physical, PAGE, 0, 1ul << 32, PAGE));
    OBSERVE(vm_allocate_contiguous(host_priv, dead, &at, &physical, PAGE, 0, 1ul << 32, PAGE));
    OBSERVE(vm_allocate_contiguous(host_priv, SELF, &at, &physical, 0, 0, 1ul << 32, PAGE));
    OBSERVE(vm_allocate_contiguous(host_priv, SELF, &at, &physical, PAGE, 0, 1ul << 32, 3 * PAGE));
    mach_port_deallocate(SELF, dead);
}

/* It is wired memory that can be given to others. */
CASE(contiguous_is_shared_and_copied)
{
    vm_address_t at = 0, copy = 0;
    rpc_phys_addr_t physical = 0, *list = NULL;
    mach_msg_type_number_t count = 0, size = 0;
    REQUIRE(vm_allocate_contiguous(host_priv, SELF, &at, &physical, 2 * PAGE, 0, 1ul << 32, PAGE), KERN_SUCCESS);
    memset((void *)at, 'c', 2 * PAGE);
    EXPECT(vm_read(SELF, at, 2 * PAGE, &copy, &size), KERN_SUCCESS);
    *(volatile char *)at = 'd';
    EXPECT(*(char *)copy, 'c');
    EXPECT(vm_pages_phys(host_priv, SELF, at, 2 * PAGE, &list, &count), KERN_SUCCESS);
    EXPECT(list[0] == physical, true); /* writing left it where it was */
    vm_deallocate(SELF, (vm_address_t)list, count * sizeof *list);
    vm_deallocate(SELF, copy, size);
    vm_deallocate(SELF, at, 2 * PAGE);
}

/* ---- physical addresses ------------------------------------------------------------------------------- */

static void phys_observe(mach_port_t task, vm_address_t at, vm_size_t size)
{
    rpc_phys_addr_t *list = NULL;
    mach_msg_type_number_t count = 0;
    kern_return_t kr = vm_pages_phys(host_priv, task, at, size, &list, &count);
    OBSERVE(kr);
    if (kr)
        return;
    OBSERVE(count);
    for (unsigned int i = 0; i < count; i++)
        observe("there", list[i] != 0);
    if (count)
        vm_deallocate(SELF, (vm_address_t)list, count * sizeof *list);
}

CASE(phys_of_ranges)
{
    char *at = pages(5);
    at[0] = at[2 * PAGE] = 1;
    phys_observe(SELF, (vm_address_t)at, 4 * PAGE);
    phys_observe(SELF, (vm_address_t)at, 0);
    phys_observe(SELF, (vm_address_t)at + 1, PAGE);
    phys_observe(SELF, (vm_address_t)at, PAGE + 1);
    phys_observe(SELF, (vm_address_t)at, 100);
    pages_drop(at + 4 * PAGE, 1);
    phys_observe(SELF, (vm_address_t)at + 3 * PAGE, 2 * PAGE);
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, FALSE, VM_PROT_NONE), KERN_SUCCESS);
    phys_observe(SELF, (vm_address_t)at, PAGE);
    phys_observe(host_priv, (vm_address_t)at, PAGE);
    pages_drop(at, 4);
}

CASE(phys_of_many)
{
    enum { MANY = 600 }; /* more than a message has room for */
    char *at = pages(MANY);
    rpc_phys_addr_t *list = NULL;
    mach_msg_type_number_t count = 0;
    for (unsigned int i = 0; i < MANY; i++)
        at[i * PAGE] = 1;
    EXPECT(vm_pages_phys(host_priv, SELF, (vm_address_t)at, MANY * PAGE, &list, &count), KERN_SUCCESS);
    EXPECT(count, MANY);
    unsigned int there = 0, page_wise = 0;
    for (unsigned int i = 0; i < count; i++) {
        there += list[i] != 0;
        page_wise += list[i] % PAGE == 0;
    }
    EXPECT(there, MANY);
    EXPECT(page_wise, MANY);
    vm_deallocate(SELF, (vm_address_t)list, count * sizeof *list);
    pages_drop(at, MANY);
}

CASE(phys_of_nobody)
{
    rpc_phys_addr_t *list = NULL;
    mach_msg_type_number_t count = 0;
    mach_port_t dead = task_dead();
    vm_address_t at = (vm_address_t)pages(1);
    OBSERVE(vm_pages_phys(SELF, SELF, at, PAGE, &list, &count));
    OBSERVE(vm_pages_phys(mach_host_self(), SELF, at, PAGE, &list, &count));
    OBSERVE(vm_pages_phys(host_priv, dead, at, PAGE, &list, &count));
    mach_port_deallocate(SELF, dead);
    pages_drop((void *)at, 1);
}

/* ---- the machine's attributes -------------------------------------------------------------------------- */

CASE(attributes_have_no_values)
{
    vm_address_t at = (vm_address_t)pages(2);
    for (unsigned int attribute = 0; attribute < 9; attribute++)
        for (int wanted = -1; wanted < 9; wanted++) {
            vm_machine_attribute_val_t value = wanted;
            kern_return_t kr = vm_machine_attribute(SELF, at, 2 * PAGE, attribute, &value);
            if (wanted < 0 || kr != KERN_INVALID_ADDRESS)
                OBSERVE(kr);
        }
    pages_drop((void *)at, 2);
}

CASE(attributes_of_ranges)
{
    vm_machine_attribute_val_t value = MATTR_VAL_CACHE_FLUSH;
    vm_address_t at = (vm_address_t)pages(1);
    mach_port_t dead = task_dead();
    OBSERVE(vm_machine_attribute(SELF, at, 0, MATTR_CACHE, &value));
    OBSERVE(vm_machine_attribute(SELF, at + 1, 1, MATTR_CACHE, &value));
    OBSERVE(vm_machine_attribute(SELF, 0, PAGE, MATTR_CACHE, &value));
    OBSERVE(vm_machine_attribute(SELF, ~(vm_address_t)0, PAGE, MATTR_CACHE, &value));
    OBSERVE(vm_machine_attribute(SELF, 0xffffffff81000000, PAGE, MATTR_CACHE, &value));
    OBSERVE(vm_machine_attribute(dead, at, PAGE, MATTR_CACHE, &value));
    mach_port_deallocate(SELF, dead);
    pages_drop((void *)at, 1);
}
