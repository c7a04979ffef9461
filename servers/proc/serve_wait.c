/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_wait.c: exits, stops, and waiting for them; stopping all threads of a task but one. */

#include <mach/mig_errors.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "interrupt_S.h"
#include "process_S.h"
#include "server.h"

static kern_return_t wait_serve(pcall_t call, mach_port_t reply, mach_msg_type_name_t reply_type, bool waitid,
                                pid_t pid, int options, struct wait_result *result)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    error_t err = process_wait(p, pid, options, result);
    if (err != EAGAIN || (options & WNOHANG))
        return call_leave(err);
    if (ports_self_interrupted())
        return call_leave(EINTR);
    /* Only such an answer never waits for room in a queue: it is sent with the lock held. */
    if (reply_type != MACH_MSG_TYPE_MOVE_SEND_ONCE)
        return call_leave(EINVAL);
    struct waiter *waiter = malloc(sizeof *waiter);
    if (!waiter)
        return call_leave(ENOMEM);
    *waiter = (struct waiter){.reply = reply, .reply_type = reply_type, .caller = p, .kind = WAIT_CHILD,
                              .waitid = waitid, .pid = pid, .options = options};
    process_wait_add(p, waiter);
    list_add(&p->asks, &waiter->caller_link);
    return call_leave(MIG_NO_REPLY);
}

kern_return_t S_proc_wait(pcall_t call, mach_port_t reply, mach_msg_type_name_t reply_type, pid_t pid, int options,
                          int *status, int *sigcode, rusage_t *usage, pid_t *pid_status)
{
    struct wait_result result;
    kern_return_t err = wait_serve(call, reply, reply_type, false, pid, options | WEXITED, &result);
    if (!err) {
        *status = result.status;
        *sigcode = result.sigcode;
        *usage = result.usage;
        *pid_status = result.pid;
    }
    return err;
}

kern_return_t S_proc_waitid(pcall_t call, mach_port_t reply, mach_msg_type_name_t reply_type, pid_t pid, int options,
                            int *status, int *sigcode, rusage_t *usage, pid_t *pid_status)
{
    struct wait_result result;
    if (!(options & (WEXITED | WUNTRACED | WCONTINUED)))
        return EINVAL;
    kern_return_t err = wait_serve(call, reply, reply_type, true, pid, options, &result);
    if (!err) {
        *status = result.status;
        *sigcode = result.sigcode;
        *usage = result.usage;
        *pid_status = result.pid;
    }
    return err;
}

/* What the caller waits for ends with EINTR: both what is put aside, and the calls that other threads handle right
   now. */
kern_return_t S_interrupt_operation(pcall_t call, mach_port_seqno_t seqno)
{
    (void)seqno;
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    process_waits_cancel(p, EINTR);
    call_leave(0);
    ports_object_interrupt(call);
    return 0;
}

static struct timeval timeval_of(rpc_time_value_t t)
{
    return (struct timeval){.tv_sec = t.seconds, .tv_usec = t.microseconds};
}

/* What the task has used, all threads; zeroes if it cannot be told. */
static void usage_sample(mach_port_t task, struct rusage *usage)
{
    struct task_basic_info basic;
    struct task_thread_times_info times;
    mach_msg_type_number_t count = TASK_BASIC_INFO_COUNT;
    *usage = (struct rusage){0};
    if (task_info(task, TASK_BASIC_INFO, (task_info_t)&basic, &count))
        return;
    count = TASK_THREAD_TIMES_INFO_COUNT;
    if (task_info(task, TASK_THREAD_TIMES_INFO, (task_info_t)&times, &count))
        return;
    struct rusage live = {.ru_utime = timeval_of(times.user_time), .ru_stime = timeval_of(times.system_time)};
    usage->ru_utime = timeval_of(basic.user_time);
    usage->ru_stime = timeval_of(basic.system_time);
    usage->ru_maxrss = basic.resident_size / 1024;
    rusage_add(usage, &live);
}

kern_return_t S_proc_mark_exit(pcall_t call, int status, int sigcode)
{
    struct rusage usage;
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    usage_sample(p->task, &usage);
    return call_leave(process_mark_exit(p, status, sigcode, &usage));
}

kern_return_t S_proc_mark_stop(pcall_t call, int signo, int sigcode)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (signo <= 0 || signo >= NSIG)
        return call_leave(EINVAL);
    process_mark_stop(p, signo, sigcode);
    return call_leave(0);
}

kern_return_t S_proc_mark_cont(pcall_t call)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    process_mark_cont(p);
    return call_leave(0);
}

kern_return_t S_proc_getchildren_rusage(pcall_t call, rusage_t *usage)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    *usage = p->children_usage;
    return call_leave(0);
}

/* Whether a thread of this kernel's stops where it waits for a page, as in GNU Mach: it keeps a page of its own that is
   busy meanwhile in its mapping's object, and whoever stopped it waits for ever for that page.  The C library's fork
   knows it, and aborts its signal thread when it has stopped it; but the page may be the very one that its instructions
   lie in, since both threads come back from the same system call. */
static bool kernel_stops_in_faults(void)
{
    static atomic_int known;            /* 1: no, 2: yes */
    int value = atomic_load_explicit(&known, memory_order_relaxed);
    if (!value) {
        kernel_version_t version = "";
        value = host_get_kernel_version(mach_host_self(), version) || strncmp(version, "Quadrille", 9) ? 2 : 1;
        atomic_store_explicit(&known, value, memory_order_relaxed);
    }
    return value == 2;
}

/* Stops TASK's threads but KEEP, which its caller is; *KEPT: how many references to that have been gained.  The task is
   suspended meanwhile, so that no thread is made. */
static error_t task_stop_others(mach_port_t task, mach_port_t keep, int *kept)
{
    thread_t *threads;
    mach_msg_type_number_t count;
    error_t err = task_suspend(task);
    if (err)
        return err;
    err = task_threads(task, &threads, &count);
    if (!err) {
        for (mach_msg_type_number_t i = 0; i < count; i++) {
            if (threads[i] == keep) {
                ++*kept;
                continue;
            }
            thread_suspend(threads[i]);
            if (count == 2 && kernel_stops_in_faults())
                thread_abort(threads[i]);       /* the signal thread, which takes no harm; who has more threads waits in
                                                   more ways */
            mach_port_deallocate(mach_task_self(), threads[i]);
        }
        vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof *threads);
    }
    task_resume(task);
    return err;
}

kern_return_t S_proc_dostop(pcall_t call, mach_port_t keep)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    mach_port_t task = task_ref(p);
    int kept = 0;
    call_leave(0);
    /* We ourselves are ending: the thread that answers must go on. */
    error_t err = !task ? ESRCH : task == mach_task_self() ? 0 : task_stop_others(task, keep, &kept);
    task_unref(task);
    if (!err && MACH_PORT_VALID(keep))
        kept++;     /* the request's */
    if (kept && mach_port_mod_refs(mach_task_self(), keep, MACH_PORT_RIGHT_SEND, -kept))
        mach_port_mod_refs(mach_task_self(), keep, MACH_PORT_RIGHT_DEAD_NAME, -kept);
    return err;
}
