/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exceptions.c: faults of signal threads (proc_handle_exceptions).

   A thread that handles signals cannot be sent its own faults as signals.  So its exceptions come here; the message goes on to a
   port of the task, and the thread is set to code that receives it there and recovers.  If that port has no room, the
   recovery itself has failed, and the task ends. */

#include <mach/mig_errors.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "exc_catch_S.h"
#include "exc_forward_U.h"
#include "exceptions.h"
#include "process_S.h"

static void exceptions_destroy(struct ports_object *object)
{
    struct exceptions *e = (struct exceptions *)object;
    if (e->forward)
        mach_port_deallocate(mach_task_self(), e->forward);
    free(e->state);
}

static const ports_interface_t exceptions_interfaces[] = {exc_catch_server_routine, NULL};
static const struct ports_class_ops exceptions_class_ops = {
    .name = "signal thread's exceptions",
    .size = sizeof(struct exceptions),
    .interfaces = exceptions_interfaces,
    .destroy = exceptions_destroy,
};
struct ports_class exceptions_class = PORTS_CLASS(exceptions_class_ops);

void exceptions_release(struct process *p)
{
    struct exceptions *e = p->exceptions;
    if (!e)
        return;
    p->exceptions = NULL;
    e->process = NULL;
    ports_object_destroy_right(e);
    ports_object_deref(e);
}

kern_return_t S_proc_handle_exceptions(pcall_t call, mach_port_t receive, mach_port_t forward, int flavor,
                                       const thread_state_t state, mach_msg_type_number_t count)
{
    struct exceptions *e;
    natural_t *copy = malloc(count * sizeof *copy);
    if (!copy)
        return ENOMEM;
    memcpy(copy, state, count * sizeof *copy);
    struct process *p = call_enter(call);
    error_t err = p ? ports_object_import(&exceptions_class, proc_bucket, receive, &e) : call_refuse(call);
    if (err) {
        free(copy);
        return p ? call_leave(err) : err;
    }
    exceptions_release(p);
    e->process = p;
    e->forward = forward;
    e->flavor = flavor;
    e->count = count;
    e->state = copy;
    p->exceptions = e;
    return call_leave(0);
}

/* The thread cannot be helped. */
static void exceptions_kill(struct exceptions *e, mach_port_t task)
{
    static const struct rusage nothing;
    pthread_mutex_lock(&proc_lock);
    if (e->process)
        process_mark_exit(e->process, W_EXITCODE(0, SIGSEGV), 0, &nothing);
    pthread_mutex_unlock(&proc_lock);
    task_terminate(task);
}

kern_return_t S_exception_raise(struct exceptions *e, mach_port_t reply, mach_msg_type_name_t reply_type, mach_port_t thread,
                                mach_port_t task, int exception, int code, rpc_long_integer_t subcode)
{
    if (!e)
        return EOPNOTSUPP;
    pthread_mutex_lock(&proc_lock);
    /* Anybody who has the port can send such a message: only the process's own task may be meant. */
    bool own = e->process && e->process->task == task;
    pthread_mutex_unlock(&proc_lock);
    if (!own)
        return KERN_INVALID_ARGUMENT;
    error_t err = exception_forward(e->forward, reply, reply_type, thread, task, exception, code, subcode);
    if (!err)
        err = thread_set_state(thread, e->flavor, e->state, e->count);
    else if (MACH_PORT_VALID(reply))
        mach_port_deallocate(mach_task_self(), reply);
    if (err)
        exceptions_kill(e, task);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), task);
    return MIG_NO_REPLY;
}
