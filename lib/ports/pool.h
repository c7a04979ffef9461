/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many threads a loop has: the arithmetic alone, without threads.

   A new thread is made when the last one that waited for messages has got one, so somebody always waits and a slow
   request holds up nobody.  A few spare threads wait as long as they like; those beyond the spares end when they are
   not needed for a while. None of them waits with a time limit, which would take GNU Mach off its fast path for every
   message (900 instructions): under load the pool watches the least number of waiting threads over every POOL_ROUNDS
   messages and lets one thread go if even that was more than the spares; and while there are surplus threads, somebody
   from outside (patience.c) calls ports_pool_tick every so often and sends as many messages as it says, each of which
   lets a thread see that it is surplus.

   All fields: the owner's lock (the bucket's).  */

#ifndef PORTS_POOL_H
#define PORTS_POOL_H

#include <stdbool.h>

enum { POOL_SPARES = 3, POOL_ROUNDS = 1024 };

/* What a thread does after a message. */
enum ports_pool_next {
    POOL_WAIT,       /* receive */
    POOL_RETIRE,     /* send the reply and end; already taken out of the counts */
};

struct ports_pool {
    bool single;          /* never a second thread */
    unsigned int threads; /* threads of the loop, the first included */
    unsigned int waiting; /* those that wait for a message, or are about to */
    unsigned int low;     /* least `waiting` in this round */
    unsigned long rounds; /* messages taken so far */
    unsigned int idle_ms; /* so long surplus threads are kept at most, and half as long at least */
    unsigned int idle_low, idle_age; /* least `waiting` since so many ms */
    unsigned int retire;  /* threads that are to end at their next message */
    bool starved;         /* a thread that was wanted could not be made */
    bool watched;         /* in the list of those that patience.c looks after */
    struct ports_pool *next_watched;
};

/* The state of a loop whose only thread is about to wait. */
void ports_pool_init(struct ports_pool *pool, bool single, unsigned int idle_ms);

/* What the two below do in the rare cases. */
bool ports_pool_grow(struct ports_pool *pool);
enum ports_pool_next ports_pool_review(struct ports_pool *pool, bool first);

/* A thread has got a message.  True if the caller must make another thread; that one already counts as waiting, and
   ports_pool_failed takes it back if it cannot be made. */
static inline bool ports_pool_take(struct ports_pool *pool)
{
    pool->rounds++;
    pool->waiting--;
    if (pool->waiting < pool->low)
        pool->low = pool->waiting;
    if (pool->waiting < pool->idle_low)
        pool->idle_low = pool->waiting;
    return __builtin_expect(pool->waiting == 0, 0) && ports_pool_grow(pool);
}
void ports_pool_failed(struct ports_pool *pool);
/* True if a thread is still wanted that could not be made; the caller must try again, as after ports_pool_take. */
bool ports_pool_refill(struct ports_pool *pool);

/* A thread is done with its message.  FIRST: it is the thread that called ports_bucket_serve and never retires. */
static inline enum ports_pool_next ports_pool_give(struct ports_pool *pool, bool first)
{
    pool->waiting++;
    if (__builtin_expect(pool->retire != 0 || pool->rounds % POOL_ROUNDS == 0, 0))
        return ports_pool_review(pool, first);
    return POOL_WAIT;
}

/* True if there are more threads than shall wait for ever. */
static inline bool ports_pool_surplus(const struct ports_pool *pool)
{
    return pool->waiting > POOL_SPARES + 1;
}

/* MS milliseconds more have passed.  How many threads are to be woken, by a message each, because as many have had
   nothing to do for a half of `idle_ms`. */
unsigned int ports_pool_tick(struct ports_pool *pool, unsigned int ms);

/* True if no message is being handled. */
static inline bool ports_pool_quiet(const struct ports_pool *pool)
{
    return pool->waiting == pool->threads;
}

#endif /* PORTS_POOL_H */
