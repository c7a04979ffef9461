/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A processor: its own data behind the gs base, its tables, the kernel lock, and the instructions that C does not
   have. */

#ifndef X86_64_CPU_H
#define X86_64_CPU_H

#include "../../base/base.h"
#include "layout.h"

struct thread;
struct task;
struct pmap;

/* What a trap, an interrupt or a system call leaves at the top of the thread's kernel stack, in the order of
   entry.S. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector;   /* trap, interrupt, or VECTOR_SYSCALL */
    uint64_t error;    /* of a trap */
    uint64_t rip, cs, rflags, rsp, ss;
};

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map_offset;
    uint8_t io_map[8192 + 8]; /* a bit a port, and the ones the processor wants behind */
} __attribute__((packed));

/* Bits of `ast`: what to look at before user code goes on. */
#define AST_RESCHEDULE 1u /* another thread should run */
#define AST_HALT 2u       /* the thread is suspended, halted or terminated */
#define AST_SPREAD 4u     /* somebody on the run queue may want another processor */

/* Places in the table of segment descriptors, behind the constant ones: that of the local table, and those that threads
   have of their own. */
#define GDT_LOCAL 7
#define GDT_USER 9
#define USER_SEGMENTS 2

struct cpu {
    struct cpu *self;               /* CPU_SELF */
    uint64_t kernel_rsp;            /* CPU_KERNEL_RSP: where a system call leaves the running thread's frame */
    uint64_t user_rsp;              /* CPU_USER_RSP: scratch of the system call's entry */
    struct thread *thread;          /* CPU_THREAD: the running thread */
    uint32_t ast;                   /* CPU_AST */
    uint32_t number;                /* constant, as the next three; 0 started the system */
    uint32_t apic_id;
    struct cpu *next;               /* in the list of all, from boot_cpu on */
    struct thread *idle;            /* runs when nobody else can */
    struct pmap *loaded;            /* whose page tables are loaded */
    struct pmap *pmap;              /* the same if its translations may be used; NULL: they must be loaded again */
    struct thread *debug_owner;     /* whose debug registers are loaded; NULL: none are */
    bool segments_loaded;           /* somebody's own segment descriptors are in the tables (segments.c) */
    struct task *io_owner;          /* whose I/O permissions the map of tss holds; NULL: nobody's */
    bool unlocked;                  /* it takes interrupts in the kernel without the kernel lock; its own
                                       (kernel_wait) */
    bool idling;                    /* so, and idle: it uses no user memory */
    bool kicked;                    /* it idles and was told that there is something to run */
    bool online;                    /* written by itself as it starts, before it takes the lock */
    /* Not the kernel lock's: of smp.c, which says whose and how. */
    uint32_t flush_wanted;          /* what is asked of it; atomic */
    uint32_t lock_halted;           /* it is halted until the lock is given back; atomic */
    bool lock_waiting;              /* it waits for the lock, and uses no user memory before it has it */
    uint64_t postponed[4];          /* a bit a vector: interrupts that came while it was halted so; its own */
    struct tss tss;
    uint64_t gdt[GDT_USER + USER_SEGMENTS];
    char fault_stack[4096] __attribute__((aligned(16))); /* of double faults and non-maskable interrupts */
    char debug_stack[4096] __attribute__((aligned(16))); /* of debug exceptions (entry_debug) */
};

_Static_assert(offsetof(struct cpu, kernel_rsp) == CPU_KERNEL_RSP, "layout.h");
_Static_assert(offsetof(struct cpu, user_rsp) == CPU_USER_RSP, "layout.h");
_Static_assert(offsetof(struct cpu, thread) == CPU_THREAD, "layout.h");
_Static_assert(offsetof(struct cpu, ast) == CPU_AST, "layout.h");

_Static_assert(offsetof(struct trap_frame, r10) == FRAME_R10 && offsetof(struct trap_frame, rax) == FRAME_RAX,
               "layout.h");
_Static_assert(offsetof(struct trap_frame, rip) == FRAME_RIP && offsetof(struct trap_frame, rsp) == FRAME_RSP &&
                   sizeof(struct trap_frame) == FRAME_SIZE,
               "layout.h");

extern struct cpu boot_cpu;
/* Those that run. */
extern uint32_t cpu_count;

#define for_each_cpu(cpu) for (struct cpu *cpu = &boot_cpu; cpu; cpu = cpu->next)

/* The processor that this runs on. */
static inline struct cpu *cpu_self(void)
{
    struct cpu *cpu;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu)); /* volatile: what blocks may go on on another one */
    return cpu;
}

/* The running thread. */
static inline struct thread *current_thread(void)
{
    struct thread *thread;
    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(thread) : "i"(CPU_THREAD));
    return thread;
}

/* Descriptor tables, system call entry, floating point of this processor. */
void cpu_init(struct cpu *cpu);

/* ---- the kernel lock ---------------------------------------------------------------- */

/* A processor takes it at each entry from user mode and gives it back on the way out (entry.S) and while it waits for
   an interrupt (kernel_wait).  Who comes while it is free has it at once, even if others wait: a virtual processor that
   waits may not be running, and to hand the lock to it would stop all.  Who waits looks at it for a while, then halts
   until somebody has given it back; one that was woken a number of times in vain reserves it when it looks at it again:
   it is the next. */
struct kernel_lock {
    uint32_t word; /* LOCK_HELD + LOCK_SLEEPER for each that is halted + LOCK_RESERVED * (1 + number of whom it is
                      reserved for); 0: free */
} __attribute__((aligned(64)));
#define LOCK_HELD 1u
#define LOCK_SLEEPER 2u
#define LOCK_RESERVED 0x10000u
extern struct kernel_lock kernel_lock;

/* Waits for it; meanwhile it does what other processors ask for.  Interrupts are off, but let in while it is halted:
   what they are about is seen to when it has the lock. */
void kernel_lock_wait(void);
/* The lock was given back, and its word is not 0: wakes one that is halted, if nobody has taken it again. */
void kernel_lock_wake(void);
/* The interrupt VECTOR came in the kernel: true, and it is kept for later, if this processor is halted in
   kernel_lock_wait. */
bool kernel_lock_postpones(unsigned int vector);
static inline void kernel_lock_acquire(void)
{
    uint32_t is_free = 0;
    if (!__atomic_compare_exchange_n(&kernel_lock.word, &is_free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        kernel_lock_wait();
}
static inline void kernel_lock_release(void)
{
    if (unlikely(__atomic_sub_fetch(&kernel_lock.word, LOCK_HELD, __ATOMIC_SEQ_CST) != 0))
        kernel_lock_wake();
}
/* Gives the lock back until an interrupt has brought the kernel something to do; the lock is held again then. */
void kernel_wait(void);
/* Lets interrupts in, and other processors, for a moment. */
void kernel_pause(void);
/* An interrupt came while this processor was in the kernel: takes the lock if it was given back. */
void kernel_lock_interrupted(void);
/* What it can do, as the boot message says it. */
void cpu_identify(void);

/* Size of the memory for a thread's floating-point and vector registers (aligned to 64), and a fresh one. */
extern size_t cpu_float_size;
/* Register sets that are on (XCR0). */
extern uint64_t cpu_float_features;
void cpu_float_init(void *area);
static inline void cpu_float_save(void *area)
{
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}
static inline void cpu_float_restore(const void *area)
{
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

/* ---- instructions ---------------------------------------------------------------- */

static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void out16(uint16_t port, uint16_t value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}
static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(sub));
}
static inline uint64_t read_cr2(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}
static inline uint64_t read_cr3(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr3, %0" : "=r"(value));
    return value;
}
static inline void write_cr3(uint64_t value) { __asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory"); }
static inline void invlpg(uint64_t address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }
static inline void cpu_pause(void) { __asm__ volatile("pause"); }
/* Waits for an interrupt, with interrupts on, and comes back with them off. */
static inline void cpu_wait(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

/* A thread's breakpoints in hardware: addresses, what was hit (DR6), what to watch (DR7). */
struct debug_registers {
    uint64_t address[4], status, control;
};
/* Bits of `control` that a user may set: enabling locally and globally, exactness, conditions and lengths; not the trap
   on these registers. */
#define DEBUG_CONTROL_USER 0xffff07ffu
#define DEBUG_CONTROL_ALWAYS 0x400u
/* Makes the processor watch for what REGISTERS say; nothing if control is 0. */
void cpu_debug_load(const struct debug_registers *registers);
/* What was hit since the last time. */
static inline uint64_t cpu_debug_status_take(void)
{
    uint64_t status;
    __asm__ volatile("movq %%db6, %0; movq %1, %%db6" : "=&r"(status) : "r"(0xffff0ff0ul));
    return status;
}

#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

/* ---- entry.S ----------------------------------------------------------------------- */

/* Saves what a C function must keep on the stack of the thread that runs, its stack pointer in *SAVED, and goes on at
   the address that is on top of the stack NEXT: its own end, if it saved that stack, or where the thread is to
   begin. */
void cpu_switch_stack(uint64_t *saved, uint64_t next);
/* Forgets the stack that this runs on, and goes on in START at TOP, of another one. */
_Noreturn void cpu_stack_begin(uint64_t top, void (*start)(void));
/* Where a new thread begins: returns to user mode by the frame at the top of the stack. */
void thread_start_user(void);
/* Where a new kernel thread begins: calls the function whose address is on the stack, with the word behind it. */
void thread_start_kernel(void);

/* Moves SIZE bytes from or to user addresses; false: an address was not usable (nothing is said of how much was
   moved). */
bool copy_from_user(void *to, uint64_t from, size_t size);
bool copy_to_user(uint64_t to, const void *from, size_t size);

/* Sends characters of the C string at user address FROM until its NUL; at most SIZE - 1.  False as above, or too
   long. */
bool copy_string_from_user(char *to, uint64_t from, size_t size);

#endif
