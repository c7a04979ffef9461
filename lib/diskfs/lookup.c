/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir_lookup and dir_mkfile: opening files by name.  The walk itself is in walk.c.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fs_S.h"

/* The walk's node is what was looked for: opens it. */
static error_t lookup_open(struct diskfs_protid *cred, struct diskfs_walk *walk, mach_port_t *result,
                           mach_msg_type_name_t *resultPoly)
{
    struct diskfs_node *node = walk->node;
    if (!walk->created) {
        pthread_mutex_lock(&node->lock);
        error_t err = diskfs_open_check(node, walk->flags, cred->user);
        pthread_mutex_unlock(&node->lock);
        if (err) {
            diskfs_node_deref(node);
            return err;
        }
    }
    return diskfs_open_reply(node, walk->flags, cred->po->origin, cred->user, result, resultPoly);
}

/* The walk came to a translator: its root is the answer. ENOENT: there is none, the node itself is meant. */
static error_t lookup_translator(struct diskfs_protid *cred, struct diskfs_walk *walk, retry_type *retry,
                                 char *retry_name, mach_port_t *result, mach_msg_type_name_t *resultPoly)
{
    retry_name[0] = '\0';
    *resultPoly = MACH_MSG_TYPE_MOVE_SEND;
    return diskfs_translator_root(walk->node, walk->dir, MACH_PORT_NULL, cred->po->origin, cred->user, walk->flags,
                                  walk->rest, retry, retry_name, result);
}

/* After the translator gave ERR: is the node itself meant? So when the translator is gone since the walk saw it, and
   when a type's server is not installed and the node shall only be looked at. */
static bool lookup_plain_now(struct diskfs_walk *walk, error_t err)
{
    struct diskfs_node *node = walk->node;
    pthread_mutex_lock(&node->lock);
    bool kept = fshelp_translated(&node->transbox) || node->has_passive;
    bool plain = !diskfs_node_translated(node, walk->flags);
    pthread_mutex_unlock(&node->lock);
    if (err == ENOENT)
        return plain;
    return err == ENXIO && !kept && walk->last && !(walk->flags & (O_READ | O_WRITE | O_EXEC));
}

/* The walk left the file system through its root. */
static error_t lookup_parent(struct diskfs_walk *walk, retry_type *retry, char *retry_name, mach_port_t *result,
                             mach_msg_type_name_t *resultPoly)
{
    *retry = FS_RETRY_REAUTH;
    memcpy(retry_name, walk->rest, strlen(walk->rest) + 1);
    *result = walk->parent;
    *resultPoly = MACH_MSG_TYPE_COPY_SEND;
    return 0;
}

kern_return_t diskfs_S_dir_lookup(diskfs_protid_t cred, const_string_t file_name, int flags, mode_t mode,
                                  retry_type *do_retry, string_t retry_name, mach_port_t *result,
                                  mach_msg_type_name_t *resultPoly)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_walk walk;
    walk.start = cred->po->node;
    walk.path = file_name;
    walk.flags = flags;
    walk.mode = mode & ~(S_IFMT | S_ISVTX);
    walk.user = cred->user;
    walk.origin = cred->po->origin;

    error_t err = diskfs_walk(&walk);
    while (!err && walk.outcome == WALK_TRANSLATED) {
        err = lookup_translator(cred, &walk, do_retry, retry_name, result, resultPoly);
        if ((err != ENOENT && err != ENXIO) || !lookup_plain_now(&walk, err)) {
            diskfs_node_deref(walk.node);
            diskfs_node_deref(walk.dir);
            return err;
        }
        err = diskfs_walk_resume(&walk);
    }
    if (err)
        return err;

    switch (walk.outcome) {
    case WALK_PARENT:
        return lookup_parent(&walk, do_retry, retry_name, result, resultPoly);
    case WALK_MAGIC:
        *do_retry = FS_RETRY_MAGICAL;
        memcpy(retry_name, walk.rest, strlen(walk.rest) + 1);
        *result = MACH_PORT_NULL;
        *resultPoly = MACH_MSG_TYPE_COPY_SEND;
        return 0;
    default:
        *do_retry = FS_RETRY_NORMAL;
        retry_name[0] = '\0';
        return lookup_open(cred, &walk, result, resultPoly);
    }
}

kern_return_t diskfs_S_dir_mkfile(diskfs_protid_t cred, int flags, mode_t mode, mach_port_t *newnode,
                                  mach_msg_type_name_t *newnodePoly)
{
    struct diskfs_node *node = NULL;
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *dir = cred->po->node;
    pthread_mutex_lock(&dir->lock);
    error_t err = !S_ISDIR(dir->stat.st_mode) ? ENOTDIR : fshelp_access(&dir->stat, S_IWRITE, cred->user);
    if (!err)
        err = diskfs_entry_make_node(dir, (mode & (S_ISUID | S_ISGID | 0777)) | S_IFREG, cred->user, &node);
    pthread_mutex_unlock(&dir->lock);
    if (err)
        return err;
    pthread_mutex_unlock(&node->lock);
    return diskfs_open_reply(node, flags & (O_READ | O_WRITE | O_EXEC | OPEN_SETTABLE), cred->po->origin, cred->user,
                             newnode, newnodePoly);
}
