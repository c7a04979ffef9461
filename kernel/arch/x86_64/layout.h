/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address space.

       0                    .. 0x0000800000000000   the user's
       0xffff800000000000   .. + physical memory    the direct map: all physical memory, in the largest pages there are
       0xffffff0000000000   .. + 512 GiB            the threads' kernel stacks, each above as much that is not mapped
                                                    (stack.c)
       0xffffffff80000000   .. + 2 GiB              the kernel's image, at its physical address plus this

   The kernel has no other mappings: everything else that it allocates is physical memory seen through the direct map,
   so it is never mapped, unmapped or flushed.  Also included by assembler.  */

#ifndef X86_64_LAYOUT_H
#define X86_64_LAYOUT_H

#define DIRECT_MAP 0xffff800000000000
#define STACK_AREA 0xffffff0000000000
#define IMAGE_BASE 0xffffffff80000000
#define DIRECT_MAP_SLOT 256 /* of the top page table */
#define STACK_AREA_SLOT 510
#define IMAGE_SLOT 511

#define KERNEL_STACK_ORDER 2
#define KERNEL_STACK_SIZE (4096 << KERNEL_STACK_ORDER)

/* Segment selectors; the order is what syscall and sysret want. */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA 0x1b
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_TSS 0x28

/* Offsets in struct cpu (cpu.h asserts them). */
#define CPU_SELF 0
#define CPU_KERNEL_RSP 8
#define CPU_USER_RSP 16
#define CPU_THREAD 24
#define CPU_AST 32

/* Interrupt vectors: 0x20 the interrupt controller's sixteen lines, 0x30 to 0xdf messages of devices, then the local
   APIC's.  What is taken without the kernel lock has a class (the upper four bits) of its own: a processor that waits
   for the lock with another interrupt in service still takes it. */
#define VECTOR_LINES 0x20
#define VECTOR_MESSAGES 0x30
#define VECTOR_APIC 0xe0
#define VECTOR_WAKE 0xe1     /* from another processor: there is something to run, or to look at */
#define VECTOR_TICK 0xe2     /* the local timer */
/* from another processor: forget what the address translation buffer has, or look at the lock (smp.c) */
#define VECTOR_FLUSH 0xf0
#define VECTOR_SPURIOUS 0xff

/* Offsets in struct trap_frame (cpu.h asserts them). */
#define FRAME_R10 40
#define FRAME_R9 48
#define FRAME_R8 56
#define FRAME_RBP 64
#define FRAME_RDI 72
#define FRAME_RSI 80
#define FRAME_RDX 88
#define FRAME_RBX 104
#define FRAME_RAX 112
#define FRAME_VECTOR 120
#define FRAME_RIP 136
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_SIZE 176

/* mach_msg_trap's number, which has an entry of its own. */
#define TRAP_MACH_MSG (-25)

/* The frame's `vector` of a system call. */
#define VECTOR_SYSCALL 0x100

/* System calls have the numbers -1 to -(TRAP_COUNT - 1). */
#define TRAP_COUNT 78

#endif
