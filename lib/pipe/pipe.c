/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipe.c: see pipe.h. */

#include "pipe.h"
#include "reader.h"

#include <hurd/hurd_types.h>
#include <mach.h>
#include <ports/ports.h>
#include <stdlib.h>

/* Selecting threads all wait here and look again after each change: as long as nobody selects, a transfer only reads
   `selecting`. */
static pthread_mutex_t select_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t select_changed = PTHREAD_COND_INITIALIZER;
static unsigned long select_tick; /* select_lock */
static atomic_uint selecting;

void pipe_select_wake(void)
{
    if (atomic_load(&selecting) == 0)
        return;
    pthread_mutex_lock(&select_lock);
    select_tick++;
    pthread_cond_broadcast(&select_changed);
    pthread_mutex_unlock(&select_lock);
}

struct pipe *pipe_create(bool records)
{
    struct pipe *pipe = calloc(1, sizeof *pipe);

    if (!pipe)
        return NULL;
    atomic_init(&pipe->refs, 1);
    pthread_mutex_init(&pipe->lock, NULL);
    pthread_cond_init(&pipe->changed, NULL);
    queue_init(&pipe->queue, records);
    return pipe;
}

void pipe_ref(struct pipe *pipe)
{
    atomic_fetch_add_explicit(&pipe->refs, 1, memory_order_relaxed);
}

void extras_drop(struct extras *extras)
{
    for (unsigned int i = 0; i < extras->nrights; i++)
        mach_port_deallocate(mach_task_self(), extras->rights[i]);
    free(extras->rights);
    free(extras->control);
    if (extras->from)
        ports_object_deref(extras->from);
    *extras = (struct extras) { 0 };
}

void pipe_deref(struct pipe *pipe)
{
    if (atomic_fetch_sub_explicit(&pipe->refs, 1, memory_order_acq_rel) != 1)
        return;
    queue_clear(&pipe->queue, extras_drop);
    free(atomic_load(&pipe->spare));
    pthread_mutex_destroy(&pipe->lock);
    pthread_cond_destroy(&pipe->changed);
    free(pipe);
}

/* Tells those who wait for PIPE; its lock is held. */
static void pipe_changed(struct pipe *pipe)
{
    if (pipe->waiting)
        pthread_cond_broadcast(&pipe->changed);
    pipe_select_wake();
}

void pipe_close(struct pipe *pipe, bool reader, bool writer)
{
    struct reader *done = NULL;

    pthread_mutex_lock(&pipe->lock);
    pipe->reader_gone |= reader;
    pipe->writer_gone |= writer;
    if (pipe->reader_gone)
        queue_clear(&pipe->queue, extras_drop);
    readers_serve(pipe, &done);
    pipe_changed(pipe);
    pthread_mutex_unlock(&pipe->lock);
    pipe_release(done);
}

void pipe_set_ends(struct pipe *pipe, bool reader, bool writer, struct reader **done)
{
    pthread_mutex_lock(&pipe->lock);
    pipe->reader_gone = !reader;
    pipe->writer_gone = !writer;
    if (!reader && !writer)
        queue_clear(&pipe->queue, extras_drop);
    readers_serve(pipe, done);
    pipe_changed(pipe);
    pthread_mutex_unlock(&pipe->lock);
}

static error_t pipe_wait(struct pipe *pipe, bool nonblock)
{
    error_t err;

    if (nonblock)
        return EWOULDBLOCK;
    pipe->waiting++;
    err = ports_cond_wait(&pipe->changed, &pipe->lock);
    pipe->waiting--;
    return err;
}

/* What the queue holds, as PIPE_LIMIT counts. Pipe lock held. */
static size_t pipe_used(const struct pipe *pipe)
{
    return pipe->queue.bytes + pipe->queue.overhead;
}

/* Whether something of LENGTH bytes may go in now, and how much: all or nothing for a record, which may be empty, or an
   atomic write. Pipe lock held. */
static bool pipe_takes(const struct pipe *pipe, size_t length, size_t *amount)
{
    size_t used = pipe_used(pipe), room = used < PIPE_LIMIT ? PIPE_LIMIT - used : 0;

    *amount = length;
    if (pipe->queue.records)
        return (length <= room && room) || pipe->queue.packets == 0;
    if (length <= PIPE_ATOMIC)
        return length <= room;
    if (room < length)
        *amount = room;
    return room > 0;
}

error_t pipe_send(struct pipe *pipe, const char *data, size_t length, struct extras *extras, bool nonblock,
                  size_t *sent)
{
    struct reader *done = NULL;
    error_t err = 0;

    *sent = 0;
    if (pipe->queue.records && length > PIPE_LIMIT)
        return EMSGSIZE;
    if (!pipe->queue.records && length == 0 && extras)
        extras_drop(extras); /* nothing that they could go with */
    pthread_mutex_lock(&pipe->lock);
    while (*sent < length || (pipe->queue.records && !*sent)) {
        size_t room;

        if (pipe->reader_gone || pipe->writer_gone) {
            err = pipe->queue.records && !pipe->writer_gone ? ECONNREFUSED : EPIPE;
            break;
        }
        if (pipe->readers && !pipe->queue.first && !(extras && extras_any(extras))) {
            *sent += reader_give(pipe, data + *sent, length - *sent, &done);
            continue;
        }
        if (!pipe_takes(pipe, length - *sent, &room)) {
            err = pipe_wait(pipe, nonblock);
            if (err)
                break;
            continue;
        }
        err = queue_put(&pipe->queue, data + *sent, room, *sent ? NULL : extras);
        if (err)
            break;
        *sent += room;
        readers_serve(pipe, &done);
        pipe_changed(pipe);
        if (length == 0)
            break;
    }
    pthread_mutex_unlock(&pipe->lock);
    pipe_release(done);
    return *sent ? 0 : err;
}

error_t pipe_receive_begin(struct pipe *pipe, size_t amount, enum pipe_patience patience, size_t *available)
{
    error_t err = 0;

    pthread_mutex_lock(&pipe->lock);
    while (!err && !pipe->queue.first && !pipe->writer_gone && !pipe->reader_gone && amount > 0) {
        bool leave = patience == PIPE_LEAVE && !pipe->queue.records;

        err = leave ? reader_leave(pipe, amount) : pipe_wait(pipe, patience == PIPE_NONBLOCK);
        if (leave && (err == ENOMEM || err == EOPNOTSUPP)) {
            patience = PIPE_WAIT;
            err = 0;
        }
    }
    if (err) {
        pthread_mutex_unlock(&pipe->lock);
        return err;
    }
    *available = queue_available(&pipe->queue, amount);
    return 0;
}

void pipe_receive_end(struct pipe *pipe, bool took)
{
    if (took)
        pipe_changed(pipe);
    pthread_mutex_unlock(&pipe->lock);
}

size_t pipe_readable(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    size_t bytes = pipe->queue.bytes;
    pthread_mutex_unlock(&pipe->lock);
    return bytes;
}

bool pipe_ready(struct pipe *pipe, bool reading)
{
    bool ready;

    pthread_mutex_lock(&pipe->lock);
    ready = pipe->reader_gone || pipe->writer_gone ||
            (reading ? pipe->queue.first != NULL : pipe_used(pipe) + PIPE_ATOMIC <= PIPE_LIMIT);
    pthread_mutex_unlock(&pipe->lock);
    return ready;
}

error_t pipe_select(int (*poll)(void *arg, int types), void *arg, int *types, const struct timespec *until)
{
    int wanted = *types, ready;
    error_t err = 0;

    atomic_fetch_add(&selecting, 1);
    pthread_mutex_lock(&select_lock);
    for (;;) {
        unsigned long tick = select_tick;

        pthread_mutex_unlock(&select_lock);
        ready = poll(arg, wanted);
        pthread_mutex_lock(&select_lock);
        if (ready || err)
            break;
        if (tick == select_tick)
            err = until ? ports_cond_timedwait(&select_changed, &select_lock, until)
                        : ports_cond_wait(&select_changed, &select_lock);
        if (err == EINTR)
            break;
    }
    pthread_mutex_unlock(&select_lock);
    atomic_fetch_sub(&selecting, 1);
    *types = ready;
    return err == ETIMEDOUT ? 0 : err;
}
