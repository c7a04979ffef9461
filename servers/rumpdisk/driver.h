/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drivers of disk adapters, and how they are found: by the class of a PCI function.

   Disks are numbered in the order of the PCI addresses of their adapters (a bridge's before those behind it), and
   on one adapter in the order of its ports, channels or namespaces: so a disk keeps its name from boot to boot.
   Disks are wd0, wd1, ..., whatever the bus, optical drives cd0, cd1, ... */

#ifndef RUMPDISK_DRIVER_H
#define RUMPDISK_DRIVER_H

#include <mach.h>
#include <pci/pci.h>

#include "block.h"

/* What a driver has at hand while it attaches, and for ever. */
struct driver_environment {
    struct pci_bus *bus;
    mach_port_t host_priv;
    mach_port_t device_master;
};

struct driver {
    const char *name;          /* of the adapters: "AHCI" */
    uint32_t class_code;       /* class, subclass and programming interface of functions that it drives, */
    uint32_t class_mask;       /* as far as these bits go */
    uint16_t vendor_id;        /* and the vendor; 0: any */
    uint16_t device_ids[4];    /* and one of these devices; 0 ends the list, an empty one means any */
    /* Takes over the adapter FUNCTION (its regions are not filled) and calls block_unit_add for each disk.
       ENVIRONMENT lives for ever, FUNCTION does not. An error that keeps the adapter from being used, which is then
       told on stderr with its address; what is wrong with one disk only the driver says itself. */
    error_t (*attach)(const struct driver_environment *environment, const struct pci_function *function);
};

extern const struct driver ide_driver, ahci_driver;
extern const struct driver nvme_driver, virtio_driver;

/* Walks BUS and attaches a driver to each function that one is for. Says on stderr what disks there are, or in one
   line why there are none; that is no error. */
void driver_attach_all(const struct driver_environment *environment);

/* All units in the order of their names; constant after driver_attach_all. */
extern struct block_unit **block_units;
extern unsigned int block_unit_count;

#endif
