/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs.defs on a node: attributes, which live on the underlying node, locks, and opening it once more.  */

#include "trivfs-internal.h"

#include "fs_S.h"

#include <argz.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

/* ---- attributes ------------------------------------------------------------------- */

/* The underlying node for a change by PROTID's user, MACH_PORT_NULL if the attributes are ours.  The nodes of a tree
   have attributes that the server decides upon: EOPNOTSUPP. */
static error_t node_for_change(struct trivfs_protid *protid, mach_port_t *node)
{
    if (protid == NULL || protid->peropen->control->ops->lookup != NULL)
        return EOPNOTSUPP;
    return trivfs_protid_realnode(protid, node);
}

/* As node_for_change; attributes that are ours are *STAT, which is locked until change_end. */
static error_t change_begin(struct trivfs_protid *protid, mach_port_t *node, struct stat **stat)
{
    error_t err = node_for_change(protid, node);
    if (err || *node != MACH_PORT_NULL)
        return err;
    pthread_mutex_lock(&protid->peropen->control->lock);
    *stat = &protid->peropen->control->stat;
    return 0;
}

/* The attributes of PROTID's node were changed, or not if ERR. */
static error_t changed(struct trivfs_protid *protid, error_t err)
{
    if (err == 0)
        trivfs_notice_file(protid, FILE_CHANGED_META, 0, 0);
    return err;
}

static error_t change_end(struct trivfs_protid *protid, error_t err)
{
    pthread_mutex_unlock(&protid->peropen->control->lock);
    return changed(protid, err);
}

kern_return_t S_file_chown(trivfs_protid_t protid, uid_t owner, gid_t group)
{
    mach_port_t node;
    struct stat *stat;
    error_t err = change_begin(protid, &node, &stat);
    if (err || node != MACH_PORT_NULL)
        return err ? err : changed(protid, file_chown(node, owner, group));
    err = fshelp_check_chown(stat, owner, group, protid->user);
    if (err == 0 && owner != (uid_t)-1)
        stat->st_uid = owner;
    if (err == 0 && group != (gid_t)-1)
        stat->st_gid = group;
    return change_end(protid, err);
}

kern_return_t S_file_chauthor(trivfs_protid_t protid, uid_t author)
{
    mach_port_t node;
    struct stat *stat;
    error_t err = change_begin(protid, &node, &stat);
    if (err || node != MACH_PORT_NULL)
        return err ? err : changed(protid, file_chauthor(node, author));
    err = fshelp_check_owner(stat, protid->user);
    if (err == 0)
        stat->st_author = author;
    return change_end(protid, err);
}

kern_return_t S_file_chmod(trivfs_protid_t protid, mode_t mode)
{
    mach_port_t node;
    struct stat *stat;
    error_t err = change_begin(protid, &node, &stat);
    if (err || node != MACH_PORT_NULL)
        return err ? err : changed(protid, file_chmod(node, mode));
    err = fshelp_check_chmod(stat, mode, protid->user, &mode);
    if (err == 0)
        stat->st_mode = mode;
    return change_end(protid, err);
}

kern_return_t S_file_chflags(trivfs_protid_t protid, int flags)
{
    mach_port_t node;
    struct stat *stat;
    error_t err = change_begin(protid, &node, &stat);
    if (err || node != MACH_PORT_NULL)
        return err ? err : changed(protid, file_chflags(node, flags));
    err = fshelp_check_owner(stat, protid->user);
    if (err == 0)
        stat->st_flags = flags;
    return change_end(protid, err);
}

static void time_apply(struct timespec *place, struct timespec new)
{
    if (new.tv_nsec == UTIME_OMIT)
        return;
    if (new.tv_nsec == UTIME_NOW)
        clock_gettime(CLOCK_REALTIME, place);
    else
        *place = new;
}

kern_return_t S_file_utimens(trivfs_protid_t protid, timespec_t atime, timespec_t mtime)
{
    mach_port_t node;
    struct stat *stat;
    error_t err = change_begin(protid, &node, &stat);
    if (err || node != MACH_PORT_NULL)
        return err ? err : changed(protid, file_utimens(node, atime, mtime));
    err = fshelp_check_owner(stat, protid->user);
    if (err == 0) {
        time_apply(&stat->st_atim, atime);
        time_apply(&stat->st_mtim, mtime);
    }
    return change_end(protid, err);
}

static struct timespec time_convert(time_value_t old)
{
    if (old.microseconds == -1)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return (struct timespec){.tv_sec = old.seconds, .tv_nsec = old.microseconds * 1000};
}

kern_return_t S_file_utimes(trivfs_protid_t protid, time_value_t atime, time_value_t mtime)
{
    return S_file_utimens(protid, time_convert(atime), time_convert(mtime));
}

kern_return_t S_file_set_size(trivfs_protid_t protid, loff_t size)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    const struct trivfs_ops *ops = protid->peropen->control->ops;
    if (!(protid->peropen->flags & O_WRITE))
        return EBADF;
    if (size < 0)
        return EINVAL;
    if (ops->set_size == NULL)
        return 0;
    loff_t old = ops->size != NULL ? ops->size(protid) : size;
    error_t err = ops->set_size(protid, size);
    if (err == 0 && size != old)
        trivfs_notice_file(protid, size < old ? FILE_CHANGED_TRUNCATE : FILE_CHANGED_EXTEND, 0, size);
    return err;
}

kern_return_t S_file_statfs(trivfs_protid_t protid, fsys_statfsbuf_t *info)
{
    struct stat st;
    if (protid == NULL)
        return EOPNOTSUPP;
    error_t err = trivfs_protid_stat(protid, &st);
    if (err)
        return err;
    memset(info, 0, sizeof *info);
    info->f_type = st.st_fstype;
    info->f_fsid = st.st_fsid;
    info->f_bsize = info->f_frsize = vm_page_size;
    info->f_namelen = 255;
    return 0;
}

kern_return_t S_file_get_storage_info(trivfs_protid_t protid, portarray_t *ports, mach_msg_type_name_t *ports_type,
                                      mach_msg_type_number_t *nports, intarray_t *ints, mach_msg_type_number_t *nints,
                                      off_array_t *offsets, mach_msg_type_number_t *noffsets, data_t *data,
                                      mach_msg_type_number_t *ndata)
{
    struct fshelp_storage storage = {.kind = STORAGE_OTHER, .block_size = 1};
    if (protid == NULL || protid->peropen->control->ops->storage == NULL)
        return EOPNOTSUPP;
    /* A device's port lets one past all permissions. */
    error_t err = fshelp_user_is_root(protid->user) ? protid->peropen->control->ops->storage(protid, &storage) : 0;
    if (err) {
        fshelp_storage_release(&storage);
        return err;
    }
    *ports_type = MACH_MSG_TYPE_MOVE_SEND;
    return fshelp_storage_answer(&storage, ports, nports, ints, nints, offsets, noffsets, data, ndata);
}

/* ---- access ---------------------------------------------------------------------------- */

kern_return_t S_file_check_access(trivfs_protid_t protid, int *allowed)
{
    struct stat st;
    if (protid == NULL)
        return EOPNOTSUPP;
    error_t err = trivfs_protid_stat(protid, &st);
    if (err)
        return err;
    *allowed = fshelp_allowed(&st, protid->user) & protid->peropen->control->ops->modes;
    return 0;
}

/* Opens PATH from PROTID's node in a translator that has directories; or, when it leads above them, lets the client go
   on with the rest of it in the directory that the tree hangs in. */
static error_t tree_lookup(struct trivfs_protid *protid, const char *path, int flags, retry_type *retry,
                           char *retry_name, mach_port_t *result, mach_msg_type_name_t *result_type)
{
    struct trivfs_protid *child;
    struct trivfs_right *dotdot = protid->peropen->dotdot;
    const char *above = NULL;
    error_t err = protid->peropen->control->ops->lookup(protid, path, flags, &child, &above);
    if (err)
        return err;
    if (above != NULL) {
        if (dotdot == NULL)
            return ENOENT;
        *retry = FS_RETRY_REAUTH;
        strcpy(retry_name, above); /* a part of PATH, which is as long at most */
        *result = dotdot->port;
        *result_type = MACH_MSG_TYPE_COPY_SEND;
        return 0;
    }
    child->peropen->dotdot = right_ref(dotdot);
    *retry = FS_RETRY_NORMAL;
    retry_name[0] = '\0';
    *result = ports_object_make_send_name(child);
    *result_type = MACH_MSG_TYPE_MAKE_SEND;
    ports_object_deref(child);
    return 0;
}

/* Another port to PROTID's open, as an answer's MAKE_SEND. */
static error_t same_open_name(struct trivfs_protid *protid, mach_port_t *name)
{
    struct trivfs_protid *duplicate;
    error_t err = trivfs_protid_duplicate(protid, &duplicate);
    if (err)
        return err;
    *name = ports_object_make_send_name(duplicate);
    ports_object_deref(duplicate);
    return *name == MACH_PORT_NULL ? ENOMEM : 0;
}

/* Whether NAME leads nowhere else: "", ".", or one of them with slashes, which is how the C library asks for a
   directory. */
static bool name_is_here(const char *name)
{
    while (*name == '/' || (*name == '.' && (name[1] == '/' || name[1] == '\0')))
        name++;
    return *name == '\0';
}

kern_return_t S_dir_lookup(trivfs_protid_t protid, const_string_t name, int flags, mode_t mode, retry_type *retry,
                           string_t retry_name, mach_port_t *result, mach_msg_type_name_t *result_type)
{
    (void)mode;
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    if (control->ops->lookup != NULL)
        return tree_lookup(protid, name, flags, retry, retry_name, result, result_type);
    if (control->ops->magic != NULL && !name_is_here(name)) {
        *retry = FS_RETRY_MAGICAL;
        *result = MACH_PORT_NULL;
        *result_type = MACH_MSG_TYPE_COPY_SEND;
        return control->ops->magic(protid, name, retry_name);
    }
    /* there is nothing below a single node */
    if (control->ops->magic == NULL && (name[0] != '\0' || (flags & O_DIRECTORY)))
        return ENOTDIR;
    error_t err = control->ops->unnamed ? same_open_name(protid, result)
                                        : control_open_name(control, protid->user, flags, result);
    if (err)
        return err;
    *result_type = MACH_MSG_TYPE_MAKE_SEND;
    *retry = FS_RETRY_NORMAL;
    retry_name[0] = '\0';
    return 0;
}

kern_return_t S_file_getcontrol(trivfs_protid_t protid, mach_port_t *control, mach_msg_type_name_t *type)
{
    if (protid == NULL || protid->peropen->control->ops->unnamed)
        return EOPNOTSUPP;
    struct stat st;
    error_t err = control_stat(protid->peropen->control, &st);
    if (err == 0)
        err = fshelp_check_owner(&st, protid->user);
    if (err)
        return err;
    *control = ports_object_make_send_name(protid->peropen->control);
    *type = MACH_MSG_TYPE_MAKE_SEND;
    return 0;
}

kern_return_t S_file_getlinknode(trivfs_protid_t protid, mach_port_t *node, mach_msg_type_name_t *type)
{
    error_t err = node_for_change(protid, node);
    *type = MACH_MSG_TYPE_COPY_SEND;
    return err == 0 && *node == MACH_PORT_NULL ? EOPNOTSUPP : err;
}

/* ---- locks ---------------------------------------------------------------------------------- */

kern_return_t S_file_lock(trivfs_protid_t protid, int flags)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    struct fshelp_lockbox *locks = peropen_lockbox(protid->peropen);
    if (locks == NULL)
        return EBADF;
    pthread_mutex_lock(&control->lock);
    error_t err = fshelp_lock_whole(locks, &control->lock, protid->peropen, flags);
    pthread_mutex_unlock(&control->lock);
    return err;
}

kern_return_t S_file_lock_stat(trivfs_protid_t protid, int *mine, int *others)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    struct fshelp_lockbox *locks = peropen_lockbox(protid->peropen);
    if (locks == NULL)
        return EBADF;
    pthread_mutex_lock(&control->lock);
    fshelp_lock_status(locks, protid->peropen, mine, others);
    pthread_mutex_unlock(&control->lock);
    return 0;
}

static void control_hold(void *control)
{
    trivfs_control_hold(control);
}

static void control_release(void *control)
{
    trivfs_control_release(control);
}

/* A record lock of PEROPEN, or of RENDEZVOUS if that is a port. */
static error_t record_lock(struct trivfs_peropen *peropen, struct fshelp_lockbox *locks, mach_port_t rendezvous,
                           int cmd, flock_t *lock)
{
    struct trivfs_control *control = peropen->control;
    if (rendezvous != MACH_PORT_NULL) {
        const struct fshelp_lock_site site = {locks, &control->lock, control, control_hold, control_release};
        return fshelp_lock_record_port(control->bucket, rendezvous, &site, 0, cmd, lock);
    }
    pthread_mutex_lock(&control->lock);
    error_t err = fshelp_lock_record(locks, &control->lock, peropen, 0, cmd, lock);
    pthread_mutex_unlock(&control->lock);
    return err;
}

kern_return_t S_file_record_lock(trivfs_protid_t protid, int cmd, flock_t *lock, mach_port_t rendezvous)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_peropen *peropen = protid->peropen;
    struct trivfs_control *control = peropen->control;
    struct fshelp_lockbox *locks = peropen_lockbox(peropen);
    if (locks == NULL)
        return EBADF;
    if (cmd != F_GETLK64 && cmd != F_SETLK64 && cmd != F_SETLKW64)
        return EINVAL;
    int flags = __atomic_load_n(&peropen->flags, __ATOMIC_RELAXED);
    if (cmd != F_GETLK64 &&
        ((lock->l_type == F_RDLCK && !(flags & O_READ)) || (lock->l_type == F_WRLCK && !(flags & O_WRITE))))
        return EBADF;
    loff_t size = lock->l_whence == SEEK_END && control->ops->size != NULL ? control->ops->size(protid) : 0;
    pthread_mutex_lock(&control->lock);
    error_t err = fshelp_lock_absolute(lock, peropen->offset, size);
    pthread_mutex_unlock(&control->lock);
    if (err == 0)
        err = record_lock(peropen, locks, rendezvous, cmd, lock);
    if (err == 0 && MACH_PORT_VALID(rendezvous))
        mach_port_deallocate(mach_task_self(), rendezvous);
    return err;
}

/* ---- the translator ---------------------------------------------------------------------------- */

static error_t node_sync(struct trivfs_protid *protid, int wait)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    return control->ops->sync != NULL ? control->ops->sync(control, wait) : 0;
}

kern_return_t S_file_sync(trivfs_protid_t protid, int wait, int omit_metadata)
{
    (void)omit_metadata;
    return node_sync(protid, wait);
}

kern_return_t S_file_syncfs(trivfs_protid_t protid, int wait, int do_children)
{
    (void)do_children;
    return node_sync(protid, wait);
}

kern_return_t S_file_get_fs_options(trivfs_protid_t protid, data_t *data, mach_msg_type_number_t *count)
{
    return protid != NULL ? options_return(protid->peropen->control, data, count) : EOPNOTSUPP;
}
