/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's devices: console, kmsg, time, mem, irq, and RAM disks (Mach manual, chapter "Device Interface"). */

#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <device/device_types.h>
#include <mach/message.h>
#include <mach/vm_prot.h>

#include "../base/base.h"
#include "../mig/mig_types.h"

struct vm_object;

/* A request that is answered later: by ds_device_read_reply or its inband form. */
struct device_request {
    struct list link;
    struct ipc_port *reply;
    mach_msg_type_name_t reply_type;
    uint32_t wanted;
    bool inband;
};

struct device_ops {
    /* Up to SIZE characters now; 0: none there (a reader then waits, unless AT_END). */
    kern_return_t (*read)(struct device *device, uint64_t record, char *to, uint32_t size, uint32_t *count);
    kern_return_t (*write)(struct device *device, uint64_t record, const char *from, uint32_t size);
    /* The memory at OFFSET as an object. */
    struct vm_object *(*map)(struct device *device, vm_prot_t protection, uint64_t offset, uint64_t size);
    kern_return_t (*get_status)(struct device *device, dev_flavor_t flavor, dev_status_t status, mach_msg_type_number_t *count);
    kern_return_t (*set_status)(struct device *device, dev_flavor_t flavor, const dev_status_t status, mach_msg_type_number_t count);
    bool waits; /* reading waits for input */
};

struct device {
    const char *name;
    const struct device_ops *ops;
    struct ipc_port *port;
    struct list readers;       /* device_request.link */
    void *data;
    uint64_t size;             /* of a RAM disk */
    struct list link;          /* in the list of devices */
};

void device_init(void);
/* The port by which devices are opened: the device master. */
extern struct ipc_port *device_master;
/* Adds the RAM disk rdN whose contents are at DATA (physical pages that stay); gives N. */
unsigned int device_ramdisk_add(void *data, uint64_t size);
/* Once a tick: the page of the device "time". */
void device_time_update(void);

#endif
