/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pgrp.c: process groups, sessions and login collections.

   A group is orphaned when no living member has a parent in another group of the same session: then no shell could
   continue it.  `anchors` counts those members, and pgrp_recount keeps the count whenever a member's parent, group or
   life changes. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "effects.h"
#include "process.h"

static void pgrp_free(struct pgrp *pgrp)
{
    struct session *session = pgrp->session;
    struct slot *slot = slot_lookup(pgrp->pgid);
    list_remove(&pgrp->session_link);
    slot->pgrp = NULL;
    slot_release(slot);
    free(pgrp);
    if (!list_empty(&session->pgrps))
        return;
    effect_session_gone(session);
    slot = slot_lookup(session->sid);
    slot->session = NULL;
    slot_release(slot);
    free(session);
}

/* A new group in SESSION; it must get a member before the lock is given up. */
static error_t pgrp_create(struct session *session, pid_t pgid, struct pgrp **result)
{
    struct slot *slot;
    error_t err = slot_get(pgid, &slot);
    if (err)
        return err;
    struct pgrp *pgrp = calloc(1, sizeof *pgrp);
    if (!pgrp) {
        slot_release(slot);
        return ENOMEM;
    }
    pgrp->pgid = pgid;
    pgrp->session = session;
    list_init(&pgrp->members);
    list_add(&session->pgrps, &pgrp->session_link);
    slot->pgrp = pgrp;
    *result = pgrp;
    return 0;
}

bool pgrp_orphaned(const struct pgrp *pgrp)
{
    return pgrp->anchors == 0;
}

static bool pgrp_has_stopped(const struct pgrp *pgrp)
{
    const struct process *p;
    LIST_FOREACH(p, &pgrp->members, pgrp_link)
        if (p->stopped && !p->dead)
            return true;
    return false;
}

static void pgrp_hangup(struct pgrp *pgrp)
{
    struct process *p;
    LIST_FOREACH(p, &pgrp->members, pgrp_link)
        if (!p->dead) {
            effect_signal(p, SIGHUP, 0);
            effect_signal(p, SIGCONT, 0);
        }
}

static void pgrp_set_anchor(struct process *p, bool anchor)
{
    struct pgrp *pgrp = p->pgrp;
    if (p->anchor == anchor)
        return;
    p->anchor = anchor;
    pgrp->anchors += anchor ? 1 : -1;
    if (pgrp->anchors == 0 && !anchor && pgrp_has_stopped(pgrp))
        pgrp_hangup(pgrp);
}

void pgrp_recount(struct process *p)
{
    struct process *parent = p->parent;
    bool anchor = p->pgrp && !p->dead && p->adopted && parent && parent->pgrp && parent->pgrp != p->pgrp &&
                  parent->pgrp->session == p->pgrp->session;
    if (p->pgrp)
        pgrp_set_anchor(p, anchor);
}

/* P's own group has changed: so have the anchors that its children may be. */
static void pgrp_recount_family(struct process *p)
{
    struct process *child;
    pgrp_recount(p);
    LIST_FOREACH(child, &p->children, sibling)
        pgrp_recount(child);
}

void pgrp_join(struct process *p, struct pgrp *pgrp)
{
    p->pgrp = pgrp;
    p->anchor = false;
    list_add(&pgrp->members, &p->pgrp_link);
}

void pgrp_leave(struct process *p)
{
    struct pgrp *pgrp = p->pgrp;
    if (!pgrp)
        return;
    list_remove(&p->pgrp_link);
    p->pgrp = NULL;
    if (p->anchor) {
        p->anchor = false;
        if (--pgrp->anchors == 0 && pgrp_has_stopped(pgrp))
            pgrp_hangup(pgrp);
    }
    if (list_empty(&pgrp->members))
        pgrp_free(pgrp);
}

/* P goes over to PGRP, which may still be empty. */
static void pgrp_move(struct process *p, struct pgrp *pgrp)
{
    struct pgrp *old = p->pgrp;
    if (old == pgrp)
        return;
    /* Join first, so that a session does not vanish in between; the new place counts before the old one is left. */
    list_remove(&p->pgrp_link);
    bool was_anchor = p->anchor;
    pgrp_join(p, pgrp);
    pgrp_recount_family(p);
    if (was_anchor && --old->anchors == 0 && pgrp_has_stopped(old))
        pgrp_hangup(old);
    if (list_empty(&old->members))
        pgrp_free(old);
}

/* P joins the group PGID (made in P's session if there is none). */
static error_t pgrp_enter(struct process *p, pid_t pgid)
{
    struct pgrp *pgrp = pgrp_lookup(pgid);
    if (!pgrp) {
        error_t err = pgrp_create(p->pgrp->session, pgid, &pgrp);
        if (err)
            return err;
    }
    pgrp_move(p, pgrp);
    return 0;
}

error_t pgrp_set(struct process *caller, pid_t pid, pid_t pgid)
{
    struct process *p = pid ? process_lookup(pid) : caller;
    if (pgid < 0 || pid < 0)
        return EINVAL;
    if (!p || p->dead || (p != caller && p->parent != caller))
        return ESRCH;
    if (p != caller && p->execed)
        return EACCES;
    if (!pgid)
        pgid = p->pid;
    struct pgrp *pgrp = pgrp_lookup(pgid);
    struct session *session = p->pgrp->session;
    if (session->sid == p->pid || session != caller->pgrp->session || (pgrp && pgrp->session != session) ||
        (!pgrp && pgid != p->pid))
        return EPERM;
    error_t err = pgrp_enter(p, pgid);
    if (!err)
        effect_newids_always(p);
    return err;
}

static error_t session_make(pid_t sid, struct pgrp **pgrp)
{
    struct slot *slot;
    error_t err = slot_get(sid, &slot);
    if (err)
        return err;
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        slot_release(slot);
        return ENOMEM;
    }
    session->sid = sid;
    list_init(&session->pgrps);
    slot->session = session;
    err = pgrp_create(session, sid, pgrp);
    if (err) {
        slot->session = NULL;
        free(session);
        slot_release(slot);
    }
    return err;
}

error_t session_create_first(struct process *p)
{
    struct pgrp *pgrp;
    error_t err = session_make(p->pid, &pgrp);
    if (!err)
        pgrp_join(p, pgrp);
    return err;
}

error_t session_create(struct process *p)
{
    struct pgrp *pgrp;
    if (p->dead)
        return ESRCH;
    if (pgrp_lookup(p->pid) || session_lookup(p->pid))
        return EPERM;
    error_t err = session_make(p->pid, &pgrp);
    if (err)
        return err;
    pgrp_move(p, pgrp);
    effect_newids_always(p);
    return 0;
}

void login_join(struct process *p, struct login *login)
{
    p->login = login;
    list_add(&login->members, &p->login_link);
}

void login_leave(struct process *p)
{
    struct login *login = p->login;
    if (!login)
        return;
    p->login = NULL;
    list_remove(&p->login_link);
    if (!list_empty(&login->members))
        return;
    struct slot *slot = slot_lookup(login->id);
    slot->login = NULL;
    slot_release(slot);
    free(login->name);
    free(login);
}

error_t login_create(struct process *p)
{
    struct slot *slot = slot_lookup(p->pid);
    if (slot->login)
        return p->login == slot->login ? 0 : EPERM;
    struct login *login = calloc(1, sizeof *login);
    if (!login)
        return ENOMEM;
    if (p->login && p->login->name) {
        error_t err = login_set_name(login, p->login->name);
        if (err) {
            free(login);
            return err;
        }
    }
    login->id = p->pid;
    list_init(&login->members);
    slot->login = login;
    login_leave(p);
    login_join(p, login);
    p->login_leader = true;
    return 0;
}

error_t login_set_name(struct login *login, const char *name)
{
    char *copy = strdup(name);
    if (!copy)
        return ENOMEM;
    free(login->name);
    login->name = copy;
    return 0;
}
