/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ialloc: which inodes are free.

   A file goes into its directory's group, or the next that has room.  A directory goes near its parent as long as the
   group there has about its share of free inodes and blocks and not many more directories than others; the directories
   of the root, which belong together least, are spread over the groups with nearly their share of both, those with the
   fewest directories first.  (The idea is Orlov's.)

   An inode that is freed and may be on the disk with a name is not taken again before its end is there, as long as
   there are others: after a power cut the old name would stand for the new file.  Like a freed block (balloc.c) it
   waits for the second sync.  */

#include "ext2.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void group_count(struct ext2_fs *fs, uint32_t group, int inodes, int dirs)
{
    /* The bitmap is what is true; a damaged sum must not wrap around.  */
    struct group_desc *d = &fs->groups[group];
    if (inodes > 0 ? d->free_inodes_count < fs->inodes_per_group : d->free_inodes_count > 0)
        d->free_inodes_count = (uint16_t)(d->free_inodes_count + inodes);
    if (dirs > 0 ? d->used_dirs_count < fs->inodes_per_group : d->used_dirs_count > 0)
        d->used_dirs_count = (uint16_t)(d->used_dirs_count + dirs);
    if (inodes > 0 ? fs->super.free_inodes_count < fs->inodes : fs->super.free_inodes_count > 0)
        fs->super.free_inodes_count = (uint32_t)((int64_t)fs->super.free_inodes_count + inodes);
    fs->group_dirty[group / (fs->block_size / sizeof(struct group_desc))] = true;
    fs->super_dirty = true;
}

/* The first bit from FROM on that is clear; SIZE if there is none before.  */
static uint32_t map_next_clear(const char *map, uint32_t from, uint32_t size)
{
    while (from < size) {
        uint64_t word;
        memcpy(&word, map + from / 64 * 8, sizeof word);
        word = ~word >> (from % 64);
        if (word) {
            from += (uint32_t)__builtin_ctzll(word);
            return from < size ? from : size;
        }
        from = (from / 64 + 1) * 64;
    }
    return size;
}

/* ---- what is new; alloc_lock held ------------------------------------------------------------------ */

/* Without memory for it the inode counts as old, or as free for good: that costs time, or a name after a power cut.  */
static void inode_note(const struct ext2_fs *fs, char **map, uint32_t bit)
{
    if (!*map)
        *map = calloc(1, (fs->inodes_per_group + 7) / 8);
    if (*map)
        (*map)[bit / 8] = (char)((*map)[bit / 8] | 1 << bit % 8);
}

static bool inode_is_created(const struct ext2_group *g, uint32_t bit)
{
    return g->created && ext2_bit_test(g->created, bit);
}

static bool inode_is_gone(const struct ext2_group *g, uint32_t bit)
{
    return (g->gone[0] && ext2_bit_test(g->gone[0], bit)) || (g->gone[1] && ext2_bit_test(g->gone[1], bit));
}

bool ext2_inode_is_old(struct ext2_fs *fs, uint32_t ino)
{
    uint32_t group = (ino - 1) / fs->inodes_per_group, bit = (ino - 1) % fs->inodes_per_group;
    pthread_mutex_lock(&fs->alloc_lock);
    bool old = group >= fs->ngroups || !inode_is_created(&fs->state[group], bit);
    pthread_mutex_unlock(&fs->alloc_lock);
    return old;
}

void ext2_inodes_age(struct ext2_fs *fs)
{
    pthread_mutex_lock(&fs->alloc_lock);
    for (uint32_t g = 0; g < fs->ngroups; g++) {
        char **gone = &fs->state[g].gone[fs->syncs & 1];     /* of before the sync before this one; from now on the
                                                                next's */
        free(fs->state[g].created);
        free(*gone);
        fs->state[g].created = *gone = NULL;
    }
    pthread_mutex_unlock(&fs->alloc_lock);
}

/* ---- taking and giving back ---------------------------------------------------------------------------- */

/* The inode bitmap of GROUP, checked when it is seen for the first time.  */
static error_t map_get(struct ext2_fs *fs, uint32_t group, struct ext2_buf *buf)
{
    struct ext2_group *g = &fs->state[group];
    struct group_desc *d = &fs->groups[group];
    if (g->inodes_trust == EXT2_DAMAGED)
        return EIO;
    error_t err = ext2_cache_get(fs, d->inode_bitmap, buf);
    if (err || g->inodes_trust == EXT2_SOUND)
        return err;
    ext2_inode_map_make(fs, group, buf);
    uint32_t found = ext2_bits_clear(buf->data, fs->inodes_per_group);
    g->inodes_trust = ext2_bitmap_judge(fs, "inode", group, d->inode_bitmap, d->free_inodes_count, found, true);
    if (g->inodes_trust == EXT2_DAMAGED) {
        ext2_cache_put(fs, buf);
        return EIO;
    }
    if (found != d->free_inodes_count) {               /* a crash: the bitmap is what is true */
        fs->super.free_inodes_count = fs->super.free_inodes_count - d->free_inodes_count + found;
        d->free_inodes_count = (uint16_t)found;
    }
    return 0;
}

/* Takes the first free inode of GROUP, also one that waits if ANY; ENOSPC.  */
static error_t group_take(struct ext2_fs *fs, uint32_t group, bool directory, bool any, uint32_t *ino)
{
    struct ext2_group *g = &fs->state[group];
    struct ext2_buf buf;
    error_t err = map_get(fs, group, &buf);
    if (err)
        return err;
    uint32_t reserved = fs->first_ino - 1, before = group * fs->inodes_per_group;     /* usually all in group 0 */
    uint32_t from = g->first_free_inode;
    if (before < reserved && from < reserved - before)
        from = reserved - before;
    uint32_t first = map_next_clear(buf.data, from, fs->inodes_per_group), i = first;
    while (!any && i < fs->inodes_per_group && inode_is_gone(g, i))
        i = map_next_clear(buf.data, i + 1, fs->inodes_per_group);
    err = i < fs->inodes_per_group ? ext2_inode_table_reach(fs, group, i) : ENOSPC;
    if (!err) {
        buf.data[i / 8] = (char)(buf.data[i / 8] | 1 << i % 8);
        ext2_cache_dirty(fs, &buf, EXT2_FIRST);
        g->first_free_inode = first == i ? i + 1 : first;
        group_count(fs, group, -1, directory);
        inode_note(fs, &g->created, i);
        *ino = before + i + 1;
    }
    ext2_cache_put(fs, &buf);
    return err;
}

/* Whether GROUP has at least EIGHTHS eighths of the average group's free inodes and blocks.  */
static bool group_has_share(const struct ext2_fs *fs, uint32_t group, uint64_t eighths)
{
    uint64_t inodes = fs->super.free_inodes_count * eighths, blocks = fs->super.free_blocks_count * eighths,
             all = 8ull * fs->ngroups;
    const struct group_desc *d = &fs->groups[group];
    return d->free_inodes_count && d->free_inodes_count >= inodes / all && d->free_blocks_count >= blocks / all;
}

/* For a directory of the root: the group with the fewest directories among those that have their share.  */
static uint32_t directory_group_far(struct ext2_fs *fs)
{
    uint32_t best = 0, fewest = UINT32_MAX;
    for (uint32_t i = 0; i < fs->ngroups; i++) {
        uint32_t g = (fs->dir_group + i) % fs->ngroups;
        if (fs->groups[g].used_dirs_count < fewest && group_has_share(fs, g, 7)) {
            fewest = fs->groups[g].used_dirs_count;
            best = g;
        }
    }
    fs->dir_group = (best + 1) % fs->ngroups;
    return best;
}

/* For other directories: the parent's group, or one behind it.  */
static uint32_t directory_group_near(struct ext2_fs *fs, uint32_t first)
{
    uint32_t dirs = 0, most;
    for (uint32_t g = 0; g < fs->ngroups; g++)
        dirs += fs->groups[g].used_dirs_count;
    most = dirs / fs->ngroups + fs->inodes_per_group / 16;
    for (uint32_t i = 0; i < fs->ngroups; i++) {
        uint32_t g = (first + i) % fs->ngroups;
        if (fs->groups[g].used_dirs_count <= most && group_has_share(fs, g, 2))
            return g;
    }
    return first;
}

error_t ext2_ialloc(struct ext2_fs *fs, uint32_t parent, uint16_t mode, uint32_t *ino)
{
    bool directory = S_ISDIR(mode);
    error_t err = ENOSPC, damage = 0;
    if (!fs->writable)
        return EROFS;
    pthread_mutex_lock(&fs->alloc_lock);
    uint32_t first = (parent - 1) / fs->inodes_per_group;
    if (first >= fs->ngroups)
        first = 0;
    if (directory)
        first = parent == INO_ROOT ? directory_group_far(fs) : directory_group_near(fs, first);
    for (uint32_t i = 0; i < 2 * fs->ngroups && err; i++) {
        uint32_t g = (first + i) % fs->ngroups;
        if (fs->groups[g].free_inodes_count == 0)
            continue;
        err = group_take(fs, g, directory, i >= fs->ngroups, ino);
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
    if (map_get(fs, group, &buf)) {
        if (fs->state[group].inodes_trust != EXT2_DAMAGED)
            ext2_damage(fs, "inode bitmap of group %u: cannot be read", group);
    } else {
        if (!ext2_bit_test(buf.data, bit)) {
            ext2_damage(fs, "inode bitmap of group %u (block %u): inode %u is already free", group,
                        fs->groups[group].inode_bitmap, ino);
        } else {
            buf.data[bit / 8] = (char)(buf.data[bit / 8] & ~(1 << bit % 8));
            ext2_cache_dirty(fs, &buf, EXT2_FIRST);
            if (bit < fs->state[group].first_free_inode)
                fs->state[group].first_free_inode = bit;
            group_count(fs, group, 1, directory ? -1 : 0);
            if (!inode_is_created(&fs->state[group], bit))
                inode_note(fs, &fs->state[group].gone[fs->syncs & 1], bit);
        }
        ext2_cache_put(fs, &buf);
    }
    pthread_mutex_unlock(&fs->alloc_lock);
}
