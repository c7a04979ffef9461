/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file: contents of regular files.  They live in the kernel's memory object of the file; reads and writes copy through
   the pager's windows, so they and mappings always agree; small files that nobody maps are held by small.c instead.
   Blocks are allocated before a write copies, so that ENOSPC is known then.  */

#include "ext2fs.h"

#include <string.h>

/* Blocks kept behind the end of a file that is being written, once it is not small any more: 64 KiB.  */
#define RESERVE_BYTES 65536

static error_t node_pager(struct ext2_node *n)
{
    if (n->pager)
        return 0;
    error_t err = ext2fs_small_leave(n);
    return err ? err : pager_create(&ext2fs_pager_ops, n, &n->pager);
}

static uint64_t round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

error_t ext2fs_read(struct diskfs_node *node, off_t offset, size_t amount, struct diskfs_stream *stream,
                    struct diskfs_buffer *buffer)
{
    struct ext2_node *n = ext2_node(node);
    (void)stream;
    uint64_t size = n->inode.size;
    if (!S_ISREG(node->stat.st_mode))
        return S_ISDIR(node->stat.st_mode) ? EISDIR : EINVAL;
    if ((uint64_t)offset >= size) {
        buffer->length = 0;
        return 0;
    }
    if (amount > size - (uint64_t)offset)
        amount = size - (uint64_t)offset;
    bool small = false;
    error_t err = amount > buffer->capacity ? diskfs_buffer_reserve(buffer, amount) : 0;
    if (!err)
        err = ext2fs_small_load(n, 0, &small);
    if (!err && small) {
        memcpy(buffer->data, n->small + offset, amount);
        buffer->length = amount;
        return 0;
    }
    if (!err)
        err = node_pager(n);
    if (!err)
        err = pager_read(n->pager, (uint64_t)offset, buffer->data, amount, size);
    buffer->length = err ? 0 : amount;
    return err;
}

/* ---- changing ------------------------------------------------------------------------------- */

/* Zeros what lies behind the end in the page of the end, if that is on the disk: about to become part of the file, or
   left behind by a truncation.  UNTIL: not further than there.  */
static error_t tail_zero(struct ext2_node *n, uint64_t end, uint64_t until)
{
    uint64_t stop = round_up(end, vm_page_size);
    if (stop > until)
        stop = until;
    if (stop <= end)
        return 0;
    uint32_t block = 0, run;
    bool fresh = false;
    pthread_mutex_lock(&n->inode.map_lock);
    error_t err = ext2_map(ext2fs, &n->inode, end >> ext2fs->block_log, 1, &block, &run);
    if (!err && block)
        fresh = ext2_fresh_test(&n->inode, end >> ext2fs->block_log, 1, &run);
    pthread_mutex_unlock(&n->inode.map_lock);
    (void)fresh;
    if (err || !block)
        return err;
    err = node_pager(n);
    return err ? err : pager_write(n->pager, end, NULL, stop - end, stop);
}

/* Sees to blocks for a write of [START, *END), and to the size; *END may come out smaller when the disk is full.  */
static error_t write_prepare(struct ext2_node *n, uint64_t start, uint64_t *end)
{
    struct ext2_inode *i = &n->inode;
    uint64_t page = vm_page_size, done;
    pthread_mutex_lock(&i->map_lock);
    uint64_t size = *end > i->size ? *end : i->size;
    /* Whole pages: what is writable in memory must have a place on the disk.  */
    uint64_t last = round_up(*end, page) < size ? round_up(*end, page) : size;
    uint64_t first = start / page * page;
    error_t err = ext2_map_alloc(ext2fs, i, first >> ext2fs->block_log,
                                 (last + ext2fs->block_size - 1) >> ext2fs->block_log,
                                 n->small ? 0 : RESERVE_BYTES >> ext2fs->block_log, &done);
    if (err && done << ext2fs->block_log > start) {
        err = 0;
        if (done << ext2fs->block_log < *end)
            *end = done << ext2fs->block_log;
    }
    if (!err && *end > i->size)
        i->size = *end;
    pthread_mutex_unlock(&i->map_lock);
    return err;
}

static void node_resized(struct ext2_node *n)
{
    n->dn.stat.st_size = (off_t)n->inode.size;
    n->dn.stat.st_blocks = (blkcnt_t)n->inode.sectors;
    diskfs_node_mark_dirty(&n->dn);
}

error_t ext2fs_write(struct diskfs_node *node, off_t offset, const void *data, size_t length, size_t *amount)
{
    struct ext2_node *n = ext2_node(node);
    uint64_t start = (uint64_t)offset, end = start + length, size = n->inode.size;
    *amount = 0;
    if (!S_ISREG(node->stat.st_mode))
        return S_ISDIR(node->stat.st_mode) ? EISDIR : EINVAL;
    if (length == 0)
        return 0;
    if (start >= ext2fs->size_max)
        return EFBIG;
    error_t err = ext2fs_flags_check(n, start >= size);
    if (err)
        return err;
    if (end > ext2fs->size_max)
        end = ext2fs->size_max;
    bool small = false;
    err = ext2fs_small_load(n, end, &small);
    if (!err && !small)
        err = node_pager(n);
    if (!err && !small && start > n->inode.size)
        err = tail_zero(n, n->inode.size, start);
    if (!err)
        err = write_prepare(n, start, &end);
    if (!err && small) {
        err = ports_copy_guarded(n->small + start, data, end - start);
        n->small_dirty = true;
    } else if (!err) {
        err = pager_write(n->pager, start, data, end - start, n->inode.size);
    }
    node_resized(n);
    if (err && n->inode.size > size)               /* nothing of it was written */
        (void)ext2fs_set_size(node, (off_t)size);
    if (!err)
        *amount = end - start;
    return err;
}

error_t ext2fs_set_size(struct diskfs_node *node, off_t new_size)
{
    struct ext2_node *n = ext2_node(node);
    struct ext2_inode *i = &n->inode;
    uint64_t size = (uint64_t)new_size, old = i->size;
    if (!S_ISREG(node->stat.st_mode))
        return S_ISDIR(node->stat.st_mode) ? EISDIR : EINVAL;
    if (size > ext2fs->size_max)
        return EFBIG;
    bool small = false;
    error_t err = ext2fs_flags_check(n, size >= old);
    if (err)
        return err;
    err = n->small ? ext2fs_small_load(n, size, &small) : 0;
    if (!err && !small && size > old)
        err = tail_zero(n, old, size);
    if (err)
        return err;
    pthread_mutex_lock(&i->map_lock);
    i->size = size;
    pthread_mutex_unlock(&i->map_lock);
    if (size < old) {
        uint64_t from = round_up(size, vm_page_size);
        if (n->pager && round_up(old, vm_page_size) > from)
            pager_discard(n->pager, from, round_up(old, vm_page_size) - from);
        if (small)
            ext2fs_small_truncate(n, size);
        else
            err = tail_zero(n, size, UINT64_MAX);
        pthread_mutex_lock(&i->map_lock);
        error_t e = ext2_map_truncate(ext2fs, i, (size + ext2fs->block_size - 1) >> ext2fs->block_log);
        pthread_mutex_unlock(&i->map_lock);
        err = err ? err : e;
        /* What was freed must not be used again while the inode on the disk has it.  */
        if (i->links && (e = ext2_inode_write(ext2fs, i)) != 0)
            err = err ? err : e;
    }
    node_resized(n);
    return err;
}

/* ---- mapping, syncing ------------------------------------------------------------------------------ */

error_t ext2fs_map(struct diskfs_node *node, vm_prot_t prot, memory_object_t *object)
{
    struct ext2_node *n = ext2_node(node);
    if (!S_ISREG(node->stat.st_mode))
        return EOPNOTSUPP;
    error_t err = prot & VM_PROT_WRITE ? ext2fs_flags_check(n, false) : 0;
    if (!err)
        err = node_pager(n);
    if (err)
        return err;
    err = pager_proxy(n->pager, prot & VM_PROT_WRITE ? VM_PROT_ALL : VM_PROT_READ | VM_PROT_EXECUTE, object);
    n->client_mapped |= err == 0;
    return err;
}

error_t ext2fs_node_sync(struct diskfs_node *node, bool wait, bool data_only)
{
    struct ext2_node *n = ext2_node(node);
    (void)data_only;                  /* the way to the data is part of it: indirect blocks, size */
    error_t err = ext2fs_small_flush(n);
    if (n->pager) {                   /* others may read and write meanwhile; our caller's reference keeps the pager */
        pthread_mutex_unlock(&node->lock);
        err = pager_sync(n->pager, 0, UINT64_MAX, wait);
        pthread_mutex_lock(&node->lock);
    }
    error_t e = wait ? atomic_exchange(&n->write_error, 0) : 0;
    err = err ? err : e;
    e = diskfs_node_update(node, false);
    err = err ? err : e;
    e = ext2_sync(ext2fs, wait, false);
    return err ? err : e;
}

void ext2fs_node_idle_drop(struct diskfs_node *node)
{
    struct ext2_node *n = ext2_node(node);
    ext2_reserve_drop(ext2fs, &n->inode);
    pthread_mutex_lock(&node->lock);
    if (n->small && node->stat.st_nlink > 0)
        (void)ext2fs_small_leave(n);               /* what cannot be written has been reported, and goes with the
                                                      node */
    if (n->small)
        ext2fs_small_drop(n);
    pthread_mutex_unlock(&node->lock);
    if (!n->pager)
        return;
    /* A file without a name that only we have had mapped: nobody will ask for its pages again.  */
    if (node->stat.st_nlink == 0 && !n->client_mapped)
        pager_discard(n->pager, 0, round_up(n->inode.size, vm_page_size));
    pager_uncache(n->pager);
}
