/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entry: directories as lib/diskfs wants them.  */

#include "ext2fs.h"

#include <dirent.h>
#include <string.h>

_Static_assert(sizeof(struct ext2_slot) <= sizeof(struct diskfs_slot), "a slot fits");

static struct ext2_inode *inode_of(struct diskfs_node *dir)
{
    return &ext2_node(dir)->inode;
}

static uint8_t type_to_disk(int type)
{
    switch (type) {
    case DT_REG: return FT_REG;
    case DT_DIR: return FT_DIR;
    case DT_CHR: return FT_CHR;
    case DT_BLK: return FT_BLK;
    case DT_FIFO: return FT_FIFO;
    case DT_SOCK: return FT_SOCK;
    case DT_LNK: return FT_LNK;
    default: return FT_UNKNOWN;
    }
}

static int type_from_disk(uint8_t type)
{
    static const uint8_t types[FT_MAX] = {
        [FT_UNKNOWN] = DT_UNKNOWN, [FT_REG] = DT_REG, [FT_DIR] = DT_DIR, [FT_CHR] = DT_CHR,
        [FT_BLK] = DT_BLK, [FT_FIFO] = DT_FIFO, [FT_SOCK] = DT_SOCK, [FT_LNK] = DT_LNK,
    };
    return type < FT_MAX ? types[type] : DT_UNKNOWN;
}

/* After a change: what the library shows of the directory's size.  */
static void dir_changed(struct diskfs_node *dir)
{
    dir->stat.st_size = (off_t)inode_of(dir)->size;
    dir->stat.st_blocks = (blkcnt_t)inode_of(dir)->sectors;
    diskfs_node_mark_dirty(dir);
}

error_t ext2fs_dir_lookup(struct diskfs_node *dir, const char *name, size_t length, ino_t *ino,
                          struct diskfs_slot *slot)
{
    struct ext2_slot s;
    uint32_t number;
    error_t err = ext2_dir_lookup(ext2fs, inode_of(dir), name, length, &number, slot ? &s : NULL);
    if (!err)
        *ino = number;
    if (slot && (!err || err == ENOENT))
        memcpy(slot, &s, sizeof s);
    return err;
}

/* Whether attributes of the file INO forbid that it gets or loses a name.  */
static error_t file_flags_check(uint32_t ino)
{
    struct ext2_buf buf;
    struct disk_inode *raw;
    bool kept;
    struct diskfs_node *node = diskfs_node_peek(ino);        /* whoever changes its names has it */
    if (node) {
        kept = node->stat.st_flags & (SF_IMMUTABLE | SF_APPEND);
        diskfs_node_deref(node);
    } else {
        error_t err = ext2_inode_get_raw(ext2fs, ino, &buf, &raw);
        if (err)
            return err == ESTALE ? 0 : err;                  /* a damaged entry may go */
        kept = raw->flags & (INODE_FL_IMMUTABLE | INODE_FL_APPEND);
        ext2_cache_put(ext2fs, &buf);
    }
    return kept ? EPERM : 0;
}

/* Whether attributes of DIR, and of the file whose entry SLOT is, forbid that the entry goes or names another file.  */
static error_t entry_flags_check(struct diskfs_node *dir, const struct ext2_slot *slot)
{
    uint32_t ino;
    error_t err = ext2fs_flags_check(ext2_node(dir), false);
    if (!err)
        err = ext2_dir_entry(ext2fs, inode_of(dir), slot, &ino);
    return err ? err : file_flags_check(ino);
}

error_t ext2fs_dir_enter(struct diskfs_node *dir, const char *name, size_t length, ino_t ino, int type,
                         struct diskfs_slot *slot)
{
    struct ext2_slot s;
    struct ext2_node *n = ext2_node(dir);
    memcpy(&s, slot, sizeof s);
    error_t err = ext2fs_flags_check(n, true);
    if (!err)
        err = file_flags_check((uint32_t)ino);
    if (err)
        return err;
    err = ext2_dir_enter(ext2fs, inode_of(dir), name, length, (uint32_t)ino, type_to_disk(type), &s);
    dir_changed(dir);
    if (ext2fs->dir_nlink && dir->stat.st_nlink > LINKS_MAX - 100) {
        n->many_links = true;
        dir->stat.st_nlink = LINKS_MANY;
    }
    return err;
}

error_t ext2fs_dir_remove(struct diskfs_node *dir, struct diskfs_slot *slot)
{
    struct ext2_slot s;
    memcpy(&s, slot, sizeof s);
    error_t err = entry_flags_check(dir, &s);
    return err ? err : ext2_dir_remove(ext2fs, inode_of(dir), &s);
}

error_t ext2fs_dir_rewrite(struct diskfs_node *dir, struct diskfs_slot *slot, ino_t ino, int type)
{
    struct ext2_slot s;
    memcpy(&s, slot, sizeof s);
    error_t err = entry_flags_check(dir, &s);
    return err ? err : ext2_dir_rewrite(ext2fs, inode_of(dir), &s, (uint32_t)ino, type_to_disk(type));
}

error_t ext2fs_dir_init(struct diskfs_node *dir, ino_t parent)
{
    inode_of(dir)->mode = (uint16_t)dir->stat.st_mode;
    error_t err = ext2_dir_init(ext2fs, inode_of(dir), (uint32_t)parent);
    dir_changed(dir);
    return err;
}

error_t ext2fs_dir_check_empty(struct diskfs_node *dir)
{
    return ext2_dir_check_empty(ext2fs, inode_of(dir));
}

struct emit { diskfs_emit_t emit; void *arg; struct diskfs_cursor *cursor; };

static bool emit_one(void *arg, uint32_t ino, uint8_t type, const char *name, size_t length, uint64_t next)
{
    struct emit *e = arg;
    (void)next;
    if (!e->emit(e->arg, ino, type_from_disk(type), name, length))
        return false;
    e->cursor->entry++;
    return true;
}

error_t ext2fs_dir_iterate(struct diskfs_node *dir, struct diskfs_cursor *cursor, diskfs_emit_t emit, void *arg)
{
    struct emit e = { emit, arg, cursor };
    return ext2_dir_iterate(ext2fs, inode_of(dir), &cursor->cookie, emit_one, &e);
}
