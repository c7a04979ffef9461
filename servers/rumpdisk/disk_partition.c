/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Partitions as devices; see disk.h. */

#include "disk.h"

#include <stdio.h>
#include <store/partition.h>
#include <string.h>

#include "block.h"

/* Bytes that are read at a time. */
#define TABLE_PIECE BLOCK_PAGE

/* A page for DMA, kept for the next time, and who may use it. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER; /* held while the table is read; queue locks are taken
                                                                  inside it */
static void *table_page;         /* table_lock */
static uint64_t table_physical;  /* table_lock */

static error_t table_page_get(void)
{
    /* Below 4 GiB every adapter reaches it. */
    static const struct block_limits limits = {.end = BLOCK_REACH_32};
    return table_page ? 0 : block_memory_allocate(&limits, TABLE_PIECE, &table_page, &table_physical);
}

/* For lib/store: COUNT blocks from BLOCK on.  Table lock held. */
static error_t table_read(void *hook, uint64_t block, uint32_t count, void *buffer)
{
    struct block_unit *unit = hook;
    size_t length = (size_t)count << unit->sector_log;
    for (size_t done = 0; done < length;) {
        size_t piece = length - done < TABLE_PIECE ? length - done : TABLE_PIECE;
        struct block_request request = {.unit = unit, .kind = BLOCK_READ, .lba = block + (done >> unit->sector_log),
                                        .length = piece, .memory = {.base = table_physical}};
        error_t err = block_submit_wait(&request);
        if (err)
            return err;
        memcpy((char *)buffer + done, table_page, piece);
        done += piece;
    }
    return 0;
}

io_return_t disk_partition_find(struct disk *disk, unsigned int number)
{
    struct block_unit *unit = disk->unit;
    const struct partition_disk whole = {.size = unit->sectors << unit->sector_log,
                                         .block_size = 1u << unit->sector_log,
                                         .read = table_read,
                                         .hook = unit};
    struct partition_list list = {0};
    const char *why;
    pthread_mutex_lock(&table_lock);
    error_t err = table_page_get();
    if (!err)
        err = partition_list_read(&whole, &list, &why);
    pthread_mutex_unlock(&table_lock);
    if (err == ENOMEM)
        return D_NO_MEMORY;
    if (err == EIO) {
        fprintf(stderr, "rumpdisk: %ss%u: %s\n", unit->name, number, why);
        return D_IO_ERROR;
    }
    if (err == EINVAL)
        fprintf(stderr, "rumpdisk: %ss%u: %s\n", unit->name, number, why);
    const struct partition *partition = err ? NULL : partition_list_lookup(&list, number);
    if (partition) {
        disk->start = partition->start;
        disk->sectors = partition->length;
    }
    partition_list_destroy(&list);
    return partition ? D_SUCCESS : D_NO_SUCH_DEVICE;
}
