/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the short way of mach_msg (fast.c) and the general one (msg.c) have in common. */

#ifndef IPC_MSG_H
#define IPC_MSG_H

#include "../task/task.h"
#include "ipc.h"

#define INLINE inline __attribute__((always_inline))

/* The queue that NAME, a port or a set, is received from; PORT: the port, NULL for a set.  MACH_RCV_INVALID_NAME,
   MACH_RCV_IN_SET. */
static inline mach_msg_return_t source_find(struct ipc_space *space, mach_port_name_t name, struct mqueue **queue,
                                            struct ipc_port **port)
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

/* The thread that waits for a message of SIZE bytes by PORT; NULL: none, or not one for the short way. */
static INLINE struct thread *receiver_waiting(struct ipc_port *port, uint32_t size)
{
    const struct wait_queue *receivers = &port_queue(port)->receivers;
    struct thread *thread = list_entry(receivers->threads.next, struct thread, wait_link);
    if (unlikely(list_empty(&receivers->threads) || thread->receive.limit < size || thread->attention))
        return NULL;
    return thread;
}

/* The queue that the thread receives from, if it will have to wait there; NULL: it will not, or it is an error.  KNOWN
   may be the entry of its name. */
static INLINE struct mqueue *receive_queue(struct ipc_space *space, mach_port_name_t name, struct ipc_entry *known)
{
    struct ipc_entry *entry = known && likely(known->name == name) ? known : space_entry_of(space, name);
    struct mqueue *queue;
    if ((entry->bits & MACH_PORT_TYPE_RECEIVE) && likely(entry->port->pset == NULL))
        queue = &entry->port->queue;
    else if (likely(entry->bits & MACH_PORT_TYPE_PORT_SET))
        queue = &entry->pset->queue;
    else
        return NULL;
    return likely(list_empty(&queue->messages)) ? queue : NULL;
}

/* ---- the general way (msg.c) ------------------------------------------------------------- */

/* CALL is the running thread's own (thread.receive).  The whole trap, with a message of SEND_SIZE bytes. */
mach_msg_return_t msg_general(struct receive_call *call, mach_msg_size_t send_size);
/* The kernel has answered a request with REPLY, as kobject_server gives it (NULL: not at all): receives, this very
   message if that is what comes first. */
mach_msg_return_t msg_receive_reply(struct receive_call *call, struct kmsg *reply);
/* The running thread's wait in a receive is over, and nothing of how it came to wait is left (entry.S:
   msg_wait_over). */
mach_msg_return_t msg_receive_woken(void);
/* The same where a message has been put into its hands (`kmsg`). */
mach_msg_return_t msg_receive_handed(void);

/* ---- the short way (fast.c) -------------------------------------------------------------- */

/* THREAD, which runs, waits on QUEUE, and RECEIVER, which waits and has been given a message (`kmsg`), has the
   processor.  What is on the stack is forgotten. */
_Noreturn void msg_hand_over(struct thread *thread, struct thread *receiver, struct mqueue *queue);

#endif
