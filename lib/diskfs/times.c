/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times: the kernel's mapped clock, and the times of nodes that are due.

   GNU Mach's device "time" maps a page that it writes the time to (mach/time_value.h): reading it costs no trap.  */

#include "diskfs-internal.h"

#include <time.h>
#ifdef __GNU__
#include <device/device.h>
#include <mach/time_value.h>
#endif

#define DAY 86400

#ifdef __GNU__
static const volatile struct mapped_time_value *mapped; /* set once at initialisation */

void diskfs_time_map(mach_port_t device_master)
{
    mach_port_t device, pager;
    vm_address_t address = 0;

    if (device_master == MACH_PORT_NULL || device_open(device_master, D_READ, "time", &device))
        return;
    kern_return_t err = device_map(device, VM_PROT_READ, 0, vm_page_size, &pager, 0);
    mach_port_deallocate(mach_task_self(), device);
    if (err)
        return;
    err = vm_map(mach_task_self(), &address, vm_page_size, 0, TRUE, pager, 0, FALSE, VM_PROT_READ, VM_PROT_READ,
                 VM_INHERIT_NONE);
    mach_port_deallocate(mach_task_self(), pager);
    if (!err)
        mapped = (const volatile struct mapped_time_value *) address;
}

void diskfs_time_now(struct timespec *now)
{
    if (mapped == NULL) {
        clock_gettime(CLOCK_REALTIME, now);
        return;
    }
    do {
        now->tv_sec = mapped->time_value.seconds;
        atomic_thread_fence(memory_order_acquire);
        now->tv_nsec = mapped->time_value.nanoseconds;
        atomic_thread_fence(memory_order_acquire);
    } while (now->tv_sec != mapped->check_seconds64);
}
#else
void diskfs_time_map(mach_port_t device_master)
{
    (void) device_master;
}

void diskfs_time_now(struct timespec *now)
{
    clock_gettime(CLOCK_REALTIME, now);
}
#endif

void diskfs_node_settle_times(struct diskfs_node *node)
{
    if (atomic_load_explicit(&node->touched, memory_order_relaxed)
        && atomic_exchange(&node->touched, false))
        node->mtime_due = node->ctime_due = true;
    if (!(node->atime_due | node->mtime_due | node->ctime_due))
        return;
    struct timespec now;
    diskfs_time_now(&now);
    if (node->atime_due)
        node->stat.st_atim = now;
    if (node->mtime_due)
        node->stat.st_mtim = now;
    if (node->ctime_due)
        node->stat.st_ctim = now;
    node->atime_due = node->mtime_due = node->ctime_due = false;
    diskfs_node_mark_dirty(node);
}

static bool later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

void diskfs_node_accessed(struct diskfs_node *node)
{
    if (node->atime_due || diskfs_atime == DISKFS_ATIME_NEVER || diskfs_readonly)
        return;
    const struct stat *st = &node->stat;
    if (diskfs_atime == DISKFS_ATIME_RELATIVE && !node->mtime_due && !node->ctime_due &&
        later(&st->st_atim, &st->st_mtim) && later(&st->st_atim, &st->st_ctim)) {
        struct timespec now;
        diskfs_time_now(&now);
        if (now.tv_sec - st->st_atim.tv_sec < DAY)
            return;
    }
    node->atime_due = true;
    diskfs_node_mark_dirty(node);
}

void diskfs_node_touched(struct diskfs_node *node)
{
    if (!atomic_exchange(&node->touched, true))
        diskfs_node_mark_dirty(node);
}
