/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who wants to hear of changes: dir_notice_changes, file_notice_changes.

   The list hangs on the node, under its lock.  A notice is sent without waiting; who does not take it (dead, or its queue full)
   is dropped from the list: he missed one, and the tick numbers would not tell him if he got later ones.  The stubs of
   fs_notify are made with a message option for that (nowait_notify.defs).

   Of those at a node where nothing changes nobody would ever hear that they have died: they are looked for whenever the list has doubled.  A port of
   this server itself is refused, since the list would keep its object alive for ever.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fs_S.h"
#include "nowait_notify_U.h"

#include <stdlib.h>

struct diskfs_notify {
    struct diskfs_notify *next;
    mach_port_t port;       /* send right */
    unsigned int tick;
};

/* Sends one notice to each; those who did not take it go. Node locked. */
static void notify_all(struct diskfs_node *node, error_t (*send)(struct diskfs_notify *, void *), void *arg)
{
    struct diskfs_notify **link = &node->notify, *notify;
    while ((notify = *link) != NULL) {
        if (send(notify, arg) == 0) {
            link = &notify->next;
            continue;
        }
        *link = notify->next;
        mach_port_deallocate(mach_task_self(), notify->port);
        free(notify);
    }
}

struct dir_notice { dir_changed_type_t change; char name[STRING_MAX]; };

static error_t dir_send(struct diskfs_notify *notify, void *arg)
{
    struct dir_notice *notice = arg;
    return nowait_dir_changed(notify->port, MACH_SEND_TIMEOUT, notify->tick++, notice->change, notice->name);
}

void diskfs_notice_dir(struct diskfs_node *dir, dir_changed_type_t change, const char *name, size_t length)
{
    struct dir_notice notice;
    notice.change = change;
    memcpy(notice.name, name, length);
    memset(notice.name + length, 0, sizeof notice.name - length);
    notify_all(dir, dir_send, &notice);
}

struct file_notice { file_changed_type_t change; loff_t start, end; };

static error_t file_send(struct diskfs_notify *notify, void *arg)
{
    struct file_notice *notice = arg;
    return nowait_file_changed(notify->port, MACH_SEND_TIMEOUT, notify->tick++, notice->change, notice->start, notice->end);
}

void diskfs_notice_file(struct diskfs_node *node, file_changed_type_t change, loff_t start, loff_t end)
{
    struct file_notice notice = { change, start, end };
    notify_all(node, file_send, &notice);
}

static mach_port_type_t port_type(mach_port_t port)
{
    mach_port_type_t type;
    return mach_port_type(mach_task_self(), port, &type) == 0 ? type : 0;
}

/* Drops the dead ones if there are as many as a power of two. Node locked. */
static void notify_sweep(struct diskfs_node *node)
{
    enum { SWEEP_MIN = 4 };
    unsigned int count = 0;
    for (const struct diskfs_notify *notify = node->notify; notify != NULL; notify = notify->next)
        count++;
    if (count < SWEEP_MIN || (count & (count - 1)) != 0)
        return;
    struct diskfs_notify **link = &node->notify, *notify;
    while ((notify = *link) != NULL) {
        if (port_type(notify->port) & MACH_PORT_TYPE_SEND) {
            link = &notify->next;
            continue;
        }
        *link = notify->next;
        mach_port_deallocate(mach_task_self(), notify->port);
        free(notify);
    }
}

/* PORT is consumed on success. Node locked. */
static error_t notify_add(struct diskfs_node *node, mach_port_t port, error_t (*send)(struct diskfs_notify *, void *),
                          void *first)
{
    if ((port_type(port) & (MACH_PORT_TYPE_SEND | MACH_PORT_TYPE_RECEIVE)) != MACH_PORT_TYPE_SEND)
        return EINVAL;
    notify_sweep(node);
    struct diskfs_notify *notify = malloc(sizeof *notify);
    if (notify == NULL)
        return ENOMEM;
    *notify = (struct diskfs_notify) { .port = port, .tick = 0 };
    /* The protocol begins with a null notice, so that the other side knows that it hears. */
    error_t err = send(notify, first);
    if (err) {
        free(notify);
        return err;
    }
    notify->next = node->notify;
    node->notify = notify;
    diskfs_node_hold(node);
    return 0;
}

kern_return_t diskfs_S_dir_notice_changes(diskfs_protid_t cred, mach_port_t port)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    struct dir_notice first = { .change = DIR_CHANGED_NULL };
    pthread_mutex_lock(&node->lock);
    error_t err = S_ISDIR(node->stat.st_mode) ? notify_add(node, port, dir_send, &first) : ENOTDIR;
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_file_notice_changes(diskfs_protid_t cred, mach_port_t port)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    struct file_notice first = { FILE_CHANGED_NULL, 0, 0 };
    pthread_mutex_lock(&node->lock);
    error_t err = S_ISDIR(node->stat.st_mode) ? EISDIR : notify_add(node, port, file_send, &first);
    pthread_mutex_unlock(&node->lock);
    return err;
}
