/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical pages: the allocator, and what is known of each page.

   Every page of memory that the boot loader reported usable has a struct page.  Free ones are in a buddy system, by
   zone (below 16 MiB, below 4 GiB, the rest), so that contiguous memory below a limit can be had; the rest belong to
   the kernel (tables, slabs, stacks) or to a memory object.

   A page of an object is `busy` while somebody fills, empties or moves it: others that need it wait for the event &page
   and look it up again.  It is `wired` as long as somebody counts on its staying.  Lock: the kernel lock. */

#ifndef VM_PAGE_H
#define VM_PAGE_H

#include "../arch/x86_64/page_fill.h"
#include "../arch/x86_64/pmap.h"
#include "../base/base.h"

#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
#define PAGE_ORDERS 11 /* blocks of 1 to 1024 pages */

struct vm_object;

struct page {
    struct list link;              /* free list, or its object's pages */
    union {
        struct vm_object *object;  /* NULL: not in an object */
        struct cache *cache;       /* a slab's first page */
    };
    uint64_t offset;               /* in the object; of a table of kernel stacks its number (stack.c) */
    struct page *hash_next;        /* of the lookup table */
    struct list queue;             /* active or inactive pages */
    struct mapping mapping;        /* the first of its mappings; pmap NULL: none */
    uint32_t wired;                /* how many count on its staying */
    uint16_t table_used;           /* entries of a page table, or the stacks that one maps */
    uint8_t order;                 /* of a free block */
    bool free : 1;
    bool managed : 1;              /* memory of the allocator at all */
    bool busy : 1;
    bool wanted : 1;               /* somebody waits for it to be no longer busy */
    bool absent : 1;               /* its data was asked of a pager and is not there yet */
    bool error : 1;                /* the pager could not supply it */
    bool dirty : 1;                /* changed; mappings may know of more (pmap_page_modified) */
    bool referenced : 1;
    bool precious : 1;             /* the pager wants it back even if it is clean */
    bool active : 1, inactive : 1; /* which queue it is in */
    bool unlock_requested : 1;     /* the pager was asked to unlock it */
    bool laundry : 1;              /* in a carrier, on its way to a pager */
    bool private_memory : 1;       /* given by a device, never freed */
    vm_prot_t lock;                /* access that the pager forbids */
    vm_prot_t unlock_access;       /* what it was asked for */
};

extern struct page *page_array;
extern uint64_t page_limit; /* first physical address that has no struct page */

static inline uint64_t page_physical(const struct page *page)
{
    return (uint64_t)(page - page_array) << PAGE_SHIFT;
}
static inline void *page_address(const struct page *page)
{
    return phys_to_virt(page_physical(page));
}
static inline struct page *page_of_physical(uint64_t physical)
{
    return &page_array[physical >> PAGE_SHIFT];
}
static inline struct page *page_of_address(const void *address)
{
    return page_of_physical(virt_to_phys(address));
}

/* ---- start-up, in this order ----------------------------------------------------- */

/* Tells of memory: what may be used, and what of it holds something already.  Physical addresses. */
void page_bootstrap_region(uint64_t start, uint64_t end);
void page_bootstrap_reserve(uint64_t start, uint64_t end);
/* Sets the allocator up; the direct map must reach page_bootstrap_limit(). */
uint64_t page_bootstrap_limit(void);
void page_bootstrap(void);
/* A zeroed page below 4 GiB, before the allocator is there. */
uint64_t page_bootstrap_steal(void);
/* Gives memory that was reserved (a module that is no longer needed) to the allocator. */
void page_release_range(uint64_t start, uint64_t end);

/* ---- the allocator ---------------------------------------------------------------- */

/* 2^ORDER pages in one piece, all below the physical address LIMIT (UINT64_MAX: anywhere); contents undefined.  NULL:
   none.  The pages' `object`, `wired` and flags are clear. */
struct page *page_alloc(unsigned int order, uint64_t limit);
void page_free(struct page *page, unsigned int order);
/* Moves pages of objects so that 2^ORDER free pages are in one piece: the caller must not rely on any page that is not
   wired or busy.  False: there is too little memory, or ORDER is above PAGE_VACATE_ORDER_MAX. */
bool page_vacate(unsigned int order);
#define PAGE_VACATE_ORDER_MAX 4
/* COUNT pages that their owner keeps for the next time, and gives back when there are no others, count as free; and no
   longer.  False: there is too little memory, and they stay free. */
void page_spares_give(size_t count);
bool page_spares_take(size_t count);
/* COUNT pages in one piece within [START, END), the first at a multiple of ALIGN (a power of two); each is freed by
   page_free(…, 0). */
struct page *page_alloc_contiguous(size_t count, uint64_t start, uint64_t end, uint64_t align);

struct page_counts {
    size_t total, free, active, inactive, wired;
};
extern struct page_counts page_counts;

/* Since the start (vm_statistics). */
struct vm_counters {
    uint64_t zero_fills, reactivations, pageins, pageouts, faults, cow_faults, lookups, hits;
};
extern struct vm_counters vm_counters;

/* Free pages: what pageout works for, below what it begins, what users' faults leave, and the last that only those take
   who free memory (pageout_privileged). */
extern size_t page_free_target, page_free_minimum, page_free_reserved, page_free_last;

static inline void page_zero(struct page *page)
{
    page_fill_zero(page_address(page));
}
static inline void page_copy(struct page *to, const struct page *from)
{
    page_fill_copy(page_address(to), page_address(from));
}

/* ---- pages of objects --------------------------------------------------------------- */

/* page_lookup (object.h) where OBJECT has pages. */
struct page *page_lookup_resident(const struct vm_object *object, uint64_t offset);
/* The table by which pages are found: how many lists it has, and how many pages are in one. */
size_t page_table_buckets(void);
unsigned int page_table_count(size_t bucket);
/* PAGE becomes OBJECT's at OFFSET, where there is none. */
void page_insert(struct page *page, struct vm_object *object, uint64_t offset);
/* Takes PAGE out of its object; it stays allocated. */
void page_remove(struct page *page);
/* Moves it to another object or place. */
void page_rename(struct page *page, struct vm_object *object, uint64_t offset);
/* Unmapped, out of its object and queues, and free; those who wait for it are woken. */
void page_discard(struct page *page);

void page_wakeup(struct page *page);     /* no longer busy: wakes who waits */
void page_activate(struct page *page);   /* recently used */
void page_deactivate(struct page *page); /* to be taken first */
void page_dequeue(struct page *page);    /* in neither queue */
void page_wire(struct page *page);
void page_unwire(struct page *page);

#endif
