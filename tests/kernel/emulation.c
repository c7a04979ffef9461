/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: emulation vectors (mach.defs): a task's handlers for system calls, which the kernel keeps. */

#include "objects.h"

/* TASK's vector: the first call's number, how many there are, and each. */
static void vector_observe(mach_port_t task)
{
    int start = 99;
    emulation_vector_t vector = NULL;
    mach_msg_type_number_t count = 99;
    long result = task_get_emulation_vector(task, &start, &vector, &count);
    OBSERVE(result);
    if (result)
        return;
    OBSERVE(count);
    if (count == 0)
        return;
    OBSERVE(start);
    for (unsigned int i = 0; i < count && i < 16; i++)
        OBSERVE(vector[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)vector, count * sizeof *vector);
}

CASE(vector_none)
{
    mach_port_t task = task_empty(), host = (mach_host_self)();
    vector_observe(task);
    vector_observe(host);
    OBSERVE(task_set_emulation(host, 0x1000, 0));
    vm_offset_t entries[2] = {0x1000, 0x2000};
    OBSERVE(task_set_emulation_vector(host, 0, entries, 2));
    task_end(task);
    mach_port_deallocate(mach_task_self(), host);
}

CASE_OURS(vector_of_nothing)
{
    mach_port_t task = task_empty();
    vm_offset_t entry = 0x1000;
    EXPECT(task_set_emulation_vector(task, 0, &entry, 0), KERN_SUCCESS);
    vector_observe(task);
    EXPECT(task_set_emulation(task, 0x1000, -0x7fffffff - 1), KERN_SUCCESS);
    EXPECT(task_set_emulation(task, 0x1000, 0x7fffffff), KERN_RESOURCE_SHORTAGE);
    vector_observe(task);
    task_end(task);
}

CASE(vector_set_one_by_one)
{
    mach_port_t task = task_empty();
    OBSERVE(task_set_emulation(task, 0x1000, 3));
    vector_observe(task);
    OBSERVE(task_set_emulation(task, 0x2000, 5));
    vector_observe(task);
    OBSERVE(task_set_emulation(task, 0x3000, -1));
    vector_observe(task);
    OBSERVE(task_set_emulation(task, 0, 3));
    vector_observe(task);
    task_end(task);
}

CASE(vector_set_at_once)
{
    mach_port_t task = task_empty();
    vm_offset_t entries[3] = {0x1000, 0, 0x3000};
    OBSERVE(task_set_emulation_vector(task, 2, entries, 3));
    vector_observe(task);
    OBSERVE(task_set_emulation_vector(task, 4, entries, 3));
    vector_observe(task);
    OBSERVE(task_set_emulation_vector(task, 1, entries, 1));
    vector_observe(task);
    task_end(task);
}

CASE(vector_far)
{
    mach_port_t task = task_empty();
    OBSERVE(task_set_emulation(task, 0x1000, 0));
    OBSERVE(task_set_emulation(task, 0x1000, 1000));
    OBSERVE(task_set_emulation(task, 0x1000, 1023));
    OBSERVE(task_set_emulation(task, 0x1000, 1024));
    OBSERVE(task_set_emulation(task, 0x1000, 10000));
    vector_observe(task);
    task_end(task);
}

CASE(vector_inherited)
{
    mach_port_t task = task_empty(), child;
    OBSERVE(task_set_emulation(task, 0x1000, 3));
    REQUIRE(task_create(task, FALSE, &child), KERN_SUCCESS);
    vector_observe(child);
    OBSERVE(task_set_emulation(child, 0x2000, 4));
    vector_observe(child);
    vector_observe(task);
    task_end(child);
    task_end(task);
}

STUB(stub_call_five, "mov $5, %eax\n syscall\n ud2");
STUB(stub_call_host_self, "mov $-29, %eax\n syscall\n ud2");
STUB(stub_emulated, "int3");

/* What a system call does whose number is in the vector. */
CASE(calls_with_a_vector)
{
    for (int i = 0; i < 2; i++) {
        mach_port_t task;
        struct bare bare;
        REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
        OBSERVE(task_set_emulation(task, (vm_address_t)stub_emulated, i ? -29 : 5));
        bare_create(&bare, task, i ? stub_call_host_self : stub_call_five, 0);
        struct raised raised = fault_of_thread(&bare);
        OBSERVE(raised.exception);
        OBSERVE(raised.code);
        struct i386_thread_state state = registers_get(bare.thread);
        OBSERVE(state.rip - (vm_address_t)(i ? stub_call_host_self : stub_call_five));
        bare_end(&bare);
        raised_drop(&raised);
        task_end(task);
    }
}
