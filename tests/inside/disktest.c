/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disktest NAME RECORD-SIZE: opens the device NAME of /dev/disk and writes and reads at many places and in many sizes;
   what it leaves is a pattern that the host can check: each 8 bytes of record R hold its byte position on the disk,
   where it has written.  Last line: `N passed, N failed'. disktest --readonly NAME: that it can be read, and not opened
   for writing. */

#include <device/device.h>
#include <device/disk_status.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <hurd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static mach_port_t disk_open(const char *name, dev_mode_t mode, error_t *err)
{
    mach_port_t master = file_name_lookup("/dev/disk", O_READ | O_WRITE, 0), device = MACH_PORT_NULL;
    if (master == MACH_PORT_NULL)
        error(1, errno, "/dev/disk");
    *err = device_open(master, mode, (char *)name, &device);
    mach_port_deallocate(mach_task_self(), master);
    return device;
}

static void pattern_fill(uint64_t *data, uint64_t at, size_t length)
{
    for (size_t i = 0; i < length / 8; i++)
        data[i] = at + 8 * i;
}

/* Writes LENGTH bytes at byte AT, from OFFSET inside a page, and reads them back. */
static void transfer_test(mach_port_t device, uint64_t at, size_t length, size_t offset, size_t record)
{
    char *memory = (char *)calloc(1, length + offset + 4096), *data;
    uint64_t *place = (uint64_t *)(((uintptr_t)memory + 4095) / 4096 * 4096 + offset);
    int written;
    mach_msg_type_number_t count;
    pattern_fill(place, at, length);
    error_t err = device_write(device, 0, at / record, (char *)place, length, &written);
    CHECK(err == 0 && written == (int)length);
    err = device_read(device, 0, at / record, length, &data, &count);
    CHECK(err == 0 && count == length && memcmp(data, place, length) == 0);
    if (!err)
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    free(memory);
}

static void limits_test(mach_port_t device, uint64_t records, size_t record)
{
    char *data, *bytes = calloc(1, record);
    int written;
    mach_msg_type_number_t count;
    CHECK(device_read(device, 0, records, record, &data, &count) == D_INVALID_RECNUM);
    CHECK(device_write(device, 0, records, bytes, record, &written) == D_INVALID_RECNUM);
    CHECK(device_write(device, 0, 0, bytes, record - 1, &written) == D_INVALID_SIZE);
    error_t err = device_read(device, 0, records - 1, 10 * record, &data, &count);
    CHECK(err == 0 && count == record);
    if (!err)
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    err = device_read(device, 0, 1, 100, &data, &count); /* less than a record */
    CHECK(err == 0 && count == 100);
    if (!err)
        vm_deallocate(mach_task_self(), (vm_address_t)data, round_page(count));
    free(bytes);
}

static int readonly_test(const char *name)
{
    error_t err;
    char *data;
    mach_msg_type_number_t count;
    CHECK(disk_open(name, D_READ | D_WRITE, &err) == MACH_PORT_NULL && err == D_READ_ONLY);
    mach_port_t device = disk_open(name, D_READ, &err);
    CHECK(err == 0);
    CHECK(device_read(device, 0, 0, 4096, &data, &count) == 0 && count == 4096);
    return failed != 0;
}

int main(int argc, char **argv)
{
    static const size_t lengths[] = {1, 2, 8, 31, 64, 200};
    error_t err;
    if (argc == 3 && strcmp(argv[1], "--readonly") == 0) {
        int status = readonly_test(argv[2]);
        printf("%u passed, %u failed\n", passed, failed);
        return status;
    }
    if (argc != 3)
        error(2, 0, "usage: disktest [--readonly] NAME [RECORD-SIZE]");
    size_t record = strtoul(argv[2], NULL, 10);
    mach_port_t device = disk_open(argv[1], D_READ | D_WRITE, &err);
    if (err)
        error(1, err, "%s", argv[1]);
    int status[DEV_STATUS_MAX];
    mach_msg_type_number_t count = DEV_GET_RECORDS_COUNT;
    CHECK(device_get_status(device, DEV_GET_RECORDS, status, &count) == 0);
    CHECK(status[DEV_GET_RECORDS_RECORD_SIZE] == (int)record);
    uint64_t records = (unsigned int)status[DEV_GET_RECORDS_DEVICE_RECORDS], at = 0;
    for (unsigned int i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t offset = 0; offset < 4096; offset = offset ? offset * 8 : 8) {
            transfer_test(device, at, lengths[i] * record, offset, record);
            at += lengths[i] * record;
        }
    transfer_test(device, (records - 300) * record, 300 * record, 0, record);
    limits_test(device, records, record);
    printf("%u passed, %u failed, %llu bytes\n", passed, failed, (unsigned long long)at);
    return failed != 0;
}
