/* SPDX-License-Identifier: GPL-2.0-or-later */
/* htree: the index of a directory on the disk (feature dir_index).

   File block 0 has a table of (hash, block), sorted by hash; block is a leaf, an ordinary block of entries whose names
   have hashes from that one on up to the next one's, or, when the index has two levels, a block with such a table.  An
   entry whose hash has the lowest bit set says that names with this hash began in the block before.  The blocks of the
   index look like free space to who does not know them.

   A name whose leaf is full splits it: the entries of the upper half of its hashes move to a new block.  The new block
   is on the disk before the old one loses them (order of writing: cache.c); if the power fails in between, e2fsck finds
   both and makes a new index. Names are only ever moved inside a block or behind it, so whoever reads the directory
   meanwhile may see such a name twice.

   Whatever in the index does not fit together is reported once; then the directory loses its flag and is an ordinary
   one.  */

#include "dir.h"

#include <stdlib.h>
#include <string.h>

struct frame {
    struct ext2_buf buf;
    struct dx_entry *table;
    uint32_t count, limit;
    uint32_t at;                   /* the entry that was taken */
};

struct path {
    unsigned int depth;            /* frames in use: 1 or 2 */
    unsigned int version;          /* of the hash */
    struct frame frame[2];
};

static uint32_t entry_hash(const struct frame *f, uint32_t i)
{
    return i ? f->table[i].hash : 0;
}

static uint32_t entry_block(const struct frame *f, uint32_t i)
{
    return f->table[i].block & DX_BLOCK_MASK;
}

static uint32_t name_hash(const struct ext2_fs *fs, const struct path *path, const char *name, size_t length)
{
    return ext2_dir_hash(path->version, fs->super.hash_seed, name, length);
}

/* ---- checking ------------------------------------------------------------------------------------------- */

static void index_damaged(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_buf *buf, const char *what,
                          enum index_state *state)
{
    ext2_damage(fs, "directory %u: block %u: damaged index (%s); it is ignored", dir->ino, buf->block, what);
    dir->flags &= ~INODE_FL_INDEX;
    *state = INDEX_DAMAGED;
}

static const char *root_wrong(const struct ext2_fs *fs, const struct ext2_buf *buf)
{
    const struct dir_entry *dot = dirent_at(buf, 0), *dotdot = dirent_at(buf, DIRENT_SIZE(1));
    const struct dx_info *info = (const void *)(buf->data + DX_INFO_OFFSET);
    if (dot->rec_len != DIRENT_SIZE(1) || dot->name_len != 1 || dot->name[0] != '.')
        return "no \".\"";
    if (dotdot->rec_len != fs->block_size - DIRENT_SIZE(1) || dotdot->name_len != 2 || memcmp(dotdot->name, "..", 2))
        return "no \"..\"";
    if (info->hash_version > HASH_TEA)
        return "hash_version";
    if (info->info_length != sizeof *info)
        return "info_length";
    if (info->indirect_levels > 1)
        return "indirect_levels";
    return info->unused_flags & 1 ? "unused_flags" : NULL;
}

/* Sets F's table, at byte OFFSET of its block.  */
static const char *frame_wrong(const struct ext2_fs *fs, const struct ext2_inode *dir, struct frame *f, uint32_t offset)
{
    const struct dx_limit *l = (const void *)(f->buf.data + offset);
    f->table = (struct dx_entry *)(void *)(f->buf.data + offset);
    f->limit = l->limit;
    f->count = l->count;
    f->at = 0;
    if (f->limit != (fs->block_size - offset) / sizeof(struct dx_entry))
        return "limit";
    if (f->count == 0 || f->count > f->limit)
        return "count";
    (void)dir;
    return NULL;
}

/* Takes the last entry of F's table whose hash is not above HASH.  */
static void frame_search(struct frame *f, uint32_t hash)
{
    uint32_t low = 0, high = f->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (f->table[middle].hash > hash)
            high = middle;
        else
            low = middle;
    }
    f->at = low;
}

static void path_put(struct ext2_fs *fs, struct path *path)
{
    while (path->depth)
        ext2_cache_put(fs, &path->frame[--path->depth].buf);
}

static bool block_is_sound(const struct ext2_fs *fs, const struct ext2_inode *dir, uint32_t lblock)
{
    return lblock != 0 && lblock < dir_blocks(fs, dir);
}

/* Gets the table of the second level that the first frame's entry names.  */
static error_t frame_get(struct ext2_fs *fs, struct ext2_inode *dir, struct path *path, enum index_state *state)
{
    struct frame *root = &path->frame[0], *f = &path->frame[1];
    uint32_t lblock = entry_block(root, root->at);
    if (!block_is_sound(fs, dir, lblock)) {
        index_damaged(fs, dir, &root->buf, "block", state);
        return EIO;
    }
    error_t err = ext2_map_get(fs, dir, lblock, &f->buf);
    if (err)
        return err;
    path->depth = 2;
    const char *wrong = frame_wrong(fs, dir, f, DX_NODE_OFFSET);
    if (!wrong)
        return 0;
    index_damaged(fs, dir, &f->buf, wrong, state);
    return EIO;
}

/* The way to the leaf for a name, and its hash; PATH is the caller's to put on success.  */
static error_t path_find(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, struct path *path,
                         uint32_t *hash, enum index_state *state)
{
    struct frame *root = &path->frame[0];
    path->depth = 0;
    *state = INDEX_GOOD;
    error_t err = ext2_map_get(fs, dir, 0, &root->buf);
    if (err)
        return err;
    path->depth = 1;
    const char *wrong = root_wrong(fs, &root->buf);
    if (!wrong)
        wrong = frame_wrong(fs, dir, root, DX_ROOT_OFFSET);
    if (wrong) {
        index_damaged(fs, dir, &root->buf, wrong, state);
        err = EIO;
    } else {
        const struct dx_info *info = (const void *)(root->buf.data + DX_INFO_OFFSET);
        path->version = info->hash_version + (fs->super.flags & SUPER_FL_UNSIGNED_HASH ? HASH_UNSIGNED : 0);
        *hash = name_hash(fs, path, name, length);
        frame_search(root, *hash);
        if (info->indirect_levels && !(err = frame_get(fs, dir, path, state)))
            frame_search(&path->frame[1], *hash);
    }
    if (!err && !block_is_sound(fs, dir, entry_block(&path->frame[path->depth - 1], path->frame[path->depth - 1].at))) {
        index_damaged(fs, dir, &path->frame[path->depth - 1].buf, "block", state);
        err = EIO;
    }
    if (err)
        path_put(fs, path);
    return err;
}

/* Goes on to the next leaf if names with HASH go on there.  */
static error_t path_next(struct ext2_fs *fs, struct ext2_inode *dir, struct path *path, uint32_t hash, bool *more,
                         enum index_state *state)
{
    struct frame *f = &path->frame[path->depth - 1], *root = &path->frame[0];
    *more = false;
    if (f->at + 1 < f->count) {
        f->at++;
        *more = entry_hash(f, f->at) == (hash | 1);
    } else if (path->depth == 2 && root->at + 1 < root->count) {
        root->at++;
        if (entry_hash(root, root->at) != (hash | 1))
            return 0;
        ext2_cache_put(fs, &f->buf);
        path->depth = 1;
        error_t err = frame_get(fs, dir, path, state);
        if (err)
            return err;
        *more = true;
    }
    f = &path->frame[path->depth - 1];
    if (*more && !block_is_sound(fs, dir, entry_block(f, f->at))) {
        index_damaged(fs, dir, &f->buf, "block", state);
        return EIO;
    }
    return 0;
}

/* ---- looking up ---------------------------------------------------------------------------------------------- */

error_t ext2_htree_lookup(struct ext2_fs *fs, struct ext2_inode *dir, struct dir_search *s, uint32_t *ino, bool *found,
                          enum index_state *state)
{
    struct path path;
    uint32_t hash;
    bool more = true, first = true;
    error_t err = path_find(fs, dir, s->name, s->length, &path, &hash, state);
    *found = false;
    if (err)
        return err;
    while (!err && more && !*found) {
        struct ext2_buf leaf;
        struct frame *f = &path.frame[path.depth - 1];
        uint32_t lblock = entry_block(f, f->at);
        err = ext2_map_get(fs, dir, lblock, &leaf);
        if (err)
            break;
        struct ext2_slot room = s->slot;
        err = ext2_dirblock_search(fs, dir, &leaf, lblock, s, found);
        if (!err && *found)
            *ino = dirent_at(&leaf, s->slot.offset)->inode;
        else if (!first)
            s->slot = room;             /* a new name goes into the first leaf, or splits it */
        ext2_cache_put(fs, &leaf);
        first = false;
        if (!err && !*found)
            err = path_next(fs, dir, &path, hash, &more, state);
    }
    path_put(fs, &path);
    return err;
}

/* ---- changing the tables --------------------------------------------------------------------- */

static void table_set_count(struct frame *f, uint32_t count)
{
    f->count = count;
    ((struct dx_limit *)(void *)f->table)->count = (uint16_t)count;
}

/* Puts (HASH, LBLOCK) behind the entry that was taken.  There is room.  */
static void table_insert(struct ext2_fs *fs, struct frame *f, uint32_t hash, uint32_t lblock)
{
    memmove(&f->table[f->at + 2], &f->table[f->at + 1], (f->count - f->at - 1) * sizeof(struct dx_entry));
    f->table[f->at + 1] = (struct dx_entry){ hash, lblock };
    table_set_count(f, f->count + 1);
    ext2_cache_dirty(fs, &f->buf, EXT2_ENTRY);
}

/* A new block of the second level with COUNT entries from TABLE.  */
static error_t node_create(struct ext2_fs *fs, struct ext2_inode *dir, const struct dx_entry *table, uint32_t count,
                           struct frame *node, uint32_t *lblock)
{
    error_t err = ext2_dir_grow(fs, dir, lblock, &node->buf);
    if (err)
        return err;
    dirent_at(&node->buf, 0)->rec_len = (uint16_t)fs->block_size;
    node->table = (struct dx_entry *)(void *)(node->buf.data + DX_NODE_OFFSET);
    memcpy(node->table, table, count * sizeof *table);
    node->limit = (fs->block_size - DX_NODE_OFFSET) / (uint32_t)sizeof(struct dx_entry);
    *(struct dx_limit *)(void *)node->table = (struct dx_limit){ (uint16_t)node->limit, (uint16_t)count };
    node->count = count;
    ext2_cache_dirty(fs, &node->buf, EXT2_ENTRY);
    return 0;
}

/* Makes room in the last table of PATH.  ENOSPC: no block to be had; *STATE INDEX_FULL: the format ends here.  */
static error_t path_make_room(struct ext2_fs *fs, struct ext2_inode *dir, struct path *path, enum index_state *state)
{
    struct frame *root = &path->frame[0], *f = &path->frame[path->depth - 1], node;
    uint32_t lblock;
    error_t err;
    if (f->count < f->limit)
        return 0;
    if (path->depth == 1) {                      /* all of the root's entries move down a level */
        err = node_create(fs, dir, root->table, root->count, &path->frame[1], &lblock);
        if (err)
            return err;
        path->frame[1].at = root->at;
        root->at = 0;
        root->table[0].block = lblock;
        table_set_count(root, 1);
        ((struct dx_info *)(void *)(root->buf.data + DX_INFO_OFFSET))->indirect_levels = 1;
        ext2_cache_dirty(fs, &root->buf, EXT2_ENTRY);
        path->depth = 2;
        return 0;
    }
    if (root->count >= root->limit) {
        *state = INDEX_FULL;
        return 0;
    }
    uint32_t half = f->count / 2, hash = f->table[half].hash;
    err = node_create(fs, dir, &f->table[half], f->count - half, &node, &lblock);
    if (err)
        return err;
    table_insert(fs, root, hash, lblock);
    table_set_count(f, half);
    ext2_cache_dirty(fs, &f->buf, EXT2_REMOVED);
    if (f->at >= half) {
        node.at = f->at - half;
        root->at++;
        ext2_cache_put(fs, &f->buf);
        *f = node;
    } else {
        ext2_cache_put(fs, &node.buf);
    }
    return 0;
}

/* ---- splitting a leaf ------------------------------------------------------------------------ */

struct moved { uint32_t hash; uint16_t offset, size; };

static int moved_compare(const void *a, const void *b)
{
    const struct moved *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (int)x->offset - (int)y->offset;
}

/* The entries in use of LEAF, sorted by hash: their number in *COUNT, their bytes in *BYTES.  */
static error_t leaf_list(struct ext2_fs *fs, struct ext2_inode *dir, const struct path *path,
                         const struct ext2_buf *leaf, uint32_t lblock, struct moved *list, uint32_t *count,
                         uint32_t *bytes)
{
    *count = *bytes = 0;
    for (uint32_t offset = 0; offset < fs->block_size;) {
        error_t err = ext2_dirent_check(fs, dir, leaf, lblock, offset);
        if (err)
            return err;
        const struct dir_entry *e = dirent_at(leaf, offset);
        if (e->inode) {
            list[*count] = (struct moved){name_hash(fs, path, e->name, e->name_len), (uint16_t)offset,
                                          (uint16_t)DIRENT_SIZE(e->name_len)};
            *bytes += list[(*count)++].size;
        }
        offset += e->rec_len;
    }
    qsort(list, *count, sizeof *list, moved_compare);
    return 0;
}

/* Packs the COUNT entries of LIST, which lie at FROM, into the block TO, the last one with all the room.  */
static void leaf_pack(const struct ext2_fs *fs, char *to, const char *from, const struct moved *list, uint32_t count)
{
    uint32_t at = 0, last = 0;
    memset(to, 0, fs->block_size);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(to + at, from + list[i].offset, list[i].size);
        ((struct dir_entry *)(void *)(to + at))->rec_len = list[i].size;
        last = at;
        at += list[i].size;
    }
    ((struct dir_entry *)(void *)(to + last))->rec_len = (uint16_t)(fs->block_size - last);
}

/* How many of the entries stay: those of the lower half, in bytes.  */
static uint32_t leaf_middle(const struct moved *list, uint32_t count, uint32_t bytes)
{
    uint32_t stay = 0, sum = 0;
    while (stay < count && sum + list[stay].size / 2 < bytes / 2)
        sum += list[stay++].size;
    return stay == 0 ? 1 : stay == count ? count - 1 : stay;
}

/* Names are going to move out of a block: those that moved in must be on the disk by then (cache.c).  What cannot be
   written stays dirty.  */
static void names_settle(struct ext2_fs *fs, const struct ext2_buf *buf)
{
    if (ext2_cache_is_awaited(fs, buf->block))
        (void)ext2_sync(fs, false, false);
}

/* Moves the upper half of LEAF (entries in LIST) to a new block, tells the index, and leaves in LEAF the half where a
   name of HASH goes.  */
static error_t leaf_split(struct ext2_fs *fs, struct ext2_inode *dir, struct path *path, struct ext2_buf *leaf,
                          uint32_t *lblock, const struct moved *list, uint32_t count, uint32_t bytes, uint32_t hash,
                          enum index_state *state)
{
    struct ext2_buf upper;
    uint32_t new_block, stay = leaf_middle(list, count, bytes);
    error_t err = path_make_room(fs, dir, path, state);
    if (err || *state != INDEX_GOOD)
        return err;
    names_settle(fs, leaf);
    char *copy = malloc(fs->block_size);
    err = copy ? ext2_dir_grow(fs, dir, &new_block, &upper) : ENOMEM;
    if (err) {
        free(copy);
        return err;
    }
    uint32_t from = list[stay].hash;
    memcpy(copy, leaf->data, fs->block_size);
    ext2_cache_change_begin(fs);
    leaf_pack(fs, upper.data, copy, list + stay, count - stay);
    ext2_cache_dirty(fs, &upper, EXT2_ENTRY);
    leaf_pack(fs, leaf->data, copy, list, stay);
    ext2_cache_dirty(fs, leaf, EXT2_REMOVED);
    ext2_cache_change_end(fs);
    free(copy);
    table_insert(fs, &path->frame[path->depth - 1], from | (list[stay - 1].hash == from), new_block);
    if (hash >= from) {
        struct ext2_buf lower = *leaf;
        *leaf = upper;
        upper = lower;
        *lblock = new_block;
    }
    ext2_cache_put(fs, &upper);
    return 0;
}

/* Makes room in LEAF by packing it, or by splitting it.  */
static error_t leaf_make_room(struct ext2_fs *fs, struct ext2_inode *dir, struct path *path, struct ext2_buf *leaf,
                              uint32_t *lblock, uint32_t need, uint32_t hash, enum index_state *state)
{
    uint32_t count, bytes;
    struct moved *list = malloc(fs->block_size / DIRENT_HEADER * sizeof *list);
    char *copy = NULL;
    error_t err = list ? leaf_list(fs, dir, path, leaf, *lblock, list, &count, &bytes) : ENOMEM;
    if (!err && (bytes + need <= fs->block_size || count < 2)) {
        copy = malloc(fs->block_size);
        err = copy ? 0 : ENOMEM;
        if (!err) {
            memcpy(copy, leaf->data, fs->block_size);
            leaf_pack(fs, leaf->data, copy, list, count);
            ext2_cache_dirty(fs, leaf, EXT2_ENTRY);
        }
    } else if (!err) {
        err = leaf_split(fs, dir, path, leaf, lblock, list, count, bytes, hash, state);
    }
    free(copy);
    free(list);
    return err;
}

error_t ext2_htree_enter(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t ino,
                         uint8_t type, enum index_state *state)
{
    struct path path;
    struct ext2_buf leaf;
    uint32_t hash;
    bool found;
    struct dir_search s = { name, length, DIRENT_SIZE(length), { .append = true } };
    error_t err = path_find(fs, dir, name, length, &path, &hash, state);
    if (err)
        return err;
    struct frame *f = &path.frame[path.depth - 1];
    uint32_t lblock = entry_block(f, f->at);
    err = ext2_map_get(fs, dir, lblock, &leaf);
    if (err) {
        path_put(fs, &path);
        return err;
    }
    err = ext2_dirblock_search(fs, dir, &leaf, lblock, &s, &found);
    if (!err && s.slot.append)
        err = leaf_make_room(fs, dir, &path, &leaf, &lblock, s.need, hash, state);
    if (!err && *state == INDEX_GOOD && s.slot.append)
        err = ext2_dirblock_search(fs, dir, &leaf, lblock, &s, &found);
    if (!err && *state == INDEX_GOOD)
        err = found ? EEXIST : s.slot.append ? EIO : ext2_dirblock_enter(fs, dir, &s.slot, name, length, ino, type);
    ext2_cache_put(fs, &leaf);
    path_put(fs, &path);
    return err;
}

/* ---- the first index ------------------------------------------------------------------------- */

/* Turns ROOT, a block that begins with "." and "..", into the root of an index with the one leaf LBLOCK.  */
static void root_make(struct ext2_fs *fs, struct ext2_buf *root, uint32_t lblock)
{
    dirent_at(root, DIRENT_SIZE(1))->rec_len = (uint16_t)(fs->block_size - DIRENT_SIZE(1));
    memset(root->data + DX_INFO_OFFSET, 0, fs->block_size - DX_INFO_OFFSET);
    struct dx_info *info = (void *)(root->data + DX_INFO_OFFSET);
    info->hash_version = fs->super.def_hash_version <= HASH_TEA ? fs->super.def_hash_version : HASH_HALF_MD4;
    info->info_length = sizeof *info;
    struct dx_entry *table = (void *)(root->data + DX_ROOT_OFFSET);
    *(struct dx_limit *)(void *)table = (struct dx_limit){(uint16_t)((fs->block_size - DX_ROOT_OFFSET) / sizeof *table),
                                                          1};
    table[0].block = lblock;
    ext2_cache_dirty(fs, root, EXT2_REMOVED);
}

/* Copies the entries of ROOT behind "." and ".." to LEAF, a block of zeros.  */
static void leaf_make(struct ext2_fs *fs, const struct ext2_buf *root, struct ext2_buf *leaf)
{
    uint32_t at = 0, last = 0;
    for (uint32_t offset = 0; offset < fs->block_size;) {
        const struct dir_entry *e = dirent_at(root, offset);
        if (e->inode && offset >= DX_INFO_OFFSET) {
            uint32_t size = DIRENT_SIZE(e->name_len);
            memcpy(leaf->data + at, e, size);
            dirent_at(leaf, at)->rec_len = (uint16_t)size;
            last = at;
            at += size;
        }
        offset += e->rec_len;
    }
    dirent_at(leaf, last)->rec_len = (uint16_t)(fs->block_size - last);
    ext2_cache_dirty(fs, leaf, EXT2_ENTRY);
}

error_t ext2_htree_create(struct ext2_fs *fs, struct ext2_inode *dir, bool *made)
{
    struct ext2_buf root, leaf;
    uint32_t lblock;
    *made = false;
    error_t err = ext2_map_get(fs, dir, 0, &root);
    if (err)
        return err;
    for (uint32_t offset = 0; offset < fs->block_size && !err; offset += dirent_at(&root, offset)->rec_len)
        err = ext2_dirent_check(fs, dir, &root, 0, offset);
    names_settle(fs, &root);
    const struct dir_entry *dot = dirent_at(&root, 0), *dotdot = dirent_at(&root, DIRENT_SIZE(1));
    if (!err && dot->inode && dot->rec_len == DIRENT_SIZE(1) && dot->name_len == 1 && dot->name[0] == '.' &&
        dotdot->inode && dotdot->name_len == 2 && !memcmp(dotdot->name, "..", 2) &&
        !(err = ext2_dir_grow(fs, dir, &lblock, &leaf))) {
        ext2_cache_change_begin(fs);
        leaf_make(fs, &root, &leaf);
        root_make(fs, &root, lblock);
        ext2_cache_change_end(fs);
        ext2_cache_put(fs, &leaf);
        dir->flags |= INODE_FL_INDEX;
        *made = true;
    }
    ext2_cache_put(fs, &root);
    return err;
}
