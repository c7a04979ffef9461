/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: any bytes as partition tables (MBR, logical partitions, GPT and its copy).  What is found must lie
   on the disk and have numbers of its own.

   Sources: lib/store/partition.c
   Max: 65536
   An input is a byte (bit 0: blocks of 4096 bytes; bit 1: the sums of a GPT are made right, so that what they guard is
   reached), a byte of size, and the disk's blocks: the first half from the beginning, the rest up to the end; what is
   between reads as zeros.  */

#include <store/partition.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAY_MAX = 1 << 20 };

struct disk {
    const uint8_t *data;
    uint64_t blocks, half;        /* blocks of the disk; of either part of the input */
    uint32_t block_size;
    bool sums;
};

static void block_get(const struct disk *disk, uint64_t block, uint8_t *buffer)
{
    if (block < disk->half)
        memcpy(buffer, disk->data + block * disk->block_size, disk->block_size);
    else if (disk->blocks - block <= disk->half)
        memcpy(buffer, disk->data + (2 * disk->half - (disk->blocks - block)) * disk->block_size, disk->block_size);
    else
        memset(buffer, 0, disk->block_size);
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++, value >>= 8)
        p[i] = (uint8_t)value;
}

/* Makes the sums of a GPT header in BUFFER those of what is there. */
static void sums_make(const struct disk *disk, uint8_t *buffer)
{
    uint64_t array = get32(buffer + 72), bytes = (uint64_t)get32(buffer + 80) * get32(buffer + 84);
    uint32_t size = get32(buffer + 12);
    if (memcmp(buffer, "EFI PART", 8) || size > disk->block_size || size < 92 || bytes > ARRAY_MAX ||
        get32(buffer + 76))
        return;
    uint64_t count = (bytes + disk->block_size - 1) / disk->block_size;
    if (array >= disk->blocks || count > disk->blocks - array)
        return;
    uint8_t *all = malloc(count * disk->block_size + 1);
    for (uint64_t i = 0; i < count; i++)
        block_get(disk, array + i, all + i * disk->block_size);
    put32(buffer + 88, partition_crc32(0, all, (uint32_t)bytes));
    put32(buffer + 16, 0);
    put32(buffer + 16, partition_crc32(0, buffer, size));
    free(all);
}

static error_t disk_read(void *hook, uint64_t block, uint32_t count, void *buffer)
{
    const struct disk *disk = hook;
    if (block >= disk->blocks || count > disk->blocks - block)
        abort(); /* the reader must know the disk's end */
    for (uint32_t i = 0; i < count; i++)
        block_get(disk, block + i, (uint8_t *)buffer + (size_t)i * disk->block_size);
    if (disk->sums && count == 1)
        sums_make(disk, buffer);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct disk disk = {.data = data + 2, .block_size = data[0] & 1 ? 4096 : 512, .sums = data[0] & 2};
    disk.half = (size - 2) / disk.block_size / 2;
    disk.blocks = 2 * disk.half + ((uint64_t)data[1] << (data[1] & 31));
    const struct partition_disk whole = {.size = disk.blocks * disk.block_size,
                                         .block_size = disk.block_size,
                                         .read = disk_read,
                                         .hook = &disk};
    struct partition_list list;
    const char *why = NULL;
    error_t err = partition_list_read(&whole, &list, &why);
    if (err && !why)
        abort();
    for (unsigned int i = 0; !err && i < list.count; i++) {
        const struct partition *p = &list.entries[i];
        if (p->length == 0 || p->start >= disk.blocks || p->length > disk.blocks - p->start
            || partition_list_lookup(&list, p->number) != p)
            abort();
    }
    if (!err)
        partition_list_destroy(&list);
    return 0;
}
