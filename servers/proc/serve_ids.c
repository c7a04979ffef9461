/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_ids.c: process numbers, tasks and process ports of each other, message ports, parenthood and marks. */

#include <mach/mig_errors.h>
#include <signal.h>
#include <stdlib.h>

#include "process_S.h"
#include "server.h"

kern_return_t S_proc_getpids(pcall_t call, pid_t *pid, pid_t *ppid, int *orphaned)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    *pid = p->pid;
    *ppid = p->parent ? p->parent->pid : p->pid;
    *orphaned = pgrp_orphaned(p->pgrp);
    p->told_ids = true;
    return call_leave(0);
}

kern_return_t S_proc_pid2task(pcall_t call, pid_t pid, mach_port_t *task)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, pid, &p, &other);
    if (err)
        return err;
    if (!process_owns(p, other))
        return call_leave(EPERM);
    *task = other->task;
    return call_leave(0);
}

kern_return_t S_proc_task2pid(pcall_t call, mach_port_t task, pid_t *pid)
{
    struct process *p = call_enter(call), *other;
    if (!p)
        return call_refuse(call);
    error_t err = task_find(task, &other);
    if (!err)
        *pid = other->pid;
    return call_leave(err);
}

/* The port of P as an answer.  The right is made here: the name alone could stand for another process when the answer
   is sent. */
static error_t answer_process(struct process *p, mach_port_t *proc, mach_msg_type_name_t *proc_type)
{
    *proc = p->port ? ports_object_send_right(p->port) : MACH_PORT_NULL;
    *proc_type = MACH_MSG_TYPE_MOVE_SEND;
    return *proc == MACH_PORT_NULL ? ESRCH : 0;
}

kern_return_t S_proc_task2proc(pcall_t call, mach_port_t task, mach_port_t *proc, mach_msg_type_name_t *proc_type)
{
    struct process *p = call_enter(call), *other;
    if (!p)
        return call_refuse(call);
    error_t err = task_find(task, &other);
    if (!err)
        err = answer_process(other, proc, proc_type);
    return call_leave(err);
}

kern_return_t S_proc_proc2task(pcall_t call, mach_port_t *task)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    *task = p->task;
    return call_leave(0);
}

kern_return_t S_proc_pid2proc(pcall_t call, pid_t pid, mach_port_t *proc, mach_msg_type_name_t *proc_type)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, pid, &p, &other);
    if (err)
        return err;
    if (other->dead || !other->port)
        return call_leave(ESRCH);
    if (!process_owns(p, other))
        return call_leave(EPERM);
    return call_leave(answer_process(other, proc, proc_type));
}

kern_return_t S_proc_child(pcall_t call, mach_port_t task)
{
    struct process *p = call_enter(call), *child;
    if (!p)
        return call_refuse(call);
    child = MACH_PORT_VALID(task) ? process_lookup_task(task) : NULL;
    if (!child) {
        /* The caller is faster than the kernel's notice. Nothing can speak against adopting a new one. */
        error_t err = task_find(task, &child);
        return call_leave(err ? err : process_adopt(p, child));
    }
    error_t err = process_adopt(p, child);
    if (!err)
        task_lookup(task, &child);  /* the request's right is ours now */
    return call_leave(err);
}

kern_return_t S_proc_setmsgport(pcall_t call, mach_port_t reply, mach_msg_type_name_t reply_type, mach_port_t new,
                                mach_port_t *old, mach_msg_type_name_t *old_type)
{
    struct process *p = call_enter(call);
    (void)reply, (void)reply_type;
    if (!p)
        return call_refuse(call);
    *old = msgport_replace(p, MACH_PORT_VALID(new) ? new : MACH_PORT_NULL);
    *old_type = MACH_MSG_TYPE_MOVE_SEND;
    if (p->msgport) {
        notices_send_pending(p);
        process_msgport_run(p, 0);
    }
    return call_leave(0);
}

/* A process that is being born or executes a program has no message port now but soon will. */
static bool msgport_to_come(struct process *p)
{
    if (p->msgport && (ports_name_type(p->msgport) & MACH_PORT_TYPE_SEND))
        return false;
    mach_port_t dead = msgport_replace(p, MACH_PORT_NULL);
    if (dead)
        name_release_late(dead, 1);
    return p->adopted && !p->dead && !p->exiting && !p->important;
}

kern_return_t S_proc_getmsgport(pcall_t call, mach_port_t reply, mach_msg_type_name_t reply_type, pid_t pid,
                                mach_port_t *msgport, mach_msg_type_name_t *msgport_type)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, pid, &p, &other);
    if (err)
        return err;
    if (other->dead && !other->task && other != process_init())
        return call_leave(ESRCH);
    if (!msgport_to_come(other)) {
        *msgport = other->msgport;
        *msgport_type = MACH_MSG_TYPE_COPY_SEND;
        return call_leave(0);
    }
    if (reply_type != MACH_MSG_TYPE_MOVE_SEND_ONCE)
        return call_leave(EINVAL);  /* as proc_wait */
    struct waiter *waiter = malloc(sizeof *waiter);
    if (!waiter)
        return call_leave(ENOMEM);
    *waiter = (struct waiter){.reply = reply, .reply_type = reply_type, .caller = p, .kind = WAIT_MSGPORT, .pid = pid};
    list_add(&other->msgport_waiters, &waiter->link);
    list_add(&p->asks, &waiter->caller_link);
    return call_leave(MIG_NO_REPLY);
}

kern_return_t S_proc_reassign(pcall_t call, mach_port_t task)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    struct process *stub = MACH_PORT_VALID(task) ? process_lookup_task(task) : NULL;
    bool fresh = !stub;
    if (fresh) {
        /* exec is faster than the kernel's notice. */
        error_t err = task_find(task, &stub);
        if (err)
            return call_leave(err);
    }
    if (process_is_below(p, stub) || stub->adopted || stub->important || !stub->port)
        return call_leave(EINVAL);
    if (!fresh)
        task_lookup(task, &stub);
    task_end(p);
    process_reassign(p, stub);
    return call_leave(0);
}

kern_return_t S_proc_setowner(pcall_t call, uid_t owner, int clear)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (!clear && !process_has_uid(p, owner))
        return call_leave(EPERM);
    p->owned = !clear;
    if (!clear)
        p->owner = owner;
    return call_leave(0);
}

/* Startup says which task is number 1 from now on. */
kern_return_t S_proc_set_init_task(pcall_t call, mach_port_t task)
{
    struct process *p = call_enter(call), *stub, *init = process_init();
    if (!p)
        return call_refuse(call);
    if (p->pid != HURD_PID_STARTUP)
        return call_leave(EPERM);
    if (init->task)
        return call_leave(EBUSY);
    stub = MACH_PORT_VALID(task) ? process_lookup_task(task) : NULL;
    if (stub && (stub->adopted || stub->important))
        return call_leave(EBUSY);
    error_t err = task_find(task, &stub);
    if (err)
        return call_leave(err);
    process_reassign(init, stub);
    ids_deref(init->ids);
    init->ids = ids_ref(p->ids);
    init->owner = p->owner;
    init->owned = p->owned;
    return call_leave(0);
}

kern_return_t S_proc_mark_important(pcall_t call)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (!process_is_root(p))        /* those that startup speaks for are its children, with its ids */
        return call_leave(EPERM);
    p->important = true;
    return call_leave(0);
}

kern_return_t S_proc_is_important(pcall_t call, boolean_t *important)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    *important = p->important;
    return call_leave(0);
}

kern_return_t S_proc_mark_exec(pcall_t call)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    p->execed = true;
    return call_leave(0);
}

kern_return_t S_proc_mark_traced(pcall_t call)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    p->traced = true;
    return call_leave(0);
}

kern_return_t S_proc_mod_stopchild(pcall_t call, int doit)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    p->no_stop_signal = !doit;
    return call_leave(0);
}
