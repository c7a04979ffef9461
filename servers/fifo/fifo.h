/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fifo.h: who has which end of a named pipe open, without messages.

   An open for reading waits until somebody opens for writing, and the other way round; an open for both waits for
   nobody.  That another has come counts even if he has gone again before the waiting thread looked: so opens are
   counted, not only ends that are open.  The bytes are lib/pipe's; they stay as long as either end is open. */

#ifndef FIFO_FIFO_H
#define FIFO_FIFO_H

#include <pipe/pipe.h>

struct fifo {
    pthread_mutex_t lock;
    pthread_cond_t changed;               /* an end has been opened */
    unsigned int readers, writers;        /* open now; lock */
    unsigned long reads, writes;          /* opens for reading and for writing so far; lock */
    struct pipe *pipe;                    /* constant */
};

error_t fifo_create(struct fifo *fifo);

/* Opens for READING, WRITING or both.  ENXIO: NONBLOCK, for writing only, and nobody reads.  EINTR. */
error_t fifo_open(struct fifo *fifo, bool reading, bool writing, bool nonblock);
void fifo_close(struct fifo *fifo, bool reading, bool writing);

/* Whether fifo_open would have to wait. */
bool fifo_open_waits(struct fifo *fifo, bool reading, bool writing, bool nonblock);

#endif /* FIFO_FIFO_H */
