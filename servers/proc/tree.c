/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.c: parents and children, and how processes stop and end. */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "effects.h"
#include "process.h"

/* What P has to tell goes to the new parent. */
static void process_set_parent(struct process *p, struct process *parent)
{
    bool reports = list_linked(&p->report_link);
    list_remove(&p->sibling);
    list_remove(&p->report_link);
    p->parent = parent;
    list_add(&parent->children, &p->sibling);
    if (reports)
        list_add(&parent->reports, &p->report_link);
}

void process_set_root(struct process *root)
{
    struct process *init = process_init();
    list_remove(&root->sibling);
    root->parent = NULL;
    root->adopted = true;
    process_set_parent(init, root);
    init->adopted = true;
}

bool process_is_below(const struct process *p, const struct process *above)
{
    while (p && p != above)
        p = p->parent;
    return p != NULL;
}

error_t process_adopt(struct process *parent, struct process *child)
{
    if (child->adopted)
        return EBUSY;
    if (process_is_below(parent, child))
        return EINVAL;
    process_set_parent(child, parent);
    child->adopted = true;
    if (child->pgrp != parent->pgrp) {
        pgrp_leave(child);
        pgrp_join(child, parent->pgrp);
    }
    pgrp_recount(child);
    struct process *grandchild;
    LIST_FOREACH(grandchild, &child->children, sibling)
        pgrp_recount(grandchild);
    if (child->login != parent->login) {
        login_leave(child);
        login_join(child, parent->login);
    }
    ids_deref(child->ids);
    child->ids = ids_ref(parent->ids);
    child->owner = parent->owner;
    child->owned = parent->owned;
    child->no_stop_signal = parent->no_stop_signal;
    effect_newids(child);
    if (child->dead)
        process_report(child, CLD_EXITED);
    return 0;
}

error_t process_mark_exit(struct process *p, int status, int sigcode, const struct rusage *usage)
{
    if (WIFSTOPPED(status))
        return EINVAL;
    if (p->exiting)
        return EBUSY;
    p->exiting = true;
    p->status = status;
    p->sigcode = sigcode;
    p->usage = *usage;
    return 0;
}

void process_mark_stop(struct process *p, int signo, int sigcode)
{
    p->stopped = true;
    p->continued = p->waited = false;
    p->status = W_STOPCODE(signo);
    p->sigcode = sigcode;
    if (p->parent && p->adopted)
        process_report(p, CLD_STOPPED);
}

void process_mark_cont(struct process *p)
{
    if (!p->stopped)
        return;
    p->stopped = false;
    p->continued = true;
    list_remove(&p->report_link);
    if (p->parent && p->adopted)
        process_report(p, CLD_CONTINUED);
}

/* P dies: its children are init's from now on, and what they have to tell. When init dies, they wait for the next. */
static void process_orphan_children(struct process *p)
{
    struct process *child, *next, *init = process_init();
    bool report = !list_empty(&p->reports);
    if (p == init)
        return;
    LIST_FOREACH_SAFE(child, next, &p->children, sibling) {
        process_set_parent(child, init);
        pgrp_recount(child);
        if (!child->dead)
            effect_newids(child);
    }
    if (report) {
        effect_signal(init, SIGCHLD, CLD_EXITED);
        process_wait_run(init);
    }
}

void process_exit(struct process *p)
{
    /* A stop that nobody has asked for is of no interest any more, and a parent that is told of others meanwhile must
       not find P. */
    list_remove(&p->report_link);
    p->dead = true;
    if (!p->exiting) {
        p->exiting = true;
        p->status = W_EXITCODE(0, SIGKILL);
        p->sigcode = 0;
    }
    p->stopped = p->continued = false;
    p->pending_signals = 0;
    p->told_ids = false;
    process_waits_cancel(p, ESRCH);
    process_msgport_run(p, ESRCH);
    effect_release(p);
    pgrp_recount(p);
    process_orphan_children(p);
    if (p->adopted && p->parent)
        process_report(p, WIFSIGNALED(p->status) ? CLD_KILLED : CLD_EXITED);
    else if (p != process_init())
        process_free(p);
}

void process_take_over(struct process *p, struct process *stub)
{
    port_name_t task = stub->task;
    unsigned urefs = stub->task_urefs;
    struct process *child, *next;

    process_set_task(stub, 0, 0);
    process_set_task(p, task, urefs);
    p->dead = p->exiting = p->stopped = false;
    p->argv = stub->argv;
    p->envp = stub->envp;
    p->start_code = stub->start_code;
    p->end_code = stub->end_code;
    p->entry = stub->entry;
    if (stub->exe) {
        free(p->exe);
        p->exe = stub->exe;
        stub->exe = NULL;
    }
    LIST_FOREACH_SAFE(child, next, &stub->children, sibling)
        process_set_parent(child, p);
    process_waits_cancel(stub, ESRCH);
    process_msgport_run(stub, ESRCH);
    struct process *parent = stub->adopted ? stub->parent : NULL;
    effect_release(stub);
    process_free(stub);
    if (parent)
        process_wait_run(parent);  /* it may have waited for STUB */
}
