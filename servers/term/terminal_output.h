/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal_output.h: the parts of output that the other parts of a terminal need.  The terminal's lock is held. */

#ifndef TERM_TERMINAL_OUTPUT_H
#define TERM_TERMINAL_OUTPUT_H

#include "terminal.h"

/* Tells a pty's master that something may have changed; or takes everything in the line's output to the device, unless
   another thread is at it (who will) or output is stopped. Drops the lock meanwhile. */
void terminal_output_push(struct terminal *terminal);

/* Output that has not left shall never leave; whoever waits for it goes on. */
void terminal_output_forget(struct terminal *terminal);

/* Whether a write would be taken, at least in part, without waiting. */
bool terminal_output_takes(const struct terminal *terminal);

/* Those that wait for output look again. */
void terminal_output_wake(struct terminal *terminal);

#endif /* TERM_TERMINAL_OUTPUT_H */
