/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_job.c: process groups, sessions and login collections. */

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "process_S.h"
#include "server.h"

kern_return_t S_proc_setsid(pcall_t call)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    return call_leave(session_create(p));
}

kern_return_t S_proc_getsid(pcall_t call, pid_t pid, pid_t *sid)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, pid, &p, &other);
    if (err)
        return err;
    *sid = other->pgrp->session->sid;
    return call_leave(0);
}

kern_return_t S_proc_setpgrp(pcall_t call, pid_t pid, pid_t pgid)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    return call_leave(pgrp_set(p, pid, pgid));
}

kern_return_t S_proc_getpgrp(pcall_t call, pid_t pid, pid_t *pgid)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, pid, &p, &other);
    if (err)
        return err;
    *pgid = other->pgrp->pgid;
    p->told_ids = true;
    return call_leave(0);
}

kern_return_t S_proc_getpgrppids(pcall_t call, pid_t pgid, pidarray_t *pids, mach_msg_type_number_t *count)
{
    struct pid_list list = {0};
    struct process *p = call_enter(call), *member;
    if (!p)
        return call_refuse(call);
    struct pgrp *pgrp = pgid ? pgrp_lookup(pgid) : p->pgrp;
    error_t err = pgrp ? 0 : ESRCH;
    if (pgrp)
        LIST_FOREACH(member, &pgrp->members, pgrp_link)
            err = err ? err : pid_list_add(&list, member->pid);
    call_leave(0);
    return pid_list_answer(&list, err, pids, count);
}

kern_return_t S_proc_getsessionpids(pcall_t call, pid_t sid, pidarray_t *pids, mach_msg_type_number_t *count)
{
    struct pid_list list = {0};
    struct pgrp *pgrp;
    struct process *p = call_enter(call), *member;
    if (!p)
        return call_refuse(call);
    struct session *session = sid ? session_lookup(sid) : p->pgrp->session;
    error_t err = session ? 0 : ESRCH;
    if (session)
        LIST_FOREACH(pgrp, &session->pgrps, session_link)
            LIST_FOREACH(member, &pgrp->members, pgrp_link)
                err = err ? err : pid_list_add(&list, member->pid);
    call_leave(0);
    return pid_list_answer(&list, err, pids, count);
}

kern_return_t S_proc_getsessionpgids(pcall_t call, pid_t sid, pidarray_t *pgids, mach_msg_type_number_t *count)
{
    struct pid_list list = {0};
    struct pgrp *pgrp;
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    struct session *session = sid ? session_lookup(sid) : p->pgrp->session;
    error_t err = session ? 0 : ESRCH;
    if (session)
        LIST_FOREACH(pgrp, &session->pgrps, session_link)
            err = err ? err : pid_list_add(&list, pgrp->pgid);
    call_leave(0);
    return pid_list_answer(&list, err, pgids, count);
}

/* The port that stands for the caller's session: nobody receives from it; it is made when first asked for. */
kern_return_t S_proc_getsidport(pcall_t call, mach_port_t *port, mach_msg_type_name_t *port_type)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    struct session *session = p->pgrp->session;
    error_t err = 0;
    if (!session->port)
        err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &session->port);
    *port = session->port;
    *port_type = MACH_MSG_TYPE_MAKE_SEND;
    return call_leave(err);
}

kern_return_t S_proc_make_login_coll(pcall_t call)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    return call_leave(login_create(p));
}

kern_return_t S_proc_getloginid(pcall_t call, pid_t pid, pid_t *id)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, pid, &p, &other);
    if (err)
        return err;
    if (!other->login)
        return call_leave(ESRCH);
    *id = other->login->id;
    return call_leave(0);
}

kern_return_t S_proc_getloginpids(pcall_t call, pid_t id, pidarray_t *pids, mach_msg_type_number_t *count)
{
    struct pid_list list = {0};
    struct process *p = call_enter(call), *member;
    if (!p)
        return call_refuse(call);
    struct login *login = login_lookup(id);
    error_t err = login ? 0 : ESRCH;
    if (login)
        LIST_FOREACH(member, &login->members, login_link)
            err = err ? err : pid_list_add(&list, member->pid);
    call_leave(0);
    return pid_list_answer(&list, err, pids, count);
}

kern_return_t S_proc_setlogin(pcall_t call, const_string_t name)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (!process_is_root(p))
        return call_leave(EPERM);
    return call_leave(login_set_name(p->login, name));
}

kern_return_t S_proc_getlogin(pcall_t call, string_t name)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (!p->login->name)
        return call_leave(ENOTTY);  /* nobody has logged in here */
    strncpy(name, p->login->name, sizeof(string_t) - 1);
    name[sizeof(string_t) - 1] = 0;
    return call_leave(0);
}
