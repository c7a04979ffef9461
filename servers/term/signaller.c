/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signaller.c: see signaller.h.  Lock: `lock', innermost.

   For each process of the group: proc_getmsgport, then msg_sig_post with the terminal's id port as reference, without
   waiting for its answer.  Both could block for as long as a process likes (it has no message port yet; its port's queue is
   full), so both have a time limit, and the messages are made here: MIG's stubs have none. */

#include <hurd.h>
#include <hurd/process_request.h>
#include <hurd/process.h>
#include <ports/ports.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "signaller.h"

enum { PATIENCE_MS = 250 }; /* for one process that does not answer */

enum {
    ID_GETMSGPORT_REPLY = 24119, /* process_reply.defs */
    ID_SIG_POST = 23000,         /* msg.defs */
};

/* Signals on their way to one group. */
struct delivery {
    struct delivery *next;
    pid_t pgrp;
    uint64_t signals;
};

struct signaller {
    mach_port_t reference;   /* constant */
    mach_port_t reply;       /* of the thread: where answers of proc come, or null */
    pthread_mutex_t lock;
    pthread_cond_t wakeup;
    struct delivery *pending; /* in order; lock */
};

/* ---- messages ------------------------------------------------------------------------------ */

static const mach_msg_type_t int_type = {
    .msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE,
};
static const mach_msg_type_t reference_type = {
    .msgt_name = MACH_MSG_TYPE_COPY_SEND, .msgt_size = 64, .msgt_number = 1, .msgt_inline = TRUE,
};

struct getmsgport_reply {
    mach_msg_header_t head;
    mach_msg_type_t code_type;
    kern_return_t code;
    mach_msg_type_t port_type __attribute__((aligned(8)));
    mach_port_name_inlined_t port;
};

_Static_assert(sizeof(struct getmsgport_reply) == 64, "as MIG lays it out");

/* The answer to proc_getmsgport, within the time limit. A late one must not be taken for the next: the reply port goes with it. */
static error_t receive_msgport(struct signaller *signaller, mach_port_t *msgport)
{
    union {
        struct getmsgport_reply reply;
        char room[sizeof(struct getmsgport_reply) + 64];
    } message;
    kern_return_t err;

    err = mach_msg(&message.reply.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, signaller->reply, PATIENCE_MS,
                   MACH_PORT_NULL);
    if (err) {
        mach_port_mod_refs(mach_task_self(), signaller->reply, MACH_PORT_RIGHT_RECEIVE, -1);
        signaller->reply = MACH_PORT_NULL;
        return err;
    }
    if (message.reply.head.msgh_id != ID_GETMSGPORT_REPLY || message.reply.head.msgh_size < sizeof(mig_reply_header_t)
        || message.reply.code != 0 || message.reply.head.msgh_size != sizeof message.reply
        || !(message.reply.head.msgh_bits & MACH_MSGH_BITS_COMPLEX)) {
        ports_message_destroy(&message.reply.head, true);
        return ESRCH;
    }
    *msgport = message.reply.port.name;
    return 0;
}

static error_t process_msgport(struct signaller *signaller, mach_port_t proc, pid_t pid, mach_port_t *msgport)
{
    error_t err;

    if (signaller->reply == MACH_PORT_NULL)
        signaller->reply = mach_reply_port();
    err = proc_getmsgport_request(proc, signaller->reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, pid);
    return err ? err : receive_msgport(signaller, msgport);
}

struct sig_post_request {
    mach_msg_header_t head;
    mach_msg_type_t signal_type;
    int signal;
    mach_msg_type_t code_type __attribute__((aligned(8)));
    int code;
    mach_msg_type_t reference_type __attribute__((aligned(8)));
    mach_port_name_inlined_t reference;
};
_Static_assert(sizeof(struct sig_post_request) == 80, "as MIG lays it out");

/* msg_sig_post to a message port; no answer is wanted. */
static void sig_post(struct signaller *signaller, mach_port_t msgport, int signal)
{
    struct sig_post_request message;
    kern_return_t err;

    memset(&message, 0, sizeof message);
    message.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
    message.head.msgh_size = sizeof message;
    message.head.msgh_remote_port = msgport;
    message.head.msgh_id = ID_SIG_POST;
    message.signal_type = message.code_type = int_type;
    message.signal = signal;
    message.reference_type = reference_type;
    message.reference.name = signaller->reference;
    err = mach_msg(&message.head, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof message, 0, MACH_PORT_NULL, PATIENCE_MS,
                   MACH_PORT_NULL);
    if (err == MACH_SEND_TIMED_OUT) /* the rights have come back */
        ports_message_destroy(&message.head, true);
}

/* ---- groups ----------------------------------------------------------------------------------- */

static void deliver_to(struct signaller *signaller, mach_port_t proc, pid_t pid, uint64_t signals)
{
    mach_port_t msgport;

    if (process_msgport(signaller, proc, pid, &msgport))
        return;
    if (MACH_PORT_VALID(msgport)) {
        for (int signal = 1; signal < 64; signal++)
            if (signals & UINT64_C(1) << signal)
                sig_post(signaller, msgport, signal);
        mach_port_deallocate(mach_task_self(), msgport);
    }
}

static void deliver(struct signaller *signaller, const struct delivery *delivery)
{
    pid_t room[256], *pids = room;
    mach_msg_type_number_t count = sizeof room / sizeof room[0];
    mach_port_t proc = getproc();

    if (delivery->pgrp < 0) {
        deliver_to(signaller, proc, -delivery->pgrp, delivery->signals);
    } else if (!proc_getpgrppids(proc, delivery->pgrp, &pids, &count)) {
        for (mach_msg_type_number_t i = 0; i < count; i++)
            deliver_to(signaller, proc, pids[i], delivery->signals);
        if (pids != room)
            vm_deallocate(mach_task_self(), (vm_address_t)pids, count * sizeof *pids);
    }
    mach_port_deallocate(mach_task_self(), proc);
}

static void *signal_thread(void *argument)
{
    struct signaller *signaller = argument;

    for (;;) {
        struct delivery *delivery;

        pthread_mutex_lock(&signaller->lock);
        while (!signaller->pending)
            pthread_cond_wait(&signaller->wakeup, &signaller->lock);
        delivery = signaller->pending;
        signaller->pending = delivery->next;
        pthread_mutex_unlock(&signaller->lock);
        deliver(signaller, delivery);
        free(delivery);
    }
    return NULL;
}

void signaller_post(struct signaller *signaller, pid_t pgrp, uint64_t signals)
{
    struct delivery **link;

    pthread_mutex_lock(&signaller->lock);
    for (link = &signaller->pending; *link && (*link)->pgrp != pgrp; link = &(*link)->next)
        ;
    if (!*link)
        *link = calloc(1, sizeof **link);
    if (*link) {
        (*link)->pgrp = pgrp;
        (*link)->signals |= signals;
        pthread_cond_signal(&signaller->wakeup);
    }
    pthread_mutex_unlock(&signaller->lock);
}

error_t signaller_create(mach_port_t reference, struct signaller **signaller)
{
    struct signaller *new = calloc(1, sizeof *new);
    error_t err;

    if (!new)
        return ENOMEM;
    new->reference = reference;
    pthread_mutex_init(&new->lock, NULL);
    pthread_cond_init(&new->wakeup, NULL);
    err = ports_thread_create(64 * 1024, signal_thread, new);
    if (err)
        free(new);
    else
        *signaller = new;
    return err;
}
