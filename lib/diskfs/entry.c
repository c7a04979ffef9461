/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directory entries: finding, making and removing them, with all checks.

   Knows no message; runs in unit tests on the host.  Rename has its own file.

   Locks: a directory before the node that it names; see diskfs.h.  A node's link count is raised before an entry names
   it and lowered after none does, so that a crash between the two loses space, never data.  */

#include "diskfs-internal.h"

#include <stdlib.h>

error_t diskfs_entry_check_name(const char *name, size_t *length)
{
    size_t n = strnlen(name, STRING_MAX);
    /* A slash at the end is what mkdir("d/") gives; it means no more than d. */
    while (n > 1 && name[n - 1] == '/')
        n--;
    if (n == 0)
        return ENOENT;
    if (n > diskfs_ops->name_max)
        return ENAMETOOLONG;
    if (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')))
        return EINVAL;
    if (memchr(name, '/', n) != NULL)
        return EINVAL;
    *length = n;
    return 0;
}

error_t diskfs_entry_find(struct diskfs_node *dir, const char *name, size_t length, ino_t *ino)
{
    if (diskfs_names_lookup(dir->ino, name, length, ino))
        return *ino ? 0 : ENOENT;
    error_t err = diskfs_ops->dir_lookup(dir, name, length, ino, NULL);
    if (err == 0 || err == ENOENT)
        diskfs_names_enter(dir->ino, name, length, err ? 0 : *ino);
    return err;
}

error_t diskfs_entry_check_search(const struct diskfs_node *dir, const struct fshelp_user *user)
{
    return S_ISDIR(dir->stat.st_mode) ? fshelp_access(&dir->stat, S_IEXEC, user) : ENOTDIR;
}

error_t diskfs_node_changed(struct diskfs_node *node)
{
    node->ctime_due = true;
    diskfs_node_mark_dirty(node);
    return diskfs_synchronous ? diskfs_node_update(node, true) : 0;
}

void diskfs_dir_changed(struct diskfs_node *dir, const char *name, size_t length, ino_t ino, dir_changed_type_t change)
{
    diskfs_names_enter(dir->ino, name, length, ino);
    dir->dir_generation++;
    dir->mtime_due = dir->ctime_due = true;
    diskfs_node_mark_dirty(dir);
    if (dir->notify != NULL)
        diskfs_notice_dir(dir, change, name, length);
    if (diskfs_synchronous) {
        diskfs_node_settle_times(dir);
        diskfs_ops->node_sync(dir, true, false);
    }
}

/* The ids of a new file: the user's first; the group of the directory if he is in it or the directory says so
   (S_ISGID). */
static void node_set_owner(struct diskfs_node *node, const struct diskfs_node *dir, mode_t mode,
                           const struct fshelp_user *user)
{
    const struct stat *parent = &dir->stat;
    if (user->nuids > 0) {
        node->stat.st_uid = user->uids[0];
    } else {
        node->stat.st_uid = parent->st_uid;
        mode &= ~S_ISUID;
    }
    if ((parent->st_mode & S_ISGID) || fshelp_user_has_gid(user, parent->st_gid)) {
        node->stat.st_gid = parent->st_gid;
        if (S_ISDIR(mode) && (parent->st_mode & S_ISGID))
            mode |= S_ISGID;
    } else if (user->ngids > 0) {
        node->stat.st_gid = user->gids[0];
    } else {
        node->stat.st_gid = parent->st_gid;
        mode &= ~S_ISGID;
    }
    node->stat.st_author = node->stat.st_uid;
    node->stat.st_mode = mode;
}

error_t diskfs_entry_make_node(struct diskfs_node *dir, mode_t mode, const struct fshelp_user *user,
                               struct diskfs_node **result)
{
    struct diskfs_node *node;
    ino_t ino;

    if (diskfs_unwritable())
        return EROFS;
    error_t err = diskfs_ops->node_alloc(dir, mode, &ino);
    if (err)
        return err;
    err = diskfs_node_create_at(ino, mode, &node);
    if (err) {
        if (err != EIO)
            diskfs_ops->node_unalloc(ino, mode);
        return err;
    }
    node_set_owner(node, dir, mode, user);
    node->stat.st_nlink = 0;
    node->stat.st_flags = 0;
    node->stat.st_rdev = 0;
    node->atime_due = node->mtime_due = node->ctime_due = true;
    diskfs_node_mark_dirty(node);
    *result = node;
    return 0;
}

/* Puts NODE (not locked by the caller) under NAME into DIR (locked) at SLOT; counts the link. */
static error_t entry_add(struct diskfs_node *dir, const char *name, size_t length, struct diskfs_node *node,
                         struct diskfs_slot *slot)
{
    if (dir->stat.st_nlink == 0)
        return ENOENT;
    pthread_mutex_lock(&node->lock);
    bool fresh = node->stat.st_nlink == (S_ISDIR(node->stat.st_mode) ? 1 : 0);
    error_t err = node->stat.st_nlink >= diskfs_ops->link_max ? EMLINK : 0;
    int type = IFTODT(node->stat.st_mode);
    if (!err) {
        node->stat.st_nlink++;
        err = diskfs_node_changed(node);
        if (!err && fresh)      /* a sync of the directory alone must not bring a name for what is no file yet */
            err = diskfs_node_update(node, false);
        if (err)
            node->stat.st_nlink--;
    }
    pthread_mutex_unlock(&node->lock);
    if (err)
        return err;

    err = diskfs_ops->dir_enter(dir, name, length, node->ino, type, slot);
    if (err) {
        pthread_mutex_lock(&node->lock);
        node->stat.st_nlink--;
        diskfs_node_mark_dirty(node);
        pthread_mutex_unlock(&node->lock);
        return err;
    }
    diskfs_dir_changed(dir, name, length, node->ino, DIR_CHANGED_NEW);
    return 0;
}

/* What every change of DIR (locked) begins with: it is one, is alive, and USER may change the entry of VICTIM (NULL: a
   new one). */
static error_t dir_check(const struct diskfs_node *dir, const struct diskfs_node *victim,
                         const struct fshelp_user *user)
{
    if (!S_ISDIR(dir->stat.st_mode))
        return ENOTDIR;
    if (diskfs_unwritable())
        return EROFS;
    if (dir->stat.st_nlink == 0)
        return ENOENT;
    return fshelp_check_dir_modify(&dir->stat, victim ? &victim->stat : NULL, user);
}

error_t diskfs_entry_create(struct diskfs_node *dir, const char *name, size_t length, mode_t mode,
                            const struct fshelp_user *user, struct diskfs_node **result)
{
    struct diskfs_slot slot;
    struct diskfs_node *node;
    ino_t ino;

    error_t err = dir_check(dir, NULL, user);
    if (err)
        return err;
    err = diskfs_ops->dir_lookup(dir, name, length, &ino, &slot);
    if (err != ENOENT)
        return err ? err : EEXIST;
    err = diskfs_entry_make_node(dir, (mode & (S_ISUID | S_ISGID | 0777)) | S_IFREG, user, &node);
    if (err)
        return err;
    pthread_mutex_unlock(&node->lock);
    err = entry_add(dir, name, length, node, &slot);
    if (err) {
        diskfs_node_deref(node);
        return err;
    }
    pthread_mutex_lock(&node->lock);
    *result = node;
    return 0;
}

error_t diskfs_entry_mkdir(struct diskfs_node *dir, const char *name, mode_t mode, const struct fshelp_user *user)
{
    struct diskfs_slot slot;
    struct diskfs_node *node = NULL;
    size_t length;
    ino_t ino;

    error_t err = diskfs_entry_check_name(name, &length);
    if (err)
        return err == EINVAL ? EEXIST : err;
    pthread_mutex_lock(&dir->lock);
    err = diskfs_entry_check_search(dir, user);
    if (!err) {
        err = diskfs_ops->dir_lookup(dir, name, length, &ino, &slot);
        err = err == 0 ? EEXIST : err == ENOENT ? dir_check(dir, NULL, user) : err;
    }
    if (!err && dir->stat.st_nlink >= diskfs_ops->link_max)
        err = EMLINK;
    if (!err)
        err = diskfs_entry_make_node(dir, (mode & (S_ISVTX | 0777)) | S_IFDIR, user, &node);
    if (err)
        goto out;

    node->stat.st_nlink = 1;    /* its "."; entry_add counts the entry */
    err = diskfs_ops->dir_init(node, dir->ino);
    if (!err)
        diskfs_names_enter(node->ino, "..", 2, dir->ino);
    pthread_mutex_unlock(&node->lock);
    if (!err) {
        dir->stat.st_nlink++;   /* the new ".." */
        err = entry_add(dir, name, length, node, &slot);
        if (err)
            dir->stat.st_nlink--;
    }
    if (err) {
        pthread_mutex_lock(&node->lock);
        node->stat.st_nlink = 0;
        diskfs_names_purge(node->ino);
        pthread_mutex_unlock(&node->lock);
    }
out:
    pthread_mutex_unlock(&dir->lock);
    if (node != NULL)
        diskfs_node_deref(node);
    return err;
}

/* The node that NAME in DIR (locked) names, referenced, and the slot to change the entry by. */
static error_t entry_open(struct diskfs_node *dir, const char *name, size_t length, const struct fshelp_user *user,
                          struct diskfs_slot *slot, struct diskfs_node **node)
{
    ino_t ino;
    error_t err = diskfs_entry_check_search(dir, user);
    if (!err)
        err = diskfs_ops->dir_lookup(dir, name, length, &ino, slot);
    return err ? err : diskfs_node_lookup(ino, node);
}

/* May NODE (locked), a directory named in DIR (locked), be removed? */
static error_t rmdir_check(struct diskfs_node *dir, struct diskfs_node *node, const struct fshelp_user *user)
{
    error_t err = dir_check(dir, node, user);
    if (err)
        return err;
    if (!S_ISDIR(node->stat.st_mode))
        return ENOTDIR;
    if (node == diskfs_root || fshelp_translated(&node->transbox))
        return EBUSY;
    return diskfs_ops->dir_check_empty(node);
}

error_t diskfs_entry_rmdir(struct diskfs_node *dir, const char *name, const struct fshelp_user *user)
{
    struct diskfs_slot slot;
    struct diskfs_node *node = NULL;
    size_t length;

    error_t err = diskfs_entry_check_name(name, &length);
    if (err)
        return err == EINVAL && strcmp(name, "..") == 0 ? ENOTEMPTY : err;
    pthread_mutex_lock(&dir->lock);
    err = entry_open(dir, name, length, user, &slot, &node);
    if (err)
        goto out;
    if (node == dir) {          /* a damaged disk: an entry that names its own directory */
        err = EIO;
        goto out;
    }
    pthread_mutex_lock(&node->lock);
    err = rmdir_check(dir, node, user);
    if (!err)
        err = diskfs_ops->dir_remove(dir, &slot);
    if (!err) {
        node->stat.st_nlink = 0;
        diskfs_node_changed(node);
        diskfs_names_purge(node->ino);
        if (dir->stat.st_nlink > 1)
            dir->stat.st_nlink--;
        diskfs_dir_changed(dir, name, length, 0, DIR_CHANGED_UNLINK);
    }
    pthread_mutex_unlock(&node->lock);
    if (!err && node_is_kept(node))
        diskfs_notice_end(node);
out:
    pthread_mutex_unlock(&dir->lock);
    if (node != NULL)
        diskfs_node_deref(node);
    return err;
}

error_t diskfs_entry_unlink(struct diskfs_node *dir, const char *name, const struct fshelp_user *user,
                            struct diskfs_node **victim)
{
    struct diskfs_slot slot;
    struct diskfs_node *node = NULL;
    size_t length;

    error_t err = diskfs_entry_check_name(name, &length);
    if (err)
        return err == EINVAL ? EISDIR : err;
    pthread_mutex_lock(&dir->lock);
    err = entry_open(dir, name, length, user, &slot, &node);
    if (err)
        goto out;
    if (node == dir) {
        err = EIO;
        goto out;
    }
    pthread_mutex_lock(&node->lock);
    err = dir_check(dir, node, user);
    if (!err && S_ISDIR(node->stat.st_mode))
        err = EISDIR;
    if (!err)
        err = diskfs_ops->dir_remove(dir, &slot);
    if (!err) {
        if (node->stat.st_nlink > 0)
            node->stat.st_nlink--;
        diskfs_node_changed(node);
        diskfs_dir_changed(dir, name, length, 0, DIR_CHANGED_UNLINK);
    }
    pthread_mutex_unlock(&node->lock);
out:
    pthread_mutex_unlock(&dir->lock);
    if (err && node != NULL)
        diskfs_node_deref(node);
    *victim = err ? NULL : node;
    return err;
}

/* The name exists already and may be replaced (dir_link without `excl`): the entry names NODE from now on. DIR
   locked. */
static error_t entry_replace(struct diskfs_node *dir, const char *name, size_t length, struct diskfs_node *node,
                             struct diskfs_slot *slot, ino_t old_ino, const struct fshelp_user *user)
{
    struct diskfs_node *old;
    if (old_ino == node->ino)
        return 0;
    error_t err = diskfs_node_lookup(old_ino, &old);
    if (err)
        return err;
    pthread_mutex_lock(&old->lock);
    err = dir_check(dir, old, user);
    if (!err && S_ISDIR(old->stat.st_mode))
        err = EISDIR;
    pthread_mutex_unlock(&old->lock);
    if (err)
        goto out;

    pthread_mutex_lock(&node->lock);
    int type = IFTODT(node->stat.st_mode);
    err = node->stat.st_nlink >= diskfs_ops->link_max ? EMLINK : diskfs_ops->dir_rewrite(dir, slot, node->ino, type);
    if (!err) {
        node->stat.st_nlink++;
        diskfs_node_changed(node);
    }
    pthread_mutex_unlock(&node->lock);
    if (err)
        goto out;
    diskfs_dir_changed(dir, name, length, node->ino, DIR_CHANGED_RENUMBER);
    pthread_mutex_lock(&old->lock);
    if (old->stat.st_nlink > 0)
        old->stat.st_nlink--;
    diskfs_node_changed(old);
    pthread_mutex_unlock(&old->lock);
out:
    diskfs_node_deref(old);
    return err;
}

error_t diskfs_entry_link(struct diskfs_node *dir, struct diskfs_node *node, const char *name, bool excl,
                          const struct fshelp_user *user)
{
    struct diskfs_slot slot;
    size_t length;
    ino_t ino;

    error_t err = diskfs_entry_check_name(name, &length);
    if (err)
        return err == EINVAL ? EEXIST : err;
    pthread_mutex_lock(&node->lock);
    bool directory = S_ISDIR(node->stat.st_mode);
    pthread_mutex_unlock(&node->lock);
    if (directory)
        return EPERM;

    pthread_mutex_lock(&dir->lock);
    err = diskfs_entry_check_search(dir, user);
    if (!err)
        err = diskfs_ops->dir_lookup(dir, name, length, &ino, &slot);
    if (err == ENOENT) {
        err = dir_check(dir, NULL, user);
        if (!err)
            err = entry_add(dir, name, length, node, &slot);
    } else if (!err) {
        err = excl ? EEXIST : entry_replace(dir, name, length, node, &slot, ino, user);
    }
    pthread_mutex_unlock(&dir->lock);
    return err;
}
