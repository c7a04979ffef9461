/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc: the process server.  What it is for the system is interface/hurd/process.defs; the steps are
   docs/bootstrap.md's. */

#include <dance/dance.h>
#include <error.h>
#include <hurd.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <mach/gnumach.h>
#include <mach/mig_errors.h>
#include <stdio.h>
#include <stdlib.h>

#include "interrupt_S.h"
#include "process_S.h"
#include "server.h"

struct ports_bucket *proc_bucket;
pthread_mutex_t proc_lock = PTHREAD_MUTEX_INITIALIZER;
mach_port_t proc_host_priv, proc_device_master, proc_auth;

static const ports_interface_t proc_interfaces[] = {process_server_routine, interrupt_server_routine, NULL};
static const struct ports_class_ops proc_port_class_ops = {
    .name = "process",
    .size = sizeof(struct proc_port),
    .interfaces = proc_interfaces,
};
struct ports_class proc_port_class = PORTS_CLASS(proc_port_class_ops);

/* A step of the boot that cannot fail without the system failing. */
static void step(const char *what, error_t err)
{
    if (err)
        error(EXIT_FAILURE, err, "%s", what);
}

/* Startup is root, above all, and its port is what it is handed. */
static struct process *startup_create(void)
{
    static const uid_t root = 0;
    struct process *p;
    step("cannot make the process table", process_table_init());
    step("cannot make number 1's port", process_equip(process_init()));
    step("cannot make number 2", process_create(HURD_PID_STARTUP, 0, &p));
    step("cannot make number 2's port", process_equip(p));
    p->ids = ids_create(&root, 1);
    step("cannot make number 2's ids", p->ids ? 0 : ENOMEM);
    p->owned = true;
    process_set_root(p);
    return p;
}

/* proc is a process as others are: the C library speaks to us by messages, which other threads answer. */
static void self_register(char **argv)
{
    struct process *self = process_lookup(HURD_PID_PROC);
    if (!self)
        error(EXIT_FAILURE, 0, "the kernel does not list our own task");
    mach_port_t port = ports_object_send_right(self->port);
    _hurd_port_set(&_hurd_ports[INIT_PORT_PROC], port);
    ports_proc_init(argv);
    ports_fault_is_death();
    proc_mark_exec(port);
    proc_set_exe(port, "/hurd/proc");
    proc_register_version(port, proc_host_priv, "proc", QUADRILLE_VERSION, QUADRILLE_VERSION);
}

int main(int argc, char **argv)
{
    mach_port_t bootstrap, startup_task;
    (void)argc;

    /* 1. The table, with init and startup in it. */
    step("cannot make a port set", ports_bucket_create(&proc_bucket));
    struct process *startup = startup_create();
    dance_start_if_asked("proc", argv);
    dance_step(1, "process table made");

    /* 2. Startup is behind our bootstrap port. */
    step("no bootstrap port", task_get_bootstrap_port(mach_task_self(), &bootstrap));
    if (bootstrap == MACH_PORT_NULL)
        error(EXIT_FAILURE, 0, "must be started by startup: no bootstrap port");

    dance_step(2, "bootstrap port: startup");

    /* 3. It gets its process port, and gives us auth's and the privileged ports. */
    mach_port_t port = ports_object_send_right(startup->port);
    dance_step(3, "startup_procinit");
    step("startup_procinit", startup_procinit(bootstrap, port, &startup_task, &proc_auth, &proc_host_priv,
                                              &proc_device_master));
    mach_port_deallocate(mach_task_self(), port);
    _hurd_host_priv = proc_host_priv;
    _hurd_device_master = proc_device_master;

    /* 4. The tasks that exist are processes. */
    step("cannot learn of tasks", tasks_start(startup, startup_task));
    dance_step(4, "auth and privileged ports got; tasks are processes");

    /* 5. Serve, and be a process of our own. */
    step("cannot serve", ports_bucket_serve_detached(proc_bucket, NULL));
    self_register(argv);
    dance_step(5, "serving; a process ourselves");

    /* 6. Tell startup that we are ready; the answer comes when all are. */
    dance_step(6, "startup_essential_task");
    step("startup_essential_task", startup_essential_task(bootstrap, mach_task_self(), MACH_PORT_NULL, "proc",
                                                          proc_host_priv));
    dance_step(7, "startup has answered");
    mach_port_deallocate(mach_task_self(), bootstrap);
    step("cannot receive messages", ports_bucket_serve(proc_bucket, NULL));
    return EXIT_FAILURE;
}
