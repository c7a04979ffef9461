/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fsys_goaway: the end of the service, with its flags.

   Without FORCE it is refused (EBUSY) while anybody has a file open, owns locks, or a translator sits below; RECURSE
   asks those to go first.  From then on the control port serves nobody, so that none comes between the check and the
   end.  NOSYNC leaves out the last sync; NOWAIT answers before it.

   UNLINK: the node that the file system sits on has lost its last name.  If it is not used it goes; if it is, the
   request is answered and the file system is cut off: it goes by itself when the last file is closed and the
   translators below are gone.

   Lock: cut_lock, a leaf. */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fsys_S.h"
#include "fsys_reply_U.h"

#include <hurd/fsys.h>
#include <stdlib.h>

atomic_bool diskfs_is_cut_off;

static pthread_mutex_t cut_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cut_wakeup = PTHREAD_COND_INITIALIZER;
static bool cut_changed;        /* cut_lock */

static error_t goaway_child(mach_port_t control, void *arg)
{
    int *flags = arg;
    error_t err = fsys_goaway(control, *flags);
    return err == MIG_SERVER_DIED || err == MACH_SEND_INVALID_DEST ? 0 : err;
}

static error_t count_child(mach_port_t control, void *arg)
{
    unsigned int *children = arg;
    (void) control;
    ++*children;
    return 0;
}

/* True if anybody has use for the file system.  Locks without an open file are none once nobody can open one. */
static bool in_use(void)
{
    return atomic_load(&diskfs_peropens) > 0 || (!atomic_load(&diskfs_is_cut_off) && fshelp_lock_ports() > 0);
}

/* 0 if the file system may go; then no request is served on the control port any more. */
static error_t close_down(int flags)
{
    bool force = flags & FSYS_GOAWAY_FORCE;
    unsigned int children = 0;
    error_t err = 0;

    if (diskfs_is_boot() && !force)
        return EBUSY;
    if (flags & FSYS_GOAWAY_RECURSE) {
        int theirs = flags & ~FSYS_GOAWAY_UNLINK;
        err = diskfs_translators_iterate(goaway_child, &theirs);
    } else {
        diskfs_translators_iterate(count_child, &children);
    }
    if (force)
        return 0;
    if (err || children > 0 || in_use())
        return err ? err : EBUSY;
    err = ports_class_inhibit(&diskfs_control_class, false);
    if (!err && in_use()) {     /* who came meanwhile was first */
        ports_class_resume(&diskfs_control_class);
        err = EBUSY;
    }
    return err;
}

/* The last sync, as FLAGS want it. */
static error_t finish(int flags)
{
    error_t err = flags & FSYS_GOAWAY_NOSYNC ? 0 : diskfs_last_sync();
    if (err && (flags & (FSYS_GOAWAY_FORCE | FSYS_GOAWAY_NOWAIT)))
        diskfs_warn("last sync: %s", strerror(err));
    return flags & (FSYS_GOAWAY_FORCE | FSYS_GOAWAY_NOWAIT) ? 0 : err;
}

/* ---- cut off ---------------------------------------------------------------------- */

void diskfs_cut_off_check(void)
{
    pthread_mutex_lock(&cut_lock);
    cut_changed = true;
    pthread_cond_signal(&cut_wakeup);
    pthread_mutex_unlock(&cut_lock);
}

/* Ends the program when nobody has use for it any more. */
static void *cut_off_main(void *arg)
{
    (void) arg;
    for (;;) {
        error_t err = close_down(FSYS_GOAWAY_RECURSE);
        if (!err) {
            finish(FSYS_GOAWAY_NOWAIT);
            exit(0);
        }
        pthread_mutex_lock(&cut_lock);
        while (!cut_changed)
            pthread_cond_wait(&cut_wakeup, &cut_lock);
        cut_changed = false;
        pthread_mutex_unlock(&cut_lock);
    }
    return NULL;
}

static error_t cut_off(void)
{
    error_t err = 0;
    if (atomic_exchange(&diskfs_is_cut_off, true))
        return 0;
    err = ports_thread_create(0, cut_off_main, NULL);
    if (err)
        atomic_store(&diskfs_is_cut_off, false);
    return err;
}

/* ---- the request -------------------------------------------------------------------- */

kern_return_t diskfs_S_fsys_goaway(diskfs_control_t control, mach_port_t reply_port,
                                   mach_msg_type_name_t reply_portPoly, int flags)
{
    if (control == NULL)
        return EOPNOTSUPP;
    error_t err = close_down(flags);
    if (err == EBUSY && (flags & FSYS_GOAWAY_UNLINK) && !diskfs_is_boot())
        return cut_off();
    if (err)
        return err;
    if (flags & FSYS_GOAWAY_NOWAIT)
        fsys_goaway_reply(reply_port, reply_portPoly, 0);
    err = finish(flags);
    if (err) {
        ports_class_resume(&diskfs_control_class);
        return err;
    }
    if (!(flags & FSYS_GOAWAY_NOWAIT))
        fsys_goaway_reply(reply_port, reply_portPoly, 0);
    exit(0);
}
