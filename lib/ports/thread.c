/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread: threads that a server makes, and those that begin while the C library starts its signals.  signals.c tells
   why they matter then.

   Locks: births_lock, before the C library's own. */

#include "ports-internal.h"

#include <hurd/signal.h>
#include <pthread.h>
#include <stdlib.h>

/* What a thread begins with; kept until births are released if it begins while they are held. */
struct birth {
    void *(*main)(void *);
    void *arg;
    thread_t thread;    /* a reference; births_lock */
    struct birth *next; /* births_lock */
};

static pthread_mutex_t births_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t births_over = PTHREAD_COND_INITIALIZER;
static unsigned int births;    /* threads that are made and have not begun; births_lock */
static bool births_held;       /* only threads that must be there are made now; births_lock */
static struct birth *newborns; /* threads that began meanwhile; births_lock */

void thread_state_make(void)
{
    _hurd_critical_section_unlock(_hurd_critical_section_lock()); /* which needs it */
}

static bool birth_begin(bool must)
{
    pthread_mutex_lock(&births_lock);
    bool may = must || !births_held;
    births += may;
    pthread_mutex_unlock(&births_lock);
    return may;
}

/* BIRTH is over: its thread has BEGUN (the calling one), or could not be made. */
static void birth_end(struct birth *birth, bool begun)
{
    pthread_mutex_lock(&births_lock);
    if (begun && births_held) {
        birth->thread = mach_thread_self();
        birth->next = newborns;
        newborns = birth;
        birth = NULL;
    }
    if (--births == 0)
        pthread_cond_broadcast(&births_over);
    pthread_mutex_unlock(&births_lock);
    free(birth);
}

static void *birth_main(void *arg)
{
    struct birth *birth = arg;
    void *(*main)(void *) = birth->main;
    void *main_arg = birth->arg;
    thread_state_make();
    birth_end(birth, true);
    return main(main_arg);
}

error_t thread_make(bool must, size_t stack, void *(*main)(void *), void *arg)
{
    struct birth *birth = malloc(sizeof *birth);
    pthread_t thread;
    pthread_attr_t attr;
    if (birth == NULL)
        return ENOMEM;
    if (!birth_begin(must)) {
        free(birth);
        return EAGAIN;
    }
    *birth = (struct birth){.main = main, .arg = arg};
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (stack != 0)
        pthread_attr_setstacksize(&attr, stack);
    error_t err = pthread_create(&thread, &attr, birth_main, birth);
    pthread_attr_destroy(&attr);
    if (err)
        birth_end(birth, false);
    return err;
}

error_t ports_thread_create(size_t stack, void *(*main)(void *), void *arg)
{
    return thread_make(true, stack, main, arg);
}

void thread_births_stop(void)
{
    pthread_mutex_lock(&births_lock);
    while (births != 0)
        pthread_cond_wait(&births_over, &births_lock);
}

void thread_births_go(bool freely)
{
    births_held = !freely;
    for (struct birth *one; freely && (one = newborns) != NULL;) {
        newborns = one->next;
        mach_port_deallocate(mach_task_self(), one->thread);
        free(one);
    }
    pthread_mutex_unlock(&births_lock);
}

bool thread_is_newborn(thread_t thread)
{
    const struct birth *one = newborns;
    while (one != NULL && one->thread != thread)
        one = one->next;
    return one != NULL;
}
