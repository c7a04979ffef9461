/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext2fs: the file system server.  What is not the format is lib/diskfs; the format is behind ext2.h; this is the table
   that joins them, and the seed's "ext2fs initialization".  Usage: ext2fs [--readonly] [...] [-T typed] STORE.  */

#include "ext2fs.h"

#include <dance/dance.h>
#include <hurd/paths.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

struct ext2_fs *ext2fs;

static error_t sync_one(struct diskfs_node *node, void *wait)
{
    struct ext2_node *n = ext2_node(node);
    pthread_mutex_lock(&node->lock);
    error_t err = ext2fs_small_flush(n);
    ext2_reserve_drop(ext2fs, &n->inode);
    if (n->pager) {                                /* readers and writers go on meanwhile */
        pthread_mutex_unlock(&node->lock);
        err = pager_sync(n->pager, 0, UINT64_MAX, *(bool *)wait);
        pthread_mutex_lock(&node->lock);
    }
    if (ext2fs->writable) {                        /* writing pages may have allocated blocks */
        error_t e = diskfs_node_update(node, false);
        err = err ? err : e;
    }
    pthread_mutex_unlock(&node->lock);
    return err;
}

static error_t whole_sync(bool data, bool wait, bool clean)
{
    error_t err = data ? diskfs_node_iterate(sync_one, &wait) : 0;
    error_t e = ext2_sync(ext2fs, wait, clean);
    return err ? err : e;
}

static error_t whole_statfs(struct statfs64 *f)
{
    struct ext2_counts c;
    ext2_counts(ext2fs, &c);
    f->f_bsize = f->f_frsize = ext2fs->block_size;
    f->f_blocks = c.blocks;
    f->f_bfree = c.free;
    f->f_bavail = c.available;
    f->f_files = c.inodes;
    f->f_ffree = f->f_favail = c.inodes_free;
    f->f_namelen = DIRENT_NAME_MAX;
    return 0;
}

static error_t whole_set_readonly(bool readonly)
{
    return ext2_set_writable(ext2fs, !readonly);
}

static error_t whole_reload(void)
{
    return ext2_reload(ext2fs);
}

static const char *whole_source(void)
{
    return ext2fs->name;
}

static struct diskfs_ops ops = {
    .name = "ext2fs",
    .version = "1.0",
    .fstype = FSTYPE_EXT2FS,
    .node_size = sizeof(struct ext2_node),
    .name_max = DIRENT_NAME_MAX,
    .link_max = LINKS_MAX,
    .size_max = INT64_MAX,
    .node_read = ext2fs_node_read,
    .node_write = ext2fs_node_write,
    .node_alloc = ext2fs_node_alloc,
    .node_create = ext2fs_node_create,
    .node_unalloc = ext2fs_node_unalloc,
    .node_delete = ext2fs_node_delete,
    .node_forget = ext2fs_node_forget,
    .node_idle_drop = ext2fs_node_idle_drop,
    .read = ext2fs_read,
    .write = ext2fs_write,
    .set_size = ext2fs_set_size,
    .map = ext2fs_map,
    .seek = ext2fs_seek,
    .storage = ext2fs_storage,
    .node_sync = ext2fs_node_sync,
    .link_read = ext2fs_link_read,
    .link_write = ext2fs_link_write,
    .node_retype = ext2fs_node_retype,
    .dir_lookup = ext2fs_dir_lookup,
    .dir_enter = ext2fs_dir_enter,
    .dir_remove = ext2fs_dir_remove,
    .dir_rewrite = ext2fs_dir_rewrite,
    .dir_init = ext2fs_dir_init,
    .dir_check_empty = ext2fs_dir_check_empty,
    .dir_iterate = ext2fs_dir_iterate,
    .translator_get = ext2fs_translator_get,
    .translator_set = ext2fs_translator_set,
    .statfs = whole_statfs,
    .sync = whole_sync,
    .set_readonly = whole_set_readonly,
    .reload = whole_reload,
    .source = whole_source,
};

/* The store's typed name: as it is, or behind the type that -T said, or a file.  */
static char *store_name(void)
{
    const char *name = diskfs_arguments.stores[0], *type = diskfs_arguments.store_type;
    char *typed = NULL;
    if (type ? !strcmp(type, "typed") : strchr(name, ':') != NULL && *name != '/')
        return strdup(name);
    return asprintf(&typed, "%s:%s", type ? type : "file", name) < 0 ? NULL : typed;
}

/* The program ends, with an error or by fsys_goaway: what was begun is finished.  */
static void mark_clean(void)
{
    (void)ext2_sync(ext2fs, true, true);
}

/* The super block says that damage must stop the system rather than go on.  */
static void panic(void)
{
    diskfs_warn("stops here, as the super block asks for after an error");
    _exit(1);
}

/* Opens the store and mounts what is on it; ends the program with one line when that cannot be.  */
static void mount(void)
{
    struct store_options options = { .readonly = false, .device_master = diskfs_device_master() };
    struct store *store;
    char *why = NULL, *name = store_name();
    if (!name)
        diskfs_die("out of memory");
    error_t err = store_open(name, &options, &store, &why);
    if (!err)
        err = ext2_mount(store, 0, &ext2fs, &why);
    if (err)
        diskfs_die("%s", why ? why : strerror(err));
    free(name);
    ext2fs->on_panic = panic;
    ops.size_max = (off_t)ext2fs->size_max;
    atexit(mark_clean);
    if (!diskfs_readonly && (err = ext2_set_writable(ext2fs, true)) != 0) {
        diskfs_warn("cannot be written (%s): read-only", strerror(err));
        diskfs_readonly = true;
    }
}

int main(int argc, char **argv)
{
    /* 1. to 3. Arguments and stdout, bootstrap port, the library and its threads.  */
    diskfs_init_main(&ops, NULL, argc, argv);

    /* 4. The pager.  */
    pager_use_host_priv(diskfs_arguments.host_priv);
    error_t err = pager_init();
    if (err)
        diskfs_die("cannot start the pager: %s", strerror(err));
    dance_step(4, "pager created");

    /* 5. The hypermetadata: super block and descriptors.  */
    mount();
    dance_step(5, "hypermetadata of %s open", ext2fs->name);

    /* 6. The root inode, then the startup proper: 7. to 14., lib/diskfs/boot.c; from 15. on lib/diskfs/boot-init.c.  */
    diskfs_startup_diskfs(INO_ROOT);

    /* From now on the threads do the work.  */
    diskfs_main_end();
}
