/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wait.c: parents that wait for children, and those who wait for a message port.

   Nobody's thread waits here: a request that cannot be answered yet is a `struct waiter` with its reply port, in the
   list of the process that it concerns, and is answered when that changes.  Children with something to tell are in
   their parent's `reports`, so that a wait need not look at all children. */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "effects.h"
#include "process.h"

/* The status of a continued child. */
enum { STATUS_CONTINUED = 0xffff };

static void timeval_add(struct timeval *sum, const struct timeval *t)
{
    sum->tv_sec += t->tv_sec;
    sum->tv_usec += t->tv_usec;
    if (sum->tv_usec >= 1000000) {
        sum->tv_usec -= 1000000;
        sum->tv_sec++;
    }
}

void rusage_add(struct rusage *sum, const struct rusage *u)
{
    timeval_add(&sum->ru_utime, &u->ru_utime);
    timeval_add(&sum->ru_stime, &u->ru_stime);
    if (sum->ru_maxrss < u->ru_maxrss)
        sum->ru_maxrss = u->ru_maxrss;
    sum->ru_minflt += u->ru_minflt;
    sum->ru_majflt += u->ru_majflt;
    sum->ru_nswap += u->ru_nswap;
    sum->ru_inblock += u->ru_inblock;
    sum->ru_oublock += u->ru_oublock;
    sum->ru_msgsnd += u->ru_msgsnd;
    sum->ru_msgrcv += u->ru_msgrcv;
    sum->ru_nsignals += u->ru_nsignals;
    sum->ru_nvcsw += u->ru_nvcsw;
    sum->ru_nivcsw += u->ru_nivcsw;
}

static bool wait_selects(const struct process *parent, const struct process *child, pid_t pid)
{
    if (pid > 0)
        return child->pid == pid;
    if (pid == -1)
        return true;
    return child->pgrp->pgid == (pid ? -pid : parent->pgrp->pgid);
}

/* Has PARENT a child that PID selects? */
static bool wait_has_child(const struct process *parent, pid_t pid)
{
    const struct process *p;
    if (pid > 0) {
        p = process_lookup(pid);
        return p && p->parent == parent && p->adopted;
    }
    if (pid == -1) {
        LIST_FOREACH(p, &parent->children, sibling)
            if (p->adopted)
                return true;
        return false;
    }
    const struct pgrp *pgrp = pid ? pgrp_lookup(-pid) : parent->pgrp;
    if (!pgrp)
        return false;
    LIST_FOREACH(p, &pgrp->members, pgrp_link)
        if (p->parent == parent && p->adopted)
            return true;
    return false;
}

static bool wait_reports(const struct process *child, int options)
{
    if (child->dead)
        return options & WEXITED;
    if (child->stopped)
        return !child->waited && ((options & WUNTRACED) || child->traced);
    return child->continued && (options & WCONTINUED);
}

/* A zombie has been waited for. */
static void wait_reap(struct process *child)
{
    struct process *parent = child->parent;
    rusage_add(&parent->children_usage, &child->usage);
    rusage_add(&parent->children_usage, &child->children_usage);
    if (child != process_init()) {
        process_free(child);
        return;
    }
    /* Number 1 stays, ready for another task. */
    list_remove(&child->report_link);
    child->dead = child->exiting = child->stopped = child->execed = false;
}

/* What CHILD has to tell. */
static void wait_fill(const struct process *child, struct wait_result *result)
{
    result->pid = child->pid;
    result->sigcode = child->sigcode;
    result->usage = child->usage;
    rusage_add(&result->usage, &child->children_usage);
    result->status = child->dead || child->stopped ? child->status : STATUS_CONTINUED;
}

/* CHILD has told it to somebody who asked with OPTIONS. */
static void wait_told(struct process *child, int options)
{
    if (options & WNOWAIT)
        return;
    if (child->dead) {
        wait_reap(child);
        return;
    }
    if (child->stopped)
        child->waited = true;
    else
        child->continued = false;
    list_remove(&child->report_link);
}

/* A child of PARENT with something to tell, in *CHILD. 0; EAGAIN; ECHILD. */
static error_t wait_find(struct process *parent, pid_t pid, int options, struct process **result)
{
    struct process *child;
    LIST_FOREACH(child, &parent->reports, report_link)
        if (wait_selects(parent, child, pid) && wait_reports(child, options)) {
            *result = child;
            return 0;
        }
    return wait_has_child(parent, pid) ? EAGAIN : ECHILD;
}

error_t process_wait(struct process *parent, pid_t pid, int options, struct wait_result *result)
{
    struct process *child;
    error_t err = wait_find(parent, pid, options, &child);
    if (err)
        return err;
    wait_fill(child, result);
    wait_told(child, options);
    return 0;
}

static void waiter_unlink(struct waiter *waiter)
{
    list_remove(&waiter->link);
    list_remove(&waiter->caller_link);
}

void process_wait_add(struct process *parent, struct waiter *waiter)
{
    list_add(&parent->child_waiters, &waiter->link);
}

void process_wait_run(struct process *parent)
{
    struct waiter *waiter, *next;
    LIST_FOREACH_SAFE(waiter, next, &parent->child_waiters, link) {
        struct wait_result result;
        struct process *child;
        error_t err = wait_find(parent, waiter->pid, waiter->options, &child);
        if (err == EAGAIN)
            continue;
        if (!err)
            wait_fill(child, &result);
        waiter_unlink(waiter);
        /* A child is told of only once: not to somebody who does not wait any more. */
        if (effect_wait_reply(waiter, err, &result) && !err)
            wait_told(child, waiter->options);
        free(waiter);
    }
}

void process_report(struct process *child, int sigcode)
{
    struct process *parent = child->parent;
    bool stop = sigcode == CLD_STOPPED || sigcode == CLD_CONTINUED;
    if (!list_linked(&child->report_link))
        list_add(&parent->reports, &child->report_link);
    /* The signal first, so that its handler has run when the parent's wait returns, as programs expect of other
       systems. */
    if (!stop || !parent->no_stop_signal)
        effect_signal(parent, SIGCHLD, sigcode);
    /* CHILD may be gone after this. */
    process_wait_run(parent);
}

void process_waits_cancel(struct process *p, error_t error)
{
    struct waiter *waiter, *next;
    LIST_FOREACH_SAFE(waiter, next, &p->asks, caller_link) {
        waiter_unlink(waiter);
        if (waiter->kind == WAIT_CHILD)
            effect_wait_reply(waiter, error, NULL);
        else
            effect_msgport_reply(waiter, error, 0);
        free(waiter);
    }
}

void process_msgport_run(struct process *p, error_t error)
{
    struct waiter *waiter, *next;
    LIST_FOREACH_SAFE(waiter, next, &p->msgport_waiters, link) {
        waiter_unlink(waiter);
        effect_msgport_reply(waiter, error, error ? 0 : p->msgport);
        free(waiter);
    }
}
