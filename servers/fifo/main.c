/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fifo: a named pipe; the translator of every S_IFIFO node, started by the file system when somebody opens one.

   An open may wait for somebody at the other end.  The file system asks for the root on behalf of its client and must
   not wait with him: so then it gets a node that is not open for anything, and the client is told to look up
   OPEN_NAME in that, by which he waits here. */

#include "fifo.h"

#include <error.h>
#include <fcntl.h>
#include <hurd/hurd_types.h>
#include <string.h>
#include <trivfs/trivfs.h>

#define OPEN_NAME "\1" /* nothing that anybody would type */
enum { IDLE_MS = 30 * 1000 };

static struct fifo fifo;

static bool nonblocking(const struct trivfs_protid *protid)
{
    return protid->peropen->flags & O_NONBLOCK;
}

static error_t node_open(struct trivfs_peropen *peropen, struct fshelp_user *user)
{
    int flags = peropen->flags;

    (void) user;
    error_t err = fifo_open(&fifo, flags & O_READ, flags & O_WRITE, flags & O_NONBLOCK);
    if (!err)
        peropen->hook = &fifo; /* to be closed */
    return err;
}

static void node_close(struct trivfs_peropen *peropen)
{
    if (peropen->hook)
        fifo_close(&fifo, peropen->flags & O_READ, peropen->flags & O_WRITE);
}

static error_t node_getroot(struct trivfs_control *control, struct fshelp_user *user, int flags, retry_type *retry,
                            char *retry_name, mach_port_t *root)
{
    bool later = fifo_open_waits(&fifo, flags & O_READ, flags & O_WRITE, flags & O_NONBLOCK);
    struct trivfs_protid *protid;
    error_t err = trivfs_open_checked(control, user, later ? flags & ~(O_READ | O_WRITE) : flags, &protid);

    if (err)
        return err;
    *retry = FS_RETRY_NORMAL;
    strcpy(retry_name, later ? OPEN_NAME : "");
    *root = ports_object_send_right(protid);
    ports_object_deref(protid);
    return *root == MACH_PORT_NULL ? ENOMEM : 0;
}

static error_t node_lookup(struct trivfs_protid *protid, const char *path, int flags, struct trivfs_protid **result,
                           const char **above)
{
    (void) above;
    if ((*path && strcmp(path, OPEN_NAME) != 0) || (flags & O_DIRECTORY))
        return ENOTDIR;
    return trivfs_open_checked(protid->peropen->control, protid->user, flags, result);
}

static error_t node_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    size_t available;
    error_t err = pipe_receive_begin(fifo.pipe, amount, nonblocking(protid) ? PIPE_NONBLOCK : PIPE_LEAVE, &available);

    (void) offset;
    if (err)
        return err;
    err = trivfs_buffer_reserve(buffer, available);
    if (!err)
        buffer->length = queue_get(&fifo.pipe->queue, buffer->data, available, NULL, false, NULL, extras_drop);
    pipe_receive_end(fifo.pipe, !err);
    return err;
}

static error_t node_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    (void) offset;
    return pipe_send(fifo.pipe, data, length, NULL, nonblocking(protid), amount);
}

static error_t node_readable(struct trivfs_protid *protid, size_t *amount)
{
    (void) protid;
    *amount = pipe_readable(fifo.pipe);
    return 0;
}

static int poll_ends(void *arg, int types)
{
    (void) arg;
    return (types & SELECT_READ && pipe_ready(fifo.pipe, true) ? SELECT_READ : 0) |
           (types & SELECT_WRITE && pipe_ready(fifo.pipe, false) ? SELECT_WRITE : 0);
}

/* Only for what it is open for. */
static error_t node_select(struct trivfs_protid *protid, int *types, const struct timespec *until)
{
    int flags = protid->peropen->flags;

    *types &= (flags & O_READ ? SELECT_READ : 0) | (flags & O_WRITE ? SELECT_WRITE : 0);
    return *types ? pipe_select(poll_ends, NULL, types, until) : 0;
}

static void node_stat(struct trivfs_protid *protid, struct stat *st)
{
    (void) protid;
    st->st_size = (off_t) pipe_readable(fifo.pipe);
    st->st_blocks = 0;
    st->st_blksize = PIPE_ATOMIC;
}

static const struct trivfs_ops ops = {
    .name = "fifo", .fstype = FSTYPE_MISC, .modes = O_READ | O_WRITE, .node_type = S_IFIFO,
    .getroot = node_getroot, .lookup = node_lookup, .open = node_open, .close = node_close, .stat = node_stat,
    .read = node_read, .write = node_write, .readable = node_readable, .select = node_select,
};

int main(int argc, char **argv)
{
    if (argc != 1)
        error(2, 0, "usage: settrans NODE %s", argv[0]);
    error_t err = fifo_create(&fifo);
    if (err)
        error(1, err, "making the pipe");
    trivfs_main(&ops, NULL, IDLE_MS);
}
