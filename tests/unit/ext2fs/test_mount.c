/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of mounting: every set of features that mke2fs can make, what is refused and how, states, orphans, error
   behaviour, times.  */
#include <stdarg.h>
#include "harness.h"

/* A little of everything; then e2fsck must be content.  */
static void workload(struct ext2_fs *fs)
{
    struct ext2_inode root, dir, f;
    char name[100], target[900], *data;
    uint32_t ino;
    CHECK_EQ(file_open(fs, INO_ROOT, &root), 0);
    for (unsigned int d = 0; d < 3; d++) {
        snprintf(name, sizeof name, "directory-%u", d);
        CHECK_EQ(file_create(fs, &root, name, S_IFDIR | 0755, &dir), 0);
        for (unsigned int i = 0; i < 60; i++) {
            snprintf(name, sizeof name, "a-file-with-a-name-that-fills-blocks-%u", i);
            CHECK_EQ(file_create(fs, &dir, name, S_IFREG | 0600, &f), 0);
            CHECK_EQ(file_write(fs, &f, i * 1000, 3000, (uint8_t)i), 0);
            if (i % 4 == 0)
                CHECK_EQ(ext2_xattr_set(fs, &f, XATTR_INDEX_GNU, "translator", "/hurd/null", i % 8 ? 11 : 10), 0);
            CHECK_EQ(file_close(fs, &f), 0);
        }
        memset(target, 't', sizeof target);
        CHECK_EQ(file_create(fs, &dir, "link", S_IFLNK | 0777, &f), 0);
        CHECK_EQ(ext2_link_write(fs, &f, target, 20 + d * 400), 0);
        CHECK_EQ(file_close(fs, &f), 0);
        for (unsigned int i = 0; i < 60; i += 3) {
            snprintf(name, sizeof name, "a-file-with-a-name-that-fills-blocks-%u", i);
            CHECK_EQ(file_unlink(fs, &dir, name), 0);
        }
        CHECK_EQ(ext2_dir_lookup(fs, &dir, "a-file-with-a-name-that-fills-blocks-7", 38, &ino, NULL), 0);
        CHECK_EQ(file_open(fs, ino, &f), 0);
        CHECK_EQ(file_read(fs, &f, &data), 0);
        CHECK(data[8000] == 7 && f.size == 10000);
        free(data);
        ext2_inode_forget(fs, &f);
        CHECK_EQ(file_close(fs, &dir), 0);
    }
    CHECK_EQ(file_close(fs, &root), 0);
}

UNIT_TEST(every_set_of_features)
{
    static const char *const sets[] = {
        "none",
        "ext_attr",
        "none,dir_index",
        "none,filetype",
        "none,sparse_super",
        "none,large_file",
        "resize_inode",
        "extra_isize",
        "dir_nlink",
        "huge_file",
        "sparse_super2,^resize_inode",
        "meta_bg,^resize_inode",
        "has_journal",
        "^ext_attr,dir_index,filetype",
        "dir_index,filetype,sparse_super,large_file,huge_file,dir_nlink,extra_isize,resize_inode",
        "uninit_bg,resize_inode",
        "uninit_bg,meta_bg,^resize_inode",
        "uninit_bg,none,sparse_super",
    };
    for (unsigned int s = 0; s < sizeof sets / sizeof *sets; s++)
        for (unsigned int b = 1024; b <= 4096; b *= 2)
            for (unsigned int i = 128; i <= 256; i += 128) {
                struct image im;
                char options[160];
                snprintf(options, sizeof options, "-b %u -I %u -N 512 -g %u -O %s", b, i, s % 2 ? 2048 : 8192, sets[s]);
                CHECK(image_make(&im, options, 10240));
                if (!image_mount(&im, true)) {
                    fprintf(stderr, "not mounted: %s\n", options);
                    CHECK(!"mounted");
                    continue;
                }
                unsigned int before = unit_failures;
                workload(im.fs);
                CHECK(!im.fs->damaged);
                image_unmount(&im, true);
                CHECK_EQ(image_fsck(&im), 0);
                if (unit_failures != before)
                    fprintf(stderr, "with %s\n", options);
                image_remove(&im);
            }
}

/* Groups that mke2fs does not write hold whatever was on the disk; files come to lie in all of them. */
/* What Debian's mke2fs -t ext2 makes without further words, whatever this host's configuration says: written, and
   judged by e2fsck.  */
UNIT_TEST(the_defaults_of_mke2fs)
{
    struct image im;
    struct ext2_inode root, in;
    CHECK(image_make(&im, "-b 4096 -I 256 -O none,sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr",
                     16384));
    CHECK(image_mount(&im, true));
    CHECK(im.fs->writable);
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK_EQ(file_create(im.fs, &root, "made", S_IFREG | 0644, &in), 0);
    CHECK_EQ(file_write(im.fs, &in, 0, 100 * 4096, 7), 0);
    CHECK_EQ(file_close(im.fs, &in), 0);
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_TEST(groups_that_were_never_written)
{
    for (unsigned int i = 128; i <= 256; i += 128) {
        struct image im;
        struct ext2_inode root, dir, f;
        char name[32];
        snprintf(im.path, sizeof im.path, "/tmp/ext2fs-unit-%d.img", (int)getpid());
        CHECK_EQ(run("head -c 33554432 /dev/zero | tr '\\0' '\\377' > %s; mke2fs -q -F -t ext2 -b 1024 -I %u -N 4000 "
                     "-g 4096 -O uninit_bg,^resize_inode "
                     "-E nodiscard,lazy_itable_init=1,lazy_journal_init=1 %s >/dev/null 2>&1",
                     im.path, i, im.path),
                 0);
        CHECK(image_mount(&im, true));
        CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
        for (unsigned int d = 0; d < 12; d++) {
            snprintf(name, sizeof name, "dir%u", d);
            CHECK_EQ(file_create(im.fs, &root, name, S_IFDIR | 0755, &dir), 0);
            for (unsigned int n = 0; n < 150; n++) {
                snprintf(name, sizeof name, "file%u", n);
                CHECK_EQ(file_create(im.fs, &dir, name, S_IFREG | 0644, &f), 0);
                CHECK_EQ(file_write(im.fs, &f, 0, 5000, (uint8_t)n), 0);
                CHECK_EQ(file_close(im.fs, &f), 0);
            }
            CHECK_EQ(file_close(im.fs, &dir), 0);
            if (d == 5) {                       /* in the middle of it, and once more */
                CHECK_EQ(file_close(im.fs, &root), 0);
                image_unmount(&im, true);
                CHECK_EQ(image_fsck(&im), 0);
                CHECK(image_mount(&im, true));
                CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
            }
        }
        CHECK_EQ(file_close(im.fs, &root), 0);
        CHECK(!im.fs->damaged);
        image_unmount(&im, true);
        CHECK_EQ(image_fsck(&im), 0);
        image_remove(&im);
    }
}

/* ---- refusals ----------------------------------------------------------------------------- */

static void super_poke(struct image *im, size_t offset, uint32_t value)
{
    FILE *f = fopen(im->path, "r+");
    CHECK(f && fseek(f, (long)(SUPER_OFFSET + offset), SEEK_SET) == 0 && fwrite(&value, sizeof value, 1, f) == 1);
    if (f)
        fclose(f);
}

/* What mounting says when it fails.  */
static void refused(struct image *im, const char *words)
{
    char name[160], *why = NULL;
    snprintf(name, sizeof name, "file:%s", im->path);
    CHECK_EQ(store_open(name, NULL, &im->store, &why), 0);
    error_t err = ext2_mount(im->store, 0, &im->fs, &why);
    CHECK(err != 0 && why && strstr(why, words));
    if (!err || !why || !strstr(why, words))
        fprintf(stderr, "wanted \"%s\": %s, %s\n", words, strerror(err), why ? why : "nothing said");
    if (!err)
        ext2_unmount(im->fs);
    free(why);
    store_close(im->store);
}

UNIT_TEST(what_cannot_be_read_is_refused_by_name)
{
    static const struct { uint32_t bits; const char *words;
    } cases[] = {
        {0x2 | 0x40, "extents"},
        {0x2 | 0x80, "64bit"},
        {0x2 | 0x200, "flex_bg"},
        {0x2 | 0x8000, "inline_data"},
        {0x2 | 0x4, "journal that must be replayed"},
        {0x2 | 0x40000000, "bit 0x40000000"},
        {0x2 | 0x8, "journal_dev"},
        {0x2 | 0x4000, "large_dir"},
        {0x2 | 0x20040, "extents, casefold"},
    };
    struct image im;
    CHECK(image_make(&im, "-b 1024", 2048));
    for (unsigned int c = 0; c < sizeof cases / sizeof *cases; c++) {
        super_poke(&im, offsetof(struct super_block, feature_incompat), cases[c].bits);
        refused(&im, cases[c].words);
    }
    super_poke(&im, offsetof(struct super_block, feature_incompat), 2);
    super_poke(&im, offsetof(struct super_block, log_block_size), 6);
    refused(&im, "log_block_size");
    super_poke(&im, offsetof(struct super_block, log_block_size), 0);
    super_poke(&im, offsetof(struct super_block, blocks_count), 5000);
    refused(&im, "larger than the store");
    super_poke(&im, offsetof(struct super_block, blocks_count), 2048);
    super_poke(&im, offsetof(struct super_block, magic), 0x1234);
    refused(&im, "bad magic number");
    image_remove(&im);
    CHECK(image_make(&im, "-b 1024", 2048));
    super_poke(&im, 1024 + 4, 1999999);                     /* first group's bitmap of inodes */
    FILE *keep = stderr;
    stderr = fopen("/dev/null", "w");
    refused(&im, "group descriptors");
    fclose(stderr);
    stderr = keep;
    image_remove(&im);
}

UNIT_TEST(what_cannot_be_written_is_read)
{
    static const uint32_t bits[] = { 0x10, 0x100, 0x200, 0x400, 0x2000, 0x8000, 0x80000000 };
    for (unsigned int b = 0; b < sizeof bits / sizeof *bits; b++) {
        struct image im;
        CHECK(image_make(&im, "-b 1024", 2048));
        super_poke(&im, offsetof(struct super_block, feature_ro_compat), 3 | bits[b]);
        CHECK(image_mount(&im, false));
        FILE *keep = stderr;
        stderr = fopen("/dev/null", "w");
        CHECK_EQ(ext2_set_writable(im.fs, true), EROFS);
        fclose(stderr);
        stderr = keep;
        struct ext2_inode root, f;
        CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
        CHECK_EQ(file_create(im.fs, &root, "new", S_IFREG | 0644, &f), EROFS);
        ext2_inode_forget(im.fs, &root);
        image_unmount(&im, false);
        image_remove(&im);
    }
}

/* ---- states -------------------------------------------------------------------------------------- */

/* A file that is open without a name: gone after the next mount, or after e2fsck; and a clean unmount leaves
   nothing.  */
UNIT_TEST(orphans_go)
{
    for (unsigned int by_fsck = 0; by_fsck < 2; by_fsck++) {
        struct image im;
        struct ext2_inode root, f[3];
        struct ext2_counts before, after;
        char name[20];
        CHECK(image_make(&im, "-b 1024", 4096));
        CHECK(image_mount(&im, true));
        ext2_counts(im.fs, &before);
        CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
        for (unsigned int i = 0; i < 3; i++) {
            uint32_t ino;
            struct ext2_slot slot;
            snprintf(name, sizeof name, "open-%u", i);
            CHECK_EQ(file_create(im.fs, &root, name, S_IFREG | 0644, &f[i]), 0);
            CHECK_EQ(file_write(im.fs, &f[i], 0, 100000, 7), 0);
            CHECK_EQ(ext2_dir_lookup(im.fs, &root, name, strlen(name), &ino, &slot), 0);
            CHECK_EQ(ext2_dir_remove(im.fs, &root, &slot), 0);
            f[i].links = 0;
            ext2_orphan_add(im.fs, &f[i]);
            CHECK_EQ(ext2_inode_write(im.fs, &f[i]), 0);
        }
        ext2_inode_delete(im.fs, &f[1]);                  /* from the middle of the list */
        for (unsigned int i = 0; i < 3; i++)
            ext2_inode_forget(im.fs, &f[i]);
        CHECK_EQ(file_close(im.fs, &root), 0);
        image_unmount(&im, false);
        if (by_fsck) {
            CHECK_EQ(run("e2fsck -fy %s >%s.log 2>&1", im.path, im.path) & ~1, 0);
            CHECK_EQ(run("grep -c 'orphaned inode' %s.log | grep -qx 2", im.path), 0);
        }
        FILE *keep = stderr;
        stderr = fopen("/dev/null", "w");
        CHECK(image_mount(&im, true));
        fclose(stderr);
        stderr = keep;
        ext2_counts(im.fs, &after);
        CHECK_EQ(after.inodes_free, before.inodes_free);
        CHECK(!by_fsck || after.free == before.free);
        image_unmount(&im, true);
        /* Without e2fsck the blocks that had waited to be free are lost until it runs; nothing else is wrong.  */
        CHECK_EQ(run("e2fsck -fy %s >%s.log 2>&1", im.path, im.path) & ~1, 0);
        CHECK_EQ(run("grep -qE 'orphan|Unattached|Entry|[Ii]node [0-9]' %s.log", im.path), 1);
        image_remove(&im);
    }
}

/* s_errors: goes on, or writes nothing any more but the mark of the error.  */
UNIT_TEST(damage_does_what_the_super_block_asks)
{
    static const char *const behaviour[] = { "continue", "remount-ro", "panic" };
    for (unsigned int e = 0; e < 3; e++) {
        struct image im;
        struct ext2_inode root, f;
        CHECK(image_make(&im, "-b 1024", 2048));
        CHECK_EQ(run("tune2fs -e %s %s >/dev/null 2>&1", behaviour[e], im.path), 0);
        CHECK(image_mount(&im, true));
        CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
        FILE *keep = stderr;
        stderr = fopen("/dev/null", "w");
        CHECK_EQ(ext2_damage(im.fs, "inode %u: damaged for a test", 7), EIO);
        fclose(stderr);
        stderr = keep;
        CHECK_EQ(file_create(im.fs, &root, "new", S_IFREG | 0644, &f), e ? EROFS : 0);
        if (!e)
            ext2_inode_forget(im.fs, &f);
        ext2_inode_forget(im.fs, &root);
        CHECK_EQ(ext2_sync(im.fs, true, true), 0);
        image_unmount(&im, false);
        CHECK_EQ(run("dumpe2fs -h %s 2>/dev/null | grep -q 'state:.*with errors'", im.path), 0);
        image_remove(&im);
    }
}

/* A bitmap that does not agree with its descriptor is not used; the other groups are.  */
UNIT_TEST(damaged_bitmaps_are_not_used)
{
    for (unsigned int inodes = 0; inodes < 2; inodes++) {
        struct image im;
        struct ext2_inode root, f;
        struct ext2_buf buf;
        CHECK(image_make(&im, "-b 1024 -g 1024 -N 1024", 8192));
        CHECK(image_mount(&im, true));
        uint32_t first = im.fs->groups[0].inode_table, table = im.fs->inodes_per_group / (1024 / im.fs->inode_size);
        (void)table;
        CHECK_EQ(ext2_cache_get(im.fs, inodes ? im.fs->groups[0].inode_bitmap : im.fs->groups[0].block_bitmap, &buf),
                 0);
        memset(buf.data, 0, 64);
        ext2_cache_put(im.fs, &buf);
        FILE *keep = stderr;
        stderr = fopen("/dev/null", "w");
        CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
        CHECK_EQ(file_create(im.fs, &root, "new", S_IFREG | 0644, &f), 0);
        CHECK_EQ(file_write(im.fs, &f, 0, 20000, 1), 0);
        fclose(stderr);
        stderr = keep;
        CHECK(im.fs->damaged);
        CHECK(inodes ? f.ino > im.fs->inodes_per_group : f.block[0] > 1024);
        CHECK(f.block[0] < first || f.block[0] >= first + table);
        ext2_inode_forget(im.fs, &f);
        ext2_inode_forget(im.fs, &root);
        image_unmount(&im, false);
        image_remove(&im);
    }
}

/* ---- allocation --------------------------------------------------------------------------------------- */

UNIT_TEST(the_last_blocks_are_for_root)
{
    struct image im;
    struct ext2_inode root, f;
    struct ext2_counts counts;
    CHECK(image_make(&im, "-b 1024 -m 10", 4096));
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK_EQ(file_create(im.fs, &root, "user", S_IFREG | 0644, &f), 0);
    f.uid = 1000;
    CHECK_EQ(file_write(im.fs, &f, 0, 5000 << 10, 1), ENOSPC);
    ext2_counts(im.fs, &counts);
    CHECK(counts.available == 0 && counts.free >= 409 && counts.free < 430);
    CHECK_EQ(file_close(im.fs, &f), 0);
    CHECK_EQ(file_create(im.fs, &root, "root", S_IFREG | 0644, &f), 0);
    CHECK_EQ(file_write(im.fs, &f, 0, 5000 << 10, 1), ENOSPC);
    ext2_counts(im.fs, &counts);
    CHECK_EQ(counts.free, 0);
    CHECK_EQ(file_close(im.fs, &f), 0);
    CHECK_EQ(file_unlink(im.fs, &root, "root"), 0);
    /* what was freed can be used at once when it must */
    CHECK_EQ(file_create(im.fs, &root, "again", S_IFREG | 0644, &f), 0);
    CHECK_EQ(file_write(im.fs, &f, 0, 300 << 10, 1), 0);
    CHECK_EQ(file_close(im.fs, &f), 0);
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_TEST(directories_are_spread_and_files_are_near)
{
    struct image im;
    struct ext2_inode root, dir, sub, f;
    unsigned int used[16] = { 0 }, groups = 0, far = 0;
    CHECK(image_make(&im, "-b 1024 -g 2048 -N 2048", 16384));
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    for (unsigned int d = 0; d < 16; d++) {
        char name[20];
        snprintf(name, sizeof name, "d%u", d);
        CHECK_EQ(file_create(im.fs, &root, name, S_IFDIR | 0755, &dir), 0);
        uint32_t group = (dir.ino - 1) / im.fs->inodes_per_group;
        groups += used[group]++ == 0;
        CHECK_EQ(file_create(im.fs, &dir, "sub", S_IFDIR | 0755, &sub), 0);
        far += (sub.ino - 1) / im.fs->inodes_per_group != group;
        CHECK_EQ(file_create(im.fs, &dir, "file", S_IFREG | 0644, &f), 0);
        CHECK_EQ(file_write(im.fs, &f, 0, 5000, 1), 0);
        far += (f.ino - 1) / im.fs->inodes_per_group != group || (f.block[0] - 1) / im.fs->blocks_per_group != group;
        CHECK_EQ(file_close(im.fs, &f), 0);
        CHECK_EQ(file_close(im.fs, &sub), 0);
        CHECK_EQ(file_close(im.fs, &dir), 0);
    }
    CHECK(groups >= 6 && far == 0);
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

/* ---- inodes --------------------------------------------------------------------------------------------- */

/* As debugfs shows the two words of a time: the seconds' low 32 bits; nanoseconds * 4 + what has to be added to the
   seconds, in 2^32, when the low bits are taken as a signed number.  (The dates beside them differ: debugfs 1.47.2
   takes 2038 for 2174.) */
UNIT_TEST(times_are_those_of_debugfs)
{
    static const struct { int64_t seconds; long nanoseconds; const char *shown; } times[] = {
        { 4102444800ll, 123456789, "0xf4865700:1d6f3455" },  /* 2100 */
        { 1, 5, "0x00000001:00000014" },
        { -1000000000ll, 0, "0xc4653600:00000000" },         /* 1938 */
        { 2147483648ll, 999999999, "0x80000000:ee6b27fd" },  /* 2038 */
        { 15032385535ll, 0, "0x7fffffff:00000003" },         /* 2446 */
    };
    struct image im;
    struct ext2_inode root, f;
    CHECK(image_make(&im, "-b 1024 -I 256", 2048));
    CHECK(image_mount(&im, true));
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    for (unsigned int t = 0; t < sizeof times / sizeof *times; t++) {
        char name[20];
        snprintf(name, sizeof name, "t%u", t);
        CHECK_EQ(file_create(im.fs, &root, name, S_IFREG | 0644, &f), 0);
        f.mtime = (struct timespec){ times[t].seconds, times[t].nanoseconds };
        uint32_t ino = f.ino;
        CHECK_EQ(file_close(im.fs, &f), 0);
        CHECK_EQ(file_open(im.fs, ino, &f), 0);
        CHECK(f.mtime.tv_sec == times[t].seconds && f.mtime.tv_nsec == times[t].nanoseconds);
        ext2_inode_forget(im.fs, &f);
    }
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    for (unsigned int t = 0; t < sizeof times / sizeof *times; t++)
        CHECK_EQ(run("TZ=UTC debugfs -R 'stat t%u' %s 2>/dev/null | grep mtime | grep -q %s", t, im.path,
                     times[t].shown),
                 0);
    image_remove(&im);
}

/* More sectors than 32 bits count, read and written as blocks.  */
UNIT_TEST(huge_files_count_in_blocks)
{
    struct image im;
    struct ext2_inode root, f;
    CHECK(image_make(&im, "-b 4096 -O huge_file", 8192));
    CHECK(image_mount(&im, true));
    CHECK(im.fs->size_max > (uint64_t)1 << 42);
    CHECK_EQ(file_open(im.fs, INO_ROOT, &root), 0);
    CHECK_EQ(file_create(im.fs, &root, "huge", S_IFREG | 0644, &f), 0);
    CHECK_EQ(file_write(im.fs, &f, (uint64_t)3 << 40, 4096, 1), 0);
    f.flags |= INODE_FL_HUGE_FILE;
    uint64_t sectors = f.sectors;
    uint32_t ino = f.ino;
    CHECK_EQ(file_close(im.fs, &f), 0);
    CHECK_EQ(file_open(im.fs, ino, &f), 0);
    CHECK_EQ(f.sectors, sectors);
    ext2_inode_forget(im.fs, &f);
    CHECK_EQ(file_close(im.fs, &root), 0);
    image_unmount(&im, true);
    CHECK_EQ(image_fsck(&im), 0);
    image_remove(&im);
}

UNIT_MAIN
