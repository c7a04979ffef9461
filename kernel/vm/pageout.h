/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making memory free when it gets short (pageout.c). */

#ifndef VM_PAGEOUT_H
#define VM_PAGEOUT_H

#include <stdbool.h>

#include "../base/list.h"

extern struct list page_active_queue, page_inactive_queue; /* least recently used first */

void page_hash_init(void);

/* Starts the thread. */
void pageout_init(void);
/* Free memory is below the target: the thread should work. */
void pageout_wake(void);
/* Waits until the thread has freed something; false: it found nothing that it could free. */
bool pageout_wait(void);
/* The running thread frees memory (pageout itself, the default pager, a thread that thread_wire named), and may take the last of it. */
bool pageout_privileged(void);

#endif
