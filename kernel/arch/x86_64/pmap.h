/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical maps: a user address space as the processor sees it.

   A pmap may forget a mapping whenever it likes (the fault handler asks vm_map again), so entering one never fails: it
   says whether it was entered.  Each mapping of a managed page (one that has a struct page) is also on the page's list
   of mappings, so that all mappings of a page can be found: to take it away, to write-protect it, to learn whether it
   was written.

   Lock: the kernel lock. */

#ifndef X86_64_PMAP_H
#define X86_64_PMAP_H

#include <mach/vm_prot.h>

#include "../../base/base.h"
#include "layout.h"

struct page;

struct pmap {
    uint64_t root;         /* physical address of the top table */
    uint64_t *top;         /* the same in the direct map */
    size_t resident;       /* pages mapped */
    uint64_t near;         /* address >> 21 of what `near_table` maps: the last table that was looked for, as the next
                              often is */
    uint64_t *near_table;
};

/* A mapping of a managed page. */
struct mapping {
    struct pmap *pmap;
    uint64_t address;
    struct mapping *next;
};

static inline void *phys_to_virt(uint64_t physical)
{
    return (void *)(physical + DIRECT_MAP);
}
/* Does the direct map reach PHYSICAL?  All memory is in it, and the first 4 GiB; devices above need not be. */
extern uint64_t direct_map_end; /* constant after pmap_bootstrap */
static inline bool phys_to_virt_mapped(uint64_t physical)
{
    return physical < direct_map_end;
}
static inline uint64_t virt_to_phys(const void *address)
{
    return (uint64_t)address - DIRECT_MAP;
}

/* Makes the direct map of all memory up to LIMIT and gives up the boot's identity map.  Only kernel_main calls it. */
void pmap_bootstrap(uint64_t limit);
void pmap_init(void);

/* An empty map; NULL: no memory. */
struct pmap *pmap_create(void);
/* No thread may use it any more; processors that have it loaded leave it.  Its mappings are gone. */
void pmap_destroy(struct pmap *pmap);

/* Maps ADDRESS to the physical page PHYSICAL in place of what was there.  PAGE is the managed page or NULL (device
   memory).  False: no memory for tables. */
bool pmap_enter(struct pmap *pmap, uint64_t address, uint64_t physical, struct page *page, vm_prot_t protection,
                bool uncached);
/* Maps PAGES, COUNT of them, from ADDRESS on where nothing is mapped yet; they lie in one last table, and one of them
   was just entered.  A hint: what cannot be entered is left out. */
void pmap_enter_more(struct pmap *pmap, uint64_t address, struct page *const *pages, unsigned int count,
                     vm_prot_t protection);
/* Maps in TO, where nothing is, for reading what of managed memory in [START, END) FROM has mapped and used.  A hint
   likewise. */
void pmap_copy_used(struct pmap *to, struct pmap *from, uint64_t start, uint64_t end);
/* Takes away what maps [START, END). */
void pmap_remove(struct pmap *pmap, uint64_t start, uint64_t end);
/* Takes away what PROTECTION does not have from what maps [START, END). */
void pmap_protect(struct pmap *pmap, uint64_t start, uint64_t end, vm_prot_t protection);
/* Takes away what PROTECTION does not have from each mapping of PAGE. */
void pmap_page_protect(struct page *page, vm_prot_t protection);
/* Whether a write-mapping of PAGE was used since pmap_page_clear_modified; collects into the page's `dirty`. */
bool pmap_page_modified(struct page *page);
void pmap_page_clear_modified(struct page *page);
/* Whether PAGE was used at all since the last such question. */
bool pmap_page_referenced(struct page *page);

/* The physical address that ADDRESS is mapped to, by its tables; 0: none. */
uint64_t pmap_extract(struct pmap *pmap, uint64_t address);

/* The first page that is mapped from ADDRESS (a multiple of the page size) on; END: none before END.  Costs in
   proportion to what is mapped. */
uint64_t pmap_next(struct pmap *pmap, uint64_t address, uint64_t end);

/* The kernel's own, without user addresses. */
struct pmap *pmap_kernel(void);
/* Loads PMAP into this processor; NULL: the kernel's own. */
void pmap_activate(struct pmap *pmap);

#endif
