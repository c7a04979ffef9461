/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports: their life and the counts of their rights. */

#include "ipc.h"
#include "../task/task.h"
#include "../vm/pager.h"

static struct cache port_cache;

void port_init(void)
{
    cache_init(&port_cache, "port", sizeof(struct ipc_port));
}

void mqueue_init(struct mqueue *queue)
{
    list_init(&queue->messages);
    wait_queue_init(&queue->receivers);
}

struct ipc_port *port_alloc(void)
{
    struct ipc_port *port = cache_alloc(&port_cache);
    if (port == NULL)
        return NULL;
    *port = (struct ipc_port){.refs = 1, .active = true, .qlimit = MACH_PORT_QLIMIT_DEFAULT};
    mqueue_init(&port->queue);
    port->messages = &port->queue;
    wait_queue_init(&port->senders);
    list_init(&port->pset_link);
    list_init(&port->dnrequests);
    return port;
}

struct ipc_port *port_alloc_kernel(enum kobject_type type, void *kobject)
{
    struct ipc_port *port = port_alloc();
    if (port == NULL)
        return NULL;
    port->receiver = ipc_space_kernel;
    port->receiver_name = 1;
    port->kobject_type = type;
    port->kobject = kobject;
    return port;
}

void port_deref(struct ipc_port *port)
{
    assert(port->refs > 0);
    if (--port->refs == 0) {
        assert(!port->active);
        cache_free(&port_cache, port);
    }
}

/* Everybody who asked is told that their name is dead now.  Their entries become dead names when they are next looked
   at. */
static void dead_names_notify(struct ipc_port *port)
{
    struct list *link;
    while ((link = list_pop(&port->dnrequests))) {
        struct request *request = list_entry(link, struct request, link);
        struct ipc_entry *entry = space_lookup(request->space, request->name);
        struct ipc_port *notify = request->notify;
        mach_port_name_t name = request->name;
        if (entry && entry->request == request) {
            entry->request = NULL;
            /* The notification carries a reference to the name (Mach manual, "Request Notifications"). */
            right_check_dead(request->space, entry);
            if ((entry->bits & ENTRY_UREFS) < ENTRY_UREFS)
                entry->bits++;
        }
        kfree(request, sizeof *request);
        notify_dead_name(notify, name);
    }
}

void port_receiver_clear(struct ipc_port *port)
{
    port->receiver = NULL;
    port->receiver_name = 0;
    port->mscount = 0;
    port->seqno = 0;
    port->has_payload = false;
}

void port_destroy(struct ipc_port *port)
{
    if (port->pset)
        pset_remove(port);
    if (port->pdrequest) {
        /* The receive right is not lost: it goes to who asked for it. */
        struct ipc_port *notify = port->pdrequest;
        port->pdrequest = NULL;
        port_receiver_clear(port);
        wait_queue_wake_all(&port->queue.receivers, WAIT_DIED);
        notify_port_destroyed(notify, port);
        return;
    }
    port->active = false;
    port->receiver = NULL;
    port->kobject_type = KOBJECT_NONE;
    port->kobject = NULL;
    wait_queue_wake_all(&port->queue.receivers, WAIT_DIED);
    wait_queue_wake_all(&port->senders, WAIT_RESTART);
    struct list *link;
    while ((link = list_pop(&port->queue.messages))) {
        /* Its destination's right is a right of this port: it ends with the message. */
        port->msgcount--;
        kmsg_destroy(list_entry(link, struct kmsg, link));
    }
    if (port->nsrequest) {
        struct ipc_port *notify = port->nsrequest;
        port->nsrequest = NULL;
        notify_send_once(notify);
    }
    port_transit_leave(port);
    if (port->is_pager)
        object_pager_died(port);
    dead_names_notify(port);
    port_deref(port);
}

struct ipc_port *port_make_send(struct ipc_port *port)
{
    if (!IP_VALID(port))
        return port;
    if (!port->active)
        return IP_DEAD;
    port->mscount++;
    port->srights++;
    port->refs++;
    return port;
}

struct ipc_port *port_copy_send(struct ipc_port *port)
{
    if (!IP_VALID(port))
        return port;
    if (!port->active)
        return IP_DEAD;
    port->srights++;
    port->refs++;
    return port;
}

struct ipc_port *port_make_sonce(struct ipc_port *port)
{
    if (!IP_VALID(port))
        return port;
    port->sorights++;
    port->refs++;
    return port;
}

void port_no_senders(struct ipc_port *port)
{
    if (unlikely(port->kernel_no_senders) && port->active)
        kobject_no_senders(port);
    else if (port->active && port->nsrequest && port->srights == 0) {
        struct ipc_port *notify = port->nsrequest;
        port->nsrequest = NULL;
        notify_no_senders(notify, port->mscount);
    }
}

void port_release_send(struct ipc_port *port)
{
    if (!IP_VALID(port))
        return;
    assert(port->srights > 0);
    if (--port->srights == 0)
        port_no_senders(port);
    port_deref(port);
}

void port_release_sonce(struct ipc_port *port)
{
    if (!IP_VALID(port))
        return;
    assert(port->sorights > 0);
    if (port->active && port->receiver != ipc_space_kernel) {
        notify_send_once(port); /* uses the right */
        return;
    }
    port->sorights--;
    port_deref(port);
}

void right_release(struct ipc_port *port, mach_msg_type_name_t type)
{
    if (!IP_VALID(port))
        return;
    switch (type) {
    case MACH_MSG_TYPE_PORT_SEND:
        port_release_send(port);
        break;
    case MACH_MSG_TYPE_PORT_SEND_ONCE:
        port_release_sonce(port);
        break;
    case MACH_MSG_TYPE_PORT_RECEIVE:
        port_transit_leave(port);
        port_destroy(port);
        break;
    default:
        panic("right_release: %u is no kind of right", type);
    }
}

/* ---- receive rights in messages ------------------------------------------------------------- */

static uint64_t transit_changes = 1; /* how often a right went into a message or came out of one */

/* A right that is about to go into a message can be in the row that begins at its destination only as its last. */
static struct ipc_port *transit_end(struct ipc_port *destination)
{
    struct ipc_port *at = destination;
    while (at->receiver == NULL && at->active && at->destination)
        at = at->destination;
    return at;
}

bool port_transit_enter(struct ipc_port *port, struct ipc_port *destination, struct transit *known)
{
    if (known->changes != transit_changes) {
        known->end = transit_end(destination);
        known->changes = transit_changes;
    }
    if (port == known->end)
        return false;
    port->destination = destination;
    port_ref(destination);
    known->changes = ++transit_changes; /* the row that begins at DESTINATION is the same */
    return true;
}

void port_transit_leave(struct ipc_port *port)
{
    struct ipc_port *destination = port->destination;
    if (destination == NULL)
        return;
    port->destination = NULL;
    transit_changes++;
    port_deref(destination);
}
