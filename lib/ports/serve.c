/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: threads that receive, dispatch and answer, with one system call a message.

   Sending never blocks: answers normally go to send-once rights, which take a message always; to a client that gave a
   send right whose queue is full the answer is lost (MACH_SEND_TIMEOUT with no time), because a server does not wait
   for its clients.  */

#include "ports-internal.h"

#include <malloc.h>
#include <stdlib.h>

#define unlikely(X) __builtin_expect(!!(X), 0)

enum {
    REQUEST_MAX_DEFAULT = 64 * 1024, /* of each of a thread's two buffers; untouched pages cost nothing */
    STACK_SIZE = 256 * 1024,
    IDLE_MS_DEFAULT = 60000,
};

/* One ports_bucket_serve.  Lives as long as the task: surplus threads may outlast the call. */
struct ports_loop {
    struct ports_bucket *bucket; /* constant */
    unsigned int exit_ms;        /* constant */
    mach_msg_size_t size;        /* constant: bytes of a message buffer */
    mach_msg_size_t request_max; /* constant: bytes of it that a request may take, one less at least */
    bool waits_for_memory;       /* constant */
    struct ports_pool pool;      /* bucket lock */
};

/* A thread of a loop. */
struct ports_worker {
    struct ports_loop *loop;
    struct ports_turn turn;
    mach_msg_header_t *request;   /* received into */
    mach_msg_header_t *reply;     /* answered from; the two change places with every answer */
    unsigned int limit;           /* constant: how long a receive may take, 0 for ever */
    unsigned long quiet_since;    /* pool.rounds when the wait began; the first one's */
};

__asm__(".text\n"
        ".globl ports_msg_trap\n"
        ".type ports_msg_trap, @function\n"
        "ports_msg_trap:\n"
        "    movq $-25, %rax\n"
        "    movq %rcx, %r10\n"
        "    syscall\n"
        "    ret\n"
        ".size ports_msg_trap, . - ports_msg_trap\n");

static void *worker_main(void *arg);

static error_t worker_spawn(void *loop)
{
    return thread_make(false, STACK_SIZE, worker_main, loop);
}

static error_t worker_acquire(struct ports_worker *worker)
{
    vm_address_t memory = 0;
    error_t err = vm_allocate(mach_task_self(), &memory, 2 * (vm_size_t)worker->loop->size, TRUE);
    worker->request = (void *)memory;
    worker->reply = (void *)(memory + worker->loop->size);
    return err;
}

static void worker_release(struct ports_worker *worker)
{
    mach_msg_header_t *first = worker->request < worker->reply ? worker->request : worker->reply;
    vm_deallocate(mach_task_self(), (vm_address_t)first, 2 * (vm_size_t)worker->loop->size);
}

static void worker_swap(struct ports_worker *worker)
{
    mach_msg_header_t *tmp = worker->request;
    worker->request = worker->reply;
    worker->reply = tmp;
}

/* Sends the answer in `request` (after the swap) without receiving. */
static void worker_send(struct ports_worker *worker)
{
    (void)ports_message_send_now(worker->request);
}

/* True if an error of mach_msg concerns the message that was to be sent. */
static bool error_is_send(mach_msg_return_t err)
{
    return (err & ~MACH_MSG_MASK) >= MACH_SEND_IN_PROGRESS && (err & ~MACH_MSG_MASK) <= MACH_SEND_INVALID_HEADER;
}

/* How the answer is sent that is in `request`. */
static mach_msg_option_t worker_send_option(const struct ports_worker *worker)
{
    return MACH_MSGH_BITS_REMOTE(worker->request->msgh_bits) == MACH_MSG_TYPE_MOVE_SEND_ONCE
               ? MACH_SEND_MSG
               : MACH_SEND_MSG | MACH_SEND_TIMEOUT;
}

/* Receives, with the OPTION for that, after the call that sent and received has failed with ERR. */
static mach_msg_return_t worker_receive_again(struct ports_worker *worker, mach_msg_option_t option,
                                              mach_msg_return_t err)
{
    if (error_is_send(err)) {
        if (err == MACH_SEND_INTERRUPTED)
            worker_send(worker);
        else
            ports_message_destroy(worker->request, true);
    } else if (err != MACH_RCV_INTERRUPTED) {
        return err;
    }
    return mach_msg(worker->request, option, 0, worker->loop->request_max, worker->loop->bucket->set, worker->limit,
                    MACH_PORT_NULL);
}

/* worker_receive with a time limit, or when memory is short. */
static mach_msg_return_t worker_receive_carefully(struct ports_worker *worker, bool answer)
{
    mach_msg_option_t option = MACH_RCV_MSG;
    mach_msg_size_t size = 0;

    if (pageout_is_short() && worker->loop->waits_for_memory) {
        if (answer)
            worker_send(worker);
        answer = false;
        pageout_wait();
    }
    if (worker->limit != 0) {
        option |= MACH_RCV_TIMEOUT;
        bucket_lock(worker->loop->bucket);
        worker->quiet_since = worker->loop->pool.rounds;
        bucket_unlock(worker->loop->bucket);
    }
    mach_msg_option_t both = option;
    if (answer) {
        mach_msg_option_t sending = worker_send_option(worker);
        if (worker->limit != 0 && sending != MACH_SEND_MSG) {
            worker_send(worker); /* the two time limits differ, and a call has but one */
        } else {
            both |= sending;
            size = worker->request->msgh_size;
        }
    }
    mach_msg_return_t err = mach_msg(worker->request, both, size, worker->loop->request_max,
                                     worker->loop->bucket->set, worker->limit, MACH_PORT_NULL);
    return err != 0 ? worker_receive_again(worker, option, err) : 0;
}

/* Answers, if ANSWER, and receives the next message, in one call where possible. */
static inline mach_msg_return_t worker_receive(struct ports_worker *worker, bool answer)
{
    struct ports_loop *loop = worker->loop;
    mach_msg_option_t option = MACH_RCV_MSG;
    mach_msg_size_t size = 0;

    if (unlikely(worker->limit != 0) || (loop->waits_for_memory && pageout_is_short()))
        return worker_receive_carefully(worker, answer);
    if (answer) {
        option |= worker_send_option(worker);
        size = worker->request->msgh_size;
    }
    mach_msg_return_t err = ports_msg_trap(worker->request, option, size, loop->request_max, loop->bucket->set, 0,
                                           MACH_PORT_NULL);
    return unlikely(err != 0) ? worker_receive_again(worker, MACH_RCV_MSG, err) : 0;
}

/* Nothing came in time to the first thread.  True if the loop is to end. */
static bool worker_timed_out(struct ports_worker *worker)
{
    struct ports_loop *loop = worker->loop;
    bucket_lock(loop->bucket);
    bool leave = ports_pool_quiet(&loop->pool) && loop->pool.rounds == worker->quiet_since;
    bucket_unlock(loop->bucket);
    return leave;
}

/* Serves until the thread is surplus (0), the loop is to end (0) or receiving fails. */
static error_t worker_serve(struct ports_worker *worker)
{
    bool answer = false;
    for (;;) {
        mach_msg_return_t err = worker_receive(worker, answer);
        answer = false;
        switch (err) {
        case MACH_MSG_SUCCESS:
            /* A string is sent as so many bytes; the last one in a message need not have an end of its own. (One before
               it ends at the latest in the type of what follows.) */
            ((char *)worker->request)[worker->request->msgh_size] = '\0';
            answer = dispatch_turn(worker->loop->bucket, &worker->turn, worker->request, (void *)worker->reply);
            if (answer)
                worker_swap(worker);
            if (!unlikely(worker->turn.next == POOL_RETIRE))
                break;
            if (answer)
                worker_send(worker);
            return 0;
        case MACH_RCV_TOO_LARGE: /* thrown away, but for the header */
            dispatch_lost(worker->loop->bucket, worker->request);
            break;
        case MACH_RCV_TIMED_OUT:
            if (worker_timed_out(worker))
                return 0;
            break;
        default:
            if ((err & ~MACH_MSG_MASK) == MACH_RCV_BODY_ERROR) { /* no room for what it carries */
                dispatch_lost(worker->loop->bucket, worker->request);
                ports_message_destroy(worker->request, true);
                break;
            }
            if ((err & ~MACH_MSG_MASK) == MACH_RCV_HEADER_ERROR)
                break; /* the kernel has destroyed the message */
            return err;
        }
    }
}

static error_t worker_run(struct ports_loop *loop, bool first)
{
    struct ports_worker worker = {
        .loop = loop,
        .limit = first ? loop->exit_ms : 0,
        .turn = {.pool = &loop->pool, .first = first, .spawn = worker_spawn, .arg = loop, .next = POOL_WAIT},
    };
    ports_pageout_thread();
    error_t err = worker_acquire(&worker);
    if (err)
        return err;
    dispatch_begin(loop->bucket, &worker.turn);
    err = worker_serve(&worker);
    dispatch_end(loop->bucket, &worker.turn);
    worker_release(&worker);
    return err;
}

static void *worker_main(void *arg)
{
    struct ports_loop *loop = arg;
    error_t err = worker_run(loop, false);
    if (err)
        patience_starved(loop->bucket, &loop->pool);
    return NULL;
}

void serve_refill(struct ports_pool *pool)
{
    struct ports_loop *loop = (struct ports_loop *)((char *)pool - offsetof(struct ports_loop, pool));
    if (worker_spawn(loop) != 0)
        patience_starved(loop->bucket, pool);
}

static error_t loop_create(struct ports_bucket *bucket, const struct ports_serve_options *options,
                           struct ports_loop **result)
{
    static const struct ports_serve_options sensible = {0};
    if (options == NULL)
        options = &sensible;
    /* One heap for all threads: each new thread would otherwise reserve 128 MiB of addresses and touch pages for one of
       its own, and what one thread allocates another frees in a server anyhow. */
    mallopt(M_ARENA_MAX, 1);
    struct ports_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return ENOMEM;
    loop->bucket = bucket;
    loop->exit_ms = options->exit_ms;
    loop->size = options->request_max != 0 ? options->request_max : REQUEST_MAX_DEFAULT;
    if (loop->size < PORTS_REPLY_MAX)
        loop->size = PORTS_REPLY_MAX;
    loop->size = (loop->size + vm_page_size - 1) & ~(vm_page_size - 1);
    loop->request_max = loop->size - sizeof(uint64_t);
    loop->waits_for_memory = options->waits_for_memory;
    ports_pool_init(&loop->pool, options->single, options->idle_ms != 0 ? options->idle_ms : IDLE_MS_DEFAULT);
    *result = loop;
    return 0;
}

error_t ports_bucket_serve(struct ports_bucket *bucket, const struct ports_serve_options *options)
{
    struct ports_loop *loop;
    error_t err = loop_create(bucket, options, &loop);
    return err ? err : worker_run(loop, true);
}

static void *detached_main(void *arg)
{
    worker_run(arg, true);
    return NULL;
}

error_t ports_bucket_serve_detached(struct ports_bucket *bucket, const struct ports_serve_options *options)
{
    struct ports_loop *loop;
    error_t err = loop_create(bucket, options, &loop);
    if (err)
        return err;
    err = thread_make(false, STACK_SIZE, detached_main, loop);
    if (err)
        free(loop);
    return err;
}
