/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir: directories as rows of entries.  Every entry that is looked at is checked first; a damaged block costs the call EIO and nothing
   else.  A hash index (dir_index) is left alone as long as entries are only removed or rewritten; entering a name takes the index's flag away,
   which turns the directory into an ordinary one: the index's blocks look like free space in it.  */

#include "ext2.h"

#include <string.h>

static uint32_t dir_blocks(const struct ext2_fs *fs, const struct ext2_inode *dir)
{
    return (uint32_t)(dir->size >> fs->block_log);
}

static struct dir_entry *entry_at(const struct ext2_buf *buf, uint32_t offset)
{
    return (struct dir_entry *)(void *)(buf->data + offset);
}

/* Checks the entry at OFFSET of file block LBLOCK.  */
static error_t entry_check(struct ext2_fs *fs, const struct ext2_inode *dir, const struct ext2_buf *buf, uint32_t lblock, uint32_t offset)
{
    const struct dir_entry *e = entry_at(buf, offset);
    const char *what = NULL;
    if (fs->block_size - offset < DIRENT_HEADER || e->rec_len < DIRENT_HEADER || e->rec_len % 4 || e->rec_len > fs->block_size - offset)
        what = "rec_len";
    else if (DIRENT_SIZE(e->name_len) > e->rec_len)
        what = "name_len";
    else if (e->inode > fs->inodes)
        what = "inode";
    return what ? ext2_damage(fs, "directory %u: block %u (file block %u): damaged entry at %u (%s)", dir->ino, buf->block, lblock,
                              offset, what)
                : 0;
}

/* Bytes of free room behind (or in) an entry.  */
static uint32_t entry_room(const struct dir_entry *e)
{
    return e->inode ? e->rec_len - DIRENT_SIZE(e->name_len) : e->rec_len;
}

/* ---- looking up ------------------------------------------------------------------------------------ */

/* What a search wants and has found.  */
struct search {
    const char *name;
    size_t length;
    uint32_t need;                 /* bytes for a new entry */
    struct ext2_slot slot;         /* first room, if append is false */
};

/* Looks through one block: true when the name was found at *OFFSET.  */
static error_t block_search(struct ext2_fs *fs, struct ext2_inode *dir, struct ext2_buf *buf, uint32_t lblock, struct search *s, bool *found)
{
    uint32_t previous = 0;
    *found = false;
    for (uint32_t offset = 0; offset < fs->block_size;) {
        error_t err = entry_check(fs, dir, buf, lblock, offset);
        if (err)
            return err;
        const struct dir_entry *e = entry_at(buf, offset);
        if (e->name_len == s->length && e->inode && !memcmp(e->name, s->name, s->length)) {
            s->slot = (struct ext2_slot){ lblock, offset, previous, true, false };
            *found = true;
            return 0;
        }
        if (s->slot.append && entry_room(e) >= s->need)
            s->slot = (struct ext2_slot){ lblock, offset, previous, false, false };
        previous = offset;
        offset += e->rec_len;
    }
    return 0;
}

error_t ext2_dir_lookup(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t *ino, struct ext2_slot *slot)
{
    uint32_t blocks = dir_blocks(fs, dir);
    struct search s = { name, length, DIRENT_SIZE(length), { blocks, 0, 0, false, true } };
    bool found = false;
    if (length == 0 || length > DIRENT_NAME_MAX)
        return length ? ENAMETOOLONG : ENOENT;
    for (uint32_t lblock = 0; lblock < blocks; lblock++) {
        struct ext2_buf buf;
        error_t err = ext2_map_get(fs, dir, lblock, &buf);
        if (err)
            return err;
        err = block_search(fs, dir, &buf, lblock, &s, &found);
        if (!err && found)
            *ino = entry_at(&buf, s.slot.offset)->inode;
        ext2_cache_put(fs, &buf);
        if (err)
            return err;
        if (found)
            break;
    }
    if (slot)
        *slot = s.slot;
    return found ? 0 : ENOENT;
}

/* ---- changing ----------------------------------------------------------------------------------------- */

static void entry_fill(struct ext2_fs *fs, struct dir_entry *e, uint32_t rec_len, const char *name, size_t length, uint32_t ino, uint8_t type)
{
    e->inode = ino;
    e->rec_len = (uint16_t)rec_len;
    e->name_len = (uint8_t)length;
    e->file_type = fs->filetype ? type : 0;
    memcpy(e->name, name, length);
}

static error_t dir_append(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t ino, uint8_t type)
{
    struct ext2_buf buf;
    pthread_mutex_lock(&dir->map_lock);
    error_t err = ext2_map_append(fs, dir, dir->size >> fs->block_log, &buf);
    if (!err)
        dir->size += fs->block_size;
    pthread_mutex_unlock(&dir->map_lock);
    if (err)
        return err;
    entry_fill(fs, entry_at(&buf, 0), fs->block_size, name, length, ino, type);
    ext2_cache_dirty(fs, &buf);
    ext2_cache_put(fs, &buf);
    return 0;
}

error_t ext2_dir_enter(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t ino, uint8_t type,
                       const struct ext2_slot *slot)
{
    if (slot->found || length == 0 || length > DIRENT_NAME_MAX)
        return EINVAL;
    dir->flags &= ~INODE_FL_INDEX;
    if (slot->append)
        return dir_append(fs, dir, name, length, ino, type);
    struct ext2_buf buf;
    error_t err = ext2_map_get(fs, dir, slot->block, &buf);
    if (err)
        return err;
    err = entry_check(fs, dir, &buf, slot->block, slot->offset);
    struct dir_entry *e = entry_at(&buf, slot->offset);
    if (!err && entry_room(e) < DIRENT_SIZE(length))
        err = EINVAL;
    if (!err) {
        uint32_t rec_len = e->rec_len;
        if (e->inode) {
            e->rec_len = (uint16_t)DIRENT_SIZE(e->name_len);
            rec_len -= e->rec_len;
            e = entry_at(&buf, slot->offset + e->rec_len);
        }
        entry_fill(fs, e, rec_len, name, length, ino, type);
        ext2_cache_dirty(fs, &buf);
    }
    ext2_cache_put(fs, &buf);
    return err;
}

/* The block of the entry that SLOT found, checked.  */
static error_t slot_get(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, struct ext2_buf *buf)
{
    if (!slot->found)
        return EINVAL;
    error_t err = ext2_map_get(fs, dir, slot->block, buf);
    if (err)
        return err;
    err = entry_check(fs, dir, buf, slot->block, slot->offset);
    if (!err && slot->previous != slot->offset)
        err = entry_check(fs, dir, buf, slot->block, slot->previous);
    if (err)
        ext2_cache_put(fs, buf);
    return err;
}

error_t ext2_dir_remove(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot)
{
    struct ext2_buf buf;
    error_t err = slot_get(fs, dir, slot, &buf);
    if (err)
        return err;
    struct dir_entry *e = entry_at(&buf, slot->offset), *before = entry_at(&buf, slot->previous);
    if (slot->offset != slot->previous && slot->previous + before->rec_len == slot->offset)
        before->rec_len = (uint16_t)(before->rec_len + e->rec_len);
    e->inode = 0;
    ext2_cache_dirty(fs, &buf);
    ext2_cache_put(fs, &buf);
    return 0;
}

error_t ext2_dir_rewrite(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, uint32_t ino, uint8_t type)
{
    struct ext2_buf buf;
    error_t err = slot_get(fs, dir, slot, &buf);
    if (err)
        return err;
    struct dir_entry *e = entry_at(&buf, slot->offset);
    e->inode = ino;
    if (fs->filetype)
        e->file_type = type;
    ext2_cache_dirty(fs, &buf);
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
static error_t block_iterate(struct ext2_fs *fs, struct ext2_inode *dir, struct ext2_buf *buf, uint32_t lblock, uint64_t *cookie,
                             ext2_dir_emit_t emit, void *arg, bool *go)
{
    uint64_t base = (uint64_t)lblock << fs->block_log;
    for (uint32_t offset = 0; offset < fs->block_size && *go;) {
        error_t err = entry_check(fs, dir, buf, lblock, offset);
        if (err)
            return err;
        const struct dir_entry *e = entry_at(buf, offset);
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
