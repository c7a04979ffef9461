/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that die: who wants to hear of it, objects and requests that wait.

   The kernel has one request for a name of a task, so there is one table for all buckets, and whoever asks for a name
   that another asked for already is put beside him: a client may name the same port to several objects, or a port that
   the program watches for reasons of its own.

   For each request that the kernel takes and does not give back comes exactly one message, dead-name or port-deleted.
   A request that was made for a name that has been given up since, and means another port now, leaves a message that is
   still on its way (`pending` is above 1 then); messages are handled by several threads, in any order.  So what a
   message says is believed only if no other can come.  Otherwise the first ones are taken for those of the name's
   former lives, and the last one makes the library ask anew, which tells at once if the name is dead.

   Who gives up a name without taking his request back may be told when the next port of that name dies.

   Locks: a bucket's lock, then deaths_lock, a leaf. */

#include "ports-internal.h"

#include <stdlib.h>

/* A name and who is to be told.  All fields: deaths_lock. */
struct watch {
    struct ports_link link;      /* key: name */
    struct ports_wait *waits;    /* in no order */
    struct ports_bucket *bucket; /* constant: the messages come to its notify port */
    unsigned int pending;        /* messages that will come, that of the request in force included */
    unsigned int life;           /* how often the name was found to have changed its meaning */
    bool doubt;                  /* `pending` was above 1: see above */
};

/* One of those: exactly one of `object` and `rpc` is there.  All fields: deaths_lock, unless said otherwise. */
struct ports_wait {
    struct watch *watch;                     /* NULL: it is being told */
    struct ports_wait *next, **prevp;        /* of the watch, or of those being told */
    struct ports_wait *next_own, **prevp_own; /* of the object */
    struct ports_object *object;             /* constant; there as long as this is in its list */
    struct ports_rpc *rpc;                   /* constant; its `wait` is this */
    struct ports_bucket *bucket;             /* constant: the object's or rpc's */
    unsigned int life;                       /* that of the watch when this one asked */
};

static struct ports_lock deaths_lock;
static struct ports_table watches; /* deaths_lock */

static struct watch *watch_find(mach_port_t name)
{
    struct ports_link *link = ports_table_find(&watches, name);
    return link != NULL ? PORTS_LINK_OWNER(link, struct watch, link) : NULL;
}

/* The watch of NAME, made if there is none. NULL without memory. */
static struct watch *watch_obtain(struct ports_bucket *bucket, mach_port_t name)
{
    struct watch *watch = watch_find(name);
    if (watch != NULL)
        return watch;
    if (ports_table_reserve(&watches) != 0 || (watch = calloc(1, sizeof *watch)) == NULL)
        return NULL;
    watch->link.key = name;
    watch->bucket = bucket;
    ports_table_insert(&watches, &watch->link);
    return watch;
}

/* Asks the kernel. */
static kern_return_t watch_arm(struct watch *watch)
{
    mach_port_t previous = MACH_PORT_NULL;
    kern_return_t err = mach_port_request_notification(mach_task_self(), watch->link.key, MACH_NOTIFY_DEAD_NAME, 1,
                                                       watch->bucket->notify, MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous);
    if (err)
        return err;
    if (MACH_PORT_VALID(previous))
        mach_port_deallocate(mach_task_self(), previous);
    if (watch->pending == 0) {
        watch->pending = 1;
    } else if (!MACH_PORT_VALID(previous)) {
        watch->pending++;
        watch->life++;
        watch->doubt = true;
    }
    return 0;
}

/* If nobody wants to be told any more, takes the request back; if the kernel has none, its message is on its way.
   Forgets the watch when no message can come for it. */
static void watch_release(struct watch *watch)
{
    mach_port_t previous = MACH_PORT_NULL;
    if (watch->waits != NULL)
        return;
    if (watch->pending != 0 &&
        mach_port_request_notification(mach_task_self(), watch->link.key, MACH_NOTIFY_DEAD_NAME, 0, MACH_PORT_NULL,
                                       MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous) == 0 &&
        MACH_PORT_VALID(previous)) {
        mach_port_deallocate(mach_task_self(), previous);
        watch->pending--;
    }
    if (watch->pending != 0)
        return;
    ports_table_remove(&watches, &watch->link);
    free(watch);
}

/* ---- who waits ---------------------------------------------------------------- */

static void wait_link(struct ports_wait **list, struct ports_wait *wait)
{
    wait->next = *list;
    wait->prevp = list;
    if (wait->next != NULL)
        wait->next->prevp = &wait->next;
    *list = wait;
}

static void wait_unlink(struct ports_wait *wait)
{
    *wait->prevp = wait->next;
    if (wait->next != NULL)
        wait->next->prevp = wait->prevp;
}

/* OBJECT's wait for WATCH, or NULL. Either may have many others: the shorter list decides. */
static struct ports_wait *wait_find(const struct watch *watch, const struct ports_object *object)
{
    struct ports_wait *own = object->waits, *others = watch->waits;
    for (; own != NULL && others != NULL; own = own->next_own, others = others->next) {
        if (own->watch == watch)
            return own;
        if (others->object == object)
            return others;
    }
    return NULL;
}

/* OBJECT or RPC, of BUCKET, waits for WATCH. NULL without memory. */
static struct ports_wait *wait_add(struct watch *watch, struct ports_bucket *bucket, struct ports_object *object,
                                   struct ports_rpc *rpc)
{
    struct ports_wait *wait = calloc(1, sizeof *wait);
    if (wait == NULL)
        return NULL;
    wait->watch = watch;
    wait->bucket = bucket;
    wait->object = object;
    wait->rpc = rpc;
    wait_link(&watch->waits, wait);
    if (object != NULL) {
        wait->next_own = object->waits;
        wait->prevp_own = &object->waits;
        if (wait->next_own != NULL)
            wait->next_own->prevp_own = &wait->next_own;
        object->waits = wait;
    } else {
        rpc->wait = wait;
    }
    return wait;
}

/* WAIT is over.  An object that finds its list empty, or a request without wait, may go without the lock. */
static void wait_remove(struct ports_wait *wait)
{
    wait_unlink(wait);
    if (wait->object != NULL) {
        if (wait->next_own != NULL)
            wait->next_own->prevp_own = wait->prevp_own;
        __atomic_store_n(wait->prevp_own, wait->next_own, __ATOMIC_RELEASE);
    } else {
        __atomic_store_n(&wait->rpc->wait, NULL, __ATOMIC_RELEASE);
    }
    free(wait);
}

/* ---- asking -------------------------------------------------------------------- */

error_t ports_object_notify_dead(void *object, mach_port_t name)
{
    struct ports_object *o = object;
    if (!MACH_PORT_VALID(name))
        return EINVAL;
    ports_lock_acquire(&deaths_lock);
    error_t err = ENOMEM;
    struct watch *watch = watch_obtain(o->bucket, name);
    if (watch != NULL) {
        struct ports_wait *wait = wait_find(watch, o);
        bool again = wait != NULL;
        if (again || (wait = wait_add(watch, o->bucket, o, NULL)) != NULL)
            err = watch_arm(watch);
        if (err == 0)
            wait->life = watch->life;
        else if (wait != NULL)
            wait_remove(wait);
        watch_release(watch);
    }
    ports_lock_release(&deaths_lock);
    return err;
}

void ports_object_cancel_dead(void *object, mach_port_t name)
{
    ports_lock_acquire(&deaths_lock);
    struct watch *watch = watch_find(name);
    struct ports_wait *wait = watch != NULL ? wait_find(watch, object) : NULL;
    if (wait != NULL) {
        wait_remove(wait);
        watch_release(watch);
    }
    ports_lock_release(&deaths_lock);
}

void death_forget_object(struct ports_object *object)
{
    ports_lock_acquire(&deaths_lock);
    while (object->waits != NULL) {
        struct watch *watch = object->waits->watch;
        wait_remove(object->waits);
        if (watch != NULL)
            watch_release(watch);
    }
    ports_lock_release(&deaths_lock);
}

void death_watch_reply(struct ports_bucket *bucket, struct ports_rpc *rpc)
{
    ports_lock_acquire(&deaths_lock);
    struct watch *watch = watch_obtain(bucket, rpc->reply);
    if (watch != NULL) {
        struct ports_wait *wait = wait_add(watch, bucket, NULL, rpc);
        if (wait != NULL && watch_arm(watch) == 0) {
            wait->life = watch->life;
            rpc->eventful = true;
        } else if (wait != NULL) {
            wait_remove(wait);
        }
        watch_release(watch);
    }
    ports_lock_release(&deaths_lock);
}

void death_forget_reply(struct ports_rpc *rpc)
{
    /* The request stays with the kernel: the reply about to be sent uses up the name, which ends it (port-deleted),
       for less than taking it back would cost. */
    ports_lock_acquire(&deaths_lock);
    if (rpc->wait != NULL)
        wait_remove(rpc->wait);
    ports_lock_release(&deaths_lock);
}

/* ---- telling --------------------------------------------------------------------- */

/* Takes those of WATCH who asked before its life LIFE: to TOLD if the name has died then. */
static void waits_take(struct watch *watch, unsigned int life, bool dead, struct ports_wait **told)
{
    struct ports_wait *next;
    for (struct ports_wait *wait = watch->waits; wait != NULL; wait = next) {
        next = wait->next;
        if ((int)(wait->life - life) >= 0)
            continue;
        if (!dead) {
            wait_remove(wait);
            continue;
        }
        wait_unlink(wait);
        wait->watch = NULL;
        wait_link(told, wait);
    }
}

/* A message for WATCH: the name has died, or was given up while a request was open.  Those to be told go to TOLD. */
static void watch_message(struct watch *watch, bool dead, struct ports_wait **told)
{
    watch->pending--;
    if (watch->pending != 0) {
        waits_take(watch, watch->life, dead, told);
    } else if (watch->doubt && watch->waits != NULL) {
        watch->doubt = false;
        if (watch_arm(watch) != 0)
            waits_take(watch, watch->life + 1, false, told);    /* there is no such name any more */
    } else {
        watch->doubt = false;
        waits_take(watch, watch->life + 1, dead, told);
    }
    watch_release(watch);
}

/* Tells the first of TOLD, whose name is NAME, unless he goes meanwhile.  deaths_lock held, dropped and taken again. */
static void told_first(struct ports_wait **told, mach_port_t name)
{
    struct ports_wait *wait = *told;
    struct ports_bucket *bucket = wait->bucket;
    ports_lock_release(&deaths_lock);
    bucket_lock(bucket);
    ports_lock_acquire(&deaths_lock);
    if (*told != wait) {
        bucket_unlock(bucket);
        return;
    }
    struct ports_rpc *rpc = wait->rpc;
    struct ports_object *object = wait->object;
    if (object != NULL && !object_tryref(object))
        object = NULL;
    wait_remove(wait);
    ports_lock_release(&deaths_lock);
    if (rpc != NULL)
        rpc_cancel(bucket, rpc);
    bucket_unlock(bucket);
    if (object != NULL) {
        if (object->class->ops->dead_name != NULL)
            object->class->ops->dead_name(object, name);
        ports_object_deref(object);
    }
    ports_lock_acquire(&deaths_lock);
}

static void name_message(mach_port_t name, bool dead)
{
    struct ports_wait *told = NULL;
    if (dead) /* the notification's own reference */
        mach_port_deallocate(mach_task_self(), name);
    ports_lock_acquire(&deaths_lock);
    struct watch *watch = watch_find(name);
    if (watch != NULL && watch->pending != 0)
        watch_message(watch, dead, &told);
    while (told != NULL)
        told_first(&told, name);
    ports_lock_release(&deaths_lock);
}

void death_message(const mach_msg_header_t *message)
{
    const mach_dead_name_notification_t *note = (const void *)message;
    if (message->msgh_size < offsetof(mach_dead_name_notification_t, not_port) + sizeof note->not_port)
        return; /* send-once: a request that was replaced */
    if (message->msgh_id == MACH_NOTIFY_DEAD_NAME)
        name_message(note->not_port, true);
    else if (message->msgh_id == MACH_NOTIFY_PORT_DELETED)
        name_message(note->not_port, false);
}
