/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mach_msg, the short way: a remote procedure call whose partner waits, or whose server is the kernel.

   Two messages make a call, and each is sent by a trap that also receives (MACH_SEND_MSG | MACH_RCV_MSG):

       request   to a send right (copied), with a send-once right made of a receive right to answer to
       answer    to a send-once right (moved), with no right to answer to

   For these, without rights or memory in their bodies, and if a thread waits in a receive for them, the sender does
   all.  It reads the header into registers and the body (if any) into a buffer, finds the rights, gives the receiver's
   space its names, and puts itself on the queue of its own receive.  Then it becomes the receiver: address space,
   registers and stack are the receiver's, and the message goes on from the registers to the receiver's user memory
   (msg_deliver).  What one space gives up and the other gains is one step: the message's rights are never counted.  A
   thread that waits here has nothing on its stack but the frame of its trap; whoever else wakes it lets it begin at
   msg_wait_over (entry.S).  A message that was copied in by the general way changes threads here too (msg_hand_over).

   A request to the kernel is read onto the stack and carried out here (kernel_call), and its answer is written to the
   user from the buffer that MIG's stub made it in.

   Whatever else there is goes the general way (msg.c), which begins anew.  The conditions are checked before anything
   changes, and after the header has been read nothing blocks until the receiver runs (user_move_now), so what was found
   stays true. */

#include "../arch/x86_64/traps.h"
#include "../arch/x86_64/user.h"
#include "../task/switch.h"
#include "kobject.h"
#include "msg.h"

#define CALL (MACH_SEND_MSG | MACH_RCV_MSG)
/* What may be said besides, without and with times. */
#define OPTIONS (MACH_SEND_INTERRUPT | MACH_RCV_INTERRUPT)
#define TIMED_OPTIONS (OPTIONS | MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT)
/* A function of one argument that is rarely called, and how: whoever calls it keeps all registers. */
#define RARE __attribute__((used, noinline, no_caller_saved_registers))
#define CALL_RARELY(function, argument) __asm__ volatile("call %c0" : : "i"(function), "D"(argument) : "memory", "cc")
#define REQUEST_BITS MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE)
#define ANSWER_BITS MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0)

/* What counts of the header that a user sends. */
struct sent {
    uint32_t bits, size, remote, local, id;
};

/* Words of eight bytes behind the header in buffers of either size. */
#define SMALL_WORDS ((KMSG_SMALL - (uint32_t)sizeof(mach_msg_header_t)) / 8)
#define LARGE_WORDS ((KMSG_LARGE - (uint32_t)sizeof(mach_msg_header_t)) / 8)

/* A message's header as four words: as its receiver will see it. */
struct words {
    uint64_t bits_size, remote, local, seqno_id;
};
_Static_assert(sizeof(struct words) == sizeof(mach_msg_header_t), "mach/message.h");

static INLINE bool header_read(uint64_t user, struct sent *sent)
{
    return user_lower(user) && user_load32(user, &sent->bits) && user_load32(user + 8, &sent->remote) &&
           user_load32(user + 16, &sent->local) && user_load32(user + 28, &sent->id);
}

static INLINE bool header_write(uint64_t user, const struct words *words)
{
    return user_store(user, words->bits_size) && user_store(user + 8, words->remote) &&
           user_store(user + 16, words->local) && user_store(user + 24, words->seqno_id);
}

/* COUNT words of eight bytes behind the header. */
static INLINE bool body_write(uint64_t user, const struct kmsg *body, uint64_t count)
{
    return user_move((void *)(user + sizeof(struct words)), &body->header + 1, count);
}

/* How a message says by which port it came: its name and the right's type, or its payload. */
struct mark {
    uint64_t local;
    uint32_t type;
};

static INLINE struct mark mark_payload(const struct ipc_port *port)
{
    return (struct mark){port->payload, MACH_MSG_TYPE_PROTECTED_PAYLOAD};
}

/* The header of what comes by PORT, with MARK; REPLY is the name to answer to. */
static INLINE struct words header_make(struct ipc_port *port, struct mark mark, const struct sent *sent,
                                       mach_port_name_t reply, uint32_t reply_type)
{
    return (struct words){.bits_size = MACH_MSGH_BITS(reply_type, mark.type) | (uint64_t)sent->size << 32,
                          .remote = reply,
                          .local = mark.local,
                          .seqno_id = port->seqno++ | (uint64_t)sent->id << 32};
}

/* ---- changing over to the receiver --------------------------------------------------------- */

/* Runs as the receiver, on its stack: the message to its user. */
mach_msg_return_t msg_deliver(uint64_t bits_size, uint64_t remote, uint64_t local, uint64_t seqno_id, struct kmsg *body)
{
    struct thread *thread = current_thread();
    uint64_t user = thread->receive.user;
    thread->task->messages_received++;
    bool good = user_lower(user) && header_write(user, &(struct words){bits_size, remote, local, seqno_id});
    if (body == NULL)
        return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
    good = good && body_write(user, body, ((bits_size >> 32) - sizeof(struct words)) / 8);
    kmsg_free(body);
    return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

static RARE void timer_stop_rarely(struct timer *timer)
{
    timer_stop(timer);
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
        CALL_RARELY(timer_stop_rarely, &receiver->timer);
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
        CALL_RARELY(timer_start_rarely, thread);
}

/* THREAD, whose wait has begun, leaves the processor to RECEIVER, which goes on in DELIVER with the message. */
static INLINE _Noreturn void change_over(struct thread *thread, struct thread *receiver, const struct words *words,
                                         struct kmsg *body, void *deliver)
{
    struct cpu *cpu = cpu_self();
    struct trap_frame *frame = sched_thread_switch(cpu, receiver);
    receiver->quantum = thread->quantum; /* a row of calls lasts one time slice */
    uint64_t *stack = (uint64_t *)thread->frame - 1;
    *stack = (uint64_t)msg_wait_over;
    thread->stack_pointer = (uint64_t)stack;
    sched_user_state_switch(cpu, thread, receiver);
    register struct kmsg *fifth __asm__("r8") = body;
    __asm__ volatile("mov %[frame], %%rsp\n\tmov %%rsp, %%rbp\n\tcall %c[deliver]\n\tjmp syscall_return"
                     :
                     : [frame] "a"(frame), "D"(words->bits_size), "S"(words->remote), "d"(words->local),
                       "c"(words->seqno_id), "r"(fifth), [deliver] "i"(deliver)
                     : "memory");
    __builtin_unreachable();
}

void msg_hand_over(struct thread *thread, struct thread *receiver, struct mqueue *queue)
{
    receiver_take(receiver);
    receive_wait(thread, queue);
    change_over(thread, receiver, &(struct words){0}, NULL, msg_receive_handed);
}

/* ---- the two kinds of message ----------------------------------------------------------------- */

/* The request in SENT, to PORT with REPLY to answer to, becomes what the receiver gets; its space has a free name. */
static INLINE struct words request_move(const struct sent *sent, struct ipc_port *port, struct ipc_port *reply,
                                        struct mark mark)
{
    struct ipc_entry *entry = space_entry_reuse(port->receiver);
    entry->port = reply;
    entry->bits = MACH_PORT_TYPE_SEND_ONCE | 1;
    reply->sorights++;
    reply->refs++;
    return header_make(port, mark, sent, entry->name, MACH_MSG_TYPE_PORT_SEND_ONCE);
}

/* The same of an answer by the send-once right ENTRY. */
static INLINE struct words answer_move(struct ipc_space *space, const struct sent *sent, struct ipc_entry *entry)
{
    struct ipc_port *port = entry->port;
    space_entry_free_dense(space, entry);
    port->sorights--;
    port->refs--; /* not the last: there is the receive right's */
    struct mark mark = {port->receiver_name, MACH_MSG_TYPE_PORT_SEND_ONCE};
    if (unlikely(port->has_payload))
        mark = mark_payload(port);
    return header_make(port, mark, sent, MACH_PORT_NAME_NULL, 0);
}

/* A buffer with the COUNT words behind the header; NULL: it cannot be had at once. */
static INLINE struct kmsg *body_read(uint64_t user, uint32_t count)
{
    struct kmsg_spares *spares = likely(count <= SMALL_WORDS) ? &kmsg_spares_small : &kmsg_spares_large;
    struct kmsg *body = kmsg_spare_take(spares);
    if (unlikely(body == NULL))
        return NULL;
    if (likely(user_move_now(&body->header + 1, (void *)(user + sizeof(struct words)), count)))
        return body;
    kmsg_spare_give(spares, body);
    return NULL;
}

/* ---- the kernel's objects ----------------------------------------------------------------------- */

/* A buffer for the answer of the call under way.  While a call waits in its routine, others find this empty and take
   another. */
static struct kmsg *reply_spare;

/* A request to the kernel, on the stack. */
struct kernel_request {
    uint32_t bits, size;
    struct ipc_port *port, *reply;
    uint32_t seqno, id;
    uint64_t body[SMALL_WORDS];
};

/* What REPLY, whose header is the stub's, has to say goes the general way. */
static __attribute__((noinline)) mach_msg_return_t kernel_reply(struct kmsg *reply, struct ipc_port *port, uint32_t id)
{
    kobject_reply_address(reply, port, MACH_MSG_TYPE_PORT_SEND_ONCE, id);
    return msg_receive_reply(&current_thread()->receive, kobject_reply_sent(reply));
}

/* The answer of SIZE bytes to request ID, whose sequence number is SEQNO, to the user's buffer. */
static INLINE bool reply_write(uint64_t user, mach_port_name_t name, uint32_t seqno, uint32_t id,
                               const struct kmsg *reply, uint32_t size)
{
    return user_store32(user, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE)) && user_store32(user + 4, size) &&
           user_store(user + 8, 0) && user_store(user + 16, name) && user_store32(user + 24, seqno) &&
           user_store32(user + 28, id + 100) && body_write(user, reply, (size - sizeof(struct words)) / 8);
}

/* A request of SIZE bytes, COUNT words of them behind the header, to the kernel's PORT.  The message's right to PORT is
   not counted: the routine has taken what it needs of the object before it blocks, and nobody asks for PORT
   afterwards. */
static INLINE mach_msg_return_t kernel_call(struct thread *thread, uint64_t user, uint32_t size, uint32_t count,
                                            struct ipc_port *port, struct ipc_port *reply_port, uint32_t id)
{
    struct kernel_request request;
    struct kmsg *reply = reply_spare;
    if (unlikely(count > SMALL_WORDS || !user_move_now(request.body, (void *)(user + sizeof(struct words)), count)))
        return msg_general(&thread->receive, size);
    if (unlikely(reply == NULL) && (reply = kmsg_alloc_large()) == NULL)
        return msg_general(&thread->receive, size); /* which waits for memory */
    reply_spare = NULL;
    request.bits = MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND_ONCE);
    request.size = size;
    request.port = port;
    request.reply = reply_port;
    request.id = id;
    reply_port->sorights++;
    reply_port->refs++;
    thread->task->messages_sent++;
    kobject_reply_prepare(reply);
    kobject_routine(id)((mach_msg_header_t *)&request, &reply->header);

    const mig_reply_header_t *out = (const mig_reply_header_t *)&reply->header;
    thread = current_thread();
    reply_port = request.reply; /* stubs leave the header alone */
    id = request.id;
    struct task *task = thread->task;
    uint32_t answer = out->Head.msgh_size;
    mach_port_name_t name = reply_port->receiver_name;
    if (unlikely(out->RetCode || (out->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX) || answer > thread->receive.limit ||
                 reply_port->receiver != task->space || name != thread->receive.name || reply_port->pset ||
                 reply_port->has_payload || !list_empty(&reply_port->queue.messages)))
        return kernel_reply(reply, reply_port, id);
    reply_port->sorights--;
    reply_port->refs--;
    task->messages_received++;
    bool good = reply_write(thread->receive.user, name, reply_port->seqno++, id, reply, answer);
    if (likely(reply_spare == NULL))
        reply_spare = reply;
    else
        kmsg_free_slowly(reply);
    return likely(good) ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

/* ---- the trap ------------------------------------------------------------------------------------- */

/* A message of SIZE bytes, COUNT words of them behind the header. */
static INLINE mach_msg_return_t call(struct thread *thread, uint64_t user, uint32_t size, uint32_t count,
                                     mach_port_name_t receive_name)
{
    struct ipc_space *space = thread->task->space;
    struct kmsg *body = NULL;
    struct thread *receiver;
    struct mqueue *queue;
    struct words words;
    struct sent sent = {.size = size};

    if (unlikely(!header_read(user, &sent) || thread->attention))
        return msg_general(&thread->receive, size);
    if (sent.bits == REQUEST_BITS) {
        struct ipc_entry *to = space_entry_of(space, sent.remote), *from = space_entry_of(space, sent.local);
        if (unlikely(!(to->bits & MACH_PORT_TYPE_SEND) || !(from->bits & MACH_PORT_TYPE_RECEIVE)))
            return msg_general(&thread->receive, size);
        struct ipc_port *port = to->port, *reply = from->port;
        if (port->receiver == ipc_space_kernel)
            return kernel_call(thread, user, size, count, port, reply, sent.id);
        queue = receive_queue(space, receive_name, from);
        receiver = likely(queue != NULL) ? receiver_waiting(port, size) : NULL;
        if (unlikely(receiver == NULL || port->receiver->free == NULL))
            return msg_general(&thread->receive, size);
        if (likely(!port->unusual)) {
            if (count && unlikely((body = body_read(user, count)) == NULL))
                return msg_general(&thread->receive, size);
            words = request_move(&sent, port, reply, (struct mark){port->receiver_name, MACH_MSG_TYPE_PORT_SEND});
        } else {
            if (port->no_room || (count && unlikely((body = body_read(user, count)) == NULL)))
                return msg_general(&thread->receive, size);
            words = request_move(&sent, port, reply, mark_payload(port));
        }
    } else if (sent.bits == ANSWER_BITS) {
        struct ipc_entry *to = space_entry_of(space, sent.remote);
        if (unlikely(!(to->bits & MACH_PORT_TYPE_SEND_ONCE) || sent.local != MACH_PORT_NAME_NULL))
            return msg_general(&thread->receive, size);
        queue = receive_queue(space, receive_name, NULL);
        receiver = likely(queue != NULL) ? receiver_waiting(to->port, size) : NULL;
        if (unlikely(receiver == NULL || to->request || to->name >= space->limit))
            return msg_general(&thread->receive, size);
        if (count && unlikely((body = body_read(user, count)) == NULL))
            return msg_general(&thread->receive, size);
        words = answer_move(space, &sent, to);
    } else {
        return msg_general(&thread->receive, size);
    }
    thread->task->messages_sent++;
    receiver_take(receiver);
    receive_wait(thread, queue);
    change_over(thread, receiver, &words, body, msg_deliver);
}

/* mach_msg_trap (mach/message.h; the seventh argument, `notify`, is on the user's stack and only read when asked
   for). */
mach_msg_return_t trap_mach_msg(uint64_t user, mach_msg_option_t option, mach_msg_size_t send_size,
                                mach_msg_size_t receive_size, mach_port_name_t receive_name, mach_msg_timeout_t timeout)
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
    uint32_t behind = send_size - (uint32_t)sizeof(struct words), count = behind >> 3 | behind << 29;
    if (unlikely(count > LARGE_WORDS)) /* or SEND_SIZE is less than a header's, or not of whole words */
        return msg_general(&thread->receive, send_size);
    return call(thread, user, send_size, count, receive_name);
}
