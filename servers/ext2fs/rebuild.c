/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rebuild: a new index for a directory that has none or whose index was damaged.

   All names are read and sorted by their hashes, and written, three quarters of a block full each, into new blocks with
   an index in front (htree.c tells the format).  Then the inode gets the new blocks in place of the old ones, in one
   write; the old ones are freed.  Until that write is on the disk nothing has changed there.  It happens when a name is
   entered for which there is no room, so it costs the makers of large directories once; who reads the directory
   meanwhile may see names twice or not at all.  */

#include "dir.h"

#include <stdlib.h>
#include <string.h>

struct entry { uint32_t hash, at; };     /* at: in the arena */

struct build {
    struct ext2_fs *fs;
    struct ext2_inode *dir, *fresh;      /* the directory; the new blocks' map */
    char *arena;                         /* the entries, without room between them */
    struct entry *entries;
    uint32_t bytes, bytes_room, count, count_room;
    uint32_t dotdot;
    unsigned int version;
    uint32_t *first;                     /* of each leaf: its first hash, with the mark of a hash that goes on */
    uint32_t leaves, nodes;              /* nodes: blocks of the second level, 0 for an index of one */
};

static struct dir_entry *entry_of(const struct build *b, uint32_t i)
{
    return (struct dir_entry *)(void *)(b->arena + b->entries[i].at);
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* ---- gathering ------------------------------------------------------------------------------------- */

static error_t entry_gather(struct build *b, const struct dir_entry *e)
{
    uint32_t size = DIRENT_SIZE(e->name_len);
    if (b->bytes_room - b->bytes < size) {
        uint32_t room = b->bytes_room * 2 + 65536;
        char *arena = realloc(b->arena, room);
        if (!arena)
            return ENOMEM;
        b->arena = arena;
        b->bytes_room = room;
    }
    if (b->count == b->count_room) {
        uint32_t room = b->count_room * 2 + 1024;
        struct entry *entries = realloc(b->entries, room * sizeof *entries);
        if (!entries)
            return ENOMEM;
        b->entries = entries;
        b->count_room = room;
    }
    memcpy(b->arena + b->bytes, e, DIRENT_HEADER + e->name_len);
    memset(b->arena + b->bytes + DIRENT_HEADER + e->name_len, 0, size - DIRENT_HEADER - e->name_len);
    b->entries[b->count++] = (struct entry){ext2_dir_hash(b->version, b->fs->super.hash_seed, e->name, e->name_len),
                                            b->bytes};
    b->bytes += size;
    return 0;
}

/* EIO: something is damaged, or ".." is missing.  */
static error_t block_gather(struct build *b, const struct ext2_buf *buf)
{
    error_t err = 0;
    for (uint32_t offset = 0; offset < b->fs->block_size && !err; offset += dirent_at(buf, offset)->rec_len) {
        const struct dir_entry *e = dirent_at(buf, offset);
        if (ext2_dirent_wrong(b->fs, buf, offset))
            return EIO;
        if (!e->inode || (e->name_len == 1 && e->name[0] == '.'))
            continue;
        if (e->name_len == 2 && !memcmp(e->name, "..", 2))
            b->dotdot = e->inode;
        else
            err = entry_gather(b, e);
    }
    return err;
}

static error_t names_gather(struct build *b)
{
    error_t err = 0;
    for (uint32_t lblock = 0; lblock < dir_blocks(b->fs, b->dir) && !err; lblock++) {
        struct ext2_buf buf;
        err = ext2_map_get(b->fs, b->dir, lblock, &buf);
        if (err)
            return err;
        err = block_gather(b, &buf);
        ext2_cache_put(b->fs, &buf);
    }
    if (!err && b->count)
        qsort(b->entries, b->count, sizeof *b->entries, entry_compare);
    return err ? err : b->dotdot ? 0 : EIO;
}

/* ---- planning ----------------------------------------------------------------------------------------- */

static uint32_t root_limit(const struct build *b)
{
    return (b->fs->block_size - DX_ROOT_OFFSET) / (uint32_t)sizeof(struct dx_entry);
}

static uint32_t node_fill(const struct build *b)
{
    return (b->fs->block_size - DX_NODE_OFFSET) / (uint32_t)sizeof(struct dx_entry) / 4 * 3;
}

/* Where the leaf that begins with entry I ends.  */
static uint32_t leaf_end(const struct build *b, uint32_t i)
{
    uint32_t sum = 0, first = i;
    while (i < b->count) {
        sum += DIRENT_SIZE(entry_of(b, i)->name_len);
        if (sum > b->fs->block_size / 4 * 3 && i > first)
            break;
        i++;
    }
    return i;
}

/* How many blocks of which kind.  EFBIG: more than an index can have.  */
static error_t blocks_plan(struct build *b)
{
    for (uint32_t i = 0; i < b->count; i = leaf_end(b, i))
        b->leaves++;
    if (b->leaves > root_limit(b))
        b->nodes = (b->leaves + node_fill(b) - 1) / node_fill(b);
    if (b->leaves == 0 || b->nodes > root_limit(b) / 2)
        return EFBIG;
    b->first = calloc(b->leaves, sizeof *b->first);
    return b->first ? 0 : ENOMEM;
}

/* ---- building ------------------------------------------------------------------------------------------- */

static error_t block_append(struct build *b, struct ext2_buf *buf)
{
    error_t err = ext2_map_append(b->fs, b->fresh, dir_blocks(b->fs, b->fresh), buf);
    if (!err)
        b->fresh->size += b->fs->block_size;
    return err;
}

static error_t leaf_build(struct build *b, uint32_t from, uint32_t to)
{
    struct ext2_buf buf;
    uint32_t at = 0, last = 0;
    error_t err = block_append(b, &buf);
    if (err)
        return err;
    for (uint32_t i = from; i < to; i++) {
        const struct dir_entry *e = entry_of(b, i);
        uint32_t size = DIRENT_SIZE(e->name_len);
        memcpy(buf.data + at, e, size);
        dirent_at(&buf, at)->rec_len = (uint16_t)size;
        last = at;
        at += size;
    }
    dirent_at(&buf, last)->rec_len = (uint16_t)(b->fs->block_size - last);
    ext2_cache_dirty(b->fs, &buf, EXT2_FIRST);
    ext2_cache_put(b->fs, &buf);
    return 0;
}

/* A table at byte OFFSET of BUF: COUNT entries, of leaves from LEAF on; or, NODES, of the blocks of the second
   level.  */
static void table_build(struct build *b, struct ext2_buf *buf, uint32_t offset, uint32_t leaf, uint32_t count,
                        bool nodes)
{
    struct dx_entry *table = (void *)(buf->data + offset);
    for (uint32_t i = 0; i < count; i++) {
        if (nodes)
            table[i] = (struct dx_entry){ b->first[i * node_fill(b)], 1 + i };
        else
            table[i] = (struct dx_entry){ b->first[leaf + i], 1 + b->nodes + leaf + i };
    }
    *(struct dx_limit *)(void *)table = (struct dx_limit){(uint16_t)((b->fs->block_size - offset) / sizeof *table),
                                                          (uint16_t)count};
    ext2_cache_dirty(b->fs, buf, EXT2_FIRST);
}

static void root_build(struct build *b, struct ext2_buf *buf)
{
    ext2_dirent_fill(b->fs, dirent_at(buf, 0), DIRENT_SIZE(1), ".", 1, b->dir->ino, FT_DIR);
    ext2_dirent_fill(b->fs, dirent_at(buf, DIRENT_SIZE(1)), b->fs->block_size - DIRENT_SIZE(1), "..", 2, b->dotdot,
                     FT_DIR);
    struct dx_info *info = (void *)(buf->data + DX_INFO_OFFSET);
    info->hash_version = (uint8_t)(b->version % HASH_UNSIGNED);
    info->info_length = sizeof *info;
    info->indirect_levels = b->nodes != 0;
    table_build(b, buf, DX_ROOT_OFFSET, 0, b->nodes ? b->nodes : b->leaves, b->nodes != 0);
}

/* Fills the tables, when all leaves are known.  */
static error_t tables_build(struct build *b)
{
    struct ext2_buf buf;
    error_t err = ext2_map_get(b->fs, b->fresh, 0, &buf);
    if (err)
        return err;
    root_build(b, &buf);
    ext2_cache_put(b->fs, &buf);
    for (uint32_t n = 0; n < b->nodes; n++) {
        uint32_t leaf = n * node_fill(b), rest = b->leaves - leaf;
        err = ext2_map_get(b->fs, b->fresh, 1 + n, &buf);
        if (err)
            return err;
        dirent_at(&buf, 0)->rec_len = (uint16_t)b->fs->block_size;
        table_build(b, &buf, DX_NODE_OFFSET, leaf, rest < node_fill(b) ? rest : node_fill(b), false);
        ext2_cache_put(b->fs, &buf);
    }
    return 0;
}

static error_t blocks_build(struct build *b)
{
    struct ext2_buf buf;
    error_t err = 0;
    for (uint32_t n = 0; n < 1 + b->nodes && !err; n++) {
        err = block_append(b, &buf);
        if (!err)
            ext2_cache_put(b->fs, &buf);
    }
    for (uint32_t i = 0, leaf = 0, end; i < b->count && !err; i = end, leaf++) {
        end = leaf_end(b, i);
        b->first[leaf] = b->entries[i].hash | (i > 0 && b->entries[i - 1].hash == b->entries[i].hash);
        err = leaf_build(b, i, end);
    }
    return err ? err : tables_build(b);
}

/* ---- the exchange ------------------------------------------------------------------------------------------- */

/* The directory gets the new blocks; the old ones are FRESH's now.  */
static void maps_exchange(struct build *b)
{
    struct ext2_inode *dir = b->dir, *fresh = b->fresh;
    uint64_t attributes = dir->file_acl ? b->fs->block_size / 512 : 0, size = dir->size,
             sectors = dir->sectors - attributes;
    uint32_t block[NBLOCKS];
    pthread_mutex_lock(&dir->map_lock);
    memcpy(block, dir->block, sizeof block);
    memcpy(dir->block, fresh->block, sizeof block);
    memcpy(fresh->block, block, sizeof block);
    dir->size = fresh->size;
    dir->sectors = fresh->sectors + attributes;
    fresh->size = size;
    fresh->sectors = sectors;
    pthread_mutex_unlock(&dir->map_lock);
    dir->flags |= INODE_FL_INDEX;
}

bool ext2_htree_rebuild(struct ext2_fs *fs, struct ext2_inode *dir)
{
    struct ext2_inode *fresh = calloc(1, sizeof *fresh);
    struct build b = { .fs = fs, .dir = dir, .fresh = fresh };
    if (!fresh)
        return false;
    b.version = fs->super.def_hash_version <= HASH_TEA ? fs->super.def_hash_version : HASH_HALF_MD4;
    b.version += fs->super.flags & SUPER_FL_UNSIGNED_HASH ? HASH_UNSIGNED : 0;
    fresh->ino = dir->ino;
    fresh->mode = dir->mode;
    fresh->uid = dir->uid;
    pthread_mutex_init(&fresh->map_lock, NULL);
    error_t err = names_gather(&b);
    if (!err)
        err = blocks_plan(&b);
    if (!err)
        err = blocks_build(&b);
    if (!err) {
        ext2_dir_inode_settle(fs, dir);
        maps_exchange(&b);
        err = ext2_inode_write(fs, dir);
        if (err) {
            maps_exchange(&b);
            dir->flags &= ~INODE_FL_INDEX;
        } else {
            ext2_dir_inode_settle(fs, dir);
        }
    }
    (void)ext2_map_truncate(fs, fresh, 0);
    if (!err)
        ext2_dindex_drop(dir);
    pthread_mutex_destroy(&fresh->map_lock);
    free(b.arena);
    free(b.entries);
    free(b.first);
    free(fresh);
    return !err;
}
