/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir: what the files that know directories share: entries in a block (dir.c), hashes (hash.c), the index on the disk
   (htree.c) and the one in memory (dindex.c).  Everything here needs the lock of the directory's node.  */

#ifndef EXT2FS_DIR_H
#define EXT2FS_DIR_H

#include "ext2.h"

static inline uint32_t dir_blocks(const struct ext2_fs *fs, const struct ext2_inode *dir)
{
    return (uint32_t)(dir->size >> fs->block_log);
}

/* ---- entries in a block (dir.c) ------------------------------------------------------------------------ */

static inline struct dir_entry *dirent_at(const struct ext2_buf *buf, uint32_t offset)
{
    return (struct dir_entry *)(void *)(buf->data + offset);
}

/* Bytes of free room behind (or in) an entry.  */
static inline uint32_t dirent_room(const struct dir_entry *e)
{
    return e->inode ? e->rec_len - DIRENT_SIZE(e->name_len) : e->rec_len;
}

/* What is wrong with the entry at OFFSET of a block, or NULL.  */
const char *ext2_dirent_wrong(const struct ext2_fs *fs, const struct ext2_buf *buf, uint32_t offset);
/* The same as an error: EIO after a line that names directory DIR, its file block LBLOCK and what.  */
error_t ext2_dirent_check(struct ext2_fs *fs, const struct ext2_inode *dir, const struct ext2_buf *buf, uint32_t lblock,
                          uint32_t offset);
/* Fills an entry in.  */
void ext2_dirent_fill(const struct ext2_fs *fs, struct dir_entry *e, uint32_t rec_len, const char *name, size_t length,
                      uint32_t ino, uint8_t type);

/* What a search wants and has found.  */
struct dir_search {
    const char *name;
    size_t length;
    uint32_t need;                 /* bytes for a new entry */
    struct ext2_slot slot;         /* the entry; else the first room, if `append` is false */
};
/* Looks through the block BUF: *FOUND, and slot says where.  EIO: damaged.  */
error_t ext2_dirblock_search(struct ext2_fs *fs, const struct ext2_inode *dir, const struct ext2_buf *buf,
                             uint32_t lblock, struct dir_search *s, bool *found);
/* Enters a name at the room that SLOT names.  EINVAL: there is none.  */
error_t ext2_dirblock_enter(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, const char *name,
                            size_t length, uint32_t ino, uint8_t type);
/* Sees to it that DIR's inode, as the cache has it, is written before names that were moved leave where they were: it
   would not be if another inode of its block has been deleted, or is going to be.  To be called before the inode
   changes, and again when it has.  */
void ext2_dir_inode_settle(struct ext2_fs *fs, const struct ext2_inode *dir);
/* A new block of zeros at the directory's end, which moves behind it; the inode is in the cache with it, settled, so
   that no order of writing can lose what is going to be moved there.  */
error_t ext2_dir_grow(struct ext2_fs *fs, struct ext2_inode *dir, uint32_t *lblock, struct ext2_buf *buf);

/* ---- hashes (hash.c) ---------------------------------------------------------------------------------- */

enum { HASH_LEGACY, HASH_HALF_MD4, HASH_TEA, HASH_UNSIGNED /* added to the others */ };
uint32_t ext2_dir_hash(unsigned int version, const uint32_t seed[4], const char *name, size_t length);

/* ---- the index on the disk (htree.c) --------------------------------------------------------------------- */

static inline bool dir_is_indexed(const struct ext2_fs *fs, const struct ext2_inode *dir)
{
    return dir->flags & INODE_FL_INDEX && fs->dir_index;
}

/* What became of a request to the index.  INDEX_DAMAGED has been reported; INDEX_FULL: no level is left to grow.  In
   both cases the caller goes on without the index.  */
enum index_state { INDEX_GOOD, INDEX_DAMAGED, INDEX_FULL };

/* As ext2_dir_lookup, by the index.  Not for "." and "..".  */
error_t ext2_htree_lookup(struct ext2_fs *fs, struct ext2_inode *dir, struct dir_search *s, uint32_t *ino, bool *found,
                          enum index_state *state);
/* Enters a name for which its leaf has no room.  ENOSPC, EIO: nothing was entered.  */
error_t ext2_htree_enter(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t ino,
                         uint8_t type, enum index_state *state);
/* Makes an indexed directory of a plain one of one block, with one leaf; *MADE false: it does not look like one,
   nothing was done.  */
error_t ext2_htree_create(struct ext2_fs *fs, struct ext2_inode *dir, bool *made);

/* Writes the directory anew, with an index (rebuild.c).  False: it could not be done (damage, no room), and nothing was
   changed.  */
bool ext2_htree_rebuild(struct ext2_fs *fs, struct ext2_inode *dir);

/* ---- the index in memory (dindex.c) ----------------------------------------------------------------------- */

/* Built for plain directories of more than a few blocks by reading them once.  NULL in *INDEX: the directory is small,
   there was no memory, or it is damaged (the search block by block will say so).  Lives in DIR until
   ext2_dindex_drop.  */
struct ext2_dindex *ext2_dindex_get(struct ext2_fs *fs, struct ext2_inode *dir);
/* The next block, behind *CURSOR (0 at first), that may have a name with HASH; false: no more.  */
bool ext2_dindex_next(const struct ext2_dindex *index, uint32_t hash, uint32_t *cursor, uint32_t *lblock);
/* A block with room for NEED bytes in a row; false: none.  */
bool ext2_dindex_room(const struct ext2_dindex *index, uint32_t need, uint32_t *lblock);
uint32_t ext2_dindex_hash(const char *name, size_t length);
/* A name was entered into, or removed from, file block LBLOCK, which is BUF.  Drops the index if there is no
   memory.  */
void ext2_dindex_entered(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t lblock,
                         const struct ext2_buf *buf);
void ext2_dindex_removed(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t lblock,
                         const struct ext2_buf *buf);

#endif /* EXT2FS_DIR_H */
