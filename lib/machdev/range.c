/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which transfers fit a device.  No system call: tested on the host. */

#include "range.h"

int machdev_range_check(uint64_t records, unsigned int size, bool write, uint64_t record, int64_t wanted, size_t *bytes)
{
    if (wanted < 0 || (write && wanted % size != 0))
        return MACHDEV_INVALID_SIZE;
    if (record > records || (record == records && wanted > 0))
        return MACHDEV_INVALID_RECNUM;
    uint64_t left = records - record;
    uint64_t needed = ((uint64_t)wanted + size - 1) / size;
    if (needed > left) {
        /* Half a write would look like a whole one to a client that does not count. */
        if (write)
            return MACHDEV_INVALID_SIZE;
        wanted = left * size;
    }
    *bytes = wanted;
    return 0;
}
