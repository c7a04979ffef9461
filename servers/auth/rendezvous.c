/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rendezvous: who waits for whom.

   Lock order: waiting_lock, then what lib/ports takes.  No answer is sent with it held, and no more than a few calls of
   the kernel are made: each message that comes while it is held costs a thread, since lib/ports makes one whenever all
   others are busy.  (A sweep of thousands that was preempted once left 740 threads behind, on GNU Mach.) */

#include "auth.h"

#include <hurd/auth_reply.h>
#include <sched.h>
#include <stdlib.h>

#include "table.h"

/* Somebody who came first. */
struct waiter {
    struct table_entry entry;      /* entry.name: the rendezvous port, a send right that is ours; first member */
    TAILQ_ENTRY(waiter) link;      /* in handle->waiters, then in the list of those who are to be answered */
    TAILQ_ENTRY(waiter) of_all;    /* in everyone, while in the table */
    struct auth_handle *handle;    /* that the request was sent to; referenced, and counts us */
    struct auth_reply reply;       /* ours */
    bool is_server;
    mach_port_t newport;           /* a server's: ours */
    unsigned int since;            /* caretaker_ticks when it came */
    error_t end;                   /* what it will be answered, of those taken out to fail */
};

static pthread_mutex_t waiting_lock = PTHREAD_MUTEX_INITIALIZER;
static struct table waiting;       /* waiting_lock */
static struct waiter_list everyone = TAILQ_HEAD_INITIALIZER(everyone); /* the oldest first; waiting_lock */
static struct waiter *hand;        /* who of them is looked at next; NULL: the oldest; waiting_lock */

static void right_drop(mach_port_t port)
{
    if (MACH_PORT_VALID(port))
        mach_port_deallocate(mach_task_self(), port);
}

static void waiter_free(struct waiter *waiter)
{
    right_drop(waiter->entry.name);
    ports_object_deref(waiter->handle);
    free(waiter);
}

/* Sends a waiting server ERR or the ids of USER.  Who has died meanwhile gets nothing; the reply right is gone either
   way. */
static error_t waiter_answer_server(struct waiter *waiter, error_t err, const struct ids *ids)
{
    static const struct ids nothing;
    const struct ids *answer = ids ? ids : &nothing;
    kern_return_t sent = auth_server_authenticate_reply(waiter->reply.port, waiter->reply.type, err, answer->euids.ids,
                                                        answer->euids.count, answer->auids.ids, answer->auids.count,
                                                        answer->egids.ids, answer->egids.count, answer->agids.ids,
                                                        answer->agids.count);
    if (sent)
        right_drop(waiter->reply.port);
    return sent ? EDIED : 0;
}

/* Sends a waiting user ERR or NEWPORT, which is consumed. */
static void waiter_answer_user(struct waiter *waiter, error_t err, mach_port_t newport)
{
    if (auth_user_authenticate_reply(waiter->reply.port, waiter->reply.type, err, newport, MACH_MSG_TYPE_MOVE_SEND)) {
        right_drop(waiter->reply.port);
        right_drop(newport);
    }
}

/* Tells those who have been taken out of the table what has ended their wait. */
static void waiters_fail(struct waiter_list *list)
{
    struct waiter *waiter;
    while ((waiter = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, waiter, link);
        if (waiter->is_server) {
            waiter_answer_server(waiter, waiter->end, NULL);
            right_drop(waiter->newport);
        } else
            waiter_answer_user(waiter, waiter->end, MACH_PORT_NULL);
        waiter_free(waiter);
    }
}

/* Whoever asked for WAITER's half does not wait any more: it was interrupted, or has ended. */
static bool waiter_is_gone(const struct waiter *waiter)
{
    mach_port_type_t type = ports_name_type(waiter->reply.port);
    return type == 0 || (type & MACH_PORT_TYPE_DEAD_NAME) != 0;
}

/* Takes WAITER out of the table; lock held. */
static struct waiter *waiting_take(struct waiter *waiter)
{
    table_remove(&waiting, &waiter->entry);
    if (hand == waiter)
        hand = TAILQ_NEXT(waiter, of_all);
    TAILQ_REMOVE(&everyone, waiter, of_all);
    waiter->handle->waiting--;
    TAILQ_REMOVE(&waiter->handle->waiters, waiter, link);
    ports_object_cancel_dead(waiter->handle, waiter->entry.name);
    return waiter;
}

/* The same, to be answered END with all of LIST. */
static void waiting_end(struct waiter *waiter, error_t end, struct waiter_list *list)
{
    waiting_take(waiter)->end = end;
    TAILQ_INSERT_TAIL(list, waiter, link);
}

/* ---- waits that nobody ends ------------------------------------------------------------- */

/* The caretaker: a thread that looks once in a tick at those who wait, and sleeps while there are none. */
enum { CARETAKER_STACK = 64 * 1024 };
static bool caretaker_made;             /* waiting_lock */
static atomic_uint caretaker_awake;     /* 0: sleeps until this is 1; waiting_lock to change */
static unsigned int caretaker_ticks;    /* waiting_lock */

/* Ends the wait of the oldest if it has lasted for a minute; false: it has not. */
static bool end_overdue(struct auth_handle *any, struct waiter_list *list)
{
    struct waiter *oldest = TAILQ_FIRST(&everyone);
    (void) any;
    if (oldest == NULL || caretaker_ticks - oldest->since < AUTH_TICKS_MAX)
        return false;
    waiting_end(oldest, ETIMEDOUT, list);
    return true;
}

/* Looks at the next one, going round and round, and ends his wait if he does not wait any more. */
static bool end_gone(struct auth_handle *any, struct waiter_list *list)
{
    struct waiter *waiter = hand != NULL ? hand : TAILQ_FIRST(&everyone);
    (void) any;
    if (waiter == NULL)
        return false;
    hand = TAILQ_NEXT(waiter, of_all);
    if (waiter_is_gone(waiter))
        waiting_end(waiter, EINTR, list);
    return true;
}

/* Ends the wait of the oldest at HANDLE. */
static bool end_interrupted(struct auth_handle *handle, struct waiter_list *list)
{
    struct waiter *oldest = TAILQ_FIRST(&handle->waiters);
    if (oldest == NULL)
        return false;
    waiting_end(oldest, EINTR, list);
    return true;
}

/* Does END, with the lock, COUNT times or until it gives false, and answers whom it puts into the list; a few at a
   time, and others have their turn in between. */
static void end_many(size_t count, bool (*end)(struct auth_handle *, struct waiter_list *), struct auth_handle *handle)
{
    enum { AT_A_TIME = 16 };
    for (bool more = true; more && count > 0;) {
        struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
        pthread_mutex_lock(&waiting_lock);
        for (unsigned int i = 0; i < AT_A_TIME && more && count > 0; i++, count--)
            more = end(handle, &list);
        pthread_mutex_unlock(&waiting_lock);
        waiters_fail(&list);
        if (more && count > 0)
            sched_yield();
    }
}

void auth_rendezvous_tick(void)
{
    pthread_mutex_lock(&waiting_lock);
    size_t count = waiting.count;
    caretaker_ticks++;
    pthread_mutex_unlock(&waiting_lock);
    end_many(count, end_overdue, NULL);
    end_many(count, end_gone, NULL);
    pthread_mutex_lock(&waiting_lock);
    if (waiting.count == 0)
        atomic_store(&caretaker_awake, 0);
    pthread_mutex_unlock(&waiting_lock);
}

static void *caretaker_main(void *arg)
{
    for (;;) {
        ports_tick_wait(&caretaker_awake, AUTH_TICK_MS);
        auth_rendezvous_tick();
    }
    return arg;
}

/* Somebody has begun to wait; lock held.  Without memory for the thread the next one tries again: it stays asleep. */
static void caretaker_wake(void)
{
    if (!caretaker_made)
        caretaker_made = ports_thread_create(CARETAKER_STACK, caretaker_main, NULL) == 0;
    if (caretaker_made)
        ports_tick_wake(&caretaker_awake);
}

/* Looks at two of those who wait: the caretaker comes late when thousands come and go in a tick, and so there are
   never many more of those who have gone than of the others.  Lock held.  */
static void waiting_sweep(struct waiter_list *list)
{
    enum { SWEEP_MIN = 16 };
    if (waiting.count >= SWEEP_MIN) {
        end_gone(NULL, list);
        end_gone(NULL, list);
    }
}

/* ---- meeting ------------------------------------------------------------------------------ */

static bool port_is_handle(mach_port_t port)
{
    struct auth_handle *own = MACH_PORT_VALID(port) ? ports_object_lookup(auth_bucket, port, &auth_handle_class) : NULL;
    if (own != NULL)
        ports_object_deref(own);
    return own != NULL;
}

/* Whether WANTED may wait: nobody would hear of it at a handle that nobody has any more (EINTR); a handle as rendezvous
   or new port would be kept alive by the wait itself; and of a reply port that others may send to nobody could say
   whether it is waited at.  Lock held. */
static error_t waiting_check(const struct waiter *wanted)
{
    if (wanted->handle->ended)
        return EINTR;
    if (!MACH_PORT_VALID(wanted->reply.port) || wanted->reply.type != MACH_MSG_TYPE_MOVE_SEND_ONCE)
        return EINVAL;
    return port_is_handle(wanted->entry.name) || port_is_handle(wanted->newport) ? EINVAL : 0;
}

/* Puts a copy of WANTED, with references of its own, into the table; who must make room for it goes to LIST.  Lock
   held. */
static error_t waiting_enter(const struct waiter *wanted, struct waiter_list *list)
{
    error_t bad = waiting_check(wanted);
    if (bad)
        return bad;
    struct waiter *waiter = malloc(sizeof *waiter);
    if (waiter == NULL)
        return ENOMEM;
    *waiter = *wanted;
    waiter->since = caretaker_ticks;
    error_t err = table_add(&waiting, &waiter->entry);
    /* Under the lock, lest the name be given up and mean something else before the kernel is asked. */
    if (!err && (err = ports_object_notify_dead(waiter->handle, waiter->entry.name)) != 0)
        table_remove(&waiting, &waiter->entry);
    if (err) {
        free(waiter);
        return err;
    }
    struct auth_handle *handle = waiter->handle;
    if (handle->waiting >= AUTH_WAITING_MAX)
        waiting_end(TAILQ_FIRST(&handle->waiters), EAGAIN, list);
    ports_object_ref(handle);
    handle->waiting++;
    TAILQ_INSERT_TAIL(&handle->waiters, waiter, link);
    TAILQ_INSERT_TAIL(&everyone, waiter, of_all);
    if (!caretaker_awake)
        caretaker_wake();
    return 0;
}

/* Finds WANTED's partner at its rendezvous and takes him out of the table, in *PARTNER; else enters WANTED and leaves
   *PARTNER null. EBUSY: another waits there for the same side, and has not gone. */
static error_t waiting_meet(const struct waiter *wanted, struct waiter **partner)
{
    struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
    error_t err = 0;

    *partner = NULL;
    pthread_mutex_lock(&waiting_lock);
    struct waiter *there = (struct waiter *) table_find(&waiting, wanted->entry.name);
    if (there != NULL && there->is_server == wanted->is_server && waiter_is_gone(there)) {
        waiting_end(there, EINTR, &list);
        there = NULL;
    }
    if (there == NULL)
        err = waiting_enter(wanted, &list);
    else if (there->is_server == wanted->is_server)
        err = EBUSY;
    else
        *partner = waiting_take(there);
    waiting_sweep(&list);
    pthread_mutex_unlock(&waiting_lock);
    waiters_fail(&list);
    return err;
}

kern_return_t auth_rendezvous_user(struct auth_handle *handle, struct auth_reply reply, mach_port_t rendezvous,
                                   mach_port_t *newport)
{
    const struct waiter wanted = { .entry.name = rendezvous, .handle = handle, .reply = reply };
    struct waiter *server;
    error_t err;

    for (;;) {
        err = waiting_meet(&wanted, &server);
        if (err)
            return err;
        if (server == NULL)
            return MIG_NO_REPLY;
        if (waiter_answer_server(server, 0, &handle->ids) == 0)
            break;
        /* It died before we could tell it.  Another server may still come. */
        right_drop(server->newport);
        waiter_free(server);
    }
    *newport = server->newport;
    waiter_free(server);
    right_drop(rendezvous);
    return 0;
}

kern_return_t auth_rendezvous_server(struct auth_handle *handle, struct auth_reply reply, mach_port_t rendezvous,
                                     mach_port_t newport, struct auth_handle **user)
{
    const struct waiter wanted = {.entry.name = rendezvous,
                                  .handle = handle,
                                  .reply = reply,
                                  .is_server = true,
                                  .newport = newport};
    struct waiter *waiter;
    error_t err = waiting_meet(&wanted, &waiter);

    if (err)
        return err;
    if (waiter == NULL)
        return MIG_NO_REPLY;
    ports_object_ref(waiter->handle);
    *user = waiter->handle;
    waiter_answer_user(waiter, 0, newport);
    waiter_free(waiter);
    right_drop(rendezvous);
    return 0;
}

void auth_rendezvous_interrupt(struct auth_handle *handle)
{
    pthread_mutex_lock(&waiting_lock);
    size_t count = handle->waiting;     /* who comes from here on is not meant */
    pthread_mutex_unlock(&waiting_lock);
    end_many(count, end_interrupted, handle);
}

void auth_rendezvous_end(struct auth_handle *handle)
{
    pthread_mutex_lock(&waiting_lock);
    handle->ended = true;
    pthread_mutex_unlock(&waiting_lock);
    auth_rendezvous_interrupt(handle);
}

void auth_rendezvous_dead(struct auth_handle *handle, mach_port_t rendezvous)
{
    struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
    pthread_mutex_lock(&waiting_lock);
    struct waiter *waiter = (struct waiter *) table_find(&waiting, rendezvous);
    if (waiter != NULL && waiter->handle == handle)
        waiting_end(waiter, EDIED, &list);
    pthread_mutex_unlock(&waiting_lock);
    waiters_fail(&list);
}
