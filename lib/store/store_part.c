/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store: part:N:STORE, a partition of another store.  */

#include "partition.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

struct part {
    struct store *whole;
    uint64_t start;           /* bytes */
};

static error_t part_read_table(void *hook, uint64_t block, uint32_t count, void *buffer)
{
    struct store *whole = hook;
    void *data;
    size_t length = (size_t)count * whole->block_size;
    error_t err = store_read(whole, block * whole->block_size, length, &data);
    if (!err) {
        memcpy(buffer, data, length);
        store_free(data, length);
    }
    return err;
}

/* Finds partition NUMBER of WHOLE.  */
static error_t part_lookup(struct store *whole, unsigned int number, struct part *part, uint64_t *size, char **why)
{
    struct partition_disk disk = { whole->size, whole->block_size, part_read_table, whole };
    struct partition_list list;
    const char *what;
    error_t err = partition_list_read(&disk, &list, &what);
    if (err)
        return store_fail(why, err, "part:%u:%s: %s", number, whole->name, err == ENOMEM ? "out of memory" : what);
    const struct partition *p = partition_list_lookup(&list, number);
    if (p) {
        *part = (struct part){ whole, p->start * whole->block_size };
        *size = p->length * whole->block_size;
    } else {
        err = store_fail(why, ENXIO, "part:%u:%s: no such partition (%u found)", number, whole->name, list.count);
    }
    partition_list_destroy(&list);
    return err;
}

static error_t part_open(struct store *store, const char *rest, const struct store_options *options, char **why)
{
    char *end;
    unsigned long number = *rest >= '0' && *rest <= '9' ? strtoul(rest, &end, 10) : 0;
    if (number == 0 || number > UINT32_MAX || *end != ':')
        return store_fail(why, EINVAL, "part:%s: not part:NUMBER:STORE", rest);
    struct store *whole;
    error_t err = store_open(end + 1, options, &whole, why);
    if (err)
        return err;
    struct part *part = malloc(sizeof *part);
    err = part ? part_lookup(whole, (unsigned int)number, part, &store->size, why) : ENOMEM;
    if (err) {
        free(part);
        store_close(whole);
        return err;
    }
    store->hook = part;
    store->block_size = whole->block_size;
    store->readonly = whole->readonly;
    return 0;
}

static error_t part_read(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    struct part *part = store->hook;
    return part->whole->class->read(part->whole, part->start + offset, length, buffer);
}

static error_t part_write(struct store *store, uint64_t offset, const void *data, size_t length)
{
    struct part *part = store->hook;
    return part->whole->class->write(part->whole, part->start + offset, data, length);
}

static error_t part_write_through(struct store *store, uint64_t offset, const void *data, size_t length)
{
    struct part *part = store->hook;
    const struct store_class *class = part->whole->class;
    return class->write_through ? class->write_through(part->whole, part->start + offset, data, length) : ENOTSUP;
}

static error_t part_flush(struct store *store)
{
    struct part *part = store->hook;
    return store_flush(part->whole);
}

static void part_place(struct store *store, struct store_place *place)
{
    struct part *part = store->hook;
    store_place(part->whole, place);
    place->start += part->start;
}

static void part_close(struct store *store)
{
    struct part *part = store->hook;
    store_close(part->whole);
    free(part);
}

const struct store_class store_class_part = {
    .name = "part", .open = part_open, .read = part_read, .write = part_write, .write_through = part_write_through,
    .flush = part_flush, .place = part_place, .close = part_close,
};
