/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inode: between the disk's inode and struct ext2_inode.  */

#include "ext2.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXTRA_FITS(INODE, FIELD) \
    ((INODE)->extra_size >= offsetof(struct disk_inode, FIELD) + sizeof(uint32_t) - GOOD_OLD_INODE_SIZE)

error_t ext2_inode_get_raw(struct ext2_fs *fs, uint32_t ino, struct ext2_buf *buf, struct disk_inode **raw)
{
    if (ino == 0 || ino > fs->inodes)
        return ESTALE;
    uint32_t group = (ino - 1) / fs->inodes_per_group;
    uint64_t offset = (uint64_t)((ino - 1) % fs->inodes_per_group) * fs->inode_size;
    error_t err = ext2_cache_get(fs, fs->groups[group].inode_table + (uint32_t)(offset >> fs->block_log), buf);
    if (!err)
        *raw = (struct disk_inode *)(void *)(buf->data + (offset & (fs->block_size - 1)));
    return err;
}

bool ext2_inode_is_fast_link(const struct ext2_fs *fs, const struct ext2_inode *inode)
{
    uint64_t acl = inode->file_acl ? fs->block_size / 512 : 0;
    return S_ISLNK(inode->mode) && inode->sectors <= acl && inode->size < sizeof inode->block;
}

/* ---- times ------------------------------------------------------------------------------------- */

/* Seconds are signed 32 bits; the low two bits of EXTRA add 2^32 each, the rest are nanoseconds.  */
static struct timespec time_decode(uint32_t seconds, uint32_t extra)
{
    struct timespec t = { (time_t)(int32_t)seconds + ((time_t)(extra & 3) << 32), (long)(extra >> 2) };
    if (t.tv_nsec >= 1000000000)
        t.tv_nsec = 0;
    return t;
}

static uint32_t time_encode(struct timespec t, bool has_extra, uint32_t *extra)
{
    int64_t max = has_extra ? INT32_MAX + (3ll << 32) : INT32_MAX;
    if (t.tv_sec > max)
        t.tv_sec = max;
    if (t.tv_sec < INT32_MIN)
        t.tv_sec = INT32_MIN;
    if (has_extra)
        *extra = (uint32_t)((t.tv_sec - (int32_t)t.tv_sec) >> 32 & 3) | (uint32_t)t.tv_nsec << 2;
    return (uint32_t)t.tv_sec;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void device_decode(struct ext2_inode *inode)
{
    if (!S_ISCHR(inode->mode) && !S_ISBLK(inode->mode))
        return;
    if (inode->block[0]) {
        inode->rmajor = inode->block[0] >> 8 & 0xff;
        inode->rminor = inode->block[0] & 0xff;
    } else {
        inode->rmajor = (inode->block[1] & 0xfff00) >> 8;
        inode->rminor = (inode->block[1] & 0xff) | (inode->block[1] >> 12 & 0xfff00);
    }
}

static void device_encode(struct ext2_inode *inode)
{
    if (!S_ISCHR(inode->mode) && !S_ISBLK(inode->mode))
        return;
    bool old = inode->rmajor < 256 && inode->rminor < 256;
    inode->block[0] = old ? inode->rmajor << 8 | inode->rminor : 0;
    inode->block[1] = old ? 0 : (inode->rminor & 0xff) | inode->rmajor << 8 | (inode->rminor & 0xfff00) << 12;
}

static void inode_decode(struct ext2_fs *fs, struct ext2_inode *inode, const struct disk_inode *d)
{
    inode->mode = d->mode;
    inode->uid = d->uid | (uint32_t)d->uid_high << 16;
    inode->gid = d->gid | (uint32_t)d->gid_high << 16;
    inode->author = fs->hurd ? d->author : inode->uid;
    inode->links = d->links_count;
    inode->flags = d->flags;
    inode->generation = d->generation;
    inode->dtime = d->dtime;
    inode->file_acl = d->file_acl;
    inode->translator = fs->hurd ? d->translator : 0;
    inode->size = d->size | (S_ISREG(d->mode) ? (uint64_t)d->size_high << 32 : 0);
    inode->sectors = d->blocks;
    if (fs->huge_file) {
        inode->sectors |= (uint64_t)d->blocks_high << 32;
        if (d->flags & INODE_FL_HUGE_FILE)
            inode->sectors <<= fs->block_log - 9;
    }
    memcpy(inode->block, d->block, sizeof inode->block);
    if (fs->inode_size > GOOD_OLD_INODE_SIZE)
        inode->extra_size = d->extra_isize;
    if (inode->extra_size > fs->inode_size - GOOD_OLD_INODE_SIZE || inode->extra_size % 4)
        inode->extra_size = 0;
    inode->atime = time_decode(d->atime, EXTRA_FITS(inode, atime_extra) ? d->atime_extra : 0);
    inode->mtime = time_decode(d->mtime, EXTRA_FITS(inode, mtime_extra) ? d->mtime_extra : 0);
    inode->ctime = time_decode(d->ctime, EXTRA_FITS(inode, ctime_extra) ? d->ctime_extra : 0);
    if (EXTRA_FITS(inode, crtime_extra))
        inode->crtime = time_decode(d->crtime, d->crtime_extra);
    device_decode(inode);
}

/* What a sound inode never says.  */
static error_t inode_check(struct ext2_fs *fs, const struct ext2_inode *inode)
{
    if (inode->file_acl && !ext2_block_valid(fs, inode->file_acl, 1))
        return ext2_damage(fs, "inode %u: damaged (file_acl %u)", inode->ino, inode->file_acl);
    if (inode->flags & INODE_FL_EXTENTS)
        return ext2_damage(fs, "inode %u: damaged (flags: has extents)", inode->ino);
    if (inode->size > fs->size_max)
        return ext2_damage(fs, "inode %u: damaged (size %llu)", inode->ino, (unsigned long long)inode->size);
    if (S_ISDIR(inode->mode) && ((inode->size & (fs->block_size - 1)) || inode->size >> fs->block_log > fs->blocks))
        return ext2_damage(fs, "inode %u: damaged (size %llu of a directory)", inode->ino,
                           (unsigned long long)inode->size);
    if (S_ISLNK(inode->mode) && inode->size >= fs->block_size)
        return ext2_damage(fs, "inode %u: damaged (size %llu of a symbolic link)", inode->ino,
                           (unsigned long long)inode->size);
    switch (inode->mode & S_IFMT) {
    case S_IFREG: case S_IFDIR: case S_IFLNK: case S_IFCHR: case S_IFBLK: case S_IFIFO: case S_IFSOCK:
        return 0;
    default:
        return ext2_damage(fs, "inode %u: damaged (mode %#o)", inode->ino, inode->mode);
    }
}

static error_t inode_read(struct ext2_fs *fs, struct ext2_inode *inode, bool orphan)
{
    struct ext2_buf buf;
    struct disk_inode *raw;
    error_t err = ext2_inode_get_raw(fs, inode->ino, &buf, &raw);
    if (err)
        return err;
    if ((raw->links_count == 0 && !orphan) || (raw->mode & S_IFMT) == 0)
        err = ESTALE;
    else
        inode_decode(fs, inode, raw);
    ext2_cache_put(fs, &buf);
    if (!err)
        err = inode_check(fs, inode);
    if (!err)
        pthread_mutex_init(&inode->map_lock, NULL);
    return err;
}

error_t ext2_inode_read(struct ext2_fs *fs, struct ext2_inode *inode)
{
    return inode_read(fs, inode, false);
}

error_t ext2_inode_read_orphan(struct ext2_fs *fs, struct ext2_inode *inode)
{
    return inode_read(fs, inode, true);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static void inode_encode_extra(struct ext2_inode *inode, struct disk_inode *d)
{
    d->atime = time_encode(inode->atime, EXTRA_FITS(inode, atime_extra), &d->atime_extra);
    d->mtime = time_encode(inode->mtime, EXTRA_FITS(inode, mtime_extra), &d->mtime_extra);
    d->ctime = time_encode(inode->ctime, EXTRA_FITS(inode, ctime_extra), &d->ctime_extra);
    if (EXTRA_FITS(inode, crtime_extra))
        d->crtime = time_encode(inode->crtime, true, &d->crtime_extra);
}

/* A file of 2 GiB needs a feature bit that older file systems may lack.  */
static void large_file_note(struct ext2_fs *fs)
{
    if (fs->super.feature_ro_compat & RO_COMPAT_LARGE_FILE || !fs->super.rev_level)
        return;
    pthread_mutex_lock(&fs->alloc_lock);
    fs->super.feature_ro_compat |= RO_COMPAT_LARGE_FILE;
    fs->super_dirty = true;
    pthread_mutex_unlock(&fs->alloc_lock);
}

/* What the map's lock protects.  */
static void inode_encode_map(const struct ext2_fs *fs, struct ext2_inode *inode, struct disk_inode *d)
{
    device_encode(inode);
    d->size = (uint32_t)inode->size;
    if (S_ISREG(inode->mode))
        d->size_high = (uint32_t)(inode->size >> 32);
    uint64_t sectors = inode->sectors >> (fs->huge_file && inode->flags & INODE_FL_HUGE_FILE ? fs->block_log - 9 : 0);
    d->blocks = (uint32_t)sectors;
    if (fs->huge_file)
        d->blocks_high = (uint16_t)(sectors >> 32);
    memcpy(d->block, inode->block, sizeof d->block);
}

static void inode_encode(const struct ext2_fs *fs, struct ext2_inode *inode, struct disk_inode *d)
{
    d->mode = inode->mode;
    d->uid = (uint16_t)inode->uid;
    d->gid = (uint16_t)inode->gid;
    d->uid_high = (uint16_t)(inode->uid >> 16);
    d->gid_high = (uint16_t)(inode->gid >> 16);
    d->links_count = (uint16_t)inode->links;
    d->flags = inode->flags;
    d->generation = inode->generation;
    d->dtime = inode->dtime;
    d->file_acl = inode->file_acl;
    if (fs->hurd) {
        d->author = inode->author;
        d->translator = inode->translator;
    }
    inode_encode_map(fs, inode, d);
    inode_encode_extra(inode, d);
}

error_t ext2_inode_write(struct ext2_fs *fs, struct ext2_inode *inode)
{
    struct ext2_buf buf;
    struct disk_inode *d;
    error_t err = fs->writable ? ext2_inode_get_raw(fs, inode->ino, &buf, &d) : EROFS;
    if (err)
        return err;
    bool going = !inode->links, orphan = inode->orphan_prevp != NULL;
    if (going && ext2_cache_is_awaited(fs, buf.block))
        (void)ext2_sync(fs, false, false);            /* what cannot be written stays dirty: the next sync says so */
    pthread_mutex_lock(&inode->map_lock);
    if (orphan)
        pthread_mutex_lock(&fs->alloc_lock);
    if (going)                                       /* all locks are taken by then: who writes everything waits for
                                                        us */
        ext2_cache_change_begin(fs);
    inode_encode(fs, inode, d);
    ext2_cache_dirty(fs, &buf, going ? EXT2_DELETED : EXT2_INODE);
    if (going)
        ext2_cache_change_end(fs);
    if (orphan)
        pthread_mutex_unlock(&fs->alloc_lock);
    pthread_mutex_unlock(&inode->map_lock);
    ext2_cache_put(fs, &buf);
    if (S_ISREG(inode->mode) && inode->size > INT32_MAX)
        large_file_note(fs);
    return 0;
}

error_t ext2_inode_init(struct ext2_fs *fs, struct ext2_inode *inode, uint16_t mode)
{
    struct ext2_buf buf;
    struct disk_inode *d;
    error_t err = ext2_inode_get_raw(fs, inode->ino, &buf, &d);
    if (err)
        return err;
    memset(d, 0, fs->inode_size);
    if (fs->inode_size > GOOD_OLD_INODE_SIZE) {
        uint16_t wanted = sizeof(struct disk_inode) - GOOD_OLD_INODE_SIZE;
        if (fs->super.want_extra_isize > wanted && fs->super.want_extra_isize % 4 == 0)
            wanted = fs->super.want_extra_isize;
        d->extra_isize = inode->extra_size = wanted;
    }
    ext2_cache_dirty(fs, &buf, EXT2_INODE);
    ext2_cache_put(fs, &buf);
    pthread_mutex_lock(&fs->alloc_lock);
    inode->generation = fs->next_generation++;
    pthread_mutex_unlock(&fs->alloc_lock);
    inode->mode = mode;
    pthread_mutex_init(&inode->map_lock, NULL);
    return 0;
}

/* ---- the end --------------------------------------------------------------------------------------------- */

static bool inode_has_map(const struct ext2_fs *fs, const struct ext2_inode *inode)
{
    return S_ISREG(inode->mode) || S_ISDIR(inode->mode) ||
           (S_ISLNK(inode->mode) && !ext2_inode_is_fast_link(fs, inode));
}

void ext2_inode_delete(struct ext2_fs *fs, struct ext2_inode *inode)
{
    bool directory = S_ISDIR(inode->mode);
    ext2_orphan_remove(fs, inode);
    pthread_mutex_lock(&inode->map_lock);
    if (inode_has_map(fs, inode))
        (void)ext2_map_truncate(fs, inode, 0);
    inode->size = 0;
    pthread_mutex_unlock(&inode->map_lock);
    ext2_xattr_free(fs, inode);
    if (inode->translator) {
        ext2_bfree(fs, inode->translator, 1);
        inode->translator = 0;
    }
    memset(inode->block, 0, sizeof inode->block);
    inode->rmajor = inode->rminor = 0;
    inode->sectors = 0;
    inode->links = 0;
    inode->dtime = (uint32_t)time(NULL);
    if (ext2_inode_write(fs, inode))
        ext2_damage(fs, "inode %u: cannot be written", inode->ino);
    ext2_ifree(fs, inode->ino, directory);
}

void ext2_inode_forget(struct ext2_fs *fs, struct ext2_inode *inode)
{
    ext2_reserve_drop(fs, inode);
    ext2_orphan_forget(fs, inode);
    ext2_dindex_drop(inode);
    free(inode->fresh);
    inode->fresh = NULL;
    inode->fresh_count = inode->fresh_room = 0;
    pthread_mutex_destroy(&inode->map_lock);
}
