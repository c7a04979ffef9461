/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock: local sockets and pipes, without their messages.

   Life.  A sock is born by sock_create with one reference; its user port (a trivfs peropen, main.c) holds it, and a
   listener holds those that wait to be accepted.  When the user's port goes, sock_close shuts both directions, so that
   the peer sees the end of the stream or EPIPE.  An addr is a port; it points to the sock bound to it as long as that
   is open.

   Data of one direction flows through a pipe, which both socks reference.  A stream sock has `in` and `out` once
   connected (a FIFO only one of them, see sock_connect2); a record sock (SOCK_DGRAM) has its own `in` from the
   beginning.

   Locks, in order: sock_lock (every field of struct sock and struct addr; never held over a wait for data), then those
   of lib/pipe.  */

#ifndef PFLOCAL_SOCK_H
#define PFLOCAL_SOCK_H

#include <pipe/pipe.h>
#include <ports/ports.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct sock {
    atomic_uint refs;
    int type, protocol;        /* constant: SOCK_*; S_IFIFO for a pipe, else 0 */
    struct pipe *in, *out;     /* set once; sock_lock to set, readers hold it while they take a reference */
    struct addr *name, *peer;  /* referenced; sock_lock */
    unsigned int options;      /* SO_* that are single bits and that a client may set; sock_lock, as all below */
    bool listening;
    unsigned int backlog, npending;
    struct sock *pending, **pending_last, *pending_next;
    pthread_cond_t acceptable; /* `pending` has grown; with sock_lock */
    pthread_cond_t room;       /* `pending` has shrunk, or the listener has closed */
};

struct addr {
    struct ports_object port;
    struct sock *sock;         /* bound to it, unreferenced: sock_close clears; sock_lock */
};
extern struct ports_class addr_class;

error_t sock_create(int type, int protocol, struct sock **sock);
void sock_ref(struct sock *sock);
void sock_deref(struct sock *sock);
/* The last user has gone: ends both directions, refuses those who wait to be accepted, frees the name. */
void sock_close(struct sock *sock);

/* An address that nobody is bound to yet; one reference. */
error_t addr_create(struct ports_bucket *bucket, struct addr **addr);
error_t sock_bind(struct sock *sock, struct addr *addr);            /* EINVAL bound already, EADDRINUSE */
error_t sock_listen(struct sock *sock, int backlog);                /* EOPNOTSUPP, EISCONN */
/* Connects with the listener at ADDR, waiting for room in its backlog (EWOULDBLOCK with NONBLOCK); a record sock just
   remembers ADDR (null: forgets). ECONNREFUSED, EISCONN, EPROTOTYPE. */
error_t sock_connect(struct sock *sock, struct addr *addr, bool nonblock);
/* Connects two fresh socks.  Two FIFOs become a pipe: FIRST its reading end, SECOND its writing end. */
error_t sock_connect2(struct sock *first, struct sock *second);
/* Waits for a connection (EWOULDBLOCK with NONBLOCK): a sock with one reference, its peer's name referenced or null. */
error_t sock_accept(struct sock *sock, bool nonblock, struct sock **connection, struct addr **peer);
error_t sock_shutdown(struct sock *sock, int how);                  /* SHUT_RD, SHUT_WR, SHUT_RDWR; ENOTCONN */
/* The name of SOCK's peer, referenced, or null if that has none.  ENOTCONN. */
error_t sock_peer(struct sock *sock, struct addr **peer);

/* Sends LENGTH bytes with EXTRAS (owned by the queue on success) to the peer, or to DEST if not null.  *SENT: how many
   were taken; a blocking send takes all.  EPIPE, ENOTCONN, EDESTADDRREQ, EMSGSIZE, EWOULDBLOCK, EINTR before anything
   was taken. */
error_t sock_send(struct sock *sock, struct addr *dest, const void *data, size_t length, struct extras *extras,
                  bool nonblock, size_t *sent);

/* A read in two steps, so that the reply's buffer can be made between: waits until there is something (end of stream:
   *AVAILABLE 0), leaving the pipe locked and referenced in *PIPE; the caller then takes it by queue_get and calls
   sock_receive_end. */
error_t sock_receive_begin(struct sock *sock, size_t amount, enum pipe_patience patience, struct pipe **pipe,
                           size_t *available);
void sock_receive_end(struct pipe *pipe, bool took);

/* Waits until one of SELECT_READ and SELECT_WRITE in *TYPES is possible, or UNTIL (null: for ever); leaves those that
   are.  EINTR. */
error_t sock_select(struct sock *sock, int *types, const struct timespec *until);
/* Options of SOL_SOCKET whose value is an int: ENOPROTOOPT. Buffers keep their size whatever is wished. */
error_t sock_option(struct sock *sock, int option, int *value);
error_t sock_set_option(struct sock *sock, int option, int value);

/* How many bytes can be read at once; whether SOCK is a pipe's end. */
size_t sock_readable(struct sock *sock);

#endif /* PFLOCAL_SOCK_H */
