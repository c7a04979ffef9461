/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Four-level page tables (Intel SDM volume 3, chapter 4).  The upper half of every top table is the kernel's and the
   same in all.

   Tables are freed when the pmap is destroyed, and a last-level table also when a removal covers all of it, so an
   address space that is used and left again does not keep its tables.  */

#include "pmap.h"

#include "../../vm/page.h"
#include "cpu.h"
#include "pmap_entry.h"
#include "smp.h"

#define NEAR_NONE UINT64_MAX

extern uint64_t boot_top[];

uint64_t direct_map_end = 4ul << 30;
static struct cache pmap_cache, mapping_cache;
static struct pmap kernel_pmap;

void pmap_bootstrap(uint64_t limit)
{
    uint32_t leaf[4];
    cpuid(0x80000001, 0, leaf);
    bool gigabytes = leaf[3] & 1u << 26;
    uint64_t *pointers = table_of(boot_top[DIRECT_MAP_SLOT]);
    /* The first 4 GiB are there; all in one top slot: 512 GiB. */
    limit = min(limit, (uint64_t)TABLE_ENTRIES << 30);
    direct_map_end = max(direct_map_end, align_up(limit, 1ul << 30));
    for (uint64_t gigabyte = 4; gigabyte << 30 < limit; gigabyte++) {
        if (gigabytes) {
            pointers[gigabyte] = gigabyte << 30 | PTE_PRESENT | PTE_WRITE | PTE_HUGE | PTE_NO_EXECUTE;
            continue;
        }
        uint64_t table = page_bootstrap_steal();
        uint64_t *directory = phys_to_virt(table);
        for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
            directory[i] = (gigabyte << 30 | (uint64_t)i << 21) | PTE_PRESENT | PTE_WRITE | PTE_HUGE | PTE_NO_EXECUTE;
        pointers[gigabyte] = table | PTE_PRESENT | PTE_WRITE;
    }
}

void pmap_init(void)
{
    boot_top[0] = 0;
    kernel_pmap.root = (uint64_t)boot_top - IMAGE_BASE;
    kernel_pmap.top = phys_to_virt(kernel_pmap.root);
    kernel_pmap.near = NEAR_NONE;
    boot_cpu.pmap = boot_cpu.loaded = &kernel_pmap;
    write_cr3(kernel_pmap.root);
    cache_init(&pmap_cache, "pmap", sizeof(struct pmap));
    cache_init(&mapping_cache, "mapping", sizeof(struct mapping));
}

static uint64_t *table_create(void)
{
    struct page *page = page_alloc(0, UINT64_MAX);
    if (page == NULL)
        return NULL;
    page->table_used = 0;
    page_zero(page);
    return page_address(page);
}

static void table_destroy(uint64_t *table)
{
    page_free(page_of_address(table), 0);
}

struct pmap *pmap_create(void)
{
    struct pmap *pmap = cache_alloc(&pmap_cache);
    uint64_t *top = pmap ? table_create() : NULL;
    if (top == NULL) {
        if (pmap)
            cache_free(&pmap_cache, pmap);
        return NULL;
    }
    for (unsigned int slot = DIRECT_MAP_SLOT; kernel_pmap.top[slot] & PTE_PRESENT; slot++)
        top[slot] = kernel_pmap.top[slot];
    top[STACK_AREA_SLOT] = kernel_pmap.top[STACK_AREA_SLOT];
    top[IMAGE_SLOT] = kernel_pmap.top[IMAGE_SLOT];
    *pmap = (struct pmap){.root = virt_to_phys(top), .top = top, .near = NEAR_NONE};
    return pmap;
}

/* ---- flushing -------------------------------------------------------------------- */

/* What other processors have still to forget; empty whenever a public function returns.  One range, which may hold more
   than was changed. */
static struct {
    struct pmap *pmap;
    uint64_t start, end;
} behind;

/* The others forget it, before anybody relies on the change.  TABLES: page tables of it are about to be freed. */
static inline void flush_finish(bool tables)
{
    if (likely(behind.pmap == NULL))
        return;
    smp_flush(behind.pmap, behind.start, behind.end, tables);
    behind.pmap = NULL;
}

static inline void address_flush_here(const struct pmap *pmap, uint64_t address)
{
    if (cpu_self()->pmap == pmap)
        invlpg(address);
}

/* The entry for ADDRESS of PMAP has changed to something that must not be overlooked. */
static inline void address_flush(struct pmap *pmap, uint64_t address)
{
    address_flush_here(pmap, address);
    if (likely(cpu_count == 1))
        return;
    if (behind.pmap != pmap) {
        flush_finish(false);
        behind.pmap = pmap;
        behind.start = address;
        behind.end = address + PAGE_SIZE;
        return;
    }
    behind.start = min(behind.start, address);
    behind.end = max(behind.end, address + PAGE_SIZE);
}

/* ---- the mappings of a page ------------------------------------------------------ */

/* Puts (PMAP, ADDRESS) on PAGE's list; the first one lies in the page itself. */
static inline bool mapping_add(struct page *page, struct pmap *pmap, uint64_t address)
{
    struct mapping *mapping = &page->mapping;
    if (mapping->pmap) {
        struct mapping *more = cache_alloc(&mapping_cache);
        if (more == NULL)
            return false;
        *more = (struct mapping){pmap, address, mapping->next};
        mapping->next = more;
        return true;
    }
    mapping->pmap = pmap;
    mapping->address = address;
    return true;
}

/* Takes the mapping behind *LINK off its list. */
static inline void mapping_unlink(struct mapping **link)
{
    struct mapping *mapping = *link;
    *link = mapping->next;
    cache_free(&mapping_cache, mapping);
}

static inline void mapping_drop(struct page *page, struct pmap *pmap, uint64_t address)
{
    struct mapping *head = &page->mapping;
    if (head->pmap == pmap && head->address == address) {
        struct mapping *next = head->next;
        if (next == NULL) {
            head->pmap = NULL;
            return;
        }
        *head = *next;
        cache_free(&mapping_cache, next);
        return;
    }
    for (struct mapping **link = &head->next; *link; link = &(*link)->next)
        if ((*link)->pmap == pmap && (*link)->address == address) {
            mapping_unlink(link);
            return;
        }
    panic("pmap: a mapping of page %lx is not on its list", page_physical(page));
}

/* Takes the mapping that PTE held off its page, after the entry is gone. */
static inline void pte_forget(struct pmap *pmap, uint64_t address, uint64_t pte)
{
    pmap->resident--;
    if (!(pte & PTE_MANAGED))
        return;
    struct page *page = page_of_physical(pte & PTE_FRAME);
    if (pte & PTE_DIRTY)
        page->dirty = true;
    if (pte & PTE_ACCESSED)
        page->referenced = true;
    mapping_drop(page, pmap, address);
}

/* ---- walking ------------------------------------------------------------------------ */

/* The table of LEVEL for ADDRESS; NULL: none is there. */
static uint64_t *table_lookup(const struct pmap *pmap, uint64_t address, unsigned int level)
{
    uint64_t *table = pmap->top;
    for (unsigned int above = LEVELS - 1; above > level; above--) {
        uint64_t entry = table[index_of(address, above)];
        if (!(entry & PTE_PRESENT))
            return NULL;
        table = table_of(entry);
    }
    return table;
}

/* TABLE is the last one for ADDRESS, which is likely to be wanted again. */
static inline uint64_t *table_remember(struct pmap *pmap, uint64_t address, uint64_t *table)
{
    pmap->near = address >> TABLE_SHIFT;
    pmap->near_table = table;
    return &table[index_of(address, 0)];
}

/* The entry of the last table for ADDRESS; NULL: no table there. */
static inline uint64_t *pte_lookup(struct pmap *pmap, uint64_t address)
{
    if (likely(address >> TABLE_SHIFT == pmap->near))
        return &pmap->near_table[index_of(address, 0)];
    uint64_t *table = table_lookup(pmap, address, 0);
    return table ? table_remember(pmap, address, table) : NULL;
}

/* Walks down to the last table for ADDRESS and makes those that are missing; NULL: no memory. */
static uint64_t *tables_make(struct pmap *pmap, uint64_t address)
{
    uint64_t *table = pmap->top;
    for (unsigned int level = LEVELS - 1; level > 0; level--) {
        uint64_t *entry = &table[index_of(address, level)];
        if (!(*entry & PTE_PRESENT)) {
            uint64_t *below = table_create();
            if (below == NULL)
                return NULL;
            *entry = virt_to_phys(below) | PTE_PRESENT | PTE_WRITE | PTE_USER;
            page_of_address(table)->table_used++;
        }
        table = table_of(*entry);
    }
    return table_remember(pmap, address, table);
}

/* The entry of the last table for ADDRESS, with the tables; NULL: no memory. */
static inline uint64_t *pte_make(struct pmap *pmap, uint64_t address)
{
    if (likely(address >> TABLE_SHIFT == pmap->near))
        return &pmap->near_table[index_of(address, 0)];
    return tables_make(pmap, address);
}

bool pmap_enter(struct pmap *pmap, uint64_t address, uint64_t physical, struct page *page, vm_prot_t protection,
                bool uncached)
{
    uint64_t *pte = pte_make(pmap, address);
    if (pte == NULL)
        return false;
    uint64_t old = *pte;
    uint64_t new = physical | pte_bits(protection, uncached) | (page ? PTE_MANAGED : 0);
    if ((old & PTE_PRESENT) && (old & PTE_FRAME) == physical) {
        old = pte_exchange(pte, new | (old & (PTE_DIRTY | PTE_ACCESSED)));
        if (page && (old & PTE_DIRTY))
            page->dirty = true; /* perhaps it came between the two */
        /* With more rights than before, another processor that has not heard of them faults once and finds them. */
        if (old & ~new & PTE_WRITE)
            address_flush(pmap, address);
        else
            address_flush_here(pmap, address);
        flush_finish(false);
        return true;
    }
    if (page && !mapping_add(page, pmap, address))
        return false;
    old = pte_exchange(pte, new);
    pmap->resident++;
    if (old & PTE_PRESENT) {
        address_flush(pmap, address);
        flush_finish(false);
        pte_forget(pmap, address, old);
    } else {
        page_of_address(pte)->table_used++;
    }
    return true;
}

void pmap_enter_more(struct pmap *pmap, uint64_t address, struct page *const *pages, unsigned int count,
                     vm_prot_t protection)
{
    uint64_t *pte = pte_lookup(pmap, address), bits = pte_bits(protection, false) | PTE_MANAGED;
    struct page *table = page_of_address(pte);
    assert(pte);
    for (unsigned int i = 0; i < count; i++) {
        if ((pte[i] & PTE_PRESENT) || !mapping_add(pages[i], pmap, address + i * PAGE_SIZE))
            continue;
        pte[i] = page_physical(pages[i]) | bits;
        pmap->resident++;
        table->table_used++;
    }
}

uint64_t pmap_extract(struct pmap *pmap, uint64_t address)
{
    uint64_t *pte = pte_lookup(pmap, address);
    return pte && (*pte & PTE_PRESENT) ? (*pte & PTE_FRAME) + (address & (PAGE_SIZE - 1)) : 0;
}

/* ---- ranges ------------------------------------------------------------------------- */

/* PTE, which may be present no more, maps ADDRESS no longer. */
static inline void pte_remove(struct pmap *pmap, uint64_t *pte, uint64_t address)
{
    uint64_t old = pte_exchange(pte, 0);
    address_flush(pmap, address);
    pte_forget(pmap, address, old);
    page_of_address(pte)->table_used--;
}

static inline void pte_write_protect(struct pmap *pmap, uint64_t *pte, uint64_t address)
{
    if ((*pte & (PTE_PRESENT | PTE_WRITE)) == (PTE_PRESENT | PTE_WRITE)) {
        pte_clear_bits(pte, PTE_WRITE);
        address_flush(pmap, address);
    }
}

/* Takes away what TABLE, a last one, maps of [START, END). */
static void last_table_remove(struct pmap *pmap, uint64_t *table, uint64_t start, uint64_t end)
{
    struct page *self = page_of_address(table);
    unsigned int i = index_of(start, 0), last = index_of(end - 1, 0), left = self->table_used;
    uint64_t base = start - i * PAGE_SIZE;
    bool unused = cpu_count == 1 && cpu_self()->pmap != pmap; /* nobody to tell of it */
    while (left && (i = present_next(table, i, last)) <= last) {
        uint64_t old = pte_exchange(&table[i], 0);
        if (!unused)
            address_flush(pmap, base + i * PAGE_SIZE);
        pte_forget(pmap, base + i * PAGE_SIZE, old);
        left--;
        i++;
    }
    self->table_used = (uint16_t)left;
}

/* The same for the right to write. */
static void last_table_protect(struct pmap *pmap, uint64_t *table, uint64_t start, uint64_t end)
{
    unsigned int i = index_of(start, 0), last = index_of(end - 1, 0);
    uint64_t base = start - i * PAGE_SIZE;
    for (; (i = present_next(table, i, last)) <= last; i++)
        pte_write_protect(pmap, &table[i], base + i * PAGE_SIZE);
}

static inline void last_table_change(struct pmap *pmap, uint64_t *table, uint64_t start, uint64_t end, bool remove)
{
    if (remove)
        last_table_remove(pmap, table, start, end);
    else
        last_table_protect(pmap, table, start, end);
}

/* ENTRY of TABLE leads to the table BELOW, which is empty: it goes. */
static void table_unlink(struct pmap *pmap, uint64_t *table, uint64_t *entry, uint64_t *below, uint64_t address)
{
    *entry = 0;
    page_of_address(table)->table_used--;
    if (pmap->near_table == below)
        pmap->near = NEAR_NONE;
    address_flush(pmap, address);
    flush_finish(true);
    table_destroy(below);
}

/* Changes what TABLE, of LEVEL 1 or above, maps of [START, END), and drops tables that became empty. */
static void table_change(struct pmap *pmap, uint64_t *table, unsigned int level, uint64_t start, uint64_t end,
                         bool remove)
{
    const struct page *self = page_of_address(table);
    uint64_t span = 1ul << (12 + 9 * level);
    for (uint64_t next; start < end && self->table_used; start = next) {
        uint64_t *entry = &table[index_of(start, level)];
        next = align_down(start, span) + span;
        if (!(*entry & PTE_PRESENT))
            continue;
        uint64_t *below = table_of(*entry);
        if (level == 1)
            last_table_change(pmap, below, start, min(next, end), remove);
        else
            table_change(pmap, below, level - 1, start, min(next, end), remove);
        if (remove && page_of_address(below)->table_used == 0)
            table_unlink(pmap, table, entry, below, start);
    }
}

/* The last table for ADDRESS has become empty: it goes, and those above it that then are. */
static void tables_prune(struct pmap *pmap, uint64_t address)
{
    for (unsigned int level = 1; level < LEVELS; level++) {
        uint64_t *table = table_lookup(pmap, address, level), *entry = &table[index_of(address, level)];
        uint64_t *below = table_of(*entry);
        if (page_of_address(below)->table_used)
            return;
        table_unlink(pmap, table, entry, below, address);
    }
}

static void range_change(struct pmap *pmap, uint64_t start, uint64_t end, bool remove)
{
    if (pmap == NULL || start >= end || pmap->resident == 0)
        return;
    if (likely(start >> TABLE_SHIFT == (end - 1) >> TABLE_SHIFT)) {
        uint64_t *pte = pte_lookup(pmap, start);
        if (pte) {
            last_table_change(pmap, (uint64_t *)align_down((uint64_t)pte, PAGE_SIZE), start, end, remove);
            if (page_of_address(pte)->table_used == 0)
                tables_prune(pmap, start);
        }
    } else {
        table_change(pmap, pmap->top, LEVELS - 1, start, end, remove);
    }
    flush_finish(false);
}

void pmap_remove(struct pmap *pmap, uint64_t start, uint64_t end)
{
    range_change(pmap, start, end, true);
}

void pmap_protect(struct pmap *pmap, uint64_t start, uint64_t end, vm_prot_t protection)
{
    if ((protection & (VM_PROT_READ | VM_PROT_WRITE)) != (VM_PROT_READ | VM_PROT_WRITE))
        range_change(pmap, start, end, !(protection & VM_PROT_READ));
}

void pmap_destroy(struct pmap *pmap)
{
    if (pmap == NULL)
        return;
    smp_pmap_leave(pmap);
    table_change(pmap, pmap->top, LEVELS - 1, 0, (uint64_t)USER_TOP_ENTRIES << 39, true);
    assert(pmap->resident == 0);
    table_destroy(pmap->top);
    cache_free(&pmap_cache, pmap);
}

/* The first address from ADDRESS on for which there is a last table; END: none before END. */
static uint64_t tables_skip(const struct pmap *pmap, uint64_t address, uint64_t end)
{
    while (address < end) {
        const uint64_t *table = pmap->top;
        unsigned int level = LEVELS - 1;
        uint64_t entry;
        for (; level > 0 && (entry = table[index_of(address, level)]) & PTE_PRESENT; level--)
            table = table_of(entry);
        if (level == 0)
            return address;
        uint64_t span = 1ul << (12 + 9 * level);
        address = align_down(address, span) + span;
    }
    return end;
}

uint64_t pmap_next(struct pmap *pmap, uint64_t address, uint64_t end)
{
    while (address < end) {
        const uint64_t *pte = pte_lookup(pmap, address);
        if (pte == NULL) {
            address = tables_skip(pmap, address, end);
            continue;
        }
        if (*pte & PTE_PRESENT)
            return address;
        unsigned int i = index_of(address, 0);
        uint64_t left = min((uint64_t)TABLE_ENTRIES - i, (end - address + PAGE_SIZE - 1) >> PAGE_SHIFT);
        unsigned int next = present_next(pte - i, i, i + (unsigned int)left - 1);
        address += (next - i) * PAGE_SIZE;
        if (next < i + left)
            return address;
    }
    return end;
}

/* ---- copying ------------------------------------------------------------------------- */

/* As pmap_copy_used, for [START, END) in one last table.  False: FROM has none there. */
static bool last_table_copy(struct pmap *to, struct pmap *from, uint64_t start, uint64_t end)
{
    const uint64_t wanted = PTE_PRESENT | PTE_MANAGED | PTE_ACCESSED,
                   bits = pte_bits(VM_PROT_READ, false) | PTE_MANAGED;
    unsigned int i = index_of(start, 0), last = index_of(end - 1, 0), copied = 0;
    uint64_t base = start - i * PAGE_SIZE, *source = pte_lookup(from, base),
             *target = source ? pte_make(to, base) : NULL;
    if (target == NULL)
        return source != NULL;
    for (; (i = present_next(source, i, last)) <= last; i++) {
        if ((source[i] & wanted) != wanted ||
            !mapping_add(page_of_physical(source[i] & PTE_FRAME), to, base + i * PAGE_SIZE))
            continue;
        target[i] = (source[i] & PTE_FRAME) | bits;
        copied++;
    }
    to->resident += copied;
    page_of_address(target)->table_used += (uint16_t)copied;
    if (page_of_address(target)->table_used == 0)
        tables_prune(to, base);
    return true;
}

void pmap_copy_used(struct pmap *to, struct pmap *from, uint64_t start, uint64_t end)
{
    for (uint64_t next; start < end && from->resident; start = next) {
        next = min(align_down(start, 1ul << TABLE_SHIFT) + (1ul << TABLE_SHIFT), end);
        if (!last_table_copy(to, from, start, next))
            next = tables_skip(from, next, end);
    }
}

/* ---- by page --------------------------------------------------------------------------- */

/* Takes the first mapping of PAGE away. */
static void mapping_remove(struct page *page)
{
    struct pmap *pmap = page->mapping.pmap;
    uint64_t address = page->mapping.address, *pte = pte_lookup(pmap, address);
    pte_remove(pmap, pte, address);
    if (unlikely(page_of_address(pte)->table_used == 0))
        tables_prune(pmap, address);
}

void pmap_page_protect(struct page *page, vm_prot_t protection)
{
    if (!(protection & VM_PROT_READ)) {
        while (page->mapping.pmap)
            mapping_remove(page);
    } else if (!(protection & VM_PROT_WRITE)) {
        for (struct mapping *mapping = &page->mapping; mapping && mapping->pmap; mapping = mapping->next)
            pte_write_protect(mapping->pmap, pte_lookup(mapping->pmap, mapping->address), mapping->address);
    }
    flush_finish(false);
}

/* Collects BIT of all mappings of PAGE and clears it if CLEAR. */
static bool page_bit(struct page *page, uint64_t bit, bool clear)
{
    bool found = false;
    for (struct mapping *mapping = &page->mapping; mapping && mapping->pmap; mapping = mapping->next) {
        uint64_t *pte = pte_lookup(mapping->pmap, mapping->address);
        if (!(*pte & bit))
            continue;
        found = true;
        if (clear) {
            pte_clear_bits(pte, bit);
            if (bit == PTE_DIRTY)
                address_flush(mapping->pmap, mapping->address);
            else
                address_flush_here(mapping->pmap, mapping->address); /* others may miss a use: it is a guess */
        }
    }
    flush_finish(false);
    return found;
}

bool pmap_page_modified(struct page *page)
{
    if (!page->dirty)
        page->dirty = page_bit(page, PTE_DIRTY, false);
    return page->dirty;
}

void pmap_page_clear_modified(struct page *page)
{
    page->dirty = false;
    page_bit(page, PTE_DIRTY, true);
}

bool pmap_page_referenced(struct page *page)
{
    bool referenced = page_bit(page, PTE_ACCESSED, true) || page->referenced;
    page->referenced = false;
    return referenced;
}

struct pmap *pmap_kernel(void)
{
    return &kernel_pmap;
}

void pmap_activate(struct pmap *pmap)
{
    struct cpu *cpu = cpu_self();
    if (pmap == NULL)
        pmap = &kernel_pmap;
    if (cpu->pmap != pmap) {
        cpu->pmap = cpu->loaded = pmap;
        write_cr3(pmap->root);
    }
}
