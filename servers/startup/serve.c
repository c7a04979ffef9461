/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c: what startup is told: startup.defs, the few message-port calls that make sense for it, and deaths. */

#include <dance/dance.h>
#include <mach/mig_errors.h>
#include <mach/mach_host.h>
#include <stdlib.h>
#include <string.h>

#include "msg_S.h"
#include "startup.h"
#include "startup_S.h"

struct startup_state startup_state;
pthread_mutex_t startup_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t startup_changed = PTHREAD_COND_INITIALIZER;

kern_return_t S_startup_procinit(startup_call_t call, mach_port_t reply, mach_msg_type_name_t reply_type,
                                 process_t startup_proc, mach_port_t *task, auth_t *auth, mach_port_t *host_priv,
                                 mach_msg_type_name_t *host_priv_type, mach_port_t *device_master,
                                 mach_msg_type_name_t *device_master_type)
{
    (void)task, (void)auth, (void)host_priv, (void)host_priv_type, (void)device_master, (void)device_master_type;
    if (!call)
        return EOPNOTSUPP;
    if (!MACH_PORT_VALID(startup_proc))
        return EINVAL;
    pthread_mutex_lock(&startup_lock);
    bool again = startup_state.proc != MACH_PORT_NULL;
    if (!again) {
        startup_state.proc = startup_proc;
        startup_state.procinit = (struct owed_reply){reply, reply_type};
        pthread_cond_broadcast(&startup_changed);
    }
    pthread_mutex_unlock(&startup_lock);
    return again ? EPERM : MIG_NO_REPLY;
}

kern_return_t S_startup_authinit(startup_call_t call, mach_port_t reply, mach_msg_type_name_t reply_type,
                                 mach_port_t auth, mach_port_t *proc, mach_msg_type_name_t *proc_type)
{
    (void)proc, (void)proc_type;
    if (!call)
        return EOPNOTSUPP;
    if (!MACH_PORT_VALID(auth))
        return EINVAL;
    pthread_mutex_lock(&startup_lock);
    bool again = startup_state.auth != MACH_PORT_NULL;
    if (!again) {
        startup_state.auth = auth;
        startup_state.authinit = (struct owed_reply){reply, reply_type};
        pthread_cond_broadcast(&startup_changed);
    }
    pthread_mutex_unlock(&startup_lock);
    return again ? EPERM : MIG_NO_REPLY;
}

/* Only these are kept waiting until all of them are there. */
static bool is_core(const char *name)
{
    return !strcmp(name, "proc") || !strcmp(name, "auth") || !strcmp(name, "exec");
}

kern_return_t S_startup_essential_task(startup_call_t call, mach_port_t reply, mach_msg_type_name_t reply_type,
                                       mach_port_t task, mach_port_t exceptions, const_string_t name,
                                       mach_port_t credential)
{
    struct essential *e;
    bool known;
    if (!call)
        return EOPNOTSUPP;
    if (credential != startup_host_priv)
        return EPERM;
    if (!MACH_PORT_VALID(task))
        return EINVAL;
    dance_step(13, "%.40s is essential", name);
    pthread_mutex_lock(&startup_lock);
    error_t err = essential_add(&startup_state.essentials, task, name, &e, &known);
    bool wait = !err && !startup_state.running && is_core(name) && !e->reply;
    if (wait) {
        e->reply = reply;
        e->reply_type = reply_type;
    }
    pthread_cond_broadcast(&startup_changed);
    pthread_mutex_unlock(&startup_lock);
    if (err)
        return err;
    ports_object_notify_dead(startup_object, task);
    if (known)
        mach_port_deallocate(mach_task_self(), task);
    find_essential_pids();
    mach_port_deallocate(mach_task_self(), credential);
    if (MACH_PORT_VALID(exceptions))
        mach_port_mod_refs(mach_task_self(), exceptions, MACH_PORT_RIGHT_RECEIVE, -1);
    return wait ? MIG_NO_REPLY : 0;
}

kern_return_t S_startup_request_notification(startup_call_t call, mach_port_t port, const_string_t name)
{
    bool known;
    if (!call)
        return EOPNOTSUPP;
    if (!MACH_PORT_VALID(port))
        return EINVAL;
    pthread_mutex_lock(&startup_lock);
    error_t err = notify_add(&startup_state.notifies, port, call->asker, name, &known);
    pthread_mutex_unlock(&startup_lock);
    if (err)
        return err;
    if (known)
        mach_port_deallocate(mach_task_self(), port);
    else
        ports_object_notify_dead(startup_object, port);
    return 0;
}

kern_return_t S_startup_reboot(startup_call_t call, mach_port_t credential, int howto)
{
    if (!call)
        return EOPNOTSUPP;
    if (credential != startup_host_priv)
        return EPERM;
    shut_down(howto);
    return EBUSY;  /* somebody else is at it, or it failed */
}

/* Signals mean nothing to startup: it hears of its children's deaths otherwise.  But only who has our task may send
   any. */
static kern_return_t signal_take(mach_port_t refport)
{
    if (refport != mach_task_self())
        return EPERM;
    mach_port_deallocate(mach_task_self(), refport);
    return 0;
}

kern_return_t S_msg_sig_post(mach_port_t process, mach_port_t reply, mach_msg_type_name_t reply_type, int signal,
                             natural_t sigcode, mach_port_t refport)
{
    (void)process, (void)reply, (void)reply_type, (void)signal, (void)sigcode;
    return signal_take(refport);
}

kern_return_t S_msg_sig_post_untraced(mach_port_t process, mach_port_t reply, mach_msg_type_name_t reply_type,
                                      int signal, natural_t sigcode, mach_port_t refport)
{
    (void)process, (void)reply, (void)reply_type, (void)signal, (void)sigcode;
    return signal_take(refport);
}

kern_return_t S_msg_proc_newids(mach_port_t process, mach_port_t task, pid_t ppid, pid_t pgrp, int orphaned)
{
    (void)process, (void)ppid, (void)pgrp, (void)orphaned;
    return signal_take(task);
}

/* A task or a port that we watch has died. */
void startup_dead_name(struct ports_object *object, mach_port_t name)
{
    (void)object;
    pthread_mutex_lock(&startup_lock);
    struct notify *notify = notify_take(&startup_state.notifies, name);
    struct essential *e = essential_find(&startup_state.essentials, name);
    bool down = startup_state.going_down;
    if (name == startup_state.init_task) {
        startup_state.init_died = true;
        pthread_cond_broadcast(&startup_changed);
    }
    pthread_mutex_unlock(&startup_lock);
    if (notify) {
        mach_port_deallocate(mach_task_self(), notify->port);
        notify_free(notify);
    }
    if (down)
        return;
    if (e)
        crash(e->name, e->pid);
    if (name == startup_fs_control)
        crash("the root file system", 0);
    if (name == startup_fs_task)
        crash("the root file system's task", 0);
    startup_dead_server(name);
}
