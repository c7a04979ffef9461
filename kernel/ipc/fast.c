/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mach_msg, the short way: a remote procedure call whose partner waits, or whose server is the kernel.

   Two messages make a call, and each is sent by a trap that also receives (MACH_SEND_MSG | MACH_RCV_MSG):

       request   to a send right (copied), with a send-once right made of a receive right to answer to
       answer    to a send-once right (moved), with no right to answer to

   For these, if small and without rights or memory in their bodies, and if a thread waits in a receive for them, the sender does all: it
   reads the message into a buffer, finds the rights, gives the receiver's space its names, and goes to wait in its own receive with the
   processor given to the receiver, which only has the message to write to its user's memory.  The message's rights are never counted: what
   one space gives up and the other gains is one step.  A request to the kernel is carried out here, and its answer is read from the
   buffer that MIG's stub wrote it to.

   Whatever else there is goes the general way (msg.c); the conditions are all checked before anything changes.  After the message has
   been read nothing blocks until the receiver runs, so what was found stays true. */

#include "../arch/x86_64/traps.h"
#include "../arch/x86_64/user.h"
#include "msg.h"

#define CALL (MACH_SEND_MSG | MACH_RCV_MSG)
/* What may be said besides. */
#define OPTIONS (MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT | MACH_SEND_INTERRUPT | MACH_RCV_INTERRUPT)
#define REQUEST_BITS MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE)
#define ANSWER_BITS MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0)

/* A message's header as four words. */
struct words {
    uint64_t bits_size, remote, local, seqno_id;
};
_Static_assert(sizeof(struct words) == sizeof(mach_msg_header_t), "mach/message.h");

static inline struct words *kmsg_words(struct kmsg *kmsg)
{
    return (struct words *)&kmsg->header;
}

/* The body comes into KMSG, the header into WORDS. */
static inline bool message_read(uint64_t user, uint32_t size, struct words *words, struct kmsg *kmsg)
{
    return user_load(user, &words->bits_size) && user_load(user + 8, &words->remote) && user_load(user + 16, &words->local) &&
           user_load(user + 24, &words->seqno_id) &&
           (size == sizeof *words || user_move(kmsg_words(kmsg) + 1, (void *)(user + sizeof *words), (size - sizeof *words) / 8));
}

static inline bool message_write(uint64_t user, struct kmsg *kmsg)
{
    const struct words *words = kmsg_words(kmsg);
    uint32_t size = kmsg->header.msgh_size;
    return user <= USER_LIMIT - size && user_store(user, words->bits_size) && user_store(user + 8, words->remote) && user_store(user + 16, words->local) &&
           user_store(user + 24, words->seqno_id) &&
           (size == sizeof *words || user_move((void *)(user + sizeof *words), words + 1, (size - sizeof *words) / 8));
}

/* The header as the receiver by PORT will see it: TYPE is that of the right it came by, REPLY the name to answer to. */
static inline void header_finish(struct kmsg *kmsg, const struct words *words, uint32_t size, struct ipc_port *port,
                                 mach_msg_type_name_t type, mach_port_name_t reply, mach_msg_type_name_t reply_type)
{
    struct words *out = kmsg_words(kmsg);
    out->remote = reply;
    out->local = port->receiver_name;
    if (unlikely(port->has_payload)) {
        out->local = port->payload;
        type = MACH_MSG_TYPE_PROTECTED_PAYLOAD;
    }
    out->bits_size = MACH_MSGH_BITS(reply_type, type) | (uint64_t)size << 32;
    out->seqno_id = port->seqno++ | (words->seqno_id >> 32) << 32;
}

/* The thread that waits for a message of SIZE bytes by PORT; NULL: none, or not one for the short way. */
static inline struct thread *receiver_waiting(struct ipc_port *port, uint32_t size)
{
    const struct wait_queue *receivers = &port_queue(port)->receivers;
    struct thread *thread = list_entry(receivers->threads.next, struct thread, wait_link);
    if (unlikely(list_empty(&receivers->threads) || thread->receive_limit < size || thread->task->space != port->receiver))
        return NULL;
    return thread;
}

static inline struct thread *hand_over(struct thread *receiver, struct kmsg *kmsg)
{
    receiver->kmsg = kmsg;
    receiver->receive_named = true;
    thread_wake_direct(receiver, WAIT_AWAKENED);
    return receiver;
}

/* The receiver has been given the request; NULL: it takes the general way. */
static inline struct thread *request_send(struct kmsg *kmsg, const struct words *words, uint32_t size, struct ipc_port *port, struct ipc_port *reply)
{
    struct thread *receiver = receiver_waiting(port, size);
    struct ipc_entry *entry = likely(receiver != NULL) ? space_entry_reuse(port->receiver) : NULL;
    if (unlikely(entry == NULL))
        return NULL;
    entry->port = reply;
    entry->bits = MACH_PORT_TYPE_SEND_ONCE | 1;
    reply->sorights++;
    reply->refs++;
    header_finish(kmsg, words, size, port, MACH_MSG_TYPE_PORT_SEND, entry->name, MACH_MSG_TYPE_PORT_SEND_ONCE);
    return hand_over(receiver, kmsg);
}

static inline struct thread *answer_send(struct ipc_space *space, struct kmsg *kmsg, const struct words *words, uint32_t size)
{
    struct ipc_entry *entry = space_lookup(space, (mach_port_name_t)words->remote);
    if (unlikely(entry == NULL || !(entry->bits & MACH_PORT_TYPE_SEND_ONCE) || (mach_port_name_t)words->local != MACH_PORT_NAME_NULL))
        return NULL;
    struct ipc_port *port = entry->port;
    struct thread *receiver = receiver_waiting(port, size);
    if (unlikely(receiver == NULL || entry->request || entry->name >= space->limit))
        return NULL;
    space_entry_free_dense(space, entry);
    port->sorights--;
    port->refs--; /* not the last: there is the receive right's */
    header_finish(kmsg, words, size, port, MACH_MSG_TYPE_PORT_SEND_ONCE, MACH_PORT_NAME_NULL, 0);
    return hand_over(receiver, kmsg);
}

/* The received message, which has names already, to the user. */
static inline mach_msg_return_t receive_end(struct thread *thread, struct kmsg *kmsg, uint64_t user)
{
    thread->task->messages_received++;
    bool good = message_write(user, kmsg);
    if (likely(kmsg->capacity == KMSG_SMALL && thread->cached_kmsg == NULL))
        thread->cached_kmsg = kmsg;
    else
        kmsg_free(kmsg);
    return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

/* Waits for a message; meanwhile NEXT runs. */
static inline mach_msg_return_t receive_after(struct thread *thread, struct ipc_space *space, const struct receive_call *call, struct thread *next)
{
    struct source source;
    if (unlikely(source_find(space, call->name, &source) || !list_empty(&source.queue->messages) ||
                 ((call->option & MACH_RCV_TIMEOUT) && call->timeout == 0)))
        return msg_receive_general(call, next);
    thread->kmsg = NULL;
    thread->receive_named = thread->receive_keep = false;
    thread->receive_limit = call->limit;
    thread->receive_error = MACH_MSG_SUCCESS;
    source_ref(&source);
    wait_begin(&source.queue->receivers, true);
    if (unlikely(call->option & MACH_RCV_TIMEOUT))
        wait_timeout(call->timeout);
    enum wait_result result = thread_block_to(next);
    if (unlikely(thread->kmsg == NULL || !thread->receive_named))
        return msg_receive_woken(call, &source, result);
    source_deref(&source);
    return receive_end(thread, thread->kmsg, call->user);
}

/* Is REPLY, the kernel's to the request that said REPLY_NAME, what the caller receives, and simple? */
static inline bool reply_direct(const struct kmsg *reply, const struct ipc_port *port, const struct ipc_space *space, const struct receive_call *call)
{
    return reply && kmsg_remote(reply) == port && !(reply->header.msgh_bits & MACH_MSGH_BITS_COMPLEX) &&
           reply->header.msgh_size <= min(call->limit, KMSG_LARGE) && reply->header.msgh_size % 8 == 0 && port->receiver == space &&
           port->receiver_name == call->name && port->pset == NULL && list_empty(&port->queue.messages);
}

static mach_msg_return_t kernel_call(struct thread *thread, struct kmsg *kmsg, const struct words *words, uint32_t size, struct ipc_port *port,
                                     struct ipc_port *reply_port, const struct receive_call *call)
{
    struct task *task = thread->task;
    struct words *in = kmsg_words(kmsg);
    port->srights++;
    port->refs++;
    reply_port->sorights++;
    reply_port->refs++;
    *in = (struct words){MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND_ONCE) | (uint64_t)size << 32, (uint64_t)port,
                         (uint64_t)reply_port, words->seqno_id};
    task->messages_sent++;
    struct kmsg *reply = kobject_server(kmsg);
    if (unlikely(!reply_direct(reply, reply_port, task->space, call)))
        return msg_receive_reply(call, reply);
    struct words *out = kmsg_words(reply);
    header_finish(reply, out, reply->header.msgh_size, reply_port, MACH_MSG_TYPE_PORT_SEND_ONCE, MACH_PORT_NAME_NULL, 0);
    reply_port->sorights--;
    reply_port->refs--;
    task->messages_received++;
    bool good = message_write(call->user, reply);
    kmsg_free(reply);
    return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

/* mach_msg_trap (mach/message.h; the seventh argument, `notify`, is on the user's stack and only read when asked for). */
mach_msg_return_t trap_mach_msg(uint64_t user, mach_msg_option_t option, mach_msg_size_t send_size, mach_msg_size_t receive_size,
                                mach_port_name_t receive_name, mach_msg_timeout_t timeout)
{
    const struct receive_call call = {user, option, receive_size, receive_name, timeout};
    struct thread *thread = current_thread();
    struct words words;

    if (unlikely((option & ~OPTIONS) != CALL || send_size - sizeof words > KMSG_LARGE - sizeof words || send_size % 8 ||
                 user > USER_LIMIT - send_size))
        return msg_general(&call, send_size);
    struct kmsg *kmsg = thread->cached_kmsg;
    if (likely(send_size <= KMSG_SMALL && kmsg != NULL))
        thread->cached_kmsg = NULL;
    else if ((kmsg = send_size <= KMSG_SMALL ? kmsg_alloc(send_size) : kmsg_alloc_large()) == NULL)
        return MACH_SEND_NO_BUFFER;
    if (unlikely(!message_read(user, send_size, &words, kmsg))) {
        kmsg_free(kmsg);
        return MACH_SEND_INVALID_DATA;
    }
    struct ipc_space *space = thread->task->space;
    struct thread *receiver = NULL;
    if ((uint32_t)words.bits_size == REQUEST_BITS) {
        struct ipc_entry *to = space_lookup(space, (mach_port_name_t)words.remote), *from = space_lookup(space, (mach_port_name_t)words.local);
        if (likely(to && from && (to->bits & MACH_PORT_TYPE_SEND) && (from->bits & MACH_PORT_TYPE_RECEIVE))) {
            if (to->port->receiver == ipc_space_kernel)
                return kernel_call(thread, kmsg, &words, send_size, to->port, from->port, &call);
            receiver = request_send(kmsg, &words, send_size, to->port, from->port);
        }
    } else if ((uint32_t)words.bits_size == ANSWER_BITS) {
        receiver = answer_send(space, kmsg, &words, send_size);
    }
    if (unlikely(receiver == NULL)) {
        words.bits_size = (uint32_t)words.bits_size | (uint64_t)send_size << 32;
        *kmsg_words(kmsg) = words;
        return msg_send_general(kmsg_fit(kmsg), &call);
    }
    thread->task->messages_sent++;
    return receive_after(thread, space, &call, receiver);
}
