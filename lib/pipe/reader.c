/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader: see reader.h.

   A reader is in the pipe's list until somebody answers it.  Two may want to: who has something for it, holding the
   pipe's lock, and lib/ports when its client interrupts it or dies.  ports_rpc_take decides; who loses leaves it alone,
   but for the list: reader_cancel finds it in there or not. A reader's request holds a reference to the open file, and
   that to the pipe.

   Locks: the pipe's, then those of lib/ports. */

#include "reader.h"

#include <hurd/io_reply.h>
#include <ports/ports.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 512, IO_READ_REPLY = 21101 };  /* bytes in an answer of our own; interface/hurd/io_reply.defs */

struct reader {
    struct ports_rpc rpc;          /* first member */
    struct pipe *pipe;             /* constant */
    size_t amount;                 /* constant: how much it wants */
    struct reader *next, **prevp;  /* of the pipe's list, prevp null outside; then of a list of those that are done */
};

/* Pipe lock held. */
static void reader_unlink(struct reader *reader)
{
    struct pipe *pipe = reader->pipe;

    *reader->prevp = reader->next;
    if (reader->next)
        reader->next->prevp = reader->prevp;
    else
        pipe->readers_last = reader->prevp;
    reader->prevp = NULL;
}

/* The answer to io_read with few bytes.  MIG's stub would do, but it marks every answer as one with rights or memory,
   which costs the kernel 200 instructions. */
struct answer {
    mach_msg_header_t head;
    mach_msg_type_t code_type;
    kern_return_t code;
    mach_msg_type_t data_type __attribute__((aligned(8)));
    char data[ANSWER_MAX];
};

static kern_return_t answer_send(mach_port_t reply, error_t err, const char *data, size_t length)
{
    struct answer answer;
    size_t size = offsetof(struct answer, data) + ((length + 7) & ~(size_t) 7);

    answer.head = (mach_msg_header_t) { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0), .msgh_size = size,
                                        .msgh_remote_port = reply, .msgh_id = IO_READ_REPLY };
    answer.code_type = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_INTEGER_32,
                                         .msgt_size = 32,
                                         .msgt_number = 1,
                                         .msgt_inline = TRUE};
    answer.code = err;
    answer.data_type = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_CHAR,
                                         .msgt_size = 8,
                                         .msgt_number = length,
                                         .msgt_inline = TRUE,
                                         .msgt_longform = TRUE};
    if (length)
        memcpy(answer.data, data, length);
    return ports_msg_trap(&answer.head, MACH_SEND_MSG, size, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
}

/* Sends the answer; false if nobody is there any more to get it. */
static bool reader_answer(struct reader *reader, error_t err, const char *data, size_t length)
{
    mach_port_t reply = reader->rpc.reply;
    kern_return_t failed = length <= ANSWER_MAX
                               ? answer_send(reply, err, data, length)
                               : io_read_reply(reply, reader->rpc.reply_type, err, (data_t)data, length);

    if (failed)
        mach_port_deallocate(mach_task_self(), reply);
    return !failed;
}

/* The pipe keeps one for the next. */
static void reader_release(struct reader *reader)
{
    struct ports_object *object = reader->rpc.object;

    free(atomic_exchange(&reader->pipe->spare, reader));
    ports_object_deref(object);
}

/* lib/ports: the request was interrupted, or nobody waits for it any more. */
static void reader_cancel(struct ports_rpc *rpc)
{
    struct reader *reader = (struct reader *) rpc;

    pthread_mutex_lock(&reader->pipe->lock);
    if (reader->prevp)
        reader_unlink(reader);
    pthread_mutex_unlock(&reader->pipe->lock);
    reader_answer(reader, EINTR, NULL, 0);
    reader_release(reader);
}

error_t reader_leave(struct pipe *pipe, size_t amount)
{
    struct reader *reader = atomic_exchange(&pipe->spare, NULL);
    error_t err;

    if (!reader && !(reader = malloc(sizeof *reader)))
        return ENOMEM;
    reader->pipe = pipe;
    reader->amount = amount;
    err = ports_rpc_defer(&reader->rpc, reader_cancel);
    if (err) {
        free(atomic_exchange(&pipe->spare, reader));
        return err;
    }
    if (!pipe->readers)
        pipe->readers_last = &pipe->readers;
    reader->next = NULL;
    reader->prevp = pipe->readers_last;
    *reader->prevp = reader;
    pipe->readers_last = &reader->next;
    return MIG_NO_REPLY;
}

/* The first reader that is still to be answered, out of the list, or null. */
static struct reader *reader_take(struct pipe *pipe)
{
    struct reader *reader;

    while ((reader = pipe->readers)) {
        reader_unlink(reader);
        if (ports_rpc_take(&reader->rpc))
            break;
    }
    return reader;
}

size_t reader_give(struct pipe *pipe, const char *data, size_t length, struct reader **done)
{
    struct reader *reader;

    while ((reader = reader_take(pipe))) {
        size_t given = length < reader->amount ? length : reader->amount;
        bool answered = reader_answer(reader, 0, data, given);

        reader->next = *done;
        *done = reader;
        if (answered)
            return given;
    }
    return 0;
}

/* Gives the first reader what is first in the queue. */
static void reader_give_queued(struct pipe *pipe, struct reader **done)
{
    const struct packet *packet = pipe->queue.first;
    size_t given = reader_give(pipe, packet->data + packet->start, packet->end - packet->start, done);

    if (given)
        queue_get(&pipe->queue, NULL, given, NULL, false, NULL, extras_drop);
}

void readers_serve(struct pipe *pipe, struct reader **done)
{
    while (pipe->readers && pipe->queue.first)
        reader_give_queued(pipe, done);
    while (pipe->readers && (pipe->writer_gone || pipe->reader_gone))
        reader_give(pipe, NULL, 0, done);
}

void pipe_release(struct reader *done)
{
    while (done) {
        struct reader *next = done->next;

        reader_release(done);
        done = next;
    }
}
