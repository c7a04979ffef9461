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
/* What may be said besides. */
#define OPTIONS (MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT | MACH_SEND_INTERRUPT | MACH_RCV_INTERRUPT)
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

static inline struct words *kmsg_words(struct kmsg *kmsg)
{
    return (struct words *)&kmsg->header;
}

static inline bool header_read(uint64_t user, struct sent *sent)
{
    return user_lower(user) && user_load32(user, &sent->bits) && user_load32(user + 8, &sent->remote) && user_load32(user + 16, &sent->local) &&
           user_load32(user + 28, &sent->id);
}

static inline bool message_write(uint64_t user, const struct words *words, const struct kmsg *body)
{
    return user_lower(user) && user_store(user, words->bits_size) && user_store(user + 8, words->remote) &&
           user_store(user + 16, words->local) && user_store(user + 24, words->seqno_id) &&
           (body == NULL || user_move((void *)(user + sizeof *words), &body->header + 1, ((words->bits_size >> 32) - sizeof *words) / 8));
}

/* The header of what comes by PORT, by a right of TYPE; REPLY is the name to answer to. */
static inline struct words header_make(struct ipc_port *port, uint32_t type, const struct sent *sent, mach_port_name_t reply, uint32_t reply_type)
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
static inline struct thread *receiver_waiting(const struct thread *sender, struct ipc_port *port, uint32_t size)
{
    const struct wait_queue *receivers = &port_queue(port)->receivers;
    struct thread *thread = list_entry(receivers->threads.next, struct thread, wait_link);
    if (unlikely(list_empty(&receivers->threads) || thread->receive.limit < size || thread->receive_kernel || (thread->attention | sender->attention)))
        return NULL;
    return thread;
}

/* ---- changing over to the receiver --------------------------------------------------------- */

/* Runs as the receiver, on its stack: the message to its user. */
mach_msg_return_t msg_deliver(uint64_t bits_size, uint64_t remote, uint64_t local, uint64_t seqno_id, struct kmsg *body)
{
    struct thread *thread = current_thread();
    thread->task->messages_received++;
    bool good = message_write(thread->receive.user, &(struct words){bits_size, remote, local, seqno_id}, body);
    if (unlikely(body != NULL))
        kmsg_free(body);
    return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

/* RECEIVER waits no more. */
static inline void receiver_take(struct thread *receiver)
{
    struct list *link = &receiver->wait_link;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    receiver->state = THREAD_RUNNING;
    if (unlikely(receiver->receive.option & MACH_RCV_TIMEOUT))
        timer_stop(&receiver->timer);
}

/* THREAD, which runs, waits on QUEUE. */
static inline void receive_wait(struct thread *thread, struct mqueue *queue)
{
    struct list *link = &thread->wait_link, *head = &queue->receivers.threads, *last = head->prev;
    thread->state = THREAD_WAITING;
    thread->interruptible = true;
    thread->wait_queue = &queue->receivers;
    link->prev = last;
    link->next = head;
    last->next = head->prev = link;
    if (unlikely(thread->receive.option & MACH_RCV_TIMEOUT))
        wait_timeout(thread->receive.timeout);
}

/* THREAD, whose wait has begun, leaves the processor to RECEIVER, which gets the message. */
static inline _Noreturn void change_over(struct thread *thread, struct thread *receiver, const struct words *words, struct kmsg *body)
{
    struct cpu *cpu = cpu_self();
    struct trap_frame *frame = thread_frame(receiver);
    uint64_t *stack = (uint64_t *)thread_frame(thread) - 1;
    *stack = (uint64_t)msg_wait_over;
    thread->stack_pointer = (uint64_t)stack;
    sched_thread_switch(cpu, receiver);
    sched_user_state_switch(cpu, thread, receiver);
    register struct kmsg *fifth __asm__("r8") = body;
    __asm__ volatile("mov %[frame], %%rsp\n\tmov %%rsp, %%rbp\n\tcall msg_deliver\n\tjmp syscall_return"
                     : : [frame] "a"(frame), "D"(words->bits_size), "S"(words->remote), "d"(words->local), "c"(words->seqno_id), "r"(fifth)
                     : "memory");
    __builtin_unreachable();
}

/* The queue that the thread receives from, if it will have to wait there; NULL: it will not, or it is an error.  KNOWN may be the entry of
   its name. */
static inline struct mqueue *receive_queue(struct ipc_space *space, const struct receive_call *call, struct ipc_entry *known)
{
    struct ipc_entry *entry = known && known->name == call->name ? known : space_lookup(space, call->name);
    struct mqueue *queue;
    if (unlikely(entry == NULL) || unlikely((call->option & MACH_RCV_TIMEOUT) && call->timeout == 0))
        return NULL;
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
static inline struct thread *request_send(const struct sent *sent, struct ipc_port *port, struct ipc_port *reply, struct words *words)
{
    struct thread *receiver = receiver_waiting(current_thread(), port, sent->size);
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
static inline struct thread *answer_send(struct ipc_space *space, const struct sent *sent, struct words *words)
{
    struct ipc_entry *entry = space_lookup(space, sent->remote);
    if (unlikely(entry == NULL || !(entry->bits & MACH_PORT_TYPE_SEND_ONCE) || sent->local != MACH_PORT_NAME_NULL))
        return NULL;
    struct ipc_port *port = entry->port;
    struct thread *receiver = receiver_waiting(current_thread(), port, sent->size);
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
static inline bool reply_direct(const struct kmsg *reply, const struct ipc_port *port, const struct ipc_space *space, const struct receive_call *call)
{
    return reply && kmsg_remote(reply) == port && !(reply->header.msgh_bits & MACH_MSGH_BITS_COMPLEX) &&
           reply->header.msgh_size <= call->limit && reply->header.msgh_size % 8 == 0 && port->receiver == space &&
           port->receiver_name == call->name && port->pset == NULL && list_empty(&port->queue.messages);
}

/* The request in KMSG (NULL: it is only a header), to the kernel's PORT. */
static mach_msg_return_t kernel_call(struct thread *thread, struct kmsg *kmsg, const struct sent *sent, struct ipc_port *port,
                                     struct ipc_port *reply_port)
{
    struct task *task = thread->task;
    if (kmsg == NULL && (kmsg = kmsg_alloc(sent->size)) == NULL)
        return MACH_SEND_NO_BUFFER;
    port->srights++;
    port->refs++;
    reply_port->sorights++;
    reply_port->refs++;
    *kmsg_words(kmsg) = (struct words){MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND_ONCE) | (uint64_t)sent->size << 32,
                                       (uint64_t)port, (uint64_t)reply_port, (uint64_t)sent->id << 32};
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

/* A buffer with the body of the message at USER; NULL: *MR says why. */
static inline struct kmsg *body_read(struct thread *thread, uint64_t user, uint32_t size, mach_msg_return_t *mr)
{
    struct kmsg *kmsg = thread->cached_kmsg;
    if (likely(size <= KMSG_SMALL && kmsg != NULL))
        thread->cached_kmsg = NULL;
    else
        kmsg = size <= KMSG_SMALL ? kmsg_alloc(size) : kmsg_alloc_large();
    *mr = MACH_SEND_NO_BUFFER;
    if (likely(kmsg != NULL) && unlikely(!user_move(&kmsg->header + 1, (void *)(user + sizeof(struct words)), (size - sizeof(struct words)) / 8))) {
        *mr = MACH_SEND_INVALID_DATA;
        kmsg_free(kmsg);
        return NULL;
    }
    return kmsg;
}

/* The general way, with BODY (NULL: not read yet). */
static mach_msg_return_t send_general(struct thread *thread, const struct sent *sent, struct kmsg *body)
{
    if (body == NULL && (body = kmsg_alloc(sent->size)) == NULL)
        return MACH_SEND_NO_BUFFER;
    *kmsg_words(body) = (struct words){sent->bits | (uint64_t)sent->size << 32, sent->remote, sent->local, (uint64_t)sent->id << 32};
    return msg_send_general(kmsg_fit(body), &thread->receive);
}

/* mach_msg_trap (mach/message.h; the seventh argument, `notify`, is on the user's stack and only read when asked for). */
mach_msg_return_t trap_mach_msg(uint64_t user, mach_msg_option_t option, mach_msg_size_t send_size, mach_msg_size_t receive_size,
                                mach_port_name_t receive_name, mach_msg_timeout_t timeout)
{
    struct thread *thread = current_thread();
    struct thread *receiver = NULL;
    struct kmsg *body = NULL;
    struct words words;
    struct sent sent = {.size = send_size};

    thread->receive = (struct receive_call){user, option, receive_size, receive_name, timeout};
    if (unlikely((option & ~OPTIONS) != CALL || send_size - sizeof words > KMSG_LARGE - sizeof words || send_size % 8))
        return msg_general(&thread->receive, send_size);
    if (unlikely(!header_read(user, &sent)))
        return MACH_SEND_INVALID_DATA;
    mach_msg_return_t mr;
    if (send_size > sizeof words && unlikely((body = body_read(thread, user, send_size, &mr)) == NULL))
        return mr;
    struct ipc_space *space = thread->task->space;
    struct mqueue *queue = NULL;
    if (sent.bits == REQUEST_BITS) {
        struct ipc_entry *to = space_lookup(space, sent.remote), *from = space_lookup(space, sent.local);
        if (likely(to && from && (to->bits & MACH_PORT_TYPE_SEND) && (from->bits & MACH_PORT_TYPE_RECEIVE))) {
            if (to->port->receiver == ipc_space_kernel)
                return kernel_call(thread, body, &sent, to->port, from->port);
            if (likely((queue = receive_queue(space, &thread->receive, from)) != NULL))
                receiver = request_send(&sent, to->port, from->port, &words);
        }
    } else if (sent.bits == ANSWER_BITS && likely((queue = receive_queue(space, &thread->receive, NULL)) != NULL)) {
        receiver = answer_send(space, &sent, &words);
    }
    if (unlikely(receiver == NULL))
        return send_general(thread, &sent, body);
    thread->task->messages_sent++;
    receiver_take(receiver);
    receive_wait(thread, queue);
    change_over(thread, receiver, &words, body);
}
