/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mach_port.defs: what a task does with its names (Mach manual, "Port Manipulation Interface").  MIG gives the space
   NULL if the port was no task's; names of arrays are in the message's out-of-line memory. */

#include "../mig/mig_types.h"
#include "../task/task.h"
#include "../vm/map.h"
#include "ipc.h"
#include "mach_port_S.h"

/* Types that mach_port_type and mach_port_names show. */
static mach_port_type_t visible_type(struct ipc_space *space, struct ipc_entry *entry)
{
    right_check_dead(space, entry);
    return (entry->bits & (ENTRY_TYPES | MACH_PORT_TYPE_MAREQUEST)) | (entry->request ? MACH_PORT_TYPE_DNREQUEST : 0);
}

static inline kern_return_t entry_find(struct ipc_space *space, mach_port_name_t name, struct ipc_entry **entry)
{
    if (unlikely(space == NULL))
        return KERN_INVALID_TASK;
    *entry = space_lookup(space, name);
    return likely(*entry != NULL) ? KERN_SUCCESS : KERN_INVALID_NAME;
}

static kern_return_t receive_find(struct ipc_space *space, mach_port_name_t name, struct ipc_port **port)
{
    struct ipc_entry *entry;
    kern_return_t kr = entry_find(space, name, &entry);
    if (kr)
        return kr;
    if (!(entry->bits & MACH_PORT_TYPE_RECEIVE))
        return KERN_INVALID_RIGHT;
    *port = entry->port;
    return KERN_SUCCESS;
}

struct names {
    mach_port_name_t *names;
    mach_port_type_t *types;
    uint32_t count;
};

static void names_collect(struct ipc_space *space, struct ipc_entry *entry, void *cookie)
{
    struct names *names = cookie;
    names->names[names->count] = entry->name;
    names->types[names->count++] = visible_type(space, entry);
}

/* Out-of-line data of a reply from kernel memory, which is freed. */
static kern_return_t reply_data(void *data, size_t size, size_t capacity, vm_offset_t *out)
{
    struct vm_copy *copy = size ? vm_copy_from_kernel(data, size) : NULL;
    kfree(data, capacity);
    *out = (vm_offset_t)copy;
    return size && copy == NULL ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS;
}

kern_return_t rpc_mach_port_names(ipc_space_t space, mach_port_name_array_t *names, mach_msg_type_number_t *names_count,
                                  mach_port_type_array_t *types, mach_msg_type_number_t *types_count)
{
    if (space == NULL || !space->active)
        return KERN_INVALID_TASK;
    size_t capacity = max(space_used(space), 1u) * sizeof(mach_port_name_t);
    struct names all = {kalloc(capacity), kalloc(capacity), 0};
    if (all.names == NULL || all.types == NULL) {
        kfree(all.names, capacity);
        kfree(all.types, capacity);
        return KERN_RESOURCE_SHORTAGE;
    }
    space_walk(space, names_collect, &all);
    size_t size = all.count * sizeof(mach_port_name_t);
    kern_return_t kr = reply_data(all.names, size, capacity, (vm_offset_t *)names);
    if (kr == KERN_SUCCESS) {
        kr = reply_data(all.types, size, capacity, (vm_offset_t *)types);
        if (kr)
            vm_copy_discard((struct vm_copy *)*names);
    } else {
        kfree(all.types, capacity);
    }
    *names_count = *types_count = all.count;
    return kr;
}

kern_return_t rpc_mach_port_type(ipc_space_t space, mach_port_name_t name, mach_port_type_t *type)
{
    struct ipc_entry *entry;
    kern_return_t kr = entry_find(space, name, &entry);
    if (kr == KERN_SUCCESS)
        *type = visible_type(space, entry);
    return kr;
}

kern_return_t rpc_mach_port_rename(ipc_space_t space, mach_port_name_t old_name, mach_port_name_t new_name)
{
    struct ipc_entry *old, *new;
    if (space == NULL || !space->active)
        return KERN_INVALID_TASK;
    if (!MACH_PORT_NAME_VALID(new_name))
        return KERN_INVALID_VALUE;
    kern_return_t kr = entry_find(space, old_name, &old);
    if (kr)
        return kr;
    right_check_dead(space, old);
    kr = space_entry_alloc_name(space, new_name, &new);
    if (kr)
        return kr;
    bool sends = (old->bits & MACH_PORT_TYPE_SEND_RECEIVE) == MACH_PORT_TYPE_SEND;
    if (sends)
        space_reverse_remove(space, old);
    new->port = old->port;
    new->bits = old->bits;
    new->request = old->request;
    if (new->request)
        new->request->name = new_name;
    if (new->bits & MACH_PORT_TYPE_MAREQUEST)
        accepted_rename(space, old_name, new_name);
    if (sends)
        space_reverse_insert(space, new);
    if (new->bits & MACH_PORT_TYPE_RECEIVE)
        new->port->receiver_name = new_name;
    if (new->bits & MACH_PORT_TYPE_PORT_SET)
        new->pset->name = new_name;
    old->request = NULL;
    space_entry_free(space, old);
    return KERN_SUCCESS;
}

/* Gives a fresh ENTRY what mach_port_allocate was asked for. */
static kern_return_t entry_fill(struct ipc_space *space, struct ipc_entry *entry, mach_port_right_t right)
{
    switch (right) {
    case MACH_PORT_RIGHT_RECEIVE:
        entry->port = port_alloc();
        if (entry->port == NULL)
            break;
        entry->bits = MACH_PORT_TYPE_RECEIVE;
        entry->port->receiver = space;
        entry->port->receiver_name = entry->name;
        return KERN_SUCCESS;
    case MACH_PORT_RIGHT_PORT_SET:
        entry->pset = pset_alloc();
        if (entry->pset == NULL)
            break;
        entry->bits = MACH_PORT_TYPE_PORT_SET;
        space->has_sets = true;
        entry->pset->name = entry->name;
        entry->pset->space = space;
        return KERN_SUCCESS;
    default:
        entry->port = NULL;
        entry->bits = MACH_PORT_TYPE_DEAD_NAME | 1;
        return KERN_SUCCESS;
    }
    space_entry_free(space, entry);
    return KERN_RESOURCE_SHORTAGE;
}

static bool right_allocatable(mach_port_right_t right)
{
    return right == MACH_PORT_RIGHT_RECEIVE || right == MACH_PORT_RIGHT_PORT_SET || right == MACH_PORT_RIGHT_DEAD_NAME;
}

kern_return_t rpc_mach_port_allocate_name(ipc_space_t space, mach_port_right_t right, mach_port_name_t name)
{
    struct ipc_entry *entry;
    if (space == NULL || !space->active)
        return KERN_INVALID_TASK;
    if (!MACH_PORT_NAME_VALID(name) || !right_allocatable(right))
        return KERN_INVALID_VALUE;
    kern_return_t kr = space_entry_alloc_name(space, name, &entry);
    return kr ? kr : entry_fill(space, entry, right);
}

kern_return_t rpc_mach_port_allocate(ipc_space_t space, mach_port_right_t right, mach_port_name_t *name)
{
    struct ipc_entry *entry;
    if (space == NULL || !space->active)
        return KERN_INVALID_TASK;
    if (!right_allocatable(right))
        return KERN_INVALID_VALUE;
    kern_return_t kr = space_entry_alloc(space, &entry);
    if (kr)
        return kr;
    *name = entry->name;
    return entry_fill(space, entry, right);
}

kern_return_t rpc_mach_port_destroy(ipc_space_t space, mach_port_name_t name)
{
    struct ipc_entry *entry;
    kern_return_t kr = entry_find(space, name, &entry);
    if (kr == KERN_SUCCESS)
        right_destroy(space, entry);
    return kr;
}

kern_return_t rpc_mach_port_deallocate(ipc_space_t space, mach_port_name_t name)
{
    struct ipc_entry *entry;
    kern_return_t kr = entry_find(space, name, &entry);
    return kr ? kr : right_dealloc(space, entry);
}

kern_return_t rpc_mach_port_get_refs(ipc_space_t space, mach_port_name_t name, mach_port_right_t right,
                                     mach_port_urefs_t *refs)
{
    struct ipc_entry *entry;
    if (space == NULL)
        return KERN_INVALID_TASK;
    if (right >= MACH_PORT_RIGHT_NUMBER)
        return KERN_INVALID_VALUE;
    kern_return_t kr = entry_find(space, name, &entry);
    if (kr)
        return kr;
    mach_port_type_t type = visible_type(space, entry);
    if (!(type & MACH_PORT_TYPE(right)))
        *refs = 0;
    else if (right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_DEAD_NAME)
        *refs = entry_urefs(entry);
    else
        *refs = 1;
    return KERN_SUCCESS;
}

kern_return_t rpc_mach_port_mod_refs(ipc_space_t space, mach_port_name_t name, mach_port_right_t right,
                                     mach_port_delta_t delta)
{
    struct ipc_entry *entry;
    if (space == NULL)
        return KERN_INVALID_TASK;
    if (right >= MACH_PORT_RIGHT_NUMBER)
        return KERN_INVALID_VALUE;
    kern_return_t kr = entry_find(space, name, &entry);
    return kr ? kr : right_delta(space, entry, right, delta);
}

kern_return_t rpc_mach_port_set_qlimit(ipc_space_t space, mach_port_name_t name, mach_port_msgcount_t qlimit)
{
    struct ipc_port *port;
    if (space == NULL)
        return KERN_INVALID_TASK;
    if (qlimit > MACH_PORT_QLIMIT_MAX)
        return KERN_INVALID_VALUE;
    kern_return_t kr = receive_find(space, name, &port);
    if (kr)
        return kr;
    uint32_t more = qlimit > port->qlimit ? qlimit - port->qlimit : 0;
    port->qlimit = qlimit;
    port->no_room = qlimit == 0;
    while (more-- > 0 && wait_queue_wake_one(&port->senders, WAIT_RESTART))
        ;
    return KERN_SUCCESS;
}

kern_return_t rpc_mach_port_set_mscount(ipc_space_t space, mach_port_name_t name, mach_port_mscount_t mscount)
{
    struct ipc_port *port;
    kern_return_t kr = receive_find(space, name, &port);
    if (kr == KERN_SUCCESS)
        port->mscount = mscount;
    return kr;
}

kern_return_t rpc_mach_port_set_seqno(ipc_space_t space, mach_port_name_t name, mach_port_seqno_t seqno)
{
    struct ipc_port *port;
    kern_return_t kr = receive_find(space, name, &port);
    if (kr == KERN_SUCCESS)
        port->seqno = seqno;
    return kr;
}

kern_return_t rpc_mach_port_get_set_status(ipc_space_t space, mach_port_name_t name, mach_port_name_array_t *members,
                                           mach_msg_type_number_t *count)
{
    struct ipc_entry *entry;
    kern_return_t kr = entry_find(space, name, &entry);
    if (kr)
        return kr;
    if (!(entry->bits & MACH_PORT_TYPE_PORT_SET))
        return KERN_INVALID_RIGHT;
    size_t number = 0, at = 0;
    list_for_each(link, &entry->pset->members)
        number++;
    size_t capacity = max(number, 1ul) * sizeof(mach_port_name_t);
    mach_port_name_t *names = kalloc(capacity);
    if (names == NULL)
        return KERN_RESOURCE_SHORTAGE;
    list_for_each(link, &entry->pset->members)
        names[at++] = list_entry(link, struct ipc_port, pset_link)->receiver_name;
    *count = (mach_msg_type_number_t)number;
    return reply_data(names, number * sizeof *names, capacity, (vm_offset_t *)members);
}

kern_return_t rpc_mach_port_move_member(ipc_space_t space, mach_port_name_t member, mach_port_name_t after)
{
    struct ipc_port *port;
    struct ipc_entry *set = NULL;
    kern_return_t kr = receive_find(space, member, &port);
    if (kr)
        return kr;
    if (after != MACH_PORT_NAME_NULL) {
        kr = entry_find(space, after, &set);
        if (kr)
            return kr;
        if (!(set->bits & MACH_PORT_TYPE_PORT_SET))
            return KERN_INVALID_RIGHT;
    }
    if (port->pset == NULL && set == NULL)
        return KERN_NOT_IN_SET;
    if (port->pset)
        pset_remove(port);
    if (set)
        pset_add(set->pset, port);
    return KERN_SUCCESS;
}

/* A dead-name request replaces the one before it, which is given back. */
static kern_return_t request_dead_name(struct ipc_space *space, mach_port_name_t name, bool immediate,
                                       ipc_port_t notify, ipc_port_t *previous)
{
    struct ipc_entry *entry;
    kern_return_t kr = entry_find(space, name, &entry);
    if (kr)
        return kr;
    if (entry->bits & MACH_PORT_TYPE_PORT_SET)
        return KERN_INVALID_RIGHT;
    if (right_check_dead(space, entry)) {
        if (!immediate || !IP_VALID(notify))
            return KERN_INVALID_ARGUMENT;
        if (entry_urefs(entry) >= ENTRY_UREFS)
            return KERN_UREFS_OVERFLOW;
        entry->bits++;
        notify_dead_name(notify, name);
        *previous = IP_NULL;
        return KERN_SUCCESS;
    }
    struct request *request = entry->request;
    *previous = request ? request->notify : IP_NULL;
    if (!IP_VALID(notify)) {
        if (request) {
            list_remove(&request->link);
            kfree(request, sizeof *request);
            entry->request = NULL;
        }
        return KERN_SUCCESS;
    }
    if (request == NULL)
        return request_add(space, entry, notify);
    request->notify = notify;
    return KERN_SUCCESS;
}

kern_return_t rpc_mach_port_request_notification(ipc_space_t space, mach_port_name_t name, mach_msg_id_t id,
                                                 mach_port_mscount_t sync, ipc_port_t notify, ipc_port_t *previous)
{
    struct ipc_port *port;
    kern_return_t kr;
    if (space == NULL)
        return KERN_INVALID_TASK;
    if (notify == IP_DEAD)
        return KERN_INVALID_CAPABILITY;
    switch (id) {
    case MACH_NOTIFY_PORT_DESTROYED:
        if (sync != 0)
            return KERN_INVALID_VALUE;
        kr = receive_find(space, name, &port);
        if (kr)
            return kr;
        *previous = port->pdrequest;
        port->pdrequest = notify;
        return KERN_SUCCESS;
    case MACH_NOTIFY_NO_SENDERS:
        kr = receive_find(space, name, &port);
        if (kr)
            return kr;
        *previous = port->nsrequest;
        port->nsrequest = NULL;
        if (IP_VALID(notify) && port->srights == 0 && sync <= port->mscount) {
            notify_no_senders(notify, port->mscount);
            return KERN_SUCCESS;
        }
        port->nsrequest = notify;
        return KERN_SUCCESS;
    case MACH_NOTIFY_DEAD_NAME:
        return request_dead_name(space, name, sync != 0, notify, previous);
    default:
        return KERN_INVALID_VALUE;
    }
}

kern_return_t rpc_mach_port_insert_right(ipc_space_t space, mach_port_name_t name, ipc_port_t right,
                                         mach_msg_type_name_t type)
{
    if (space == NULL || !space->active)
        return KERN_INVALID_TASK;
    if (!MACH_PORT_NAME_VALID(name) || !MACH_MSG_TYPE_PORT_ANY_RIGHT(type))
        return KERN_INVALID_VALUE;
    if (!IP_VALID(right))
        return KERN_INVALID_CAPABILITY;
    return right_copyout_name(space, right, type, name);
}

kern_return_t rpc_mach_port_extract_right(ipc_space_t space, mach_port_name_t name, mach_msg_type_name_t type,
                                          ipc_port_t *right, mach_msg_type_name_t *right_type)
{
    if (space == NULL || !space->active)
        return KERN_INVALID_TASK;
    if (!MACH_MSG_TYPE_PORT_ANY(type))
        return KERN_INVALID_VALUE;
    *right_type = port_type_of(type);
    return right_copyin(space, name, type, true, right);
}

kern_return_t rpc_mach_port_get_receive_status(ipc_space_t space, mach_port_name_t name, mach_port_status_t *status)
{
    struct ipc_port *port;
    kern_return_t kr = receive_find(space, name, &port);
    if (kr)
        return kr;
    *status = (mach_port_status_t){.mps_pset = port->pset ? port->pset->name : MACH_PORT_NAME_NULL,
                                   .mps_seqno = port->seqno,
                                   .mps_mscount = port->mscount,
                                   .mps_qlimit = port->qlimit,
                                   .mps_msgcount = port->msgcount,
                                   .mps_sorights = port->sorights,
                                   .mps_srights = port->srights > 0,
                                   .mps_pdrequest = port->pdrequest != NULL,
                                   .mps_nsrequest = port->nsrequest != NULL};
    return KERN_SUCCESS;
}

kern_return_t rpc_mach_port_set_protected_payload(ipc_space_t space, mach_port_name_t name, rpc_uintptr_t payload)
{
    struct ipc_port *port;
    kern_return_t kr = receive_find(space, name, &port);
    if (kr == KERN_SUCCESS) {
        port->payload = payload;
        port->has_payload = true;
    }
    return kr;
}

kern_return_t rpc_mach_port_clear_protected_payload(ipc_space_t space, mach_port_name_t name)
{
    struct ipc_port *port;
    kern_return_t kr = receive_find(space, name, &port);
    if (kr == KERN_SUCCESS)
        port->has_payload = false;
    return kr;
}
