/* SPDX-License-Identifier: GPL-2.0-or-later */
/* format: the second extended file system on the disk.  All numbers are little-endian, and so are all machines we run
   on.  Names follow the format's own documentation (struct and field names without their prefixes).

   Layout: byte 1024 the super block; from the block behind it on the table of group descriptors; then for each group,
   where its descriptor says, a bitmap of blocks, a bitmap of inodes (a block each) and the group's part of the inode
   table.  */

#ifndef EXT2FS_FORMAT_H
#define EXT2FS_FORMAT_H

#include <assert.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format's numbers are used as they are");

#define SUPER_OFFSET      1024
#define SUPER_SIZE        1024
#define SUPER_MAGIC       0xef53
#define SUPER_BLOCK_LOG_MAX 2         /* log_block_size: blocks of 1, 2 or 4 KiB */

#define STATE_VALID       1           /* was cleanly unmounted */
#define STATE_ERROR       2           /* damage was seen */

#define ERRORS_CONTINUE   1           /* super_block.errors: what to do when damage is seen */
#define ERRORS_READONLY   2
#define ERRORS_PANIC      3

#define REV_DYNAMIC       1
#define OS_HURD           1

#define COMPAT_HAS_JOURNAL 0x0004
#define COMPAT_EXT_ATTR   0x0008
#define COMPAT_DIR_INDEX  0x0020

#define INCOMPAT_FILETYPE 0x0002
#define INCOMPAT_RECOVER  0x0004      /* the journal must be replayed first */
#define INCOMPAT_META_BG  0x0010
#define INCOMPAT_KNOWN    (INCOMPAT_FILETYPE | INCOMPAT_META_BG)

#define RO_COMPAT_SPARSE_SUPER 0x0001
#define RO_COMPAT_LARGE_FILE   0x0002
#define RO_COMPAT_BTREE_DIR    0x0004
#define RO_COMPAT_HUGE_FILE    0x0008
#define RO_COMPAT_UNINIT_BG    0x0010
#define RO_COMPAT_DIR_NLINK    0x0020
#define RO_COMPAT_EXTRA_ISIZE  0x0040
#define RO_COMPAT_KNOWN   (RO_COMPAT_SPARSE_SUPER | RO_COMPAT_LARGE_FILE | RO_COMPAT_BTREE_DIR | \
                           RO_COMPAT_EXTRA_ISIZE | RO_COMPAT_HUGE_FILE | RO_COMPAT_DIR_NLINK | RO_COMPAT_UNINIT_BG)

struct super_block {
    uint32_t inodes_count, blocks_count, r_blocks_count, free_blocks_count, free_inodes_count;
    uint32_t first_data_block, log_block_size, log_frag_size;
    uint32_t blocks_per_group, frags_per_group, inodes_per_group;
    uint32_t mtime, wtime;
    uint16_t mnt_count, max_mnt_count, magic, state, errors, minor_rev_level;
    uint32_t lastcheck, checkinterval, creator_os, rev_level;
    uint16_t def_resuid, def_resgid;
    /* from revision 1 on */
    uint32_t first_ino;
    uint16_t inode_size, block_group_nr;
    uint32_t feature_compat, feature_incompat, feature_ro_compat;
    uint8_t uuid[16], volume_name[16];
    char last_mounted[64];
    uint32_t algorithm_usage_bitmap;
    uint8_t prealloc_blocks, prealloc_dir_blocks;
    uint16_t reserved_gdt_blocks;
    uint8_t journal_uuid[16];
    uint32_t journal_inum, journal_dev, last_orphan, hash_seed[4];
    uint8_t def_hash_version, jnl_backup_type;
    uint16_t desc_size;
    uint32_t default_mount_opts, first_meta_bg, mkfs_time, jnl_blocks[17];
    uint32_t blocks_count_hi, r_blocks_count_hi, free_blocks_hi;
    uint16_t min_extra_isize, want_extra_isize;
    uint32_t flags;
    uint8_t rest[SUPER_SIZE - 0x164];
};
_Static_assert(sizeof(struct super_block) == SUPER_SIZE, "super block");

struct group_desc {
    uint32_t block_bitmap, inode_bitmap, inode_table;
    uint16_t free_blocks_count, free_inodes_count, used_dirs_count, flags;
    uint32_t reserved[2];
    uint16_t unused_inodes;       /* uninit_bg: at the end of the table, never written */
    uint16_t checksum;            /* uninit_bg: of the uuid, the group's number and what is before */
};
#define GROUP_INODE_UNINIT 1      /* in flags: the bitmap was never written, no inode is in use */
#define GROUP_BLOCK_UNINIT 2
_Static_assert(sizeof(struct group_desc) == 32, "group descriptor");

#define INO_BAD           1
#define INO_ROOT          2
#define GOOD_OLD_FIRST_INO  11
#define GOOD_OLD_INODE_SIZE 128
#define INODE_SIZE_MAX    4096

#define NDIRECT           12
#define IND_BLOCK         12
#define DIND_BLOCK        13
#define TIND_BLOCK        14
#define NBLOCKS           15

#define INODE_FL_IMMUTABLE 0x00000010
#define INODE_FL_APPEND   0x00000020
#define INODE_FL_NODUMP   0x00000040
#define INODE_FL_NOATIME  0x00000080
#define INODE_FL_INDEX    0x00001000  /* directory has a hash index */
#define INODE_FL_HUGE_FILE 0x00040000 /* `blocks` counts blocks, not sectors */
#define INODE_FL_EXTENTS  0x00080000
#define INODE_FL_INHERIT  0x00000080  /* of a directory's flags, those that its new entries get */

struct disk_inode {
    uint16_t mode, uid;
    uint32_t size, atime, ctime, mtime, dtime;
    uint16_t gid, links_count;
    uint32_t blocks;              /* of 512 bytes */
    uint32_t flags;
    uint32_t translator;          /* old Hurd file systems: block of the passive translator */
    uint32_t block[NBLOCKS];
    uint32_t generation, file_acl, size_high, faddr;
    uint16_t blocks_high, file_acl_high, uid_high, gid_high;
    uint32_t author;              /* Hurd */
    /* behind the first 128 bytes, as far as extra_isize says */
    uint16_t extra_isize, checksum_hi;
    uint32_t ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra;
};
_Static_assert(sizeof(struct disk_inode) == 152, "inode");

#define DIRENT_HEADER     8
#define DIRENT_NAME_MAX   255
#define DIRENT_SIZE(NAMELEN) ((uint32_t)(DIRENT_HEADER + (NAMELEN) + 3) & ~3u)

struct dir_entry {
    uint32_t inode;               /* 0: free space */
    uint16_t rec_len;             /* bytes up to the next entry or the end of the block */
    uint8_t name_len, file_type;
    char name[];
};

/* The index of a directory (dir_index).  File block 0 begins with the entries "." and ".."; ".." reaches to the end of
   the block, and in that room lie, from byte 24 on, dx_info and a table of dx_entry.  Blocks of the second level begin
   with an empty entry as long as the block, then comes a table.  The first entry of a table has, in place of a hash,
   how many entries there are room for and in use; it stands for the lowest hashes.  */
struct dx_info { uint32_t reserved; uint8_t hash_version, info_length, indirect_levels, unused_flags; };
struct dx_entry { uint32_t hash, block; };
struct dx_limit { uint16_t limit, count; };
#define DX_INFO_OFFSET    24
#define DX_ROOT_OFFSET    32          /* of the table in file block 0 */
#define DX_NODE_OFFSET    8           /* of the table elsewhere */
#define DX_BLOCK_MASK     0x0fffffff
#define SUPER_FL_UNSIGNED_HASH 2      /* in super_block.flags */

/* Values of dir_entry.file_type (feature FILETYPE; otherwise 0).  */
enum { FT_UNKNOWN, FT_REG, FT_DIR, FT_CHR, FT_BLK, FT_FIFO, FT_SOCK, FT_LNK, FT_MAX };

#define XATTR_MAGIC       0xea020000
#define XATTR_INDEX_GNU   10          /* prefix "gnu." */

struct xattr_header {             /* of an attribute block; in an inode only the magic */
    uint32_t magic, refcount, blocks, hash, checksum, reserved[3];
};
_Static_assert(sizeof(struct xattr_header) == 32, "attribute block header");

struct xattr_entry {
    uint8_t name_len, name_index;
    uint16_t value_offs;          /* from the block's beginning; in an inode from the first entry */
    uint32_t value_inum, value_size, hash;
    char name[];
};
_Static_assert(sizeof(struct xattr_entry) == 16, "attribute entry");
#define XATTR_ENTRY_SIZE(NAMELEN) (((uint32_t)(NAMELEN) + sizeof(struct xattr_entry) + 3) & ~3u)

#endif /* EXT2FS_FORMAT_H */
