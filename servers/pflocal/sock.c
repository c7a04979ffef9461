/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock: creating, naming, connecting and closing; see sock.h.  Moving data is in transfer.c. */

#include "sock.h"
#include "transfer.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

pthread_mutex_t sock_lock = PTHREAD_MUTEX_INITIALIZER;

static void addr_destroy(struct ports_object *object)
{
    (void) object; /* nobody is bound: a bound sock holds a reference */
}

static const struct ports_class_ops addr_ops = {
    .name = "address", .size = sizeof(struct addr), .interfaces = addr_interfaces, .destroy = addr_destroy,
};
struct ports_class addr_class = PORTS_CLASS(addr_ops);

error_t addr_create(struct ports_bucket *bucket, struct addr **addr)
{
    return ports_object_create(&addr_class, bucket, addr);
}

error_t sock_create(int type, int protocol, struct sock **result)
{
    struct sock *sock;

    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return ESOCKTNOSUPPORT;
    if (protocol != 0 && !(protocol == S_IFIFO && type == SOCK_STREAM))
        return EPROTONOSUPPORT;
    sock = calloc(1, sizeof *sock);
    if (!sock)
        return ENOMEM;
    atomic_init(&sock->refs, 1);
    sock->type = type;
    sock->protocol = protocol;
    sock->pending_last = &sock->pending;
    pthread_cond_init(&sock->acceptable, NULL);
    pthread_cond_init(&sock->room, NULL);
    if (type == SOCK_DGRAM && !(sock->in = pipe_create(true))) {
        free(sock);
        return ENOMEM;
    }
    *result = sock;
    return 0;
}

void sock_ref(struct sock *sock)
{
    atomic_fetch_add_explicit(&sock->refs, 1, memory_order_relaxed);
}

void sock_deref(struct sock *sock)
{
    if (atomic_fetch_sub_explicit(&sock->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (sock->in)
        pipe_deref(sock->in);
    if (sock->out)
        pipe_deref(sock->out);
    if (sock->name)
        ports_object_deref(sock->name);
    if (sock->peer)
        ports_object_deref(sock->peer);
    pthread_cond_destroy(&sock->acceptable);
    pthread_cond_destroy(&sock->room);
    free(sock);
}

void sock_close(struct sock *sock)
{
    struct sock *pending, *next;
    struct pipe *in, *out;

    pthread_mutex_lock(&sock_lock);
    sock->listening = false;
    pending = sock->pending;
    sock->pending = NULL;
    sock->pending_last = &sock->pending;
    if (sock->name && sock->name->sock == sock)
        sock->name->sock = NULL;
    in = sock->in;
    out = sock->type == SOCK_DGRAM ? NULL : sock->out;
    pthread_cond_broadcast(&sock->acceptable);
    pthread_cond_broadcast(&sock->room);
    pthread_mutex_unlock(&sock_lock);

    if (in)
        pipe_close(in, true, false);
    if (out)
        pipe_close(out, false, true);
    for (; pending; pending = next) {
        next = pending->pending_next;
        sock_close(pending);
        sock_deref(pending);
    }
}

error_t sock_bind(struct sock *sock, struct addr *addr)
{
    error_t err = 0;

    pthread_mutex_lock(&sock_lock);
    if (sock->name)
        err = EINVAL;
    else if (addr->sock)
        err = EADDRINUSE;
    else {
        ports_object_ref(addr);
        sock->name = addr;
        addr->sock = sock;
    }
    pthread_mutex_unlock(&sock_lock);
    return err;
}

error_t sock_listen(struct sock *sock, int backlog)
{
    error_t err = 0;

    pthread_mutex_lock(&sock_lock);
    if (sock->type == SOCK_DGRAM || sock->protocol)
        err = EOPNOTSUPP;
    else if (sock->in)
        err = EISCONN;
    else {
        sock->listening = true;
        sock->backlog = backlog < 1 ? 1 : backlog;
        pthread_cond_broadcast(&sock->room);
    }
    pthread_mutex_unlock(&sock_lock);
    return err;
}

/* Makes FIRST and SECOND each other's peers. sock_lock held. */
static error_t connect_locked(struct sock *first, struct sock *second)
{
    bool records = first->type == SOCK_SEQPACKET;
    struct pipe *there = NULL, *back;

    if (first->in || first->out || second->in || second->out)
        return EISCONN;
    back = pipe_create(records);
    if (!back)
        return ENOMEM;
    if (first->protocol != S_IFIFO) {
        there = pipe_create(records);
        if (!there) {
            pipe_deref(back);
            return ENOMEM;
        }
        pipe_ref(there);
        first->out = second->in = there;
    }
    pipe_ref(back);
    first->in = second->out = back;
    return 0;
}

error_t sock_connect2(struct sock *first, struct sock *second)
{
    error_t err;

    if (first == second || first->type != second->type || first->protocol != second->protocol)
        return EPROTOTYPE;
    pthread_mutex_lock(&sock_lock);
    if (first->type != SOCK_DGRAM)
        err = connect_locked(first, second);
    else if (first->out || second->out)
        err = EISCONN;
    else {
        pipe_ref(second->in);
        pipe_ref(first->in);
        first->out = second->in;
        second->out = first->in;
        err = 0;
    }
    pthread_mutex_unlock(&sock_lock);
    return err;
}

/* Waits for room at the listener; sock_lock held. The listener cannot go while we hold a reference to it. */
static error_t wait_for_backlog(struct sock *listener, bool nonblock)
{
    while (listener->listening && listener->npending >= listener->backlog) {
        if (nonblock)
            return EWOULDBLOCK;
        if (ports_cond_wait(&listener->room, &sock_lock))
            return EINTR;
    }
    return listener->listening ? 0 : ECONNREFUSED;
}

static error_t connect_stream(struct sock *sock, struct addr *addr, bool nonblock)
{
    struct sock *listener = addr->sock, *server = NULL;
    error_t err;

    if (!listener || !listener->listening)
        return ECONNREFUSED;
    if (listener->type != sock->type)
        return EPROTOTYPE;
    if (sock->in || sock->out)
        return EISCONN;
    sock_ref(listener);
    err = wait_for_backlog(listener, nonblock);
    if (!err)
        err = sock_create(sock->type, 0, &server);
    if (!err)
        err = connect_locked(sock, server);
    if (!err) {
        ports_object_ref(addr);
        sock->peer = addr;
        ports_object_ref(addr);
        server->name = addr;
        if (sock->name) {
            ports_object_ref(sock->name);
            server->peer = sock->name;
        }
        *listener->pending_last = server;
        listener->pending_last = &server->pending_next;
        listener->npending++;
        pthread_cond_signal(&listener->acceptable);
        pipe_select_wake();
        server = NULL;
    }
    pthread_mutex_unlock(&sock_lock);
    if (server)
        sock_deref(server);
    sock_deref(listener);
    pthread_mutex_lock(&sock_lock);
    return err;
}

static error_t connect_records(struct sock *sock, struct addr *addr)
{
    if (addr && !addr->sock)
        return ECONNREFUSED;
    if (addr && addr->sock->type != SOCK_DGRAM)
        return EPROTOTYPE;
    if (sock->out)
        pipe_deref(sock->out);
    if (sock->peer)
        ports_object_deref(sock->peer);
    sock->out = NULL;
    sock->peer = NULL;
    if (addr) {
        sock->out = addr->sock->in;
        pipe_ref(sock->out);
        ports_object_ref(addr);
        sock->peer = addr;
    }
    return 0;
}

error_t sock_connect(struct sock *sock, struct addr *addr, bool nonblock)
{
    error_t err;

    if (!addr && sock->type != SOCK_DGRAM)
        return EADDRNOTAVAIL;
    pthread_mutex_lock(&sock_lock);
    err = sock->type == SOCK_DGRAM ? connect_records(sock, addr) : connect_stream(sock, addr, nonblock);
    pthread_mutex_unlock(&sock_lock);
    return err;
}

error_t sock_accept(struct sock *sock, bool nonblock, struct sock **connection, struct addr **peer)
{
    error_t err = 0;

    pthread_mutex_lock(&sock_lock);
    while (!err && !sock->pending) {
        if (!sock->listening)
            err = EINVAL;
        else if (nonblock)
            err = EWOULDBLOCK;
        else if (ports_cond_wait(&sock->acceptable, &sock_lock) || ports_self_abandoned())
            err = EINTR;
    }
    if (err == EINTR && sock->pending)
        pthread_cond_signal(&sock->acceptable);     /* for somebody else */
    if (!err) {
        *connection = sock->pending;
        sock->pending = (*connection)->pending_next;
        if (!sock->pending)
            sock->pending_last = &sock->pending;
        (*connection)->pending_next = NULL;
        sock->npending--;
        pthread_cond_signal(&sock->room);
        *peer = (*connection)->peer;
        if (*peer)
            ports_object_ref(*peer);
    }
    pthread_mutex_unlock(&sock_lock);
    return err;
}

error_t sock_peer(struct sock *sock, struct addr **peer)
{
    pthread_mutex_lock(&sock_lock);
    error_t err = sock->in || sock->out ? 0 : ENOTCONN;
    *peer = sock->peer;
    if (*peer)
        ports_object_ref(*peer);
    pthread_mutex_unlock(&sock_lock);
    return err;
}

error_t sock_shutdown(struct sock *sock, int how)
{
    struct pipe *in, *out;

    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return EINVAL;
    pthread_mutex_lock(&sock_lock);
    in = how == SHUT_WR ? NULL : sock->in;
    out = how == SHUT_RD ? NULL : sock->out;
    if (in)
        pipe_ref(in);
    if (out)
        pipe_ref(out);
    pthread_mutex_unlock(&sock_lock);
    if (!in && !out)
        return ENOTCONN;
    if (in) {
        pipe_close(in, true, sock->type != SOCK_DGRAM);
        pipe_deref(in);
    }
    if (out) {
        if (sock->type != SOCK_DGRAM)
            pipe_close(out, false, true);
        pipe_deref(out);
    }
    return 0;
}

/* ---- options: they change nothing here, but programs that set one may ask for it again --------------- */

enum { OPTIONS_KEPT = SO_DEBUG | SO_REUSEADDR | SO_KEEPALIVE | SO_DONTROUTE | SO_BROADCAST | SO_OOBINLINE };

static bool option_is_kept(int option)
{
    return option > 0 && (option & OPTIONS_KEPT) == option && (option & (option - 1)) == 0;
}

error_t sock_option(struct sock *sock, int option, int *value)
{
    error_t err = 0;

    pthread_mutex_lock(&sock_lock);
    if (option == SO_TYPE)
        *value = sock->type;
    else if (option == SO_ERROR)
        *value = 0; /* errors are told to whoever causes them */
    else if (option == SO_SNDBUF || option == SO_RCVBUF)
        *value = PIPE_LIMIT;
    else if (option == SO_ACCEPTCONN)
        *value = sock->listening;
    else if (option_is_kept(option))
        *value = (sock->options & (unsigned int) option) != 0;
    else
        err = ENOPROTOOPT;
    pthread_mutex_unlock(&sock_lock);
    return err;
}

error_t sock_set_option(struct sock *sock, int option, int value)
{
    if (option == SO_SNDBUF || option == SO_RCVBUF)
        return value > 0 ? 0 : EINVAL;
    if (!option_is_kept(option))
        return ENOPROTOOPT;
    pthread_mutex_lock(&sock_lock);
    if (value)
        sock->options |= (unsigned int) option;
    else
        sock->options &= ~(unsigned int) option;
    pthread_mutex_unlock(&sock_lock);
    return 0;
}
