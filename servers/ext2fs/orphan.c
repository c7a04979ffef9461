/* SPDX-License-Identifier: GPL-2.0-or-later */
/* orphan: files that were deleted while somebody had them open.

   They have no name, and go when their last user goes.  So that a crash does not leave them behind they are on a list
   on the disk: the super block's last_orphan is the first one's number, and each one's dtime the next one's.  Who
   mounts the file system deletes them, and so does e2fsck.  The list is kept in memory too, as far as it was made since
   mounting, because an inode in its middle can leave it.

   Lock: fs->alloc_lock, also for dtime of an inode that is on the list.  */

#include "ext2.h"

#include <stdio.h>
#include <stdlib.h>

void ext2_orphan_add(struct ext2_fs *fs, struct ext2_inode *inode)
{
    if (inode->orphan_prevp)                         /* only the holder of the node sets it */
        return;
    pthread_mutex_lock(&fs->alloc_lock);
    inode->orphan_next = fs->orphans;
    inode->orphan_prevp = &fs->orphans;
    if (fs->orphans)
        fs->orphans->orphan_prevp = &inode->orphan_next;
    fs->orphans = inode;
    inode->dtime = fs->super.last_orphan;
    fs->super.last_orphan = inode->ino;
    fs->super_dirty = true;
    pthread_mutex_unlock(&fs->alloc_lock);
}

/* The inode before INODE on the list, or NULL.  */
static struct ext2_inode *orphan_before(struct ext2_fs *fs, struct ext2_inode *inode)
{
    struct ext2_inode *i = fs->orphans;
    while (i && i->orphan_next != inode)
        i = i->orphan_next;
    return i;
}

/* Sets the pointer to the next one in the inode on the disk.  */
static void dtime_write(struct ext2_fs *fs, const struct ext2_inode *inode)
{
    struct ext2_buf buf;
    struct disk_inode *raw;
    if (ext2_inode_get_raw(fs, inode->ino, &buf, &raw))
        return;                                      /* whoever cleans the list checks it */
    raw->dtime = inode->dtime;
    ext2_cache_dirty(fs, &buf, EXT2_INODE);
    ext2_cache_put(fs, &buf);
}

void ext2_orphan_remove(struct ext2_fs *fs, struct ext2_inode *inode)
{
    if (!inode->orphan_prevp)
        return;
    pthread_mutex_lock(&fs->alloc_lock);
    struct ext2_inode *before = orphan_before(fs, inode);
    if (before) {
        before->dtime = inode->dtime;
        dtime_write(fs, before);
    } else {
        fs->super.last_orphan = inode->dtime;
        fs->super_dirty = true;
    }
    *inode->orphan_prevp = inode->orphan_next;
    if (inode->orphan_next)
        inode->orphan_next->orphan_prevp = inode->orphan_prevp;
    inode->orphan_prevp = NULL;
    inode->dtime = 0;
    pthread_mutex_unlock(&fs->alloc_lock);
}

void ext2_orphan_forget(struct ext2_fs *fs, struct ext2_inode *inode)
{
    if (!inode->orphan_prevp)
        return;
    pthread_mutex_lock(&fs->alloc_lock);
    *inode->orphan_prevp = inode->orphan_next;
    if (inode->orphan_next)
        inode->orphan_next->orphan_prevp = inode->orphan_prevp;
    inode->orphan_prevp = NULL;
    pthread_mutex_unlock(&fs->alloc_lock);
}

/* Whether the bitmap says that INO is in use.  */
static bool inode_in_use(struct ext2_fs *fs, uint32_t ino)
{
    struct ext2_buf buf;
    if (ext2_cache_get(fs, fs->groups[(ino - 1) / fs->inodes_per_group].inode_bitmap, &buf))
        return false;
    bool used = ext2_bit_test(buf.data, (ino - 1) % fs->inodes_per_group);
    ext2_cache_put(fs, &buf);
    return used;
}

/* Deletes INO, or, if it has a name (the crash came before the name was gone), takes it off the list.  *NEXT: the next
   one.  */
static error_t orphan_clean_one(struct ext2_fs *fs, uint32_t ino, uint32_t *next)
{
    if (ino < fs->first_ino || ino > fs->inodes || !inode_in_use(fs, ino))
        return ext2_damage(fs, "super block: list of orphans: inode %u is none; the rest of the list is left to e2fsck",
                           ino);
    struct ext2_inode *inode = calloc(1, sizeof *inode);
    if (!inode)
        return ENOMEM;
    inode->ino = ino;
    error_t err = ext2_inode_read_orphan(fs, inode);
    if (!err) {
        *next = inode->dtime;
        inode->dtime = 0;
        if (inode->links == 0)
            ext2_inode_delete(fs, inode);
        else
            err = ext2_inode_write(fs, inode);
        ext2_inode_forget(fs, inode);
    }
    free(inode);
    return err;
}

void ext2_orphan_clean(struct ext2_fs *fs)
{
    uint32_t ino = fs->super.last_orphan, next = 0, n = 0;
    error_t err = 0;
    if (ino == 0 || fs->orphans)                     /* in use by ourselves */
        return;
    while (ino && !err && n < fs->inodes) {
        err = orphan_clean_one(fs, ino, &next);
        n += !err;
        ino = err ? 0 : next;
    }
    if (n)
        fprintf(stderr, "ext2fs: %s: %u files that were deleted while they were open are freed\n", fs->name, n);
    pthread_mutex_lock(&fs->alloc_lock);
    fs->super.last_orphan = 0;
    fs->super_dirty = true;
    pthread_mutex_unlock(&fs->alloc_lock);
}
