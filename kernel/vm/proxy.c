/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proxy memory objects: kernel ports that vm_map takes in place of the object behind them. */

#include "proxy.h"

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../task/task.h"
#include "mach4_S.h"
#include "map.h"

struct proxy *proxy_lookup(struct ipc_port *port)
{
    return port_kobject(port, KOBJECT_PAGER_PROXY);
}

/* A send right for a new port that stands for PROXY; NULL: no memory. */
static struct ipc_port *proxy_create(const struct proxy *fields)
{
    struct proxy *proxy = kalloc(sizeof *proxy);
    struct ipc_port *port = proxy ? port_alloc_kernel(KOBJECT_PAGER_PROXY, proxy) : NULL;
    if (port == NULL) {
        kfree(proxy, sizeof *proxy);
        return NULL;
    }
    *proxy = *fields;
    port->kernel_no_senders = true;
    return port_make_send(port);
}

/* A proxy may have the last right to another one, and that to a third: they end one after the other, as a kernel stack
   is short. */
void proxy_no_senders(struct ipc_port *port)
{
    static struct proxy *ended;
    static bool ending;
    struct proxy *proxy = port->kobject;
    port->kobject_type = KOBJECT_NONE;
    port_destroy(port);
    proxy->ended_next = ended;
    ended = proxy;
    if (ending)
        return;
    ending = true;
    while ((proxy = ended)) {
        ended = proxy->ended_next;
        if (proxy->direct)
            object_deref(proxy->direct);
        else
            port_release_send(proxy->object);
        kfree(proxy, sizeof *proxy);
    }
    ending = false;
}

kern_return_t rpc_memory_object_create_proxy(ipc_space_t space, vm_prot_t max_protection,
                                             const memory_object_array_t objects, mach_msg_type_number_t object_count,
                                             const rpc_vm_offset_array_t offsets, mach_msg_type_number_t offset_count,
                                             const rpc_vm_offset_array_t starts, mach_msg_type_number_t start_count,
                                             const rpc_vm_size_array_t sizes, mach_msg_type_number_t size_count,
                                             ipc_port_t *result)
{
    if (space == NULL)
        return KERN_INVALID_TASK;
    if (object_count != 1 || offset_count != 1 || start_count != 1 || size_count != 1)
        return KERN_INVALID_ARGUMENT;
    struct ipc_port *object = (struct ipc_port *)objects[0];
    if (!IP_VALID(object))
        return KERN_INVALID_NAME;
    if (offsets[0] != 0 || starts[0] + sizes[0] < starts[0])
        return KERN_INVALID_ARGUMENT;
    *result = proxy_create(
        &(struct proxy){.object = object, .max_protection = max_protection, .start = starts[0], .size = sizes[0]});
    return *result ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE;
}

kern_return_t rpc_vm_region_create_proxy(task_t task, vm_address_t address, vm_prot_t max_protection, vm_size_t size,
                                         ipc_port_t *result)
{
    if (task == NULL || !task->active)
        return KERN_INVALID_ARGUMENT;
    struct map_entry *entry = map_lookup(task->map, address);
    if (entry == NULL || size > entry->end - address)
        return KERN_INVALID_ARGUMENT;
    if (max_protection & ~entry->max_protection)
        return KERN_PROTECTION_FAILURE;
    if (!entry_share_prepare(entry))
        return KERN_RESOURCE_SHORTAGE;
    uint64_t start = entry->offset + (address - entry->start);
    object_ref(entry->object);
    *result = proxy_create(
        &(struct proxy){.direct = entry->object, .max_protection = max_protection, .start = start, .size = size});
    if (*result)
        return KERN_SUCCESS;
    object_deref(entry->object);
    return KERN_RESOURCE_SHORTAGE;
}
