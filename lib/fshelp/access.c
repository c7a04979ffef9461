/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may do what to a node: POSIX permission bits, and the Hurd's fourth class of users, those of whom no server has
   vouched for any id (S_IUNKNOWN: permissions for them in bits of their own, used when S_IUSEUNK is set; otherwise they
   count as others). */

#include <fshelp/fshelp.h>

#include <fcntl.h>

/* Permission bits (as in the class of others: 4 read, 2 write, 1 execute) that the mode gives USER. */
static int class_bits(const struct stat *node, const struct fshelp_user *user)
{
    if (user->nuids == 0 && user->ngids == 0 && (node->st_mode & S_IUSEUNK))
        return (node->st_mode >> (S_IUNKSHIFT + 6)) & 7; /* placed as the owner's bits, shifted */
    if (fshelp_user_has_uid(user, node->st_uid))
        return (node->st_mode >> 6) & 7;
    if (fshelp_user_has_gid(user, node->st_gid))
        return (node->st_mode >> 3) & 7;
    return node->st_mode & 7;
}

static int allowed_bits(const struct stat *node, const struct fshelp_user *user)
{
    if (!fshelp_user_is_root(user))
        return class_bits(node, user);
    if (S_ISDIR(node->st_mode) || (node->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return 7;
    return 6;
}

error_t fshelp_access(const struct stat *node, int op, const struct fshelp_user *user)
{
    int wanted = (op & S_IREAD ? 4 : 0) | (op & S_IWRITE ? 2 : 0) | (op & S_IEXEC ? 1 : 0);

    return wanted & ~allowed_bits(node, user) ? EACCES : 0;
}

int fshelp_allowed(const struct stat *node, const struct fshelp_user *user)
{
    int bits = allowed_bits(node, user);

    return (bits & 4 ? O_READ : 0) | (bits & 2 ? O_WRITE : 0) | (bits & 1 ? O_EXEC : 0);
}

error_t fshelp_check_owner(const struct stat *node, const struct fshelp_user *user)
{
    return fshelp_user_has_uid(user, node->st_uid) || fshelp_user_is_root(user) ? 0 : EPERM;
}

error_t fshelp_check_dir_modify(const struct stat *dir, const struct stat *node, const struct fshelp_user *user)
{
    error_t err = fshelp_access(dir, S_IWRITE | S_IEXEC, user);

    if (err || !node || !(dir->st_mode & S_ISVTX))
        return err;
    /* Sticky: only who owns the directory or the node may take its name away. */
    return fshelp_check_owner(dir, user) == 0 ? 0 : fshelp_check_owner(node, user);
}

error_t fshelp_check_chown(const struct stat *node, uid_t owner, gid_t group, const struct fshelp_user *user)
{
    if (fshelp_user_is_root(user))
        return 0;
    if (!fshelp_user_has_uid(user, node->st_uid))
        return EPERM;
    if (owner != (uid_t) -1 && owner != node->st_uid)
        return EPERM;
    if (group != (gid_t) -1 && group != node->st_gid && !fshelp_user_has_gid(user, group))
        return EPERM;
    return 0;
}

error_t fshelp_check_chmod(const struct stat *node, mode_t mode, const struct fshelp_user *user, mode_t *result)
{
    error_t err = fshelp_check_owner(node, user);

    if (err)
        return err;
    if (!fshelp_user_is_root(user)) {
        if (!S_ISDIR(node->st_mode))
            mode &= ~S_ISVTX;
        if (!fshelp_user_has_gid(user, node->st_gid))
            mode &= ~S_ISGID;
    }
    *result = mode;
    return 0;
}
