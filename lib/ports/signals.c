/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signals: becoming a process late, with threads.  See ports.h, ports_signals_start.

   The C library (2.41) expects its signal thread to be the first thread that is made.  Where it is not, three things go
   wrong on more than one processor:

   - It marks each later thread as a receiver of the process's signals, so the signal thread, too: a signal that ends
     the process then makes it wait for a lock of its own, and the server, instead of dying and being missed, hangs for
     ever.  So the mark is taken from it (and from it alone: a thread that has locked its signals with the mark must
     unlock them with it).
   - It begins by making the lock of all threads' signal states anew, whoever has it or waits for it.  A thread needs it
     while it is made and begins, so none is made meanwhile (thread.c), but for those that answering the C library
     itself needs.
   - A thread without a state of its own makes one when it first needs it, perhaps in malloc, which has the heap's lock
     then; and who makes a state calls malloc.  So each thread makes its own before anything else. */

#include "ports-internal.h"

#include <hurd.h>
#include <hurd/process.h>
#include <hurd/signal.h>
#include <mach/task_special_ports.h>
#include <unistd.h>

static bool is_among(thread_t thread, const thread_t *threads, mach_msg_type_number_t count)
{
    for (mach_msg_type_number_t i = 0; i < count; i++)
        if (threads[i] == thread)
            return true;
    return false;
}

static void threads_release(thread_t *threads, mach_msg_type_number_t count)
{
    for (mach_msg_type_number_t i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), threads[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof *threads);
}

/* Takes the mark from the thread that is not among the COUNT of BEFORE and none of ours: the signal thread, which waits
   for its first message. Births are stopped. */
static void marks_take(const thread_t *before, mach_msg_type_number_t count)
{
    thread_t *after;
    mach_msg_type_number_t after_count;
    if (task_threads(mach_task_self(), &after, &after_count))
        return;
    for (mach_msg_type_number_t i = 0; i < after_count; i++)
        if (!is_among(after[i], before, count) && !thread_is_newborn(after[i]))
            _hurd_thread_sigstate(after[i])->actions[0].sa_handler = SIG_DFL;
    threads_release(after, after_count);
}

void ports_signals_start(void (*start)(void *), void *arg)
{
    thread_t *before;
    mach_msg_type_number_t count;
    thread_state_make();
    thread_births_stop();
    bool listed = task_threads(mach_task_self(), &before, &count) == KERN_SUCCESS;
    thread_births_go(false);
    start(arg);
    thread_births_stop();
    if (listed) {
        marks_take(before, count);
        threads_release(before, count);
    }
    thread_births_go(true);
    ports_sieve_install();
}

static void start_proc(void *argv)
{
    _hurd_proc_init(argv, NULL, 0);
    /* The process's own number comes with setproc only; without it, abort() would hit whoever is in its group. */
    process_t proc = getproc();
    if (setproc(proc))
        mach_port_deallocate(mach_task_self(), proc);
    else
        proc_set_arg_locations(proc, (vm_address_t)argv, (vm_address_t)environ);
}

void ports_proc_init(char **argv)
{
    ports_signals_start(start_proc, argv);
}

void ports_fault_is_death(void)
{
    task_set_special_port(mach_task_self(), TASK_EXCEPTION_PORT, MACH_PORT_NULL);
}
