/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signaller.c: see signaller.h.  Lock: `lock', innermost.

   For each process that a signal goes to there is an errand: proc is asked for the process's message port
   (proc_getmsgport, which is answered when there is one), and msg_sig_post goes there with the terminal's id port as
   reference.  Both answers come to the errand's own port, and the thread waits for all of them at once, so a process
   may take its time.  An answer that never comes says so: the kernel sends a send-once notification when the request is
   lost, which happens when the process executes a program at that moment; the errand begins again then. */

#include <hurd.h>
#include <hurd/process_request.h>
#include <hurd/process.h>
#include <mach/notify.h>
#include <ports/ports.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "signaller.h"

enum { TRIES_MAX = 100 }; /* message ports of one process that die with a signal in their queue */

enum {
    ID_WAKE = 1,
    ID_GETMSGPORT_REPLY = 24119, /* process_reply.defs */
    ID_SIG_POST = 23000,         /* msg.defs */
};

/* Signals on their way to one group, or one process. */
struct delivery {
    struct delivery *next;
    pid_t pgrp;
    uint64_t signals;
};

/* The same once they are on their way to one process.  All of it the thread's. */
struct errand {
    struct errand *next;
    pid_t pid;
    mach_port_t answer;  /* receive right, in the set: where proc and the process answer */
    uint64_t signals;    /* to be sent */
    int current;         /* the one in the process's queue; 0: proc is being asked */
    unsigned int tries;  /* that have failed for the current signal */
};

struct signaller {
    mach_port_t reference;    /* constant */
    mach_port_t set;          /* constant: `wake' and the answers */
    mach_port_t wake;         /* constant; a message here: `pending' is not empty, perhaps */
    pthread_mutex_t lock;
    struct delivery *pending; /* in order; lock */
    struct errand *errands;   /* the thread's */
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

/* What the thread receives; longer messages are destroyed by the kernel, which leaves their headers. */
union incoming {
    mach_msg_header_t head;
    struct getmsgport_reply port;
    char room[256];
};

/* msg_sig_post to MSGPORT, to be answered to ANSWER.  A full queue takes it all the same, and that it has room again is
   told to `wake'. MACH_SEND_INVALID_DEST: the port has died. */
static error_t sig_post(const struct signaller *signaller, mach_port_t msgport, mach_port_t answer, int signal)
{
    struct sig_post_request message;
    memset(&message, 0, sizeof message);
    message.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE) |
                             MACH_MSGH_BITS_COMPLEX;
    message.head.msgh_size = sizeof message;
    message.head.msgh_remote_port = msgport;
    message.head.msgh_local_port = answer;
    message.head.msgh_id = ID_SIG_POST;
    message.signal_type = message.code_type = int_type;
    message.signal = signal;
    message.reference_type = reference_type;
    message.reference.name = signaller->reference;
    kern_return_t err = mach_msg(&message.head, MACH_SEND_MSG | MACH_SEND_TIMEOUT | MACH_SEND_NOTIFY, sizeof message, 0,
                                 MACH_PORT_NULL, 0, signaller->wake);
    if (err == 0 || err == MACH_SEND_WILL_NOTIFY)
        return 0;
    if (err != MACH_SEND_INVALID_DEST)
        mach_msg_destroy(&message.head); /* it has come back, with its rights */
    return err;
}

/* The message port that proc has answered with, the caller's. */
static error_t msgport_from(union incoming *message, mach_port_t *msgport)
{
    if (message->head.msgh_id != ID_GETMSGPORT_REPLY || message->head.msgh_size < sizeof(mig_reply_header_t)
        || message->port.code != 0 || message->head.msgh_size != sizeof message->port
        || !(message->head.msgh_bits & MACH_MSGH_BITS_COMPLEX)) {
        ports_message_destroy(&message->head, true);
        return ESRCH;
    }
    *msgport = message->port.port.name;
    return MACH_PORT_VALID(*msgport) ? 0 : ESRCH;
}

/* ---- errands ---------------------------------------------------------------------------------- */

static void errand_end(struct signaller *signaller, struct errand *errand)
{
    struct errand **link = &signaller->errands;
    while (*link != errand)
        link = &(*link)->next;
    *link = errand->next;
    mach_port_mod_refs(mach_task_self(), errand->answer, MACH_PORT_RIGHT_RECEIVE, -1);
    free(errand);
}

/* Asks proc for the process's message port. */
static void errand_ask(struct signaller *signaller, struct errand *errand)
{
    mach_port_t proc = getproc();
    errand->current = 0;
    error_t err = proc_getmsgport_request(proc, errand->answer, MACH_MSG_TYPE_MAKE_SEND_ONCE, errand->pid);
    mach_port_deallocate(mach_task_self(), proc);
    if (err)
        errand_end(signaller, errand);
}

/* The current signal was lost. */
static void errand_again(struct signaller *signaller, struct errand *errand)
{
    if (errand->tries++ < TRIES_MAX) {
        errand->signals |= UINT64_C(1) << errand->current;
        errand_ask(signaller, errand);
    } else {
        errand_end(signaller, errand);
    }
}

/* proc has answered: the first signal goes out. */
static void errand_post(struct signaller *signaller, struct errand *errand, union incoming *message)
{
    mach_port_t msgport;
    if (msgport_from(message, &msgport)) {
        errand_end(signaller, errand);
        return;
    }
    errand->current = __builtin_ctzll(errand->signals);
    errand->signals &= ~(UINT64_C(1) << errand->current);
    error_t err = sig_post(signaller, msgport, errand->answer, errand->current);
    mach_port_deallocate(mach_task_self(), msgport);
    if (err == MACH_SEND_INVALID_DEST)
        errand_again(signaller, errand);
    else if (err)
        errand_end(signaller, errand);
}

/* The process has the signal. */
static void errand_done(struct signaller *signaller, struct errand *errand)
{
    errand->tries = 0;
    if (errand->signals)
        errand_ask(signaller, errand);
    else
        errand_end(signaller, errand);
}

static void errand_answered(struct signaller *signaller, struct errand *errand, union incoming *message)
{
    if (errand->current == 0) {
        errand_post(signaller, errand, message);
    } else if (message->head.msgh_id == MACH_NOTIFY_SEND_ONCE) {
        errand_again(signaller, errand);
    } else {
        ports_message_destroy(&message->head, true);
        errand_done(signaller, errand);
    }
}

static error_t answer_create(struct signaller *signaller, mach_port_t *answer)
{
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, answer);
    if (err)
        return err;
    err = mach_port_move_member(mach_task_self(), *answer, signaller->set);
    if (err)
        mach_port_mod_refs(mach_task_self(), *answer, MACH_PORT_RIGHT_RECEIVE, -1);
    return err;
}

/* SIGNALS go to process PID behind those that are on their way to it. */
static void deliver_to(struct signaller *signaller, pid_t pid, uint64_t signals)
{
    struct errand *errand = signaller->errands;
    while (errand && errand->pid != pid)
        errand = errand->next;
    if (errand) {
        errand->signals |= signals;
        return;
    }
    errand = calloc(1, sizeof *errand);
    if (!errand || answer_create(signaller, &errand->answer)) {
        free(errand);
        return;
    }
    errand->pid = pid;
    errand->signals = signals;
    errand->next = signaller->errands;
    signaller->errands = errand;
    errand_ask(signaller, errand);
}

/* ---- groups ----------------------------------------------------------------------------------- */

static void deliver(struct signaller *signaller, const struct delivery *delivery)
{
    pid_t room[256], *pids = room;
    mach_msg_type_number_t count = sizeof room / sizeof room[0];

    if (delivery->pgrp < 0) {
        deliver_to(signaller, -delivery->pgrp, delivery->signals);
        return;
    }
    mach_port_t proc = getproc();
    if (!proc_getpgrppids(proc, delivery->pgrp, &pids, &count)) {
        for (mach_msg_type_number_t i = 0; i < count; i++)
            deliver_to(signaller, pids[i], delivery->signals);
        if (pids != room)
            vm_deallocate(mach_task_self(), (vm_address_t)pids, count * sizeof *pids);
    }
    mach_port_deallocate(mach_task_self(), proc);
}

static void deliver_pending(struct signaller *signaller)
{
    pthread_mutex_lock(&signaller->lock);
    struct delivery *delivery = signaller->pending;
    signaller->pending = NULL;
    pthread_mutex_unlock(&signaller->lock);
    while (delivery) {
        struct delivery *next = delivery->next;
        deliver(signaller, delivery);
        free(delivery);
        delivery = next;
    }
}

static void *signal_thread(void *argument)
{
    struct signaller *signaller = argument;
    union incoming message;

    for (;;) {
        kern_return_t err = mach_msg(&message.head, MACH_RCV_MSG, 0, sizeof message, signaller->set, 0, MACH_PORT_NULL);
        if (err == MACH_RCV_TOO_LARGE)
            message.head = (mach_msg_header_t){.msgh_local_port = message.head.msgh_local_port,
                                               .msgh_size = sizeof message.head};
        else if (err)
            continue;
        if (message.head.msgh_local_port == signaller->wake) {
            deliver_pending(signaller);
            continue;
        }
        struct errand *errand = signaller->errands;
        while (errand && errand->answer != message.head.msgh_local_port)
            errand = errand->next;
        if (errand)
            errand_answered(signaller, errand, &message);
    }
    return NULL;
}

/* The thread looks at `pending'.  A full queue is no matter: then it will. */
static void wake_up(struct signaller *signaller)
{
    mach_msg_header_t message = {
        .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0), .msgh_size = sizeof message,
        .msgh_remote_port = signaller->wake, .msgh_id = ID_WAKE,
    };
    (void)ports_message_send_now(&message);
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
    }
    pthread_mutex_unlock(&signaller->lock);
    wake_up(signaller);
}

error_t signaller_create(mach_port_t reference, struct signaller **signaller)
{
    struct signaller *new = calloc(1, sizeof *new);
    if (!new)
        return ENOMEM;
    new->reference = reference;
    pthread_mutex_init(&new->lock, NULL);
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &new->set);
    if (!err)
        err = answer_create(new, &new->wake);
    if (!err)
        err = ports_thread_create(64 * 1024, signal_thread, new);
    if (err)
        free(new); /* the terminal does not begin; the task ends */
    else
        *signaller = new;
    return err;
}
