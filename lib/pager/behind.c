/* SPDX-License-Identifier: GPL-2.0-or-later */
/* behind: changed pages are written before the kernel has to throw them out (pager.h).

   A pager with changed pages is on a list, in the order in which it got the first of them.  The thread takes pagers off
   its front, has all that they have written, and goes on until the count is below half of what made it begin.

   Lock: behind_lock, a leaf, below pagers' locks; the count itself is atomic.  */

#include "pager-internal.h"

#include <mach.h>
#include <stdatomic.h>
#include <time.h>

#define PART 16                        /* the thread begins at this part of memory */
#define PAGES_MIN 256
#define PAGES_MAX 16384
#define PATIENCE_S 10                  /* a writer does not wait longer in one write, whatever keeps the disk */

static atomic_ulong changed;           /* pages, in all pagers */
static unsigned long begin_at, limit;  /* constant after behind_init */
static pthread_mutex_t behind_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wakeup = PTHREAD_COND_INITIALIZER;   /* there is work */
static pthread_cond_t drained = PTHREAD_COND_INITIALIZER;  /* fewer than `limit` */
static struct pager *list_first, **list_end = &list_first; /* behind_lock */
static bool working;                                       /* behind_lock */
static unsigned int waiting;                               /* writers; behind_lock */

/* behind_lock held.  */
static void list_remove(struct pager *p)
{
    *p->list_prevp = p->list_next;
    *(p->list_next ? &p->list_next->list_prevp : &list_end) = p->list_prevp;
    p->listed = false;
}

void behind_add(struct pager *p, uint64_t count)
{
    unsigned long now = atomic_fetch_add(&changed, count) + count;
    pthread_mutex_lock(&behind_lock);
    if (!p->listed && !p->dead) {
        p->list_next = NULL;
        p->list_prevp = list_end;
        *list_end = p;
        list_end = &p->list_next;
        p->listed = true;
    }
    if (now > begin_at && !working)
        pthread_cond_signal(&wakeup);
    pthread_mutex_unlock(&behind_lock);
}

void behind_sub(uint64_t count)
{
    unsigned long before = atomic_fetch_sub(&changed, count);
    if (before <= limit || before - count > limit)
        return;
    pthread_mutex_lock(&behind_lock);
    if (waiting)
        pthread_cond_broadcast(&drained);
    pthread_mutex_unlock(&behind_lock);
}

void behind_forget(struct pager *p)
{
    pthread_mutex_lock(&behind_lock);
    if (p->listed)
        list_remove(p);
    p->dead = true;
    pthread_mutex_unlock(&behind_lock);
}

void behind_throttle(void)
{
    if (atomic_load_explicit(&changed, memory_order_relaxed) <= limit)
        return;
    struct timespec until;
    int err = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&behind_lock);
    waiting++;
    while (err == 0 && atomic_load(&changed) > limit) {
        pthread_cond_signal(&wakeup);
        err = pthread_cond_timedwait(&drained, &behind_lock, &until);
    }
    waiting--;
    pthread_mutex_unlock(&behind_lock);
}

/* The pager that has had changed pages for the longest time, off the list and with a reference; waits until it is time
   to write any.  */
static struct pager *behind_next(void)
{
    pthread_mutex_lock(&behind_lock);
    while (!list_first || atomic_load(&changed) <= (working ? begin_at / 2 : begin_at)) {
        working = false;
        pthread_cond_wait(&wakeup, &behind_lock);
    }
    working = true;
    struct pager *p = list_first;
    list_remove(p);
    ports_object_ref(p);
    pthread_mutex_unlock(&behind_lock);
    return p;
}

static void *behind_main(void *arg)
{
    ports_pageout_thread();
    for (;;) {
        struct pager *p = behind_next();
        (void)pager_sync(p, 0, UINT64_MAX, true);  /* errors were reported where they happened; a later sync tries
                                                      again */
        ports_object_deref(p);
    }
    return arg;
}

error_t behind_init(void)
{
    struct vm_statistics s;
    unsigned long pages = 0;
    if (vm_statistics(mach_task_self(), &s) == 0)
        pages = (unsigned long)s.free_count + s.active_count + s.inactive_count + s.wire_count;
    begin_at = pages / PART < PAGES_MIN ? PAGES_MIN : pages / PART > PAGES_MAX ? PAGES_MAX : pages / PART;
    limit = 2 * begin_at;
    return ports_thread_create(0, behind_main, NULL);
}
