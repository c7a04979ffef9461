/* SPDX-License-Identifier: GPL-2.0-or-later */
/* auth: the server that vouches for who is who.  Started once, by startup.

   Its numbered steps are those of docs/bootstrap.md, "auth". */

#include "auth.h"

#include <dance/dance.h>
#include <error.h>
#include <hurd.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ports_bucket *auth_bucket;

static int fail(const char *step, error_t err)
{
    fprintf(stderr, "auth: %s: %s\n", step, strerror(err));
    return 1;
}

/* 1. The root handle: all ids that root needs; the first available id is the real one, the second the saved one. */
static error_t root_handle_create(struct auth_handle **root)
{
    uid_t zeroes[2] = { 0, 0 };
    const struct ids_list one = { zeroes, 1 }, two = { zeroes, 2 };
    struct ids ids;
    error_t err = ids_create(&ids, &one, &two, &one, &two, ports_copy_guarded);

    return err ? err : auth_handle_create(&ids, root);
}

/* 4. PROC, our own process port, becomes that of the C library, which tells proc of our message port and arguments. */
static error_t register_with_proc(mach_port_t proc, struct auth_handle *root, char **argv)
{
    if (_hurd_ports == NULL)
        return EGRATUITOUS;
    _hurd_port_set(&_hurd_ports[INIT_PORT_AUTH], ports_object_send_right(root));
    mach_port_mod_refs(mach_task_self(), proc, MACH_PORT_RIGHT_SEND, 1);
    _hurd_port_set(&_hurd_ports[INIT_PORT_PROC], proc);
    ports_proc_init(argv);
    return 0;
}

/* 5. startup may go on; it answers when all three essential servers have said so. */
static error_t announce(mach_port_t startup, mach_port_t proc)
{
    mach_port_t host_priv, device_master;
    error_t err = proc_getprivports(proc, &host_priv, &device_master);

    if (err)
        return err;
    mach_port_deallocate(mach_task_self(), device_master);
    err = proc_register_version(proc, host_priv, "auth", "0.1", "Quadrille");
    if (err)
        fail("proc_register_version", err);
    dance_step(5, "startup_essential_task");
    err = startup_essential_task(startup, mach_task_self(), MACH_PORT_NULL, "auth", host_priv);
    /* host_priv stays: when memory is full, our kernel spares who has it. */
    return err;
}

int main(int argc, char **argv)
{
    struct auth_handle *root;
    mach_port_t startup, proc;
    error_t err;

    (void) argc;
    dance_start_if_asked("auth", argv);
    err = ports_bucket_create(&auth_bucket);
    if (!err)
        err = root_handle_create(&root);
    if (err)
        return fail("initialisation", err);
    dance_step(1, "root auth handle made");
    /* 2. The bootstrap port is startup's. */
    err = task_get_bootstrap_port(mach_task_self(), &startup);
    if (err || startup == MACH_PORT_NULL)
        error(EXIT_FAILURE, err, "must be started by startup: no bootstrap port");
    task_set_bootstrap_port(mach_task_self(), MACH_PORT_NULL);
    dance_step(2, "bootstrap port: startup");
    /* From here on others may use handles: startup does before it answers. */
    err = ports_bucket_serve_detached(auth_bucket, &(struct ports_serve_options) { 0 });
    if (err)
        return fail("threads", err);
    /* 3. The root handle for startup; it gives us our process port. */
    dance_step(3, "startup_authinit");
    err = startup_authinit(startup, ports_object_make_send_name(root), MACH_MSG_TYPE_MAKE_SEND, &proc);
    if (err)
        return fail("startup_authinit", err);
    err = register_with_proc(proc, root, argv);
    if (err)
        fail("registering with proc", err);
    dance_step(4, "port on proc got; registered");
    err = announce(startup, proc);
    if (err)
        fail("startup_essential_task", err);
    dance_step(6, "startup has answered");
    mach_port_deallocate(mach_task_self(), startup);
    mach_port_deallocate(mach_task_self(), proc);
    /* The root handle stays: its reference here is never given up. */
    pthread_exit(NULL);
}
