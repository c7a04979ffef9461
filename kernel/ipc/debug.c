/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mach_debug.defs, what it asks about ports: counts and what the kernel's ports stand for. */

#include "../mig/mig_types.h"
#include "../task/task.h"
#include "ipc.h"
#include "mach_debug_S.h"

/* The port whose receive right SPACE has under NAME. */
static kern_return_t receive_find(struct ipc_space *space, mach_port_name_t name, struct ipc_port **port)
{
    if (space == NULL || !space->active)
        return KERN_INVALID_TASK;
    struct ipc_entry *entry = space_lookup(space, name);
    if (entry == NULL)
        return KERN_INVALID_NAME;
    if (!(entry->bits & MACH_PORT_TYPE_RECEIVE))
        return KERN_INVALID_RIGHT;
    *port = entry->port;
    return KERN_SUCCESS;
}

kern_return_t rpc_mach_port_get_srights(ipc_space_t space, mach_port_name_t name, mach_port_rights_t *srights)
{
    struct ipc_port *port;
    kern_return_t kr = receive_find(space, name, &port);
    if (kr == KERN_SUCCESS)
        *srights = port->srights;
    return kr;
}

/* There is no table: it is as large as what is in it. */
kern_return_t rpc_mach_port_dnrequest_info(ipc_space_t space, mach_port_name_t name, unsigned int *total,
                                           unsigned int *used)
{
    struct ipc_port *port;
    kern_return_t kr = receive_find(space, name, &port);
    if (kr)
        return kr;
    *used = 0;
    list_for_each(link, &port->dnrequests)
        ++*used;
    *total = *used;
    return KERN_SUCCESS;
}

/* GNU Mach's numbers of what we have too; the address is nobody's business. */
static const unsigned char object_types[] = {
    [KOBJECT_THREAD] = 1,         [KOBJECT_TASK] = 2,    [KOBJECT_HOST] = 3,      [KOBJECT_HOST_PRIV] = 4,
    [KOBJECT_PROCESSOR] = 5,      [KOBJECT_PSET] = 6,    [KOBJECT_PSET_NAME] = 7, [KOBJECT_PAGER] = 8,
    [KOBJECT_PAGING_REQUEST] = 9, [KOBJECT_DEVICE] = 10,
};

kern_return_t rpc_mach_port_kernel_object(ipc_space_t space, mach_port_name_t name, unsigned int *type,
                                          vm_offset_t *address)
{
    if (space == NULL || !space->active)
        return KERN_INVALID_TASK;
    struct ipc_entry *entry = space_lookup(space, name);
    if (entry == NULL)
        return KERN_INVALID_NAME;
    if (right_check_dead(space, entry) || !(entry->bits & MACH_PORT_TYPE_SEND_RECEIVE))
        return KERN_INVALID_RIGHT;
    unsigned int kind = entry->port->kobject_type;
    *type = kind < countof(object_types) ? object_types[kind] : 0;
    *address = 0;
    return KERN_SUCCESS;
}
