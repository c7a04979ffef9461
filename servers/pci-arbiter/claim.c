/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exclusive use of a function, by the exclusive lock (file_lock, LOCK_EX) on its directory or any file in it: see
   interface/hurd/pci.defs.

       free --file_lock (LOCK_EX) by an open for writing--> claimed --LOCK_UN--> free
                                                               |
                                                               +--the open's last port dies, with its driver--> quiet
                                                               --> free

   While it is claimed, other opens may read configuration space, and that is all. A driver that dies cannot stop its
   device, which would go on to write into memory that is no longer the driver's: so the arbiter takes bus mastering and
   the interrupt line from it before the next one can have it. */

#include "arbiter.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

/* What PEROPEN and others hold of its function: LOCK_UN, LOCK_SH or LOCK_EX. */
static void claim_status(struct trivfs_peropen *peropen, int *mine, int *others)
{
    const struct tree_node *node = peropen->hook;
    pthread_mutex_lock(&peropen->control->lock);
    fshelp_lock_status(&arbiter.claims[node->index], peropen, mine, others);
    pthread_mutex_unlock(&peropen->control->lock);
}

error_t claim_check(const struct trivfs_protid *protid)
{
    int mine, others;
    claim_status(protid->peropen, &mine, &others);
    return others == LOCK_EX && mine != LOCK_EX ? EBUSY : 0;
}

struct fshelp_lockbox *claim_lockbox(struct trivfs_peropen *peropen)
{
    const struct tree_node *node = peropen->hook;
    return node && node->function && (peropen->flags & O_WRITE) ? &arbiter.claims[node->index] : NULL;
}

void claim_release(struct trivfs_peropen *peropen)
{
    const struct tree_node *node = peropen->hook;
    int mine, others;
    if (!claim_lockbox(peropen))
        return;
    claim_status(peropen, &mine, &others);
    if (mine != LOCK_EX)
        return;
    const struct pci_function *function = node->function;
    uint32_t command = 0;
    error_t err = pci_config_read(arbiter.bus, function->address, PCI_COMMAND, &command, 2);
    if (err || !(command & PCI_COMMAND_MASTER))
        return;
    pci_function_command(arbiter.bus, function, PCI_COMMAND_INTX_DISABLE, PCI_COMMAND_MASTER);
    fprintf(stderr, "pci-arbiter: %04x:%02x:%02x.%x: its driver has gone: the device is stopped\n",
            function->address.domain, function->address.bus, function->address.device, function->address.function);
}
