/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peropens, protids and origins: what a client holds of a file.

   A protid (a port) refers to a peropen and a user, a peropen to a node and an origin.  Each is referenced by count;
   the last protid closes the peropen (its advisory locks go), the last peropen lets the node be idle.  */

#include "diskfs-internal.h"
#include "fs_S.h"
#include "io_S.h"

#include <stdlib.h>
#include <sys/file.h>

atomic_uint diskfs_peropens;

static void protid_destroy(struct ports_object *object)
{
    struct diskfs_protid *protid = (struct diskfs_protid *) object;
    if (protid->po)
        diskfs_peropen_deref(protid->po);
    if (protid->user)
        fshelp_user_deref(protid->user);
}

static const ports_interface_t protid_interfaces[] = { io_server_routine, fs_server_routine, NULL };

static const struct ports_class_ops protid_ops = {
    .name = "protid",
    .size = sizeof(struct diskfs_protid),
    .interfaces = protid_interfaces,
    .destroy = protid_destroy,
};
struct ports_class diskfs_protid_class = PORTS_CLASS(protid_ops);

struct diskfs_origin *diskfs_origin_create(mach_port_t root_parent, struct diskfs_node *shadow_root,
                                           mach_port_t shadow_parent)
{
    struct diskfs_origin *origin = malloc(sizeof *origin);
    if (origin == NULL)
        return NULL;
    *origin = (struct diskfs_origin) {
        .refs = 1, .root_parent = root_parent, .shadow_root = shadow_root, .shadow_parent = shadow_parent,
    };
    return origin;
}

void diskfs_origin_ref(struct diskfs_origin *origin)
{
    atomic_fetch_add_explicit(&origin->refs, 1, memory_order_relaxed);
}

void diskfs_origin_deref(struct diskfs_origin *origin)
{
    if (atomic_fetch_sub(&origin->refs, 1) > 1)
        return;
    if (MACH_PORT_VALID(origin->root_parent))
        mach_port_deallocate(mach_task_self(), origin->root_parent);
    if (MACH_PORT_VALID(origin->shadow_parent))
        mach_port_deallocate(mach_task_self(), origin->shadow_parent);
    if (origin->shadow_root)
        diskfs_node_deref(origin->shadow_root);
    free(origin);
}

error_t diskfs_peropen_create(struct diskfs_node *node, int flags, struct diskfs_origin *origin,
                              struct diskfs_peropen **result)
{
    struct diskfs_peropen *po = calloc(1, sizeof *po);
    if (po == NULL)
        return ENOMEM;
    atomic_init(&po->refs, 1);
    atomic_init(&po->flags, flags & OPEN_MODES);
    pthread_mutex_init(&po->lock, NULL);
    po->node = node;
    po->origin = origin;
    diskfs_origin_ref(origin);
    atomic_fetch_add(&node->opens, 1);
    atomic_fetch_add_explicit(&diskfs_peropens, 1, memory_order_relaxed);
    *result = po;
    return 0;
}

void diskfs_peropen_ref(struct diskfs_peropen *po)
{
    atomic_fetch_add_explicit(&po->refs, 1, memory_order_relaxed);
}

void diskfs_peropen_deref(struct diskfs_peropen *po)
{
    if (atomic_fetch_sub(&po->refs, 1) > 1)
        return;
    if (po->locks) {
        pthread_mutex_lock(&po->node->lock);
        fshelp_lock_drop(&po->node->lockbox, po);
        pthread_mutex_unlock(&po->node->lock);
    }
    if (atomic_fetch_sub(&po->node->opens, 1) == 1 && po->node->stat.st_nlink == 0 && node_is_kept(po->node)) {
        diskfs_notice_end(po->node);
        diskfs_translator_let_go(po->node);     /* one that was set when the name had gone */
    }
    diskfs_node_deref(po->node);
    diskfs_origin_deref(po->origin);
    pthread_mutex_destroy(&po->lock);
    free(po);
    if (atomic_fetch_sub(&diskfs_peropens, 1) == 1 && atomic_load(&diskfs_is_cut_off))
        diskfs_cut_off_check();
}

error_t diskfs_protid_create(struct diskfs_peropen *po, struct fshelp_user *user, struct diskfs_protid **result)
{
    struct diskfs_protid *protid;
    error_t err = ports_object_create(&diskfs_protid_class, diskfs_bucket, &protid);
    if (err)
        return err;
    diskfs_peropen_ref(po);
    fshelp_user_ref(user);
    protid->po = po;
    protid->user = user;
    *result = protid;
    return 0;
}

/* A protid for a new open of NODE, whose reference goes in any case. */
static error_t open_protid(struct diskfs_node *node, int flags, struct diskfs_origin *origin,
                           struct fshelp_user *user, struct diskfs_protid **protid)
{
    struct diskfs_peropen *po;
    error_t err = diskfs_peropen_create(node, flags, origin, &po);
    if (err) {
        diskfs_node_deref(node);
        return err;
    }
    err = diskfs_protid_create(po, user, protid);
    diskfs_peropen_deref(po);
    return err;
}

/* flock at open: O_EXLOCK, O_SHLOCK. */
static error_t open_lock(struct diskfs_peropen *po, int flags)
{
    struct diskfs_node *node = po->node;
    int kind = (flags & O_EXLOCK ? LOCK_EX : LOCK_SH) | (flags & O_NONBLOCK ? LOCK_NB : 0);
    pthread_mutex_lock(&node->lock);
    error_t err = fshelp_lock_whole(&node->lockbox, &node->lock, po, kind);
    if (!err)
        po->locks = true;
    pthread_mutex_unlock(&node->lock);
    return err;
}

error_t diskfs_open_reply(struct diskfs_node *node, int flags, struct diskfs_origin *origin, struct fshelp_user *user,
                          mach_port_t *port, mach_msg_type_name_t *type)
{
    struct diskfs_protid *protid;
    error_t err = open_protid(node, flags, origin, user, &protid);
    if (err)
        return err;
    if (flags & (O_EXLOCK | O_SHLOCK))
        err = open_lock(protid->po, flags);
    if (!err) {
        *port = ports_object_make_send_name(protid);
        *type = MACH_MSG_TYPE_MAKE_SEND;
        err = *port == MACH_PORT_NULL ? ENOMEM : 0;
    }
    ports_object_deref(protid);
    return err;
}

error_t diskfs_open_right(struct diskfs_node *node, int flags, struct diskfs_origin *origin, struct fshelp_user *user,
                          mach_port_t *right)
{
    struct diskfs_protid *protid;
    error_t err = open_protid(node, flags, origin, user, &protid);
    if (err)
        return err;
    *right = ports_object_send_right(protid);
    ports_object_deref(protid);
    return *right == MACH_PORT_NULL ? ENOMEM : 0;
}
