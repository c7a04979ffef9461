/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map: where the blocks of a file lie: twelve direct numbers in the inode, then trees of one, two and three levels of
   indirect blocks.  */

#include "ext2.h"

#include <sys/stat.h>

/* The way to a file block: the slot in the inode, then the index in each indirect block.  */
struct path {
    unsigned int depth;            /* indirect blocks on the way, 0 to 3 */
    uint32_t index[4];             /* index[0] in inode->block */
};

/* False if the format has no place for LBLOCK.  */
static bool path_find(const struct ext2_fs *fs, uint64_t lblock, struct path *path)
{
    uint64_t a = fs->addr_per_block;
    unsigned int shift = fs->block_log - 2;
    if (lblock < NDIRECT) {
        *path = (struct path){ 0, { (uint32_t)lblock } };
        return true;
    }
    lblock -= NDIRECT;
    uint64_t span = a;
    for (unsigned int depth = 1; depth <= 3; depth++, span *= a) {
        if (lblock < span) {
            path->depth = depth;
            path->index[0] = NDIRECT - 1 + depth;
            for (unsigned int i = depth; i >= 1; i--, lblock >>= shift)
                path->index[i] = (uint32_t)(lblock & (a - 1));
            return true;
        }
        lblock -= span;
    }
    return false;
}

/* Blocks that a table entry LEVEL levels above the data stands for.  */
static uint64_t entry_span(const struct ext2_fs *fs, unsigned int level)
{
    return 1ull << (fs->block_log - 2) * level;
}

static error_t block_damaged(struct ext2_fs *fs, const struct ext2_inode *inode, uint64_t lblock, uint32_t block)
{
    return ext2_damage(fs, "inode %u: block map: block %u for file block %llu is not on this file system", inode->ino,
                       block, (unsigned long long)lblock);
}

/* Length of the row TABLE[I], TABLE[I]+1… or of zeros, at most MAX and up to the table's end.  */
static uint32_t row_length(const uint32_t *table, uint32_t i, uint32_t entries, uint32_t max)
{
    uint32_t n = 1, first = table[i];
    if (max > entries - i)
        max = entries - i;
    while (n < max && table[i + n] == (first ? first + n : 0))
        n++;
    return n;
}

error_t ext2_map(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t lblock, uint32_t max, uint32_t *block,
                 uint32_t *run)
{
    struct path path;
    *block = 0;
    *run = max;
    if (!path_find(fs, lblock, &path))
        return 0;
    if (path.depth == 0) {
        *run = row_length(inode->block, path.index[0], NDIRECT, max);
        *block = inode->block[path.index[0]];
        return *block && !ext2_block_valid(fs, *block, *run) ? block_damaged(fs, inode, lblock, *block) : 0;
    }
    uint32_t table = inode->block[path.index[0]];
    for (unsigned int i = 1;; i++) {
        struct ext2_buf buf;
        if (table == 0) {          /* nothing below: the hole goes on to the end of what this entry stands for */
            uint64_t span = entry_span(fs, path.depth - i + 1), offset = 0;
            for (unsigned int j = i; j <= path.depth; j++)
                offset = (offset << (fs->block_log - 2)) | path.index[j];
            *run = span - offset < max ? (uint32_t)(span - offset) : max;
            return 0;
        }
        if (!ext2_block_valid(fs, table, 1))
            return block_damaged(fs, inode, lblock, table);
        error_t err = ext2_cache_get(fs, table, &buf);
        if (err)
            return err;
        const uint32_t *entries = (const uint32_t *)(const void *)buf.data;
        table = entries[path.index[i]];
        if (i == path.depth)
            *run = row_length(entries, path.index[i], fs->addr_per_block, max);
        ext2_cache_put(fs, &buf);
        if (i == path.depth) {
            *block = table;
            return table && !ext2_block_valid(fs, table, *run) ? block_damaged(fs, inode, lblock, table) : 0;
        }
    }
}

/* ---- allocation ------------------------------------------------------------------------------- */

static void sectors_add(struct ext2_fs *fs, struct ext2_inode *inode, int64_t blocks)
{
    inode->sectors = (uint64_t)((int64_t)inode->sectors + blocks * (int64_t)(fs->block_size / 512));
}

/* A block for an indirect table, zeroed.  */
static error_t table_alloc(struct ext2_fs *fs, struct ext2_inode *inode, uint32_t goal, uint32_t *block,
                           struct ext2_buf *buf)
{
    uint32_t count;
    error_t err = ext2_balloc(fs, inode, goal, 1, 0, block, &count);
    if (err)
        return err;
    err = ext2_cache_zero(fs, *block, buf);
    if (err)
        ext2_bfree(fs, *block, 1);
    else
        sectors_add(fs, inode, 1);
    return err;
}

/* The leaf table of LBLOCK's path, made if it is not there.  For depth 0 BUF is not used and *TABLE is in the
   inode.  */
static error_t leaf_get(struct ext2_fs *fs, struct ext2_inode *inode, const struct path *path, uint64_t lblock,
                        uint32_t *goal, struct ext2_buf *buf, uint32_t **table)
{
    struct ext2_buf up = { NULL, NULL, 0 };
    uint32_t *entries = inode->block;
    error_t err = 0;
    for (unsigned int i = 0; i < path->depth && !err; i++) {
        uint32_t block = entries[path->index[i]];
        struct ext2_buf next;
        if (block == 0) {
            err = table_alloc(fs, inode, *goal, &block, &next);
            if (!err) {
                entries[path->index[i]] = block;
                *goal = block + 1;
                if (up.line)
                    ext2_cache_dirty(fs, &up, EXT2_INODE);
            }
        } else {
            err = ext2_block_valid(fs, block, 1) ? ext2_cache_get(fs, block, &next)
                                                 : block_damaged(fs, inode, lblock, block);
        }
        if (up.line)
            ext2_cache_put(fs, &up);
        if (!err) {
            up = next;
            entries = (uint32_t *)(void *)next.data;
        }
    }
    *buf = up;
    *table = entries;
    return err;
}

/* Where the block behind LBLOCK - 1 would be.  */
static uint32_t map_goal(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t lblock)
{
    uint32_t block, run;
    if (lblock == 0 || ext2_map(fs, inode, lblock - 1, 1, &block, &run) || block == 0)
        return 0;
    return block + 1;
}

/* Fills a hole at LBLOCK with up to WANT blocks.  FRESH: mark them so.  */
static error_t hole_fill(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t lblock, uint32_t want, uint32_t reserve,
                         bool fresh, uint32_t *block, uint32_t *count)
{
    struct path path;
    struct ext2_buf buf;
    uint32_t *table, goal = map_goal(fs, inode, lblock);
    if (!path_find(fs, lblock, &path))
        return EFBIG;
    error_t err = leaf_get(fs, inode, &path, lblock, &goal, &buf, &table);
    if (err)
        return err;
    uint32_t at = path.index[path.depth], entries = path.depth ? fs->addr_per_block : NDIRECT;
    uint32_t room = row_length(table, at, entries, want);
    err = ext2_balloc(fs, inode, goal, room, reserve, block, count);
    if (!err && fresh && (err = ext2_fresh_add(inode, lblock, lblock + *count)) != 0)
        ext2_bfree(fs, *block, *count);
    if (!err) {
        for (uint32_t i = 0; i < *count; i++)
            table[at + i] = *block + i;
        sectors_add(fs, inode, *count);
        if (path.depth)
            ext2_cache_dirty(fs, &buf, EXT2_INODE);
    }
    if (path.depth)
        ext2_cache_put(fs, &buf);
    return err;
}

error_t ext2_map_alloc(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t start, uint64_t end, uint32_t reserve,
                       uint64_t *done)
{
    error_t err = 0;
    while (start < end) {
        uint32_t block, run, max = end - start > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)(end - start);
        err = ext2_map(fs, inode, start, max, &block, &run);
        if (!err && block == 0)
            err = hole_fill(fs, inode, start, run, reserve, true, &block, &run);
        if (err)
            break;
        start += run;
    }
    *done = start;
    return err;
}

/* ---- directories, links --------------------------------------------------------------------------- */

error_t ext2_map_get(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t lblock, struct ext2_buf *buf)
{
    uint32_t block, run;
    error_t err = ext2_map(fs, inode, lblock, 1, &block, &run);
    if (!err && block == 0)
        err = ext2_damage(fs, "inode %u: file block %llu is missing", inode->ino, (unsigned long long)lblock);
    return err ? err : ext2_cache_get(fs, block, buf);
}

error_t ext2_map_append(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t lblock, struct ext2_buf *buf)
{
    uint32_t block, count;
    error_t err = ext2_map(fs, inode, lblock, 1, &block, &count);
    if (err)
        return err;
    if (block == 0)
        err = hole_fill(fs, inode, lblock, 1, 0, false, &block, &count);
    return err ? err : ext2_cache_zero(fs, block, buf);
}

/* ---- truncation --------------------------------------------------------------------------------------- */

/* Blocks to be freed are gathered into runs.  */
struct gather {
    struct ext2_fs *fs;
    struct ext2_inode *inode;
    bool metadata;                 /* the data blocks are in the cache */
    uint32_t start, count;
    error_t err;
};

static void gather_flush(struct gather *g)
{
    if (g->count) {
        if (g->metadata)
            ext2_cache_forget(g->fs, g->start, g->count);
        ext2_bfree(g->fs, g->start, g->count);
        sectors_add(g->fs, g->inode, -(int64_t)g->count);
    }
    g->count = 0;
}

static void gather_add(struct gather *g, uint32_t block)
{
    if (!ext2_block_valid(g->fs, block, 1)) {
        g->err = block_damaged(g->fs, g->inode, 0, block);
        return;
    }
    if (g->count && block != g->start + g->count)
        gather_flush(g);
    if (g->count++ == 0)
        g->start = block;
}

/* Frees what lies at and behind FIRST, counted from the first file block that *ENTRY stands for, and *ENTRY itself,
   LEVEL levels above the data, if FIRST is 0.  */
static void tree_free(struct gather *g, uint32_t *entry, unsigned int level, uint64_t first)
{
    struct ext2_buf buf;
    if (*entry == 0)
        return;
    if (level == 0) {
        gather_add(g, *entry);
        *entry = 0;
        return;
    }
    if (!ext2_block_valid(g->fs, *entry, 1) || ext2_cache_get(g->fs, *entry, &buf)) {
        g->err = ext2_damage(g->fs, "inode %u: indirect block %u cannot be read; what it names stays allocated",
                             g->inode->ino, *entry);
    } else {
        uint32_t *table = (uint32_t *)(void *)buf.data;
        uint64_t span = entry_span(g->fs, level - 1);
        for (uint64_t i = first / span; i < g->fs->addr_per_block; i++)
            tree_free(g, &table[i], level - 1, i == first / span ? first % span : 0);
        /* A table that stays goes to the disk after the inode with the new size: the other way round a power cut leaves
           holes in the old one's end.  */
        ext2_cache_dirty(g->fs, &buf, first == 0 ? EXT2_INODE : EXT2_ENTRY);
        ext2_cache_put(g->fs, &buf);
        if (first == 0) {
            gather_flush(g);
            ext2_cache_forget(g->fs, *entry, 1);
            ext2_bfree(g->fs, *entry, 1);
            sectors_add(g->fs, g->inode, -1);
        }
    }
    if (first == 0)
        *entry = 0;
}

error_t ext2_map_truncate(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t first)
{
    struct gather g = { fs, inode, !S_ISREG(inode->mode), 0, 0, 0 };
    ext2_reserve_drop(fs, inode);
    ext2_fresh_remove(inode, first, UINT64_MAX);
    for (uint64_t i = first; i < NDIRECT; i++)
        tree_free(&g, &inode->block[i], 0, 0);
    uint64_t base = NDIRECT;
    for (unsigned int level = 1; level <= 3; level++) {
        uint64_t span = entry_span(fs, level);
        if (first < base + span)
            tree_free(&g, &inode->block[NDIRECT - 1 + level], level, first > base ? first - base : 0);
        base += span;
    }
    gather_flush(&g);
    return g.err;
}
