/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reauth.c: proving new ids to proc (proc_reauthenticate, _reassign, _complete).

   The client names a rendezvous to proc and to auth; proc asks auth who met it there, and sends along a new process
   port for the client.  auth may answer late or never, so nobody waits for it here: its answer arrives as a message on
   the reauth object. Until then the new port's receive right is in no set, so that what the client sends there stays in
   its queue. proc_reauthenticate_complete, or whatever is the first request on the new port, then makes the change: the
   new ids hold, the old port dies, and, for _reassign, the process goes over to the new task.  (_complete has no
   answer, and the next request on the port may be handled by another thread: it must find the change made.)  */

#include <hurd/auth_request.h>
#include <mach/mig_errors.h>
#include <stdlib.h>

#include "auth_answer_S.h"
#include "process_S.h"
#include "reauth.h"

static void reauth_destroy(struct ports_object *object)
{
    struct reauth *r = (struct reauth *)object;
    if (r->right)
        mach_port_mod_refs(mach_task_self(), r->right, MACH_PORT_RIGHT_RECEIVE, -1);
    if (r->new_task)
        mach_port_deallocate(mach_task_self(), r->new_task);
    ids_deref(r->ids);
}

static const ports_interface_t reauth_interfaces[] = {auth_answer_server_routine, NULL};
static const struct ports_class_ops reauth_class_ops = {
    .name = "reauthentication",
    .size = sizeof(struct reauth),
    .interfaces = reauth_interfaces,
    .destroy = reauth_destroy,
};
struct ports_class reauth_class = PORTS_CLASS(reauth_class_ops);

void reauth_release(struct process *p)
{
    struct reauth *r = p->pending;
    if (!r)
        return;
    p->pending = NULL;
    r->process = NULL;
    if (r->new_port) {
        r->new_port->process = NULL;
        ports_object_destroy_right(r->new_port);
        ports_object_deref(r->new_port);
        r->new_port = NULL;
    }
    ports_object_destroy_right(r);
    ports_object_deref(r);
}

static error_t reauth_create(struct process *p, struct reauth **result)
{
    mach_port_t right;
    struct reauth *r;
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &right);
    if (err)
        return err;
    err = ports_object_create(&reauth_class, proc_bucket, &r);
    if (err) {
        mach_port_mod_refs(mach_task_self(), right, MACH_PORT_RIGHT_RECEIVE, -1);
        return err;
    }
    reauth_release(p);
    r->right = right;
    r->process = p;
    p->pending = r;
    *result = r;
    return 0;
}

/* Common to both ways in; consumes RENDEZVOUS and NEW_TASK on success. */
static kern_return_t reauth_begin(pcall_t call, mach_port_t rendezvous, mach_port_t new_task)
{
    struct reauth *r;
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    error_t err = reauth_create(p, &r);
    if (err)
        return call_leave(err);
    r->new_task = new_task;
    ports_object_ref(r);
    mach_port_t reply = r->port.receive, right = r->right;
    call_leave(0);
    err = auth_server_authenticate_request(proc_auth, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, rendezvous,
                                           MACH_MSG_TYPE_MOVE_SEND, right, MACH_MSG_TYPE_MAKE_SEND);
    ports_object_deref(r);
    if (err)
        mach_port_deallocate(mach_task_self(), rendezvous);
    return 0;
}

kern_return_t S_proc_reauthenticate(pcall_t call, mach_port_t rendezvous)
{
    return reauth_begin(call, rendezvous, MACH_PORT_NULL);
}

kern_return_t S_proc_reauthenticate_reassign(pcall_t call, mach_port_t rendezvous, mach_port_t new_task)
{
    if (!MACH_PORT_VALID(new_task))
        return EINVAL;
    return reauth_begin(call, rendezvous, new_task);
}

/* auth has answered: the new port begins to work. */
kern_return_t S_auth_server_authenticate_reply(struct reauth *r, kern_return_t code, const_idarray_t gen_uids,
                                               mach_msg_type_number_t gen_uids_count, const_idarray_t aux_uids,
                                               mach_msg_type_number_t aux_uids_count, const_idarray_t gen_gids,
                                               mach_msg_type_number_t gen_gids_count, const_idarray_t aux_gids,
                                               mach_msg_type_number_t aux_gids_count)
{
    struct proc_port *new;
    (void)aux_uids, (void)aux_uids_count, (void)gen_gids, (void)gen_gids_count, (void)aux_gids, (void)aux_gids_count;
    if (!r)
        return EOPNOTSUPP;
    struct ids *ids = code ? NULL : ids_create(gen_uids, gen_uids_count);
    pthread_mutex_lock(&proc_lock);
    struct process *p = r->process;
    error_t err = !p || !r->right ? ESRCH : code;
    if (!err && !ids)
        err = ENOMEM;
    if (!err)
        err = ports_object_import(&proc_port_class, proc_bucket, r->right, &new);
    if (err) {
        if (p)
            reauth_release(p);
    } else {
        r->right = MACH_PORT_NULL;
        r->ids = ids;
        ids = NULL;
        new->process = p;
        new->reauth = r;
        r->new_port = new;
    }
    ids_deref(ids);
    pthread_mutex_unlock(&proc_lock);
    return 0;
}

/* The new port becomes P's only one. */
static void reauth_commit(struct process *p, struct reauth *r)
{
    struct proc_port *old = p->port;
    p->port = r->new_port;
    r->new_port->reauth = NULL;
    r->new_port = NULL;
    if (old) {
        old->process = NULL;
        ports_object_destroy_right(old);
        ports_object_deref(old);
    }
    ids_deref(p->ids);
    p->ids = r->ids;
    r->ids = NULL;
    p->owned = p->ids->count > 0;
    if (p->owned)
        p->owner = p->ids->uid[0];
}

/* P goes over to the task it named.  It gets the port of that task's stub, which reauth_commit replaces. */
static error_t reauth_reassign(struct process *p, struct reauth *r)
{
    struct process *stub;
    /* exec may be faster than the kernel's notice. */
    error_t err = task_find(r->new_task, &stub);
    if (err)
        return err;
    r->new_task = MACH_PORT_NULL;
    if (process_is_below(p, stub) || stub->adopted || stub->important)
        return EINVAL;
    task_end(p);
    process_reassign(p, stub);
    return 0;
}

struct process *reauth_accept(pcall_t call)
{
    struct process *p = call->process;
    struct reauth *r = call->reauth;
    if (!p || p->pending != r)
        return NULL;
    error_t err = r->new_task ? reauth_reassign(p, r) : 0;
    if (!err)
        reauth_commit(p, r);
    reauth_release(p);
    return err ? NULL : p;
}

/* call_enter has done it. */
kern_return_t S_proc_reauthenticate_complete(pcall_t call)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    return call_leave(0);
}
