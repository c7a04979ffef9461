/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mach_msg, the short way: a remote procedure call whose partner waits, or whose server is the kernel.

   Two messages make a call, and each is sent by a trap that also receives (MACH_SEND_MSG | MACH_RCV_MSG):

       request   to a send right (copied), with a send-once right made of a receive right to answer to
       answer    to a send-once right (moved), with no right to answer to

   For these, without rights or memory in their bodies, and if a thread waits in a receive for them, the sender does all.  It reads the
   header into registers and the body (if any) into a buffer, finds the rights, gives the receiver's space its names, and puts itself on the
   queue of its own receive.  Then it becomes the receiver: address space, registers and stack are the receiver's, and the message goes on
   from the registers to the receiver's user memory (msg_deliver).  What one space gives up and the other gains is one step: the
   message's rights are never counted.  A thread that waits here has nothing on its stack but the frame of its trap; whoever else wakes it
   lets it begin at msg_wait_over (entry.S).

   A request to the kernel is carried out here, and its answer is read from the buffer that MIG's stub wrote it to.

   Whatever else there is goes the general way (msg.c).  The conditions are checked before anything changes, and after the message has been
   read nothing blocks until the receiver runs, so what was found stays true. */

#include "../arch/x86_64/traps.h"
#include "../arch/x86_64/user.h"
#include "../task/switch.h"
#include "msg.h"

#define CALL (MACH_SEND_MSG | MACH_RCV_MSG)
/* What may be said besides, without and with times. */
#define OPTIONS (MACH_SEND_INTERRUPT | MACH_RCV_INTERRUPT)
#define TIMED_OPTIONS (OPTIONS | MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT)
#define INLINE inline __attribute__((always_inline))
/* A function that is rarely called: whoever calls it keeps its registers. */
#define RARE __attribute__((noinline, no_caller_saved_registers))
#define REQUEST_BITS MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE)
#define ANSWER_BITS MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0)

/* What counts of the header that a user sends. */
struct sent {
    uint32_t bits, size, remote, local, id;
};

/* A message's header as four words: as its receiver will see it. */
struct words {
    uint64_t bits_size, remote, local, seqno_id;
};
_Static_assert(sizeof(struct words) == sizeof(mach_msg_header_t), "mach/message.h");

static INLINE struct words *kmsg_words(struct kmsg *kmsg)
{
    return (struct words *)&kmsg->header;
}

static INLINE bool header_read(uint64_t user, struct sent *sent)
{
    return user_lower(user) && user_load32(user, &sent->bits) && user_load32(user + 8, &sent->remote) && user_load32(user + 16, &sent->local) &&
           user_load32(user + 28, &sent->id);
}

static INLINE bool message_write(uint64_t user, const struct words *words, const struct kmsg *body)
{
    return user_lower(user) && user_store(user, words->bits_size) && user_store(user + 8, words->remote) &&
           user_store(user + 16, words->local) && user_store(user + 24, words->seqno_id) &&
           (body == NULL || user_move((void *)(user + sizeof *words), &body->header + 1, ((words->bits_size >> 32) - sizeof *words) / 8));
}

/* The header of what comes by PORT, by a right of TYPE; REPLY is the name to answer to. */
static INLINE struct words header_make(struct ipc_port *port, uint32_t type, const struct sent *sent, mach_port_name_t reply, uint32_t reply_type)
{
    struct words words = {.remote = reply, .local = port->receiver_name, .seqno_id = port->seqno++ | (uint64_t)sent->id << 32};
    if (unlikely(port->has_payload)) {
        words.local = port->payload;
        type = MACH_MSG_TYPE_PROTECTED_PAYLOAD;
    }
    words.bits_size = MACH_MSGH_BITS(reply_type, type) | (uint64_t)sent->size << 32;
    return words;
}

/* The thread that waits for a message of SIZE bytes by PORT; NULL: none, or not one for the short way. */
static INLINE struct thread *receiver_waiting(struct ipc_port *port, uint32_t size)
{
    const struct wait_queue *receivers = &port_queue(port)->receivers;
    struct thread *thread = list_entry(receivers->threads.next, struct thread, wait_link);
    if (unlikely(list_empty(&receivers->threads) || thread->receive.limit < size || thread->attention))
        return NULL;
    return thread;
}

/* ---- changing over to the receiver --------------------------------------------------------- */

static __attribute__((noinline)) mach_msg_return_t deliver_body(uint64_t user, uint64_t bits_size, uint64_t remote, uint64_t local, uint64_t seqno_id,
                                                               struct kmsg *body)
{
    bool good = message_write(user, &(struct words){bits_size, remote, local, seqno_id}, body);
    kmsg_free(body);
    return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

/* Runs as the receiver, on its stack: the message to its user. */
mach_msg_return_t msg_deliver(uint64_t bits_size, uint64_t remote, uint64_t local, uint64_t seqno_id, struct kmsg *body)
{
    struct thread *thread = current_thread();
    thread->task->messages_received++;
    if (body)
        return deliver_body(thread->receive.user, bits_size, remote, local, seqno_id, body);
    bool good = message_write(thread->receive.user, &(struct words){bits_size, remote, local, seqno_id}, NULL);
    return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

static RARE void timer_stop_rarely(struct thread *receiver)
{
    timer_stop(&receiver->timer);
}

static RARE void timer_start_rarely(struct thread *thread)
{
    wait_timeout(thread->receive.timeout);
}

/* RECEIVER waits no more. */
static INLINE void receiver_take(struct thread *receiver)
{
    struct list *next = receiver->wait_link.next, *previous = receiver->wait_link.prev;
    previous->next = next;
    next->prev = previous;
    receiver->state = THREAD_RUNNING;
    if (unlikely(receiver->receive.option & MACH_RCV_TIMEOUT))
        timer_stop_rarely(receiver);
}

/* THREAD, which runs, waits on QUEUE. */
static INLINE void receive_wait(struct thread *thread, struct mqueue *queue)
{
    struct list *link = &thread->wait_link, *head = &queue->receivers.threads, *last = head->prev;
    thread->state = THREAD_WAITING;
    thread->interruptible = true;
    thread->wait_queue = &queue->receivers;
    link->prev = last;
    link->next = head;
    last->next = head->prev = link;
    if (unlikely(thread->receive.option & MACH_RCV_TIMEOUT))
        timer_start_rarely(thread);
}

/* THREAD, whose wait has begun, leaves the processor to RECEIVER, which gets the message. */
static INLINE _Noreturn void change_over(struct thread *thread, struct thread *receiver, const struct words *words, struct kmsg *body)
{
    struct cpu *cpu = cpu_self();
    struct trap_frame *frame = sched_thread_switch(cpu, receiver);
    receiver->quantum = thread->quantum; /* a row of calls lasts one time slice */
    uint64_t *stack = (uint64_t *)thread->frame - 1;
    *stack = (uint64_t)msg_wait_over;
    thread->stack_pointer = (uint64_t)stack;
    sched_user_state_switch(cpu, thread, receiver);
    register struct kmsg *fifth __asm__("r8") = body;
    __asm__ volatile("mov %[frame], %%rsp\n\tmov %%rsp, %%rbp\n\tcall msg_deliver\n\tjmp syscall_return"
                     : : [frame] "a"(frame), "D"(words->bits_size), "S"(words->remote), "d"(words->local), "c"(words->seqno_id), "r"(fifth)
                     : "memory");
    __builtin_unreachable();
}

/* The queue that the thread receives from, if it will have to wait there; NULL: it will not, or it is an error.  KNOWN may be the entry of
   its name. */
static INLINE struct mqueue *receive_queue(struct ipc_space *space, mach_port_name_t name, struct ipc_entry *known)
{
    struct ipc_entry *entry = known && likely(known->name == name) ? known : space_entry_of(space, name);
    struct mqueue *queue;
    if ((entry->bits & MACH_PORT_TYPE_RECEIVE) && likely(entry->port->pset == NULL))
        queue = &entry->port->queue;
    else if (likely(entry->bits & MACH_PORT_TYPE_PORT_SET))
        queue = &entry->pset->queue;
    else
        return NULL;
    return likely(list_empty(&queue->messages)) ? queue : NULL;
}

/* ---- the two kinds of message ----------------------------------------------------------------- */

/* The thread that gets the request, with WORDS; NULL: the request takes the general way. */
static INLINE struct thread *request_send(const struct sent *sent, struct ipc_port *port, struct ipc_port *reply, struct words *words)
{
    struct thread *receiver = receiver_waiting(port, sent->size);
    struct ipc_entry *entry = likely(receiver != NULL) ? space_entry_reuse(port->receiver) : NULL;
    if (unlikely(entry == NULL))
        return NULL;
    entry->port = reply;
    entry->bits = MACH_PORT_TYPE_SEND_ONCE | 1;
    reply->sorights++;
    reply->refs++;
    *words = header_make(port, MACH_MSG_TYPE_PORT_SEND, sent, entry->name, MACH_MSG_TYPE_PORT_SEND_ONCE);
    return receiver;
}

/* The same of an answer. */
static INLINE struct thread *answer_send(struct ipc_space *space, const struct sent *sent, struct words *words)
{
    struct ipc_entry *entry = space_entry_of(space, sent->remote);
    if (unlikely(!(entry->bits & MACH_PORT_TYPE_SEND_ONCE) || sent->local != MACH_PORT_NAME_NULL))
        return NULL;
    struct ipc_port *port = entry->port;
    struct thread *receiver = receiver_waiting(port, sent->size);
    if (unlikely(receiver == NULL || entry->request || entry->name >= space->limit))
        return NULL;
    space_entry_free_dense(space, entry);
    port->sorights--;
    port->refs--; /* not the last: there is the receive right's */
    *words = header_make(port, MACH_MSG_TYPE_PORT_SEND_ONCE, sent, MACH_PORT_NAME_NULL, 0);
    return receiver;
}

/* ---- the kernel's objects ----------------------------------------------------------------------- */

/* Is REPLY, the kernel's to a request with PORT to answer to, what the caller receives, and simple? */
static INLINE bool reply_direct(const struct kmsg *reply, const struct ipc_port *port, const struct ipc_space *space, const struct receive_call *call)
{
    return reply && kmsg_remote(reply) == port && !(reply->header.msgh_bits & MACH_MSGH_BITS_COMPLEX) &&
           reply->header.msgh_size <= call->limit && reply->header.msgh_size % 8 == 0 && port->receiver == space &&
           port->receiver_name == call->name && port->pset == NULL && list_empty(&port->queue.messages);
}

/* The request in KMSG (NULL: it is only a header), to the kernel's PORT. */
static mach_msg_return_t kernel_call(struct thread *thread, struct kmsg *kmsg, struct ipc_port *port, struct ipc_port *reply_port,
                                     uint32_t size, uint32_t id)
{
    struct task *task = thread->task;
    if (kmsg == NULL && (kmsg = kmsg_alloc(size)) == NULL)
        return MACH_SEND_NO_BUFFER;
    port->srights++;
    port->refs++;
    reply_port->sorights++;
    reply_port->refs++;
    *kmsg_words(kmsg) = (struct words){MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND_ONCE) | (uint64_t)size << 32,
                                       (uint64_t)port, (uint64_t)reply_port, (uint64_t)id << 32};
    task->messages_sent++;
    struct kmsg *reply = kobject_server(kmsg);
    if (unlikely(!reply_direct(reply, reply_port, task->space, &thread->receive)))
        return msg_receive_reply(&thread->receive, reply);
    const struct sent answer = {.size = reply->header.msgh_size, .id = (uint32_t)reply->header.msgh_id};
    struct words words = header_make(reply_port, MACH_MSG_TYPE_PORT_SEND_ONCE, &answer, MACH_PORT_NAME_NULL, 0);
    reply_port->sorights--;
    reply_port->refs--;
    task->messages_received++;
    bool good = message_write(thread->receive.user, &words, reply);
    kmsg_free(reply);
    return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

/* ---- the trap ------------------------------------------------------------------------------------- */

/* The general way. */
static __attribute__((noinline)) mach_msg_return_t send_general(struct kmsg *body, uint64_t bits_size, uint32_t remote, uint32_t local, uint32_t id)
{
    if (body == NULL && (body = kmsg_alloc(bits_size >> 32)) == NULL)
        return MACH_SEND_NO_BUFFER;
    *kmsg_words(body) = (struct words){bits_size, remote, local, (uint64_t)id << 32};
    return msg_send_general(kmsg_fit(body), &current_thread()->receive);
}

static __attribute__((noinline)) mach_msg_return_t read_failed(struct kmsg *body)
{
    if (body)
        kmsg_free(body);
    return MACH_SEND_INVALID_DATA;
}

/* A message of SIZE bytes, with the buffer BODY for what is behind the header (NULL: nothing is).  All that is not the short way
   ends with a call, so that what is on it stays in registers. */
static INLINE mach_msg_return_t call(struct thread *thread, uint64_t user, uint32_t size, mach_port_name_t receive_name,
                                                                    struct kmsg *body)
{
    struct ipc_space *space = thread->task->space;
    struct thread *receiver;
    struct mqueue *queue;
    struct words words;
    struct sent sent = {.size = size};

    if (unlikely(!header_read(user, &sent)))
        return read_failed(body);
    if (body && unlikely(!user_move(&body->header + 1, (void *)(user + sizeof words), (size - sizeof words) / 8)))
        return read_failed(body);
    if (unlikely(thread->attention))
        return send_general(body, sent.bits | (uint64_t)size << 32, sent.remote, sent.local, sent.id);
    if (sent.bits == REQUEST_BITS) {
        struct ipc_entry *to = space_entry_of(space, sent.remote), *from = space_entry_of(space, sent.local);
        if (unlikely(!(to->bits & MACH_PORT_TYPE_SEND) || !(from->bits & MACH_PORT_TYPE_RECEIVE)))
            return send_general(body, sent.bits | (uint64_t)size << 32, sent.remote, sent.local, sent.id);
        if (to->port->receiver == ipc_space_kernel)
            return kernel_call(thread, body, to->port, from->port, size, sent.id);
        queue = receive_queue(space, receive_name, from);
        receiver = likely(queue != NULL) ? request_send(&sent, to->port, from->port, &words) : NULL;
    } else if (sent.bits == ANSWER_BITS) {
        queue = receive_queue(space, receive_name, NULL);
        receiver = likely(queue != NULL) ? answer_send(space, &sent, &words) : NULL;
    } else {
        receiver = NULL;
    }
    if (unlikely(receiver == NULL))
        return send_general(body, sent.bits | (uint64_t)size << 32, sent.remote, sent.local, sent.id);
    thread->task->messages_sent++;
    receiver_take(receiver);
    receive_wait(thread, queue);
    change_over(thread, receiver, &words, body);
}

/* A message that no buffer is ready for. */
static __attribute__((noinline)) mach_msg_return_t call_large(struct thread *thread, uint64_t user, uint32_t size, mach_port_name_t receive_name)
{
    struct kmsg *body = size <= KMSG_SMALL ? kmsg_alloc(size) : kmsg_alloc_large();
    return likely(body != NULL) ? call(thread, user, size, receive_name, body) : MACH_SEND_NO_BUFFER;
}

/* mach_msg_trap (mach/message.h; the seventh argument, `notify`, is on the user's stack and only read when asked for). */
mach_msg_return_t trap_mach_msg(uint64_t user, mach_msg_option_t option, mach_msg_size_t send_size, mach_msg_size_t receive_size,
                                mach_port_name_t receive_name, mach_msg_timeout_t timeout)
{
    struct thread *thread = current_thread();
    thread->receive.user = user;
    thread->receive.option = option;
    thread->receive.limit = receive_size;
    thread->receive.name = receive_name;
    if (unlikely((option & ~OPTIONS) != CALL)) {
        thread->receive.timeout = timeout;
        if ((option & ~TIMED_OPTIONS) != CALL || timeout == 0)
            return msg_general(&thread->receive, send_size);
    }
    if (send_size == sizeof(struct words))
        return call(thread, user, sizeof(struct words), receive_name, NULL);
    if (unlikely(send_size < sizeof(struct words) || send_size > KMSG_LARGE || send_size % 8))
        return msg_general(&thread->receive, send_size);
    struct kmsg *kmsg = thread->cached_kmsg;
    if (unlikely(send_size > KMSG_SMALL || kmsg == NULL))
        return call_large(thread, user, send_size, receive_name);
    thread->cached_kmsg = NULL;
    return call(thread, user, send_size, receive_name, kmsg);
}
