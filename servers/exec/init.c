/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init: what exec learns while the system comes up: who proc and auth are, and the standard arrays.

   Lock order: defaults_lock, then nothing; init_lock, then nothing. */

#include "exec.h"
#include "exec_S.h"

#include <dance/dance.h>
#include <hurd.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- standard arrays ------------------------------------------------------------ */

static pthread_mutex_t defaults_lock = PTHREAD_MUTEX_INITIALIZER;
static mach_port_t *defaults_ports;          /* send rights; defaults_lock, like all four */
static unsigned int defaults_port_count;
static int *defaults_ints;
static unsigned int defaults_int_count;

mach_port_t exec_defaults_port(unsigned int index)
{
    mach_port_t port = MACH_PORT_NULL;

    pthread_mutex_lock(&defaults_lock);
    if (index < defaults_port_count && MACH_PORT_VALID(defaults_ports[index])
        && mach_port_mod_refs(mach_task_self(), defaults_ports[index], MACH_PORT_RIGHT_SEND, 1) == 0)
        port = defaults_ports[index];
    pthread_mutex_unlock(&defaults_lock);
    return port;
}

int exec_defaults_int(unsigned int index, int fallback)
{
    pthread_mutex_lock(&defaults_lock);
    int value = index < defaults_int_count ? defaults_ints[index] : fallback;
    pthread_mutex_unlock(&defaults_lock);
    return value;
}

error_t exec_defaults_set(const mach_port_t *ports, unsigned int port_count, const int *ints, unsigned int int_count)
{
    mach_port_t *new_ports = calloc(port_count + 1, sizeof *new_ports), *old_ports;
    int *new_ints = calloc(int_count + 1, sizeof *new_ints), *old_ints;
    unsigned int old_count;

    if (new_ports == NULL || new_ints == NULL) {
        free(new_ports);
        free(new_ints);
        return ENOMEM;
    }
    memcpy(new_ports, ports, port_count * sizeof *ports);
    memcpy(new_ints, ints, int_count * sizeof *ints);
    pthread_mutex_lock(&defaults_lock);
    old_ports = defaults_ports;
    old_count = defaults_port_count;
    old_ints = defaults_ints;
    defaults_ports = new_ports;
    defaults_port_count = port_count;
    defaults_ints = new_ints;
    defaults_int_count = int_count;
    pthread_mutex_unlock(&defaults_lock);
    for (unsigned int i = 0; i < old_count; i++)
        if (MACH_PORT_VALID(old_ports[i]))
            mach_port_deallocate(mach_task_self(), old_ports[i]);
    free(old_ports);
    free(old_ints);
    return 0;
}

/* ---- registration ------------------------------------------------------------------ */

/* The object that proc sends exec_setexecdata to. */
static const ports_interface_t notify_interfaces[] = { exec_server_routine, NULL };
static const struct ports_class_ops notify_ops = {
    .name = "execdata", .size = sizeof(struct ports_object), .interfaces = notify_interfaces,
};
struct ports_class exec_notify_class = PORTS_CLASS(notify_ops);

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static bool init_done;   /* init_lock */

static error_t init_watch_execdata(mach_port_t proc)
{
    struct ports_object *object;
    error_t err = ports_object_create(&exec_notify_class, exec_bucket, &object);

    if (err)
        return err;
    err = proc_execdata_notify(proc, ports_object_make_send_name(object), MACH_MSG_TYPE_MAKE_SEND);
    ports_object_deref(object);
    return err;
}

static void init_complain(const char *step, error_t err)
{
    if (err)
        fprintf(stderr, "exec: %s: %s\n", step, strerror(err));
}

/* Tells startup that this server is there and must stay.  It answers when proc and auth are there as well. */
static error_t init_announce(mach_port_t proc)
{
    mach_port_t host_priv, device_master, startup;
    error_t err = proc_getprivports(proc, &host_priv, &device_master);

    if (err)
        return err;
    mach_port_deallocate(mach_task_self(), device_master);
    init_complain("proc_register_version", proc_register_version(proc, host_priv, "exec", "0.1", "Quadrille"));
    err = proc_getmsgport(proc, HURD_PID_STARTUP, &startup);
    if (!err) {
        dance_step(6, "startup_essential_task");
        err = startup_essential_task(startup, mach_task_self(), MACH_PORT_NULL, "exec", host_priv);
        dance_step(7, "startup has answered");
        mach_port_deallocate(mach_task_self(), startup);
    }
    /* host_priv stays: when memory is full, our kernel spares who has it. */
    return err;
}

error_t exec_init_complete(mach_port_t auth, mach_port_t proc)
{
    pthread_mutex_lock(&init_lock);
    if (init_done || _hurd_ports == NULL) {
        pthread_mutex_unlock(&init_lock);
        return init_done ? EPERM : EGRATUITOUS;
    }
    init_done = true;
    pthread_mutex_unlock(&init_lock);

    /* Not setauth(): that would reauthenticate our directory ports, and their server is waiting for us. */
    mach_port_mod_refs(mach_task_self(), auth, MACH_PORT_RIGHT_SEND, 1);
    _hurd_port_set(&_hurd_ports[INIT_PORT_AUTH], auth);
    mach_port_mod_refs(mach_task_self(), proc, MACH_PORT_RIGHT_SEND, 1);
    _hurd_port_set(&_hurd_ports[INIT_PORT_PROC], proc);
    /* Starts our own signal thread and tells proc of it and of our arguments. */
    ports_proc_init(exec_arguments);
    dance_step(5, "exec_init came; registered with proc");
    init_complain("proc_execdata_notify", init_watch_execdata(proc));
    init_complain("startup_essential_task", init_announce(proc));
    mach_port_deallocate(mach_task_self(), auth);
    mach_port_deallocate(mach_task_self(), proc);
    return 0;
}
