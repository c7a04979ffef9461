/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filepager: pages of regular files between disk and memory object.

   These run in the pager's threads: they take map_lock, and never a node's lock.  A file's end and map may change
   meanwhile; whoever shortens a file discards its pages afterwards and only then frees blocks (file.c).

   Where blocks are smaller than pages, a page's blocks may lie anywhere; such a page is put together block by block.
   Otherwise the buffer that the disk driver's reply brought goes to the kernel as it is.  */

#include "ext2fs.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static struct ext2_inode *inode_of(void *hook)
{
    return &((struct ext2_node *)hook)->inode;
}

static uint64_t round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Where [START, END) begins to lie.  map_lock held.  */
struct extent { uint32_t block; uint64_t bytes; /* block 0: zeros */ };

static error_t extent_find(struct ext2_inode *i, uint64_t start, uint64_t end, struct extent *extent)
{
    uint64_t lblock = start >> ext2fs->block_log;
    uint32_t max = (uint32_t)((end - start + ext2fs->block_size - 1) >> ext2fs->block_log), run, block, fresh;
    error_t err = ext2_map(ext2fs, i, lblock, max, &block, &run);
    if (err)
        return err;
    if (block && i->fresh_count) {
        if (ext2_fresh_test(i, lblock, run, &fresh))
            block = 0;
        run = fresh;
    }
    *extent = (struct extent){ block, (uint64_t)run << ext2fs->block_log };
    return 0;
}

static void read_failed(const struct ext2_inode *i, uint64_t lblock, uint32_t block, error_t err)
{
    fprintf(stderr, "ext2fs: %s: inode %u: cannot read file block %llu (block %u): %s\n", ext2fs->name, i->ino,
            (unsigned long long)lblock, block, strerror(err));
}

/* A page whose blocks do not lie in a row, or that is read by itself.  */
static error_t page_gather(struct ext2_inode *i, uint64_t page, uint64_t end, void **buffer)
{
    char *data = store_alloc(vm_page_size);
    error_t err = data ? 0 : ENOMEM;
    for (uint64_t at = page; at < end && !err;) {
        struct extent e = { 0, 0 };
        void *piece;
        pthread_mutex_lock(&i->map_lock);
        err = extent_find(i, at, end, &e);
        pthread_mutex_unlock(&i->map_lock);
        if (!err && e.block) {
            err = store_read(ext2fs->store, (uint64_t)e.block << ext2fs->block_log, e.bytes, &piece);
            if (err) {
                read_failed(i, at >> ext2fs->block_log, e.block, err);
            } else {
                memcpy(data + (at - page), piece, e.bytes);
                store_free(piece, e.bytes);
            }
        }
        at += e.bytes;
    }
    if (err && data)
        store_free(data, vm_page_size);
    *buffer = data;
    return err;
}

/* Finds the row of blocks that gives most: from f->start on if it reaches the page that is wanted, else from that page
   on.  */
static error_t fetch_extent(struct ext2_inode *i, struct pager_fetch *f, uint64_t size, struct extent *e)
{
    error_t err = extent_find(i, f->start, f->end < size ? f->end : size, e);
    if (!err && f->start != f->page && f->start + e->bytes < f->page + vm_page_size) {
        f->start = f->page;
        err = extent_find(i, f->start, f->end < size ? f->end : size, e);
    }
    return err;
}

static error_t file_fetch(void *hook, struct pager_fetch *f)
{
    struct ext2_inode *i = inode_of(hook);
    struct extent e;
    pthread_mutex_lock(&i->map_lock);
    uint64_t size = round_up(i->size, ext2fs->block_size);
    error_t err = f->page < i->size ? fetch_extent(i, f, size, &e) : EIO;
    pthread_mutex_unlock(&i->map_lock);
    if (err)
        return err;
    if (f->end > round_up(size, vm_page_size))
        f->end = round_up(size, vm_page_size);
    if (f->start + e.bytes >= size)                     /* the row goes on to the end of the file */
        e.bytes = round_up(e.bytes, vm_page_size);
    if (e.bytes < vm_page_size) {
        f->start = f->page;
        f->end = f->page + vm_page_size;
        return page_gather(i, f->page, f->end < size ? f->end : size, &f->buffer);
    }
    if (f->end > f->start + e.bytes / vm_page_size * vm_page_size)
        f->end = f->start + e.bytes / vm_page_size * vm_page_size;
    f->buffer = NULL;
    if (e.block == 0)
        return 0;
    uint64_t bytes = f->end < size ? f->end - f->start : size - f->start;
    err = store_read(ext2fs->store, (uint64_t)e.block << ext2fs->block_log, bytes, &f->buffer);
    if (err && (f->end - f->start > vm_page_size || err == ENOMEM)) {   /* the page that is wanted may be sound */
        f->start = f->page;
        f->end = f->page + vm_page_size;
        return page_gather(i, f->page, f->end < size ? f->end : size, &f->buffer);
    }
    if (err)
        read_failed(i, f->page >> ext2fs->block_log, e.block, err);
    return err;
}

/* ---- writing ------------------------------------------------------------------------------------- */

/* The first blocks of [START, END) that lie in a row; allocates what is missing (the file has grown over the rest of a
   page that was writable already); *ALLOCATED is then set.  map_lock held.  */
static error_t write_extent(struct ext2_inode *i, uint64_t start, uint64_t end, uint32_t *block, uint32_t *run,
                            bool *allocated)
{
    uint64_t lblock = start >> ext2fs->block_log, done;
    uint32_t max = (uint32_t)((end - start) >> ext2fs->block_log);
    error_t err = ext2_map(ext2fs, i, lblock, max, block, run);
    if (err || *block)
        return err;
    *allocated = true;
    err = ext2_map_alloc(ext2fs, i, lblock, lblock + *run, 0, &done);
    if (done > lblock)
        err = ext2_map(ext2fs, i, lblock, (uint32_t)(done - lblock), block, run);
    return err;
}

static void blocks_written(struct ext2_inode *i, uint64_t lblock, uint32_t run)
{
    pthread_mutex_lock(&i->map_lock);
    ext2_fresh_remove(i, lblock, lblock + run);
    pthread_mutex_unlock(&i->map_lock);
}

static void write_failed(const struct ext2_inode *i, uint64_t lblock, uint32_t block, error_t err)
{
    fprintf(stderr, "ext2fs: %s: inode %u: cannot write file block %llu (block %u): %s; data is lost\n", ext2fs->name,
            i->ino, (unsigned long long)lblock, block, strerror(err));
}

/* Writes RUN blocks of DATA from BLOCK on, which are file block LBLOCK and those behind; if that fails, each by itself,
   so that only what lies on a bad spot is lost.  */
static error_t run_write(struct ext2_inode *i, uint64_t lblock, uint32_t block, uint32_t run, const char *data)
{
    uint32_t log = ext2fs->block_log;
    error_t err = store_write(ext2fs->store, (uint64_t)block << log, data, (size_t)run << log), result = 0;
    if (!err) {
        blocks_written(i, lblock, run);
        return 0;
    }
    for (uint32_t n = 0; n < run; n++) {
        if (run > 1)
            err = store_write(ext2fs->store, (uint64_t)(block + n) << log, data + ((size_t)n << log),
                              ext2fs->block_size);
        if (err) {
            write_failed(i, lblock + n, block + n, err);
            result = err;
        } else {
            blocks_written(i, lblock + n, 1);
        }
    }
    return result;
}

static error_t file_write(void *hook, uint64_t offset, const void *data, size_t length)
{
    struct ext2_node *n = hook;
    struct ext2_inode *i = &n->inode;
    error_t result = ext2fs->writable ? 0 : EROFS;
    bool allocated = false;
    for (uint64_t at = offset; ext2fs->writable; ) {
        uint32_t block = 0, run = 0;
        pthread_mutex_lock(&i->map_lock);
        uint64_t size = round_up(i->size, ext2fs->block_size), end = offset + length < size ? offset + length : size;
        error_t err = at < end ? write_extent(i, at, end, &block, &run, &allocated) : 0;
        pthread_mutex_unlock(&i->map_lock);
        if (at >= end)
            break;
        if (!err) {
            err = run_write(i, at >> ext2fs->block_log, block, run, (const char *)data + (at - offset));
        } else {
            write_failed(i, at >> ext2fs->block_log, block, err);
            run = 1;
        }
        result = err ? err : result;
        at += (uint64_t)run << ext2fs->block_log;
    }
    if (allocated)
        diskfs_node_mark_dirty(&n->dn);
    if (result)
        atomic_store(&n->write_error, result);
    return result;
}

static error_t file_unlock(void *hook, uint64_t offset, size_t length, bool own)
{
    struct ext2_inode *i = inode_of(hook);
    uint64_t done;
    if (own)                       /* ext2fs_write has seen to it */
        return 0;
    if (!ext2fs->writable)
        return EROFS;
    pthread_mutex_lock(&i->map_lock);
    uint64_t size = round_up(i->size, ext2fs->block_size), end = offset + length < size ? offset + length : size;
    error_t err = offset < end
                      ? ext2_map_alloc(ext2fs, i, offset >> ext2fs->block_log, end >> ext2fs->block_log, 0, &done)
                      : 0;
    pthread_mutex_unlock(&i->map_lock);
    diskfs_node_mark_dirty(&((struct ext2_node *)hook)->dn);
    if (!err)
        diskfs_node_touched(&((struct ext2_node *)hook)->dn);
    return err;
}

static void file_acquire(void *hook)
{
    diskfs_node_weak_ref(&((struct ext2_node *)hook)->dn);
}

static void file_release(void *hook)
{
    diskfs_node_weak_deref(&((struct ext2_node *)hook)->dn);
}

const struct pager_ops ext2fs_pager_ops = {
    .fetch = file_fetch, .write = file_write, .unlock = file_unlock, .acquire = file_acquire, .release = file_release,
};
