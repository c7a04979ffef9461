/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sending to who may not receive: a message that cannot be sent at once must not leave anything behind.

   When a send ends by its time limit, or is interrupted, the kernel hands the message back as if it had been received:
   where a right was copied or made from one of ours there is now a right that we own, under a name or a user reference
   of its own.  When it fails because the destination is dead, or for want of memory, the message is as it was.  In both
   cases the types of the rights say what is ours.  Other errors are a sender's mistakes: the kernel has destroyed part
   of such a message, and nobody can say which.  */

#include "ports-internal.h"

/* Whether all of a message is still, or again, the sender's after ERR. */
static bool message_is_back(mach_msg_return_t err)
{
    switch (err & ~MACH_MSG_MASK) {
    case MACH_SEND_TIMED_OUT:
    case MACH_SEND_INTERRUPTED:
    case MACH_SEND_NOTIFY_IN_PROGRESS:
    case MACH_SEND_INVALID_DEST:
    case MACH_SEND_INVALID_REPLY:
    case MACH_SEND_NO_BUFFER:
        return true;
    default:
        return false;
    }
}

mach_msg_return_t ports_msg_send(mach_msg_header_t *message, mach_msg_option_t option, mach_msg_size_t send_size,
                                 mach_msg_size_t receive_size, mach_port_t receive, mach_msg_timeout_t timeout,
                                 mach_port_t notify)
{
    mach_msg_return_t err = mach_msg(message, option, send_size, receive_size, receive, timeout, notify);
    if (__builtin_expect(err == MACH_MSG_SUCCESS, 1) || !message_is_back(err))
        return err;
    mach_msg_type_name_t answer = MACH_MSGH_BITS_LOCAL(message->msgh_bits);
    if ((answer == MACH_MSG_TYPE_MOVE_SEND || answer == MACH_MSG_TYPE_MOVE_SEND_ONCE)
        && MACH_PORT_VALID(message->msgh_local_port))
        mach_port_deallocate(mach_task_self(), message->msgh_local_port);
    ports_message_destroy(message, true);
    message->msgh_bits = 0;
    message->msgh_remote_port = MACH_PORT_NULL;
    /* A call's stub now gives up the reply port by this field; the C library ends the program if it is another. */
    message->msgh_local_port = option & MACH_RCV_MSG ? receive : MACH_PORT_NULL;
    return err;
}
