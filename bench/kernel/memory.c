/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory: allocation, and page faults that the kernel or an external pager resolves. */

#include <mach/mach_traps.h>
#include <mach/memory_object.h>
#include <string.h>

#include "bench.h"

#define OBJECT_PAGES 4096ul
#define BATCH 64u /* pages copied at a time */

static mach_port_t object_port;
static vm_address_t object_memory;
static vm_offset_t object_next;  /* the first page that nobody has touched */
static uint64_t supply;          /* in the pager's task: its pages */

static uint64_t allocate_touch(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        vm_address_t memory = 0;
        must(vm_allocate(mach_task_self(), &memory, PAGE, TRUE), "vm_allocate");
        *(volatile char *)memory = 1;
        must(vm_deallocate(mach_task_self(), memory, PAGE), "vm_deallocate");
    }
    return instructions() - start;
}

static uint64_t touch(vm_address_t memory, unsigned int pages)
{
    uint64_t start = instructions();
    for (unsigned int i = 0; i < pages; i++)
        ((volatile char *)memory)[i * PAGE] = 1;
    return instructions() - start;
}

static uint64_t fault_zero(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    vm_address_t memory = 0;
    must(vm_allocate(mach_task_self(), &memory, rounds * PAGE, TRUE), "vm_allocate");
    uint64_t spent = touch(memory, rounds);
    must(vm_deallocate(mach_task_self(), memory, rounds * PAGE), "vm_deallocate");
    return spent;
}

/* Of BATCH pages that were just copied, each is written. */
static uint64_t copy_touch(void)
{
    vm_address_t memory = 0;
    vm_offset_t copy;
    mach_msg_type_number_t size;
    must(vm_allocate(mach_task_self(), &memory, BATCH * PAGE, TRUE), "vm_allocate");
    touch(memory, BATCH);
    must(vm_read(mach_task_self(), memory, BATCH * PAGE, &copy, &size), "vm_read");
    uint64_t spent = touch(memory, BATCH);
    must(vm_deallocate(mach_task_self(), copy, size), "vm_deallocate");
    must(vm_deallocate(mach_task_self(), memory, BATCH * PAGE), "vm_deallocate");
    return spent;
}

static uint64_t fault_copy(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t spent = 0;
    for (unsigned int i = 0; i < rounds; i += BATCH)
        spent += copy_touch();
    return spent;
}

/* ---- the pager ------------------------------------------------------------------- */

#define OBJECT_INIT 2200
#define OBJECT_DATA_REQUEST 2203

struct object_message {
    mach_msg_header_t head;
    mach_msg_type_t control_type;
    mach_port_name_inlined_t control;
    mach_msg_type_t offset_type;
    uint64_t offset;
    mach_msg_type_t length_type;
    uint64_t length;
    char rest[128];
};

/* Answers requests with pages that are ready, and gives them away. */
static void page(void *argument)
{
    mach_port_t port = *(mach_port_t *)argument;
    static struct object_message message;
    for (;;) {
        if (mach_msg_trap(&message.head, MACH_RCV_MSG, 0, sizeof message, port, 0, MACH_PORT_NULL))
            continue;
        if (message.head.msgh_id == OBJECT_INIT) {
            touch(supply, OBJECT_PAGES); /* its pages are ready when they are asked for */
            memory_object_ready(message.control.name, FALSE, MEMORY_OBJECT_COPY_NONE);
        }
        if (message.head.msgh_id == OBJECT_DATA_REQUEST)
            memory_object_data_supply(message.control.name, message.offset, supply + message.offset,
                                      (mach_msg_type_number_t)message.length, TRUE, VM_PROT_NONE, FALSE,
                                      MACH_PORT_NULL);
    }
}

static uint64_t fault_pager(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t spent = touch(object_memory + object_next, rounds);
    object_next += rounds * PAGE;
    return spent;
}

void memory_prepare(void)
{
    must(vm_allocate(mach_task_self(), &supply, OBJECT_PAGES * PAGE, TRUE), "vm_allocate");
}

void memory_start(void)
{
    object_port = partner_port(partner_task);
    partner_copy(&object_port, sizeof object_port);
    partner_start(partner_task, page, &object_port);
    must(vm_map(mach_task_self(), &object_memory, OBJECT_PAGES * PAGE, 0, TRUE, object_port, 0, FALSE, VM_PROT_DEFAULT,
                VM_PROT_ALL, VM_INHERIT_NONE),
         "vm_map");
}

const struct operation memory_operations[] = {
    {"vm_allocate, touch, vm_deallocate a page", 10000, allocate_touch, 0, NULL},
    {"page fault, zero fill", 2000, fault_zero, 0, NULL},
    {"page fault, copy on write", 32 * BATCH, fault_copy, 0, NULL},
    {"page fault, external pager", 2000, fault_pager, 0, NULL},
    {NULL, 0, NULL, 0, NULL},
};
