/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks wd0, wd1, ... as devices of lib/machdev. */

#ifndef RUMPDISK_DISK_H
#define RUMPDISK_DISK_H

#include <machdev/machdev.h>
#include <pci/pci.h>

/* Operations for machdev. */
extern const struct machdev_driver disk_driver;

/* Finds all AHCI adapters on BUS and numbers their disks from wd0 in the order of adapters and ports. Says on stderr what
   disks there are, or in one line why there are none; that is no error, but then every device_open answers
   D_NO_SUCH_DEVICE. */
void disk_find_all(struct pci_bus *bus, mach_port_t host_priv, mach_port_t device_master);

#endif
