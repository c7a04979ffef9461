/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel stacks, with nothing below them: one that overflows faults, and as the fault cannot be pushed there it becomes
   a double fault, which has a stack of its own (trap.c names the thread and stops).

   They have an area of the kernel's address space (layout.h), in slots of twice their size: the lower half of a slot is
   never mapped, the upper half is while a thread has the stack or it is kept.  Kept are the STACKS_KEPT_MAX that were
   given back last, because most threads follow one that has just ended; their pages count as free, and are given back
   when no others are (page_alloc.c).  So a page is mapped at its place in the area for as long as nobody asks, and only
   when stacks go in numbers do processors have to forget something.

   The last tables, of 64 slots, come and go with the stacks in them; those above them stay: a page for each 32,768
   stacks. */

#include "stack.h"

#include "../../vm/page.h"
#include "cpu.h"
#include "pmap.h"
#include "smp.h"

#define STACK_PAGES (1u << KERNEL_STACK_ORDER)
#define SLOT_SIZE (2ul * KERNEL_STACK_SIZE)
#define TABLE_ENTRIES 512u
#define TABLE_SPAN (TABLE_ENTRIES * PAGE_SIZE) /* what a last table maps */
#define SLOT_ENTRIES (2 * STACK_PAGES)
#define TABLE_SLOTS (TABLE_ENTRIES / SLOT_ENTRIES)
#define TABLES_MAX (TABLE_ENTRIES * TABLE_ENTRIES)
#define STACKS_KEPT_MAX 32u

#define ENTRY_PRESENT 0x001ul
#define ENTRY_TABLE 0x003ul                    /* present, writable */
#define ENTRY_PAGE (0x063ul | 1ul << 63)       /* the same, accessed, dirty, not executable */
#define ENTRY_FRAME 0x000ffffffffff000ul

extern uint64_t boot_top[];

static uint64_t *area;                         /* the table of the area's gigabytes */
static struct list roomy = LIST_INIT(roomy);   /* last tables with a free slot: page.link; page.offset is their number,
                                                  page.table_used their stacks */
static uint32_t table_lowest;                  /* every last table below this number is there */
static char *kept[STACKS_KEPT_MAX];
static unsigned int kept_count;

static inline uint64_t *table_below(uint64_t entry)
{
    return phys_to_virt(entry & ENTRY_FRAME);
}

static uint64_t *table_make(void)
{
    struct page *page = page_alloc(0, UINT64_MAX);
    if (page == NULL)
        return NULL;
    page_zero(page);
    return page_address(page);
}

void stack_init(void)
{
    area = table_make();
    if (area == NULL)
        panic("no memory for the tables of kernel stacks");
    boot_top[STACK_AREA_SLOT] = virt_to_phys(area) | ENTRY_TABLE;
}

/* ---- slots ----------------------------------------------------------------------------- */

/* The entry for the last table NUMBER; NULL: no table for it, and no memory for one. */
static uint64_t *table_entry(uint32_t number)
{
    uint64_t *gigabyte = &area[number / TABLE_ENTRIES];
    if (!(*gigabyte & ENTRY_PRESENT)) {
        uint64_t *table = table_make();
        if (table == NULL)
            return NULL;
        *gigabyte = virt_to_phys(table) | ENTRY_TABLE;
    }
    return &table_below(*gigabyte)[number % TABLE_ENTRIES];
}

/* A last table with a free slot; NULL: no memory. */
static struct page *table_with_room(void)
{
    if (!list_empty(&roomy))
        return list_entry(roomy.next, struct page, link);
    uint64_t *entry = NULL;
    while (table_lowest < TABLES_MAX && (entry = table_entry(table_lowest)) && (*entry & ENTRY_PRESENT))
        table_lowest++;
    uint64_t *table = table_lowest < TABLES_MAX && entry ? table_make() : NULL;
    if (table == NULL)
        return NULL;
    *entry = virt_to_phys(table) | ENTRY_TABLE;
    struct page *page = page_of_address(table);
    page->offset = table_lowest++;
    list_prepend(&roomy, &page->link);
    return page;
}

/* PAGE, a last table without stacks, is led to no more: once the processors have forgotten it, it can be freed. */
static void table_unlink(struct page *page)
{
    list_remove(&page->link);
    *table_entry((uint32_t)page->offset) = 0;
    table_lowest = min(table_lowest, (uint32_t)page->offset);
}

static uint32_t slot_find(const uint64_t *table)
{
    uint32_t slot = 0;
    while (table[slot * SLOT_ENTRIES + STACK_PAGES] & ENTRY_PRESENT)
        slot++;
    return slot;
}

/* Fills the COUNT entries from ENTRY on with new pages; false: no memory, and all are empty. */
static bool pages_map(uint64_t *entry, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        struct page *page = page_alloc(0, UINT64_MAX);
        if (page == NULL) {
            while (i-- > 0) {
                page_free(page_of_physical(entry[i] & ENTRY_FRAME), 0);
                entry[i] = 0;
            }
            return false;
        }
        entry[i] = page_physical(page) | ENTRY_PAGE;
    }
    return true;
}

static char *stack_map(void)
{
    struct page *page = table_with_room();
    if (page == NULL)
        return NULL;
    uint64_t *table = page_address(page);
    uint32_t slot = slot_find(table);
    if (!pages_map(&table[slot * SLOT_ENTRIES + STACK_PAGES], STACK_PAGES)) {
        if (page->table_used == 0) {
            table_unlink(page);
            smp_flush_kernel();
            page_free(page, 0);
        }
        return NULL;
    }
    if (++page->table_used == TABLE_SLOTS)
        list_remove(&page->link);
    return (char *)(STACK_AREA + page->offset * TABLE_SPAN + slot * SLOT_SIZE + KERNEL_STACK_SIZE);
}

/* Unmaps STACK and frees its pages, which nobody touches by their places in the area; tables that are empty now go to
   EMPTY. */
static void stack_unmap(char *stack, struct list *empty)
{
    uint64_t place = (uint64_t)stack - STACK_AREA;
    uint64_t *table = table_below(*table_entry((uint32_t)(place / TABLE_SPAN)));
    struct page *page = page_of_address(table);
    for (unsigned int i = 0; i < STACK_PAGES; i++) {
        uint64_t *entry = &table[place % TABLE_SPAN / PAGE_SIZE + i];
        page_free(page_of_physical(*entry & ENTRY_FRAME), 0);
        *entry = 0;
    }
    if (page->table_used-- == TABLE_SLOTS)
        list_prepend(&roomy, &page->link);
    if (page->table_used == 0) {
        table_unlink(page);
        list_append(empty, &page->link);
    }
}

/* Frees stacks that are kept until only LEFT are. */
static void kept_free(unsigned int left)
{
    struct list empty = LIST_INIT(empty), *link;
    while (kept_count > left) {
        page_counts.free -= STACK_PAGES; /* page_free counts them */
        stack_unmap(kept[--kept_count], &empty);
    }
    smp_flush_kernel();
    while ((link = list_pop(&empty)))
        page_free(list_entry(link, struct page, link), 0);
}

/* ---- for others ------------------------------------------------------------------------- */

char *stack_alloc(void)
{
    if (unlikely(kept_count == 0))
        return stack_map();
    if (unlikely(!page_spares_take(STACK_PAGES)))
        return NULL;
    return kept[--kept_count];
}

void stack_free(char *stack)
{
    if (unlikely(kept_count == STACKS_KEPT_MAX))
        kept_free(STACKS_KEPT_MAX / 2);
    kept[kept_count++] = stack;
    page_spares_give(STACK_PAGES);
}

bool stack_kept_free(void)
{
    if (kept_count == 0)
        return false;
    kept_free(0);
    return true;
}

bool stack_guards(uint64_t address)
{
    uint64_t place = address - STACK_AREA;
    return place < (uint64_t)TABLES_MAX * TABLE_SPAN && place % SLOT_SIZE < KERNEL_STACK_SIZE;
}
