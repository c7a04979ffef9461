/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rename.  Knows no message; runs in unit tests on the host.

   How it stays free of deadlock and of loops in the tree:
     - A rename between two directories holds rename_lock, so that meanwhile no directory moves and what is an ancestor
       of what stays true.  (Within one directory nothing changes above or below it.)
     - It then walks from each directory to the root, one node lock at a time.  If the moved node is above the target
       the rename would cut a loop off the tree: EINVAL.  If the target's node is above the source it cannot be empty:
       ENOTEMPTY.  If one directory is above the other, that one is locked first.
     - What the names stand for was looked up before those walks; with both directories locked it is looked up again,
       and if it has changed everything begins anew.
     - The moved and the replaced node are never locked at the same time.  */

#include "diskfs-internal.h"

static pthread_mutex_t rename_lock = PTHREAD_MUTEX_INITIALIZER;

struct rename {
    struct diskfs_node *from, *to;      /* the directories */
    const char *from_name, *to_name;
    size_t from_length, to_length;
    bool excl;
    const struct fshelp_user *user;
    struct diskfs_node *source;         /* referenced */
    struct diskfs_node *target;         /* referenced; NULL: the name is free */
    bool directory;                     /* the source is one */
};

/* Walks from DIR up to the root: *FOUND_A, *FOUND_B say whether those inodes are on the way, DIR itself included. */
static error_t ancestors(struct diskfs_node *dir, ino_t a, ino_t b, bool *found_a, bool *found_b)
{
    struct diskfs_node *node = dir, *parent;
    error_t err = 0;
    diskfs_node_ref(node);
    for (;;) {
        *found_a |= node->ino == a;
        *found_b |= node->ino == b;
        if (node == diskfs_root)
            break;
        ino_t up;
        pthread_mutex_lock(&node->lock);
        err = node->stat.st_nlink == 0 ? ENOENT : diskfs_entry_find(node, "..", 2, &up);
        if (!err && up == node->ino) {
            diskfs_warn("inode %llu: directory is its own parent", (unsigned long long) up);
            err = EIO;
        }
        if (!err)
            err = diskfs_node_lookup(up, &parent);
        pthread_mutex_unlock(&node->lock);
        if (err)
            break;
        diskfs_node_deref(node);
        node = parent;
    }
    diskfs_node_deref(node);
    return err;
}

/* What NAME in DIR stands for: its inode, and with NODE the node, referenced.  DIR is locked by the caller, or with
   NODE here: what a locked directory names is not deleted, so its inode is in use. */
static error_t name_find(struct diskfs_node *dir, const char *name, size_t length, const struct fshelp_user *user,
                         ino_t *ino, struct diskfs_node **node)
{
    if (node)
        pthread_mutex_lock(&dir->lock);
    error_t err = diskfs_entry_check_search(dir, user);
    if (!err)
        err = diskfs_entry_find(dir, name, length, ino);
    if (!err && node)
        err = diskfs_node_lookup(*ino, node);
    if (node)
        pthread_mutex_unlock(&dir->lock);
    return err;
}

/* Looks both names up: their inodes, 0 for a free target.  LOCKED: the directories are; else the nodes come, too. */
static error_t rename_find(struct rename *r, bool locked, ino_t *source, ino_t *target)
{
    error_t err = name_find(r->from, r->from_name, r->from_length, r->user, source, locked ? NULL : &r->source);
    if (err)
        return err;
    err = name_find(r->to, r->to_name, r->to_length, r->user, target, locked ? NULL : &r->target);
    if (err == ENOENT) {
        *target = 0;
        err = 0;
    }
    return err;
}

static void rename_forget(struct rename *r)
{
    if (r->source)
        diskfs_node_deref(r->source);
    if (r->target)
        diskfs_node_deref(r->target);
    r->source = r->target = NULL;
}

static void rename_unlock(struct rename *r)
{
    pthread_mutex_unlock(&r->from->lock);
    if (r->from != r->to)
        pthread_mutex_unlock(&r->to->lock);
}

/* Gets the nodes, checks where they lie, locks the directories in order. EAGAIN: things changed meanwhile; try
   again. */
static error_t rename_lock_all(struct rename *r)
{
    ino_t source, target, source_now, target_now;
    bool source_above = false, target_above = false, from_above = false, none = false;

    error_t err = rename_find(r, false, &source, &target);
    if (err)
        return err;
    if (r->from != r->to) {
        err = ancestors(r->to, source, r->from->ino, &source_above, &from_above);
        if (!err && target != 0)
            err = ancestors(r->from, target, 0, &target_above, &none);
        if (!err && source_above)
            err = EINVAL;
        if (!err && target_above)
            err = ENOTEMPTY;
    } else if (source == r->from->ino || target == r->from->ino) {
        err = EIO;      /* a damaged disk: an entry that names its own directory */
    }
    if (err)
        return err;

    pthread_mutex_lock(from_above || r->from == r->to ? &r->from->lock : &r->to->lock);
    if (r->from != r->to)
        pthread_mutex_lock(from_above ? &r->to->lock : &r->from->lock);
    err = rename_find(r, true, &source_now, &target_now);
    if (!err && (source_now != source || target_now != target))
        err = EAGAIN;
    if (err)
        rename_unlock(r);
    return err;
}

/* Everything that may forbid it, but for the target's own state. Directories locked. */
static error_t rename_check(struct rename *r)
{
    if (diskfs_unwritable())
        return EROFS;
    if (r->from->stat.st_nlink == 0 || r->to->stat.st_nlink == 0)
        return ENOENT;
    pthread_mutex_lock(&r->source->lock);
    r->directory = S_ISDIR(r->source->stat.st_mode);
    error_t err = fshelp_check_dir_modify(&r->from->stat, &r->source->stat, r->user);
    if (!err && r->directory && r->from != r->to)
        err = fshelp_access(&r->source->stat, S_IWRITE, r->user); /* its ".." changes */
    if (!err && r->source->stat.st_nlink >= diskfs_ops->link_max && !r->directory)
        err = EMLINK;
    pthread_mutex_unlock(&r->source->lock);
    if (!err && r->target == NULL)
        err = fshelp_check_dir_modify(&r->to->stat, NULL, r->user);
    if (!err && r->target != NULL && r->excl)
        err = EEXIST;
    if (!err && r->directory && r->from != r->to && r->target == NULL && r->to->stat.st_nlink >= diskfs_ops->link_max)
        err = EMLINK;
    return err;
}

/* May the target (locked) be replaced? */
static error_t target_check(struct rename *r)
{
    const struct stat *st = &r->target->stat;
    error_t err = fshelp_check_dir_modify(&r->to->stat, st, r->user);
    if (err)
        return err;
    if (r->directory && !S_ISDIR(st->st_mode))
        return ENOTDIR;
    if (!r->directory && S_ISDIR(st->st_mode))
        return EISDIR;
    if (r->target == diskfs_root || (r->directory && fshelp_translated(&r->target->transbox)))
        return EBUSY;
    return r->directory ? diskfs_ops->dir_check_empty(r->target) : 0;
}

static void source_count(struct rename *r, int change)
{
    pthread_mutex_lock(&r->source->lock);
    r->source->stat.st_nlink += change;
    diskfs_node_changed(r->source);
    pthread_mutex_unlock(&r->source->lock);
}

/* Makes the new name stand for the source. Directories locked. */
static error_t rename_enter(struct rename *r)
{
    struct diskfs_slot slot;
    ino_t ino;
    int type = IFTODT(r->source->stat.st_mode);

    if (r->target != NULL)
        pthread_mutex_lock(&r->target->lock);
    error_t err = diskfs_ops->dir_lookup(r->to, r->to_name, r->to_length, &ino, &slot);
    if (r->target != NULL) {
        if (!err)
            err = target_check(r);
        if (!err)
            err = diskfs_ops->dir_rewrite(r->to, &slot, r->source->ino, type);
        if (!err) {
            r->target->stat.st_nlink -= r->directory || r->target->stat.st_nlink == 0 ? r->target->stat.st_nlink : 1;
            if (r->directory) {
                diskfs_names_purge(r->target->ino);
                r->to->stat.st_nlink--;     /* the target's ".." */
            }
            diskfs_node_changed(r->target);
        }
        pthread_mutex_unlock(&r->target->lock);
    } else if (err == ENOENT) {
        err = diskfs_ops->dir_enter(r->to, r->to_name, r->to_length, r->source->ino, type, &slot);
    } else if (!err) {
        err = EEXIST;   /* the name cache said otherwise; never so */
    }
    if (!err)
        diskfs_dir_changed(r->to, r->to_name, r->to_length, r->source->ino,
                           r->target ? DIR_CHANGED_RENUMBER : DIR_CHANGED_NEW);
    return err;
}

/* The moved directory gets its new parent. Directories locked. */
static error_t rename_move_dotdot(struct rename *r)
{
    struct diskfs_slot slot;
    ino_t ino;
    pthread_mutex_lock(&r->source->lock);
    error_t err = diskfs_ops->dir_lookup(r->source, "..", 2, &ino, &slot);
    if (!err)
        err = diskfs_ops->dir_rewrite(r->source, &slot, r->to->ino, DT_DIR);
    if (!err) {
        diskfs_names_enter(r->source->ino, "..", 2, r->to->ino);
        r->source->mtime_due = true;
        diskfs_node_changed(r->source);
        r->to->stat.st_nlink++;
        r->from->stat.st_nlink--;
        diskfs_node_mark_dirty(r->to);
        diskfs_node_mark_dirty(r->from);
    }
    pthread_mutex_unlock(&r->source->lock);
    return err;
}

/* Directories locked; everything is checked but the target's state. */
static error_t rename_do(struct rename *r)
{
    struct diskfs_slot slot;
    ino_t ino;

    if (r->source == r->target)
        return 0;
    source_count(r, +1);
    error_t err = rename_enter(r);
    if (err) {
        source_count(r, -1);
        return err;
    }
    if (r->directory && r->from != r->to)
        err = rename_move_dotdot(r);
    if (!err)
        err = diskfs_ops->dir_lookup(r->from, r->from_name, r->from_length, &ino, &slot);
    if (!err)
        err = diskfs_ops->dir_remove(r->from, &slot);
    if (err)
        return err;     /* the disk failed: both names stand, and the count says so */
    diskfs_dir_changed(r->from, r->from_name, r->from_length, 0, DIR_CHANGED_UNLINK);
    source_count(r, -1);
    diskfs_place_moved(r->source, r->to->ino, r->to_name, r->to_length);
    return 0;
}

error_t diskfs_entry_rename(struct diskfs_node *from, const char *from_name, struct diskfs_node *to,
                            const char *to_name, bool excl, const struct fshelp_user *user,
                            struct diskfs_node **replaced)
{
    struct rename r = {.from = from, .to = to, .from_name = from_name, .to_name = to_name, .excl = excl, .user = user};
    error_t err = diskfs_entry_check_name(from_name, &r.from_length);
    if (!err)
        err = diskfs_entry_check_name(to_name, &r.to_length);
    if (replaced != NULL)
        *replaced = NULL;
    if (err)
        return err;

    if (from != to)
        pthread_mutex_lock(&rename_lock);
    do {
        rename_forget(&r);
        err = rename_lock_all(&r);
    } while (err == EAGAIN);
    if (!err) {
        err = rename_check(&r);
        if (!err)
            err = rename_do(&r);
        rename_unlock(&r);
    }
    if (replaced != NULL) {
        bool gone = !err && r.target != r.source;
        *replaced = gone ? r.target : NULL;
        r.target = gone ? NULL : r.target;
    }
    if (from != to)
        pthread_mutex_unlock(&rename_lock);
    rename_forget(&r);
    return err;
}
