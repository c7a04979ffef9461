/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The node cache: every file in memory, found by its inode number.

   Knows no message; runs in unit tests on the host.  For the life of a node see diskfs.h.

   Lock: cache_lock protects the table, the lists and each node's refs, weak, dying, idle, dirty and links.  It is a
   leaf: the backend is always called without it.  A node that is being deleted or forgotten (`dying`) stays in the
   table until that is over, so that nobody reads or makes a second node of its number meanwhile; who looks for it waits
   on cache_wakeup. */

#include "diskfs-internal.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_FIRST 256    /* buckets at first; a power of two; doubles when there are more nodes than buckets */
#define EVICT_TRIES 8      /* idle nodes looked at for one eviction: those that the kernel has mapped stay */

unsigned int diskfs_idle_max = 4096;

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cache_wakeup = PTHREAD_COND_INITIALIZER;
static struct diskfs_node **table;      /* cache_lock, as all that follows */
static size_t table_size;
static unsigned int node_count, idle_count, dying_count;
static struct diskfs_node *idle_first, *idle_last;   /* least recently used first */
static struct diskfs_node *dirty_first;

static size_t ino_bucket(ino_t ino)
{
    return (ino * 0x9e3779b97f4a7c15ull >> 32) & (table_size - 1);
}

/* Doubles the table; without memory it stays as it is, which only costs time.  */
static void table_grow(void)
{
    size_t old_size = table_size;
    size_t size = old_size ? 2 * old_size : TABLE_FIRST;
    struct diskfs_node **bigger = calloc(size, sizeof *bigger), **old = table;
    if (bigger == NULL)
        return;
    table = bigger;
    table_size = size;
    for (size_t i = 0; i < old_size; i++) {
        for (struct diskfs_node *node = old[i], *next; node != NULL; node = next) {
            next = node->hash_next;
            struct diskfs_node **bucket = &table[ino_bucket(node->ino)];
            node->hash_next = *bucket;
            *bucket = node;
        }
    }
    free(old);
}

static struct diskfs_node *table_find(ino_t ino)
{
    if (table_size == 0)
        return NULL;
    struct diskfs_node *node = table[ino_bucket(ino)];
    while (node != NULL && node->ino != ino)
        node = node->hash_next;
    return node;
}

static void table_remove(struct diskfs_node *node)
{
    struct diskfs_node **link = &table[ino_bucket(node->ino)];
    while (*link != node)
        link = &(*link)->hash_next;
    *link = node->hash_next;
    node_count--;
}

static void idle_remove(struct diskfs_node *node)
{
    if (!node->idle)
        return;
    *(node->idle_prev ? &node->idle_prev->idle_next : &idle_first) = node->idle_next;
    *(node->idle_next ? &node->idle_next->idle_prev : &idle_last) = node->idle_prev;
    node->idle = false;
    idle_count--;
}

static void idle_append(struct diskfs_node *node)
{
    if (node->idle)
        return;
    node->idle_prev = idle_last;
    node->idle_next = NULL;
    *(idle_last ? &idle_last->idle_next : &idle_first) = node;
    idle_last = node;
    node->idle = true;
    idle_count++;
}

static void dirty_remove(struct diskfs_node *node)
{
    if (!node->dirty)
        return;
    *(node->dirty_prev ? &node->dirty_prev->dirty_next : &dirty_first) = node->dirty_next;
    if (node->dirty_next)
        node->dirty_next->dirty_prev = node->dirty_prev;
    node->dirty = false;
}

/* A new node of INO, in the table, with one reference and its lock held. cache_lock held. */
static struct diskfs_node *node_new(ino_t ino)
{
    if (node_count >= table_size)
        table_grow();
    if (table_size == 0)
        return NULL;
    struct diskfs_node *node = calloc(1, diskfs_ops->node_size);
    if (node == NULL)
        return NULL;
    node->ino = ino;
    node->refs = 1;
    pthread_mutex_init(&node->lock, NULL);
    fshelp_transbox_init(&node->transbox);
    fshelp_lockbox_init(&node->lockbox);
    struct diskfs_node **bucket = &table[ino_bucket(ino)];
    node->hash_next = *bucket;
    *bucket = node;
    node_count++;
    pthread_mutex_trylock(&node->lock);  /* nobody else has it: cannot fail, and is no matter of lock order */
    return node;
}

/* The node of INO if there is a living one in the table, referenced; waits while one is dying. cache_lock held. */
static struct diskfs_node *table_ref(ino_t ino)
{
    struct diskfs_node *node;
    while ((node = table_find(ino)) != NULL && node->dying)
        pthread_cond_wait(&cache_wakeup, &cache_lock);
    if (node != NULL && node->refs++ == 0)
        idle_remove(node);
    return node;
}

/* Somebody else may still be reading NODE from the disk, and may have failed. */
static error_t node_await(struct diskfs_node *node)
{
    if (atomic_load_explicit(&node->loaded, memory_order_acquire))
        return 0;
    pthread_mutex_lock(&node->lock);
    error_t err = node->load_error;
    pthread_mutex_unlock(&node->lock);
    return err;
}

/* What the library itself knows of every file. Node lock held. */
static void node_set_common(struct diskfs_node *node)
{
    node->stat.st_fstype = diskfs_ops->fstype;
    node->stat.st_ino = node->ino;
    atomic_store_explicit(&node->loaded, true, memory_order_release);
}

error_t diskfs_node_lookup(ino_t ino, struct diskfs_node **result)
{
    pthread_mutex_lock(&cache_lock);
    struct diskfs_node *node = table_ref(ino);
    error_t err;
    if (node != NULL) {
        pthread_mutex_unlock(&cache_lock);
        err = node_await(node);
    } else {
        node = node_new(ino);
        pthread_mutex_unlock(&cache_lock);
        if (node == NULL)
            return ENOMEM;
        err = diskfs_ops->node_read(node);
        if (err)
            node->load_error = err;
        else
            node_set_common(node);
        pthread_mutex_unlock(&node->lock);
    }
    if (err) {
        diskfs_node_deref(node);
        return err;
    }
    *result = node;
    return 0;
}

struct diskfs_node *diskfs_node_peek(ino_t ino)
{
    pthread_mutex_lock(&cache_lock);
    struct diskfs_node *node = table_find(ino);
    if (node != NULL && (node->dying || !atomic_load(&node->loaded)))
        node = NULL;
    if (node != NULL && node->refs++ == 0)
        idle_remove(node);
    pthread_mutex_unlock(&cache_lock);
    return node;
}

error_t diskfs_node_create_at(ino_t ino, mode_t mode, struct diskfs_node **result)
{
    pthread_mutex_lock(&cache_lock);
    struct diskfs_node *node = table_ref(ino);
    if (node != NULL) {
        /* The disk called an inode free that is in use: a damaged allocation map. */
        pthread_mutex_unlock(&cache_lock);
        diskfs_node_deref(node);
        diskfs_warn("inode %llu was free on disk but is in use", (unsigned long long) ino);
        return EIO;
    }
    node = node_new(ino);
    pthread_mutex_unlock(&cache_lock);
    if (node == NULL)
        return ENOMEM;
    error_t err = diskfs_ops->node_create(node, mode);
    if (err) {
        node->load_error = err;
        diskfs_node_put(node);
        return err;
    }
    node_set_common(node);
    *result = node;
    return 0;
}

void diskfs_node_ref(struct diskfs_node *node)
{
    pthread_mutex_lock(&cache_lock);
    if (node->refs++ == 0)
        idle_remove(node);
    pthread_mutex_unlock(&cache_lock);
}

/* NODE, which nobody has any more, goes. cache_lock held, dropped and taken again.  */
static void node_finish(struct diskfs_node *node)
{
    bool loaded = atomic_load(&node->loaded),
         delete = loaded && node->stat.st_nlink == 0 && !node->removed && !diskfs_unwritable();
    node->dying = true;
    dying_count++;
    idle_remove(node);
    pthread_mutex_unlock(&cache_lock);

    if (delete) {
        diskfs_ops->node_delete(node);
    } else if (loaded) {
        pthread_mutex_lock(&node->lock);
        error_t err = diskfs_node_update(node, false);
        pthread_mutex_unlock(&node->lock);
        if (err)
            diskfs_warn("inode %llu: changes lost: %s", (unsigned long long) node->ino, strerror(err));
    }
    if (loaded)
        diskfs_ops->node_forget(node);
    fshelp_transbox_destroy(&node->transbox);
    fshelp_lockbox_destroy(&node->lockbox);
    pthread_mutex_destroy(&node->lock);

    pthread_mutex_lock(&cache_lock);
    dirty_remove(node);
    table_remove(node);
    dying_count--;
    pthread_cond_broadcast(&cache_wakeup);
    free(node->link);
    free(node->place);
    free(node);
}

/* Asks the backend to give up NODE's weak references; the node is kept meanwhile. cache_lock held, dropped and taken
   again. True if the node is still there without users. */
static bool node_drop_weak(struct diskfs_node *node)
{
    if (diskfs_ops->node_idle_drop == NULL)
        return true;
    idle_remove(node);
    node->refs++;
    pthread_mutex_unlock(&cache_lock);
    diskfs_ops->node_idle_drop(node);
    pthread_mutex_lock(&cache_lock);
    return --node->refs == 0;
}

/* Too many nodes are idle: lets the least recently used go. cache_lock held, dropped and taken again. */
static void idle_evict(void)
{
    for (int i = 0; i < EVICT_TRIES && idle_count > diskfs_idle_max; i++) {
        struct diskfs_node *node = idle_first;
        if (node->weak > 0 && !node_drop_weak(node))
            continue;
        if (node->weak == 0) {
            node_finish(node);
            return;
        }
        idle_append(node);
    }
}

/* NODE has no users. cache_lock held, dropped and taken again. */
static void node_unused(struct diskfs_node *node)
{
    bool gone = !atomic_load(&node->loaded) || (node->stat.st_nlink == 0 && !diskfs_unwritable());
    if (!gone) {
        idle_append(node);
        if (idle_count > diskfs_idle_max)
            idle_evict();
        return;
    }
    if (node->weak > 0 && !node_drop_weak(node))
        return;
    if (node->weak == 0)
        node_finish(node);
}

void diskfs_node_deref(struct diskfs_node *node)
{
    pthread_mutex_lock(&cache_lock);
    if (--node->refs == 0)
        node_unused(node);
    pthread_mutex_unlock(&cache_lock);
}

void diskfs_node_put(struct diskfs_node *node)
{
    pthread_mutex_unlock(&node->lock);
    diskfs_node_deref(node);
}

void diskfs_node_weak_ref(struct diskfs_node *node)
{
    pthread_mutex_lock(&cache_lock);
    node->weak++;
    pthread_mutex_unlock(&cache_lock);
}

void diskfs_node_weak_deref(struct diskfs_node *node)
{
    pthread_mutex_lock(&cache_lock);
    if (--node->weak == 0 && node->refs == 0 && node->stat.st_nlink == 0 && !diskfs_unwritable())
        node_finish(node);
    pthread_mutex_unlock(&cache_lock);
}

void diskfs_node_mark_dirty(struct diskfs_node *node)
{
    pthread_mutex_lock(&cache_lock);
    if (!node->dirty && !node->removed) {
        node->dirty = true;
        node->dirty_prev = NULL;
        node->dirty_next = dirty_first;
        if (dirty_first)
            dirty_first->dirty_prev = node;
        dirty_first = node;
    }
    pthread_mutex_unlock(&cache_lock);
}

error_t diskfs_node_update(struct diskfs_node *node, bool wait)
{
    diskfs_node_settle_times(node);
    if (diskfs_readonly)
        return 0;
    pthread_mutex_lock(&cache_lock);
    bool dirty = node->dirty;
    dirty_remove(node);
    pthread_mutex_unlock(&cache_lock);
    if (!dirty)
        return 0;
    error_t err = diskfs_ops->node_write(node, wait);
    if (err)
        diskfs_node_mark_dirty(node);
    return err;
}

void diskfs_node_remove(struct diskfs_node *node)
{
    pthread_mutex_lock(&cache_lock);
    bool again = node->removed;
    node->removed = true;
    dirty_remove(node);
    pthread_mutex_unlock(&cache_lock);
    if (!again)
        diskfs_ops->node_delete(node);
}

/* Takes a reference to each node that WANTED says yes to, in a vector that the caller frees. */
static size_t nodes_collect(bool (*wanted)(struct diskfs_node *), struct diskfs_node ***result)
{
    pthread_mutex_lock(&cache_lock);
    size_t count = 0;
    struct diskfs_node **all = malloc((node_count + 1) * sizeof *all);
    for (size_t i = 0; all != NULL && i < table_size; i++) {
        for (struct diskfs_node *node = table[i]; node != NULL; node = node->hash_next) {
            if (node->dying || !atomic_load(&node->loaded) || (wanted && !wanted(node)))
                continue;
            if (node->refs++ == 0)
                idle_remove(node);
            all[count++] = node;
        }
    }
    pthread_mutex_unlock(&cache_lock);
    *result = all;
    return count;
}

static error_t nodes_visit(bool (*wanted)(struct diskfs_node *), error_t (*fn)(struct diskfs_node *, void *),
                           void *arg)
{
    struct diskfs_node **all;
    size_t count = nodes_collect(wanted, &all);
    if (all == NULL)
        return ENOMEM;
    error_t err = 0;
    for (size_t i = 0; i < count; i++) {
        if (!err)
            err = fn(all[i], arg);
        diskfs_node_deref(all[i]);
    }
    free(all);
    return err;
}

error_t diskfs_node_iterate(error_t (*fn)(struct diskfs_node *node, void *arg), void *arg)
{
    return nodes_visit(NULL, fn, arg);
}

static bool node_changed(struct diskfs_node *node)
{
    return node->dirty || atomic_load(&node->touched);
}

struct write_all { bool wait; error_t error; };

static error_t node_write_one(struct diskfs_node *node, void *arg)
{
    struct write_all *w = arg;
    pthread_mutex_lock(&node->lock);
    error_t err = diskfs_node_update(node, w->wait);
    pthread_mutex_unlock(&node->lock);
    if (err)
        w->error = err;
    return 0;
}

error_t diskfs_node_write_all(bool wait)
{
    struct write_all w = { wait, 0 };
    error_t err = nodes_visit(node_changed, node_write_one, &w);
    return err ? err : w.error;
}

void diskfs_node_await_dying(void)
{
    pthread_mutex_lock(&cache_lock);
    while (dying_count > 0)
        pthread_cond_wait(&cache_wakeup, &cache_lock);
    pthread_mutex_unlock(&cache_lock);
}

void diskfs_node_count(unsigned int *total, unsigned int *idle)
{
    pthread_mutex_lock(&cache_lock);
    *total = node_count;
    *idle = idle_count;
    pthread_mutex_unlock(&cache_lock);
}
