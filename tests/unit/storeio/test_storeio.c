/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a store: any offset and length against a plain array. */

#include "unit.h"

#include "../../../servers/storeio/bytes.h"

#define SIZE 8192u

static char memory[SIZE], model[SIZE];

static void read_check(struct bytes *bytes, uint64_t offset, size_t amount)
{
    void *buffer;
    char *data;
    size_t size, length, expected = offset >= SIZE ? 0 : amount < SIZE - offset ? amount : SIZE - offset;
    CHECK_EQ(bytes_read(bytes, offset, amount, &buffer, &size, &data, &length), 0);
    CHECK_EQ(length, expected);
    if (length > 0) {
        CHECK(memcmp(data, model + offset, length) == 0);
        store_free(buffer, size);
    }
}

UNIT_TEST(any_bytes)
{
    struct bytes bytes = {.lock = PTHREAD_MUTEX_INITIALIZER};
    uint32_t seed = 1;
    CHECK_EQ(store_open_memory(memory, SIZE, &bytes.store), 0);
    for (unsigned int round = 0; round < 5000; round++) {
        seed = seed * 1664525 + 1013904223;
        uint64_t offset = (seed >> 8) % (SIZE + 600);
        seed = seed * 1664525 + 1013904223;
        size_t length = round % 3 ? (seed >> 8) % 1500 : (seed >> 8) % 8 * 512, written;
        char data[4096];
        memset(data, (int)round, sizeof data);
        error_t err = bytes_write(&bytes, offset, data, length, &written);
        size_t expected = offset >= SIZE ? 0 : length < SIZE - offset ? length : SIZE - offset;
        CHECK_EQ(err, length > 0 && offset >= SIZE ? ENOSPC : 0);
        CHECK_EQ(written, expected);
        if (expected > 0)
            memset(model + offset, (int)round, expected);
        CHECK(memcmp(model, memory, SIZE) == 0);
        read_check(&bytes, offset, length);
    }
    read_check(&bytes, 0, SIZE);
    read_check(&bytes, SIZE - 1, 100);
    read_check(&bytes, UINT64_MAX - 10, 100);
    store_close(bytes.store);
}

UNIT_TEST(readonly)
{
    struct bytes bytes = {.lock = PTHREAD_MUTEX_INITIALIZER};
    size_t written = 1;
    CHECK_EQ(store_open_memory(memory, SIZE, &bytes.store), 0);
    bytes.store->readonly = true;
    CHECK_EQ(bytes_write(&bytes, 0, "x", 1, &written), EROFS);
    CHECK_EQ(written, 0);
    store_close(bytes.store);
}

UNIT_MAIN
