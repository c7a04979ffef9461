/* SPDX-License-Identifier: GPL-2.0-or-later */
/* extents: where the parts of a file lie: holes for seekers, places on the medium for those who want to go past the
   file system.  */

#include "ext2fs.h"

#include <hurd.h>
#include <stdlib.h>
#include <string.h>

/* Blocks looked at with the map locked.  */
#define LOOK_MAX UINT32_MAX

error_t ext2fs_seek(struct diskfs_node *node, off_t offset, bool hole, off_t *found)
{
    struct ext2_inode *i = &ext2_node(node)->inode;
    uint64_t at = (uint64_t)offset, size = i->size;
    error_t err = 0;
    pthread_mutex_lock(&i->map_lock);
    while (at < size) {
        uint32_t block, run;
        err = ext2_map(ext2fs, i, at >> ext2fs->block_log, LOOK_MAX, &block, &run);
        if (err || (block == 0) == hole)
            break;
        at = ((at >> ext2fs->block_log) + run) << ext2fs->block_log;
    }
    pthread_mutex_unlock(&i->map_lock);
    *found = (off_t)(at < size ? at : size);
    return err;
}

/* The runs of the file's blocks, in units of the store below, which begins at BASE of them in its medium.  Node and map
   locked.  */
static error_t runs_collect(struct ext2_inode *i, uint64_t base, struct fshelp_storage *storage)
{
    uint64_t unit = ext2fs->block_size / storage->block_size,
             end = (i->size + ext2fs->block_size - 1) >> ext2fs->block_log;
    error_t err = 0;
    for (uint64_t at = 0; at < end && !err;) {
        uint32_t block, run, most = end - at < LOOK_MAX ? (uint32_t)(end - at) : LOOK_MAX;
        err = ext2_map(ext2fs, i, at, most, &block, &run);
        if (!err)
            err = fshelp_storage_run(storage, block ? (off_t)(base + block * unit) : -1, (off_t)(run * unit));
        at += run;
    }
    return err;
}

/* What the store is: its kind, name and port.  */
static error_t medium_describe(const struct store_place *place, struct fshelp_storage *storage)
{
    mach_port_t port = place->port;
    error_t err = place->kind == STORE_PLACE_DEVICE
                      ? mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, +1)
                      : 0;
    if (place->kind == STORE_PLACE_FILE && (port = getdport(place->fd)) == MACH_PORT_NULL)
        err = EIO;
    if (err)
        return err;
    storage->port = port;
    storage->kind = place->kind == STORE_PLACE_DEVICE ? STORAGE_DEVICE : STORAGE_HURD_FILE;
    storage->name = strdup(place->name);
    return storage->name ? 0 : ENOMEM;
}

error_t ext2fs_storage(struct diskfs_node *node, struct fshelp_storage *storage)
{
    struct ext2_node *n = ext2_node(node);
    struct store_place place;
    store_place(ext2fs->store, &place);
    if (!S_ISREG(node->stat.st_mode) || place.kind == STORE_PLACE_NOWHERE)
        return EOPNOTSUPP;
    error_t err = diskfs_readonly ? 0 : ext2fs_node_sync(node, true, true);
    storage->block_size = ext2fs->store->block_size;
    if (!err)
        err = medium_describe(&place, storage);
    pthread_mutex_lock(&n->inode.map_lock);
    if (!err)
        err = runs_collect(&n->inode, place.start / storage->block_size, storage);
    pthread_mutex_unlock(&n->inode.map_lock);
    if (err)
        fshelp_storage_release(storage);
    return err;
}
