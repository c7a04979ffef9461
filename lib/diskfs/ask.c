/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the translators below.  They may be anybody's programs, which need never answer: nobody waits for one of
   them when a name goes, and a sync waits for all of them together, for a limited time.  */

#include "diskfs-internal.h"

#include <mach/mig_errors.h>
#include <mach/notify.h>
#include <stddef.h>

enum { FSYS_GOAWAY_ID = 22001, FSYS_SYNCFS_ID = 22004, SYNC_SECONDS = 30 };

static const mach_msg_type_t int_type = {
    .msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE,
};

/* A request of fsys.defs with one or two integers. */
struct request {
    mach_msg_header_t head;
    struct word { mach_msg_type_t type; int value; int pad; } word[2];
};

/* Sends the request ID with COUNT words to CONTROL without waiting for room; it is answered to REPLY, a receive right,
   or not at all. */
static error_t request_send(mach_port_t control, mach_port_t reply, mach_msg_id_t id, const int *words,
                            unsigned int count)
{
    struct request request;
    size_t size = offsetof(struct request, word) + count * sizeof request.word[0];
    memset(&request, 0, sizeof request);
    request.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
                                            reply != MACH_PORT_NULL ? MACH_MSG_TYPE_MAKE_SEND_ONCE : 0);
    request.head.msgh_size = (mach_msg_size_t) size;
    request.head.msgh_remote_port = control;
    request.head.msgh_local_port = reply;
    request.head.msgh_id = id;
    for (unsigned int i = 0; i < count; i++)
        request.word[i] = (struct word) { int_type, words[i], 0 };
    return ports_message_send_now(&request.head);
}

void diskfs_child_unlinked(mach_port_t control)
{
    static const int flags = FSYS_GOAWAY_UNLINK;
    (void) request_send(control, MACH_PORT_NULL, FSYS_GOAWAY_ID, &flags, 1);
}

/* ---- syncing ------------------------------------------------------------------------- */

struct asked { mach_port_t reply; bool wait; unsigned int count; };

static error_t sync_ask(mach_port_t control, void *arg)
{
    struct asked *asked = arg;
    int words[2] = { asked->wait, true };
    error_t err = request_send(control, asked->reply, FSYS_SYNCFS_ID, words, 2);
    asked->count += err == 0;
    return err == MACH_SEND_TIMED_OUT ? ETIMEDOUT : err == MACH_SEND_INVALID_DEST ? 0 : err;
}

/* What an answer says; who has died, or knows nothing of syncs, has nothing to write. */
static error_t answer_error(mach_msg_header_t *head)
{
    error_t err = 0;
    if (head->msgh_id == FSYS_SYNCFS_ID + 100 && head->msgh_size == sizeof(mig_reply_header_t))
        err = ((mig_reply_header_t *) head)->RetCode;
    ports_message_destroy(head, true);
    return err == EOPNOTSUPP || err == MIG_BAD_ID || err == MIG_SERVER_DIED ? 0 : err;
}

/* Waits for COUNT answers at REPLY until UNTIL. */
static error_t answers_await(mach_port_t reply, unsigned int count, const struct timespec *until)
{
    union { mach_msg_header_t head; char room[512]; } answer;
    error_t result = 0;
    while (count > 0) {
        struct timespec now;
        diskfs_time_now(&now);
        int64_t left = (until->tv_sec - now.tv_sec) * 1000 + (until->tv_nsec - now.tv_nsec) / 1000000;
        error_t err = left <= 0 ? MACH_RCV_TIMED_OUT
                                : mach_msg(&answer.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_INTERRUPT, 0,
                                           sizeof answer, reply, (mach_msg_timeout_t) left, MACH_PORT_NULL);
        if (err == MACH_RCV_TIMED_OUT)
            return ETIMEDOUT;
        if (err == MACH_RCV_INTERRUPTED)
            return EINTR;
        err = err == 0 ? answer_error(&answer.head) : 0;    /* what was too long was an answer, too */
        result = err ? err : result;
        count--;
    }
    return result;
}

error_t diskfs_children_sync(bool wait)
{
    struct asked asked = { .wait = wait };
    struct timespec until;
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &asked.reply);
    if (err)
        return ENOMEM;
    diskfs_time_now(&until);
    until.tv_sec += SYNC_SECONDS;
    err = diskfs_translators_iterate(sync_ask, &asked);
    error_t answers = answers_await(asked.reply, asked.count, &until);
    mach_port_mod_refs(mach_task_self(), asked.reply, MACH_PORT_RIGHT_RECEIVE, -1);
    return err ? err : answers;
}
