/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a path to a node: the whole path in one go, as far as it stays in this file system.

   Knows no message; runs in unit tests on the host.  lookup.c turns the outcome into the answer of dir_lookup.

   Locks: one node at a time; the lock of the directory is kept while an entry of it is looked up or made.  "." and ".."
   never ask the translator of the directory that they lead to: who is below a mount point came past it.  */

#include "diskfs-internal.h"

#include <stdlib.h>

bool diskfs_node_translated(const struct diskfs_node *node, int flags)
{
    mode_t mode = node->stat.st_mode;
    if (fshelp_translated(&node->transbox) || node->has_passive || S_ISSOCK(mode))
        return true;
    /* The server of a fifo or device is started when somebody wants to use it, not to be looked at. */
    return (flags & (O_READ | O_WRITE)) && (S_ISFIFO(mode) || S_ISCHR(mode) || S_ISBLK(mode));
}

error_t diskfs_link_target(struct diskfs_node *node, const char **target)
{
    if (node->link == NULL) {
        size_t length = (size_t) node->stat.st_size;
        if (node->stat.st_size <= 0 || length >= STRING_MAX)
            return node->stat.st_size <= 0 ? EIO : ENAMETOOLONG;
        char *text = malloc(length + 1);
        if (text == NULL)
            return ENOMEM;
        error_t err = diskfs_ops->link_read(node, text);
        text[length] = '\0';
        if (err) {
            free(text);
            return err;
        }
        node->link = text;
    }
    diskfs_node_accessed(node);
    *target = node->link;
    return 0;
}

error_t diskfs_open_check(const struct diskfs_node *node, int flags, const struct fshelp_user *user)
{
    const struct stat *st = &node->stat;
    error_t err = 0;
    if (flags & O_READ)
        err = fshelp_access(st, S_IREAD, user);
    if (!err && (flags & O_EXEC))
        err = diskfs_noexec && S_ISREG(st->st_mode) ? EACCES : fshelp_access(st, S_IEXEC, user);
    if (!err && (flags & O_WRITE)) {
        if (S_ISDIR(st->st_mode))
            err = EISDIR;
        else if (diskfs_unwritable() && (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode)))
            err = EROFS;
        else
            err = fshelp_access(st, S_IWRITE, user);
    }
    return err;
}

/* rest = BASE and what is left of the path at PATH. */
static error_t walk_set_rest(struct diskfs_walk *walk, const char *base, const char *path)
{
    const char *tail = walk->last ? (walk->must_be_dir ? "/" : "") : path;
    const char *middle = base[0] != '\0' && !walk->last ? "/" : "";
    size_t a = strlen(base), b = strlen(middle), c = strlen(tail);
    if (a + b + c >= STRING_MAX)
        return ENAMETOOLONG;
    memmove(walk->rest + a + b, tail, c + 1);
    memcpy(walk->rest, base, a);
    memcpy(walk->rest + a, middle, b);
    return 0;
}

/* The entry NAME of the locked DIR: its node, referenced. With O_CREAT it may be made. */
static error_t walk_entry(struct diskfs_walk *walk, struct diskfs_node *dir, const char *name, size_t length,
                          struct diskfs_node **node)
{
    ino_t ino;
    error_t err = diskfs_entry_find(dir, name, length, &ino);
    if (!err) {
        if (walk->last && (walk->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
            return EEXIST;
        return diskfs_node_lookup(ino, node);
    }
    if (err != ENOENT || !walk->last || !(walk->flags & O_CREAT))
        return err;
    if (walk->must_be_dir)
        return EISDIR;
    err = diskfs_entry_create(dir, name, length, walk->mode, walk->user, node);
    if (!err) {
        walk->created = true;
        pthread_mutex_unlock(&(*node)->lock);
    }
    return err;
}

/* `..` of DIR (locked). WALK_PARENT as outcome when that is outside. */
static error_t walk_dotdot(struct diskfs_walk *walk, struct diskfs_node *dir, struct diskfs_node **node)
{
    const struct diskfs_origin *origin = walk->origin;
    mach_port_t parent = MACH_PORT_NULL;
    bool root = dir == diskfs_root;

    if (dir == origin->shadow_root) {
        root = true;
        parent = origin->shadow_parent;
    } else if (root) {
        parent = origin->root_parent;
    }
    if (!root)
        return walk_entry(walk, dir, "..", 2, node);
    if (parent != MACH_PORT_NULL) {
        walk->outcome = WALK_PARENT;
        walk->parent = parent;
        return 0;
    }
    diskfs_node_ref(dir);
    *node = dir;
    return 0;
}

/* Follows the symbolic link NODE (locked): *PATH is what comes next, from the same directory, or the outcome is
   WALK_MAGIC. */
static error_t walk_link(struct diskfs_walk *walk, struct diskfs_node *node, const char **path, bool *done)
{
    const char *target;
    if (++walk->links > SYMLINKS_MAX)
        return ELOOP;
    error_t err = diskfs_link_target(node, &target);
    if (!err)
        err = walk_set_rest(walk, target, *path);
    if (err)
        return err;
    if (target[0] == '/') {
        walk->outcome = WALK_MAGIC;
        *done = true;
    } else {
        memcpy(walk->text, walk->rest, strlen(walk->rest) + 1);
        *path = walk->text;
    }
    return 0;
}

/* One step: NAME in *DIR (locked, referenced).  *NODE, referenced and not locked, or the walk is DONE. */
static error_t walk_step(struct diskfs_walk *walk, struct diskfs_node *dir, const char *name,
                         struct diskfs_node **node, const char *path, bool *done)
{
    if (!S_ISDIR(dir->stat.st_mode))
        return ENOTDIR;
    error_t err = fshelp_access(&dir->stat, S_IEXEC, walk->user);
    if (err)
        return err;
    if (name[0] == '.' && name[1] == '\0') {
        if (walk->last && (walk->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
            return EEXIST;
        diskfs_node_ref(dir);
        *node = dir;
        return 0;
    }
    if (name[0] != '.' || name[1] != '.' || name[2] != '\0') {
        size_t length = strlen(name);
        return length > diskfs_ops->name_max ? ENAMETOOLONG : walk_entry(walk, dir, name, length, node);
    }
    err = walk_dotdot(walk, dir, node);
    if (!err && walk->outcome == WALK_PARENT) {
        *done = true;
        err = walk_set_rest(walk, "", path);
    }
    return err;
}

/* NODE (referenced, locked) was reached as last component. Keeps the reference on success. */
static error_t walk_end(struct diskfs_walk *walk, struct diskfs_node *node)
{
    if (!S_ISDIR(node->stat.st_mode)
        && (walk->must_be_dir || (walk->flags & (O_DIRECTORY | O_NOFOLLOW)) == O_DIRECTORY)) {
        diskfs_node_put(node);
        return ENOTDIR;
    }
    walk->outcome = WALK_NODE;
    walk->node = node;
    pthread_mutex_unlock(&node->lock);
    return 0;
}

/* The path is empty: NODE, where it starts, is meant itself, and if it is no directory the translator that sits on it
   (bind(2) comes so to the address of the node that it has just made).  Lock and reference as walk_end. */
static error_t walk_empty(struct diskfs_walk *walk, struct diskfs_node *node)
{
    walk->last = true;
    if (walk->path[0] != '\0' || S_ISDIR(node->stat.st_mode) || (walk->flags & O_NOTRANS)
        || !diskfs_node_translated(node, walk->flags))
        return walk_end(walk, node);
    error_t err = walk_set_rest(walk, "", "");
    if (err) {
        diskfs_node_put(node);
        return err;
    }
    diskfs_node_ref(node);
    walk->outcome = WALK_TRANSLATED;
    walk->node = walk->dir = node;
    pthread_mutex_unlock(&node->lock);
    return 0;
}

/* Whether the way goes on in the translator of NODE (locked), which was found under NAME. */
static bool walk_is_left(const struct diskfs_walk *walk, struct diskfs_node *node, const char *name)
{
    bool dots = name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
    int final = walk->last ? walk->flags : 0;
    return !dots && !walk->created && !(final & O_NOTRANS) &&
           diskfs_node_translated(node, walk->last ? walk->flags : O_READ);
}

/* Whether the way goes on where NODE (locked) points to. */
static bool walk_is_link(const struct diskfs_walk *walk, const struct diskfs_node *node)
{
    int final = walk->last ? walk->flags : 0;
    return S_ISLNK(node->stat.st_mode) && !walk->created &&
           (!(final & (O_NOLINK | O_NOTRANS)) || walk->must_be_dir);
}

/* The end of our part of the way: PATH goes on in the translator of NODE, of DIR (locked: NODE, which is unlocked).  On
   success both references are the outcome's. */
static error_t walk_leave(struct diskfs_walk *walk, struct diskfs_node *dir, struct diskfs_node *node, const char *path)
{
    error_t err = walk_set_rest(walk, "", path);
    if (err) {
        diskfs_node_put(node);
        return err;
    }
    walk->outcome = WALK_TRANSLATED;
    walk->node = node;
    walk->dir = dir;
    pthread_mutex_unlock(&node->lock);
    return 0;
}

/* Goes on from DIR, whose reference is consumed, along PATH. */
static error_t walk_from(struct diskfs_walk *walk, struct diskfs_node *dir, const char *path)
{
    char name[NAME_MAX + 1];
    bool done = false;
    error_t err;

    while (*path == '/')
        path++;
    pthread_mutex_lock(&dir->lock);
    if (*path == '\0')          /* "", "/" and what a link to "./" leaves */
        return walk_empty(walk, dir);
    for (;;) {
        struct diskfs_node *node = NULL;
        err = fshelp_path_step(&path, name, &walk->last, &walk->must_be_dir);
        if (!err)
            err = walk_step(walk, dir, name, &node, path, &done);
        pthread_mutex_unlock(&dir->lock);
        if (err || done)
            break;

        pthread_mutex_lock(&node->lock);
        if (walk_is_left(walk, node, name)) {
            err = walk_leave(walk, dir, node, path);
            if (!err)
                return 0;       /* the reference to DIR is the outcome's */
            break;
        }
        if (walk_is_link(walk, node)) {
            err = walk_link(walk, node, &path, &done);
            diskfs_node_put(node);
            if (err || done)
                break;
            pthread_mutex_lock(&dir->lock);
            continue;
        }
        if (walk->last) {
            err = walk_end(walk, node);
            break;
        }
        diskfs_node_deref(dir);
        dir = node;             /* stays locked */
    }
    diskfs_node_deref(dir);
    return err;
}

error_t diskfs_walk(struct diskfs_walk *walk)
{
    walk->outcome = WALK_NODE;
    walk->node = walk->dir = NULL;
    walk->created = walk->last = false;
    walk->links = 0;
    walk->must_be_dir = walk->path[0] == '/';
    diskfs_node_ref(walk->start);
    return walk_from(walk, walk->start, walk->path);
}

error_t diskfs_walk_resume(struct diskfs_walk *walk)
{
    struct diskfs_node *node = walk->node, *dir = walk->dir;
    walk->outcome = WALK_NODE;
    walk->node = walk->dir = NULL;
    diskfs_node_deref(dir);
    if (!walk->last) {
        memcpy(walk->text, walk->rest, strlen(walk->rest) + 1);
        pthread_mutex_lock(&node->lock);
        error_t err = S_ISDIR(node->stat.st_mode) ? 0 : ENOTDIR;
        pthread_mutex_unlock(&node->lock);
        if (!err)
            return walk_from(walk, node, walk->text);
        diskfs_node_deref(node);
        return err;
    }
    pthread_mutex_lock(&node->lock);
    error_t err = walk_end(walk, node);
    pthread_mutex_unlock(&node->lock);
    if (err)
        diskfs_node_deref(node);
    return err;
}
