/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's devices: console and kmsg (tty.c), time and mem (memory.c), irq (interrupt.c), msi (msi.c), RAM disks
   (ramdisk.c); Mach manual, chapter "Device Interface". */

#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <device/device_types.h>
#include <mach/message.h>
#include <mach/vm_prot.h>

#include "../base/base.h"
#include "../mig/mig_types.h"

struct vm_object;
struct vm_copy;

#define DEVICE_RECORD 512 /* bytes of a record of a block device */

/* A request that is answered later: by ds_device_read_reply or its inband form. */
struct device_request {
    struct list link;
    struct ipc_port *reply;
    mach_msg_type_name_t reply_type;
    uint32_t wanted;
    bool inband;
};

/* What is NULL the device does not know: D_INVALID_OPERATION. */
struct device_ops {
    /* A device of its own for who opens it, made by device_instance_init; NULL: all share the one in the list. */
    kern_return_t (*open)(struct device *device, struct device **instance);
    /* Nobody has a right to the instance any more, and its port is gone: frees it. */
    void (*end)(struct device *device);
    /* Up to SIZE characters now; 0: none there (a reader then waits, unless AT_END). */
    kern_return_t (*read)(struct device *device, uint64_t record, char *to, uint32_t size, uint32_t *count);
    /* The same for many bytes, as memory for the caller; NULL: by `read`. */
    kern_return_t (*copy)(struct device *device, uint64_t record, uint32_t size, struct vm_copy **copy,
                          uint32_t *count);
    /* Writes SIZE bytes, or *WRITTEN of them if it had to stop; may block. */
    kern_return_t (*write)(struct device *device, uint64_t record, const char *from, uint32_t size, uint32_t *written);
    /* The memory at OFFSET as an object. */
    struct vm_object *(*map)(struct device *device, vm_prot_t protection, uint64_t offset, uint64_t size);
    kern_return_t (*get_status)(struct device *device, dev_flavor_t flavor, dev_status_t status,
                                mach_msg_type_number_t *count);
    kern_return_t (*set_status)(struct device *device, dev_flavor_t flavor, const dev_status_t status,
                                mach_msg_type_number_t count);
    /* Notifications of interrupt ID go to PORT, a send right, consumed on success. */
    kern_return_t (*intr_register)(struct device *device, int id, int flags, struct ipc_port *port);
    /* PORT's owner has seen the last one; the right stays the caller's. */
    kern_return_t (*intr_ack)(struct device *device, struct ipc_port *port);
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

extern const struct device_ops console_ops, kmsg_ops, time_ops, mem_ops, irq_ops;

void device_init(void);
/* Adds a device to the list of those that can be opened by NAME (which stays).  Panics without memory: only at the
   start. */
struct device *device_add(const char *name, const struct device_ops *ops);
/* Fills in the device that somebody opened: its port ends, by ops->end, with its last send right.  False: no memory. */
bool device_instance_init(struct device *device, const char *name, const struct device_ops *ops);
/* The port by which devices are opened: the device master. */
extern struct ipc_port *device_master;
/* Adds the RAM disk rdN whose contents are at DATA (physical pages that stay); gives N. */
unsigned int device_ramdisk_add(void *data, uint64_t size);
/* The page of the device "time": made, and once a tick brought up to date. */
void device_time_init(void);
void device_time_update(void);
/* Once a tick: readers of the log. */
void device_tick(void);

#endif
