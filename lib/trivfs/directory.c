/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the directories of a translator that shows a tree (trivfs_ops.readdir).  */

#include "trivfs-internal.h"

#include "fs_S.h"

#include <dirent.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_OFFSET = offsetof(struct dirent64, d_name) };

/* The entries gathered so far. */
struct listing {
    char *data;
    size_t length;
    int count;
};

static error_t listing_add(struct listing *listing, const char *name, ino64_t fileno, int type)
{
    size_t name_length = strlen(name);
    size_t record = (NAME_OFFSET + name_length + 1 + 7) & ~(size_t)7;
    char *more = realloc(listing->data, listing->length + record);
    if (more == NULL)
        return ENOMEM;
    listing->data = more;
    struct dirent64 *entry = (struct dirent64 *)(more + listing->length);
    memset(entry, 0, record);
    entry->d_ino = fileno;
    entry->d_reclen = record;
    entry->d_type = type;
    entry->d_namlen = name_length;
    memcpy(entry->d_name, name, name_length);
    listing->length += record;
    listing->count++;
    return 0;
}

kern_return_t S_dir_readdir(trivfs_protid_t dir, data_t *data, mach_msg_type_number_t *count, boolean_t *dealloc,
                            int entry, int wanted, vm_size_t room, int *amount)
{
    if (dir == NULL)
        return EOPNOTSUPP;
    const struct trivfs_ops *ops = dir->peropen->control->ops;
    if (ops->readdir == NULL)
        return ENOTDIR;
    if (!(__atomic_load_n(&dir->peropen->flags, __ATOMIC_RELAXED) & O_READ))
        return EBADF;
    if (entry < 0)
        return EINVAL;
    struct listing listing = {0};
    error_t err = 0;
    for (unsigned int index = entry; wanted < 0 || listing.count < wanted; index++) {
        const char *name;
        ino64_t fileno;
        int type;
        err = ops->readdir(dir, index, &name, &fileno, &type);
        if (err || (room > 0 && listing.length + NAME_OFFSET + strlen(name) + 8 > room))
            break;
        err = listing_add(&listing, name, fileno, type);
        if (err)
            break;
    }
    if (err && err != ENOENT) {
        free(listing.data);
        return err;
    }
    *amount = listing.count;
    *dealloc = listing.length > *count; /* what does not fit into the message is memory of its own */
    return data_return(listing.data, listing.length, data, count);
}
