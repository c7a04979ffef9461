/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: any bytes as an ext2 image.  The image is mounted, its orphans are freed, it is walked, read,
   written and synced; names are entered until directories split, renamed and removed; attributes come and go.  Nothing
   may crash, hang or leak.

   Sources: servers/ext2fs/cache.c servers/ext2fs/feature.c servers/ext2fs/super.c servers/ext2fs/balloc.c
       servers/ext2fs/ialloc.c servers/ext2fs/fresh.c servers/ext2fs/uninit.c servers/ext2fs/map.c
       servers/ext2fs/inode.c
       servers/ext2fs/orphan.c servers/ext2fs/hash.c servers/ext2fs/htree.c servers/ext2fs/rebuild.c
       servers/ext2fs/dindex.c servers/ext2fs/dir.c servers/ext2fs/link.c servers/ext2fs/links.c servers/ext2fs/xattr.c
       lib/store/store.c lib/store/store_file.c lib/store/store_part.c lib/store/partition.c
   Max: 262144
   Inputs are whole images of mke2fs (tests/fuzz/seeds/ext2fs_image); the fuzzer changes their bytes by itself.  */

#include "../../servers/ext2fs/ext2.h"

#include <store/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 3, ENTRIES_MAX = 64, FILE_MAX = 1 << 16 };

struct walk { struct ext2_fs *fs; unsigned int depth, entries; };

static void inode_visit(struct ext2_fs *fs, uint32_t ino, unsigned int depth);

static bool entry_visit(void *arg, uint32_t ino, uint8_t type, const char *name, size_t length, uint64_t next)
{
    struct walk *w = arg;
    (void)type, (void)next;
    if (!(name[0] == '.' && length <= 2))
        inode_visit(w->fs, ino, w->depth + 1);
    return ++w->entries < ENTRIES_MAX;
}

static void file_visit(struct ext2_fs *fs, struct ext2_inode *i)
{
    uint64_t done;
    uint32_t block, run;
    pthread_mutex_lock(&i->map_lock);
    for (uint64_t at = 0; at < FILE_MAX && at << fs->block_log < i->size; at += run)
        if (ext2_map(fs, i, at, 64, &block, &run))
            break;
    (void)ext2_map_alloc(fs, i, 3, 20, 4, &done);
    (void)ext2_map_alloc(fs, i, 300, 303, 0, &done);
    (void)ext2_map_truncate(fs, i, 7);
    pthread_mutex_unlock(&i->map_lock);
}

/* Enters names of all lengths, enough to split a leaf of an index, and takes some of them away again.  */
static void names_change(struct ext2_fs *fs, struct ext2_inode *dir)
{
    char name[DIRENT_NAME_MAX + 1];
    struct ext2_slot slot;
    uint32_t found;
    for (unsigned int i = 0; i < 40; i++) {
        size_t length = (size_t)snprintf(name, sizeof name, "%0*u", (int)(1 + i * 37 % 250), i);
        if (ext2_dir_lookup(fs, dir, name, length, &found, &slot) == ENOENT)
            (void)ext2_dir_enter(fs, dir, name, length, 11, FT_REG, &slot);
    }
    for (unsigned int i = 0; i < 40; i += 3) {
        size_t length = (size_t)snprintf(name, sizeof name, "%0*u", (int)(1 + i * 37 % 250), i);
        if (ext2_dir_lookup(fs, dir, name, length, &found, &slot) == 0)
            (void)ext2_dir_remove(fs, dir, &slot);
    }
}

/* One name that the image has goes to another directory entry, as rename does it.  */
static void name_move(struct ext2_fs *fs, struct ext2_inode *dir, const char *from, const char *to)
{
    struct ext2_slot slot, old;
    uint32_t ino, found;
    if (ext2_dir_lookup(fs, dir, from, strlen(from), &ino, &old))
        return;
    if (ext2_dir_lookup(fs, dir, to, strlen(to), &found, &slot) == 0)
        (void)ext2_dir_rewrite(fs, dir, &slot, ino, FT_REG);
    else
        (void)ext2_dir_enter(fs, dir, to, strlen(to), ino, FT_REG, &slot);
    if (ext2_dir_lookup(fs, dir, from, strlen(from), &ino, &old) == 0)
        (void)ext2_dir_remove(fs, dir, &old);
}

static void attributes_change(struct ext2_fs *fs, struct ext2_inode *i)
{
    char *value, large[700];
    size_t length;
    memset(large, 'x', sizeof large);
    if (ext2_xattr_get(fs, i, XATTR_INDEX_GNU, "translator", &value, &length) == 0)
        free(value);
    (void)ext2_xattr_set(fs, i, XATTR_INDEX_GNU, "author", large, i->ino % 2 ? 600 : 20);
    (void)ext2_xattr_set(fs, i, XATTR_INDEX_GNU, "translator", "/hurd/null\0", 12);
    if (i->ino % 4 == 0)
        (void)ext2_xattr_set(fs, i, XATTR_INDEX_GNU, "author", NULL, 0);
}

static void inode_visit(struct ext2_fs *fs, uint32_t ino, unsigned int depth)
{
    struct ext2_inode i = { .ino = ino };
    char *value;
    if (ext2_inode_read(fs, &i))
        return;
    attributes_change(fs, &i);
    if (S_ISDIR(i.mode) && depth < DEPTH_MAX) {
        struct walk w = { fs, depth, 0 };
        uint64_t cookie = 0;
        uint32_t found;
        struct ext2_slot slot;
        (void)ext2_dir_iterate(fs, &i, &cookie, entry_visit, &w);
        if (ext2_dir_lookup(fs, &i, "new", 3, &found, &slot) == ENOENT && ext2_ialloc(fs, ino, S_IFREG, &found) == 0)
            (void)ext2_dir_enter(fs, &i, "new", 3, found, FT_REG, &slot);
        if (ext2_dir_lookup(fs, &i, "a", 1, &found, &slot) == 0)
            (void)ext2_dir_remove(fs, &i, &slot);
        names_change(fs, &i);
        name_move(fs, &i, "file", "name-5-of-several-words-to-fill-a-block");
        name_move(fs, &i, "link", "another name for the link");
        (void)ext2_dir_check_empty(fs, &i);
    } else if (S_ISREG(i.mode)) {
        file_visit(fs, &i);
    } else if (S_ISLNK(i.mode) && (value = malloc(i.size + 1)) != NULL) {
        (void)ext2_link_read(fs, &i, value);
        free(value);
    }
    if (ino % 5 == 0) {
        i.links = 0;
        ext2_orphan_add(fs, &i);
    }
    (void)ext2_inode_write(fs, &i);
    if (ino % 3 == 0 && ino >= fs->first_ino)
        ext2_inode_delete(fs, &i);
    ext2_inode_forget(fs, &i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *store;
    struct ext2_fs *fs;
    size &= ~(size_t)511;
    char *copy = size ? malloc(size) : NULL;
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (store_open_memory(copy, size, &store) == 0) {
        if (ext2_mount(store, 1 << 18, &fs, NULL) == 0) {
            if (ext2_set_writable(fs, true) == 0)
                inode_visit(fs, INO_ROOT, 0);
            (void)ext2_sync(fs, true, false);
            (void)ext2_sync(fs, true, true);
            (void)ext2_reload(fs);
            ext2_unmount(fs);
        }
        store_close(store);
    }
    free(copy);
    return 0;
}
