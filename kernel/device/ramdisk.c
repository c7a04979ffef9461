/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM disks: boot modules as the block devices "rd0", "rd1", … of 512-byte records ($(ramdisk-create),
   boot/script.h). */

#include "../vm/map.h"
#include "device.h"

#define SECTOR DEVICE_RECORD

static kern_return_t ramdisk_read(struct device *device, uint64_t record, char *to, uint32_t size, uint32_t *count)
{
    uint64_t at = record * SECTOR;
    if (record > device->size / SECTOR)
        return D_INVALID_RECNUM;
    *count = (uint32_t)min((uint64_t)size, device->size - at);
    memcpy(to, (char *)device->data + at, *count);
    return D_SUCCESS;
}

/* The same as memory that is copied once. */
static kern_return_t ramdisk_copy(struct device *device, uint64_t record, uint32_t size, struct vm_copy **copy,
                                  uint32_t *count)
{
    uint64_t at = record * SECTOR;
    if (record > device->size / SECTOR)
        return D_INVALID_RECNUM;
    *count = (uint32_t)min((uint64_t)size, device->size - at);
    *copy = *count ? vm_copy_from_kernel((char *)device->data + at, *count) : NULL;
    return *count && *copy == NULL ? D_NO_MEMORY : D_SUCCESS;
}

static kern_return_t ramdisk_write(struct device *device, uint64_t record, const char *from, uint32_t size,
                                   uint32_t *written)
{
    uint64_t at = record * SECTOR;
    if (record > device->size / SECTOR || size > device->size - at)
        return D_INVALID_RECNUM;
    memcpy((char *)device->data + at, from, size);
    *written = size;
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

static kern_return_t ramdisk_get_status(struct device *device, dev_flavor_t flavor, dev_status_t status,
                                        mach_msg_type_number_t *count)
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

static const struct device_ops ramdisk_ops = {.read = ramdisk_read,
                                              .copy = ramdisk_copy,
                                              .write = ramdisk_write,
                                              .map = ramdisk_map,
                                              .get_status = ramdisk_get_status};

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
