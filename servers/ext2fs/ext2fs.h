/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext2fs: between lib/diskfs and the format layer (ext2.h).  Everything here may know nodes and pagers; nothing in the
   format layer does.  */

#ifndef EXT2FS_EXT2FS_H
#define EXT2FS_EXT2FS_H

#include <diskfs/diskfs.h>
#include <pager/pager.h>
#include <store/store.h>

#include "ext2.h"

struct ext2_node {
    struct diskfs_node dn;
    struct ext2_inode inode;
    struct pager *pager;           /* regular files once they were read, written or mapped; node lock to set */
    bool many_links;               /* a directory with more subdirectories than its inode can count (dir_nlink); node
                                      lock */
    bool client_mapped;            /* a client was given the memory object since it was last released; node lock */
    _Atomic error_t write_error;   /* a page of it could not be written; taken by the next sync of the file */
    char *small;                   /* the whole contents of a small file that has no pager (small.c); node lock */
    uint32_t small_room;           /* bytes there, a multiple of the block size; node lock */
    bool small_dirty;              /* it differs from the disk; node lock */
};

/* The one file system that this server serves.  Set by main.  */
extern struct ext2_fs *ext2fs;

extern const struct diskfs_ops ext2fs_ops;

static inline struct ext2_node *ext2_node(struct diskfs_node *node)
{
    return (struct ext2_node *)node;
}

/* How many links a directory shows that has more than can be counted: they may come and go without reaching 0 or
   LINKS_MAX.  */
#define LINKS_MANY 32768
#define LINKS_MAX  65000

/* node.c */
error_t ext2fs_node_read(struct diskfs_node *node);
error_t ext2fs_node_write(struct diskfs_node *node, bool wait);
error_t ext2fs_node_alloc(struct diskfs_node *dir, mode_t mode, ino_t *ino);
error_t ext2fs_node_create(struct diskfs_node *node, mode_t mode);
void ext2fs_node_unalloc(ino_t ino, mode_t mode);
void ext2fs_node_delete(struct diskfs_node *node);
void ext2fs_node_forget(struct diskfs_node *node);
error_t ext2fs_link_read(struct diskfs_node *node, char *buffer);
error_t ext2fs_link_write(struct diskfs_node *node, const char *target, size_t length);
error_t ext2fs_node_retype(struct diskfs_node *node, mode_t type, dev_t rdev);
error_t ext2fs_translator_get(struct diskfs_node *node, char **argz, size_t *length);
error_t ext2fs_translator_set(struct diskfs_node *node, const char *argz, size_t length);

/* file.c */
error_t ext2fs_read(struct diskfs_node *node, off_t offset, size_t amount, struct diskfs_stream *stream,
                    struct diskfs_buffer *buffer);
error_t ext2fs_write(struct diskfs_node *node, off_t offset, const void *data, size_t length, size_t *amount);
error_t ext2fs_set_size(struct diskfs_node *node, off_t size);
error_t ext2fs_map(struct diskfs_node *node, vm_prot_t prot, memory_object_t *object);
error_t ext2fs_node_sync(struct diskfs_node *node, bool wait, bool data_only);
void ext2fs_node_idle_drop(struct diskfs_node *node);

/* extents.c */
error_t ext2fs_seek(struct diskfs_node *node, off_t offset, bool hole, off_t *found);
error_t ext2fs_storage(struct diskfs_node *node, struct fshelp_storage *storage);

/* small.c: contents of small files.  Node lock held.  */
/* Sees to it that the contents of NODE, with room up to END, are in memory; false in *USABLE: this file is not for
   here.  */
error_t ext2fs_small_load(struct ext2_node *n, uint64_t end, bool *usable);
/* Writes them to the disk if they differ.  */
error_t ext2fs_small_flush(struct ext2_node *n);
/* Flushes and forgets them: the pager takes over.  */
error_t ext2fs_small_leave(struct ext2_node *n);
/* Forgets them.  */
void ext2fs_small_drop(struct ext2_node *n);
/* The file ends at SIZE now: what lay behind is zeros.  */
void ext2fs_small_truncate(struct ext2_node *n, uint64_t size);

/* Whether attributes (immutable, append only) forbid to change NODE's contents: EPERM.  AT_END: data is only added at
   the end.  Node lock held.  */
error_t ext2fs_flags_check(const struct ext2_node *n, bool at_end);

/* filepager.c: what the pager asks for.  HOOK is the ext2_node.  */
extern const struct pager_ops ext2fs_pager_ops;

/* entry.c */
error_t ext2fs_dir_lookup(struct diskfs_node *dir, const char *name, size_t length, ino_t *ino,
                          struct diskfs_slot *slot);
error_t ext2fs_dir_enter(struct diskfs_node *dir, const char *name, size_t length, ino_t ino, int type,
                         struct diskfs_slot *slot);
error_t ext2fs_dir_remove(struct diskfs_node *dir, struct diskfs_slot *slot);
error_t ext2fs_dir_rewrite(struct diskfs_node *dir, struct diskfs_slot *slot, ino_t ino, int type);
error_t ext2fs_dir_init(struct diskfs_node *dir, ino_t parent);
error_t ext2fs_dir_check_empty(struct diskfs_node *dir);
error_t ext2fs_dir_iterate(struct diskfs_node *dir, struct diskfs_cursor *cursor, diskfs_emit_t emit, void *arg);

#endif /* EXT2FS_EXT2FS_H */
