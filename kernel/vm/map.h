/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces (Mach manual, chapter "Virtual Memory Interface").

   A map is a row of entries, each a range of addresses with one object, one protection and one inheritance; entries are
   in a list by address and in a treap (a search tree balanced by random priorities) for lookup.  The kernel does not
   block while it changes a map, so a map needs no lock of its own beside the kernel lock; what blocks (faults, wiring)
   looks the entry up again.  */

#ifndef VM_MAP_H
#define VM_MAP_H

#include <mach/vm_inherit.h>
#include <mach/vm_prot.h>

#include "../arch/x86_64/pmap.h"
#include "../base/base.h"
#include "object.h"

#define MAP_MIN PAGE_SIZE             /* page 0 is never given by itself */
#define MAP_MAX 0x800000000000ul
/* The last page stays empty: a system call in its last bytes would return to an address that is not canonical, which
   some processors notice when they are half out of the kernel. */
#define MAP_TOP (MAP_MAX - PAGE_SIZE)

#define PAUSE_PAGES 64                /* after so many pages, work that may block lets others come in (sched_pause) */

struct map_entry {
    struct list link;                 /* by address */
    struct map_entry *left, *right, *parent;
    uint32_t weight;                  /* of the treap */
    bool wired;                       /* its pages are: wiring does not stack */
    uint64_t start, end;
    struct vm_object *object;         /* a reference; NULL: zeros that nobody has touched */
    uint64_t offset;
    vm_prot_t protection, max_protection;
    vm_inherit_t inheritance;
    bool needs_copy;                  /* the object is shared for reading only: put a shadow before writing */
    bool shared;                      /* others see what is written here */
};

struct vm_map {
    uint32_t refs;
    struct pmap *pmap;
    struct list entries;
    struct map_entry *root, *hint;
    uint64_t low_free;                /* nothing is free between MAP_MIN and here: where a search begins */
    size_t count;
    uint64_t version;                 /* changes when an entry comes or goes: what was found before still holds if it
                                         did not */
    uint64_t size;                    /* bytes mapped */
    uint64_t wired_bytes;
    bool wire_future;                 /* vm_wire_all */
    vm_prot_t wire_future_access;
};

/* Memory on its way from one space to another: out-of-line data.  Small amounts are bytes in the structure; others are
   entries, which are copy-on-write copies (or moved ones) of the sender's.  `offset` is where the data begin in the
   first page. */
struct vm_copy {
    uint64_t offset, size;
    struct list entries;              /* map_entry.link; their start and end count from 0 */
    size_t capacity;                  /* of `bytes` */
    bool is_bytes;
    char bytes[];
};
#define COPY_BYTES_MAX 1024

void map_init(void);
struct vm_map *map_create(void);
void map_ref(struct vm_map *map);
void map_deref(struct vm_map *map);
/* A copy of MAP as its entries' inheritance says. */
struct vm_map *map_fork(struct vm_map *map);

/* The entry that ADDRESS is in, or NULL. */
struct map_entry *map_lookup(struct vm_map *map, uint64_t address);
/* The first entry that ends behind ADDRESS, or NULL. */
struct map_entry *map_lookup_above(struct vm_map *map, uint64_t address);
static inline struct map_entry *map_next(const struct vm_map *map, const struct map_entry *entry)
{
    return entry->link.next == &map->entries ? NULL : list_entry(entry->link.next, struct map_entry, link);
}

/* Finds the lowest SIZE free bytes at or above *ADDRESS, or else below it, at an address without the bits of MASK: ones
   at its low end are an alignment, ones at its high end a limit (glibc's MAP_32BIT), others nobody can have.
   KERN_NO_SPACE. */
kern_return_t map_find_space(struct vm_map *map, uint64_t *address, uint64_t size, uint64_t mask);
/* Maps OBJECT (whose reference moves on success; NULL: zeros) at *ADDRESS, which must not have bits of MASK, or
   anywhere as map_find_space says.  Addresses and sizes are whole pages.  KERN_NO_SPACE, KERN_INVALID_ADDRESS,
   KERN_RESOURCE_SHORTAGE. */
kern_return_t map_enter(struct vm_map *map, uint64_t *address, uint64_t size, uint64_t mask, bool anywhere,
                        struct vm_object *object, uint64_t offset, bool needs_copy, bool shared, vm_prot_t protection,
                        vm_prot_t max_protection, vm_inherit_t inheritance);
/* Zero-filled memory with all rights. */
kern_return_t vm_map_allocate(struct vm_map *map, uint64_t *address, uint64_t size, bool anywhere);
void vm_map_remove(struct vm_map *map, uint64_t start, uint64_t end);
/* Takes away all that MAP has. */
void map_clear(struct vm_map *map);
kern_return_t vm_map_protect(struct vm_map *map, uint64_t start, uint64_t end, vm_prot_t protection, bool set_maximum);
kern_return_t vm_map_inherit(struct vm_map *map, uint64_t start, uint64_t end, vm_inherit_t inheritance);
/* Brings in and keeps in what is in the range, for ACCESS; VM_PROT_NONE unwires. */
kern_return_t vm_map_wire(struct vm_map *map, uint64_t start, uint64_t end, vm_prot_t access);
/* The same for a new entry that begins at START: PAGES, COUNT of them side by side, are all that its object has, which
   nobody else knows yet. */
kern_return_t map_wire_row(struct vm_map *map, uint64_t start, struct page *pages, size_t count);
/* The managed page that ADDRESS of MAP is mapped to now, by its tables; NULL: none. */
struct page *page_mapped(struct vm_map *map, uint64_t address);
/* Is all of [START, END) mapped with at least PROTECTION? */
bool vm_map_check(struct vm_map *map, uint64_t start, uint64_t end, vm_prot_t protection);

/* Cuts the entry so that one begins (ends) at ADDRESS; false: no memory. */
bool map_clip_start(struct vm_map *map, struct map_entry *entry, uint64_t address);
bool map_clip_end(struct vm_map *map, struct map_entry *entry, uint64_t address);

/* A fault at ADDRESS: KERN_SUCCESS, KERN_INVALID_ADDRESS, KERN_PROTECTION_FAILURE, KERN_MEMORY_ERROR,
   KERN_RESOURCE_SHORTAGE, KERN_ABORTED (interrupted). */
kern_return_t vm_fault(struct vm_map *map, uint64_t address, vm_prot_t access, bool wire, bool interruptible);

/* ---- copies (copy.c) ------------------------------------------------------------------------- */

/* Takes SIZE bytes at ADDRESS out of MAP: a copy, or, if MOVE, the memory itself, which is deallocated there. */
kern_return_t vm_map_copyin(struct vm_map *map, uint64_t address, uint64_t size, bool move, struct vm_copy **copy);
/* Puts it anywhere in MAP; consumed on success. */
kern_return_t vm_map_copyout(struct vm_map *map, uint64_t *address, struct vm_copy *copy);
/* Puts it over what is mapped at ADDRESS (page-aligned or not); consumed on success. */
kern_return_t vm_map_copy_overwrite(struct vm_map *map, uint64_t address, struct vm_copy *copy);
void vm_copy_discard(struct vm_copy *copy);
/* A copy of SIZE bytes of kernel memory; NULL: no memory. */
struct vm_copy *vm_copy_from_kernel(const void *data, uint64_t size);
/* A copy whose contents are OBJECT's (a reference that moves) from 0 on. */
struct vm_copy *vm_copy_from_object(struct vm_object *object, uint64_t size);
/* Reads bytes out of it; may block.  False: a page could not be had. */
bool vm_copy_read(struct vm_copy *copy, uint64_t offset, void *to, uint64_t size);
/* What is in COPY from the page-aligned AT on, to the end of that page; it stays until the caller blocks.  May block;
   NULL: it cannot be had. */
const void *vm_copy_contents(struct vm_copy *copy, uint64_t at);
/* A virtual copy of ENTRY's contents for another entry: sets both entries' object, offset and needs_copy (COPY's start
   and end are set).  May block, after which ENTRY may have gone (map.version).  False: no memory. */
bool entry_copy(struct vm_map *map, struct map_entry *entry, struct map_entry *copy);

/* Gives ENTRY an object of its own that others may share from now on.  False: no memory. */
bool entry_share_prepare(struct map_entry *entry);
struct map_entry *entry_alloc(void);
/* Puts ENTRY, whose addresses are above all of MAP's, into MAP. */
void map_append(struct vm_map *map, struct map_entry *entry);
void entry_free(struct map_entry *entry);

#endif
