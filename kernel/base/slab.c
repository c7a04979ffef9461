/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects of one size, cut from slabs of pages.

   The objects freed last are at hand in a stack (cache_alloc and cache_free, inline: most of what is made and ended
   never goes further). The other free objects of all slabs of a cache are on one list, last freed first.  A slab's
   first page counts its objects that are not on that list in `table_used`; a slab without any is given back when the
   cache has plenty of others.  Lock: the kernel lock. */

#include "../vm/page.h"
#include "base.h"

/* a slab has as few pages in one piece, of which memory that is nearly full has few, as waste no more than a fifth */
#define SLAB_WASTE_MAX 5
#define SLAB_ORDER_MAX 3
#define READY_BYTES 16384 /* what is at hand of a cache at most, but at least READY_MIN objects */
#define READY_MIN 8
/* free objects a cache may keep beyond those that are used, but SPARE_MAX at most and at least SPARE_MIN */
#define SPARE_BYTES 131072
#define SPARE_MIN 16
#define SPARE_MAX 256

struct cache_free {
    struct cache_free *next;
    struct cache_free **link; /* what points here, so that a slab's objects can be taken off */
};

static struct list caches = LIST_INIT(caches);

void cache_init(struct cache *cache, const char *name, size_t size)
{
    size_t object_size = size, align = size >= 64 - 15 && size < 4096 ? 64 : 16;
    size = align_up(max(size, sizeof(struct cache_free)), align);
    unsigned int order = 0;
    while (order < SLAB_ORDER_MAX && (PAGE_SIZE << order) % size > (PAGE_SIZE << order) / SLAB_WASTE_MAX)
        order++;
    *cache = (struct cache){.name = name, .size = size, .object_size = object_size, .align = align, .order = order,
                            .ready_max = max((unsigned int)(READY_BYTES / size), READY_MIN),
                            .spare_max = min(max((unsigned int)(SPARE_BYTES / size), SPARE_MIN), SPARE_MAX)};
    list_append(&caches, &cache->link);
}

static inline struct page *slab_of(const struct cache *cache, const void *object)
{
    uint64_t physical = virt_to_phys(object);
    return page_of_physical(physical & ~((PAGE_SIZE << cache->order) - 1));
}

static inline void free_push(struct cache *cache, void *object)
{
    struct cache_free *entry = object;
    entry->next = cache->free;
    entry->link = &cache->free;
    if (entry->next)
        entry->next->link = &entry->next;
    cache->free = entry;
}

static inline void free_unlink(struct cache_free *entry)
{
    *entry->link = entry->next;
    if (entry->next)
        entry->next->link = entry->link;
}

#ifdef POISON
#define POISON_BYTE 0xdb

void cache_poison_put(struct cache *cache, void *object)
{
    memset((char *)object + sizeof(struct cache_free), POISON_BYTE, cache->size - sizeof(struct cache_free));
}

void cache_poison_check(const struct cache *cache, const void *object)
{
    const unsigned char *bytes = object;
    for (size_t i = sizeof(struct cache_free); i < cache->size; i++)
        if (bytes[i] != POISON_BYTE)
            panic("%s object %p was changed at byte %zu after it was freed: %x", cache->name, object, i, bytes[i]);
}
#endif

static bool slab_add(struct cache *cache)
{
    struct page *slab = page_alloc(cache->order, UINT64_MAX);
    if (slab == NULL)
        return false;
    slab->cache = cache;
    slab->table_used = 0;
    size_t count = (PAGE_SIZE << cache->order) / cache->size;
    for (size_t i = count; i-- > 0;) {
        void *object = (char *)page_address(slab) + i * cache->size;
        cache_poison_put(cache, object);
        free_push(cache, object);
    }
    cache->total += count;
    return true;
}

static void slab_return(struct cache *cache, struct page *slab)
{
    size_t count = (PAGE_SIZE << cache->order) / cache->size;
    for (size_t i = 0; i < count; i++)
        free_unlink((struct cache_free *)((char *)page_address(slab) + i * cache->size));
    cache->total -= count;
    page_free(slab, cache->order);
}

void *cache_alloc_more(struct cache *cache)
{
    if (unlikely(cache->free == NULL) && !slab_add(cache))
        return NULL;
    struct cache_free *object = cache->free;
    free_unlink(object);
    cache->used++;
    slab_of(cache, object)->table_used++;
    cache_poison_check(cache, object);
    return object;
}

/* The object OBJECT is no longer at hand. */
static void object_put_away(struct cache *cache, void *object)
{
    struct page *slab = slab_of(cache, object);
    assert(slab->cache == cache && slab->table_used > 0);
    free_push(cache, object);
    if (--slab->table_used == 0 && cache->total - cache->used > cache->used + cache->spare_max)
        slab_return(cache, slab);
}

void cache_free_more(struct cache *cache)
{
    while (cache->ready_count > cache->ready_max / 2) {
        struct cache_ready *object = cache->ready;
        cache->ready = object->next;
        cache->ready_count--;
        object_put_away(cache, object);
    }
}

size_t cache_free_slabs(const struct cache *cache)
{
    size_t objects = 0;
    for (const struct cache_free *free = cache->free; free; free = free->next)
        objects += slab_of(cache, free)->table_used == 0;
    return objects / ((PAGE_SIZE << cache->order) / cache->size);
}

void cache_walk(void (*visit)(const struct cache *cache, void *cookie), void *cookie)
{
    list_for_each(link, &caches)
        visit(list_entry(link, struct cache, link), cookie);
}

/* ---- memory of any size --------------------------------------------------------------- */

#define KALLOC_SMALLEST 5 /* 32 bytes */
#define KALLOC_LARGEST 13 /* 8 KiB; more comes in whole pages */

static struct cache kalloc_caches[KALLOC_LARGEST - KALLOC_SMALLEST + 1];

static inline unsigned int log2_up(size_t size)
{
    return size <= 1 ? 0 : 64 - (unsigned int)__builtin_clzl(size - 1);
}

void kalloc_init(void)
{
    static const char *const names[] = {"kalloc_32",   "kalloc_64",   "kalloc_128",  "kalloc_256", "kalloc_512",
                                        "kalloc_1024", "kalloc_2048", "kalloc_4096", "kalloc_8192"};
    for (unsigned int i = 0; i < countof(kalloc_caches); i++)
        cache_init(&kalloc_caches[i], names[i], 1ul << (i + KALLOC_SMALLEST));
}

void *kalloc(size_t size)
{
    unsigned int log = max(log2_up(size), (unsigned int)KALLOC_SMALLEST);
    if (log <= KALLOC_LARGEST)
        return cache_alloc(&kalloc_caches[log - KALLOC_SMALLEST]);
    if (size <= PAGE_SIZE << (PAGE_ORDERS - 1)) {
        struct page *page = page_alloc(log - PAGE_SHIFT, UINT64_MAX);
        return page ? page_address(page) : NULL;
    }
    size_t count = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    struct page *page = page_alloc_contiguous(count, 0, UINT64_MAX, PAGE_SIZE);
    return page ? page_address(page) : NULL;
}

void kfree(void *memory, size_t size)
{
    if (memory == NULL)
        return;
    unsigned int log = max(log2_up(size), (unsigned int)KALLOC_SMALLEST);
    if (log <= KALLOC_LARGEST) {
        cache_free(&kalloc_caches[log - KALLOC_SMALLEST], memory);
    } else if (size <= PAGE_SIZE << (PAGE_ORDERS - 1)) {
        page_free(page_of_address(memory), log - PAGE_SHIFT);
    } else {
        struct page *page = page_of_address(memory);
        for (size_t i = 0; i < align_up(size, PAGE_SIZE) >> PAGE_SHIFT; i++)
            page_free(page + i, 0);
    }
}
