/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children that are translators: when one dies its parent, a file system, must take its exit status, or it stays a
   zombie. Nobody waits for it; the death of its task is the message.  */

#include "start.h"

#include <hurd.h>
#include <hurd/process.h>
#include <sys/wait.h>

/* A child alive. Lives, by the reference of its creation, until the child has died. */
struct child {
    struct ports_object port; /* never given away: it is only told of the death */
    pid_t pid;                /* constant */
};

static void child_died(struct ports_object *object, mach_port_t task)
{
    struct child *child = (struct child *) object;

    mach_port_deallocate(mach_task_self(), task);
    /* The process server hears of the death at about the same time as we do: this may wait a moment. */
    waitpid(child->pid, NULL, 0);
    ports_object_deref(child);
}

static const struct ports_class_ops child_ops = {.name = "translator",
                                                 .size = sizeof(struct child),
                                                 .dead_name = child_died};
static struct ports_class child_class = PORTS_CLASS(child_ops);

void fshelp_child_watch(struct ports_bucket *bucket, task_t task)
{
    process_t proc = getproc();
    struct child *child;
    pid_t pid;

    if (proc == MACH_PORT_NULL) /* the child is nobody's then, and no zombie */
        return;
    error_t err = proc_task2pid(proc, task, &pid);
    mach_port_deallocate(mach_task_self(), proc);
    if (err || ports_object_create_quiet(&child_class, bucket, &child))
        return;
    child->pid = pid;
    if (mach_port_mod_refs(mach_task_self(), task, MACH_PORT_RIGHT_SEND, 1) == 0) {
        if (ports_object_notify_dead(child, task) == 0)
            return; /* the new reference is the child's */
        mach_port_deallocate(mach_task_self(), task);
    }
    ports_object_deref(child);
}
