/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Port sets: one queue for the messages of all members. */

#include "ipc.h"

static struct cache pset_cache;

void pset_init(void)
{
    cache_init(&pset_cache, "port set", sizeof(struct ipc_pset));
}

struct ipc_pset *pset_alloc(void)
{
    struct ipc_pset *pset = cache_alloc(&pset_cache);
    if (pset == NULL)
        return NULL;
    *pset = (struct ipc_pset){.refs = 1, .active = true};
    mqueue_init(&pset->queue);
    list_init(&pset->members);
    return pset;
}

void pset_deref(struct ipc_pset *pset)
{
    if (--pset->refs == 0)
        cache_free(&pset_cache, pset);
}

/* Moves the messages for PORT from one queue to the other, in their order. */
static void messages_move(struct mqueue *from, struct mqueue *to, const struct ipc_port *port)
{
    uint32_t left = port->msgcount;
    list_for_each_safe(link, after, &from->messages) {
        if (left == 0)
            return;
        struct kmsg *kmsg = list_entry(link, struct kmsg, link);
        if (kmsg_remote(kmsg) == port) {
            list_remove(link);
            list_append(&to->messages, link);
            left--;
        }
    }
}

void pset_add(struct ipc_pset *pset, struct ipc_port *port)
{
    messages_move(&port->queue, &pset->queue, port);
    port->pset = pset;
    port->messages = &pset->queue;
    pset->refs++;
    list_append(&pset->members, &port->pset_link);
    /* Who waited on the port finds it in a set; who waits on the set may find a message. */
    wait_queue_wake_all(&port->queue.receivers, WAIT_MOVED);
    if (!list_empty(&pset->queue.messages))
        wait_queue_wake_all(&pset->queue.receivers, WAIT_RESTART);
}

/* PORT, whose messages are its own again, is no member of PSET any more. */
static void member_drop(struct ipc_pset *pset, struct ipc_port *port)
{
    list_remove(&port->pset_link);
    port->pset = NULL;
    port->messages = &port->queue;
    pset_deref(pset);
}

void pset_remove(struct ipc_port *port)
{
    struct ipc_pset *pset = port->pset;
    messages_move(&pset->queue, &port->queue, port);
    member_drop(pset, port);
}

void pset_destroy(struct ipc_pset *pset)
{
    struct list *link;
    pset->active = false;
    while ((link = list_pop(&pset->queue.messages)))
        list_append(&kmsg_remote(list_entry(link, struct kmsg, link))->queue.messages, link);
    while (!list_empty(&pset->members))
        member_drop(pset, list_entry(pset->members.next, struct ipc_port, pset_link));
    wait_queue_wake_all(&pset->queue.receivers, WAIT_DIED);
    pset_deref(pset);
}
