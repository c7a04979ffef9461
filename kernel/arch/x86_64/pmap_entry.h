/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pmap_entry.h: page tables and their entries (Intel SDM volume 3, 4.5): what pmap.c works with. */

#ifndef X86_64_PMAP_ENTRY_H
#define X86_64_PMAP_ENTRY_H

#include <mach/vm_prot.h>

#include "layout.h"

#define PTE_PRESENT 0x001ul
#define PTE_WRITE 0x002ul
#define PTE_USER 0x004ul
#define PTE_WRITE_THROUGH 0x008ul
#define PTE_UNCACHED 0x010ul
#define PTE_ACCESSED 0x020ul
#define PTE_DIRTY 0x040ul
#define PTE_HUGE 0x080ul
#define PTE_MANAGED 0x200ul /* ours: the page has a struct page that knows of this mapping */
#define PTE_NO_EXECUTE (1ul << 63)
#define PTE_FRAME 0x000ffffffffff000ul

#define LEVELS 4
#define TABLE_ENTRIES 512
#define USER_TOP_ENTRIES 256
#define TABLE_SHIFT 21 /* a last table maps 2 MiB */

/* Where ADDRESS is in its table of LEVEL, 0 being the last. */
static inline unsigned int index_of(uint64_t address, unsigned int level)
{
    return address >> (12 + 9 * level) & (TABLE_ENTRIES - 1);
}

/* The table that ENTRY, of one above, leads to. */
static inline uint64_t *table_of(uint64_t entry)
{
    return phys_to_virt(entry & PTE_FRAME);
}

/* What can be read can be executed, as in GNU Mach: VM_PROT_DEFAULT has no VM_PROT_EXECUTE, and glibc runs trampolines
   on stacks. */
static inline uint64_t pte_bits(vm_prot_t protection, bool uncached)
{
    return PTE_PRESENT | PTE_USER | (protection & VM_PROT_WRITE ? PTE_WRITE : 0) |
           (uncached ? PTE_UNCACHED | PTE_WRITE_THROUGH | PTE_NO_EXECUTE : 0);
}

/* Entries may be in use by other processors, which set the bits "accessed" and "dirty" in them. */
static inline uint64_t pte_exchange(uint64_t *pte, uint64_t new)
{
    return __atomic_exchange_n(pte, new, __ATOMIC_ACQ_REL);
}
static inline void pte_clear_bits(uint64_t *pte, uint64_t bits)
{
    __atomic_fetch_and(pte, ~bits, __ATOMIC_ACQ_REL);
}

/* The first entry of TABLE from I on, to LAST, that is present; above LAST: none.  Most of what is moved or given back
   was never touched: nothing is skipped four at a time. */
static inline unsigned int present_next(const uint64_t *table, unsigned int i, unsigned int last)
{
    while (i <= last && !(table[i] & PTE_PRESENT)) {
        i++;
        while (i + 3 <= last && !((table[i] | table[i + 1] | table[i + 2] | table[i + 3]) & PTE_PRESENT))
            i += 4;
    }
    return i;
}

#endif
