/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs.defs on single files: attributes, size, locks, handles, status of the file system.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fs_S.h"

#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOT_FLAGS 0xffff0000u  /* st_flags that only root may change */

/* Attributes of an immutable or append-only file stay what they are: EPERM. Node locked. */
static error_t attributes_check(const struct diskfs_node *node)
{
    if (diskfs_unwritable())
        return EROFS;
    return node->stat.st_flags & (SF_IMMUTABLE | SF_APPEND) ? EPERM : 0;
}

/* Locks CRED's node if the file may be changed by its owner or root; the node, or NULL with *ERR. */
static struct diskfs_node *owned_node(struct diskfs_protid *cred, error_t *err)
{
    if (cred == NULL) {
        *err = EOPNOTSUPP;
        return NULL;
    }
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    *err = diskfs_unwritable() ? EROFS : fshelp_check_owner(&node->stat, cred->user);
    if (!*err)
        return node;
    pthread_mutex_unlock(&node->lock);
    return NULL;
}

/* NODE's attributes were changed: notes it, unlocks it. */
static error_t changed_unlock(struct diskfs_node *node)
{
    error_t err = diskfs_node_changed(node);
    if (node->notify != NULL && !S_ISDIR(node->stat.st_mode))
        diskfs_notice_file(node, FILE_CHANGED_META, 0, 0);
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_file_chown(diskfs_protid_t cred, uid_t owner, gid_t group)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    error_t err = attributes_check(node);
    if (!err)
        err = fshelp_check_chown(&node->stat, owner, group, cred->user);
    if (err) {
        pthread_mutex_unlock(&node->lock);
        return err;
    }
    if (owner != (uid_t) -1) {
        if (node->stat.st_author == node->stat.st_uid)
            node->stat.st_author = owner;
        node->stat.st_uid = owner;
    }
    if (group != (gid_t) -1)
        node->stat.st_gid = group;
    if (!S_ISDIR(node->stat.st_mode))       /* even by root, who need not know what he gives himself */
        node->stat.st_mode &= ~(mode_t) (S_ISUID | S_ISGID);
    return changed_unlock(node);
}

kern_return_t diskfs_S_file_chauthor(diskfs_protid_t cred, uid_t author)
{
    error_t err;
    struct diskfs_node *node = owned_node(cred, &err);
    if (node == NULL)
        return err;
    err = attributes_check(node);
    if (err) {
        pthread_mutex_unlock(&node->lock);
        return err;
    }
    node->stat.st_author = author;
    return changed_unlock(node);
}

kern_return_t diskfs_S_file_chmod(diskfs_protid_t cred, mode_t mode)
{
    mode_t result;
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    error_t err = attributes_check(node);
    if (!err)
        err = fshelp_check_chmod(&node->stat, mode, cred->user, &result);
    if (err) {
        pthread_mutex_unlock(&node->lock);
        return err;
    }
    node->stat.st_mode = (node->stat.st_mode & S_IFMT) | (result & ~(mode_t) (S_IFMT | S_IPTRANS | S_IATRANS));
    return changed_unlock(node);
}

kern_return_t diskfs_S_file_chflags(diskfs_protid_t cred, int flags)
{
    error_t err;
    struct diskfs_node *node = owned_node(cred, &err);
    if (node == NULL)
        return err;
    if ((((unsigned int) flags ^ node->stat.st_flags) & ROOT_FLAGS) && !fshelp_user_is_root(cred->user)) {
        pthread_mutex_unlock(&node->lock);
        return EPERM;
    }
    node->stat.st_flags = (unsigned int) flags;
    return changed_unlock(node);
}

/* True if T is a special value or a proper time. */
static bool time_proper(const struct timespec *t)
{
    return t->tv_nsec == UTIME_NOW || t->tv_nsec == UTIME_OMIT || (t->tv_nsec >= 0 && t->tv_nsec < 1000000000);
}

kern_return_t diskfs_S_file_utimens(diskfs_protid_t cred, timespec_t atime, timespec_t mtime)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    if (!time_proper(&atime) || !time_proper(&mtime))
        return EINVAL;
    struct diskfs_node *node = cred->po->node;
    if (atime.tv_nsec == UTIME_OMIT && mtime.tv_nsec == UTIME_OMIT)
        return 0;           /* no change, and so no permission wanted */
    bool touch = atime.tv_nsec == UTIME_NOW && mtime.tv_nsec == UTIME_NOW;
    pthread_mutex_lock(&node->lock);
    error_t err = diskfs_unwritable() ? EROFS : fshelp_check_owner(&node->stat, cred->user);
    /* "Now" is what a mere write could do, too. (O_TRUNC asks so with the access time left out.) */
    bool now_only = (touch || (atime.tv_nsec == UTIME_OMIT && mtime.tv_nsec == UTIME_NOW)
                     || (atime.tv_nsec == UTIME_NOW && mtime.tv_nsec == UTIME_OMIT));
    if (err == EPERM && now_only)
        err = (atomic_load(&cred->po->flags) & O_WRITE) ? 0 : fshelp_access(&node->stat, S_IWRITE, cred->user);
    /* What is appended to may say when. */
    if (!err && !(now_only && !(node->stat.st_flags & SF_IMMUTABLE)))
        err = attributes_check(node);
    if (err) {
        pthread_mutex_unlock(&node->lock);
        return err;
    }
    diskfs_node_settle_times(node);
    if (atime.tv_nsec == UTIME_NOW)
        node->atime_due = true;
    else if (atime.tv_nsec != UTIME_OMIT)
        node->stat.st_atim = atime;
    if (mtime.tv_nsec == UTIME_NOW)
        node->mtime_due = true;
    else if (mtime.tv_nsec != UTIME_OMIT)
        node->stat.st_mtim = mtime;
    return changed_unlock(node);
}

/* file_utimes: microseconds; -1 means now. */
static timespec_t time_from_value(time_value_t value)
{
    timespec_t t = { .tv_sec = value.seconds, .tv_nsec = (long) value.microseconds * 1000 };
    if (value.microseconds == -1)
        t = (timespec_t) { 0, UTIME_NOW };
    else if (value.microseconds == -2)
        t = (timespec_t) { 0, UTIME_OMIT };
    return t;
}

kern_return_t diskfs_S_file_utimes(diskfs_protid_t cred, time_value_t atime, time_value_t mtime)
{
    return diskfs_S_file_utimens(cred, time_from_value(atime), time_from_value(mtime));
}

kern_return_t diskfs_S_file_set_size(diskfs_protid_t cred, loff_t size)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    if (size < 0)
        return EINVAL;
    if (!(atomic_load(&cred->po->flags) & O_WRITE))
        return EINVAL;
    pthread_mutex_lock(&node->lock);
    off_t old = node->stat.st_size;
    error_t err = S_ISDIR(node->stat.st_mode) ? EISDIR : !S_ISREG(node->stat.st_mode) ? EINVAL
                  : diskfs_unwritable() ? EROFS : size > diskfs_ops->size_max ? EFBIG : 0;
    if (!err && size != old)
        err = diskfs_ops->set_size(node, size);
    if (err) {
        pthread_mutex_unlock(&node->lock);
        return err;
    }
    diskfs_node_written(node, cred->user);
    if (node->notify != NULL && size != old)
        diskfs_notice_file(node, size < old ? FILE_CHANGED_TRUNCATE : FILE_CHANGED_EXTEND, 0, size);
    if (diskfs_synchronous)
        err = diskfs_ops->node_sync(node, true, false);
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_file_check_access(diskfs_protid_t cred, int *allowed)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    *allowed = fshelp_allowed(&node->stat, cred->user);
    if (diskfs_noexec && S_ISREG(node->stat.st_mode))
        *allowed &= ~O_EXEC;
    if (diskfs_unwritable() && (S_ISREG(node->stat.st_mode) || S_ISDIR(node->stat.st_mode)))
        *allowed &= ~O_WRITE;
    pthread_mutex_unlock(&node->lock);
    return 0;
}

/* ---- advisory locks --------------------------------------------------------------- */

kern_return_t diskfs_S_file_lock(diskfs_protid_t cred, int flags)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_peropen *po = cred->po;
    struct diskfs_node *node = po->node;
    pthread_mutex_lock(&node->lock);
    error_t err = fshelp_lock_whole(&node->lockbox, &node->lock, po, flags);
    if (!err)
        po->locks = true;
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_file_lock_stat(diskfs_protid_t cred, int *mine, int *others)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    fshelp_lock_status(&node->lockbox, cred->po, mine, others);
    pthread_mutex_unlock(&node->lock);
    return 0;
}

/* A record lock of the open PO, or of RENDEZVOUS if that is a port. */
static error_t record_lock(struct diskfs_peropen *po, mach_port_t rendezvous, pid_t pid, int cmd, flock_t *lock)
{
    struct diskfs_node *node = po->node;
    if (rendezvous != MACH_PORT_NULL) {
        const struct fshelp_lock_site site = { &node->lockbox, &node->lock, node, node_ref_hook, node_deref_hook };
        return fshelp_lock_record_port(diskfs_bucket, rendezvous, &site, pid, cmd, lock);
    }
    pthread_mutex_lock(&node->lock);
    error_t err = fshelp_lock_record(&node->lockbox, &node->lock, po, pid, cmd, lock);
    if (!err && cmd != F_GETLK64)
        po->locks = true;
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_file_record_lock(diskfs_protid_t cred, int cmd, flock_t *lock, mach_port_t rendezvous)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_peropen *po = cred->po;
    struct diskfs_node *node = po->node;
    int modes = atomic_load(&po->flags);
    bool setting = cmd == F_SETLK64 || cmd == F_SETLKW64;

    if (!setting && cmd != F_GETLK64)
        return EINVAL;
    if (setting && ((lock->l_type == F_RDLCK && !(modes & O_READ)) || (lock->l_type == F_WRLCK && !(modes & O_WRITE))))
        return EBADF;
    pthread_mutex_lock(&po->lock);
    off_t offset = po->offset;
    pid_t owner = po->owner;
    pthread_mutex_unlock(&po->lock);

    pthread_mutex_lock(&node->lock);
    error_t err = fshelp_lock_absolute(lock, offset, node->stat.st_size);
    pthread_mutex_unlock(&node->lock);
    if (!err)
        err = record_lock(po, rendezvous, owner, cmd, lock);
    if (!err && MACH_PORT_VALID(rendezvous))
        mach_port_deallocate(mach_task_self(), rendezvous);
    return err;
}

/* ---- the disk ------------------------------------------------------------------------- */

kern_return_t diskfs_S_file_statfs(diskfs_protid_t cred, fsys_statfsbuf_t *info)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    memset(info, 0, sizeof *info);
    error_t err = diskfs_ops->statfs(info);
    info->f_type = (unsigned int) diskfs_ops->fstype;
    info->f_fsid = diskfs_fsid;
    if (info->f_namelen == 0)
        info->f_namelen = diskfs_ops->name_max;
    info->f_flag |= (diskfs_readonly ? ST_RDONLY : 0) | (diskfs_nosuid ? ST_NOSUID : 0) |
                    (diskfs_noexec ? ST_NOEXEC : 0) | (diskfs_synchronous ? ST_SYNCHRONOUS : 0) |
                    (diskfs_atime == DISKFS_ATIME_NEVER ? ST_NOATIME : 0) |
                    (diskfs_atime == DISKFS_ATIME_RELATIVE ? ST_RELATIME : 0);
    return err;
}

kern_return_t diskfs_S_file_sync(diskfs_protid_t cred, int wait, int omit_metadata)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    diskfs_node_settle_times(node);
    error_t err = diskfs_readonly || node->removed ? 0 : diskfs_ops->node_sync(node, wait, omit_metadata);
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_file_syncfs(diskfs_protid_t cred, int wait, int do_children)
{
    return cred ? diskfs_syncfs(wait, do_children) : EOPNOTSUPP;
}

/* ---- other names for files ---------------------------------------------------------------- */

kern_return_t diskfs_S_file_getlinknode(diskfs_protid_t cred, mach_port_t *port, mach_msg_type_name_t *portPoly)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    /* What dir_link wants is a port to the file on this file system: the same one. */
    *port = ports_object_make_send_name(cred);
    *portPoly = MACH_MSG_TYPE_MAKE_SEND;
    return *port == MACH_PORT_NULL ? ENOMEM : 0;
}

/* A file handle: enough to find the file again, and to notice that its inode serves another. Little endian as the
   machine. */
struct handle { uint64_t ino; uint32_t generation; uint32_t magic; };
#define HANDLE_MAGIC 0x51644648u

kern_return_t diskfs_S_file_getfh(diskfs_protid_t cred, data_t *data, mach_msg_type_number_t *dataCnt)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    if (!fshelp_user_is_root(cred->user))
        return EPERM;
    struct diskfs_node *node = cred->po->node;
    if (*dataCnt < sizeof(struct handle))
        return ENOMEM;
    pthread_mutex_lock(&node->lock);
    struct handle handle = { node->ino, node->stat.st_gen, HANDLE_MAGIC };
    pthread_mutex_unlock(&node->lock);
    memcpy(*data, &handle, sizeof handle);
    *dataCnt = sizeof handle;
    return 0;
}

error_t diskfs_handle_lookup(const char *data, size_t length, struct diskfs_node **result)
{
    struct handle handle;
    if (length != sizeof handle)
        return EINVAL;
    if (ports_copy_guarded(&handle, data, sizeof handle))
        return EFAULT;
    if (handle.magic != HANDLE_MAGIC || handle.ino == 0)
        return EINVAL;
    error_t err = diskfs_node_lookup(handle.ino, result);
    if (err)
        return ESTALE;
    pthread_mutex_lock(&(*result)->lock);
    bool stale = (*result)->stat.st_gen != handle.generation || (*result)->stat.st_nlink == 0;
    pthread_mutex_unlock(&(*result)->lock);
    if (stale)
        diskfs_node_deref(*result);
    return stale ? ESTALE : 0;
}

kern_return_t diskfs_S_file_get_storage_info(diskfs_protid_t cred, portarray_t *ports, mach_msg_type_name_t *portsPoly,
                                             mach_msg_type_number_t *portsCnt, intarray_t *ints,
                                             mach_msg_type_number_t *intsCnt, off_array_t *offsets,
                                             mach_msg_type_number_t *offsetsCnt, data_t *data,
                                             mach_msg_type_number_t *dataCnt)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    struct fshelp_storage storage = { .kind = STORAGE_OTHER, .block_size = 1 };
    error_t err = EOPNOTSUPP;
    *portsPoly = MACH_MSG_TYPE_MOVE_SEND;
    /* The device's port lets one write past all permissions: only root sees it. */
    if (diskfs_ops->storage && fshelp_user_is_root(cred->user)) {
        pthread_mutex_lock(&node->lock);
        err = diskfs_ops->storage(node, &storage);
        pthread_mutex_unlock(&node->lock);
    }
    if (err && err != EOPNOTSUPP)
        return err;
    return fshelp_storage_answer(&storage, ports, portsCnt, ints, intsCnt, offsets, offsetsCnt, data, dataCnt);
}
