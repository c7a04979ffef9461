/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balloc: which blocks are free.

   Blocks are taken in runs, as near behind the goal as can be: at the goal itself; else the first run in the goal's
   group that is long enough, else the group's longest; else the same in the groups behind.  An inode that is being
   written in small pieces keeps a few blocks behind its last one in reserve.  They are set in the bitmap (so a crash
   leaves them lost until e2fsck runs) and are given back when the inode goes idle and before the file system is marked
   clean.

   A block that a file gives up stays set in the bitmap, and is noted in its group's `freed` map, until what named it
   has been overwritten on the disk: it is free after the second sync, the one that began later.  (The first may be
   under way already.)  So after a power cut no block belongs to two files, and no table of a block map has become
   somebody's data.  When the disk is full, the syncs are made at once.

   The super block's r_blocks_count last blocks are for files of def_resuid, usually root.  It is the owner who counts,
   not who writes: pages are written by the kernel's leave, later.  */

#include "ext2.h"

#include <stdlib.h>
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

/* Looks in [FROM, TO) for a free run of WANT bits; gives the first, or the longest shorter one, in *FIRST and its
   length (at most WANT; 0 if all bits are set).  */
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

/* ---- trust ------------------------------------------------------------------------------------- */

uint32_t ext2_bits_clear(const char *map, uint32_t count)
{
    uint32_t set = 0, i = 0;
    for (; i + 64 <= count; i += 64)
        set += (uint32_t)__builtin_popcountll(map_word(map, i / 64));
    for (; i < count; i++)
        set += ext2_bit_test(map, i);
    return count - set;
}

enum ext2_trust ext2_bitmap_judge(struct ext2_fs *fs, const char *what, uint32_t group, uint32_t block, uint32_t wanted,
                                  uint32_t found, bool system)
{
    if (!system)
        ext2_damage(fs, "%s bitmap of group %u (block %u): says that system blocks are free; the group is left alone",
                    what, group, block);
    else if (found != wanted && fs->was_valid)
        ext2_damage(fs,
                    "%s bitmap of group %u (block %u): %u are free, the descriptor says %u; the group is left alone",
                    what, group, block, found, wanted);
    else
        return EXT2_SOUND;
    return EXT2_DAMAGED;
}

/* Whether the bitmap of GROUP, in BUF, has the bits of the group's own bitmaps and inode table.  */
static bool map_has_system(const struct ext2_fs *fs, uint32_t group, const struct ext2_buf *buf)
{
    const struct group_desc *d = &fs->groups[group];
    uint32_t first = group_first(fs, group), table = fs->inodes_per_group / (fs->block_size / fs->inode_size);
    return ext2_bit_test(buf->data, d->block_bitmap - first) && ext2_bit_test(buf->data, d->inode_bitmap - first) &&
           map_next(buf->data, d->inode_table - first, d->inode_table - first + table, false) ==
               d->inode_table - first + table;
}

/* The block bitmap of GROUP, checked when it is seen for the first time.  alloc_lock held.  */
static error_t map_get(struct ext2_fs *fs, uint32_t group, struct ext2_buf *buf)
{
    struct ext2_group *g = &fs->state[group];
    struct group_desc *d = &fs->groups[group];
    if (g->blocks_trust == EXT2_DAMAGED)
        return EIO;
    error_t err = ext2_cache_get(fs, d->block_bitmap, buf);
    if (err || g->blocks_trust == EXT2_SOUND)
        return err;
    ext2_block_map_make(fs, group, group_size(fs, group), buf);
    uint32_t found = ext2_bits_clear(buf->data, group_size(fs, group));
    g->blocks_trust = ext2_bitmap_judge(fs, "block", group, d->block_bitmap, d->free_blocks_count, found,
                                        map_has_system(fs, group, buf));
    if (g->blocks_trust == EXT2_DAMAGED) {
        ext2_cache_put(fs, buf);
        return EIO;
    }
    if (found != d->free_blocks_count) {               /* a crash: the bitmap is what is true */
        fs->super.free_blocks_count = fs->super.free_blocks_count - d->free_blocks_count + found;
        d->free_blocks_count = (uint16_t)found;
    }
    return 0;
}

/* ---- allocation; alloc_lock held ----------------------------------------------------------------- */

static void group_count(struct ext2_fs *fs, uint32_t group, int64_t blocks)
{
    /* The bitmaps are what is true; a damaged sum must not wrap around.  */
    int64_t of_group = fs->groups[group].free_blocks_count + blocks, all = fs->super.free_blocks_count + blocks;
    fs->groups[group].free_blocks_count = (uint16_t)(of_group < 0                       ? 0
                                                     : of_group > group_size(fs, group) ? group_size(fs, group)
                                                                                        : of_group);
    fs->super.free_blocks_count = (uint32_t)(all < 0 ? 0 : all > fs->blocks ? fs->blocks : all);
    fs->group_dirty[group / (fs->block_size / sizeof(struct group_desc))] = true;
    fs->super_dirty = true;
}

/* Takes a run in GROUP, from bit GOAL on if that is free, else anywhere, but only if LEAST blocks can be had.  */
static error_t group_take(struct ext2_fs *fs, uint32_t group, uint32_t goal, uint32_t want, uint32_t least,
                          uint32_t *start, uint32_t *count)
{
    struct ext2_buf buf;
    uint32_t size = group_size(fs, group), bit = goal;
    error_t err = map_get(fs, group, &buf);
    if (err)
        return err;
    uint32_t n = 0;
    if (!ext2_bit_test(buf.data, goal)) {
        n = map_next(buf.data, goal, size - goal < want ? size : goal + want, true) - goal;
        least = 1;
    }
    uint32_t low = fs->state[group].first_free;           /* no free bit is below */
    if (n < least)
        n = map_find(buf.data, goal > low ? goal : low, size, want, &bit);
    if (n < want && n < least && goal > low) {
        uint32_t other, m = map_find(buf.data, low, goal, want, &other);
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
        ext2_cache_dirty(fs, &buf, EXT2_FIRST);
        if (bit <= low)
            fs->state[group].first_free = bit + n;
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

static void run_free(struct ext2_fs *fs, uint32_t start, uint32_t count, bool at_once);

static void reserve_unlink(struct ext2_inode *inode)
{
    *inode->reserver_prevp = inode->reserver_next;
    if (inode->reserver_next)
        inode->reserver_next->reserver_prevp = inode->reserver_prevp;
    inode->reserver_prevp = NULL;
}

static void reserve_drop(struct ext2_fs *fs, struct ext2_inode *inode)
{
    if (!inode->reserver_prevp)
        return;
    reserve_unlink(inode);
    fs->reserved -= inode->reserve_count;
    run_free(fs, inode->reserve_start, inode->reserve_count, true);
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
        reserve_unlink(inode);
}

/* ---- giving back; alloc_lock held -------------------------------------------------------------------------- */

/* Clears the bits that are set in FREED, or, if that is NULL, COUNT bits from BIT on.  */
static void group_release(struct ext2_fs *fs, uint32_t group, const char *freed, uint32_t bit, uint32_t count,
                          struct ext2_buf *buf)
{
    if (!freed) {
        map_change(buf->data, bit, count, false);
    } else {
        for (uint32_t i = 0; i < fs->block_size; i++)
            buf->data[i] = (char)(buf->data[i] & ~freed[i]);
        bit = map_next(freed, 0, group_size(fs, group), true);
    }
    if (bit < fs->state[group].first_free)
        fs->state[group].first_free = bit;
    ext2_cache_dirty(fs, buf, EXT2_FIRST);
    group_count(fs, group, count);
}

/* Notes COUNT blocks of GROUP from BIT on as freed.  ENOMEM; EEXIST: some of them are noted already.  */
static error_t freed_note(struct ext2_fs *fs, uint32_t group, uint32_t bit, uint32_t count)
{
    struct ext2_group *g = &fs->state[group];
    struct ext2_freed *now = &g->freed[fs->syncs & 1], *before = &g->freed[~fs->syncs & 1];
    if (!now->map && !(now->map = calloc(1, fs->block_size)))
        return ENOMEM;
    if (map_next(now->map, bit, bit + count, true) != bit + count ||
        (before->map && map_next(before->map, bit, bit + count, true) != bit + count))
        return EEXIST;
    map_change(now->map, bit, count, true);
    now->count += count;
    fs->freed += count;
    return 0;
}

/* Frees a run within one group.  */
static void group_free(struct ext2_fs *fs, uint32_t group, uint32_t start, uint32_t count, bool at_once)
{
    struct ext2_buf buf;
    if (run_is_system(fs, start, count)) {
        ext2_damage(fs, "blocks %u to %u: a file holds blocks of the file system itself", start, start + count - 1);
        return;
    }
    if (map_get(fs, group, &buf)) {
        if (fs->state[group].blocks_trust != EXT2_DAMAGED)
            ext2_damage(fs, "block bitmap of group %u (block %u): cannot be read", group,
                        fs->groups[group].block_bitmap);
        return;
    }
    uint32_t bit = start - group_first(fs, group);
    error_t err = map_next(buf.data, bit, bit + count, false) != bit + count ? EEXIST
                  : at_once ? ENOMEM : freed_note(fs, group, bit, count);
    if (err == EEXIST)
        ext2_damage(fs, "block bitmap of group %u (block %u): of the %u blocks from %u on some are already free", group,
                    fs->groups[group].block_bitmap, count, start);
    else if (err)
        group_release(fs, group, NULL, bit, count, &buf);
    ext2_cache_put(fs, &buf);
}

static void run_free(struct ext2_fs *fs, uint32_t start, uint32_t count, bool at_once)
{
    if (!ext2_block_valid(fs, start, count)) {
        ext2_damage(fs, "blocks from %u on, %u of them: not on this file system", start, count);
        return;
    }
    while (count) {
        uint32_t group = block_group(fs, start), rest = group_first(fs, group) + group_size(fs, group) - start;
        uint32_t n = count < rest ? count : rest;
        group_free(fs, group, start, n, at_once);
        start += n;
        count -= n;
    }
}

/* ---- the interface ------------------------------------------------------------------------------------ */

/* How many of WANT blocks INODE may take, for the sake of those kept for root.  */
static uint32_t quota(const struct ext2_fs *fs, const struct ext2_inode *inode, uint32_t want)
{
    uint64_t free = (uint64_t)fs->super.free_blocks_count + fs->reserved + fs->freed, kept = fs->super.r_blocks_count;
    if (inode->uid == fs->super.def_resuid || free >= kept + want)
        return want;
    return free > kept ? (uint32_t)(free - kept) : 0;
}

/* The last resorts of a full disk, one after the other: the others' reserves; blocks that wait for a sync.  False:
   there are none.  Releases the lock meanwhile.  */
static bool space_recover(struct ext2_fs *fs)
{
    if (fs->reserved) {
        while (fs->reservers)
            reserve_drop(fs, fs->reservers);
        return true;
    }
    if (!fs->freed)
        return false;
    pthread_mutex_unlock(&fs->alloc_lock);
    error_t err = ext2_sync(fs, true, false);
    if (!err)
        err = ext2_sync(fs, true, false);
    pthread_mutex_lock(&fs->alloc_lock);
    return !err;
}

error_t ext2_balloc(struct ext2_fs *fs, struct ext2_inode *inode, uint32_t goal, uint32_t want, uint32_t reserve,
                    uint32_t *start, uint32_t *count)
{
    error_t err = 0;
    if (!fs->writable)
        return EROFS;
    pthread_mutex_lock(&fs->alloc_lock);
    if (inode->reserver_prevp && (goal == 0 || goal == inode->reserve_start)) {
        reserve_take(fs, inode, want, start, count);
    } else {
        reserve_drop(fs, inode);
        do {
            uint32_t may = quota(fs, inode, want + reserve);
            err = may ? run_take(fs, goal ? goal : ext2_inode_goal(fs, inode->ino), may, start, count) : ENOSPC;
            reserve = 0;
        } while (err == ENOSPC && space_recover(fs));
        if (!err && *count > want) {
            reserve_set(fs, inode, *start + want, *count - want);
            *count = want;
        }
    }
    pthread_mutex_unlock(&fs->alloc_lock);
    return err;
}

void ext2_bfreed_release(struct ext2_fs *fs, bool all)
{
    pthread_mutex_lock(&fs->alloc_lock);
    for (unsigned int turn = all ? 0 : 1; turn < 2 && fs->freed; turn++)
        for (uint32_t g = 0; g < fs->ngroups; g++) {
            struct ext2_freed *freed = &fs->state[g].freed[(fs->syncs + turn) & 1];
            struct ext2_buf buf;
            if (!freed->map || ext2_cache_get(fs, fs->groups[g].block_bitmap, &buf))
                continue;                        /* unreadable: it may be the next time */
            if (freed->count)
                group_release(fs, g, freed->map, 0, freed->count, &buf);
            ext2_cache_put(fs, &buf);
            fs->freed -= freed->count;
            free(freed->map);
            *freed = (struct ext2_freed){ NULL, 0 };
        }
    fs->syncs++;
    pthread_mutex_unlock(&fs->alloc_lock);
}

void ext2_groups_forget(struct ext2_fs *fs)
{
    for (uint32_t g = 0; fs->state && g < fs->ngroups; g++) {
        free(fs->state[g].freed[0].map);
        free(fs->state[g].freed[1].map);
        free(fs->state[g].created);
        free(fs->state[g].gone[0]);
        free(fs->state[g].gone[1]);
        fs->state[g] = (struct ext2_group){ .created = NULL };
    }
    fs->freed = 0;
}

void ext2_bfree(struct ext2_fs *fs, uint32_t start, uint32_t count)
{
    pthread_mutex_lock(&fs->alloc_lock);
    run_free(fs, start, count, false);
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
