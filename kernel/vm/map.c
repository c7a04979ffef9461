/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces: their entries, and the operations on ranges of them. */

#include "map.h"

#include "../arch/x86_64/cpu.h"
#include "../task/task.h"

static struct cache map_cache, entry_cache;

void map_init(void)
{
    cache_init(&map_cache, "map", sizeof(struct vm_map));
    cache_init(&entry_cache, "map entry", sizeof(struct map_entry));
}

struct map_entry *entry_alloc(void)
{
    return cache_alloc(&entry_cache);
}

void entry_free(struct map_entry *entry)
{
    cache_free(&entry_cache, entry);
}

struct vm_map *map_create(void)
{
    struct vm_map *map = cache_alloc(&map_cache);
    struct pmap *pmap = map ? pmap_create() : NULL;
    if (pmap == NULL) {
        if (map)
            cache_free(&map_cache, map);
        return NULL;
    }
    *map = (struct vm_map){.refs = 1, .pmap = pmap, .low_free = MAP_MIN};
    list_init(&map->entries);
    return map;
}

void map_ref(struct vm_map *map)
{
    map->refs++;
}

void map_deref(struct vm_map *map)
{
    if (--map->refs > 0)
        return;
    map_clear(map);
    pmap_destroy(map->pmap);
    cache_free(&map_cache, map);
}

/* ---- the treap --------------------------------------------------------------------------- */

static uint32_t random_weight(void)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void child_replace(struct vm_map *map, struct map_entry *parent, struct map_entry *old, struct map_entry *new)
{
    if (parent == NULL)
        map->root = new;
    else if (parent->left == old)
        parent->left = new;
    else
        parent->right = new;
    if (new)
        new->parent = parent;
}

/* ENTRY and its parent change places. */
static void rotate_up(struct vm_map *map, struct map_entry *entry)
{
    struct map_entry *parent = entry->parent, *inner;
    child_replace(map, parent->parent, parent, entry);
    if (parent->left == entry) {
        inner = entry->right;
        entry->right = parent;
        parent->left = inner;
    } else {
        inner = entry->left;
        entry->left = parent;
        parent->right = inner;
    }
    parent->parent = entry;
    if (inner)
        inner->parent = parent;
}

/* Links ENTRY behind PREV in the list (NULL: in front) and into the tree. */
static void entry_link(struct vm_map *map, struct map_entry *prev, struct map_entry *entry)
{
    list_prepend(prev ? &prev->link : &map->entries, &entry->link);
    entry->left = entry->right = NULL;
    entry->weight = random_weight();
    /* Of two neighbours one is below the other in the tree, and the lower one has no child on the other's side. */
    if (prev && prev->right == NULL) {
        prev->right = entry;
        entry->parent = prev;
    } else if (map->root) {
        entry->parent = map_next(map, entry);
        entry->parent->left = entry;
    } else {
        entry->parent = NULL;
        map->root = entry;
    }
    while (entry->parent && entry->parent->weight < entry->weight)
        rotate_up(map, entry);
    map->count++;
    map->version++;
    map->size += entry->end - entry->start;
}

static void entry_unlink(struct vm_map *map, struct map_entry *entry)
{
    while (entry->left || entry->right) {
        struct map_entry *left = entry->left, *right = entry->right;
        rotate_up(map, right == NULL || (left && left->weight > right->weight) ? left : right);
    }
    child_replace(map, entry->parent, entry, NULL);
    list_remove(&entry->link);
    map->count--;
    map->version++;
    map->size -= entry->end - entry->start;
    if (map->hint == entry)
        map->hint = NULL;
}

struct map_entry *map_lookup_above(struct vm_map *map, uint64_t address)
{
    struct map_entry *best = NULL;
    for (struct map_entry *entry = map->root; entry;) {
        if (entry->end > address) {
            best = entry;
            entry = entry->left;
        } else {
            entry = entry->right;
        }
    }
    return best;
}

struct map_entry *map_lookup(struct vm_map *map, uint64_t address)
{
    struct map_entry *entry = map->hint;
    if (entry && address >= entry->start && address < entry->end)
        return entry;
    entry = map_lookup_above(map, address);
    if (entry == NULL || entry->start > address)
        return NULL;
    map->hint = entry;
    return entry;
}

static inline struct map_entry *entry_prev(const struct vm_map *map, const struct map_entry *entry)
{
    return entry->link.prev == &map->entries ? NULL : list_entry(entry->link.prev, struct map_entry, link);
}

/* The entry in front of ABOVE (NULL: the end), or NULL. */
static inline struct map_entry *entry_in_front(struct vm_map *map, const struct map_entry *above)
{
    if (above)
        return entry_prev(map, above);
    return list_empty(&map->entries) ? NULL : list_entry(map->entries.prev, struct map_entry, link);
}

void map_append(struct vm_map *map, struct map_entry *entry)
{
    entry_link(map, entry_in_front(map, NULL), entry);
}

/* ---- clipping ---------------------------------------------------------------------------------- */

/* Cuts ENTRY in two at ADDRESS, which is inside. */
static bool entry_split(struct vm_map *map, struct map_entry *entry, uint64_t address)
{
    struct map_entry *upper = entry_alloc();
    if (upper == NULL)
        return false;
    *upper = *entry;
    upper->start = address;
    upper->offset += address - entry->start;
    if (upper->object)
        object_ref(upper->object);
    map->size -= entry->end - address;
    entry->end = address;
    entry_link(map, entry, upper);
    return true;
}

bool map_clip_start(struct vm_map *map, struct map_entry *entry, uint64_t address)
{
    return address <= entry->start || entry_split(map, entry, address);
}

bool map_clip_end(struct vm_map *map, struct map_entry *entry, uint64_t address)
{
    return address >= entry->end || entry_split(map, entry, address);
}

/* The first entry of [START, END), cut at both ends of the range; NULL with *ERROR, or none is there. */
static struct map_entry *range_clip(struct vm_map *map, uint64_t start, uint64_t end, kern_return_t *error)
{
    struct map_entry *first = map->hint, *last;
    if (first == NULL || start < first->start || start >= first->end)
        first = map_lookup_above(map, start);
    *error = KERN_SUCCESS;
    if (first == NULL || first->start >= end)
        return NULL;
    last = end <= first->end ? first : map_lookup(map, end - 1);
    *error = KERN_RESOURCE_SHORTAGE;
    if (last && !map_clip_end(map, last, end))
        return NULL;
    if (first->start < start) {
        if (!map_clip_start(map, first, start))
            return NULL;
        first = map_next(map, first);
    }
    *error = KERN_SUCCESS;
    return first && first->start < end ? first : NULL;
}

/* ---- mapping --------------------------------------------------------------------------------------- */

/* What a mask (see map_find_space) asks for: addresses below *LIMIT without the bits *ALIGN.  False if it has bits in
   the middle. */
static inline bool mask_split(uint64_t mask, uint64_t *align, uint64_t *limit)
{
    *align = mask & ~(mask + 1);
    uint64_t high = mask & ~*align;
    *limit = high ? min(-high, MAP_TOP) : MAP_TOP;
    return (-high & (-high - 1)) == 0;
}

/* The first place behind WISH; false if there is none.  *ABOVE is the first entry behind it. */
static inline bool space_search(struct vm_map *map, uint64_t wish, uint64_t size, uint64_t align, uint64_t limit,
                                uint64_t *address, struct map_entry **above)
{
    uint64_t from = max(wish, map->low_free), start = (from + align) & ~align;
    struct map_entry *entry = map_lookup_above(map, start);
    if (wish <= map->low_free && align < PAGE_SIZE) {
        while (entry && entry->start <= start) {
            start = entry->end;
            entry = map_next(map, entry);
        }
        map->low_free = start;
    }
    while (start >= from && start + size <= limit && start + size > start) {
        if (entry == NULL || start + size <= entry->start) {
            *address = start;
            *above = entry;
            return true;
        }
        from = entry->end;
        start = (from + align) & ~align;
        while (entry && entry->end <= start)
            entry = map_next(map, entry);
    }
    return false;
}

/* As map_find_space; *ABOVE is the first entry behind the place. */
static inline kern_return_t space_find(struct vm_map *map, uint64_t *address, uint64_t size, uint64_t mask,
                                       struct map_entry **above)
{
    uint64_t align, limit;
    if (!mask_split(mask, &align, &limit))
        return KERN_NO_SPACE;
    /* The address is a wish; the C library's may be rubbish. */
    for (uint64_t wish = *address >= limit ? MAP_MIN : *address;; wish = MAP_MIN) {
        if (space_search(map, wish, size, align, limit, address, above))
            return KERN_SUCCESS;
        if (wish <= map->low_free)
            return KERN_NO_SPACE;
    }
}

kern_return_t map_find_space(struct vm_map *map, uint64_t *address, uint64_t size, uint64_t mask)
{
    struct map_entry *above;
    return space_find(map, address, size, mask, &above);
}

/* ENTRY may simply grow to END: zeros behind zeros. */
static bool entry_extend(struct vm_map *map, struct map_entry *entry, uint64_t start, uint64_t end,
                         vm_prot_t protection, vm_prot_t max_protection, vm_inherit_t inheritance)
{
    if (entry == NULL || entry->end != start || entry->wired || entry->shared || entry->needs_copy ||
        entry->protection != protection || entry->max_protection != max_protection || entry->inheritance != inheritance)
        return false;
    struct vm_object *object = entry->object;
    if (object) {
        uint64_t behind = entry->offset + (entry->end - entry->start);
        if (!object->internal || object->refs > 1 || object->shadow || object->copy || object->pager ||
            object->size > behind)
            return false;
        object->size = behind + (end - start);
    }
    map->size += end - entry->end;
    entry->end = end;
    return true;
}

/* Wires the new ENTRY, as vm_wire_all said.  If that fails, the range is empty again, and the reference to the object
   the caller's.  May block. */
static kern_return_t entry_wire(struct vm_map *map, struct map_entry *entry)
{
    uint64_t start = entry->start, end = entry->end;
    struct vm_object *object = entry->object;
    if (object)
        object_ref(object);
    kern_return_t kr = vm_map_wire(map, start, end, map->wire_future_access & entry->protection);
    if (kr)
        vm_map_remove(map, start, end);
    else if (object)
        object_deref(object);
    return kr;
}

/* As map_enter, which see; the compiler makes one of it for fresh memory alone. */
static inline __attribute__((always_inline)) kern_return_t entry_enter(struct vm_map *map, uint64_t *address,
                                                                       uint64_t size, uint64_t mask, bool anywhere,
                                                                       struct vm_object *object, uint64_t offset,
                                                                       bool needs_copy, bool shared,
                                                                       vm_prot_t protection, vm_prot_t max_protection,
                                                                       vm_inherit_t inheritance)
{
    struct map_entry *above;
    if (size == 0 || size > MAP_MAX)
        return size == 0 ? KERN_INVALID_ARGUMENT : KERN_NO_SPACE;
    if (anywhere) {
        kern_return_t kr = space_find(map, address, size, mask, &above);
        if (kr)
            return kr;
    } else {
        if (*address & mask)
            return KERN_NO_SPACE;
        if (*address + size > MAP_TOP || *address + size < *address)
            return KERN_INVALID_ADDRESS;
        above = map_lookup_above(map, *address);
        if (above && above->start < *address + size)
            return KERN_NO_SPACE;
    }
    struct map_entry *below = entry_in_front(map, above);
    if (object == NULL && likely(!map->wire_future) &&
        entry_extend(map, below, *address, *address + size, protection, max_protection, inheritance))
        return KERN_SUCCESS;
    struct map_entry *entry = entry_alloc();
    if (entry == NULL)
        return KERN_RESOURCE_SHORTAGE;
    *entry = (struct map_entry){.start = *address, .end = *address + size, .object = object, .offset = offset,
                                .protection = protection, .max_protection = max_protection, .inheritance = inheritance,
                                .needs_copy = needs_copy, .shared = shared};
    entry_link(map, below, entry);
    map->hint = entry;
    return unlikely(map->wire_future) ? entry_wire(map, entry) : KERN_SUCCESS;
}

kern_return_t map_enter(struct vm_map *map, uint64_t *address, uint64_t size, uint64_t mask, bool anywhere,
                        struct vm_object *object, uint64_t offset, bool needs_copy, bool shared, vm_prot_t protection,
                        vm_prot_t max_protection, vm_inherit_t inheritance)
{
    return entry_enter(map, address, size, mask, anywhere, object, offset, needs_copy, shared, protection,
                       max_protection, inheritance);
}

kern_return_t vm_map_allocate(struct vm_map *map, uint64_t *address, uint64_t size, bool anywhere)
{
    return entry_enter(map, address, size, 0xfff, anywhere, NULL, 0, false, false, VM_PROT_DEFAULT, VM_PROT_ALL,
                       VM_INHERIT_DEFAULT);
}

struct page *page_mapped(struct vm_map *map, uint64_t address)
{
    uint64_t physical = pmap_extract(map->pmap, address);
    struct page *page = physical && physical < page_limit ? page_of_physical(physical) : NULL;
    return page && page->managed ? page : NULL;
}

/* Takes away the wirings of the pages that are mapped in [START, END). */
static void range_unwire(struct vm_map *map, uint64_t start, uint64_t end)
{
    for (uint64_t at = start; (at = pmap_next(map->pmap, at, end)) < end; at += PAGE_SIZE) {
        struct page *page = page_mapped(map, at);
        if (page && page->wired)
            page_unwire(page);
    }
}

static void entry_unwire(struct vm_map *map, struct map_entry *entry)
{
    entry->wired = false;
    map->wired_bytes -= entry->end - entry->start;
    range_unwire(map, entry->start, entry->end);
}

#define PARTS_MAX 16

/* Are both parts of one entry that was cut up?  (A copy beside it has the object, too, but from another place on.) */
static bool same_entry(const struct map_entry *a, const struct map_entry *b)
{
    return a->object == b->object && a->offset - a->start == b->offset - b->start;
}

/* How many such parts lie beside ENTRY, with it, as far as it matters. */
static uint32_t entry_parts(struct vm_map *map, const struct map_entry *entry)
{
    uint32_t count = 1;
    for (const struct list *link = entry->link.prev; link != &map->entries && count < PARTS_MAX;
         link = link->prev, count++)
        if (!same_entry(entry, list_entry(link, struct map_entry, link)))
            break;
    for (const struct list *link = entry->link.next; link != &map->entries && count < PARTS_MAX;
         link = link->next, count++)
        if (!same_entry(entry, list_entry(link, struct map_entry, link)))
            break;
    return count;
}

/* ENTRY is to go.  If it is part of what was one entry, whose memory nobody else has, its pages go, though the object
   stays for the other parts. */
static void part_free(struct vm_map *map, const struct map_entry *entry)
{
    struct vm_object *object = entry->object;
    if (object->refs < PARTS_MAX && object->internal && object->copy == NULL && !entry->wired &&
        object->refs == entry_parts(map, entry))
        object_page_remove(object, entry->offset, entry->offset + (entry->end - entry->start));
}

/* What ENTRY, which is in MAP no more, has. */
static inline void entry_destroy(struct vm_map *map, struct map_entry *entry)
{
    if (unlikely(entry->wired))
        entry_unwire(map, entry);
    if (entry->object) {
        pmap_remove(map->pmap, entry->start, entry->end);
        object_deref(entry->object);
    }
    entry_free(entry);
}

void vm_map_remove(struct vm_map *map, uint64_t start, uint64_t end)
{
    kern_return_t error;
    struct map_entry *entry = range_clip(map, start, end, &error);
    if (error)
        kprintf("vm: no memory to deallocate %lx-%lx\n", start, end);
    while (entry && entry->start < end) {
        struct map_entry *next = map_next(map, entry);
        if (entry->object && unlikely(entry->object->refs > 1))
            part_free(map, entry);
        map->low_free = min(map->low_free, max(entry->start, MAP_MIN));
        entry_unlink(map, entry);
        entry_destroy(map, entry);
        entry = next;
    }
}

void map_clear(struct vm_map *map)
{
    struct list *link;
    map->root = map->hint = NULL;
    map->version++;
    map->size = map->count = 0;
    map->low_free = MAP_MIN;
    while ((link = list_pop(&map->entries)))
        entry_destroy(map, list_entry(link, struct map_entry, link));
}

bool vm_map_check(struct vm_map *map, uint64_t start, uint64_t end, vm_prot_t protection)
{
    while (start < end) {
        struct map_entry *entry = map_lookup(map, start);
        if (entry == NULL || (entry->protection & protection) != protection)
            return false;
        start = entry->end;
    }
    return true;
}

kern_return_t vm_map_protect(struct vm_map *map, uint64_t start, uint64_t end, vm_prot_t protection, bool set_maximum)
{
    kern_return_t error;
    struct map_entry *first = range_clip(map, start, end, &error);
    if (error)
        return error;
    for (struct map_entry *entry = first; entry && entry->start < end; entry = map_next(map, entry))
        if (~entry->max_protection & protection)
            return KERN_PROTECTION_FAILURE;
    for (struct map_entry *entry = first; entry && entry->start < end; entry = map_next(map, entry)) {
        vm_prot_t old = entry->protection;
        if (set_maximum) {
            entry->max_protection = protection;
            entry->protection &= protection;
        } else {
            entry->protection = protection;
        }
        if (entry->object && (old & ~entry->protection))
            pmap_protect(map->pmap, entry->start, entry->end, entry->protection);
    }
    return KERN_SUCCESS;
}

kern_return_t vm_map_inherit(struct vm_map *map, uint64_t start, uint64_t end, vm_inherit_t inheritance)
{
    kern_return_t error;
    struct map_entry *entry = range_clip(map, start, end, &error);
    for (; entry && entry->start < end; entry = map_next(map, entry))
        entry->inheritance = inheritance;
    return error;
}

/* ---- wiring -------------------------------------------------------------------------------------------- */

/* Brings in and wires what is mapped of [START, END); on failure none of it is.  The map may have changed
   afterwards. */
static kern_return_t range_wire(struct vm_map *map, uint64_t start, uint64_t end, vm_prot_t access)
{
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        kern_return_t kr = vm_fault(map, at, access, true, false);
        if (kr) {
            range_unwire(map, start, at);
            return kr;
        }
        if ((at >> PAGE_SHIFT) % PAUSE_PAGES == 0)
            sched_pause();
    }
    return KERN_SUCCESS;
}

kern_return_t vm_map_wire(struct vm_map *map, uint64_t start, uint64_t end, vm_prot_t access)
{
    kern_return_t error;
    struct map_entry *entry = range_clip(map, start, end, &error);
    if (error)
        return error;
    if (!vm_map_check(map, start, end, access))
        return KERN_NO_SPACE;
    while (entry && entry->start < end) {
        /* Others may have mapped something else while this waited. */
        if (!map_clip_end(map, entry, end))
            return KERN_RESOURCE_SHORTAGE;
        uint64_t from = entry->start, to = entry->end;
        if (!access && entry->wired) {
            entry_unwire(map, entry);
        } else if (access && !entry->wired) {
            entry->wired = true;
            map->wired_bytes += to - from;
            kern_return_t kr = range_wire(map, from, to, access);
            if (kr) {
                entry = map_lookup(map, from);
                if (entry && entry->wired && entry->start == from && entry->end == to) {
                    entry->wired = false;
                    map->wired_bytes -= to - from;
                }
                return kr;
            }
        }
        entry = map_lookup_above(map, to);
    }
    return KERN_SUCCESS;
}

/* As the faults of range_wire would, but all at once. */
static bool pages_enter(struct vm_map *map, uint64_t at, struct page *pages, size_t count, vm_prot_t protection)
{
    enum { PART = 16 }; /* aligned, so each part is of one last table */
    struct page *some[PART];
    for (size_t i = 0, n; i < count; i += n) {
        n = min(count - i, PART - (at >> PAGE_SHIFT) % PART);
        for (size_t j = 0; j < n; j++)
            some[j] = pages + i + j;
        if (!pmap_enter(map->pmap, at, page_physical(pages + i), pages + i, protection, false))
            return false;
        pmap_enter_more(map->pmap, at, some, (unsigned int)n, protection);
        at += n * PAGE_SIZE;
    }
    return true;
}

kern_return_t map_wire_row(struct vm_map *map, uint64_t start, struct page *pages, size_t count)
{
    uint64_t end = start + count * PAGE_SIZE;
    struct map_entry *entry = map_lookup(map, start);
    if (entry == NULL || entry->start != start || entry->end != end || entry->wired || entry->needs_copy ||
        !pages_enter(map, start, pages, count, entry->protection))
        return vm_map_wire(map, start, end, VM_PROT_READ | VM_PROT_WRITE);
    entry->object->writable = true;
    entry->wired = true;
    map->wired_bytes += end - start;
    for (size_t i = 0; i < count; i++) {
        pages[i].dirty = true;
        page_wire(pages + i);
    }
    return KERN_SUCCESS;
}
