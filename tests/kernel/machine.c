/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only this machine has: segment descriptors and I/O ports (mach/machine/mach_i386.defs).  */

#include "objects.h"

#include <mach/machine/mach_i386.h>

static mach_port_t thread_new(void)
{
    mach_port_t thread = MACH_PORT_NULL;
    CHECK(thread_create(mach_task_self(), &thread) == KERN_SUCCESS);
    return thread;
}

static void thread_end(mach_port_t thread)
{
    thread_terminate(thread);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE_DIFFERS(descriptors_set)
{
    mach_port_t thread = thread_new(), host = (mach_host_self)();
    descriptor_t good = {0x0000ffff, 0x00cff200}, gate = {0x00080000, 0x0000ee00}, kernel = {0x0000ffff, 0x00cf9200};
    int selector = -1;
    OBSERVE(i386_set_gdt(thread, &selector, good));
    OBSERVE(selector & 3);
    descriptor_t back = {0};
    OBSERVE(i386_get_gdt(thread, selector, &back));
    OBSERVE(back.low_word);
    OBSERVE(back.high_word & ~0x100u);
    selector = -1;
    OBSERVE(i386_set_gdt(thread, &selector, gate));
    selector = -1;
    OBSERVE(i386_set_gdt(thread, &selector, kernel));
    selector = 0x8;
    OBSERVE(i386_set_gdt(thread, &selector, good));
    selector = 0xffff;
    OBSERVE(i386_set_gdt(thread, &selector, good));
    OBSERVE(i386_get_gdt(thread, 0x8, &back));
    OBSERVE(i386_get_gdt(thread, 0xffff, &back));
    selector = -1;
    OBSERVE(i386_set_gdt(host, &selector, good));
    OBSERVE(i386_get_gdt(host, 0x48, &back));
    thread_end(thread);
    mach_port_deallocate(mach_task_self(), host);
}

CASE_DIFFERS(local_descriptors)
{
    mach_port_t thread = thread_new(), host = (mach_host_self)();
    descriptor_t list[4] = {{0x0000ffff, 0x00cff200}}, *back = NULL;
    mach_msg_type_number_t count = 0;
    OBSERVE(i386_set_ldt(host, 0, list, 1));
    OBSERVE(i386_get_ldt(host, 0, 1, &back, &count));
    OBSERVE(i386_set_ldt(thread, -1, list, 1));
    OBSERVE(i386_set_ldt(thread, 0x10000, list, 1));
    thread_end(thread);
    mach_port_deallocate(mach_task_self(), host);
}

/* What follows the last instruction of the user's half is no address. */
CASE_DIFFERS(last_page)
{
    mach_port_t task = task_empty();
    vm_address_t last = 0x7ffffffff000, before = 0x7fffffffe000;
    EXPECT(vm_allocate(task, &before, 4096, FALSE), KERN_SUCCESS);
    OBSERVE(vm_allocate(task, &last, 4096, FALSE));
    task_end(task);
}

/* ---- I/O ports ------------------------------------------------------------------------------------ */

CASE(io_permission_errors)
{
    mach_port_t permission = MACH_PORT_NULL, host = (mach_host_self)();
    OBSERVE(i386_io_perm_create(host, 0x80, 0x80, &permission));
    OBSERVE(i386_io_perm_create(host_priv, 0x80, 0x80, &permission));
    OBSERVE(i386_io_perm_create(mach_task_self(), 0x80, 0x80, &permission));
    OBSERVE(i386_io_perm_create(device_master, 0x81, 0x80, &permission));
    EXPECT(i386_io_perm_create(device_master, 0x80, 0x90, &permission), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), permission);
    EXPECT(i386_io_perm_create(device_master, 0x80, 0x80, &permission), KERN_SUCCESS);
    OBSERVE(i386_io_perm_modify(host, permission, TRUE));
    mach_port_deallocate(mach_task_self(), permission);
    mach_port_deallocate(mach_task_self(), host);
}

CASE_OURS(io_permission_that_is_none)
{
    mach_port_t host = (mach_host_self)(), port = port_create_with_send();
    EXPECT(i386_io_perm_modify(mach_task_self(), host, TRUE), KERN_INVALID_ARGUMENT);
    EXPECT(i386_io_perm_modify(mach_task_self(), port, TRUE), KERN_INVALID_ARGUMENT);
    EXPECT(i386_io_perm_modify(mach_task_self(), MACH_PORT_NULL, TRUE), KERN_INVALID_ARGUMENT);
    mach_port_deallocate(mach_task_self(), host);
    port_destroy(port);
}

STUB(stub_out_80, "mov $0x80, %edx\n xor %eax, %eax\n out %al, %dx\n movl $1, (%rdi)\n 1: ud2");
STUB(stub_in_81, "mov $0x81, %edx\n in %dx, %al\n ud2");
STUB(stub_in_80_word, "mov $0x80, %edx\n in %dx, %ax\n ud2");

static void io_observe(mach_port_t task, const void *code, volatile int *done)
{
    struct bare bare;
    mach_port_t port = port_create_with_send();
    bare_create(&bare, task, code, (long)done);
    thread_set_special_port(bare.thread, THREAD_EXCEPTION_PORT, port);
    thread_resume(bare.thread);
    struct raised raised = raised_receive(port);
    OBSERVE(raised.exception);
    OBSERVE(raised.code);
    bare_end(&bare);
    raised_drop(&raised);
    port_destroy(port);
}

CASE(io_permission_granted)
{
    static volatile int done;
    mach_port_t permission = MACH_PORT_NULL;
    REQUIRE(i386_io_perm_create(device_master, 0x80, 0x80, &permission), KERN_SUCCESS);
    done = 0;
    io_observe(mach_task_self(), stub_out_80, &done);
    EXPECT(done, 0);
    EXPECT(i386_io_perm_modify(mach_task_self(), permission, TRUE), KERN_SUCCESS);
    io_observe(mach_task_self(), stub_out_80, &done);
    EXPECT(done, 1);
    io_observe(mach_task_self(), stub_in_81, &done);
    io_observe(mach_task_self(), stub_in_80_word, &done);
    done = 0;
    EXPECT(i386_io_perm_modify(mach_task_self(), permission, FALSE), KERN_SUCCESS);
    io_observe(mach_task_self(), stub_out_80, &done);
    EXPECT(done, 0);
    mach_port_deallocate(mach_task_self(), permission);
}

CASE(io_permission_of_another_task)
{
    mach_port_t permission = MACH_PORT_NULL, task;
    vm_address_t page = 0;
    REQUIRE(vm_allocate(mach_task_self(), &page, 4096, TRUE), KERN_SUCCESS);
    REQUIRE(vm_inherit(mach_task_self(), page, 4096, VM_INHERIT_SHARE), KERN_SUCCESS);
    volatile int *done = (int *)page;
    REQUIRE(i386_io_perm_create(device_master, 0x80, 0x80, &permission), KERN_SUCCESS);
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    io_observe(task, stub_out_80, done);
    EXPECT(*done, 0);
    EXPECT(i386_io_perm_modify(task, permission, TRUE), KERN_SUCCESS);
    io_observe(mach_task_self(), stub_out_80, done);
    EXPECT(*done, 0);
    io_observe(task, stub_out_80, done);
    EXPECT(*done, 1);
    mach_port_deallocate(mach_task_self(), permission);
    task_end(task);
    vm_deallocate(mach_task_self(), page, 4096);
}
