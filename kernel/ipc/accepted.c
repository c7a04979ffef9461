/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msg-accepted notifications (Mach manual, "Message Send", MACH_SEND_NOTIFY): a message is queued although the queue is
   full, and who sent it is told when it leaves the queue.  A task has at most one such message on its way by each of
   its names; the name's entry is marked (MACH_PORT_TYPE_MAREQUEST).

   The request belongs to the message.  It has the name by which the sender knows the port, as long as the name is that:
   a name that goes takes itself out of the request (accepted_forget).

   Lock: the kernel lock. */

#include "ipc.h"

#define BUCKETS 1024 /* any task may have as many requests as it has names */

static struct list buckets[BUCKETS]; /* of the requests, by space and name */

void accepted_init(void)
{
    for (unsigned int i = 0; i < BUCKETS; i++)
        list_init(&buckets[i]);
}

static struct list *bucket_of(const struct ipc_space *space, mach_port_name_t name)
{
    return &buckets[(((uint64_t)space >> 6) + name) * 0x9e3779b97f4a7c15 >> 54];
}

mach_msg_return_t accepted_request(struct kmsg *kmsg, struct ipc_space *space, mach_port_name_t notify)
{
    struct ipc_entry *receive = space_lookup(space, notify), *entry = space_reverse(space, kmsg_remote(kmsg));
    if (receive == NULL || !(receive->bits & MACH_PORT_TYPE_RECEIVE))
        return MACH_SEND_INVALID_NOTIFY;
    if (entry && (entry->bits & MACH_PORT_TYPE_MAREQUEST))
        return MACH_SEND_NOTIFY_IN_PROGRESS;
    struct request *request = kalloc(sizeof *request);
    if (request == NULL)
        return MACH_SEND_NO_NOTIFY;
    *request = (struct request){.space = space, .notify = port_make_sonce(receive->port)};
    if (entry) {
        request->name = entry->name;
        entry->bits |= MACH_PORT_TYPE_MAREQUEST;
    }
    list_append(bucket_of(space, request->name), &request->link);
    kmsg->accepted = request;
    return MACH_MSG_SUCCESS;
}

unsigned int accepted_count(void)
{
    unsigned int count = 0;
    for (unsigned int i = 0; i < BUCKETS; i++)
        list_for_each(link, &buckets[i])
            count++;
    return count;
}

static struct request *request_find(const struct ipc_space *space, mach_port_name_t name)
{
    list_for_each(link, bucket_of(space, name)) {
        struct request *request = list_entry(link, struct request, link);
        if (request->space == space && request->name == name)
            return request;
    }
    panic("a name is marked for a notification that nobody asked for");
}

/* REQUEST's name is NEW from now on (MACH_PORT_NAME_NULL: none). */
static void request_rename(struct request *request, mach_port_name_t new)
{
    list_remove(&request->link);
    request->name = new;
    list_append(bucket_of(request->space, new), &request->link);
}

void accepted_forget(struct ipc_space *space, struct ipc_entry *entry)
{
    request_rename(request_find(space, entry->name), MACH_PORT_NAME_NULL);
    entry->bits &= ~MACH_PORT_TYPE_MAREQUEST;
}

void accepted_rename(struct ipc_space *space, mach_port_name_t old_name, mach_port_name_t new_name)
{
    request_rename(request_find(space, old_name), new_name);
}

void accepted_notify(struct kmsg *kmsg)
{
    struct request *request = kmsg->accepted;
    struct ipc_port *notify = request->notify;
    mach_port_name_t name = request->name;
    kmsg->accepted = NULL;
    list_remove(&request->link);
    if (name != MACH_PORT_NAME_NULL)
        space_lookup(request->space, name)->bits &= ~MACH_PORT_TYPE_MAREQUEST;
    kfree(request, sizeof *request);
    notify_msg_accepted(notify, name);
}
