/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link: targets of symbolic links, in the inode when they are short, else in a block.  */

#include "ext2.h"

#include <string.h>

error_t ext2_link_read(struct ext2_fs *fs, struct ext2_inode *inode, char *buffer)
{
    struct ext2_buf buf;
    if (ext2_inode_is_fast_link(fs, inode)) {
        memcpy(buffer, inode->block, inode->size);
        return 0;
    }
    error_t err = ext2_map_get(fs, inode, 0, &buf);
    if (err)
        return err;
    memcpy(buffer, buf.data, inode->size);      /* inode_check: less than a block */
    ext2_cache_put(fs, &buf);
    return 0;
}

error_t ext2_link_write(struct ext2_fs *fs, struct ext2_inode *inode, const char *target, size_t length)
{
    if (length >= fs->block_size)
        return ENAMETOOLONG;
    struct ext2_buf buf;
    error_t err = 0;
    pthread_mutex_lock(&inode->map_lock);
    if (length < sizeof inode->block) {
        memset(inode->block, 0, sizeof inode->block);
        memcpy(inode->block, target, length);
        inode->size = length;
    } else {
        err = ext2_map_append(fs, inode, 0, &buf);
        if (!err) {
            memcpy(buf.data, target, length);
            ext2_cache_dirty(fs, &buf, EXT2_FIRST);
            ext2_cache_put(fs, &buf);
            inode->size = length;
        }
    }
    pthread_mutex_unlock(&inode->map_lock);
    return err;
}
