/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exectest-bare: position-independent, without interpreter and C library: loops for ever if it has been placed where
   exec places such programs (servers/exec/program.c), aligned to a page, else it stops with an illegal instruction. */

__asm__(".globl _start\n"
        "_start:\n"
        "    leaq _start(%rip), %rax\n"
        "    subq $0x08000000, %rax\n"
        "    cmpq $0x1000, %rax\n"
        "    jae 1f\n"
        "0:  jmp 0b\n"
        "1:  ud2\n");
