/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first instructions: GRUB enters start_32 in 32-bit protected mode without paging (Multiboot 1, section 3.2;
   Multiboot 2, section 3.3).  They build page tables for the first 4 GiB, at 0, in the direct map and at the image's
   place, enter long mode and call kernel_main(magic, information).  Other processors come in by ap_start (ap.S). */

#include "layout.h"

#define MULTIBOOT1_MAGIC 0x1badb002
#define MULTIBOOT1_FLAGS 0x00000003 /* modules at page boundaries, memory map */
#define MULTIBOOT2_MAGIC 0xe85250d6

#define PHYSICAL(symbol) (symbol - IMAGE_BASE)
#define PTE_TABLE 0x003    /* present, writable */
#define PTE_HUGE 0x083     /* and a 2 MiB page */

    .section .multiboot, "a"
    .balign 8
    .long MULTIBOOT1_MAGIC, MULTIBOOT1_FLAGS, -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)
    .balign 8
multiboot2:
    .long MULTIBOOT2_MAGIC, 0, multiboot2_end - multiboot2, -(MULTIBOOT2_MAGIC + (multiboot2_end - multiboot2))
    .balign 8
    .short 6, 0     /* modules at page boundaries */
    .long 8
    .balign 8
    .short 0, 0     /* end */
    .long 8
multiboot2_end:

    .section .boot, "ax"
    .code32
    .globl start_32
start_32:
    cld
    mov %eax, %ebp              /* GRUB's magic and information, until they are arguments */
    mov %ebx, %esi
    mov $PHYSICAL(boot_stack_end), %esp

    /* The processor must know long mode, and no-execute pages. */
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    test $(1 << 29), %edx
    jz no_long_mode

    /* Four page directories of 512 pages of 2 MiB: 0 to 4 GiB. */
    mov $PHYSICAL(boot_directories), %edi
    mov $PTE_HUGE, %eax
    mov $2048, %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b

    /* The table over them, and the same with its first two directories at the end, for the image. */
    mov $PHYSICAL(boot_pointers), %edi
    mov $(PHYSICAL(boot_directories) + PTE_TABLE), %eax
    mov $4, %ecx
2:  mov %eax, (%edi)
    add $4096, %eax
    add $8, %edi
    loop 2b
    mov $PHYSICAL(boot_image_pointers), %edi
    movl $(PHYSICAL(boot_directories) + PTE_TABLE), 510*8(%edi)
    movl $(PHYSICAL(boot_directories) + 4096 + PTE_TABLE), 511*8(%edi)
    mov $PHYSICAL(boot_top), %edi
    movl $(PHYSICAL(boot_pointers) + PTE_TABLE), (%edi)
    movl $(PHYSICAL(boot_pointers) + PTE_TABLE), DIRECT_MAP_SLOT*8(%edi)
    movl $(PHYSICAL(boot_image_pointers) + PTE_TABLE), IMAGE_SLOT*8(%edi)

    /* CR4: physical address extension; EFER: long mode, syscall, no-execute; CR0: paging, write protection. */
    mov %cr4, %eax
    or $(1 << 5), %eax
    mov %eax, %cr4
    mov %edi, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $((1 << 0) | (1 << 8) | (1 << 11)), %eax
    wrmsr
    mov %cr0, %eax
    or $((1 << 31) | (1 << 16)), %eax
    mov %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $SELECTOR_KERNEL_CODE, $start_64

no_long_mode:
    mov $no_long_mode_text, %esi
    mov $0x3f8 + 5, %edx        /* the first serial line, as it is */
3:  in %dx, %al
    test $0x20, %al
    jz 3b
    sub $5, %edx
    lodsb
    test %al, %al
    jz 4f
    out %al, %dx
    add $5, %edx
    jmp 3b
4:  hlt
    jmp 4b
no_long_mode_text:
    .asciz "Quadrille: this processor has no 64-bit mode: boot failed\r\n"

    .code64
start_64:
    mov $SELECTOR_KERNEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $boot_stack_end, %rsp
    mov %ebp, %edi
    mov %esi, %esi
    xor %ebp, %ebp
    mov $kernel_main, %rax
    call *%rax
5:  hlt
    jmp 5b

    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff    /* kernel code */
    .quad 0x00cf92000000ffff    /* kernel data */
boot_gdt_pointer:
    .short . - boot_gdt - 1
    .long boot_gdt

    .section .bss
    .balign 4096
    .globl boot_top
boot_top: .skip 4096
boot_pointers: .skip 4096
boot_image_pointers: .skip 4096
boot_directories: .skip 4 * 4096
boot_stack: .skip KERNEL_STACK_SIZE
    .globl boot_stack_end
boot_stack_end:

    .section .note.GNU-stack, "", @progbits
