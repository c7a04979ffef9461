/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads made by the kernel's calls alone (thread_start.h). */

#include "thread_start.h"

#include <elf.h>
#include <mach/machine/thread_status.h>
#include <mach/mig_support.h>
#include <stdint.h>
#include <string.h>

/* An area: the stack below, thread-local data and the C library's thread control block in the last page's pages. */
#define STACK_SIZE (64ul << 10)
#define TLS_SIZE (16ul << 10)
#define CONTROL_SIZE 2048ul
#define REPLY_PORT_OFFSET 128 /* in glibc's tcbhead_t for x86_64-gnu (sysdeps/mach/hurd/x86_64/tls.h) */

extern const Elf64_Ehdr __ehdr_start;

static char *control_block(void *area)
{
    return (char *)area + STACK_SIZE + TLS_SIZE - CONTROL_SIZE;
}

static char *control_block_own(void)
{
    char *own;
    __asm__("mov %%fs:0, %0" : "=r"(own));
    return own;
}

static size_t tls_size(void)
{
    const Elf64_Phdr *header = (const Elf64_Phdr *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
    for (unsigned int i = 0; i < __ehdr_start.e_phnum; i++)
        if (header[i].p_type == PT_TLS)
            return (header[i].p_memsz + header[i].p_align - 1) & -header[i].p_align;
    return 0;
}

static mach_port_t *reply_port(char *block)
{
    return (mach_port_t *)(block + REPLY_PORT_OFFSET);
}

void *thread_area_create(void)
{
    vm_address_t area = 0;
    mach_port_t own = mig_get_reply_port();
    char *from = control_block_own();
    if (*reply_port(from) != own || tls_size() > TLS_SIZE - CONTROL_SIZE ||
        vm_allocate(mach_task_self(), &area, STACK_SIZE + TLS_SIZE, TRUE))
        __builtin_trap();
    char *to = control_block((void *)area);
    memcpy(to - tls_size(), from - tls_size(), tls_size() + 256);
    *(char **)to = to;
    *reply_port(to) = MACH_PORT_NULL;
    return (void *)area;
}

void thread_area_destroy(void *area)
{
    vm_deallocate(mach_task_self(), (vm_address_t)area, STACK_SIZE + TLS_SIZE);
}

mach_port_t thread_area_reply_port(void *area)
{
    return *reply_port(control_block(area));
}

kern_return_t thread_area_start(mach_port_t thread, void *area, void (*entry)(void *, void *), void *first,
                                void *second)
{
    struct i386_thread_state state;
    mach_msg_type_number_t count = i386_THREAD_STATE_COUNT;
    kern_return_t kr = thread_get_state(thread, i386_REGS_SEGS_STATE, (thread_state_t)&state, &count);
    if (kr)
        return kr;
    state.rip = (uintptr_t)entry;
    state.ursp = (uintptr_t)area + STACK_SIZE - 8; /* as after a call */
    state.rdi = (uintptr_t)first;
    state.rsi = (uintptr_t)second;
    kr = thread_set_state(thread, i386_REGS_SEGS_STATE, (thread_state_t)&state, count);
    if (kr)
        return kr;
    struct i386_fsgs_base_state bases = {.fs_base = (uintptr_t)control_block(area)};
    return thread_set_state(thread, i386_FSGS_BASE_STATE, (thread_state_t)&bases, i386_FSGS_BASE_STATE_COUNT);
}
