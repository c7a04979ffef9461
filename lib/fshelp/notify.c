/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who wants to hear of changes of a node: file_notice_changes, dir_notice_changes.

   A notice is sent without waiting; who does not take it (dead, or its queue full) is dropped from the list: he missed
   one, and the tick numbers would not tell him if he got later ones.  The stubs of fs_notify are made with a message
   option for that (nowait_notify.defs).

   Of those at a node where nothing changes nobody would ever hear that they have died: they are looked for whenever the
   list has doubled.  A port of this server itself is refused, since the list would keep its object alive for ever.

   Lock: that of the list, its owner's. */

#include <fshelp/fshelp.h>

#include "nowait_notify_U.h"

#include <stdlib.h>
#include <string.h>

struct fshelp_notify {
    struct fshelp_notify *next;
    const void *key;        /* constant: of which node it wants to hear */
    mach_port_t port;       /* send right */
    unsigned int tick;
};

/* What a notice says: of a directory if `name` is not NULL. */
struct notice {
    const char *name;       /* a string_t */
    dir_changed_type_t dir_change;
    file_changed_type_t file_change;
    loff_t start, end;
};

static error_t notice_send(struct fshelp_notify *notify, const struct notice *notice)
{
    if (notice->name != NULL)
        return nowait_dir_changed(notify->port, MACH_SEND_TIMEOUT, notify->tick++, notice->dir_change,
                                  (char *)notice->name);
    return nowait_file_changed(notify->port, MACH_SEND_TIMEOUT, notify->tick++, notice->file_change, notice->start,
                               notice->end);
}

/* Takes *LINK out of its list. */
static void notify_drop(struct fshelp_notify **link)
{
    struct fshelp_notify *notify = *link;
    *link = notify->next;
    mach_port_deallocate(mach_task_self(), notify->port);
    free(notify);
}

/* Sends one notice to each of KEY's; those who did not take it go. */
static void notify_all(struct fshelp_notify **list, const void *key, const struct notice *notice)
{
    while (*list != NULL) {
        if ((*list)->key != key || notice_send(*list, notice) == 0)
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

static mach_port_type_t port_type(mach_port_t port)
{
    mach_port_type_t type;
    return mach_port_type(mach_task_self(), port, &type) == 0 ? type : 0;
}

/* Drops the dead ones if there are as many as a power of two. */
static void notify_sweep(struct fshelp_notify **list)
{
    enum { SWEEP_MIN = 4 };
    unsigned int count = 0;
    for (const struct fshelp_notify *notify = *list; notify != NULL; notify = notify->next)
        count++;
    if (count < SWEEP_MIN || (count & (count - 1)) != 0)
        return;
    while (*list != NULL) {
        if (port_type((*list)->port) & MACH_PORT_TYPE_SEND)
            list = &(*list)->next;
        else
            notify_drop(list);
    }
}

/* The protocol begins with a null notice, so that the other side knows that it hears. */
static error_t notify_add(struct fshelp_notify **list, const void *key, mach_port_t port, const struct notice *first)
{
    if ((port_type(port) & (MACH_PORT_TYPE_SEND | MACH_PORT_TYPE_RECEIVE)) != MACH_PORT_TYPE_SEND)
        return EINVAL;
    notify_sweep(list);
    struct fshelp_notify *notify = malloc(sizeof *notify);
    if (notify == NULL)
        return ENOMEM;
    *notify = (struct fshelp_notify){.key = key, .port = port};
    error_t err = notice_send(notify, first);
    if (err) {
        free(notify);
        return err;
    }
    notify->next = *list;
    *list = notify;
    return 0;
}

error_t fshelp_notify_add_file(struct fshelp_notify **list, const void *key, mach_port_t port)
{
    return notify_add(list, key, port, &(struct notice){.file_change = FILE_CHANGED_NULL});
}

error_t fshelp_notify_add_dir(struct fshelp_notify **list, const void *key, mach_port_t port)
{
    static const string_t nothing;
    return notify_add(list, key, port, &(struct notice){.name = nothing, .dir_change = DIR_CHANGED_NULL});
}
