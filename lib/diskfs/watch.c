/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translators that die: the node forgets its control port at once, so that stat tells the truth and the next lookup
   starts the passive one again.

   A node with an active translator has a watch, an object without a port of its own that the kernel's dead-name
   notification is for.  It holds a weak reference to its node, and the node the watch's only lasting reference: it goes
   as soon as the node's translator changes.  What was under way for an old watch finds that the node has another one.

   Lock: the node's.  */

#include "diskfs-internal.h"

struct diskfs_watch {
    struct ports_object port;
    struct diskfs_node *node;   /* constant, weak reference */
    unsigned int changes;       /* constant: those of the box when it was made */
};

/* The control port has died, unless its name stands for another one by now. */
static void watch_dead(struct ports_object *object, mach_port_t name)
{
    struct diskfs_watch *watch = (struct diskfs_watch *) object;
    struct diskfs_node *node = watch->node;
    mach_port_t dead = MACH_PORT_NULL;

    diskfs_node_ref(node);
    pthread_mutex_lock(&node->lock);
    if (node->watch == watch && node->transbox.active == name && node->transbox.changes == watch->changes)
        (void) fshelp_transbox_set(&node->transbox, MACH_PORT_NULL, false, &node->lock, &dead);
    diskfs_node_hold(node);
    pthread_mutex_unlock(&node->lock);
    if (dead != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), dead);
    diskfs_node_deref(node);
    if (atomic_load_explicit(&diskfs_is_cut_off, memory_order_relaxed))
        diskfs_cut_off_check();
}

static void watch_destroy(struct ports_object *object)
{
    struct diskfs_watch *watch = (struct diskfs_watch *) object;
    if (watch->node != NULL)
        diskfs_node_weak_deref(watch->node);
}

static const struct ports_class_ops watch_ops = {
    .name = "watch", .size = sizeof(struct diskfs_watch), .destroy = watch_destroy, .dead_name = watch_dead,
};
static struct ports_class watch_class = PORTS_CLASS(watch_ops);

void diskfs_watch_update(struct diskfs_node *node)
{
    const struct fshelp_transbox *box = &node->transbox;
    struct diskfs_watch *watch = node->watch;

    if (watch != NULL ? watch->changes == box->changes : box->active == MACH_PORT_NULL)
        return;
    node->watch = NULL;
    diskfs_place_note(node);
    if (watch != NULL)
        ports_object_deref(watch);      /* takes back what it waits for */
    if (box->active == MACH_PORT_NULL || ports_object_create_quiet(&watch_class, diskfs_bucket, &watch))
        return;
    diskfs_node_weak_ref(node);
    watch->node = node;
    watch->changes = box->changes;
    if (ports_object_notify_dead(watch, box->active) == 0)
        node->watch = watch;
    else
        ports_object_deref(watch);      /* without it a lookup notices */
}
