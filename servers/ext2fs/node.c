/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node: inodes as nodes of lib/diskfs.  */

#include "ext2fs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* What programs are told to read and write at once.  */
#define BLKSIZE 65536

static void stat_fill(struct ext2_node *n)
{
    const struct ext2_inode *i = &n->inode;
    struct stat *st = &n->dn.stat;
    st->st_ino = i->ino;
    st->st_gen = i->generation;
    st->st_mode = i->mode;
    n->many_links = S_ISDIR(i->mode) && i->links == 1 && ext2fs->dir_nlink;
    st->st_nlink = n->many_links ? LINKS_MANY : i->links;
    st->st_flags = (i->flags & INODE_FL_IMMUTABLE ? SF_IMMUTABLE : 0) | (i->flags & INODE_FL_APPEND ? SF_APPEND : 0) |
                   (i->flags & INODE_FL_NODUMP ? UF_NODUMP : 0);
    st->st_uid = i->uid;
    st->st_gid = i->gid;
    st->st_author = i->author;
    st->st_rdev = S_ISCHR(i->mode) || S_ISBLK(i->mode) ? makedev(i->rmajor, i->rminor) : 0;
    st->st_size = (off_t)i->size;
    st->st_blksize = BLKSIZE;
    st->st_blocks = (blkcnt_t)i->sectors;
    st->st_atim = i->atime;
    st->st_mtim = i->mtime;
    st->st_ctim = i->ctime;
}

error_t ext2fs_node_read(struct diskfs_node *node)
{
    struct ext2_node *n = ext2_node(node);
    if (node->ino == 0 || node->ino > ext2fs->inodes)
        return ESTALE;
    n->inode.ino = (uint32_t)node->ino;
    error_t err = ext2_inode_read(ext2fs, &n->inode);
    if (err)
        return err;
    stat_fill(n);
    node->has_passive = n->inode.translator || ext2_xattr_exists(ext2fs, &n->inode, XATTR_INDEX_GNU, "translator");
    return 0;
}

/* Brings the metadata that is cached to the disk, through the disk's own cache too.  */
static error_t metadata_flush(void)
{
    return ext2_sync(ext2fs, true, false);
}

error_t ext2fs_node_write(struct diskfs_node *node, bool wait)
{
    struct ext2_node *n = ext2_node(node);
    struct ext2_inode *i = &n->inode;
    struct stat *st = &node->stat;
    if (!ext2fs->writable)
        return EROFS;
    st->st_blocks = (blkcnt_t)i->sectors;
    i->mode = (uint16_t)st->st_mode;
    i->links = n->many_links && st->st_nlink > 0 ? 1 : (uint32_t)st->st_nlink;
    i->flags = (i->flags & ~(uint32_t)(INODE_FL_IMMUTABLE | INODE_FL_APPEND | INODE_FL_NODUMP)) |
               (st->st_flags & SF_IMMUTABLE ? INODE_FL_IMMUTABLE : 0) |
               (st->st_flags & SF_APPEND ? INODE_FL_APPEND : 0) | (st->st_flags & UF_NODUMP ? INODE_FL_NODUMP : 0);
    i->uid = st->st_uid;
    i->gid = st->st_gid;
    i->author = st->st_author;
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        i->rmajor = major(st->st_rdev);
        i->rminor = minor(st->st_rdev);
    }
    i->atime = st->st_atim;
    i->mtime = st->st_mtim;
    i->ctime = st->st_ctim;
    if (i->links == 0)                             /* deleted, but in use */
        ext2_orphan_add(ext2fs, i);
    else
        ext2_orphan_remove(ext2fs, i);
    error_t err = ext2_inode_write(ext2fs, i);
    return err || !wait ? err : metadata_flush();
}

error_t ext2fs_node_alloc(struct diskfs_node *dir, mode_t mode, ino_t *ino)
{
    uint32_t number;
    error_t err = ext2_ialloc(ext2fs, dir ? (uint32_t)dir->ino : INO_ROOT, (uint16_t)mode, &number);
    if (!err)
        *ino = number;
    return err;
}

error_t ext2fs_node_create(struct diskfs_node *node, mode_t mode)
{
    struct ext2_node *n = ext2_node(node);
    n->inode.ino = (uint32_t)node->ino;
    error_t err = ext2_inode_init(ext2fs, &n->inode, (uint16_t)mode);
    if (err)
        return err;
    diskfs_time_now(&n->inode.crtime);
    node->stat.st_ino = node->ino;
    node->stat.st_gen = n->inode.generation;
    node->stat.st_blksize = BLKSIZE;
    return 0;
}

void ext2fs_node_unalloc(ino_t ino, mode_t mode)
{
    ext2_ifree(ext2fs, (uint32_t)ino, S_ISDIR(mode));
}

void ext2fs_node_delete(struct diskfs_node *node)
{
    struct ext2_node *n = ext2_node(node);
    n->inode.mode = (uint16_t)node->stat.st_mode;
    ext2_inode_delete(ext2fs, &n->inode);
}

void ext2fs_node_forget(struct diskfs_node *node)
{
    struct ext2_node *n = ext2_node(node);
    if (n->pager)
        pager_destroy(n->pager);
    n->pager = NULL;
    if (n->small && node->stat.st_nlink > 0 && ext2fs->writable)
        (void)ext2fs_small_flush(n);               /* what cannot be written has been reported, and goes with the
                                                      node */
    if (n->small)
        ext2fs_small_drop(n);
    n->client_mapped = false;
    if (n->inode.ino)
        ext2_inode_forget(ext2fs, &n->inode);
    memset(&n->inode, 0, sizeof n->inode);
}

/* ---- symbolic links, device nodes --------------------------------------------------------- */

error_t ext2fs_link_read(struct diskfs_node *node, char *buffer)
{
    return ext2_link_read(ext2fs, &ext2_node(node)->inode, buffer);
}

error_t ext2fs_link_write(struct diskfs_node *node, const char *target, size_t length)
{
    struct ext2_node *n = ext2_node(node);
    n->inode.mode = (uint16_t)node->stat.st_mode;
    error_t err = ext2_link_write(ext2fs, &n->inode, target, length);
    node->stat.st_size = (off_t)n->inode.size;
    node->stat.st_blocks = (blkcnt_t)n->inode.sectors;
    diskfs_node_mark_dirty(node);
    return err;
}

/* The same words of the inode are a regular file's block map, a short link's target and a device's number; who may make
   one into the other must not choose blocks by that, neither for the pager's nor for a buffer's contents.  */
error_t ext2fs_node_retype(struct diskfs_node *node, mode_t type, dev_t rdev)
{
    struct ext2_node *n = ext2_node(node);
    struct ext2_inode *i = &n->inode;
    error_t err = ext2fs_flags_check(n, false);
    if (!err && (major(rdev) > 0xfff || minor(rdev) > 0xfffff))
        err = EINVAL;
    if (!err && n->pager && type == S_IFLNK)       /* of the other types it has no page, as they are empty */
        err = EBUSY;
    if (err)
        return err;
    if (n->small)
        ext2fs_small_drop(n);
    pthread_mutex_lock(&i->map_lock);
    if (S_ISREG(i->mode) || (S_ISLNK(i->mode) && !ext2_inode_is_fast_link(ext2fs, i)))
        err = ext2_map_truncate(ext2fs, i, 0);
    memset(i->block, 0, sizeof i->block);
    i->size = 0;
    i->mode = (uint16_t)((node->stat.st_mode & ~S_IFMT) | type);
    pthread_mutex_unlock(&i->map_lock);
    node->stat.st_size = 0;
    node->stat.st_blocks = (blkcnt_t)i->sectors;
    return err;
}

error_t ext2fs_flags_check(const struct ext2_node *n, bool at_end)
{
    if (n->dn.stat.st_flags & SF_IMMUTABLE)
        return EPERM;
    return n->dn.stat.st_flags & SF_APPEND && !at_end ? EPERM : 0;
}

/* ---- passive translators ---------------------------------------------------------------------- */

/* Old Hurd file systems: a block with the length in two bytes and the vector.  */
static error_t translator_block_get(struct ext2_inode *inode, char **argz, size_t *length)
{
    struct ext2_buf buf;
    if (!ext2_block_valid(ext2fs, inode->translator, 1))
        return ext2_damage(ext2fs, "inode %u: damaged (translator %u)", inode->ino, inode->translator);
    error_t err = ext2_cache_get(ext2fs, inode->translator, &buf);
    if (err)
        return err;
    size_t n = (size_t)(uint8_t)buf.data[0] | (size_t)(uint8_t)buf.data[1] << 8;
    if (n == 0 || n > ext2fs->block_size - 2)
        err = ext2_damage(ext2fs, "inode %u: translator block %u: damaged length", inode->ino, inode->translator);
    else if ((*argz = malloc(n)) == NULL)
        err = ENOMEM;
    else
        memcpy(*argz, buf.data + 2, *length = n);
    ext2_cache_put(ext2fs, &buf);
    return err;
}

error_t ext2fs_translator_get(struct diskfs_node *node, char **argz, size_t *length)
{
    struct ext2_inode *inode = &ext2_node(node)->inode;
    error_t err = ext2_xattr_get(ext2fs, inode, XATTR_INDEX_GNU, "translator", argz, length);
    if (err != ENODATA)
        return err;
    return inode->translator ? translator_block_get(inode, argz, length) : ENOENT;
}

error_t ext2fs_translator_set(struct diskfs_node *node, const char *argz, size_t length)
{
    struct ext2_inode *inode = &ext2_node(node)->inode;
    error_t err = ext2fs_flags_check(ext2_node(node), false);
    if (err)
        return err;
    err = ext2_xattr_set(ext2fs, inode, XATTR_INDEX_GNU, "translator", length ? argz : NULL, length);
    if (err)
        return err;
    if (inode->translator) {
        ext2_cache_forget(ext2fs, inode->translator, 1);
        ext2_bfree(ext2fs, inode->translator, 1);
        inode->translator = 0;
        inode->sectors -= ext2fs->block_size / 512;
    }
    node->has_passive = length != 0;
    node->stat.st_blocks = (blkcnt_t)inode->sectors;
    diskfs_node_mark_dirty(node);
    return inode->links ? ext2_inode_write(ext2fs, inode) : 0;      /* before the block it had is used again */
}
