/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fullport: a port that takes no message any more, and interrupting those who wait for room there.  */

#ifndef FULLPORT_H
#define FULLPORT_H

#include <mach.h>

/* The receive right and a send right of a port whose queue is full, under one name. */
static inline mach_port_t fullport_create(void)
{
    mach_port_t port = mach_reply_port();
    mach_msg_header_t message;
    do
        message = (mach_msg_header_t){.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
                                      .msgh_size = sizeof message, .msgh_remote_port = port};
    while (mach_msg(&message, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof message, 0, MACH_PORT_NULL, 0,
                    MACH_PORT_NULL) == 0);
    mach_msg_destroy(&message);
    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
    return port;
}

static inline void fullport_destroy(mach_port_t port)
{
    mach_port_deallocate(mach_task_self(), port);
    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
}

/* interrupt_operation as a bare message: whoever's request to SERVER is under way is to be answered now. */
static inline mach_msg_return_t interrupt_send(mach_port_t server)
{
    mach_msg_header_t message = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), .msgh_size = sizeof message,
                                 .msgh_remote_port = server, .msgh_id = 33000};
    return mach_msg(&message, MACH_SEND_MSG, sizeof message, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
}

#endif /* FULLPORT_H */
