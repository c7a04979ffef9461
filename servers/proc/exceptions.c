/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exceptions.c: faults of signal threads (proc_handle_exceptions).

   A thread that handles signals cannot be sent its own faults as signals.  So its exceptions come here; the message
   goes on to a port of the task, and the thread is set to code that receives it there and recovers.  If that port has
   no room, the recovery itself has failed, and the task ends.

   Every program gives us such a port when it starts and nearly none ever sends to it.  So these ports are no objects of
   the bucket, which would cost several calls of the kernel each, but bare rights in a port set of their own, with a
   thread of its own.  */

#include <mach/mig_errors.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "exc_catch_S.h"
#include "exc_forward_U.h"
#include "process_S.h"
#include "server.h"

enum { MESSAGE_MAX = 1024 };

struct exceptions {
    struct hash_link link;          /* key: the name of the receive right, owned; proc_lock */
    struct process *process;        /* constant */
    mach_port_t forward;            /* send right, owned; constant */
    int flavor;                     /* constant */
    mach_msg_type_number_t count;   /* constant */
    natural_t state[];              /* constant: the thread's state after an exception */
};

static struct hash_table table;     /* proc_lock */
static mach_port_t set;             /* port set; MACH_PORT_NULL before the first is wanted; proc_lock */

void exceptions_release(struct process *p)
{
    struct exceptions *e = p->exceptions;
    if (!e)
        return;
    p->exceptions = NULL;
    hash_remove(&table, &e->link);
    mach_port_mod_refs(mach_task_self(), e->link.key, MACH_PORT_RIGHT_RECEIVE, -1);
    mach_port_deallocate(mach_task_self(), e->forward);
    free(e);
}

/* The thread cannot be helped. */
static void exceptions_kill(struct process *p, mach_port_t task)
{
    static const struct rusage nothing;
    process_mark_exit(p, W_EXITCODE(0, SIGSEGV), 0, &nothing);
    task_terminate(task);
}

/* Is THREAD one of TASK's?  The sender of the message may have made it up, and not answer. */
static bool thread_is_of(mach_port_t thread, mach_port_t task)
{
    thread_t *threads;
    mach_msg_type_number_t count;
    bool found = false;
    if (task_threads(task, &threads, &count))
        return false;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        found = found || threads[i] == thread;
        mach_port_deallocate(mach_task_self(), threads[i]);
    }
    vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof *threads);
    return found;
}

kern_return_t S_exception_raise(mach_port_t port, mach_port_t reply, mach_msg_type_name_t reply_type,
                                mach_port_t thread, mach_port_t task, int exception, int code,
                                rpc_long_integer_t subcode)
{
    pthread_mutex_lock(&proc_lock);
    struct exceptions *e = (struct exceptions *)hash_find(&table, port);
    /* Anybody who has the port can send such a message: only the process's own task may be meant. */
    if (!e || e->process->task != task || !thread_is_of(thread, task)) {
        pthread_mutex_unlock(&proc_lock);
        return KERN_INVALID_ARGUMENT;
    }
    error_t err = exception_forward(e->forward, reply, reply_type, thread, task, exception, code, subcode);
    if (!err)   /* REPLY has gone in any case */
        err = thread_set_state(thread, e->flavor, e->state, e->count);
    if (err)
        exceptions_kill(e->process, task);
    pthread_mutex_unlock(&proc_lock);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), task);
    return MIG_NO_REPLY;
}

/* MIG's dispatcher, which its header leaves out. */
extern boolean_t exc_catch_server(mach_msg_header_t *request, mach_msg_header_t *reply);

/* The C library's loop would release what a refused message carries by lengths of 32 bits.  */
static boolean_t exception_message(mach_msg_header_t *request, mach_msg_header_t *reply)
{
    boolean_t known = exc_catch_server(request, reply);
    kern_return_t result = ((mig_reply_header_t *)reply)->RetCode;
    if (result != KERN_SUCCESS && result != MIG_NO_REPLY) {
        ports_message_destroy(request, false);
        request->msgh_bits &= ~MACH_MSGH_BITS_COMPLEX;
    }
    return known;
}

static void *exceptions_loop(void *arg)
{
    (void)arg;
    for (;;)
        mach_msg_server(exception_message, MESSAGE_MAX, set);
    return NULL;
}

static error_t exceptions_start(void)
{
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set);
    if (err)
        return err;
    err = ports_thread_create(0, exceptions_loop, NULL);
    if (err) {
        mach_port_mod_refs(mach_task_self(), set, MACH_PORT_RIGHT_PORT_SET, -1);
        set = MACH_PORT_NULL;
    }
    return err;
}

kern_return_t S_proc_handle_exceptions(pcall_t call, mach_port_t receive, mach_port_t forward, int flavor,
                                       const thread_state_t state, mach_msg_type_number_t count)
{
    /* What came here would go back here, again and again, if they were the same. */
    if (!MACH_PORT_VALID(receive) || !MACH_PORT_VALID(forward) || forward == receive)
        return EINVAL;
    struct exceptions *e = malloc(sizeof *e + count * sizeof *state);
    if (!e)
        return ENOMEM;
    struct process *p = call_enter(call);
    if (!p) {
        free(e);
        return call_refuse(call);
    }
    error_t err = set ? 0 : exceptions_start();
    if (!err)
        err = hash_add(&table, &e->link, receive);
    if (!err) {
        err = mach_port_move_member(mach_task_self(), receive, set);
        if (err)
            hash_remove(&table, &e->link);
    }
    if (err) {
        free(e);
        return call_leave(err);
    }
    exceptions_release(p);
    e->process = p;
    e->forward = forward;
    e->flavor = flavor;
    e->count = count;
    memcpy(e->state, state, count * sizeof *state);
    p->exceptions = e;
    return call_leave(0);
}
