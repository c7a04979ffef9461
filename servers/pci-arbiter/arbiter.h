/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of pci-arbiter share. */

#ifndef PCI_ARBITER_ARBITER_H
#define PCI_ARBITER_ARBITER_H

#include <machdev/machdev.h>

#include "tree.h"

/* Constant once the server runs.  Configuration accesses lock in the bus itself. */
struct arbiter {
    struct pci_bus *bus;
    struct tree tree;
    mach_port_t device_master;
};
extern struct arbiter arbiter;

/* nodes.c: the tree as nodes of a translator, with the pci interface on each. */
extern const struct trivfs_ops arbiter_node_ops;

static inline struct tree_node *protid_node(const struct trivfs_protid *protid)
{
    return protid->peropen->hook;
}

#endif
