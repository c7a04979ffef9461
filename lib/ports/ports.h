/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports: receive rights as objects, and the loop that serves them.

   Everything that a server offers (an open file, a process, a control port, a
   pager) is an *object*: a structure of the server's whose first member is a
   `struct ports_object`.  An object belongs to one *class*, which says what
   messages it understands and how it dies, and to one *bucket*, the port set
   that a loop of threads (ports_bucket_serve) receives from.

       struct clock { struct ports_object port; int ticks; };

       static const struct ports_class_ops clock_ops = {
           .name = "clock", .size = sizeof(struct clock),
           .interfaces = clock_interfaces,        // { io_server_routine, NULL }
           .destroy = clock_destroy,
       };
       static struct ports_class clock_class = PORTS_CLASS(clock_ops);

   Life of an object.  It is born by ports_object_create with one reference,
   the caller's.  As long as send rights to it exist, the library holds one
   reference more, and gives it up when the kernel says that there are no
   senders left.  Threads that handle a message for it hold one too.  When the
   last goes, `destroy` runs and the receive right and the memory are freed.
   Code that keeps a pointer keeps a reference.

   A message finds its object by the protected payload of the port, a serial
   number that is never used again, so a message that arrives late never finds
   another object than the one it was sent to.

   In MIG server stubs the objects arrive as arguments.  For each interface a
   library or server defines, with mig's -D options, hooks such as
       FILE_INTRAN=protid_t begin_using_protid(mach_port_t)
       FILE_INTRAN_PAYLOAD=protid_t begin_using_protid_payload
       FILE_DESTRUCTOR=end_using_protid(protid_t)
   and defines them with PORTS_MIG_HOOKS below.  A hook gives NULL for a port
   that is not of the class: every routine checks that first (EOPNOTSUPP).

   Lock order: class lock, bucket lock.  No callback is called with a lock of
   the library held; callbacks may call every function here.  */

#ifndef PORTS_PORTS_H
#define PORTS_PORTS_H

#include <errno.h>
#include <mach.h>
#include <mach/mig_errors.h>
#include <mach/mig_support.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "table.h"

struct ports_bucket;
struct ports_class;
struct ports_rpc;
struct ports_wait;

/* Gives the server stub for a message's id, NULL if the interface has no such
   id: the `X_server_routine` that MIG writes into each server header.  */
typedef mig_routine_t (*ports_interface_t)(const mach_msg_header_t *);

struct ports_object {
    struct ports_class *class;   /* constant */
    struct ports_bucket *bucket; /* constant; holds a reference-less pointer: buckets live forever */
    mach_port_t receive;         /* our name of the receive right; MACH_PORT_NULL once it is gone (or not made yet).
                                    bucket lock to change, read freely by holders of a reference */
    atomic_uint refs;
    /* All below: bucket lock. */
    mach_port_mscount_t mscount; /* make-send count of which we know, replies in flight included */
    mach_port_seqno_t begun;     /* messages of `receive` whose handling has begun */
    mach_port_seqno_t interrupt_seqno; /* with interrupt_late: messages before this one start out interrupted */
    bool has_senders;            /* the library holds a reference for send rights */
    bool clean;                  /* nobody can have sent to `receive` since it was seen without senders and messages */
    bool once;                   /* its name went out for send-once rights */
    bool secret;                 /* nobody but the kernel and we know mscount (right.c) */
    bool interrupt_late;         /* see interrupt_seqno */
    bool gone;                   /* the right was taken away: none is made any more */
    struct ports_wait *waits;    /* names whose death it is to be told of (death.c, as is the lock) */
    bool recheck;                /* look for senders again when the next message has been handled */
    struct ports_link by_serial; /* key: the payload of `receive` */
    struct ports_link by_name;   /* key: `receive` */
    struct ports_object *next, **prevp; /* objects of the bucket */
};

/* A message being handled, or the place for one: it lives on the stack of the thread that handles one after the other.
   Or a request that is kept, to be answered later (ports_rpc_defer).  The fields are the library's. */
struct ports_rpc {
    struct ports_object *object;     /* whose message it is; referenced; NULL between messages; bucket lock to change */
    thread_t thread;                 /* constant; MACH_PORT_NULL for a deferred one */
    mach_port_seqno_t seqno;         /* constant while there is a message */
    mach_port_t reply;               /* likewise: where the answer goes, or MACH_PORT_NULL */
    mach_msg_type_name_t reply_type; /* likewise */
    struct ports_rpc *outer;         /* constant: what the same thread was handling around it */
    void (*cancel)(struct ports_rpc *); /* constant; of a deferred one */
    bool eventful;                   /* anything but the common case below: interrupted, watched, waiting; bucket
                                        lock */
    struct ports_wait *wait;         /* for the death of `reply`, or NULL; bucket lock to set, death.c's to clear */
    atomic_bool interrupted;         /* bucket lock to set */
    atomic_uint cancelling;          /* 1: somebody is about to wake the thread: it must not go on; bucket lock */
    unsigned int since;              /* tick of the first wait; bucket lock */
    struct ports_rpc *wait_next, **wait_prevp; /* waiters of the bucket, wait_prevp NULL outside; bucket lock */
    struct ports_rpc *next, **prevp; /* rpcs of the bucket; bucket lock */
};

/* What a class is.  Constant, one per class.  */
struct ports_class_ops {
    const char *name;                       /* for messages to people */
    size_t size;                            /* bytes of an object, at least sizeof(struct ports_object) */
    const ports_interface_t *interfaces;    /* NULL-terminated; tried in order; most used first.
                                               notify (no senders, dead names) and interrupt_operation
                                               are served by the library itself after these */
    void (*destroy)(struct ports_object *); /* the last reference has gone: release what the object owns,
                                               not the object; may be NULL */
    void (*no_senders)(struct ports_object *);  /* the last send right has gone, the library's reference
                                                   not yet; may be NULL */
    void (*dead_name)(struct ports_object *, mach_port_t name); /* `name`, of ports_object_notify_dead,
                                               has died.  The reference to the dead name that came with
                                               the notification is already released; may be NULL */
};

struct ports_class {
    const struct ports_class_ops *ops;
    atomic_uint count;              /* objects alive */
    atomic_uint active;             /* RPCs being handled */
    atomic_bool inhibited;          /* changed under class_lock, as is what waits on class_idle */
    pthread_mutex_t class_lock;
    pthread_cond_t class_idle;
};
#define PORTS_CLASS(OPS) \
    { .ops = &(OPS), .class_lock = PTHREAD_MUTEX_INITIALIZER, .class_idle = PTHREAD_COND_INITIALIZER }

/* ---- buckets ------------------------------------------------------------ */

/* A new bucket with an empty port set, in *BUCKET.  ENOMEM, or the kernel's error.  It lives as long as the task.  */
error_t ports_bucket_create(struct ports_bucket **bucket);

/* How many objects with a receive right the bucket has.  */
unsigned int ports_bucket_count(struct ports_bucket *bucket);

/* How ports_bucket_serve works; zeroes are sensible.  */
struct ports_serve_options {
    unsigned int idle_ms;     /* a surplus thread ends when it had nothing to do that long, or half of it; 0: 60 s */
    unsigned int exit_ms;     /* the loop returns when no message came that long and no RPC runs; 0: never */
    unsigned int request_max; /* bytes of the largest request; 0: 64 KiB, more than any routine of the Hurd's or Mach's
                                 interfaces can have inline.  The kernel throws a longer message away (its sender hears
                                 MIG_SERVER_DIED): room for any size would cost 760 instructions a message, because
                                 MACH_RCV_LARGE keeps GNU Mach from its fast path */
    bool single;              /* one thread only: messages are handled strictly one after the other */
    bool waits_for_memory;    /* of a pageout server: messages whose answer nobody needs to free memory wait until there
                                 is some */
};

/* Receives the messages of the bucket's objects and handles them; the calling thread is the first of the pool, and a
   new thread is made whenever all are busy, so that one slow request never holds up others (mach manual: msg server
   loops).  Returns 0 only when `exit_ms` passed, or the error with which receiving failed.  A request that no
   interface of its class knows is answered MIG_BAD_ID.  */
error_t ports_bucket_serve(struct ports_bucket *bucket, const struct ports_serve_options *options);

/* The same in a thread of its own; returns at once.  */
error_t ports_bucket_serve_detached(struct ports_bucket *bucket, const struct ports_serve_options *options);

/* Handles REQUEST, as received from a port of the bucket's, as the loop does, and fills REPLY, which has room for
   PORTS_REPLY_MAX bytes: for who measures what that costs.  True if a reply is to be sent; what a failed request
   carried is destroyed already. */
bool ports_bucket_dispatch(struct ports_bucket *bucket, mach_msg_header_t *request, mig_reply_header_t *reply);

/* The trap of mach_msg, which that surrounds by 20 instructions to repeat what was interrupted: for messages that
   cannot wait, to send-once rights, and callers that see to it themselves. */
mach_msg_return_t ports_msg_trap(mach_msg_header_t *message, mach_msg_option_t option, mach_msg_size_t send_size,
                                 mach_msg_size_t receive_size, mach_port_t receive, mach_msg_timeout_t timeout,
                                 mach_port_t notify);

/* No reply of a MIG stub is longer: variable arrays inline are 2048 bytes each at most, and no routine has more than
   six of them, strings (1024) and fixed structures (below 1 KiB) counted. */
enum { PORTS_REPLY_MAX = 16384 };

/* mach_msg, but for a message that could not be sent: what it was to move has gone in any case, and so has what the
   kernel gives back of a message that waited too long or was interrupted (a user reference to the destination, the
   right to answer), which would stay for ever otherwise. MESSAGE has no rights then.  Stubs of MIG with a message
   option or a time limit are made to call this (toolchain/mig --send ports_msg_send); who gets an error from one owns
   nothing of what it was to move. */
mach_msg_return_t ports_msg_send(mach_msg_header_t *message, mach_msg_option_t option, mach_msg_size_t send_size,
                                 mach_msg_size_t receive_size, mach_port_t receive, mach_msg_timeout_t timeout,
                                 mach_port_t notify);
/* That for MESSAGE, msgh_size bytes, now or not at all: MACH_SEND_TIMED_OUT if its queue is full. */
static inline mach_msg_return_t ports_message_send_now(mach_msg_header_t *message)
{
    return ports_msg_send(message, MACH_SEND_MSG | MACH_SEND_TIMEOUT, message->msgh_size, 0, MACH_PORT_NULL, 0,
                          MACH_PORT_NULL);
}

/* Releases the rights and the out-of-line memory that MESSAGE carries, as received or as about to be sent, but not the
   right in msgh_remote_port unless WITH_REMOTE. */
void ports_message_destroy(mach_msg_header_t *message, bool with_remote);

/* Runs FN(obj, ARG) for each object of the bucket (CLASS NULL) or of CLASS in it, each with a reference held, no lock
   held; stops at the first non-zero result and returns it.  Objects made meanwhile may be left out.  */
error_t ports_bucket_iterate(struct ports_bucket *bucket, struct ports_class *class,
                             error_t (*fn)(struct ports_object *, void *), void *arg);

/* ---- objects ------------------------------------------------------------ */

/* A new object of CLASS in *OBJECT: ops->size bytes, zeroed behind the header, with a new receive right in BUCKET and
   one reference, the caller's.  ENOMEM, or the kernel's error; *OBJECT is then untouched. */
error_t ports_object_create(struct ports_class *class, struct ports_bucket *bucket, void *object);

/* The same with an existing receive right, which is consumed on success only. */
error_t ports_object_import(struct ports_class *class, struct ports_bucket *bucket, mach_port_t receive, void *object);

/* The same without a receive right: made by the first ports_object_make_send_name, _send_right or _receive_name. For
   objects of which most are never given away.  */
error_t ports_object_create_quiet(struct ports_class *class, struct ports_bucket *bucket, void *object);

/* Gives a quiet object its receive right: RECEIVE, consumed on success only.  Messages that wait in it are handled from
   now on. If its send rights have gone already, the object lives as long as it is referenced otherwise. */
error_t ports_object_adopt_right(void *object, mach_port_t receive);

static inline void ports_object_ref(void *object)
{
    struct ports_object *o = object;
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
}

/* Ends OBJECT, whose last reference was given up: ports_object_deref's. */
void ports_object_end(struct ports_object *object);
/* Gives up a reference; the object may be gone afterwards. */
static inline void ports_object_deref(void *object)
{
    struct ports_object *o = object;
    if (__builtin_expect(atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1, 0))
        ports_object_end(o);
}

/* The name of the receive right, for a reply argument with MACH_MSG_TYPE_MAKE_SEND; the library takes note that a send
   right will exist, so the object stays alive until the kernel reports no senders. MACH_PORT_NULL if the right was
   destroyed or could not be made.  Call it once for each time that the name goes out with MAKE_SEND, when nothing can
   fail any more: an object whose name was asked for but never sent waits for ever for that send right to come and
   go. */
mach_port_t ports_object_make_send_name(void *object);

/* The name of the receive right, made if there is none yet, for MACH_MSG_TYPE_MAKE_SEND_ONCE (reply ports,
   notifications): no send right is expected of it.  MACH_PORT_NULL as above.  */
mach_port_t ports_object_receive_name(void *object);

/* A new send right to the object, the caller's to deallocate. MACH_PORT_NULL as above.  */
mach_port_t ports_object_send_right(void *object);

/* Destroys the receive right: senders see a dead name from now on, messages waiting are lost; the object lives on as
   long as it is referenced.  */
void ports_object_destroy_right(void *object);

/* The object behind PORT (a name in our space), with a new reference; NULL if PORT is not a receive right of the bucket
   (any bucket, if NULL) or its class is not CLASS (any class, if NULL).  Does not consume PORT.  */
void *ports_object_lookup(struct ports_bucket *bucket, mach_port_t port, struct ports_class *class);

/* The object with the payload that the dispatcher put into the message it hands to a stub; new reference; NULL if not
   of CLASS (any, if NULL).  The payload is the object itself: the dispatcher replaced the kernel's number by it, and
   holds a reference during the call.  */
static inline void *ports_payload_lookup(unsigned long payload, struct ports_class *class)
{
    struct ports_object *object = (struct ports_object *)payload;
    if (object == NULL || (class != NULL && object->class != class))
        return NULL;
    ports_object_ref(object);
    return object;
}

/* Asks that the class's dead_name callback be told, once, when NAME dies; it is told at once if it has already.  Any
   number of objects may ask for the same name; to ask twice for one object is to ask once.  The object keeps a right of
   its own under that name until it is told or has taken the request back (ports_object_cancel_dead, or its end): the
   name might mean another port otherwise.  A callback that has begun is not held up by that.  ENOMEM; EINVAL, or the
   kernel's error: there is no such name.  */
error_t ports_object_notify_dead(void *object, mach_port_t name);
void ports_object_cancel_dead(void *object, mach_port_t name);

/* What rights NAME, a name in our space, stands for (MACH_PORT_TYPE_... bits); 0: for none.  A name that came in a
   message may be of anything, a right of ours included.  */
static inline mach_port_type_t ports_name_type(mach_port_t name)
{
    mach_port_type_t type;
    return mach_port_type(mach_task_self(), name, &type) == 0 ? type : 0;
}

/* ---- requests in progress ----------------------------------------------- */

/* The object whose message this thread is handling, without a reference of its own; NULL outside, or if not of CLASS
   (any, if NULL). For routines that MIG gives a plain port name (fsys_startup): under the library that argument means
   nothing. */
void *ports_self_object(struct ports_class *class);

/* True in a thread that handles an RPC which was interrupted (interrupt_operation), whose client died, or that
   ports_object_interrupt hit: it should give up with EINTR.  Blocking waits in handlers use ports_cond_wait. */
bool ports_self_interrupted(void);

/* True in a thread whose client does not wait for the answer any more, seen at once (the library itself notices within
   a second or so).  For those who are about to take, after a wait, what somebody else could have: a lock, a line that
   was typed.  A call of the kernel. */
bool ports_self_abandoned(void);

/* pthread_cond_wait for handlers: 0, or EINTR as soon as the RPC is interrupted (also while waiting: built on
   pthread_hurd_cond_wait_np and hurd_thread_cancel).  The mutex is held on return either way.  */
error_t ports_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
/* The same until absolute CLOCK_REALTIME time: ETIMEDOUT. */
error_t ports_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);

/* For a handler that is about to block: interrupts it when REPLY (the request's reply port) dies, i.e. when the client
   stops waiting.  The request is taken back by itself when the handler returns.  */
error_t ports_self_watch_reply(mach_port_t reply);

/* Keeps the request that the calling thread handles in LATER, the caller's memory, to be answered when it can be; the
   handler then returns MIG_NO_REPLY. A request that waits so costs no thread, and no change of threads when it is over.
   LATER has a reference to the object and the reply right (later->reply, a send-once right).  Whoever can answer calls
   ports_rpc_take; if that is true the request is his: he sends the answer, gives up the object (later->object), and
   LATER is free.  When the request is interrupted, or its client has died, CANCEL(LATER) is called instead, without
   locks: the request is the callback's in the same way, to be answered with EINTR (the send fails if the client is
   dead). EINTR: it is interrupted already; EOPNOTSUPP: outside of a handler, or a reply port that may be full: nothing
   was kept. */
error_t ports_rpc_defer(struct ports_rpc *later, void (*cancel)(struct ports_rpc *later));
/* False: CANCEL has been called, or is about to be.  Never blocks: locks that CANCEL takes may be held. */
bool ports_rpc_take(struct ports_rpc *later);

/* Interrupts the RPCs being handled for OBJECT, the caller's own excepted.  */
void ports_object_interrupt(void *object);

/* Waits until no RPC is being handled for an object of CLASS (the caller's own excepted) and holds new ones back until
   ports_class_resume. EBUSY if somebody else inhibits it already. Interrupts those in progress if INTERRUPT.  */
error_t ports_class_inhibit(struct ports_class *class, bool interrupt);
void ports_class_resume(struct ports_class *class);
/* Objects of the class alive. */
unsigned int ports_class_count(struct ports_class *class);

/* ---- memory that a client sent ---------------------------------------------- */

/* Copies LENGTH bytes FROM out-of-line memory that a client sent, which may be backed by a memory object of the
   client's or by a file that has become shorter: EFAULT when it could not be touched (part of it may have been copied),
   never an exception.  A memory object that never answers keeps the calling thread.  Routines copy such memory before
   they look at it, since it may change or go at any time. */
error_t ports_copy_guarded(void *to, const void *from, size_t length);

/* The loop does that for every request with out-of-line data (up to 8 MiB; E2BIG), so that routines need not care.
   This says that this program's routine with message id ID does it itself, or hands the memory on unread: for those
   that carry much.  Before serving begins. */
void ports_reads_guarded(mach_msg_id_t id);
/* The routine with message id ID may do less than it was asked (io_write): of bytes that are too many it is given the
   first MiB.  Before serving begins. */
void ports_takes_beginning(mach_msg_id_t id);

/* ---- servers that memory depends on ----------------------------------------------- */

/* This program writes changed pages to the disk, for the root file system or below it: when memory is short, the kernel
   must not let it wait for memory that only its work can free.  HOST, the host's privileged port, is kept, not
   consumed; null: nothing changes.  Before the first loop begins: all threads of loops then have the last pages of
   memory, too (thread_wire), and owe it that they do with little when memory is short.  */
void ports_pageout_server(mach_port_t host);
/* The same for the calling thread, if the program is such a server: for threads that are not a loop's.  */
void ports_pageout_thread(void);
/* The kernel is ours, not GNU Mach: for what the two need treated differently. */
bool ports_kernel_is_ours(void);
/* SIZE bytes of whole pages that lie side by side below LIMIT, by vm_allocate_contiguous with HOST: wired, mapped, not
   cleared; their owner's to deallocate or to give away.  KERN_RESOURCE_SHORTAGE when there are none, or memory is
   short: pages of vm_allocate will do.  */
kern_return_t ports_row_allocate(mach_port_t host, size_t size, uint64_t limit, vm_address_t *address,
                                 uint64_t *physical);

/* How it stands with memory, for such a server that is about to use BYTES of it; in others always enough. */
enum ports_memory {
    MEMORY_ENOUGH,
    MEMORY_SHORT,   /* others wait for it: nothing that could be done without, nothing in advance */
    MEMORY_SCARCE,  /* nearly none */
};
enum ports_memory ports_memory_state(size_t bytes);
/* Waits until it is no worse than WANTED, at most LIMIT_MS milliseconds; false: it is.  */
bool ports_memory_wait(enum ports_memory wanted, unsigned int limit_ms);

/* ---- what is done once in a while ------------------------------------------------- */

/* For a thread that looks after something every MS milliseconds and sleeps while there is nothing: returns MS
   milliseconds from now or, if *AWAKE is 0, from when ports_tick_wake has set it to 1.  Such a thread sets *AWAKE to 0
   when nothing is left, in a way that misses nobody who has just come: under the lock that they enter by, or looking
   once more afterwards.  Every thread may call ports_tick_wake, with locks held: it is a message to the kernel, and
   only if *AWAKE was 0. */
void ports_tick_wait(atomic_uint *awake, unsigned int ms);
void ports_tick_wake(atomic_uint *awake);

/* ---- becoming a process -------------------------------------------------------- */

/* A detached thread that runs MAIN(ARG), with STACK bytes of stack (0: as usual); how servers make threads once they
   serve, as pthread_create must not be called while ports_signals_start runs. ENOMEM, EAGAIN. */
error_t ports_thread_create(size_t stack, void *(*main)(void *), void *arg);

/* _hurd_proc_init(ARGV, ...) of the C library, for a server that already has threads: the library's process port is
   set, and from now on the server has a message port and signals, and a fault in it is its death and not its
   silence. */
void ports_proc_init(char **argv);
/* For those whom the C library asks or waits for when it ends a process, proc, the root file system and what is below
   it: a fault ends the task at once, without its last words. */
void ports_fault_is_death(void);
/* For servers that are processes: from now on others send the messages of msg.defs to a port of this library's, which
   passes on what the C library can bear (sieve.c).  ports_signals_start does it.  Without effect in who is no
   process. */
void ports_sieve_install(void);
/* ports_proc_init with START(ARG), which calls _hurd_proc_init or _hurd_init. */
void ports_signals_start(void (*start)(void *), void *arg);

/* ---- hooks for MIG stubs -------------------------------------------------- */

/* Defines the three functions that MIG's intran, intranpayload and destructor options name, for objects `TYPE *` of
   CLASS: begin_using_NAME(port), begin_using_NAME_payload(payload), end_using_NAME(object).  Stubs hold a reference for
   the time of the call.  (intran borrows the port; MIG's stub still owns the send right that came in a message
   argument.)  */
#define PORTS_MIG_HOOKS(NAME, TYPE, CLASS)                                                       \
    __attribute__((unused)) static inline TYPE *begin_using_##NAME(mach_port_t port)            \
    { return ports_object_lookup(NULL, port, CLASS); }                                           \
    __attribute__((unused)) static inline TYPE *begin_using_##NAME##_payload(unsigned long payload)  \
    { return ports_payload_lookup(payload, CLASS); }                                             \
    __attribute__((unused)) static inline void end_using_##NAME(TYPE *object)                   \
    { if (object) ports_object_deref(object); }

#endif /* PORTS_PORTS_H */
