/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext2: the format layer of ext2fs.  Works on a store and knows no message, no node and no pager, so unit tests run it
   on the host.

   What goes through here is metadata: super block, descriptors, bitmaps, inodes, indirect blocks, directories, long
   symbolic links, attributes.  It lives in a write-back cache of blocks (cache.c).  The contents of regular files never
   do: the pager moves them directly between disk and memory objects, asking here only where they lie.  A block becomes
   metadata only by ext2_cache_zero, which does not read it, so what the cache read around a block (it reads lines of 32
   KiB) can never be stale when it is asked for.

   Locks, in the order in which they are taken:
     inode->map_lock   block map, size, `fresh` and reservation of one inode
     fs->sync_lock     one sync at a time
     fs->alloc_lock    bitmaps, descriptors, counts in the super block, reservations
     cache lock        lines of the cache: a leaf
   Contents of a directory's blocks, and of an inode's place in the inode table, belong to whoever holds the lock of the
   node.  */

#ifndef EXT2FS_EXT2_H
#define EXT2FS_EXT2_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "format.h"

struct store;
struct ext2_cache;

/* Blocks of a group that were freed since some sync.  */
struct ext2_freed { char *map; uint32_t count; };

/* What is known of a group besides its descriptor.  */
struct ext2_group {
    uint32_t first_free, first_free_inode;   /* no bit below is clear in the bitmaps */
    enum ext2_trust { EXT2_UNSEEN, EXT2_SOUND, EXT2_DAMAGED } blocks_trust, inodes_trust;  /* of the bitmaps */
    char *created;                     /* inodes that were taken since the last sync, or NULL: none */
    char *gone[2];                     /* older inodes freed since the last sync, and since the one before: as
                                          `freed` */
    struct ext2_freed freed[2];        /* since the last sync (of index syncs & 1), and since the one before */
};

struct ext2_fs {
    struct store *store;               /* constant */
    const char *name;                  /* of the store, for messages; constant */
    struct ext2_cache *cache;          /* constant */

    /* Geometry, constant since ext2_mount.  */
    uint32_t block_size, block_log;    /* bytes, log2 */
    uint32_t blocks, first_block;      /* all blocks lie in [first_block, blocks) */
    uint32_t inodes, inodes_per_group, blocks_per_group, ngroups;
    uint32_t inode_size, first_ino;
    uint32_t addr_per_block;           /* block numbers in an indirect block */
    uint64_t size_max;                 /* largest file */
    bool filetype;                     /* entries carry their type */
    bool dir_index;                    /* directories may have an index */
    bool huge_file;                    /* counts of sectors have 48 bits */
    bool uninit;                       /* groups may be unwritten, and have checksums (uninit.c) */
    bool dir_nlink;                    /* a directory with too many links to count has one */
    bool hurd;                         /* made for the Hurd: inodes have author, translator and the mode's upper half */
    bool must_readonly;                /* a feature that we do not know forbids writing */

    pthread_mutex_t alloc_lock;
    struct super_block super;          /* alloc_lock; what is on the disk is written by ext2_sync */
    struct group_desc *groups;         /* ngroups; alloc_lock for the counts */
    struct ext2_group *state;          /* ngroups; alloc_lock */
    bool *group_dirty;                 /* per block of descriptors; alloc_lock */
    bool super_dirty;                  /* alloc_lock */
    bool writable;                     /* constant while anything may be written */
    bool was_valid;                    /* was clean when writing began: only then it will be marked clean again */
    bool damaged;                      /* damage was seen since mounting; only ever set */
    bool stopped;                      /* because of it nothing is written any more but the mark of that; only ever
                                          set */
    uint32_t dir_group;                /* where the last top-level directory went; alloc_lock */
    uint32_t reserved;                 /* blocks that inodes hold in reserve, set in the bitmaps; alloc_lock */
    struct ext2_inode *reservers;      /* list of inodes that hold some; alloc_lock */
    uint64_t freed;                    /* blocks in the groups' `freed` maps; alloc_lock */
    uint32_t syncs;                    /* alloc_lock */
    struct ext2_inode *orphans;        /* deleted inodes in use, in the order of the list on the disk (orphan.c);
                                          alloc_lock */
    pthread_mutex_t sync_lock;         /* one ext2_sync at a time; comes before alloc_lock */
    pthread_mutex_t damage_lock;       /* a leaf */
    time_t damage_second;              /* when damage was last reported; damage_lock */
    unsigned int damage_lines;         /* in that second, printed or not; damage_lock */
    void (*on_panic)(void);            /* called when damage is seen and the super block says `panic`; NULL: as
                                          `remount-ro` */
    uint32_t next_generation;          /* alloc_lock */
    struct ext2_links *links;          /* names entered since the last sync (links.c); constant */
};

/* A run of file blocks.  */
struct ext2_range { uint64_t start, end; };

/* An inode in memory.  Fields without a lock's name belong to the holder of the node's lock.  */
struct ext2_inode {
    uint32_t ino;                      /* constant */
    uint16_t mode;
    uint32_t uid, gid, author, links, flags, generation;
    uint32_t rmajor, rminor;           /* device nodes */
    struct timespec atime, mtime, ctime, crtime;
    uint32_t dtime;
    uint32_t file_acl;                 /* block of attributes or 0 */
    uint32_t translator;               /* old Hurd translator block or 0 */
    uint16_t extra_size;               /* bytes of the inode used behind the first 128 */

    struct ext2_dindex *dindex;        /* of a directory (dindex.c) or NULL */
    bool dindex_bad;                   /* it could not be made */
    bool rebuild_bad;                  /* nor could an index on the disk */

    pthread_mutex_t map_lock;
    uint64_t size;                     /* bytes; map_lock to change */
    uint32_t block[NBLOCKS];           /* block map, or a short link's target, or a device number; map_lock */
    uint64_t sectors;                  /* of 512 bytes, with indirect blocks; map_lock */
    struct ext2_range *fresh;          /* blocks that were allocated and whose contents on the disk mean nothing yet;
                                          sorted; map_lock */
    unsigned int fresh_count, fresh_room;

    uint32_t reserve_start, reserve_count;   /* blocks in reserve behind the last one allocated; alloc_lock */
    struct ext2_inode *reserver_next, **reserver_prevp;  /* alloc_lock */
    struct ext2_inode *orphan_next, **orphan_prevp;      /* alloc_lock; orphan_prevp is NULL when it is not on the
                                                            list */
};

/* ---- names entered lately (links.c) ------------------------------------------------- */

struct ext2_links *ext2_links_create(void);          /* NULL: no memory */
void ext2_links_destroy(struct ext2_links *links);
/* A name of INO was entered into BLOCK, which has been marked dirty. Files made since the last sync are not noted.  */
void ext2_links_note(struct ext2_fs *fs, uint32_t ino, uint32_t block);
/* True if names of INO were entered since the last sync: *BLOCK, 0: into several blocks.  */
bool ext2_links_find(struct ext2_fs *fs, uint32_t ino, uint32_t *block);
/* Everything is going to be written; and has been.  One sync at a time.  */
void ext2_links_sync_begin(struct ext2_fs *fs);
void ext2_links_sync_end(struct ext2_fs *fs);

/* ---- features (feature.c) ---------------------------------------------------------- */

/* Whether S has no feature that forbids us to read (or to write); else TEXT, of SIZE bytes, names those that do.  */
bool ext2_feature_readable(const struct super_block *s, char *text, size_t size);
bool ext2_feature_writable(const struct super_block *s, char *text, size_t size);

/* ---- the whole (super.c) ----------------------------------------------------------- */

/* Reads and checks super block and descriptors of STORE, which stays the caller's and must live longer.  On failure
   *WHY, if WHY is not NULL, is a malloc'd line saying what is wrong.  Nothing may be written before ext2_set_writable.
   EINVAL: no such file system or a feature that we cannot read; EIO: damaged.  CACHE_BYTES: how much the cache may
   grow; 0: 16 MiB.  */
error_t ext2_mount(struct store *store, size_t cache_bytes, struct ext2_fs **fs, char **why);
/* Drops everything, dirty or not: call ext2_sync before.  */
void ext2_unmount(struct ext2_fs *fs);

/* Begins (counts the mount, marks the file system in use, on the disk at once) or ends writing; ending, the caller has
   synced.  EROFS: an unknown feature or a read-only store forbids it.  */
error_t ext2_set_writable(struct ext2_fs *fs, bool writable);

/* Writes all dirty metadata; CLEAN: marks the file system cleanly unmounted (the mark vanishes again by ext2_sync
   without it).  WAIT: flushes the disk's cache too.  */
error_t ext2_sync(struct ext2_fs *fs, bool wait, bool clean);

/* Forgets what is cached and reads super block and descriptors anew: somebody else (fsck) has written.  */
error_t ext2_reload(struct ext2_fs *fs);

/* Counts for statfs: blocks that files can use, free ones, free ones for everybody, inodes, free inodes.  */
struct ext2_counts { uint64_t blocks, free, available, inodes, inodes_free; };
void ext2_counts(struct ext2_fs *fs, struct ext2_counts *counts);

/* One line of damage: "ext2fs: NAME: ..." (at most 20 a second, then how many more there were), remembers it for the
   super block, does what the super block asks for in that case (goes on, stops writing, panics), and gives EIO.  Any
   lock may be held.  */
error_t ext2_damage(struct ext2_fs *fs, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether BLOCK, COUNT blocks long, lies in the part of the disk that files may use.  */
static inline bool ext2_block_valid(const struct ext2_fs *fs, uint32_t block, uint32_t count)
{
    return block > fs->first_block && block < fs->blocks && count <= fs->blocks - block;
}

/* ---- cache of blocks (cache.c) ----------------------------------------------------- */

/* When a dirty block goes to the disk, for the repair after a power cut (cache.c).  */
enum ext2_order {
    EXT2_FIRST,          /* bitmaps, descriptors, the super block; by itself every block of ext2_cache_zero */
    EXT2_INODE,          /* inodes, tables of a block map */
    EXT2_ENTRY,          /* names entered or changed; tables of files that became shorter */
    EXT2_REMOVED,        /* names moved to another block */
    EXT2_DELETED,        /* inodes deleted */
    EXT2_ORDERS
};

/* One block in use.  As long as it is not put, DATA stays.  */
struct ext2_buf { char *data; struct ext2_line *line; uint32_t block; };

error_t ext2_cache_create(struct store *store, uint32_t block_size, uint32_t blocks, size_t bytes,
                          struct ext2_cache **cache);
void ext2_cache_destroy(struct ext2_cache *cache);
/* The block's contents, read if necessary.  EIO, ENOMEM; BUF is only to be put on success.  */
error_t ext2_cache_get(struct ext2_fs *fs, uint32_t block, struct ext2_buf *buf);
/* The block full of zeros, dirty, without reading it: a block that has just been allocated.  */
error_t ext2_cache_zero(struct ext2_fs *fs, uint32_t block, struct ext2_buf *buf);
/* Notes that the contents were changed, and when they may be written.  */
void ext2_cache_dirty(struct ext2_fs *fs, struct ext2_buf *buf, enum ext2_order order);
/* Around a change, of blocks that the caller has already, that must not reach the disk before others made until now: an
   inode that goes, a name that moved away.  Waits until nobody is writing everything, and holds that back.  Nothing of
   this file but ext2_cache_dirty, _await and _put in between.  */
void ext2_cache_change_begin(struct ext2_fs *fs);
void ext2_cache_change_end(struct ext2_fs *fs);
/* Sees to it that block FIRST, as it is now, will be on the disk before a change of block SECOND that is going to be
   marked EXT2_REMOVED.  False: it would not be, or SECOND itself has to be there earlier; everything is to be written
   first.  */
bool ext2_cache_await(struct ext2_fs *fs, uint32_t first, uint32_t second);
/* Sees to it that BLOCK, with an inode that takes the name of another, will be on the disk before names are.  False: it
   would not be.  */
bool ext2_cache_await_inode(struct ext2_fs *fs, uint32_t block);
/* Whether BLOCK is awaited by one of these: before it is marked EXT2_REMOVED or EXT2_DELETED everything is to be
   written.  */
bool ext2_cache_is_awaited(struct ext2_fs *fs, uint32_t block);
void ext2_cache_put(struct ext2_fs *fs, struct ext2_buf *buf);
/* COUNT blocks from BLOCK on are free now: their contents need not be written.  On return no write of them is under
   way.  */
void ext2_cache_forget(struct ext2_fs *fs, uint32_t block, uint32_t count);
/* Writes everything dirty in its order.  The first error, after having tried everything.  */
error_t ext2_cache_sync(struct ext2_fs *fs);
/* Drops everything that is not in use.  Dirty contents are lost.  */
void ext2_cache_drop(struct ext2_fs *fs);

/* ---- allocation (balloc.c, ialloc.c) ------------------------------------------------- */

/* Takes up to WANT free blocks in a row, *COUNT of them from *START on, as near behind GOAL as can be (0: anywhere).
   INODE's reserve is used, and renewed when RESERVE blocks more should be kept for what it will write next.  ENOSPC;
   EIO.  */
error_t ext2_balloc(struct ext2_fs *fs, struct ext2_inode *inode, uint32_t goal, uint32_t want, uint32_t reserve,
                    uint32_t *start, uint32_t *count);
/* Frees COUNT blocks from START on, as soon as two syncs have run.  Damage (blocks that were free, or no file's) is
   reported and left alone.  */
void ext2_bfree(struct ext2_fs *fs, uint32_t start, uint32_t count);
/* Forgets what waits to be free, and what is known of the bitmaps.  */
void ext2_groups_forget(struct ext2_fs *fs);
/* Gives INODE's reserve back / everybody's.  */
void ext2_reserve_drop(struct ext2_fs *fs, struct ext2_inode *inode);
void ext2_reserve_drop_all(struct ext2_fs *fs);
/* A sync has come to its end: makes the blocks free that were freed before it began; ALL: and those freed since.  */
void ext2_bfreed_release(struct ext2_fs *fs, bool all);
/* A good first block for the contents of INODE: its group.  */
uint32_t ext2_inode_goal(struct ext2_fs *fs, uint32_t ino);

/* How many of the first COUNT bits are clear.  */
uint32_t ext2_bits_clear(const char *map, uint32_t count);
/* The first look at a bitmap of GROUP (WHAT: "block" or "inode", in BLOCK) whose descriptor says that WANTED are free,
   and where FOUND are.  On a file system that was clean they must agree; the bitmap must mark its own SYSTEM blocks as
   used.  EIO: reported, and not to be used.  */
enum ext2_trust ext2_bitmap_judge(struct ext2_fs *fs, const char *what, uint32_t group, uint32_t block, uint32_t wanted,
                                  uint32_t found, bool system);

/* ---- groups that were never written (uninit.c); alloc_lock held, no effect without uninit_bg ---- */

/* The checksum that the descriptor of GROUP should have, and whether all have theirs (reported otherwise).  */
uint16_t ext2_group_sum(const struct ext2_fs *fs, uint32_t group);
bool ext2_group_sums_right(const struct ext2_fs *fs);
/* Make the bitmap of GROUP, of SIZE blocks, in BUF if the disk has none yet.  */
void ext2_block_map_make(struct ext2_fs *fs, uint32_t group, uint32_t size, struct ext2_buf *buf);
void ext2_inode_map_make(struct ext2_fs *fs, uint32_t group, struct ext2_buf *buf);
/* Inode number INDEX of GROUP is about to be used: the table is sound up to there. EIO, ENOMEM.  */
error_t ext2_inode_table_reach(struct ext2_fs *fs, uint32_t group, uint32_t index);
/* How many blocks at the beginning of GROUP hold copies of the super block and of descriptors (super.c).  */
uint32_t ext2_group_overhead(const struct ext2_fs *fs, uint32_t group);

/* Takes a free inode for a new file of MODE in directory PARENT (inode number).  ENOSPC, EIO.  */
error_t ext2_ialloc(struct ext2_fs *fs, uint32_t parent, uint16_t mode, uint32_t *ino);
/* Whether INO was in use when the last sync began.  */
bool ext2_inode_is_old(struct ext2_fs *fs, uint32_t ino);
/* A sync has come to its end.  */
void ext2_inodes_age(struct ext2_fs *fs);
void ext2_ifree(struct ext2_fs *fs, uint32_t ino, bool directory);

/* A bitmap's bit.  */
static inline bool ext2_bit_test(const void *map, uint32_t bit)
{
    return ((const uint8_t *)map)[bit >> 3] >> (bit & 7) & 1;
}

/* ---- inodes (inode.c) ------------------------------------------------------------------ */

/* Fills INODE (ino set; everything else zero) from the disk.  ESTALE: not in use; EIO.  */
error_t ext2_inode_read(struct ext2_fs *fs, struct ext2_inode *inode);
/* The same for one that may have no links.  */
error_t ext2_inode_read_orphan(struct ext2_fs *fs, struct ext2_inode *inode);
/* Puts it into the inode table (cached).  EROFS.  */
error_t ext2_inode_write(struct ext2_fs *fs, struct ext2_inode *inode);
/* Prepares INODE (ino set; everything else zero) as a new empty one of MODE, with a new generation; clears its place on
   the disk.  */
error_t ext2_inode_init(struct ext2_fs *fs, struct ext2_inode *inode, uint16_t mode);
/* Frees blocks, attributes and the inode itself; nobody uses it any more.  Damage is reported; as much as possible is
   freed.  */
void ext2_inode_delete(struct ext2_fs *fs, struct ext2_inode *inode);
/* Releases memory and reserve.  */
void ext2_inode_forget(struct ext2_fs *fs, struct ext2_inode *inode);
/* A symbolic link whose target lies in the inode.  */
bool ext2_inode_is_fast_link(const struct ext2_fs *fs, const struct ext2_inode *inode);
/* The raw inode in the cache; for attributes.  */
error_t ext2_inode_get_raw(struct ext2_fs *fs, uint32_t ino, struct ext2_buf *buf, struct disk_inode **raw);

/* ---- block map (map.c); all with map_lock held by the caller -------------------------------- */

/* Where file block LBLOCK lies: *BLOCK, 0 for a hole, and in *RUN how many blocks from there on, at most MAX, lie in a
   row (or are holes). A LBLOCK that the format cannot express is a hole.  EIO.  */
error_t ext2_map(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t lblock, uint32_t max, uint32_t *block,
                 uint32_t *run);
/* Sees to it that the blocks [START, END) exist.  New ones are noted as `fresh`.  *DONE: end of the part that exists
   now, also in case of an error.  RESERVE: as ext2_balloc.  ENOSPC, EFBIG, EIO.  */
error_t ext2_map_alloc(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t start, uint64_t end, uint32_t reserve,
                       uint64_t *done);
/* Frees all blocks from file block FIRST on.  EIO (something was damaged; what could be freed was).  */
error_t ext2_map_truncate(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t first);
/* The metadata block of a directory or link at LBLOCK; `fresh` plays no role there.  EIO for a hole.  */
error_t ext2_map_get(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t lblock, struct ext2_buf *buf);
/* Appends a zeroed metadata block at LBLOCK, at the end of a directory or link.  */
error_t ext2_map_append(struct ext2_fs *fs, struct ext2_inode *inode, uint64_t lblock, struct ext2_buf *buf);

/* The set of fresh blocks (fresh.c).  Adding may fail for want of memory; the others cannot fail but removing from the
   middle.  */
error_t ext2_fresh_add(struct ext2_inode *inode, uint64_t start, uint64_t end);
void ext2_fresh_remove(struct ext2_inode *inode, uint64_t start, uint64_t end);
/* Whether LBLOCK is fresh; *RUN (at most MAX): how far the answer holds.  */
bool ext2_fresh_test(const struct ext2_inode *inode, uint64_t lblock, uint32_t max, uint32_t *run);

/* ---- directories (dir.c) ---------------------------------------------------------------------- */

/* What a lookup found, or the room for a new entry.  */
struct ext2_slot {
    uint32_t block;              /* file block */
    uint32_t offset;             /* of the entry in it (found), or of the entry with room behind it or free space */
    uint32_t previous;           /* of the entry before it in the block; == offset for the first */
    uint32_t found;              /* an entry was found */
    uint32_t append;             /* no room: a block must be appended at `block` */
};

error_t ext2_dir_lookup(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t *ino,
                        struct ext2_slot *slot);
error_t ext2_dir_enter(struct ext2_fs *fs, struct ext2_inode *dir, const char *name, size_t length, uint32_t ino,
                       uint8_t type, const struct ext2_slot *slot);
/* The inode that the entry of SLOT names.  */
error_t ext2_dir_entry(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, uint32_t *ino);
error_t ext2_dir_remove(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot);
error_t ext2_dir_rewrite(struct ext2_fs *fs, struct ext2_inode *dir, const struct ext2_slot *slot, uint32_t ino,
                         uint8_t type);
error_t ext2_dir_init(struct ext2_fs *fs, struct ext2_inode *dir, uint32_t parent);
error_t ext2_dir_check_empty(struct ext2_fs *fs, struct ext2_inode *dir);
/* Calls EMIT with each entry in use from byte *COOKIE on, setting *COOKIE behind each that EMIT took, until EMIT says
   false or the end.  */
typedef bool (*ext2_dir_emit_t)(void *arg, uint32_t ino, uint8_t type, const char *name, size_t length, uint64_t next);
error_t ext2_dir_iterate(struct ext2_fs *fs, struct ext2_inode *dir, uint64_t *cookie, ext2_dir_emit_t emit, void *arg);

/* Forgets the index in memory.  */
void ext2_dindex_drop(struct ext2_inode *dir);

/* ---- deleted inodes in use (orphan.c) ------------------------------------------------------------- */

/* INODE has no name any more but is still in use: notes it on the disk, so that a crash does not leave it behind.  The
   caller writes the inode afterwards.  Nothing happens if it is noted already.  */
void ext2_orphan_add(struct ext2_fs *fs, struct ext2_inode *inode);
/* INODE is about to be deleted, or has a name again.  */
void ext2_orphan_remove(struct ext2_fs *fs, struct ext2_inode *inode);
/* INODE goes from memory but not from the disk.  */
void ext2_orphan_forget(struct ext2_fs *fs, struct ext2_inode *inode);
/* Deletes what a crash has left; when writing begins.  */
void ext2_orphan_clean(struct ext2_fs *fs);

/* ---- symbolic links, attributes (link.c, xattr.c) ------------------------------------------------ */

error_t ext2_link_read(struct ext2_fs *fs, struct ext2_inode *inode, char *buffer);
/* INODE is new and empty.  ENAMETOOLONG: longer than a block holds with its NUL.  */
error_t ext2_link_write(struct ext2_fs *fs, struct ext2_inode *inode, const char *target, size_t length);

/* The value of attribute NAME with name index INDEX in malloc'd memory.  ENODATA: none; EIO.  */
error_t ext2_xattr_get(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name, char **value,
                       size_t *length);
/* Sets it, or removes it when VALUE is NULL (no error if there is none).  Changes inode->file_acl and sectors: write
   the inode afterwards. ENOSPC: no room.  */
error_t ext2_xattr_set(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name, const char *value,
                       size_t length);
bool ext2_xattr_exists(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name);
/* Releases the attribute block.  */
void ext2_xattr_free(struct ext2_fs *fs, struct ext2_inode *inode);

#endif /* EXT2FS_EXT2_H */
