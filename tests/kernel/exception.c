/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions: what a thread raises, to whom, and what an answer does (exc.defs; Mach manual, "Exceptions").  */

#include "objects.h"

#include <mach/machine/eflags.h>

/* ---- what is raised ------------------------------------------------------------------------ */

STUB(stub_read, "mov (%rdi), %rax\n ud2");
STUB(stub_write, "mov %rax, (%rdi)\n ud2");
STUB(stub_jump, "jmp *%rdi");
STUB(stub_push, "mov %rdi, %rsp\n push %rax\n ud2");
STUB(stub_divide, "xor %ecx, %ecx\n xor %edx, %edx\n mov $1, %eax\n div %ecx\n ud2");
STUB(stub_divide_overflow, "mov $0x7fffffff, %edx\n mov $1, %ecx\n idiv %ecx\n ud2");
STUB(stub_undefined, "ud2");
STUB(stub_breakpoint, "int3\n ud2");
STUB(stub_halt, "hlt\n ud2");
STUB(stub_cli, "cli\n ud2");
STUB(stub_in, "in $0x60, %al\n ud2");
STUB(stub_int_80, "int $0x80\n ud2");
STUB(stub_int_3_long, ".byte 0xcd, 0x03\n ud2");
STUB(stub_int_32, "int $0x20\n ud2");
STUB(stub_int_4, "int $4\n ud2");
STUB(stub_int_1, ".byte 0xf1\n ud2");
STUB(stub_read_msr, "mov $0xc0000080, %ecx\n rdmsr\n ud2");
STUB(stub_read_cr, "mov %cr0, %rax\n ud2");
STUB(stub_load_ds, "mov $0x10, %eax\n mov %eax, %ds\n ud2");
STUB(stub_load_ss, "mov $0x10, %eax\n mov %eax, %ss\n ud2");
STUB(stub_far_return, "push $0x8\n push $0x1000\n lretq");
STUB(stub_x87, "fninit\n movw $0x37b, -8(%rsp)\n fldcw -8(%rsp)\n fld1\n fldz\n fdivrp\n fwait\n ud2");
STUB(stub_sse, "movl $0x1d80, -8(%rsp)\n ldmxcsr -8(%rsp)\n pxor %xmm0, %xmm0\n mov $0x3ff0000000000000, %rax\n movq "
               "%rax, %xmm1\n divsd %xmm0, %xmm1\n ud2");
STUB(stub_step, "pushf\n orq $0x100, (%rsp)\n popf\n nop\n nop\n ud2");
STUB(stub_align, "pushf\n orq $0x40000, (%rsp)\n popf\n mov 1(%rsp), %eax\n ud2");
STUB(stub_trap_none, "mov $-1000, %rax\n syscall\n ud2");
STUB(stub_trap_positive, "mov $5, %rax\n syscall\n ud2");
STUB(stub_trap_zero, "mov $0, %rax\n syscall\n ud2");
STUB(stub_trap_gap, "mov $-31, %rax\n syscall\n ud2");

static void raises(const void *code, long argument)
{
    struct raised raised = fault_of(code, argument);
    OBSERVE(raised.exception);
    OBSERVE(raised.code);
    if (raised.exception != EXC_BAD_ACCESS)
        OBSERVE(raised.subcode);
}

static vm_address_t page_with(vm_prot_t protection)
{
    vm_address_t page = 0;
    CHECK(vm_allocate(mach_task_self(), &page, 4096, TRUE) == KERN_SUCCESS);
    CHECK(vm_protect(mach_task_self(), page, 4096, FALSE, protection) == KERN_SUCCESS);
    return page;
}

/* An address that was mapped once. */
static vm_address_t page_gone(void)
{
    enum { PAGES = 64 }; /* the thread's stack takes the first ones */
    vm_address_t pages = 0;
    CHECK(vm_allocate(mach_task_self(), &pages, PAGES * 4096, TRUE) == KERN_SUCCESS);
    vm_deallocate(mach_task_self(), pages, PAGES * 4096);
    return pages + (PAGES - 1) * 4096;
}

CASE(bad_access_unmapped)
{
    vm_address_t page = page_gone();
    struct raised raised = fault_of(stub_read, (long)page + 0x10);
    EXPECT(raised.exception, EXC_BAD_ACCESS);
    EXPECT(raised.code, KERN_INVALID_ADDRESS);
    EXPECT(raised.subcode == (long)page + 0x10, true);
    raised = fault_of(stub_write, (long)page + 0x450);
    EXPECT(raised.exception, EXC_BAD_ACCESS);
    EXPECT(raised.code, KERN_INVALID_ADDRESS);
    EXPECT(raised.subcode == (long)page + 0x450, true);
}

CASE(bad_access_protected)
{
    vm_address_t page = page_with(VM_PROT_READ);
    struct raised raised = fault_of(stub_write, (long)page + 8);
    EXPECT(raised.exception, EXC_BAD_ACCESS);
    EXPECT(raised.code, KERN_PROTECTION_FAILURE);
    EXPECT(raised.subcode == (long)page + 8, true);
    vm_deallocate(mach_task_self(), page, 4096);
    page = page_with(VM_PROT_NONE);
    raised = fault_of(stub_read, (long)page + 4095 - 7);
    EXPECT(raised.exception, EXC_BAD_ACCESS);
    EXPECT(raised.code, KERN_PROTECTION_FAILURE);
    EXPECT(raised.subcode == (long)page + 4088, true);
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(bad_access_by_jump)
{
    vm_address_t page = page_gone();
    struct raised raised = fault_of(stub_jump, (long)page + 0x20);
    EXPECT(raised.exception, EXC_BAD_ACCESS);
    EXPECT(raised.code, KERN_INVALID_ADDRESS);
    OBSERVE(raised.subcode == (long)page + 0x20);
    OBSERVE(raised.subcode == 0);
}

CASE_DIFFERS(bad_access_to_the_kernel)
{
    struct raised raised = fault_of(stub_read, (long)0xffffffff80000000);
    OBSERVE(raised.exception);
    OBSERVE(raised.code);
    EXPECT(raised.subcode, (long)0xffffffff80000000);
    raised = fault_of(stub_write, (long)0xffff800000000000);
    OBSERVE(raised.exception);
    OBSERVE(raised.code);
    EXPECT(raised.subcode, (long)0xffff800000000000);
    raised = fault_of(stub_jump, (long)0xffffffff81000000);
    OBSERVE(raised.exception);
    OBSERVE(raised.code);
}

CASE(addresses_not_canonical)
{
    raises(stub_read, 0x800000000000);
    raises(stub_write, 0x1000000000000000);
    raises(stub_push, 0x800000000008);
}

CASE_OURS(jump_not_canonical) { raises(stub_jump, 0x800000000000); }
CASE(arithmetic_divide) { raises(stub_divide, 0); }
CASE(arithmetic_overflow) { raises(stub_divide_overflow, 0); }
CASE(arithmetic_x87) { raises(stub_x87, 0); }
CASE(arithmetic_sse) { raises(stub_sse, 0); }
CASE(instruction_undefined) { raises(stub_undefined, 0); }
CASE(breakpoint) { raises(stub_breakpoint, 0); }
CASE(breakpoint_long) { raises(stub_int_3_long, 0); }
CASE(instruction_privileged)
{
    raises(stub_halt, 0);
    raises(stub_cli, 0);
    raises(stub_in, 0);
    raises(stub_read_msr, 0);
    raises(stub_read_cr, 0);
}
CASE(interrupt_instructions)
{
    raises(stub_int_32, 0);
    raises(stub_int_4, 0);
}
CASE(interrupt_80) { raises(stub_int_80, 0); }
CASE(interrupt_1) { raises(stub_int_1, 0); }
CASE(segments_of_the_kernel)
{
    raises(stub_load_ds, 0);
    raises(stub_load_ss, 0);
    raises(stub_far_return, 0);
}
CASE(single_step) { raises(stub_step, 0); }
CASE(alignment) { raises(stub_align, 0); }
CASE(trap_numbers_unknown)
{
    raises(stub_trap_none, 0);
    raises(stub_trap_gap, 0);
    raises(stub_trap_zero, 0);
    raises(stub_trap_positive, 0);
}

/* ---- the message ------------------------------------------------------------------------------- */

CASE(message_layout)
{
    struct raised raised = fault_of(stub_undefined, 0);
    EXPECT(raised.header.msgh_id, 2400);
    EXPECT(raised.header.msgh_size, sizeof(mach_msg_header_t) + 5 * 16);
    EXPECT(MACH_MSGH_BITS_REMOTE(raised.header.msgh_bits), MACH_MSG_TYPE_PORT_SEND_ONCE);
    EXPECT(MACH_MSGH_BITS_LOCAL(raised.header.msgh_bits), MACH_MSG_TYPE_PORT_SEND);
    EXPECT((raised.header.msgh_bits & MACH_MSGH_BITS_COMPLEX) != 0, true);
    struct type_words { mach_msg_type_t type; uint64_t value; } words[5];
    memcpy(words, received() + 1, sizeof words);
    for (int i = 0; i < 5; i++) {
        OBSERVE(words[i].type.msgt_name);
        OBSERVE(words[i].type.msgt_size);
        OBSERVE(words[i].type.msgt_number);
        OBSERVE(words[i].type.msgt_inline);
    }
}

CASE(registers_at_the_fault)
{
    struct bare bare;
    mach_port_t port = bare_create_heard(&bare, mach_task_self(), stub_read, 0x30);
    thread_resume(bare.thread);
    struct raised raised = raised_receive(port);
    struct i386_thread_state state = registers_get(bare.thread);
    EXPECT(state.rip == (uint64_t)stub_read, true);
    EXPECT(state.rdi, 0x30);
    EXPECT(state.ursp == bare.top, true);
    bare_end(&bare);
    raised_drop(&raised);
    port_destroy(port);
}

CASE(breakpoint_leaves_rip_behind)
{
    struct bare bare;
    mach_port_t port = bare_create_heard(&bare, mach_task_self(), stub_breakpoint, 0);
    thread_resume(bare.thread);
    struct raised raised = raised_receive(port);
    OBSERVE(registers_get(bare.thread).rip - (uint64_t)stub_breakpoint);
    bare_end(&bare);
    raised_drop(&raised);
    port_destroy(port);
}

/* ---- answers ----------------------------------------------------------------------------------- */

STUB(stub_undefined_then_count, "ud2\n 1: incq (%rdi)\n jmp 1b");

/* A handler that moves the thread on. */
CASE(answered_with_success)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    mach_port_t port = bare_create_heard(&bare, mach_task_self(), stub_undefined_then_count, (long)&counter);
    thread_resume(bare.thread);
    struct raised raised = raised_receive(port);
    struct i386_thread_state state = registers_get(bare.thread);
    state.rip += 2;
    EXPECT(registers_set(bare.thread, &state), KERN_SUCCESS);
    raised_answer(&raised, KERN_SUCCESS);
    WAIT_FOR(counter > 0);
    bare_end(&bare);
    port_destroy(port);
}

CASE(answered_with_success_without_change)
{
    struct bare bare;
    mach_port_t port = bare_create_heard(&bare, mach_task_self(), stub_undefined, 0);
    thread_resume(bare.thread);
    for (int i = 0; i < 5; i++) {
        struct raised raised = raised_receive(port);
        EXPECT(raised.exception, EXC_BAD_INSTRUCTION);
        raised_answer(&raised, KERN_SUCCESS);
    }
    struct raised last = raised_receive(port);
    bare_end(&bare);
    raised_drop(&last);
    port_destroy(port);
}

/* Sixteen single steps through a loop, each answered. */
STUB(stub_loop, "1: inc %rax\n inc %rbx\n jmp 1b");

CASE(single_stepping)
{
    struct bare bare;
    mach_port_t port = port_create_with_send();
    bare_create(&bare, mach_task_self(), stub_loop, 0);
    struct i386_thread_state state = registers_get(bare.thread);
    state.rfl |= EFL_TF;
    state.rax = state.rbx = 0;
    EXPECT(registers_set(bare.thread, &state), KERN_SUCCESS);
    thread_set_special_port(bare.thread, THREAD_EXCEPTION_PORT, port);
    thread_resume(bare.thread);
    for (int i = 0; i < 16; i++) {
        struct raised raised = raised_receive(port);
        CHECK(raised.exception == EXC_BREAKPOINT);
        OBSERVE(raised.code);
        OBSERVE(raised.subcode);
        state = registers_get(bare.thread);
        OBSERVE(state.rip - (uint64_t)stub_loop);
        OBSERVE(state.rax);
        OBSERVE(state.rfl & EFL_TF);
        raised_answer(&raised, KERN_SUCCESS);
    }
    struct raised last = raised_receive(port);
    bare_end(&bare);
    raised_drop(&last);
    port_destroy(port);
}

/* A task of its own whose thread will raise, with an exception port for the thread and one for the task. */
struct faulty {
    mach_port_t task, thread_port, task_port;
    struct bare bare;
};

static void faulty_make(struct faulty *faulty)
{
    CHECK(task_create(mach_task_self(), TRUE, &faulty->task) == KERN_SUCCESS);
    faulty->thread_port = port_create_with_send();
    faulty->task_port = port_create_with_send();
    bare_create(&faulty->bare, faulty->task, stub_undefined, 0);
    CHECK(task_set_special_port(faulty->task, TASK_EXCEPTION_PORT, faulty->task_port) == KERN_SUCCESS);
    CHECK(thread_set_special_port(faulty->bare.thread, THREAD_EXCEPTION_PORT, faulty->thread_port) == KERN_SUCCESS);
}

static void faulty_end(struct faulty *faulty)
{
    bare_end(&faulty->bare);
    task_end(faulty->task);
    port_destroy(faulty->thread_port);
    port_destroy(faulty->task_port);
}

CASE(thread_refuses_task_handles)
{
    struct faulty faulty;
    faulty_make(&faulty);
    thread_resume(faulty.bare.thread);
    struct raised raised = raised_receive(faulty.thread_port);
    EXPECT(raised.task == faulty.task, true);
    EXPECT(raised.thread == faulty.bare.thread, true);
    raised_answer(&raised, KERN_FAILURE);
    raised = raised_receive(faulty.task_port);
    EXPECT(raised.exception, EXC_BAD_INSTRUCTION);
    raised_answer(&raised, KERN_SUCCESS);
    raised = raised_receive(faulty.thread_port); /* again: nobody moved it on */
    EXPECT(raised.came, true);
    raised_drop(&raised);
    faulty_end(&faulty);
}

CASE(both_refuse)
{
    struct faulty faulty;
    faulty_make(&faulty);
    thread_resume(faulty.bare.thread);
    struct raised raised = raised_receive(faulty.thread_port);
    raised_answer(&raised, KERN_FAILURE);
    raised = raised_receive(faulty.task_port);
    raised_answer(&raised, KERN_FAILURE);
    WAIT_FOR(port_type(faulty.task) == MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(port_type(faulty.bare.thread), MACH_PORT_TYPE_DEAD_NAME);
    faulty_end(&faulty);
}

CASE(no_thread_port)
{
    struct faulty faulty;
    faulty_make(&faulty);
    EXPECT(thread_set_special_port(faulty.bare.thread, THREAD_EXCEPTION_PORT, MACH_PORT_NULL), KERN_SUCCESS);
    thread_resume(faulty.bare.thread);
    struct raised raised = raised_receive(faulty.task_port);
    EXPECT(raised.came, true);
    raised_drop(&raised);
    faulty_end(&faulty);
}

CASE(thread_port_dead)
{
    struct faulty faulty;
    faulty_make(&faulty);
    port_destroy(faulty.thread_port);
    faulty.thread_port = MACH_PORT_NULL;
    thread_resume(faulty.bare.thread);
    struct raised raised = raised_receive(faulty.task_port);
    EXPECT(raised.came, true);
    raised_answer(&raised, KERN_FAILURE);
    WAIT_FOR(port_type(faulty.task) == MACH_PORT_TYPE_DEAD_NAME);
    faulty_end(&faulty);
}

CASE(no_ports_at_all)
{
    struct faulty faulty;
    faulty_make(&faulty);
    EXPECT(thread_set_special_port(faulty.bare.thread, THREAD_EXCEPTION_PORT, MACH_PORT_NULL), KERN_SUCCESS);
    EXPECT(task_set_special_port(faulty.task, TASK_EXCEPTION_PORT, MACH_PORT_NULL), KERN_SUCCESS);
    thread_resume(faulty.bare.thread);
    WAIT_FOR(port_type(faulty.task) == MACH_PORT_TYPE_DEAD_NAME);
    faulty_end(&faulty);
}

/* The handler's port dies with the exception in its queue. */
CASE(handler_dies_before_receiving)
{
    struct faulty faulty;
    faulty_make(&faulty);
    thread_resume(faulty.bare.thread);
    CHECK(thread_waits(faulty.bare.thread));
    port_destroy(faulty.thread_port);
    faulty.thread_port = MACH_PORT_NULL;
    struct raised raised = raised_receive(faulty.task_port);
    EXPECT(raised.came, true);
    raised_drop(&raised);
    faulty_end(&faulty);
}

/* The handler has the exception and drops the reply port. */
CASE(handler_drops_the_reply)
{
    struct faulty faulty;
    faulty_make(&faulty);
    thread_resume(faulty.bare.thread);
    struct raised raised = raised_receive(faulty.thread_port);
    raised_drop(&raised);
    raised = raised_receive(faulty.task_port);
    EXPECT(raised.came, true);
    raised_drop(&raised);
    WAIT_FOR(port_type(faulty.task) == MACH_PORT_TYPE_DEAD_NAME);
    faulty_end(&faulty);
}

static void answer_wrongly(mach_msg_id_t id, mach_msg_size_t size)
{
    struct faulty faulty;
    faulty_make(&faulty);
    thread_resume(faulty.bare.thread);
    struct raised raised = raised_receive(faulty.thread_port);
    raised_answer_as(&raised, id, size, KERN_SUCCESS);
    raised = raised_receive(faulty.task_port);
    OBSERVE(raised.came);
    raised_drop(&raised);
    faulty_end(&faulty);
}

CASE(answer_with_wrong_id) { answer_wrongly(2499, sizeof(mach_msg_header_t) + 16); }
CASE(answer_too_short) { answer_wrongly(2500, sizeof(mach_msg_header_t)); }
CASE(answer_too_long) { answer_wrongly(2500, sizeof(mach_msg_header_t) + 16 + 200); }

/* ---- meanwhile ---------------------------------------------------------------------------------- */

CASE(terminated_while_it_waits)
{
    struct faulty faulty;
    faulty_make(&faulty);
    thread_resume(faulty.bare.thread);
    struct raised raised = raised_receive(faulty.thread_port);
    EXPECT(thread_terminate(faulty.bare.thread), KERN_SUCCESS);
    EXPECT(raised.came, true);
    raised_drop(&raised);
    faulty_end(&faulty);
}

CASE(task_terminated_while_it_waits)
{
    struct faulty faulty;
    faulty_make(&faulty);
    thread_resume(faulty.bare.thread);
    struct raised raised = raised_receive(faulty.thread_port);
    EXPECT(task_terminate(faulty.task), KERN_SUCCESS);
    raised_drop(&raised);
    faulty_end(&faulty);
}

/* As glibc interrupts a thread that waits for its exception's answer: suspend, abort, new registers, resume. */
CASE(aborted_while_it_waits)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    mach_port_t port = bare_create_heard(&bare, mach_task_self(), stub_undefined, 0);
    thread_resume(bare.thread);
    struct raised raised = raised_receive(port);
    EXPECT(thread_suspend(bare.thread), KERN_SUCCESS);
    EXPECT(thread_abort(bare.thread), KERN_SUCCESS);
    struct i386_thread_state state = registers_get(bare.thread);
    state.rip = (uint64_t)stub_count;
    state.rdi = (uint64_t)&counter;
    EXPECT(registers_set(bare.thread, &state), KERN_SUCCESS);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(counter > 0);
    bare_end(&bare);
    raised_drop(&raised);
    port_destroy(port);
}

CASE(exceptions_of_many_threads)
{
    enum { MANY = 20 };
    struct bare bare[MANY];
    mach_port_t port = port_create_with_send();
    for (int i = 0; i < MANY; i++) {
        bare_create(&bare[i], mach_task_self(), stub_undefined, 0);
        thread_set_special_port(bare[i].thread, THREAD_EXCEPTION_PORT, port);
        thread_resume(bare[i].thread);
    }
    unsigned int came = 0;
    for (int i = 0; i < MANY; i++) {
        struct raised raised = raised_receive(port);
        came += raised.came;
        thread_terminate(raised.thread);
        raised_drop(&raised);
    }
    EXPECT(came, MANY);
    for (int i = 0; i < MANY; i++)
        bare_end(&bare[i]);
    port_destroy(port);
}
