/* SPDX-License-Identifier: GPL-2.0-or-later */
/* small: the contents of small files, in memory of this server.

   A memory object costs tens of thousands of instructions from its birth to its end, and most small files live short or
   are read once.  So as long as nobody maps a file of up to SMALL_MAX bytes, its contents are held in plain memory, as
   a whole: read from the disk at the first use, written back by sync, thrown away when the file goes idle or is
   deleted.  Mapping or growing moves it to the pager: what changed is written first, and the pager reads it from the
   disk.  A file has either a buffer or a pager, never both.

   The kernel cannot take this memory back, so all of it together is bounded; a file that finds no room goes to the
   pager at once.  */

#include "ext2fs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MAX       16384u
#define SMALL_TOTAL_MAX (2u << 20)

static atomic_size_t small_total;

static bool small_account(size_t bytes)
{
    if (atomic_fetch_add(&small_total, bytes) + bytes <= SMALL_TOTAL_MAX)
        return true;
    atomic_fetch_sub(&small_total, bytes);
    return false;
}

void ext2fs_small_drop(struct ext2_node *n)
{
    free(n->small);
    atomic_fetch_sub(&small_total, n->small_room);
    n->small = NULL;
    n->small_room = 0;
    n->small_dirty = false;
}

/* Makes room for ROOM bytes, zeroed behind what is there.  False: no memory to be had.  */
static bool small_grow(struct ext2_node *n, uint32_t room)
{
    if (room <= n->small_room)
        return true;
    uint32_t more = room - n->small_room;
    if (!small_account(more))
        return false;
    char *small = realloc(n->small, room);
    if (!small) {
        atomic_fetch_sub(&small_total, more);
        return false;
    }
    memset(small + n->small_room, 0, more);
    n->small = small;
    n->small_room = room;
    return true;
}

/* Moves the file's blocks between buffer and disk, row by row; holes are left alone.  */
static error_t small_transfer(struct ext2_node *n, bool write)
{
    struct ext2_inode *i = &n->inode;
    uint32_t bs = ext2fs->block_size, end = (uint32_t)((i->size + bs - 1) / bs), run, block;
    error_t err = 0;
    for (uint32_t at = 0; at < end && !err; at += run) {
        void *data;
        uint32_t fresh;
        pthread_mutex_lock(&i->map_lock);
        err = ext2_map(ext2fs, i, at, end - at, &block, &run);
        if (!err && !write && block && ext2_fresh_test(i, at, run, &fresh))
            block = 0;
        pthread_mutex_unlock(&i->map_lock);
        if (err || block == 0)
            continue;
        if (write) {
            err = store_write(ext2fs->store, (uint64_t)block * bs, n->small + (size_t)at * bs, (size_t)run * bs);
        } else if (!(err = store_read(ext2fs->store, (uint64_t)block * bs, (size_t)run * bs, &data))) {
            memcpy(n->small + (size_t)at * bs, data, (size_t)run * bs);
            store_free(data, (size_t)run * bs);
        }
        if (err)
            fprintf(stderr, "ext2fs: %s: inode %u: cannot %s block %u: %s\n", ext2fs->name, i->ino,
                    write ? "write" : "read", block, strerror(err));
    }
    return err;
}

error_t ext2fs_small_load(struct ext2_node *n, uint64_t end, bool *usable)
{
    uint64_t size = n->inode.size, bs = ext2fs->block_size;
    *usable = false;
    if (n->pager || size > SMALL_MAX)
        return 0;
    bool loaded = n->small != NULL;
    if (end < size)
        end = size;
    uint32_t room = (uint32_t)((end + bs - 1) / bs * bs);
    if (end > SMALL_MAX || !small_grow(n, room ? room : (uint32_t)bs))
        return 0;
    error_t err = loaded ? 0 : small_transfer(n, false);
    if (err) {
        ext2fs_small_drop(n);
        return err;
    }
    if (!loaded && size < n->small_room)          /* what the disk has behind the end */
        memset(n->small + size, 0, n->small_room - size);
    *usable = true;
    return 0;
}

error_t ext2fs_small_flush(struct ext2_node *n)
{
    if (!n->small_dirty)
        return 0;
    error_t err = small_transfer(n, true);
    if (err)
        return err;
    n->small_dirty = false;
    pthread_mutex_lock(&n->inode.map_lock);
    ext2_fresh_remove(&n->inode, 0, UINT64_MAX);
    pthread_mutex_unlock(&n->inode.map_lock);
    return 0;
}

error_t ext2fs_small_leave(struct ext2_node *n)
{
    if (!n->small)
        return 0;
    error_t err = ext2fs_small_flush(n);
    if (!err)
        ext2fs_small_drop(n);
    return err;
}

void ext2fs_small_truncate(struct ext2_node *n, uint64_t size)
{
    if (size < n->small_room)
        memset(n->small + size, 0, n->small_room - size);
    n->small_dirty = true;
}
