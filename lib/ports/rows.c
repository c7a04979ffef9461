/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rows: pages that lie side by side.  See ports.h, ports_row_allocate.

   Asking the kernel for one page costs as much as asking for three, so short rows are cut off a longer one.  Privileged
   threads must not ask at all (pageout.c): a thread without privileges does it for them.  It may have to wait for
   memory; whoever waits for it soon gives up.

   Lock: rows_lock, a leaf; not held while the kernel is asked.  */

#include "ports-internal.h"

#include <errno.h>
#include <mach/gnumach.h>
#include <time.h>

enum { ROW = 256 << 10, PATIENCE_MS = 200 };

static pthread_mutex_t rows_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted_cond = PTHREAD_COND_INITIALIZER, done_cond = PTHREAD_COND_INITIALIZER;
static vm_address_t row, row_end;        /* what is left of it; rows_lock */
static uint64_t row_physical;            /* where it is; rows_lock */
static bool keeper_runs;                 /* rows_lock */
static struct { mach_port_t host; size_t size; uint64_t limit; } wanted; /* size 0: nothing; rows_lock */
static unsigned long asked;              /* how often the kernel was; rows_lock */

/* A new row of SIZE bytes in the place of what is left of the old one.  rows_lock held, but not while the kernel is
   asked.  */
static kern_return_t row_renew(mach_port_t host, size_t size, uint64_t limit)
{
    vm_address_t address = 0;
    rpc_phys_addr_t physical = 0;
    pthread_mutex_unlock(&rows_lock);
    kern_return_t err = vm_allocate_contiguous(host, mach_task_self(), &address, &physical, size, 0, limit,
                                               vm_page_size);
    pthread_mutex_lock(&rows_lock);
    asked++;
    if (err)
        return err;
    if (row_end > row)
        vm_deallocate(mach_task_self(), row, row_end - row);
    row = address;
    row_end = address + size;
    row_physical = physical;
    return KERN_SUCCESS;
}

static void *keeper_main(void *arg)
{
    pageout_renounce();
    pthread_mutex_lock(&rows_lock);
    for (;;) {
        while (wanted.size == 0)
            pthread_cond_wait(&wanted_cond, &rows_lock);
        (void)row_renew(wanted.host, wanted.size, wanted.limit);
        wanted.size = 0;
        pthread_cond_broadcast(&done_cond);
    }
    return arg;
}

/* The same by the thread without privileges.  rows_lock held.  */
static kern_return_t row_order(mach_port_t host, size_t size, uint64_t limit)
{
    struct timespec until;
    if (!keeper_runs) {
        if (ports_thread_create(0, keeper_main, NULL))
            return KERN_RESOURCE_SHORTAGE;
        keeper_runs = true;
    }
    if (wanted.size == 0) {
        wanted.host = host;
        wanted.size = size;
        wanted.limit = limit;
        pthread_cond_signal(&wanted_cond);
    }
    unsigned long before = asked;
    int err = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += PATIENCE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (asked == before && err == 0)
        err = pthread_cond_timedwait(&done_cond, &rows_lock, &until);
    return err ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS;
}

/* rows_lock held.  */
static bool row_fits(size_t size, uint64_t limit)
{
    return row_end - row >= size && row_physical + size <= limit;
}

kern_return_t ports_row_allocate(mach_port_t host, size_t size, uint64_t limit, vm_address_t *address,
                                 uint64_t *physical)
{
    kern_return_t err = KERN_SUCCESS;
    size_t length = size > ROW / 2 ? size : ROW;
    if (ports_memory_state(size) != MEMORY_ENOUGH)
        return KERN_RESOURCE_SHORTAGE;
    pthread_mutex_lock(&rows_lock);
    if (!row_fits(size, limit))
        err = pageout_is_server() ? row_order(host, length, limit) : row_renew(host, length, limit);
    if (!err && !row_fits(size, limit))  /* there was none, or another thread was faster */
        err = KERN_RESOURCE_SHORTAGE;
    if (!err) {
        *address = row;
        *physical = row_physical;
        row += size;
        row_physical += size;
    }
    pthread_mutex_unlock(&rows_lock);
    return err;
}
