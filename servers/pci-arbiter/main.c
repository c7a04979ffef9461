/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci-arbiter: the one task that touches configuration space; everybody else asks it.  First of the boot; later the
   translator of /servers/bus/pci. */

#include <dance/dance.h>
#include <hurd/hurd_types.h>
#include <machdev/arguments.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arbiter.h"

struct arbiter arbiter = {.scopes_lock = PTHREAD_MUTEX_INITIALIZER, .ports_lock = PTHREAD_MUTEX_INITIALIZER};

/* The memory-mapped space is looked for when the first function that has more than the ports show turns up. */
static error_t function_found(struct pci_bus *bus, const struct pci_function *found, void *arg)
{
    struct pci_function function = *found;
    bool *extended = arg;
    if (!*extended && pci_function_capability(bus, &function, PCI_CAP_EXPRESS) != 0) {
        *extended = true;
        pci_hardware_extend(bus);
    }
    pci_function_extend(bus, &function);
    error_t err = pci_function_regions(bus, &function);
    return err ? err : tree_add(&arbiter.tree, &function);
}

/* The bus by the hardware itself, and all that is on it. */
static error_t bus_read(mach_port_t device_master)
{
    bool extended = false;
    arbiter.device_master = device_master;
    error_t err = tree_create(&arbiter.tree);
    const struct pci_open_options options = {
        .have_filesystem = machdev_has_filesystem(), .device_master = device_master, .hardware = true};
    if (!err)
        err = pci_open(&options, &arbiter.bus);
    if (err)
        return err;
    dance_step(3, "reaching the PCI bus by the hardware");
    err = pci_bus_walk(arbiter.bus, function_found, &extended);
    dance_step(4, "%u PCI functions", arbiter.tree.functions);
    if (!err)
        arbiter.claims = calloc(arbiter.tree.functions + 1, sizeof *arbiter.claims);
    if (!err && !arbiter.claims)
        err = ENOMEM;
    for (unsigned int i = 0; !err && i < arbiter.tree.functions; i++)
        fshelp_lockbox_init(&arbiter.claims[i]);
    return err;
}

/* Without a bus (or with half of one) the tree is empty: nothing below the root can be asked for. */
static void bus_forget(void)
{
    tree_destroy(&arbiter.tree);
    if (tree_create(&arbiter.tree)) {
        fprintf(stderr, "pci-arbiter: no memory for an empty tree\n");
        exit(1);
    }
}

/* No other arbiter, and no driver without one, may have the hardware from now on. */
static void bus_reserve(void)
{
    if (arbiter.bus && pci_bus_reserve(arbiter.bus))
        fprintf(stderr, "pci-arbiter: another task has the hardware of the PCI bus too\n");
}

int main(int argc, char **argv)
{
    struct machdev_arguments arguments;
    struct machdev *machdev;

    /* 1. What GRUB's line says: a disk task means that we are a bootstrap translator; permission scopes. */
    machdev_arguments_parse(argc, argv, "disk-server-task", "Task of the disk driver that is started next",
                            "Arbiter of the PCI bus.",
                            (struct argp_child[]){{.argp = &scopes_argp}, {0}}, &arbiter.scopes, &arguments);

    /* 2. The device library: privileged ports, console, control port. */
    const struct machdev_options machdev_options = {
        .name = "pci-arbiter", .node = "/servers/bus/pci", .fstype = FSTYPE_PCI, .node_type = S_IFDIR,
        .node_ops = &arbiter_node_ops, .host_priv = arguments.host_priv, .device_master = arguments.device_master,
        .argv = argv, .ordinary = bus_reserve,
        .trace_boot = arguments.trace_boot, .starts_another = arguments.child_task != MACH_PORT_NULL};
    if (machdev_create(&machdev_options, &machdev))
        return 1;

    /* 3. and 4. The bus and what is on it. Without one the disk driver finds nothing and says so. */
    error_t err = bus_read(machdev->device_master);
    if (err)
        fprintf(stderr, "pci-arbiter: reading the PCI bus: %s\n", err == EBUSY ? "another task has it" : strerror(err));
    if (err && arguments.child_task == MACH_PORT_NULL)
        return 1;
    if (err)
        bus_forget();

    /* 5. The disk driver's task gets our port and runs ("machdev_trivfs_init resumes the disk task"). */
    if (machdev_start(machdev, arguments.child_task))
        return 1;

    /* 6. fsys_getroot, the pci interface, fsys_startup, fsys_init come. */
    machdev_serve(machdev);
}
