/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several threads in directories of their own, with a cache that is too small, while another syncs all the time; then
   e2fsck judges.  Each holds what the lock of a node would protect (its directory, its files) alone; everything else
   they share.  */
#include <stdarg.h>
#include "harness.h"

enum { THREADS = 4, ROUNDS = 1500, NAMES = 300 };

static struct image im;
static volatile bool done;
static unsigned int failures[THREADS];

static uint32_t rnd(uint64_t *seed, uint32_t n)
{
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 11) % n;
}

static void rename_one(struct ext2_inode *dir, const char *from, const char *to)
{
    struct ext2_slot slot;
    uint32_t ino, other;
    if (ext2_dir_lookup(im.fs, dir, from, strlen(from), &ino, NULL) ||
        ext2_dir_lookup(im.fs, dir, to, strlen(to), &other, &slot) != ENOENT ||
        ext2_dir_enter(im.fs, dir, to, strlen(to), ino, FT_REG, &slot) ||
        ext2_dir_lookup(im.fs, dir, from, strlen(from), &ino, &slot))
        return;
    ext2_dir_remove(im.fs, dir, &slot);
}

static void *worker(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg;
    uint64_t seed = 1234567 + me * 7919;
    struct ext2_inode root, dir, f;
    char name[64], other[64];
    uint32_t ino;
    snprintf(name, sizeof name, "d%u", me);
    if (file_open(im.fs, INO_ROOT, &root) || ext2_dir_lookup(im.fs, &root, name, strlen(name), &ino, NULL) ||
        file_open(im.fs, ino, &dir)) {
        failures[me]++;
        return NULL;
    }
    ext2_inode_forget(im.fs, &root);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof name, "a-name-that-fills-blocks-%u", rnd(&seed, NAMES));
        uint32_t what = rnd(&seed, 10);
        if (what < 5) {
            error_t err = file_create(im.fs, &dir, name, S_IFREG | 0644, &f);
            failures[me] += err != 0 && err != EEXIST && err != ENOSPC;
            if (!err) {
                err = file_write(im.fs, &f, 0, rnd(&seed, 60000) + 1, (uint8_t)me);
                failures[me] += err != 0 && err != ENOSPC;
                failures[me] += file_close(im.fs, &f) != 0;
            }
        } else if (what < 8) {
            error_t err = file_unlink(im.fs, &dir, name);
            failures[me] += err != 0 && err != ENOENT;
        } else {
            snprintf(other, sizeof other, "another-name-%u", rnd(&seed, NAMES));
            rename_one(&dir, name, other);
        }
    }
    failures[me] += file_close(im.fs, &dir) != 0;
    return NULL;
}

static void *syncer(void *arg)
{
    (void)arg;
    while (!done)
        ext2_sync(im.fs, true, false);
    return NULL;
}

static void parallel_case(const char *options, unsigned int kib)
{
    struct ext2_inode root, dir;
    pthread_t threads[THREADS], sync;
    char name[20];
    CHECK(image_make(&im, options, kib));
    if (!image_mount(&im, true)) {
        CHECK(!"mounted");
        return;
    }
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    for (unsigned int t = 0; t < THREADS; t++) {
        snprintf(name, sizeof name, "d%u", t);
        CHECK_EQ(file_create(im.fs, &root, name, S_IFDIR | 0755, &dir), 0);
        CHECK_EQ(file_close(im.fs, &dir), 0);
    }
    CHECK_EQ(file_close(im.fs, &root), 0);
    done = false;
    CHECK_EQ(pthread_create(&sync, NULL, syncer, NULL), 0);
    for (unsigned int t = 0; t < THREADS; t++)
        CHECK_EQ(pthread_create(&threads[t], NULL, worker, (void *)(uintptr_t)t), 0);
    for (unsigned int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    done = true;
    pthread_join(sync, NULL);
    for (unsigned int t = 0; t < THREADS; t++) {
        CHECK_EQ(failures[t], 0);
        failures[t] = 0;
    }
    CHECK(!im.fs->damaged);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_TEST(threads_and_syncs)
{
    parallel_case("-b 1024 -N 2000", 65536);
    parallel_case("-b 4096 -N 2000", 16384);         /* the disk is full now and then */
}

/* ---- an attribute block that several files share ----------------------------------------------------- */

enum { SHARERS = 4 };
static struct ext2_inode sharer[SHARERS];
static pthread_barrier_t together;

/* Half of them lose their attributes, half change them.  */
static void *sharer_leave(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg;
    pthread_barrier_wait(&together);
    if (me % 2)
        ext2_xattr_free(im.fs, &sharer[me]);
    else
        failures[me] += ext2_xattr_set(im.fs, &sharer[me], XATTR_INDEX_GNU, "translator", "/hurd/other", 12) != 0;
    return NULL;
}

/* FILE gets the attribute block of the first one, too.  */
static void share_block(struct ext2_inode *file, const struct ext2_inode *first)
{
    struct ext2_buf buf;
    CHECK_EQ(ext2_cache_get(im.fs, first->file_acl, &buf), 0);
    ((struct xattr_header *)(void *)buf.data)->refcount++;
    ext2_cache_dirty(im.fs, &buf, EXT2_INODE);
    ext2_cache_put(im.fs, &buf);
    file->file_acl = first->file_acl;
    file->sectors += im.fs->block_size / 512;
}

static void share_and_leave(struct ext2_inode *root)
{
    pthread_t threads[SHARERS];
    char name[20];
    struct ext2_inode first;
    for (unsigned int t = 0; t < SHARERS; t++) {
        snprintf(name, sizeof name, "sharer-%u", t);
        CHECK_EQ(file_create(im.fs, root, name, S_IFREG | 0644, &sharer[t]), 0);
    }
    CHECK_EQ(file_create(im.fs, root, "first", S_IFREG | 0644, &first), 0);
    CHECK_EQ(ext2_xattr_set(im.fs, &first, XATTR_INDEX_GNU, "translator", "/hurd/null", 11), 0);
    CHECK(first.file_acl != 0);
    for (unsigned int t = 0; t < SHARERS; t++)
        share_block(&sharer[t], &first);
    ext2_xattr_free(im.fs, &first);
    for (unsigned int t = 0; t < SHARERS; t++)
        CHECK_EQ(pthread_create(&threads[t], NULL, sharer_leave, (void *)(uintptr_t)t), 0);
    for (unsigned int t = 0; t < SHARERS; t++) {
        pthread_join(threads[t], NULL);
        CHECK_EQ(failures[t], 0);
        CHECK_EQ(file_close(im.fs, &sharer[t]), 0);
        snprintf(name, sizeof name, "sharer-%u", t);
        CHECK_EQ(file_unlink(im.fs, root, name), 0);
    }
    CHECK_EQ(file_close(im.fs, &first), 0);
    CHECK_EQ(file_unlink(im.fs, root, "first"), 0);
}

UNIT_TEST(shared_attribute_block)
{
    struct ext2_inode root;
    CHECK(image_make(&im, "-b 1024 -I 128 -N 200", 4096));
    if (!image_mount(&im, true)) {
        CHECK(!"mounted");
        return;
    }
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    pthread_barrier_init(&together, NULL, SHARERS);
    for (unsigned int round = 0; round < 300; round++)
        share_and_leave(&root);
    pthread_barrier_destroy(&together);
    CHECK_EQ(file_close(im.fs, &root), 0);
    CHECK(!im.fs->damaged);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_MAIN
