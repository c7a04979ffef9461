/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipe.h: one direction of a connection: a queue with readers and writers that wait for each other.  What pipes,
   sockets and fifos share; who may open which end, and names, are their servers'.

   Locks, in order: the server's own, pipe->lock, the one of those who select. */

#ifndef PIPE_PIPE_H
#define PIPE_PIPE_H

#include "queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* As much as a pipe takes before writers wait; the usual figure of Unix systems. PIPE_BUF bytes go in one piece
   (POSIX write()). */
enum { PIPE_LIMIT = 64 * 1024, PIPE_ATOMIC = 4096 };

struct reader;

struct pipe {
    atomic_uint refs;
    pthread_mutex_t lock;
    pthread_cond_t changed;    /* data came or went, or an end closed */
    unsigned int waiting;      /* threads in a wait for `changed`; lock */
    struct reader *readers, **readers_last; /* requests that wait without a thread (reader.c), first come first; lock */
    struct reader *_Atomic spare;
    struct queue queue;        /* lock */
    bool reader_gone, writer_gone; /* lock */
};

/* One reference; NULL without memory. RECORDS: each send is a record. */
struct pipe *pipe_create(bool records);
void pipe_ref(struct pipe *pipe);
void pipe_deref(struct pipe *pipe);

/* One or both ends have closed for good: wakes everybody who waits; what no reader will take any more is dropped.
   Without locks: it may be the end of who waited. */
void pipe_close(struct pipe *pipe, bool reader, bool writer);
/* Of a fifo, whose ends come back: which are there now.  What was written stays until neither is.  Whose wait that has
   ended is added to *DONE, which is null at first. */
void pipe_set_ends(struct pipe *pipe, bool reader, bool writer, struct reader **done);
/* Gives up those in the list DONE, whose waits have ended.  Without locks: it may close what they read from. */
void pipe_release(struct reader *done);

/* Sends LENGTH bytes with EXTRAS (owned by the queue on success; NULL: none).  *SENT: how many were taken; unless
   NONBLOCK it takes all. EPIPE, ECONNREFUSED (records), EMSGSIZE, EWOULDBLOCK, ENOMEM, EINTR before anything was
   taken. */
error_t pipe_send(struct pipe *pipe, const char *data, size_t length, struct extras *extras, bool nonblock,
                  size_t *sent);

/* What somebody does who finds nothing to read: fails with EWOULDBLOCK, waits, or (in a handler of io_read, of a
   stream) leaves: whoever writes then answers the request, and the handler returns MIG_NO_REPLY. */
enum pipe_patience { PIPE_NONBLOCK, PIPE_WAIT, PIPE_LEAVE };

/* A read in two steps, so that the reply's buffer can be made between: waits until there is something (end of stream:
   *AVAILABLE 0) and leaves PIPE locked; the caller then gets with queue_get from the queue and calls pipe_receive_end
   (TOOK: something was taken). EWOULDBLOCK, EINTR, MIG_NO_REPLY: not locked. */
error_t pipe_receive_begin(struct pipe *pipe, size_t amount, enum pipe_patience patience, size_t *available);
void pipe_receive_end(struct pipe *pipe, bool took);

/* How many bytes are there; whether a reader (READING) or a writer would not wait. */
size_t pipe_readable(struct pipe *pipe);
bool pipe_ready(struct pipe *pipe, bool reading);

/* Gives up what travelled with a packet. */
void extras_drop(struct extras *extras);

/* Waits until POLL(ARG, *TYPES) finds one of *TYPES (SELECT_READ, SELECT_WRITE) possible, or UNTIL (null: for ever);
   leaves those that are, 0 after UNTIL.  EINTR.  POLL is asked again after every change of any pipe and after
   pipe_select_wake. */
error_t pipe_select(int (*poll)(void *arg, int types), void *arg, int *types, const struct timespec *until);
/* Something else that a POLL looks at has changed; any lock may be held. */
void pipe_select_wake(void);

#endif /* PIPE_PIPE_H */
