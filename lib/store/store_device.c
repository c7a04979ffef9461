/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store: device:NAME, a Mach device with records, as the kernel's or a user-space driver's device interface offers it.

   Who is asked for the device: the master port that the caller gave; else the task's bootstrap port (a disk driver that
   started us answers device_open there), then the host's device master, then the device node /dev/disk.

   Flushing.  Mach's device interface has no call for it.  A driver whose writes may rest in a cache of the disk
   understands the status flavor STORE_DEVICE_FLUSH with no values; one that answers D_INVALID_OPERATION has no such
   cache.  */

#include "store.h"

#include <device/device.h>
#include <fcntl.h>
#include <hurd.h>
#include <mach.h>
#include <mach/thread_switch.h>
#include <mach_error.h>
#include <stdlib.h>
#include <string.h>

#include "store_device.h"

/* Bytes that one request may have: what a driver can describe to a disk in one command.  */
#define DEVICE_REQUEST_MAX (1u << 20)
/* A driver without memory: writes, and reads that could not be shorter, are tried again, so often and after so
   long.  */
#define SMALL_REQUEST (16u << 10)
enum { MEMORY_TRIES = 1500, MEMORY_WAIT_MS = 20 };

/* Puts the port under which device requests of STORE go into *DEVICE.  */
static kern_return_t device_try(mach_port_t master, const char *name, bool *readonly, mach_port_t *device)
{
    if (!MACH_PORT_VALID(master))
        return D_NO_SUCH_DEVICE;
    kern_return_t kr = *readonly ? D_READ_ONLY : device_open(master, D_READ | D_WRITE, (char *)name, device);
    if (kr == D_READ_ONLY || kr == EROFS || kr == EACCES) {
        *readonly = true;
        kr = device_open(master, D_READ, (char *)name, device);
    }
    if (kr == 0 && !MACH_PORT_VALID(*device))
        kr = D_NO_SUCH_DEVICE;
    return kr;
}

static kern_return_t device_try_all(const char *name, bool *readonly, mach_port_t *device)
{
    mach_port_t master = MACH_PORT_NULL;
    kern_return_t kr = D_NO_SUCH_DEVICE;
    if (task_get_bootstrap_port(mach_task_self(), &master) == 0 && MACH_PORT_VALID(master)) {
        kr = device_try(master, name, readonly, device);
        mach_port_deallocate(mach_task_self(), master);
    }
    if (kr && get_privileged_ports(NULL, &master) == 0) {
        kern_return_t kr2 = device_try(master, name, readonly, device);
        mach_port_deallocate(mach_task_self(), master);
        if (kr2 == 0 || kr == MIG_BAD_ID || kr == D_NO_SUCH_DEVICE)
            kr = kr2;
    }
    if (kr && getcrdir() != MACH_PORT_NULL) {
        master = file_name_lookup("/dev/disk", *readonly ? O_READ : O_READ | O_WRITE, 0);
        if (MACH_PORT_VALID(master)) {
            kr = device_try(master, name, readonly, device);
            mach_port_deallocate(mach_task_self(), master);
        }
    }
    return kr;
}

static const char *device_strerror(kern_return_t kr)
{
    switch (kr) {
    case D_NO_SUCH_DEVICE: case MIG_BAD_ID: return "no such device";
    case D_IO_ERROR: return "input/output error";
    case D_DEVICE_DOWN: return "no medium, or the device is shut down";
    case D_ALREADY_OPEN: return "device is already open";
    default: return mach_error_string(kr);
    }
}

static error_t device_errno(kern_return_t kr)
{
    switch (kr) {
    case 0: return 0;
    case D_NO_SUCH_DEVICE: case D_DEVICE_DOWN: return ENXIO;
    case D_READ_ONLY: return EROFS;
    case D_NO_MEMORY: case KERN_RESOURCE_SHORTAGE: return ENOMEM;
    case D_INVALID_RECNUM: case D_INVALID_SIZE: return ENXIO;
    default: return EIO;
    }
}

/* What stands behind the hook.  */
struct device {
    mach_port_t port;
    bool can_through;             /* it knows STORE_DEVICE_THROUGH */
};

/* Asks the device's size.  DEV_GET_RECORDS counts records up to 2^32, and gives 0 for more; older drivers only know
   DEV_GET_SIZE.  */
static kern_return_t device_ask_size(mach_port_t port, uint64_t *records, uint64_t *record, bool *can_through)
{
    int status[STORE_DEVICE_SIZE_COUNT];
    mach_msg_type_number_t count = STORE_DEVICE_SIZE_COUNT;
    kern_return_t kr = device_get_status(port, STORE_DEVICE_SIZE, status, &count);
    if (kr == 0 && count == STORE_DEVICE_SIZE_COUNT) {
        *records = (uint32_t)status[STORE_DEVICE_SIZE_LOW] | (uint64_t)(uint32_t)status[STORE_DEVICE_SIZE_HIGH] << 32;
        *record = (uint32_t)status[STORE_DEVICE_SIZE_RECORD];
        *can_through = status[STORE_DEVICE_SIZE_ABILITIES] & STORE_DEVICE_CAN_THROUGH;
        return 0;
    }
    count = DEV_GET_RECORDS_COUNT;
    kr = device_get_status(port, DEV_GET_RECORDS, status, &count);
    if (kr == 0 && count == DEV_GET_RECORDS_COUNT) {
        *records = (uint32_t)status[DEV_GET_RECORDS_DEVICE_RECORDS];
        *record = (uint32_t)status[DEV_GET_RECORDS_RECORD_SIZE];
        return 0;
    }
    count = DEV_GET_SIZE_COUNT;
    kr = device_get_status(port, DEV_GET_SIZE, status, &count);
    if (kr == 0) {
        *record = (uint32_t)status[DEV_GET_SIZE_RECORD_SIZE];
        *records = *record ? (uint32_t)status[DEV_GET_SIZE_DEVICE_SIZE] / *record : 0;
    }
    return kr;
}

static kern_return_t device_get_size(struct store *store, struct device *device)
{
    uint64_t records, record;
    kern_return_t kr = device_ask_size(device->port, &records, &record, &device->can_through);
    if (kr)
        return kr;
    if (record < 512 || record > vm_page_size || (record & (record - 1)) || records == 0 ||
        records > INT64_MAX / record)
        return D_INVALID_SIZE;
    store->block_size = (uint32_t)record;
    store->size = records * record;
    return 0;
}

static error_t device_store_open(struct store *store, const char *rest, const struct store_options *options, char **why)
{
    bool readonly = options->readonly;
    mach_port_t port = MACH_PORT_NULL;
    kern_return_t kr = options->device_master ? device_try(options->device_master, rest, &readonly, &port)
                                              : device_try_all(rest, &readonly, &port);
    if (kr)
        return store_fail(why, device_errno(kr), "device:%s: %s", rest, device_strerror(kr));
    struct device *device = calloc(1, sizeof *device);
    if (!device) {
        mach_port_deallocate(mach_task_self(), port);
        return ENOMEM;
    }
    device->port = port;
    kr = device_get_size(store, device);
    if (kr) {
        mach_port_deallocate(mach_task_self(), port);
        free(device);
        return store_fail(why, kr == D_INVALID_SIZE ? EINVAL : device_errno(kr), "device:%s: %s", rest,
                          kr == D_INVALID_SIZE ? "not a disk (its size or record size is unusable)"
                                               : device_strerror(kr));
    }
    store->readonly = readonly;
    store->hook = device;
    return 0;
}

static mach_port_t device_port(const struct store *store)
{
    return ((struct device *)store->hook)->port;
}

/* The driver has no memory for a transfer just now.  Sleeps a while and says true, but not for ever.  */
static bool device_again(kern_return_t kr, unsigned int *tries)
{
    if (device_errno(kr) != ENOMEM || ++*tries > MEMORY_TRIES)
        return false;
    thread_switch(MACH_PORT_NULL, SWITCH_OPTION_WAIT, MEMORY_WAIT_MS);
    return true;
}

/* One request; the whole LENGTH or an error.  ENOMEM: less might do.  */
static error_t device_request(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    io_buf_ptr_t data;
    mach_msg_type_number_t count = 0;
    unsigned int tries = 0;
    kern_return_t kr;
    do
        kr = device_read(device_port(store), 0, (recnum_t)(offset / store->block_size), (int)length, &data, &count);
    while (kr && length <= SMALL_REQUEST && device_again(kr, &tries));
    if (kr)
        return device_errno(kr);
    if (count < length) {
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
        return EIO;
    }
    *buffer = data;
    return 0;
}

/* A read of more than one request: the pieces are moved together by remapping, not by copying, if they are whole
   pages.  */
static error_t device_read_long(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    char *all = store_alloc(length);
    if (!all)
        return ENOMEM;
    for (size_t done = 0; done < length;) {
        size_t piece = length - done < DEVICE_REQUEST_MAX ? length - done : DEVICE_REQUEST_MAX;
        void *data;
        error_t err = device_request(store, offset + done, piece, &data);
        if (err) {
            store_free(all, length);
            return err;
        }
        vm_copy(mach_task_self(), (vm_address_t)data, round_page(piece), (vm_address_t)all + done);
        store_free(data, piece);
        done += piece;
    }
    *buffer = all;
    return 0;
}

static error_t device_store_read(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    return length <= DEVICE_REQUEST_MAX ? device_request(store, offset, length, buffer)
                                        : device_read_long(store, offset, length, buffer);
}

static error_t device_write_mode(struct store *store, uint64_t offset, const void *data, size_t length, dev_mode_t mode)
{
    for (size_t done = 0; done < length;) {
        size_t piece = length - done < DEVICE_REQUEST_MAX ? length - done : DEVICE_REQUEST_MAX;
        int written = 0;
        unsigned int tries = 0;
        kern_return_t kr;
        do
            kr = device_write(device_port(store), mode, (recnum_t)((offset + done) / store->block_size),
                              (char *)data + done, (mach_msg_type_number_t)piece, &written);
        while (kr && device_again(kr, &tries));
        if (kr)
            return device_errno(kr);
        if (written <= 0 || (size_t)written > piece || (size_t)written % store->block_size)
            return EIO;
        done += (size_t)written;
    }
    return 0;
}

static error_t device_store_write(struct store *store, uint64_t offset, const void *data, size_t length)
{
    return device_write_mode(store, offset, data, length, 0);
}

static error_t device_store_write_through(struct store *store, uint64_t offset, const void *data, size_t length)
{
    struct device *device = store->hook;
    return device->can_through ? device_write_mode(store, offset, data, length, STORE_DEVICE_THROUGH) : ENOTSUP;
}

static error_t device_store_flush(struct store *store)
{
    int nothing = 0;
    kern_return_t kr = device_set_status(device_port(store), STORE_DEVICE_FLUSH, &nothing, 0);
    return kr == D_INVALID_OPERATION || kr == MIG_BAD_ID ? 0 : device_errno(kr);
}

static void device_store_place(struct store *store, struct store_place *place)
{
    const struct device *device = store->hook;
    *place = (struct store_place){.kind = STORE_PLACE_DEVICE,
                                  .port = device->port,
                                  .fd = -1,
                                  .name = strchr(store->name, ':') + 1};
}

static void device_store_close(struct store *store)
{
    device_close(device_port(store));
    mach_port_deallocate(mach_task_self(), device_port(store));
    free(store->hook);
}

const struct store_class store_class_device = {
    .name = "device", .open = device_store_open, .read = device_store_read, .write = device_store_write,
    .write_through = device_store_write_through, .flush = device_store_flush, .place = device_store_place,
    .close = device_store_close,
};
