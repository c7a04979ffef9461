/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One message, from the kernel's hands to its stub and back.  This is the hot path: one lock and one unlock before
   the stub, the same after it.  */

#include "ports-internal.h"

#include <hurd.h>
#include <mach/mig_errors.h>
#include <mach/notify.h>

/* interrupt_operation's id (interrupt.defs); the message is a bare header. */
enum { INTERRUPT_OPERATION = 33000 };

#define unlikely(X) __builtin_expect(!!(X), 0)

static __thread thread_t self_thread;   /* a send right of the thread's own, from its first request to the end of its
                                           loop */

static thread_t self_thread_port(void)
{
    if (unlikely(self_thread == MACH_PORT_NULL))
        self_thread = mach_thread_self();
    return self_thread;
}

/* The thread may end now: a right that it kept would stay behind in the task, as a dead name for each thread that came
   and went. */
static void self_thread_release(void)
{
    if (self_thread != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), self_thread);
    self_thread = MACH_PORT_NULL;
}

/* Fills REPLY as an answer to REQUEST without a result yet. */
static void reply_prepare(const mach_msg_header_t *request, mig_reply_header_t *reply)
{
    static const mach_msg_type_t code_type = {
        .msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE};

    reply->Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(request->msgh_bits), 0);
    reply->Head.msgh_size = sizeof *reply;
    reply->Head.msgh_remote_port = request->msgh_remote_port;
    reply->Head.msgh_local_port = MACH_PORT_NULL;
    reply->Head.msgh_seqno = 0;
    reply->Head.msgh_id = request->msgh_id + 100;
    reply->RetCodeType = code_type;
}

void dispatch_begin(struct ports_bucket *bucket, struct ports_turn *turn)
{
    struct ports_rpc *rpc = &turn->rpc;
    *rpc = (struct ports_rpc){.thread = self_thread_port(), .outer = ports_current};
    ports_current = rpc;
    bucket_lock(bucket);
    rpc_link(bucket, rpc);
    bucket_unlock(bucket);
}

void dispatch_end(struct ports_bucket *bucket, struct ports_turn *turn)
{
    struct ports_rpc *rpc = &turn->rpc;
    bucket_lock(bucket);
    rpc_unlink(rpc);
    bucket_unlock(bucket);
    ports_current = rpc->outer;
    if (turn->pool != NULL && rpc->outer == NULL)
        self_thread_release();
}

static bool request_has_payload(const mach_msg_header_t *request)
{
    return MACH_MSGH_BITS_LOCAL(request->msgh_bits) == MACH_MSG_TYPE_PROTECTED_PAYLOAD;
}

/* The object that REQUEST was sent to, with a reference, NULL if it is no more, or if it is the notify port.  Lock
   held. */
static inline struct ports_object *bucket_find(struct ports_bucket *bucket, const mach_msg_header_t *request)
{
    struct ports_object *object = NULL;
    struct ports_link *link;
    if (!unlikely(!request_has_payload(request))) {
        link = ports_table_find(&bucket->by_serial, request->msgh_protected_payload);
        if (link != NULL)
            object = PORTS_LINK_OWNER(link, struct ports_object, by_serial);
    } else {
        link = ports_table_find(&bucket->by_name, request->msgh_local_port);
        if (link != NULL)
            object = PORTS_LINK_OWNER(link, struct ports_object, by_name);
    }
    return object != NULL && object_tryref(object) ? object : NULL;
}

/* REQUEST came to the port where the kernel tells of names. */
static bool request_is_notice(const struct ports_bucket *bucket, const mach_msg_header_t *request)
{
    return request_has_payload(request) ? request->msgh_protected_payload == PAYLOAD_NOTIFY
                                        : request->msgh_local_port == bucket->notify;
}

/* Counts a message of OBJECT in.  Lock held. */
static inline void rpc_begin(struct ports_object *object, struct ports_rpc *rpc, const mach_msg_header_t *request)
{
    object->begun++;
    rpc->object = object;
    rpc->seqno = request->msgh_seqno;
    rpc->reply = request->msgh_remote_port;
    rpc->reply_type = MACH_MSGH_BITS_REMOTE(request->msgh_bits);
    if (unlikely(object->interrupt_late)) {
        bool late = (mach_port_delta_t)(request->msgh_seqno - object->interrupt_seqno) < 0;
        object->interrupt_late = (mach_port_delta_t)(object->begun - (object->interrupt_seqno + 1)) < 0;
        atomic_store_explicit(&rpc->interrupted, late, memory_order_relaxed);
        rpc->eventful = late;
    }
}

/* Ends what was out of the common with RPC: true if it was interrupted.  Lock held, dropped while somebody is still
   waking this thread. */
static bool rpc_settle(struct ports_bucket *bucket, struct ports_rpc *rpc)
{
    while (atomic_load_explicit(&rpc->cancelling, memory_order_relaxed)) {
        bucket_unlock(bucket);
        gsync_wait(mach_task_self(), (vm_address_t)&rpc->cancelling, 1, 0, 0, 0);
        bucket_lock(bucket);
    }
    if (rpc->wait_prevp != NULL)
        patience_end(rpc);
    if (rpc_is_watched(rpc))
        death_forget_reply(rpc);
    bool interrupted = atomic_load_explicit(&rpc->interrupted, memory_order_relaxed);
    atomic_store_explicit(&rpc->interrupted, false, memory_order_relaxed);
    rpc->eventful = false;
    return interrupted;
}

/* The stub for REQUEST in what comes after the first of the class's interfaces, or NULL. */
static __attribute__((noinline)) mig_routine_t class_routine_further(const ports_interface_t *interface,
                                                                     const mach_msg_header_t *request)
{
    mig_routine_t routine = NULL;
    while (*interface != NULL && routine == NULL)
        routine = (*interface++)(request);
    return routine;
}

/* The stub for REQUEST, or NULL. */
static inline mig_routine_t class_routine(const struct ports_class *class, const mach_msg_header_t *request)
{
    const ports_interface_t *interface = class->ops->interfaces;
    if (interface == NULL || *interface == NULL)
        return NULL;
    mig_routine_t routine = (*interface)(request);
    return routine != NULL ? routine : class_routine_further(interface + 1, request);
}

/* What every object understands. The result goes into the reply. */
static kern_return_t object_message(struct ports_object *object, const mach_msg_header_t *request)
{
    switch (request->msgh_id) {
    case INTERRUPT_OPERATION:
        if (request->msgh_size != sizeof *request)
            return MIG_BAD_ARGUMENTS;
        rpc_interrupt_before(object, request->msgh_seqno);
        return KERN_SUCCESS;
    case MACH_NOTIFY_NO_SENDERS:
        notify_check_senders(object, request);
        return KERN_SUCCESS;
    case MACH_NOTIFY_SEND_ONCE: /* a notification request that was taken back */
        return KERN_SUCCESS;
    default:
        return MIG_BAD_ID;
    }
}

/* Hands REQUEST to whoever understands it. */
static void object_handle(struct ports_object *object, mach_msg_header_t *request, mig_reply_header_t *reply)
{
    struct ports_class *class = object->class;
    mig_routine_t routine = class_routine(class, request);
    if (unlikely(routine == NULL)) {
        reply->RetCode = object_message(object, request);
        return;
    }
    if (unlikely(request->msgh_bits & MACH_MSGH_BITS_COMPLEX)) {
        reply->RetCode = message_own_memory(request);
        if (unlikely(reply->RetCode != KERN_SUCCESS))
            return;
    }
    request->msgh_bits = (request->msgh_bits & ~MACH_MSGH_BITS_LOCAL_MASK)
                         | MACH_MSGH_BITS(0, MACH_MSG_TYPE_PROTECTED_PAYLOAD);
    request->msgh_protected_payload = (uintptr_t)object;
    class_enter(class);
    routine(request, &reply->Head);
    class_leave(class);
}

/* Settles what becomes of REQUEST and REPLY.  True if REPLY is to be sent. */
static bool reply_settle(mach_msg_header_t *request, mig_reply_header_t *reply)
{
    if (unlikely(reply->RetCode != KERN_SUCCESS)) {
        if (reply->RetCode == MIG_NO_REPLY)
            return false;
        ports_message_destroy(request, reply->RetCode == MIG_DESTROY_REQUEST);
        if (reply->RetCode == MIG_DESTROY_REQUEST)
            return false;
        reply->Head.msgh_bits &= ~MACH_MSGH_BITS_COMPLEX;
    }
    if (unlikely(!MACH_PORT_VALID(reply->Head.msgh_remote_port))) {
        if (reply->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX)
            ports_message_destroy(&reply->Head, false);
        return false;
    }
    return true;
}

/* Makes another thread, as the pool wants. */
static __attribute__((noinline)) void pool_spawn(struct ports_bucket *bucket, struct ports_turn *turn)
{
    if (turn->pool->threads > POOL_SPARES + 1)
        patience_prepare(); /* who will have to be there when there is no memory for it any more */
    if (turn->spawn(turn->arg) != 0)
        patience_starved(bucket, turn->pool);
}

/* The thread of TURN has got a message; it is done with it.  Bucket lock held on entry, not afterwards. */
static inline void turn_begin(struct ports_bucket *bucket, struct ports_turn *turn)
{
    bool spawn = turn->pool != NULL && ports_pool_take(turn->pool);
    bucket_unlock(bucket);
    if (unlikely(spawn))
        pool_spawn(bucket, turn);
}

static inline void turn_end(struct ports_bucket *bucket, struct ports_turn *turn)
{
    struct ports_pool *pool = turn->pool;
    bool surplus = false;
    if (pool != NULL) {
        turn->next = ports_pool_give(pool, turn->first);
        if (unlikely(ports_pool_surplus(pool)) && !pool->watched)
            surplus = patience_watch(bucket, pool);
    }
    bucket_unlock(bucket);
    if (unlikely(surplus))
        patience_wake();
}

/* A message that has no object, or none any more.  Bucket lock held on entry, not afterwards. */
static __attribute__((noinline)) bool dispatch_stray(struct ports_bucket *bucket, struct ports_turn *turn,
                                                     mach_msg_header_t *request, mig_reply_header_t *reply)
{
    turn_begin(bucket, turn);
    reply_prepare(request, reply);
    reply->RetCode = MIG_SERVER_DIED; /* what a client hears whose message was still in the queue */
    if (request_is_notice(bucket, request)) {
        death_message(request);
        reply->RetCode = MIG_NO_REPLY;
    }
    bucket_lock(bucket);
    turn_end(bucket, turn);
    return reply_settle(request, reply);
}

bool dispatch_turn(struct ports_bucket *bucket, struct ports_turn *turn, mach_msg_header_t *request,
                   mig_reply_header_t *reply)
{
    bucket_lock(bucket);
    struct ports_object *object = bucket_find(bucket, request);
    if (unlikely(object == NULL))
        return dispatch_stray(bucket, turn, request, reply);
    rpc_begin(object, &turn->rpc, request);
    turn_begin(bucket, turn);

    reply_prepare(request, reply);
    object_handle(object, request, reply);

    bucket_lock(bucket);
    bool interrupted = unlikely(turn->rpc.eventful) && rpc_settle(bucket, &turn->rpc);
    turn->rpc.object = NULL;
    bool recheck = object->recheck;
    turn_end(bucket, turn);

    if (unlikely(interrupted))
        hurd_check_cancel(); /* the next rpc is not meant */
    if (unlikely(recheck))
        notify_check_senders(object, NULL);
    ports_object_deref(object);
    return reply_settle(request, reply);
}

void dispatch_lost(struct ports_bucket *bucket, const mach_msg_header_t *header)
{
    bool recheck = false;
    bucket_lock(bucket);
    struct ports_object *object = bucket_find(bucket, header);
    if (object != NULL) {
        object->begun++;
        recheck = object->recheck;
    }
    bucket_unlock(bucket);
    if (object == NULL)
        return;
    if (recheck)
        notify_check_senders(object, NULL);
    ports_object_deref(object);
}

bool ports_bucket_dispatch(struct ports_bucket *bucket, mach_msg_header_t *request, mig_reply_header_t *reply)
{
    struct ports_turn turn = {.pool = NULL};
    dispatch_begin(bucket, &turn);
    bool answer = dispatch_turn(bucket, &turn, request, reply);
    dispatch_end(bucket, &turn);
    return answer;
}
