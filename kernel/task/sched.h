/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that run, wait and wake.

   The kernel runs with interrupts off and under one lock, the kernel lock (arch/x86_64/cpu.h): a processor holds it
   from its entry until it returns to user mode or idles. So nothing in the kernel is preempted; what a function finds
   stays true until it calls something that may block (thread_block, thread_sleep, pageout_wait, kernel copies from and
   to user memory), and long work is cut into pieces by sched_pause.  To split the lock later, these are the places to
   look at.

   All processors take threads from one run queue.  What is put there goes to them when the one that put it there leaves
   the kernel (sched_spread): often that one takes it itself before.

   A thread waits on at most one wait queue at a time, by wait_link, and on a timer.  Whoever ends the wait says how by
   the result; that takes it off the queue. */

#ifndef TASK_SCHED_H
#define TASK_SCHED_H

#include "../base/base.h"

struct thread;

enum wait_result {
    WAIT_AWAKENED,    /* what was waited for has happened */
    WAIT_TIMED_OUT,
    WAIT_INTERRUPTED, /* thread_abort, or the thread must end */
    WAIT_RESTART,     /* look again: what was waited on is no longer the same */
    WAIT_DIED,        /* what was waited on is gone */
    WAIT_MOVED        /* it is a port, and in a port set now */
};

struct wait_queue {
    struct list threads; /* longest waiting first */
};

static inline void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->threads);
}

#define PRIORITIES 64 /* 0 is the best */
#define PRIORITY_BASE_USER 25
#define PRIORITY_KERNEL 5
#define PRIORITY_IDLE (PRIORITIES - 1)
#define HZ 100
#define QUANTUM_TICKS (HZ / 10)

/* Puts the running thread on QUEUE, to be woken after TIMEOUT ms (0: never by time); interruptible: thread_abort ends
   the wait.  Then thread_block waits. */
void wait_begin(struct wait_queue *queue, bool interruptible);
void wait_timeout(uint32_t milliseconds);
/* Runs somebody else until the wait that was begun is over, and says how it ended. */
enum wait_result thread_block(void);
/* The same, and gives the processor to NEXT (which is awake and on no run queue) at once. */
enum wait_result thread_block_to(struct thread *next);

/* Ends the wait of THREAD, if it waits: it will run. */
void thread_wake(struct thread *thread, enum wait_result result);
/* The same, but the caller will run it himself by thread_block_to. */
void thread_wake_direct(struct thread *thread, enum wait_result result);
/* The longest waiting thread of QUEUE; NULL: none. */
struct thread *wait_queue_first(const struct wait_queue *queue);
/* Wakes one, or all; says whether there was any. */
bool wait_queue_wake_one(struct wait_queue *queue, enum wait_result result);
bool wait_queue_wake_all(struct wait_queue *queue, enum wait_result result);

/* The same by an address that stands for an event. */
enum wait_result thread_sleep(const void *event, bool interruptible);
bool thread_wakeup(const void *event);

/* THREAD may run and waits for nothing: onto the run queue. */
void sched_enqueue(struct thread *thread);
/* Somebody else may run now; the caller is put behind those of its priority. */
void sched_yield(void);
/* In long work: lets interrupts in, other processors into the kernel, and others run if it is time. */
void sched_pause(void);
/* Finds a processor for the best thread of the run queue: an idle one, or the one with the least urgent thread, if that
   is less urgent. */
void sched_spread(void);
/* The thread's priority has changed. */
void sched_priority_changed(struct thread *thread);
/* Its policy: POLICY_TIMESHARE, or POLICY_FIXEDPRI with time slices of so many MILLISECONDS. */
void sched_policy_set(struct thread *thread, int policy, int milliseconds);
/* A clock tick on this processor, in user mode or not. */
void sched_tick(bool user);
/* How many threads run or would like to. */
uint32_t sched_runnable(void);
/* Is there anybody on the run queue? */
bool sched_others(void);

/* What a thread does first when it runs again, if it did not leave the processor by a function of this file. */
void sched_switched(void);
/* Gives the processor to NEXT, which is on the run queue. */
void sched_yield_to(struct thread *next);
/* The running thread's floating-point registers: to memory.  Those of others, who do not run, are there. */
void sched_float_save(struct thread *thread);
/* What is in memory for THREAD, which does not run, has changed. */
void sched_float_drop(struct thread *thread);
/* THREAD's segment bases have changed, and it may be the one that runs. */
void sched_user_bases_load(struct thread *thread);

/* THREAD's debug registers have changed. */
void sched_debug_changed(struct thread *thread);

void sched_init(void);
/* The thread of control that this processor began with becomes its idle thread; never returns. */
_Noreturn void sched_start(void);
/* The same of the boot processor, which leaves the boot's stack for one that is like all others. */
_Noreturn void sched_start_first(void);

/* ---- time -------------------------------------------------------------------------- */

extern uint64_t clock_ticks; /* since boot */

struct timer {
    struct list link; /* alone: not running */
    uint64_t when;    /* tick */
    void (*expire)(struct timer *timer);
};
/* Calls EXPIRE after so many milliseconds or a little later, from the clock interrupt. */
void timer_start(struct timer *timer, uint32_t milliseconds);
void timer_stop(struct timer *timer);
void timer_tick(void);

#endif
