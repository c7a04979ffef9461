/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's devices and their protocol (device/device.defs).  Each has one port that all who open it share. */

#include "device.h"

#include "../arch/x86_64/machine.h"
#include "../ipc/ipc.h"
#include "../task/task.h"
#include "../vm/map.h"
#include "../vm/proxy.h"
#include "console.h"
#include "device_S.h"
#include "device_reply_U.h"
#include "interrupt.h"

#include <device/tty_status.h>
#include <mach/mig_errors.h>

#define SECTOR 512

struct ipc_port *device_master;
static struct list devices = LIST_INIT(devices);
static struct mapped_time_value *time_page;

/* ---- console and kmsg ------------------------------------------------------------------- */

static kern_return_t console_read(struct device *device, uint64_t record, char *to, uint32_t size, uint32_t *count)
{
    (void)device, (void)record;
    *count = (uint32_t)console_input_read(to, size);
    return D_SUCCESS;
}

static kern_return_t console_device_write(struct device *device, uint64_t record, const char *from, uint32_t size)
{
    (void)device, (void)record;
    console_write(from, size);
    return D_SUCCESS;
}

static kern_return_t console_get_status(struct device *device, dev_flavor_t flavor, dev_status_t status, mach_msg_type_number_t *count)
{
    (void)device;
    if (flavor != TTY_STATUS)
        return D_INVALID_OPERATION;
    if (*count < TTY_STATUS_COUNT)
        return D_INVALID_SIZE;
    *(struct tty_status *)status = (struct tty_status){.tt_ispeed = B115200, .tt_ospeed = B115200};
    *count = TTY_STATUS_COUNT;
    return D_SUCCESS;
}

static kern_return_t console_set_status(struct device *device, dev_flavor_t flavor, const dev_status_t status, mach_msg_type_number_t count)
{
    /* Speeds and modes are the terminal server's business; the line is always raw. */
    (void)device, (void)flavor, (void)status, (void)count;
    return D_SUCCESS;
}

static kern_return_t kmsg_read(struct device *device, uint64_t record, char *to, uint32_t size, uint32_t *count)
{
    (void)device;
    *count = (uint32_t)console_log_read(record, to, size);
    return D_SUCCESS;
}

/* ---- time and mem ----------------------------------------------------------------------------- */

void device_time_update(void)
{
    struct mapped_time_value *mapped = time_page;
    if (mapped == NULL)
        return;
    uint64_t up = machine_uptime_micros(), now = host_boot_micros() + up;
    /* Readers take the check last: it is written first. */
    mapped->check_seconds = (integer_t)(now / 1000000);
    mapped->check_seconds64 = (int64_t)(now / 1000000);
    mapped->check_upseconds64 = (int64_t)(up / 1000000);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    mapped->microseconds = (integer_t)(now % 1000000);
    mapped->time_value.nanoseconds = (int64_t)(now % 1000000 * 1000);
    mapped->uptime_value.nanoseconds = (int64_t)(up % 1000000 * 1000);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    mapped->seconds = (integer_t)(now / 1000000);
    mapped->time_value.seconds = (int64_t)(now / 1000000);
    mapped->uptime_value.seconds = (int64_t)(up / 1000000);
}

static struct vm_object *time_map(struct device *device, vm_prot_t protection, uint64_t offset, uint64_t size)
{
    (void)device;
    if ((protection & VM_PROT_WRITE) || offset || size > PAGE_SIZE)
        return NULL;
    return object_create_physical(virt_to_phys(time_page), PAGE_SIZE, false);
}

static struct vm_object *mem_map(struct device *device, vm_prot_t protection, uint64_t offset, uint64_t size)
{
    (void)device, (void)protection;
    if (offset % PAGE_SIZE || offset + size < offset)
        return NULL;
    /* Memory that the allocator gives away is not for mapping; the first MiB (firmware tables) is read by drivers. */
    for (uint64_t at = max(offset, 1ul << 20); at < min(offset + size, page_limit); at += PAGE_SIZE)
        if (page_of_physical(at)->managed)
            return NULL;
    return object_create_physical(offset, align_up(size, PAGE_SIZE), offset >= 1ul << 20);
}

/* ---- RAM disks ----------------------------------------------------------------------------------- */

static kern_return_t ramdisk_read(struct device *device, uint64_t record, char *to, uint32_t size, uint32_t *count)
{
    uint64_t at = record * SECTOR;
    if (record > device->size / SECTOR)
        return D_INVALID_RECNUM;
    *count = (uint32_t)min((uint64_t)size, device->size - at);
    memcpy(to, (char *)device->data + at, *count);
    return D_SUCCESS;
}

static kern_return_t ramdisk_write(struct device *device, uint64_t record, const char *from, uint32_t size)
{
    uint64_t at = record * SECTOR;
    if (record > device->size / SECTOR || size > device->size - at)
        return D_INVALID_RECNUM;
    memcpy((char *)device->data + at, from, size);
    return D_SUCCESS;
}

static struct vm_object *ramdisk_map(struct device *device, vm_prot_t protection, uint64_t offset, uint64_t size)
{
    (void)protection;
    uint64_t start = virt_to_phys(device->data) + offset;
    if (start % PAGE_SIZE || offset > device->size || size > device->size - offset || align_down(size, PAGE_SIZE) == 0)
        return NULL;
    return object_create_physical(start, align_down(size, PAGE_SIZE), false);
}

static kern_return_t ramdisk_get_status(struct device *device, dev_flavor_t flavor, dev_status_t status, mach_msg_type_number_t *count)
{
    if (*count < 2)
        return D_INVALID_SIZE;
    if (flavor == DEV_GET_SIZE)
        status[DEV_GET_SIZE_DEVICE_SIZE] = (int)device->size;
    else if (flavor == DEV_GET_RECORDS)
        status[DEV_GET_RECORDS_DEVICE_RECORDS] = (int)(device->size / SECTOR);
    else
        return D_INVALID_OPERATION;
    status[1] = SECTOR;
    *count = 2;
    return D_SUCCESS;
}

/* ---- the table --------------------------------------------------------------------------------------- */

static const struct device_ops console_ops = {.read = console_read, .write = console_device_write, .get_status = console_get_status,
                                              .set_status = console_set_status, .waits = true};
static const struct device_ops kmsg_ops = {.read = kmsg_read};
static const struct device_ops time_ops = {.map = time_map};
static const struct device_ops mem_ops = {.map = mem_map};
static const struct device_ops irq_ops = {NULL};
static const struct device_ops ramdisk_ops = {.read = ramdisk_read, .write = ramdisk_write, .map = ramdisk_map,
                                              .get_status = ramdisk_get_status};

static struct device *device_add(const char *name, const struct device_ops *ops)
{
    struct device *device = kalloc(sizeof *device);
    struct ipc_port *port = device ? port_alloc_kernel(KOBJECT_DEVICE, device) : NULL;
    if (port == NULL)
        panic("no memory for the device %s", name);
    *device = (struct device){.name = name, .ops = ops, .port = port};
    list_init(&device->readers);
    list_append(&devices, &device->link);
    return device;
}

static struct device *console_device;
static void readers_serve(void);

void device_init(void)
{
    device_master = port_alloc_kernel(KOBJECT_DEVICE_MASTER, &device_master);
    struct page *page = page_alloc(0, UINT64_MAX);
    if (device_master == NULL || page == NULL)
        panic("no memory for the devices");
    time_page = page_address(page);
    memset(time_page, 0, PAGE_SIZE);
    console_device = device_add("console", &console_ops);
    device_add("com0", &console_ops);
    device_add("kmsg", &kmsg_ops);
    device_add("time", &time_ops);
    device_add("mem", &mem_ops);
    device_add("irq", &irq_ops);
    console_input_arrived = readers_serve;
    device_time_update();
}

unsigned int device_ramdisk_add(void *data, uint64_t size)
{
    static unsigned int count;
    char *name = kalloc(8);
    if (name == NULL)
        panic("no memory for a RAM disk's name");
    ksnprintf(name, 8, "rd%u", count);
    struct device *device = device_add(name, &ramdisk_ops);
    device->data = data;
    device->size = align_down(size, (uint64_t)SECTOR);
    return count++;
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

kern_return_t ds_device_open(ipc_port_t master, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode, const_dev_name_t name,
                             device_t *device)
{
    (void)reply, (void)reply_type, (void)mode;
    if (port_kobject(master, KOBJECT_DEVICE_MASTER) == NULL)
        return D_INVALID_OPERATION;
    list_for_each(link, &devices) {
        struct device *candidate = list_entry(link, struct device, link);
        if (strncmp(candidate->name, name, sizeof(dev_name_t)) == 0) {
            *device = candidate;
            return D_SUCCESS;
        }
    }
    return D_NO_SUCH_DEVICE;
}

kern_return_t ds_device_open_new(ipc_port_t master, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode, const_dev_name_t name,
                                 device_t *device)
{
    return ds_device_open(master, reply, reply_type, mode, name, device);
}

kern_return_t ds_device_close(device_t device)
{
    return device ? D_SUCCESS : D_NO_SUCH_DEVICE;
}

#define WRITE_CHUNK 4096u

kern_return_t ds_device_write(device_t device, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode, recnum_t record,
                              io_buf_ptr_t data, mach_msg_type_number_t size, int *written)
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
    for (uint32_t done = 0; done < size && kr == D_SUCCESS; done += WRITE_CHUNK) {
        uint32_t part = min(size - done, WRITE_CHUNK);
        kr = vm_copy_read(copy, done, buffer, part) ? device->ops->write(device, record + done / SECTOR, buffer, part) : D_NO_MEMORY;
    }
    kfree(buffer, WRITE_CHUNK);
    if (kr)
        return kr;
    vm_copy_discard(copy);
    *written = (int)size;
    return D_SUCCESS;
}

kern_return_t ds_device_write_inband(device_t device, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode, recnum_t record,
                                     const io_buf_ptr_inband_t data, mach_msg_type_number_t size, int *written)
{
    (void)reply, (void)reply_type, (void)mode;
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops->write == NULL)
        return D_INVALID_OPERATION;
    kern_return_t kr = device->ops->write(device, record, data, size);
    *written = kr ? 0 : (int)size;
    return kr;
}

/* Keeps the request until there is something to read. */
static kern_return_t reader_add(struct device *device, ipc_port_t reply, mach_msg_type_name_t reply_type, uint32_t wanted, bool inband)
{
    if (!IP_VALID(reply))
        return D_INVALID_OPERATION;
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
        ds_device_read_reply(request->reply, request->reply_type, copy ? D_SUCCESS : D_NO_MEMORY, (io_buf_ptr_t)copy, copy ? count : 0);
    }
    kfree(request, sizeof *request);
}

/* Input has come: those who wait longest get it. */
static void readers_serve(void)
{
    list_for_each(device_link, &devices) {
        struct device *device = list_entry(device_link, struct device, link);
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

#define READ_MAX (1u << 20)

kern_return_t ds_device_read(device_t device, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode, recnum_t record, int wanted,
                             io_buf_ptr_t *data, mach_msg_type_number_t *count)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops->read == NULL)
        return D_INVALID_OPERATION;
    if (wanted < 0)
        return D_INVALID_SIZE;
    uint32_t size = min((uint32_t)wanted, READ_MAX);
    char *buffer = kalloc(max(size, 1u));
    if (buffer == NULL)
        return D_NO_MEMORY;
    kern_return_t kr = device->ops->read(device, record, buffer, size, count);
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

kern_return_t ds_device_read_inband(device_t device, ipc_port_t reply, mach_msg_type_name_t reply_type, dev_mode_t mode, recnum_t record,
                                    int wanted, io_buf_ptr_inband_t data, mach_msg_type_number_t *count)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops->read == NULL)
        return D_INVALID_OPERATION;
    if (wanted < 0)
        return D_INVALID_SIZE;
    kern_return_t kr = device->ops->read(device, record, data, min((uint32_t)wanted, (uint32_t)IO_INBAND_MAX), count);
    if (kr || *count || !device->ops->waits || wanted == 0)
        return kr;
    return mode & D_NOWAIT ? D_WOULD_BLOCK : reader_add(device, reply, reply_type, (uint32_t)wanted, true);
}

kern_return_t ds_device_map(device_t device, vm_prot_t protection, vm_offset_t offset, vm_size_t size, ipc_port_t *pager, int unmap)
{
    (void)unmap;
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops->map == NULL || (protection & ~VM_PROT_ALL))
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

kern_return_t ds_device_get_status(device_t device, dev_flavor_t flavor, dev_status_t status, mach_msg_type_number_t *count)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    return device->ops->get_status ? device->ops->get_status(device, flavor, status, count) : D_INVALID_OPERATION;
}

kern_return_t ds_device_set_status(device_t device, dev_flavor_t flavor, const dev_status_t status, mach_msg_type_number_t count)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    return device->ops->set_status ? device->ops->set_status(device, flavor, status, count) : D_INVALID_OPERATION;
}

kern_return_t ds_device_set_filter(device_t device, ipc_port_t port, int priority, const filter_array_t filter, mach_msg_type_number_t count)
{
    (void)port, (void)priority, (void)filter, (void)count;
    return device ? D_INVALID_OPERATION : D_NO_SUCH_DEVICE;
}

kern_return_t ds_device_intr_register(device_t device, int line, int flags, ipc_port_t port)
{
    (void)flags;
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    return device->ops == &irq_ops ? interrupt_register((unsigned int)line, port) : D_INVALID_OPERATION;
}

kern_return_t ds_device_intr_ack(device_t device, ipc_port_t port)
{
    if (device == NULL)
        return D_NO_SUCH_DEVICE;
    if (device->ops != &irq_ops)
        return D_INVALID_OPERATION;
    kern_return_t kr = interrupt_acknowledge(port);
    if (kr == D_SUCCESS)
        port_release_send(port);
    return kr;
}

/* ---- ports that end with their last sender ------------------------------------------------------------------ */

void kobject_no_senders(struct ipc_port *port)
{
    struct vm_object *object;
    switch (port->kobject_type) {
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
