/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard: copying from memory that a client sent.  See ports.h, ports_copy_guarded.

   Out-of-line memory may be backed by a memory object of the client's, or by a file that has become shorter since:
   touching it may give a memory exception, which must cost the client its request and not us our life.  Servers of the
   boot have no signal thread, so this goes by Mach's own means: threads that copy have an exception port of ours; a
   thread of its own receives the exceptions, and sends whoever was inside the copy to its error exit.  Any other
   exception is left to the task's exception port.

   The copy itself is a function in assembler, so that "inside" is a range of addresses.  */

#include "ports.h"

#include <mach.h>
#include <mach/exception.h>
#include <mach/thread_status.h>
#include <mach/thread_special_ports.h>

#include "exc_S.h"

/* MIG's demultiplexer, which its header does not declare.  */
extern boolean_t exc_server(mach_msg_header_t *request, mach_msg_header_t *reply);

/* Copies; 0, or 1 when the source or the destination could not be touched.  */
int ports_guard_copy(void *to, const void *from, size_t length);
extern const char ports_guard_begin[], ports_guard_end[], ports_guard_fault[];

__asm__(".text\n"
        ".globl ports_guard_copy, ports_guard_begin, ports_guard_end, ports_guard_fault\n"
        ".type ports_guard_copy, @function\n"
        "ports_guard_copy:\n"
        "    movq %rdx, %rcx\n"
        "    shrq $3, %rcx\n"
        "    andl $7, %edx\n"
        "    cld\n"
        "ports_guard_begin:\n"
        "    rep movsq\n"
        "    movl %edx, %ecx\n"
        "    rep movsb\n"
        "ports_guard_end:\n"
        "    xorl %eax, %eax\n"
        "    ret\n"
        "ports_guard_fault:\n"
        "    movl $1, %eax\n"
        "    ret\n"
        ".size ports_guard_copy, . - ports_guard_copy\n");

static pthread_once_t guard_once = PTHREAD_ONCE_INIT;
static mach_port_t guard_port;           /* receive and send right; constant after guard_once */
static error_t guard_error;              /* why there is none; constant after guard_once */
static __thread bool thread_guarded;

kern_return_t catch_exception_raise(mach_port_t port, mach_port_t thread, mach_port_t task, integer_t exception,
                                    integer_t code, rpc_long_integer_t subcode)
{
    (void)port, (void)code, (void)subcode;
    struct i386_thread_state state;
    mach_msg_type_number_t count = i386_THREAD_STATE_COUNT;
    kern_return_t kr = task == mach_task_self() && exception == EXC_BAD_ACCESS ? 0 : KERN_FAILURE;
    if (!kr)
        kr = thread_get_state(thread, i386_THREAD_STATE, (thread_state_t)&state, &count);
    if (!kr && (state.rip < (uintptr_t)ports_guard_begin || state.rip >= (uintptr_t)ports_guard_end))
        kr = KERN_FAILURE;
    if (!kr) {
        state.rip = (uintptr_t)ports_guard_fault;
        kr = thread_set_state(thread, i386_THREAD_STATE, (thread_state_t)&state, count);
    }
    if (!kr) { /* what an error refuses mach_msg_server releases */
        mach_port_deallocate(mach_task_self(), thread);
        mach_port_deallocate(mach_task_self(), task);
    }
    return kr;
}

static void *guard_main(void *arg)
{
    for (;;)
        (void)mach_msg_server(exc_server, 1024, guard_port);
    return arg;
}

static void guard_start(void)
{
    guard_error = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &guard_port);
    if (!guard_error)
        guard_error = mach_port_insert_right(mach_task_self(), guard_port, guard_port, MACH_MSG_TYPE_MAKE_SEND);
    if (!guard_error)
        guard_error = ports_thread_create(0, guard_main, NULL);
}

/* The calling thread's exceptions go to the guard first. */
static error_t thread_guard(void)
{
    pthread_once(&guard_once, guard_start);
    if (guard_error)
        return guard_error;
    mach_port_t self = mach_thread_self();
    kern_return_t kr = thread_set_special_port(self, THREAD_EXCEPTION_PORT, guard_port);
    mach_port_deallocate(mach_task_self(), self);
    thread_guarded = kr == 0;
    return kr;
}

error_t ports_copy_guarded(void *to, const void *from, size_t length)
{
    error_t err = __builtin_expect(thread_guarded, 1) ? 0 : thread_guard();
    if (err)
        return err;
    return ports_guard_copy(to, from, length) ? EFAULT : 0;
}
