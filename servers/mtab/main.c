/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mtab: a file that lists the mounted file systems; the translator of /etc/mtab.

       mtab

   What a reader finds is the table at the time of its open: the root file system and all below it that somebody can go
   into, each asked for its own source and options. */

#include "mtab.h"

#include <error.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <stdlib.h>
#include <string.h>
#include <trivfs/trivfs.h>

enum { IDLE_MS = 120 * 1000 };

struct table {
    char *text;
    size_t length;
};

static error_t table_open(struct trivfs_peropen *peropen, struct fshelp_user *user)
{
    (void)user;
    mach_port_t root = getcrdir(), control;
    struct table *table = calloc(1, sizeof *table);
    error_t err = table == NULL ? ENOMEM : file_getcontrol(root, &control);
    mach_port_deallocate(mach_task_self(), root);
    if (!err) {
        err = mounts_list(control, &table->text, &table->length);
        mach_port_deallocate(mach_task_self(), control);
    }
    if (err && table != NULL) {
        free(table->text);
        free(table);
    } else {
        peropen->hook = table;
    }
    return err;
}

static void table_close(struct trivfs_peropen *peropen)
{
    struct table *table = peropen->hook;
    if (table != NULL)
        free(table->text);
    free(table);
}

static error_t table_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    struct table *table = protid->peropen->hook;
    size_t left = offset < (off_t)table->length ? table->length - (size_t)offset : 0;
    if (amount > left)
        amount = left;
    error_t err = amount > buffer->capacity ? trivfs_buffer_reserve(buffer, amount) : 0;
    if (!err && amount > 0)
        memcpy(buffer->data, table->text + offset, amount);
    buffer->length = err ? 0 : amount;
    return err;
}

static off_t table_size(struct trivfs_protid *protid)
{
    return (off_t)((struct table *)protid->peropen->hook)->length;
}

static void table_stat(struct trivfs_protid *protid, struct stat *st)
{
    st->st_size = table_size(protid);
}

static const struct trivfs_ops table_ops = {
    .name = "mtab", .fstype = FSTYPE_MISC, .modes = O_READ, .node_type = S_IFREG, .seekable = true,
    .open = table_open, .close = table_close, .stat = table_stat, .read = table_read, .size = table_size,
};

int main(int argc, char **argv)
{
    if (argc > 1)
        error(2, 0, "unknown argument: %s (there are none)", argv[1]);
    trivfs_main(&table_ops, NULL, IDLE_MS);
}
