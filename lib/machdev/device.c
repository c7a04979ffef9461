/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.defs: master ports (the control port and the node) and device ports. */

#include "machdev-internal.h"

#include <device/device.h>
#include <fcntl.h>
#include <string.h>
#include <trivfs/mig-hooks.h>

#include "device_S.h"

struct machdev *machdev_only;
atomic_uint machdev_devices_open;

/* ---- device ports ------------------------------------------------------------------ */

static const struct machdev_driver *driver(void)
{
    return machdev_only->options.driver;
}

static void device_destroy(struct ports_object *object)
{
    struct machdev_device *device = (struct machdev_device *)object;
    if (device->device && driver()->close)
        driver()->close(device->device);
    machdev_devices_open--;
}

static const ports_interface_t device_interfaces[] = {device_server_routine, NULL};

static const struct ports_class_ops device_ops = {
    .name = "device",
    .size = sizeof(struct machdev_device),
    .interfaces = device_interfaces,
    .destroy = device_destroy,
};
struct ports_class machdev_device_class = PORTS_CLASS(device_ops);

/* ---- opening ------------------------------------------------------------------------- */

/* The kernel opens a device without looking at the mode; so none means all. */
static dev_mode_t mode_effective(dev_mode_t mode)
{
    return mode & (D_READ | D_WRITE) ? mode & (D_READ | D_WRITE) : D_READ | D_WRITE;
}

/* A port for NAME of our driver, a send right. */
static io_return_t device_create(const char *name, dev_mode_t mode, mach_port_t *port)
{
    struct machdev_device *device;
    error_t err = ports_object_create(&machdev_device_class, machdev_only->bucket, &device);
    if (err)
        return D_NO_MEMORY;
    device->mode = mode;
    machdev_devices_open++;
    io_return_t result = driver()->open(name, mode, &device->device);
    if (result == D_SUCCESS) {
        *port = ports_object_send_right(device);
        if (*port == MACH_PORT_NULL)
            result = D_NO_MEMORY;
    } else {
        device->device = NULL;
    }
    ports_object_deref(device);
    return result;
}

/* May who holds the master port MASTER open with MODE?  *PRIVILEGED: is the kernel's device master open to him too? */
static io_return_t master_check(mach_port_t master, dev_mode_t mode, bool *privileged)
{
    struct trivfs_control *control = begin_using_trivfs_control(master);
    if (control) {
        *privileged = true;
        end_using_trivfs_control(control);
        return D_SUCCESS;
    }
    struct trivfs_protid *protid = begin_using_trivfs_protid(master);
    if (!protid)
        return D_INVALID_OPERATION;
    int needed = (mode & D_READ ? O_READ : 0) | (mode & D_WRITE ? O_WRITE : 0);
    bool allowed = (protid->peropen->flags & needed) == needed;
    *privileged = fshelp_user_is_root(protid->user);
    end_using_trivfs_protid(protid);
    return allowed ? D_SUCCESS : D_INVALID_OPERATION;
}

static kern_return_t master_open(mach_port_t master, dev_mode_t mode, const char *given, mach_port_t *port,
                                 mach_msg_type_name_t *type)
{
    dev_name_t name;
    bool privileged;
    /* A name that fills its field has no end. */
    memcpy(name, given, sizeof name);
    if (memchr(name, '\0', sizeof name) == NULL)
        return D_NO_SUCH_DEVICE;
    io_return_t result = master_check(master, mode_effective(mode), &privileged);
    if (result)
        return result;
    result = driver() ? device_create(name, mode_effective(mode), port) : D_NO_SUCH_DEVICE;
    if (result == D_NO_SUCH_DEVICE && privileged && machdev_only->device_master != MACH_PORT_NULL)
        result = device_open(machdev_only->device_master, mode, name, port);
    *type = MACH_MSG_TYPE_MOVE_SEND;
    return result;
}

kern_return_t ds_device_open(mach_port_t master, mach_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode,
                             const_dev_name_t name, mach_port_t *device, mach_msg_type_name_t *device_type)
{
    (void)reply;
    (void)reply_type;
    return master_open(master, mode, name, device, device_type);
}

kern_return_t ds_device_open_new(mach_port_t master, mach_port_t reply, mach_msg_type_name_t reply_type,
                                 dev_mode_t mode, const_dev_name_t name, mach_port_t *device,
                                 mach_msg_type_name_t *device_type)
{
    (void)reply;
    (void)reply_type;
    return master_open(master, mode, name, device, device_type);
}

/* As in the kernel: the port stays what it is until its last send right goes. */
kern_return_t ds_device_close(machdev_device_t device)
{
    return device ? D_SUCCESS : D_NO_SUCH_DEVICE;
}

/* ---- transfers -------------------------------------------------------------------------- */

static kern_return_t device_read_start(machdev_device_t device, mach_port_t reply, mach_msg_type_name_t reply_type,
                                       mach_msg_id_t reply_id, recnum_t record, int64_t bytes)
{
    if (!device)
        return D_NO_SUCH_DEVICE;
    if (!(device->mode & D_READ))
        return D_INVALID_OPERATION;
    if (bytes < 0)
        return D_INVALID_SIZE;
    struct machdev_request request = {reply, reply_type, reply_id, 0};
    io_return_t result = driver()->read(device->device, &request, record, bytes);
    return result == D_SUCCESS ? MIG_NO_REPLY : result;
}

kern_return_t ds_device_read(machdev_device_t device, mach_port_t reply, mach_msg_type_name_t reply_type,
                             dev_mode_t mode, recnum_t record, int bytes, io_buf_ptr_t *data,
                             mach_msg_type_number_t *count)
{
    (void)mode;
    if (bytes == 0 && device) {
        *data = NULL;
        *count = 0;
        return D_SUCCESS;
    }
    return device_read_start(device, reply, reply_type, 2904, record, bytes);
}

kern_return_t ds_device_read_inband(machdev_device_t device, mach_port_t reply, mach_msg_type_name_t reply_type,
                                    dev_mode_t mode, recnum_t record, int bytes, io_buf_ptr_inband_t data,
                                    mach_msg_type_number_t *count)
{
    (void)mode;
    (void)data;
    if (bytes == 0 && device) {
        *count = 0;
        return D_SUCCESS;
    }
    return device_read_start(device, reply, reply_type, 2905, record, bytes > IO_INBAND_MAX ? IO_INBAND_MAX : bytes);
}

static kern_return_t device_write_start(machdev_device_t device, mach_port_t reply, mach_msg_type_name_t reply_type,
                                        mach_msg_id_t reply_id, dev_mode_t mode, recnum_t record, void *data,
                                        size_t bytes)
{
    if (!device)
        return D_NO_SUCH_DEVICE;
    if (!(device->mode & D_WRITE))
        return D_READ_ONLY;
    struct machdev_request request = {reply, reply_type, reply_id, mode};
    io_return_t result = driver()->write(device->device, &request, record, data, bytes);
    return result == D_SUCCESS ? MIG_NO_REPLY : result;
}

kern_return_t ds_device_write(machdev_device_t device, mach_port_t reply, mach_msg_type_name_t reply_type,
                              dev_mode_t mode, recnum_t record, io_buf_ptr_t data, mach_msg_type_number_t count,
                              int *written)
{
    *written = 0;
    if (count == 0 && device)
        return D_SUCCESS;
    return device_write_start(device, reply, reply_type, 2902, mode, record, data, count);
}

/* The bytes are in the message, which is gone when the routine returns: a page of our own takes them. */
kern_return_t ds_device_write_inband(machdev_device_t device, mach_port_t reply, mach_msg_type_name_t reply_type,
                                     dev_mode_t mode, recnum_t record, const io_buf_ptr_inband_t data,
                                     mach_msg_type_number_t count, int *written)
{
    *written = 0;
    if (count == 0 && device)
        return D_SUCCESS;
    vm_address_t copy = 0;
    if (vm_allocate(mach_task_self(), &copy, vm_page_size, TRUE))
        return D_NO_MEMORY;
    memcpy((void *)copy, data, count);
    kern_return_t result = device_write_start(device, reply, reply_type, 2903, mode, record, (void *)copy, count);
    if (result != MIG_NO_REPLY)
        vm_deallocate(mach_task_self(), copy, vm_page_size);
    return result;
}

/* ---- the rest -------------------------------------------------------------------------- */

kern_return_t ds_device_map(machdev_device_t device, vm_prot_t prot, vm_offset_t offset, vm_size_t size,
                            mach_port_t *object, int unmap)
{
    (void)unmap;
    if (!device)
        return D_NO_SUCH_DEVICE;
    if (!driver()->map || ((prot & VM_PROT_WRITE) && !(device->mode & D_WRITE)))
        return D_INVALID_OPERATION;
    return driver()->map(device->device, prot, offset, size, object);
}

kern_return_t ds_device_set_status(machdev_device_t device, dev_flavor_t flavor, const dev_status_t status,
                                   mach_msg_type_number_t count)
{
    if (!device)
        return D_NO_SUCH_DEVICE;
    return driver()->set_status ? driver()->set_status(device->device, flavor, status, count) : D_INVALID_OPERATION;
}

kern_return_t ds_device_get_status(machdev_device_t device, dev_flavor_t flavor, dev_status_t status,
                                   mach_msg_type_number_t *count)
{
    if (!device)
        return D_NO_SUCH_DEVICE;
    return driver()->get_status ? driver()->get_status(device->device, flavor, status, count) : D_INVALID_OPERATION;
}

/* Packet filters and interrupts are other devices' matters. */
kern_return_t ds_device_set_filter(machdev_device_t device, mach_port_t receiver, int priority,
                                   const filter_array_t filter, mach_msg_type_number_t count)
{
    (void)receiver;
    (void)priority;
    (void)filter;
    (void)count;
    return device ? D_INVALID_OPERATION : D_NO_SUCH_DEVICE;
}

kern_return_t ds_device_intr_register(machdev_device_t device, int id, int flags, mach_port_t receiver)
{
    (void)id;
    (void)flags;
    (void)receiver;
    return device ? D_INVALID_OPERATION : D_NO_SUCH_DEVICE;
}

kern_return_t ds_device_intr_ack(machdev_device_t device, mach_port_t receiver)
{
    (void)receiver;
    return device ? D_INVALID_OPERATION : D_NO_SUCH_DEVICE;
}
