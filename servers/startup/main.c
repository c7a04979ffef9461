/* SPDX-License-Identifier: GPL-2.0-or-later */
/* startup: the second process, which brings up proc and auth, introduces everybody to everybody, starts number 1, and
   ends the system.  The steps are those of docs/bootstrap.md. */

#include <dance/dance.h>
#include <error.h>
#include <hurd.h>
#include <hurd/fsys.h>
#include <hurd/paths.h>
#include <mach/gnumach.h>
#include <stdlib.h>
#include <string.h>

#include "fsys_S.h"
#include "io_S.h"
#include "msg_S.h"
#include "startup.h"
#include "startup_S.h"

struct startup_object *startup_object, *startup_message, *startup_control;
mach_port_t startup_host_priv, startup_device_master, startup_fs_control, startup_fs_task;
char **startup_argv;

static const ports_interface_t startup_interfaces[] = {startup_server_routine, msg_server_routine, io_server_routine,
                                                       NULL};
static const ports_interface_t control_interfaces[] = {fsys_server_routine, NULL};
static const struct ports_class_ops startup_class_ops = {
    .name = "startup",
    .size = sizeof(struct startup_object),
    .interfaces = startup_interfaces,
    .dead_name = startup_dead_name,
};
static const struct ports_class_ops startup_control_class_ops = {
    .name = "startup's translator",
    .size = sizeof(struct startup_object),
    .interfaces = control_interfaces,
};
struct ports_class startup_class = PORTS_CLASS(startup_class_ops);
struct ports_class startup_control_class = PORTS_CLASS(startup_control_class_ops);

/* The kernel's command line is ours: it says whether the steps are to be told.  Those before there is a console are
   told now. */
static void steps_start(void)
{
    for (char **word = startup_argv + 1; *word; word++)
        if (!strcmp(*word, DANCE_WORD))
            dance_start("startup", startup_device_master);
    dance_step(1, "bootstrap port: the control port of the root file system");
    dance_step(2, "privileged ports got by fsys_getpriv; bootstrap port cleared");
    dance_step(3, "output on the Mach console");
}

/* Steps 1 to 3: the file system that started us, the privileged ports, a voice. */
static void meet_file_system(void)
{
    error_t err = task_get_bootstrap_port(mach_task_self(), &startup_fs_control);
    /* By hand: whoever did it has a standard error, while there is no console yet. */
    if (err || startup_fs_control == MACH_PORT_NULL)
        error(EXIT_FAILURE, err, "must be started by the root file system: no bootstrap port");
    err = fsys_getpriv(startup_fs_control, &startup_host_priv, &startup_device_master, &startup_fs_task);
    if (err)
        error(EXIT_FAILURE, err, "must be started by the root file system: fsys_getpriv");
    task_set_bootstrap_port(mach_task_self(), MACH_PORT_NULL);
    console_open(startup_device_master);
    steps_start();
    _hurd_host_priv = startup_host_priv;
    _hurd_device_master = startup_device_master;
}

/* Step 5: the ports that we serve. */
static void make_ports(struct ports_bucket **bucket)
{
    error_t err = ports_bucket_create(bucket);
    if (!err)
        err = ports_object_create(&startup_class, *bucket, &startup_object);
    if (!err)
        err = ports_object_create(&startup_class, *bucket, &startup_message);
    if (!err)
        err = ports_object_create(&startup_control_class, *bucket, &startup_control);
    if (!err)
        err = ports_object_notify_dead(startup_object, startup_fs_task);
    if (err)
        give_up(err, "cannot make the startup port");
    startup_object->asker = ASKER_ROOT;
    startup_message->asker = ASKER_UNKNOWN;
}

/* Waits, with the lock held, until READY. */
static void wait_until(bool (*ready)(void))
{
    pthread_mutex_lock(&startup_lock);
    while (!ready())
        pthread_cond_wait(&startup_changed, &startup_lock);
    pthread_mutex_unlock(&startup_lock);
}

static bool core_known(void)
{
    return startup_state.proc != MACH_PORT_NULL && startup_state.auth != MACH_PORT_NULL;
}

static bool core_ready(void)
{
    const struct essential_list *list = &startup_state.essentials;
    return essential_has(list, "proc") && essential_has(list, "auth") && essential_has(list, "exec");
}

static bool init_ended(void)
{
    return startup_state.init_died && !startup_state.going_down;
}

int main(int argc, char **argv)
{
    struct ports_bucket *bucket;
    mach_port_t proc_task, auth_task;
    error_t err;
    (void)argc;
    startup_argv = argv;

    /* 1. to 3. ext2fs, the privileged ports, output. */
    meet_file_system();

    /* 4. Stay in memory. */
    err = wire_self(startup_host_priv);
    if (err)
        complain(err, "cannot wire own memory");
    dance_step(4, "wired");

    /* 5. Our port, and notice of ext2fs' death. */
    make_ports(&bucket);
    err = ports_bucket_serve_detached(bucket, NULL);
    if (err)
        give_up(err, "cannot serve");
    dance_step(5, "startup port made; notification of the root file system's death requested");

    /* 6. proc and auth. */
    err = server_run(_HURD_PROC, &proc_task);
    if (err)
        give_up(err, "cannot run %s", _HURD_PROC);
    err = server_run(_HURD_AUTH, &auth_task);
    if (err)
        give_up(err, "cannot run %s", _HURD_AUTH);

    /* 7. Both have called.  8. to 12.: introduce everybody to everybody. */
    wait_until(core_known);
    dance_step(7, "startup_procinit and startup_authinit have come");
    launch_core_servers(proc_task, auth_task);

    /* 13. (serve.c) and 14. proc, auth and exec are ready: they may go on. */
    wait_until(core_ready);
    if (!dance_told())
        say(".\n");
    dance_step(14, "proc, auth and exec are answered");
    release_core_servers();

    /* 15. and 16. What programs start with, and the kernel as a process. */
    init_stdarrays();
    frob_kernel_process(argv);
    find_essential_pids();

    /* 17. Number 1, as often as it ends. */
    while (launch_something()) {
        wait_until(init_ended);
        init_reap();
    }
    give_up(0, "there is no program that could be run as number 1");
}
