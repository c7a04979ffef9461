/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ialloc: which inodes are free.  A file goes into its directory's group, or near it; a directory into its parent's as long as that has
   room enough, but those of the root directory are spread over the disk.  */

#include "ext2.h"

#include <sys/stat.h>

static void group_count(struct ext2_fs *fs, uint32_t group, int inodes, int dirs)
{
    fs->groups[group].free_inodes_count = (uint16_t)(fs->groups[group].free_inodes_count + inodes);
    fs->groups[group].used_dirs_count = (uint16_t)(fs->groups[group].used_dirs_count + dirs);
    fs->super.free_inodes_count = (uint32_t)((int64_t)fs->super.free_inodes_count + inodes);
    fs->group_dirty[group / (fs->block_size / sizeof(struct group_desc))] = true;
    fs->super_dirty = true;
}

/* Takes the first free inode of GROUP; ENOSPC.  */
static error_t group_take(struct ext2_fs *fs, uint32_t group, bool directory, uint32_t *ino)
{
    struct ext2_buf buf;
    error_t err = ext2_cache_get(fs, fs->groups[group].inode_bitmap, &buf);
    if (err)
        return err;
    uint32_t i = group == 0 ? fs->first_ino - 1 : 0;      /* the reserved ones are all in group 0 */
    while (i < fs->inodes_per_group && (i % 8 == 0 && (uint8_t)buf.data[i / 8] == 0xff ? (i += 8, true)
                                        : ext2_bit_test(buf.data, i) ? (i++, true) : false))
        ;
    if (i >= fs->inodes_per_group) {
        err = ENOSPC;
    } else {
        buf.data[i / 8] = (char)(buf.data[i / 8] | 1 << i % 8);
        ext2_cache_dirty(fs, &buf);
        group_count(fs, group, -1, directory);
        *ino = group * fs->inodes_per_group + i + 1;
    }
    ext2_cache_put(fs, &buf);
    return err;
}

/* The group in which the search for an inode of a directory begins.  */
static uint32_t directory_group(struct ext2_fs *fs, uint32_t parent)
{
    uint32_t inodes = fs->super.free_inodes_count / fs->ngroups, blocks = fs->super.free_blocks_count / fs->ngroups;
    uint32_t first = parent == INO_ROOT ? ++fs->dir_group % fs->ngroups : (parent - 1) / fs->inodes_per_group;
    for (uint32_t i = 0; i < fs->ngroups; i++) {
        uint32_t g = (first + i) % fs->ngroups;
        if (fs->groups[g].free_inodes_count >= (inodes + 1) / 2 && fs->groups[g].free_blocks_count >= (blocks + 1) / 2 &&
            fs->groups[g].free_inodes_count)
            return g;
    }
    return first;
}

error_t ext2_ialloc(struct ext2_fs *fs, uint32_t parent, uint16_t mode, uint32_t *ino)
{
    bool directory = S_ISDIR(mode);
    error_t err = ENOSPC, damage = 0;
    pthread_mutex_lock(&fs->alloc_lock);
    uint32_t first = directory ? directory_group(fs, parent) : (parent - 1) / fs->inodes_per_group;
    if (first >= fs->ngroups)
        first = 0;
    for (uint32_t i = 0; i < fs->ngroups && err; i++) {
        uint32_t g = (first + i) % fs->ngroups;
        if (fs->groups[g].free_inodes_count == 0)
            continue;
        err = group_take(fs, g, directory, ino);
        if (err && err != ENOSPC)
            damage = err;
    }
    pthread_mutex_unlock(&fs->alloc_lock);
    return err && damage ? damage : err;
}

void ext2_ifree(struct ext2_fs *fs, uint32_t ino, bool directory)
{
    uint32_t group = (ino - 1) / fs->inodes_per_group, bit = (ino - 1) % fs->inodes_per_group;
    struct ext2_buf buf;
    pthread_mutex_lock(&fs->alloc_lock);
    if (ext2_cache_get(fs, fs->groups[group].inode_bitmap, &buf)) {
        ext2_damage(fs, "inode bitmap of group %u: cannot be read", group);
    } else {
        if (!ext2_bit_test(buf.data, bit)) {
            ext2_damage(fs, "inode bitmap of group %u (block %u): inode %u is already free", group, fs->groups[group].inode_bitmap, ino);
        } else {
            buf.data[bit / 8] = (char)(buf.data[bit / 8] & ~(1 << bit % 8));
            ext2_cache_dirty(fs, &buf);
            group_count(fs, group, 1, directory && fs->groups[group].used_dirs_count ? -1 : 0);
        }
        ext2_cache_put(fs, &buf);
    }
    pthread_mutex_unlock(&fs->alloc_lock);
}
