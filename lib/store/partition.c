/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partition: MBR (with the chain of an extended partition) and GPT (UEFI specification 2.10, chapter 5).  Nothing that
   the disk says is believed before it was checked: counts and sizes are bounded, sums cannot wrap, a chain that bites
   its own tail ends.  */

#include "partition.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MBR_TABLE       446
#define MBR_SIGNATURE   510
#define TYPE_GPT        0xee
/* A chain of logical partitions longer than this is taken for a loop.  */
#define LOGICAL_MAX     1024
/* Bytes of a GPT's entry array that we are willing to read: 64 times the usual.  */
#define GPT_ARRAY_MAX   (1u << 20)

struct mbr_entry {
    uint8_t status, chs_first[3], type, chs_last[3];
    uint8_t start[4], length[4];
};

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

uint32_t partition_crc32(uint32_t crc, const void *data, uint32_t length)
{
    crc = ~crc;
    for (const uint8_t *p = data; length--; p++) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

void partition_list_destroy(struct partition_list *list)
{
    free(list->entries);
    *list = (struct partition_list){ 0 };
}

const struct partition *partition_list_lookup(const struct partition_list *list, unsigned int number)
{
    for (unsigned int i = 0; i < list->count; i++)
        if (list->entries[i].number == number)
            return &list->entries[i];
    return NULL;
}

static uint64_t disk_blocks(const struct partition_disk *disk)
{
    return disk->size / disk->block_size;
}

static error_t list_add(struct partition_list *list, const struct partition_disk *disk, unsigned int number,
                        uint64_t start, uint64_t length, uint8_t type)
{
    uint64_t blocks = disk_blocks(disk);
    if (length == 0 || start >= blocks || length > blocks - start)
        return 0;
    if (list->count == list->room) {
        unsigned int room = list->room ? list->room * 2 : 8;
        struct partition *entries = realloc(list->entries, room * sizeof *entries);
        if (!entries)
            return ENOMEM;
        list->entries = entries;
        list->room = room;
    }
    list->entries[list->count++] = (struct partition){ number, start, length, type };
    return 0;
}

/* ---- MBR ------------------------------------------------------------------- */

static bool type_is_extended(uint8_t type)
{
    return type == 0x05 || type == 0x0f || type == 0x85;
}

/* Follows the chain of the extended partition at BASE.  Each link's first entry is a logical partition, relative to the
   link; its second the next link, relative to BASE.  */
static error_t mbr_read_logical(const struct partition_disk *disk, uint64_t base, uint8_t *block,
                                struct partition_list *list)
{
    uint64_t link = base;
    for (unsigned int number = 5; number < 5 + LOGICAL_MAX; number++) {
        if (link >= disk_blocks(disk))
            return 0;
        error_t err = disk->read(disk->hook, link, 1, block);
        if (err)
            return err;
        if (block[MBR_SIGNATURE] != 0x55 || block[MBR_SIGNATURE + 1] != 0xaa)
            return 0;
        struct mbr_entry entry[2];
        memcpy(entry, block + MBR_TABLE, sizeof entry);
        if (entry[0].type != 0)
            err = list_add(list, disk, number, link + get32(entry[0].start), get32(entry[0].length), entry[0].type);
        if (err)
            return err;
        if (!type_is_extended(entry[1].type) || get32(entry[1].start) == 0)
            return 0;
        link = base + get32(entry[1].start);
    }
    return 0;
}

static error_t mbr_read(const struct partition_disk *disk, uint8_t *block, struct partition_list *list)
{
    struct mbr_entry entry[4];
    memcpy(entry, block + MBR_TABLE, sizeof entry);
    error_t err = 0;
    for (unsigned int i = 0; i < 4 && !err; i++)
        if (entry[i].type != 0)
            err = list_add(list, disk, i + 1, get32(entry[i].start), get32(entry[i].length), entry[i].type);
    for (unsigned int i = 0; i < 4 && !err; i++)
        if (type_is_extended(entry[i].type)) {
            err = mbr_read_logical(disk, get32(entry[i].start), block, list);
            break;              /* only the first holds logical partitions */
        }
    return err;
}

/* ---- GPT ------------------------------------------------------------------- */

struct gpt_header {
    uint64_t array;           /* first block of the entries */
    uint32_t count, size;     /* of the entries */
    uint32_t crc;             /* of the entries */
};

/* Checks the header in BLOCK, which was read from LBA.  */
static bool gpt_header_decode(const struct partition_disk *disk, uint64_t lba, uint8_t *block, struct gpt_header *h)
{
    uint32_t size = get32(block + 12), crc = get32(block + 16);
    if (memcmp(block, "EFI PART", 8) || size < 92 || size > disk->block_size || get64(block + 24) != lba)
        return false;
    memset(block + 16, 0, 4);
    if (partition_crc32(0, block, size) != crc)
        return false;
    *h = (struct gpt_header){ get64(block + 72), get32(block + 80), get32(block + 84), get32(block + 88) };
    uint64_t bytes = (uint64_t)h->count * h->size, blocks = disk_blocks(disk);
    return h->size >= 128 && h->size % 8 == 0 && bytes <= GPT_ARRAY_MAX && h->array < blocks &&
           (bytes + disk->block_size - 1) / disk->block_size <= blocks - h->array;
}

static error_t gpt_add_entries(const struct partition_disk *disk, const struct gpt_header *h, const uint8_t *array,
                               struct partition_list *list)
{
    static const uint8_t unused[16];
    for (uint32_t i = 0; i < h->count; i++) {
        const uint8_t *e = array + (size_t)i * h->size;
        uint64_t first = get64(e + 32), last = get64(e + 40);
        if (!memcmp(e, unused, 16) || last < first || last == UINT64_MAX)
            continue;
        error_t err = list_add(list, disk, i + 1, first, last - first + 1, TYPE_GPT);
        if (err)
            return err;
    }
    return 0;
}

/* Reads the table whose header is at LBA.  EINVAL if it is damaged.  */
static error_t gpt_read_at(const struct partition_disk *disk, uint64_t lba, uint8_t *block, struct partition_list *list)
{
    struct gpt_header h;
    error_t err = disk->read(disk->hook, lba, 1, block);
    if (err)
        return err;
    if (!gpt_header_decode(disk, lba, block, &h))
        return EINVAL;
    uint32_t bytes = h.count * h.size, blocks = (bytes + disk->block_size - 1) / disk->block_size;
    if (bytes == 0)
        return 0;
    uint8_t *array = malloc((size_t)blocks * disk->block_size);
    if (!array)
        return ENOMEM;
    err = disk->read(disk->hook, h.array, blocks, array);
    if (!err && partition_crc32(0, array, bytes) != h.crc)
        err = EINVAL;
    if (!err)
        err = gpt_add_entries(disk, &h, array, list);
    free(array);
    return err;
}

static error_t gpt_read(const struct partition_disk *disk, uint8_t *block, struct partition_list *list,
                        const char **why)
{
    error_t err = gpt_read_at(disk, 1, block, list);
    if (err && err != ENOMEM) {
        partition_list_destroy(list);
        err = gpt_read_at(disk, disk_blocks(disk) - 1, block, list);
    }
    if (err == EINVAL)
        *why = "both copies of the GPT are damaged";
    return err;
}

/* ---- both ------------------------------------------------------------------ */

static bool mbr_is_protective(const uint8_t *block)
{
    for (int i = 0; i < 4; i++)
        if (block[MBR_TABLE + 16 * i + 4] == TYPE_GPT)
            return true;
    return false;
}

error_t partition_list_read(const struct partition_disk *disk, struct partition_list *list, const char **why)
{
    *list = (struct partition_list){ 0 };
    *why = "cannot read the partition table";
    if (disk->block_size < 512 || disk_blocks(disk) < 3) {
        *why = "too small for a partition table";
        return ENXIO;
    }
    uint8_t *block = malloc(disk->block_size);
    if (!block)
        return ENOMEM;
    error_t err = disk->read(disk->hook, 0, 1, block);
    if (!err && (block[MBR_SIGNATURE] != 0x55 || block[MBR_SIGNATURE + 1] != 0xaa)) {
        *why = "no partition table";
        err = ENXIO;
    } else if (!err) {
        err = mbr_is_protective(block) ? gpt_read(disk, block, list, why) : mbr_read(disk, block, list);
    }
    free(block);
    if (err)
        partition_list_destroy(list);
    return err;
}
