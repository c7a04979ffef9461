/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signaller.h: sends signals to process groups, in a thread of its own, so that no process that does not answer holds
   up the keyboard. */

#ifndef TERM_SIGNALLER_H
#define TERM_SIGNALLER_H

#include <errno.h>
#include <mach.h>
#include <stdint.h>
#include <sys/types.h>

struct signaller;

/* REFERENCE, a send right that stays the caller's, shows to the processes that the terminal may: its id port. */
error_t signaller_create(mach_port_t reference, struct signaller **signaller);

/* SIGNALS (1 << number, or'ed) shall go to the group PGRP, or if that is negative to the process -PGRP, soon. Never
   blocks. The same signal for the same group posted twice before it goes out goes out once.  A process that has no
   message port yet, because it executes a program, gets its signals when it has one; so does one whose port dies with a
   signal in its queue.  (What the C library has taken while it executes a program is lost: it blocks all signals
   meanwhile, after it has told the new program which ones are pending.) */
void signaller_post(struct signaller *signaller, pid_t pgrp, uint64_t signals);

#endif /* TERM_SIGNALLER_H */
