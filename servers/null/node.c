/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reading and writing nothing, zeros and too much means.  */

#include "null.h"

#include <argz.h>
#include <fcntl.h>
#include <hurd/hurd_types.h>
#include <string.h>

/* Most that one read gives: zero pages that nobody has touched cost nothing, but their addresses are finite. */
enum { READ_MAX = 64 << 20 };

static error_t zero_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    (void)protid, (void)offset;
    if (amount > READ_MAX)
        amount = READ_MAX;
    if (amount > buffer->capacity) {
        error_t err = trivfs_buffer_reserve(buffer, amount); /* fresh memory, which is zero */
        if (err)
            return err;
    } else {
        memset(buffer->data, 0, amount);
    }
    buffer->length = amount;
    return 0;
}

static error_t null_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    (void)protid, (void)offset, (void)data;
    *amount = length;
    return 0;
}

static error_t full_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    (void)protid, (void)offset, (void)data;
    *amount = 0;
    return length == 0 ? 0 : ENOSPC;
}

static error_t null_readable(struct trivfs_protid *protid, size_t *amount)
{
    (void)protid;
    *amount = 0;
    return 0;
}

static error_t zero_readable(struct trivfs_protid *protid, size_t *amount)
{
    (void)protid;
    *amount = READ_MAX;
    return 0;
}

/* Mapping no memory object at all is what the C library and the kernel understand as anonymous memory. */
static error_t zero_map(struct trivfs_protid *protid, memory_object_t *read, memory_object_t *write)
{
    (void)protid;
    *read = *write = MACH_PORT_NULL;
    return 0;
}

static error_t zero_options(struct trivfs_control *control, char **argz, size_t *length)
{
    return argz_add(argz, length, control->ops == &zero_ops ? "--zero" : "--full");
}

const struct trivfs_ops null_ops = {
    .name = "null", .fstype = FSTYPE_DEV, .modes = O_READ | O_WRITE, .node_type = S_IFCHR, .seekable = true,
    .write = null_write, .readable = null_readable,
};

const struct trivfs_ops zero_ops = {
    .name = "zero", .fstype = FSTYPE_DEV, .modes = O_READ | O_WRITE | O_EXEC, .node_type = S_IFCHR, .seekable = true,
    .read = zero_read, .write = null_write, .readable = zero_readable, .map = zero_map, .get_options = zero_options,
};

const struct trivfs_ops full_ops = {
    .name = "full", .fstype = FSTYPE_DEV, .modes = O_READ | O_WRITE, .node_type = S_IFCHR, .seekable = true,
    .read = zero_read, .write = full_write, .readable = zero_readable, .map = zero_map, .get_options = zero_options,
};
