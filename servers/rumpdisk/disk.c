/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks and their partitions as devices: names, sizes, and reads and writes that are started by the thread
   which took the request and answered by the one which saw the interrupt: nobody waits in between. */

#include "disk.h"

#include <device/disk_status.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "dma.h"
#include "driver.h"

/* More in one read is answered in part, as the interface allows: it is the server's memory. */
#define READ_MAX (16u << 20)

/* A transfer from device_read or device_write to its answer. */
struct transfer {
    struct block_request block; /* first */
    struct machdev_request request;
    struct dma dma;
    void *data;      /* write: the client's bytes */
    size_t bytes;    /* that the client asked for */
};

/* ---- names ------------------------------------------------------------------------- */

/* The unit that NAME begins with ("wd0" of "wd0s1"); *REST is what follows. NULL: none. */
static struct block_unit *unit_lookup(const char *name, const char **rest)
{
    for (unsigned int i = 0; i < block_unit_count; i++) {
        size_t length = strlen(block_units[i]->name);
        if (strncmp(name, block_units[i]->name, length) == 0 && (name[length] == '\0' || name[length] == 's')) {
            *rest = name + length;
            return block_units[i];
        }
    }
    return NULL;
}

/* The number of a partition in REST ("s1" of "wd0s1"): 1 to 9 digits without a leading 0. */
static bool partition_number(const char *rest, unsigned int *number)
{
    size_t digits = strspn(rest + 1, "0123456789");
    if (rest[0] != 's' || digits == 0 || digits > 9 || rest[1] == '0' || rest[1 + digits] != '\0')
        return false;
    *number = strtoul(rest + 1, NULL, 10);
    return true;
}

static io_return_t disk_open(const char *name, dev_mode_t mode, void **result)
{
    const char *rest;
    unsigned int number = 0;
    struct block_unit *unit = unit_lookup(name, &rest);
    if (!unit || (*rest != '\0' && !partition_number(rest, &number)))
        return D_NO_SUCH_DEVICE;
    if (unit->readonly && (mode & D_WRITE))
        return D_READ_ONLY;
    error_t err = unit->medium_check ? unit->medium_check(unit) : 0;
    if (err)
        return err == ENXIO ? D_DEVICE_DOWN : D_IO_ERROR;
    struct disk *disk = malloc(sizeof *disk);
    if (!disk)
        return D_NO_MEMORY;
    *disk = (struct disk){.unit = unit, .sectors = unit->sectors, .medium = unit->medium};
    io_return_t code = number ? disk_partition_find(disk, number) : D_SUCCESS;
    if (code)
        free(disk);
    else
        *result = disk;
    return code;
}

static void disk_close(void *device)
{
    free(device); /* transfers on their way know the unit only */
}

/* ---- transfers ---------------------------------------------------------------------- */

static void error_tell(const struct transfer *transfer, const char *what)
{
    const struct block_unit *unit = transfer->block.unit;
    fprintf(stderr, "rumpdisk: %s: %s error in sectors %llu to %llu\n", unit->name, what,
            (unsigned long long)transfer->block.lba,
            (unsigned long long)(transfer->block.lba + (transfer->block.length >> unit->sector_log) - 1));
}

static void read_done(struct block_request *request, error_t err)
{
    struct transfer *transfer = (struct transfer *)request;
    if (err) {
        error_tell(transfer, "read");
        dma_read_cancel(&transfer->dma);
        machdev_read_done(&transfer->request, D_IO_ERROR, NULL, 0);
    } else {
        dma_read_end(&transfer->dma);
        machdev_read_done(&transfer->request, D_SUCCESS, transfer->dma.address, transfer->bytes);
    }
    free(transfer);
}

static io_return_t disk_read(void *device, const struct machdev_request *request, recnum_t record, size_t wanted)
{
    const struct disk *disk = device;
    struct block_unit *unit = disk->unit;
    size_t bytes, sector = (size_t)1 << unit->sector_log;
    if (disk->medium != unit->medium)
        return D_DEVICE_DOWN;
    io_return_t result = machdev_range_check(disk->sectors, sector, false, record, wanted, &bytes);
    if (result)
        return result;
    if (bytes > READ_MAX)
        bytes = READ_MAX;
    struct transfer *transfer = malloc(sizeof *transfer);
    if (!transfer)
        return D_NO_MEMORY;
    size_t length = (bytes + sector - 1) & ~(sector - 1);
    if (dma_read_begin(&unit->limits, length, &transfer->dma)) {
        free(transfer);
        return D_NO_MEMORY;
    }
    transfer->block = (struct block_request){.unit = unit,
                                             .kind = BLOCK_READ,
                                             .lba = disk->start + record,
                                             .length = length,
                                             .memory = transfer->dma.memory,
                                             .done = read_done};
    transfer->request = *request;
    transfer->bytes = bytes;
    block_submit(&transfer->block);
    return D_SUCCESS;
}

static void write_done(struct block_request *request, error_t err)
{
    struct transfer *transfer = (struct transfer *)request;
    dma_write_end(&transfer->dma);
    if (err)
        error_tell(transfer, "write");
    machdev_write_done(&transfer->request, err ? D_IO_ERROR : D_SUCCESS, transfer->bytes);
    vm_address_t first = trunc_page((vm_address_t)transfer->data);
    vm_deallocate(mach_task_self(), first, round_page((vm_address_t)transfer->data + transfer->bytes) - first);
    free(transfer);
}

static io_return_t disk_write(void *device, const struct machdev_request *request, recnum_t record, void *data,
                              size_t wanted)
{
    const struct disk *disk = device;
    struct block_unit *unit = disk->unit;
    size_t bytes;
    io_return_t result = machdev_range_check(disk->sectors, 1u << unit->sector_log, true, record, wanted, &bytes);
    if (result)
        return result;
    struct transfer *transfer = malloc(sizeof *transfer);
    if (!transfer)
        return D_NO_MEMORY;
    kern_return_t err = dma_write_begin(&unit->limits, data, bytes, &transfer->dma);
    if (err) {
        free(transfer);
        return err == KERN_RESOURCE_SHORTAGE ? D_NO_MEMORY : err;
    }
    transfer->block = (struct block_request){.unit = unit,
                                             .kind = BLOCK_WRITE,
                                             .lba = disk->start + record,
                                             .length = bytes,
                                             .fua = unit->fua && unit->write_cache && (request->mode & MACHDEV_THROUGH),
                                             .memory = transfer->dma.memory,
                                             .done = write_done};
    transfer->request = *request;
    transfer->data = data;
    transfer->bytes = bytes;
    block_submit(&transfer->block);
    return D_SUCCESS;
}

/* ---- status --------------------------------------------------------------------------- */

static io_return_t disk_get_status(void *device, dev_flavor_t flavor, dev_status_t status,
                                   mach_msg_type_number_t *count)
{
    const struct disk *disk = device;
    const struct block_unit *unit = disk->unit;
    unsigned int log = unit->sector_log;
    if (flavor == MACHDEV_SIZE && *count >= MACHDEV_SIZE_COUNT) {
        status[0] = (int)disk->sectors;
        status[1] = (int)(disk->sectors >> 32);
        status[2] = 1 << log;
        status[3] = unit->fua || !unit->write_cache ? MACHDEV_CAN_THROUGH : 0;
        *count = MACHDEV_SIZE_COUNT;
        return D_SUCCESS;
    }
    if (flavor != DEV_GET_SIZE && flavor != DEV_GET_RECORDS)
        return D_INVALID_OPERATION;
    if (*count < DEV_GET_SIZE_COUNT)
        return D_INVALID_SIZE;
    /* 0 is "unknown": what a word cannot hold. */
    uint64_t size = flavor == DEV_GET_SIZE ? disk->sectors << log : disk->sectors;
    uint64_t most = flavor == DEV_GET_SIZE ? INT32_MAX : UINT32_MAX;
    status[DEV_GET_SIZE_DEVICE_SIZE] = size > most ? 0 : (int)size;
    status[DEV_GET_SIZE_RECORD_SIZE] = 1 << log;
    *count = DEV_GET_SIZE_COUNT;
    return D_SUCCESS;
}

static error_t unit_flush(struct block_unit *unit)
{
    struct block_request request = {.unit = unit, .kind = BLOCK_FLUSH};
    return unit->write_cache ? block_submit_wait(&request) : 0;
}

static io_return_t disk_set_status(void *device, dev_flavor_t flavor, const int *status, mach_msg_type_number_t count)
{
    const struct disk *disk = device;
    (void)status;
    (void)count;
    if (flavor != MACHDEV_SYNC)
        return D_INVALID_OPERATION;
    return unit_flush(disk->unit) ? D_IO_ERROR : D_SUCCESS;
}

static io_return_t disk_sync(void)
{
    io_return_t result = D_SUCCESS;
    for (unsigned int i = 0; i < block_unit_count; i++) {
        struct block_unit *unit = block_units[i];
        const struct block_queue *queue = unit->queue;
        if (unit_flush(unit)) {
            fprintf(stderr, "rumpdisk: %s: flushing the cache failed\n", unit->name);
            result = D_IO_ERROR;
        }
        machdev_trace("%s: %llu commands, %llu KiB, %llu resets", unit->name, (unsigned long long)queue->commands,
                      (unsigned long long)queue->bytes / 1024, (unsigned long long)queue->resets);
    }
    return result;
}

const struct machdev_driver disk_driver = {
    .open = disk_open,
    .close = disk_close,
    .read = disk_read,
    .write = disk_write,
    .get_status = disk_get_status,
    .set_status = disk_set_status,
    .sync = disk_sync,
};
