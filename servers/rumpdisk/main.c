/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rumpdisk: SATA disks behind AHCI, as wd0, wd1, ...: for the boot's file system by its bootstrap port, for everybody later by
   /dev/disk.  The name is the one of the real Hurd's driver, in whose place it stands on GRUB's lines. */

#include <argp.h>
#include <hurd/hurd_types.h>
#include <machdev/machdev.h>
#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

struct arguments {
    mach_port_t fs_task, host_priv, device_master;
    bool trace_boot;
};

enum { OPT_FS_TASK = 256, OPT_HOST_PRIV, OPT_DEVICE_MASTER, OPT_TRACE_BOOT };

static const struct argp_option options[] = {
    {"fs-server-task", OPT_FS_TASK, "PORT", 0, "Task of the file system that is started next", 0},
    {"host-priv-port", OPT_HOST_PRIV, "PORT", 0, "The host's privileged port", 0},
    {"device-master-port", OPT_DEVICE_MASTER, "PORT", 0, "The kernel's device master port", 0},
    {"trace-boot", OPT_TRACE_BOOT, NULL, 0, "Say each step of the boot on the console", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPT_FS_TASK:
        arguments->fs_task = atoi(arg);
        return 0;
    case OPT_HOST_PRIV:
        arguments->host_priv = atoi(arg);
        return 0;
    case OPT_DEVICE_MASTER:
        arguments->device_master = atoi(arg);
        return 0;
    case OPT_TRACE_BOOT:
        arguments->trace_boot = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static const struct argp argp = {.options = options, .parser = parse_option,
                                     .doc = "SATA disks behind AHCI controllers."};
    struct arguments arguments = {0};
    struct machdev *machdev;
    struct pci_bus *bus;

    /* 1. What GRUB's line says. */
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);

    /* 2. The device library: privileged ports, console, control port. */
    const struct machdev_options machdev_options = {
        .name = "rumpdisk", .node = "/dev/disk", .fstype = FSTYPE_DEV, .node_type = S_IFCHR, .driver = &disk_driver,
        .host_priv = arguments.host_priv, .device_master = arguments.device_master, .argv = argv,
        .trace_boot = arguments.trace_boot};
    if (machdev_create(&machdev_options, &machdev))
        return 1;

    /* 3. The PCI bus: by pci-arbiter if it is our parent, else by the hardware. */
    const struct pci_open_options pci_options = {
        .bootstrap = machdev->bootstrap, .device_master = machdev->device_master,
        .have_filesystem = machdev_has_filesystem()};
    error_t err = pci_open(&pci_options, &bus);

    /* 4. The disks. */
    if (err)
        fprintf(stderr, "rumpdisk: no way to the PCI bus: %s: there are no disks\n", strerror(err));
    else
        disk_find_all(bus, machdev->host_priv, machdev->device_master);

    /* 5. The file system's task gets our port and runs ("machdev_trivfs_init resumes the FS task"). */
    if (machdev_start(machdev, arguments.fs_task))
        return 1;

    /* 6. device_open, fsys_startup, fsys_init come. */
    machdev_serve(machdev);
}
