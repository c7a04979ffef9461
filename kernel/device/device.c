/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's devices and their protocol (device/device.defs).  Each has one port that all who open it share; one
   whose operations have `open` makes a device of its own for each. */

#include "device.h"

#include "../ipc/ipc.h"
#include "../vm/map.h"
#include "../vm/proxy.h"
#include "console.h"
#include "device_S.h"
#include "device_reply_U.h"
#include "interrupt.h"
#include "msi.h"

#include <mach/mig_errors.h>

struct ipc_port *device_master;
static struct list devices = LIST_INIT(devices);

/* ---- the table --------------------------------------------------------------------------------------- */

bool device_instance_init(struct device *device, const char *name, const struct device_ops *ops)
{
    struct ipc_port *port = port_alloc_kernel(KOBJECT_DEVICE, device);
    if (port == NULL)
        return false;
    *device = (struct device){.name = name, .ops = ops, .port = port};
    list_init(&device->readers);
    port->kernel_no_senders = ops->end != NULL;
    return true;
}

struct device *device_add(const char *name, const struct device_ops *ops)
{
    struct device *device = kalloc(sizeof *device);
    if (device == NULL || !device_instance_init(device, name, ops))
        panic("no memory for the device %s", name);
    device->port->kernel_no_senders = false;
    list_append(&devices, &device->link);
    return device;
}

static void readers_serve(void);

void device_init(void)
{
    device_master = port_alloc_kernel(KOBJECT_DEVICE_MASTER, &device_master);
    if (device_master == NULL)
        panic("no memory for the devices");
    device_time_init();
    device_add("console", &console_ops);
    device_add("com0", &console_ops);
    device_add("kmsg", &kmsg_ops);
    device_add("time", &time_ops);
    device_add("mem", &mem_ops);
    device_add("irq", &irq_ops);
    device_add("msi", &msi_ops);
    console_input_arrived = readers_serve;
}

device_t dev_port_lookup(ipc_port_t port)
{
    return port_kobject(port, KOBJECT_DEVICE);
}

ipc_port_t convert_device_to_port(device_t device)
{
    return device ? port_make_send(device->port) : IP_NULL;
}

void device_deallocate(device_t device)
{
    (void)device; /* devices stay */
}

/* ---- the protocol --------------------------------------------------------------------------------------- */

/* By its whole name; or, as GNU Mach does, by its name with a unit's number behind it, of which it has one only. */
static struct device *device_lookup(const char *name, size_t room)
{
    size_t length = 0, letters = 0;
    while (length < room && name[length]) {
        length++;
        if (name[length - 1] < '0' || name[length - 1] > '9')
            letters = length;
    }
    struct device *unit = NULL;
    list_for_each(link, &devices) {
        struct device *candidate = list_entry(link, struct device, link);
        size_t size = strlen(candidate->name);
        if (size == length && memcmp(candidate->name, name, size) == 0)
            return candidate;
        if (size == letters && memcmp(candidate->name, name, size) == 0)
            unit = candidate;
    }
    return unit;
}

kern_return_t ds_device_open(ipc_port_t master, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode,
                             const_dev_name_t name, device_t *device)
{
    (void)reply, (void)reply_type, (void)mode;
    if (port_kobject(master, KOBJECT_DEVICE_MASTER) == NULL)
        return D_INVALID_OPERATION;
    struct device *found = device_lookup(name, sizeof(dev_name_t));
    if (found == NULL)
        return D_NO_SUCH_DEVICE;
    if (found->ops->open)
        return found->ops->open(found, device);
    *device = found;
    return D_SUCCESS;
}

kern_return_t ds_device_open_new(ipc_port_t master, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode,
                                 const_dev_name_t name, device_t *device)
{
    return ds_device_open(master, reply, reply_type, mode, name, device);
}

kern_return_t ds_device_close(device_t device)
{
    return device ? D_SUCCESS : D_NO_SUCH_DEVICE;
}

#define WRITE_CHUNK 4096u

kern_return_t ds_device_write(device_t device, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode,
                              recnum_t record, io_buf_ptr_t data, mach_msg_type_number_t size, int *written)
{
    (void)reply, (void)reply_type, (void)mode;
    struct vm_copy *copy = (struct vm_copy *)data;
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops->write == NULL)
        return D_INVALID_OPERATION;
    char *buffer = kalloc(WRITE_CHUNK);
    if (buffer == NULL)
        return D_NO_MEMORY;
    kern_return_t kr = D_SUCCESS;
    uint32_t done = 0, part = 0, count = 0;
    while (kr == D_SUCCESS && count == part && done < size) {
        part = min(size - done, WRITE_CHUNK);
        count = 0;
        kr = vm_copy_read(copy, done, buffer, part)
                 ? device->ops->write(device, record + done / DEVICE_RECORD, buffer, part, &count)
                 : D_NO_MEMORY;
        done += count;
        sched_pause();
    }
    kfree(buffer, WRITE_CHUNK);
    if (kr)
        return kr;
    vm_copy_discard(copy);
    *written = (int)done;
    return D_SUCCESS;
}

kern_return_t ds_device_write_inband(device_t device, ipc_port_t reply, mach_msg_type_name_t reply_type,
                                     dev_mode_t mode, recnum_t record, const io_buf_ptr_inband_t data,
                                     mach_msg_type_number_t size, int *written)
{
    (void)reply, (void)reply_type, (void)mode;
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops->write == NULL)
        return D_INVALID_OPERATION;
    uint32_t count = 0;
    kern_return_t kr = device->ops->write(device, record, data, size, &count);
    *written = (int)count;
    return kr;
}

/* Forgets requests whose callers no longer wait, so that they neither gather nor take what others would read. */
static void readers_forget_dead(struct device *device)
{
    list_for_each_safe(link, after, &device->readers) {
        struct device_request *request = list_entry(link, struct device_request, link);
        if (request->reply->active)
            continue;
        list_remove(link);
        right_release(request->reply, request->reply_type);
        kfree(request, sizeof *request);
    }
}

/* Keeps the request until there is something to read. */
static kern_return_t reader_add(struct device *device, ipc_port_t reply, mach_msg_type_name_t reply_type,
                                uint32_t wanted, bool inband)
{
    if (!IP_VALID(reply))
        return D_INVALID_OPERATION;
    readers_forget_dead(device);
    struct device_request *request = kalloc(sizeof *request);
    if (request == NULL)
        return D_NO_MEMORY;
    *request = (struct device_request){.reply = reply, .reply_type = reply_type, .wanted = wanted, .inband = inband};
    list_append(&device->readers, &request->link);
    return MIG_NO_REPLY;
}

static void reader_answer(struct device_request *request, const char *data, uint32_t count)
{
    if (request->inband) {
        ds_device_read_reply_inband(request->reply, request->reply_type, D_SUCCESS, data, count);
    } else {
        struct vm_copy *copy = vm_copy_from_kernel(data, count);
        ds_device_read_reply(request->reply, request->reply_type, copy ? D_SUCCESS : D_NO_MEMORY, (io_buf_ptr_t)copy,
                             copy ? count : 0);
    }
    kfree(request, sizeof *request);
}

/* Input has come: those who wait longest get it. */
static void readers_serve(void)
{
    list_for_each(device_link, &devices) {
        struct device *device = list_entry(device_link, struct device, link);
        if (device->ops->waits)
            readers_forget_dead(device);
        while (device->ops->waits && !list_empty(&device->readers)) {
            struct device_request *request = list_entry(device->readers.next, struct device_request, link);
            char data[IO_INBAND_MAX];
            uint32_t count;
            device->ops->read(device, 0, data, min(request->wanted, (uint32_t)sizeof data), &count);
            if (count == 0)
                break;
            list_remove(&request->link);
            reader_answer(request, data, count);
        }
    }
}

/* The kernel may speak where no message can be sent, so who reads its log is answered a little later. */
void device_tick(void)
{
    if (console_log_grown())
        readers_serve();
}

#define READ_MAX (1u << 20)

/* Whether WANTED bytes can be asked of DEVICE at all. */
static kern_return_t read_check(device_t device, int wanted)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops->read == NULL)
        return D_INVALID_OPERATION;
    return wanted < 0 ? D_INVALID_SIZE : D_SUCCESS;
}

kern_return_t ds_device_read(device_t device, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode,
                             recnum_t record, int wanted, io_buf_ptr_t *data, mach_msg_type_number_t *count)
{
    kern_return_t kr = read_check(device, wanted);
    if (kr)
        return kr;
    uint32_t size = min((uint32_t)wanted, READ_MAX);
    if (device->ops->copy)
        return device->ops->copy(device, record, size, (struct vm_copy **)data, count);
    char *buffer = kalloc(max(size, 1u));
    if (buffer == NULL)
        return D_NO_MEMORY;
    kr = device->ops->read(device, record, buffer, size, count);
    struct vm_copy *copy = kr == D_SUCCESS && *count ? vm_copy_from_kernel(buffer, *count) : NULL;
    bool lost = kr == D_SUCCESS && *count && copy == NULL;
    kfree(buffer, max(size, 1u));
    *data = (io_buf_ptr_t)copy;
    if (lost)
        return D_NO_MEMORY;
    if (kr || *count || !device->ops->waits || size == 0)
        return kr;
    return mode & D_NOWAIT ? D_WOULD_BLOCK : reader_add(device, reply, reply_type, size, false);
}

kern_return_t ds_device_read_inband(device_t device, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode,
                                    recnum_t record, int wanted, io_buf_ptr_inband_t data,
                                    mach_msg_type_number_t *count)
{
    kern_return_t kr = read_check(device, wanted);
    if (kr)
        return kr;
    kr = device->ops->read(device, record, data, min((uint32_t)wanted, (uint32_t)IO_INBAND_MAX), count);
    if (kr || *count || !device->ops->waits || wanted == 0)
        return kr;
    return mode & D_NOWAIT ? D_WOULD_BLOCK : reader_add(device, reply, reply_type, (uint32_t)wanted, true);
}

kern_return_t ds_device_map(device_t device, vm_prot_t protection, vm_offset_t offset, vm_size_t size,
                            ipc_port_t *pager, int unmap)
{
    (void)unmap;
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (protection & ~VM_PROT_ALL)
        return KERN_INVALID_ARGUMENT;
    if (device->ops->map == NULL)
        return D_INVALID_OPERATION;
    struct vm_object *object = device->ops->map(device, protection, offset, size);
    if (object == NULL)
        return D_INVALID_OPERATION;
    struct ipc_port *port = port_alloc_kernel(KOBJECT_PAGER, object);
    if (port == NULL) {
        object_deref(object);
        return D_NO_MEMORY;
    }
    port->kernel_no_senders = true;
    *pager = port_make_send(port);
    return D_SUCCESS;
}

kern_return_t ds_device_get_status(device_t device, dev_flavor_t flavor, dev_status_t status,
                                   mach_msg_type_number_t *count)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    return device->ops->get_status ? device->ops->get_status(device, flavor, status, count) : D_INVALID_OPERATION;
}

kern_return_t ds_device_set_status(device_t device, dev_flavor_t flavor, const dev_status_t status,
                                   mach_msg_type_number_t count)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    return device->ops->set_status ? device->ops->set_status(device, flavor, status, count) : D_INVALID_OPERATION;
}

kern_return_t ds_device_set_filter(device_t device, ipc_port_t port, int priority, const filter_array_t filter,
                                   mach_msg_type_number_t count)
{
    (void)port, (void)priority, (void)filter, (void)count;
    return device ? D_INVALID_OPERATION : D_NO_SUCH_DEVICE;
}

kern_return_t ds_device_intr_register(device_t device, int line, int flags, ipc_port_t port)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    return device->ops->intr_register ? device->ops->intr_register(device, line, flags, port) : D_INVALID_OPERATION;
}

kern_return_t ds_device_intr_ack(device_t device, ipc_port_t port)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops->intr_ack == NULL)
        return D_INVALID_OPERATION;
    kern_return_t kr = device->ops->intr_ack(device, port);
    if (kr == D_SUCCESS)
        port_release_send(port);
    return kr;
}

/* ---- ports that end with their last sender ------------------------------------------------------------------ */

void kobject_no_senders(struct ipc_port *port)
{
    struct vm_object *object;
    struct device *device;
    switch (port->kobject_type) {
    case KOBJECT_DEVICE:
        device = port->kobject;
        port_destroy(port);
        device->ops->end(device);
        break;
    case KOBJECT_PAGER:
        object = port->kobject;
        port_destroy(port);
        object_deref(object);
        break;
    case KOBJECT_PAGER_PROXY:
        proxy_no_senders(port);
        break;
    case KOBJECT_IO_PERM:
        io_perm_no_senders(port);
        break;
    default:
        break;
    }
}
