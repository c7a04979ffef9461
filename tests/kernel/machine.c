/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only this machine has: segment descriptors and I/O ports (mach/machine/mach_i386.defs).  */

#include "objects.h"
#include "rights.h"

#include <mach/machine/mach_i386.h>

CASE(descriptors_set)
{
    mach_port_t thread = thread_empty(), host = (mach_host_self)();
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

CASE(local_descriptors)
{
    mach_port_t thread = thread_empty(), host = (mach_host_self)();
    static descriptor_t room[16];
    descriptor_t list[4] = {{0x0000ffff, 0x00cff200}}, *back = NULL;
    mach_msg_type_number_t count = 0;
    OBSERVE(i386_set_ldt(host, 0, list, 1));
    OBSERVE(i386_get_ldt(host, 0, 1, &back, &count));
    OBSERVE(i386_set_ldt(thread, -1, list, 1));
    OBSERVE(i386_set_ldt(thread, 0x10000, list, 1));
    OBSERVE(i386_set_ldt(thread, 0, list, 1));
    OBSERVE(i386_set_ldt(thread, 0, list, 4));
    OBSERVE(i386_set_ldt(thread, 0x7, list, 1));
    OBSERVE(i386_set_ldt(thread, 0x3f, list, 1));
    for (int first = 0; first < 0x48; first += 8) {
        count = 4;
        back = room;
        long result = i386_get_ldt(thread, first, 4, &back, &count);
        observe_as(result, "from %x", first);
        if (result == KERN_SUCCESS) {
            observe_as(count, "from %x: count", first);
            for (unsigned int i = 0; i < count; i++)
                remark("%x %x", back[i].low_word, back[i].high_word);
            if (back != room)
                remark("out of line");
        }
    }
    thread_end(thread);
    mach_port_deallocate(mach_task_self(), host);
}

/* Segments of code, of the kernel's and none. */
CASE_DIFFERS(descriptors_of_other_kinds)
{
    static const descriptor_t kinds[] = {{0x0000ffff, 0x00cffa00}, {0x0000ffff, 0x00affa00},
                                         {0x0000ffff, 0x00cff300}, {0, 0},
                                         {0x0000ffff, 0x00cf7200}, {0x0000ffff, 0x00cf9200}};
    for (unsigned int i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        mach_port_t thread = thread_empty();
        descriptor_t list[1] = {kinds[i]};
        int selector = -1;
        observe_as(i386_set_ldt(thread, 0x3f, list, 1), "local %u", i);
        observe_as(i386_set_gdt(thread, &selector, kinds[i]), "global %u", i);
        thread_end(thread);
    }
}

CASE(descriptors_run_out)
{
    mach_port_t thread = thread_empty();
    descriptor_t data = {0x0000ffff, 0x00cff200}, none = {0, 0};
    for (int i = 0; i < 3; i++) {
        int selector = -1;
        OBSERVE(i386_set_gdt(thread, &selector, data));
        OBSERVE(selector);
    }
    int first = 0x4b;
    OBSERVE(i386_set_gdt(thread, &first, none));
    first = -1;
    OBSERVE(i386_set_gdt(thread, &first, data));
    OBSERVE(first);
    thread_end(thread);
}

/* A thread reads by segments of its own: a word at the base of each, while another one does the same with others. */
STUB(stub_segments,
     "mov 8(%rdi), %eax\n mov %eax, %fs\n mov 12(%rdi), %eax\n mov %eax, %gs\n"
     "1: mov %fs:0, %eax\n mov %eax, 16(%rdi)\n mov %gs:0, %eax\n mov %eax, 20(%rdi)\n incq (%rdi)\n jmp 1b");

struct segment_words {
    volatile long turns;
    int fs, gs;
    volatile int fs_word, gs_word;
};

static void segments_give(mach_port_t thread, struct segment_words *words, vm_address_t first, vm_address_t second)
{
    unsigned int a = (unsigned int)first, b = (unsigned int)second;
    descriptor_t global = {a << 16 | 0xfff, (a >> 24 << 24) | 0x0040f200 | (a >> 16 & 0xff)};
    descriptor_t local[3] = {{0, 0}, {0, 0}, {b << 16 | 0xfff, (b >> 24 << 24) | 0x0040f200 | (b >> 16 & 0xff)}};
    words->fs = -1;
    EXPECT(i386_set_gdt(thread, &words->fs, global), KERN_SUCCESS);
    EXPECT(i386_set_ldt(thread, 7, local, 3), KERN_SUCCESS);
    words->gs = 2 << 3 | 7;
}

CASE_OURS(descriptors_used)
{
    static struct segment_words words[2];
    static const int cells[2][2] = {{11, 12}, {21, 22}};
    struct bare bare[2];
    vm_address_t low = 0x10000000; /* a descriptor's base has 32 bits */
    REQUIRE(vm_allocate(mach_task_self(), &low, 4096, FALSE), KERN_SUCCESS);
    memcpy((void *)low, cells, sizeof cells);
    for (int i = 0; i < 2; i++) {
        bare_create(&bare[i], mach_task_self(), stub_segments, (long)&words[i]);
        segments_give(bare[i].thread, &words[i], low + (vm_address_t)i * 8, low + (vm_address_t)i * 8 + 4);
        thread_resume(bare[i].thread);
    }
    for (int turn = 0; turn < 20; turn++) {
        long before[2] = {words[0].turns, words[1].turns};
        WAIT_FOR(words[0].turns > before[0] && words[1].turns > before[1]);
        for (int i = 0; i < 2; i++)
            CHECK(words[i].fs_word == cells[i][0] && words[i].gs_word == cells[i][1]);
    }
    for (int i = 0; i < 2; i++)
        bare_end(&bare[i]);
    vm_deallocate(mach_task_self(), low, 4096);
}

/* More than fit into a message: out of line, which MIG's stubs do not tell from an address of the sender's. */
CASE_OURS(local_descriptors_out_of_line)
{
    enum { MANY = 1000 };
    static descriptor_t many[MANY];
    mach_port_t thread = thread_empty();
    EXPECT(i386_set_ldt(thread, 7, many, MANY), KERN_INVALID_ARGUMENT);
    EXPECT(i386_set_ldt(thread, 7, many, 200), KERN_SUCCESS);
    thread_end(thread);
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
    mach_port_t port = bare_create_heard(&bare, task, code, (long)done);
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
