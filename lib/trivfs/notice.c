/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_notice_changes, dir_notice_changes.  Who wants to hear of the nodes of one control stands in one list (fshelp),
   with the place of the node's identity to tell nodes apart; each of them keeps the control until it dies, or nobody
   can use the nodes any more. */

#include "trivfs-internal.h"

#include "fs_S.h"

/* What PROTID's node has for itself. */
static const void *node_key(struct trivfs_protid *protid)
{
    struct trivfs_control *control = protid->peropen->control;
    return control->ops->identity != NULL ? control->ops->identity(protid) : &control->identity;
}

void trivfs_notice_file(struct trivfs_protid *protid, file_changed_type_t change, loff_t start, loff_t end)
{
    struct trivfs_control *control = protid->peropen->control;
    if (__atomic_load_n(&control->notify, __ATOMIC_RELAXED) == NULL)
        return;
    pthread_mutex_lock(&control->lock);
    fshelp_notify_file(&control->notify, node_key(protid), change, start, end);
    pthread_mutex_unlock(&control->lock);
}

/* Is PROTID's node a directory? */
static error_t node_is_directory(struct trivfs_protid *protid, bool *directory)
{
    struct stat st;
    *directory = false;
    if (protid->peropen->control->ops->readdir == NULL)
        return 0;
    error_t err = trivfs_protid_stat(protid, &st);
    *directory = err == 0 && S_ISDIR(st.st_mode);
    return err;
}

static void owner_drop(void *owner, struct fshelp_notify *watcher)
{
    struct trivfs_control *control = owner;
    pthread_mutex_lock(&control->lock);
    fshelp_notify_drop(&control->notify, watcher);
    pthread_mutex_unlock(&control->lock);
}

/* PORT wants to hear of PROTID's node, if that is a DIRECTORY or is none, as asked. */
static error_t notice_request(struct trivfs_protid *protid, mach_port_t port, bool directory)
{
    bool is_directory;
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    error_t err = node_is_directory(protid, &is_directory);
    if (err)
        return err;
    if (directory != is_directory)
        return directory ? ENOTDIR : EISDIR;
    const struct fshelp_notify_home home = {
        .bucket = control->bucket, .owner = control, .owner_ref = ports_object_ref,
        .owner_deref = ports_object_deref, .drop = owner_drop,
    };
    pthread_mutex_lock(&control->lock);
    err = (directory ? fshelp_notify_add_dir : fshelp_notify_add_file)(&control->notify, node_key(protid), port, &home);
    pthread_mutex_unlock(&control->lock);
    return err;
}

kern_return_t S_file_notice_changes(trivfs_protid_t file, mach_port_t port)
{
    return notice_request(file, port, false);
}

kern_return_t S_dir_notice_changes(trivfs_protid_t directory, mach_port_t port)
{
    return notice_request(directory, port, true);
}
