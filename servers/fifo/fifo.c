/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fifo.c: see fifo.h.  Lock order: fifo->lock, then the pipe's. */

#include "fifo.h"

#include <ports/ports.h>

error_t fifo_create(struct fifo *fifo)
{
    *fifo = (struct fifo) { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    fifo->pipe = pipe_create(false);
    if (!fifo->pipe)
        return ENOMEM;
    pipe_set_ends(fifo->pipe, false, false);
    return 0;
}

/* Lock held. */
static void ends_changed(struct fifo *fifo)
{
    pipe_set_ends(fifo->pipe, fifo->readers > 0, fifo->writers > 0);
}

/* Lock held. */
static void end_leave(struct fifo *fifo, bool reading, bool writing)
{
    fifo->readers -= reading;
    fifo->writers -= writing;
    ends_changed(fifo);
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
    ends_changed(fifo);
    pthread_cond_broadcast(&fifo->changed);
    if (!nonblock && reading != writing)
        err = peer_await(fifo, reading);
    if (err)
        end_leave(fifo, reading, writing);
    pthread_mutex_unlock(&fifo->lock);
    return err;
}

void fifo_close(struct fifo *fifo, bool reading, bool writing)
{
    pthread_mutex_lock(&fifo->lock);
    end_leave(fifo, reading, writing);
    pthread_mutex_unlock(&fifo->lock);
}
