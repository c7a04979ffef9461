/* SPDX-License-Identifier: GPL-2.0-or-later */
/* effects.c: telling clients: signals, changed ids, answers to those who wait.

   Nothing here may block, for a client need not receive.  Answers go to send-once rights, which never do.  Signals and
   ids go to message ports; when the queue of one is full, the kernel takes one message more and promises to tell when
   it has been received (MACH_SEND_NOTIFY).  Until then the process is `flooded`: what it is to hear is noted in it,
   each signal once, as signals that are blocked are.  */

#include <mach/mig_errors.h>
#include <mach/notify.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "effects.h"
#include "server.h"

/* msg_sig_post and msg_proc_newids as the wire has them. */
enum { MSG_SIG_POST = 23000, MSG_PROC_NEWIDS = 23001 };

struct word {
    mach_msg_type_t type;
    int value;
    int pad;
};
struct sig_post {
    mach_msg_header_t head;
    struct word signal, sigcode;
    mach_msg_type_t port_type;
    mach_port_name_inlined_t port;
};
struct newids {
    mach_msg_header_t head;
    mach_msg_type_t port_type;
    mach_port_name_inlined_t port;
    struct word ppid, pgrp, orphaned;
};
union notice {
    mach_msg_header_t head;
    struct sig_post sig_post;
    struct newids newids;
};

static const mach_msg_type_t int_type = {
    .msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = 1};
static const mach_msg_type_t port_type = {
    .msgt_name = MACH_MSG_TYPE_COPY_SEND, .msgt_size = 64, .msgt_number = 1, .msgt_inline = 1};

static struct hash_table floods;  /* flooded processes by the name of their message port; proc_lock */

static void flood_begin(struct process *p)
{
    if (!p->flooded && !hash_add(&floods, &p->flood_link, p->msgport))
        p->flooded = true;
}

static void flood_end(struct process *p)
{
    if (p->flooded)
        hash_remove(&floods, &p->flood_link);
    p->flooded = false;
}

mach_port_t msgport_replace(struct process *p, mach_port_t new)
{
    mach_port_t old = p->msgport;
    flood_end(p);
    p->msgport = new;
    return old;
}

/* Releases what the kernel has given back of a message that it did not take. */
static void notice_returned(const union notice *notice)
{
    mach_port_deallocate(mach_task_self(), notice->head.msgh_remote_port);
    mach_port_deallocate(mach_task_self(),
                         notice->head.msgh_id == MSG_SIG_POST ? notice->sig_post.port.name : notice->newids.port.name);
}

/* Sends NOTICE to P's message port.  False: it must wait, because the port has no room, or is dead, and P has none
   now. */
static bool notice_send(struct process *p, union notice *notice, mach_msg_id_t id, size_t size)
{
    notice->head = (mach_msg_header_t){
        .msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
        .msgh_size = size,
        .msgh_remote_port = p->msgport,
        .msgh_id = id,
    };
    mach_msg_return_t err = mach_msg(&notice->head, MACH_SEND_MSG | MACH_SEND_TIMEOUT, size, 0, MACH_PORT_NULL, 0,
                                     MACH_PORT_NULL);
    if (err == MACH_MSG_SUCCESS)
        return true;
    bool full = (err & ~MACH_MSG_MASK) == MACH_SEND_TIMED_OUT;
    if (full)   /* the kernel has given the message back with rights of its own, which go with it */
        err = mach_msg(&notice->head, MACH_SEND_MSG | MACH_SEND_TIMEOUT | MACH_SEND_NOTIFY, size, 0, MACH_PORT_NULL, 0,
                       tasks_notify_name());
    err &= ~MACH_MSG_MASK;
    /* the latter: another process with this port is flooded */
    if (err == MACH_SEND_WILL_NOTIFY || err == MACH_SEND_NOTIFY_IN_PROGRESS)
        flood_begin(p);
    if (err == MACH_MSG_SUCCESS || err == MACH_SEND_WILL_NOTIFY)
        return true;
    if (full)
        notice_returned(notice);
    if (err == MACH_SEND_INVALID_DEST)
        name_release_late(msgport_replace(p, MACH_PORT_NULL), 1);
    return false;
}

static bool notice_possible(const struct process *p)
{
    return p->task && p->msgport && !p->flooded;
}

void effect_signal(struct process *p, int signo, int sigcode)
{
    union notice notice = {.sig_post = {
        .signal = {int_type, signo, 0},
        .sigcode = {int_type, sigcode, 0},
        .port_type = port_type,
        .port = {.name = p->task},
    }};
    if (p->dead || (notice_possible(p) && notice_send(p, &notice, MSG_SIG_POST, sizeof notice.sig_post)))
        return;
    p->pending_signals |= 1ull << (signo - 1);
    if (signo == SIGCHLD)
        p->pending_child_code = sigcode;
}

void effect_newids_always(struct process *p)
{
    union notice notice = {.newids = {
        .port_type = port_type,
        .port = {.name = p->task},
        .ppid = {int_type, p->parent ? p->parent->pid : p->pid, 0},
        .pgrp = {int_type, p->pgrp->pgid, 0},
        .orphaned = {int_type, pgrp_orphaned(p->pgrp), 0},
    }};
    if (p->dead || (notice_possible(p) && notice_send(p, &notice, MSG_PROC_NEWIDS, sizeof notice.newids)))
        return;
    p->pending_ids = p->flooded;  /* who has no message port yet asks for its ids when it has */
}

void notices_send_pending(struct process *p)
{
    uint64_t signals = p->pending_signals;
    p->pending_signals = 0;
    for (int signo = 1; signals; signo++, signals >>= 1)
        if (signals & 1)
            effect_signal(p, signo, signo == SIGCHLD ? p->pending_child_code : 0);
    if (p->pending_ids) {
        p->pending_ids = false;
        effect_newids_always(p);
    }
}

/* Message port NAME has room again.  Several processes may have it. */
static void notices_resume(mach_port_t name)
{
    struct hash_link *link, *ready = NULL;
    pthread_mutex_lock(&proc_lock);
    while ((link = hash_find(&floods, name))) {
        flood_end(LIST_ENTRY(link, struct process, flood_link));
        link->next = ready;
        ready = link;
    }
    while ((link = ready)) {
        ready = link->next;
        notices_send_pending(LIST_ENTRY(link, struct process, flood_link));
    }
    pthread_mutex_unlock(&proc_lock);
}

/* The kernel's mach_notify_msg_accepted.  Whoever else could send it would only make us look again. */
static void accepted_stub(mach_msg_header_t *request, mach_msg_header_t *reply)
{
    const mach_msg_accepted_notification_t *note = (const void *)request;
    if (request->msgh_size >= offsetof(mach_msg_accepted_notification_t, not_port) + sizeof note->not_port)
        notices_resume(note->not_port);
    ((mig_reply_header_t *)reply)->RetCode = MIG_NO_REPLY;
}

mig_routine_t notices_accepted_routine(const mach_msg_header_t *request)
{
    return request->msgh_id == MACH_NOTIFY_MSG_ACCEPTED ? accepted_stub : NULL;
}

void effect_newids(struct process *p)
{
    if (p->told_ids)
        effect_newids_always(p);
}

/* Answers a request of which only the reply port is left with ERROR. */
static void reply_error(const struct waiter *waiter, mach_msg_id_t id, error_t error)
{
    mig_reply_header_t reply = {
        .Head = {
            .msgh_bits = MACH_MSGH_BITS(waiter->reply_type, 0),
            .msgh_size = sizeof reply,
            .msgh_remote_port = waiter->reply,
            .msgh_id = id,
        },
        .RetCodeType = int_type,
        .RetCode = error,
    };
    if (mach_msg(&reply.Head, MACH_SEND_MSG, sizeof reply, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL))
        mach_port_deallocate(mach_task_self(), waiter->reply);
}

enum { PROC_GETMSGPORT_REPLY = 24119, PROC_WAIT_REPLY = 24120, PROC_WAITID_REPLY = 24162 };

/* The answer to proc_wait and proc_waitid. */
struct wait_reply {
    mach_msg_header_t head;
    struct word error, status, sigcode;
    mach_msg_type_t usage_type;
    struct rusage usage;
    struct word pid;
};
static const mach_msg_type_t usage_type = {
    .msgt_name = MACH_MSG_TYPE_INTEGER_64, .msgt_size = 64, .msgt_number = sizeof(struct rusage) / 8, .msgt_inline = 1};

bool effect_wait_reply(struct waiter *w, error_t error, const struct wait_result *result)
{
    mach_msg_id_t id = w->waitid ? PROC_WAITID_REPLY : PROC_WAIT_REPLY;
    if (error) {
        reply_error(w, id, error);
        return true;
    }
    struct wait_reply reply = {
        .head = {
            .msgh_bits = MACH_MSGH_BITS(w->reply_type, 0),
            .msgh_size = sizeof reply,
            .msgh_remote_port = w->reply,
            .msgh_id = id,
        },
        .error = {int_type, 0, 0},
        .status = {int_type, result->status, 0},
        .sigcode = {int_type, result->sigcode, 0},
        .usage_type = usage_type,
        .usage = result->usage,
        .pid = {int_type, result->pid, 0},
    };
    if (!mach_msg(&reply.head, MACH_SEND_MSG, sizeof reply, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL))
        return true;
    mach_port_deallocate(mach_task_self(), w->reply);
    return false;
}

void effect_msgport_reply(struct waiter *w, error_t error, port_name_t port)
{
    if (error) {
        reply_error(w, PROC_GETMSGPORT_REPLY, error);
        return;
    }
    struct {
        mach_msg_header_t head;
        struct word error;
        mach_msg_type_t port_type;
        mach_port_name_inlined_t port;
    } reply = {
        .head = {
            .msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(w->reply_type, 0),
            .msgh_size = sizeof reply,
            .msgh_remote_port = w->reply,
            .msgh_id = PROC_GETMSGPORT_REPLY,
        },
        .error = {int_type, 0, 0},
        .port_type = port_type,
        .port = {.name = port},
    };
    if (mach_msg(&reply.head, MACH_SEND_MSG, sizeof reply, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL))
        mach_port_deallocate(mach_task_self(), w->reply);
}

void effect_release(struct process *p)
{
    struct proc_port *port = p->port;
    if (port) {
        p->port = NULL;
        port->process = NULL;
        /* Whoever still has a right to it is told ESRCH.  The right is not destroyed: when there are no senders any
           more, as is usual for a process that has ended, the library can use it again for the next. */
        ports_object_deref(port);
    }
    reauth_release(p);
    exceptions_release(p);
    mach_port_t msgport = msgport_replace(p, MACH_PORT_NULL);
    if (msgport)
        name_release_late(msgport, 1);
    if (p->task_namespace)
        mach_port_deallocate(mach_task_self(), p->task_namespace);
    p->task_namespace = MACH_PORT_NULL;
}

void effect_session_gone(struct session *session)
{
    if (session->port)
        mach_port_mod_refs(mach_task_self(), session->port, MACH_PORT_RIGHT_RECEIVE, -1);
}
