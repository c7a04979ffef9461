/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of pci-arbiter share. */

#ifndef PCI_ARBITER_ARBITER_H
#define PCI_ARBITER_ARBITER_H

#include <machdev/machdev.h>

#include "scope.h"
#include "tree.h"

/* Constant once the server runs, but for what names a lock.  Configuration accesses lock in the bus itself.  Lock
   order: no two of these are held at a time. */
struct arbiter {
    struct pci_bus *bus;
    struct tree tree;
    mach_port_t device_master;
    struct fshelp_lockbox *claims; /* one a function, by its index; the control's lock */
    pthread_mutex_t scopes_lock;
    struct scopes scopes;          /* scopes_lock */
    pthread_mutex_t ports_lock;    /* held while the task has permission for a region of I/O ports */
};
extern struct arbiter arbiter;

/* nodes.c: the tree as nodes of a translator, with the pci interface on each. */
extern const struct trivfs_ops arbiter_node_ops;

/* contents.c: what is in the files.  LENGTH bytes from OFFSET, which are inside NODE, a region or a ROM.  EOPNOTSUPP,
   or why the hardware cannot be reached. */
error_t region_access(const struct tree_node *node, off_t offset, size_t length, void *data, bool write);
error_t rom_read(const struct tree_node *node, off_t offset, size_t length, void *data);
/* A memory object (a send right) of the memory region NODE, of whole pages, that can be mapped with PROT at most.
   EOPNOTSUPP: I/O ports, or pages that others are in. */
error_t region_object(const struct tree_node *node, vm_prot_t prot, mach_port_t *object);

/* claim.c: the exclusive use of functions.  EBUSY: another open of PROTID's function has it. */
error_t claim_check(const struct trivfs_protid *protid);
/* The lock box of PEROPEN's function; NULL: the node is of no function, or not open for writing. */
struct fshelp_lockbox *claim_lockbox(struct trivfs_peropen *peropen);
/* PEROPEN is being closed: if it had claimed its function, the device is made to keep quiet. */
void claim_release(struct trivfs_peropen *peropen);

static inline struct tree_node *protid_node(const struct trivfs_protid *protid)
{
    return protid->peropen->hook;
}

#endif
