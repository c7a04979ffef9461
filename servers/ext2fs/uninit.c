/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uninit: groups that mke2fs has left as it found them (uninit_bg), and the checksums by which that may be believed.

   A descriptor may say that the group's bitmaps were never written, and how many inodes at the end of its table were
   not.  A bitmap is made when it is first needed.  Before an inode behind the used part of the table is taken, the part
   up to it, and some more, is zeroed on the disk itself: e2fsck looks at the used part, and what was there before may
   look like files.

   All with alloc_lock held.  */

#include "ext2.h"

#include <stddef.h>
#include <stdio.h>
#include <store/store.h>
#include <string.h>

/* Blocks of an inode table that are zeroed at once. */
#define ZERO_BLOCKS 16u

static uint16_t sum_add(uint16_t sum, const void *data, size_t length)
{
    /* CRC-16, four bits at a time. */
    static const uint16_t table[16] = {
        0x0000, 0xcc01, 0xd801, 0x1400, 0xf001, 0x3c00, 0x2800, 0xe401,
        0xa001, 0x6c00, 0x7800, 0xb401, 0x5000, 0x9c01, 0x8801, 0x4400,
    };
    const uint8_t *byte = data;
    for (; length > 0; length--, byte++) {
        sum = (uint16_t)(sum >> 4 ^ table[(sum ^ *byte) & 15]);
        sum = (uint16_t)(sum >> 4 ^ table[(sum ^ *byte >> 4) & 15]);
    }
    return sum;
}

uint16_t ext2_group_sum(const struct ext2_fs *fs, uint32_t group)
{
    uint16_t sum = sum_add(0xffff, fs->super.uuid, sizeof fs->super.uuid);
    sum = sum_add(sum, &group, sizeof group);
    return sum_add(sum, &fs->groups[group], offsetof(struct group_desc, checksum));
}

bool ext2_group_sums_right(const struct ext2_fs *fs)
{
    for (uint32_t g = 0; fs->uninit && g < fs->ngroups; g++) {
        if (fs->groups[g].checksum == ext2_group_sum(fs, g))
            continue;
        fprintf(stderr, "ext2fs: %s: group descriptor %u: checksum %#x, not %#x: read-only until e2fsck has run\n",
                fs->name, g, fs->groups[g].checksum, ext2_group_sum(fs, g));
        return false;
    }
    return true;
}

static void bits_set(char *map, uint32_t from, uint32_t end)
{
    for (; from < end && from % 8; from++)
        map[from / 8] = (char)(map[from / 8] | 1 << from % 8);
    if (end > from + 8) {
        memset(map + from / 8, 0xff, (end - from) / 8);
        from += (end - from) / 8 * 8;
    }
    for (; from < end; from++)
        map[from / 8] = (char)(map[from / 8] | 1 << from % 8);
}

/* The map that GROUP in BUF, whose flag FLAG says that it was never written, is there from now on. */
static void map_made(struct ext2_fs *fs, uint32_t group, struct ext2_buf *buf, uint16_t flag)
{
    fs->groups[group].flags = (uint16_t)(fs->groups[group].flags & ~flag);
    fs->group_dirty[group / (fs->block_size / sizeof(struct group_desc))] = true;
    ext2_cache_dirty(fs, buf, EXT2_FIRST);
}

void ext2_block_map_make(struct ext2_fs *fs, uint32_t group, uint32_t size, struct ext2_buf *buf)
{
    const struct group_desc *d = &fs->groups[group];
    if (!fs->writable || !fs->uninit || !(d->flags & GROUP_BLOCK_UNINIT))
        return;
    uint32_t first = fs->first_block + group * fs->blocks_per_group,
             table = fs->inodes_per_group / (fs->block_size / fs->inode_size);
    uint32_t overhead = ext2_group_overhead(fs, group);
    memset(buf->data, 0, fs->block_size);
    bits_set(buf->data, 0, overhead < size ? overhead : size);      /* the super block may be damaged */
    bits_set(buf->data, d->block_bitmap - first, d->block_bitmap - first + 1);
    bits_set(buf->data, d->inode_bitmap - first, d->inode_bitmap - first + 1);
    bits_set(buf->data, d->inode_table - first, d->inode_table - first + table);
    bits_set(buf->data, size, fs->block_size * 8);
    map_made(fs, group, buf, GROUP_BLOCK_UNINIT);
}

void ext2_inode_map_make(struct ext2_fs *fs, uint32_t group, struct ext2_buf *buf)
{
    struct group_desc *d = &fs->groups[group];
    if (!fs->writable || !fs->uninit || !(d->flags & GROUP_INODE_UNINIT))
        return;
    memset(buf->data, 0, fs->block_size);
    bits_set(buf->data, fs->inodes_per_group, fs->block_size * 8);
    d->unused_inodes = (uint16_t)fs->inodes_per_group;
    map_made(fs, group, buf, GROUP_INODE_UNINIT);
}

/* The inodes of the block that inode FIRST of the table at TABLE lies in, from that one on. */
static error_t block_rest_zero(struct ext2_fs *fs, uint32_t table, uint32_t first)
{
    uint32_t per_block = fs->block_size / fs->inode_size, block = table + first / per_block;
    struct ext2_buf buf;
    error_t err = ext2_cache_get(fs, block, &buf);
    if (err)
        return err;
    memset(buf.data + first % per_block * fs->inode_size, 0, fs->block_size - first % per_block * fs->inode_size);
    err = store_write_through(fs->store, (uint64_t)block << fs->block_log, buf.data, fs->block_size);
    ext2_cache_put(fs, &buf);
    return err;
}

error_t ext2_inode_table_reach(struct ext2_fs *fs, uint32_t group, uint32_t index)
{
    struct group_desc *d = &fs->groups[group];
    uint32_t per_block = fs->block_size / fs->inode_size;
    uint32_t unused = d->unused_inodes < fs->inodes_per_group ? d->unused_inodes : fs->inodes_per_group,
             used = fs->inodes_per_group - unused;
    if (!fs->uninit || index < used)
        return 0;
    uint32_t from = (used + per_block - 1) / per_block, until = index / per_block + 1,
             most = fs->inodes_per_group / per_block;
    until = until + ZERO_BLOCKS < most ? until + ZERO_BLOCKS : most;
    void *zeros = store_alloc((size_t)(until - from) * fs->block_size);
    error_t err = zeros ? 0 : ENOMEM;
    if (!err && used % per_block)
        err = block_rest_zero(fs, d->inode_table, used);
    if (!err && until > from) {
        ext2_cache_forget(fs, d->inode_table + from, until - from);
        err = store_write_through(fs->store, (uint64_t)(d->inode_table + from) << fs->block_log, zeros,
                                  (size_t)(until - from) * fs->block_size);
    }
    if (zeros)
        store_free(zeros, (size_t)(until - from) * fs->block_size);
    if (err)
        return err;
    d->unused_inodes = (uint16_t)(fs->inodes_per_group - until * per_block);
    fs->group_dirty[group / (fs->block_size / sizeof(struct group_desc))] = true;
    return 0;
}
