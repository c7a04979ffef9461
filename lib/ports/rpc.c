/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests in progress: interrupting them, waiting inside them, and holding a class back.

   An interrupted rpc carries a flag that its handler can see, and its thread is woken from whatever it waits for by
   hurd_thread_cancel.  (A deferred one has no thread: its callback ends it.)  That may take a message to another
   server, so it is done without the lock; `cancelling` keeps the rpc from ending meanwhile, so the wake-up never hits
   the next one.  */

#include "ports-internal.h"

#include <hurd.h>
#include <hurd/signal.h>

__thread struct ports_rpc *ports_current;

/* Takes RPC, a deferred one, out of all lists.  Bucket lock held. */
static void deferred_leave(struct ports_rpc *rpc)
{
    rpc_unlink(rpc);
    if (rpc->wait_prevp != NULL)
        patience_end(rpc);
    if (rpc_is_watched(rpc))
        death_forget_reply(rpc);
}

error_t ports_rpc_defer(struct ports_rpc *later, void (*cancel)(struct ports_rpc *))
{
    struct ports_rpc *now = ports_current;
    if (now == NULL || now->object == NULL || now->reply_type != MACH_MSG_TYPE_MOVE_SEND_ONCE)
        return EOPNOTSUPP;
    struct ports_bucket *bucket = now->object->bucket;
    later->object = now->object;
    later->thread = MACH_PORT_NULL;
    later->seqno = now->seqno;
    later->reply = now->reply;
    later->reply_type = now->reply_type;
    later->outer = NULL;
    later->cancel = cancel;
    later->eventful = false;
    later->wait = NULL;
    atomic_init(&later->interrupted, false);
    atomic_init(&later->cancelling, 0);
    later->wait_prevp = NULL;
    bool wake = false;

    patience_prepare();
    bucket_lock(bucket);
    bool interrupted = atomic_load_explicit(&now->interrupted, memory_order_relaxed);
    if (!interrupted) {
        ports_object_ref(later->object);
        rpc_link(bucket, later);
        wake = patience_enter(bucket, later);
    }
    bucket_unlock(bucket);
    if (wake)
        patience_wake();
    return interrupted ? EINTR : 0;
}

bool ports_rpc_take(struct ports_rpc *later)
{
    struct ports_bucket *bucket = later->object->bucket;
    bucket_lock(bucket);
    bool ours = !atomic_load_explicit(&later->interrupted, memory_order_relaxed);
    if (ours)
        deferred_leave(later);
    bucket_unlock(bucket);
    return ours;
}

void rpc_cancel(struct ports_bucket *bucket, struct ports_rpc *rpc)
{
    if (atomic_load(&rpc->interrupted))
        return;
    rpc->eventful = true;
    atomic_store(&rpc->interrupted, true);
    if (rpc->cancel != NULL) {
        deferred_leave(rpc);
        bucket_unlock(bucket);
        rpc->cancel(rpc);
        bucket_lock(bucket);
        return;
    }
    atomic_store(&rpc->cancelling, 1);
    bucket_unlock(bucket);
    hurd_thread_cancel(rpc->thread);
    bucket_lock(bucket);
    atomic_store(&rpc->cancelling, 0);
    gsync_wake(mach_task_self(), (vm_address_t)&rpc->cancelling, 0, 0); /* before the lock goes, and the rpc with it */
}

/* True if this thread is inside RPC, at any depth. */
static bool rpc_is_own(const struct ports_rpc *rpc)
{
    for (const struct ports_rpc *own = ports_current; own != NULL; own = own->outer)
        if (own == rpc)
            return true;
    return false;
}

/* Interrupts the rpcs of OBJECT that were received before SEQNO, or all.  Bucket lock held. */
static void object_cancel(struct ports_object *object, bool all, mach_port_seqno_t seqno)
{
    for (;;) {
        struct ports_rpc *rpc = object->bucket->rpcs;
        while (rpc != NULL
               && (rpc->object != object || atomic_load(&rpc->interrupted) || rpc_is_own(rpc)
                   || (!all && (mach_port_delta_t)(rpc->seqno - seqno) >= 0)))
            rpc = rpc->next;
        if (rpc == NULL)
            return;
        rpc_cancel(object->bucket, rpc); /* drops the lock: begin again */
    }
}

void rpc_interrupt_before(struct ports_object *object, mach_port_seqno_t seqno)
{
    bucket_lock(object->bucket);
    /* Another thread may have received one of them and not have come to us yet. The caller's message is counted in. */
    if ((mach_port_delta_t)(object->begun - (seqno + 1)) < 0) {
        object->interrupt_late = true;
        object->interrupt_seqno = seqno;
    }
    object_cancel(object, false, seqno);
    bucket_unlock(object->bucket);
}

void ports_object_interrupt(void *object)
{
    struct ports_object *o = object;
    bucket_lock(o->bucket);
    object_cancel(o, true, 0);
    bucket_unlock(o->bucket);
}

void *ports_self_object(struct ports_class *class)
{
    struct ports_object *object = ports_current != NULL ? ports_current->object : NULL;
    return object != NULL && class != NULL && object->class != class ? NULL : object;
}

bool ports_self_interrupted(void)
{
    return ports_current != NULL && atomic_load(&ports_current->interrupted);
}

bool ports_self_abandoned(void)
{
    mach_port_t reply = ports_current != NULL ? ports_current->reply : MACH_PORT_NULL;
    return reply == MACH_PORT_DEAD ||
           (reply != MACH_PORT_NULL && (ports_name_type(reply) & MACH_PORT_TYPE_DEAD_NAME) != 0);
}

static error_t rpc_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    struct ports_rpc *rpc = ports_current;
    if (rpc != NULL && rpc->object != NULL) {
        patience_begin(rpc->object->bucket, rpc);
        if (atomic_load(&rpc->interrupted))
            return EINTR;
    }
    if (until != NULL)
        return pthread_hurd_cond_timedwait_np(cond, mutex, until);
    return pthread_hurd_cond_wait_np(cond, mutex) != 0 ? EINTR : 0; /* it only says whether */
}

error_t ports_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return rpc_wait(cond, mutex, NULL);
}

error_t ports_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    return rpc_wait(cond, mutex, until);
}

/* ---- classes ---------------------------------------------------------------- */

void class_enter_slowly(struct ports_class *class)
{
    class_leave(class);
    pthread_mutex_lock(&class->class_lock);
    while (atomic_load(&class->inhibited))
        pthread_cond_wait(&class->class_idle, &class->class_lock);
    atomic_fetch_add(&class->active, 1);
    pthread_mutex_unlock(&class->class_lock);
}

void class_leave_slowly(struct ports_class *class)
{
    pthread_mutex_lock(&class->class_lock);
    pthread_cond_broadcast(&class->class_idle);
    pthread_mutex_unlock(&class->class_lock);
}

/* How many rpcs of CLASS this thread is in. */
static unsigned int class_own(const struct ports_class *class)
{
    unsigned int own = 0;
    for (const struct ports_rpc *rpc = ports_current; rpc != NULL; rpc = rpc->outer)
        if (rpc->object != NULL && rpc->object->class == class)
            own++;
    return own;
}

static error_t class_interrupt_one(struct ports_object *object, void *arg)
{
    (void)arg;
    ports_object_interrupt(object);
    return 0;
}

error_t ports_class_inhibit(struct ports_class *class, bool interrupt)
{
    pthread_mutex_lock(&class->class_lock);
    if (atomic_load(&class->inhibited)) {
        pthread_mutex_unlock(&class->class_lock);
        return EBUSY;
    }
    atomic_store(&class->inhibited, true);
    pthread_mutex_unlock(&class->class_lock);

    if (interrupt)
        for (struct ports_bucket *b = atomic_load(&ports_buckets); b != NULL; b = b->next)
            ports_bucket_iterate(b, class, class_interrupt_one, NULL);

    unsigned int own = class_own(class);
    pthread_mutex_lock(&class->class_lock);
    while (atomic_load(&class->active) > own)
        pthread_cond_wait(&class->class_idle, &class->class_lock);
    pthread_mutex_unlock(&class->class_lock);
    return 0;
}

void ports_class_resume(struct ports_class *class)
{
    pthread_mutex_lock(&class->class_lock);
    atomic_store(&class->inhibited, false);
    pthread_cond_broadcast(&class->class_idle);
    pthread_mutex_unlock(&class->class_lock);
}
