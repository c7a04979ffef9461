/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wreck PID: makes the first thread of a process fault, as a bug in it would: its program counter is set to nowhere. */

#include <hurd.h>
#include <hurd/process.h>
#include <mach.h>
#include <mach/thread_status.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    task_t task;
    thread_t *threads;
    mach_msg_type_number_t count, size = i386_THREAD_STATE_COUNT;
    struct i386_thread_state state;

    if (argc != 2 || proc_pid2task(getproc(), atoi(argv[1]), &task) || task_threads(task, &threads, &count) ||
        count == 0)
        return 1;
    thread_t thread = threads[0]; /* the last one may be the C library's for signals, without which nobody hears of the
                                     fault */
    if (thread_suspend(thread) || thread_abort(thread)
        || thread_get_state(thread, i386_THREAD_STATE, (thread_state_t) &state, &size))
        return 2;
    state.rip = 0x10;
    if (thread_set_state(thread, i386_THREAD_STATE, (thread_state_t) &state, size))
        return 3;
    puts("wrecked");
    fflush(stdout);
    return thread_resume(thread) != 0;
}
