/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done once in a while: clients that die while their request waits, and threads that have nothing to do any
   more.

   The kernel tells when a reply port dies, if asked, but asking and the message that follows (whenever the reply port
   goes, answered or not) cost more than most waits last: some 4,000 instructions, a sixth of a byte's way through a
   pipe and back.  So only those are watched that have been waiting for a while.  One thread looks after them, once in
   TICK_MS while there are any and not at all otherwise.

   Surplus threads (pool.h) all wait for messages like any others.  When they are to go, the thread sends the bucket's
   notify port as many empty messages, each of which one of its threads gets.  A pool that could not get a thread for
   want of memory is tried again once in a tick.

   tick_state: 0, the thread sleeps until it is set to 1; nobody is listed then who is not just about to set it.  */

#include "ports-internal.h"

enum { TICK_MS = 500, PATIENCE_STACK = 64 * 1024 };

static atomic_uint tick_state, tick_count;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static bool thread_runs; /* constant after thread_once */
static atomic_bool thread_tried; /* thread_once is over */

void patience_end(struct ports_rpc *rpc)
{
    *rpc->wait_prevp = rpc->wait_next;
    if (rpc->wait_next != NULL)
        rpc->wait_next->wait_prevp = rpc->wait_prevp;
    rpc->wait_prevp = NULL;
}

/* A tick for the pools of BUCKET that are watched; how many messages are to be sent, and in *REFILL one that is to get
   a thread. Bucket lock held. */
static unsigned int pools_tick(struct ports_bucket *bucket, struct ports_pool **refill)
{
    unsigned int nudges = 0;
    for (struct ports_pool **at = &bucket->watched, *pool; (pool = *at) != NULL;) {
        nudges += ports_pool_tick(pool, TICK_MS);
        if (*refill == NULL && ports_pool_refill(pool))
            *refill = pool;
        if (pool->starved || ports_pool_surplus(pool) || pool->retire != 0) {
            at = &pool->next_watched;
        } else {
            *at = pool->next_watched;
            pool->watched = false;
        }
    }
    return nudges;
}

/* Sends COUNT empty messages to the bucket's own port. */
static void bucket_nudge(struct ports_bucket *bucket, unsigned int count)
{
    while (count-- != 0) {
        mach_msg_header_t message = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND_ONCE, 0),
                                     .msgh_size = sizeof message};
        message.msgh_remote_port = bucket->notify;
        (void)ports_message_send_now(&message);
    }
}

/* Watches those of BUCKET that have waited a whole tick or more. True if others remain. */
static bool bucket_tick(struct ports_bucket *bucket, unsigned int now)
{
    struct ports_rpc *next;
    struct ports_pool *refill = NULL;
    bucket_lock(bucket);
    unsigned int nudges = pools_tick(bucket, &refill);
    for (struct ports_rpc *rpc = bucket->waiters; rpc != NULL; rpc = next) {
        next = rpc->wait_next;
        if (now - rpc->since < 2) /* it may have begun just before the last tick */
            continue;
        patience_end(rpc);
        death_watch_reply(bucket, rpc);
    }
    bool more = bucket->waiters != NULL || bucket->watched != NULL;
    bucket_unlock(bucket);
    bucket_nudge(bucket, nudges);
    if (refill != NULL)
        serve_refill(refill); /* who fails is watched again, and this thread runs on */
    return more;
}

static bool all_tick(void)
{
    unsigned int now = atomic_fetch_add(&tick_count, 1) + 1;
    bool more = false;
    for (struct ports_bucket *b = atomic_load(&ports_buckets); b != NULL; b = b->next)
        more |= bucket_tick(b, now);
    return more;
}

static void *patience_main(void *arg)
{
    for (;;) {
        ports_tick_wait(&tick_state, TICK_MS);
        if (all_tick())
            continue;
        /* Who is listed from here on finds 0 and wakes us; who was listed before is seen now. */
        atomic_store(&tick_state, 0);
        for (struct ports_bucket *b = atomic_load(&ports_buckets); b != NULL; b = b->next) {
            bucket_lock(b);
            if (b->waiters != NULL || b->watched != NULL)
                atomic_store(&tick_state, 1);
            bucket_unlock(b);
        }
    }
    return arg;
}

static void patience_start(void)
{
    thread_runs = ports_thread_create(PATIENCE_STACK, patience_main, NULL) == 0;
    atomic_store_explicit(&thread_tried, true, memory_order_release);
}

void patience_prepare(void)
{
    if (!atomic_load_explicit(&thread_tried, memory_order_acquire))
        pthread_once(&thread_once, patience_start);
}

void patience_wake(void)
{
    patience_prepare();
    ports_tick_wake(&tick_state);
}

bool patience_watch(struct ports_bucket *bucket, struct ports_pool *pool)
{
    pool->watched = true;
    pool->idle_low = pool->waiting;
    pool->idle_age = 0;
    pool->next_watched = bucket->watched;
    bucket->watched = pool;
    return true;
}

void patience_starved(struct ports_bucket *bucket, struct ports_pool *pool)
{
    bucket_lock(bucket);
    ports_pool_failed(pool);
    if (!pool->watched)
        patience_watch(bucket, pool);
    bucket_unlock(bucket);
    patience_wake();
}

bool patience_enter(struct ports_bucket *bucket, struct ports_rpc *rpc)
{
    if (rpc_is_watched(rpc) || rpc->wait_prevp != NULL)
        return false;
    if (!thread_runs) { /* no memory for the thread: watch it at once */
        death_watch_reply(bucket, rpc);
        return false;
    }
    rpc->eventful = true;
    rpc->since = atomic_load(&tick_count);
    rpc->wait_next = bucket->waiters;
    rpc->wait_prevp = &bucket->waiters;
    if (rpc->wait_next != NULL)
        rpc->wait_next->wait_prevp = &rpc->wait_next;
    bucket->waiters = rpc;
    return true;
}

void patience_begin(struct ports_bucket *bucket, struct ports_rpc *rpc)
{
    if (!MACH_PORT_VALID(rpc->reply))
        return;
    patience_prepare();
    bucket_lock(bucket);
    bool wake = patience_enter(bucket, rpc);
    bucket_unlock(bucket);
    if (wake)
        patience_wake();
}
