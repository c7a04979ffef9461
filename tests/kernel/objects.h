/* SPDX-License-Identifier: GPL-2.0-or-later */
/* objects.h: tasks, threads and exceptions for the cases about them.  */

#ifndef TESTS_KERNEL_OBJECTS_H
#define TESTS_KERNEL_OBJECTS_H

#include "frame.h"

#include <mach/exception.h>
#include <mach/machine/exception.h>
#include <mach/task_info.h>
#include <mach/task_special_ports.h>
#include <mach/thread_info.h>
#include <mach/thread_special_ports.h>
#include <mach/thread_status.h>
#include <mach/thread_switch.h>

/* Looks every 10 ms whether COND holds, for at most 100 s; the case fails if it never does. */
#define WAIT_FOR(COND) \
    do { \
        int tries_ = 0; \
        bool holds_; \
        while (!(holds_ = (COND)) && tries_++ < 10000) \
            pause_ms(10); \
        check(__FILE__, __LINE__, #COND, holds_); \
    } while (0)

/* A few instructions under the name NAME, for a bare thread. */
#define STUB(NAME, TEXT) \
    extern const char NAME[]; \
    __asm__(".pushsection .text\n.globl " #NAME "\n.balign 16\n" #NAME ":\n" TEXT "\n.popsection\n")

/* The system call NUMBER (mach/syscall_sw.h) with up to six arguments. */
int trap_call(int number, long a, long b, long c, long d, long e, long f);
#define TRAP_3(NUMBER, A, B, C) trap_call(NUMBER, (long)(A), (long)(B), (long)(C), 0, 0, 0)
#define TRAP_1(NUMBER, A) TRAP_3(NUMBER, A, 0, 0)

int64_t time_microseconds(time_value64_t time);
/* Whether WHEN, which the kernel noted between BEFORE and AFTER (host_get_time64), says so.  Five seconds to either
   side are allowed: the time it notes is that of the last tick, which may have come late. */
bool time_is_between(time_value64_t when, time_value64_t before, time_value64_t after);

/* ---- tasks ------------------------------------------------------------------------------- */

/* A task without memory or threads; one that has ended (a dead name). */
mach_port_t task_empty(void);
mach_port_t task_dead(void);
/* Ends TASK and drops its name. */
void task_end(mach_port_t task);
struct task_basic_info task_basic(mach_port_t task);

/* ---- threads ----------------------------------------------------------------------------- */

/* A thread of this task with nothing in its registers; it does not run. */
mach_port_t thread_empty(void);
/* Ends THREAD and drops its name. */
void thread_end(mach_port_t thread);

/* A thread that runs CODE with ARGUMENT in rdi, without thread-local data: for instructions, not for C.  It does not
   run before thread_resume.  */
struct bare {
    mach_port_t task, thread;
    vm_address_t stack, top;
};
enum { BARE_STACK = 16384 };
void bare_create(struct bare *bare, mach_port_t task, const void *code, long argument);
/* The same; its exceptions come to the port that is returned. */
mach_port_t bare_create_heard(struct bare *bare, mach_port_t task, const void *code, long argument);
/* Ends it and drops its name and stack. */
void bare_end(struct bare *bare);
/* Increments the long at its argument for ever. */
extern const char stub_count[];

struct thread_basic_info thread_basic(mach_port_t thread);
struct thread_sched_info thread_sched(mach_port_t thread);
/* Until THREAD waits in the kernel; false after 100 s. */
bool thread_waits(mach_port_t thread);
struct i386_thread_state registers_get(mach_port_t thread);
kern_return_t registers_set(mach_port_t thread, const struct i386_thread_state *state);
/* Aborts what THREAD waits for and sends the thread through stub_count for a while; then it is suspended, and its
   registers are still those of the detour.  Gives those that it had where it waited. */
struct i386_thread_state detour_through_count(mach_port_t thread);

/* ---- exceptions -------------------------------------------------------------------------- */

/* What came to an exception port (exc.defs, exception_raise). */
struct raised {
    bool came;
    mach_msg_header_t header;
    int exception, code;
    long subcode;
    mach_port_t thread, task, reply;
};
/* The next one that comes to PORT, within 100 s. */
struct raised raised_receive(mach_port_t port);
/* Answers it and drops its rights. */
void raised_answer(struct raised *raised, kern_return_t result);
/* The same with another id and length of the answer. */
void raised_answer_as(struct raised *raised, mach_msg_id_t id, mach_msg_size_t size, kern_return_t result);
/* Only drops its rights: a thread that still waits for the answer goes on to the next exception port, so it is ended
   first. */
void raised_drop(struct raised *raised);
/* What a bare thread of this task that runs CODE raises; it ends afterwards. */
struct raised fault_of(const void *code, long argument);
/* The same, of the thread that BARE is; it goes on waiting for the answer. */
struct raised fault_of_thread(struct bare *bare);

#endif /* TESTS_KERNEL_OBJECTS_H */
