/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many threads a loop has: the arithmetic alone, without threads.

   A new thread is made when the last one that waited for messages has got one, so somebody always waits and a slow
   request holds up nobody.  A few spare threads wait as long as they like; those beyond the spares wait with a time
   limit and then end.  Messages are handed to waiting threads in turn, so under a light but steady load no surplus
   thread would ever see its limit: therefore the pool also watches the least number of waiting threads over every
   POOL_ROUNDS messages and lets one thread go if even that was more than the spares.

   All fields: the owner's lock (the bucket's).  */

#ifndef PORTS_POOL_H
#define PORTS_POOL_H

#include <stdbool.h>

enum { POOL_SPARES = 3, POOL_ROUNDS = 1024 };

/* What a thread does after a message. */
enum ports_pool_next {
    POOL_WAIT,       /* receive without limit */
    POOL_WAIT_TIMED, /* receive with the idle limit: it is surplus */
    POOL_RETIRE,     /* send the reply and end; already taken out of the counts */
};

struct ports_pool {
    bool single;          /* never a second thread */
    unsigned int threads; /* threads of the loop, the first included */
    unsigned int waiting; /* those that wait for a message, or are about to */
    unsigned int low;     /* least `waiting` in this round */
    unsigned long rounds; /* messages taken so far */
};

/* The state of a loop whose only thread is about to wait. */
void ports_pool_init(struct ports_pool *pool, bool single);

/* A thread has got a message.  True if the caller must make another thread; that one already counts as waiting, and
   ports_pool_failed takes it back if it cannot be made. */
bool ports_pool_take(struct ports_pool *pool);
void ports_pool_failed(struct ports_pool *pool);

/* A thread is done with its message.  FIRST: it is the thread that called ports_bucket_serve and never retires. */
enum ports_pool_next ports_pool_give(struct ports_pool *pool, bool first);

/* A waiting thread saw its limit pass.  True if it must end; it is then out of the counts. */
bool ports_pool_idle(struct ports_pool *pool, bool first);

/* True if no message is being handled. */
static inline bool ports_pool_quiet(const struct ports_pool *pool)
{
    return pool->waiting == pool->threads;
}

#endif /* PORTS_POOL_H */
