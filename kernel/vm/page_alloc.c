/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The allocator of physical pages: a buddy system in three zones.

   A free block of 2^n pages is known by its first page, on the list of its order; its buddy is found by flipping bit n
   of the page number.  Allocation begins in the highest zone that fits, so that memory that old devices reach is kept
   for them. */

#include "../arch/x86_64/stack.h"
#include "page.h"
#include "pageout.h"

#define ZONES 3
/* of the boot loader's memory map, and modules with their lines; more memory is left unused, with a message */
#define REGIONS_MAX 256

static const uint64_t zone_end[ZONES] = {16ul << 20, 4ul << 30, UINT64_MAX};

struct region {
    uint64_t start, end;
};

struct page *page_array;
uint64_t page_limit;
struct page_counts page_counts;
size_t page_free_target, page_free_minimum, page_free_reserved, page_free_last;

static struct list free_lists[ZONES][PAGE_ORDERS];
static struct region usable[REGIONS_MAX], reserved[REGIONS_MAX];
static size_t usable_count, reserved_count;

/* ---- the buddy system ------------------------------------------------------------------ */

static unsigned int zone_of(const struct page *page)
{
    uint64_t physical = page_physical(page);
    return physical < zone_end[0] ? 0 : physical < zone_end[1] ? 1 : 2;
}

static void block_put(struct page *page, unsigned int order)
{
    page->free = true;
    page->order = (uint8_t)order;
    list_prepend(&free_lists[zone_of(page)][order], &page->link);
}

static void block_take(struct page *page)
{
    page->free = false;
    list_remove(&page->link);
}

static void block_free(struct page *page, unsigned int order)
{
    size_t number = page - page_array, last = page_limit >> PAGE_SHIFT;
    page_counts.free += 1ul << order;
    while (order < PAGE_ORDERS - 1) {
        size_t buddy = number ^ 1ul << order;
        if (buddy >= last)
            break;
        struct page *other = &page_array[buddy];
        if (!other->free || other->order != order || zone_of(other) != zone_of(page))
            break;
        block_take(other);
        number &= ~(1ul << order);
        page = &page_array[number];
        order++;
    }
    block_put(page, order);
}

/* ---- start-up ------------------------------------------------------------------------ */

static void region_add(struct region *regions, size_t *count, uint64_t start, uint64_t end)
{
    if (start >= end)
        return;
    if (*count == REGIONS_MAX && regions == reserved)
        panic("more than %d reserved regions of memory", REGIONS_MAX);
    if (*count == REGIONS_MAX) {
        kprintf("memory: more than %d regions: %lx-%lx is not used\n", REGIONS_MAX, start, end);
        return;
    }
    regions[(*count)++] = (struct region){start, end};
}

void page_bootstrap_region(uint64_t start, uint64_t end)
{
    start = align_up(start, PAGE_SIZE);
    end = align_down(end, PAGE_SIZE);
    region_add(usable, &usable_count, start, end);
    if (end > page_limit && start < end)
        page_limit = end;
}

void page_bootstrap_reserve(uint64_t start, uint64_t end)
{
    region_add(reserved, &reserved_count, align_down(start, PAGE_SIZE), align_up(end, PAGE_SIZE));
}

uint64_t page_bootstrap_limit(void)
{
    return page_limit;
}

/* The end of a reserved region that overlaps [START, END), or 0. */
static uint64_t reserved_overlap(uint64_t start, uint64_t end)
{
    for (size_t i = 0; i < reserved_count; i++)
        if (reserved[i].start < end && start < reserved[i].end)
            return reserved[i].end;
    return 0;
}

/* SIZE bytes of memory that nobody has, reserved. */
static uint64_t steal(uint64_t size)
{
    for (size_t i = 0; i < usable_count; i++) {
        uint64_t start = max(usable[i].start, 1ul << 20), next;
        uint64_t end = min(usable[i].end, 4ul << 30);
        while (start + size <= end && (next = reserved_overlap(start, start + size)))
            start = next;
        if (start + size <= end) {
            page_bootstrap_reserve(start, start + size);
            return start;
        }
    }
    panic("no %lu bytes of memory for the kernel's own tables", size);
}

uint64_t page_bootstrap_steal(void)
{
    uint64_t page = steal(PAGE_SIZE);
    memset(phys_to_virt(page), 0, PAGE_SIZE);
    return page;
}

/* Gives [FIRST, FIRST + COUNT), which the allocator does not have, to it, in blocks as large as their place allows. */
static void range_free(size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        page_array[i].managed = true;
    page_counts.total += count;
    while (count > 0) {
        unsigned int order = 0;
        while (order < PAGE_ORDERS - 1 && 2ul << order <= count && first % (2ul << order) == 0)
            order++;
        block_free(&page_array[first], order);
        first += 1ul << order;
        count -= 1ul << order;
    }
}

void page_release_range(uint64_t start, uint64_t end)
{
    size_t first = align_up(start, PAGE_SIZE) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    while (first < last) {
        size_t count = 0;
        while (first + count < last && !page_array[first + count].managed)
            count++;
        range_free(first, count);
        first += count + 1;
    }
}

/* The lowest reserved address from AT on, or END. */
static uint64_t reserved_next(uint64_t at, uint64_t end)
{
    for (size_t i = 0; i < reserved_count; i++)
        if (reserved[i].end > at && reserved[i].start < end)
            end = max(reserved[i].start, at);
    return end;
}

void page_bootstrap(void)
{
    size_t count = page_limit >> PAGE_SHIFT, size = align_up(count * sizeof(struct page), PAGE_SIZE);
    page_array = phys_to_virt(steal(size));
    memset(page_array, 0, size);
    for (unsigned int zone = 0; zone < ZONES; zone++)
        for (unsigned int order = 0; order < PAGE_ORDERS; order++)
            list_init(&free_lists[zone][order]);
    for (size_t i = 0; i < usable_count; i++) {
        uint64_t at = max(usable[i].start, PAGE_SIZE);
        while (at < usable[i].end) {
            uint64_t stop = reserved_next(at, usable[i].end);
            page_release_range(at, stop);
            at = stop == usable[i].end ? stop : reserved_overlap(stop, stop + PAGE_SIZE);
        }
    }
    /* servers count on it: lib/ports/pageout.c */
    page_free_reserved = min(max(page_counts.total / 256, (size_t)128), (size_t)256);
    page_free_minimum = max(page_counts.total / 64, page_free_reserved * 2);
    page_free_target = page_free_minimum * 4 / 3;
    page_free_last = page_free_reserved / 2;
}

/* Gives back what of the block at PAGE of ORDER is not its first 2^WANTED pages. */
static void block_split(struct page *page, unsigned int order, unsigned int wanted)
{
    while (order > wanted) {
        order--;
        block_put(page + (1ul << order), order);
    }
}

static inline void page_clear(struct page *page)
{
    *page = (struct page){.managed = true};
    list_init(&page->link);
    list_init(&page->queue);
}

/* A block of 2^ORDER pages within [START, END), out of its list and still in page_counts.free; NULL: none. */
static struct page *block_find(unsigned int order, uint64_t start, uint64_t end)
{
    for (int zone = ZONES - 1; zone >= 0; zone--) {
        uint64_t zone_start = zone ? zone_end[zone - 1] : 0;
        if (zone_start >= end || zone_end[zone] <= start)
            continue;
        bool whole = zone_start >= start && zone_end[zone] <= end;
        for (unsigned int size = order; size < PAGE_ORDERS; size++)
            list_for_each(link, &free_lists[zone][size]) {
                struct page *block = list_entry(link, struct page, link);
                uint64_t at = page_physical(block);
                if (!whole && (at < start || at + (PAGE_SIZE << order) > end))
                    continue;
                block_take(block);
                block_split(block, size, order);
                return block;
            }
    }
    return NULL;
}

/* ---- single pages ------------------------------------------------------------------------- */

/* Pages that were freed last are used first, without going through the buddy system: a stack by `hash_next`.  They
   count as free. */
#define READY_MAX 128
#define READY_REFILL 4 /* order of the block that fills it */

static struct page *ready;
static size_t ready_count;

static void ready_drain(size_t keep)
{
    while (ready_count > keep) {
        struct page *page = ready;
        ready = page->hash_next;
        ready_count--;
        page_counts.free--;
        block_free(page, 0);
    }
}

static inline void ready_push(struct page *page)
{
    page->hash_next = ready;
    ready = page;
    ready_count++;
}

static struct page *ready_pop(void)
{
    if (unlikely(ready == NULL)) {
        unsigned int order = READY_REFILL;
        struct page *block;
        while ((block = block_find(order, 0, UINT64_MAX)) == NULL)
            if (order-- == 0)
                return NULL;
        for (size_t i = 1ul << order; i-- > 0;)
            ready_push(block + i);
    }
    struct page *page = ready;
    ready = page->hash_next;
    ready_count--;
    return page;
}

void page_free(struct page *page, unsigned int order)
{
    assert(page->managed && !page->free && page->mapping.pmap == NULL);
#ifdef POISON
    memset(page_address(page), 0xdb, PAGE_SIZE << order);
#endif
    if (order > 0) {
        block_free(page, order);
        return;
    }
    page_counts.free++;
    ready_push(page);
    if (unlikely(pageout_waiting))
        pageout_page_freed();
    if (unlikely(ready_count > READY_MAX))
        ready_drain(READY_MAX / 2);
}

/* May the caller take COUNT pages?  The last ones are for those who free memory. */
static inline bool page_permitted(size_t count)
{
    return likely(page_counts.free >= page_free_last + count) || (page_counts.free >= count && pageout_privileged());
}

/* A block as page_alloc gives it, still in page_counts.free; NULL: none. */
static struct page *block_any(unsigned int order, uint64_t limit)
{
    if (likely(order == 0 && limit == UINT64_MAX))
        return ready_pop();
    struct page *block = block_find(order, 0, limit);
    if (block || ready_count == 0)
        return block;
    ready_drain(0);
    return block_find(order, 0, limit);
}

static __attribute__((noinline)) struct page *page_alloc_general(unsigned int order, uint64_t limit)
{
    if (unlikely(!page_permitted(1ul << order))) {
        pageout_wake();
        return NULL;
    }
    struct page *page = block_any(order, limit);
    if (page == NULL && stack_kept_free())
        page = block_any(order, limit);
    if (page == NULL)
        return NULL;
    page_counts.free -= 1ul << order;
    for (size_t i = 0; i < 1ul << order; i++)
        page_clear(page + i);
    return page;
}

struct page *page_alloc(unsigned int order, uint64_t limit)
{
    struct page *page = ready;
    if (unlikely(order || limit != UINT64_MAX || page == NULL || page_counts.free <= page_free_last))
        return page_alloc_general(order, limit);
    ready = page->hash_next;
    ready_count--;
    page_counts.free--;
    page_clear(page);
    return page;
}

void page_spares_give(size_t count)
{
    page_counts.free += count;
    if (unlikely(pageout_waiting))
        pageout_page_freed();
}

bool page_spares_take(size_t count)
{
    if (unlikely(!page_permitted(count))) {
        pageout_wake();
        return false;
    }
    page_counts.free -= count;
    return true;
}

/* ---- contiguous memory of any size ------------------------------------------------------- */

/* The number of the first page from FIRST on, in steps of STEP, whose run of COUNT pages is free; SIZE_MAX: none before
   LAST. */
static size_t run_find(size_t first, size_t last, size_t step, size_t count)
{
    for (size_t at = first; at + count <= last;) {
        size_t free = 0;
        while (free < count) {
            /* A free page inside a block is recognised by the block's first page. */
            size_t number = at + free, order = 0;
            struct page *block = NULL;
            for (; order < PAGE_ORDERS; order++) {
                block = &page_array[number & ~((1ul << order) - 1)];
                if (block->free && block->order >= order)
                    break;
            }
            if (order == PAGE_ORDERS)
                break;
            free = (size_t)(block - page_array) + (1ul << block->order) - at;
        }
        if (free >= count)
            return at;
        at = align_up(at + free + 1, step);
    }
    return SIZE_MAX;
}

/* Takes the pages [AT, AT + COUNT), all free, out of their blocks. */
static void run_take(size_t at, size_t count)
{
    for (size_t number = at; number < at + count; number++) {
        struct page *block = NULL;
        for (unsigned int order = 0; order < PAGE_ORDERS; order++) {
            block = &page_array[number & ~((1ul << order) - 1)];
            if (block->free && block->order >= order)
                break;
        }
        /* Halve the block until the page is one of its own. */
        while (block->order > 0) {
            unsigned int half = block->order - 1;
            block_take(block);
            block_put(block, half);
            block_put(block + (1ul << half), half);
            if (number >= (size_t)(block - page_array) + (1ul << half))
                block += 1ul << half;
        }
        block_take(block);
        page_clear(block);
        page_counts.free--;
    }
}

/* COUNT pages of one block, if a block holds as many and lies right; the rest of it goes back. */
static struct page *run_from_block(size_t count, uint64_t start, uint64_t end, uint64_t align)
{
    unsigned int order = 0;
    while (order < PAGE_ORDERS && 1ul << order < count)
        order++;
    if (order == PAGE_ORDERS || align > PAGE_SIZE << order)
        return NULL;
    struct page *block = block_find(order, start, end);
    if (block == NULL)
        return NULL;
    page_counts.free -= 1ul << order;
    for (size_t i = 0; i < count; i++)
        page_clear(block + i);
    for (size_t i = count; i < 1ul << order; i++)
        block_free(block + i, 0);
    return block;
}

struct page *page_alloc_contiguous(size_t count, uint64_t start, uint64_t end, uint64_t align)
{
    size_t step = max(align, PAGE_SIZE) >> PAGE_SHIFT, last = min(end, page_limit) >> PAGE_SHIFT;
    if (start >= page_limit)
        return NULL;
    start = align_up(start, PAGE_SIZE);
    size_t first = align_up((size_t)(start >> PAGE_SHIFT), step);
    if (!page_permitted(count)) {
        pageout_wake();
        return NULL;
    }
    stack_kept_free();
    ready_drain(0);
    struct page *block = run_from_block(count, start, min(end, page_limit), max(align, PAGE_SIZE));
    if (block)
        return block;
    /* The highest zone first, as everywhere; then across their borders. */
    for (int zone = ZONES - 1; zone >= -1; zone--) {
        size_t zone_first = (zone > 0 ? zone_end[zone - 1] : 0) >> PAGE_SHIFT;
        size_t zone_last = zone < 0 || zone == ZONES - 1 ? last : zone_end[zone] >> PAGE_SHIFT;
        size_t from = max(first, align_up(zone_first, step)), to = min(last, zone_last);
        size_t at = from < to ? run_find(from, to, step, count) : SIZE_MAX;
        if (at == SIZE_MAX)
            continue;
        run_take(at, count);
        return &page_array[at];
    }
    return NULL;
}

/* ---- blocks out of scattered memory ---------------------------------------------------------- */

/* The block that the free page NUMBER is in; NULL: it is not free. */
static struct page *block_of(size_t number)
{
    for (unsigned int order = 0; order < PAGE_ORDERS; order++) {
        struct page *block = &page_array[number & ~((1ul << order) - 1)];
        if (block->free && block->order >= order)
            return block;
    }
    return NULL;
}

/* Can what is in PAGE go elsewhere?  Pages in the queues are of objects and nobody counts on their place. */
static bool page_movable(const struct page *page)
{
    return page->managed && (page->active || page->inactive) && !page->busy && !page->wired && !page->absent &&
           !page->laundry;
}

/* Puts another page in the place of PAGE, which is the caller's then; false: no memory. */
static bool page_replace(struct page *page)
{
    struct page *other = page_alloc(0, UINT64_MAX);
    if (other == NULL)
        return false;
    struct vm_object *object = page->object;
    bool inactive = page->inactive;
    pmap_page_protect(page, VM_PROT_NONE);
    page_copy(other, page);
    other->dirty = page->dirty;
    other->referenced = page->referenced;
    other->precious = page->precious;
    other->error = page->error;
    other->lock = page->lock;
    page_dequeue(page);
    page_remove(page);
    page_insert(other, object, page->offset);
    if (inactive)
        page_deactivate(other);
    else
        page_activate(other);
    page_wakeup(page); /* who waits for it looks it up again */
    return true;
}

/* Takes the COUNT pages from FIRST on, each free or movable; false: no memory, and all are as before or moved. */
static bool group_take(size_t first, size_t count)
{
    size_t taken[1u << PAGE_VACATE_ORDER_MAX], have = 0;
    for (size_t i = first; i < first + count; i++)
        if (block_of(i)) {
            run_take(i, 1);
            taken[have++] = i;
        }
    for (size_t i = first; i < first + count; i++) {
        if (!page_movable(&page_array[i]))
            continue;
        if (!page_replace(&page_array[i]))
            break;
        taken[have++] = i;
    }
    if (have == count)
        return true;
    while (have > 0)
        page_free(&page_array[taken[--have]], 0);
    return false;
}

bool page_vacate(unsigned int order)
{
    static size_t hand; /* where the last search ended */
    size_t count = 1ul << order, groups = page_limit >> PAGE_SHIFT >> order;
    if (order > PAGE_VACATE_ORDER_MAX || page_counts.free < page_free_last + 2 * count)
        return false;
    stack_kept_free();
    ready_drain(0);
    for (size_t tried = 0; tried < groups; tried++) {
        hand = hand + 1 < groups ? hand + 1 : 0;
        size_t first = hand << order, fit = 0;
        while (fit < count && (page_movable(&page_array[first + fit]) || block_of(first + fit)))
            fit++;
        if (fit < count)
            continue;
        if (!group_take(first, count))
            return false;
        for (size_t i = first; i < first + count; i++)
            page_clear(&page_array[i]);
        page_free(&page_array[first], order);
        return true;
    }
    return false;
}
