/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gthread-none: the locks of the unwinder in a static program without threads.
 *
 * From version 13 on gcc's unwinder (libgcc_eh) calls pthread_mutex_lock without
 * asking whether the program has threads, and glibc 2.41 for the Hurd keeps that
 * function in libpthread.  A static program that is linked without -pthread has
 * nobody to lock out; x86_64-gnu.specs gives it these as the last resort. */

int pthread_mutex_lock(void *mutex);
int pthread_mutex_unlock(void *mutex);

int pthread_mutex_lock(void *mutex)
{
    (void)mutex;
    return 0;
}

int pthread_mutex_unlock(void *mutex)
{
    (void)mutex;
    return 0;
}
