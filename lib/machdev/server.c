/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machdev server: its ports, its start, its loop. */

#include "machdev-internal.h"

#include <dance/dance.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_S.h"

/* What it carries goes to the device as it is, and comes from those who may open one. */
enum { DEVICE_WRITE = 2802 };

static struct machdev the_machdev = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                     .became_ordinary = PTHREAD_COND_INITIALIZER};

/* FIRST and what the server adds, as one list. */
static const ports_interface_t *interfaces_join(const ports_interface_t *first, const ports_interface_t *more)
{
    size_t count = 0, extra = 0;
    while (first[count])
        count++;
    while (more && more[extra])
        extra++;
    ports_interface_t *list = calloc(count + extra + 1, sizeof *list);
    if (list) {
        memcpy(list, first, count * sizeof *list);
        if (extra > 0)
            memcpy(list + count, more, extra * sizeof *list);
    }
    return list;
}

static error_t node_sync(struct trivfs_control *control, bool wait)
{
    struct machdev *machdev = control->hook;
    (void)wait;
    const struct machdev_driver *driver = machdev->options.driver;
    return driver && driver->sync ? driver->sync() : 0;
}

/* A server of the boot never goes away: the root file system is on it.  A translator that somebody has set goes when no
   device is open. */
static error_t node_goaway(struct trivfs_control *control, int flags)
{
    struct machdev *machdev = control->hook;
    if (machdev->parent == MACH_PORT_NULL)
        return EBUSY;
    return (flags & FSYS_GOAWAY_FORCE) || machdev_devices_open == 0 ? 0 : EBUSY;
}

static error_t ops_fill(struct machdev *machdev)
{
    static const ports_interface_t list[] = {device_server_routine, NULL};
    const struct machdev_options *options = &machdev->options;
    struct trivfs_ops *ops = &machdev->ops;
    if (options->node_ops)
        *ops = *options->node_ops;
    ops->name = options->name;
    ops->fstype = options->fstype;
    ops->node_type = options->node_type;
    ops->modes = O_READ | O_WRITE;
    ops->sync = node_sync;
    ops->goaway = node_goaway;
    ops->fsys_init = machdev_boot_fsys_init;
    ops->fsys_startup = machdev_boot_fsys_startup;
    ops->fsys_getpriv = machdev_boot_fsys_getpriv;
    ops->control_interfaces = interfaces_join(list, ops->control_interfaces);
    ops->node_interfaces = interfaces_join(list, ops->node_interfaces);
    return machdev->ops.control_interfaces && machdev->ops.node_interfaces ? 0 : ENOMEM;
}

/* The ports of the command line are names in our space that GRUB's line brought; what is missing the parent has. */
static error_t privileged_ports(struct machdev *machdev)
{
    machdev->host_priv = machdev->options.host_priv;
    machdev->device_master = machdev->options.device_master;
    if (machdev->host_priv != MACH_PORT_NULL && machdev->device_master != MACH_PORT_NULL)
        goto known;
    mach_port_t host_priv, device_master, task = MACH_PORT_NULL;
    error_t err = EPERM;
    if (machdev->bootstrap != MACH_PORT_NULL)
        err = fsys_getpriv(machdev->bootstrap, &host_priv, &device_master, &task);
    if (err)
        err = get_privileged_ports(&host_priv, &device_master);
    if (err)
        return err;
    if (MACH_PORT_VALID(task))
        mach_port_deallocate(mach_task_self(), task);
    if (machdev->host_priv == MACH_PORT_NULL)
        machdev->host_priv = host_priv;
    if (machdev->device_master == MACH_PORT_NULL)
        machdev->device_master = device_master;
known:
    _hurd_host_priv = machdev->host_priv;
    _hurd_device_master = machdev->device_master;
    return 0;
}

/* glibc counts one thread too few in a task that began without a process: when the last other thread ended there, it
   would take it for the last of all and exit.  So one waits until the process is there. */
static void *thread_keep(void *arg)
{
    struct machdev *machdev = arg;
    pthread_mutex_lock(&machdev->lock);
    while (!machdev->ordinary)
        pthread_cond_wait(&machdev->became_ordinary, &machdev->lock);
    pthread_mutex_unlock(&machdev->lock);
    return NULL;
}

static error_t thread_keeper_create(struct machdev *machdev)
{
    return machdev_has_filesystem() ? 0 : ports_thread_create(0, thread_keep, machdev);
}

error_t machdev_create(const struct machdev_options *options, struct machdev **result)
{
    struct machdev *machdev = &the_machdev;
    machdev->options = *options;
    error_t err = task_get_bootstrap_port(mach_task_self(), &machdev->bootstrap);
    if (machdev_has_filesystem()) {
        machdev->parent = machdev->bootstrap;
        machdev->bootstrap = MACH_PORT_NULL;
    }
    if (!err)
        err = privileged_ports(machdev);
    if (err)
        return err; /* there is not even a console to say it on */
    err = machdev_console_open(machdev->device_master);
    if (err)
        return err;
    machdev_only = machdev;
    if (!machdev_has_filesystem())
        ports_pageout_server(machdev->host_priv);
    if (options->trace_boot)
        dance_start(options->name, machdev->device_master);
    dance_step(1, "command line parsed%s", options->starts_another ? ": given a task, so a bootstrap translator" : "");
    err = thread_keeper_create(machdev);
    if (!err)
        err = ports_bucket_create(&machdev->bucket);
    ports_reads_guarded(DEVICE_WRITE);
    if (!err)
        err = ops_fill(machdev);
    if (!err)
        err = trivfs_control_create(&machdev->ops, machdev->bucket, MACH_PORT_NULL, machdev, &machdev->control);
    if (err) {
        fprintf(stderr, "%s: creating the control port: %s\n", options->name, strerror(err));
        return err;
    }
    dance_step(2, "machdev initialised; %s", machdev->bootstrap ? "the bootstrap port is our parent's"
                                             : machdev->parent ? "a translator" : "no bootstrap port: the first");
    *result = machdev;
    return 0;
}

bool machdev_has_filesystem(void)
{
    return _hurd_ports != NULL;
}

/* Shows the file system that has started us our control port, and gets the node that we sit on. */
static error_t translator_start(struct machdev *machdev)
{
    mach_port_t node = MACH_PORT_NULL;
    if (machdev->parent == MACH_PORT_NULL) {
        fprintf(stderr, "%s: must be started as a translator (see settrans)\n", machdev->options.name);
        return EINVAL;
    }
    mach_port_t control = ports_object_send_right(machdev->control);
    error_t err = control == MACH_PORT_NULL ? ENOMEM : 0;
    if (!err) {
        err = fsys_startup(machdev->parent, 0, control, MACH_MSG_TYPE_COPY_SEND, &node);
        mach_port_deallocate(mach_task_self(), control);
    }
    if (err)
        fprintf(stderr, "%s: starting as a translator: %s\n", machdev->options.name, strerror(err));
    else
        trivfs_control_set_underlying(machdev->control, node);
    return err;
}

error_t machdev_start(struct machdev *machdev, mach_port_t child)
{
    if (child == MACH_PORT_NULL)
        return machdev_has_filesystem() ? translator_start(machdev) : 0;
    const char *step = "making our port";
    mach_port_t control = ports_object_send_right(machdev->control);
    error_t err = control == MACH_PORT_NULL ? ENOMEM : 0;
    if (!err) {
        step = "setting the bootstrap port of the next task";
        err = task_set_bootstrap_port(child, control);
        mach_port_deallocate(mach_task_self(), control);
    }
    if (!err) {
        step = "resuming the next task";
        dance_step(5, "our port is the next task's bootstrap port; it is resumed");
        err = task_resume(child);
    }
    if (err)
        fprintf(stderr, "%s: %s: %s\n", machdev->options.name, step, strerror(err));
    return err;
}

void machdev_serve(struct machdev *machdev)
{
    dance_step(6, "serving");
    error_t err = ports_bucket_serve(machdev->bucket, &(struct ports_serve_options){0});
    fprintf(stderr, "%s: receiving requests: %s\n", machdev->options.name, strerror(err));
    exit(1);
}
