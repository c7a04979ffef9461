/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paths: lib/diskfs's calls, by path and as root, over ramfs. */

#ifndef DISKFS_UNIT_PATHS_H
#define DISKFS_UNIT_PATHS_H

#include "ramfs.h"
#include "../unit.h"

/* One file of each program includes this. */
struct fshelp_user *root_user, *someone;
static struct diskfs_origin origin = { .refs = 1 };

/* A new file system, and the users. */
static inline void begin(void)
{
    if (root_user == NULL) {
        uid_t uid = 1000;
        gid_t gid = 100;
        root_user = fshelp_user_create_root();
        someone = fshelp_user_create(&uid, 1, &gid, 1);
    }
    ram_format();
}

static inline error_t walk(const char *path, int flags, struct diskfs_walk *w)
{
    w->start = diskfs_root;
    w->path = path;
    w->flags = flags;
    w->mode = 0644;
    w->user = root_user;
    w->origin = &origin;
    return diskfs_walk(w);
}

/* The node at PATH, referenced; NULL if there is none. */
static inline struct diskfs_node *at(const char *path)
{
    struct diskfs_walk w;
    error_t err = walk(path, O_NOLINK, &w);
    if (err)
        return NULL;
    CHECK_EQ(w.outcome, WALK_NODE);
    return w.node;
}

static inline ino_t ino_at(const char *path)
{
    struct diskfs_node *node = at(path);
    ino_t ino = node ? node->ino : 0;
    if (node)
        diskfs_node_deref(node);
    return ino;
}

static inline error_t make_dir(const char *dir, const char *name)
{
    struct diskfs_node *node = at(dir);
    error_t err = diskfs_entry_mkdir(node, name, 0755, root_user);
    diskfs_node_deref(node);
    return err;
}

static inline error_t make_file(const char *path)
{
    struct diskfs_walk w;
    error_t err = walk(path, O_CREAT | O_EXCL, &w);
    if (!err)
        diskfs_node_deref(w.node);
    return err;
}

static inline void make_symlink(const char *path, const char *target)
{
    struct diskfs_walk w;
    CHECK_EQ(walk(path, O_CREAT | O_EXCL, &w), 0);
    pthread_mutex_lock(&w.node->lock);
    w.node->stat.st_mode = S_IFLNK | 0777;
    CHECK_EQ(diskfs_ops->link_write(w.node, target, strlen(target)), 0);
    diskfs_node_mark_dirty(w.node);
    pthread_mutex_unlock(&w.node->lock);
    diskfs_node_deref(w.node);
    /* the directory's type of the entry follows what mknod through dir_link would have written */
    for (ino_t i = 0; i < RAM_INODES; i++)
        for (struct ram_entry *e = ram_inodes[i].entries; e; e = e->next)
            if (ram_inodes[e->ino].link)
                e->type = DT_LNK;
}

static inline error_t move(const char *from_dir, const char *from, const char *to_dir, const char *to)
{
    struct diskfs_node *a = at(from_dir), *b = at(to_dir);
    error_t err = diskfs_entry_rename(a, from, b, to, false, root_user, NULL);
    diskfs_node_deref(a);
    diskfs_node_deref(b);
    return err;
}

static inline error_t remove_file(const char *dir, const char *name)
{
    struct diskfs_node *node = at(dir), *victim;
    error_t err = diskfs_entry_unlink(node, name, root_user, &victim);
    if (!err)
        diskfs_node_deref(victim);
    diskfs_node_deref(node);
    return err;
}

#endif /* DISKFS_UNIT_PATHS_H */
