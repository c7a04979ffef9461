/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who wants to hear of changes of a node: file_notice_changes, dir_notice_changes.

   A notice is sent without waiting; who does not take it (dead, or its queue full) is dropped from the list: he missed
   one, and the tick numbers would not tell him if he got later ones.  The stubs of fs_notify are made with a message
   option for that (nowait_notify.defs), and leave nothing of what comes back (ports_msg_send).

   Anybody may name any port that he has a right to, also another server's, which never dies and takes every message.
   So the first notice, of nothing, asks for an answer.  Notices have none, and who knows them answers nothing or
   success; a server that does not know them says MIG_BAD_ID, as the kernel does for its own ports, and is dropped.
   Nobody waits for that: it arrives as a message at the watcher's own port, which is there until then.

   Who dies is dropped when the kernel says so.  A port of this server itself is refused, since the list would keep its
   object alive for ever.

   Life of a watcher: it is an object of lib/ports, referenced by the list, and has a receive right until its answer is
   there.  From the first notice on it has a reference to the list's owner, which whoever takes `owner` away gives up:
   who drops it, or who is about to because of an answer or a death.

   Lock: that of the list, its owner's.  lib/ports calls without it. */

#include <fshelp/fshelp.h>
#include <mach/notify.h>
#include <ports/ports.h>

#include "nowait_notify_U.h"

#include <string.h>

struct fshelp_notify {
    struct ports_object answers;    /* the answer to the first notice comes here, to a send-once right */
    struct fshelp_notify *next;
    const void *key;                /* constant: of which node it wants to hear */
    mach_port_t port;               /* constant: send right */
    unsigned int tick;
    struct fshelp_notify_home home; /* constant, but for `owner`, which is not used */
    _Atomic(void *) owner;          /* home's, until it is dropped */
    atomic_bool answered;           /* the answer is there */
};

static mig_routine_t answer_routine(const mach_msg_header_t *message);
static void watcher_dead(struct ports_object *object, mach_port_t name);
static const ports_interface_t notify_interfaces[] = {answer_routine, NULL};
static const struct ports_class_ops notify_ops = {
    .name = "watcher of changes", .size = sizeof(struct fshelp_notify), .interfaces = notify_interfaces,
    .dead_name = watcher_dead,
};
static struct ports_class notify_class = PORTS_CLASS(notify_ops);

/* What a notice says: of a directory if `name` is not NULL. */
struct notice {
    const char *name;       /* a string_t */
    dir_changed_type_t dir_change;
    file_changed_type_t file_change;
    loff_t start, end;
};

/* Sends NOTICE; an answer may go to REPLY, a receive right or MACH_PORT_NULL. */
static error_t notice_send(struct fshelp_notify *notify, const struct notice *notice, mach_port_t reply)
{
    mach_msg_type_name_t type = reply == MACH_PORT_NULL ? 0 : MACH_MSG_TYPE_MAKE_SEND_ONCE;
    if (notice->name != NULL)
        return nowait_dir_changed(notify->port, reply, type, MACH_SEND_TIMEOUT, notify->tick++, notice->dir_change,
                                  (char *)notice->name);
    return nowait_file_changed(notify->port, reply, type, MACH_SEND_TIMEOUT, notify->tick++, notice->file_change,
                               notice->start, notice->end);
}

/* The reference to the owner, for who has none of his own: NULL if somebody else has taken it. */
static void *owner_take(struct fshelp_notify *notify)
{
    return atomic_exchange(&notify->owner, NULL);
}

/* Gives up NOTIFY, which is in no list. */
static void notify_end(struct fshelp_notify *notify)
{
    ports_object_cancel_dead(notify, notify->port);     /* as long as the name means what it did */
    void *owner = owner_take(notify);
    if (owner != NULL)
        notify->home.owner_deref(owner);
    ports_object_destroy_right(notify);
    ports_object_deref(notify);
}

/* Takes *LINK out of its list. */
static void notify_drop(struct fshelp_notify **link)
{
    struct fshelp_notify *notify = *link;
    mach_port_t port = notify->port;
    *link = notify->next;
    notify_end(notify);
    mach_port_deallocate(mach_task_self(), port);
}

/* NOTIFY's list is to have it no longer; whoever says so does not hold its lock. */
static void notify_leave(struct fshelp_notify *notify)
{
    void *owner = owner_take(notify);
    if (owner == NULL)
        return;
    notify->home.drop(owner, notify);
    notify->home.owner_deref(owner);
}

static void watcher_dead(struct ports_object *object, mach_port_t name)
{
    (void)name;
    notify_leave((struct fshelp_notify *)object);
}

void fshelp_notify_drop(struct fshelp_notify **list, struct fshelp_notify *watcher)
{
    while (*list != NULL && *list != watcher)
        list = &(*list)->next;
    if (*list != NULL)
        notify_drop(list);
}

/* Sends one notice to each of KEY's; those who did not take it go. */
static void notify_all(struct fshelp_notify **list, const void *key, const struct notice *notice)
{
    while (*list != NULL) {
        if ((*list)->key != key || notice_send(*list, notice, MACH_PORT_NULL) == 0)
            list = &(*list)->next;
        else
            notify_drop(list);
    }
}

void fshelp_notify_dir(struct fshelp_notify **list, const void *key, dir_changed_type_t change, const char *name,
                       size_t length)
{
    string_t text;
    if (length >= sizeof text)
        length = sizeof text - 1;
    memcpy(text, name, length);
    memset(text + length, 0, sizeof text - length);
    notify_all(list, key, &(struct notice){.name = text, .dir_change = change});
}

void fshelp_notify_file(struct fshelp_notify **list, const void *key, file_changed_type_t change, loff_t start,
                        loff_t end)
{
    notify_all(list, key, &(struct notice){.file_change = change, .start = start, .end = end});
}

void fshelp_notify_clear(struct fshelp_notify **list)
{
    while (*list != NULL)
        notify_drop(list);
}

/* The link to PORT as a watcher of KEY's; NULL: it is none. */
static struct fshelp_notify **notify_find(struct fshelp_notify **list, const void *key, mach_port_t port)
{
    while (*list != NULL && ((*list)->key != key || (*list)->port != port))
        list = &(*list)->next;
    return *list != NULL ? list : NULL;
}

/* A watcher that is in no list yet, and whose PORT is still the caller's. */
static error_t notify_create(const void *key, mach_port_t port, const struct fshelp_notify_home *home,
                             struct fshelp_notify **result)
{
    struct fshelp_notify *notify;
    error_t err = ports_object_create(&notify_class, home->bucket, &notify);
    if (err)
        return err;
    notify->key = key;
    notify->port = port;
    notify->home = *home;
    home->owner_ref(home->owner);
    atomic_store(&notify->owner, home->owner);
    err = ports_object_notify_dead(notify, port);
    if (err) {
        notify_end(notify);
        return err == ENOMEM ? err : EINVAL; /* it died */
    }
    *result = notify;
    return 0;
}

/* *KNOWN's port asks again: hears FIRST again, and goes if it cannot. */
static error_t notify_again(struct fshelp_notify **known, const struct notice *first)
{
    error_t err = notice_send(*known, first, MACH_PORT_NULL);
    if (err)
        notify_drop(known);
    else
        mach_port_deallocate(mach_task_self(), (*known)->port); /* the list has one already */
    return err;
}

/* The protocol begins with a null notice, so that the other side knows that it hears. */
static error_t notify_add(struct fshelp_notify **list, const void *key, mach_port_t port,
                          const struct fshelp_notify_home *home, const struct notice *first)
{
    if ((ports_name_type(port) & (MACH_PORT_TYPE_SEND | MACH_PORT_TYPE_RECEIVE)) != MACH_PORT_TYPE_SEND)
        return EINVAL;
    struct fshelp_notify *notify, **known = notify_find(list, key, port);
    if (known != NULL)
        return notify_again(known, first);
    error_t err = notify_create(key, port, home, &notify);
    if (err)
        return err;
    err = notice_send(notify, first, ports_object_receive_name(notify));
    if (err) {
        notify_end(notify);
        return err;
    }
    notify->next = *list;   /* should it die now: who is told waits for the list's lock */
    *list = notify;
    return 0;
}

error_t fshelp_notify_add_file(struct fshelp_notify **list, const void *key, mach_port_t port,
                               const struct fshelp_notify_home *home)
{
    return notify_add(list, key, port, home, &(struct notice){.file_change = FILE_CHANGED_NULL});
}

error_t fshelp_notify_add_dir(struct fshelp_notify **list, const void *key, mach_port_t port,
                              const struct fshelp_notify_home *home)
{
    static const string_t nothing;
    return notify_add(list, key, port, home, &(struct notice){.name = nothing, .dir_change = DIR_CHANGED_NULL});
}

/* ---- the answer to the first notice ---------------------------------------------- */

/* Something has come to the port of a watcher, or the right to send it something has gone.  No more will come. */
static void answer_take(mach_msg_header_t *message, mach_msg_header_t *reply)
{
    enum { DIR_ANSWER = 20600, FILE_ANSWER = 20601 };
    struct fshelp_notify *notify = ports_payload_lookup(message->msgh_protected_payload, &notify_class);
    bool answer = (message->msgh_id == DIR_ANSWER || message->msgh_id == FILE_ANSWER) &&
                  message->msgh_size == sizeof(mig_reply_header_t) && !(message->msgh_bits & MACH_MSGH_BITS_COMPLEX);
    kern_return_t code = answer ? ((mig_reply_header_t *)message)->RetCode : 0;
    /* Anything else that it may carry is to be destroyed. */
    ((mig_reply_header_t *)reply)->RetCode =
        answer || message->msgh_id == MACH_NOTIFY_SEND_ONCE ? MIG_NO_REPLY : MIG_BAD_ID;
    if (notify == NULL)
        return;
    if (!atomic_exchange(&notify->answered, true)) {
        ports_object_destroy_right(notify);
        if (code == MIG_BAD_ID || code == EOPNOTSUPP)
            notify_leave(notify);
    }
    ports_object_deref(notify);
}

static mig_routine_t answer_routine(const mach_msg_header_t *message)
{
    (void)message;
    return answer_take;
}
