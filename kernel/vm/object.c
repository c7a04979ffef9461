/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory objects: their life, shadows and copies.  What a pager says to them is in memory_object.c. */

#include "object.h"

#include "../ipc/ipc.h"
#include "../task/sched.h"
#include "map.h"
#include "pager.h"

#define PAGER_BUCKETS 1024
#define CACHED_MAX 4096 /* objects kept without users; memory pressure trims them earlier */

static struct cache object_cache;
static struct vm_object *by_pager[PAGER_BUCKETS];
static struct list cached = LIST_INIT(cached);
size_t object_cached_count;

void object_init(void)
{
    cache_init(&object_cache, "memory object", sizeof(struct vm_object));
}

struct vm_object *object_create(uint64_t size)
{
    struct vm_object *object = cache_alloc(&object_cache);
    if (object == NULL)
        return NULL;
    *object = (struct vm_object){.refs = 1, .size = size, .internal = true, .temporary = true, .alive = true,
                                 .copy_strategy = MEMORY_OBJECT_COPY_NONE};
    list_init(&object->pages);
    list_init(&object->cached_link);
    return object;
}

struct vm_object *object_create_physical(uint64_t physical, uint64_t size, bool uncached)
{
    struct vm_object *object = object_create(size);
    if (object) {
        object->internal = object->temporary = false;
        object->is_physical = true;
        object->physical = physical;
        object->uncached = uncached;
    }
    return object;
}

/* ---- by pager ------------------------------------------------------------------------ */

static struct vm_object **pager_bucket(const struct ipc_port *port)
{
    return &by_pager[((uint64_t)port >> 6) * 0x9e3779b97f4a7c15 >> 54];
}

static struct vm_object *pager_lookup(const struct ipc_port *port)
{
    for (struct vm_object *object = *pager_bucket(port); object; object = object->hash_next)
        if (object->pager == port)
            return object;
    return NULL;
}

static void pager_forget(struct vm_object *object)
{
    struct vm_object **link = pager_bucket(object->pager);
    while (*link != object)
        link = &(*link)->hash_next;
    *link = object->hash_next;
}

/* A new object for PORT, whose pager is told of it. */
static struct vm_object *pager_object_create(struct ipc_port *port, uint64_t size)
{
    struct vm_object *object = object_create(size);
    if (object == NULL)
        return NULL;
    object->internal = object->temporary = false;
    object->control = port_alloc_kernel(KOBJECT_PAGING_REQUEST, object);
    object->name = port_alloc_kernel(KOBJECT_PAGING_NAME, object);
    if (object->control == NULL || object->name == NULL) {
        if (object->control)
            port_destroy(object->control);
        cache_free(&object_cache, object);
        return NULL;
    }
    object->pager = port_copy_send(port);
    struct vm_object **bucket = pager_bucket(port);
    object->hash_next = *bucket;
    *bucket = object;
    port->is_pager = true;
    memory_object_init(port, object->control, object->name, PAGE_SIZE);
    return object;
}

struct vm_object *object_enter(struct ipc_port *port, uint64_t size)
{
    if (!IP_VALID(port) || !port->active)
        return NULL;
    struct vm_object *object = pager_lookup(port);
    if (object) {
        object_ref(object);
        object->size = max(object->size, size);
    } else {
        object = pager_object_create(port, size);
        if (object == NULL)
            return NULL;
    }
    while (object->alive && !object->pager_ready)
        if (thread_sleep(&object->pager_ready, true) == WAIT_INTERRUPTED) {
            object_deref(object);
            return NULL;
        }
    if (!object->alive) {
        object_deref(object);
        return NULL;
    }
    return object;
}

static struct vm_object *lookup_kind(struct ipc_port *port, enum kobject_type kind)
{
    struct vm_object *object = port_kobject(port, kind);
    if (object)
        object_ref(object);
    return object;
}

struct vm_object *object_lookup_control(struct ipc_port *port)
{
    return lookup_kind(port, KOBJECT_PAGING_REQUEST);
}

struct vm_object *object_lookup_name(struct ipc_port *port)
{
    return lookup_kind(port, KOBJECT_PAGING_NAME);
}

/* Who waits for pages that will not come any more finds errors. */
static void absent_pages_fail(struct vm_object *object)
{
    list_for_each_safe(link, after, &object->pages) {
        struct page *page = list_entry(link, struct page, link);
        if (page->absent) {
            page->absent = false;
            page->error = true;
            page_wakeup(page);
        }
    }
}

void object_destroy_pager(struct vm_object *object)
{
    object->alive = false;
    thread_wakeup(&object->pager_ready);
    absent_pages_fail(object);
}

void object_pager_died(struct ipc_port *port)
{
    struct vm_object *object = pager_lookup(port);
    if (object)
        object_destroy_pager(object);
}

/* ---- references ----------------------------------------------------------------------------- */

void object_ref(struct vm_object *object)
{
    if (object->refs++ == 0) {
        list_remove(&object->cached_link);
        object_cached_count--;
    }
}

static void pages_free(struct vm_object *object)
{
    while (!list_empty(&object->pages))
        page_discard(list_entry(object->pages.next, struct page, link));
}

/* The last words to the pager: what was changed, and that the kernel's ports are its now. */
static void pager_terminate(struct vm_object *object)
{
    if (object->alive && object->pager_ready)
        object_clean(object, 0, UINT64_MAX, MEMORY_OBJECT_RETURN_ALL, true);
    pager_forget(object);
    struct ipc_port *pager = object->pager, *control = object->control, *name = object->name;
    object->pager = object->control = object->name = NULL;
    control->kobject_type = name->kobject_type = KOBJECT_NONE;
    control->kobject = name->kobject = NULL;
    control->receiver = name->receiver = NULL;
    control->receiver_name = name->receiver_name = 0;
    if (pager->active) {
        memory_object_terminate(pager, control, name); /* moves all three rights */
        return;
    }
    port_destroy(control);
    port_destroy(name);
    port_release_send(pager);
}

static void object_terminate(struct vm_object *object)
{
    object->terminating = true;
    struct vm_object *shadow = object->shadow;
    if (shadow && shadow->copy == object)
        shadow->copy = NULL;
    if (object->pager)
        pager_terminate(object);
    pages_free(object);
    cache_free(&object_cache, object);
    if (shadow)
        object_deref(shadow);
}

void object_deref(struct vm_object *object)
{
    assert(object->refs > 0);
    if (--object->refs > 0)
        return;
    if (object->pager && object->can_cache && object->alive && object->resident) {
        list_append(&cached, &object->cached_link);
        object_cached_count++;
        if (object_cached_count > CACHED_MAX)
            object_cache_trim();
        return;
    }
    object_terminate(object);
}

bool object_cache_trim(void)
{
    if (list_empty(&cached))
        return false;
    struct vm_object *object = list_entry(cached.next, struct vm_object, cached_link);
    list_remove(&object->cached_link);
    object_cached_count--;
    object_terminate(object);
    return true;
}

/* ---- shadows and copies ------------------------------------------------------------------------ */

bool object_shadow(struct vm_object **object, uint64_t *offset, uint64_t length)
{
    struct vm_object *source = *object;
    /* A temporary object that nobody else uses is its own copy. */
    if (source->refs == 1 && source->internal && source->copy == NULL)
        return true;
    struct vm_object *shadow = object_create(length);
    if (shadow == NULL)
        return false;
    shadow->shadow = source;
    shadow->shadow_offset = *offset;
    *object = shadow;
    *offset = 0;
    return true;
}

void object_protect(struct vm_object *object, uint64_t offset, uint64_t size)
{
    if (!object->writable)
        return;
    list_for_each(link, &object->pages) {
        struct page *page = list_entry(link, struct page, link);
        if (page->offset - offset < size && page->mapping.pmap)
            pmap_page_protect(page, VM_PROT_READ | VM_PROT_EXECUTE);
    }
    if (offset == 0 && size >= object->size)
        object->writable = false;
}

struct vm_object *object_copy_delayed(struct vm_object *object)
{
    struct vm_object *old = object->copy;
    if (old && old->resident == 0 && old->size >= object->size) {
        /* Nobody has written since the last copy: it will do. */
        object_ref(old);
        object_protect(object, 0, UINT64_MAX);
        return old;
    }
    struct vm_object *copy = object_create(object->size);
    if (copy == NULL)
        return NULL;
    object_protect(object, 0, UINT64_MAX);
    copy->shadow = object;
    object_ref(object);
    if (old) {
        /* The older copy sees what the newer one sees, until it has a page of its own. */
        old->shadow = copy;
        object_ref(copy);
        object_deref(object);
    }
    object->copy = copy;
    return copy;
}

/* Moves what SHADOW has and OBJECT lacks up, frees the rest. */
static void shadow_merge(struct vm_object *object, struct vm_object *shadow)
{
    list_for_each_safe(link, after, &shadow->pages) {
        struct page *page = list_entry(link, struct page, link);
        uint64_t offset = page->offset - object->shadow_offset;
        if (page->offset >= object->shadow_offset && offset < object->size && page_lookup(object, offset) == NULL)
            page_rename(page, object, offset);
        else
            page_discard(page);
    }
    object->shadow_offset += shadow->shadow_offset;
    object->shadow = shadow->shadow;
    object->writable |= shadow->writable;
    shadow->shadow = NULL;
    object_deref(shadow);
}

static bool has_busy_page(const struct vm_object *object)
{
    list_for_each(link, &object->pages) {
        const struct page *page = list_entry(link, struct page, link);
        if (page->busy || page->wired)
            return true;
    }
    return false;
}

void object_collapse(struct vm_object *object)
{
    struct vm_object *shadow;
    while ((shadow = object->shadow) && shadow->refs == 1 && shadow->internal && shadow->pager == NULL && shadow->copy == NULL &&
           object->pager == NULL && !has_busy_page(shadow))
        shadow_merge(object, shadow);
}

/* ---- pages ------------------------------------------------------------------------------------------ */

void object_page_remove(struct vm_object *object, uint64_t start, uint64_t end)
{
    list_for_each_safe(link, after, &object->pages) {
        struct page *page = list_entry(link, struct page, link);
        if (page->offset >= start && page->offset < end && !page->wired)
            page_discard(page);
    }
}

#define RETURN_RUN 64 /* pages in one memory_object_data_return */

/* Gives COUNT pages from OFFSET on, all resident, to the pager. */
static void run_return(struct vm_object *object, uint64_t offset, size_t count, bool dirty, bool flush)
{
    struct vm_object *carrier = object_create(count * PAGE_SIZE);
    if (carrier == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        struct page *page = page_lookup(object, offset + i * PAGE_SIZE);
        if (flush && !page->wired) {
            pmap_page_protect(page, VM_PROT_NONE);
            page->dirty = page->precious = false;
            page_rename(page, carrier, i * PAGE_SIZE);
            page_wakeup(page);
            continue;
        }
        struct page *copy = page_alloc(0, UINT64_MAX);
        if (copy == NULL)
            break; /* stays dirty: a later turn */
        page_copy(copy, page);
        pmap_page_clear_modified(page);
        page->precious = false;
        page_insert(copy, carrier, i * PAGE_SIZE);
        page_activate(copy);
    }
    struct vm_copy *data = vm_copy_from_object(carrier, count * PAGE_SIZE);
    if (data == NULL) {
        object_deref(carrier);
        return;
    }
    memory_object_data_return(object->pager, object->control, offset, (vm_offset_t)data, count * PAGE_SIZE, dirty, !flush);
}

void object_page_return(struct vm_object *object, struct page *page, bool flush)
{
    run_return(object, page->offset, 1, pmap_page_modified(page), flush);
}

/* Must PAGE go back to the pager? */
static bool must_return(struct page *page, memory_object_return_t should_return)
{
    if (page == NULL || page->busy || page->absent || page->error || should_return == MEMORY_OBJECT_RETURN_NONE)
        return false;
    return pmap_page_modified(page) || (page->precious && should_return == MEMORY_OBJECT_RETURN_ALL);
}

static void range_clean(struct vm_object *object, uint64_t start, uint64_t end, memory_object_return_t should_return, bool flush)
{
    for (uint64_t at = start; at < end;) {
        size_t count = 0;
        bool dirty = false;
        while (count < RETURN_RUN && at + count * PAGE_SIZE < end) {
            struct page *page = page_lookup(object, at + count * PAGE_SIZE);
            if (!must_return(page, should_return))
                break;
            dirty |= page->dirty;
            count++;
        }
        if (count)
            run_return(object, at, count, dirty, flush);
        at += max(count, 1ul) * PAGE_SIZE;
    }
}

void object_clean(struct vm_object *object, uint64_t start, uint64_t end, memory_object_return_t should_return, bool flush)
{
    /* A range that is larger than what is resident: only look at that. */
    if (end - start > object->resident * PAGE_SIZE * 4) {
        uint64_t first = UINT64_MAX, last = 0;
        list_for_each(link, &object->pages) {
            struct page *page = list_entry(link, struct page, link);
            if (page->offset >= start && page->offset < end) {
                first = min(first, page->offset);
                last = max(last, page->offset + PAGE_SIZE);
            }
        }
        start = max(start, first);
        end = min(end, last);
    }
    if (start < end && object->pager)
        range_clean(object, start, end, should_return, flush);
    if (flush)
        object_page_remove(object, start, end);
}
