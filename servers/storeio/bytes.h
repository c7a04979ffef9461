/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store, which knows blocks, as a file, which knows bytes.  Knows no message. */

#ifndef STOREIO_BYTES_H
#define STOREIO_BYTES_H

#include <pthread.h>
#include <store/store.h>

struct bytes {
    struct store *store;   /* constant */
    pthread_mutex_t lock;  /* held by those who read a block to write a part of it */
};

/* At most AMOUNT bytes (and BYTES_MAX) from OFFSET: *DATA is where they are in *BUFFER, pages of SIZE bytes that
   the caller releases by store_free; *LENGTH of them, fewer than AMOUNT at the end; 0 and no buffer behind it.
   Errors of store_read. */
#define BYTES_MAX (1u << 20)
error_t bytes_read(struct bytes *bytes, uint64_t offset, size_t amount, void **buffer, size_t *size, char **data,
                   size_t *length);

/* Writes LENGTH bytes of DATA from OFFSET on, *WRITTEN of them up to the end of the store. ENOSPC: none had room.
   Other bytes of the blocks that the first and the last ones lie in stay what they are. Errors of store_write;
   *WRITTEN then tells how much is written before. */
error_t bytes_write(struct bytes *bytes, uint64_t offset, const void *data, size_t length, size_t *written);

#endif
