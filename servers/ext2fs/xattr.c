/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xattr: extended attributes, in the rest of a large inode and in a block.

   Both are the same thing: entries that grow upwards from the beginning and end with a word of zeros, values that grow
   downwards from the end. `area` describes one.  A change is made on a copy that is packed anew from the old entries,
   so nothing is half changed, and a damaged area is never written.  A new value goes into the inode if it has room,
   else into the block; a block that other inodes share is copied first.

   Lock: blocks_lock, above map_lock and the allocator's: how many inodes share a block, and what a block that is not
   shared holds.  */

#include "ext2.h"

#include <stdlib.h>
#include <string.h>

static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;

struct area {
    char *start;              /* the first entry */
    char *base;               /* what value_offs counts from */
    uint32_t size;            /* bytes from start to the end */
};

/* ---- looking ------------------------------------------------------------------------------------ */

/* The entry at OFFSET from the area's start: NULL in *ENTRY at the end of the list; EIO if it does not lie in the
   area.  */
static error_t area_entry(const struct area *a, uint32_t offset, struct xattr_entry **entry)
{
    uint32_t end;
    *entry = NULL;
    if (offset > a->size || a->size - offset < sizeof end)
        return EIO;
    memcpy(&end, a->start + offset, sizeof end);
    if (end == 0)
        return 0;
    struct xattr_entry *e = (struct xattr_entry *)(void *)(a->start + offset);
    if (a->size - offset < sizeof *e || a->size - offset < XATTR_ENTRY_SIZE(e->name_len))
        return EIO;
    uint32_t shift = (uint32_t)(a->start - a->base);
    if (e->value_inum || e->value_size > a->size ||
        (e->value_size && (e->value_offs < shift || e->value_offs - shift > a->size - e->value_size)))
        return EIO;
    *entry = e;
    return 0;
}

/* Checks every entry; *FOUND: that of INDEX and NAME, or NULL.  */
static error_t area_find(const struct area *a, uint8_t index, const char *name, size_t length,
                         struct xattr_entry **found)
{
    *found = NULL;
    for (uint32_t offset = 0;;) {
        struct xattr_entry *e;
        error_t err = area_entry(a, offset, &e);
        if (err || !e)
            return err;
        if (e->name_index == index && e->name_len == length && !memcmp(e->name, name, length))
            *found = e;
        offset += XATTR_ENTRY_SIZE(e->name_len);
    }
}

static error_t area_damaged(struct ext2_fs *fs, const struct ext2_inode *inode, bool in_block)
{
    return in_block ? ext2_damage(fs, "inode %u: attribute block %u: damaged entry", inode->ino, inode->file_acl)
                    : ext2_damage(fs, "inode %u: damaged attribute in the inode", inode->ino);
}

/* The area in the inode RAW; false: none, or no room for one.  CREATE: even if there are no attributes yet.  */
static bool area_of_inode(const struct ext2_fs *fs, const struct ext2_inode *inode, struct disk_inode *raw, bool create,
                          struct area *a)
{
    uint32_t offset = GOOD_OLD_INODE_SIZE + inode->extra_size, magic;
    if (fs->inode_size <= GOOD_OLD_INODE_SIZE || inode->extra_size < 4 ||
        offset + 4 + sizeof(struct xattr_entry) + 8 > fs->inode_size)
        return false;
    char *p = (char *)raw + offset;
    memcpy(&magic, p, sizeof magic);
    *a = (struct area){ p + 4, p + 4, fs->inode_size - offset - 4 };
    if (magic != XATTR_MAGIC && create) {
        magic = XATTR_MAGIC;
        memcpy(p, &magic, sizeof magic);
        memset(a->start, 0, a->size);
    }
    return magic == XATTR_MAGIC;
}

/* The area in the attribute block.  */
static error_t area_of_block(struct ext2_fs *fs, const struct ext2_inode *inode, struct ext2_buf *buf, struct area *a)
{
    error_t err = ext2_cache_get(fs, inode->file_acl, buf);
    if (err)
        return err;
    const struct xattr_header *h = (const struct xattr_header *)(void *)buf->data;
    if (h->magic != XATTR_MAGIC || h->blocks != 1 || h->refcount == 0) {
        err = ext2_damage(fs, "inode %u: attribute block %u: damaged header", inode->ino, inode->file_acl);
        ext2_cache_put(fs, buf);
        return err;
    }
    *a = (struct area){ buf->data + sizeof *h, buf->data, fs->block_size - (uint32_t)sizeof *h };
    return 0;
}

static error_t value_copy(const struct area *a, const struct xattr_entry *e, char **value, size_t *length)
{
    char *copy = malloc(e->value_size + 1);
    if (!copy)
        return ENOMEM;
    memcpy(copy, a->base + e->value_offs, e->value_size);
    copy[e->value_size] = 0;
    *value = copy;
    *length = e->value_size;
    return 0;
}

error_t ext2_xattr_get(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name, char **value,
                       size_t *length)
{
    struct ext2_buf buf;
    struct disk_inode *raw;
    struct area a;
    struct xattr_entry *e = NULL;
    error_t err = ext2_inode_get_raw(fs, inode->ino, &buf, &raw);
    if (err)
        return err;
    if (area_of_inode(fs, inode, raw, false, &a))
        err = area_find(&a, index, name, strlen(name), &e) ? area_damaged(fs, inode, false) : 0;
    if (!err && e)
        err = value_copy(&a, e, value, length);
    ext2_cache_put(fs, &buf);
    if (err || e || !inode->file_acl)
        return err ? err : e ? 0 : ENODATA;
    err = area_of_block(fs, inode, &buf, &a);
    if (err)
        return err;
    err = area_find(&a, index, name, strlen(name), &e) ? area_damaged(fs, inode, true) : 0;
    if (!err)
        err = e ? value_copy(&a, e, value, length) : ENODATA;
    ext2_cache_put(fs, &buf);
    return err;
}

bool ext2_xattr_exists(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name)
{
    struct ext2_buf buf;
    struct disk_inode *raw;
    struct area a;
    struct xattr_entry *e = NULL;
    if (ext2_inode_get_raw(fs, inode->ino, &buf, &raw))
        return false;
    if (area_of_inode(fs, inode, raw, false, &a))
        (void)area_find(&a, index, name, strlen(name), &e);
    ext2_cache_put(fs, &buf);
    if (!e && inode->file_acl && area_of_block(fs, inode, &buf, &a) == 0) {
        (void)area_find(&a, index, name, strlen(name), &e);
        ext2_cache_put(fs, &buf);
    }
    return e != NULL;
}

/* ---- changing ------------------------------------------------------------------------------------------ */

static uint32_t entry_hash(const char *name, size_t name_length, const char *value, size_t length)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < name_length; i++)
        hash = (hash << 5) ^ (hash >> 27) ^ (uint8_t)name[i];
    for (size_t i = 0; i < length; i += 4) {
        uint32_t word = 0;
        memcpy(&word, value + i, length - i < 4 ? length - i : 4);
        hash = (hash << 16) ^ (hash >> 16) ^ word;
    }
    return hash;
}

/* The packed copy under construction.  */
struct pack {
    char *mem;                /* the area's bytes */
    uint32_t size, shift;     /* shift: value_offs of mem[0] */
    uint32_t entries, values; /* bytes used from the beginning; first byte used at the end */
};

static error_t pack_add(struct pack *p, uint8_t index, const char *name, size_t name_length, const char *value,
                        size_t length, uint32_t hash)
{
    uint32_t need = XATTR_ENTRY_SIZE(name_length), room = p->values - p->entries;
    if (length > p->size || room < need + 4 + ((length + 3) & ~3u))
        return ENOSPC;
    p->values -= (uint32_t)(length + 3) & ~3u;
    memcpy(p->mem + p->values, value, length);
    struct xattr_entry e = {(uint8_t)name_length, index, (uint16_t)(length ? p->values + p->shift : 0), 0,
                            (uint32_t)length,     hash};
    memcpy(p->mem + p->entries, &e, sizeof e);
    memcpy(p->mem + p->entries + sizeof e, name, name_length);
    p->entries += need;
    return 0;
}

/* Order of entries in a block: by index, length of the name, name.  */
static bool entry_is_before(const struct xattr_entry *e, uint8_t index, const char *name, size_t length)
{
    if (e->name_index != index)
        return e->name_index < index;
    if (e->name_len != length)
        return e->name_len < length;
    return memcmp(e->name, name, length) < 0;
}

/* Packs A's entries without NAME, and with it at its place if VALUE is not NULL, and puts the result over A.  *EMPTY:
   nothing is left. ENOSPC, EIO: A is unchanged.  A->start must lie in memory that may be changed.  */
static error_t area_change(const struct area *a, uint8_t index, const char *name, const char *value, size_t length,
                           bool *empty)
{
    size_t name_length = strlen(name);
    struct pack p = { calloc(1, a->size), a->size, (uint32_t)(a->start - a->base), 0, a->size & ~3u };
    error_t err = p.mem ? 0 : ENOMEM;
    bool placed = !value;
    for (uint32_t offset = 0; !err;) {
        struct xattr_entry *e;
        err = area_entry(a, offset, &e);
        if (!err && !placed && (!e || !entry_is_before(e, index, name, name_length))) {
            err = pack_add(&p, index, name, name_length, value, length, entry_hash(name, name_length, value, length));
            placed = true;
        }
        if (err || !e)
            break;
        if (e->name_index != index || e->name_len != name_length || memcmp(e->name, name, name_length))
            err = pack_add(&p, e->name_index, e->name, e->name_len, a->base + e->value_offs, e->value_size, e->hash);
        offset += XATTR_ENTRY_SIZE(e->name_len);
    }
    if (!err) {
        memcpy(a->start, p.mem, a->size);
        *empty = p.entries == 0;
    }
    free(p.mem);
    return err;
}

static error_t inode_change(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name,
                            const char *value, size_t length)
{
    struct ext2_buf buf;
    struct disk_inode *raw;
    struct area a;
    bool empty = false;
    error_t err = ext2_inode_get_raw(fs, inode->ino, &buf, &raw);
    if (err)
        return err;
    if (area_of_inode(fs, inode, raw, value != NULL, &a)) {
        err = area_change(&a, index, name, value, length, &empty);
        if (err == EIO)
            err = area_damaged(fs, inode, false);
        if (empty)
            memset(a.start - 4, 0, 4);
        ext2_cache_dirty(fs, &buf, EXT2_INODE);
    } else {
        err = value ? ENOSPC : 0;
    }
    ext2_cache_put(fs, &buf);
    return err;
}

static void block_hash(struct ext2_fs *fs, struct ext2_buf *buf)
{
    struct xattr_header *h = (struct xattr_header *)(void *)buf->data;
    struct area a = { buf->data + sizeof *h, buf->data, fs->block_size - (uint32_t)sizeof *h };
    struct xattr_entry *e;
    h->hash = 0;
    for (uint32_t offset = 0; area_entry(&a, offset, &e) == 0 && e; offset += XATTR_ENTRY_SIZE(e->name_len)) {
        if (e->hash == 0) {
            h->hash = 0;
            return;
        }
        h->hash = (h->hash << 16) ^ (h->hash >> 16) ^ e->hash;
    }
}

static void inode_sectors(struct ext2_fs *fs, struct ext2_inode *inode, int blocks)
{
    pthread_mutex_lock(&inode->map_lock);
    inode->sectors = (uint64_t)((int64_t)inode->sectors + blocks * (int64_t)(fs->block_size / 512));
    pthread_mutex_unlock(&inode->map_lock);
}

/* A new attribute block for INODE in BUF, with a copy of OLD's contents if OLD is not NULL.  */
static error_t block_create(struct ext2_fs *fs, struct ext2_inode *inode, const struct ext2_buf *old, uint32_t *block,
                            struct ext2_buf *buf)
{
    uint32_t count;
    error_t err = ext2_balloc(fs, inode, ext2_inode_goal(fs, inode->ino), 1, 0, block, &count);
    if (err)
        return err;
    err = ext2_cache_zero(fs, *block, buf);
    if (err) {
        ext2_bfree(fs, *block, 1);
        return err;
    }
    if (old)
        memcpy(buf->data, old->data, fs->block_size);
    struct xattr_header *h = (struct xattr_header *)(void *)buf->data;
    *h = (struct xattr_header){ .magic = XATTR_MAGIC, .refcount = 1, .blocks = 1 };
    return 0;
}

/* INODE gives up its attribute block. blocks_lock held.  */
static void block_leave(struct ext2_fs *fs, struct ext2_inode *inode)
{
    struct ext2_buf buf;
    struct area a;
    if (!inode->file_acl || area_of_block(fs, inode, &buf, &a))
        return;
    struct xattr_header *h = (struct xattr_header *)(void *)buf.data;
    bool last = h->refcount == 1;
    if (!last) {
        h->refcount--;
        ext2_cache_dirty(fs, &buf, EXT2_INODE);
    }
    ext2_cache_put(fs, &buf);
    if (last) {
        ext2_cache_forget(fs, inode->file_acl, 1);
        ext2_bfree(fs, inode->file_acl, 1);
    }
    inode->file_acl = 0;
    inode_sectors(fs, inode, -1);
}

void ext2_xattr_free(struct ext2_fs *fs, struct ext2_inode *inode)
{
    if (!inode->file_acl)
        return;
    pthread_mutex_lock(&blocks_lock);
    block_leave(fs, inode);
    pthread_mutex_unlock(&blocks_lock);
}

/* Changes one attribute in the block BUF, which is released.  *EMPTY: it was the last. */
static error_t block_edit(struct ext2_fs *fs, struct ext2_inode *inode, struct ext2_buf *buf, uint8_t index,
                          const char *name, const char *value, size_t length, bool *empty)
{
    struct area a = {buf->data + sizeof(struct xattr_header), buf->data,
                     fs->block_size - (uint32_t)sizeof(struct xattr_header)};
    error_t err = area_change(&a, index, name, value, length, empty);
    if (err == EIO)
        err = area_damaged(fs, inode, true);
    block_hash(fs, buf);
    if (!err)
        ext2_cache_dirty(fs, buf, EXT2_INODE);
    ext2_cache_put(fs, buf);
    return err;
}

/* Changes the attribute block, made or copied as needed. blocks_lock held.  */
static error_t block_change_locked(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name,
                                   const char *value, size_t length)
{
    struct ext2_buf old = { NULL, NULL, 0 }, buf;
    struct area a;
    uint32_t block = inode->file_acl;
    bool empty = false, create = !inode->file_acl;
    if (create && !value)
        return 0;
    error_t err = create ? 0 : area_of_block(fs, inode, &old, &a);
    if (err)
        return err;
    bool copy = create || ((struct xattr_header *)(void *)old.data)->refcount > 1;
    if (copy) {
        err = block_create(fs, inode, create ? NULL : &old, &block, &buf);
    } else {
        buf = old;
        old.line = NULL;
    }
    if (!err) {
        err = block_edit(fs, inode, &buf, index, name, value, length, &empty);
        if (err && copy) {
            ext2_cache_forget(fs, block, 1);
            ext2_bfree(fs, block, 1);
        }
    }
    if (!err && copy && !create) {
        ((struct xattr_header *)(void *)old.data)->refcount--;
        ext2_cache_dirty(fs, &old, EXT2_INODE);
    }
    if (old.line)
        ext2_cache_put(fs, &old);
    if (err)
        return err;
    inode->file_acl = block;
    if (create)
        inode_sectors(fs, inode, 1);
    if (empty)
        block_leave(fs, inode);
    return 0;
}

static error_t block_change(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name,
                            const char *value, size_t length)
{
    pthread_mutex_lock(&blocks_lock);
    error_t err = block_change_locked(fs, inode, index, name, value, length);
    pthread_mutex_unlock(&blocks_lock);
    return err;
}

static void feature_note(struct ext2_fs *fs)
{
    if (fs->super.feature_compat & COMPAT_EXT_ATTR || !fs->super.rev_level)
        return;
    pthread_mutex_lock(&fs->alloc_lock);
    fs->super.feature_compat |= COMPAT_EXT_ATTR;
    fs->super_dirty = true;
    pthread_mutex_unlock(&fs->alloc_lock);
}

error_t ext2_xattr_set(struct ext2_fs *fs, struct ext2_inode *inode, uint8_t index, const char *name, const char *value,
                       size_t length)
{
    if (strlen(name) > UINT8_MAX)
        return ENAMETOOLONG;
    error_t err = inode_change(fs, inode, index, name, value, length);
    if (err == 0)
        return inode->file_acl ? block_change(fs, inode, index, name, NULL, 0)
                               : (value ? feature_note(fs) : (void)0, 0);
    if (err != ENOSPC)
        return err;
    err = block_change(fs, inode, index, name, value, length);
    if (err)
        return err;
    feature_note(fs);
    return inode_change(fs, inode, index, name, NULL, 0);
}
