/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notifications: messages that the kernel sends with a send-once right somebody gave it (mach/notify.defs; Mach manual,
   "Request Notifications").  One that cannot be made for lack of memory is lost with a message on the console. */

#include "ipc.h"

/* A message with ID to NOTIFY, whose body has one item of type NAME, SIZE bytes at DATA.  False: there is no memory,
   and what is at DATA is the caller's. */
static bool notify_send(struct ipc_port *notify, mach_msg_id_t id, mach_msg_type_name_t name, const void *data,
                        uint32_t size)
{
    if (!IP_VALID(notify))
        return true;
    uint32_t total = sizeof(mach_msg_header_t) + (data ? sizeof(mach_msg_type_t) + 8 : 0);
    struct kmsg *kmsg = kmsg_alloc(total);
    if (kmsg == NULL) {
        kprintf("ipc: no memory for notification %d\n", id);
        notify->sorights--;
        port_deref(notify);
        return false;
    }
    kmsg->header = (mach_msg_header_t){
        .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND_ONCE, 0), .msgh_size = total,
        .msgh_remote_port_do_not_use = (uint64_t)notify, .msgh_id = id};
    if (data) {
        mach_msg_type_t *type = (mach_msg_type_t *)(&kmsg->header + 1);
        *type = (mach_msg_type_t){.msgt_name = name, .msgt_size = size * 8, .msgt_number = 1, .msgt_inline = 1};
        memset(type + 1, 0, 8);
        memcpy(type + 1, data, size);
        if (MACH_MSG_TYPE_PORT_ANY(name)) {
            kmsg->header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
            kmsg->carriers = 1;
            kmsg->first_carrier = sizeof kmsg->header;
        }
        if (name == MACH_MSG_TYPE_PORT_RECEIVE &&
            !port_transit_enter(*(struct ipc_port *const *)data, notify, &(struct transit){NULL, 0}))
            kmsg->header.msgh_bits |= MACH_MSGH_BITS_CIRCULAR;
    }
    if (msg_send(kmsg, MACH_MSG_OPTION_NONE, 0, true) != MACH_MSG_SUCCESS)
        kmsg_destroy(kmsg);
    return true;
}

void notify_port_deleted(struct ipc_port *notify, mach_port_name_t name)
{
    notify_send(notify, MACH_NOTIFY_PORT_DELETED, MACH_MSG_TYPE_PORT_NAME, &name, sizeof name);
}

void notify_msg_accepted(struct ipc_port *notify, mach_port_name_t name)
{
    notify_send(notify, MACH_NOTIFY_MSG_ACCEPTED, MACH_MSG_TYPE_PORT_NAME, &name, sizeof name);
}

void notify_port_destroyed(struct ipc_port *notify, struct ipc_port *right)
{
    if (!notify_send(notify, MACH_NOTIFY_PORT_DESTROYED, MACH_MSG_TYPE_PORT_RECEIVE, &right, sizeof right))
        port_destroy(right);
}

void notify_no_senders(struct ipc_port *notify, mach_port_mscount_t mscount)
{
    notify_send(notify, MACH_NOTIFY_NO_SENDERS, MACH_MSG_TYPE_INTEGER_32, &mscount, sizeof mscount);
}

void notify_send_once(struct ipc_port *notify)
{
    notify_send(notify, MACH_NOTIFY_SEND_ONCE, 0, NULL, 0);
}

void notify_dead_name(struct ipc_port *notify, mach_port_name_t name)
{
    notify_send(notify, MACH_NOTIFY_DEAD_NAME, MACH_MSG_TYPE_PORT_NAME, &name, sizeof name);
}
