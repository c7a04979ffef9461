/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making memory free when it gets short (pageout.c). */

#ifndef VM_PAGEOUT_H
#define VM_PAGEOUT_H

#include <stdbool.h>

#include "../base/list.h"
#include "object.h"

struct ipc_port;

extern struct list page_active_queue, page_inactive_queue; /* least recently used first */

void page_hash_init(void);

/* Starts the thread. */
void pageout_init(void);
/* Free memory is below the target: the thread should work. */
void pageout_wake(void);
/* Waits until there is memory for a fault: FAULT_RETRY; FAULT_INTERRUPTED; FAULT_NO_MEMORY: nothing can be freed, and
   the caller's task is the one that has to do without. */
enum fault_result pageout_wait(void);
/* A call of the kernel found no memory, the TRIES-th time (from 0): puts free pages together if it wants SIZE bytes in
   one piece (0: it does not), or waits until some were freed, if that is likely.  False: the call has to fail. */
bool pageout_retry(unsigned int tries, size_t size);
/* The running thread frees memory (pageout itself, the default memory manager, a thread that thread_wire named), and
   may take the last of it. */
bool pageout_privileged(void);
/* A page for contents that the caller can wait for: NULL when only the pages are left that the kernel's own structures
   are for. */
static inline struct page *pageout_page_alloc(void)
{
    struct page *page = NULL;
    if (likely(page_counts.free > page_free_reserved) || pageout_privileged())
        page = page_alloc(0, UINT64_MAX);
    if (unlikely(page_counts.free < page_free_minimum))
        pageout_wake();
    return page;
}

/* Somebody waits for memory; then page_free tells of each page. */
extern bool pageout_waiting;
void pageout_page_freed(void);

/* The default memory manager: anonymous memory goes there.  A send right, or NULL; pageout_manager_set takes the right
   and gives the old one. */
struct ipc_port *pageout_manager(void);
struct ipc_port *pageout_manager_set(struct ipc_port *manager);

#endif
