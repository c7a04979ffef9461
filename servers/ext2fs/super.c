/* SPDX-License-Identifier: GPL-2.0-or-later */
/* super: mounting, the super block and the table of group descriptors.  */

#include "ext2.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <store/store.h>

#define TEXT_SIZE 256

#define DAMAGE_LINES 20          /* a second */

/* Prints a line of damage, unless there were too many in this second.  */
static void damage_print(struct ext2_fs *fs, const char *text)
{
    time_t now = time(NULL);
    pthread_mutex_lock(&fs->damage_lock);
    if (now != fs->damage_second) {
        if (fs->damage_lines > DAMAGE_LINES)
            fprintf(stderr, "ext2fs: %s: %u more lines of this kind\n", fs->name, fs->damage_lines - DAMAGE_LINES);
        fs->damage_second = now;
        fs->damage_lines = 0;
    }
    if (fs->damage_lines++ < DAMAGE_LINES)
        fprintf(stderr, "ext2fs: %s: %s\n", fs->name, text);
    pthread_mutex_unlock(&fs->damage_lock);
}

error_t ext2_damage(struct ext2_fs *fs, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    damage_print(fs, text);
    fs->damaged = true;
    if (fs->writable && fs->super.errors == ERRORS_PANIC && fs->on_panic)
        fs->on_panic();
    if (fs->writable && (fs->super.errors == ERRORS_READONLY || fs->super.errors == ERRORS_PANIC)) {
        fprintf(stderr, "ext2fs: %s: is read-only from now on, as the super block asks for after an error\n", fs->name);
        fs->stopped = true;
        fs->writable = false;
    }
    return EIO;
}

/* ---- checking what the disk says ---------------------------------------------------------- */

/* What is wrong with the super block; NULL: nothing.  *ERR: EINVAL for what we do not know, EIO for damage.  */
static const char *super_check_kind(const struct super_block *s, error_t *err)
{
    *err = EINVAL;
    if (s->magic != SUPER_MAGIC)
        return "no ext2 file system (super block: bad magic number)";
    if (s->rev_level > REV_DYNAMIC)
        return "super block: unknown revision";
    if (s->rev_level == REV_DYNAMIC && s->feature_incompat & INCOMPAT_RECOVER)
        return "super block: has a journal that must be replayed first (e2fsck does it)";
    *err = EIO;
    return NULL;
}

static const char *super_check_sizes(const struct super_block *s)
{
    uint32_t isize = s->rev_level ? s->inode_size : GOOD_OLD_INODE_SIZE;
    if (s->log_block_size > SUPER_BLOCK_LOG_MAX)
        return "super block: damaged (log_block_size)";
    uint32_t bsize = 1024u << s->log_block_size;
    if (isize < GOOD_OLD_INODE_SIZE || isize > bsize || (isize & (isize - 1)))
        return "super block: damaged (inode_size)";
    if (s->first_data_block != (bsize == 1024))
        return "super block: damaged (first_data_block)";
    if (s->blocks_per_group == 0 || s->blocks_per_group > bsize * 8 || s->blocks_per_group % 8)
        return "super block: damaged (blocks_per_group)";
    if (s->inodes_per_group == 0 || s->inodes_per_group > bsize * 8 || s->inodes_per_group % (bsize / isize))
        return "super block: damaged (inodes_per_group)";
    if (s->blocks_count <= s->first_data_block + 1)
        return "super block: damaged (blocks_count)";
    uint32_t groups = (s->blocks_count - s->first_data_block - 1) / s->blocks_per_group + 1;
    if ((uint64_t)groups * s->inodes_per_group != s->inodes_count)
        return "super block: damaged (inodes_count)";
    if (s->rev_level && (s->first_ino < GOOD_OLD_FIRST_INO || s->first_ino > s->inodes_count))
        return "super block: damaged (first_ino)";
    if (s->rev_level && isize > GOOD_OLD_INODE_SIZE && s->want_extra_isize > isize - GOOD_OLD_INODE_SIZE)
        return "super block: damaged (want_extra_isize)";
    return NULL;
}

static void fs_set_geometry(struct ext2_fs *fs)
{
    const struct super_block *s = &fs->super;
    fs->block_log = 10 + s->log_block_size;
    fs->block_size = 1u << fs->block_log;
    fs->blocks = s->blocks_count;
    fs->first_block = s->first_data_block;
    fs->inodes = s->inodes_count;
    fs->inodes_per_group = s->inodes_per_group;
    fs->blocks_per_group = s->blocks_per_group;
    fs->ngroups = (fs->blocks - fs->first_block - 1) / fs->blocks_per_group + 1;
    fs->inode_size = s->rev_level ? s->inode_size : GOOD_OLD_INODE_SIZE;
    fs->first_ino = s->rev_level ? s->first_ino : GOOD_OLD_FIRST_INO;
    fs->addr_per_block = fs->block_size / 4;
    fs->filetype = s->rev_level && s->feature_incompat & INCOMPAT_FILETYPE;
    fs->dir_index = s->rev_level && s->feature_compat & COMPAT_DIR_INDEX;
    fs->huge_file = s->rev_level && s->feature_ro_compat & RO_COMPAT_HUGE_FILE;
    fs->uninit = s->rev_level && s->feature_ro_compat & RO_COMPAT_UNINIT_BG;
    fs->dir_nlink = s->rev_level && s->feature_ro_compat & RO_COMPAT_DIR_NLINK;
    fs->hurd = s->creator_os == OS_HURD;
    fs->must_readonly = s->rev_level && s->feature_ro_compat & ~RO_COMPAT_KNOWN;
    uint64_t a = fs->addr_per_block, sectors_max = (uint64_t)UINT32_MAX * 512;
    uint64_t mapped = (NDIRECT + a + a * a + a * a * a) * fs->block_size;
    /* The count of sectors has 32 bits, or 48; leave room there for indirect blocks.  */
    if (fs->huge_file)
        sectors_max = (1ull << 48) * 512 - 512;
    sectors_max -= sectors_max / (a / 2);
    fs->size_max = mapped < sectors_max ? mapped : sectors_max;
}

/* Reads and checks the super block; *WHAT is wrong with it, in static memory or in TEXT, of TEXT_SIZE bytes.  */
static error_t super_read(struct store *store, struct super_block *super, char text[TEXT_SIZE], const char **what)
{
    char unknown[TEXT_SIZE / 2];
    void *data;
    size_t length = store->block_size > 2048 ? store->block_size : 2048;
    *what = "too small for a file system";
    if (store->size < 64 * 1024)
        return EINVAL;
    *what = "super block: cannot be read";
    error_t err = store_read(store, 0, length, &data);
    if (err)
        return err;
    memcpy(super, (char *)data + SUPER_OFFSET, SUPER_SIZE);
    store_free(data, length);
    *what = super_check_kind(super, &err);
    if (!*what && !ext2_feature_readable(super, unknown, sizeof unknown)) {
        snprintf(text, TEXT_SIZE, "super block: has features that are not understood: %s", unknown);
        *what = text;
        err = EINVAL;
    }
    if (!*what)
        *what = super_check_sizes(super);
    if (!*what && (uint64_t)super->blocks_count << (10 + super->log_block_size) > store->size)
        *what = "super block: the file system is larger than the store (blocks_count)";
    if (!*what && 1024u << super->log_block_size < store->block_size)
        *what = "super block: blocks are smaller than the store's (log_block_size)";
    return *what ? err : 0;
}

/* ---- group descriptors ---------------------------------------------------------------------- */

static bool number_is_power(uint32_t n, uint32_t base)
{
    while (n % base == 0)
        n /= base;
    return n == 1;
}

static bool group_has_super(const struct ext2_fs *fs, uint32_t group)
{
    if (!(fs->super.rev_level && fs->super.feature_ro_compat & RO_COMPAT_SPARSE_SUPER) || group <= 1)
        return true;
    return number_is_power(group, 3) || number_is_power(group, 5) || number_is_power(group, 7);
}

/* The block that holds the descriptors of groups from INDEX * (descriptors per block) on.  */
static uint32_t desc_block(const struct ext2_fs *fs, uint32_t index)
{
    if (!(fs->super.rev_level && fs->super.feature_incompat & INCOMPAT_META_BG) || index < fs->super.first_meta_bg)
        return fs->first_block + 1 + index;
    uint32_t group = index * (fs->block_size / (uint32_t)sizeof(struct group_desc));
    return fs->first_block + group * fs->blocks_per_group + group_has_super(fs, group);
}

/* Whether COUNT blocks from BLOCK on lie in GROUP.  */
static bool group_holds(const struct ext2_fs *fs, uint32_t group, uint32_t block, uint32_t count)
{
    uint32_t first = fs->first_block + group * fs->blocks_per_group;
    return ext2_block_valid(fs, block, count) && block >= first && block - first < fs->blocks_per_group &&
           count <= fs->blocks_per_group - (block - first);
}

uint32_t ext2_group_overhead(const struct ext2_fs *fs, uint32_t group)
{
    uint32_t per_block = fs->block_size / (uint32_t)sizeof(struct group_desc), has_super = group_has_super(fs, group);
    bool meta_bg = fs->super.rev_level && fs->super.feature_incompat & INCOMPAT_META_BG;
    if (!meta_bg || group / per_block < fs->super.first_meta_bg) {
        uint32_t descs = meta_bg ? fs->super.first_meta_bg : (fs->ngroups + per_block - 1) / per_block;
        return has_super ? 1 + descs + fs->super.reserved_gdt_blocks : 0;
    }
    uint32_t place = group % per_block;
    return has_super + (place <= 1 || place == per_block - 1);
}


static error_t group_check(struct ext2_fs *fs, uint32_t g)
{
    const struct group_desc *d = &fs->groups[g];
    uint32_t table = fs->inodes_per_group / (fs->block_size / fs->inode_size);
    uint32_t first = fs->first_block + g * fs->blocks_per_group, rest = fs->blocks - first;
    uint32_t size = rest < fs->blocks_per_group ? rest : fs->blocks_per_group;
    if (!group_holds(fs, g, d->block_bitmap, 1))
        return ext2_damage(fs, "group descriptor %u: damaged (block_bitmap %u)", g, d->block_bitmap);
    if (!group_holds(fs, g, d->inode_bitmap, 1))
        return ext2_damage(fs, "group descriptor %u: damaged (inode_bitmap %u)", g, d->inode_bitmap);
    if (!group_holds(fs, g, d->inode_table, table))
        return ext2_damage(fs, "group descriptor %u: damaged (inode_table %u)", g, d->inode_table);
    if (d->free_blocks_count > size)
        return ext2_damage(fs, "group descriptor %u: damaged (free_blocks_count %u)", g, d->free_blocks_count);
    if (d->free_inodes_count > fs->inodes_per_group || d->used_dirs_count > fs->inodes_per_group)
        return ext2_damage(fs, "group descriptor %u: damaged (free_inodes_count %u, used_dirs_count %u)", g,
                           d->free_inodes_count, d->used_dirs_count);
    return 0;
}

static error_t groups_read(struct ext2_fs *fs)
{
    uint32_t per_block = fs->block_size / (uint32_t)sizeof(struct group_desc);
    for (uint32_t g = 0; g < fs->ngroups; g += per_block) {
        struct ext2_buf buf;
        error_t err = ext2_cache_get(fs, desc_block(fs, g / per_block), &buf);
        if (err)
            return err;
        uint32_t n = fs->ngroups - g < per_block ? fs->ngroups - g : per_block;
        memcpy(&fs->groups[g], buf.data, n * sizeof(struct group_desc));
        ext2_cache_put(fs, &buf);
    }
    /* The super block's sums are only written now and then: the groups' own counts are what is true.  */
    uint32_t blocks = 0, inodes = 0;
    for (uint32_t g = 0; g < fs->ngroups; g++) {
        error_t err = group_check(fs, g);
        if (err)
            return err;
        blocks += fs->groups[g].free_blocks_count;
        inodes += fs->groups[g].free_inodes_count;
    }
    fs->super.free_blocks_count = blocks;
    fs->super.free_inodes_count = inodes;
    return 0;
}

/* Puts changed descriptors into the cache.  alloc_lock held.  */
static error_t groups_write(struct ext2_fs *fs)
{
    uint32_t per_block = fs->block_size / (uint32_t)sizeof(struct group_desc);
    error_t err = 0;
    for (uint32_t g = 0; g < fs->ngroups; g += per_block) {
        struct ext2_buf buf;
        if (!fs->group_dirty[g / per_block])
            continue;
        error_t e = ext2_cache_get(fs, desc_block(fs, g / per_block), &buf);
        if (e) {
            err = e;
            continue;
        }
        uint32_t n = fs->ngroups - g < per_block ? fs->ngroups - g : per_block;
        for (uint32_t i = g; fs->uninit && i < g + n; i++)
            fs->groups[i].checksum = ext2_group_sum(fs, i);
        memcpy(buf.data, &fs->groups[g], n * sizeof(struct group_desc));
        ext2_cache_dirty(fs, &buf, EXT2_FIRST);
        ext2_cache_put(fs, &buf);
        fs->group_dirty[g / per_block] = false;
    }
    return err;
}

/* ---- mounting -------------------------------------------------------------------------------- */

static uint32_t random_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint32_t)(now.tv_nsec * 2654435761u ^ now.tv_sec);
}

error_t ext2_mount(struct store *store, size_t cache_bytes, struct ext2_fs **result, char **why)
{
    struct ext2_fs *fs = calloc(1, sizeof *fs);
    if (!fs)
        return store_fail(why, ENOMEM, "%s: out of memory", store->name);
    fs->store = store;
    fs->name = store->name;
    pthread_mutex_init(&fs->alloc_lock, NULL);
    pthread_mutex_init(&fs->sync_lock, NULL);
    pthread_mutex_init(&fs->damage_lock, NULL);
    char text[TEXT_SIZE];
    const char *what;
    error_t err = super_read(store, &fs->super, text, &what);
    if (err) {
        free(fs);
        return store_fail(why, err, "%s: %s", store->name, what);
    }
    fs_set_geometry(fs);
    fs->next_generation = random_seed();
    uint32_t per_block = fs->block_size / (uint32_t)sizeof(struct group_desc);
    fs->groups = calloc(fs->ngroups, sizeof *fs->groups);
    fs->group_dirty = calloc(fs->ngroups / per_block + 1, sizeof *fs->group_dirty);
    fs->state = calloc(fs->ngroups, sizeof *fs->state);
    fs->links = ext2_links_create();
    err = fs->groups && fs->group_dirty && fs->state && fs->links ? 0 : ENOMEM;
    if (!err)
        err = ext2_cache_create(store, fs->block_size, fs->blocks, cache_bytes, &fs->cache);
    if (!err)
        err = groups_read(fs);
    if (err) {
        ext2_unmount(fs);
        return store_fail(why, err, "%s: group descriptors: %s", store->name, strerror(err));
    }
    *result = fs;
    return 0;
}

void ext2_unmount(struct ext2_fs *fs)
{
    if (fs->cache)
        ext2_cache_destroy(fs->cache);
    free(fs->groups);
    free(fs->group_dirty);
    ext2_groups_forget(fs);
    free(fs->state);
    pthread_mutex_destroy(&fs->alloc_lock);
    pthread_mutex_destroy(&fs->sync_lock);
    pthread_mutex_destroy(&fs->damage_lock);
    ext2_links_destroy(fs->links);
    free(fs);
}

error_t ext2_reload(struct ext2_fs *fs)
{
    struct super_block super;
    char text[TEXT_SIZE];
    const char *what;
    error_t err = super_read(fs->store, &super, text, &what);
    if (err)
        return ext2_damage(fs, "%s", what);
    if (super.blocks_count != fs->super.blocks_count || super.log_block_size != fs->super.log_block_size ||
        super.inodes_per_group != fs->super.inodes_per_group || super.blocks_per_group != fs->super.blocks_per_group)
        return ext2_damage(fs, "super block: another file system than before");
    ext2_cache_drop(fs);
    pthread_mutex_lock(&fs->alloc_lock);
    fs->super = super;
    fs->super_dirty = false;
    fs_set_geometry(fs);
    ext2_groups_forget(fs);
    pthread_mutex_unlock(&fs->alloc_lock);
    return groups_read(fs);
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* Writes the super block.  It lies in block 1 or 0, in the cache's reach, but nobody gets it from there after
   mounting.  */
static error_t super_write(struct ext2_fs *fs)
{
    struct ext2_buf buf;
    error_t err = ext2_cache_get(fs, fs->first_block, &buf);
    if (err)
        return err;
    memcpy(buf.data + (fs->first_block ? 0 : SUPER_OFFSET), &fs->super, SUPER_SIZE);
    ext2_cache_dirty(fs, &buf, EXT2_FIRST);
    ext2_cache_put(fs, &buf);
    return 0;
}

/* After an error that stopped writing: nothing goes to the disk but the mark of it, once.  */
static error_t stopped_sync(struct ext2_fs *fs)
{
    error_t err = 0;
    pthread_mutex_lock(&fs->sync_lock);
    if (!(fs->super.state & STATE_ERROR)) {
        char *block;
        void *data;
        uint64_t offset = (uint64_t)fs->first_block << fs->block_log;
        err = store_read(fs->store, offset, fs->block_size, &data);
        if (!err) {
            block = data;
            struct super_block *s = (void *)(block + (fs->first_block ? 0 : SUPER_OFFSET));
            s->state |= STATE_ERROR;
            fs->super.state |= STATE_ERROR;
            err = store_write_through(fs->store, offset, block, fs->block_size);
            store_free(data, fs->block_size);
        }
    }
    pthread_mutex_unlock(&fs->sync_lock);
    return err;
}

/* Puts descriptors and super block into the cache, with the state STATE, if they have changed.  */
static error_t sums_write(struct ext2_fs *fs, uint16_t state)
{
    pthread_mutex_lock(&fs->alloc_lock);
    error_t err = groups_write(fs);
    if (fs->super_dirty || state != fs->super.state) {
        fs->super.wtime = (uint32_t)time(NULL);
        fs->super.state = state;
        fs->super_dirty = false;
        error_t e = super_write(fs);
        err = err ? err : e;
    }
    pthread_mutex_unlock(&fs->alloc_lock);
    return err;
}

/* Writes everything dirty, then frees what was deleted.  */
static error_t pass(struct ext2_fs *fs, uint16_t state, bool flush, bool all)
{
    ext2_links_sync_begin(fs);
    error_t err = sums_write(fs, state), e = ext2_cache_sync(fs);
    err = err ? err : e;
    bool flushed = flush || fs->freed;
    if (flushed) {
        e = store_flush(fs->store);
        err = err ? err : e;
    }
    if (!err) {
        ext2_bfreed_release(fs, all);
        ext2_inodes_age(fs);
        if (flushed)
            ext2_links_sync_end(fs);
    }
    return err;
}

error_t ext2_sync(struct ext2_fs *fs, bool wait, bool clean)
{
    if (!fs->writable)
        return fs->stopped ? stopped_sync(fs) : 0;
    pthread_mutex_lock(&fs->sync_lock);
    if (clean)
        ext2_reserve_drop_all(fs);
    uint16_t error = (fs->super.state & STATE_ERROR) | (fs->damaged ? STATE_ERROR : 0);
    error_t err = pass(fs, error, wait, clean);
    /* The clean mark comes last, when all the rest is on the disk.  */
    if (clean && !err)
        err = pass(fs, error, true, true);
    if (clean && !err && fs->was_valid)
        err = pass(fs, error | STATE_VALID, true, true);
    pthread_mutex_unlock(&fs->sync_lock);
    return err;
}

error_t ext2_set_writable(struct ext2_fs *fs, bool writable)
{
    if (writable == fs->writable)
        return 0;
    if (!writable) {
        fs->writable = false;
        return 0;
    }
    char unknown[TEXT_SIZE];
    if (!ext2_feature_writable(&fs->super, unknown, sizeof unknown))
        fprintf(stderr, "ext2fs: %s: cannot be written, only read: has features that are not understood: %s\n",
                fs->name, unknown);
    if (fs->must_readonly || fs->store->readonly || fs->stopped || !ext2_group_sums_right(fs))
        return EROFS;
    fs->was_valid = fs->super.state & STATE_VALID;
    if (!fs->was_valid)
        fprintf(stderr, "ext2fs: %s: was not cleanly unmounted; it should be checked (e2fsck)\n", fs->name);
    else if (fs->super.state & STATE_ERROR)
        fprintf(stderr, "ext2fs: %s: has errors; it should be checked (e2fsck)\n", fs->name);
    else if ((int16_t)fs->super.max_mnt_count > 0 && fs->super.mnt_count >= fs->super.max_mnt_count)
        fprintf(stderr, "ext2fs: %s: was mounted %u times; it should be checked (e2fsck)\n", fs->name,
                fs->super.mnt_count);
    else if (fs->super.checkinterval && time(NULL) >= (time_t)fs->super.lastcheck + (time_t)fs->super.checkinterval)
        fprintf(stderr, "ext2fs: %s: was not checked for long; it should be (e2fsck)\n", fs->name);
    pthread_mutex_lock(&fs->alloc_lock);
    fs->writable = true;
    fs->super.mnt_count++;
    fs->super.mtime = (uint32_t)time(NULL);
    fs->super_dirty = true;
    pthread_mutex_unlock(&fs->alloc_lock);
    error_t err = ext2_sync(fs, true, false);
    if (err)
        fs->writable = false;
    else
        ext2_orphan_clean(fs);
    return err;
}

/* ---- statfs ---------------------------------------------------------------------------------------- */

void ext2_counts(struct ext2_fs *fs, struct ext2_counts *counts)
{
    uint32_t tables = fs->inodes_per_group / (fs->block_size / fs->inode_size), with_super = 0;
    uint32_t descs = (fs->ngroups * (uint32_t)sizeof(struct group_desc) + fs->block_size - 1) / fs->block_size;
    for (uint32_t g = 0; g < fs->ngroups; g++)
        with_super += group_has_super(fs, g);
    uint64_t overhead = fs->first_block + (uint64_t)fs->ngroups * (tables + 2) + (uint64_t)with_super * (1 + descs);
    pthread_mutex_lock(&fs->alloc_lock);
    uint64_t free = (uint64_t)fs->super.free_blocks_count + fs->reserved + fs->freed;
    *counts = (struct ext2_counts){ fs->blocks > overhead ? fs->blocks - overhead : 0, free,
                                    free > fs->super.r_blocks_count ? free - fs->super.r_blocks_count : 0,
                                    fs->inodes, fs->super.free_inodes_count };
    pthread_mutex_unlock(&fs->alloc_lock);
}
