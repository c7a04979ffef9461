/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the short way of mach_msg (fast.c) and the general one (msg.c) have in common. */

#ifndef IPC_MSG_H
#define IPC_MSG_H

#include "../task/task.h"
#include "ipc.h"

/* What a receive waits on: a port's queue or a set's, and something to hold it by. */
struct source {
    struct mqueue *queue;
    struct ipc_port *port;  /* one of both */
    struct ipc_pset *pset;
};

/* The source that NAME is.  MACH_RCV_INVALID_NAME, MACH_RCV_IN_SET. */
static inline mach_msg_return_t source_find(struct ipc_space *space, mach_port_name_t name, struct source *source)
{
    struct ipc_entry *entry = space_lookup(space, name);
    if (unlikely(entry == NULL))
        return MACH_RCV_INVALID_NAME;
    if (entry->bits & MACH_PORT_TYPE_RECEIVE) {
        if (unlikely(entry->port->pset != NULL))
            return MACH_RCV_IN_SET;
        *source = (struct source){.queue = &entry->port->queue, .port = entry->port};
        return MACH_MSG_SUCCESS;
    }
    if (unlikely(!(entry->bits & MACH_PORT_TYPE_PORT_SET)))
        return MACH_RCV_INVALID_NAME;
    *source = (struct source){.queue = &entry->pset->queue, .pset = entry->pset};
    return MACH_MSG_SUCCESS;
}

static inline void source_ref(const struct source *source)
{
    if (source->port)
        port_ref(source->port);
    else
        source->pset->refs++;
}

static inline void source_deref(const struct source *source)
{
    if (source->port) {
        if (likely(source->port->refs > 1))
            source->port->refs--;
        else
            port_deref(source->port);
    } else if (likely(source->pset->refs > 1)) {
        source->pset->refs--;
    } else {
        pset_deref(source->pset);
    }
}

/* ---- the general way (msg.c) ------------------------------------------------------------- */

/* The arguments of the trap that the receiving half needs. */
struct receive_call {
    uint64_t user;                /* the buffer */
    mach_msg_option_t option;
    mach_msg_size_t limit;        /* its size */
    mach_port_name_t name;        /* a port or a set */
    mach_msg_timeout_t timeout;
};

/* The whole trap, with a message of SEND_SIZE bytes. */
mach_msg_return_t msg_general(const struct receive_call *call, mach_msg_size_t send_size);
/* Sends KMSG, as read from user memory, and receives if the option says so. */
mach_msg_return_t msg_send_general(struct kmsg *kmsg, const struct receive_call *call);
/* Receives; NEXT (NULL: nobody) is a thread that must be run. */
mach_msg_return_t msg_receive_general(const struct receive_call *call, struct thread *next);
/* The kernel has answered a request with REPLY (NULL: not at all): receives, this very message if that is what comes first. */
mach_msg_return_t msg_receive_reply(const struct receive_call *call, struct kmsg *reply);
/* Goes on after a wait on SOURCE, which it lets go, that ended with RESULT. */
mach_msg_return_t msg_receive_woken(const struct receive_call *call, const struct source *source, enum wait_result result);

#endif
