/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread_start.h: threads made by the kernel's calls alone, so that a case can kill them anywhere and nothing of the C
   library is left. */

#ifndef TESTS_KERNEL_THREAD_START_H
#define TESTS_KERNEL_THREAD_START_H

#include <mach.h>

/* A stack and a copy of the running thread's thread-local data, one piece of memory.  The copy shares the allocator's
   cache with the original: what runs on it calls the kernel and moves memory, but allocates nothing from the heap while
   the original may. */
void *thread_area_create(void);
void thread_area_destroy(void *area);
/* Lets THREAD, which has not run yet, call ENTRY(FIRST, SECOND) on AREA; ENTRY does not return. */
kern_return_t thread_area_start(mach_port_t thread, void *area, void (*entry)(void *, void *), void *first,
                                void *second);
/* The reply port that the thread on AREA made for itself, or MACH_PORT_NULL. */
mach_port_t thread_area_reply_port(void *area);

#endif /* TESTS_KERNEL_THREAD_START_H */
