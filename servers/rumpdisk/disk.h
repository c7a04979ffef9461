/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks wd0, wd1, ..., cd0, ... and their partitions wd0s1, ... as devices of lib/machdev.

   A partition is looked up when it is opened: the numbers are those of lib/store, from 1, the logical ones of an
   MBR from 5; it is as large as the table said then. Without a partition of that number, or without a table, there
   is no such device. */

#ifndef RUMPDISK_DISK_H
#define RUMPDISK_DISK_H

#include <machdev/machdev.h>

struct block_unit;

/* Operations for machdev. */
extern const struct machdev_driver disk_driver;

/* An open disk or partition: constant. */
struct disk {
    struct block_unit *unit;
    uint64_t start, sectors; /* in the unit's sectors */
    unsigned int medium;     /* the unit's when it was opened */
};

/* disk_partition.c. Cuts DISK, a whole unit, down to its partition NUMBER. D_NO_SUCH_DEVICE; D_IO_ERROR when the
   table cannot be read; D_NO_MEMORY. */
io_return_t disk_partition_find(struct disk *disk, unsigned int number);

#endif
