/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sieve: a process's message port that others may know, in front of the C library's.

   The C library (2.41) serves the message port by itself, everybody can have any process's, and it is trusting:
     - it releases what a refused message carries by lengths of 32 bits: 512 MiB or more stay mapped for ever;
     - it takes a request for permitted whose reference port is the same as one of its own, be that null: a process that
       has no auth port or no terminal, as servers have none, would obey whoever shows it nothing;
     - it asks an auth port that it is given (msg_add_auth) what that is worth, and waits for the answer;
     - its own answers wait for room in the queue of a reply port to which there is a send right.
   So a server shows proc this port instead; what could belong to an honest message of msg.defs is passed on as it came,
   with its reply port, and the rest destroyed.  */

#include "items.h"
#include "ports-internal.h"

#include <hurd.h>
#include <hurd/process.h>
#include <hurd/signal.h>

enum {
    MESSAGE_MAX = 8192,     /* no routine's request is longer; the kernel throws away what is */
    MEMORY_MAX = 16 << 20,  /* bytes out of line in one argument */
    STACK = 64 * 1024,
    MSG_ADD_AUTH = 23002,   /* a server has all the ids that it needs */
};

static mach_port_t sieve_port; /* receive right; constant once there */

/* Whether no argument out of line is larger than any honest one.  */
static bool message_is_small(mach_msg_header_t *message)
{
    struct message_item item = message_items(message);
    if (!(message->msgh_bits & MACH_MSGH_BITS_COMPLEX))
        return true;
    while (message_item_next(&item))
        if (!item.type->msgt_inline && item.bytes > MEMORY_MAX)
            return false;
    return true;
}

/* Whether who asks, which is the first right in any message of msg.defs, is somebody.  Those without a right ask for
   what everybody may know.  */
static bool message_is_somebodys(mach_msg_header_t *message)
{
    struct message_item item = message_items(message);
    while (message_item_next(&item))
        if (MACH_MSG_TYPE_PORT_ANY(item.type->msgt_name)) {
            const mach_port_name_inlined_t *name = (const void *)item.inlined;
            return item.type->msgt_inline && item.type->msgt_number == 1 &&
                   item.inlined + sizeof *name <= item.end && MACH_PORT_VALID(name->name);
        }
    return true;
}

/* Whether an answer can be sent without waiting: to nobody, or to a send-once right, as honest clients make them. */
static bool message_is_answerable(const mach_msg_header_t *message)
{
    return !MACH_PORT_VALID(message->msgh_remote_port) ||
           MACH_MSGH_BITS_REMOTE(message->msgh_bits) == MACH_MSG_TYPE_PORT_SEND_ONCE;
}

/* REQUEST is answered with CODE; its reply port is used up.  */
static void refuse(mach_msg_header_t *request, kern_return_t code)
{
    mig_reply_header_t reply = {
        .Head = {.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(request->msgh_bits), 0), .msgh_size = sizeof reply,
                 .msgh_remote_port = request->msgh_remote_port, .msgh_id = request->msgh_id + 100},
        .RetCodeType = {.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE},
        .RetCode = code,
    };
    ports_message_destroy(request, false);
    if (MACH_PORT_VALID(reply.Head.msgh_remote_port))
        (void)ports_message_send_now(&reply.Head);
}

/* As it came: the C library's thread answers to the same reply port.  Waits while its queue is full, as the sender
   would have.  */
static void pass_on(mach_msg_header_t *message)
{
    message->msgh_bits = (message->msgh_bits & MACH_MSGH_BITS_COMPLEX)
                         | MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, MACH_MSGH_BITS_REMOTE(message->msgh_bits));
    message->msgh_local_port = message->msgh_remote_port;
    message->msgh_remote_port = _hurd_msgport;
    if (mach_msg(message, MACH_SEND_MSG, message->msgh_size, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL)) {
        message->msgh_bits = (message->msgh_bits & MACH_MSGH_BITS_COMPLEX) |
                             MACH_MSGH_BITS(MACH_MSGH_BITS_LOCAL(message->msgh_bits), 0);
        message->msgh_remote_port = message->msgh_local_port;
        ports_message_destroy(message, true);
    }
}

static void *sieve_main(void *arg)
{
    static union { mach_msg_header_t head; char room[MESSAGE_MAX]; } message;
    for (;;) {
        if (mach_msg(&message.head, MACH_RCV_MSG, 0, sizeof message, sieve_port, 0, MACH_PORT_NULL))
            continue;       /* the kernel has destroyed it */
        if (!message_is_small(&message.head))
            refuse(&message.head, E2BIG);
        else if (!message_is_answerable(&message.head))
            refuse(&message.head, MIG_BAD_ARGUMENTS);
        else if (message.head.msgh_id == MSG_ADD_AUTH || !message_is_somebodys(&message.head))
            refuse(&message.head, EPERM);
        else
            pass_on(&message.head);
    }
    return arg;
}

static error_t sieve_start(void)
{
    mach_port_t port;
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);
    if (err)
        return err;
    sieve_port = port;
    err = ports_thread_create(STACK, sieve_main, NULL);
    if (err) {
        mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
        sieve_port = MACH_PORT_NULL;
    }
    return err;
}

void ports_sieve_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    mach_port_t proc = getproc(), old = MACH_PORT_NULL;
    if (proc == MACH_PORT_NULL || _hurd_msgport == MACH_PORT_NULL)
        return;
    pthread_once(&once, (void (*)(void))sieve_start);
    if (sieve_port != MACH_PORT_NULL &&
        mach_port_insert_right(mach_task_self(), sieve_port, sieve_port, MACH_MSG_TYPE_MAKE_SEND) == 0) {
        if (proc_setmsgport(proc, sieve_port, &old) == 0 && MACH_PORT_VALID(old))
            mach_port_deallocate(mach_task_self(), old);
        mach_port_deallocate(mach_task_self(), sieve_port);
    }
    mach_port_deallocate(mach_task_self(), proc);
}
