/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The oracle: random operations on file systems of every kind, and the same ones on a model in memory.  Each operation
   must succeed or fail as the model says, an error must leave nothing half done, and every so often the whole tree is
   compared and e2fsck has its say.

       test_oracle [OPERATIONS [SEED]]      20,000 operations over all variants, unless said otherwise; the same seed
                                            does the same

   As in the server, inodes stay open (with what they hold in reserve, their indexes in memory, their fresh blocks)
   until they are forgotten; files are deleted while open, and a variant's file system is left without ceremony and
   mounted again.  */
#include <stdarg.h>
#include "harness.h"

enum { DIRS_MAX = 40, ENTRIES_MAX = 3000, HELD_MAX = 6, FILE_BLOCKS = 400, NAME_ROOM = 256 };

static const struct { const char *options; unsigned int kib, inodes;
} variants[] = {
    {"-b 1024", 32768, 4000},
    {"-b 4096", 65536, 4000},
    {"-b 2048 -I 128", 32768, 4000},
    {"-b 1024 -O ^dir_index", 32768, 4000},
    {"-b 1024", 2500, 400},
    {"-b 4096 -m 20", 4096, 150},
    {"-b 1024 -I 128 -o hurd -O ^filetype", 8192, 1000},
    {"-b 1024 -O meta_bg,^resize_inode -g 1024", 16384, 2000},
    {"-b 1024 -O none", 8192, 1000},
    {"-b 1024 -O uninit_bg -E lazy_itable_init=1", 65536, 4000},
    {"-b 4096 -O uninit_bg -g 2048", 65536, 3000},
    {"-b 4096 -O ^dir_index,^resize_inode,huge_file,dir_nlink,extra_isize", 32768, 3000},
};
#define NVARIANTS (sizeof variants / sizeof *variants)

/* ---- the model ------------------------------------------------------------------------------ */

struct node {
    struct ext2_inode in;                /* open */
    uint16_t mode;
    unsigned int links;
    uint64_t size;
    uint8_t *data;                       /* of a regular file: the byte that fills each block; 0 in a hole */
    struct node *parent;                 /* of a directory */
    unsigned int children;
    uint8_t target;                      /* of a link: what fills it */
    int xattr;                           /* length of the attribute, or -1 */
    int64_t mtime;
    unsigned int index;                  /* a directory's in dirs[] */
};

struct entry { struct node *dir, *node; uint32_t hash; char name[NAME_ROOM]; };

static struct image im;
static struct ext2_fs *fs;
static struct node *root, *dirs[DIRS_MAX], *held[HELD_MAX];
static struct entry entries[ENTRIES_MAX];
static unsigned int ndirs, nentries, nheld, operation;
static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % n;
}

static uint32_t name_hash(const char *name)
{
    uint32_t hash = 5381;
    while (*name)
        hash = hash * 33 ^ (uint8_t)*name++;
    return hash;
}

static struct entry *entry_find(struct node *dir, const char *name)
{
    uint32_t hash = name_hash(name);
    for (unsigned int i = 0; i < nentries; i++)
        if (entries[i].dir == dir && entries[i].hash == hash && !strcmp(entries[i].name, name))
            return &entries[i];
    return NULL;
}

static void entry_add(struct node *dir, const char *name, struct node *node)
{
    struct entry *e = &entries[nentries++];
    *e = (struct entry){ .dir = dir, .node = node, .hash = name_hash(name) };
    strcpy(e->name, name);
    dir->children++;
}

static void entry_drop(struct entry *e)
{
    e->dir->children--;
    *e = entries[--nentries];
}

/* A name: of a few lengths, so that it sometimes exists and sometimes not.  */
static void name_make(char *name)
{
    uint32_t n = rnd(1500);
    int width = n % 11 == 0 ? (int)(n * 131 % 240) : 4;
    snprintf(name, NAME_ROOM, "%s%0*u", n % 7 == 0 ? "\303\244-" : "f", width, n);
}

/* ---- closing and opening --------------------------------------------------------------------- */

static void expect(error_t got, error_t wanted, const char *what)
{
    if (got == wanted)
        return;
    unit_failures++;
    fprintf(stderr, "operation %u, %s: %s, wanted %s\n", operation, what, strerror(got), strerror(wanted));
}

/* As the server's node_write.  */
static void node_write(struct node *n)
{
    n->in.links = n->links;
    n->in.mtime.tv_sec = n->mtime;
    n->in.mtime.tv_nsec = 0;
    if (n->links == 0)
        ext2_orphan_add(fs, &n->in);
    else
        ext2_orphan_remove(fs, &n->in);
    expect(ext2_inode_write(fs, &n->in), 0, "writing an inode");
}

static void node_free(struct node *n)
{
    free(n->data);
    free(n);
}

static void node_delete(struct node *n)
{
    ext2_inode_delete(fs, &n->in);
    ext2_inode_forget(fs, &n->in);
    node_free(n);
}

/* A node without a name goes, or is held open for a while.  */
static void node_unnamed(struct node *n)
{
    if (S_ISDIR(n->mode)) {
        dirs[n->index] = dirs[--ndirs];
        dirs[n->index]->index = n->index;
    }
    if (nheld < HELD_MAX && rnd(3) == 0)
        held[nheld++] = n;
    else
        node_delete(n);
}

static void nodes_each(void (*fn)(struct node *n))
{
    for (unsigned int i = 0; i < nentries; i++)
        fn(entries[i].node);
    for (unsigned int i = 0; i < nheld; i++)
        fn(held[i]);
    fn(root);
}

static void forget(struct node *n)
{
    if (n->in.ino)
        ext2_inode_forget(fs, &n->in);
    n->in.size = n->in.ino;              /* kept for reopen; an inode with several names comes several times */
    n->in.ino = 0;
}

static void reopen(struct node *n)
{
    uint32_t ino = (uint32_t)n->in.size;
    if (n->in.ino)
        return;
    n->in = (struct ext2_inode){ .ino = ino };
    expect(ext2_inode_read(fs, &n->in), 0, "opening an inode again");
}

static void forget_once(struct node *n)
{
    if (n->in.ino)
        forget(n);
}

/* Leaves the file system, cleanly or not, and mounts it again.  What was deleted and held goes.  */
static void remount(bool clean)
{
    nodes_each(node_write);
    for (unsigned int i = 0; clean && i < nheld; i++)
        node_delete(held[i]);
    if (clean)
        nheld = 0;
    else
        expect(ext2_sync(fs, true, false), 0, "sync");
    nodes_each(forget_once);
    for (unsigned int i = 0; i < nheld; i++)
        node_free(held[i]);
    nheld = 0;
    image_unmount(&im, clean);
    if (clean)
        CHECK_EQ(image_fsck(&im), 0);
    if (!clean) {
        /* First what a mount by itself does about what was left: the orphans go; then e2fsck finds the blocks that were
           waiting to be free.  */
        FILE *keep = stderr;
        stderr = fopen("/dev/null", "w");
        CHECK(image_mount(&im, true));
        fclose(stderr);
        stderr = keep;
        CHECK_EQ(im.fs->super.last_orphan, 0);
        image_unmount(&im, false);
        CHECK(run("e2fsck -fy %s >%s.log 2>&1", im.path, im.path) <= 1);
        CHECK_EQ(run("grep -qE 'orphan|Unattached|Entry|[Ii]node [0-9]|Duplicate' %s.log", im.path), 1);
    }
    CHECK(image_mount(&im, true));
    fs = im.fs;
    nodes_each(reopen);
}

/* ---- comparing ------------------------------------------------------------------------------------ */

struct listing { struct node *dir; unsigned int seen, wrong; };

static bool emit_listed(void *arg, uint32_t ino, uint8_t type, const char *name, size_t length, uint64_t next)
{
    struct listing *l = arg;
    char text[NAME_ROOM];
    (void)type, (void)next;
    memcpy(text, name, length);
    text[length] = 0;
    if (!strcmp(text, ".")) {
        l->wrong += ino != l->dir->in.ino;
    } else if (!strcmp(text, "..")) {
        l->wrong += ino != l->dir->parent->in.ino;
    } else if (strcmp(text, "lost+found")) {
        struct entry *e = entry_find(l->dir, text);
        l->wrong += !e || e->node->in.ino != ino;
        l->seen++;
    }
    return true;
}

static bool contents_match(struct node *n)
{
    char *data;
    bool same = n->in.size == n->size && n->in.mode == n->mode && n->in.mtime.tv_sec == n->mtime;
    if (S_ISREG(n->mode) && same) {
        if (file_read(fs, &n->in, &data))
            return false;
        for (uint64_t b = 0; b < n->size >> fs->block_log && same; b++)
            same = (uint8_t)data[b << fs->block_log] == n->data[b] &&
                   (uint8_t)data[((b + 1) << fs->block_log) - 1] == n->data[b];
        free(data);
    } else if (S_ISLNK(n->mode) && same) {
        char target[4096];
        same = ext2_link_read(fs, &n->in, target) == 0 && (uint8_t)target[0] == n->target &&
               (uint8_t)target[n->size - 1] == n->target;
    }
    size_t length = 0;
    error_t err = ext2_xattr_get(fs, &n->in, XATTR_INDEX_GNU, "translator", &data, &length);
    if (!err)
        free(data);
    return same && (n->xattr < 0 ? err == ENODATA : !err && length == (size_t)n->xattr);
}

static void compare_all(void)
{
    nodes_each(node_write);
    for (unsigned int i = 0; i < ndirs; i++) {
        struct listing l = { dirs[i], 0, 0 };
        uint64_t cookie = 0;
        expect(ext2_dir_iterate(fs, &dirs[i]->in, &cookie, emit_listed, &l), 0, "reading a directory");
        CHECK(l.wrong == 0 && l.seen == dirs[i]->children);
    }
    unsigned int wrong = 0;
    for (unsigned int i = 0; i < nentries; i++)
        wrong += !S_ISDIR(entries[i].node->mode) && !contents_match(entries[i].node);
    CHECK_EQ(wrong, 0);
}

/* ---- operations --------------------------------------------------------------------------------------- */

static void op_create(void)
{
    char name[NAME_ROOM];
    struct node *dir = dirs[rnd(ndirs)], *n = calloc(1, sizeof *n);
    unsigned int kind = rnd(12);
    n->mode = kind == 0 && ndirs < DIRS_MAX ? S_IFDIR | 0755 : kind == 1 ? S_IFLNK | 0777 : S_IFREG | 0644;
    n->xattr = -1;
    name_make(name);
    error_t wanted = entry_find(dir, name) ? EEXIST : 0;
    error_t err = nentries < ENTRIES_MAX ? file_create(fs, &dir->in, name, n->mode, &n->in) : EBUSY;
    if (err) {
        if (err != ENOSPC && err != EBUSY)
            expect(err, wanted, "creating a file");
        free(n);
        return;
    }
    expect(0, wanted, "creating a file");
    n->links = 1;
    if (S_ISDIR(n->mode)) {
        n->size = fs->block_size;
        n->parent = dir;
        n->links = 2;
        dir->links++;
        n->index = ndirs;
        dirs[ndirs++] = n;
    } else if (S_ISLNK(n->mode)) {
        char target[4096];
        n->size = 1 + rnd(rnd(2) ? 59 : fs->block_size - 1);
        n->target = (uint8_t)(1 + rnd(255));
        memset(target, n->target, sizeof target);
        if (ext2_link_write(fs, &n->in, target, n->size) && !ext2_link_write(fs, &n->in, target, 1))
            n->size = 1;
    } else {
        n->data = calloc(1, FILE_BLOCKS + 1);
    }
    entry_add(dir, name, n);
}

static void op_lookup(void)
{
    char name[NAME_ROOM];
    struct node *dir = dirs[rnd(ndirs)];
    uint32_t ino = 0;
    name_make(name);
    struct entry *e = entry_find(dir, name);
    expect(ext2_dir_lookup(fs, &dir->in, name, strlen(name), &ino, NULL), e ? 0 : ENOENT, "looking up");
    CHECK(!e || ino == e->node->in.ino);
}

static void op_unlink(void)
{
    if (!nentries)
        return;
    struct entry *e = &entries[rnd(nentries)];
    struct node *n = e->node, *dir = e->dir;
    struct ext2_slot slot;
    uint32_t ino;
    if (S_ISDIR(n->mode)) {
        error_t err = ext2_dir_check_empty(fs, &n->in);
        expect(err, n->children ? ENOTEMPTY : 0, "is a directory empty");
        if (err)
            return;
    }
    expect(ext2_dir_lookup(fs, &dir->in, e->name, strlen(e->name), &ino, &slot), 0, "looking up to remove");
    expect(ext2_dir_remove(fs, &dir->in, &slot), 0, "removing");
    entry_drop(e);
    if (S_ISDIR(n->mode)) {
        n->links = 0;
        dir->links--;
    } else {
        n->links--;
    }
    node_write(n);
    if (n->links == 0)
        node_unnamed(n);
}

static void op_link(void)
{
    char name[NAME_ROOM];
    struct node *dir = dirs[rnd(ndirs)], *n;
    struct ext2_slot slot;
    uint32_t ino;
    if (!nentries || nentries == ENTRIES_MAX || S_ISDIR((n = entries[rnd(nentries)].node)->mode))
        return;
    name_make(name);
    error_t wanted = entry_find(dir, name) ? 0 : ENOENT;
    expect(ext2_dir_lookup(fs, &dir->in, name, strlen(name), &ino, &slot), wanted, "looking up to link");
    if (!wanted)
        return;
    error_t err = ext2_dir_enter(fs, &dir->in, name, strlen(name), n->in.ino, S_ISLNK(n->mode) ? FT_LNK : FT_REG,
                                 &slot);
    if (err) {
        expect(err, ENOSPC, "linking");
        return;
    }
    n->links++;
    entry_add(dir, name, n);
}

static bool is_above(const struct node *above, const struct node *dir)
{
    for (;; dir = dir->parent) {
        if (dir == above)
            return true;
        if (dir == root)
            return false;
    }
}

/* The new name first, then "..", then the old one: as lib/diskfs does it.  */
static void op_rename(void)
{
    char name[NAME_ROOM];
    struct ext2_slot slot;
    uint32_t ino;
    if (!nentries)
        return;
    struct entry *from = &entries[rnd(nentries)], *over;
    struct node *n = from->node, *to = dirs[rnd(ndirs)], *old = NULL;
    bool directory = S_ISDIR(n->mode);
    if (directory && is_above(n, to))
        return;
    name_make(name);
    if (rnd(3) == 0)
        strcpy(name, entries[rnd(nentries)].name);
    over = entry_find(to, name);
    if (over &&
        (over->node == n || over->node == from->dir || S_ISDIR(over->node->mode) != directory || over->node->children))
        return;
    uint8_t type = directory ? FT_DIR : S_ISLNK(n->mode) ? FT_LNK : FT_REG;
    error_t err = ext2_dir_lookup(fs, &to->in, name, strlen(name), &ino, &slot);
    expect(err, over ? 0 : ENOENT, "looking up to rename");
    err = over ? ext2_dir_rewrite(fs, &to->in, &slot, n->in.ino, type)
               : ext2_dir_enter(fs, &to->in, name, strlen(name), n->in.ino, type, &slot);
    if (err) {
        expect(err, ENOSPC, "renaming");
        return;
    }
    if (directory && from->dir != to) {
        expect(ext2_dir_lookup(fs, &n->in, "..", 2, &ino, &slot), 0, "looking up ..");
        expect(ext2_dir_rewrite(fs, &n->in, &slot, to->in.ino, FT_DIR), 0, "rewriting ..");
    }
    expect(ext2_dir_lookup(fs, &from->dir->in, from->name, strlen(from->name), &ino, &slot), 0,
           "looking up the old name");
    expect(ext2_dir_remove(fs, &from->dir->in, &slot), 0, "removing the old name");
    if (directory) {
        from->dir->links--;
        to->links++;
        n->parent = to;
    }
    if (over) {
        old = over->node;
        over->node = n;
        old->links = directory ? 0 : old->links - 1;
        to->links -= directory;
        entry_drop(from);
        if (old->links == 0)
            node_unnamed(old);
    } else {
        struct node *dir = from->dir;
        dir->children--;
        *from = (struct entry){ .dir = to, .node = n, .hash = name_hash(name) };
        strcpy(from->name, name);
        to->children++;
    }
}

static struct node *file_pick(void)
{
    for (unsigned int i = 0; i < 20 && nentries; i++) {
        struct node *n = nheld && rnd(10) == 0 ? held[rnd(nheld)] : entries[rnd(nentries)].node;
        if (S_ISREG(n->mode))
            return n;
    }
    return NULL;
}

static void op_write(void)
{
    struct node *n = file_pick();
    uint8_t value = (uint8_t)(1 + rnd(255)), *block = malloc(fs->block_size);
    if (n) {
        uint64_t first = rnd(3) ? n->size >> fs->block_log : rnd(FILE_BLOCKS), done;
        uint64_t end = first + 1 + rnd(rnd(4) ? 4 : 60);
        if (end > FILE_BLOCKS)
            end = FILE_BLOCKS;
        pthread_mutex_lock(&n->in.map_lock);
        error_t err = first < end ? ext2_map_alloc(fs, &n->in, first, end, 8, &done) : 0;
        memset(block, value, fs->block_size);
        for (uint64_t b = first; first < end && b < done; b++) {
            uint32_t at, run_;
            CHECK(ext2_map(fs, &n->in, b, 1, &at, &run_) == 0 && at);
            expect(store_write(fs->store, (uint64_t)at << fs->block_log, block, fs->block_size), 0, "writing a block");
            n->data[b] = value;
        }
        if (first < end && done > first) {
            ext2_fresh_remove(&n->in, first, done);
            if (done << fs->block_log > n->size)
                n->size = n->in.size = done << fs->block_log;
        }
        pthread_mutex_unlock(&n->in.map_lock);
        if (err)
            expect(err, ENOSPC, "writing");
        n->mtime = (int64_t)rnd(UINT32_MAX) - INT32_MAX / 2 + (fs->inode_size > 128 ? (int64_t)rnd(2) << 32 : 0);
        if (fs->inode_size == 128 && n->mtime > INT32_MAX)
            n->mtime = INT32_MAX;
    }
    free(block);
}

static void op_truncate(void)
{
    struct node *n = file_pick();
    if (!n)
        return;
    uint64_t blocks = rnd(3) ? rnd(FILE_BLOCKS) : 0, had = n->size >> fs->block_log;
    n->size = blocks << fs->block_log;
    for (uint64_t b = blocks; b < had; b++)
        n->data[b] = 0;
    expect(file_truncate(fs, &n->in, n->size), 0, "truncating");
    node_write(n);
}

static void op_xattr(void)
{
    struct node *n = nentries ? entries[rnd(nentries)].node : NULL;
    char value[2000];
    if (!n)
        return;
    int length = rnd(3) ? (int)rnd(rnd(2) ? 60 : 900) : -1;
    memset(value, 'v', sizeof value);
    error_t err = ext2_xattr_set(fs, &n->in, XATTR_INDEX_GNU, "translator", length < 0 ? NULL : value,
                                 length < 0 ? 0 : (size_t)length);
    if (!err)
        n->xattr = length;
    else
        expect(err, ENOSPC, "setting an attribute");
    node_write(n);
}

static void op_release(void)
{
    if (!nheld)
        return;
    unsigned int i = rnd(nheld);
    struct node *n = held[i];
    held[i] = held[--nheld];
    node_delete(n);
}

/* Forgets an inode that is not being used, and reads it again.  */
static void op_forget(void)
{
    struct node *n = nentries ? entries[rnd(nentries)].node : NULL;
    if (!n)
        return;
    node_write(n);
    forget(n);
    reopen(n);
}

static void operation_run(void)
{
    static const struct { void (*run)(void); unsigned int weight;
    } ops[] = {
        {op_create, 30}, {op_lookup, 10},  {op_unlink, 18}, {op_link, 5},    {op_rename, 14},
        {op_write, 14},  {op_truncate, 5}, {op_xattr, 6},   {op_release, 2}, {op_forget, 3},
    };
    uint32_t pick = rnd(107);
    for (unsigned int i = 0;; pick -= ops[i++].weight)
        if (pick < ops[i].weight) {
            ops[i].run();
            return;
        }
}

/* ---- variants -------------------------------------------------------------------------------------------- */

static void variant_run(unsigned int v, unsigned int operations)
{
    char options[200];
    snprintf(options, sizeof options, "%s -N %u", variants[v].options, variants[v].inodes);
    CHECK(image_make(&im, options, variants[v].kib));
    if (!image_mount(&im, true)) {
        CHECK(!"mounted");
        return;
    }
    fs = im.fs;
    nentries = nheld = 0;
    root = calloc(1, sizeof *root);
    root->in.ino = INO_ROOT;
    expect(ext2_inode_read(fs, &root->in), 0, "opening the root");
    root->links = root->in.links;
    root->mode = root->in.mode;
    root->mtime = root->in.mtime.tv_sec;
    root->parent = root;
    root->xattr = -1;
    dirs[0] = root;
    ndirs = 1;
    unsigned int before = unit_failures;
    for (operation = 0; operation < operations && unit_failures == before; operation++) {
        operation_run();
        uint32_t now = rnd(2000);
        if (now == 0)
            compare_all();
        else if (now < 8)
            expect(ext2_sync(fs, true, false), 0, "sync");
        else if (now < 10)
            remount(now == 8);
    }
    compare_all();
    remount(true);
    compare_all();
    CHECK(!fs->damaged);
    if (unit_failures != before)
        fprintf(stderr, "variant %u: %s\n", v, options);
    nodes_each(forget_once);
    for (unsigned int i = 0; i < nentries; i++) {
        struct node *n = entries[i].node;
        n->links = S_ISDIR(n->mode) ? 0 : n->links - 1;
        if (n->links == 0)
            node_free(n);
    }
    node_free(root);
    image_unmount(&im, true);
    image_remove(&im);
}

int main(int argc, char **argv)
{
    unsigned int operations = argc > 1 ? (unsigned int)atoi(argv[1]) : 20000;
    uint64_t start = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    unsigned int failed = 0;
    (void)unit_last;
    for (unsigned int v = 0; v < NVARIANTS; v++) {
        seed = start * 88172645463325252ull + v * 1442695040888963407ull + 1;
        unit_failures = 0;
        variant_run(v, operations / NVARIANTS);
        failed += unit_failures != 0;
    }
    printf("%u passed, %u failed\n", (unsigned int)NVARIANTS - failed, failed);
    return failed != 0;
}
