/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tasks: their life. */

#include "task.h"

#include "../arch/x86_64/machine.h"
#include "../device/interrupt.h"
#include "../ipc/ipc.h"
#include "../vm/map.h"
#include "host.h"
#include "sampling.h"
#include "task_notify_U.h"

static struct cache task_cache;
struct list all_tasks = LIST_INIT(all_tasks);
uint32_t task_count;
struct task *kernel_task;

void task_init(void)
{
    cache_init(&task_cache, "task", sizeof(struct task));
    thread_init();
    if (task_make(NULL, false, &kernel_task))
        panic("no memory for the kernel's task");
    ksnprintf(kernel_task->name, sizeof kernel_task->name, "gnumach");
    kernel_task->priority = PRIORITY_KERNEL;
}

/* What a child has of its parent's ports. */
static void ports_inherit(struct task *task, struct task *parent)
{
    task->exception = port_copy_send(parent->exception);
    task->bootstrap = port_copy_send(parent->bootstrap);
    for (unsigned int i = 0; i < REGISTERED_PORTS; i++)
        task->registered[i] = port_copy_send(parent->registered[i]);
    task->priority = parent->priority;
    memcpy(task->name, parent->name, sizeof task->name);
    io_bitmap_inherit(task, parent);
}

static void new_task_tell(struct task *task, struct task *parent)
{
    if (IP_VALID(realhost.new_task) && parent && task->self && parent->self)
        mach_notify_new_task(realhost.new_task, port_make_send(task->self), port_make_send(parent->self));
}

kern_return_t task_make(struct task *parent, bool inherit, struct task **result)
{
    struct task *task = cache_alloc(&task_cache);
    if (task == NULL)
        return KERN_RESOURCE_SHORTAGE;
    *task = (struct task){.refs = 2,
                          .active = true,
                          .priority = PRIORITY_BASE_USER,
                          .created = machine_uptime_micros()};
    list_init(&task->threads);
    list_init(&task->all_link);
    task->map = inherit && parent ? map_fork(parent->map) : map_create();
    task->space = space_create(task);
    if (task->space)
        space_ref(task->space); /* threads may still be in the kernel with it when it has ended */
    task->self = port_alloc_kernel(KOBJECT_TASK, task);
    bool inherited = parent == NULL || parent->emulation == NULL || emulation_inherit(task, parent);
    if (task->map == NULL || task->space == NULL || task->self == NULL || !inherited) {
        if (task->map)
            map_deref(task->map);
        if (task->space) {
            space_destroy(task->space);
            space_deref(task->space);
        }
        if (task->self)
            port_destroy(task->self);
        emulation_drop(task);
        cache_free(&task_cache, task);
        return KERN_RESOURCE_SHORTAGE;
    }
    task->self_right = port_make_send(task->self);
    if (parent)
        ports_inherit(task, parent);
    list_append(&all_tasks, &task->all_link);
    task_count++;
    if (parent)
        new_task_tell(task, parent);
    *result = task;
    return KERN_SUCCESS;
}

void task_ref(struct task *task)
{
    task->refs++;
}

void task_deref(struct task *task)
{
    assert(task->refs > 0);
    if (--task->refs > 0)
        return;
    assert(!task->active && task->thread_count == 0);
    map_deref(task->map);
    space_deref(task->space);
    io_bitmap_drop(task);
    emulation_drop(task);
    samples_drop(&task->samples);
    cache_free(&task_cache, task);
}

void task_hold(struct task *task)
{
    task->stop_count++;
    list_for_each(link, &task->threads)
        thread_ast(list_entry(link, struct thread, task_link));
}

void task_release(struct task *task)
{
    if (--task->stop_count > 0)
        return;
    list_for_each(link, &task->threads)
        thread_continue(list_entry(link, struct thread, task_link));
}

void task_ports_release(struct task *task)
{
    struct ipc_port *self = task->self;
    task->self = NULL;
    if (self)
        port_destroy(self);
    port_release_send(task->self_right);
    port_release_send(task->exception);
    port_release_send(task->bootstrap);
    task->self_right = task->exception = task->bootstrap = NULL;
    for (unsigned int i = 0; i < REGISTERED_PORTS; i++) {
        port_release_send(task->registered[i]);
        task->registered[i] = NULL;
    }
}

kern_return_t task_kill(struct task *task)
{
    if (task == kernel_task)
        return KERN_FAILURE;
    if (!task->active)
        return KERN_FAILURE;
    if (task->essential)
        panic("essential task %s is terminated", task->name);
    task->active = false;
    list_remove(&task->all_link);
    task_count--;
    list_for_each_safe(link, after, &task->threads)
        thread_kill(list_entry(link, struct thread, task_link));
    task_settle(task); /* from here on none of its threads comes into the kernel with a space that has gone */
    task_ports_release(task);
    space_destroy(task->space);
    if (task->thread_count == 0)
        map_clear(task->map);
    task_deref(task);
    return KERN_SUCCESS;
}
