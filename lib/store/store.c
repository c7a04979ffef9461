/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store: typed names, the checks that all classes share, buffers.  */

#include "store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct store_class *const store_classes[] = {
#ifdef __GNU__
    &store_class_device,
#endif
    &store_class_file, &store_class_zero, &store_class_part, NULL
};

error_t store_fail(char **why, error_t err, const char *format, ...)
{
    if (why) {
        va_list args;
        va_start(args, format);
        if (vasprintf(why, format, args) < 0)
            *why = NULL;
        va_end(args);
    }
    return err;
}

static const struct store_class *store_class_lookup(const char *name, size_t length)
{
    for (const struct store_class *const *class = store_classes; *class; class++)
        if (strlen((*class)->name) == length && !memcmp((*class)->name, name, length))
            return *class;
    return NULL;
}

static error_t store_create(const struct store_class *class, const char *name, struct store **store)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return ENOMEM;
    s->class = class;
    s->name = strdup(name);
    if (!s->name) {
        free(s);
        return ENOMEM;
    }
    *store = s;
    return 0;
}

static void store_destroy(struct store *store)
{
    free(store->name);
    free(store);
}

error_t store_open(const char *name, const struct store_options *options, struct store **store, char **why)
{
    static const struct store_options none;
    if (why)
        *why = NULL;
    if (strlen(name) > STORE_NAME_MAX)
        return store_fail(why, EINVAL, "%.40s...: a store name of more than %u bytes", name, STORE_NAME_MAX);
    const char *colon = strchr(name, ':');
    const struct store_class *class = colon ? store_class_lookup(name, (size_t)(colon - name)) : NULL;
    if (!colon)
        return store_fail(why, EINVAL, "%s: not a typed store name (KIND:NAME)", name);
    if (!class)
        return store_fail(why, EINVAL, "%s: unknown kind of store `%.*s'", name, (int)(colon - name), name);
    struct store *s;
    error_t err = store_create(class, name, &s);
    if (err)
        return err;
    err = class->open(s, colon + 1, options ? options : &none, why);
    if (err) {
        store_destroy(s);
        return err;
    }
    s->readonly |= options && options->readonly;
    *store = s;
    return 0;
}

void store_close(struct store *store)
{
    if (store->class->close)
        store->class->close(store);
    store_destroy(store);
}

static error_t store_check(const struct store *store, uint64_t offset, size_t length)
{
    if (length == 0 || ((offset | length) & (store->block_size - 1)))
        return EINVAL;
    if (offset > store->size || length > store->size - offset)
        return ENXIO;
    return 0;
}

error_t store_read(struct store *store, uint64_t offset, size_t length, void **buffer)
{
    error_t err = store_check(store, offset, length);
    return err ? err : store->class->read(store, offset, length, buffer);
}

error_t store_write(struct store *store, uint64_t offset, const void *data, size_t length)
{
    if (store->readonly)
        return EROFS;
    error_t err = store_check(store, offset, length);
    return err ? err : store->class->write(store, offset, data, length);
}

error_t store_write_through(struct store *store, uint64_t offset, const void *data, size_t length)
{
    error_t err = store->readonly ? EROFS : store_check(store, offset, length);
    if (err)
        return err;
    err = store->class->write_through ? store->class->write_through(store, offset, data, length) : ENOTSUP;
    if (err != ENOTSUP)
        return err;
    err = store->class->write(store, offset, data, length);
    return err ? err : store_flush(store);
}

error_t store_flush(struct store *store)
{
    return store->class->flush ? store->class->flush(store) : 0;
}

static size_t store_page_round(size_t length)
{
    static size_t page;
    if (!page)
        page = (size_t)sysconf(_SC_PAGESIZE);
    return (length + page - 1) & ~(page - 1);
}

void *store_alloc(size_t length)
{
    void *p = mmap(NULL, store_page_round(length), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void store_free(void *buffer, size_t length)
{
    if (length)
        munmap(buffer, store_page_round(length));
}

void store_place(struct store *store, struct store_place *place)
{
    *place = (struct store_place){ .kind = STORE_PLACE_NOWHERE, .fd = -1, .name = "" };
    if (store->class->place)
        store->class->place(store, place);
}
