/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power cuts.  A store keeps every write and flush that the format layer makes; then disks are put together as a power
   cut may leave them: everything before some flush, and of what came behind it any part, in any order.  e2fsck -fy must
   be able to repair each of them, and every file that was there at the last completed sync and was not removed since
   must be there, with its contents, under its name, or, if it was renamed, under one of its two names; a name that
   another file was moved over stands for the old or the new one; a file that was cut has its old or its new size;
   directories that stayed are there.  */
#include <stdarg.h>
#include "harness.h"

enum { BLOCKS = 4096, BLOCK = 1024, FILES = 500, CUTS = 80 };

/* ---- a disk that remembers ------------------------------------------------------------- */

struct event { uint64_t offset; size_t length; char *data; };       /* length 0: a flush */

static char *disk;                       /* what is read */
static struct event *events;
static size_t nevents, events_room;

static error_t log_read(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    (void)store;
    *buffer = store_alloc(length);
    memcpy(*buffer, disk + offset, length);
    return 0;
}

static void event_add(uint64_t offset, size_t length, const void *data)
{
    if (nevents == events_room) {
        events_room = events_room ? events_room * 2 : 1024;
        events = realloc(events, events_room * sizeof *events);
    }
    events[nevents] = (struct event){ offset, length, length ? malloc(length) : NULL };
    if (length)
        memcpy(events[nevents].data, data, length);
    nevents++;
}

static error_t log_write(struct store *store, uint64_t offset, const void *data, size_t length)
{
    (void)store;
    memcpy(disk + offset, data, length);
    event_add(offset, length, data);
    return 0;
}

static error_t log_flush(struct store *store)
{
    (void)store;
    event_add(0, 0, NULL);
    return 0;
}

static const struct store_class log_class = { .name = "log", .read = log_read, .write = log_write, .flush = log_flush };
static struct store log_store = { .class = &log_class, .name = "log:", .size = BLOCKS * BLOCK, .block_size = 512 };

/* ---- what is done --------------------------------------------------------------------------- */

static uint64_t seed;
static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % n;
}

static const char *const dirs[] = { "a", "b", "c" };

/* What is known of file N: where it is, how often it was made, renamed, cut.  */
struct state {
    bool exists;
    unsigned int dir, name;
    uint8_t value;
    uint32_t blocks;
    unsigned int made, moved, cut;
    unsigned int by;                     /* who replaced it, + 1 */
};
static struct state files[FILES];
/* Directories made and removed: whether it is there, and how often that changed.  */
enum { SUBS = 8 };
struct sub { bool exists; unsigned int changes; };
static struct sub subs[3][SUBS];
static struct ext2_fs *fs;
static struct ext2_inode dir[3];

/* A snapshot at each sync, to know what any cut must have.  */
struct snapshot { size_t event; struct state files[FILES]; struct sub subs[3][SUBS]; struct snapshot *next; };
static struct snapshot *snapshots;

static void name_of(char *name, unsigned int n)
{
    snprintf(name, 64, "file-with-a-rather-long-name-%u", n);
}

static void snapshot_take(void)
{
    struct snapshot *s = calloc(1, sizeof *s);
    s->event = nevents;
    memcpy(s->files, files, sizeof files);
    memcpy(s->subs, subs, sizeof subs);
    s->next = snapshots;
    snapshots = s;
}

static void file_make(unsigned int n)
{
    struct state *f = &files[n];
    struct ext2_inode in;
    char name[64];
    *f = (struct state){true,
                        rnd(5) < 3 ? 0 : rnd(3),
                        n + rnd(2) * 1000,
                        (uint8_t)(1 + rnd(255)),
                        1 + rnd(rnd(9) ? 3 : 30),
                        f->made + 1,
                        0,
                        0,
                        0};
    name_of(name, f->name);
    if (file_create(fs, &dir[f->dir], name, S_IFREG | 0644, &in)) {
        f->exists = false;
        return;
    }
    in.links = 1;
    f->exists = file_write(fs, &in, 0, f->blocks * BLOCK, f->value) == 0;
    CHECK_EQ(file_close(fs, &in), 0);
}

/* To a free name in any directory; BY_LINK: it has both names for a while, in which other files are made, and its inode
   says so.  */
static void file_move(struct state *f, unsigned int number, const char *name, uint32_t ino, bool by_link)
{
    char to_name[64];
    unsigned int to = rnd(3);
    struct ext2_slot slot, to_slot;
    struct ext2_inode in;
    uint32_t other;
    name_of(to_name, number);
    if (ext2_dir_lookup(fs, &dir[to], to_name, strlen(to_name), &other, &to_slot) != ENOENT)
        return;
    if (by_link) {
        CHECK_EQ(file_open(fs, ino, &in), 0);
        in.links = 2;
        CHECK_EQ(ext2_inode_write(fs, &in), 0);
    }
    bool entered = !ext2_dir_enter(fs, &dir[to], to_name, strlen(to_name), ino, FT_REG, &to_slot);
    for (unsigned int i = rnd(FILES), tries = 0; by_link && tries < 3; i = (i + 1) % FILES, tries++)
        if (!files[i].exists)
            file_make(i);
    if (entered) {
        CHECK_EQ(ext2_dir_lookup(fs, &dir[f->dir], name, strlen(name), &ino, &slot), 0);
        CHECK_EQ(ext2_dir_remove(fs, &dir[f->dir], &slot), 0);
        f->dir = to;
        f->name = number;
        f->moved++;
    }
    if (by_link) {
        in.links = 1;
        CHECK_EQ(file_close(fs, &in), 0);
    }
}

/* Over file T, which goes.  */
static void file_move_over(unsigned int n, unsigned int t, const char *name, uint32_t ino)
{
    struct state *f = &files[n], *target = &files[t];
    struct ext2_slot slot;
    struct ext2_inode in;
    char to_name[64];
    uint32_t old;
    if (!target->exists || n == t)
        return;
    name_of(to_name, target->name);
    CHECK_EQ(ext2_dir_lookup(fs, &dir[target->dir], to_name, strlen(to_name), &old, &slot), 0);
    CHECK_EQ(file_open(fs, old, &in), 0);
    CHECK_EQ(ext2_dir_rewrite(fs, &dir[target->dir], &slot, ino, FT_REG), 0);
    CHECK_EQ(ext2_dir_lookup(fs, &dir[f->dir], name, strlen(name), &ino, &slot), 0);
    CHECK_EQ(ext2_dir_remove(fs, &dir[f->dir], &slot), 0);
    ext2_inode_delete(fs, &in);
    ext2_inode_forget(fs, &in);
    f->dir = target->dir;
    f->name = target->name;
    f->moved++;
    target->exists = false;
    target->by = n + 1;
}

static void file_cut(struct state *f, uint32_t ino)
{
    struct ext2_inode in;
    uint32_t blocks = 1 + rnd(f->blocks);
    CHECK_EQ(file_open(fs, ino, &in), 0);
    CHECK_EQ(file_truncate(fs, &in, blocks * BLOCK), 0);
    CHECK_EQ(file_close(fs, &in), 0);
    f->blocks = blocks;
    f->cut++;
}

static void file_change(unsigned int n)
{
    struct state *f = &files[n];
    char name[64];
    uint32_t ino;
    if (!f->exists) {
        file_make(n);
        return;
    }
    name_of(name, f->name);
    CHECK_EQ(ext2_dir_lookup(fs, &dir[f->dir], name, strlen(name), &ino, NULL), 0);
    unsigned int what = rnd(8);
    if (what < 4) {
        file_move(f, n + rnd(2) * 1000, name, ino, what == 0);
    } else if (what == 4) {
        file_move_over(n, rnd(FILES), name, ino);
    } else if (what == 5) {
        file_cut(f, ino);
    } else {
        CHECK_EQ(file_unlink(fs, &dir[f->dir], name), 0);
        f->exists = false;
    }
}

static void sub_change(unsigned int d, unsigned int n)
{
    struct ext2_inode in;
    char name[16];
    snprintf(name, sizeof name, "sub%u", n);
    if (subs[d][n].exists) {
        CHECK_EQ(file_unlink(fs, &dir[d], name), 0);
    } else {
        if (file_create(fs, &dir[d], name, S_IFDIR | 0755, &in))
            return;
        CHECK_EQ(file_close(fs, &in), 0);
    }
    subs[d][n].exists = !subs[d][n].exists;
    subs[d][n].changes++;
}

static void work(void)
{
    for (unsigned int i = 0; i < 2000; i++) {
        if (rnd(16) == 0)
            sub_change(rnd(3), rnd(SUBS));
        file_change(rnd(FILES));
        if (rnd(40) == 0) {
            for (unsigned int d = 0; d < 3; d++)
                CHECK_EQ(ext2_inode_write(fs, &dir[d]), 0);
            CHECK_EQ(ext2_sync(fs, true, false), 0);
            snapshot_take();
        }
    }
}

/* ---- cuts ----------------------------------------------------------------------------------------- */

/* Puts a disk together from BASE and the events up to AT: all up to the flush before, any part of the others.  */
static void cut_make(char *image, const char *base, size_t at)
{
    size_t flush = at;
    memcpy(image, base, (size_t)BLOCKS * BLOCK);
    while (flush > 0 && events[flush - 1].length)
        flush--;
    for (size_t i = 0; i < at; i++) {
        if (events[i].length == 0 || (i >= flush && rnd(2)))
            continue;
        memcpy(image + events[i].offset, events[i].data, events[i].length);
    }
}

/* Whether file F is on the repaired disk, as it was.  */
static bool file_is_there(struct ext2_fs *cut, const struct state *f)
{
    struct ext2_inode root, d, in;
    char name[64], *data;
    uint32_t ino;
    bool there = false;
    if (file_open(cut, INO_ROOT, &root))
        return false;
    name_of(name, f->name);
    if (!ext2_dir_lookup(cut, &root, dirs[f->dir], 1, &ino, NULL) && !file_open(cut, ino, &d)) {
        if (!ext2_dir_lookup(cut, &d, name, strlen(name), &ino, NULL) && !file_open(cut, ino, &in)) {
            there = in.size == f->blocks * BLOCK && file_read(cut, &in, &data) == 0;
            if (there) {
                for (uint64_t i = 0; i < in.size && there; i++)
                    there = (uint8_t)data[i] == f->value;
                free(data);
            }
            ext2_inode_forget(cut, &in);
        }
        ext2_inode_forget(cut, &d);
    }
    ext2_inode_forget(cut, &root);
    return there;
}

/* Whether it is there as it was before or after, in place and size; if another file took its name, that one is as
   good.  */
static bool file_is_either(struct ext2_fs *cut, const struct snapshot *before, const struct snapshot *after,
                           unsigned int n)
{
    const struct state *b = &before->files[n], *a = &after->files[n];
    struct state cut_before = *b, moved_before = *a;
    cut_before.blocks = a->blocks;
    moved_before.blocks = b->blocks;
    if (a->exists)
        return file_is_there(cut, b) || file_is_there(cut, a) || file_is_there(cut, &cut_before) ||
               file_is_there(cut, &moved_before);
    return file_is_there(cut, b) || file_is_there(cut, &after->files[a->by - 1]);
}

/* Whether nothing happened to file N between the two that leaves more than two possibilities.  */
static bool file_is_sure(const struct snapshot *before, const struct snapshot *after, unsigned int n)
{
    const struct state *b = &before->files[n], *a = &after->files[n];
    if (!b->exists || a->made != b->made)
        return false;
    if (a->exists)
        return a->moved <= b->moved + 1 && a->cut <= b->cut + 1;
    if (!a->by || a->moved != b->moved || a->cut != b->cut)
        return false;
    const struct state *by = &after->files[a->by - 1], *by_before = &before->files[a->by - 1];
    return by->exists && by_before->exists && by->made == by_before->made && by->moved == by_before->moved + 1 &&
           by->cut == by_before->cut;
}

static bool sub_is_there(struct ext2_fs *cut, unsigned int d, unsigned int n)
{
    struct ext2_inode root, parent, in;
    char name[16];
    uint32_t ino;
    bool there = false;
    snprintf(name, sizeof name, "sub%u", n);
    if (file_open(cut, INO_ROOT, &root))
        return false;
    if (!ext2_dir_lookup(cut, &root, dirs[d], 1, &ino, NULL) && !file_open(cut, ino, &parent)) {
        if (!ext2_dir_lookup(cut, &parent, name, strlen(name), &ino, NULL) && !file_open(cut, ino, &in)) {
            there = S_ISDIR(in.mode);
            ext2_inode_forget(cut, &in);
        }
        ext2_inode_forget(cut, &parent);
    }
    ext2_inode_forget(cut, &root);
    return there;
}

static void state_print(unsigned int n, const char *when, const struct state *f)
{
    printf("file %u %s: %s %s/%u, %u blocks of %02x, made %u, moved %u, cut %u, replaced by %u\n", n, when,
           f->exists ? "is" : "was", dirs[f->dir], f->name, f->blocks, f->value, f->made, f->moved, f->cut, f->by);
}

/* The state at the last sync before AT, and the one at the next: what is the same in both was not touched in
   between.  */
static void cut_check(struct image *im, size_t at)
{
    struct snapshot *before = snapshots, *after = NULL;
    while (before && before->event > at) {
        after = before;
        before = before->next;
    }
    if (!before || !after)
        return;
    CHECK(run("e2fsck -fy %s >%s.log 2>&1", im->path, im->path) <= 1);
    CHECK_EQ(run("e2fsck -fn %s >/dev/null 2>&1", im->path), 0);
    if (!image_mount(im, false)) {
        CHECK(!"mounted");
        return;
    }
    unsigned int lost = 0;
    for (unsigned int n = 0; n < FILES; n++) {
        if (!file_is_sure(before, after, n) || file_is_either(im->fs, before, after, n))
            continue;
        lost++;
        state_print(n, "before", &before->files[n]);
        state_print(n, "after", &after->files[n]);
    }
    for (unsigned int d = 0; d < 3; d++)
        for (unsigned int n = 0; n < SUBS; n++)
            lost += before->subs[d][n].changes == after->subs[d][n].changes &&
                    sub_is_there(im->fs, d, n) != before->subs[d][n].exists;
    if (lost)
        run("cat %s.log", im->path);
    CHECK_EQ(lost, 0);
    image_unmount(im, false);
}

static void crash_case(const char *options)
{
    struct image im;
    char *base = malloc((size_t)BLOCKS * BLOCK), *cut = malloc((size_t)BLOCKS * BLOCK);
    disk = malloc((size_t)BLOCKS * BLOCK);
    CHECK(image_make(&im, options, BLOCKS * BLOCK / 1024));
    FILE *f = fopen(im.path, "r");
    CHECK(f && fread(base, BLOCK, BLOCKS, f) == BLOCKS);
    fclose(f);
    memcpy(disk, base, (size_t)BLOCKS * BLOCK);
    memset(files, 0, sizeof files);
    memset(subs, 0, sizeof subs);
    for (unsigned int n = 0; n < FILES; n++)
        files[n].name = n;
    CHECK_EQ(ext2_mount(&log_store, 0, &fs, NULL), 0);
    CHECK_EQ(ext2_set_writable(fs, true), 0);
    struct ext2_inode root;
    CHECK_EQ(file_open(fs, INO_ROOT, &root), 0);
    for (unsigned int d = 0; d < 3; d++)
        CHECK_EQ(file_create(fs, &root, dirs[d], S_IFDIR | 0755, &dir[d]), 0);
    for (unsigned int d = 0; d < 3; d++)
        CHECK_EQ(ext2_inode_write(fs, &dir[d]), 0);
    CHECK_EQ(file_close(fs, &root), 0);
    CHECK_EQ(ext2_sync(fs, true, false), 0);
    size_t first = nevents;
    snapshot_take();
    work();
    for (unsigned int i = 0; i < CUTS; i++) {
        size_t at = first + rnd((uint32_t)(nevents - first));
        cut_make(cut, base, at);
        f = fopen(im.path, "w");
        CHECK(f && fwrite(cut, BLOCK, BLOCKS, f) == BLOCKS);
        fclose(f);
        cut_check(&im, at);
    }
    for (unsigned int d = 0; d < 3; d++)
        ext2_inode_forget(fs, &dir[d]);
    ext2_unmount(fs);
    for (struct snapshot *s = snapshots, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    snapshots = NULL;
    for (size_t i = 0; i < nevents; i++)
        free(events[i].data);
    nevents = 0;
    free(base);
    free(cut);
    free(disk);
    image_remove(&im);
}

UNIT_TEST(power_cuts)
{
    const char *other = getenv("QUADRILLE_SEED");       /* for more of the same */
    seed = other ? strtoull(other, NULL, 0) : 42;
    /* Names lie where their hashes say, so these are always the same. */
#define SAME "-U 51756164-7269-6c6c-6500-000000000001 -E hash_seed=51756164-7269-6c6c-6500-000000000002 "
    crash_case(SAME "-b 1024 -N 600");
    crash_case(SAME "-b 1024 -N 600 -O ^dir_index -I 128");
    for (unsigned int more = 1; !other && more <= 2; more++) {
        seed = more;                                    /* 1: a file linked and unlinked; 2: a directory's inode beside
                                                           a deleted one */
        crash_case(SAME "-b 1024 -N 600");
    }
}

UNIT_MAIN
