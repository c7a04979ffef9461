/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pageout: servers on the way of changed pages to the disk.  See ports.h, ports_pageout_server.

   GNU Mach keeps the last pages of its memory for privileged threads (thread_wire): at least 500 of each of its two
   segments, a twentieth of a larger one; our kernel fewer.  The others wait, and the kernel writes changed pages out
   through us meanwhile.  It stops the machine when a privileged thread asks for a page and there is none at all, or for
   pages in a row and there are none in a row.  So who is privileged here looks at how much there is left, does with
   less when it is little, and has somebody else ask for rows (rows.c).  A thread keeps its privilege: each time that it
   gave it up the kernel could lose a stack.  Threads that a privileged one makes are privileged, too.  */

#include "ports-internal.h"

#include <mach.h>
#include <mach/mach_host.h>
#include <mach/thread_switch.h>
#include <string.h>

enum {
    LOOK_EVERY = 64,       /* pages that are used between two looks at how many are free, while there are enough */
    SEGMENT_MIN = 500,     /* what the kernel keeps of the first 16 MiB, and at least of the rest */
    SEGMENT_PART = 20,     /* and the part that it keeps of the rest */
    OWN_MIN = 128, OWN_MAX = 256, OWN_PART = 256, /* what our kernel keeps: kernel/vm/page_alloc.c,
                                                     page_free_reserved */
    WAIT_MS = 10,
    PATIENCE_MS = 500,     /* a loop that waits for memory takes a message that often all the same */
};

static mach_port_t host_priv;            /* constant when the first loop begins; null: not such a server */
static unsigned long reserve;            /* pages; constant like it */
static atomic_uint used;                 /* pages, since the last look */
_Atomic(enum ports_memory) pageout_state;

bool ports_kernel_is_ours(void)
{
    static atomic_int known; /* 0: not yet */
    int now = atomic_load_explicit(&known, memory_order_relaxed);
    if (now == 0) {
        kernel_version_t version = "";
        kern_return_t err = host_get_kernel_version(mach_host_self(), version);
        now = !err && strncmp(version, "Quadrille", strlen("Quadrille")) == 0 ? 1 : -1;
        atomic_store_explicit(&known, now, memory_order_relaxed);
    }
    return now > 0;
}

/* What the kernel keeps of PAGES for privileged threads. */
static unsigned long reserve_of(unsigned long pages)
{
    unsigned long part = pages / (ports_kernel_is_ours() ? OWN_PART : SEGMENT_PART);
    if (ports_kernel_is_ours())
        return part < OWN_MIN ? OWN_MIN : part > OWN_MAX ? OWN_MAX : part;
    return SEGMENT_MIN + (part > SEGMENT_MIN ? part : SEGMENT_MIN);
}

void ports_pageout_server(mach_port_t host)
{
    struct vm_statistics s;
    if (host == MACH_PORT_NULL || vm_statistics(mach_task_self(), &s))
        return;
    reserve = reserve_of((unsigned long)s.free_count + s.active_count + s.inactive_count + s.wire_count);
    host_priv = host;
}

void ports_pageout_thread(void)
{
    if (host_priv == MACH_PORT_NULL)
        return;
    mach_port_t thread = mach_thread_self();
    (void)thread_wire(host_priv, thread, TRUE);   /* a kernel that does not know it has no such privilege to give */
    mach_port_deallocate(mach_task_self(), thread);
}

void pageout_renounce(void)
{
    if (host_priv == MACH_PORT_NULL)
        return;
    mach_port_t thread = mach_thread_self();
    (void)thread_wire(host_priv, thread, FALSE);
    mach_port_deallocate(mach_task_self(), thread);
}

bool pageout_is_server(void)
{
    return host_priv != MACH_PORT_NULL;
}

static enum ports_memory memory_look(void)
{
    struct vm_statistics s;
    enum ports_memory now = MEMORY_ENOUGH;
    atomic_store_explicit(&used, 0, memory_order_relaxed);
    if (vm_statistics(mach_task_self(), &s) == 0 && (unsigned long)s.free_count < reserve + reserve / 8)
        now = (unsigned long)s.free_count < reserve / 3 ? MEMORY_SCARCE : MEMORY_SHORT;
    atomic_store_explicit(&pageout_state, now, memory_order_relaxed);
    return now;
}

enum ports_memory ports_memory_state(size_t bytes)
{
    if (host_priv == MACH_PORT_NULL)
        return MEMORY_ENOUGH;
    unsigned int pages = (unsigned int)(bytes / vm_page_size) + 1;
    bool enough = atomic_load_explicit(&pageout_state, memory_order_relaxed) == MEMORY_ENOUGH;
    if (enough && atomic_fetch_add_explicit(&used, pages, memory_order_relaxed) + pages < LOOK_EVERY)
        return MEMORY_ENOUGH;
    return memory_look();
}

bool ports_memory_wait(enum ports_memory wanted, unsigned int limit_ms)
{
    for (unsigned int waited = 0; memory_look() > wanted; waited += WAIT_MS) {
        if (waited >= limit_ms)
            return false;
        thread_switch(MACH_PORT_NULL, SWITCH_OPTION_WAIT, WAIT_MS);
    }
    return true;
}

void pageout_wait(void)
{
    ports_memory_wait(MEMORY_ENOUGH, PATIENCE_MS);
}
