/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mach_msg: sending and receiving (Mach manual, "Mach Message Call"), whatever is asked for; fast.c has the calls that
   count.

   If the receiver waits already, the message goes straight into its hands, and the processor with it (thread_block_to):
   no queue, no run queue.  If the destination is one of the kernel's ports, the request is carried out in the sender's
   own context, and the reply is given back without ever being queued.  */

#include "msg.h"

#include "../vm/map.h"

/* ---- sending -------------------------------------------------------------------------------- */

/* Hands KMSG to THREAD, which waits in a receive. */
static inline void hand_over(struct ipc_port *port, struct kmsg *kmsg, struct thread *thread)
{
    thread->kmsg = kmsg;
    thread->receive_seqno = port->seqno++;
    thread->receive_error = likely(kmsg->header.msgh_size <= thread->receive.limit) ? MACH_MSG_SUCCESS
                                                                                    : MACH_RCV_TOO_LARGE;
}

/* The waiting receiver that can take KMSG, off its queue and ready to run; those that only wanted to know its size are
   told. */
static struct thread *receiver_take(struct ipc_port *port, struct mqueue *queue, struct kmsg *kmsg)
{
    struct thread *thread;
    while ((thread = wait_queue_first(&queue->receivers))) {
        if (unlikely(kmsg->header.msgh_size > thread->receive.limit && (thread->receive.option & MACH_RCV_LARGE))) {
            thread->receive_error = MACH_RCV_TOO_LARGE;
            thread->receive.limit = kmsg->header.msgh_size;
            thread_wake(thread, WAIT_AWAKENED);
            continue;
        }
        hand_over(port, kmsg, thread);
        thread_wake_direct(thread, WAIT_AWAKENED);
        if (unlikely(kmsg->accepted != NULL))
            accepted_notify(kmsg);
        return thread;
    }
    return NULL;
}

/* Waits until PORT, whose queue is full, has room: MACH_MSG_SUCCESS means look again. */
static mach_msg_return_t wait_for_room(struct ipc_port *port, mach_msg_option_t option, mach_msg_timeout_t timeout)
{
    if ((option & MACH_SEND_TIMEOUT) && timeout == 0)
        return MACH_SEND_TIMED_OUT;
    port_ref(port);
    wait_begin(&port->senders, true);
    if (option & MACH_SEND_TIMEOUT)
        wait_timeout(timeout);
    enum wait_result result = thread_block();
    port_deref(port);
    switch (result) {
    case WAIT_TIMED_OUT: return MACH_SEND_TIMED_OUT;
    case WAIT_INTERRUPTED: return MACH_SEND_INTERRUPTED;
    default: return MACH_MSG_SUCCESS;
    }
}

/* The trap's seventh argument, on the user's stack: asked for where an option says that it is there.  A bad stack gives
   no name that is one. */
static mach_port_name_t notify_argument(void)
{
    mach_port_name_t name;
    return copy_from_user(&name, thread_frame(current_thread())->rsp + 8, sizeof name) ? name : MACH_PORT_NAME_DEAD;
}

/* The queue of PORT is full.  MACH_MSG_SUCCESS: KMSG goes in all the same if it has an `accepted` request, else look
   again. */
static mach_msg_return_t deliver_full(struct ipc_port *port, struct kmsg *kmsg, mach_msg_option_t option,
                                      mach_msg_timeout_t timeout)
{
    mach_msg_return_t mr = MACH_SEND_TIMED_OUT;
    if ((option & (MACH_SEND_NOTIFY | MACH_SEND_TIMEOUT)) != MACH_SEND_NOTIFY)
        mr = wait_for_room(port, option, timeout);
    if (mr != MACH_SEND_TIMED_OUT || !(option & MACH_SEND_NOTIFY))
        return mr;
    mach_port_name_t notify = notify_argument(); /* may block */
    return port->active && port->msgcount >= port->qlimit ? accepted_request(kmsg, current_task()->space, notify)
                                                          : MACH_MSG_SUCCESS;
}

/* Delivers KMSG to PORT, which is not the kernel's.  A receiver that waited is given in *RECEIVER: it must be run.
   MACH_SEND_WILL_NOTIFY: it has been, beyond the limit; other errors leave it with the caller. */
static mach_msg_return_t deliver(struct ipc_port *port, struct kmsg *kmsg, mach_msg_option_t option,
                                 mach_msg_timeout_t timeout, bool always, struct thread **receiver)
{
    bool waited = false;
    *receiver = NULL;
    always = always || MACH_MSGH_BITS_REMOTE(kmsg->header.msgh_bits) == MACH_MSG_TYPE_PORT_SEND_ONCE;
    while (unlikely(port->active && !always && port->msgcount >= port->qlimit)) {
        mach_msg_return_t mr = deliver_full(port, kmsg, option, timeout);
        if (mr)
            return mr;
        always = kmsg->accepted != NULL;
        waited = true;
    }
    mach_msg_return_t result = unlikely(kmsg->accepted != NULL) ? MACH_SEND_WILL_NOTIFY : MACH_MSG_SUCCESS;
    if (unlikely(!port->active || (kmsg->header.msgh_bits & MACH_MSGH_BITS_CIRCULAR))) {
        kmsg_destroy(kmsg);
        return result;
    }
    struct mqueue *queue = port_queue(port);
    *receiver = receiver_take(port, queue, kmsg);
    if (*receiver == NULL) {
        port->msgcount++;
        kmsg = kmsg_fit(kmsg);
        list_append(&queue->messages, &kmsg->link);
    }
    /* Who made room woke one sender: if there is still room the next one follows. */
    if (waited && port->msgcount < port->qlimit)
        wait_queue_wake_one(&port->senders, WAIT_RESTART);
    return result;
}

/* Sends what kobject_server gave. */
static void reply_send(struct kmsg *reply)
{
    if (reply == NULL)
        return;
    if (reply->header.msgh_bits & MACH_MSGH_BITS_COMPLEX)
        kmsg_copyin_from_kernel(reply);
    msg_send(reply, MACH_MSG_OPTION_NONE, 0, true);
}

mach_msg_return_t msg_send(struct kmsg *kmsg, mach_msg_option_t option, mach_msg_timeout_t timeout, bool always)
{
    struct ipc_port *port = kmsg_remote(kmsg);
    struct thread *receiver;
    if (port->active && port->receiver == ipc_space_kernel) {
        reply_send(kobject_server(kmsg));
        return MACH_MSG_SUCCESS;
    }
    mach_msg_return_t mr = deliver(port, kmsg, option, timeout, always, &receiver);
    if (receiver)
        sched_enqueue(receiver);
    return mr;
}

/* There is no memory for a MESSAGE of the kernel's: what it would carry is given up, as if it had been lost on its
   way. */
static __attribute__((noinline)) mach_msg_return_t kernel_message_lost(const mach_msg_header_t *message,
                                                                       mach_msg_size_t size)
{
    union {
        struct kmsg kmsg;
        char room[offsetof(struct kmsg, header) + KMSG_SMALL];
    } buffer;
    kprintf("ipc: no memory for the kernel's message %d\n", message->msgh_id);
    if (size > KMSG_SMALL)
        return MACH_SEND_NO_BUFFER;
    buffer.kmsg.accepted = NULL;
    memcpy(&buffer.kmsg.header, message, size);
    kmsg_copyin_from_kernel(&buffer.kmsg);
    kmsg_clean(&buffer.kmsg);
    return MACH_SEND_NO_BUFFER;
}

mach_msg_return_t mach_msg_send_from_kernel(mach_msg_header_t *message, mach_msg_size_t size)
{
    if (!IP_VALID((struct ipc_port *)message->msgh_remote_port))
        return MACH_SEND_INVALID_DEST;
    struct kmsg *kmsg = kmsg_alloc(size);
    if (unlikely(kmsg == NULL))
        return kernel_message_lost(message, size);
    memcpy(&kmsg->header, message, size);
    kmsg_copyin_from_kernel(kmsg);
    if (!IP_VALID(kmsg_remote(kmsg))) {
        kmsg_destroy(kmsg);
        return MACH_SEND_INVALID_DEST;
    }
    return msg_send(kmsg, MACH_MSG_OPTION_NONE, 0, true);
}

/* ---- receiving ---------------------------------------------------------------------------------- */

/* Takes KMSG off its queue for the running thread. */
static void dequeue(struct kmsg *kmsg)
{
    struct ipc_port *port = kmsg_remote(kmsg);
    list_remove(&kmsg->link);
    hand_over(port, kmsg, current_thread());
    if (--port->msgcount < port->qlimit)
        wait_queue_wake_one(&port->senders, WAIT_RESTART);
    if (unlikely(kmsg->accepted != NULL))
        accepted_notify(kmsg);
}

/* What mach_msg says of a wait that ended with RESULT and without a message; success: it begins again. */
static mach_msg_return_t wait_failed(enum wait_result result)
{
    switch (result) {
    case WAIT_TIMED_OUT: return MACH_RCV_TIMED_OUT;
    case WAIT_INTERRUPTED: return MACH_RCV_INTERRUPTED;
    case WAIT_DIED: return MACH_RCV_PORT_DIED;
    case WAIT_MOVED: return MACH_RCV_PORT_CHANGED;
    default: return MACH_MSG_SUCCESS;
    }
}

/* Gives the received message to user memory.  MR is what came with it. */
static mach_msg_return_t receive_finish(struct receive_call *call, mach_msg_return_t mr)
{
    struct thread *thread = current_thread();
    struct kmsg *kmsg = thread->kmsg;
    if (unlikely(kmsg == NULL)) {
        if (mr == MACH_RCV_TOO_LARGE) {
            uint32_t size = call->limit;
            /* the message is there all the same */
            (void)copy_to_user(call->user + offsetof(mach_msg_header_t, msgh_size), &size, sizeof size);
        }
        return mr;
    }
    thread->kmsg = NULL;
    kmsg->header.msgh_seqno = thread->receive_seqno;
    struct task *task = thread->task;
    task->messages_received++;
    if (unlikely(mr == MACH_RCV_TOO_LARGE)) {
        kmsg_copyout_dest(kmsg, task->space);
        kmsg_put(call->user, kmsg, sizeof kmsg->header);
        return mr;
    }
    if (unlikely(call->option & MACH_RCV_NOTIFY)) {
        mr = kmsg_copyout_notify(kmsg, task->space, task->map, notify_argument());
        if (mr == MACH_RCV_INVALID_NOTIFY) {
            kmsg_put(call->user, kmsg, sizeof kmsg->header);
            return mr;
        }
    } else {
        mr = kmsg_copyout(kmsg, task->space, task->map);
    }
    mach_msg_return_t put = kmsg_put(call->user, kmsg, kmsg->header.msgh_size);
    return put ? put : mr;
}

/* The first message of QUEUE is what CALL receives. */
static mach_msg_return_t receive_queued(struct receive_call *call, struct mqueue *queue)
{
    struct thread *thread = current_thread();
    struct kmsg *kmsg = list_entry(queue->messages.next, struct kmsg, link);
    mach_msg_return_t mr = MACH_RCV_TOO_LARGE;
    if (unlikely(kmsg->header.msgh_size > call->limit && (call->option & MACH_RCV_LARGE))) {
        call->limit = kmsg->header.msgh_size;
    } else {
        dequeue(kmsg);
        mr = thread->receive_error;
        thread->receive_error = MACH_MSG_SUCCESS;
    }
    return receive_finish(call, mr);
}

/* A wait ended with RESULT.  True: it gave something, a message or an error, and *MR is what mach_msg says. */
static bool wait_over(struct receive_call *call, enum wait_result result, mach_msg_return_t *mr)
{
    struct thread *thread = current_thread();
    *mr = thread->receive_error;
    thread->receive_error = MACH_MSG_SUCCESS;
    if (thread->kmsg || *mr) {
        *mr = receive_finish(call, *mr);
        return true;
    }
    *mr = wait_failed(result);
    return *mr != MACH_MSG_SUCCESS;
}

/* ---- the trap ---------------------------------------------------------------------------------------- */

/* Receives; NEXT (NULL: nobody) is a thread that must be run. */
static __attribute__((noinline)) mach_msg_return_t msg_receive_general(struct receive_call *call, struct thread *next)
{
    struct ipc_space *space = current_task()->space;
    struct mqueue *queue;
    struct ipc_port *port;
    mach_msg_return_t mr = source_find(space, call->name, &queue, &port);
    while (likely(mr == MACH_MSG_SUCCESS)) {
        bool now = !list_empty(&queue->messages), poll = (call->option & MACH_RCV_TIMEOUT) && call->timeout == 0;
        if (next && (now || poll))
            sched_enqueue(next);
        if (now)
            return receive_queued(call, queue);
        if (poll)
            return MACH_RCV_TIMED_OUT;
        wait_begin(&queue->receivers, true);
        if (call->option & MACH_RCV_TIMEOUT)
            wait_timeout(call->timeout);
        enum wait_result result = next ? thread_block_to(next) : thread_block();
        next = NULL;
        if (wait_over(call, result, &mr))
            return mr;
        if (source_find(space, call->name, &queue, &port))
            mr = MACH_RCV_PORT_DIED; /* between the end of the wait and now */
    }
    if (next)
        sched_enqueue(next);
    return mr;
}

mach_msg_return_t msg_receive_woken(void)
{
    struct thread *thread = current_thread();
    mach_msg_return_t mr;
    sched_switched();
    if (wait_over(&thread->receive, thread->wait_result, &mr))
        return mr;
    mr = msg_receive_general(&thread->receive, NULL);
    return mr == MACH_RCV_INVALID_NAME || mr == MACH_RCV_IN_SET ? MACH_RCV_PORT_DIED : mr;
}

mach_msg_return_t msg_receive_handed(void)
{
    return receive_finish(&current_thread()->receive, MACH_MSG_SUCCESS);
}

mach_msg_return_t msg_receive_reply(struct receive_call *call, struct kmsg *reply)
{
    struct task *task = current_task();
    struct mqueue *queue;
    struct ipc_port *port;
    if (unlikely(reply == NULL))
        return msg_receive_general(call, NULL);
    if (unlikely(source_find(task->space, call->name, &queue, &port) != MACH_MSG_SUCCESS ||
                 kmsg_remote(reply) != port || !list_empty(&queue->messages) || reply->header.msgh_size > call->limit ||
                 (call->option & MACH_RCV_NOTIFY))) {
        reply_send(reply);
        return msg_receive_general(call, NULL);
    }
    /* The kernel's answer to this very call needs no queue. */
    reply->header.msgh_seqno = port->seqno++;
    task->messages_received++;
    mach_msg_return_t mr = kmsg_copyout_from_kernel(reply, task->space, task->map);
    mach_msg_return_t put = kmsg_put(call->user, reply, reply->header.msgh_size);
    return put ? put : mr;
}

/* If a thread waits for KMSG, which is to go to PORT, and the running one will have to wait in CALL's receive, they
   change over and this does not return. */
static inline void change_over(struct receive_call *call, struct ipc_port *port, struct kmsg *kmsg)
{
    struct thread *thread = current_thread();
    uint32_t bits = kmsg->header.msgh_bits;
    struct thread *receiver = likely(port->active && !(bits & MACH_MSGH_BITS_CIRCULAR))
                                  ? receiver_waiting(port, kmsg->header.msgh_size)
                                  : NULL;
    struct mqueue *queue = likely(receiver != NULL) ? receive_queue(thread->task->space, call->name, NULL) : NULL;
    if (unlikely(queue == NULL || thread->attention ||
                 (port->qlimit == 0 && MACH_MSGH_BITS_REMOTE(bits) != MACH_MSG_TYPE_PORT_SEND_ONCE)))
        return;
    if (unlikely((call->option & MACH_RCV_TIMEOUT) && call->timeout == 0))
        return;
    hand_over(port, kmsg, receiver);
    msg_hand_over(thread, receiver, queue);
}

/* Sends KMSG, as read from user memory, and receives if the option says so. */
static __attribute__((noinline)) mach_msg_return_t msg_send_general(struct kmsg *kmsg, struct receive_call *call)
{
    struct task *task = current_task();
    struct thread *next;
    mach_msg_return_t mr;
    if (unlikely(call->option & MACH_SEND_CANCEL))
        mr = kmsg_copyin_cancel(kmsg, task->space, task->map, notify_argument());
    else
        mr = kmsg_copyin(kmsg, task->space, task->map);
    if (unlikely(mr)) {
        kmsg_free(kmsg);
        return mr;
    }
    task->messages_sent++;
    struct ipc_port *port = kmsg_remote(kmsg);
    if (port->receiver == ipc_space_kernel && port->active) {
        struct kmsg *reply = kobject_server(kmsg);
        if (call->option & MACH_RCV_MSG)
            return msg_receive_reply(call, reply);
        reply_send(reply);
        return MACH_MSG_SUCCESS;
    }
    if (call->option & MACH_RCV_MSG)
        change_over(call, port, kmsg);
    mr = deliver(port, kmsg, call->option, call->timeout, false, &next);
    if (unlikely(mr == MACH_SEND_WILL_NOTIFY)) {
        if (next)
            sched_enqueue(next);
        return mr;
    }
    if (unlikely(mr)) {
        /* The sender gets the message back, with its rights under the names that they have now (a pseudo-receive). */
        mr |= kmsg_copyout_pseudo(kmsg, task->space, task->map);
        kmsg_put(call->user, kmsg, kmsg->header.msgh_size);
        return mr;
    }
    if (call->option & MACH_RCV_MSG)
        return msg_receive_general(call, next);
    if (next)
        sched_enqueue(next);
    return MACH_MSG_SUCCESS;
}

mach_msg_return_t msg_general(struct receive_call *call, mach_msg_size_t send_size)
{
    if (call->option & MACH_SEND_MSG) {
        struct kmsg *kmsg;
        mach_msg_return_t mr = kmsg_get(call->user, send_size, &kmsg);
        return mr ? mr : msg_send_general(kmsg, call);
    }
    return call->option & MACH_RCV_MSG ? msg_receive_general(call, NULL) : MACH_MSG_SUCCESS;
}

mach_msg_return_t msg_receive_kernel(struct ipc_port *port, struct kmsg **kmsg)
{
    struct thread *thread = current_thread();
    const struct receive_call outer = thread->receive;
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    thread->receive = (struct receive_call){.limit = UINT32_MAX};
    thread->attention = true; /* a message comes in `kmsg` and no other way */
    while (mr == MACH_MSG_SUCCESS && thread->kmsg == NULL) {
        if (!list_empty(&port->queue.messages)) {
            dequeue(list_entry(port->queue.messages.next, struct kmsg, link));
            break;
        }
        wait_begin(&port->queue.receivers, true);
        enum wait_result result = thread_block();
        if (thread->kmsg == NULL)
            mr = wait_failed(result);
    }
    cpu_self()->ast |= AST_HALT; /* which sets `attention` right */
    thread->receive = outer;
    *kmsg = thread->kmsg;
    thread->kmsg = NULL;
    return mr;
}
