/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signals: becoming a process late, with threads.  See ports.h, ports_signals_start.

   The C library (2.41) expects its signal thread to be the first thread that is made, and marks every later one as a receiver of the process's
   signals.  In a server that makes threads before it has a process port the signal thread would be marked too: a signal that ends the
   process then makes it wait for a lock of its own, and the server, instead of dying and being missed, hangs for ever.  So the mark is taken
   from it.  */

#include "ports.h"

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

void ports_signals_start(void (*start)(void *), void *arg)
{
    thread_t *before, *after;
    mach_msg_type_number_t before_count, after_count;
    if (task_threads(mach_task_self(), &before, &before_count)) {
        start(arg);
        ports_sieve_install();
        return;
    }
    start(arg);
    if (!task_threads(mach_task_self(), &after, &after_count)) {
        /* Others that were made meanwhile lose nothing: signals go to those that were there before. */
        for (mach_msg_type_number_t i = 0; i < after_count; i++)
            if (!is_among(after[i], before, before_count))
                _hurd_thread_sigstate(after[i])->actions[0].sa_handler = SIG_DFL;
        threads_release(after, after_count);
    }
    threads_release(before, before_count);
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
