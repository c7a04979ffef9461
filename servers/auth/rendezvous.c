/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rendezvous: who waits for whom.

   Lock order: waiting_lock, then what lib/ports takes.  No answer is sent with it held. */

#include "auth.h"

#include <hurd/auth_reply.h>
#include <stdlib.h>

#include "table.h"

/* Somebody who came first. */
struct waiter {
    struct table_entry entry;      /* entry.name: the rendezvous port, a send right that is ours; first member */
    struct auth_handle *handle;    /* that the request was sent to; referenced, and counts us */
    struct auth_reply reply;       /* ours */
    bool is_server;
    mach_port_t newport;           /* a server's: ours */
};

static pthread_mutex_t waiting_lock = PTHREAD_MUTEX_INITIALIZER;
static struct table waiting;       /* waiting_lock */
enum { SWEEP_MIN = 16 };
static size_t sweep_at = SWEEP_MIN; /* entries; waiting_lock */
static size_t unswept;              /* requests since the last sweep; waiting_lock */

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

/* Sends a waiting server ERR or the ids of USER.  Who has died meanwhile gets nothing; the reply right is gone either way. */
static error_t waiter_answer_server(struct waiter *waiter, error_t err, const struct ids *ids)
{
    static const struct ids nothing;
    const struct ids *answer = ids ? ids : &nothing;
    kern_return_t sent = auth_server_authenticate_reply(waiter->reply.port, waiter->reply.type, err, answer->euids.ids, answer->euids.count,
                                                        answer->auids.ids, answer->auids.count, answer->egids.ids, answer->egids.count,
                                                        answer->agids.ids, answer->agids.count);
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

/* Ends the wait of one who has been taken out of the table, with ERR. */
static void waiter_fail(struct waiter *waiter, error_t err)
{
    if (waiter->is_server) {
        waiter_answer_server(waiter, err, NULL);
        right_drop(waiter->newport);
    } else
        waiter_answer_user(waiter, err, MACH_PORT_NULL);
    waiter_free(waiter);
}

/* Whoever asked for WAITER's half does not wait any more: it was interrupted, or has ended. */
static bool waiter_is_gone(const struct waiter *waiter)
{
    mach_port_type_t type;
    return mach_port_type(mach_task_self(), waiter->reply.port, &type) != 0 || (type & MACH_PORT_TYPE_DEAD_NAME) != 0;
}

/* ENTRY, just taken out of the table, waits no more; lock held. */
static void entry_left(struct table_entry *entry)
{
    struct waiter *waiter = (struct waiter *) entry;
    waiter->handle->waiting--;
    ports_object_cancel_dead(waiter->handle, entry->name);
}

/* Takes WAITER out of the table; lock held. */
static struct waiter *waiting_take(struct waiter *waiter)
{
    table_remove(&waiting, &waiter->entry);
    entry_left(&waiter->entry);
    return waiter;
}

/* Takes out of the table, and gives, all whom TEST(entry, ARG) is true for; lock held. */
static struct table_entry *waiting_take_all(bool (*test)(struct table_entry *, void *), void *arg)
{
    struct table_entry *list = table_take(&waiting, test, arg);
    for (struct table_entry *entry = list; entry != NULL; entry = entry->next)
        entry_left(entry);
    return list;
}

static bool port_is_handle(mach_port_t port)
{
    struct auth_handle *own = MACH_PORT_VALID(port) ? ports_object_lookup(auth_bucket, port, &auth_handle_class) : NULL;
    if (own != NULL)
        ports_object_deref(own);
    return own != NULL;
}

/* Whether WANTED's wait is sure to end when its sender does.  A handle as rendezvous or new port would be kept alive by the wait itself, for ever; and of
   a reply port that others may send to nobody could say whether it is waited at. */
static error_t waiting_check(const struct waiter *wanted)
{
    if (!MACH_PORT_VALID(wanted->reply.port) || wanted->reply.type != MACH_MSG_TYPE_MOVE_SEND_ONCE)
        return EINVAL;
    if (port_is_handle(wanted->entry.name) || port_is_handle(wanted->newport))
        return EINVAL;
    return wanted->handle->waiting >= AUTH_WAITING_MAX ? EAGAIN : 0;
}

/* Puts a copy of WAITER, with references of its own, into the table; lock held. */
static error_t waiting_enter(const struct waiter *wanted)
{
    error_t bad = waiting_check(wanted);
    if (bad)
        return bad;
    struct waiter *waiter = malloc(sizeof *waiter);
    if (waiter == NULL)
        return ENOMEM;
    *waiter = *wanted;
    error_t err = table_add(&waiting, &waiter->entry);
    /* Under the lock, lest the name be given up and mean something else before the kernel is asked. */
    if (!err && (err = ports_object_notify_dead(waiter->handle, waiter->entry.name)) != 0)
        table_remove(&waiting, &waiter->entry);
    if (err) {
        free(waiter);
    } else {
        ports_object_ref(waiter->handle);
        waiter->handle->waiting++;
    }
    return err;
}

static bool entry_is_gone(struct table_entry *entry, void *arg)
{
    (void)arg;
    return waiter_is_gone((struct waiter *)entry);
}

/* Takes out of the table all who do not wait any more, when it has grown to twice what the last time left, or after many requests: at a rendezvous that
   nobody comes to they would stay for as long as its port lives, which they keep alive.  Lock held.  */
static struct table_entry *waiting_sweep(void)
{
    struct table_entry *list = NULL;
    if (waiting.count < sweep_at && (waiting.count < SWEEP_MIN || ++unswept < 4 * waiting.count))
        return NULL;
    unswept = 0;
    list = waiting_take_all(entry_is_gone, NULL);
    sweep_at = waiting.count > SWEEP_MIN / 2 ? 2 * waiting.count : SWEEP_MIN;
    return list;
}

/* Answers all of LIST, who have been taken out of the table, with EINTR.  */
static void list_fail(struct table_entry *list)
{
    while (list != NULL) {
        struct table_entry *next = list->next;
        waiter_fail((struct waiter *)list, EINTR);
        list = next;
    }
}

/* Finds WANTED's partner at its rendezvous and takes him out of the table, in *PARTNER; else enters WANTED and leaves *PARTNER null.
   EBUSY: another waits there for the same side, and has not gone. */
static error_t waiting_meet(const struct waiter *wanted, struct waiter **partner)
{
    struct waiter *gone = NULL;
    struct table_entry *swept = NULL;
    error_t err = 0;

    *partner = NULL;
    pthread_mutex_lock(&waiting_lock);
    struct waiter *there = (struct waiter *) table_find(&waiting, wanted->entry.name);
    if (there != NULL && there->is_server == wanted->is_server && waiter_is_gone(there)) {
        gone = waiting_take(there);
        there = NULL;
    }
    if (there == NULL)
        err = waiting_enter(wanted);
    else if (there->is_server == wanted->is_server)
        err = EBUSY;
    else
        *partner = waiting_take(there);
    swept = waiting_sweep();
    pthread_mutex_unlock(&waiting_lock);
    if (gone != NULL)
        waiter_fail(gone, EINTR);
    list_fail(swept);
    return err;
}

kern_return_t auth_rendezvous_user(struct auth_handle *handle, struct auth_reply reply, mach_port_t rendezvous, mach_port_t *newport)
{
    const struct waiter wanted = { { rendezvous, NULL }, handle, reply, false, MACH_PORT_NULL };
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

kern_return_t auth_rendezvous_server(struct auth_handle *handle, struct auth_reply reply, mach_port_t rendezvous, mach_port_t newport,
                                     struct auth_handle **user)
{
    const struct waiter wanted = { { rendezvous, NULL }, handle, reply, true, newport };
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

static bool waiter_is_of(struct table_entry *entry, void *handle)
{
    return ((struct waiter *) entry)->handle == handle;
}

void auth_rendezvous_interrupt(struct auth_handle *handle)
{
    pthread_mutex_lock(&waiting_lock);
    struct table_entry *list = handle->waiting > 0 ? waiting_take_all(waiter_is_of, handle) : NULL;
    pthread_mutex_unlock(&waiting_lock);
    list_fail(list);
}

void auth_rendezvous_dead(struct auth_handle *handle, mach_port_t rendezvous)
{
    pthread_mutex_lock(&waiting_lock);
    struct waiter *waiter = (struct waiter *) table_find(&waiting, rendezvous);
    if (waiter != NULL && waiter->handle == handle) {
        table_remove(&waiting, &waiter->entry);
        handle->waiting--;
    } else
        waiter = NULL;
    pthread_mutex_unlock(&waiting_lock);
    if (waiter != NULL)
        waiter_fail(waiter, EDIED);
}
