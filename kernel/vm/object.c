/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory objects: their life, shadows and copies.  What a pager says to them is in memory_object.c, what goes back to
   it in object_return.c. */

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
    list_init(&object->carriers);
    list_init(&object->carrier_link);
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

/* Gives OBJECT the kernel's two ports; false: no memory. */
static bool ports_create(struct vm_object *object)
{
    object->control = port_alloc_kernel(KOBJECT_PAGING_REQUEST, object);
    if (object->name == NULL)
        object->name = port_alloc_kernel(KOBJECT_PAGING_NAME, object);
    if (object->control && object->name)
        return true;
    if (object->control)
        port_destroy(object->control);
    object->control = NULL;
    return false;
}

struct ipc_port *object_name(struct vm_object *object)
{
    while (object->shadow)
        object = object->shadow;
    return object_own_name(object);
}

struct ipc_port *object_own_name(struct vm_object *object)
{
    if (object->name == NULL && object->internal)
        object->name = port_alloc_kernel(KOBJECT_PAGING_NAME, object);
    return object->name;
}

/* OBJECT is that of the pager PORT (a send right that moves) from now on. */
static void pager_set(struct vm_object *object, struct ipc_port *port)
{
    struct vm_object **bucket = pager_bucket(port);
    object->pager = port;
    object->hash_next = *bucket;
    *bucket = object;
    port->is_pager = true;
}

/* A new object for PORT, whose pager is told of it. */
static struct vm_object *pager_object_create(struct ipc_port *port, uint64_t size)
{
    struct vm_object *object = object_create(size);
    if (object == NULL)
        return NULL;
    object->internal = object->temporary = false;
    if (!ports_create(object)) {
        object_deref(object);
        return NULL;
    }
    pager_set(object, port_copy_send(port));
    memory_object_init(port, object->control, object->name, PAGE_SIZE);
    return object;
}

struct vm_object *object_enter(struct ipc_port *port, uint64_t size)
{
    struct vm_object *object;
    if (!IP_VALID(port))
        return NULL;
    /* One that ends has pages under way to the pager, which hears of the new one only when it has heard of the end. */
    while ((object = pager_lookup(port)) && object->terminating)
        thread_sleep(&object->terminating, false);
    if (!port->active)
        return NULL;
    vm_counters.lookups++;
    if (object == NULL)
        return pager_object_create(port, size);
    vm_counters.hits++;
    object_ref(object);
    object->size = max(object->size, size);
    return object;
}

bool object_ready_wait(struct vm_object *object)
{
    while (object->alive && object->pager && !object->pager_ready)
        if (thread_sleep(&object->pager_ready, true) == WAIT_INTERRUPTED)
            return false;
    return object->alive;
}

/* A port without a receiver, for a message that carries the receive right. */
static struct ipc_port *port_for_message(void)
{
    struct ipc_port *port = port_alloc_kernel(KOBJECT_NONE, NULL);
    if (port) {
        port->receiver = NULL;
        port->receiver_name = 0;
    }
    return port;
}

bool object_pager_create(struct vm_object *object, struct ipc_port *manager)
{
    struct ipc_port *port = port_for_message();
    if (port == NULL)
        return false;
    if (!ports_create(object)) {
        port_destroy(port);
        return false;
    }
    pager_set(object, port_make_send(port));
    object->pager_ready = true;
    /* The receive right goes with the message; should that fail, the port dies and with it the pager. */
    return memory_object_create(port_copy_send(manager), port, object->size, object->control, object->name,
                                PAGE_SIZE) == KERN_SUCCESS;
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

void object_pager_died(struct ipc_port *port)
{
    struct vm_object *object = pager_lookup(port);
    if (object == NULL)
        return;
    object_ref(object);
    object_destroy_pager(object);
    object_deref(object);
}

void object_page_remove(struct vm_object *object, uint64_t start, uint64_t end)
{
    if ((end - start) / PAGE_SIZE > object->resident) {
        list_for_each_safe(link, after, &object->pages) {
            struct page *page = list_entry(link, struct page, link);
            if (page->offset >= start && page->offset < end && !page->busy && !page->wired)
                page_discard(page);
        }
        return;
    }
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        struct page *page = page_lookup(object, at);
        if (page && !page->busy && !page->wired)
            page_discard(page);
    }
}

#define REFS_MAX (1u << 24) /* what is more is no count: the object was freed */

/* ---- references ----------------------------------------------------------------------------- */

void object_ref(struct vm_object *object)
{
    assert(object->refs < REFS_MAX);
    if (object->refs++ == 0 && !object->terminating) {
        list_remove(&object->cached_link);
        object_cached_count--;
    }
}

static void pages_free(struct vm_object *object)
{
    while (!list_empty(&object->pages))
        page_discard(list_entry(object->pages.next, struct page, link));
}

/* The pager gets the kernel's ports and is no longer asked. */
static void pager_leave(struct vm_object *object)
{
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

void object_destroy_pager(struct vm_object *object)
{
    object->alive = object->can_cache = false;
    thread_wakeup(&object->pager_ready);
    absent_pages_fail(object);
    if (object->pager)
        pager_leave(object);
}

/* What CARRIERS carry is nobody's laundry any more. */
static void carriers_release(struct vm_object *object)
{
    struct list *link;
    while ((link = list_pop(&object->carriers)))
        list_entry(link, struct vm_object, carrier_link)->laundry_of = NULL;
}

/* Ends OBJECT, which has no users; gives its shadow, a reference that the caller gives up. */
static struct vm_object *object_end(struct vm_object *object)
{
    object->terminating = true;
    struct vm_object *shadow = object->shadow;
    if (shadow && shadow->copy == object)
        shadow->copy = NULL;
    if (object->pager) {
        if (object->alive && object->pager_ready && !object->temporary && !object->internal)
            object_clean(object, 0, UINT64_MAX, MEMORY_OBJECT_RETURN_ALL, true);
        pager_leave(object);
        thread_wakeup(&object->terminating);
    } else if (object->name) {
        port_destroy(object->name);
    }
    pages_free(object);
    carriers_release(object);
    list_remove(&object->carrier_link);
    sparse_bits_destroy(&object->known);
    cache_free(&object_cache, object);
    return shadow;
}

/* Gives up a reference; true: OBJECT is to end now. */
static bool ref_drop(struct vm_object *object)
{
    assert(object->refs > 0 && object->refs < REFS_MAX);
    if (--object->refs > 0 || object->terminating)
        return false;
    if (!object->pager || !object->can_cache || !object->alive || !object->resident)
        return true;
    list_append(&cached, &object->cached_link);
    object_cached_count++;
    if (object_cached_count > CACHED_MAX)
        object_cache_trim();
    return false;
}

/* With what is below it, if nobody else uses that: a chain of shadows is as long as users like, the stack is short. */
static void object_terminate(struct vm_object *object)
{
    do
        object = object_end(object);
    while (object && ref_drop(object));
}

void object_deref(struct vm_object *object)
{
    if (ref_drop(object))
        object_terminate(object);
}

static void cached_end(struct vm_object *object)
{
    list_remove(&object->cached_link);
    object_cached_count--;
    object_terminate(object);
}

void object_page_lost(struct vm_object *object)
{
    if (object->refs == 0 && object->resident == 0 && !object->terminating)
        cached_end(object);
}

bool object_cache_trim(void)
{
    if (list_empty(&cached))
        return false;
    cached_end(list_entry(cached.next, struct vm_object, cached_link));
    return true;
}

/* ---- shadows and copies ------------------------------------------------------------------------ */

#define CHAIN_MAX 4

/* Are there so many objects below OBJECT that nobody else uses?  A task that is copied again and again, and writes
   while its copies live, leaves one behind each time. */
static bool chain_is_long(const struct vm_object *object)
{
    unsigned int depth = 0;
    while ((object = object->shadow) && object->refs == 1)
        if (++depth == CHAIN_MAX)
            return true;
    return false;
}

bool object_shadow(struct vm_object **object, uint64_t *offset, uint64_t length)
{
    struct vm_object *source = *object;
    /* A temporary object that nobody else uses is its own copy. */
    if (source->refs == 1 && source->internal && source->copy == NULL) {
        source->written = true;
        return true;
    }
    if (unlikely(chain_is_long(source)))
        object_collapse(source);
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
    if (old && old->resident == 0 && old->pager == NULL && !old->written && old->size >= object->size) {
        /* Nobody has written since the last copy, neither to the object nor to the copy: it will do. */
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

struct vm_object *object_copy_call(struct vm_object *object, uint64_t offset, uint64_t size)
{
    struct ipc_port *port = port_for_message();
    if (port == NULL)
        return NULL;
    struct ipc_port *right = port_make_send(port);
    bool sent = memory_object_copy(object->pager, object->control, offset, size, port) == KERN_SUCCESS;
    struct vm_object *copy = sent ? pager_object_create(right, size) : NULL;
    port_release_send(right);
    if (copy == NULL)
        return NULL;
    copy->temporary = true;
    copy->shadow = object;
    copy->shadow_offset = offset;
    object_ref(object);
    /* What the copy may still take from the original must not change there: the pager is asked before it is written. */
    list_for_each(link, &object->pages) {
        struct page *page = list_entry(link, struct page, link);
        if (page->offset - offset < size && !page->absent && !page->busy) {
            page->lock |= VM_PROT_WRITE;
            pmap_page_protect(page, VM_PROT_READ | VM_PROT_EXECUTE);
        }
    }
    return copy;
}

/* OBJECT, which has none, gets the pager of SHADOW. */
static void pager_inherit(struct vm_object *object, struct vm_object *shadow)
{
    struct ipc_port *pager = shadow->pager;
    pager_forget(shadow);
    if (object->name)
        port_destroy(object->name);
    object->control = shadow->control;
    object->name = shadow->name;
    object->control->kobject = object->name->kobject = object;
    object->paging_offset = shadow->paging_offset + object->shadow_offset;
    object->known = shadow->known;
    object->pager_ready = shadow->pager_ready;
    object->alive = shadow->alive;
    shadow->pager = shadow->control = shadow->name = NULL;
    shadow->known = (struct sparse_bits){0};
    pager_set(object, pager);
    /* What the pager has at their place is older. */
    list_for_each(link, &object->pages)
        list_entry(link, struct page, link)->dirty = true;
}

/* Moves what SHADOW has and OBJECT lacks up, frees the rest. */
static void shadow_merge(struct vm_object *object, struct vm_object *shadow)
{
    bool has_pager = object->pager;
    if (shadow->pager)
        pager_inherit(object, shadow);
    list_for_each_safe(link, after, &shadow->pages) {
        struct page *page = list_entry(link, struct page, link);
        uint64_t offset = page->offset - object->shadow_offset;
        if (page->offset >= object->shadow_offset && offset < object->size && page_lookup(object, offset) == NULL &&
            !(has_pager && object_pager_has(object, offset)))
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

/* May SHADOW be merged into OBJECT, the only one over it?  One that is owed what is written to the object below it
   stays. */
static bool can_merge(const struct vm_object *object, const struct vm_object *shadow)
{
    return shadow->refs == 1 && shadow->internal && shadow->copy == NULL && (!shadow->pager || !object->pager) &&
           object->internal && object->alive && shadow->alive &&
           (shadow->shadow == NULL || shadow->shadow->copy != shadow) && !has_busy_page(shadow);
}

bool object_collapse(struct vm_object *object)
{
    bool merged = false;
    for (; object->shadow && can_merge(object, object->shadow); merged = true)
        shadow_merge(object, object->shadow);
    return merged;
}
