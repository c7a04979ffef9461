/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir: directories as rows of entries.  Every entry that is looked at is checked first; a damaged block costs the call
   EIO and nothing else.

   A name is found in one of three ways: by the index on the disk (htree.c); in larger directories that have none, by an
   index in memory (dindex.c); else from end to end.  On a file system with dir_index a directory gets its index when it
   needs a second block, and keeps it until it is found damaged or can grow no further; then it is an ordinary
   directory, and the index's blocks are free space in it.  When such a directory needs a block more, it is written anew
   with an index (rebuild.c), if that can be.  */

#include "dir.h"

#include <string.h>

#define DAMAGED_MAX 8u           /* blocks of a directory that one search reports before it gives up */

/* What this thread entered last, and where: when it removes a name of the same inode next, that is a rename.  */
static _Thread_local struct { uint32_t ino, block; } entered;

/* A name of INO was entered into BLOCK, which is dirty: who removes another one of that file has to know.  */
static void entered_note(struct ext2_fs *fs, uint32_t ino, uint32_t block)
{
    entered.ino = ino;
    entered.block = block;
    ext2_links_note(fs, ino, block);
}

/* ---- entries in a block --------------------------------------------------------------------------- */

const char *ext2_dirent_wrong(const struct ext2_fs *fs, const struct ext2_buf *buf, uint32_t offset)
{
    const struct dir_entry *e = dirent_at(buf, offset);
    if (fs->block_size - offset < DIRENT_HEADER || e->rec_len < DIRENT_HEADER || e->rec_len % 4 ||
        e->rec_len > fs->block_size - offset)
        return "rec_len";
    if (DIRENT_SIZE(e->name_len) > e->rec_len)
        return "name_len";
    return e->inode > fs->inodes ? "inode" : NULL;
}

error_t ext2_dirent_check(struct ext2_fs *fs, const struct ext2_inode *dir, const struct ext2_buf *buf, uint32_t lblock,
                          uint32_t offset)
{
    const char *what = ext2_dirent_wrong(fs, buf, offset);
    return what ? ext2_damage(fs, "directory %u: block %u (file block %u): damaged entry at %u (%s)", dir->ino,
                              buf->block, lblock, offset, what)
                : 0;
}

void ext2_dirent_fill(const struct ext2_fs *fs, struct dir_entry *e, uint32_t rec_len, const char *name, size_t length,
                      uint32_t ino, uint8_t type)
{
    e->inode = ino;
    e->rec_len = (uint16_t)rec_len;
    e->name_len = (uint8_t)length;
    e->file_type = fs->filetype ? type : 0;
    memcpy(e->name, name, length);
}

error_t ext2_dirblock_search(struct ext2_fs *fs, const struct ext2_inode *dir, const struct ext2_buf *buf,
                             uint32_t lblock, struct dir_search *s, bool *found)
{
    uint32_t previous = 0;
    *found = false;
    for (uint32_t offset = 0; offset < fs->block_size;) {
        const struct dir_entry *e = dirent_at(buf, offset);
        if (ext2_dirent_wrong(fs, buf, offset))
            return ext2_dirent_check(fs, dir, buf, lblock, offset);
        if (e->name_len == s->length && e->inode && !memcmp(e->name, s->name, s->length)) {
            s->slot = (struct ext2_slot){ lblock, offset, previous, true, false };
            *found = true;
            return 0;
        }
        if (s->slot.append && dirent_room(e) >= s->need)
            s->slot = (struct ext2_slot){ lblock, offset, previous, false, false };
        previous = offset;
        offset += e->rec_len;
    }
    return 0;
}

error_t ext2_dirblock_enter(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, const char *name,
                            size_t length, uint32_t ino, uint8_t type)
{
    struct ext2_buf buf;
    error_t err = ext2_map_get(fs, dir, slot->block, &buf);
    if (err)
        return err;
    err = slot->offset < fs->block_size ? ext2_dirent_check(fs, dir, &buf, slot->block, slot->offset) : EINVAL;
    struct dir_entry *e = dirent_at(&buf, slot->offset);
    if (!err && dirent_room(e) < DIRENT_SIZE(length))
        err = EINVAL;
    if (!err) {
        uint32_t rec_len = e->rec_len;
        if (e->inode) {
            e->rec_len = (uint16_t)DIRENT_SIZE(e->name_len);
            rec_len -= e->rec_len;
            e = dirent_at(&buf, slot->offset + e->rec_len);
        }
        ext2_dirent_fill(fs, e, rec_len, name, length, ino, type);
        ext2_cache_dirty(fs, &buf, EXT2_ENTRY);
        entered_note(fs, ino, buf.block);
        ext2_dindex_entered(fs, dir, name, length, slot->block, &buf);
    }
    ext2_cache_put(fs, &buf);
    return err;
}

/* ---- looking up ------------------------------------------------------------------------------------ */

/* Looks into file block LBLOCK.  */
static error_t block_lookup(struct ext2_fs *fs, struct ext2_inode *dir, uint32_t lblock, struct dir_search *s,
                            uint32_t *ino, bool *found)
{
    struct ext2_buf buf;
    error_t err = ext2_map_get(fs, dir, lblock, &buf);
    if (err)
        return err;
    err = ext2_dirblock_search(fs, dir, &buf, lblock, s, found);
    if (!err && *found)
        *ino = dirent_at(&buf, s->slot.offset)->inode;
    ext2_cache_put(fs, &buf);
    return err;
}

/* From end to end.  A damaged block hides what it has; the names of the others are found.  */
static error_t plain_lookup(struct ext2_fs *fs, struct ext2_inode *dir, struct dir_search *s, uint32_t *ino,
                            bool *found)
{
    error_t err = 0;
    uint32_t blocks = dir_blocks(fs, dir), damaged = 0;
    for (uint32_t lblock = 0; lblock < blocks && !*found; lblock++) {
        error_t e = block_lookup(fs, dir, lblock, s, ino, found);
        err = err ? err : e;
        if (e && ++damaged > DAMAGED_MAX)
            break;
    }
    return *found ? 0 : err;
}

/* By the index in memory.  */
static error_t dindex_lookup(struct ext2_fs *fs, struct ext2_inode *dir, struct dir_search *s, uint32_t *ino,
                             bool *found)
{
    uint32_t cursor = 0, lblock, hash = ext2_dindex_hash(s->name, s->length);
    error_t err = 0;
    while (!err && !*found && ext2_dindex_next(dir->dindex, hash, &cursor, &lblock))
        err = block_lookup(fs, dir, lblock, s, ino, found);
    if (!err && !*found && s->slot.append && ext2_dindex_room(dir->dindex, s->need, &lblock))
        err = block_lookup(fs, dir, lblock, s, ino, found);
    return err;
}

static bool name_is_dot(const char *name, size_t length)
{
    return length <= 2 && name[0] == '.' && name[length - 1] == '.';
}

error_t ext2_dir_lookup(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t *ino,
                        struct ext2_slot *slot)
{
    struct dir_search s = {name,
                           length,
                           slot ? DIRENT_SIZE(length) : UINT32_MAX,
                           {dir_blocks(fs, dir), 0, 0, false, true}};
    struct ext2_slot none = s.slot;
    enum index_state state = INDEX_DAMAGED;
    bool found = false;
    error_t err = 0;
    if (length == 0 || length > DIRENT_NAME_MAX)
        return length ? ENAMETOOLONG : ENOENT;
    if (dir_is_indexed(fs, dir)) {
        if (name_is_dot(name, length)) {
            state = INDEX_GOOD;
            err = block_lookup(fs, dir, 0, &s, ino, &found);
        } else {
            err = ext2_htree_lookup(fs, dir, &s, ino, &found, &state);
        }
    }
    if (state != INDEX_GOOD) {
        s.slot = none;
        err = ext2_dindex_get(fs, dir) ? dindex_lookup(fs, dir, &s, ino, &found)
                                       : plain_lookup(fs, dir, &s, ino, &found);
    }
    if (slot)
        *slot = s.slot;
    return err ? err : found ? 0 : ENOENT;
}

/* ---- changing ----------------------------------------------------------------------------------------- */

void ext2_dir_inode_settle(struct ext2_fs *fs, const struct ext2_inode *dir)
{
    struct ext2_buf buf;
    struct disk_inode *raw;
    if (ext2_inode_get_raw(fs, dir->ino, &buf, &raw))
        return;
    for (int tries = 0; !ext2_cache_await_inode(fs, buf.block) && tries < 2; tries++)
        (void)ext2_sync(fs, true, false);
    ext2_cache_put(fs, &buf);
}

error_t ext2_dir_grow(struct ext2_fs *fs, struct ext2_inode *dir, uint32_t *lblock, struct ext2_buf *buf)
{
    ext2_dir_inode_settle(fs, dir);
    pthread_mutex_lock(&dir->map_lock);
    *lblock = dir_blocks(fs, dir);
    error_t err = dir->size >= (uint64_t)INT32_MAX ? EFBIG : ext2_map_append(fs, dir, *lblock, buf);
    if (!err)
        dir->size += fs->block_size;
    pthread_mutex_unlock(&dir->map_lock);
    if (!err && dir->links && (err = ext2_inode_write(fs, dir)) != 0) {
        ext2_cache_put(fs, buf);
        dir->size -= fs->block_size;
    }
    if (!err)
        ext2_dir_inode_settle(fs, dir);
    if (err) {                                       /* the block may be in the map already */
        pthread_mutex_lock(&dir->map_lock);
        (void)ext2_map_truncate(fs, dir, *lblock);
        pthread_mutex_unlock(&dir->map_lock);
    }
    return err;
}

static error_t dir_append(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t ino,
                          uint8_t type)
{
    struct ext2_buf buf;
    uint32_t lblock;
    error_t err = ext2_dir_grow(fs, dir, &lblock, &buf);
    if (err)
        return err;
    ext2_dirent_fill(fs, dirent_at(&buf, 0), fs->block_size, name, length, ino, type);
    ext2_cache_dirty(fs, &buf, EXT2_ENTRY);
    entered_note(fs, ino, buf.block);
    ext2_dindex_entered(fs, dir, name, length, lblock, &buf);
    ext2_cache_put(fs, &buf);
    return 0;
}

/* Enters a name that found no room in its block.  */
static error_t dir_enter_grow(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t ino,
                              uint8_t type)
{
    enum index_state state;
    bool indexed = dir_is_indexed(fs, dir);
    error_t err = 0;
    if (!indexed && fs->dir_index && dir_blocks(fs, dir) == 1)
        err = ext2_htree_create(fs, dir, &indexed);
    if (!err && !indexed && fs->dir_index && dir_blocks(fs, dir) > 1 && !dir->rebuild_bad) {
        indexed = ext2_htree_rebuild(fs, dir);
        dir->rebuild_bad = !indexed;
    }
    if (err || !indexed)
        return err ? err : dir_append(fs, dir, name, length, ino, type);
    err = ext2_htree_enter(fs, dir, name, length, ino, type, &state);
    if (state == INDEX_GOOD)
        return err;
    dir->flags &= ~INODE_FL_INDEX;
    dir->rebuild_bad |= state == INDEX_FULL;
    return dir_append(fs, dir, name, length, ino, type);
}

error_t ext2_dir_enter(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t ino,
                       uint8_t type, const struct ext2_slot *slot)
{
    if (!fs->writable)
        return EROFS;
    if (slot->found || length == 0 || length > DIRENT_NAME_MAX || ino == 0 || ino > fs->inodes)
        return EINVAL;
    if (!fs->dir_index)
        dir->flags &= ~INODE_FL_INDEX;
    if (slot->append)
        return dir_enter_grow(fs, dir, name, length, ino, type);
    return ext2_dirblock_enter(fs, dir, slot, name, length, ino, type);
}

/* The block of the entry that SLOT found, checked.  */
static error_t slot_get(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, struct ext2_buf *buf)
{
    if (!fs->writable)
        return EROFS;
    if (!slot->found)
        return EINVAL;
    error_t err = ext2_map_get(fs, dir, slot->block, buf);
    if (err)
        return err;
    err = ext2_dirent_check(fs, dir, buf, slot->block, slot->offset);
    if (!err && slot->previous != slot->offset)
        err = ext2_dirent_check(fs, dir, buf, slot->block, slot->previous);
    if (err)
        ext2_cache_put(fs, buf);
    return err;
}

error_t ext2_dir_entry(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, uint32_t *ino)
{
    struct ext2_buf buf;
    error_t err = slot_get(fs, dir, slot, &buf);
    if (err)
        return err;
    *ino = dirent_at(&buf, slot->offset)->inode;
    ext2_cache_put(fs, &buf);
    return 0;
}

/* Where a name of INO was entered lately, if it was and another one is to leave the block HERE: 0 otherwise.  */
static uint32_t moved_to(struct ext2_fs *fs, uint32_t ino, uint32_t here)
{
    uint32_t block;
    if (entered.ino == ino)                          /* a rename */
        return entered.block != here ? entered.block : 0;
    if (!ext2_links_find(fs, ino, &block))
        return 0;
    if (block == 0)                                  /* several names: all of them are there afterwards */
        (void)ext2_sync(fs, true, false);
    return block != here ? block : 0;
}

/* A name of INO is going to leave BUF, and another one was entered into block TO, which must be on the disk first.
   ext2_cache_change_end follows.  */
static void move_begin(struct ext2_fs *fs, uint32_t ino, uint32_t to, const struct ext2_buf *buf)
{
    bool old = ext2_inode_is_old(fs, ino);
    ext2_cache_change_begin(fs);
    for (int tries = 0; old && !ext2_cache_await(fs, to, buf->block) && tries < 2; tries++) {
        ext2_cache_change_end(fs);
        (void)ext2_sync(fs, true, false);        /* what cannot be written stays dirty: the next sync says so */
        ext2_cache_change_begin(fs);
    }
}

error_t ext2_dir_remove(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot)
{
    struct ext2_buf buf;
    error_t err = slot_get(fs, dir, slot, &buf);
    if (err)
        return err;
    struct dir_entry *e = dirent_at(&buf, slot->offset), *before = dirent_at(&buf, slot->previous);
    uint32_t moved = moved_to(fs, e->inode, buf.block);
    if (moved)
        move_begin(fs, e->inode, moved, &buf);
    entered.ino = 0;
    if (slot->offset != slot->previous && slot->previous + before->rec_len == slot->offset)
        before->rec_len = (uint16_t)(before->rec_len + e->rec_len);
    e->inode = 0;
    ext2_cache_dirty(fs, &buf, moved ? EXT2_REMOVED : EXT2_ENTRY);
    if (moved)
        ext2_cache_change_end(fs);
    if (dir->dindex) {
        char name[DIRENT_NAME_MAX];
        memcpy(name, e->name, e->name_len);
        ext2_dindex_removed(fs, dir, name, e->name_len, slot->block, &buf);
    }
    ext2_cache_put(fs, &buf);
    return 0;
}

/* A name that stands for something on the disk is going to stand for INO.  If that is new it must be there first, lest
   the name stand for nothing.  */
static void inode_settle(struct ext2_fs *fs, uint32_t ino)
{
    struct ext2_buf buf;
    struct disk_inode *raw;
    if (ext2_inode_is_old(fs, ino) || ext2_inode_get_raw(fs, ino, &buf, &raw))
        return;
    for (int tries = 0; !ext2_cache_await_inode(fs, buf.block) && tries < 2; tries++)
        (void)ext2_sync(fs, false, false);
    ext2_cache_put(fs, &buf);
}

error_t ext2_dir_rewrite(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, uint32_t ino,
                         uint8_t type)
{
    struct ext2_buf buf;
    error_t err = slot_get(fs, dir, slot, &buf);
    if (err)
        return err;
    inode_settle(fs, ino);
    struct dir_entry *e = dirent_at(&buf, slot->offset);
    e->inode = ino;
    if (fs->filetype)
        e->file_type = type;
    ext2_cache_dirty(fs, &buf, EXT2_ENTRY);
    if (!name_is_dot(e->name, e->name_len))
        entered_note(fs, ino, buf.block);
    ext2_cache_put(fs, &buf);
    return 0;
}

error_t ext2_dir_init(struct ext2_fs *fs, struct ext2_inode *dir, uint32_t parent)
{
    error_t err = dir_append(fs, dir, ".", 1, dir->ino, FT_DIR);
    if (err)
        return err;
    struct ext2_slot slot = { 0, 0, 0, false, false };
    return ext2_dir_enter(fs, dir, "..", 2, parent, FT_DIR, &slot);
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

/* Gives the entries of one block from byte FROM on; false in *GO when EMIT had enough.  */
static error_t block_iterate(struct ext2_fs *fs, struct ext2_inode *dir, struct ext2_buf *buf, uint32_t lblock,
                             uint64_t *cookie, ext2_dir_emit_t emit, void *arg, bool *go)
{
    uint64_t base = (uint64_t)lblock << fs->block_log;
    for (uint32_t offset = 0; offset < fs->block_size && *go;) {
        error_t err = ext2_dirent_check(fs, dir, buf, lblock, offset);
        if (err)
            return err;
        const struct dir_entry *e = dirent_at(buf, offset);
        uint64_t next = base + offset + e->rec_len;
        if (e->inode && base + offset >= *cookie) {
            *go = emit(arg, e->inode, fs->filetype ? e->file_type : (uint8_t)FT_UNKNOWN, e->name, e->name_len, next);
            if (*go)
                *cookie = next;
        }
        offset += e->rec_len;
    }
    return 0;
}

error_t ext2_dir_iterate(struct ext2_fs *fs, struct ext2_inode *dir, uint64_t *cookie, ext2_dir_emit_t emit, void *arg)
{
    bool go = true;
    uint32_t blocks = dir_blocks(fs, dir);
    if (*cookie >> fs->block_log >= blocks)
        return 0;
    for (uint32_t lblock = (uint32_t)(*cookie >> fs->block_log); lblock < blocks && go; lblock++) {
        struct ext2_buf buf;
        error_t err = ext2_map_get(fs, dir, lblock, &buf);
        if (err)
            return err;
        err = block_iterate(fs, dir, &buf, lblock, cookie, emit, arg, &go);
        ext2_cache_put(fs, &buf);
        if (err)
            return err;
    }
    return 0;
}

static bool emit_is_dot(void *arg, uint32_t ino, uint8_t type, const char *name, size_t length, uint64_t next)
{
    (void)ino, (void)type, (void)next;
    bool dot = (length == 1 || length == 2) && name[0] == '.' && name[length - 1] == '.';
    *(bool *)arg = dot;
    return dot;
}

error_t ext2_dir_check_empty(struct ext2_fs *fs, struct ext2_inode *dir)
{
    uint64_t cookie = 0;
    bool empty = true;
    error_t err = ext2_dir_iterate(fs, dir, &cookie, emit_is_dot, &empty);
    return err ? err : empty ? 0 : ENOTEMPTY;
}
