/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the short way of mach_msg (fast.c) and the general one (msg.c) have in common. */

#ifndef IPC_MSG_H
#define IPC_MSG_H

#include "../task/task.h"
#include "ipc.h"

/* The queue that NAME, a port or a set, is received from; PORT: the port, NULL for a set.  MACH_RCV_INVALID_NAME, MACH_RCV_IN_SET. */
static inline mach_msg_return_t source_find(struct ipc_space *space, mach_port_name_t name, struct mqueue **queue, struct ipc_port **port)
{
    struct ipc_entry *entry = space_lookup(space, name);
    if (unlikely(entry == NULL))
        return MACH_RCV_INVALID_NAME;
    if (entry->bits & MACH_PORT_TYPE_RECEIVE) {
        if (unlikely(entry->port->pset != NULL))
            return MACH_RCV_IN_SET;
        *port = entry->port;
        *queue = &entry->port->queue;
        return MACH_MSG_SUCCESS;
    }
    if (unlikely(!(entry->bits & MACH_PORT_TYPE_PORT_SET)))
        return MACH_RCV_INVALID_NAME;
    *port = NULL;
    *queue = &entry->pset->queue;
    return MACH_MSG_SUCCESS;
}

/* ---- the general way (msg.c) ------------------------------------------------------------- */

/* CALL is the running thread's own (thread.receive).  The whole trap, with a message of SEND_SIZE bytes. */
mach_msg_return_t msg_general(struct receive_call *call, mach_msg_size_t send_size);
/* Sends KMSG, as read from user memory, and receives if the option says so. */
mach_msg_return_t msg_send_general(struct kmsg *kmsg, struct receive_call *call);
/* Receives; NEXT (NULL: nobody) is a thread that must be run. */
mach_msg_return_t msg_receive_general(struct receive_call *call, struct thread *next);
/* The kernel has answered a request with REPLY (NULL: not at all): receives, this very message if that is what comes first. */
mach_msg_return_t msg_receive_reply(struct receive_call *call, struct kmsg *reply);
/* The running thread's wait in a receive is over, and nothing of how it came to wait is left (entry.S: msg_wait_over). */
mach_msg_return_t msg_receive_woken(void);

#endif
