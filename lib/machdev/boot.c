/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bootstrap translator before ext2fs: what its child asks of it, what it passes on to its own parent, and how it
   becomes an ordinary translator (bootstrap.txt, "rumpdisk getting initialized" and "pci-arbiter getting
   initialized"). */

#include "machdev-internal.h"

#include <dance/dance.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fsys.h>
#include <hurd/paths.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fsys_reply_U.h"
#include "startup_notify_S.h"

/* ---- requests of the child -------------------------------------------------------------- */

/* The C library's start-up code of a task with a bootstrap port asks it for arguments and ports
   (exec_startup_get_info). There are none but what the kernel put on the stack, so nobody serves that call here: on the
   error MIG_BAD_ID it takes those, and is then in the same state as a task without bootstrap port (glibc,
   hurd/hurdstartup.c). */

error_t machdev_boot_fsys_getpriv(struct trivfs_control *control, mach_port_t *host_priv, mach_port_t *device_master,
                                  mach_port_t *fstask)
{
    struct machdev *machdev = control->hook;
    *host_priv = machdev->host_priv; /* copied into the answer */
    *device_master = machdev->device_master;
    *fstask = mach_task_self();
    return 0;
}

/* CONTROL_OF_CHILD is ext2fs's, handed from child to parent.  It gets no node: we are not a file system it sits in. */
error_t machdev_boot_fsys_startup(struct trivfs_control *control, mach_port_t reply, mach_msg_type_name_t reply_type,
                                  int flags, mach_port_t control_of_child, mach_port_t *realnode)
{
    struct machdev *machdev = control->hook;
    (void)reply;
    (void)reply_type;
    if (!MACH_PORT_VALID(control_of_child))
        return EINVAL;
    dance_step(7, "fsys_startup came with the root file system's control port");
    if (machdev->bootstrap != MACH_PORT_NULL) {
        dance_step(8, "fsys_startup passed on to the bootstrap port");
        mach_port_t node = MACH_PORT_NULL;
        error_t err = fsys_startup(machdev->bootstrap, flags, control_of_child, MACH_MSG_TYPE_COPY_SEND, &node);
        if (err) {
            fprintf(stderr, "%s: passing fsys_startup on to the bootstrap port: %s\n", machdev->options.name,
                    strerror(err));
            return err;
        }
        if (MACH_PORT_VALID(node))
            mach_port_deallocate(mach_task_self(), node);
    }
    pthread_mutex_lock(&machdev->lock);
    mach_port_t old = machdev->root_control;
    machdev->root_control = control_of_child;
    pthread_mutex_unlock(&machdev->lock);
    if (MACH_PORT_VALID(old))
        mach_port_deallocate(mach_task_self(), old);
    *realnode = MACH_PORT_NULL;
    return 0;
}

/* ---- becoming ordinary -------------------------------------------------------------------- */

/* Passes fsys_init on, with the parent's own process port in place of ours. */
static void parent_init(struct machdev *machdev, mach_port_t proc, mach_port_t auth)
{
    mach_port_t host_priv, device_master, task, parent_proc = MACH_PORT_NULL;
    error_t err = fsys_getpriv(machdev->bootstrap, &host_priv, &device_master, &task);
    if (!err) {
        err = proc_task2proc(proc, task, &parent_proc);
        mach_port_deallocate(mach_task_self(), host_priv);
        mach_port_deallocate(mach_task_self(), device_master);
        mach_port_deallocate(mach_task_self(), task);
    }
    if (!err) {
        err = fsys_init(machdev->bootstrap, parent_proc, MACH_MSG_TYPE_COPY_SEND, auth);
        mach_port_deallocate(mach_task_self(), parent_proc);
    }
    if (err)
        fprintf(stderr, "%s: passing fsys_init on to the bootstrap port: %s\n", machdev->options.name, strerror(err));
}

/* The port of startup: the node it has attached, or the message port of its process. */
static error_t startup_port(mach_port_t proc, mach_port_t *startup)
{
    *startup = file_name_lookup(_SERVERS_STARTUP, 0, 0);
    return *startup != MACH_PORT_NULL ? 0 : proc_getmsgport(proc, HURD_PID_STARTUP, startup);
}

static const ports_interface_t notify_interfaces[] = {startup_notify_server_routine, NULL};
static const struct ports_class_ops notify_ops = {
    .name = "shutdown notification",
    .size = sizeof(struct ports_object),
    .interfaces = notify_interfaces,
};
static struct ports_class notify_class = PORTS_CLASS(notify_ops);

/* The system goes down: what the disks hold in their caches must be on them before the power is gone. */
kern_return_t S_startup_dosync(mach_port_t notify)
{
    struct ports_object *object = ports_object_lookup(machdev_only->bucket, notify, &notify_class);
    if (!object)
        return EOPNOTSUPP;
    ports_object_deref(object);
    const struct machdev_driver *driver = machdev_only->options.driver;
    return driver && driver->sync ? driver->sync() : 0;
}

static error_t shutdown_register(struct machdev *machdev, mach_port_t startup)
{
    struct ports_object *object;
    error_t err = ports_object_create(&notify_class, machdev->bucket, &object);
    if (err)
        return err;
    mach_port_t name = ports_object_make_send_name(object);
    err = startup_request_notification(startup, name, MACH_MSG_TYPE_MAKE_SEND, (char *)machdev->options.name);
    ports_object_deref(object);
    return err;
}

/* Tells startup that the system cannot go on without us, and that we want to know when it stops. */
static error_t startup_register(struct machdev *machdev, mach_port_t proc, const char **step)
{
    mach_port_t startup;
    *step = "finding startup";
    error_t err = startup_port(proc, &startup);
    if (err)
        return err;
    *step = "startup_essential_task";
    dance_step(13, "startup_essential_task");
    err = startup_essential_task(startup, mach_task_self(), MACH_PORT_NULL, (char *)machdev->options.name,
                                 machdev->host_priv);
    if (!err) {
        *step = "startup_request_notification";
        dance_step(14, "startup_request_notification");
        err = shutdown_register(machdev, startup);
    }
    mach_port_deallocate(mach_task_self(), startup);
    return err;
}

static error_t node_attach(struct machdev *machdev)
{
    mach_port_t root = getcrdir(), control = ports_object_send_right(machdev->control);
    error_t err = root == MACH_PORT_NULL || control == MACH_PORT_NULL
                      ? EIO
                      : fshelp_install_translator(root, machdev->options.node, control);
    if (MACH_PORT_VALID(control))
        mach_port_deallocate(mach_task_self(), control);
    if (MACH_PORT_VALID(root))
        mach_port_deallocate(mach_task_self(), root);
    return err;
}

/* "It gets the root node of ext2fs, sets all common ports, and install rumpdisk in the ext2fs FS as translator for
   /dev/disk.  It eventually calls startup_essential_task [...] and requests shutdown notifications." A step that fails
   is told and does not keep the others from being done. */
static void become_ordinary(struct machdev *machdev, mach_port_t proc, mach_port_t auth)
{
    const char *name = machdev->options.name, *step = "no root file system";
    error_t err = machdev->root_control == MACH_PORT_NULL
                      ? ENOENT
                      : (step = "setting the common ports",
                         fshelp_adopt_common_ports(machdev->root_control, auth, proc));
    if (err) {
        fprintf(stderr, "%s: %s: %s\n", name, step, strerror(err));
        return;
    }
    if (machdev->options.argv) /* for ps; of no other consequence */
        proc_set_arg_locations(proc, (vm_address_t)machdev->options.argv, (vm_address_t)environ);
    /* The C library ends a process with calls that may come back to us, by way of the file system on our disks. */
    ports_fault_is_death();
    dance_step(11, "root node got from the root file system; common ports set");
    if (machdev->options.ordinary)
        machdev->options.ordinary();
    err = node_attach(machdev);
    if (err)
        fprintf(stderr, "%s: attaching to %s: %s\n", name, machdev->options.node, strerror(err));
    else
        dance_step(12, "installed as the translator of %s", machdev->options.node);
    err = startup_register(machdev, proc, &step);
    if (err)
        fprintf(stderr, "%s: %s: %s\n", name, step, strerror(err));
}

/* Answered at once, so that the caller is not stuck while we look things up in it. */
error_t machdev_boot_fsys_init(struct trivfs_control *control, mach_port_t reply, mach_msg_type_name_t reply_type,
                               mach_port_t proc, mach_port_t auth)
{
    struct machdev *machdev = control->hook;
    pthread_mutex_lock(&machdev->lock);
    bool again = machdev->initialised;
    machdev->initialised = true;
    pthread_mutex_unlock(&machdev->lock);
    if (again)
        return EBUSY;
    fsys_init_reply(reply, reply_type, 0);
    dance_step(9, "fsys_init came with proc and auth; answered");
    if (machdev->bootstrap != MACH_PORT_NULL) {
        dance_step(10, "fsys_init on the bootstrap port");
        parent_init(machdev, proc, auth);
    }
    become_ordinary(machdev, proc, auth);
    pthread_mutex_lock(&machdev->lock);
    machdev->ordinary = true;
    pthread_cond_signal(&machdev->became_ordinary);
    pthread_mutex_unlock(&machdev->lock);
    mach_port_deallocate(mach_task_self(), proc);
    mach_port_deallocate(mach_task_self(), auth);
    return MIG_NO_REPLY;
}
