/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock of a bucket: taken and given four times a message, so it is one instruction each way when nobody competes
   (pthread_mutex_lock and _unlock take 57 together).  Waiters sleep in the kernel (gsync).  */

#ifndef PORTS_LOCK_H
#define PORTS_LOCK_H

#include <mach.h>
#include <mach/gnumach.h>
#include <stdatomic.h>

struct ports_lock {
    atomic_uint state; /* 0 free, 1 taken, 2 taken and perhaps waited for */
};

static inline void ports_lock_acquire(struct ports_lock *lock)
{
    unsigned int free = 0;
    if (__builtin_expect(atomic_compare_exchange_strong_explicit(&lock->state, &free, 1, memory_order_acquire,
                                                                 memory_order_relaxed), 1))
        return;
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0)
        gsync_wait(mach_task_self(), (vm_address_t)&lock->state, 2, 0, 0, 0);
}

static inline void ports_lock_release(struct ports_lock *lock)
{
    if (__builtin_expect(atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2, 0))
        gsync_wake(mach_task_self(), (vm_address_t)&lock->state, 0, 0);
}

#endif /* PORTS_LOCK_H */
