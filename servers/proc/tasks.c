/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tasks.c: the kernel's tasks, how we hear of them and of their end, and the ports that stand for processes.

   The kernel tells of each new task with its parent (register_new_task_notification) and, by a dead name, of its death.
   A client may name a task before the kernel's notice is handled; whoever comes first makes the process.

   Rights to task ports come in with many requests.  They are not given back one by one: their number is kept
   (task_urefs) and they go all at once, when the task is dead or they have become many.  */

#include <device/device.h>
#include <mach/mach4.h>
#include <mach/gnumach.h>
#include <mach/mach_host.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>

#include "server.h"
#include "task_notify_S.h"
#include "task_notify_U.h"

enum { UREFS_MANY = 8192 };

static void tasks_dead_name(struct ports_object *object, mach_port_t name);

static const ports_interface_t tasks_interfaces[] = {task_notify_server_routine, notices_accepted_routine, NULL};
const struct ports_class_ops tasks_class_ops = {
    .name = "task notices",
    .size = sizeof(struct ports_object),
    .interfaces = tasks_interfaces,
    .dead_name = tasks_dead_name,
};
struct ports_class tasks_class = PORTS_CLASS(tasks_class_ops);
static struct ports_object *tasks_object;  /* constant after start: where the kernel's notices arrive */

mach_port_t tasks_notify_name(void)
{
    return tasks_object->receive;
}

error_t process_equip(struct process *p)
{
    struct proc_port *port;
    error_t err = ports_object_create_quiet(&proc_port_class, proc_bucket, &port);
    if (err)
        return err;
    port->process = p;
    p->port = port;
    return 0;
}

/* Notices of P's task's death are wanted. */
static error_t task_watch(struct process *p)
{
    return ports_object_notify_dead(tasks_object, p->task);
}

/* Startup watches all whom the system needs; who watches startup are we. */
static void startup_died(void)
{
    static const char text[] = "\r\npanic: proc: startup died: the system cannot go on\r\n";
    io_buf_ptr_inband_t line = {0};
    mach_port_t console;
    int written;
    memcpy(line, text, sizeof text);
    if (!device_open(proc_device_master, D_WRITE, "console", &console))
        device_write_inband(console, 0, 0, line, sizeof text - 1, &written);
    host_reboot(proc_host_priv, RB_HALT);
}

/* An answer that carries a right of ours by its name is sent after proc_lock was given up (proc_pid2task,
   proc_getmsgport).  Were the name freed in between and taken for something new, the client would get a right to that:
   another's task, perhaps.  So names that answers may carry are freed when as many others have followed. */
enum { LATE_NAMES = 24 };
static struct late { mach_port_t name; int urefs; } late_names[LATE_NAMES]; /* proc_lock */
static unsigned late_next;                                                  /* proc_lock */

void name_release_late(mach_port_t name, unsigned urefs)
{
    struct late *slot = &late_names[late_next++ % LATE_NAMES], old = *slot;
    *slot = (struct late){name, (int)urefs};
    if (old.name && mach_port_mod_refs(mach_task_self(), old.name, MACH_PORT_RIGHT_DEAD_NAME, -old.urefs))
        mach_port_mod_refs(mach_task_self(), old.name, MACH_PORT_RIGHT_SEND, -old.urefs);
}

static void tasks_dead_name(struct ports_object *object, mach_port_t name)
{
    (void)object;
    pthread_mutex_lock(&proc_lock);
    struct process *p = process_lookup_task(name);
    if (p && p->pid == HURD_PID_STARTUP)
        startup_died();
    if (p) {
        /* Only our references: a client may have given the same port as a message port, too. */
        unsigned urefs = p->task_urefs;
        process_set_task(p, 0, 0);
        name_release_late(name, urefs);
        process_exit(p);
    }
    pthread_mutex_unlock(&proc_lock);
}

/* Notes one more reference to P's task, which came in a message. */
static void task_count_ref(struct process *p)
{
    if (++p->task_urefs < UREFS_MANY)
        return;
    if (!mach_port_mod_refs(mach_task_self(), p->task, MACH_PORT_RIGHT_SEND, -(UREFS_MANY - 1)))
        p->task_urefs = 1;
}

error_t task_lookup(mach_port_t task, struct process **process)
{
    *process = MACH_PORT_VALID(task) ? process_lookup_task(task) : NULL;
    if (!*process)
        return ESRCH;
    task_count_ref(*process);
    return 0;
}

/* A client may show us any port as a task's.  The kernel is asked about it without a message to the port itself, which
   its holder need never answer: vm_wire looks at the task before it refuses an access that does not exist. */
static bool task_is_one(mach_port_t port)
{
    enum { NO_SUCH_ACCESS = 0x40000000 };
    return vm_wire(proc_host_priv, port, 0, 0, NO_SUCH_ACCESS) == KERN_INVALID_ARGUMENT;
}

static error_t task_enroll(mach_port_t task, pid_t pid, struct process **process)
{
    error_t err = process_create(pid, task, process);
    if (err)
        return err;
    err = process_equip(*process);
    if (!err)
        err = task_watch(*process);
    if (!err)
        return 0;
    process_set_task(*process, 0, 0);  /* the right stays the caller's */
    effect_release(*process);
    process_free(*process);
    return err;
}

error_t task_find(mach_port_t task, struct process **process)
{
    if (!task_lookup(task, process))
        return 0;
    if (!MACH_PORT_VALID(task) || !task_is_one(task))
        return ESRCH;
    return task_enroll(task, 0, process);
}

mach_port_t task_ref(struct process *p)
{
    /* Of the many that came in messages one can be lent, which saves two calls of the kernel. */
    if (p->task && p->task_urefs > 1) {
        p->task_urefs--;
        return p->task;
    }
    if (!p->task || mach_port_mod_refs(mach_task_self(), p->task, MACH_PORT_RIGHT_SEND, 1))
        return MACH_PORT_NULL;
    return p->task;
}

void task_unref(mach_port_t task)
{
    if (task == MACH_PORT_NULL)
        return;
    pthread_mutex_lock(&proc_lock);
    struct process *p = process_lookup_task(task);
    if (p)
        task_count_ref(p);
    pthread_mutex_unlock(&proc_lock);
    if (!p)     /* it has died, and all other references to its name are gone */
        mach_port_deallocate(mach_task_self(), task);
}

void task_end(struct process *p)
{
    mach_port_t task = p->task;
    unsigned urefs = p->task_urefs;
    if (!task)
        return;
    ports_object_cancel_dead(tasks_object, task);
    process_set_task(p, 0, 0);
    task_terminate(task);
    /* If it had died before, a notice is on its way, with a reference to the name: only ours are given up. */
    name_release_late(task, urefs);
}

void process_reassign(struct process *p, struct process *stub)
{
    struct proc_port *old = p->port, *new = stub->port;
    /* Whoever holds the port of the new task speaks for P from now on, and nobody else. */
    p->port = new;
    stub->port = old;
    new->process = p;
    if (old)
        old->process = stub;
    exceptions_release(p);
    mach_port_t msgport = msgport_replace(p, MACH_PORT_NULL);
    if (msgport)
        name_release_late(msgport, 1);
    process_waits_cancel(p, EINTR);
    process_take_over(p, stub);
}

/* P's task, made by MAKER's in a namespace, is told to whoever keeps that: at once, or, if he does not receive, not at
   all. */
static void namespace_tell(struct process *p, struct process *maker)
{
    if (mach_port_mod_refs(mach_task_self(), maker->task_namespace, MACH_PORT_RIGHT_SEND, 1))
        return;
    p->task_namespace = maker->task_namespace;
    if (mach_port_mod_refs(mach_task_self(), p->task, MACH_PORT_RIGHT_SEND, 1))
        return;
    if (mach_port_mod_refs(mach_task_self(), maker->task, MACH_PORT_RIGHT_SEND, 1))
        goto no_parent;
    (void)mach_notify_new_task(p->task_namespace, p->task, maker->task);    /* both have gone in any case */
    return;
no_parent:
    mach_port_deallocate(mach_task_self(), p->task);
}

/* The kernel: TASK has been made by PARENT. */
kern_return_t S_mach_notify_new_task(mach_port_t notify, mach_port_t task, mach_port_t parent)
{
    struct process *p, *maker;
    (void)notify;
    pthread_mutex_lock(&proc_lock);
    maker = process_lookup_task(parent);
    if (maker)
        task_count_ref(maker);
    error_t err = task_lookup(task, &p);
    if (err)
        err = task_enroll(task, 0, &p);
    if (!err && maker && maker->task && maker->task_namespace && !p->task_namespace)
        namespace_tell(p, maker);
    pthread_mutex_unlock(&proc_lock);
    if (err && MACH_PORT_VALID(task))
        mach_port_deallocate(mach_task_self(), task);
    if (!maker && MACH_PORT_VALID(parent))
        mach_port_deallocate(mach_task_self(), parent);
    return 0;
}

/* All tasks of the machine's only processor set; *TASKS is the caller's to vm_deallocate. */
static error_t tasks_list(mach_port_t **tasks, mach_msg_type_number_t *count)
{
    mach_port_t set, control;
    error_t err = processor_set_default(mach_host_self(), &set);
    if (err)
        return err;
    err = host_processor_set_priv(proc_host_priv, set, &control);
    mach_port_deallocate(mach_task_self(), set);
    if (err)
        return err;
    err = processor_set_tasks(control, tasks, count);
    mach_port_deallocate(mach_task_self(), control);
    return err;
}

/* The number of the I-th task that the kernel lists: its own comes first. */
static pid_t tasks_pid(unsigned i, mach_port_t task)
{
    if (task == mach_task_self())
        return HURD_PID_PROC;
    return i == 0 ? HURD_PID_KERNEL : 0;
}

error_t tasks_start(struct process *startup, mach_port_t startup_task)
{
    mach_port_t *tasks;
    mach_msg_type_number_t count;
    struct process *p;
    error_t err = ports_object_create(&tasks_class, proc_bucket, &tasks_object);
    if (err)
        return err;
    process_set_task(startup, startup_task, 1);
    err = task_watch(startup);
    if (!err)
        err = tasks_list(&tasks, &count);
    if (err)
        return err;
    for (unsigned i = 0; i < count; i++) {
        if (task_lookup(tasks[i], &p) && task_enroll(tasks[i], tasks_pid(i, tasks[i]), &p)) {
            mach_port_deallocate(mach_task_self(), tasks[i]);
            continue;
        }
        p->important = i == 0 || p == startup || p->pid == HURD_PID_PROC;
    }
    vm_deallocate(mach_task_self(), (vm_address_t)tasks, count * sizeof *tasks);
    mach_port_t notify = ports_object_send_right(tasks_object);
    err = register_new_task_notification(proc_host_priv, notify, MACH_MSG_TYPE_COPY_SEND);
    mach_port_deallocate(mach_task_self(), notify);
    return err;
}
