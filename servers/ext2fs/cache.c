/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache: the write-back cache of metadata blocks.

   It holds lines of LINE_BYTES, aligned on the store, because inode tables, bitmaps and directories lie close together:
   one request brings what the next lookups need, and its reply memory becomes the line without a copy.  Each block of a
   line is `valid` or not and `dirty` or not.  Only dirty blocks are ever written, never their neighbours, which may be
   some file's contents by now.

   Order of writing.  After a power cut e2fsck must be able to repair everything without losing a file that was there
   before, so dirty blocks go to the disk in five groups, with a flush of the disk's own cache between any two:
     1. bitmaps, descriptors, the super block; blocks that were just taken: new tables of a block map, new blocks of a
        directory
     2. inodes, tables of a block map: what they name is there already
     3. directory blocks with names entered or changed: their inodes are there already; tables from which blocks were
        cut off
     4. directory blocks from which something moved to another block: where it went is there already
     5. blocks of the inode table with inodes that were deleted: their names are gone or stand for what replaced them
   A block that is due in two groups goes with the later one, but what is new always goes first.  Where that puts the
   two blocks of a rename in the wrong order, because names moved out of the one to which another moved, dir.c has
   everything written in between (a file that was linked and loses its old name is one that moved: links.c remembers):
   `awaited` notes the blocks that others wait for.  So it is with a new inode that takes a name from an old one, and
   inodes that go from the same block.  Blocks that were freed are not used again until this has run its course
   (balloc.c), so nothing on the disk belongs to two files.  What changes while everything is being written may go with
   it, one group too early or one round before what it should come after.  Names that are entered then, and inodes made,
   lose nothing but the new name when the power fails in that moment; a deleted inode and a name that moved would lose
   what was there before, so those changes wait until no writing is under way (ext2_cache_change_begin).

   Life of a line: made by the first get or zero of one of its blocks; in the hash table and on the list of all lines,
   most recently used first; evicted from that list's end when there are too many, if nobody uses it and it is clean; if
   too few are clean, everything is written first.  `io` is set while it is being read or written with the lock
   released: whoever needs it otherwise waits.  Holders of a reference may change contents while a write is going on;
   they mark it dirty afterwards, and it is written again.

   Lock: `lock` protects everything but the contents of blocks.  */

#include "ext2.h"

#include <stdlib.h>
#include <string.h>
#include <store/store.h>

#define LINE_BYTES 32768u
#define CACHE_BYTES_DEFAULT (16u << 20)

struct ext2_line {
    uint32_t number;
    uint32_t valid, dirty;                /* a bit per block */
    uint32_t order[EXT2_ORDERS];          /* the dirty blocks of each group: disjoint, together `dirty` */
    uint32_t awaited;                     /* the dirty blocks to which a name moved from another, or with a new inode
                                             that took an old name: not to be put off */
    uint32_t batch;                       /* the blocks that the write under way takes along */
    unsigned int refs;
    bool io;
    char *mem;                            /* LINE_BYTES, of store_read or store_alloc; NULL while nothing is valid */
    struct ext2_line *hash_next;
    struct ext2_line *newer, *older;
};

struct ext2_cache {
    struct store *store;                  /* constant */
    uint32_t block_size, blocks;          /* constant */
    unsigned int line_log;                /* log2 of blocks in a line; constant */
    unsigned int lines_max, hash_mask;    /* constant */
    pthread_mutex_t lock;
    pthread_cond_t io_done;
    unsigned int lines;
    struct ext2_line *newest, *oldest;
    bool writing;                         /* somebody is writing everything, or waits for `changers` to do it */
    unsigned int changers;                /* between ext2_cache_change_begin and _end */
    struct ext2_line **batch;             /* the lines that are being written; room for `batch_room` >= lines */
    unsigned int batch_room;
    struct ext2_line *hash[];
};

error_t ext2_cache_create(struct store *store, uint32_t block_size, uint32_t blocks, size_t bytes,
                          struct ext2_cache **cache)
{
    if (bytes == 0)
        bytes = CACHE_BYTES_DEFAULT;
    unsigned int max = bytes / LINE_BYTES < 8 ? 8 : (unsigned int)(bytes / LINE_BYTES), buckets = 8;
    while (buckets < max)
        buckets *= 2;
    struct ext2_cache *c = calloc(1, sizeof *c + buckets * sizeof c->hash[0]);
    if (!c)
        return ENOMEM;
    *c = (struct ext2_cache){ .store = store, .block_size = block_size, .blocks = blocks, .lines_max = max,
                              .hash_mask = buckets - 1, .lock = PTHREAD_MUTEX_INITIALIZER,
                              .io_done = PTHREAD_COND_INITIALIZER };
    while (block_size << c->line_log < LINE_BYTES)
        c->line_log++;
    *cache = c;
    return 0;
}

/* ---- lines; lock held ---------------------------------------------------------------- */

static struct ext2_line *line_lookup(struct ext2_cache *c, uint32_t number)
{
    struct ext2_line *line = c->hash[number & c->hash_mask];
    while (line && line->number != number)
        line = line->hash_next;
    return line;
}

static void line_unlist(struct ext2_cache *c, struct ext2_line *line)
{
    *(line->newer ? &line->newer->older : &c->newest) = line->older;
    *(line->older ? &line->older->newer : &c->oldest) = line->newer;
}

static void line_list(struct ext2_cache *c, struct ext2_line *line)
{
    line->newer = NULL;
    line->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = line;
    c->newest = line;
}

static void line_destroy(struct ext2_cache *c, struct ext2_line *line)
{
    struct ext2_line **p = &c->hash[line->number & c->hash_mask];
    while (*p != line)
        p = &(*p)->hash_next;
    *p = line->hash_next;
    line_unlist(c, line);
    if (line->mem)
        store_free(line->mem, LINE_BYTES);
    free(line);
    c->lines--;
}

/* Bytes of the line that lie on the store: the last line may be short.  */
static size_t line_bytes(const struct ext2_cache *c, const struct ext2_line *line)
{
    uint64_t first = (uint64_t)line->number << c->line_log, rest = c->blocks - first;
    return rest >> c->line_log ? LINE_BYTES : (size_t)rest * c->block_size;
}

static uint64_t line_offset(const struct ext2_cache *c, const struct ext2_line *line, unsigned int index)
{
    return (((uint64_t)line->number << c->line_log) + index) * c->block_size;
}

static void line_mark(struct ext2_line *line, uint32_t bits, enum ext2_order order)
{
    for (unsigned int o = 0; o < EXT2_ORDERS; o++)
        line->order[o] = o == (unsigned int)order ? line->order[o] | bits : line->order[o] & ~bits;
    line->dirty |= bits;
}

static void line_clean(struct ext2_line *line, uint32_t bits)
{
    for (unsigned int o = 0; o < EXT2_ORDERS; o++)
        line->order[o] &= ~bits;
    line->dirty &= ~bits;
    line->awaited &= ~bits;
}

/* Writes the blocks DIRTY of LINE, all of group ORDER.  Releases the lock meanwhile.  */
static error_t line_write(struct ext2_cache *c, struct ext2_line *line, uint32_t dirty, enum ext2_order order)
{
    error_t err = 0;
    uint32_t awaited = line->awaited & dirty;
    line_clean(line, dirty);
    line->io = true;
    pthread_mutex_unlock(&c->lock);
    uint32_t failed = 0;
    for (uint32_t rest = dirty; rest;) {
        unsigned int first = (unsigned int)__builtin_ctz(rest);
        uint64_t gaps = ~((uint64_t)rest >> first);         /* the lowest set bit ends the run */
        unsigned int count = (unsigned int)__builtin_ctzll(gaps);
        uint32_t mask = (count == 32 ? ~0u : (1u << count) - 1) << first;
        error_t e = store_write(c->store, line_offset(c, line, first), line->mem + (size_t)first * c->block_size,
                                (size_t)count * c->block_size);
        if (e) {
            err = e;
            failed |= mask;
        }
        rest &= ~mask;
    }
    pthread_mutex_lock(&c->lock);
    line_mark(line, failed & line->valid & ~line->dirty, order);
    line->awaited |= awaited & failed & line->dirty;
    line->io = false;
    pthread_cond_broadcast(&c->io_done);
    return err;
}

static int line_compare(const void *a, const void *b)
{
    uint32_t x = (*(struct ext2_line *const *)a)->number, y = (*(struct ext2_line *const *)b)->number;
    return x < y ? -1 : x > y;
}

/* Notes what is dirty now, in the order of the disk; how many lines.  They cannot go away: each has a reference
   more. */
static unsigned int batch_begin(struct ext2_cache *c)
{
    unsigned int n = 0;
    for (struct ext2_line *line = c->newest; line; line = line->older)
        if ((line->batch = line->dirty) != 0) {
            line->refs++;
            c->batch[n++] = line;
        }
    qsort(c->batch, n, sizeof *c->batch, line_compare);
    return n;
}

/* Writes what is dirty, group after group.  Releases the lock meanwhile.  The first error, after having tried
   everything.  */
static error_t cache_write(struct ext2_cache *c)
{
    error_t err = 0;
    bool written = false;
    while (c->writing)
        pthread_cond_wait(&c->io_done, &c->lock);
    c->writing = true;
    while (c->changers)
        pthread_cond_wait(&c->io_done, &c->lock);
    unsigned int n = batch_begin(c);
    for (unsigned int o = 0; o < EXT2_ORDERS; o++) {
        bool barrier = written;
        for (unsigned int i = 0; i < n; i++) {
            struct ext2_line *line = c->batch[i];
            while (line->io)
                pthread_cond_wait(&c->io_done, &c->lock);
            uint32_t blocks = line->order[o] & line->batch;
            if (!blocks)
                continue;
            if (barrier) {
                pthread_mutex_unlock(&c->lock);
                error_t e = store_flush(c->store);
                pthread_mutex_lock(&c->lock);
                err = err ? err : e;
                barrier = false;
                while (line->io)
                    pthread_cond_wait(&c->io_done, &c->lock);
                blocks = line->order[o] & line->batch;
            }
            error_t e = blocks ? line_write(c, line, blocks, (enum ext2_order)o) : 0;
            line->batch &= ~blocks;
            written = true;
            err = err ? err : e;
        }
    }
    for (unsigned int i = 0; i < n; i++)
        c->batch[i]->refs--;
    c->writing = false;
    pthread_cond_broadcast(&c->io_done);
    return err;
}

/* Makes room for one more line: evicts the oldest clean one that nobody uses.  May release the lock; true if it did.
   When everything is in use or cannot be written the cache grows beyond its limit rather than fail.  */
static bool cache_make_room(struct ext2_cache *c)
{
    bool released = false;
    while (c->lines >= c->lines_max) {
        unsigned int dirty = 0;
        struct ext2_line *line = c->oldest;
        for (; line && (line->refs || line->io || line->dirty); line = line->newer)
            dirty += line->dirty != 0;
        bool write = dirty && !released && !c->writing;
        if (line)
            line_destroy(c, line);
        else if (!write)
            break;
        if (write && (!line || dirty > c->lines_max / 2)) {
            released = true;
            (void)cache_write(c);
        }
    }
    return released;
}

/* Room to write one more line.  While a write is under way there is as long as the cache is not twice as large as it
   should be.  */
static bool batch_reserve(struct ext2_cache *c)
{
    if (c->lines < c->batch_room)
        return true;
    if (c->writing)
        return false;
    unsigned int room = c->batch_room ? c->batch_room * 2 : c->lines_max * 2 + 64;
    struct ext2_line **batch = realloc(c->batch, room * sizeof *batch);
    if (!batch)
        return false;
    c->batch = batch;
    c->batch_room = room;
    return true;
}

/* The line of BLOCK with a reference, made if necessary, not being read or written.  NULL: no memory.  */
static struct ext2_line *line_take(struct ext2_cache *c, uint32_t block)
{
    uint32_t number = block >> c->line_log;
    struct ext2_line *line;
    while (!(line = line_lookup(c, number))) {
        if (c->lines >= c->lines_max && cache_make_room(c))
            continue;
        if (c->lines >= c->lines_max * 2 && c->writing) {        /* who makes things dirty waits for the disk */
            pthread_cond_wait(&c->io_done, &c->lock);
            continue;
        }
        if (!batch_reserve(c) || !(line = calloc(1, sizeof *line)))
            return NULL;
        line->number = number;
        line->hash_next = c->hash[number & c->hash_mask];
        c->hash[number & c->hash_mask] = line;
        line_list(c, line);
        c->lines++;
        break;
    }
    line->refs++;
    if (c->newest != line) {
        line_unlist(c, line);
        line_list(c, line);
    }
    return line;
}

static void line_wait(struct ext2_cache *c, struct ext2_line *line)
{
    while (line->io)
        pthread_cond_wait(&c->io_done, &c->lock);
}

static uint32_t block_bit(const struct ext2_cache *c, uint32_t block, unsigned int *index)
{
    *index = block & ((1u << c->line_log) - 1);
    return 1u << *index;
}

/* Puts what was read at BUFFER for blocks [FIRST, FIRST + COUNT) into LINE where it is not valid; consumes BUFFER.  */
static error_t line_fill(struct ext2_cache *c, struct ext2_line *line, char *buffer, size_t length, unsigned int first)
{
    unsigned int count = (unsigned int)(length / c->block_size);
    if (!line->mem && length == LINE_BYTES) {
        line->mem = buffer;
        line->valid = count == 32 ? ~0u : (1u << count) - 1;
        return 0;
    }
    if (!line->mem && !(line->mem = store_alloc(LINE_BYTES))) {
        store_free(buffer, length);
        return ENOMEM;
    }
    for (unsigned int i = 0; i < count; i++)
        if (!(line->valid & 1u << (first + i))) {
            memcpy(line->mem + (size_t)(first + i) * c->block_size, buffer + (size_t)i * c->block_size, c->block_size);
            line->valid |= 1u << (first + i);
        }
    store_free(buffer, length);
    return 0;
}

/* Reads LINE, whose block INDEX is wanted.  Releases the lock meanwhile.  */
static error_t line_read(struct ext2_cache *c, struct ext2_line *line, unsigned int index)
{
    line->io = true;
    pthread_mutex_unlock(&c->lock);
    size_t length = line_bytes(c, line);
    unsigned int first = 0;
    void *buffer;
    error_t err = store_read(c->store, line_offset(c, line, 0), length, &buffer);
    if (err && err != ENOMEM) {                 /* a bad spot somewhere in the line: the wanted block may be sound */
        first = index;
        length = c->block_size;
        err = store_read(c->store, line_offset(c, line, index), length, &buffer);
    }
    pthread_mutex_lock(&c->lock);
    if (!err)
        err = line_fill(c, line, buffer, length, first);
    line->io = false;
    pthread_cond_broadcast(&c->io_done);
    return err;
}

/* ---- the interface -------------------------------------------------------------------- */

error_t ext2_cache_get(struct ext2_fs *fs, uint32_t block, struct ext2_buf *buf)
{
    struct ext2_cache *c = fs->cache;
    if (block >= c->blocks)
        return ext2_damage(fs, "block %u is beyond the end", block);
    unsigned int index;
    uint32_t bit = block_bit(c, block, &index);
    error_t err = 0;
    pthread_mutex_lock(&c->lock);
    struct ext2_line *line = line_take(c, block);
    while (line && !err && !(line->valid & bit)) {
        line_wait(c, line);
        if (!(line->valid & bit))
            err = line_read(c, line, index);
    }
    if (line && err)
        line->refs--;
    pthread_mutex_unlock(&c->lock);
    if (!line || err)
        return line ? err : ENOMEM;
    *buf = (struct ext2_buf){ line->mem + (size_t)index * c->block_size, line, block };
    return 0;
}

error_t ext2_cache_zero(struct ext2_fs *fs, uint32_t block, struct ext2_buf *buf)
{
    struct ext2_cache *c = fs->cache;
    if (block >= c->blocks)
        return ext2_damage(fs, "block %u is beyond the end", block);
    unsigned int index;
    uint32_t bit = block_bit(c, block, &index);
    error_t err = ENOMEM;
    pthread_mutex_lock(&c->lock);
    struct ext2_line *line = line_take(c, block);
    if (line) {
        line_wait(c, line);
        if (line->mem || (line->mem = store_alloc(LINE_BYTES)) != NULL) {
            memset(line->mem + (size_t)index * c->block_size, 0, c->block_size);
            line->valid |= bit;
            line_mark(line, bit, EXT2_FIRST);
            *buf = (struct ext2_buf){ line->mem + (size_t)index * c->block_size, line, block };
            err = 0;
        } else {
            line->refs--;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

void ext2_cache_dirty(struct ext2_fs *fs, struct ext2_buf *buf, enum ext2_order order)
{
    struct ext2_cache *c = fs->cache;
    struct ext2_line *line = buf->line;
    unsigned int index;
    uint32_t bit = block_bit(c, buf->block, &index);
    pthread_mutex_lock(&c->lock);
    if (!(line->dirty & bit)) {
        line->dirty |= bit;
        line->order[order] |= bit;
    } else if (!(line->order[EXT2_FIRST] & bit) && !(line->order[order] & bit)) {
        uint32_t later = 0;
        for (unsigned int o = (unsigned int)order + 1; o < EXT2_ORDERS; o++)
            later |= line->order[o];
        if (!(later & bit))
            line_mark(line, bit, order);
    }
    pthread_mutex_unlock(&c->lock);
}

void ext2_cache_change_begin(struct ext2_fs *fs)
{
    struct ext2_cache *c = fs->cache;
    pthread_mutex_lock(&c->lock);
    while (c->writing)
        pthread_cond_wait(&c->io_done, &c->lock);
    c->changers++;
    pthread_mutex_unlock(&c->lock);
}

void ext2_cache_change_end(struct ext2_fs *fs)
{
    struct ext2_cache *c = fs->cache;
    pthread_mutex_lock(&c->lock);
    if (--c->changers == 0 && c->writing)
        pthread_cond_broadcast(&c->io_done);
    pthread_mutex_unlock(&c->lock);
}

bool ext2_cache_await(struct ext2_fs *fs, uint32_t first, uint32_t second)
{
    struct ext2_cache *c = fs->cache;
    unsigned int i, j;
    uint32_t a = block_bit(c, first, &i), b = block_bit(c, second, &j);
    pthread_mutex_lock(&c->lock);
    struct ext2_line *x = line_lookup(c, first >> c->line_log);
    const struct ext2_line *y = line_lookup(c, second >> c->line_log);
    bool waits = x && x->dirty & a;
    bool before = !waits || (!(x->order[EXT2_REMOVED] & a) && !(y && y->order[EXT2_FIRST] & b));
    before = before && !(y && y->awaited & b);
    if (before && waits)
        x->awaited |= a;
    pthread_mutex_unlock(&c->lock);
    return before;
}

bool ext2_cache_await_inode(struct ext2_fs *fs, uint32_t block)
{
    struct ext2_cache *c = fs->cache;
    unsigned int index;
    uint32_t bit = block_bit(c, block, &index);
    pthread_mutex_lock(&c->lock);
    struct ext2_line *line = line_lookup(c, block >> c->line_log);
    bool before = !line || !(line->order[EXT2_DELETED] & bit);
    if (line && before)
        line->awaited |= line->dirty & bit;
    pthread_mutex_unlock(&c->lock);
    return before;
}

bool ext2_cache_is_awaited(struct ext2_fs *fs, uint32_t block)
{
    struct ext2_cache *c = fs->cache;
    unsigned int index;
    uint32_t bit = block_bit(c, block, &index);
    pthread_mutex_lock(&c->lock);
    const struct ext2_line *line = line_lookup(c, block >> c->line_log);
    bool awaited = line && line->awaited & bit;
    pthread_mutex_unlock(&c->lock);
    return awaited;
}

void ext2_cache_put(struct ext2_fs *fs, struct ext2_buf *buf)
{
    struct ext2_cache *c = fs->cache;
    pthread_mutex_lock(&c->lock);
    buf->line->refs--;
    pthread_mutex_unlock(&c->lock);
    buf->line = NULL;
}

void ext2_cache_forget(struct ext2_fs *fs, uint32_t block, uint32_t count)
{
    struct ext2_cache *c = fs->cache;
    pthread_mutex_lock(&c->lock);
    for (uint32_t end = block + count; block < end;) {
        unsigned int index;
        block_bit(c, block, &index);
        unsigned int room = (1u << c->line_log) - index, n = end - block < room ? end - block : room;
        struct ext2_line *line = line_lookup(c, block >> c->line_log);
        if (line && line->io) {
            line->refs++;
            line_wait(c, line);
            line->refs--;
        }
        if (line) {
            uint32_t mask = (n == 32 ? ~0u : (1u << n) - 1) << index;
            line->valid &= ~mask;
            line_clean(line, mask);
        }
        block += n;
    }
    pthread_mutex_unlock(&c->lock);
}

error_t ext2_cache_sync(struct ext2_fs *fs)
{
    struct ext2_cache *c = fs->cache;
    pthread_mutex_lock(&c->lock);
    error_t err = cache_write(c);
    pthread_mutex_unlock(&c->lock);
    return err;
}

void ext2_cache_drop(struct ext2_fs *fs)
{
    struct ext2_cache *c = fs->cache;
    pthread_mutex_lock(&c->lock);
    for (struct ext2_line *line = c->newest, *older; line; line = older) {
        older = line->older;
        if (!line->refs && !line->io)
            line_destroy(c, line);
    }
    pthread_mutex_unlock(&c->lock);
}

void ext2_cache_destroy(struct ext2_cache *c)
{
    while (c->newest)
        line_destroy(c, c->newest);
    free(c->batch);
    free(c);
}
