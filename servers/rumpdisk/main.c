/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rumpdisk: disks as wd0, wd1, ..., their partitions as wd0s1, ...: for the boot's file system by its bootstrap
   port, for everybody later by /dev/disk. The name is the one of the real Hurd's driver, in whose place it stands
   on GRUB's lines. */

#include <dance/dance.h>
#include <hurd/hurd_types.h>
#include <machdev/arguments.h>
#include <machdev/machdev.h>
#include <pci/pci.h>
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "dma.h"
#include "driver.h"

static struct pci_bus *bus; /* constant once it is open */

static void bus_reserve(void)
{
    if (bus && pci_bus_reserve(bus))
        fprintf(stderr, "rumpdisk: another task has the hardware of the PCI bus too\n");
}

int main(int argc, char **argv)
{
    struct machdev_arguments arguments;
    struct machdev *machdev;

    /* 1. What GRUB's line says. */
    machdev_arguments_parse(argc, argv, "fs-server-task", "Task of the file system that is started next",
                            "Disks behind PCI controllers.", NULL, NULL, &arguments);

    /* 2. The device library: privileged ports, console, control port. */
    const struct machdev_options machdev_options = {
        .name = "rumpdisk", .node = "/dev/disk", .fstype = FSTYPE_DEV, .node_type = S_IFCHR, .driver = &disk_driver,
        .host_priv = arguments.host_priv, .device_master = arguments.device_master, .argv = argv,
        .trace_boot = arguments.trace_boot, .ordinary = bus_reserve,
        .starts_another = arguments.child_task != MACH_PORT_NULL};
    if (machdev_create(&machdev_options, &machdev))
        return 1;

    /* 3. The PCI bus: by pci-arbiter if it is our parent, else by the hardware. */
    const struct pci_open_options pci_options = {
        .bootstrap = machdev->bootstrap, .device_master = machdev->device_master,
        .have_filesystem = machdev_has_filesystem()};
    error_t err = pci_open(&pci_options, &bus);
    dance_step(3, "reaching the PCI bus%s%s", err ? ": " : "", err ? strerror(err) : "");

    /* 4. The disks. */
    const struct driver_environment environment = {
        .bus = bus, .host_priv = machdev->host_priv, .device_master = machdev->device_master};
    dma_init(machdev->host_priv);
    if (err)
        fprintf(stderr, "rumpdisk: no way to the PCI bus: %s: there are no disks\n",
                err == EBUSY ? "another task has it" : strerror(err));
    if (err && machdev->parent != MACH_PORT_NULL)
        return 1;
    if (!err)
        driver_attach_all(&environment);
    dance_step(4, "disks found");

    /* 5. The file system's task gets our port and runs ("machdev_trivfs_init resumes the FS task"). */
    if (machdev_start(machdev, arguments.child_task))
        return 1;

    /* 6. device_open, fsys_startup, fsys_init come. */
    machdev_serve(machdev);
}
