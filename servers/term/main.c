/* SPDX-License-Identifier: GPL-2.0-or-later */
/* term: a terminal on a Mach device.

       settrans -c /dev/console /hurd/term /dev/console device console

   term NAME device DEVICE: the terminal on the Mach device DEVICE ("console", "com0", ...); NAME is what ttyname(3) tells.
   It reads and writes the device from the first open on.  See terminal.h for how it works. */

#include <argp.h>
#include <error.h>
#include <hurd.h>
#include <stdlib.h>
#include <string.h>
#include "device.h"
#include "node.h"
#include "signaller.h"

struct arguments {
    const char *words[3]; /* name, kind, device */
    unsigned int count;
};

static error_t parse(int key, char *word, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (arguments->count == 3)
            argp_error(state, "too many arguments");
        arguments->words[arguments->count++] = word;
        return 0;
    case ARGP_KEY_END:
        if (arguments->count < 3)
            argp_error(state, "a name, `device' and a device's name are needed");
        else if (strcmp(arguments->words[1], "device") != 0)
            argp_error(state, "%s: no such kind of terminal; there is `device'", arguments->words[1]);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .parser = parse, .args_doc = "NAME device DEVICE",
    .doc = "A terminal: the translator of a node such as /dev/console, on a Mach device.",
};

int main(int argc, char **argv)
{
    struct arguments arguments = { .count = 0 };
    struct ports_bucket *bucket;
    struct device *device;
    struct signaller *signaller;
    struct trivfs_control *control;
    mach_port_t bootstrap;
    error_t err;

    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    task_get_bootstrap_port(mach_task_self(), &bootstrap);
    if (bootstrap == MACH_PORT_NULL)
        error(1, 0, "%s: must be started as a translator", arguments.words[0]);

    /* 1. The terminal, its id port, and what it stands on. */
    err = ports_bucket_create(&bucket);
    if (!err)
        err = ports_object_create(&node_cttyid_class, bucket, &node_cttyid);
    if (!err)
        err = signaller_create(ports_object_send_right(node_cttyid), &signaller);
    if (!err)
        err = device_create(arguments.words[2], &device);
    if (!err)
        err = terminal_create(&node_terminal, arguments.words[0], device, signaller);
    if (err)
        error(1, err, "%s", arguments.words[0]);
    device_attach(device, &node_terminal);

    /* 2. We are there: the parent gets the control port, we the node below. */
    err = trivfs_startup(&node_ops, bucket, bootstrap, 0, NULL, &control);
    if (err)
        error(1, err, "%s: starting as a translator", arguments.words[0]);
    mach_port_deallocate(mach_task_self(), bootstrap);
    node_cttyid->control = control;

    /* 3. Serve. */
    err = ports_bucket_serve(bucket, &(struct ports_serve_options){ 0 });
    error(1, err, "%s: serving", arguments.words[0]);
    return 1;
}
