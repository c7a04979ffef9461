/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dindex: an index in memory for large directories that have none on the disk: from a name's hash to the blocks that
   may have it, and how much room each block has.  It is made by reading the directory once, kept up with every change,
   and goes with the node.

   The hash table is open: a slot holds hash and block + 1; 0 is an empty slot, GONE one whose entry was removed.  At
   least a quarter of the slots is empty.  */

#include "dir.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS_MIN 3u            /* smaller directories are searched from end to end */
#define GONE       UINT32_MAX

struct dindex_slot { uint32_t hash, block; };

struct ext2_dindex {
    struct dindex_slot *slots;
    uint32_t mask, used;         /* slots - 1; slots that are not empty */
    uint16_t *room;              /* of each block: the largest row of free bytes */
    uint32_t blocks, blocks_room;/* entries of room[] in use, and there */
};

uint32_t ext2_dindex_hash(const char *name, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash ^ hash >> 15;
}

void ext2_dindex_drop(struct ext2_inode *dir)
{
    if (!dir->dindex)
        return;
    free(dir->dindex->slots);
    free(dir->dindex->room);
    free(dir->dindex);
    dir->dindex = NULL;
}

/* ---- the table ------------------------------------------------------------------------------------------ */

static void slot_put(struct dindex_slot *slots, uint32_t mask, uint32_t hash, uint32_t block)
{
    uint32_t i = hash & mask;
    while (slots[i].block)
        i = (i + 1) & mask;
    slots[i] = (struct dindex_slot){ hash, block };
}

/* Twice the slots if the present ones are really in use, else as many; without the removed entries.  */
static bool table_renew(struct ext2_dindex *x)
{
    uint32_t live = 0, size = x->mask + 1;
    for (uint32_t i = 0; i < size; i++)
        live += x->slots[i].block && x->slots[i].block != GONE;
    uint32_t new_size = live > size / 2 ? size * 2 : size;
    struct dindex_slot *slots = new_size ? calloc(new_size, sizeof *slots) : NULL;
    if (!slots)
        return false;
    for (uint32_t i = 0; i < size; i++)
        if (x->slots[i].block && x->slots[i].block != GONE)
            slot_put(slots, new_size - 1, x->slots[i].hash, x->slots[i].block);
    free(x->slots);
    *x = (struct ext2_dindex){ slots, new_size - 1, live, x->room, x->blocks, x->blocks_room };
    return true;
}

static bool table_add(struct ext2_dindex *x, uint32_t hash, uint32_t lblock)
{
    if (x->used >= x->mask / 4 * 3 && !table_renew(x))
        return false;
    slot_put(x->slots, x->mask, hash, lblock + 1);
    x->used++;
    return true;
}

bool ext2_dindex_next(const struct ext2_dindex *x, uint32_t hash, uint32_t *cursor, uint32_t *lblock)
{
    for (;; ++*cursor) {
        const struct dindex_slot *s = &x->slots[(hash + *cursor) & x->mask];
        if (s->block == 0)
            return false;
        if (s->block != GONE && s->hash == hash) {
            *lblock = s->block - 1;
            ++*cursor;
            return true;
        }
    }
}

/* ---- rooms ------------------------------------------------------------------------------------------------ */

static bool room_note(struct ext2_dindex *x, uint32_t lblock, uint32_t room)
{
    if (lblock >= x->blocks_room) {
        uint32_t more = lblock + lblock / 2 + 16;
        uint16_t *rooms = realloc(x->room, more * sizeof *rooms);
        if (!rooms)
            return false;
        x->room = rooms;
        x->blocks_room = more;
    }
    while (x->blocks <= lblock)
        x->room[x->blocks++] = 0;
    x->room[lblock] = (uint16_t)room;
    return true;
}

bool ext2_dindex_room(const struct ext2_dindex *x, uint32_t need, uint32_t *lblock)
{
    for (uint32_t i = x->blocks; i-- > 0;)
        if (x->room[i] >= need) {
            *lblock = i;
            return true;
        }
    return false;
}

/* The largest room in a block; ADD: its names are entered into X too.  False: damaged, or no memory.  */
static bool block_scan(struct ext2_fs *fs, struct ext2_dindex *x, const struct ext2_buf *buf, uint32_t lblock, bool add)
{
    uint32_t room = 0;
    for (uint32_t offset = 0; offset < fs->block_size;) {
        if (ext2_dirent_wrong(fs, buf, offset))
            return false;
        const struct dir_entry *e = dirent_at(buf, offset);
        if (dirent_room(e) > room)
            room = dirent_room(e);
        if (add && e->inode && !table_add(x, ext2_dindex_hash(e->name, e->name_len), lblock))
            return false;
        offset += e->rec_len;
    }
    return room_note(x, lblock, room);
}

/* ---- building and keeping -------------------------------------------------------------------------------------- */

static bool dindex_build(struct ext2_fs *fs, struct ext2_inode *dir, struct ext2_dindex *x)
{
    uint32_t blocks = dir_blocks(fs, dir), size = 1024;         /* grows with the names that are really there */
    x->slots = calloc(size, sizeof *x->slots);
    x->mask = size - 1;
    if (!x->slots)
        return false;
    for (uint32_t lblock = 0; lblock < blocks; lblock++) {
        struct ext2_buf buf;
        if (ext2_map_get(fs, dir, lblock, &buf))
            return false;
        bool good = block_scan(fs, x, &buf, lblock, true);
        ext2_cache_put(fs, &buf);
        if (!good)
            return false;
    }
    return true;
}

struct ext2_dindex *ext2_dindex_get(struct ext2_fs *fs, struct ext2_inode *dir)
{
    uint32_t blocks = dir_blocks(fs, dir);
    if (dir->dindex || blocks < BLOCKS_MIN || blocks > UINT32_MAX / fs->block_size || dir->dindex_bad)
        return dir->dindex;
    dir->dindex = calloc(1, sizeof *dir->dindex);
    if (dir->dindex && !dindex_build(fs, dir, dir->dindex)) {
        ext2_dindex_drop(dir);
        dir->dindex_bad = true;
    }
    return dir->dindex;
}

void ext2_dindex_entered(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t lblock,
                         const struct ext2_buf *buf)
{
    if (dir->dindex && (!table_add(dir->dindex, ext2_dindex_hash(name, length), lblock) ||
                        !block_scan(fs, dir->dindex, buf, lblock, false)))
        ext2_dindex_drop(dir);
}

void ext2_dindex_removed(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t lblock,
                         const struct ext2_buf *buf)
{
    struct ext2_dindex *x = dir->dindex;
    uint32_t hash = ext2_dindex_hash(name, length);
    if (!x)
        return;
    for (uint32_t i = hash & x->mask; x->slots[i].block; i = (i + 1) & x->mask)
        if (x->slots[i].hash == hash && x->slots[i].block == lblock + 1) {
            x->slots[i].block = GONE;
            break;
        }
    if (!block_scan(fs, x, buf, lblock, false))
        ext2_dindex_drop(dir);
}
