/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads and the task that the benchmark works with. */

#include <stdint.h>

#include <mach/machine/thread_status.h>
#include <mach/mach4.h>

#include "bench.h"

#define STACK_SIZE (64 << 10)
#define STACKS 8

task_t partner_task;
/* Each in this task and, at the same address, in the copy. */
static char stacks[STACKS][STACK_SIZE] __attribute__((aligned(4096)));
static unsigned int stacks_used;

void partner_init(void)
{
    must(task_create(mach_task_self(), TRUE, &partner_task), "task_create");
}

static uint64_t own_fs_base(void)
{
    uint64_t base;
    __asm__("movq %%fs:0, %0" : "=r"(base)); /* the thread control block begins with its own address */
    return base;
}

thread_t partner_start(task_t task, void (*start)(void *argument), void *argument)
{
    struct i386_fsgs_base_state bases = {.fs_base = own_fs_base()};
    struct i386_thread_state state;
    mach_msg_type_number_t count = i386_THREAD_STATE_COUNT;
    thread_t thread;
    char *top = stacks[stacks_used++] + STACK_SIZE;
    must(thread_create(task, &thread), "thread_create");
    must(thread_get_state(thread, i386_THREAD_STATE, (thread_state_t)&state, &count), "thread_get_state");
    state.rip = (uint64_t)start;
    state.rdi = (uint64_t)argument;
    state.ursp = (uint64_t)top - 8;
    must(thread_set_state(thread, i386_THREAD_STATE, (thread_state_t)&state, count), "thread_set_state");
    must(thread_set_state(thread, i386_FSGS_BASE_STATE, (thread_state_t)&bases, i386_FSGS_BASE_STATE_COUNT),
         "thread_set_state");
    must(thread_resume(thread), "thread_resume");
    return thread;
}

mach_port_t partner_port(task_t task)
{
    mach_port_t port;
    must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port), "mach_port_allocate");
    must(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND), "mach_port_insert_right");
    if (task != mach_task_self())
        must(mach_port_insert_right(task, port, port, MACH_MSG_TYPE_MOVE_RECEIVE), "mach_port_insert_right");
    return port;
}

void partner_give(mach_port_t port)
{
    must(mach_port_insert_right(partner_task, port, port, MACH_MSG_TYPE_COPY_SEND), "mach_port_insert_right");
}

void partner_copy(const void *where, size_t size)
{
    vm_address_t start = (vm_address_t)where & ~(PAGE - 1), end = ((vm_address_t)where + size + PAGE - 1) & ~(PAGE - 1);
    must(vm_write(partner_task, start, start, (mach_msg_type_number_t)(end - start)), "vm_write");
}
