/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which transfers fit a device. */

#include "unit.h"

#include <machdev/range.h>

static int check(bool write, uint64_t record, int64_t wanted, size_t *bytes)
{
    *bytes = 77;
    return machdev_range_check(1000, 512, write, record, wanted, bytes);
}

UNIT_TEST(whole_records)
{
    size_t bytes;
    CHECK_EQ(check(false, 0, 512, &bytes), 0);
    CHECK_EQ(bytes, 512);
    CHECK_EQ(check(true, 999, 512, &bytes), 0);
    CHECK_EQ(check(true, 0, 512000, &bytes), 0);
    CHECK_EQ(bytes, 512000);
}

UNIT_TEST(reads_may_end_inside_a_record_and_at_the_end)
{
    size_t bytes;
    CHECK_EQ(check(false, 3, 100, &bytes), 0);
    CHECK_EQ(bytes, 100);
    CHECK_EQ(check(false, 998, 4096, &bytes), 0);
    CHECK_EQ(bytes, 1024);
    CHECK_EQ(check(false, 1000, 0, &bytes), 0);
    CHECK_EQ(bytes, 0);
}

UNIT_TEST(writes_are_whole_or_not_at_all)
{
    size_t bytes;
    CHECK_EQ(check(true, 3, 100, &bytes), MACHDEV_INVALID_SIZE);
    CHECK_EQ(check(true, 998, 4096, &bytes), MACHDEV_INVALID_SIZE);
    CHECK_EQ(bytes, 77);
}

UNIT_TEST(nonsense_is_refused)
{
    size_t bytes;
    CHECK_EQ(check(false, 0, -1, &bytes), MACHDEV_INVALID_SIZE);
    CHECK_EQ(check(false, 1000, 512, &bytes), MACHDEV_INVALID_RECNUM);
    CHECK_EQ(check(false, UINT64_MAX, 512, &bytes), MACHDEV_INVALID_RECNUM);
    CHECK_EQ(check(true, UINT64_MAX / 512, 512, &bytes), MACHDEV_INVALID_RECNUM);
    CHECK_EQ(check(false, 999, INT64_MAX, &bytes), 0);
    CHECK_EQ(bytes, 512);
}

UNIT_MAIN
