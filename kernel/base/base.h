/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every part of the kernel uses: printing, panics, assertions, memory for objects, bytes. */

#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"

#define countof(array) (sizeof(array) / sizeof((array)[0]))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define align_up(x, unit) (((x) + (unit)-1) & ~((__typeof__(x))(unit)-1))
#define align_down(x, unit) ((x) & ~((__typeof__(x))(unit)-1))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

/* Writes to the console and to the kernel's log.  Conversions: d i u x X p s c %, l/ll/z, width, 0, -, precision of
   s. */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *format, va_list arguments);
int ksnprintf(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Says why, prints a backtrace, and stops the machine. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Checks what must hold whatever users do; off in the release build (-DNDEBUG). */
#ifdef NDEBUG
#define assert(x) ((void)sizeof(x))
#else
#define assert(x) (likely(x) ? (void)0 : panic("%s:%d: %s: assertion failed", __FILE__, __LINE__, #x))
#endif

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *where, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *string);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
char *strchr(const char *string, int c);

/* ---- objects of one size (slab.c) ------------------------------------------------ */

struct cache {
    const char *name;
    size_t size;           /* of an object, rounded up */
    size_t object_size, align; /* as asked for; to how many bytes it was rounded */
    unsigned int order;    /* a slab has 2^order pages */
    unsigned int ready_count, ready_max;
    unsigned int spare_max; /* free objects beyond those that are used */
    struct cache_ready *ready; /* objects freed last, at hand: their slabs count them as used */
    struct cache_free *free; /* other objects free, of any slab */
    size_t used, total;    /* objects */
    struct list link;      /* in the list of caches */
};
struct cache_ready {
    struct cache_ready *next;
};

void cache_init(struct cache *cache, const char *name, size_t size);
void *cache_alloc_more(struct cache *cache);
void cache_free_more(struct cache *cache);
#ifdef POISON
/* In the checked kernel free objects are full of rubbish but for their link: whoever wrote to one after freeing it is
   found when it is given out again. */
void cache_poison_put(struct cache *cache, void *object);
void cache_poison_check(const struct cache *cache, const void *object);
#else
static inline void cache_poison_put(struct cache *cache, void *object)
{
    (void)cache, (void)object;
}
static inline void cache_poison_check(const struct cache *cache, const void *object)
{
    (void)cache, (void)object;
}
#endif

/* Uninitialised memory for an object; NULL: no memory left. */
static inline void *cache_alloc(struct cache *cache)
{
    struct cache_ready *object = cache->ready;
    if (unlikely(object == NULL))
        return cache_alloc_more(cache);
    cache->ready = object->next;
    cache->ready_count--;
    cache->used++;
    cache_poison_check(cache, object);
    return object;
}

static inline void cache_free(struct cache *cache, void *object)
{
    struct cache_ready *ready = object;
    cache_poison_put(cache, object);
    ready->next = cache->ready;
    cache->ready = ready;
    cache->used--;
    if (unlikely(++cache->ready_count > cache->ready_max))
        cache_free_more(cache);
}
/* How many of its slabs have no object in use; what is at hand counts as used. */
size_t cache_free_slabs(const struct cache *cache);
/* Every cache, for debugging. */
void cache_walk(void (*visit)(const struct cache *cache, void *cookie), void *cookie);

/* Memory of any size; what was given with SIZE must be freed with it.  NULL: none left. */
void *kalloc(size_t size);
void kfree(void *memory, size_t size);
void kalloc_init(void);

#endif
