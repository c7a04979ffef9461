/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports to one open for several users: duplicate, restrict, reauthenticate; and the identity of files.

   Lock: identity_lock, a leaf, protects node->identity of all nodes.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "io_S.h"
#include "fs_S.h"

#include <hurd/io.h>
#include <unistd.h>

/* ---- identity: one port a file, as long as somebody has it --------------------- */

struct identity {
    struct ports_object port;
    struct diskfs_node *node;   /* weak reference; NULL for the file system's own */
};

static pthread_mutex_t identity_lock = PTHREAD_MUTEX_INITIALIZER;
static struct identity *fs_identity;    /* identity_lock; lives for ever once made */

static void identity_destroy(struct ports_object *object)
{
    struct identity *identity = (struct identity *) object;
    if (identity->node == NULL)
        return;
    pthread_mutex_lock(&identity_lock);
    if (identity->node->identity == object)
        identity->node->identity = NULL;
    pthread_mutex_unlock(&identity_lock);
    diskfs_node_weak_deref(identity->node);
}

static const struct ports_class_ops identity_ops = {
    .name = "identity",
    .size = sizeof(struct identity),
    .destroy = identity_destroy,
};
static struct ports_class identity_class = PORTS_CLASS(identity_ops);

/* A send right to NODE's identity (NULL: the file system's), the caller's. */
static error_t identity_right(struct diskfs_node *node, mach_port_t *right)
{
    struct identity *identity, *fresh;
    for (;;) {
        pthread_mutex_lock(&identity_lock);
        identity = node ? (struct identity *) node->identity : fs_identity;
        /* An identity whose last sender is gone may be on its way out: it then gives no right any more. */
        *right = identity ? ports_object_send_right(identity) : MACH_PORT_NULL;
        pthread_mutex_unlock(&identity_lock);
        if (*right != MACH_PORT_NULL)
            return 0;
        error_t err = ports_object_create(&identity_class, diskfs_bucket, &fresh);
        if (err)
            return err;
        if (node) {
            diskfs_node_weak_ref(node);
            fresh->node = node;
        }
        pthread_mutex_lock(&identity_lock);
        struct ports_object *now = node ? node->identity : (struct ports_object *) fs_identity;
        bool mine = now == (struct ports_object *) identity;
        if (mine && node)
            node->identity = &fresh->port;
        else if (mine)
            fs_identity = fresh;
        if (mine)
            *right = ports_object_send_right(fresh);
        pthread_mutex_unlock(&identity_lock);
        if (!mine || node)
            ports_object_deref(fresh);
        if (mine)
            return *right == MACH_PORT_NULL ? ENOMEM : 0;
    }
}

kern_return_t diskfs_S_io_identity(diskfs_protid_t cred, mach_port_t *id, mach_msg_type_name_t *idPoly,
                                   mach_port_t *fsid, mach_msg_type_name_t *fsidPoly, ino64_t *fileno)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    error_t err = identity_right(node, id);
    if (err)
        return err;
    err = identity_right(NULL, fsid);
    if (err) {
        mach_port_deallocate(mach_task_self(), *id);
        return err;
    }
    *idPoly = *fsidPoly = MACH_MSG_TYPE_MOVE_SEND;
    *fileno = node->ino;
    return 0;
}

/* ---- ports for other users -------------------------------------------------------- */

/* A new port to CRED's open for USER, as reply argument. */
static error_t reply_protid(struct diskfs_protid *cred, struct fshelp_user *user, mach_port_t *port,
                            mach_msg_type_name_t *type)
{
    struct diskfs_protid *protid;
    error_t err = diskfs_protid_create(cred->po, user, &protid);
    if (err)
        return err;
    *port = ports_object_make_send_name(protid);
    *type = MACH_MSG_TYPE_MAKE_SEND;
    ports_object_deref(protid);
    return *port == MACH_PORT_NULL ? ENOMEM : 0;
}

kern_return_t diskfs_S_io_duplicate(diskfs_protid_t cred, mach_port_t *port, mach_msg_type_name_t *portPoly)
{
    return cred ? reply_protid(cred, cred->user, port, portPoly) : EOPNOTSUPP;
}

kern_return_t diskfs_S_io_restrict_auth(diskfs_protid_t cred, mach_port_t *port, mach_msg_type_name_t *portPoly,
                                        const_idarray_t uids, mach_msg_type_number_t uidsCnt, boolean_t uidsSCopy,
                                        const_idarray_t gids, mach_msg_type_number_t gidsCnt, boolean_t gidsSCopy)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct fshelp_user *user = fshelp_user_create_sent(cred->user, uids, uidsCnt, gids, gidsCnt);
    if (user == NULL)
        return ENOMEM;
    error_t err = reply_protid(cred, user, port, portPoly);
    fshelp_user_deref(user);
    if (err)
        return err;
    if (!uidsSCopy && uidsCnt > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) uids, uidsCnt * sizeof *uids);
    if (!gidsSCopy && gidsCnt > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) gids, gidsCnt * sizeof *gids);
    return 0;
}

/* auth has said that USER is the holder of the new port: the protid that serves it. */
static error_t protid_for_user(void *object, struct fshelp_user *user, mach_port_t receive)
{
    struct diskfs_protid *cred = object, *protid;
    error_t err = ports_object_create_quiet(&diskfs_protid_class, diskfs_bucket, &protid);
    if (err)
        return err;
    fshelp_user_ref(user);
    diskfs_peropen_ref(cred->po);
    protid->user = user;
    protid->po = cred->po;
    err = ports_object_adopt_right(protid, receive);    /* only now: messages may be waiting in it */
    ports_object_deref(protid);
    return err;
}

kern_return_t diskfs_S_io_reauthenticate(diskfs_protid_t cred, mach_port_t rendezvous)
{
    mach_port_t auth;
    if (cred == NULL)
        return EOPNOTSUPP;
    error_t err = diskfs_auth_await(&auth);
    return err ? err : fshelp_reauthenticate(cred, auth, rendezvous, protid_for_user);
}

kern_return_t diskfs_S_file_reparent(diskfs_protid_t cred, mach_port_t parent, mach_port_t *port,
                                     mach_msg_type_name_t *portPoly)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    struct diskfs_origin *old = cred->po->origin;
    mach_port_t root_parent = old->root_parent;

    /* The rights of the new origin: its own references. */
    if (MACH_PORT_VALID(root_parent)
        && mach_port_mod_refs(mach_task_self(), root_parent, MACH_PORT_RIGHT_SEND, +1) != KERN_SUCCESS)
        root_parent = MACH_PORT_NULL;
    diskfs_node_ref(node);
    struct diskfs_origin *origin = diskfs_origin_create(root_parent, node, parent);
    if (origin == NULL) {
        diskfs_node_deref(node);
        if (MACH_PORT_VALID(root_parent))
            mach_port_deallocate(mach_task_self(), root_parent);
        return ENOMEM;
    }
    diskfs_node_ref(node);
    error_t err = diskfs_open_reply(node, atomic_load(&cred->po->flags), origin, cred->user, port, portPoly);
    if (err)
        origin->shadow_parent = MACH_PORT_NULL;     /* the request's right stays the request's */
    diskfs_origin_deref(origin);
    return err;
}
