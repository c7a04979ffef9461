/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signals: becoming a process late, with threads.  See ports.h, ports_signals_start.

   The C library (2.41) expects its signal thread to be the first thread that is made.  Where it is not, three things go wrong on more than one processor:

   - It marks each later thread as a receiver of the process's signals, so the signal thread, too: a signal that ends the process then makes it wait
     for a lock of its own, and the server, instead of dying and being missed, hangs for ever.  So the mark is taken from it (and from it alone: a
     thread that has locked its signals with the mark must unlock them with it).
   - It begins by making the lock of all threads' signal states anew, whoever has it or waits for it.  A thread needs it while it is made and begins, so
     none is made meanwhile (births), but for those that answering the C library itself needs.
   - A thread without a state of its own makes one when it first needs it, perhaps in malloc, which has the heap's lock then; and who makes a state calls
     malloc.  So each thread makes its own before anything else.

   Locks: births_lock, before the C library's own. */

#include "ports-internal.h"

#include <hurd.h>
#include <hurd/process.h>
#include <hurd/signal.h>
#include <mach/task_special_ports.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t births_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t births_over = PTHREAD_COND_INITIALIZER;
static unsigned int births; /* threads that are made and have not begun; births_lock */
static bool births_held;    /* only threads that must be there are made now; births_lock */

/* A thread of ours that began while births were held. */
struct newborn {
    thread_t thread;
    struct newborn *next;
};
static struct newborn *newborns; /* births_lock */

bool thread_birth_begin(bool must)
{
    pthread_mutex_lock(&births_lock);
    bool may = must || !births_held;
    births += may;
    pthread_mutex_unlock(&births_lock);
    return may;
}

void thread_birth_end(bool begun)
{
    struct newborn *self = NULL;
    if (begun) {
        _hurd_critical_section_unlock(_hurd_critical_section_lock()); /* which needs the thread's state */
        self = malloc(sizeof *self);
    }
    pthread_mutex_lock(&births_lock);
    if (births_held && self != NULL) {
        *self = (struct newborn){.thread = mach_thread_self(), .next = newborns};
        newborns = self;
        self = NULL;
    }
    free(self);
    if (--births == 0)
        pthread_cond_broadcast(&births_over);
    pthread_mutex_unlock(&births_lock);
}

static void births_hold(void)
{
    pthread_mutex_lock(&births_lock);
    births_held = true;
    while (births != 0)
        pthread_cond_wait(&births_over, &births_lock);
    pthread_mutex_unlock(&births_lock);
}

/* Forgets those who began meanwhile, and lets others be. */
static void births_release(void)
{
    pthread_mutex_lock(&births_lock);
    births_held = false;
    for (struct newborn *one; (one = newborns) != NULL;) {
        newborns = one->next;
        mach_port_deallocate(mach_task_self(), one->thread);
        free(one);
    }
    pthread_mutex_unlock(&births_lock);
}

static bool is_newborn(thread_t thread)
{
    const struct newborn *one = newborns;
    while (one != NULL && one->thread != thread)
        one = one->next;
    return one != NULL;
}

static bool is_among(thread_t thread, const thread_t *threads, mach_msg_type_number_t count)
{
    for (mach_msg_type_number_t i = 0; i < count; i++)
        if (threads[i] == thread)
            return true;
    return false;
}

static void threads_release(thread_t *threads, mach_msg_type_number_t count)
{
    for (mach_msg_type_number_t i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), threads[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof *threads);
}

/* Takes the mark from the thread that is not among the COUNT of BEFORE and none of ours: the signal thread, which waits for its first message. */
static void marks_take(const thread_t *before, mach_msg_type_number_t count)
{
    thread_t *after;
    mach_msg_type_number_t after_count;
    pthread_mutex_lock(&births_lock);
    while (births != 0)
        pthread_cond_wait(&births_over, &births_lock);
    if (task_threads(mach_task_self(), &after, &after_count) == KERN_SUCCESS) {
        for (mach_msg_type_number_t i = 0; i < after_count; i++)
            if (!is_among(after[i], before, count) && !is_newborn(after[i]))
                _hurd_thread_sigstate(after[i])->actions[0].sa_handler = SIG_DFL;
        threads_release(after, after_count);
    }
    pthread_mutex_unlock(&births_lock);
}

struct beginning {
    void *(*main)(void *);
    void *arg;
};

static void *thread_main(void *arg)
{
    struct beginning beginning = *(struct beginning *)arg;
    free(arg);
    thread_birth_end(true);
    return beginning.main(beginning.arg);
}

error_t ports_thread_create(size_t stack, void *(*main)(void *), void *arg)
{
    struct beginning *beginning = malloc(sizeof *beginning);
    pthread_t thread;
    pthread_attr_t attr;
    if (beginning == NULL)
        return ENOMEM;
    *beginning = (struct beginning){main, arg};
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (stack != 0)
        pthread_attr_setstacksize(&attr, stack);
    thread_birth_begin(true);
    error_t err = pthread_create(&thread, &attr, thread_main, beginning);
    pthread_attr_destroy(&attr);
    if (err) {
        thread_birth_end(false);
        free(beginning);
    }
    return err;
}

void ports_signals_start(void (*start)(void *), void *arg)
{
    thread_t *before;
    mach_msg_type_number_t count;
    _hurd_critical_section_unlock(_hurd_critical_section_lock());
    births_hold();
    bool listed = task_threads(mach_task_self(), &before, &count) == KERN_SUCCESS;
    start(arg);
    if (listed) {
        marks_take(before, count);
        threads_release(before, count);
    }
    births_release();
    ports_sieve_install();
}

static void start_proc(void *argv)
{
    _hurd_proc_init(argv, NULL, 0);
    /* The process's own number comes with setproc only; without it, abort() would hit whoever is in its group. */
    process_t proc = getproc();
    if (setproc(proc))
        mach_port_deallocate(mach_task_self(), proc);
    else
        proc_set_arg_locations(proc, (vm_address_t)argv, (vm_address_t)environ);
}

void ports_proc_init(char **argv)
{
    ports_signals_start(start_proc, argv);
}

void ports_fault_is_death(void)
{
    task_set_special_port(mach_task_self(), TASK_EXCEPTION_PORT, MACH_PORT_NULL);
}
