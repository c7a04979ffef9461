/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The active translator of one node; see fshelp.h. */

#include <fshelp/fshelp.h>

#include <fcntl.h>
#include <hurd/fsys.h>
#include <mach/mig_support.h>
#include <ports/ports.h>
#include <stdlib.h>

/* How long a translator may take to come up: it may have to be read from a slow disk, but never holds a user up for
   ever. */
enum { START_TIMEOUT_MS = 60 * 1000 };

void fshelp_transbox_init(struct fshelp_transbox *box)
{
    *box = (struct fshelp_transbox) { .active = MACH_PORT_NULL };
    pthread_cond_init(&box->wakeup, NULL);
}

void fshelp_transbox_destroy(struct fshelp_transbox *box)
{
    if (box->active != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), box->active);
    box->active = MACH_PORT_NULL;
    pthread_cond_destroy(&box->wakeup);
}

static error_t wait_for_start(struct fshelp_transbox *box, pthread_mutex_t *node_lock)
{
    error_t err = 0;

    while (box->starting && !err) {
        box->waiters++;
        err = ports_cond_wait(&box->wakeup, node_lock);
        box->waiters--;
    }
    return err;
}

/* Starts the passive translator. Node lock held; dropped meanwhile. ENOENT: there is none. */
static error_t start_passive(struct fshelp_transbox *box, const struct fshelp_transbox_ops *ops, void *node,
                             pthread_mutex_t *node_lock)
{
    mach_port_t control = MACH_PORT_NULL;
    char *argz = NULL;
    size_t length = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    error_t err = ops->argv(node, &argz, &length);

    if (err)
        return err;
    if (ops->owner)
        ops->owner(node, &uid, &gid);
    box->starting = true;
    pthread_mutex_unlock(node_lock);
    err = ops->ready ? ops->ready() : 0;
    if (!err)
        err = fshelp_translator_start(argz, length, uid, gid, START_TIMEOUT_MS, ops->underlying, node, &control);
    free(argz);
    pthread_mutex_lock(node_lock);
    box->starting = false;
    if (!err) {
        box->active = control;
        box->changes++;
    }
    if (box->waiters)
        pthread_cond_broadcast(&box->wakeup);
    /* "No such program" must not look like "no translator". */
    return err == ENOENT ? ENXIO : err;
}

static bool translator_is_gone(error_t err)
{
    return err == MACH_SEND_INVALID_DEST || err == MIG_SERVER_DIED || err == EDIED;
}

/* A call that ended without its answer: interrupted, or the C library has lost patience with a translator that it had
   interrupted. */
static bool call_is_unanswered(error_t err)
{
    return err == EINTR || err == EIEIO ||
           ((unsigned int)err >= MACH_SEND_IN_PROGRESS && (unsigned int)err < MACH_RCV_IN_PROGRESS + 0x1000);
}

/* fsys_getroot of CONTROL.  Its answer goes to the thread's own reply port, and this routine's stub leaves that as it
   is when the call fails: but the translator, who may be anybody, still has the right to answer, and whatever he sends
   then would be taken for the answer to this thread's next call. */
static error_t control_getroot(mach_port_t control, mach_port_t dotdot, const struct fshelp_user *user, int flags,
                               retry_type *retry, char *retry_name, mach_port_t *root)
{
    error_t err = fsys_getroot(control, mig_get_reply_port(), dotdot, MACH_MSG_TYPE_COPY_SEND, user->uids, user->nuids,
                               user->gids, user->ngids, flags, retry, retry_name, root);
    if (call_is_unanswered(err))
        mig_dealloc_reply_port(mig_get_reply_port());
    return err;
}

error_t fshelp_transbox_root(struct fshelp_transbox *box, const struct fshelp_transbox_ops *ops, void *node,
                             pthread_mutex_t *node_lock, mach_port_t dotdot, const struct fshelp_user *user, int flags,
                             retry_type *retry, char *retry_name, mach_port_t *root)
{
    error_t err = 0;

    for (int attempt = 0; attempt < 2; attempt++) {
        mach_port_t control;

        /* Who does not want to wait may be part of what is being waited for (the C library opens /dev/urandom so). */
        if (box->starting && (flags & O_NONBLOCK))
            return EWOULDBLOCK;
        err = wait_for_start(box, node_lock);
        if (!err && box->active == MACH_PORT_NULL)
            err = start_passive(box, ops, node, node_lock);
        if (err)
            return err;
        control = box->active;
        err = mach_port_mod_refs(mach_task_self(), control, MACH_PORT_RIGHT_SEND, 1);
        if (!err) {
            pthread_mutex_unlock(node_lock);
            err = control_getroot(control, dotdot, user, flags, retry, retry_name, root);
            mach_port_deallocate(mach_task_self(), control);
            pthread_mutex_lock(node_lock);
            if (!translator_is_gone(err))
                return err;
        }
        /* The name is of a dead right now: forget it, unless somebody has done so already. */
        if (box->active == control) {
            box->active = MACH_PORT_NULL;
            box->changes++;
            mach_port_deallocate(mach_task_self(), control);
        }
        err = EDIED;
    }
    return err;
}

error_t fshelp_transbox_set(struct fshelp_transbox *box, mach_port_t control, bool excl, pthread_mutex_t *node_lock,
                            mach_port_t *old)
{
    error_t err = wait_for_start(box, node_lock);

    if (err)
        return err;
    if (excl && box->active != MACH_PORT_NULL)
        return EBUSY;
    *old = box->active;
    box->active = control;
    box->changes++;
    return 0;
}
