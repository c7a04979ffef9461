/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a store; see bytes.h. */

#include "bytes.h"

#include <string.h>

error_t bytes_read(struct bytes *bytes, uint64_t offset, size_t amount, void **buffer, size_t *size, char **data,
                   size_t *length)
{
    struct store *store = bytes->store;
    *length = 0;
    if (offset >= store->size || amount == 0)
        return 0;
    if (amount > BYTES_MAX)
        amount = BYTES_MAX;
    if (amount > store->size - offset)
        amount = store->size - offset;
    uint64_t mask = store->block_size - 1, first = offset & ~mask;
    size_t whole = ((offset + amount + mask) & ~mask) - first;
    error_t err = store_read(store, first, whole, buffer);
    if (err)
        return err;
    *size = whole;
    *data = (char *)*buffer + (offset - first);
    *length = amount;
    return 0;
}

/* Writes a part of the block at FIRST: LENGTH bytes from AT on. */
static error_t part_write(struct bytes *bytes, uint64_t first, size_t at, const void *data, size_t length)
{
    struct store *store = bytes->store;
    void *block;
    pthread_mutex_lock(&bytes->lock);
    error_t err = store_read(store, first, store->block_size, &block);
    if (!err) {
        memcpy((char *)block + at, data, length);
        err = store_write(store, first, block, store->block_size);
        store_free(block, store->block_size);
    }
    pthread_mutex_unlock(&bytes->lock);
    return err;
}

error_t bytes_write(struct bytes *bytes, uint64_t offset, const void *data, size_t length, size_t *written)
{
    struct store *store = bytes->store;
    uint64_t mask = store->block_size - 1;
    *written = 0;
    if (store->readonly)
        return EROFS;
    if (length > 0 && offset >= store->size)
        return ENOSPC;
    if (length > store->size - offset)
        length = store->size - offset;
    while (*written < length) {
        uint64_t place = offset + *written;
        size_t left = length - *written, step = left & ~mask;
        const char *from = (const char *)data + *written;
        error_t err;
        if ((place & mask) || step == 0) {
            step = store->block_size - (place & mask);
            if (step > left)
                step = left;
            err = part_write(bytes, place & ~mask, place & mask, from, step);
        } else {
            err = store_write(store, place, from, step);
        }
        if (err)
            return err;
        *written += step;
    }
    return 0;
}
