/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In and out of the kernel.  Every way in builds a struct trap_frame (cpu.h) and has interrupts off; they stay off
   while the kernel runs (task/sched.h says where it looks for pending ones).  From user mode the kernel lock is taken
   here, and given back at return_to_user. */

#include "layout.h"

    .text

    .macro push_registers
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    .endm

    .macro pop_registers
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    .endm

    /* Takes the kernel lock, or goes to WAIT if it is not free.  Uses rax and rcx. */
    .macro lock_take wait
    xor %eax, %eax
    mov $1, %ecx
    lock cmpxchg %ecx, kernel_lock
    jne \wait
    .endm

/* syscall: number in rax (negative), arguments rdi rsi rdx r10 r8 r9 and on the stack; rcx is the user's rip, r11 its
   flags.  The frame's selectors are there since the thread was made; its rcx, r11 and error code are not needed. */
    .globl entry_syscall
    .balign 64
entry_syscall:
    swapgs
    mov %rsp, %gs:CPU_USER_RSP
    mov %gs:CPU_KERNEL_RSP, %rsp
    mov %rcx, FRAME_RIP(%rsp)
    mov %r11, FRAME_RFLAGS(%rsp)
    mov %gs:CPU_USER_RSP, %rcx
    mov %rcx, FRAME_RSP(%rsp)
    movq $VECTOR_SYSCALL, FRAME_VECTOR(%rsp)
    mov %rax, FRAME_RAX(%rsp)
    mov %rbx, FRAME_RBX(%rsp)
    mov %rdx, FRAME_RDX(%rsp)
    mov %rsi, FRAME_RSI(%rsp)
    mov %rdi, FRAME_RDI(%rsp)
    mov %rbp, FRAME_RBP(%rsp)
    mov %r8, FRAME_R8(%rsp)
    mov %r9, FRAME_R9(%rsp)
    mov %r10, FRAME_R10(%rsp)
    mov %r12, 24(%rsp)
    mov %r13, 16(%rsp)
    mov %r14, 8(%rsp)
    mov %r15, (%rsp)
    mov %rsp, %rbp                  /* the frame, kept by whatever C does */
    lock_take 9f
8:  mov %r10, %rcx
    cmpl $TRAP_MACH_MSG, FRAME_RAX(%rbp)
    jne 7f
    call trap_mach_msg

/* To user mode after a system call whose result is in eax, by the frame at rbp.  If somebody has changed the frame,
   there is an AST. */
    .globl syscall_return
syscall_return:
    mov %eax, %eax
    cmpl $0, %gs:CPU_AST
    jne 2f
    lock decl kernel_lock
    jne 10f
5:  mov (%rbp), %r15
    mov 8(%rbp), %r14
    mov 16(%rbp), %r13
    mov 24(%rbp), %r12
    mov FRAME_R10(%rbp), %r10
    mov FRAME_R9(%rbp), %r9
    mov FRAME_R8(%rbp), %r8
    mov FRAME_RDI(%rbp), %rdi
    mov FRAME_RSI(%rbp), %rsi
    mov FRAME_RDX(%rbp), %rdx
    mov FRAME_RBX(%rbp), %rbx
    mov FRAME_RIP(%rbp), %rcx
    mov FRAME_RFLAGS(%rbp), %r11
    mov FRAME_RSP(%rbp), %rsp
    mov FRAME_RBP(%rbp), %rbp
    swapgs
    sysretq

/* To user mode by the frame at rbp. */
2:  mov %rax, FRAME_RAX(%rbp)
3:  mov %rbp, %rsp
    mov %rbp, %rdi
    call ast_taken
return_to_user:
    cmpl $0, %gs:CPU_AST
    jne 3b
    lock decl kernel_lock
    jne 11f
4:  mov FRAME_RAX(%rbp), %rax
    cmpq $VECTOR_SYSCALL, FRAME_VECTOR(%rbp)
    je 5b
    mov %rbp, %rsp
    pop_registers
    add $16, %rsp
    swapgs
    iretq

/* The lock was given back, and somebody is halted until then, or has reserved it. */
10: mov %eax, %ebx
    call kernel_lock_wake
    mov %ebx, %eax
    jmp 5b
11: call kernel_lock_wake
    jmp 4b

/* System calls but mach_msg. */
7:  mov FRAME_RAX(%rbp), %rax
    neg %rax
    cmp $TRAP_COUNT, %rax
    jae 1f
    mov trap_table(,%rax,8), %rax
    test %rax, %rax
    jz 1f
    call *%rax
    jmp syscall_return
1:  mov %rbp, %rdi
    call trap_unknown
    jmp syscall_return
9:  call kernel_lock_wait           /* the arguments are in the frame meanwhile */
    mov FRAME_RDX(%rbp), %rdx
    mov FRAME_RSI(%rbp), %rsi
    mov FRAME_RDI(%rbp), %rdi
    mov FRAME_R10(%rbp), %r10
    mov FRAME_R9(%rbp), %r9
    mov FRAME_R8(%rbp), %r8
    jmp 8b

/* Where a thread goes on that waited in the short way of mach_msg (ipc/fast.c), with nothing on its stack but the
   frame. */
    .globl msg_wait_over
msg_wait_over:
    mov %rsp, %rbp
    call msg_receive_woken
    jmp syscall_return

    .globl thread_start_user
thread_start_user:
    mov %rsp, %rbp
    jmp return_to_user

    .globl thread_start_kernel
thread_start_kernel:
    pop %rax
    pop %rdi
    call *%rax
    ud2

/* Traps and interrupts: 256 entries of 16 bytes.  Some traps come with an error code; others get 0 for one. */
    .macro vector number
    .balign 16
    .set has_code, (\number == 8) || (\number >= 10 && \number <= 14) || (\number == 17) || (\number == 21)
    .set has_code, has_code || (\number == 29) || (\number == 30)
    .if !has_code
    push $0
    .endif
    push $\number
    jmp entry_common
    .endm

    .globl entry_vectors
    .balign 16
entry_vectors:
    .set n, 0
    .rept 256
    vector n
    .set n, n + 1
    .endr

entry_common:
    push_registers
    cld
    mov %rsp, %rbp
    mov %rsp, %rdi
    testb $3, 18*8(%rsp)
    jz 5f
    swapgs
    lock_take 9f
8:  call trap_from_user
    jmp return_to_user
9:  call kernel_lock_wait
    mov %rbp, %rdi
    jmp 8b
5:  call trap_from_kernel
    mov %rbp, %rsp
    pop_registers
    add $16, %rsp
    iretq

/* Another processor wants this one to forget translations: without the kernel lock, which that one has. */
    .globl entry_flush
    .balign 16
entry_flush:
    testb $3, 8(%rsp)
    jz 1f
    swapgs
1:  push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    cld
    call smp_flush_interrupt
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    testb $3, 8(%rsp)
    jz 2f
    swapgs
2:  iretq

/* A non-maskable interrupt is how one processor stops the others for good; any other is a trap, which the kernel does
   not survive. */
    .globl entry_nmi
    .balign 16
entry_nmi:
    cmpb $0, smp_stopping
    je 2f
1:  cli
    hlt
    jmp 1b
2:  push $0
    push $2
    jmp entry_common

/* Debug exceptions, which have a stack of their own.  An instruction that loads the stack segment puts off what it hits
   until the one behind it has been done; if that is a system call or a trap, the exception comes when nothing of the
   way in has been: the stack may be the user's, and so is the gs base (Intel SDM volume 3, 6.8.3). */
    .globl entry_debug
    .balign 16
entry_debug:
    testb $3, 8(%rsp)
    jz 1f
    /* From user mode: its frame goes to the thread's stack, as what handles it may wait. */
    swapgs
    push %rax
    push %rcx
    mov %gs:CPU_KERNEL_RSP, %rax
    swapgs
    add $FRAME_SIZE, %rax
    .irp word, 6, 5, 4, 3, 2        /* ss, rsp, flags, cs, rip */
    mov 8*\word(%rsp), %rcx
    mov %rcx, 8*(\word-7)(%rax)
    .endr
    movq $0, -48(%rax)
    movq $1, -56(%rax)
    mov 8(%rsp), %rcx
    mov %rcx, -64(%rax)
    mov (%rsp), %rcx
    lea -64(%rax), %rsp
    pop %rax
    jmp entry_common
1:  push %rax
    lea entry_syscall(%rip), %rax
    cmp %rax, 8(%rsp)
    jb 2f
    lea entry_flush(%rip), %rax
    cmp %rax, 8(%rsp)
    jae 2f
    pop %rax                        /* on a way in: it goes on as if nothing had been hit */
    iretq
2:  pop %rax
    push $0
    push $1
    jmp entry_common

    .globl cpu_switch_stack
cpu_switch_stack:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push $1f
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    ret
1:  pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .globl cpu_stack_begin
cpu_stack_begin:
    mov %rdi, %rsp
    xor %ebp, %ebp
    call *%rsi
    ud2

/* Instructions that may fault on a user address, and where to go on then. */
    .macro may_fault instruction:vararg
6:  \instruction
    .pushsection .fixup, "a"
    .quad 6b, fault_in_copy
    .popsection
    .endm

    .set USER_END, 0x800000000000

    .globl copy_from_user
copy_from_user:
    mov %rsi, %rax
    add %rdx, %rax
    jc fault_in_copy
    mov $USER_END, %rcx
    cmp %rcx, %rax
    ja fault_in_copy
    jmp copy_bytes

    .globl copy_to_user
copy_to_user:
    mov %rdi, %rax
    add %rdx, %rax
    jc fault_in_copy
    mov $USER_END, %rcx
    cmp %rcx, %rax
    ja fault_in_copy
copy_bytes:
    mov %rdx, %rcx
    shr $3, %rcx
    may_fault rep movsq
    mov %edx, %ecx
    and $7, %ecx
    may_fault rep movsb
    mov $1, %eax
    ret

fault_in_copy:
    xor %eax, %eax
    ret

    .globl copy_string_from_user
copy_string_from_user:
    mov $USER_END, %rcx
7:  test %rdx, %rdx
    jz fault_in_copy
    cmp %rcx, %rsi
    jae fault_in_copy
    may_fault movb (%rsi), %al
    mov %al, (%rdi)
    inc %rsi
    inc %rdi
    dec %rdx
    test %al, %al
    jnz 7b
    mov $1, %eax
    ret

    .section .note.GNU-stack, "", @progbits
