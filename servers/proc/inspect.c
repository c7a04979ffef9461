/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inspect.c: reading the memory of a task that may be anybody's.

   The pages may be those of a memory object that somebody serves, and then they may come late, never, or as an error.
   So they are read by threads of our own: whoever asked waits for one of them as long as INSPECT_MS and then goes away
   with ETIMEDOUT, while the thread stays behind until the memory object answers or dies.  Of those left behind there
   are at most STUCK_MAX, one a task.

   Lock order: inspect_lock, then nothing. */

#include <mach/mach4.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "memory.h"
#include "server.h"

enum { INSPECT_MS = 5000, STUCK_MAX = 32, STACK_SIZE = 64 << 10 };

/* One vector to be read.  Owned by who asked until `abandoned`, then by the thread.  What is not constant:
   inspect_lock. */
struct inspection {
    struct inspection *next;       /* in `queue`, later in `stuck` */
    mach_port_t task;              /* constant; a reference of its own */
    uint64_t vector;               /* constant */
    pthread_cond_t done_changed;
    bool done, abandoned;
    char *data;                    /* the result, written by the thread before `done` */
    size_t length;
    error_t err;
};

static pthread_mutex_t inspect_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_changed = PTHREAD_COND_INITIALIZER;
static struct inspection *queue, *stuck;      /* waiting for a thread; abandoned by who asked; inspect_lock */
static unsigned idle, queued, stuck_count;    /* threads that wait, and the lengths of these lists; inspect_lock */

/* ---- reading pages ---- */

/* A page of the vector and a page of strings, as last read. */
struct task_pages {
    mach_port_t task;
    struct {
        uint64_t address;
        bool valid;
        char data[MEMORY_PAGE];
    } side[2];
};

static error_t task_page_read(void *context, int side, uint64_t address, const char **page)
{
    struct task_pages *pages = context;
    *page = pages->side[side].data;
    if (pages->side[side].valid && pages->side[side].address == address)
        return 0;
    mach_msg_type_number_t count;
    vm_offset_t data;
    pages->side[side].valid = false;
    error_t err = vm_read(pages->task, address, MEMORY_PAGE, &data, &count);
    if (err)
        return err;
    err = ports_copy_guarded(pages->side[side].data, (void *)data, MEMORY_PAGE);
    vm_deallocate(mach_task_self(), data, count);
    pages->side[side].address = address;
    pages->side[side].valid = !err;
    return err;
}

static void inspection_read(struct inspection *i)
{
    struct task_pages *pages = calloc(1, sizeof *pages);
    i->err = pages ? 0 : ENOMEM;
    if (pages) {
        pages->task = i->task;
        i->err = memory_collect(task_page_read, pages, i->vector, &i->data, &i->length);
    }
    free(pages);
}

/* ---- threads ---- */

static void inspection_free(struct inspection *i)
{
    mach_port_deallocate(mach_task_self(), i->task);
    pthread_cond_destroy(&i->done_changed);
    free(i->data);
    free(i);
}

/* It has come after all, and nobody wants it.  Lock held. */
static void stuck_remove(struct inspection *i)
{
    struct inspection **prevp = &stuck;
    while (*prevp != i)
        prevp = &(*prevp)->next;
    *prevp = i->next;
    stuck_count--;
}

/* A thread that reads.  One stays when there is nothing to do. */
static void *inspect_main(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&inspect_lock);
    for (;;) {
        while (!queue && !idle) {
            idle++;
            pthread_cond_wait(&queue_changed, &inspect_lock);
            idle--;
        }
        struct inspection *i = queue;
        if (!i)
            break;
        queue = i->next;
        queued--;
        pthread_mutex_unlock(&inspect_lock);
        inspection_read(i);
        pthread_mutex_lock(&inspect_lock);
        i->done = true;
        if (i->abandoned) {
            stuck_remove(i);
            inspection_free(i);
        } else
            pthread_cond_signal(&i->done_changed);
    }
    pthread_mutex_unlock(&inspect_lock);
    return NULL;
}

/* ---- asking ---- */

static bool task_is_stuck(mach_port_t task)
{
    const struct inspection *i = stuck;
    while (i && i->task != task)
        i = i->next;
    return i != NULL;
}

/* Puts I before the threads; lock held. */
static error_t inspection_begin(struct inspection *i)
{
    if (stuck_count >= STUCK_MAX || task_is_stuck(i->task))
        return EBUSY;
    if (queued >= idle) {
        error_t err = ports_thread_create(STACK_SIZE, inspect_main, NULL);
        if (err)
            return err;
    }
    i->next = NULL;
    struct inspection **last = &queue;
    while (*last)
        last = &(*last)->next;
    *last = i;
    queued++;
    pthread_cond_signal(&queue_changed);
    return 0;
}

/* Waits until I is done; lock held.  After an error it is the thread's. */
static error_t inspection_await(struct inspection *i)
{
    struct timespec until;
    error_t err = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += INSPECT_MS / 1000;
    while (!i->done && !err)
        err = ports_cond_timedwait(&i->done_changed, &inspect_lock, &until);
    if (i->done)
        return 0;
    struct inspection **prevp = &queue;
    while (*prevp && *prevp != i)
        prevp = &(*prevp)->next;
    if (*prevp) {           /* no thread has come to it */
        *prevp = i->next;
        queued--;
        inspection_free(i);
        return err;
    }
    i->abandoned = true;
    i->next = stuck;
    stuck = i;
    stuck_count++;
    return err;
}

error_t inspect_strings(mach_port_t task, uint64_t vector, char **data, size_t *length)
{
    struct inspection *i = calloc(1, sizeof *i);
    if (!i)
        return ENOMEM;
    error_t err = mach_port_mod_refs(mach_task_self(), task, MACH_PORT_RIGHT_SEND, 1);
    if (err) {
        free(i);
        return ESRCH;
    }
    i->task = task;
    i->vector = vector;
    pthread_cond_init(&i->done_changed, NULL);
    pthread_mutex_lock(&inspect_lock);
    err = inspection_begin(i);
    if (err)
        inspection_free(i);
    else
        err = inspection_await(i);
    pthread_mutex_unlock(&inspect_lock);
    if (err)
        return err;
    err = i->err;
    *data = i->data;
    *length = i->length;
    i->data = NULL;
    inspection_free(i);
    return err;
}
