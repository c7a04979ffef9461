/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store as memory; see map.h.  The pager's threads come to fetch, page_write and the two that follow; they take no
   lock of this file. */

#include "map.h"

#include <pager/pager.h>
#include <stdio.h>
#include <string.h>

/* Bytes that one fetch reads ahead at most. */
#define FETCH_MAX (256u << 10)

static struct store *store_of(void *hook)
{
    return ((struct map *)hook)->bytes->store;
}

static error_t page_fetch(void *hook, struct pager_fetch *f)
{
    struct store *store = store_of(hook);
    uint64_t size = store->size;
    if (f->page >= size)
        return EIO;
    if (f->end - f->start > FETCH_MAX) {
        f->start = f->page;
        f->end = f->end - f->page > FETCH_MAX ? f->page + FETCH_MAX : f->end;
    }
    if (f->end > round_page(size))
        f->end = round_page(size);
    size_t length = (f->end < size ? f->end : size) - f->start;
    error_t err = store_read(store, f->start, length, &f->buffer);
    if (err && f->end - f->start > vm_page_size) {      /* the page that is wanted may be sound */
        f->start = f->page;
        f->end = f->page + vm_page_size;
        length = (f->end < size ? f->end : size) - f->start;
        err = store_read(store, f->start, length, &f->buffer);
    }
    if (!err)
        memset((char *)f->buffer + length, 0, round_page(length) - length);
    return err;
}

static error_t page_write(void *hook, uint64_t offset, const void *data, size_t length)
{
    struct store *store = store_of(hook);
    if (offset >= store->size)
        return 0;
    if (length > store->size - offset)
        length = store->size - offset;
    error_t err = store_write(store, offset, data, length);
    if (err)
        fprintf(stderr, "storeio: %s: cannot write %zu bytes at %llu: %s; they are lost\n", store->name, length,
                (unsigned long long)offset, strerror(err));
    return err;
}

static error_t page_unlock(void *hook, uint64_t offset, size_t length, bool own)
{
    (void)offset, (void)length, (void)own;
    return store_of(hook)->readonly ? EROFS : 0;
}

static void pages_acquire(void *hook)
{
    struct map *map = hook;
    atomic_store(&map->held, true);
    map->hold();
}

static void pages_release(void *hook)
{
    struct map *map = hook;
    atomic_store(&map->held, false);
    map->release();
}

static const struct pager_ops map_ops = {
    .fetch = page_fetch, .write = page_write, .unlock = page_unlock, .acquire = pages_acquire, .release = pages_release,
};

error_t map_object(struct map *map, vm_prot_t prot, mach_port_t *object)
{
    static bool started;        /* map->lock */
    error_t err = 0;
    pthread_rwlock_wrlock(&map->gate);
    pthread_mutex_lock(&map->lock);
    if (!started)
        err = pager_init();
    started |= err == 0;
    if (!err && !map->pager)
        err = pager_create(&map_ops, map, &map->pager);
    if (!err)
        err = pager_proxy(map->pager, prot, object);
    map->mapped |= err == 0;
    pthread_mutex_unlock(&map->lock);
    pthread_rwlock_unlock(&map->gate);
    return err;
}

/* True with gate and lock held: through the memory object. False with the gate held. */
static bool map_enter(struct map *map)
{
    pthread_rwlock_rdlock(&map->gate);
    if (!map->mapped)
        return false;
    pthread_mutex_lock(&map->lock);
    return true;
}

void map_leave(struct map *map)
{
    pthread_rwlock_unlock(&map->gate);
}

bool map_read(struct map *map, uint64_t offset, void *data, size_t amount, size_t *length, error_t *err)
{
    if (!map_enter(map))
        return false;
    uint64_t size = map->bytes->store->size;
    *length = offset >= size ? 0 : amount < size - offset ? amount : size - offset;
    *err = *length ? pager_read(map->pager, offset, data, *length, size) : 0;
    pthread_mutex_unlock(&map->lock);
    map_leave(map);
    return true;
}

bool map_write(struct map *map, uint64_t offset, const void *data, size_t length, size_t *written, error_t *err)
{
    if (!map_enter(map))
        return false;
    struct store *store = map->bytes->store;
    *written = 0;
    *err = store->readonly ? EROFS : length && offset >= store->size ? ENOSPC : 0;
    if (length > store->size - offset)
        length = store->size - offset;
    if (!*err && length)
        *err = pager_write(map->pager, offset, data, length, store->size);
    if (!*err)
        *written = length;
    pthread_mutex_unlock(&map->lock);
    map_leave(map);
    return true;
}

error_t map_sync(struct map *map, bool wait)
{
    pthread_mutex_lock(&map->lock);
    error_t err = map->pager ? pager_sync(map->pager, 0, UINT64_MAX, wait) : 0;
    pthread_mutex_unlock(&map->lock);
    return err;
}

void map_closed(struct map *map)
{
    pthread_mutex_lock(&map->lock);
    if (map->pager && map->mapped)
        pager_uncache(map->pager);
    pthread_mutex_unlock(&map->lock);
}

void map_opened(struct map *map)
{
    if (!atomic_load(&map->held))
        map->mapped = false;
}
