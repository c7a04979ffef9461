/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: any words as a store's name.  Files are always one with a GPT, whatever their name.  A failure says
   why in one line; a store that opens can be read at both ends.

   Sources: lib/store/store.c lib/store/store_part.c lib/store/partition.c
   Max: 2000  */

#include <fcntl.h>
#include <store/partition.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int fuzz_open(const char *name, int flags, ...);
#define open fuzz_open
#include "../../lib/store/store_file.c"
#undef open

enum { BLOCKS = 200, SECTOR = 512 };

static void put(uint8_t *p, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8)
        p[i] = (uint8_t)value;
}

/* A file with a GPT of two partitions, the second of which holds an MBR with one. */
static int image_make(void)
{
    static uint8_t image[BLOCKS * SECTOR];
    uint8_t *header = image + SECTOR, *array = image + 2 * SECTOR, *inner = image + 100 * SECTOR;
    image[450] = 0xee;
    put(image + 510, 0xaa55, 2);
    for (int i = 0; i < 2; i++) {
        memset(array + 128 * i, 0x11, 16);
        put(array + 128 * i + 32, i ? 100 : 50, 8);
        put(array + 128 * i + 40, i ? 149 : 60, 8);
    }
    memcpy(header, "EFI PART", 8);
    put(header + 12, 92, 4);
    put(header + 24, 1, 8);
    put(header + 72, 2, 8);
    put(header + 80, 4, 4);
    put(header + 84, 128, 4);
    put(header + 88, partition_crc32(0, array, 512), 4);
    put(header + 16, partition_crc32(0, header, 92), 4);
    inner[450] = 0x83;
    put(inner + 454, 10, 4);
    put(inner + 458, 20, 4);
    put(inner + 510, 0xaa55, 2);
    int fd = memfd_create("image", 0);
    if (fd < 0 || write(fd, image, sizeof image) != sizeof image)
        abort();
    return fd;
}

static int fuzz_open(const char *name, int flags, ...)
{
    static int image = -1;
    (void)name;
    (void)flags;
    if (image < 0)
        image = image_make();
    return dup(image);
}

static void ends_read(struct store *store)
{
    void *buffer;
    if (store->size < store->block_size)
        return;
    for (int i = 0; i < 2; i++) {
        if (store_read(store, i ? store->size - store->block_size : 0, store->block_size, &buffer))
            abort();
        store_free(buffer, store->block_size);
    }
    if (store_read(store, store->size, store->block_size, &buffer) != ENXIO)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *store;
    char name[2001], *why = NULL;
    if (size > 2000)
        return 0;
    memcpy(name, data, size);
    name[size] = '\0';
    error_t err = store_open(name, NULL, &store, &why);
    if (err) {
        if (!why || strlen(why) == 0)
            abort();
        free(why);
        return 0;
    }
    if (strcmp(store->name, name) || store->block_size < 512 || store->size % store->block_size)
        abort();
    ends_read(store);
    store_close(store);
    return 0;
}
