/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a processor other than the first begins: in real mode, at a page below 1 MiB that this code was copied to
   (smp.c).  It goes to long mode at once, with page tables that have that page at its physical address too, takes its
   struct cpu out of the mailbox and calls cpu_start_here.  An empty mailbox means that nobody waits for it any more. */

#include "layout.h"

    .section .rodata
    .balign 16
    .globl ap_start
ap_start:
    .code16
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    movzwl %ax, %ebx
    shl $4, %ebx                    /* where this lies */
    lea (ap_gdt - ap_start)(%ebx), %eax
    mov %eax, ap_gdt_pointer - ap_start + 2
    lea (ap_64 - ap_start)(%ebx), %eax
    mov %eax, ap_target - ap_start
    lgdtl ap_gdt_pointer - ap_start

    /* As boot.S: address extension; tables; long mode, syscall, no-execute; paging, write protection, protection. */
    mov $(1 << 5), %eax
    mov %eax, %cr4
    mov ap_tables - ap_start, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $((1 << 0) | (1 << 8) | (1 << 11)), %eax
    wrmsr
    mov $((1 << 31) | (1 << 16) | (1 << 0)), %eax
    mov %eax, %cr0
    ljmpl *(ap_target - ap_start)

    .code64
ap_64:
    mov $SELECTOR_KERNEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    xor %edi, %edi
    xchg %rdi, ap_mailbox(%rip)
    test %rdi, %rdi
    jz 1f
    mov CPU_KERNEL_RSP(%rdi), %rsp
    xor %ebp, %ebp
    mov $cpu_start_here, %rax
    call *%rax
1:  cli
    hlt
    jmp 1b

    .balign 8
ap_gdt:
    .quad 0
    .quad 0x00af9a000000ffff        /* kernel code */
    .quad 0x00cf92000000ffff        /* kernel data */
ap_gdt_pointer:
    .short . - ap_gdt - 1
    .long 0
    .balign 8
ap_target:
    .long 0
    .short SELECTOR_KERNEL_CODE
    .balign 8
    .globl ap_tables
ap_tables:                          /* physical address of the top page table, below 4 GiB */
    .quad 0
    .globl ap_mailbox
ap_mailbox:                         /* struct cpu of the one that is started */
    .quad 0
    .globl ap_end
ap_end:

    .section .note.GNU-stack, "", @progbits
