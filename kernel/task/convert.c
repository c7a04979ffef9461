/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From ports to the kernel's objects and back, for MIG's stubs (mig/mig_types.h). */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../vm/map.h"
#include "host.h"
#include "task.h"

void ipc_port_release_send(ipc_port_t port)
{
    port_release_send(port);
}

boolean_t ipc_port_check_circularity(ipc_port_t port, ipc_port_t destination)
{
    return !port_transit_enter(port, destination, &(struct transit){NULL, 0});
}

size_t mig_strncpy(char *to, const char *from, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && from[length]) {
        to[length] = from[length];
        length++;
    }
    if (size)
        to[length] = 0;
    return length + 1;
}

kern_return_t mig_array_give(void **array, uint32_t *count, const void *data, size_t number, size_t size)
{
    if (number <= *count) {
        memcpy(*array, data, number * size);
    } else {
        struct vm_copy *copy = vm_copy_from_kernel(data, number * size);
        if (copy == NULL)
            return KERN_RESOURCE_SHORTAGE;
        *array = copy;
    }
    *count = (uint32_t)number;
    return KERN_SUCCESS;
}

task_t convert_port_to_task(ipc_port_t port)
{
    struct task *task = port_kobject(port, KOBJECT_TASK);
    if (task)
        task_ref(task);
    return task;
}

ipc_port_t convert_task_to_port(task_t task)
{
    struct ipc_port *port = port_make_send(task->self);
    task_deref(task);
    return port;
}

void task_deallocate(task_t task)
{
    if (task)
        task_deref(task);
}

thread_t convert_port_to_thread(ipc_port_t port)
{
    struct thread *thread = port_kobject(port, KOBJECT_THREAD);
    if (thread)
        thread_ref(thread);
    return thread;
}

ipc_port_t convert_thread_to_port(thread_t thread)
{
    struct ipc_port *port = port_make_send(thread->self);
    thread_deref(thread);
    return port;
}

void thread_deallocate(thread_t thread)
{
    if (thread)
        thread_deref(thread);
}

vm_map_t convert_port_to_map(ipc_port_t port)
{
    struct task *task = port_kobject(port, KOBJECT_TASK);
    if (task == NULL || !task->active)
        return NULL;
    map_ref(task->map);
    return task->map;
}

void vm_map_deallocate(vm_map_t map)
{
    if (map)
        map_deref(map);
}

ipc_space_t convert_port_to_space(ipc_port_t port)
{
    if (port->kobject_type != KOBJECT_TASK) /* a request's port: it is one */
        return NULL;
    const struct task *task = port->kobject;
    return likely(task->active) ? task->space : NULL;
}

vm_object_t vm_object_lookup(ipc_port_t port)
{
    return object_lookup_control(port);
}

vm_object_t vm_object_lookup_name(ipc_port_t port)
{
    return object_lookup_name(port);
}

void vm_object_deallocate(vm_object_t object)
{
    if (object)
        object_deref(object);
}

host_t convert_port_to_host(ipc_port_t port)
{
    struct host *host = port_kobject(port, KOBJECT_HOST);
    return host ? host : port_kobject(port, KOBJECT_HOST_PRIV);
}

ipc_port_t convert_host_to_port(host_t host)
{
    return port_make_send(host->self);
}

host_t convert_port_to_host_priv(ipc_port_t port)
{
    return port_kobject(port, KOBJECT_HOST_PRIV);
}

processor_t convert_port_to_processor(ipc_port_t port)
{
    return port_kobject(port, KOBJECT_PROCESSOR);
}

ipc_port_t convert_processor_to_port(processor_t processor)
{
    return port_make_send(processor->self);
}

processor_set_t convert_port_to_pset(ipc_port_t port)
{
    return port_kobject(port, KOBJECT_PSET);
}

processor_set_t convert_port_to_pset_name(ipc_port_t port)
{
    struct processor_set *set = port_kobject(port, KOBJECT_PSET_NAME);
    return set ? set : port_kobject(port, KOBJECT_PSET);
}

ipc_port_t convert_pset_to_port(processor_set_t set)
{
    return port_make_send(set->self);
}

ipc_port_t convert_pset_name_to_port(processor_set_t set)
{
    return port_make_send(set->name);
}

void pset_deallocate(processor_set_t set)
{
    (void)set; /* there is one, and it stays */
}
