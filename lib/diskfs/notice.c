/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir_notice_changes, file_notice_changes.  The list of who wants to hear (fshelp) hangs on the node, under its lock,
   each of whom keeps the node in memory. */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fs_S.h"

void diskfs_notice_dir(struct diskfs_node *dir, dir_changed_type_t change, const char *name, size_t length)
{
    fshelp_notify_dir(&dir->notify, NULL, change, name, length);
}

void diskfs_notice_file(struct diskfs_node *node, file_changed_type_t change, loff_t start, loff_t end)
{
    fshelp_notify_file(&node->notify, NULL, change, start, end);
}

static void owner_drop(void *owner, struct fshelp_notify *watcher)
{
    struct diskfs_node *node = owner;
    pthread_mutex_lock(&node->lock);
    fshelp_notify_drop(&node->notify, watcher);
    pthread_mutex_unlock(&node->lock);
}

void diskfs_notice_end(struct diskfs_node *node)
{
    pthread_mutex_lock(&node->lock);
    if (node->stat.st_nlink == 0 && atomic_load(&node->opens) == 0)
        fshelp_notify_clear(&node->notify);
    pthread_mutex_unlock(&node->lock);
}

/* PORT wants to hear of CRED's node, which is to be a DIRECTORY or not to be one. */
static error_t notice_request(struct diskfs_protid *cred, mach_port_t port, bool directory)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    const struct fshelp_notify_home home = {
        .bucket = diskfs_bucket, .owner = node, .owner_ref = node_ref_hook, .owner_deref = node_deref_hook,
        .drop = owner_drop,
    };
    error_t err;
    pthread_mutex_lock(&node->lock);
    if (directory)
        err = S_ISDIR(node->stat.st_mode) ? fshelp_notify_add_dir(&node->notify, NULL, port, &home) : ENOTDIR;
    else
        err = S_ISDIR(node->stat.st_mode) ? EISDIR : fshelp_notify_add_file(&node->notify, NULL, port, &home);
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_dir_notice_changes(diskfs_protid_t cred, mach_port_t port)
{
    return notice_request(cred, port, true);
}

kern_return_t diskfs_S_file_notice_changes(diskfs_protid_t cred, mach_port_t port)
{
    return notice_request(cred, port, false);
}
