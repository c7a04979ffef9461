/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store: file:NAME, the bytes of a file, zero:SIZE, and memory of this task.  */

#include "store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BLOCK 512

/* ---- file: ---------------------------------------------------------------- */

static error_t file_open(struct store *store, const char *rest, const struct store_options *options, char **why)
{
    bool readonly = options->readonly;
    int fd = open(rest, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0 && !readonly && (errno == EACCES || errno == EROFS)) {
        readonly = true;
        fd = open(rest, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return store_fail(why, errno, "file:%s: %s", rest, strerror(errno));
    struct stat st;
    error_t err = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? 0 : EINVAL;
    int *hook = err ? NULL : malloc(sizeof *hook);
    if (!hook) {
        close(fd);
        return err ? store_fail(why, err, "file:%s: not a regular file", rest) : ENOMEM;
    }
    *hook = fd;
    store->hook = hook;
    store->block_size = FILE_BLOCK;
    store->size = (uint64_t)st.st_size / FILE_BLOCK * FILE_BLOCK;
    store->readonly = readonly;
    return 0;
}

static error_t file_read(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    char *b = store_alloc(length);
    if (!b)
        return ENOMEM;
    for (size_t done = 0; done < length;) {
        ssize_t n = pread(*(int *)store->hook, b + done, length - done, (off_t)(offset + done));
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            error_t err = n == 0 ? EIO : errno;
            store_free(b, length);
            return err;
        }
    }
    *buffer = b;
    return 0;
}

static error_t file_write(struct store *store, uint64_t offset, const void *data, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = pwrite(*(int *)store->hook, (const char *)data + done, length - done, (off_t)(offset + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return n == 0 ? EIO : errno;
    }
    return 0;
}

static error_t file_flush(struct store *store)
{
    return fsync(*(int *)store->hook) < 0 ? errno : 0;
}

static void file_place(struct store *store, struct store_place *place)
{
    *place = (struct store_place){.kind = STORE_PLACE_FILE,
                                  .fd = *(int *)store->hook,
                                  .name = strchr(store->name, ':') + 1};
}

static void file_close(struct store *store)
{
    close(*(int *)store->hook);
    free(store->hook);
}

const struct store_class store_class_file = {
    .name = "file", .open = file_open, .read = file_read, .write = file_write, .flush = file_flush,
    .place = file_place, .close = file_close,
};

/* ---- zero: ---------------------------------------------------------------- */

static error_t zero_open(struct store *store, const char *rest, const struct store_options *options, char **why)
{
    (void)options;
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long size = *rest >= '0' && *rest <= '9' ? strtoull(rest, &end, 0) : 0;
    if (size == 0 || errno)
        return store_fail(why, EINVAL, "zero:%s: not a size", rest);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
    if ((unit ? end[1] : *end) || size > (UINT64_MAX >> 1) >> shift)
        return store_fail(why, EINVAL, "zero:%s: not a size", rest);
    store->block_size = FILE_BLOCK;
    store->size = ((uint64_t)size << shift) / FILE_BLOCK * FILE_BLOCK;
    return 0;
}

static error_t zero_read(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    (void)store, (void)offset;
    *buffer = store_alloc(length);
    return *buffer ? 0 : ENOMEM;
}

static error_t zero_write(struct store *store, uint64_t offset, const void *data, size_t length)
{
    (void)store, (void)offset, (void)data, (void)length;
    return 0;
}

const struct store_class store_class_zero = {.name = "zero", .open = zero_open, .read = zero_read, .write = zero_write};

/* ---- memory ---------------------------------------------------------------- */

static error_t memory_read(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    void *b = store_alloc(length);
    if (!b)
        return ENOMEM;
    memcpy(b, (char *)store->hook + offset, length);
    *buffer = b;
    return 0;
}

static error_t memory_write(struct store *store, uint64_t offset, const void *data, size_t length)
{
    memcpy((char *)store->hook + offset, data, length);
    return 0;
}

static const struct store_class memory_class = { .name = "memory", .read = memory_read, .write = memory_write };

error_t store_open_memory(void *base, size_t size, struct store **store)
{
    if (size % FILE_BLOCK || !size)
        return EINVAL;
    struct store *s = calloc(1, sizeof *s);
    char *name = strdup("memory:");
    if (!s || !name) {
        free(s);
        free(name);
        return ENOMEM;
    }
    *s = (struct store){ .class = &memory_class, .name = name, .size = size, .block_size = FILE_BLOCK, .hook = base };
    *store = s;
    return 0;
}
