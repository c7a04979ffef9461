/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machdev_range_check (see machdev.h) without Mach's headers, so that it can be compiled for the host. */

#ifndef MACHDEV_RANGE_H
#define MACHDEV_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* D_INVALID_RECNUM and D_INVALID_SIZE of <device/device_types.h>. */
#define MACHDEV_INVALID_RECNUM 2506
#define MACHDEV_INVALID_SIZE 2507

int machdev_range_check(uint64_t records, unsigned int size, bool write, uint64_t record, int64_t wanted,
                        size_t *bytes);

#endif
