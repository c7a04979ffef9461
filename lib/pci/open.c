/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way to the bus: the bootstrap port, then /servers/bus/pci, then the hardware itself. */

#include <pci/pci.h>

#include <fcntl.h>
#include <hurd.h>
#include <hurd/paths.h>

#ifndef _SERVERS_BUS_PCI
#define _SERVERS_BUS_PCI _SERVERS_BUS "/pci"
#endif

/* pci_remote_open consumes the right only when it works. */
static error_t open_remote(mach_port_t root, struct pci_bus **bus)
{
    error_t err = pci_remote_open(root, bus);
    if (err)
        mach_port_deallocate(mach_task_self(), root);
    return err;
}

static error_t open_bootstrap(mach_port_t bootstrap, struct pci_bus **bus)
{
    error_t err = mach_port_mod_refs(mach_task_self(), bootstrap, MACH_PORT_RIGHT_SEND, 1);
    return err ? err : open_remote(bootstrap, bus);
}

static error_t open_translator(struct pci_bus **bus)
{
    mach_port_t root = file_name_lookup(_SERVERS_BUS_PCI, O_READ | O_WRITE, 0);
    return root == MACH_PORT_NULL ? errno : open_remote(root, bus);
}

error_t pci_open(const struct pci_open_options *options, struct pci_bus **bus)
{
    error_t err = ENODEV;
    if (options->bootstrap != MACH_PORT_NULL)
        err = open_bootstrap(options->bootstrap, bus);
    if (err && options->have_filesystem)
        err = open_translator(bus);
    if (err && options->device_master != MACH_PORT_NULL)
        err = pci_hardware_open(options->device_master, bus);
    return err;
}
