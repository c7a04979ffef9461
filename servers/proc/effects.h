/* SPDX-License-Identifier: GPL-2.0-or-later */
/* effects.h: what the table of processes asks of the world.  effects.c does it with messages; a unit test records it.
   All are called with proc_lock held; none blocks and none calls back. */

#ifndef PROC_EFFECTS_H
#define PROC_EFFECTS_H

#include "process.h"

/* Sends SIGNO to PROCESS's message port with the authority of its task.  Without a message port, or while that has no
   room, it is noted for later. */
void effect_signal(struct process *process, int signo, int sigcode);
/* Tells PROCESS its ids, if it has heard them before. */
void effect_newids(struct process *process);
/* The same, even if it never asked. */
void effect_newids_always(struct process *process);
/* Answers a WAIT_CHILD (RESULT is used if ERROR is 0) or a WAIT_MSGPORT (PORT).  Consumes the reply right, not the
   waiter.  False: whoever asked has gone, and nobody has heard it. */
bool effect_wait_reply(struct waiter *waiter, error_t error, const struct wait_result *result);
void effect_msgport_reply(struct waiter *waiter, error_t error, port_name_t port);
/* Gives up what the server holds for PROCESS: its ports and rights.  It is dead from now on; called once. */
void effect_release(struct process *process);
/* A session's port is needed no more. */
void effect_session_gone(struct session *session);

#endif
