/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir_notice_changes, file_notice_changes.  The list of who wants to hear (fshelp) hangs on the node, under its lock,
   and keeps the node in memory. */

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

kern_return_t diskfs_S_dir_notice_changes(diskfs_protid_t cred, mach_port_t port)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    error_t err = S_ISDIR(node->stat.st_mode) ? fshelp_notify_add_dir(&node->notify, NULL, port) : ENOTDIR;
    diskfs_node_hold(node);
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_file_notice_changes(diskfs_protid_t cred, mach_port_t port)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    error_t err = S_ISDIR(node->stat.st_mode) ? EISDIR : fshelp_notify_add_file(&node->notify, NULL, port);
    diskfs_node_hold(node);
    pthread_mutex_unlock(&node->lock);
    return err;
}
