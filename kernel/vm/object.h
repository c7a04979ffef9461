/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory objects: what memory contains.

   An object is a row of pages, of which some are resident.  Where the others come from decides the kind:

   - temporary objects (anonymous memory) have no pager: a page that is nowhere is zeros;
   - a shadow object holds the pages that were changed since a copy was made; the rest are in `shadow`, `shadow_offset` further on.  Chains of
     shadows come from copy-on-write; one that is used by nobody else is merged into the object above (object_collapse);
   - an object with a pager (`pager`, a port whose server speaks memory_object.defs) asks it for pages and gives changed ones back;
   - physical objects (device memory) have no pages at all, only addresses from `physical` on.

   Two kinds of copy.  A symmetric copy of a temporary object that only one entry maps makes both entries `needs_copy`: whoever
   writes first puts a shadow between.  Objects that several map, or with a pager, are copied by a copy object (`copy`): it
   shadows the object, and whoever writes to the object first pushes the old page there.

   life: refs (map entries, copies under way, shadows over it, the pager's table) → 0 → if the pager said it may be cached and pages are there: kept, with its pages,
   until memory is short → terminate: dirty pages to the pager, memory_object_terminate.

   Lock: the kernel lock; waiting for a page to become un-busy, or for a pager to get ready, gives it up. */

#ifndef VM_OBJECT_H
#define VM_OBJECT_H

#include <mach/memory_object.h>

#include "../base/base.h"
#include "page.h"

struct ipc_port;

struct vm_object {
    uint32_t refs;
    uint32_t busy;                 /* users that the object must not lose its pager under: paging in progress */
    struct list pages;
    size_t resident;
    uint64_t size;                 /* bytes, whole pages */
    struct vm_object *shadow;      /* a reference */
    uint64_t shadow_offset;
    struct vm_object *copy;        /* the newest copy object over it; no reference */
    struct ipc_port *pager;        /* a send right */
    struct ipc_port *control, *name; /* the kernel's receive rights, once the pager was told */
    struct vm_object *hash_next;   /* by pager */
    struct list cached_link;       /* in the list of objects nobody uses */
    uint64_t physical;             /* of a physical object */
    bool is_physical, uncached;
    bool physical_read_only;       /* of a physical object: mappings may not be written, whatever their protection */
    bool internal;                 /* made by the kernel: temporary memory, also when the default pager has some of it */
    bool temporary;                /* contents need not be saved */
    bool alive;
    bool pager_ready;              /* memory_object_ready has come */
    bool can_cache;
    bool writable;                 /* a page of it may be mapped for writing */
    bool terminating;
    memory_object_copy_strategy_t copy_strategy;
};

void object_init(void);

/* A temporary object of SIZE bytes; NULL: no memory. */
struct vm_object *object_create(uint64_t size);
/* Device memory [PHYSICAL, PHYSICAL + SIZE). */
struct vm_object *object_create_physical(uint64_t physical, uint64_t size, bool uncached);
void object_ref(struct vm_object *object);
void object_deref(struct vm_object *object);

/* The object of the pager PORT (a send right that is not consumed), made and its pager told if it is new; waits until the pager is
   ready.  A reference.  NULL: no memory, interrupted, or the pager has died. */
struct vm_object *object_enter(struct ipc_port *port, uint64_t size);
/* The object of a control or name port; a reference; NULL: it is none. */
struct vm_object *object_lookup_control(struct ipc_port *port);
struct vm_object *object_lookup_name(struct ipc_port *port);

/* A shadow over *OBJECT from *OFFSET on, LENGTH long, in their place: the reference moves.  False: no memory. */
bool object_shadow(struct vm_object **object, uint64_t *offset, uint64_t length);
/* A copy object of OBJECT (see above); a reference.  NULL: no memory. */
struct vm_object *object_copy_delayed(struct vm_object *object);
/* Merges shadows that nobody else uses. */
void object_collapse(struct vm_object *object);

/* Write-protects what is mapped of [OFFSET, OFFSET + SIZE). */
void object_protect(struct vm_object *object, uint64_t offset, uint64_t size);
/* Frees resident pages in the range, changed or not. */
void object_page_remove(struct vm_object *object, uint64_t start, uint64_t end);

/* Gives changed (or all precious) pages in the range back to the pager, and frees them if FLUSH. */
void object_clean(struct vm_object *object, uint64_t start, uint64_t end, memory_object_return_t should_return, bool flush);
/* The pager is gone: what it still owes is an error. */
void object_destroy_pager(struct vm_object *object);

/* Objects that nobody uses but that keep their pages, least recently used first: frees one; false: none. */
bool object_cache_trim(void);
extern size_t object_cached_count;

/* Sends one page, busy, to the pager in memory_object_data_return; the page is freed if FLUSH, else clean when this returns. */
void object_page_return(struct vm_object *object, struct page *page, bool flush);

/* ---- faults (fault.c) -------------------------------------------------------------------- */

enum fault_result { FAULT_DONE, FAULT_RETRY, FAULT_ERROR, FAULT_INTERRUPTED, FAULT_NO_MEMORY };

/* Finds the page of OBJECT at OFFSET for ACCESS: from a pager, a shadow, or zeros.  On FAULT_DONE *PAGE is resident in *WHERE, not busy, and
   stays so until the caller blocks; for write access it is in OBJECT itself.  *READ_ONLY: a mapping must not be writable.
   FAULT_RETRY: something blocked; whatever the caller knew may have changed. */
enum fault_result object_fault(struct vm_object *object, uint64_t offset, vm_prot_t access, bool interruptible, struct page **page,
                               bool *read_only);

#endif
