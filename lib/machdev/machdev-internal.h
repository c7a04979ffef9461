/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of lib/machdev share. */

#ifndef MACHDEV_INTERNAL_H
#define MACHDEV_INTERNAL_H

#include <machdev/machdev.h>
#include <stdatomic.h>

/* A device port: one device_open of one of the driver's devices. */
struct machdev_device {
    struct ports_object port;
    void *device;      /* constant; NULL until the driver has opened it */
    dev_mode_t mode;   /* constant: D_READ, D_WRITE */
};
typedef struct machdev_device *machdev_device_t;

extern struct ports_class machdev_device_class;
extern struct machdev *machdev_only; /* constant after machdev_create */
extern atomic_uint machdev_devices_open; /* device ports that there are */

/* Hooks of the device.defs stubs. */
PORTS_MIG_HOOKS(machdev_device, struct machdev_device, &machdev_device_class)

/* For arguments that are plain ports: the name of the object's port. */
static inline mach_port_t machdev_payload_to_port(unsigned long payload)
{
    return payload ? ((struct ports_object *)payload)->receive : MACH_PORT_NULL;
}

/* boot.c: the bootstrap RPCs as trivfs operations. */
error_t machdev_boot_fsys_startup(struct trivfs_control *control, mach_port_t reply, mach_msg_type_name_t reply_type,
                                  int flags, mach_port_t control_of_child, mach_port_t *realnode);
error_t machdev_boot_fsys_init(struct trivfs_control *control, mach_port_t reply, mach_msg_type_name_t reply_type,
                               mach_port_t proc, mach_port_t auth);
error_t machdev_boot_fsys_getpriv(struct trivfs_control *control, mach_port_t *host_priv, mach_port_t *device_master,
                                  mach_port_t *fstask);

/* console.c: the Mach console as standard output and error. */
error_t machdev_console_open(mach_port_t device_master);

#endif
