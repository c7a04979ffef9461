/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mutex: the common case of pthread_mutex_lock and _unlock, a mutex of the plain kind that nobody else has, in a sixth
   of the C library's 57 instructions.

   A server takes a lock several times a message.  The word of a plain mutex is 0 when it is free, 1 taken, 2 taken and
   perhaps waited for (the C library's __lock, part of its ABI); whatever else is to be done, the C library does.
   Programs that use this library are linked with --wrap for the two.  */

#include <mach.h>
#include <mach/gnumach.h>
#include <pthread.h>
#include <stdbool.h>

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

/* Neither recursive nor checking, robust or shared among tasks. */
static inline bool mutex_is_plain(const pthread_mutex_t *mutex)
{
    return __builtin_expect((mutex->__type | mutex->__flags) == 0, 1);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    unsigned int unlocked = 0;
    if (mutex_is_plain(mutex) && __builtin_expect(__atomic_compare_exchange_n(&mutex->__lock, &unlocked, 1, false,
                                                                              __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
                                                  1))
        return 0;
    return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (!mutex_is_plain(mutex))
        return __real_pthread_mutex_unlock(mutex);
    if (__builtin_expect(__atomic_exchange_n(&mutex->__lock, 0, __ATOMIC_RELEASE) == 2, 0))
        gsync_wake(mach_task_self(), (vm_address_t)&mutex->__lock, 0, 0);
    return 0;
}
