/* SPDX-License-Identifier: GPL-2.0-or-later */
/* abort: a thread that sends messages and waits for answers while another aborts it, at any moment: its calls end with
   MACH_SEND_INTERRUPTED or MACH_RCV_INTERRUPTED, and the answer finds nobody.

   One message at a time: the main thread hands it over and aborts until it comes back.  */

#include "hostile.h"

#include <mach/thread_switch.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* all below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct { struct message *message; mach_port_t victim; enum kind kind; bool todo, done; } job;
static thread_t sender;
static unsigned int turn;                                /* only the main thread */

static void *sender_main(void *arg)
{
    pthread_mutex_lock(&lock);
    sender = mach_thread_self();
    pthread_cond_broadcast(&changed);
    for (;;) {
        while (!job.todo)
            pthread_cond_wait(&changed, &lock);
        job.todo = false;
        pthread_mutex_unlock(&lock);
        message_send(job.message, job.victim, job.kind);
        send_finish();
        pthread_mutex_lock(&lock);
        job.done = true;
        pthread_cond_broadcast(&changed);
    }
    return arg;
}

static bool sender_start(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, sender_main, NULL) != 0)
        return false;
    pthread_detach(thread);
    pthread_mutex_lock(&lock);
    while (sender == MACH_PORT_NULL)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return true;
}

void message_send_aborted(struct message *message, mach_port_t victim, enum kind kind)
{
    if (sender == MACH_PORT_NULL && !sender_start()) {
        outcome_count(REFUSED, 1);
        return;
    }
    pthread_mutex_lock(&lock);
    job.message = message;
    job.victim = victim;
    job.kind = kind;
    job.done = false;
    job.todo = true;
    pthread_cond_broadcast(&changed);
    while (!job.done) {
        pthread_mutex_unlock(&lock);
        turn++; /* not the message's random numbers */
        for (unsigned int i = turn % 7; i; i--)
            thread_switch(MACH_PORT_NULL, SWITCH_OPTION_DEPRESS, 1);
        thread_switch(turn % 2 ? sender : MACH_PORT_NULL, turn % 256 == 0 ? SWITCH_OPTION_WAIT : SWITCH_OPTION_NONE, 1);
        thread_abort(sender);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
}
