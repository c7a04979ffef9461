/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pflocal: sockets of the local domain, and pipes: the translator of /servers/socket/1.

   Opened through the file system it is the domain's server, a pf_t, on which socket.defs makes sockets.  Each socket is
   a node of trivfs too, of a second control that nobody else sees: so io.defs on sockets (duplicate, reauthenticate,
   select, modes) is trivfs's. */

#include "pflocal.h"

#include <error.h>
#include <fcntl.h>
#include <hurd/hurd_types.h>
#include <stdlib.h>
#include <string.h>

struct trivfs_control *socket_control;

static struct sock *sock_of(struct trivfs_protid *protid)
{
    return protid->peropen->hook;
}

static bool nonblocking(struct trivfs_protid *protid)
{
    return protid->peropen->flags & O_NONBLOCK;
}

static error_t socket_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    struct pipe *pipe;
    size_t available;
    error_t err = sock_receive_begin(sock_of(protid), amount, nonblocking(protid) ? PIPE_NONBLOCK : PIPE_LEAVE, &pipe,
                                     &available);

    (void) offset;
    if (err)
        return err;
    err = trivfs_buffer_reserve(buffer, available);
    if (!err)
        buffer->length = queue_get(&pipe->queue, buffer->data, available, NULL, false, NULL, extras_drop);
    sock_receive_end(pipe, !err);
    return err;
}

static error_t socket_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    struct extras none = { 0 };

    (void) offset;
    if (length == 0 && sock_of(protid)->type == SOCK_STREAM) {
        *amount = 0;
        return 0;
    }
    return sock_send(sock_of(protid), NULL, data, length, &none, nonblocking(protid), amount);
}

static error_t socket_select(struct trivfs_protid *protid, int *types, const struct timespec *until)
{
    return sock_select(sock_of(protid), types, until);
}

static error_t socket_readable(struct trivfs_protid *protid, size_t *amount)
{
    *amount = sock_readable(sock_of(protid));
    return 0;
}

static void socket_stat(struct trivfs_protid *protid, struct stat *st)
{
    const struct sock *sock = sock_of(protid);

    st->st_mode = (sock->protocol == S_IFIFO ? S_IFIFO : S_IFSOCK) | 0600;
    st->st_ino = (ino_t) (uintptr_t) sock;
    st->st_nlink = 1;
    st->st_size = sock->protocol == S_IFIFO ? (off_t) sock_readable(sock_of(protid)) : 0;
    st->st_blksize = PIPE_ATOMIC;
}

static void socket_close(struct trivfs_peropen *peropen)
{
    struct sock *sock = peropen->hook;

    if (sock) {
        sock_close(sock);
        sock_deref(sock);
    }
}

static const ports_interface_t socket_interfaces[] = { socket_server_routine, NULL };

static const struct trivfs_ops socket_ops = {
    .name = "pflocal", .fstype = FSTYPE_SOCKET, .modes = O_READ | O_WRITE, .node_type = S_IFSOCK, .unnamed = true,
    .close = socket_close, .stat = socket_stat, .read = socket_read, .write = socket_write,
    .readable = socket_readable, .select = socket_select, .node_interfaces = socket_interfaces,
};

static const struct trivfs_ops domain_ops = {
    .name = "pflocal", .fstype = FSTYPE_SOCKET, .modes = O_READ | O_WRITE, .node_type = S_IFCHR,
    .node_interfaces = socket_interfaces,
};

const struct trivfs_ops *const pflocal_domain_ops = &domain_ops;

error_t socket_port(struct sock *sock, mach_port_t *port)
{
    static struct fshelp_user *nobody; /* whoever has the port may use the socket, but none may do what its file
                                          system's owner may */
    struct trivfs_protid *protid;
    error_t err;

    if (!nobody && !(nobody = fshelp_user_create(NULL, 0, NULL, 0)))
        return ENOMEM;
    err = trivfs_open(socket_control, nobody, O_READ | O_WRITE, &protid);
    if (err)
        return err;
    sock_ref(sock);
    protid->peropen->hook = sock;
    *port = ports_object_send_right(protid);
    ports_object_deref(protid);
    return *port == MACH_PORT_NULL ? ENOMEM : 0;
}

int main(int argc, char **argv)
{
    struct ports_bucket *bucket;
    error_t err;

    if (argc != 1)
        error(2, 0, "usage: settrans NODE %s", argv[0]);
    err = ports_bucket_create(&bucket);
    if (!err)
        err = trivfs_control_create(&socket_ops, bucket, MACH_PORT_NULL, NULL, &socket_control);
    if (!err)
        err = ports_bucket_serve_detached(bucket, NULL);
    if (err)
        error(1, err, "making the sockets' bucket");
    trivfs_main(&domain_ops, NULL, 0);
}
