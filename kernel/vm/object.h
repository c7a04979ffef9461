/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory objects: what memory contains.

   An object is a row of pages, of which some are resident.  Where the others come from decides the kind:

   - temporary objects (anonymous memory) have no pager: a page that is nowhere is zeros;
   - a shadow object holds the pages that were changed since a copy was made; the rest are in `shadow`, `shadow_offset`
     further on.  Chains of shadows come from copy-on-write; one that is used by nobody else is merged into the object
     above (object_collapse);
   - an object with a pager (`pager`, a port whose server speaks memory_object.defs) asks it for pages and gives changed
     ones back;
   - physical objects (device memory) have no pages at all, only addresses from `physical` on.

   Two kinds of copy.  A symmetric copy of a temporary object that only one entry maps makes both entries `needs_copy`:
   whoever writes first puts a shadow between.  Objects that several map, or with a pager, are copied by a copy object
   (`copy`): it shadows the object, and whoever writes to the object first pushes the old page there.

   Anonymous memory that pageout takes gets a pager too: the default memory manager, by memory_object_create
   (pageout.c).  Which pages it has, the kernel knows (`known`), so that others are not asked for.

   Pages on their way to a pager are in a carrier: an object of its own, which goes to the pager in the message.  Until
   the pager has let go of them they are laundry.  The carrier of a file's pages is anonymous memory like any other: if
   its pager does not care for them, they go to the default memory manager after a while.  The carrier of what goes to
   the default memory manager itself is not paged (`unpageable`).

   life: refs (map entries, copies under way, shadows over it, the pager's table) → 0 → if the pager said it may be
   cached and pages are there: kept, with its pages, until memory is short → terminate: dirty pages to the pager,
   memory_object_terminate.

   Lock: the kernel lock; waiting for a page to become un-busy, or for a pager to get ready, gives it up. */

#ifndef VM_OBJECT_H
#define VM_OBJECT_H

#include <mach/memory_object.h>

#include "../base/base.h"
#include "../base/sparse_bits.h"
#include "page.h"

struct ipc_port;

struct vm_object {
    uint32_t refs;
    struct list pages;
    size_t resident;
    uint64_t size;                 /* bytes, whole pages */
    struct vm_object *shadow;      /* a reference */
    uint64_t shadow_offset;
    struct vm_object *copy;        /* the newest copy object over it; no reference */
    struct ipc_port *pager;        /* a send right */
    struct ipc_port *control, *name; /* the kernel's receive rights, once the pager was told; the name also when
                                        somebody asked for it */
    struct vm_object *hash_next;   /* by pager */
    struct list cached_link;       /* in the list of objects nobody uses */
    uint64_t paging_offset;        /* of an internal object: where it begins in what its pager has */
    struct sparse_bits known;      /* the pager's pages by number: of an internal object those that it has, of others
                                      those that it has not */
    struct vm_object *laundry_of;  /* of a carrier: whose pages it has, NULL when that has gone */
    struct list carriers;          /* of this object: carrier_link */
    struct list carrier_link;
    uint32_t laundry;              /* pages of it that are in carriers */
    bool unpageable;               /* its pages stay until they are freed */
    uint64_t physical;             /* of a physical object */
    bool is_physical, uncached;
    bool physical_read_only;       /* of a physical object: mappings may not be written, whatever their protection */
    bool internal;                 /* made by the kernel: temporary memory, also when the default pager has some of
                                      it */
    bool temporary;                /* contents need not be saved */
    bool written;                  /* somebody writes to it itself, not to a shadow, since it was a copy */
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

/* The object of the pager PORT (a send right that is not consumed), made and its pager told if it is new; the pager
   need not be ready yet.  A reference.  NULL: no memory, or the pager has died. */
struct vm_object *object_enter(struct ipc_port *port, uint64_t size);
/* Waits until OBJECT's pager has said memory_object_ready.  False: it will not, or the wait was interrupted. */
bool object_ready_wait(struct vm_object *object);
/* Gives the anonymous OBJECT a pager: the default memory manager MANAGER (a send right that is not consumed) is told of
   it.  False: no memory. */
bool object_pager_create(struct vm_object *object, struct ipc_port *manager);
/* The port that names what OBJECT is or is a copy of, in vm_region; NULL: no memory. */
struct ipc_port *object_name(struct vm_object *object);
/* The port that names exactly OBJECT (mach_vm_object_info); NULL: no memory. */
struct ipc_port *object_own_name(struct vm_object *object);
/* The object of a control or name port; a reference; NULL: it is none. */
struct vm_object *object_lookup_control(struct ipc_port *port);
struct vm_object *object_lookup_name(struct ipc_port *port);

/* A shadow over *OBJECT from *OFFSET on, LENGTH long, in their place: the reference moves.  False: no memory. */
bool object_shadow(struct vm_object **object, uint64_t *offset, uint64_t length);
/* A copy object of OBJECT (see above); a reference.  NULL: no memory. */
struct vm_object *object_copy_delayed(struct vm_object *object);
/* A copy that OBJECT's pager makes (MEMORY_OBJECT_COPY_CALL): an object with a new port of the same pager over [OFFSET,
   OFFSET + SIZE).  A reference; NULL: no memory. */
struct vm_object *object_copy_call(struct vm_object *object, uint64_t offset, uint64_t size);
/* Merges shadows that nobody else uses; false: there was none that could be.  What the default memory manager has of a
   shadow becomes OBJECT's, unless it has something of both: then they stay two. */
bool object_collapse(struct vm_object *object);

/* Write-protects what is mapped of [OFFSET, OFFSET + SIZE). */
void object_protect(struct vm_object *object, uint64_t offset, uint64_t size);
/* Frees resident pages in the range, changed or not, but for those that are busy or wired. */
void object_page_remove(struct vm_object *object, uint64_t start, uint64_t end);

/* The pager is gone, or wants no more of it (memory_object_destroy): what it still owes is an error, what is resident
   stays. */
void object_destroy_pager(struct vm_object *object);
/* The resident page of OBJECT at OFFSET (a multiple of the page size), or NULL. */
static inline struct page *page_lookup(const struct vm_object *object, uint64_t offset)
{
    return object->resident ? page_lookup_resident(object, offset) : NULL;
}
/* The number that the page of OBJECT at OFFSET has for its pager. */
static inline uint64_t object_pager_page(const struct vm_object *object, uint64_t offset)
{
    return (offset + object->paging_offset) >> PAGE_SHIFT;
}
/* Would the pager of OBJECT have the page at OFFSET? */
static inline bool object_pager_has(const struct vm_object *object, uint64_t offset)
{
    if (object->known.root == NULL)
        return !object->internal;
    return sparse_bits_test(&object->known, object_pager_page(object, offset)) == object->internal;
}

/* Objects that nobody uses but that keep their pages, least recently used first: frees one; false: none. */
bool object_cache_trim(void);
/* OBJECT lost a page: if it was kept only for its pages, and that was the last, it ends. */
void object_page_lost(struct vm_object *object);
extern size_t object_cached_count;

/* ---- giving pages back (object_return.c) --------------------------------------------------- */

/* Gives changed (or all precious) pages in the range back to the pager, and frees them (and the others) if FLUSH.
   Wired pages stay. */
void object_clean(struct vm_object *object, uint64_t start, uint64_t end, memory_object_return_t should_return,
                  bool flush);
/* Takes PAGE and its changed neighbours that nobody used lately out of OBJECT and sends them to its pager.  Gives how
   many it took. */
size_t object_pageout(struct vm_object *object, struct page *page);
/* A page leaves the carrier CARRIER. */
void object_laundry_done(struct vm_object *carrier);
extern size_t object_laundry_count;     /* pages in carriers */
extern size_t object_laundry_unpageable; /* of them, on their way to the default memory manager */

/* ---- faults (fault.c) -------------------------------------------------------------------- */

enum fault_result { FAULT_DONE, FAULT_RETRY, FAULT_ERROR, FAULT_INTERRUPTED, FAULT_NO_MEMORY };

/* Finds the page of OBJECT at OFFSET for ACCESS: from a pager, a shadow, or zeros.  On FAULT_DONE *PAGE is resident,
   not busy, and stays so until the caller blocks; for write access it is in OBJECT itself.  *READ_ONLY: a
   mapping must not be writable. FAULT_RETRY: something blocked; whatever the caller knew may have changed. */
enum fault_result object_fault(struct vm_object *object, uint64_t offset, vm_prot_t access, bool interruptible,
                               struct page **page, bool *read_only);

#endif
