/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM disks, which GNU Mach lacks: "rd0" is a boot module of 8 records and 100 bytes more, made by conformance.py. */

#include <device/device.h>

#include "frame.h"

enum { RECORD = 512, RECORDS = 8 };

static mach_port_t disk_open(void)
{
    mach_port_t device = MACH_PORT_NULL;
    EXPECT(device_open(device_master, D_READ | D_WRITE, (char *)"rd0", &device), D_SUCCESS);
    return device;
}

/* Are the COUNT bytes at DATA those of the disk from byte AT on? */
static bool contents(const void *data, unsigned int at, unsigned int count)
{
    const unsigned char *bytes = data;
    for (unsigned int i = 0; i < count; i++)
        if (bytes[i] != (unsigned char)(7 * (at + i) + (at + i) / 256))
            return false;
    return true;
}

CASE_OURS(ramdisk_names)
{
    mach_port_t device = MACH_PORT_NULL, disk = disk_open();
    EXPECT(device_open(device_master, D_READ, (char *)"rd1", &device), D_NO_SUCH_DEVICE);
    EXPECT(device_open(device_master, D_READ, (char *)"rd", &device), D_NO_SUCH_DEVICE);
    EXPECT(device_open(device_master, D_READ, (char *)"rd00", &device), D_NO_SUCH_DEVICE);
    mach_port_deallocate(mach_task_self(), disk);
}

CASE_OURS(ramdisk_size)
{
    mach_port_t disk = disk_open();
    int status[DEV_STATUS_MAX];
    mach_msg_type_number_t count = DEV_GET_SIZE_COUNT;
    EXPECT(device_get_status(disk, DEV_GET_SIZE, status, &count), D_SUCCESS);
    EXPECT(count, DEV_GET_SIZE_COUNT);
    EXPECT(status[DEV_GET_SIZE_DEVICE_SIZE], RECORDS * RECORD);
    EXPECT(status[DEV_GET_SIZE_RECORD_SIZE], RECORD);
    EXPECT(device_get_status(disk, DEV_GET_RECORDS, status, &count), D_SUCCESS);
    EXPECT(status[DEV_GET_RECORDS_DEVICE_RECORDS], RECORDS);
    count = 1;
    EXPECT(device_get_status(disk, DEV_GET_SIZE, status, &count), D_INVALID_SIZE);
    count = 2;
    EXPECT(device_get_status(disk, 77, status, &count), D_INVALID_OPERATION);
    EXPECT(device_set_status(disk, DEV_GET_SIZE, status, 2), D_INVALID_OPERATION);
    mach_port_deallocate(mach_task_self(), disk);
}

CASE_OURS(ramdisk_read)
{
    mach_port_t disk = disk_open();
    io_buf_ptr_t data = 0;
    io_buf_ptr_inband_t inband;
    mach_msg_type_number_t count = 0;
    EXPECT(device_read(disk, 0, 0, RECORDS * RECORD, &data, &count), D_SUCCESS);
    EXPECT(count, RECORDS * RECORD);
    CHECK(contents(data, 0, count));
    vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    count = sizeof inband;
    EXPECT(device_read_inband(disk, 0, 3, 100, inband, &count), D_SUCCESS);
    EXPECT(count, 100);
    CHECK(contents(inband, 3 * RECORD, count));
    mach_port_deallocate(mach_task_self(), disk);
}

CASE_OURS(ramdisk_read_at_the_end)
{
    mach_port_t disk = disk_open();
    io_buf_ptr_t data = 0;
    mach_msg_type_number_t count = 0;
    EXPECT(device_read(disk, 0, RECORDS - 1, 4 * RECORD, &data, &count), D_SUCCESS);
    EXPECT(count, RECORD);
    CHECK(contents(data, (RECORDS - 1) * RECORD, count));
    vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    EXPECT(device_read(disk, 0, RECORDS + 1, RECORD, &data, &count), D_INVALID_RECNUM);
    EXPECT(device_read(disk, 0, ~0ul / RECORD, RECORD, &data, &count), D_INVALID_RECNUM);
    EXPECT(device_read(disk, 0, ~0ul, RECORD, &data, &count), D_INVALID_RECNUM);
    EXPECT(device_read(disk, 0, 0, -1, &data, &count), D_INVALID_SIZE);
    EXPECT(device_read(disk, 0, 0, 0, &data, &count), D_SUCCESS);
    EXPECT(count, 0);
    mach_port_deallocate(mach_task_self(), disk);
}

CASE_OURS(ramdisk_write)
{
    mach_port_t disk = disk_open();
    io_buf_ptr_t data = 0, before = 0;
    mach_msg_type_number_t count = 0;
    static char text[2 * RECORD] __attribute__((aligned(RECORD)));
    int written = 0;
    EXPECT(device_read(disk, 0, 4, 2 * RECORD, &before, &count), D_SUCCESS);
    memset(text, 'w', sizeof text);
    EXPECT(device_write(disk, 0, 4, text, sizeof text, &written), D_SUCCESS);
    EXPECT(written, sizeof text);
    EXPECT(device_read(disk, 0, 4, 2 * RECORD, &data, &count), D_SUCCESS);
    CHECK(count == sizeof text && memcmp(data, text, sizeof text) == 0);
    vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    EXPECT(device_write(disk, 0, 4, before, sizeof text, &written), D_SUCCESS);
    vm_deallocate(mach_task_self(), (vm_address_t)before, sizeof text);
    EXPECT(device_read(disk, 0, 0, RECORDS * RECORD, &data, &count), D_SUCCESS);
    CHECK(contents(data, 0, count));
    vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    mach_port_deallocate(mach_task_self(), disk);
}

CASE_OURS(ramdisk_write_behind_the_end)
{
    mach_port_t disk = disk_open();
    static char text[2 * RECORD];
    int written = 0;
    EXPECT(device_write(disk, 0, RECORDS, text, RECORD, &written), D_INVALID_RECNUM);
    EXPECT(device_write(disk, 0, RECORDS - 1, text, 2 * RECORD, &written), D_INVALID_RECNUM);
    EXPECT(device_write(disk, 0, ~0ul, text, RECORD, &written), D_INVALID_RECNUM);
    mach_port_deallocate(mach_task_self(), disk);
}

CASE_OURS(ramdisk_map)
{
    mach_port_t disk = disk_open(), pager = MACH_PORT_NULL;
    vm_address_t address = 0;
    EXPECT(device_map(disk, VM_PROT_READ, 0, 2 * vm_page_size, &pager, 0), D_INVALID_OPERATION);
    EXPECT(device_map(disk, VM_PROT_READ, RECORD, RECORD, &pager, 0), D_INVALID_OPERATION);
    EXPECT(device_map(disk, VM_PROT_READ, ~0ul - 4095, vm_page_size, &pager, 0), D_INVALID_OPERATION);
    REQUIRE(device_map(disk, VM_PROT_READ, 0, vm_page_size, &pager, 0), D_SUCCESS);
    EXPECT(vm_map(mach_task_self(), &address, vm_page_size, 0, TRUE, pager, 0, FALSE, VM_PROT_READ, VM_PROT_READ,
                  VM_INHERIT_NONE),
           KERN_SUCCESS);
    CHECK(contents((void *)address, 0, RECORDS * RECORD));
    vm_deallocate(mach_task_self(), address, vm_page_size);
    mach_port_deallocate(mach_task_self(), pager);
    mach_port_deallocate(mach_task_self(), disk);
}

/* The kernel copies what is mapped: a device's memory has no pages of the kernel's. */
CASE_OURS(ramdisk_copied_from_its_mapping)
{
    mach_port_t disk = disk_open(), pager = MACH_PORT_NULL;
    vm_address_t address = 0, copy = 0;
    REQUIRE(device_map(disk, VM_PROT_READ, 0, vm_page_size, &pager, 0), D_SUCCESS);
    EXPECT(vm_map(mach_task_self(), &address, vm_page_size, 0, TRUE, pager, 0, FALSE, VM_PROT_READ, VM_PROT_READ,
                  VM_INHERIT_NONE),
           KERN_SUCCESS);
    EXPECT(vm_allocate(mach_task_self(), &copy, vm_page_size, TRUE), KERN_SUCCESS);
    EXPECT(vm_copy(mach_task_self(), address, vm_page_size, copy), KERN_SUCCESS);
    CHECK(contents((void *)copy, 0, RECORDS * RECORD));
    memset((void *)copy, 0, vm_page_size);
    EXPECT(vm_write(mach_task_self(), copy, address, (mach_msg_type_number_t)vm_page_size), KERN_SUCCESS);
    CHECK(contents((void *)copy, 0, RECORDS * RECORD));
    vm_deallocate(mach_task_self(), copy, vm_page_size);
    vm_deallocate(mach_task_self(), address, vm_page_size);
    mach_port_deallocate(mach_task_self(), pager);
    mach_port_deallocate(mach_task_self(), disk);
}
