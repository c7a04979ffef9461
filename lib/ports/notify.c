/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells: senders gone, names dead.

   A message with the id of a notification proves nothing, because any holder of a send right can send one.  Therefore
   a no-senders message is believed only if it has the make-send count that nobody else knows (right.c); otherwise it is
   a hint to ask the kernel for the state of the port.  Dead-name notifications come to a port of their own to which
   nobody else can send.

   Guessing.  Counts have 31 bits, and after FORGERIES_MAX messages that were certainly no notification the bucket
   believes none any more: a client's chance to take a right away from its object, which then would serve somebody else,
   is below one in a million. */

#include "ports-internal.h"

#include <mach/notify.h>
#include <stdlib.h>

/* ---- senders -------------------------------------------------------------- */

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

/* ---- names ---------------------------------------------------------------- */

static struct ports_watch *watch_find(struct ports_bucket *bucket, mach_port_t name)
{
    struct ports_link *link = ports_table_find(&bucket->watches, name);
    return link != NULL ? PORTS_LINK_OWNER(link, struct ports_watch, link) : NULL;
}

static struct ports_watch *watch_obtain(struct ports_bucket *bucket, mach_port_t name)
{
    struct ports_watch *watch = watch_find(bucket, name);
    if (watch != NULL)
        return watch;
    if (ports_table_reserve(&bucket->watches) != 0 || (watch = calloc(1, sizeof *watch)) == NULL)
        return NULL;
    watch->link.key = name;
    ports_table_insert(&bucket->watches, &watch->link);
    return watch;
}

/* Nobody is to be told any more. */
static void watch_untarget(struct ports_watch *watch)
{
    if (watch->object != NULL)
        watch->object->watches--;
    if (watch->rpc != NULL)
        watch->rpc->watched = false;
    watch->object = NULL;
    watch->rpc = NULL;
}

/* Forgets the watch once no message can come for it. */
static void watch_release(struct ports_bucket *bucket, struct ports_watch *watch)
{
    if (watch->armed || watch->stale != 0)
        return;
    ports_table_remove(&bucket->watches, &watch->link);
    free(watch);
}

/* Asks the kernel. */
static kern_return_t watch_arm(struct ports_bucket *bucket, struct ports_watch *watch)
{
    mach_port_t previous = MACH_PORT_NULL;
    kern_return_t err = mach_port_request_notification(mach_task_self(), watch->link.key, MACH_NOTIFY_DEAD_NAME, 1,
                                                       bucket->notify, MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous);
    if (err)
        return err;
    if (MACH_PORT_VALID(previous))
        mach_port_deallocate(mach_task_self(), previous);
    else if (watch->armed)
        watch->stale++;
    watch->armed = true;
    return 0;
}

/* Takes the request back. If the kernel has none any more, its message is on its way. */
static void watch_disarm(struct ports_watch *watch)
{
    mach_port_t previous = MACH_PORT_NULL;
    kern_return_t err = mach_port_request_notification(mach_task_self(), watch->link.key, MACH_NOTIFY_DEAD_NAME, 0,
                                                       MACH_PORT_NULL, MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous);
    if (err == 0 && MACH_PORT_VALID(previous)) {
        mach_port_deallocate(mach_task_self(), previous);
        watch->armed = false;
    }
}

error_t ports_object_notify_dead(void *object, mach_port_t name)
{
    struct ports_object *o = object;
    if (!MACH_PORT_VALID(name))
        return EINVAL;
    bucket_lock(o->bucket);
    error_t err = ENOMEM;
    struct ports_watch *watch = watch_obtain(o->bucket, name);
    if (watch != NULL) {
        watch_untarget(watch);
        err = watch_arm(o->bucket, watch);
        if (err == 0) {
            watch->object = o;
            o->watches++;
        } else {
            watch_release(o->bucket, watch);
        }
    }
    bucket_unlock(o->bucket);
    return err;
}

void ports_object_cancel_dead(void *object, mach_port_t name)
{
    struct ports_object *o = object;
    bucket_lock(o->bucket);
    struct ports_watch *watch = watch_find(o->bucket, name);
    if (watch != NULL && watch->object == o) {
        watch_untarget(watch);
        watch_disarm(watch);
        watch_release(o->bucket, watch);
    }
    bucket_unlock(o->bucket);
}

void notify_forget_object(struct ports_object *object)
{
    struct ports_table *table = &object->bucket->watches;
    for (size_t i = 0; table->slots != NULL && i <= table->mask && object->watches != 0; i++) {
        struct ports_link *next;
        for (struct ports_link *link = table->slots[i]; link != NULL; link = next) {
            next = link->next;
            struct ports_watch *watch = PORTS_LINK_OWNER(link, struct ports_watch, link);
            if (watch->object != object)
                continue;
            watch_untarget(watch);
            watch_disarm(watch);
            watch_release(object->bucket, watch);
        }
    }
}

void notify_watch_reply(struct ports_bucket *bucket, struct ports_rpc *rpc)
{
    struct ports_watch *watch = watch_obtain(bucket, rpc->reply);
    if (watch == NULL)
        return;
    watch_untarget(watch);
    if (watch_arm(bucket, watch) == 0) {
        watch->rpc = rpc;
        rpc->watched = rpc->eventful = true;
    } else {
        watch_release(bucket, watch);
    }
}

void notify_forget_reply(struct ports_bucket *bucket, struct ports_rpc *rpc)
{
    /* The request stays with the kernel: the reply about to be sent uses up the name, which ends it (port-deleted),
       for less than taking it back would cost. */
    struct ports_watch *watch = watch_find(bucket, rpc->reply);
    if (watch != NULL && watch->rpc == rpc)
        watch_untarget(watch);
}

/* ---- messages on the notify port -------------------------------------------- */

/* NAME has died (DEAD) or was given up while a request was open.  */
static void watch_message(struct ports_bucket *bucket, mach_port_t name, bool dead)
{
    struct ports_object *object = NULL;
    if (dead) /* the notification's own reference */
        mach_port_deallocate(mach_task_self(), name);

    bucket_lock(bucket);
    struct ports_watch *watch = watch_find(bucket, name);
    if (watch != NULL && watch->stale != 0) {
        watch->stale--;
        watch_release(bucket, watch);
    } else if (watch != NULL) {
        struct ports_rpc *rpc = watch->rpc;
        watch->armed = false;
        if (dead && watch->object != NULL && object_tryref(watch->object))
            object = watch->object;
        watch_untarget(watch);
        watch_release(bucket, watch);
        if (dead && rpc != NULL)
            rpc_cancel(bucket, rpc);
    }
    bucket_unlock(bucket);

    if (object != NULL) {
        if (object->class->ops->dead_name != NULL)
            object->class->ops->dead_name(object, name);
        ports_object_deref(object);
    }
}

void notify_message(struct ports_bucket *bucket, mach_msg_header_t *message)
{
    const mach_dead_name_notification_t *note = (const void *)message;
    if (message->msgh_size < offsetof(mach_dead_name_notification_t, not_port) + sizeof note->not_port)
        return; /* send-once: a request that was replaced */
    if (message->msgh_id == MACH_NOTIFY_DEAD_NAME)
        watch_message(bucket, note->not_port, true);
    else if (message->msgh_id == MACH_NOTIFY_PORT_DELETED)
        watch_message(bucket, note->not_port, false);
}
