/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watchdog over all queues; see block.h. */

#include "block.h"

#include <unistd.h>

/* Seconds without anything in flight until it stops counting. */
#define WATCH_IDLE_S 5u

static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER; /* never held while another is taken */
static pthread_cond_t watch_wakeup = PTHREAD_COND_INITIALIZER;
static _Atomic(struct block_queue *) queues; /* watch_lock to change; queues stay for ever */
static _Atomic bool asleep;                  /* watch_lock to set to false */
static _Atomic uint64_t seconds;

void block_watch_add(struct block_queue *queue)
{
    pthread_mutex_lock(&watch_lock);
    queue->next_queue = queues;
    queues = queue;
    pthread_mutex_unlock(&watch_lock);
}

uint64_t block_watch_clock(void)
{
    return seconds;
}

void block_watch_wake(void)
{
    if (!asleep)
        return;
    pthread_mutex_lock(&watch_lock);
    asleep = false;
    pthread_cond_signal(&watch_wakeup);
    pthread_mutex_unlock(&watch_lock);
}

static bool queues_watch(void)
{
    bool active = false;
    for (struct block_queue *queue = queues; queue; queue = queue->next_queue)
        active |= block_queue_watch(queue, seconds);
    return active;
}

/* The flag is up before the last look, so a command that is issued meanwhile is seen by one side or the other. */
static void rest(void)
{
    asleep = true;
    if (queues_watch())
        asleep = false;
    pthread_mutex_lock(&watch_lock);
    while (asleep)
        pthread_cond_wait(&watch_wakeup, &watch_lock);
    pthread_mutex_unlock(&watch_lock);
}

static void *watch_thread(void *arg)
{
    (void)arg;
    for (unsigned int idle = 0;;) {
        if (idle >= WATCH_IDLE_S) {
            rest();
            idle = 0;
        }
        sleep(1);
        seconds++;
        idle = queues_watch() ? 0 : idle + 1;
    }
    return NULL;
}

error_t block_watch_start(void)
{
    pthread_t thread;
    error_t err = pthread_create(&thread, NULL, watch_thread, NULL);
    if (!err)
        pthread_detach(thread);
    return err;
}
