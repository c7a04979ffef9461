/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions and registers: each exception that a program can raise is handled by setting the thread's state and
   answering; every flavor of state of threads that wait, run and stand; handlers that die, are full, answer twice
   (exc.defs, mach/machine/thread_status.h). */

#include "objects.h"

#include <mach/machine/eflags.h>
#include <mach/machine/fp_reg.h>
#include <mach/machine/mach_i386.h>
#include <mach/mig_errors.h>

#define SELF mach_task_self()
enum { ROOM = 4096 };

/* Where a handler sends a thread: it says that it has come there. */
STUB(stub_recovered, "movq $1, (%rdi)\n 1: incq 8(%rdi)\n jmp 1b");

STUB(stub_es_read, "mov (%rsi), %rax\n ud2");
STUB(stub_es_write, "mov %rax, (%rsi)\n ud2");
STUB(stub_es_jump, "jmp *%rsi");
STUB(stub_es_divide, "xor %ecx, %ecx\n xor %edx, %edx\n mov $1, %eax\n div %ecx\n ud2");
STUB(stub_es_undefined, "ud2");
STUB(stub_es_breakpoint, "int3\n ud2");
STUB(stub_es_halt, "hlt\n ud2");
STUB(stub_es_step, "pushf\n orq $0x100, (%rsp)\n popf\n nop\n nop\n ud2");
STUB(stub_es_align, "pushf\n orq $0x40000, (%rsp)\n popf\n mov 1(%rsp), %eax\n ud2");
STUB(stub_es_call, "mov $-1000, %rax\n syscall\n ud2");
STUB(stub_es_x87, "fninit\n movw $0x37b, -8(%rsp)\n fldcw -8(%rsp)\n fld1\n fldz\n fdivrp\n fwait\n ud2");
STUB(
    stub_es_sse,
    "movl $0x1d80, -8(%rsp)\n ldmxcsr -8(%rsp)\n pxor %xmm0, %xmm0\n mov $0x3ff0000000000000, %rax\n movq %rax, %xmm1\n"
    "divsd %xmm0, %xmm1\n ud2");
STUB(stub_es_segment, "mov $0x10, %eax\n mov %eax, %ds\n ud2");

static const struct {
    const char *name, *code;
} raisers[] = {
    {"read", stub_es_read},
    {"write", stub_es_write},
    {"jump", stub_es_jump},
    {"divide", stub_es_divide},
    {"undefined", stub_es_undefined},
    {"breakpoint", stub_es_breakpoint},
    {"halt", stub_es_halt},
    {"step", stub_es_step},
    {"align", stub_es_align},
    {"call", stub_es_call},
    {"x87", stub_es_x87},
    {"sse", stub_es_sse},
    {"segment", stub_es_segment},
};
enum { RAISERS = sizeof raisers / sizeof *raisers };

/* A thread that will raise, and the port that will hear it. */
struct raising {
    struct bare bare;
    mach_port_t port;
    struct raised raised;
};

static void raising_start(struct raising *raising, const char *code, volatile long *words, unsigned long address)
{
    raising->port = port_create_with_send();
    bare_create(&raising->bare, SELF, code, (long)words);
    struct i386_thread_state state = registers_get(raising->bare.thread);
    state.rsi = address;
    CHECK(registers_set(raising->bare.thread, &state) == KERN_SUCCESS);
    CHECK(thread_set_special_port(raising->bare.thread, THREAD_EXCEPTION_PORT, raising->port) == KERN_SUCCESS);
    CHECK(thread_resume(raising->bare.thread) == KERN_SUCCESS);
    raising->raised = raised_receive(raising->port);
}

static void raising_end(struct raising *raising)
{
    bare_end(&raising->bare);
    raised_drop(&raising->raised);
    port_destroy(raising->port);
}

static void recover(struct raising *raising, kern_return_t answer)
{
    struct i386_thread_state state = registers_get(raising->bare.thread);
    state.rip = (uint64_t)stub_recovered;
    state.rfl &= ~(uint64_t)(EFL_TF | 0x40000);
    CHECK(registers_set(raising->bare.thread, &state) == KERN_SUCCESS);
    raised_answer(&raising->raised, answer);
}

/* ---- handled ----------------------------------------------------------------------------------------- */

CASE(each_is_recovered_from)
{
    static volatile long words[2];
    for (unsigned int i = 0; i < RAISERS; i++) {
        struct raising raising;
        words[0] = words[1] = 0;
        raising_start(&raising, raisers[i].code, words, 0x18);
        observe(raisers[i].name, raising.raised.exception);
        OBSERVE(raising.raised.code);
        recover(&raising, KERN_SUCCESS);
        WAIT_FOR(words[0] == 1 && words[1] > 0);
        raising_end(&raising);
    }
}

/* Where it stands when it is heard, in registers that can be counted on. */
CASE(each_leaves_its_place)
{
    static volatile long words[2];
    for (unsigned int i = 0; i < RAISERS; i++) {
        struct raising raising;
        raising_start(&raising, raisers[i].code, words, 0x18);
        struct i386_thread_state state = registers_get(raising.bare.thread);
        if (raisers[i].code != stub_es_jump)
            observe(raisers[i].name, (long)(state.rip - (uint64_t)raisers[i].code));
        else
            observe("jump", (long)state.rip);
        EXPECT(state.rdi == (uint64_t)words, true);
        EXPECT(state.rsi, 0x18);
        OBSERVE(state.ursp - raising.bare.top);
        OBSERVE(state.rfl & (EFL_TF | 0x40000));
        raising_end(&raising);
    }
}

/* The handler makes good what was missing, and the instruction is done again. */
CASE(memory_comes_after_the_fault)
{
    static volatile long words[2];
    struct raising raising;
    vm_address_t page = 0;
    REQUIRE(vm_allocate(SELF, &page, 4096, TRUE), KERN_SUCCESS);
    *(volatile long *)page = 77;
    EXPECT(vm_protect(SELF, page, 4096, FALSE, VM_PROT_NONE), KERN_SUCCESS);
    raising_start(&raising, stub_es_read, words, page);
    EXPECT(raising.raised.exception, EXC_BAD_ACCESS);
    EXPECT(raising.raised.subcode == (long)page, true);
    EXPECT(vm_protect(SELF, page, 4096, FALSE, VM_PROT_READ), KERN_SUCCESS);
    raised_answer(&raising.raised, KERN_SUCCESS);
    raising.raised = raised_receive(raising.port); /* the instruction behind it */
    EXPECT(raising.raised.exception, EXC_BAD_INSTRUCTION);
    EXPECT(registers_get(raising.bare.thread).rax, 77);
    raising_end(&raising);
    vm_deallocate(SELF, page, 4096);
}

CASE(memory_allocated_after_the_fault)
{
    static volatile long words[2];
    struct raising raising;
    vm_address_t page = 0x70000000;
    raising_start(&raising, stub_es_write, words, page + 8);
    EXPECT(raising.raised.code, KERN_INVALID_ADDRESS);
    struct i386_thread_state state = registers_get(raising.bare.thread);
    state.rax = 4711;
    EXPECT(registers_set(raising.bare.thread, &state), KERN_SUCCESS);
    REQUIRE(vm_allocate(SELF, &page, 4096, FALSE), KERN_SUCCESS);
    raised_answer(&raising.raised, KERN_SUCCESS);
    raising.raised = raised_receive(raising.port);
    EXPECT(raising.raised.exception, EXC_BAD_INSTRUCTION);
    EXPECT(*(volatile long *)(page + 8), 4711);
    raising_end(&raising);
    vm_deallocate(SELF, page, 4096);
}

/* The thread's port refuses, with the state set already; the task's port is asked, and its word counts. */
CASE(state_set_by_who_refuses)
{
    static const kern_return_t refusals[] = {KERN_FAILURE, KERN_INVALID_ARGUMENT, MIG_NO_REPLY, MIG_BAD_ID, -1, 1000};
    for (unsigned int i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        mach_port_t task, thread_port = port_create_with_send(), task_port = port_create_with_send();
        struct bare bare;
        REQUIRE(task_create(SELF, TRUE, &task), KERN_SUCCESS);
        bare_create(&bare, task, stub_es_undefined, 0);
        EXPECT(task_set_special_port(task, TASK_EXCEPTION_PORT, task_port), KERN_SUCCESS);
        EXPECT(thread_set_special_port(bare.thread, THREAD_EXCEPTION_PORT, thread_port), KERN_SUCCESS);
        thread_resume(bare.thread);
        struct raised raised = raised_receive(thread_port);
        struct i386_thread_state state = registers_get(bare.thread);
        state.rip = (uint64_t)stub_es_breakpoint;
        EXPECT(registers_set(bare.thread, &state), KERN_SUCCESS);
        raised_answer(&raised, refusals[i]);
        raised = raised_receive(task_port); /* still the first exception */
        EXPECT(raised.exception, EXC_BAD_INSTRUCTION);
        raised_answer(&raised, KERN_SUCCESS);
        raised = raised_receive(thread_port); /* and on from where it was sent */
        EXPECT(raised.exception, EXC_BREAKPOINT);
        raised_drop(&raised);
        bare_end(&bare);
        task_end(task);
        port_destroy(thread_port);
        port_destroy(task_port);
    }
}

CASE(answered_twice)
{
    static volatile long words[2];
    struct raising raising;
    words[0] = 0;
    raising_start(&raising, stub_es_undefined, words, 0);
    mach_port_t reply = raising.raised.reply;
    recover(&raising, KERN_SUCCESS);
    WAIT_FOR(words[0] == 1);
    EXPECT(port_type(reply), 0);
    EXPECT(send_empty(reply, 2500), MACH_SEND_INVALID_DEST);
    raising_end(&raising);
}

/* The port has no room: the thread waits until it has, and then is heard. */
CASE(full_port)
{
    struct bare bare;
    mach_port_t port = bare_create_heard(&bare, SELF, stub_es_undefined, 0);
    EXPECT(mach_port_set_qlimit(SELF, port, 1), KERN_SUCCESS);
    EXPECT(send_empty(port, 5), MACH_MSG_SUCCESS);
    thread_resume(bare.thread);
    CHECK(thread_waits(bare.thread));
    EXPECT(receive_within(port, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, 5);
    struct raised raised = raised_receive(port);
    EXPECT(raised.exception, EXC_BAD_INSTRUCTION);
    bare_end(&bare);
    raised_drop(&raised);
    port_destroy(port);
}

/* ---- handlers that die ------------------------------------------------------------------------------------ */

/* The receive right is in a task that ends: before it was told, with the message in its queue, with the answer in its
   hands. */
static void handler_dies(bool told)
{
    mach_port_t task, handler = task_empty(), task_port = port_create_with_send(), port = port_create_with_send();
    struct bare bare;
    REQUIRE(task_create(SELF, TRUE, &task), KERN_SUCCESS);
    bare_create(&bare, task, stub_es_undefined, 0);
    EXPECT(task_set_special_port(task, TASK_EXCEPTION_PORT, task_port), KERN_SUCCESS);
    EXPECT(thread_set_special_port(bare.thread, THREAD_EXCEPTION_PORT, port), KERN_SUCCESS);
    EXPECT(mach_port_insert_right(handler, 300, port, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    if (told) {
        thread_resume(bare.thread);
        CHECK(thread_waits(bare.thread));
    }
    EXPECT(task_terminate(handler), KERN_SUCCESS);
    if (!told)
        thread_resume(bare.thread);
    struct raised raised = raised_receive(task_port);
    EXPECT(raised.exception, EXC_BAD_INSTRUCTION);
    EXPECT(raised.task == task, true);
    raised_answer(&raised, KERN_FAILURE);
    WAIT_FOR(port_type(task) == MACH_PORT_TYPE_DEAD_NAME);
    bare_end(&bare);
    task_end(task);
    mach_port_deallocate(SELF, handler);
    mach_port_destroy(SELF, port);
    port_destroy(task_port);
}

CASE(handler_died_before) { handler_dies(false); }
CASE(handler_dies_with_the_message) { handler_dies(true); }

/* Both ports are of tasks that die while the thread waits: nobody is left, the task ends. */
CASE(both_handlers_die)
{
    mach_port_t task, handler = task_empty(), task_port = port_create_with_send(), port = port_create_with_send();
    struct bare bare;
    REQUIRE(task_create(SELF, TRUE, &task), KERN_SUCCESS);
    bare_create(&bare, task, stub_es_undefined, 0);
    EXPECT(task_set_special_port(task, TASK_EXCEPTION_PORT, task_port), KERN_SUCCESS);
    EXPECT(thread_set_special_port(bare.thread, THREAD_EXCEPTION_PORT, port), KERN_SUCCESS);
    EXPECT(mach_port_insert_right(handler, 300, port, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    EXPECT(mach_port_insert_right(handler, 301, task_port, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    thread_resume(bare.thread);
    CHECK(thread_waits(bare.thread));
    EXPECT(task_terminate(handler), KERN_SUCCESS);
    WAIT_FOR(port_type(task) == MACH_PORT_TYPE_DEAD_NAME);
    bare_end(&bare);
    task_end(task);
    mach_port_deallocate(SELF, handler);
    mach_port_destroy(SELF, port);
    mach_port_destroy(SELF, task_port);
}

/* The exception port is changed while the thread waits for the old one's answer. */
CASE(port_changes_meanwhile)
{
    static volatile long words[2];
    struct raising raising;
    mach_port_t other = port_create_with_send();
    raising_start(&raising, stub_es_undefined, words, 0);
    EXPECT(thread_set_special_port(raising.bare.thread, THREAD_EXCEPTION_PORT, other), KERN_SUCCESS);
    raised_answer(&raising.raised, KERN_SUCCESS);
    struct raised raised = raised_receive(other);
    EXPECT(raised.exception, EXC_BAD_INSTRUCTION);
    raising_end(&raising);
    raised_drop(&raised);
    port_destroy(other);
}

CASE(suspended_while_it_waits)
{
    static volatile long words[2];
    struct raising raising;
    words[0] = 0;
    raising_start(&raising, stub_es_undefined, words, 0);
    EXPECT(thread_suspend(raising.bare.thread), KERN_SUCCESS);
    recover(&raising, KERN_SUCCESS);
    pause_ms(30);
    EXPECT(words[0], 0);
    EXPECT(thread_resume(raising.bare.thread), KERN_SUCCESS);
    WAIT_FOR(words[0] == 1);
    raising_end(&raising);
}

/* ---- every flavor, of a thread in every condition ------------------------------------------------------------- */

static void flavors_observe(mach_port_t thread, bool set)
{
    static natural_t state[ROOM] __attribute__((aligned(64)));
    for (int flavor = i386_THREAD_STATE; flavor <= i386_XFLOAT_STATE; flavor++) {
        mach_msg_type_number_t count = flavor == i386_XFLOAT_STATE ? ROOM : 1024;
        memset(state, 0, sizeof state);
        kern_return_t kr = thread_get_state(thread, flavor, state, &count);
        observe("get", kr);
        if (flavor != i386_XFLOAT_STATE)
            OBSERVE(count);
        if (kr == KERN_SUCCESS && set && flavor != i386_ISA_PORT_MAP_STATE)
            observe("set", thread_set_state(thread, flavor, state, count));
    }
}

CASE(flavors_of_a_thread_in_an_exception)
{
    static volatile long words[2];
    struct raising raising;
    words[0] = 0;
    raising_start(&raising, stub_es_undefined, words, 0);
    flavors_observe(raising.bare.thread, true);
    EXPECT(registers_get(raising.bare.thread).rip == (uint64_t)stub_es_undefined, true);
    recover(&raising, KERN_SUCCESS);
    WAIT_FOR(words[0] == 1);
    raising_end(&raising);
}

CASE(flavors_of_a_running_thread)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    bare_create(&bare, SELF, stub_count, (long)&counter);
    thread_resume(bare.thread);
    WAIT_FOR(counter > 0);
    flavors_observe(bare.thread, false);
    long seen = counter;
    WAIT_FOR(counter > seen);
    bare_end(&bare);
}

static void wait_for_ever(void *port)
{
    mach_msg_header_t header;
    mach_msg_trap(&header, MACH_RCV_MSG, 0, sizeof header, *(mach_port_t *)port, 0, MACH_PORT_NULL);
}

/* Reading the registers of a thread that waits, without stopping it, does not end its wait. */
CASE(flavors_of_a_waiting_thread)
{
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    helper_start(&helper, wait_for_ever, &port);
    CHECK(helper_waits(&helper));
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    flavors_observe(helper.thread, false);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    CHECK(helper_join(&helper));
    port_destroy(port);
}

CASE(flavors_of_oneself)
{
    mach_port_t self = mach_thread_self();
    flavors_observe(self, false);
    mach_port_deallocate(SELF, self);
}

/* ---- floating point ---------------------------------------------------------------------------------------------- */

STUB(stub_es_store, "movups %xmm3, 32(%rdi)\n movups %xmm3, %xmm4\n ud2\n movups %xmm3, 48(%rdi)\n movq $1, (%rdi)\n "
                    "1: pause\n jmp 1b");

/* A handler changes a vector register of the thread that it handles. */
CASE(vector_register_set_by_the_handler)
{
    static volatile long words[8] __attribute__((aligned(16)));
    static unsigned char state[16384] __attribute__((aligned(64)));
    struct i386_xfloat_state *xfloat = (struct i386_xfloat_state *)state;
    struct raising raising;
    mach_msg_type_number_t count = sizeof state / 4;
    memset((void *)words, 0, sizeof words);
    raising_start(&raising, stub_es_store, words, 0);
    REQUIRE(thread_get_state(raising.bare.thread, i386_XFLOAT_STATE, (thread_state_t)state, &count), KERN_SUCCESS);
    OBSERVE(xfloat->fpkind);
    OBSERVE(xfloat->fp_save_kind);
    memset(xfloat->hw_state + 160 + 3 * 16, 0x5b, 16);
    xfloat->hw_state[512] |= 2;
    EXPECT(thread_set_state(raising.bare.thread, i386_XFLOAT_STATE, (thread_state_t)state, count), KERN_SUCCESS);
    struct i386_thread_state registers = registers_get(raising.bare.thread);
    registers.rip += 2;
    EXPECT(registers_set(raising.bare.thread, &registers), KERN_SUCCESS);
    raised_answer(&raising.raised, KERN_SUCCESS);
    WAIT_FOR(words[0] == 1);
    OBSERVE(words[4]);
    EXPECT(words[6], 0x5b5b5b5b5b5b5b5b);
    EXPECT(words[7], 0x5b5b5b5b5b5b5b5b);
    raising_end(&raising);
}

/* Images of the wrong size and kind, for a thread with and without registers of its own. */
static void xfloat_images(mach_port_t thread)
{
    static unsigned char image[16384] __attribute__((aligned(64))), other[16384] __attribute__((aligned(64)));
    struct i386_xfloat_state *xfloat = (struct i386_xfloat_state *)other;
    mach_msg_type_number_t full = sizeof image / 4;
    EXPECT(thread_get_state(thread, i386_XFLOAT_STATE, (thread_state_t)image, &full), KERN_SUCCESS);
    mach_msg_type_number_t counts[] = {0, 1, 3, 4, 5, 100, full - 1, full, full + 1, full + 100, sizeof image / 4};
    for (unsigned int i = 0; i < sizeof counts / sizeof *counts; i++) {
        mach_msg_type_number_t count = counts[i];
        OBSERVE(i);
        OBSERVE(thread_get_state(thread, i386_XFLOAT_STATE, (thread_state_t)other, &count));
        OBSERVE(thread_set_state(thread, i386_XFLOAT_STATE, (thread_state_t)image, counts[i]));
    }
    for (int field = 0; field < 4; field++)
        for (int value = -1; value < 8; value++) {
            memcpy(other, image, sizeof other);
            *(field == 0   ? &xfloat->fpkind
              : field == 1 ? &xfloat->initialized
              : field == 2 ? &xfloat->exc_status
                           : &xfloat->fp_save_kind) = value;
            OBSERVE(value);
            OBSERVE(thread_set_state(thread, i386_XFLOAT_STATE, (thread_state_t)other, full));
        }
    OBSERVE(thread_set_state(thread, i386_XFLOAT_STATE, (thread_state_t)image, full));
}

CASE(xfloat_images_of_a_new_thread)
{
    mach_port_t thread;
    REQUIRE(thread_create(SELF, &thread), KERN_SUCCESS);
    xfloat_images(thread);
    thread_terminate(thread);
    mach_port_deallocate(SELF, thread);
}

CASE(xfloat_images_of_one_that_calculates)
{
    static volatile long words[8] __attribute__((aligned(16)));
    struct raising raising;
    raising_start(&raising, stub_es_store, words, 0);
    xfloat_images(raising.bare.thread);
    raising_end(&raising);
}

/* What the coprocessor says of its exception. */
CASE(float_state_of_the_exception)
{
    static volatile long words[2];
    struct raising raising;
    struct i386_float_state state;
    mach_msg_type_number_t count = i386_FLOAT_STATE_COUNT;
    raising_start(&raising, stub_es_x87, words, 0);
    memset(&state, 0, sizeof state);
    EXPECT(thread_get_state(raising.bare.thread, i386_FLOAT_STATE, (thread_state_t)&state, &count), KERN_SUCCESS);
    struct i386_fp_save *save = (struct i386_fp_save *)state.hw_state;
    OBSERVE(state.initialized);
    OBSERVE(state.exc_status);
    OBSERVE(save->fp_control & 0xffff);
    OBSERVE(save->fp_status & 0x7f);
    /* The same image again, as it is. */
    EXPECT(thread_set_state(raising.bare.thread, i386_FLOAT_STATE, (thread_state_t)&state, count), KERN_SUCCESS);
    raising_end(&raising);
}

/* ---- debug registers ------------------------------------------------------------------------- */

STUB(stub_es_walk, "1: nop\n nop\n nop\n incq (%rdi)\n jmp 1b");

/* A breakpoint on an instruction stops the thread there, before it; without it the thread goes on. */
CASE(debug_stop_at_an_instruction)
{
    static volatile long words[2];
    struct bare bare;
    struct i386_debug_state debug = {.dr = {(unsigned int)(uint64_t)(stub_es_walk + 2), 0, 0, 0, 0, 0, 0, 0x401}},
                            back = {0};
    mach_msg_type_number_t count = i386_DEBUG_STATE_COUNT;
    words[0] = 0;
    mach_port_t port = bare_create_heard(&bare, SELF, stub_es_walk, (long)words);
    kern_return_t kr = thread_set_state(bare.thread, i386_DEBUG_STATE, (thread_state_t)&debug, count);
    OBSERVE(kr);
    thread_resume(bare.thread);
    if (kr == KERN_SUCCESS) {
        struct raised raised = raised_receive(port);
        OBSERVE(raised.exception);
        OBSERVE(raised.code);
        OBSERVE(raised.subcode);
        OBSERVE(registers_get(bare.thread).rip - (uint64_t)stub_es_walk);
        OBSERVE(thread_get_state(bare.thread, i386_DEBUG_STATE, (thread_state_t)&back, &count));
        OBSERVE(back.dr[6] & 0xf);
        debug.dr[7] = 0;
        EXPECT(thread_set_state(bare.thread, i386_DEBUG_STATE, (thread_state_t)&debug, i386_DEBUG_STATE_COUNT),
               KERN_SUCCESS);
        raised_answer(&raised, KERN_SUCCESS);
    }
    WAIT_FOR(words[0] > 0);
    bare_end(&bare);
    port_destroy(port);
}

/* One thread's debug registers are not another's. */
CASE(debug_registers_are_the_threads)
{
    static volatile long words[2];
    struct bare bare;
    struct i386_debug_state debug = {.dr = {(unsigned int)(uint64_t)&words[0], 0, 0, 0, 0, 0, 0, 0xd0401}};
    mach_port_t idle;
    words[0] = 0;
    REQUIRE(thread_create(SELF, &idle), KERN_SUCCESS);
    OBSERVE(thread_set_state(idle, i386_DEBUG_STATE, (thread_state_t)&debug, i386_DEBUG_STATE_COUNT));
    bare_create(&bare, SELF, stub_count, (long)&words[0]);
    thread_resume(bare.thread);
    WAIT_FOR(words[0] > 1000);
    bare_end(&bare);
    thread_terminate(idle);
    mach_port_deallocate(SELF, idle);
}
