/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storeio: the translator of /dev/wd0, /dev/wd0s1 and their like: a store (lib/store) as a block device file.

       storeio [-r|--readonly] STORE

   STORE is a typed name, e.g. device:wd0s1. It is opened when somebody opens the node to read or write, and closed
   when nobody has it open any more: so the medium of a drive may be changed, and a node whose disk is not there
   costs nothing. Reading and writing any bytes works, whole blocks at block boundaries without a copy here; syncing
   the node empties the disk's write cache. It may be mapped (map.h), and tells where its bytes are. */

#include <argz.h>
#include <error.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/hurd_types.h>
#include <stdlib.h>
#include <string.h>
#include <trivfs/trivfs.h>

#include "bytes.h"
#include "map.h"

/* So long nobody has used it, then it goes: the next one starts it again. */
#define IDLE_MS (60 * 1000)

static const char *name;     /* constant after main has read its arguments */
static bool readonly;        /* constant, the same */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* held while the store is opened and closed; no other is taken
                                                            then */
static struct bytes bytes = {.lock = PTHREAD_MUTEX_INITIALIZER};
/* How many have it open to read or write, and 1 for the mappings; more than 0: bytes.store is there and constant. */
static unsigned int users; /* lock */
/* Those without the mappings. */
static unsigned int openers; /* lock */
static struct trivfs_control *the_control; /* set by the first map; constant afterwards */

static void mapping_hold(void)
{
    pthread_mutex_lock(&lock);
    users++;
    pthread_mutex_unlock(&lock);
    trivfs_control_hold(the_control);
}

/* Lock held. */
static void user_gone(void)
{
    if (--users == 0)
        store_close(bytes.store);
}

static void mapping_release(void)
{
    pthread_mutex_lock(&lock);
    user_gone();
    pthread_mutex_unlock(&lock);
    trivfs_control_release(the_control);
}

static struct map map = {
    .bytes = &bytes,
    .hold = mapping_hold,
    .release = mapping_release,
    .gate = PTHREAD_RWLOCK_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

static error_t device_open_node(struct trivfs_peropen *peropen, struct fshelp_user *user)
{
    const struct store_options options = {.readonly = readonly};
    error_t err = 0;
    (void)user;
    if (!(peropen->flags & (O_READ | O_WRITE)))
        return 0;
    pthread_mutex_lock(&lock);
    if (users == 0)
        err = store_open(name, &options, &bytes.store, NULL);
    if (!err && (peropen->flags & O_WRITE) && bytes.store->readonly) {
        err = EROFS;
        if (users == 0)
            store_close(bytes.store);
    }
    if (!err) {
        if (openers++ == 0)
            map_opened(&map);
        users++;
        peropen->hook = &bytes;
    }
    pthread_mutex_unlock(&lock);
    return err;
}

static void device_close_node(struct trivfs_peropen *peropen)
{
    if (!peropen->hook)
        return;
    pthread_mutex_lock(&lock);
    bool last = --openers == 0;
    pthread_mutex_unlock(&lock);
    if (last)
        map_closed(&map);
    pthread_mutex_lock(&lock);
    user_gone();
    pthread_mutex_unlock(&lock);
}

static void device_stat(struct trivfs_protid *protid, struct stat *st)
{
    const struct bytes *open = protid->peropen->hook;
    st->st_size = open ? (off_t)open->store->size : 0;
    st->st_blocks = st->st_size / 512;
    st->st_blksize = open ? (blksize_t)BYTES_MAX : 4096;
}

/* Reads past the mappings, which there are none of. */
static error_t device_read_store(struct bytes *open, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    void *pages;
    char *data;
    size_t size, length;
    error_t err = bytes_read(open, offset, amount, &pages, &size, &data, &length);
    if (err || length == 0)
        return err;
    /* Pages of their own go as they are. */
    if (data == pages && length > buffer->capacity) {
        memset(data + length, 0, round_page(size) - length);
        buffer->data = data;
        buffer->capacity = round_page(size);
        buffer->reserved = true;
        buffer->length = length;
        return 0;
    }
    err = trivfs_buffer_reserve(buffer, length);
    if (!err) {
        memcpy(buffer->data, data, length);
        buffer->length = length;
    }
    store_free(pages, size);
    return err;
}

static error_t device_read_bytes(struct trivfs_protid *protid, off_t offset, size_t amount,
                                 struct trivfs_buffer *buffer)
{
    error_t err = 0;
    if (amount > BYTES_MAX)
        amount = BYTES_MAX;
    if (map.mapped)     /* as a hint: the room must be there before */
        err = trivfs_buffer_reserve(buffer, amount);
    if (err)
        return err;
    size_t room = amount < buffer->capacity ? amount : buffer->capacity;
    if (map_read(&map, offset, buffer->data, room, &buffer->length, &err))
        return err;
    err = device_read_store(protid->peropen->hook, offset, amount, buffer);
    map_leave(&map);
    return err;
}

static error_t device_write_bytes(struct trivfs_protid *protid, off_t offset, const void *data, size_t length,
                                  size_t *amount)
{
    error_t err;
    if (!map_write(&map, offset, data, length, amount, &err)) {
        err = bytes_write(protid->peropen->hook, offset, data, length, amount);
        map_leave(&map);
    }
    return *amount > 0 ? 0 : err; /* the next write tells why this one was short */
}

/* One right for both when the node is open for both: so the C library knows that it may map it so. */
static error_t device_map(struct trivfs_protid *protid, memory_object_t *read, memory_object_t *write)
{
    int flags = protid->peropen->flags;
    vm_prot_t prot = (flags & O_READ ? VM_PROT_READ | VM_PROT_EXECUTE : 0) |
                     (flags & O_WRITE ? VM_PROT_READ | VM_PROT_WRITE : 0);
    mach_port_t object;
    pthread_mutex_lock(&lock);
    the_control = protid->peropen->control;
    pthread_mutex_unlock(&lock);
    error_t err = map_object(&map, prot, &object);
    if (!err && (flags & O_READ) && (flags & O_WRITE))
        err = mach_port_mod_refs(mach_task_self(), object, MACH_PORT_RIGHT_SEND, +1);
    if (err)
        return err;
    *read = flags & O_READ ? object : MACH_PORT_NULL;
    *write = flags & O_WRITE ? object : MACH_PORT_NULL;
    return 0;
}

static error_t device_storage(struct trivfs_protid *protid, struct fshelp_storage *storage)
{
    struct bytes *open = protid->peropen->hook;
    struct store_place place;
    if (!open)
        return EOPNOTSUPP;
    store_place(open->store, &place);
    mach_port_t port = place.port;
    if (place.kind == STORE_PLACE_DEVICE && mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, +1))
        return EIO;
    if (place.kind == STORE_PLACE_FILE && (port = getdport(place.fd)) == MACH_PORT_NULL)
        return EIO;
    storage->kind = place.kind == STORE_PLACE_DEVICE ? STORAGE_DEVICE
                    : place.kind == STORE_PLACE_FILE ? STORAGE_HURD_FILE
                                                     : STORAGE_ZERO;
    storage->port = port;
    storage->block_size = open->store->block_size;
    storage->name = strdup(place.name);
    error_t err = storage->name ? 0 : ENOMEM;
    return err ? err
               : fshelp_storage_run(storage, (off_t)(place.start / open->store->block_size),
                                    (off_t)(open->store->size / open->store->block_size));
}

static off_t device_size(struct trivfs_protid *protid)
{
    const struct bytes *open = protid->peropen->hook;
    return open ? (off_t)open->store->size : 0;
}

static error_t device_sync(struct trivfs_control *control, bool wait)
{
    error_t err = 0;
    (void)control;
    err = map_sync(&map, wait);
    pthread_mutex_lock(&lock);
    if (!err && users > 0 && !bytes.store->readonly)
        err = store_flush(bytes.store);
    pthread_mutex_unlock(&lock);
    return err;
}

static error_t device_options(struct trivfs_control *control, char **argz, size_t *length)
{
    (void)control;
    error_t err = readonly ? argz_add(argz, length, "--readonly") : 0;
    return err ? err : argz_add(argz, length, name);
}

static const struct trivfs_ops storeio_ops = {
    .name = "storeio",
    .fstype = FSTYPE_DEV,
    .modes = O_READ | O_WRITE,
    .node_type = S_IFBLK,
    .seekable = true,
    .open = device_open_node,
    .close = device_close_node,
    .stat = device_stat,
    .read = device_read_bytes,
    .write = device_write_bytes,
    .map = device_map,
    .storage = device_storage,
    .size = device_size,
    .sync = device_sync,
    .get_options = device_options,
};

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-r") == 0 || strcmp(argv[i], "--readonly") == 0)
            readonly = true;
        else if (argv[i][0] == '-' || name)
            error(2, 0, "unknown argument: %s (usage: storeio [--readonly] STORE)", argv[i]);
        else
            name = argv[i];
    }
    if (!name)
        error(2, 0, "usage: storeio [--readonly] STORE, for example device:wd0s1");
    trivfs_main(&storeio_ops, NULL, IDLE_MS);
}
