/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rights of a space: into messages, out of messages, and counted (Mach manual, "Port Manipulation Interface"). */

#include "ipc.h"

static inline bool is_receive(const struct ipc_entry *entry)
{
    return entry->bits & MACH_PORT_TYPE_RECEIVE;
}

/* Ends what ENTRY stands for in the table of send rights, if it is there. */
static void forget_send(struct ipc_space *space, struct ipc_entry *entry)
{
    if ((entry->bits & MACH_PORT_TYPE_SEND_RECEIVE) == MACH_PORT_TYPE_SEND)
        space_reverse_remove(space, entry);
}

/* Drops the entry's request; its send-once right is the caller's, for a port-deleted notification (IP_NULL: there was
   none). */
static struct ipc_port *request_take(struct ipc_entry *entry)
{
    struct request *request = entry->request;
    if (request == NULL)
        return IP_NULL;
    entry->request = NULL;
    list_remove(&request->link);
    struct ipc_port *notify = request->notify;
    kfree(request, sizeof *request);
    return notify;
}

kern_return_t request_add(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *notify)
{
    struct request *request = kalloc(sizeof *request);
    if (request == NULL)
        return KERN_RESOURCE_SHORTAGE;
    *request = (struct request){.space = space, .name = entry->name, .notify = notify};
    list_append(&entry->port->dnrequests, &request->link);
    entry->request = request;
    return KERN_SUCCESS;
}

/* What is asked about ENTRY's name ends, as the name goes.  The send-once right of its dead-name request is the
   caller's (IP_NULL: none). */
static struct ipc_port *requests_end(struct ipc_space *space, struct ipc_entry *entry)
{
    if (unlikely(entry->bits & MACH_PORT_TYPE_MAREQUEST))
        accepted_forget(space, entry);
    return request_take(entry);
}

/* The work of right_check_dead. */
void right_die(struct ipc_space *space, struct ipc_entry *entry)
{
    struct ipc_port *port = entry->port;
    if (unlikely(entry->bits & MACH_PORT_TYPE_MAREQUEST))
        accepted_forget(space, entry);
    if (entry->bits & MACH_PORT_TYPE_SEND) {
        forget_send(space, entry);
        port->srights--;
    } else {
        port->sorights--;
    }
    entry->bits = (entry->bits & ENTRY_COUNT) | MACH_PORT_TYPE_DEAD_NAME;
    entry->port = NULL;
    port_deref(port);
}

/* ENTRY has nothing any more. */
static void entry_drop(struct ipc_space *space, struct ipc_entry *entry)
{
    mach_port_name_t name = entry->name;
    struct ipc_port *notify = requests_end(space, entry);
    space_entry_free(space, entry);
    notify_port_deleted(notify, name);
}

/* ---- into messages -------------------------------------------------------------------- */

bool right_copyin_check(struct ipc_space *space, mach_port_name_t name, mach_msg_type_name_t type)
{
    struct ipc_entry *entry = space_lookup(space, name);
    if (entry == NULL)
        return false;
    switch (type) {
    case MACH_MSG_TYPE_MAKE_SEND:
    case MACH_MSG_TYPE_MAKE_SEND_ONCE:
    case MACH_MSG_TYPE_MOVE_RECEIVE:
        return is_receive(entry);
    case MACH_MSG_TYPE_COPY_SEND:
    case MACH_MSG_TYPE_MOVE_SEND:
        return right_check_dead(space, entry) || (entry->bits & MACH_PORT_TYPE_SEND);
    case MACH_MSG_TYPE_MOVE_SEND_ONCE:
        return right_check_dead(space, entry) || (entry->bits & MACH_PORT_TYPE_SEND_ONCE);
    default:
        return false;
    }
}

/* One user reference less of a name with send rights, whose right the caller has taken or copied. */
static void send_uref_drop(struct ipc_space *space, struct ipc_entry *entry)
{
    if (entry_has_more(entry)) {
        entry_uref_drop(entry);
        return;
    }
    if (is_receive(entry)) {
        entry->bits &= ~(MACH_PORT_TYPE_SEND | ENTRY_UREFS);
        return;
    }
    forget_send(space, entry);
    entry_drop(space, entry);
}

static kern_return_t copyin_receive(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port **result)
{
    struct ipc_port *port = entry->port;
    *result = port;
    if (port->pset)
        pset_remove(port);
    port_receiver_clear(port);
    wait_queue_wake_all(&port->queue.receivers, WAIT_DIED);
    if (entry->bits & MACH_PORT_TYPE_SEND) {
        port->refs++; /* the entry's goes on standing for the send right */
        entry->bits &= ~MACH_PORT_TYPE_RECEIVE;
        space_reverse_insert(space, entry);
    } else {
        entry_drop(space, entry); /* its reference goes with the right */
    }
    return KERN_SUCCESS;
}

static kern_return_t copyin_dead(struct ipc_space *space, struct ipc_entry *entry, mach_msg_type_name_t type,
                                 bool dead_ok, struct ipc_port **result)
{
    if (!dead_ok)
        return KERN_INVALID_RIGHT;
    *result = IP_DEAD;
    if (type != MACH_MSG_TYPE_COPY_SEND)
        right_dealloc(space, entry);
    return KERN_SUCCESS;
}

/* One reference of ENTRY's, a send right, as a right on its way. */
static struct ipc_port *copyin_send(struct ipc_space *space, struct ipc_entry *entry)
{
    struct ipc_port *port = entry->port;
    if (entry_has_more(entry) || is_receive(entry)) {
        /* The name keeps a right, or the receive right keeps the reference. */
        port->refs++;
        if (entry_has_more(entry))
            port->srights++;
    }
    send_uref_drop(space, entry);
    return port;
}

kern_return_t right_copyin(struct ipc_space *space, mach_port_name_t name, mach_msg_type_name_t type, bool dead_ok,
                           struct ipc_port **result)
{
    struct ipc_entry *entry = space_lookup(space, name);
    if (entry == NULL)
        return KERN_INVALID_NAME;
    switch (type) {
    case MACH_MSG_TYPE_MAKE_SEND:
        if (!is_receive(entry))
            return KERN_INVALID_RIGHT;
        *result = port_make_send(entry->port);
        return KERN_SUCCESS;
    case MACH_MSG_TYPE_MAKE_SEND_ONCE:
        if (!is_receive(entry))
            return KERN_INVALID_RIGHT;
        *result = port_make_sonce(entry->port);
        return KERN_SUCCESS;
    case MACH_MSG_TYPE_MOVE_RECEIVE:
        return is_receive(entry) ? copyin_receive(space, entry, result) : KERN_INVALID_RIGHT;
    case MACH_MSG_TYPE_COPY_SEND:
        if (right_check_dead(space, entry))
            return copyin_dead(space, entry, type, dead_ok, result);
        if (!(entry->bits & MACH_PORT_TYPE_SEND))
            return KERN_INVALID_RIGHT;
        *result = port_copy_send(entry->port);
        return KERN_SUCCESS;
    case MACH_MSG_TYPE_MOVE_SEND:
        if (right_check_dead(space, entry))
            return copyin_dead(space, entry, type, dead_ok, result);
        if (!(entry->bits & MACH_PORT_TYPE_SEND))
            return KERN_INVALID_RIGHT;
        *result = copyin_send(space, entry);
        return KERN_SUCCESS;
    case MACH_MSG_TYPE_MOVE_SEND_ONCE:
        if (right_check_dead(space, entry))
            return copyin_dead(space, entry, type, dead_ok, result);
        if (!(entry->bits & MACH_PORT_TYPE_SEND_ONCE))
            return KERN_INVALID_RIGHT;
        *result = entry->port;
        entry_drop(space, entry);
        return KERN_SUCCESS;
    default:
        return KERN_INVALID_RIGHT;
    }
}

/* ---- out of messages --------------------------------------------------------------------- */

static void copyout_receive(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *port)
{
    if (entry->bits & MACH_PORT_TYPE_SEND) {
        space_reverse_remove(space, entry);
        port_deref(port); /* one reference is enough for both */
    } else {
        entry->port = port;
    }
    entry->bits |= MACH_PORT_TYPE_RECEIVE;
    port->receiver = space;
    port->receiver_name = entry->name;
    port_transit_leave(port);
}

/* A second, third, … send right under a name. */
static void copyout_send_more(struct ipc_entry *entry, struct ipc_port *port)
{
    if (entry->bits & MACH_PORT_TYPE_SEND) {
        entry_uref_add(entry);
        port->srights--;
    } else {
        entry->bits = (entry->bits & ~ENTRY_UREFS) | MACH_PORT_TYPE_SEND | 1;
    }
    port_deref(port);
}

/* Fills an entry that has nothing yet. */
static void copyout_fresh(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *port,
                          mach_msg_type_name_t type)
{
    entry->port = port;
    switch (type) {
    case MACH_MSG_TYPE_PORT_SEND:
        entry->bits = MACH_PORT_TYPE_SEND | 1;
        space_reverse_insert(space, entry);
        break;
    case MACH_MSG_TYPE_PORT_SEND_ONCE:
        entry->bits = MACH_PORT_TYPE_SEND_ONCE | 1;
        break;
    default:
        entry->bits = 0;
        copyout_receive(space, entry, port);
    }
}

kern_return_t right_copyout(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t type,
                            mach_port_name_t *name)
{
    struct ipc_entry *entry = type == MACH_MSG_TYPE_PORT_SEND_ONCE ? NULL : space_reverse(space, port);
    if (entry) {
        *name = entry->name;
        if (type == MACH_MSG_TYPE_PORT_SEND)
            copyout_send_more(entry, port);
        else
            copyout_receive(space, entry, port);
        return KERN_SUCCESS;
    }
    kern_return_t kr = space_entry_alloc(space, &entry);
    if (kr)
        return kr;
    *name = entry->name;
    copyout_fresh(space, entry, port, type);
    return KERN_SUCCESS;
}

kern_return_t right_copyout_name(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t type,
                                 mach_port_name_t name)
{
    struct ipc_entry *entry = type == MACH_MSG_TYPE_PORT_SEND_ONCE ? NULL : space_reverse(space, port);
    if (entry) {
        if (entry->name != name)
            return KERN_RIGHT_EXISTS;
        if (type == MACH_MSG_TYPE_PORT_SEND) {
            if ((entry->bits & MACH_PORT_TYPE_SEND) && entry_urefs(entry) >= SEND_UREFS_MAX)
                return KERN_UREFS_OVERFLOW;
            copyout_send_more(entry, port);
        } else {
            copyout_receive(space, entry, port);
        }
        return KERN_SUCCESS;
    }
    kern_return_t kr = space_entry_alloc_name(space, name, &entry);
    if (kr)
        return kr;
    copyout_fresh(space, entry, port, type);
    return KERN_SUCCESS;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* Ends ENTRY, which has one kind of send right with one reference, and gives the right up; who asked about the name is
   told last. */
static void send_right_drop(struct ipc_space *space, struct ipc_entry *entry)
{
    struct ipc_port *port = entry->port, *notify;
    mach_port_name_t name = entry->name;
    bool once = entry->bits & MACH_PORT_TYPE_SEND_ONCE;
    forget_send(space, entry);
    notify = requests_end(space, entry);
    space_entry_free(space, entry);
    if (once)
        port_release_sonce(port);
    else
        port_release_send(port);
    notify_port_deleted(notify, name);
}

/* The same of one with the receive right, and send rights perhaps. */
static void receive_right_drop(struct ipc_space *space, struct ipc_entry *entry)
{
    struct ipc_port *port = entry->port, *notify, *senders = IP_NULL;
    mach_port_name_t name = entry->name;
    mach_port_mscount_t mscount = port->mscount;
    if ((entry->bits & MACH_PORT_TYPE_SEND) && --port->srights == 0) {
        senders = port->nsrequest;
        port->nsrequest = NULL;
    }
    notify = requests_end(space, entry);
    space_entry_free(space, entry);
    port_destroy(port);
    notify_no_senders(senders, mscount);
    notify_port_deleted(notify, name);
}

void right_destroy(struct ipc_space *space, struct ipc_entry *entry)
{
    if (right_check_dead(space, entry)) {
        entry_drop(space, entry);
    } else if (entry->bits & MACH_PORT_TYPE_PORT_SET) {
        struct ipc_pset *pset = entry->pset;
        entry_drop(space, entry);
        pset_destroy(pset);
    } else if (is_receive(entry)) {
        receive_right_drop(space, entry);
    } else {
        send_right_drop(space, entry);
    }
}

kern_return_t right_dealloc(struct ipc_space *space, struct ipc_entry *entry)
{
    if (right_check_dead(space, entry)) {
        if (entry_has_more(entry))
            entry_uref_drop(entry);
        else
            entry_drop(space, entry);
        return KERN_SUCCESS;
    }
    if (!(entry->bits & (MACH_PORT_TYPE_SEND | MACH_PORT_TYPE_SEND_ONCE)))
        return KERN_INVALID_RIGHT;
    if (entry_has_more(entry)) {
        entry_uref_drop(entry);
    } else if (is_receive(entry)) {
        entry->bits &= ~(MACH_PORT_TYPE_SEND | ENTRY_UREFS);
        if (--entry->port->srights == 0)
            port_no_senders(entry->port);
    } else {
        send_right_drop(space, entry);
    }
    return KERN_SUCCESS;
}

static kern_return_t delta_receive(struct ipc_space *space, struct ipc_entry *entry, mach_port_delta_t delta)
{
    if (!is_receive(entry))
        return KERN_INVALID_RIGHT;
    if (delta == 0)
        return KERN_SUCCESS;
    if (delta != -1)
        return KERN_INVALID_VALUE;
    struct ipc_port *port = entry->port;
    if (!(entry->bits & MACH_PORT_TYPE_SEND)) {
        entry_drop(space, entry);
        port_destroy(port);
        return KERN_SUCCESS;
    }
    /* What stays is a dead name with as many references as there were send rights. */
    if (entry->bits & MACH_PORT_TYPE_MAREQUEST)
        accepted_forget(space, entry);
    if (entry->request == NULL) {
        port->srights--;
        entry->bits = (entry->bits & ENTRY_COUNT) | MACH_PORT_TYPE_DEAD_NAME;
        entry->port = NULL;
    } else {
        port->refs++;
        entry->bits &= ~MACH_PORT_TYPE_RECEIVE;
        space_reverse_insert(space, entry);
    }
    port_destroy(port);
    return KERN_SUCCESS;
}

static kern_return_t delta_send_once(struct ipc_space *space, struct ipc_entry *entry, mach_port_delta_t delta)
{
    if (right_check_dead(space, entry) || !(entry->bits & MACH_PORT_TYPE_SEND_ONCE))
        return KERN_INVALID_RIGHT;
    if (delta == 0)
        return KERN_SUCCESS;
    return delta == -1 ? right_dealloc(space, entry) : KERN_INVALID_VALUE;
}

static kern_return_t delta_counted(struct ipc_space *space, struct ipc_entry *entry, uint32_t type,
                                   mach_port_delta_t delta)
{
    bool dead = right_check_dead(space, entry);
    if (dead != (type == MACH_PORT_TYPE_DEAD_NAME) || !(entry->bits & type))
        return KERN_INVALID_RIGHT;
    int64_t urefs = (int64_t)entry_urefs(entry) + delta;
    if (urefs < 0)
        return KERN_INVALID_VALUE;
    if (delta > 0 && urefs > (type == MACH_PORT_TYPE_SEND ? SEND_UREFS_MAX : ENTRY_UREFS))
        return KERN_UREFS_OVERFLOW;
    if ((entry->bits & ENTRY_CARRIES) == ENTRY_CARRIES)
        return KERN_SUCCESS;
    entry_urefs_set(entry, urefs > 0 ? (uint32_t)urefs : 1);
    if (urefs > 0)
        return KERN_SUCCESS;
    return right_dealloc(space, entry);
}

kern_return_t right_delta(struct ipc_space *space, struct ipc_entry *entry, mach_port_right_t right,
                          mach_port_delta_t delta)
{
    switch (right) {
    case MACH_PORT_RIGHT_RECEIVE:
        return delta_receive(space, entry, delta);
    case MACH_PORT_RIGHT_SEND_ONCE:
        return delta_send_once(space, entry, delta);
    case MACH_PORT_RIGHT_SEND:
        return delta_counted(space, entry, MACH_PORT_TYPE_SEND, delta);
    case MACH_PORT_RIGHT_DEAD_NAME:
        return delta_counted(space, entry, MACH_PORT_TYPE_DEAD_NAME, delta);
    case MACH_PORT_RIGHT_PORT_SET:
        if (!(entry->bits & MACH_PORT_TYPE_PORT_SET))
            return KERN_INVALID_RIGHT;
        if (delta == 0)
            return KERN_SUCCESS;
        if (delta != -1)
            return KERN_INVALID_VALUE;
        right_destroy(space, entry);
        return KERN_SUCCESS;
    default:
        return KERN_INVALID_VALUE;
    }
}
