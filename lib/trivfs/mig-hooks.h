/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hooks that turn ports into trivfs objects in MIG server stubs. A meson.build that makes stubs for a trivfs node uses
   the list `trivfs_mig_defines` of lib/trivfs/meson.build, which names these functions for FILE, IO, FSYS, TERM, PCI,
   EXEC... ports. */

#ifndef TRIVFS_MIG_HOOKS_H
#define TRIVFS_MIG_HOOKS_H

#include <trivfs/trivfs.h>

typedef struct trivfs_protid *trivfs_protid_t;
typedef struct trivfs_control *trivfs_control_t;

/* OBJECT, whose reference is given up unless it is destroyed by DESTROY: that tells what it is, whatever its class. */
static inline void *trivfs_object_of(void *object, void (*destroy)(struct ports_object *))
{
    struct ports_object *o = object;
    if (o == NULL || o->class->ops->destroy == destroy)
        return o;
    ports_object_deref(o);
    return NULL;
}

void protid_destroy(struct ports_object *object);
void control_destroy(struct ports_object *object);

/* NULL when PORT is no node port (control port) of trivfs; otherwise with a reference. */
static inline trivfs_protid_t begin_using_trivfs_protid(mach_port_t port)
{
    return trivfs_object_of(ports_object_lookup(NULL, port, NULL), protid_destroy);
}

static inline trivfs_protid_t begin_using_trivfs_protid_payload(unsigned long payload)
{
    return trivfs_object_of(ports_payload_lookup(payload, NULL), protid_destroy);
}

static inline void end_using_trivfs_protid(trivfs_protid_t protid)
{
    if (protid != NULL)
        ports_object_deref(protid);
}

static inline trivfs_control_t begin_using_trivfs_control(mach_port_t port)
{
    return trivfs_object_of(ports_object_lookup(NULL, port, NULL), control_destroy);
}

static inline trivfs_control_t begin_using_trivfs_control_payload(unsigned long payload)
{
    return trivfs_object_of(ports_payload_lookup(payload, NULL), control_destroy);
}

static inline void end_using_trivfs_control(trivfs_control_t control)
{
    if (control != NULL)
        ports_object_deref(control);
}

#endif /* TRIVFS_MIG_HOOKS_H */
