/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fifo.c: see fifo.h.  Lock order: fifo->lock, then the pipe's. */

#include "fifo.h"

#include <ports/ports.h>

/* Lock held, or nobody else has FIFO yet. */
static void ends_changed(struct fifo *fifo, struct reader **done)
{
    pipe_set_ends(fifo->pipe, fifo->readers > 0, fifo->writers > 0, done);
}

error_t fifo_create(struct fifo *fifo)
{
    *fifo = (struct fifo) { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    fifo->pipe = pipe_create(false);
    if (!fifo->pipe)
        return ENOMEM;
    ends_changed(fifo, NULL); /* nobody reads yet */
    return 0;
}

/* Lock held.  For whoever gives it up: pipe_release of *DONE, which may be the last of an open, and so fifo_close. */
static void end_leave(struct fifo *fifo, bool reading, bool writing, struct reader **done)
{
    fifo->readers -= reading;
    fifo->writers -= writing;
    ends_changed(fifo, done);
}

static bool misses_peer(const struct fifo *fifo, bool reading, bool writing)
{
    return reading != writing && (reading ? fifo->writers == 0 : fifo->readers == 0);
}

bool fifo_open_waits(struct fifo *fifo, bool reading, bool writing, bool nonblock)
{
    pthread_mutex_lock(&fifo->lock);
    bool waits = !nonblock && misses_peer(fifo, reading, writing);
    pthread_mutex_unlock(&fifo->lock);
    return waits;
}

/* Waits until the other end is open, or has been since.  Lock held. */
static error_t peer_await(struct fifo *fifo, bool reading)
{
    const unsigned long *opens = reading ? &fifo->writes : &fifo->reads;
    unsigned long before = *opens;
    error_t err = 0;

    while (!err && *opens == before && misses_peer(fifo, reading, !reading))
        err = ports_cond_wait(&fifo->changed, &fifo->lock);
    return err;
}

error_t fifo_open(struct fifo *fifo, bool reading, bool writing, bool nonblock)
{
    struct reader *done = NULL;
    error_t err = 0;

    if (!reading && !writing)
        return 0;
    pthread_mutex_lock(&fifo->lock);
    if (nonblock && writing && misses_peer(fifo, reading, writing)) {
        pthread_mutex_unlock(&fifo->lock);
        return ENXIO;
    }
    fifo->readers += reading;
    fifo->writers += writing;
    fifo->reads += reading;
    fifo->writes += writing;
    ends_changed(fifo, &done);
    pthread_cond_broadcast(&fifo->changed);
    if (!nonblock && reading != writing)
        err = peer_await(fifo, reading);
    if (err)
        end_leave(fifo, reading, writing, &done);
    pthread_mutex_unlock(&fifo->lock);
    pipe_release(done);
    return err;
}

void fifo_close(struct fifo *fifo, bool reading, bool writing)
{
    struct reader *done = NULL;

    pthread_mutex_lock(&fifo->lock);
    end_leave(fifo, reading, writing, &done);
    pthread_mutex_unlock(&fifo->lock);
    pipe_release(done);
}
