/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of threads, read and written (mach/machine/thread_status.h): also such as no honest task writes.  Nothing
   of it may give the kernel away or stop it.  */

#include "objects.h"

#include <mach/machine/eflags.h>
#include <mach/machine/fp_reg.h>
#include <mach/machine/mach_i386.h>

enum { FLAVORS = 10, ROOM = 1024 };

/* ---- flavors and counts ------------------------------------------------------------------------ */

CASE(flavors_readable)
{
    static natural_t state[ROOM];
    mach_port_t thread = thread_empty();
    for (int flavor = -1; flavor <= FLAVORS; flavor++) {
        mach_msg_type_number_t count = ROOM;
        OBSERVE(flavor);
        OBSERVE(thread_get_state(thread, flavor, state, &count));
        if (flavor != i386_XFLOAT_STATE)
            OBSERVE(count);
    }
    thread_end(thread);
}

CASE(flavors_of_the_list)
{
    static natural_t state[ROOM];
    mach_port_t thread = thread_empty();
    for (mach_msg_type_number_t room = 0; room <= 8; room++) {
        mach_msg_type_number_t count = room;
        memset(state, 0, sizeof state);
        OBSERVE(thread_get_state(thread, 0, state, &count));
        OBSERVE(count);
        for (int i = 0; i < 8; i++)
            OBSERVE(state[i]);
    }
    thread_end(thread);
}

static void counts_try(int flavor, unsigned int exact)
{
    static natural_t state[ROOM], start[ROOM];
    mach_port_t thread = thread_empty();
    mach_msg_type_number_t full = ROOM;
    memset(start, 0, sizeof start);
    OBSERVE(thread_get_state(thread, flavor, start, &full));
    unsigned int counts[] = {0, 1, exact - 1, exact, exact + 1, ROOM};
    for (unsigned int i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        mach_msg_type_number_t count = counts[i];
        OBSERVE(counts[i]);
        OBSERVE(thread_get_state(thread, flavor, state, &count));
        OBSERVE(count);
        OBSERVE(thread_set_state(thread, flavor, start, counts[i]));
    }
    thread_end(thread);
}

CASE(counts_thread) { counts_try(i386_THREAD_STATE, i386_THREAD_STATE_COUNT); }
CASE(counts_regs_segs) { counts_try(i386_REGS_SEGS_STATE, i386_THREAD_STATE_COUNT); }
CASE(counts_float) { counts_try(i386_FLOAT_STATE, i386_FLOAT_STATE_COUNT); }
CASE_DIFFERS(counts_isa_port_map) { counts_try(i386_ISA_PORT_MAP_STATE, i386_ISA_PORT_MAP_STATE_COUNT); }
CASE(counts_v86_assist) { counts_try(i386_V86_ASSIST_STATE, i386_V86_ASSIST_STATE_COUNT); }
CASE(counts_debug) { counts_try(i386_DEBUG_STATE, i386_DEBUG_STATE_COUNT); }
CASE(counts_bases) { counts_try(i386_FSGS_BASE_STATE, i386_FSGS_BASE_STATE_COUNT); }

CASE(of_no_thread)
{
    static natural_t state[ROOM];
    mach_port_t host = (mach_host_self)(), self = mach_thread_self(), dead = thread_empty();
    thread_terminate(dead);
    mach_msg_type_number_t count = ROOM;
    EXPECT(thread_get_state(host, i386_THREAD_STATE, state, &count), KERN_INVALID_ARGUMENT);
    EXPECT(thread_set_state(host, i386_THREAD_STATE, state, i386_THREAD_STATE_COUNT), KERN_INVALID_ARGUMENT);
    EXPECT(thread_get_state(mach_task_self(), i386_THREAD_STATE, state, &count), KERN_INVALID_ARGUMENT);
    EXPECT(thread_get_state(dead, i386_THREAD_STATE, state, &count), MACH_SEND_INVALID_DEST);
    for (int flavor = 1; flavor <= 8; flavor++) {
        count = ROOM;
        OBSERVE(flavor);
        OBSERVE(thread_get_state(self, flavor, state, &count));
    }
    OBSERVE(thread_set_state(self, i386_THREAD_STATE, state, i386_THREAD_STATE_COUNT));
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), self);
    mach_port_deallocate(mach_task_self(), dead);
}

/* ---- general registers ------------------------------------------------------------------------------ */

CASE(fresh_registers)
{
    mach_port_t thread = thread_empty();
    struct i386_thread_state s = registers_get(thread);
    EXPECT(s.rax | s.rbx | s.rcx | s.rdx | s.rsi | s.rdi | s.rbp | s.r8 | s.r15, 0);
    OBSERVE(s.rip);
    OBSERVE(s.rsp);
    OBSERVE(s.rfl & 0xfd5);
    OBSERVE(s.cs & 3);
    OBSERVE(s.ss & 3);
    thread_end(thread);
}

STUB(stub_registers_store,
     "push %rdi\n mov stub_registers_at(%rip), %rdi\n"
     "mov %r8, (%rdi)\n mov %r9, 8(%rdi)\n mov %r10, 16(%rdi)\n mov %r11, 24(%rdi)\n mov %r12, 32(%rdi)\n mov %r13, "
     "40(%rdi)\n"
     "mov %r14, 48(%rdi)\n mov %r15, 56(%rdi)\n popq 64(%rdi)\n mov %rsi, 72(%rdi)\n mov %rbp, 80(%rdi)\n mov %rbx, "
     "88(%rdi)\n"
     "mov %rdx, 96(%rdi)\n mov %rcx, 104(%rdi)\n mov %rax, 112(%rdi)\n movq $1, 120(%rdi)\n 1: pause\n jmp 1b\n"
     ".pushsection .data\n.globl stub_registers_at\nstub_registers_at: .quad 0\n.popsection");
extern volatile uint64_t *stub_registers_at;

/* Every register has the value that was written when the thread runs, and when it is read again. */
CASE(registers_round_trip)
{
    static volatile uint64_t stored[16];
    struct bare bare;
    memset((void *)stored, 0, sizeof stored);
    stub_registers_at = stored;
    bare_create(&bare, mach_task_self(), stub_registers_store, 0);
    struct i386_thread_state s = registers_get(bare.thread);
    uint64_t *fields[15] = {&s.r8,  &s.r9,  &s.r10, &s.r11, &s.r12, &s.r13, &s.r14, &s.r15,
                            &s.rdi, &s.rsi, &s.rbp, &s.rbx, &s.rdx, &s.rcx, &s.rax};
    for (unsigned int i = 0; i < 15; i++)
        *fields[i] = 0xfedcba9876543210 + 0x0101010101010101 * i;
    EXPECT(registers_set(bare.thread, &s), KERN_SUCCESS);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(stored[15] == 1);
    EXPECT(thread_suspend(bare.thread), KERN_SUCCESS);
    for (unsigned int i = 0; i < 15; i++)
        OBSERVE(stored[i]);
    s = registers_get(bare.thread);
    for (unsigned int i = 0; i < 15; i++)
        if (fields[i] != &s.rdi)
            OBSERVE(*fields[i]);
    EXPECT(s.rdi == (uint64_t)stored, true);
    EXPECT(s.ursp == bare.top, true);
    bare_end(&bare);
}

STUB(stub_flags, "pushf\n pop (%rdi)\n 1: pause\n jmp 1b");

/* What of RFL a thread really gets. */
static void flags_try(uint64_t flags)
{
    static volatile uint64_t seen;
    struct bare bare;
    seen = 0;
    bare_create(&bare, mach_task_self(), stub_flags, (long)&seen);
    struct i386_thread_state s = registers_get(bare.thread);
    s.rfl = flags;
    OBSERVE(registers_set(bare.thread, &s));
    OBSERVE(registers_get(bare.thread).rfl & 0xdd5);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(seen != 0);
    OBSERVE(seen);
    bare_end(&bare);
}

CASE(flags_none) { flags_try(0); }
CASE(flags_interrupts_off) { flags_try(0x2); }
CASE(flags_io_privilege) { flags_try(0x3202); }
CASE(flags_nested_task) { flags_try(0x4202); }
CASE(flags_virtual_8086) { flags_try(0x20202); }
CASE(flags_resume) { flags_try(0x10202); }
CASE(flags_alignment_and_id) { flags_try(0x240202); }
CASE(flags_virtual_interrupts) { flags_try(0x180202); }
CASE(flags_all_but_trap) { flags_try(~0x100ull); }

/* Selectors: the thread runs with its task's, or faults; never with the kernel's. */
STUB(stub_selectors,
     "mov %cs, %eax\n mov %ss, %ecx\n mov %eax, (%rdi)\n mov %ecx, 4(%rdi)\n movl $1, 8(%rdi)\n 1: pause\n jmp 1b");

static void selectors_try(int flavor, unsigned int cs, unsigned int ss)
{
    static volatile unsigned int seen[3];
    struct bare bare;
    mach_port_t port = port_create_with_send();
    memset((void *)seen, 0, sizeof seen);
    bare_create(&bare, mach_task_self(), stub_selectors, (long)seen);
    struct i386_thread_state s = registers_get(bare.thread);
    s.cs = cs;
    s.ss = ss;
    kern_return_t result = thread_set_state(bare.thread, flavor, (thread_state_t)&s, i386_THREAD_STATE_COUNT);
    OBSERVE(result);
    thread_set_special_port(bare.thread, THREAD_EXCEPTION_PORT, port);
    thread_resume(bare.thread);
    bool raised = false;
    for (int tries = 0; tries < 2000 && !seen[2] && !raised; tries++)
        raised = receive_within(port, 10) == MACH_MSG_SUCCESS;
    struct raised drop = {0};
    if (raised)
        drop = (struct raised){.thread = *(mach_port_t *)((char *)received() + sizeof(mach_msg_header_t) + 8),
                               .task = *(mach_port_t *)((char *)received() + sizeof(mach_msg_header_t) + 24),
                               .reply = received()->msgh_remote_port};
    OBSERVE(raised);
    OBSERVE(seen[0] & 3);
    OBSERVE(seen[1] & 3);
    CHECK(raised || ((seen[0] & 3) == 3 && (seen[1] & 3) == 3));
    bare_end(&bare);
    raised_drop(&drop);
    port_destroy(port);
}

CASE(selectors_by_thread_state)
{
    selectors_try(i386_THREAD_STATE, 0x8, 0x10);
    selectors_try(i386_THREAD_STATE, 0, 0);
    selectors_try(i386_THREAD_STATE, 0xffff, 0xffff);
}
CASE(selectors_zero) { selectors_try(i386_REGS_SEGS_STATE, 0, 0); }
CASE(selectors_of_the_kernel) { selectors_try(i386_REGS_SEGS_STATE, 0x8, 0x10); }
CASE_OURS(selectors_of_the_kernel_for_users) { selectors_try(i386_REGS_SEGS_STATE, 0x8 | 3, 0x10 | 3); }
CASE_OURS(selectors_beyond_the_table) { selectors_try(i386_REGS_SEGS_STATE, 0xfffb, 0xfffb); }
CASE_OURS(selectors_local) { selectors_try(i386_REGS_SEGS_STATE, 0x7, 0xf); }

/* Addresses where no thread can be. */
static void place_try(uint64_t rip, uint64_t rsp)
{
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_count, 0);
    struct i386_thread_state s = registers_get(bare.thread);
    s.rip = rip;
    s.ursp = rsp;
    EXPECT(registers_set(bare.thread, &s), KERN_SUCCESS);
    struct raised raised = fault_of_thread(&bare);
    EXPECT(raised.came, true);
    OBSERVE(raised.exception);
    OBSERVE(raised.code);
    OBSERVE(raised.subcode);
    bare_end(&bare);
    raised_drop(&raised);
}

CASE(place_zero) { place_try(0, 0); }
CASE_DIFFERS(place_kernel) { place_try(0xffffffff81000000, 0xffffffff81000000); }
CASE(place_lowest_kernel) { place_try(0xffff800000000000, 0xffff800000000000); }
CASE_OURS(place_last_of_user) { place_try(0x7fffffffffff, 0x7fffffffffff); }

/* GNU Mach goes there, and faults in the kernel with some of them. */
CASE_OURS(place_not_canonical)
{
    static const uint64_t places[] = {0x800000000000, 0x1234567812345678, 0xffff7fffffffffff};
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_count, 0);
    struct i386_thread_state s = registers_get(bare.thread);
    for (unsigned int i = 0; i < 3; i++) {
        s.rip = places[i];
        EXPECT(registers_set(bare.thread, &s), KERN_INVALID_ARGUMENT);
    }
    EXPECT(registers_get(bare.thread).rip == (uint64_t)stub_count, true);
    bare_end(&bare);
}

STUB(stub_nothing, "1: pause\n jmp 1b");

CASE(stack_pointer_kernel)
{
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_nothing, 0);
    struct i386_thread_state s = registers_get(bare.thread);
    s.ursp = 0xffffffff81000000;
    EXPECT(registers_set(bare.thread, &s), KERN_SUCCESS);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(thread_suspend(bare.thread), KERN_SUCCESS);
    EXPECT(registers_get(bare.thread).ursp, 0xffffffff81000000);
    s.ursp = 0x8000000000000000;
    EXPECT(registers_set(bare.thread, &s), KERN_SUCCESS);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(thread_basic(bare.thread).run_state, TH_STATE_RUNNING);
    bare_end(&bare);
}

/* A thread in user mode, in a system call loop, and in a wait. */
CASE(of_running_thread)
{
    static volatile long counter;
    struct bare bare;
    counter = 0;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    thread_resume(bare.thread);
    WAIT_FOR(counter > 0);
    for (int i = 0; i < 50; i++) {
        struct i386_thread_state s = registers_get(bare.thread);
        CHECK(s.rip >= (uint64_t)stub_count && s.rip < (uint64_t)stub_count + 16);
        CHECK(s.rdi == (uint64_t)&counter);
    }
    bare_end(&bare);
}

struct wait {
    mach_port_t port;
    volatile long result;
};

static void wait_receive(void *argument)
{
    struct wait *wait = argument;
    mach_msg_header_t header;
    wait->result = mach_msg(&header, MACH_RCV_MSG | MACH_RCV_INTERRUPT, 0, sizeof header, wait->port, 0,
                            MACH_PORT_NULL);
}

/* As signals do it: a waiting thread is stopped, taken out of its wait, sent elsewhere, and back. */
CASE(signal_in_receive)
{
    struct wait wait = {.port = port_create_with_send(), .result = -999};
    struct helper helper = {0};
    helper_start(&helper, wait_receive, &wait);
    CHECK(thread_waits(helper.thread));
    struct i386_thread_state before = detour_through_count(helper.thread);
    EXPECT((int)before.rax, MACH_RCV_INTERRUPTED);
    EXPECT(registers_set(helper.thread, &before), KERN_SUCCESS);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(wait.result, MACH_RCV_INTERRUPTED);
    port_destroy(wait.port);
}

/* ---- segment bases -------------------------------------------------------------------------------- */

STUB(
    stub_bases,
    "mov %fs:0, %rax\n mov %gs:8, %rcx\n mov %rax, (%rdi)\n mov %rcx, 8(%rdi)\n movq $1, 16(%rdi)\n 1: pause\n jmp 1b");

CASE(bases_work)
{
    static uint64_t data[4] = {11, 22, 33, 44};
    static volatile uint64_t seen[3];
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_bases, (long)seen);
    struct i386_fsgs_base_state bases = {(unsigned long)&data[0], (unsigned long)&data[1]}, back = {0};
    mach_msg_type_number_t count = i386_FSGS_BASE_STATE_COUNT;
    EXPECT(thread_set_state(bare.thread, i386_FSGS_BASE_STATE, (thread_state_t)&bases, count), KERN_SUCCESS);
    EXPECT(thread_get_state(bare.thread, i386_FSGS_BASE_STATE, (thread_state_t)&back, &count), KERN_SUCCESS);
    EXPECT(memcmp(&bases, &back, sizeof bases), 0);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(seen[2] == 1);
    EXPECT(seen[0], 11);
    EXPECT(seen[1], 33);
    bare_end(&bare);
}

static void bases_try(unsigned long fs, unsigned long gs)
{
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_nothing, 0);
    struct i386_fsgs_base_state bases = {fs, gs}, back = {0};
    mach_msg_type_number_t count = i386_FSGS_BASE_STATE_COUNT;
    OBSERVE(thread_set_state(bare.thread, i386_FSGS_BASE_STATE, (thread_state_t)&bases, count));
    EXPECT(thread_get_state(bare.thread, i386_FSGS_BASE_STATE, (thread_state_t)&back, &count), KERN_SUCCESS);
    OBSERVE(back.fs_base);
    OBSERVE(back.gs_base);
    thread_resume(bare.thread);
    pause_ms(30);
    EXPECT(thread_basic(bare.thread).run_state, TH_STATE_RUNNING);
    bare_end(&bare);
}

CASE(bases_zero) { bases_try(0, 0); }
CASE(bases_last_of_user) { bases_try(0x7fffffffffff, 0x7ffffffff000); }
CASE_DIFFERS(bases_not_canonical_fs) { bases_try(0x800000000000, 0); }
CASE_DIFFERS(bases_not_canonical_gs) { bases_try(0, 0x1234567812345678); }
CASE_DIFFERS(bases_of_the_kernel) { bases_try(0xffffffff81000000, 0xffff800000000000); }

/* The trap thread_set_self_state (-77). */
CASE(own_state_by_trap)
{
    struct i386_fsgs_base_state bases = {0};
    natural_t many[ROOM] = {0};
    mach_msg_type_number_t count = i386_FSGS_BASE_STATE_COUNT;
    mach_port_t self = mach_thread_self();
    EXPECT(thread_get_state(self, i386_FSGS_BASE_STATE, (thread_state_t)&bases, &count) == KERN_SUCCESS ||
               bases.fs_base == 0,
           true);
    OBSERVE(TRAP_3(-77, i386_THREAD_STATE, many, i386_THREAD_STATE_COUNT - 1));
    OBSERVE(TRAP_3(-77, i386_FSGS_BASE_STATE, many, 0));
    OBSERVE(TRAP_3(-77, i386_FSGS_BASE_STATE, 8, i386_FSGS_BASE_STATE_COUNT));
    OBSERVE(TRAP_3(-77, i386_FSGS_BASE_STATE, 0xffffffff81000000, i386_FSGS_BASE_STATE_COUNT));
    OBSERVE(TRAP_3(-77, 99, many, 4));
    OBSERVE(TRAP_3(-77, i386_FSGS_BASE_STATE, many, 100000));
    OBSERVE(TRAP_3(-77, i386_FSGS_BASE_STATE, many, 0x40000001));
    mach_port_deallocate(mach_task_self(), self);
}

/* ---- floating point ---------------------------------------------------------------------------------- */

CASE(float_fresh)
{
    struct i386_float_state state;
    mach_msg_type_number_t count = i386_FLOAT_STATE_COUNT;
    mach_port_t thread = thread_empty();
    memset(&state, 0x55, sizeof state);
    EXPECT(thread_get_state(thread, i386_FLOAT_STATE, (thread_state_t)&state, &count), KERN_SUCCESS);
    OBSERVE(state.fpkind);
    OBSERVE(state.initialized);
    thread_end(thread);
}

STUB(stub_x87_load, "fninit\n fld1\n fldpi\n movl $1, (%rdi)\n 1: pause\n jmp 1b");

CASE(float_of_thread)
{
    static volatile int done;
    struct bare bare;
    struct i386_float_state state;
    mach_msg_type_number_t count = i386_FLOAT_STATE_COUNT;
    done = 0;
    bare_create(&bare, mach_task_self(), stub_x87_load, (long)&done);
    thread_resume(bare.thread);
    WAIT_FOR(done);
    thread_suspend(bare.thread);
    memset(&state, 0, sizeof state);
    EXPECT(thread_get_state(bare.thread, i386_FLOAT_STATE, (thread_state_t)&state, &count), KERN_SUCCESS);
    struct i386_fp_save *save = (struct i386_fp_save *)state.hw_state;
    OBSERVE(state.initialized);
    OBSERVE(save->fp_control & 0xffff);
    OBSERVE(save->fp_status & 0xffff);
    OBSERVE(save->fp_tag & 0xffff);
    for (unsigned int i = 0; i < 20; i++)
        OBSERVE(state.hw_state[sizeof *save + i]);
    EXPECT(thread_set_state(bare.thread, i386_FLOAT_STATE, (thread_state_t)&state, count), KERN_SUCCESS);
    struct i386_float_state again;
    EXPECT(thread_get_state(bare.thread, i386_FLOAT_STATE, (thread_state_t)&again, &count), KERN_SUCCESS);
    OBSERVE(memcmp(state.hw_state + sizeof *save, again.hw_state + sizeof *save, 20));
    state.initialized = 0;
    OBSERVE(thread_set_state(bare.thread, i386_FLOAT_STATE, (thread_state_t)&state, count));
    EXPECT(thread_get_state(bare.thread, i386_FLOAT_STATE, (thread_state_t)&again, &count), KERN_SUCCESS);
    OBSERVE(again.initialized);
    bare_end(&bare);
}

STUB(stub_sse_add, "movq (%rdi), %xmm1\n movq 8(%rdi), %xmm2\n 1: addsd %xmm1, %xmm2\n movq %xmm2, 16(%rdi)\n jmp 1b");
STUB(stub_sse_store, "movups %xmm3, (%rdi)\n stmxcsr 16(%rdi)\n movl $1, 20(%rdi)\n 1: pause\n jmp 1b");

static size_t xfloat_bytes(void)
{
    vm_size_t size = 0;
    mach_port_t host = (mach_host_self)();
    CHECK(i386_get_xstate_size(host, &size) == KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), host);
    return size;
}

CASE(xfloat_size)
{
    vm_size_t size = 0;
    mach_port_t host = (mach_host_self)();
    EXPECT(i386_get_xstate_size(host, &size), KERN_SUCCESS);
    EXPECT(size >= sizeof(struct i386_xfloat_state) + 512, true);
    EXPECT(size <= 16384, true);
    EXPECT(i386_get_xstate_size(host_priv, &size), KERN_SUCCESS);
    OBSERVE(i386_get_xstate_size(mach_task_self(), &size));
    mach_port_deallocate(mach_task_self(), host);
}

/* A thread that has used its vector registers, stopped. */
static mach_msg_type_number_t xfloat_thread(struct bare *bare, volatile unsigned int *seen, unsigned char *state)
{
    mach_msg_type_number_t count = (mach_msg_type_number_t)(xfloat_bytes() / 4);
    memset((void *)seen, 0, 24);
    bare_create(bare, mach_task_self(), stub_sse_store, (long)seen);
    thread_resume(bare->thread);
    WAIT_FOR(seen[5] == 1);
    thread_suspend(bare->thread);
    seen[5] = 0;
    EXPECT(thread_get_state(bare->thread, i386_XFLOAT_STATE, (thread_state_t)state, &count), KERN_SUCCESS);
    CHECK(count == xfloat_bytes() / 4);
    struct i386_thread_state registers = registers_get(bare->thread);
    registers.rip = (uint64_t)stub_sse_store;
    EXPECT(registers_set(bare->thread, &registers), KERN_SUCCESS);
    return count;
}

CASE(xfloat_round_trip)
{
    static unsigned char state[16384] __attribute__((aligned(64)));
    static volatile unsigned int seen[6] __attribute__((aligned(16)));
    struct i386_xfloat_state *xfloat = (struct i386_xfloat_state *)state;
    struct bare bare;
    mach_msg_type_number_t count = xfloat_thread(&bare, seen, state);
    OBSERVE(xfloat->fpkind);
    OBSERVE(xfloat->initialized);
    for (unsigned int i = 0; i < 16; i++)
        xfloat->hw_state[160 + 3 * 16 + i] = (unsigned char)(0x30 + i);
    unsigned int mxcsr = 0x1fbf;
    memcpy(xfloat->hw_state + 24, &mxcsr, 4);
    xfloat->hw_state[512] |= 3;
    EXPECT(thread_set_state(bare.thread, i386_XFLOAT_STATE, (thread_state_t)state, count), KERN_SUCCESS);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(seen[5] == 1);
    for (unsigned int i = 0; i < 5; i++)
        OBSERVE(seen[i]);
    bare_end(&bare);
}

/* Reserved bits of MXCSR, features that do not exist, the compacted format, rubbish in the header. */
static void xfloat_try(size_t at, unsigned char byte)
{
    static unsigned char state[16384] __attribute__((aligned(64)));
    static volatile unsigned int seen[6] __attribute__((aligned(16)));
    struct bare bare;
    mach_msg_type_number_t count = xfloat_thread(&bare, seen, state);
    ((struct i386_xfloat_state *)state)->hw_state[at] = byte;
    OBSERVE(thread_set_state(bare.thread, i386_XFLOAT_STATE, (thread_state_t)state, count));
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(seen[5] == 1);
    bare_end(&bare);
}

CASE(xfloat_reserved_control_bits) { xfloat_try(27, 0xff); }
CASE_OURS(xfloat_unknown_features) { xfloat_try(519, 0x7f); }
CASE_OURS(xfloat_compacted) { xfloat_try(527, 0x80); }
CASE(xfloat_rubbish_in_header) { xfloat_try(560, 0xff); }

/* Two threads do sums, each in its own vector registers. */
CASE(vector_registers_are_the_threads)
{
    static volatile double data[2][3];
    struct bare bare[2];
    for (int i = 0; i < 2; i++) {
        data[i][0] = 1.0 + i;
        data[i][1] = data[i][2] = 0;
        bare_create(&bare[i], mach_task_self(), stub_sse_add, (long)data[i]);
    }
    for (int i = 0; i < 2; i++)
        thread_resume(bare[i].thread);
    for (int i = 0; i < 2; i++)
        WAIT_FOR(data[i][2] > 1000);
    pause_ms(200);
    for (int i = 0; i < 2; i++)
        thread_suspend(bare[i].thread);
    EXPECT((long)data[1][2] % 2, 0);
    EXPECT((double)(long)data[0][2] == data[0][2], true);
    for (int i = 0; i < 2; i++)
        bare_end(&bare[i]);
}

/* ---- debug registers ---------------------------------------------------------------------------------- */

STUB(stub_watched, "1: movl $1, (%rdi)\n nop\n jmp 1b");

static kern_return_t debug_set(mach_port_t thread, uint64_t address, unsigned int control)
{
    struct i386_debug_state state = {.dr = {(unsigned int)address, 0, 0, 0, 0, 0, 0, control}};
    return thread_set_state(thread, i386_DEBUG_STATE, (thread_state_t)&state, i386_DEBUG_STATE_COUNT);
}

CASE(debug_registers_refused)
{
    mach_port_t thread = thread_empty();
    struct i386_debug_state state = {0};
    mach_msg_type_number_t count = i386_DEBUG_STATE_COUNT;
    OBSERVE(thread_get_state(thread, i386_DEBUG_STATE, (thread_state_t)&state, &count));
    OBSERVE(state.dr[6]);
    OBSERVE(state.dr[7]);
    OBSERVE(debug_set(thread, 0, 0));
    OBSERVE(debug_set(thread, 0x1000, 0x401));
    OBSERVE(debug_set(thread, 0xfffffff0, 0x401));
    OBSERVE(debug_set(thread, 0x1000, 0xffffffff));
    OBSERVE(debug_set(thread, 0x1000, 0x2401));
    thread_end(thread);
}

CASE(debug_watch)
{
    static volatile int word;
    struct bare bare;
    bare_create(&bare, mach_task_self(), stub_watched, (long)&word);
    kern_return_t result = debug_set(bare.thread, (uint64_t)&word, 0xd0401);
    OBSERVE(result);
    if (result == KERN_SUCCESS) {
        struct raised raised = fault_of_thread(&bare);
        OBSERVE(raised.exception);
        OBSERVE(raised.code);
        OBSERVE(raised.subcode);
        struct i386_debug_state state = {0};
        mach_msg_type_number_t count = i386_DEBUG_STATE_COUNT;
        OBSERVE(thread_get_state(bare.thread, i386_DEBUG_STATE, (thread_state_t)&state, &count));
        OBSERVE(state.dr[6] & 0xf);
        OBSERVE(state.dr[7]);
        bare_end(&bare);
        raised_drop(&raised);
        return;
    }
    bare_end(&bare);
}
