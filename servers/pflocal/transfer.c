/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer: moving data between socks, and waiting for it; see sock.h for the locks. */

#include "transfer.h"

#include <hurd/hurd_types.h>
#include <sys/socket.h>

error_t sock_send(struct sock *sock, struct addr *dest, const void *data, size_t length, struct extras *extras,
                  bool nonblock, size_t *sent)
{
    struct pipe *pipe;
    error_t err;

    pthread_mutex_lock(&sock_lock);
    pipe = dest ? (dest->sock && sock->type == SOCK_DGRAM ? dest->sock->in : NULL) : sock->out;
    if (pipe)
        pipe_ref(pipe);
    if (pipe && sock->type == SOCK_DGRAM && sock->name) {
        ports_object_ref(sock->name);
        extras->from = sock->name;
    }
    pthread_mutex_unlock(&sock_lock);
    if (!pipe)
        return dest                       ? (sock->type == SOCK_DGRAM ? ECONNREFUSED : EISCONN)
               : sock->type == SOCK_DGRAM ? EDESTADDRREQ
                                          : ENOTCONN;
    err = pipe_send(pipe, data, length, extras, nonblock, sent);
    if (err && extras->from) {
        ports_object_deref(extras->from);
        extras->from = NULL;
    }
    pipe_deref(pipe);
    return err;
}

error_t sock_receive_begin(struct sock *sock, size_t amount, enum pipe_patience patience, struct pipe **result,
                           size_t *available)
{
    struct pipe *pipe;
    error_t err;

    pthread_mutex_lock(&sock_lock);
    pipe = sock->in;
    if (pipe)
        pipe_ref(pipe);
    pthread_mutex_unlock(&sock_lock);
    if (!pipe)
        return ENOTCONN;
    err = pipe_receive_begin(pipe, amount, patience, available);
    if (err)
        pipe_deref(pipe);
    else
        *result = pipe;
    return err;
}

void sock_receive_end(struct pipe *pipe, bool took)
{
    pipe_receive_end(pipe, took);
    pipe_deref(pipe);
}

size_t sock_readable(struct sock *sock)
{
    struct pipe *pipe;
    size_t bytes = 0;

    if (sock_receive_begin(sock, 0, PIPE_NONBLOCK, &pipe, &bytes))
        return 0;
    bytes = pipe->queue.bytes;
    sock_receive_end(pipe, false);
    return bytes;
}

/* Which of TYPES are possible. */
static int sock_poll(void *arg, int types)
{
    struct sock *sock = arg;
    int ready = 0;

    pthread_mutex_lock(&sock_lock);
    if (types & SELECT_READ) {
        bool readable = sock->listening ? sock->pending != NULL : !sock->in || pipe_ready(sock->in, true);
        ready |= readable ? SELECT_READ : 0;
    }
    if (types & SELECT_WRITE) {
        bool writable = !sock->listening && (!sock->out || pipe_ready(sock->out, false));
        ready |= writable ? SELECT_WRITE : 0;
    }
    pthread_mutex_unlock(&sock_lock);
    return ready;
}

error_t sock_select(struct sock *sock, int *types, const struct timespec *until)
{
    return pipe_select(sock_poll, sock, types, until);
}
