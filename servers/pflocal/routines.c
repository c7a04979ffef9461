/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The routines of socket.defs; interface/hurd/socket.defs tells what each means. */

#include "pflocal.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const ports_interface_t addr_interfaces[] = { socket_server_routine, NULL };

/* The sock behind a socket's port; NULL for the domain's own node and for what is no node at all. */
static struct sock *sock_of(struct trivfs_protid *protid)
{
    return protid && protid->peropen->control == socket_control ? protid->peropen->hook : NULL;
}

static bool nonblocking(struct trivfs_protid *protid, int flags)
{
    return (protid->peropen->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT);
}

/* A right to one of our own ports that came as an argument: the object has been found, the send right is no longer
   needed. Only on success. */
static error_t consume(error_t err, void *object)
{
    if (!err && object)
        mach_port_deallocate(mach_task_self(), ((struct ports_object *) object)->receive);
    return err;
}

static void give_addr(struct addr *addr, mach_port_t *port, mach_msg_type_name_t *poly)
{
    *port = addr ? ports_object_make_send_name(addr) : MACH_PORT_NULL;
    *poly = *port == MACH_PORT_NULL ? MACH_MSG_TYPE_COPY_SEND : MACH_MSG_TYPE_MAKE_SEND;
}

/* Frees an argument that came out of line. Only on success. */
static void release(const void *data, size_t length, boolean_t copied)
{
    if (!copied)
        vm_deallocate(mach_task_self(), (vm_address_t) data, length);
}

kern_return_t S_socket_create(struct trivfs_protid *server, int type, int protocol, mach_port_t *port,
                              mach_msg_type_name_t *poly)
{
    struct sock *sock;
    error_t err;

    if (!server || server->peropen->control->ops != pflocal_domain_ops)
        return EOPNOTSUPP;
    err = sock_create(type, protocol, &sock);
    if (err)
        return err;
    err = socket_port(sock, port);
    *poly = MACH_MSG_TYPE_MOVE_SEND;
    sock_deref(sock);
    return err;
}

kern_return_t S_socket_listen(struct trivfs_protid *protid, int backlog)
{
    struct sock *sock = sock_of(protid);
    return sock ? sock_listen(sock, backlog) : EOPNOTSUPP;
}

kern_return_t S_socket_accept(struct trivfs_protid *protid, mach_port_t *port, mach_msg_type_name_t *port_poly,
                              mach_port_t *peer_port, mach_msg_type_name_t *peer_poly)
{
    struct sock *sock = sock_of(protid), *connection;
    struct addr *peer;
    error_t err;

    if (!sock)
        return EOPNOTSUPP;
    err = sock_accept(sock, nonblocking(protid, 0), &connection, &peer);
    if (err)
        return err;
    /* An unnamed peer has an address too, one that nobody can connect to. */
    if (!peer)
        err = addr_create(protid->port.bucket, &peer);
    if (!err)
        err = socket_port(connection, port);
    if (!err) {
        *port_poly = MACH_MSG_TYPE_MOVE_SEND;
        give_addr(peer, peer_port, peer_poly);
    } else
        sock_close(connection);
    if (peer)
        ports_object_deref(peer);
    sock_deref(connection);
    return err;
}

kern_return_t S_socket_connect(struct trivfs_protid *protid, struct addr *addr)
{
    struct sock *sock = sock_of(protid);
    return sock ? consume(sock_connect(sock, addr, nonblocking(protid, 0)), addr) : EOPNOTSUPP;
}

kern_return_t S_socket_bind(struct trivfs_protid *protid, struct addr *addr)
{
    struct sock *sock = sock_of(protid);
    return !sock ? EOPNOTSUPP : !addr ? EADDRNOTAVAIL : consume(sock_bind(sock, addr), addr);
}

kern_return_t S_socket_name(struct trivfs_protid *protid, mach_port_t *port, mach_msg_type_name_t *poly)
{
    struct sock *sock = sock_of(protid);
    struct addr *fresh;
    error_t err = 0;

    if (!sock)
        return EOPNOTSUPP;
    if (!sock->name) {
        /* Asking for the name of an unnamed socket gives it one (autobind), as clients expect an address. */
        err = addr_create(protid->port.bucket, &fresh);
        if (err)
            return err;
        sock_bind(sock, fresh);
        ports_object_deref(fresh);
    }
    give_addr(sock->name, port, poly);
    return err;
}

kern_return_t S_socket_peername(struct trivfs_protid *protid, mach_port_t *port, mach_msg_type_name_t *poly)
{
    struct sock *sock = sock_of(protid);
    struct addr *addr = NULL;
    error_t err = sock ? sock_peer(sock, &addr) : EOPNOTSUPP;

    if (!err && !addr)
        err = addr_create(protid->port.bucket, &addr);
    if (!err)
        give_addr(addr, port, poly);
    if (addr)
        ports_object_deref(addr);
    return err;
}

kern_return_t S_socket_connect2(struct trivfs_protid *first, struct trivfs_protid *second)
{
    struct sock *one = sock_of(first), *two = sock_of(second);
    error_t err;

    if (!one)
        return EOPNOTSUPP;
    if (!two)
        return EINVAL;
    err = sock_connect2(one, two);
    if (!err && one->protocol == S_IFIFO) {
        first->peropen->flags &= ~O_WRITE;
        second->peropen->flags &= ~O_READ;
    }
    return consume(err, second);
}

kern_return_t S_socket_create_address(mach_port_t server, int type, const_data_t data, mach_msg_type_number_t length,
                                      boolean_t copied, mach_port_t *addr, mach_msg_type_name_t *poly)
{
    (void) server, (void) type, (void) data, (void) length, (void) copied, (void) addr, (void) poly;
    return EOPNOTSUPP; /* local addresses come from the file system (ifsock), never from bytes */
}

kern_return_t S_socket_fabricate_address(mach_port_t server, int type, mach_port_t *port, mach_msg_type_name_t *poly)
{
    struct addr *addr;
    error_t err;

    (void) server;
    if (type != AF_LOCAL)
        return EAFNOSUPPORT;
    err = addr_create(socket_control->bucket, &addr);
    if (err)
        return err;
    give_addr(addr, port, poly);
    ports_object_deref(addr);
    return 0;
}

/* Puts LENGTH bytes into an answer: into the buffer that the stub gave if they fit. */
static error_t give_data(const void *bytes, size_t length, data_t *data, mach_msg_type_number_t *count)
{
    if (length > *count) {
        vm_address_t memory = 0;
        error_t err = vm_allocate(mach_task_self(), &memory, length, TRUE);

        if (err)
            return err;
        *data = (data_t) memory;
    }
    memcpy(*data, bytes, length);
    *count = length;
    return 0;
}

kern_return_t S_socket_whatis_address(struct addr *addr, int *type, data_t *data, mach_msg_type_number_t *count)
{
    struct sockaddr sa = { .sa_family = AF_LOCAL, .sa_len = offsetof(struct sockaddr, sa_data) };

    if (!addr)
        return EOPNOTSUPP;
    *type = AF_LOCAL;
    return give_data(&sa, sa.sa_len, data, count);
}

kern_return_t S_socket_shutdown(struct trivfs_protid *protid, int how)
{
    struct sock *sock = sock_of(protid);
    return sock ? sock_shutdown(sock, how) : EOPNOTSUPP;
}

kern_return_t S_socket_getopt(struct trivfs_protid *protid, int level, int option, data_t *data,
                              mach_msg_type_number_t *count)
{
    struct sock *sock = sock_of(protid);
    int value;

    if (!sock)
        return EOPNOTSUPP;
    if (level != SOL_SOCKET)
        return ENOPROTOOPT;
    error_t err = sock_option(sock, option, &value);
    if (err)
        return err;
    return give_data(&value, sizeof value, data, count);
}

kern_return_t S_socket_setopt(struct trivfs_protid *protid, int level, int option, const_data_t data,
                              mach_msg_type_number_t length, boolean_t copied)
{
    struct sock *sock = sock_of(protid);
    int value;

    if (!sock)
        return EOPNOTSUPP;
    if (level != SOL_SOCKET)
        return ENOPROTOOPT;
    if (length < sizeof value)
        return EINVAL;
    memcpy(&value, data, sizeof value);
    error_t err = sock_set_option(sock, option, value);
    if (!err)
        release(data, length, copied);
    return err;
}

/* As much as may go beside the bytes of one message. */
enum { RIGHTS_MAX = 1024, CONTROL_MAX = PIPE_LIMIT };

/* Copies of what a message carries beside its bytes; on success the rights in PORTS belong to *EXTRAS. */
static error_t extras_make(const_portarray_t ports, unsigned int nports, const_data_t control, size_t length,
                           struct extras *extras)
{
    *extras = (struct extras) { 0 };
    if (nports > RIGHTS_MAX || length > CONTROL_MAX)
        return EMSGSIZE;
    if (nports) {
        extras->rights = malloc(nports * sizeof *extras->rights);
        if (!extras->rights)
            return ENOMEM;
        memcpy(extras->rights, ports, nports * sizeof *extras->rights);
        extras->nrights = nports;
    }
    if (length) {
        extras->control = malloc(length);
        if (!extras->control) {
            free(extras->rights);
            return ENOMEM;
        }
        memcpy(extras->control, control, length);
        extras->control_length = length;
    }
    return 0;
}

kern_return_t S_socket_send(struct trivfs_protid *protid, struct addr *addr, int flags, const_data_t data,
                            mach_msg_type_number_t length, boolean_t data_copied, const_portarray_t ports,
                            mach_msg_type_number_t nports, boolean_t ports_copied, const_data_t control,
                            mach_msg_type_number_t control_length, boolean_t control_copied, vm_size_t *amount)
{
    struct sock *sock = sock_of(protid);
    struct extras extras;
    size_t sent;
    error_t err;

    if (!sock || (flags & MSG_OOB))
        return EOPNOTSUPP;
    err = extras_make(ports, nports, control, control_length, &extras);
    if (err)
        return err;
    err = sock_send(sock, addr, data, length, &extras, nonblocking(protid, flags), &sent);
    if (err) {
        free(extras.rights); /* the rights themselves go with the message */
        free(extras.control);
        return err;
    }
    *amount = sent;
    release(data, length, data_copied);
    release(ports, nports * sizeof *ports, ports_copied);
    release(control, control_length, control_copied);
    return consume(0, addr);
}

static error_t give_extras(struct extras *extras, mach_port_t *addr, mach_msg_type_name_t *addr_poly,
                           portarray_t *ports, mach_msg_type_name_t *ports_poly, mach_msg_type_number_t *nports,
                           data_t *control, mach_msg_type_number_t *control_length)
{
    mach_msg_type_number_t room = *nports * sizeof **ports;
    data_t rights = (data_t) *ports;
    error_t err = give_data(extras->rights, extras->nrights * sizeof **ports, &rights, &room);

    if (!err)
        err = give_data(extras->control, extras->control_length, control, control_length);
    if (err)
        return err;
    *ports = (portarray_t) rights;
    *nports = extras->nrights;
    *ports_poly = MACH_MSG_TYPE_MOVE_SEND;
    give_addr(extras->from, addr, addr_poly);
    extras->nrights = 0; /* moved */
    return 0;
}

/* Receives once, behind what BUFFER has. */
static error_t receive_some(struct sock *sock, int flags, size_t amount, bool nonblock, struct trivfs_buffer *buffer,
                            struct extras *extras, bool *truncated)
{
    struct pipe *pipe;
    size_t available;
    error_t err = sock_receive_begin(sock, amount, nonblock ? PIPE_NONBLOCK : PIPE_WAIT, &pipe, &available);

    if (err)
        return err;
    err = trivfs_buffer_reserve(buffer, buffer->length + available);
    if (!err)
        buffer->length += queue_get(&pipe->queue, buffer->data + buffer->length, available, extras, flags & MSG_PEEK,
                                    truncated, extras_drop);
    sock_receive_end(pipe, !err && !(flags & MSG_PEEK));
    return err;
}

/* MSG_WAITALL is for streams, and ends at rights and control data. */
static bool wants_more(const struct sock *sock, int flags, size_t amount, const struct trivfs_buffer *buffer,
                       const struct extras *extras)
{
    return sock->type == SOCK_STREAM && !(flags & MSG_PEEK) && buffer->length > 0 && buffer->length < amount &&
           !extras_any(extras);
}

kern_return_t S_socket_recv(struct trivfs_protid *protid, mach_port_t *addr, mach_msg_type_name_t *addr_poly, int flags,
                            data_t *data, mach_msg_type_number_t *count, portarray_t *ports,
                            mach_msg_type_name_t *ports_poly, mach_msg_type_number_t *nports, data_t *control,
                            mach_msg_type_number_t *control_length, int *outflags, vm_size_t amount)
{
    struct sock *sock = sock_of(protid);
    struct trivfs_buffer buffer = { .data = *data, .capacity = *count };
    struct extras extras = { 0 };
    bool truncated = false;
    error_t err;

    if (!sock || (flags & MSG_OOB))
        return EOPNOTSUPP;
    err = receive_some(sock, flags, amount, nonblocking(protid, flags), &buffer, &extras, &truncated);
    while (!err && (flags & MSG_WAITALL) && wants_more(sock, flags, amount, &buffer, &extras)) {
        size_t before = buffer.length;
        if (receive_some(sock, flags, amount - before, nonblocking(protid, flags), &buffer, &extras, &truncated) ||
            buffer.length == before)
            break;
    }
    if (!err)
        err = give_extras(&extras, addr, addr_poly, ports, ports_poly, nports, control, control_length);
    extras_drop(&extras);
    if (err)
        return err;
    *data = buffer.data;
    *count = buffer.length;
    *outflags = truncated ? MSG_TRUNC : 0;
    return 0;
}
