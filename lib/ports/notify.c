/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells of senders: that there are none any more.  (Of names that die: death.c.)

   A message with the id of a notification proves nothing, because any holder of a send right can send one.  Therefore
   a no-senders message is believed only if it has the make-send count that nobody else knows (right.c); otherwise it is
   a hint to ask the kernel for the state of the port.

   Guessing.  Counts have 31 bits, and after FORGERIES_MAX messages that were certainly no notification the bucket
   believes none any more: a client's chance to take a right away from its object, which then would serve somebody else,
   is below one in a million. */

#include "ports-internal.h"

/* True if nobody can send to OBJECT's right and no message is between the kernel and us.  Bucket lock held. Arranges
   to be asked again otherwise. */
static bool senders_gone(struct ports_object *object)
{
    mach_port_status_t status;
    object->recheck = false;
    if (object->receive == MACH_PORT_NULL || !object->has_senders
        || mach_port_get_receive_status(mach_task_self(), object->receive, &status) != 0)
        return false;

    if (status.mps_srights || (mach_port_delta_t)(status.mps_mscount - object->mscount) < 0) {
        right_expect_no_senders(object);
        return false;
    }
    if (status.mps_msgcount != 0 || status.mps_seqno != object->begun) {
        /* Something that was sent before has not been handled; whoever does it will look again. */
        object->recheck = true;
        return false;
    }
    object->mscount = status.mps_mscount;
    object->has_senders = false;
    object->clean = status.mps_sorights == 0;
    return true;
}

/* More of a count that is right but old: since then others were made. */
enum { FORGERIES_MAX = 1000, COUNT_OLD_MAX = 64 };

/* The same, told by MESSAGE.  If that is the kernel's, all that is to be known is in it: it was the last message of
   this port, and the count says that no right was made since. */
static bool senders_gone_told(struct ports_object *object, const mach_no_senders_notification_t *message)
{
    mach_port_mscount_t old = object->mscount - message->not_count;
    if (old != 0 || !object->secret || object->once || object->bucket->forgeries >= FORGERIES_MAX ||
        !object->has_senders) {
        bool gone = senders_gone(object);
        object->bucket->forgeries += !gone && old > COUNT_OLD_MAX;
        return gone;
    }
    if (object->begun != message->not_header.msgh_seqno + 1) {
        object->recheck = true;
        return false;
    }
    object->recheck = false;
    object->has_senders = false;
    object->clean = true;
    return true;
}

void notify_check_senders(struct ports_object *object, const mach_msg_header_t *message)
{
    bool told = message != NULL && message->msgh_size >= sizeof(mach_no_senders_notification_t);
    bucket_lock(object->bucket);
    bool gone = told ? senders_gone_told(object, (const void *)message) : senders_gone(object);
    bucket_unlock(object->bucket);
    if (!gone)
        return;
    if (object->class->ops->no_senders != NULL)
        object->class->ops->no_senders(object);
    ports_object_deref(object); /* the senders' reference; the caller has his own */
}
