/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread's registers as users see them (mach/machine/thread_status.h).  THREAD does not run. */

#ifndef TASK_THREAD_STATE_H
#define TASK_THREAD_STATE_H

#include <mach/kern_return.h>
#include <mach/message.h>
#include <mach/thread_status.h>

struct thread;

/* *COUNT: room in words, then what was written.  KERN_INVALID_ARGUMENT: unknown flavor, or too little room. */
kern_return_t thread_state_get(struct thread *thread, int flavor, thread_state_t state, mach_msg_type_number_t *count);
kern_return_t thread_state_set(struct thread *thread, int flavor, const thread_state_t state,
                               mach_msg_type_number_t count);

#endif
