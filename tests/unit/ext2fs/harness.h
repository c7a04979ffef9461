/* SPDX-License-Identifier: GPL-2.0-or-later */
/* harness: images made by mke2fs, mounted by the format layer, checked by e2fsck.  */
#ifndef HARNESS_H
#define HARNESS_H

#include "../../../servers/ext2fs/ext2.h"
#include <store/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "unit.h"

struct image { char path[128]; struct store *store; struct ext2_fs *fs; };

/* Runs a command of printf's kind; its exit status.  */
__attribute__((format(printf, 1, 2))) static inline int run(const char *format, ...)
{
    char command[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static inline bool image_mount(struct image *im, bool writable)
{
    char name[160], *why = NULL;
    snprintf(name, sizeof name, "file:%s", im->path);
    error_t err = store_open(name, NULL, &im->store, &why);
    if (!err)
        err = ext2_mount(im->store, 1 << 20, &im->fs, &why);
    if (err)
        fprintf(stderr, "mount: %s\n", why ? why : strerror(err));
    free(why);
    return !err && (!writable || ext2_set_writable(im->fs, true) == 0);
}

static inline bool image_make(struct image *im, const char *options, unsigned int kib)
{
    snprintf(im->path, sizeof im->path, "/tmp/ext2fs-unit-%d.img", (int)getpid());
    return run("rm -f %s; mke2fs -q -F -t ext2 -E hash_seed=11111111-2222-3333-4444-555555555555 %s %s %uk >/dev/null "
               "2>&1",
               im->path, options, im->path, kib) == 0;
}

static inline void image_unmount(struct image *im, bool clean)
{
    if (im->fs->writable)
        CHECK_EQ(ext2_sync(im->fs, true, clean), 0);
    ext2_unmount(im->fs);
    store_close(im->store);
}

/* e2fsck's verdict; prints what it said if it is not content.  */
static inline int image_fsck(struct image *im)
{
    int status = run("e2fsck -fn %s >%s.log 2>&1", im->path, im->path);
    if (status)
        run("cat %s.log >&2", im->path);
    return status;
}

static inline void image_remove(struct image *im)
{
    run("rm -f %s %s.log", im->path, im->path);
}

/* ---- files ---------------------------------------------------------------- */

static inline error_t file_open(struct ext2_fs *fs, uint32_t ino, struct ext2_inode *inode)
{
    *inode = (struct ext2_inode){ .ino = ino };
    return ext2_inode_read(fs, inode);
}

static inline error_t file_close(struct ext2_fs *fs, struct ext2_inode *inode)
{
    error_t err = fs->writable ? ext2_inode_write(fs, inode) : 0;
    ext2_inode_forget(fs, inode);
    return err;
}

/* As the server's node layer does it.  */
static inline error_t file_create(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, uint16_t mode,
                                  struct ext2_inode *inode)
{
    uint32_t ino;
    struct ext2_slot slot;
    error_t err = ext2_dir_lookup(fs, dir, name, strlen(name), &ino, &slot);
    if (err != ENOENT)
        return err ? err : EEXIST;
    err = ext2_ialloc(fs, dir->ino, mode, &ino);
    if (err)
        return err;
    *inode = (struct ext2_inode){ .ino = ino };
    err = ext2_inode_init(fs, inode, mode);
    if (!err && S_ISDIR(mode))
        err = ext2_dir_init(fs, inode, dir->ino);
    if (!err) {
        uint8_t type = S_ISDIR(mode) ? FT_DIR : S_ISLNK(mode) ? FT_LNK : FT_REG;
        err = ext2_dir_enter(fs, dir, name, strlen(name), ino, type, &slot);
    }
    inode->links = S_ISDIR(mode) ? 2 : 1;
    if (err) {
        ext2_inode_delete(fs, inode);
        ext2_inode_forget(fs, inode);
        return err;
    }
    if (S_ISDIR(mode))
        dir->links++;
    return err;
}

static inline error_t file_unlink(struct ext2_fs *fs, struct ext2_inode *dir, const char *name)
{
    uint32_t ino;
    struct ext2_slot slot;
    struct ext2_inode inode;
    error_t err = ext2_dir_lookup(fs, dir, name, strlen(name), &ino, &slot);
    if (!err)
        err = file_open(fs, ino, &inode);
    if (err)
        return err;
    if (S_ISDIR(inode.mode) && (err = ext2_dir_check_empty(fs, &inode)) != 0) {
        ext2_inode_forget(fs, &inode);
        return err;
    }
    err = ext2_dir_remove(fs, dir, &slot);
    if (!err) {
        dir->links -= S_ISDIR(inode.mode);
        ext2_inode_delete(fs, &inode);
    }
    ext2_inode_forget(fs, &inode);
    return err;
}

/* Writes the byte VALUE over [OFFSET, OFFSET + LENGTH).  Whole blocks.  */
static inline error_t file_write(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t offset, uint64_t length,
                                 uint8_t value)
{
    uint64_t first = offset >> fs->block_log, end = (offset + length + fs->block_size - 1) >> fs->block_log, done;
    pthread_mutex_lock(&inode->map_lock);
    error_t err = ext2_map_alloc(fs, inode, first, end, 8, &done);
    char *data = malloc(fs->block_size);
    memset(data, value, fs->block_size);
    for (uint64_t b = first; b < done; b++) {
        uint32_t block, n;
        if (ext2_map(fs, inode, b, 1, &block, &n) == 0 && block)
            store_write(fs->store, (uint64_t)block << fs->block_log, data, fs->block_size);
    }
    ext2_fresh_remove(inode, first, done);
    if (done > first && offset + length > inode->size)
        inode->size = done < end ? done << fs->block_log : offset + length;
    pthread_mutex_unlock(&inode->map_lock);
    free(data);
    return err;
}

static inline error_t file_truncate(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t size)
{
    pthread_mutex_lock(&inode->map_lock);
    inode->size = size;
    error_t err = ext2_map_truncate(fs, inode, (size + fs->block_size - 1) >> fs->block_log);
    pthread_mutex_unlock(&inode->map_lock);
    return err;
}

/* Reads the whole file; malloc'd.  */
static inline error_t file_read(struct ext2_fs *fs, struct ext2_inode *inode, char **data)
{
    char *all = calloc(1, inode->size + fs->block_size);
    error_t err = 0;
    for (uint64_t b = 0; b << fs->block_log < inode->size && !err;) {
        uint32_t block, n;
        void *buffer;
        err = ext2_map(fs, inode, b, (uint32_t)(((inode->size - 1) >> fs->block_log) + 1 - b), &block, &n);
        if (!err && block &&
            !(err = store_read(fs->store, (uint64_t)block << fs->block_log, (size_t)n << fs->block_log, &buffer))) {
            memcpy(all + (b << fs->block_log), buffer, (size_t)n << fs->block_log);
            store_free(buffer, (size_t)n << fs->block_log);
        }
        b += n;
    }
    *data = all;
    return err;
}

#endif
