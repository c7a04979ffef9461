/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of ext2fs's format layer: images of mke2fs are read and written, e2fsck and debugfs are the oracles.  */
#include <stdarg.h>
#include "harness.h"

static const char *const variants[] = {
    "-b 1024",
    "-b 2048",
    "-b 4096",
    "-b 1024 -I 128",
    "-b 4096 -O ^dir_index,^resize_inode",
    "-b 1024 -O meta_bg,^resize_inode",
    "-b 1024 -O ^filetype,^sparse_super,^resize_inode",
    "-b 1024 -o hurd -I 128",
};
#define NVARIANTS (sizeof variants / sizeof *variants)

static uint64_t seed = 88172645463325252ull;
static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % n;
}

/* ---- reading ------------------------------------------------------------------ */

struct count { unsigned int n; };
static bool emit_count(void *arg, uint32_t ino, uint8_t type, const char *name, size_t length, uint64_t next)
{
    (void)ino, (void)type, (void)name, (void)length, (void)next;
    ((struct count *)arg)->n++;
    return true;
}

static void check_tree(struct image *im)
{
    struct ext2_fs *fs = im->fs;
    struct ext2_inode root, dir, file;
    uint32_t ino;
    CHECK_EQ(file_open(fs, INO_ROOT, &root), 0);
    CHECK_EQ(ext2_dir_lookup(fs, &root, "many", 4, &ino, NULL), 0);
    CHECK_EQ(file_open(fs, ino, &dir), 0);
    struct count c = { 0 };
    uint64_t cookie = 0;
    CHECK_EQ(ext2_dir_iterate(fs, &dir, &cookie, emit_count, &c), 0);
    CHECK_EQ(c.n, 702);
    CHECK_EQ(ext2_dir_lookup(fs, &dir, "file-number-333", 15, &ino, NULL), 0);
    CHECK_EQ(ext2_dir_lookup(fs, &dir, "file-number-733", 15, &ino, NULL), ENOENT);
    ext2_inode_forget(fs, &dir);

    CHECK_EQ(ext2_dir_lookup(fs, &root, "big", 3, &ino, NULL), 0);
    CHECK_EQ(file_open(fs, ino, &file), 0);
    CHECK_EQ(file.size, 3000000);
    char *data;
    CHECK_EQ(file_read(fs, &file, &data), 0);
    bool same = true;
    for (unsigned int i = 0; i < 3000000; i++)
        same &= (uint8_t)data[i] == (uint8_t)((i * 2654435761u) >> 13);
    CHECK(same);
    free(data);
    ext2_inode_forget(fs, &file);

    char target[4096];
    CHECK_EQ(ext2_dir_lookup(fs, &root, "short", 5, &ino, NULL), 0);
    CHECK_EQ(file_open(fs, ino, &file), 0);
    CHECK(ext2_inode_is_fast_link(fs, &file));
    CHECK_EQ(ext2_link_read(fs, &file, target), 0);
    CHECK(file.size == 3 && !memcmp(target, "big", 3));
    ext2_inode_forget(fs, &file);
    CHECK_EQ(ext2_dir_lookup(fs, &root, "long", 4, &ino, NULL), 0);
    CHECK_EQ(file_open(fs, ino, &file), 0);
    CHECK(!ext2_inode_is_fast_link(fs, &file));
    CHECK_EQ(ext2_link_read(fs, &file, target), 0);
    CHECK(file.size == 200 && target[0] == '/' && target[199] == 'x');
    ext2_inode_forget(fs, &file);
    ext2_inode_forget(fs, &root);
}

static void make_tree(const char *at)
{
    run("rm -rf %s; mkdir -p %s/many %s/sub/deeper; ln -s big %s/short; ln -s /$(head -c 199 /dev/zero | tr '\\0' x) "
        "%s/long; "
        "cd %s/many && seq -f file-number-%%g 0 699 | xargs touch",
        at, at, at, at, at, at);
    char path[160];
    snprintf(path, sizeof path, "%s/big", at);
    FILE *f = fopen(path, "w");
    for (unsigned int i = 0; f && i < 3000000; i++)
        putc((uint8_t)((i * 2654435761u) >> 13), f);
    if (f)
        fclose(f);
}

UNIT_TEST(reads_what_mke2fs_made)
{
    char tree[64], options[256];
    snprintf(tree, sizeof tree, "/tmp/ext2fs-unit-%d.tree", (int)getpid());
    make_tree(tree);
    for (unsigned int v = 0; v < NVARIANTS; v++) {
        struct image im;
        snprintf(options, sizeof options, "%s -d %s", variants[v], tree);
        CHECK(image_make(&im, options, 32768));
        if (v == 0)
            run("e2fsck -fyD %s >/dev/null 2>&1", im.path);      /* indexes the directories */
        if (image_mount(&im, false)) {
            check_tree(&im);
            image_unmount(&im, false);
        } else {
            CHECK(!"mounted");
        }
        image_remove(&im);
    }
    run("rm -rf %s", tree);
}

/* ---- writing ------------------------------------------------------------------------ */

static void churn(struct ext2_fs *fs, unsigned int rounds)
{
    struct ext2_inode root, work, f;
    uint32_t ino;
    char name[300];
    CHECK_EQ(file_open(fs, INO_ROOT, &root), 0);
    error_t err = file_create(fs, &root, "work", S_IFDIR | 0755, &work);
    if (err == EEXIST && ext2_dir_lookup(fs, &root, "work", 4, &ino, NULL) == 0)
        err = file_open(fs, ino, &work);
    CHECK_EQ(err, 0);
    for (unsigned int i = 0; i < rounds; i++) {
        uint32_t n = rnd(60);
        int width = (int)rnd(2) ? 3 : (int)(3 + n * 4);
        snprintf(name, sizeof name, "%c%0*u", "fdl"[n % 3], width, n);
        if (rnd(3) == 0) {
            err = file_unlink(fs, &work, name);
            CHECK(err == 0 || err == ENOENT || err == ENOTEMPTY);
            continue;
        }
        uint16_t mode = n % 3 == 0 ? S_IFREG | 0644 : n % 3 == 1 ? S_IFDIR | 0755 : S_IFLNK | 0777;
        err = file_create(fs, &work, name, mode, &f);
        bool created = !err;
        if (err == EEXIST && ext2_dir_lookup(fs, &work, name, strlen(name), &ino, NULL) == 0)
            err = file_open(fs, ino, &f);
        CHECK(err == 0 || err == ENOSPC);
        if (err)
            continue;
        if (S_ISREG(mode)) {
            err = rnd(3) ? file_write(fs, &f, rnd(400000), rnd(90000) + 1, (uint8_t)n)
                         : file_truncate(fs, &f, rnd(300000));
            CHECK(err == 0 || err == ENOSPC);
            char value[1500];
            memset(value, 'v', sizeof value);
            err = ext2_xattr_set(fs, &f, XATTR_INDEX_GNU, rnd(2) ? "translator" : "other", rnd(4) ? value : NULL,
                                 rnd(rnd(2) ? 40 : 1500));
            CHECK(err == 0 || err == ENOSPC);
        } else if (S_ISLNK(mode) && created) {
            char target[1000];
            memset(target, 't', sizeof target);
            err = ext2_link_write(fs, &f, target, 1 + rnd(rnd(2) ? 59 : 999));
            CHECK(err == 0 || err == ENOSPC);
            if (err)
                ext2_link_write(fs, &f, "x", 1);
        } else if (S_ISDIR(mode)) {
            struct ext2_inode sub;
            snprintf(name, sizeof name, "s%u", rnd(4));
            if (rnd(2))
                file_unlink(fs, &f, name);
            else if (file_create(fs, &f, name, S_IFREG | 0600, &sub) == 0)
                file_close(fs, &sub);
        }
        CHECK_EQ(file_close(fs, &f), 0);
    }
    CHECK_EQ(file_close(fs, &work), 0);
    CHECK_EQ(file_close(fs, &root), 0);
}

UNIT_TEST(e2fsck_is_content_after_churn)
{
    for (unsigned int v = 0; v < NVARIANTS; v++)
        for (unsigned int full = 0; full < 2; full++) {
            struct image im;
            CHECK(image_make(&im, variants[v], full ? 1200 : 20000));
            for (unsigned int again = 0; again < 2; again++) {
                if (!image_mount(&im, true)) {
                    CHECK(!"mounted");
                    break;
                }
                churn(im.fs, 700);
                struct ext2_counts counts;
                ext2_counts(im.fs, &counts);
                CHECK(counts.free <= counts.blocks);
                image_unmount(&im, true);
                CHECK_EQ(image_fsck(&im), 0);
            }
            image_remove(&im);
        }
}

UNIT_TEST(indexed_directory_becomes_plain)
{
    char tree[64], options[128];
    struct image im;
    struct ext2_inode root, dir, f;
    uint32_t ino;
    snprintf(tree, sizeof tree, "/tmp/ext2fs-unit-%d.tree", (int)getpid());
    make_tree(tree);
    snprintf(options, sizeof options, "-b 1024 -d %s", tree);
    CHECK(image_make(&im, options, 16384));
    run("rm -rf %s; e2fsck -fyD %s >/dev/null 2>&1", tree, im.path);
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK_EQ(ext2_dir_lookup(im.fs, &root, "many", 4, &ino, NULL), 0);
    CHECK_EQ(file_open(im.fs, ino, &dir), 0);
    CHECK(dir.flags & INODE_FL_INDEX);
    for (unsigned int i = 0; i < 100; i++) {
        char name[40];
        snprintf(name, sizeof name, "file-number-%u", i * 3);
        CHECK_EQ(file_unlink(im.fs, &dir, name), 0);
    }
    ext2_inode_write(im.fs, &dir);
    CHECK_EQ(ext2_sync(im.fs, true, true), 0);
    CHECK_EQ(image_fsck(&im), 0);
    for (unsigned int i = 0; i < 400; i++) {
        char name[40];
        snprintf(name, sizeof name, "new-%u", i);
        CHECK_EQ(file_create(im.fs, &dir, name, S_IFREG | 0644, &f), 0);
        CHECK_EQ(file_close(im.fs, &f), 0);
    }
    CHECK_EQ(file_close(im.fs, &dir), 0);
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_TEST(sparse_file_of_three_levels)
{
    struct image im;
    struct ext2_inode root, f;
    static const uint64_t at[] = {0,         11 << 10,       12 << 10,       268 << 10,
                                  300 << 10, 65804ull << 10, 70000ull << 10, 16000000ull << 10};
    CHECK(image_make(&im, "-b 1024", 16384));
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK_EQ(file_create(im.fs, &root, "sparse", S_IFREG | 0644, &f), 0);
    for (unsigned int i = 0; i < sizeof at / sizeof *at; i++)
        CHECK_EQ(file_write(im.fs, &f, at[i], 5000, (uint8_t)(i + 1)), 0);
    uint32_t block, run_;
    CHECK_EQ(ext2_map(im.fs, &f, 1000, 1u << 30, &block, &run_), 0);
    CHECK_EQ(block, 0);
    CHECK(run_ > 0 && 1000 + run_ <= 65804);
    for (unsigned int i = 0; i < sizeof at / sizeof *at; i++) {
        void *data;
        CHECK_EQ(ext2_map(im.fs, &f, at[i] >> 10, 1, &block, &run_), 0);
        CHECK(block && store_read(im.store, (uint64_t)block << 10, 1024, &data) == 0);
        CHECK_EQ(*(uint8_t *)data, i + 1);
        store_free(data, 1024);
    }
    ext2_inode_write(im.fs, &f);
    CHECK_EQ(ext2_sync(im.fs, true, true), 0);
    CHECK_EQ(image_fsck(&im), 0);
    for (int i = sizeof at / sizeof *at - 1; i >= 0; i--) {
        CHECK_EQ(file_truncate(im.fs, &f, at[i] + 1024), 0);
        ext2_inode_write(im.fs, &f);
        CHECK_EQ(ext2_sync(im.fs, true, true), 0);
        CHECK_EQ(image_fsck(&im), 0);
    }
    CHECK_EQ(f.sectors, 2);
    CHECK_EQ(file_write(im.fs, &f, (uint64_t)17 << 30, 10, 1), EFBIG);
    CHECK_EQ(file_close(im.fs, &f), 0);
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_TEST(sequential_file_is_contiguous)
{
    struct image im;
    struct ext2_inode root, f[2];
    CHECK(image_make(&im, "-b 4096", 65536));
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK_EQ(file_create(im.fs, &root, "a", S_IFREG | 0644, &f[0]), 0);
    CHECK_EQ(file_create(im.fs, &root, "b", S_IFREG | 0644, &f[1]), 0);
    for (unsigned int i = 0; i < 256; i++)                    /* two writers, 4 KiB at a time */
        for (unsigned int j = 0; j < 2; j++)
            CHECK_EQ(file_write(im.fs, &f[j], i * 4096, 4096, 7), 0);
    for (unsigned int j = 0; j < 2; j++) {
        unsigned int runs = 0;
        for (uint32_t b = 0, block, n; b < 256; b += n, runs++)
            CHECK(ext2_map(im.fs, &f[j], b, 256 - b, &block, &n) == 0 && block);
        CHECK(runs <= 40);
        CHECK_EQ(file_close(im.fs, &f[j]), 0);
    }
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_TEST(translator_as_debugfs_writes_and_reads_it)
{
    struct image im;
    struct ext2_inode root, f;
    char *value;
    size_t length;
    uint32_t ino;
    CHECK(image_make(&im, "-b 4096", 4096));
    run("printf '/hurd/null\\0zero\\0' >%s.log; debugfs -w -R 'write %s.log node' %s >/dev/null 2>&1; "
        "debugfs -w -R 'ea_set -f %s.log node gnu.translator' %s >/dev/null 2>&1",
        im.path, im.path, im.path, im.path, im.path);
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK_EQ(ext2_dir_lookup(im.fs, &root, "node", 4, &ino, NULL), 0);
    CHECK_EQ(file_open(im.fs, ino, &f), 0);
    CHECK(ext2_xattr_exists(im.fs, &f, XATTR_INDEX_GNU, "translator"));
    CHECK_EQ(ext2_xattr_get(im.fs, &f, XATTR_INDEX_GNU, "translator", &value, &length), 0);
    CHECK(length == 16 && !memcmp(value, "/hurd/null\0zero", 16));
    free(value);
    CHECK_EQ(ext2_xattr_set(im.fs, &f, XATTR_INDEX_GNU, "translator", "/hurd/other\0with\0words", 23), 0);
    CHECK_EQ(file_close(im.fs, &f), 0);
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    CHECK_EQ(run("debugfs -R 'ea_get node gnu.translator' %s 2>/dev/null | grep -q '6f 74 68 65 72 00'", im.path), 0);
    image_remove(&im);
}

UNIT_TEST(clean_mark)
{
    struct image im;
    CHECK(image_make(&im, "-b 1024", 2048));
    CHECK(image_mount(&im, true));
    CHECK_EQ(run("dumpe2fs -h %s 2>/dev/null | grep -q 'state:.*not clean'", im.path), 0);
    image_unmount(&im, true);
    CHECK_EQ(run("dumpe2fs -h %s 2>/dev/null | grep -q 'state:.* clean'", im.path), 0);
    CHECK_EQ(run("dumpe2fs -h %s 2>/dev/null | grep -q 'Mount count: *1$'", im.path), 0);
    image_remove(&im);
}

static void super_poke(struct image *im, size_t offset, uint32_t value)
{
    FILE *f = fopen(im->path, "r+");
    CHECK(f && fseek(f, (long)(SUPER_OFFSET + offset), SEEK_SET) == 0 && fwrite(&value, sizeof value, 1, f) == 1);
    if (f)
        fclose(f);
}

UNIT_TEST(unknown_features_are_obeyed)
{
    struct image im;
    CHECK(image_make(&im, "-b 1024 -O ^filetype", 2048));
    super_poke(&im, offsetof(struct super_block, feature_ro_compat), 0x400);
    CHECK(image_mount(&im, false));
    CHECK_EQ(ext2_set_writable(im.fs, true), EROFS);
    image_unmount(&im, false);
    super_poke(&im, offsetof(struct super_block, feature_incompat), 0x80);
    CHECK(!image_mount(&im, false));
    store_close(im.store);
    image_remove(&im);
}

/* ---- damage ------------------------------------------------------------------------------ */

static bool emit_walk(void *arg, uint32_t ino, uint8_t type, const char *name, size_t length, uint64_t next)
{
    (void)type, (void)name, (void)length, (void)next;
    struct ext2_fs *fs = arg;
    struct ext2_inode f;
    char *value;
    size_t size;
    if (file_open(fs, ino, &f))
        return true;
    if (S_ISREG(f.mode) && f.size < 4000000 && file_read(fs, &f, &value) == 0)
        free(value);
    if (S_ISLNK(f.mode) && (value = malloc(f.size + 1))) {
        (void)ext2_link_read(fs, &f, value);
        free(value);
    }
    if (ext2_xattr_get(fs, &f, XATTR_INDEX_GNU, "translator", &value, &size) == 0)
        free(value);
    ext2_inode_forget(fs, &f);
    return true;
}

UNIT_TEST(damage_is_survived)
{
    struct image im;
    CHECK(image_make(&im, "-b 1024", 3000));
    CHECK(image_mount(&im, true));
    churn(im.fs, 300);
    image_unmount(&im, true);
    run("cp %s %s.log", im.path, im.path);
    FILE *keep = freopen("/dev/null", "w", stderr);
    for (unsigned int round = 0; round < 300; round++) {
        run("cp %s.log %s", im.path, im.path);
        FILE *f = fopen(im.path, "r+");
        for (unsigned int i = 0; f && i < 40; i++) {
            fseek(f, (long)(rnd(4) ? 2048 + rnd(600 * 1024) : 1024 + rnd(i < 2 ? 1024 : 1)), SEEK_SET);
            putc((int)rnd(256), f);
        }
        if (f)
            fclose(f);
        char name[160];
        snprintf(name, sizeof name, "file:%s", im.path);
        if (store_open(name, NULL, &im.store, NULL))
            continue;
        if (ext2_mount(im.store, 1 << 18, &im.fs, NULL) == 0) {
            struct ext2_inode root, work;
            uint32_t ino;
            uint64_t cookie = 0;
            if (ext2_set_writable(im.fs, true) == 0 && file_open(im.fs, INO_ROOT, &root) == 0) {
                (void)ext2_dir_iterate(im.fs, &root, &cookie, emit_walk, im.fs);
                if (ext2_dir_lookup(im.fs, &root, "work", 4, &ino, NULL) == 0 && file_open(im.fs, ino, &work) == 0) {
                    cookie = 0;
                    (void)ext2_dir_iterate(im.fs, &work, &cookie, emit_walk, im.fs);
                    for (unsigned int i = 0; i < 60; i++) {
                        snprintf(name, sizeof name, "%c%03u", "fdl"[i % 3], i);
                        (void)file_unlink(im.fs, &work, name);
                        struct ext2_inode sub;
                        if (file_create(im.fs, &work, name, S_IFREG | 0600, &sub) == 0) {
                            (void)file_write(im.fs, &sub, rnd(100000), 30000, 1);
                            file_close(im.fs, &sub);
                        }
                    }
                    file_close(im.fs, &work);
                }
                ext2_inode_forget(im.fs, &root);
            }
            (void)ext2_sync(im.fs, true, true);
            ext2_unmount(im.fs);
        }
        store_close(im.store);
    }
    (void)keep;
    image_remove(&im);
}

/* ---- fresh ------------------------------------------------------------------------------------ */

UNIT_TEST(fresh_is_a_set)
{
    struct ext2_inode inode = { 0 };
    bool model[200] = { 0 };
    bool same = true;
    for (unsigned int i = 0; i < 20000; i++) {
        uint32_t a = rnd(200), b = a + rnd(200 - a) / (1 + rnd(8));
        bool add = rnd(2);
        if (b > a) {
            if (add)
                CHECK_EQ(ext2_fresh_add(&inode, a, b), 0);
            else
                ext2_fresh_remove(&inode, a, b);
            for (uint32_t j = a; j < b; j++)
                model[j] = add;
        }
        uint32_t at = rnd(200), run_, n = 1;
        bool is = ext2_fresh_test(&inode, at, 200 - at, &run_);
        while (at + n < 200 && model[at + n] == model[at])
            n++;
        same &= is == model[at] && run_ == n;
    }
    CHECK(same);
    free(inode.fresh);
}

UNIT_MAIN
