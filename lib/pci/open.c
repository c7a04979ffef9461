/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way to the bus: the bootstrap port, then /servers/bus/pci, then the hardware itself. */

#include <pci/pci.h>

#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/fsys.h>
#include <hurd/paths.h>
#include <mach/mig_support.h>
#include <stdlib.h>
#include <sys/file.h>

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

/* The bootstrap port is the control port of the arbiter: its root is the tree. */
static error_t open_bootstrap(mach_port_t bootstrap, struct pci_bus **bus)
{
    uid_t uid = 0;
    gid_t gid = 0;
    retry_type retry;
    mach_port_t root;
    char *retry_name = malloc(sizeof(string_t));
    if (!retry_name)
        return ENOMEM;
    error_t err = fsys_getroot(bootstrap, mig_get_reply_port(), MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND,
                               &uid, 1, &gid, 1, O_READ | O_WRITE, &retry, retry_name, &root);
    free(retry_name);
    if (err)
        return err;
    return root == MACH_PORT_NULL ? EGRATUITOUS : open_remote(root, bus);
}

static error_t open_translator(struct pci_bus **bus)
{
    mach_port_t root = file_name_lookup(_SERVERS_BUS_PCI, O_READ | O_WRITE, 0);
    return root == MACH_PORT_NULL ? errno : open_remote(root, bus);
}

/* The lock is on what /servers/bus/pci is without its translator, and stays with the port, which is kept. */
static error_t node_lock(void)
{
    static mach_port_t held;
    if (held != MACH_PORT_NULL)
        return 0;
    mach_port_t node = file_name_lookup(_SERVERS_BUS_PCI, O_READ | O_NOTRANS, 0);
    if (node == MACH_PORT_NULL)
        return errno == ENOENT ? 0 : errno;
    error_t err = file_lock(node, LOCK_EX | LOCK_NB);
    if (!err || err == EOPNOTSUPP) {
        held = node;
        return 0;
    }
    mach_port_deallocate(mach_task_self(), node);
    return err == EWOULDBLOCK ? EBUSY : err;
}

error_t pci_bus_reserve(struct pci_bus *bus)
{
    return pci_bus_is_hardware(bus) ? node_lock() : 0;
}

/* Another task may have the hardware: the kernel would let both. */
static error_t open_hardware(const struct pci_open_options *options, struct pci_bus **bus)
{
    error_t err = options->have_filesystem ? node_lock() : 0;
    return err ? err : pci_hardware_open(options->device_master, bus);
}

error_t pci_open(const struct pci_open_options *options, struct pci_bus **bus)
{
    error_t err = ENODEV;
    if (options->bootstrap != MACH_PORT_NULL && !options->hardware)
        err = open_bootstrap(options->bootstrap, bus);
    if (err && options->have_filesystem && !options->hardware)
        err = open_translator(bus);
    if (err && options->device_master != MACH_PORT_NULL)
        err = open_hardware(options, bus);
    return err;
}
