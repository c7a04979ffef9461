/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of a request through a queue: pending list, slots, completion, retries, recovery.  States in block.h. */

#include "block.h"

#include <stdarg.h>
#include <stdio.h>

void block_queue_init(struct block_queue *queue, const struct block_queue_ops *ops, unsigned int depth,
                      const char *name, ...)
{
    va_list args;
    va_start(args, name);
    vsnprintf(queue->name, sizeof queue->name, name, args);
    va_end(args);
    queue->ops = ops;
    queue->depth = depth < BLOCK_SLOTS ? depth : BLOCK_SLOTS;
    pthread_mutex_init(&queue->lock, NULL);
    queue->pending_end = &queue->pending;
    queue->over_end = &queue->over;
    block_watch_add(queue);
}

/* ---- lists: queue lock held ----------------------------------------------------------- */

static void pending_append(struct block_queue *queue, struct block_request *request)
{
    request->next = NULL;
    *queue->pending_end = request;
    queue->pending_end = &request->next;
}

static void pending_prepend(struct block_queue *queue, struct block_request *request)
{
    request->next = queue->pending;
    queue->pending = request;
    if (!request->next)
        queue->pending_end = &request->next;
}

static struct block_request *pending_remove(struct block_queue *queue)
{
    struct block_request *request = queue->pending;
    queue->pending = request->next;
    if (!queue->pending)
        queue->pending_end = &queue->pending;
    return request;
}

static void over_add(struct block_queue *queue, struct block_request *request, error_t err)
{
    request->error = err;
    request->next = NULL;
    *queue->over_end = request;
    queue->over_end = &request->next;
}

/* Releases the lock and tells the owners of what is over. */
static void queue_unlock(struct block_queue *queue)
{
    struct block_request *over = queue->over;
    queue->over = NULL;
    queue->over_end = &queue->over;
    pthread_mutex_unlock(&queue->lock);
    for (struct block_request *next; over; over = next) {
        next = over->next;
        over->done(over, over->error);
    }
}

/* ---- issuing ---------------------------------------------------------------------------- */

static void slot_issue(struct block_queue *queue, unsigned int slot, struct block_request *request)
{
    queue->slots[slot] = request;
    queue->busy |= 1ull << slot;
    queue->alone = request->tries > 0;
    request->aborting = false;
    request->deadline = block_watch_clock() + BLOCK_TIMEOUT_S + 1;
    request->issued = queue->ops->issue(queue, slot, request, queue->alone);
    queue->commands++;
    queue->bytes += request->issued;
}

static bool may_issue(struct block_queue *queue, const struct block_request *request)
{
    if (!queue->busy)
        return true;
    if (queue->alone || request->tries > 0)
        return false;
    return !queue->ops->may_issue || queue->ops->may_issue(queue, request);
}

/* Moves requests from the list into slots as far as the rules allow. */
static void queue_issue(struct block_queue *queue)
{
    uint64_t usable = queue->depth >= 64 ? ~0ull : (1ull << queue->depth) - 1;
    bool issued = false;
    while (queue->pending) {
        if (queue->dead) {
            over_add(queue, pending_remove(queue), EIO);
            continue;
        }
        uint64_t free_slots = usable & ~queue->busy;
        if (!free_slots || !may_issue(queue, queue->pending))
            break;
        slot_issue(queue, __builtin_ctzll(free_slots), pending_remove(queue));
        issued = true;
    }
    if (issued && queue->ops->kick)
        queue->ops->kick(queue);
}

/* ---- completion ------------------------------------------------------------------------- */

void block_queue_ended(struct block_queue *queue, unsigned int slot, error_t err)
{
    struct block_request *request = queue->slots[slot];
    if (!(queue->busy >> slot & 1))
        return; /* the hardware makes it up */
    queue->busy &= ~(1ull << slot);
    if (err == EIO && ++request->tries < BLOCK_TRIES) {
        pending_prepend(queue, request);
        return;
    }
    if (err) {
        over_add(queue, request, err);
        return;
    }
    request->finished += request->issued;
    if (request->finished < request->length)
        pending_prepend(queue, request); /* its next piece, before others */
    else
        over_add(queue, request, 0);
}

/* Takes everything out of the slots, resets the hardware, and puts the requests back to be tried one by one. */
static void queue_recover(struct block_queue *queue, const char *cause)
{
    fprintf(stderr, "rumpdisk: %s: %s: resetting it\n", queue->name, cause);
    uint64_t busy = queue->busy;
    queue->busy = 0;
    queue->resets++;
    queue->dead = queue->ops->reset(queue) != 0;
    if (queue->dead) {
        fprintf(stderr, "rumpdisk: %s: does not come back\n", queue->name);
        queue->dead_since = block_watch_clock();
    }
    for (; busy; busy &= busy - 1) {
        struct block_request *request = queue->slots[__builtin_ctzll(busy)];
        if (queue->dead || ++request->tries >= BLOCK_TRIES)
            over_add(queue, request, EIO);
        else
            pending_prepend(queue, request);
    }
}

static void queue_collect(struct block_queue *queue)
{
    const char *cause = queue->ops->collect(queue);
    if (cause)
        queue_recover(queue, cause);
}

void block_queue_service(struct block_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue_collect(queue);
    queue_issue(queue);
    queue_unlock(queue);
}

/* The first slot whose time is over, or BLOCK_SLOTS. */
static unsigned int late_slot(const struct block_queue *queue, uint64_t now)
{
    for (uint64_t busy = queue->busy; busy; busy &= busy - 1)
        if (queue->slots[__builtin_ctzll(busy)]->deadline <= now)
            return __builtin_ctzll(busy);
    return BLOCK_SLOTS;
}

bool block_queue_watch(struct block_queue *queue, uint64_t now)
{
    pthread_mutex_lock(&queue->lock);
    bool active = queue->busy != 0;
    if (active) {
        queue_collect(queue); /* in case an interrupt was lost */
        unsigned int slot = late_slot(queue, now);
        if (slot < BLOCK_SLOTS) {
            struct block_request *request = queue->slots[slot];
            if (!request->aborting && queue->ops->abort && queue->ops->abort(queue, slot)) {
                request->aborting = true;
                request->deadline = now + 5;
            } else {
                queue_recover(queue, "a command takes too long");
            }
        }
        queue_issue(queue);
    }
    queue_unlock(queue);
    return active;
}

/* ---- submitting --------------------------------------------------------------------------- */

static void queue_revive(struct block_queue *queue)
{
    if (block_watch_clock() - queue->dead_since < BLOCK_REVIVE_S)
        return;
    queue->resets++;
    queue->dead = queue->ops->reset(queue) != 0;
    queue->dead_since = block_watch_clock();
    fprintf(stderr, "rumpdisk: %s: %s\n", queue->name, queue->dead ? "still does not come back" : "is back");
}

void block_submit(struct block_request *request)
{
    struct block_queue *queue = request->unit->queue;
    request->finished = request->issued = 0;
    request->tries = 0;
    pthread_mutex_lock(&queue->lock);
    if (queue->dead)
        queue_revive(queue);
    pending_append(queue, request);
    queue_issue(queue);
    queue_unlock(queue);
    block_watch_wake();
}

struct waiter {
    struct block_request request;
    pthread_mutex_t lock;
    pthread_cond_t wakeup;
    bool over;      /* lock */
    error_t result; /* lock */
};

static void waiter_done(struct block_request *request, error_t err)
{
    struct waiter *waiter = (struct waiter *)request;
    pthread_mutex_lock(&waiter->lock);
    waiter->over = true;
    waiter->result = err;
    pthread_cond_signal(&waiter->wakeup);
    pthread_mutex_unlock(&waiter->lock);
}

error_t block_submit_wait(struct block_request *request)
{
    struct waiter waiter = {.request = *request, .lock = PTHREAD_MUTEX_INITIALIZER, .wakeup = PTHREAD_COND_INITIALIZER};
    waiter.request.done = waiter_done;
    block_submit(&waiter.request);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.over)
        pthread_cond_wait(&waiter.wakeup, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    return waiter.result;
}
