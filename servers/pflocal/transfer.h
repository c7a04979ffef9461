/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer: pipes, one direction of a connection each; between sock.c and transfer.c only. */

#ifndef PFLOCAL_TRANSFER_H
#define PFLOCAL_TRANSFER_H

#include "sock.h"

extern pthread_mutex_t sock_lock;
extern const ports_interface_t addr_interfaces[];

/* One reference; NULL without memory. */
struct pipe *pipe_create(bool records);
void pipe_ref(struct pipe *pipe);
void pipe_deref(struct pipe *pipe);
/* One or both ends have closed: wakes everybody who waits. */
void pipe_close(struct pipe *pipe, bool reader, bool writer);
/* Something that sock_poll looks at has changed; any lock but select_lock may be held. */
void select_wake(void);

#endif /* PFLOCAL_TRANSFER_H */
