/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partition: reading partition tables, MBR and GPT.  Knows no store and no message: the caller gives a function that
   reads, so that unit tests and a fuzzer can run it over any bytes.  */

#ifndef STORE_PARTITION_H
#define STORE_PARTITION_H

#include <errno.h>
#include <stdint.h>

/* The medium.  */
struct partition_disk {
    uint64_t size;            /* bytes */
    uint32_t block_size;      /* bytes, a power of two from 512 on: the unit that the tables count in */
    /* Reads COUNT blocks from BLOCK on into BUFFER.  */
    error_t (*read)(void *hook, uint64_t block, uint32_t count, void *buffer);
    void *hook;
};

struct partition {
    unsigned int number;      /* from 1; logical ones of an MBR from 5 */
    uint64_t start, length;   /* blocks; length is not 0 and the end lies on the disk */
    uint8_t type;             /* of an MBR entry; 0xee for one of a GPT */
};

struct partition_list {
    struct partition *entries;    /* malloc'd; in the order of their numbers */
    unsigned int count, room;
};

/* Reads the table of DISK into *LIST, to be released by partition_list_destroy.  Entries that do not lie on the disk
   are left out.  A GPT whose first header or table is damaged (CRC) is read from its copy at the end of the disk.  On
   failure *WHY is a constant string that says what is wrong; errors: ENXIO (no table at all), EINVAL (damaged), EIO and
   others of `read`, ENOMEM.  */
error_t partition_list_read(const struct partition_disk *disk, struct partition_list *list, const char **why);
void partition_list_destroy(struct partition_list *list);

/* The entry with NUMBER, or NULL.  */
const struct partition *partition_list_lookup(const struct partition_list *list, unsigned int number);

/* CRC-32 as in GPT (ISO 3309, reflected, 0xedb88320) of LENGTH bytes, continuing from CRC (0 at first).  */
uint32_t partition_crc32(uint32_t crc, const void *data, uint32_t length);

#endif /* STORE_PARTITION_H */
