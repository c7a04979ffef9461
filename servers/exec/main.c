/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec: the server that makes tasks run programs; translator of /servers/exec.

   Started twice over by the chains of bootstrap.txt: as a boot module (exec.static, or the dynamic loader with
   /hurd/exec), and never after that.  Its numbered steps are those of docs/bootstrap.md, "exec bootstrap" and "exec
   getting initialized". */

#include "exec.h"
#include "exec_S.h"

#include <dance/dance.h>
#include <error.h>
#include <hurd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trivfs/trivfs.h>

struct ports_bucket *exec_bucket;
struct ports_class *exec_control_class, *exec_protid_class;
char **exec_arguments;

/* The system cannot do without; only force ends it. */
static error_t exec_goaway(struct trivfs_control *control, int flags)
{
    (void) control;
    return flags & FSYS_GOAWAY_FORCE ? 0 : EBUSY;
}

static const ports_interface_t exec_interfaces[] = { exec_server_routine, NULL };

static const struct trivfs_ops exec_ops = {
    .name = "exec",
    .fstype = FSTYPE_MISC,
    .modes = 0,
    .goaway = exec_goaway,
    .node_interfaces = exec_interfaces,
    .control_interfaces = exec_interfaces,
};

static int fail(const char *step, error_t err)
{
    fprintf(stderr, "exec: %s: %s\n", step, strerror(err));
    return 1;
}

/* Routines that read what they are sent by ports_copy_guarded themselves. */
enum { EXEC_EXEC = 30000, EXEC_EXEC_PATHS = 30004 };

int main(int argc, char **argv)
{
    struct trivfs_control *control;
    mach_port_t bootstrap;
    error_t err;

    (void) argc;
    exec_arguments = argv;
    /* 1. The bootstrap port; the port to proc is still null. */
    err = task_get_bootstrap_port(mach_task_self(), &bootstrap);
    if (err || bootstrap == MACH_PORT_NULL)
        error(EXIT_FAILURE, err, "must be started by the root file system: no bootstrap port");
    dance_start_if_asked("exec", argv);
    dance_step(1, "bootstrap port got; getproc gives %s",
               _hurd_ports && getproc() != MACH_PORT_NULL ? "a port" : "null");
    /* 2. The trivfs library. */
    ports_reads_guarded(EXEC_EXEC);
    ports_reads_guarded(EXEC_EXEC_PATHS);
    err = ports_bucket_create(&exec_bucket);
    if (!err)
        err = trivfs_classes_create(&exec_ops, &exec_control_class, &exec_protid_class);
    if (err)
        return fail("initialisation", err);
    dance_step(2, "trivfs initialised");
    /* 3. fsys_startup on the bootstrap port: our control port for the node of /servers/exec. */
    dance_step(3, "trivfs_startup: fsys_startup on the bootstrap port, with our control port");
    err = trivfs_startup(&exec_ops, exec_bucket, bootstrap, 0, NULL, &control);
    if (err)
        return fail("fsys_startup", err);
    mach_port_deallocate(mach_task_self(), bootstrap);
    /* 4. exec_exec for /hurd/startup comes, and later exec_init (init.c). */
    dance_step(4, "underlying node got; serving");
    err = ports_bucket_serve(exec_bucket, &(struct ports_serve_options) { 0 });
    return fail("receiving", err);
}
