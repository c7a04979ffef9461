/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bringing changes to the disk: when asked, every so often, at the end; and the change between read-only and writable.

   Becoming read-only.  Requests are not held back: some of them may be waiting for a translator or a lock, which needs
   other requests.  Instead `diskfs_frozen` makes every change begun from now on fail (EROFS), and then each node's lock
   is taken once: who saw the flag unset did so under such a lock, so when the last has been taken all changes are
   complete.

   The end of the service (fsys_goaway) is in goaway.c.

   Lock: switch_lock serialises changes of diskfs_readonly and syncs of everything; it is taken before any node's lock.
   timer_lock is a leaf.  */

#include "diskfs-internal.h"

#include <hurd/fsys.h>
#include <stdio.h>
#include <time.h>

#define SYNC_INTERVAL 30        /* seconds, unless --sync=N says otherwise */

atomic_bool diskfs_frozen;
atomic_int diskfs_sync_interval = SYNC_INTERVAL;

static pthread_mutex_t switch_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t timer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t timer_wakeup = PTHREAD_COND_INITIALIZER;
static bool timer_changed;      /* timer_lock */

/* switch_lock held. */
static error_t sync_everything(bool wait, bool clean)
{
    error_t err = diskfs_node_write_all(false);
    error_t more = diskfs_ops->sync(true, wait, clean);
    return err ? err : more;
}

error_t diskfs_sync_all(bool wait, bool clean)
{
    pthread_mutex_lock(&switch_lock);
    error_t err = diskfs_readonly ? 0 : sync_everything(wait, clean);
    pthread_mutex_unlock(&switch_lock);
    return err;
}

error_t diskfs_syncfs(bool wait, bool children)
{
    error_t err = children ? diskfs_children_sync(wait) : 0;
    error_t ours = diskfs_sync_all(wait, false);
    return ours ? ours : err;
}

/* ---- every so often ---------------------------------------------------------------- */

void diskfs_sync_rearm(void)
{
    pthread_mutex_lock(&timer_lock);
    timer_changed = true;
    pthread_cond_signal(&timer_wakeup);
    pthread_mutex_unlock(&timer_lock);
}

/* Waits one interval; starts anew when that is changed. */
static void timer_wait(void)
{
    pthread_mutex_lock(&timer_lock);
    for (;;) {
        int seconds = atomic_load(&diskfs_sync_interval);
        timer_changed = false;
        if (seconds <= 0 || diskfs_readonly) {
            pthread_cond_wait(&timer_wakeup, &timer_lock);
            continue;
        }
        struct timespec until;
        diskfs_time_now(&until);
        until.tv_sec += seconds;
        int err = 0;
        while (!timer_changed && err != ETIMEDOUT)
            err = pthread_cond_timedwait(&timer_wakeup, &timer_lock, &until);
        if (!timer_changed)
            break;
    }
    pthread_mutex_unlock(&timer_lock);
}

static void *timer_main(void *arg)
{
    error_t last = 0;
    (void) arg;
    ports_pageout_thread();
    for (;;) {
        timer_wait();
        error_t err = diskfs_sync_all(false, false);
        if (err && err != last)
            diskfs_warn("periodic sync: %s", strerror(err));
        last = err;
    }
    return NULL;
}

void diskfs_sync_start(void)
{
    error_t err = ports_thread_create(0, timer_main, NULL);
    if (err)
        diskfs_warn("no thread for the periodic sync: %s", strerror(err));
}

/* ---- read-only and back ---------------------------------------------------------------- */

static error_t node_pass(struct diskfs_node *node, void *arg)
{
    unsigned int *orphans = arg;
    pthread_mutex_lock(&node->lock);
    *orphans += node->stat.st_nlink == 0;
    pthread_mutex_unlock(&node->lock);
    return 0;
}

/* Removes from the disk what has no name any more although somebody has it open: he will not need it after the halt. */
static error_t node_remove_orphan(struct diskfs_node *node, void *arg)
{
    (void) arg;
    pthread_mutex_lock(&node->lock);
    bool orphan = node->stat.st_nlink == 0;
    pthread_mutex_unlock(&node->lock);
    if (orphan)
        diskfs_node_remove(node);
    return 0;
}

/* switch_lock held. LAST: the system goes down, nobody comes back. */
static error_t become_readonly(bool last)
{
    unsigned int orphans = 0;
    atomic_store(&diskfs_frozen, true);
    diskfs_node_await_dying();
    error_t err = diskfs_node_iterate(node_pass, &orphans);
    if (!err && orphans > 0 && !last)
        err = EBUSY;        /* open files without a name would be lost on the disk */
    if (!err && orphans > 0)
        err = diskfs_node_iterate(node_remove_orphan, NULL);
    if (!err)
        err = sync_everything(true, true);
    if (!err)
        err = diskfs_ops->set_readonly(true);
    if (!err)
        diskfs_readonly = true;
    atomic_store(&diskfs_frozen, false);
    return err;
}

static error_t set_readonly(bool readonly, bool last)
{
    error_t err = 0;
    pthread_mutex_lock(&switch_lock);
    if (readonly && !diskfs_readonly) {
        err = become_readonly(last);
    } else if (!readonly && diskfs_readonly) {
        err = diskfs_ops->set_readonly(false);
        if (!err)
            diskfs_readonly = false;
    }
    pthread_mutex_unlock(&switch_lock);
    if (!err)
        diskfs_sync_rearm();
    return err;
}

error_t diskfs_set_readonly(bool readonly)
{
    return set_readonly(readonly, false);
}

error_t diskfs_last_sync(void)
{
    return set_readonly(true, true);
}

/* ---- --update ---------------------------------------------------------------------------- */

static error_t node_reload(struct diskfs_node *node, void *arg)
{
    error_t *worst = arg;
    pthread_mutex_lock(&node->lock);
    diskfs_ops->node_forget(node);
    error_t err = diskfs_ops->node_read(node);
    node->stat.st_fstype = diskfs_ops->fstype;
    node->dir_generation++;
    pthread_mutex_unlock(&node->lock);
    if (err)
        *worst = err;
    return 0;
}

error_t diskfs_reload(void)
{
    error_t worst = 0;
    if (!diskfs_readonly)
        return EBUSY;
    if (diskfs_ops->reload == NULL)
        return EOPNOTSUPP;
    pthread_mutex_lock(&switch_lock);
    error_t err = diskfs_ops->reload();
    diskfs_names_purge_all();
    if (!err)
        err = diskfs_node_iterate(node_reload, &worst);
    pthread_mutex_unlock(&switch_lock);
    return err ? err : worst;
}
