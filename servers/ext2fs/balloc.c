/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balloc: which blocks are free.

   Blocks are taken in runs, as near behind the goal as can be: at the goal itself; else the first run in the goal's group that is long
   enough, else the group's longest; else the same in the groups behind.  An inode that is being written in small pieces keeps a few blocks
   behind its last one in reserve.  They are set in the bitmap (so a crash leaves them lost until e2fsck runs) and are given back when the
   inode goes idle and before the file system is marked clean.  */

#include "ext2.h"

#include <string.h>

static uint32_t group_first(const struct ext2_fs *fs, uint32_t group)
{
    return fs->first_block + group * fs->blocks_per_group;
}

static uint32_t group_size(const struct ext2_fs *fs, uint32_t group)
{
    uint32_t rest = fs->blocks - group_first(fs, group);
    return rest < fs->blocks_per_group ? rest : fs->blocks_per_group;
}

static uint32_t block_group(const struct ext2_fs *fs, uint32_t block)
{
    return (block - fs->first_block) / fs->blocks_per_group;
}

uint32_t ext2_inode_goal(struct ext2_fs *fs, uint32_t ino)
{
    return group_first(fs, (ino - 1) / fs->inodes_per_group);
}

/* Whether a block of [START, START + COUNT), all in one group, is a bitmap or part of an inode table.  */
static bool run_is_system(const struct ext2_fs *fs, uint32_t start, uint32_t count)
{
    const struct group_desc *d = &fs->groups[block_group(fs, start)];
    uint32_t table = fs->inodes_per_group / (fs->block_size / fs->inode_size);
    return (d->block_bitmap >= start && d->block_bitmap - start < count) ||
           (d->inode_bitmap >= start && d->inode_bitmap - start < count) ||
           (start < d->inode_table + table && d->inode_table < start + count);
}

/* ---- bits ---------------------------------------------------------------------------------- */

static uint64_t map_word(const char *map, uint32_t word)
{
    uint64_t w;
    memcpy(&w, map + (size_t)word * 8, 8);
    return w;
}

/* The first bit from FROM on that is VALUE; SIZE if there is none before.  */
static uint32_t map_next(const char *map, uint32_t from, uint32_t size, bool value)
{
    while (from < size) {
        uint64_t w = map_word(map, from / 64);
        w = (value ? w : ~w) >> (from % 64);
        if (w) {
            from += (uint32_t)__builtin_ctzll(w);
            return from < size ? from : size;
        }
        from = (from / 64 + 1) * 64;
    }
    return size;
}

/* Sets or clears COUNT bits.  */
static void map_change(char *map, uint32_t first, uint32_t count, bool value)
{
    for (; count && first % 8; first++, count--)
        map[first / 8] = (char)(value ? map[first / 8] | 1 << first % 8 : map[first / 8] & ~(1 << first % 8));
    memset(map + first / 8, value ? 0xff : 0, count / 8);
    for (first += count / 8 * 8, count %= 8; count; first++, count--)
        map[first / 8] = (char)(value ? map[first / 8] | 1 << first % 8 : map[first / 8] & ~(1 << first % 8));
}

/* Looks in [FROM, TO) for a free run of WANT bits; gives the first, or the longest shorter one, in *FIRST and its length (at most WANT; 0 if
   all bits are set).  */
static uint32_t map_find(const char *map, uint32_t from, uint32_t to, uint32_t want, uint32_t *first)
{
    uint32_t best = 0;
    while (from < to) {
        uint32_t bit = map_next(map, from, to, false);
        if (bit >= to)
            break;
        uint32_t limit = to - bit < want ? to : bit + want, end = map_next(map, bit, limit, true);
        if (end - bit > best) {
            best = end - bit;
            *first = bit;
            if (best == want)
                break;
        }
        from = end + 1;
    }
    return best;
}

/* ---- allocation; alloc_lock held ----------------------------------------------------------------- */

static void group_count(struct ext2_fs *fs, uint32_t group, int64_t blocks)
{
    fs->groups[group].free_blocks_count = (uint16_t)(fs->groups[group].free_blocks_count + blocks);
    fs->super.free_blocks_count = (uint32_t)(fs->super.free_blocks_count + blocks);
    fs->group_dirty[group / (fs->block_size / sizeof(struct group_desc))] = true;
    fs->super_dirty = true;
}

/* Takes a run in GROUP, from bit GOAL on if that is free, else anywhere, but only if LEAST blocks can be had.  */
static error_t group_take(struct ext2_fs *fs, uint32_t group, uint32_t goal, uint32_t want, uint32_t least, uint32_t *start, uint32_t *count)
{
    struct ext2_buf buf;
    uint32_t size = group_size(fs, group), bit = goal;
    error_t err = ext2_cache_get(fs, fs->groups[group].block_bitmap, &buf);
    if (err)
        return err;
    uint32_t n = 0;
    if (!ext2_bit_test(buf.data, goal)) {
        n = map_next(buf.data, goal, size - goal < want ? size : goal + want, true) - goal;
        least = 1;
    }
    if (n < least)
        n = map_find(buf.data, goal, size, want, &bit);
    if (n < want && n < least && goal > 0) {
        uint32_t other, m = map_find(buf.data, 0, goal, want, &other);
        if (m > n) {
            n = m;
            bit = other;
        }
    }
    if (n == 0 || n < least) {
        err = ENOSPC;
    } else if (run_is_system(fs, group_first(fs, group) + bit, n)) {
        err = ext2_damage(fs, "block bitmap of group %u (block %u): says that system blocks are free", group,
                          fs->groups[group].block_bitmap);
    } else {
        map_change(buf.data, bit, n, true);
        ext2_cache_dirty(fs, &buf);
        group_count(fs, group, -(int64_t)n);
        *start = group_first(fs, group) + bit;
        *count = n;
    }
    ext2_cache_put(fs, &buf);
    return err;
}

/* Takes a run of up to WANT blocks near GOAL, wherever one is.  */
static error_t run_take(struct ext2_fs *fs, uint32_t goal, uint32_t want, uint32_t *start, uint32_t *count)
{
    if (!ext2_block_valid(fs, goal, 1))
        goal = fs->first_block;
    uint32_t first = block_group(fs, goal), damaged = 0;
    if (want > fs->blocks_per_group)
        want = fs->blocks_per_group;
    /* First for runs worth having, then for anything.  */
    uint32_t least = want < 8 ? want : 8;
    for (;; least = 1) {
        for (uint32_t i = 0; i < fs->ngroups; i++) {
            uint32_t group = first + i < fs->ngroups ? first + i : first + i - fs->ngroups;
            if (fs->groups[group].free_blocks_count < least)
                continue;
            error_t err = group_take(fs, group, i ? 0 : goal - group_first(fs, group), want, least, start, count);
            if (err == 0 || (err != ENOSPC && err != EIO))
                return err;
            damaged += err == EIO;
        }
        if (least == 1)
            return damaged ? EIO : ENOSPC;
    }
}

/* ---- reserves; alloc_lock held --------------------------------------------------------------------- */

static void run_free(struct ext2_fs *fs, uint32_t start, uint32_t count);

static void reserve_unlink(struct ext2_fs *fs, struct ext2_inode *inode)
{
    (void)fs;
    *inode->reserver_prevp = inode->reserver_next;
    if (inode->reserver_next)
        inode->reserver_next->reserver_prevp = inode->reserver_prevp;
    inode->reserver_prevp = NULL;
}

static void reserve_drop(struct ext2_fs *fs, struct ext2_inode *inode)
{
    if (!inode->reserver_prevp)
        return;
    reserve_unlink(fs, inode);
    fs->reserved -= inode->reserve_count;
    run_free(fs, inode->reserve_start, inode->reserve_count);
    inode->reserve_count = 0;
}

static void reserve_set(struct ext2_fs *fs, struct ext2_inode *inode, uint32_t start, uint32_t count)
{
    inode->reserve_start = start;
    inode->reserve_count = count;
    fs->reserved += count;
    inode->reserver_next = fs->reservers;
    inode->reserver_prevp = &fs->reservers;
    if (fs->reservers)
        fs->reservers->reserver_prevp = &inode->reserver_next;
    fs->reservers = inode;
}

/* Takes up to WANT blocks of the reserve.  */
static void reserve_take(struct ext2_fs *fs, struct ext2_inode *inode, uint32_t want, uint32_t *start, uint32_t *count)
{
    *start = inode->reserve_start;
    *count = want < inode->reserve_count ? want : inode->reserve_count;
    inode->reserve_start += *count;
    inode->reserve_count -= *count;
    fs->reserved -= *count;
    if (inode->reserve_count == 0)
        reserve_unlink(fs, inode);
}

/* ---- the interface ------------------------------------------------------------------------------------ */

error_t ext2_balloc(struct ext2_fs *fs, struct ext2_inode *inode, uint32_t goal, uint32_t want, uint32_t reserve, uint32_t *start,
                    uint32_t *count)
{
    error_t err = 0;
    pthread_mutex_lock(&fs->alloc_lock);
    if (inode->reserver_prevp && (goal == 0 || goal == inode->reserve_start)) {
        reserve_take(fs, inode, want, start, count);
    } else {
        reserve_drop(fs, inode);
        err = run_take(fs, goal ? goal : ext2_inode_goal(fs, inode->ino), want + reserve, start, count);
        if (err == ENOSPC && fs->reserved) {         /* the others' reserves are the last resort */
            while (fs->reservers)
                reserve_drop(fs, fs->reservers);
            err = run_take(fs, goal ? goal : ext2_inode_goal(fs, inode->ino), want, start, count);
        }
        if (!err && *count > want) {
            reserve_set(fs, inode, *start + want, *count - want);
            *count = want;
        }
    }
    pthread_mutex_unlock(&fs->alloc_lock);
    return err;
}

/* Frees a run within one group.  */
static void group_free(struct ext2_fs *fs, uint32_t group, uint32_t start, uint32_t count)
{
    struct ext2_buf buf;
    if (run_is_system(fs, start, count)) {
        ext2_damage(fs, "blocks %u to %u: a file holds blocks of the file system itself", start, start + count - 1);
        return;
    }
    if (ext2_cache_get(fs, fs->groups[group].block_bitmap, &buf)) {
        ext2_damage(fs, "block bitmap of group %u (block %u): cannot be read", group, fs->groups[group].block_bitmap);
        return;
    }
    uint32_t bit = start - group_first(fs, group);
    if (map_next(buf.data, bit, bit + count, false) != bit + count) {
        ext2_damage(fs, "block bitmap of group %u (block %u): blocks from %u on are already free", group,
                    fs->groups[group].block_bitmap, start);
    } else {
        map_change(buf.data, bit, count, false);
        ext2_cache_dirty(fs, &buf);
        group_count(fs, group, count);
    }
    ext2_cache_put(fs, &buf);
}

static void run_free(struct ext2_fs *fs, uint32_t start, uint32_t count)
{
    if (!ext2_block_valid(fs, start, count)) {
        ext2_damage(fs, "blocks from %u on, %u of them: not on this file system", start, count);
        return;
    }
    while (count) {
        uint32_t group = block_group(fs, start), rest = group_first(fs, group) + group_size(fs, group) - start;
        uint32_t n = count < rest ? count : rest;
        group_free(fs, group, start, n);
        start += n;
        count -= n;
    }
}

void ext2_bfree(struct ext2_fs *fs, uint32_t start, uint32_t count)
{
    pthread_mutex_lock(&fs->alloc_lock);
    run_free(fs, start, count);
    pthread_mutex_unlock(&fs->alloc_lock);
}

void ext2_reserve_drop(struct ext2_fs *fs, struct ext2_inode *inode)
{
    if (!inode->reserver_prevp)                  /* only the holder of the node sets it */
        return;
    pthread_mutex_lock(&fs->alloc_lock);
    reserve_drop(fs, inode);
    pthread_mutex_unlock(&fs->alloc_lock);
}

void ext2_reserve_drop_all(struct ext2_fs *fs)
{
    pthread_mutex_lock(&fs->alloc_lock);
    while (fs->reservers)
        reserve_drop(fs, fs->reservers);
    pthread_mutex_unlock(&fs->alloc_lock);
}
