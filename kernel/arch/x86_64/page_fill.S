/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clearing and copying pages 32 bytes at a time, on processors with AVX (page_fill.h chooses).

   The kernel otherwise leaves vector registers to the users: what is used here is put back as it was, within the
   function.  Interrupts are off, and nothing here faults.  A register's upper half, once written, counts as in use
   until VZEROUPPER, and makes the user's SSE instructions and XSAVE slower: where nobody used the upper halves before,
   they are left so (Intel SDM volume 1, chapter 13.6). */

#define AVX_IN_USE 4

    .text

/* %eax: XINUSE, the states that are not as after reset; all where the processor does not tell. */
.macro states_in_use
    mov $~0, %eax
    cmpb $0, cpu_tells_states(%rip)
    je 1f
    mov $1, %ecx
    xgetbv
1:
.endm

/* Leaves the upper halves as %eax says that they were; xmm0 and xmm1 are restored already. */
.macro states_leave
    test $AVX_IN_USE, %eax
    jnz 2f
    vzeroupper
2:
.endm

/* void page_clear_wide(void *page) */
    .globl page_clear_wide
page_clear_wide:
    states_in_use
    sub $32, %rsp
    vmovdqu %ymm0, (%rsp)
    vpxor %xmm0, %xmm0, %xmm0
    lea 4096(%rdi), %rdx
3:
    offset = 0
    .rept 32
    vmovdqa %ymm0, offset(%rdi)
    offset = offset + 32
    .endr
    add $1024, %rdi
    cmp %rdx, %rdi
    jne 3b
    vmovdqu (%rsp), %ymm0
    add $32, %rsp
    states_leave
    ret

/* void page_copy_wide(void *to, const void *from) */
    .globl page_copy_wide
page_copy_wide:
    mov %rdi, %r8
    states_in_use
    sub $64, %rsp
    vmovdqu %ymm0, (%rsp)
    vmovdqu %ymm1, 32(%rsp)
    lea 4096(%rsi), %r9
3:
    offset = 0
    .rept 16
    vmovdqa offset(%rsi), %ymm0
    vmovdqa offset + 32(%rsi), %ymm1
    vmovdqa %ymm0, offset(%r8)
    vmovdqa %ymm1, offset + 32(%r8)
    offset = offset + 64
    .endr
    add $1024, %rsi
    add $1024, %r8
    cmp %r9, %rsi
    jne 3b
    vmovdqu (%rsp), %ymm0
    vmovdqu 32(%rsp), %ymm1
    add $64, %rsp
    states_leave
    ret

    .section .note.GNU-stack, "", @progbits
