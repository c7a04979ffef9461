/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of lib/ports share.  Lock order: class lock, bucket lock, deaths_lock
   (death.c).  */

#ifndef PORTS_INTERNAL_H
#define PORTS_INTERNAL_H

#include "lock.h"
#include "pool.h"
#include "ports.h"
#include "table.h"

#include <mach/notify.h>

/* Payloads: small numbers are the library's own, objects start at PAYLOAD_OBJECT. */
enum { PAYLOAD_NOTIFY = 1, PAYLOAD_OBJECT = 16 };

enum { SPARES_MAX = 16 };

/* A receive right in the port set that nobody can send to: no rights, no messages, none being handled.  The next object
   takes it as it is, serial included, which saves making and destroying ports on every open and close. */
struct ports_spare {
    mach_port_t receive;
    uint64_t serial;
    mach_port_mscount_t mscount;
    mach_port_seqno_t begun;
    bool secret;
};

struct ports_bucket {
    mach_port_t set;           /* constant */
    mach_port_t notify;        /* constant: where dead-name notifications come in; nobody else can send to it */
    struct ports_bucket *next; /* constant: all buckets */
    struct ports_lock lock;    /* all below */
    uint64_t next_serial;
    struct ports_table by_serial, by_name;
    struct ports_object *objects;
    struct ports_pool *watched; /* pools with more threads than they need, or starved, by next_watched */
    struct ports_rpc *rpcs;     /* of the threads that handle messages, one each, idle or not */
    struct ports_rpc *waiters;  /* rpcs that have waited for something and are not watched yet */
    struct ports_spare spares[SPARES_MAX];
    unsigned int spare_count;
    uint64_t random;            /* what make-send counts of new rights begin with (right.c) */
    unsigned int forgeries;     /* no-senders messages that were none of the kernel's */
};

/* The rpc that this thread handles, innermost first. */
extern __thread struct ports_rpc *ports_current;

/* Every bucket ever made, linked by `next`. */
extern struct ports_bucket *_Atomic ports_buckets;

/* pageout.c: how it stood with memory when it was last looked at; waits until it is not short, or for half a
   second.  */
extern _Atomic(enum ports_memory) pageout_state;
static inline bool pageout_is_short(void)
{
    return __builtin_expect(atomic_load_explicit(&pageout_state, memory_order_relaxed) != MEMORY_ENOUGH, 0);
}
bool pageout_is_server(void);
/* The calling thread, which a privileged one has made, does without privileges. */
void pageout_renounce(void);
void pageout_wait(void);

static inline void bucket_lock(struct ports_bucket *bucket) { ports_lock_acquire(&bucket->lock); }
static inline void bucket_unlock(struct ports_bucket *bucket) { ports_lock_release(&bucket->lock); }

/* A reference unless the last has gone.  Bucket lock held: nobody else sees the count of a dead object, as all lookups
   are under it. */
static inline bool object_tryref(struct ports_object *object)
{
    if (__builtin_expect(atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed) != 0, 1))
        return true;
    atomic_fetch_sub_explicit(&object->refs, 1, memory_order_relaxed);
    return false;
}

/* ---- right.c; bucket lock held ---- */

/* Gives OBJECT a receive right of its own (a spare one if there is), unless it has one. */
error_t right_make(struct ports_object *object);
/* Enters RECEIVE, which is ours, as OBJECT's right. */
error_t right_adopt(struct ports_object *object, mach_port_t receive);
/* Takes the right out of the tables; the name stays with the caller, who also gives up the library's reference if
   the result is true. */
bool right_leave(struct ports_object *object, mach_port_t *receive);
/* At the end of an object: keeps its right as a spare if nobody can send to it, or destroys it. */
void right_retire(struct ports_object *object);
/* Asks the kernel to tell when the senders have gone. */
void right_expect_no_senders(struct ports_object *object);

/* ---- notify.c ---- */

/* Checks whether OBJECT has senders, and acts if not. Lock not held; a reference held.  MESSAGE: what came as
   no-senders notification, perhaps of the kernel's, perhaps of a client's; NULL: nothing. */
void notify_check_senders(struct ports_object *object, const mach_msg_header_t *message);

/* ---- death.c ---- */

/* Handles a message on a bucket's notify port.  No lock held. */
void death_message(const mach_msg_header_t *message);
/* Drops what OBJECT, which is dying, still waits for.  No lock held. */
void death_forget_object(struct ports_object *object);
/* Interrupts RPC when its reply port dies; not any more.  Bucket lock held. */
void death_watch_reply(struct ports_bucket *bucket, struct ports_rpc *rpc);
void death_forget_reply(struct ports_rpc *rpc);
static inline bool rpc_is_watched(const struct ports_rpc *rpc)
{
    return __atomic_load_n(&rpc->wait, __ATOMIC_ACQUIRE) != NULL;
}

/* ---- thread.c ---- */

/* ports_thread_create, for a thread that need not be there: unless it MUST be, EAGAIN while the C library's signals are
   started; whoever is there serves. */
error_t thread_make(bool must, size_t stack, void *(*main)(void *), void *arg);
/* The calling thread has a signal state of its own from now on. */
void thread_state_make(void);
/* Waits until no thread is on its way, and lets none be made until thread_births_go: all (FREELY), or from now on only
   those that must be there. */
void thread_births_stop(void);
void thread_births_go(bool freely);
/* Whether THREAD began since births go on with restraint. Births are stopped. */
bool thread_is_newborn(thread_t thread);

/* ---- serve.c ---- */

/* Makes the thread that ports_pool_refill wanted. */
void serve_refill(struct ports_pool *pool);

/* ---- patience.c ---- */

/* Before RPC waits: sees to it that its client's death will end the wait, if it becomes a long one. */
void patience_begin(struct ports_bucket *bucket, struct ports_rpc *rpc);
/* The same in three parts, the middle one with the bucket lock held, the last only if that gave true. */
void patience_prepare(void);
bool patience_enter(struct ports_bucket *bucket, struct ports_rpc *rpc);
/* RPC is over or watched.  Bucket lock held. */
void patience_end(struct ports_rpc *rpc);
/* Looks after POOL, which has surplus threads and is not watched yet. Bucket lock held; when that is given up
   patience_wake must follow (true). */
bool patience_watch(struct ports_bucket *bucket, struct ports_pool *pool);
/* A thread of POOL could not be made: takes it back, and looks after it.  Bucket lock not held. */
void patience_starved(struct ports_bucket *bucket, struct ports_pool *pool);
/* There is something to look after. Lock not held. */
void patience_wake(void);

/* ---- rpc.c ---- */

/* Puts RPC into the bucket's list; takes it out.  Bucket lock held. */
static inline void rpc_link(struct ports_bucket *bucket, struct ports_rpc *rpc)
{
    rpc->next = bucket->rpcs;
    rpc->prevp = &bucket->rpcs;
    if (rpc->next != NULL)
        rpc->next->prevp = &rpc->next;
    bucket->rpcs = rpc;
}

static inline void rpc_unlink(struct ports_rpc *rpc)
{
    *rpc->prevp = rpc->next;
    if (rpc->next != NULL)
        rpc->next->prevp = rpc->prevp;
}

/* Takes RPC's interrupt flag to its thread, or ends a deferred one, which may be gone then.  Bucket lock held, dropped
   meanwhile. */
void rpc_cancel(struct ports_bucket *bucket, struct ports_rpc *rpc);
/* Interrupts what was received for OBJECT before SEQNO, the caller's own rpc excepted.  */
void rpc_interrupt_before(struct ports_object *object, mach_port_seqno_t seqno);
/* Counts a message to CLASS in and out; waits while the class is inhibited.  Each side writes its own variable first
   and then reads the other's, so at least one of them sees the other. */
void class_enter_slowly(struct ports_class *class);
void class_leave_slowly(struct ports_class *class);

static inline void class_leave(struct ports_class *class)
{
    atomic_fetch_sub(&class->active, 1);
    if (__builtin_expect(atomic_load(&class->inhibited), 0))
        class_leave_slowly(class);
}

static inline void class_enter(struct ports_class *class)
{
    atomic_fetch_add(&class->active, 1);
    if (__builtin_expect(atomic_load(&class->inhibited), 0))
        class_enter_slowly(class);
}

/* ---- dispatch.c ---- */

/* What a loop tells the dispatcher and hears from it. */
struct ports_turn {
    struct ports_pool *pool;      /* bucket lock; NULL: none to count in */
    bool first;                   /* the thread is the loop's first */
    error_t (*spawn)(void *arg);  /* makes another thread; called without lock */
    void *arg;
    enum ports_pool_next next;    /* what the thread does next */
    struct ports_rpc rpc;         /* the thread's, in the bucket's list from dispatch_begin to dispatch_end */
};
/* The calling thread will handle messages of BUCKET with TURN, and will not any more. */
void dispatch_begin(struct ports_bucket *bucket, struct ports_turn *turn);
void dispatch_end(struct ports_bucket *bucket, struct ports_turn *turn);
bool dispatch_turn(struct ports_bucket *bucket, struct ports_turn *turn, mach_msg_header_t *request,
                   mig_reply_header_t *reply);
/* Takes note of a message of which only the header could be received. */
void dispatch_lost(struct ports_bucket *bucket, const mach_msg_header_t *header);

/* Puts copies of our own in the place of MESSAGE's out-of-line data (rights are the kernel's own arrays), so that a
   routine can read it like any other memory: the client's may give exceptions or change.  EFAULT, ENOMEM, E2BIG; the
   message is whole in any case. */
error_t message_own_memory(mach_msg_header_t *message);

#endif /* PORTS_INTERNAL_H */
