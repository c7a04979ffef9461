/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h: what the message side of proc shares: process ports, the lock, and who needs whom.

   Each process has a `struct proc_port`, the object behind the port that it speaks to proc on.  Objects and processes
   point at each other under proc_lock; a port whose process is gone answers ESRCH.  Reassigning a process to another
   task exchanges the objects, so that only the new task's right speaks for it.

   Lock order: proc_lock, then nothing.  No message that could block is sent with it held.  */

#ifndef PROC_SERVER_H
#define PROC_SERVER_H

#include <hurd/hurd_types.h>
#include <ports/ports.h>
#include <pthread.h>

#include "effects.h"
#include "process.h"

struct reauth;

struct proc_port {
    struct ports_object port;
    struct process *process;   /* NULL: gone; proc_lock */
    struct reauth *reauth;     /* this is the new port of a process that reauthenticates; proc_lock */
};
typedef struct proc_port *pcall_t;

extern struct ports_class proc_port_class;
PORTS_MIG_HOOKS(pcall, struct proc_port, &proc_port_class)

extern struct ports_bucket *proc_bucket;
extern pthread_mutex_t proc_lock;
extern mach_port_t proc_host_priv;      /* constant after start */
extern mach_port_t proc_device_master;  /* constant after start */
extern mach_port_t proc_auth;           /* constant after start; the auth server */

/* reauth.c: CALL is the new port of a process that reauthenticates: makes the change. NULL if it could not be made. */
struct process *reauth_accept(pcall_t call);

/* Takes the lock and gives the caller's process; NULL (and no lock) if CALL has none any more. */
static inline struct process *call_enter(pcall_t call)
{
    if (!call)
        return NULL;
    pthread_mutex_lock(&proc_lock);
    struct process *process = call->process;
    if (__builtin_expect(call->reauth != NULL, 0))
        process = reauth_accept(call);
    if (process)
        return process;
    pthread_mutex_unlock(&proc_lock);
    return NULL;
}
/* Gives the lock up and returns ERR. */
static inline kern_return_t call_leave(kern_return_t err)
{
    pthread_mutex_unlock(&proc_lock);
    return err;
}
/* What a routine answers when call_enter gave NULL. */
static inline kern_return_t call_refuse(pcall_t call)
{
    return call ? ESRCH : EOPNOTSUPP;
}
/* The process PID, or the caller's own for 0; NULL: none. */
static inline struct process *call_find(struct process *caller, pid_t pid)
{
    return pid ? process_lookup(pid) : caller;
}
/* call_enter for a routine about the process PID: ESRCH, and no lock, if there is none. */
static inline kern_return_t call_enter_about(pcall_t call, pid_t pid, struct process **caller, struct process **other)
{
    *caller = call_enter(call);
    if (*caller == NULL)
        return call_refuse(call);
    *other = call_find(*caller, pid);
    return *other ? 0 : call_leave(ESRCH);
}

/* tasks.c: tasks as the kernel shows them */
extern const struct ports_class_ops tasks_class_ops;
/* Learns of the tasks that exist, and asks the kernel to tell of new ones. STARTUP_TASK becomes pid 2's. */
error_t tasks_start(struct process *startup, mach_port_t startup_task);
/* The process of TASK, a right that came in a message and is consumed on success; made if it is new.  ESRCH: TASK is
   dead or not a task's port; ENOMEM. */
error_t task_find(mach_port_t task, struct process **process);
/* As task_find, but ESRCH if the process is not known. */
error_t task_lookup(mach_port_t task, struct process **process);
/* Makes the server's part of a process just created. */
error_t process_equip(struct process *process);
/* Ends PROCESS's task and takes it from it, without waiting for its death. */
void task_end(struct process *process);
/* PROCESS, whose old task has been ended, gets STUB's task and port; STUB is gone. */
void process_reassign(struct process *process, struct process *stub);

/* The name of the port where the kernel's notices arrive, for requests of them. */
mach_port_t tasks_notify_name(void);

/* effects.c */
/* PROCESS's message port is NEW (its right is consumed; MACH_PORT_NULL: it has none) from now on.  Gives the old one,
   with its right. */
mach_port_t msgport_replace(struct process *process, mach_port_t new);
/* Sends PROCESS what it has not been told yet. */
void notices_send_pending(struct process *process);
/* The kernel's notices that a message port has room again, as an interface of the port of tasks_notify_name. */
mig_routine_t notices_accepted_routine(const mach_msg_header_t *request);

/* reauth.c */
void reauth_release(struct process *process);
/* exceptions.c */
void exceptions_release(struct process *process);
/* inspect.c */
/* The strings of the vector at VECTOR in TASK's memory, as memory_collect gives them.  ETIMEDOUT: that memory does not
   come; EBUSY: nor did it for those who asked before; EINTR: the caller's client has given up. */
error_t inspect_strings(mach_port_t task, uint64_t vector, char **data, size_t *length);
/* Gives up UREFS references to NAME, a send right or a dead one that answers under way may carry by name: a while from
   now.  proc_lock. */
void name_release_late(mach_port_t name, unsigned urefs);

/* A reference to PROCESS's task, for use without the lock, to be given back with task_unref; MACH_PORT_NULL if it has
   none. */
mach_port_t task_ref(struct process *process);
/* Gives it back; the lock is not held.  MACH_PORT_NULL is no task. */
void task_unref(mach_port_t task);

extern struct ports_class reauth_class;
extern struct ports_class tasks_class;

#endif
