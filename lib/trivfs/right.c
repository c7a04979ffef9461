/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Send rights that several have: released with the last one's reference, while calls on them are under way.  */

#include "trivfs-internal.h"

#include <stdlib.h>

struct trivfs_right *right_create(mach_port_t port)
{
    struct trivfs_right *right = malloc(sizeof *right);
    if (right == NULL)
        return NULL;
    atomic_init(&right->refs, 1);
    right->port = port;
    return right;
}

struct trivfs_right *right_ref(struct trivfs_right *right)
{
    if (right != NULL)
        atomic_fetch_add_explicit(&right->refs, 1, memory_order_relaxed);
    return right;
}

void trivfs_right_deref(struct trivfs_right *right)
{
    if (right == NULL || atomic_fetch_sub_explicit(&right->refs, 1, memory_order_acq_rel) != 1)
        return;
    mach_port_deallocate(mach_task_self(), right->port);
    free(right);
}
