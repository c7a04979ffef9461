/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of ext2fs's directories: hashes against debugfs, the index on the disk against e2fsck, the index in
   memory, damage.  */
#include <stdarg.h>
#include "../../../servers/ext2fs/dir.h"
#include "harness.h"

/* ---- hashes ------------------------------------------------------------------------- */

static uint32_t hash_of_debugfs(const char *kind, const char *name)
{
    char command[512];
    unsigned int hash = 1, minor;
    snprintf(command, sizeof command,
             "debugfs -R 'dx_hash -h %s -s 11111111-2222-3333-4444-555555555555 %s' 2>/dev/null", kind, name);
    FILE *f = popen(command, "r");
    char line[512];
    while (f && fgets(line, sizeof line, f)) {
        char *at = strstr(line, " is 0x");
        if (at)
            sscanf(at, " is %x (minor %x)", &hash, &minor);
    }
    if (f)
        pclose(f);
    return hash;
}

UNIT_TEST(hashes_are_those_of_debugfs)
{
    static const char *const kinds[] = { "legacy", "half_md4", "tea" };
    static const char *const names[] = {"a",
                                        "ab",
                                        "abc",
                                        "passwd",
                                        "file-number-333",
                                        "exactly-sixteen!",
                                        "thirty-two-characters-in-a-name.",
                                        "a-name-that-is-longer-than-thirty-two-characters-so-that-two-turns-are-needed",
                                        "\303\244\303\266\303\274-umlauts-\377\200"};
    uint32_t uuid_seed[4];
    /* debugfs takes the seed as a UUID: bytes in its own order */
    static const uint8_t uuid[16] = {0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
                                     0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};
    memcpy(uuid_seed, uuid, sizeof uuid);
    for (unsigned int k = 0; k < 3; k++)
        for (unsigned int n = 0; n < sizeof names / sizeof *names; n++) {
            uint32_t hash = ext2_dir_hash(k, uuid_seed, names[n], strlen(names[n]));
            CHECK_EQ(hash, hash_of_debugfs(kinds[k], names[n]));
            /* Only bytes above 127 make a difference; that the difference is right, e2fsck says below.  */
            CHECK_EQ(hash == ext2_dir_hash(k + HASH_UNSIGNED, uuid_seed, names[n], strlen(names[n])), names[n][0] > 0);
        }
}

/* ---- filling and emptying --------------------------------------------------------------- */

/* The name of file N: short, or of every length up to 255.  */
static void name_of(char *name, unsigned int n, bool longer)
{
    int width = longer ? 1 + (int)(n * 7919 % 240) : 1;
    snprintf(name, 300, "%s%0*u-%u", longer && n % 5 == 0 ? "\303\277" : "n", width, n, n * 2654435761u);
}

/* The files that the names stand for.  */
static uint32_t taken[50];

static uint32_t inode_of(unsigned int n)
{
    return taken[n % 50];
}

static void dir_fill(struct ext2_fs *fs, struct ext2_inode *dir, unsigned int from, unsigned int to, bool longer)
{
    char name[300];
    struct ext2_slot slot;
    uint32_t ino;
    unsigned int bad = 0;
    for (unsigned int i = from; i < to; i++) {
        name_of(name, i, longer);
        error_t err = ext2_dir_lookup(fs, dir, name, strlen(name), &ino, &slot);
        bad += err != ENOENT;
        if (err == ENOENT)
            bad += ext2_dir_enter(fs, dir, name, strlen(name), inode_of(i), FT_REG, &slot) != 0;
    }
    CHECK_EQ(bad, 0);
}

/* Checks that of the names up to COUNT exactly those not divisible by GONE are there.  */
static void dir_verify(struct ext2_fs *fs, struct ext2_inode *dir, unsigned int count, unsigned int gone, bool longer)
{
    char name[300];
    uint32_t ino;
    unsigned int bad = 0;
    for (unsigned int i = 0; i < count; i++) {
        name_of(name, i, longer);
        error_t err = ext2_dir_lookup(fs, dir, name, strlen(name), &ino, NULL);
        bad += i % gone == 0 ? err != ENOENT : err != 0 || ino != inode_of(i);
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(ext2_dir_lookup(fs, dir, "..", 2, &ino, NULL), 0);
    CHECK_EQ(ino, INO_ROOT);
}

static void dir_thin(struct ext2_fs *fs, struct ext2_inode *dir, unsigned int count, unsigned int step, bool longer)
{
    char name[300];
    struct ext2_slot slot;
    uint32_t ino;
    unsigned int bad = 0;
    for (unsigned int i = 0; i < count; i += step) {
        name_of(name, i, longer);
        bad += ext2_dir_lookup(fs, dir, name, strlen(name), &ino, &slot) || ext2_dir_remove(fs, dir, &slot);
    }
    CHECK_EQ(bad, 0);
}

/* Makes the files that the names of dir_fill stand for have the right number of links.  */
static void inodes_make(struct ext2_fs *fs, unsigned int count, unsigned int gone)
{
    unsigned int links[50] = { 0 };
    for (unsigned int i = 0; i < count; i++)
        links[i % 50] += i % gone != 0;
    for (unsigned int i = 0; i < 50; i++) {
        struct ext2_inode f = { .ino = taken[i] };
        CHECK_EQ(ext2_inode_read(fs, &f), 0);
        f.links = links[i];
        CHECK_EQ(file_close(fs, &f), 0);
    }
}

static void inodes_take(struct ext2_fs *fs)
{
    for (uint32_t i = 0; i < 50; i++) {
        struct ext2_inode f = { 0 };
        CHECK_EQ(ext2_ialloc(fs, INO_ROOT, S_IFREG | 0644, &f.ino), 0);
        taken[i] = f.ino;
        CHECK_EQ(ext2_inode_init(fs, &f, S_IFREG | 0644), 0);
        f.links = 1;
        CHECK_EQ(file_close(fs, &f), 0);
    }
}

static void directory_case(const char *options, const char *tune, unsigned int kib, unsigned int count, bool longer,
                           bool indexed)
{
    struct image im;
    struct ext2_inode root, dir;
    CHECK(image_make(&im, options, kib));
    if (*tune)
        CHECK_EQ(run("%s %s >/dev/null 2>&1", tune, im.path), 0);
    if (!image_mount(&im, true)) {
        CHECK(!"mounted");
        return;
    }
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    inodes_take(im.fs);
    CHECK_EQ(file_create(im.fs, &root, "dir", S_IFDIR | 0755, &dir), 0);
    dir_fill(im.fs, &dir, 0, count, longer);
    CHECK_EQ(!!(dir.flags & INODE_FL_INDEX), indexed);
    dir_thin(im.fs, &dir, count, 3, longer);
    dir_verify(im.fs, &dir, count, 3, longer);
    inodes_make(im.fs, count, 3);
    file_close(im.fs, &dir);
    file_close(im.fs, &root);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    uint32_t ino;
    CHECK_EQ(ext2_dir_lookup(im.fs, &root, "dir", 3, &ino, NULL), 0);
    CHECK_EQ(file_open(im.fs, ino, &dir), 0);
    dir_verify(im.fs, &dir, count, 3, longer);
    ext2_inode_forget(im.fs, &dir);
    ext2_inode_forget(im.fs, &root);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_TEST(index_of_one_level)
{
    directory_case("-b 1024", "", 4096, 600, false, true);
    directory_case("-b 2048", "tune2fs -E hash_alg=tea", 8192, 2000, true, true);
    directory_case("-b 4096", "tune2fs -E hash_alg=legacy", 16384, 3000, true, true);
}

UNIT_TEST(index_of_two_levels)
{
    directory_case("-b 1024", "", 16384, 20000, false, true);
    directory_case("-b 1024", "tune2fs -E hash_alg=tea", 16384, 8000, true, true);
}

UNIT_TEST(hashes_of_unsigned_bytes)
{
    directory_case("-b 1024", "debugfs -w -R 'ssv flags 2'", 4096, 600, true, true);
}

UNIT_TEST(plain_directories)
{
    directory_case("-b 1024 -O ^dir_index", "", 8192, 5000, false, false);
    directory_case("-b 4096 -O ^dir_index", "", 16384, 8000, true, false);
}

/* 100,000 names: what a lookup costs is seen by the number of blocks that are asked for.  */
UNIT_TEST(large_directory)
{
    directory_case("-b 4096", "", 32768, 100000, false, true);
    directory_case("-b 4096 -O ^dir_index", "", 32768, 100000, false, false);
}

/* Names that e2fsck -D has sorted are found, and more are entered.  */
UNIT_TEST(index_of_e2fsck)
{
    struct image im;
    struct ext2_inode root, f;
    CHECK(image_make(&im, "-b 1024 -O ^dir_index -N 3000", 16384));
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    char name[300];
    for (unsigned int i = 0; i < 1000; i++) {
        name_of(name, i, i & 1);
        CHECK_EQ(file_create(im.fs, &root, name, S_IFREG | 0644, &f), 0);
        CHECK_EQ(file_close(im.fs, &f), 0);
    }
    file_close(im.fs, &root);
    image_unmount(&im, true);
    CHECK_EQ(run("tune2fs -O dir_index %s >/dev/null; e2fsck -fyD %s >/dev/null 2>&1", im.path, im.path), 0);
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK(root.flags & INODE_FL_INDEX);
    uint32_t ino;
    unsigned int bad = 0;
    for (unsigned int i = 0; i < 1000; i++) {
        name_of(name, i, i & 1);
        bad += ext2_dir_lookup(im.fs, &root, name, strlen(name), &ino, NULL) != 0;
    }
    CHECK_EQ(bad, 0);
    for (unsigned int i = 1000; i < 2500; i++) {
        name_of(name, i, i & 1);
        CHECK_EQ(file_create(im.fs, &root, name, S_IFREG | 0644, &f), 0);
        CHECK_EQ(file_close(im.fs, &f), 0);
    }
    CHECK(root.flags & INODE_FL_INDEX);
    file_close(im.fs, &root);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

/* Directories that were made without an index get one when they grow.  */
UNIT_TEST(plain_directory_gets_an_index)
{
    static const unsigned int counts[] = { 100, 3000, 20000 };
    for (unsigned int c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct image im;
        struct ext2_inode root, dir;
        uint32_t ino;
        CHECK(image_make(&im, "-b 1024 -O ^dir_index", 16384));
        CHECK(image_mount(&im, true));
        CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
        CHECK_EQ(file_create(im.fs, &root, "dir", S_IFDIR | 0755, &dir), 0);
        inodes_take(im.fs);
        dir_fill(im.fs, &dir, 0, counts[c], c == 1);
        CHECK_EQ(ext2_xattr_set(im.fs, &dir, XATTR_INDEX_GNU, "author", "someone", 7), 0);
        file_close(im.fs, &dir);
        file_close(im.fs, &root);
        image_unmount(&im, true);
        CHECK_EQ(run("tune2fs -O dir_index %s >/dev/null 2>&1", im.path), 0);
        CHECK(image_mount(&im, true));
        CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
        CHECK_EQ(ext2_dir_lookup(im.fs, &root, "dir", 3, &ino, NULL), 0);
        CHECK_EQ(file_open(im.fs, ino, &dir), 0);
        CHECK(!(dir.flags & INODE_FL_INDEX));
        dir_fill(im.fs, &dir, counts[c], counts[c] + 200, c == 1);
        CHECK(dir.flags & INODE_FL_INDEX);
        dir_thin(im.fs, &dir, counts[c] + 200, 3, c == 1);
        dir_verify(im.fs, &dir, counts[c] + 200, 3, c == 1);
        inodes_make(im.fs, counts[c] + 200, 3);
        file_close(im.fs, &dir);
        file_close(im.fs, &root);
        image_unmount(&im, true);
        CHECK_EQ(image_fsck(&im), 0);
        image_remove(&im);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* A damaged index is ignored; every name is found, and when there is no room for another one there is a new index.  */
UNIT_TEST(damaged_index_is_ignored_and_made_anew)
{
    static const struct { uint32_t offset; uint8_t value;
    } damage[] = {
        {DX_INFO_OFFSET + 4, 9},
        {DX_INFO_OFFSET + 5, 7},
        {DX_INFO_OFFSET + 6, 3},
        {DX_ROOT_OFFSET, 1},
        {DX_ROOT_OFFSET + 3, 200},
        {DX_ROOT_OFFSET + 6, 0xff},
        {4, 16},
    };
    FILE *keep = stderr;
    for (unsigned int d = 0; d < sizeof damage / sizeof *damage; d++) {
        struct image im;
        struct ext2_inode root, dir;
        struct ext2_buf buf;
        CHECK(image_make(&im, "-b 1024", 4096));
        CHECK(image_mount(&im, true));
        CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
        CHECK_EQ(file_create(im.fs, &root, "dir", S_IFDIR | 0755, &dir), 0);
        dir_fill(im.fs, &dir, 0, 600, false);
        CHECK_EQ(ext2_map_get(im.fs, &dir, 0, &buf), 0);
        buf.data[damage[d].offset] = (char)damage[d].value;
        ext2_cache_put(im.fs, &buf);
        stderr = fopen("/dev/null", "w");
        if (damage[d].offset != 4) {
            char name[300];
            uint32_t ino;
            unsigned int bad = 0;
            for (unsigned int i = 0; i < 600; i++) {
                name_of(name, i, false);
                bad += ext2_dir_lookup(im.fs, &dir, name, strlen(name), &ino, NULL) != 0;
            }
            CHECK_EQ(bad, 0);
            CHECK(!(dir.flags & INODE_FL_INDEX));
            dir_fill(im.fs, &dir, 600, 2000, false);
            CHECK(dir.flags & INODE_FL_INDEX);                     /* there was no room: made anew */
        }

        fclose(stderr);
        stderr = keep;
        CHECK(im.fs->damaged || damage[d].offset == 4);
        ext2_inode_forget(im.fs, &dir);
        ext2_inode_forget(im.fs, &root);
        image_unmount(&im, false);
        image_remove(&im);
    }
}

/* A damaged block hides its own names only, and a full disk leaves the directory as it was.  */
UNIT_TEST(full_disk_while_splitting)
{
    struct image im;
    struct ext2_inode root, dir, f;
    struct ext2_slot slot;
    char name[300];
    uint32_t ino;
    unsigned int n = 0;
    CHECK(image_make(&im, "-b 1024 -m 0 -N 64", 600));
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK_EQ(file_create(im.fs, &root, "dir", S_IFDIR | 0755, &dir), 0);
    CHECK_EQ(file_create(im.fs, &root, "file", S_IFREG | 0644, &f), 0);
    CHECK_EQ(file_write(im.fs, &f, 0, 400 << 10, 1), 0);
    error_t err;
    do {
        name_of(name, n, true);
        err = ext2_dir_lookup(im.fs, &dir, name, strlen(name), &ino, &slot);
        CHECK_EQ(err, ENOENT);
        err = ext2_dir_enter(im.fs, &dir, name, strlen(name), f.ino, FT_REG, &slot);
        n += !err;
    } while (!err && n < 60000);
    CHECK_EQ(err, ENOSPC);
    unsigned int bad = 0;
    for (unsigned int i = 0; i < n; i++) {
        name_of(name, i, true);
        bad += ext2_dir_lookup(im.fs, &dir, name, strlen(name), &ino, NULL) != 0;
    }
    CHECK_EQ(bad, 0);
    f.links = 1 + n;
    CHECK_EQ(file_close(im.fs, &f), 0);
    CHECK_EQ(file_close(im.fs, &dir), 0);
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_MAIN
