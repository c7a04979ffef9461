/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Beginning: the handshake with the parent file system, and the whole main of an ordinary translator.  */

#include "trivfs-internal.h"

#include <error.h>
#include <hurd/fsys.h>
#include <stdlib.h>

error_t trivfs_startup(const struct trivfs_ops *ops, struct ports_bucket *bucket, mach_port_t bootstrap, int flags,
                       void *hook, struct trivfs_control **result)
{
    struct trivfs_control *control;
    mach_port_t underlying = MACH_PORT_NULL;
    error_t err = trivfs_control_create(ops, bucket, MACH_PORT_NULL, hook, &control);
    if (err)
        return err;
    mach_port_t right = ports_object_send_right(control);
    err = right != MACH_PORT_NULL ? fsys_startup(bootstrap, flags, right, MACH_MSG_TYPE_COPY_SEND, &underlying)
                                  : ENOMEM;
    if (right != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), right);
    if (err == 0)
        err = trivfs_control_set_underlying(control, underlying);
    if (err) {
        ports_object_deref(control);
        return err;
    }
    ports_sieve_install();
    *result = control;
    return 0;
}

/* True if nobody has CONTROL's node open. */
static bool control_idle(struct trivfs_control *control)
{
    pthread_mutex_lock(&control->lock);
    bool idle = control->peropens == 0;
    pthread_mutex_unlock(&control->lock);
    return idle;
}

int trivfs_main(const struct trivfs_ops *ops, void *hook, unsigned int idle_ms)
{
    struct ports_bucket *bucket;
    struct trivfs_control *control;
    mach_port_t bootstrap;

    /* 1. The parent is whoever set our bootstrap port. */
    task_get_bootstrap_port(mach_task_self(), &bootstrap);
    if (bootstrap == MACH_PORT_NULL)
        error(1, 0, "must be started as a translator (see settrans)");

    /* 2. Show it our control port, get the node that we sit on. */
    error_t err = ports_bucket_create(&bucket);
    if (err == 0)
        err = trivfs_startup(ops, bucket, bootstrap, 0, hook, &control);
    if (err)
        error(1, err, "cannot start as a translator");
    mach_port_deallocate(mach_task_self(), bootstrap);
    task_set_bootstrap_port(mach_task_self(), MACH_PORT_NULL);
    trivfs_ends_with_control = true;
    ports_object_deref(control); /* the parent's right keeps it from here on */

    /* 3. Serve. A parent that comes in the moment we leave finds us dead and starts another. */
    struct ports_serve_options options = {.exit_ms = idle_ms};
    do
        err = ports_bucket_serve(bucket, &options);
    while (err == 0 && !control_idle(control));
    if (err)
        error(1, err, "cannot receive messages");
    exit(0);
}
