/* SPDX-License-Identifier: GPL-2.0-or-later */
/* term: a terminal, on a Mach device or with a program at its other end.

       settrans -c /dev/console /hurd/term /dev/console device console
       settrans -c /dev/ptyp0 /hurd/term /dev/ptyp0 pty-master /dev/ttyp0
       settrans -c /dev/ttyp0 /hurd/term /dev/ttyp0 pty-slave /dev/ptyp0

   term NAME device DEVICE: the terminal on the Mach device DEVICE ("console", "com0", ...); NAME is what ttyname(3)
   tells.  It reads and writes the device from the first open on.  See terminal.h for how it works.

   term NAME pty-master PEER, term NAME pty-slave PEER: one side of a pseudo terminal (pty.h); the server that is
   started for either node attaches itself to the other one, PEER, as well, and ends when nobody has used the pair for
   a while. */

#include <argp.h>
#include <error.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <stdlib.h>
#include <string.h>
#include "device.h"
#include "node.h"
#include "signaller.h"

enum { IDLE_MS = 60 * 1000 }; /* a pair of pseudo terminals that nobody has open goes away */

struct arguments {
    const char *words[3]; /* name, kind, device or peer */
    unsigned int count;
};

static bool is_master(const struct arguments *arguments)
{
    return strcmp(arguments->words[1], "pty-master") == 0;
}

static bool is_pty(const struct arguments *arguments)
{
    return is_master(arguments) || strcmp(arguments->words[1], "pty-slave") == 0;
}

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
            argp_error(state, "a name, a kind, and a device's or the other side's name are needed");
        else if (strcmp(arguments->words[1], "device") != 0 && !is_pty(arguments))
            argp_error(state, "%s: no such kind of terminal; there are `device', `pty-master' and `pty-slave'",
                       arguments->words[1]);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .parser = parse, .args_doc = "NAME device DEVICE\nNAME pty-master PEER\nNAME pty-slave PEER",
    .doc = "A terminal: the translator of a node such as /dev/console, on a Mach device or with a program behind its "
           "other node.",
};

/* The terminal, its id port, and what it stands on. */
static error_t terminal_make(const struct arguments *arguments, struct ports_bucket *bucket)
{
    const char *slave = arguments->words[is_master(arguments) ? 2 : 0];
    struct device *device = NULL;
    struct signaller *signaller;
    error_t err = ports_object_create(&node_cttyid_class, bucket, &node_cttyid);

    if (!err)
        err = signaller_create(ports_object_send_right(node_cttyid), &signaller);
    if (!err && !is_pty(arguments))
        err = device_create(arguments->words[2], &device);
    if (!err)
        err = terminal_create(&node_terminal, slave, device, is_pty(arguments) ? &node_pty : NULL, signaller);
    if (!err && device)
        device_attach(device, &node_terminal);
    if (!err && is_pty(arguments)) {
        node_peer_name = arguments->words[is_master(arguments) ? 0 : 2];
        pty_create(&node_pty, &node_terminal);
    }
    return err;
}

/* Becomes the translator of the node at PATH, too: EBUSY, if that has one already. */
static error_t attach(const char *path, const struct trivfs_ops *ops, struct ports_bucket *bucket,
                      struct trivfs_control **control)
{
    mach_port_t node = file_name_lookup(path, O_NOTRANS, 0);
    error_t err;

    if (node == MACH_PORT_NULL)
        return errno;
    mach_port_mod_refs(mach_task_self(), node, MACH_PORT_RIGHT_SEND, 1);
    err = trivfs_control_create(ops, bucket, node, NULL, control);
    if (!err) {
        mach_port_t right = ports_object_send_right(*control);
        err = file_set_translator(node, 0, FS_TRANS_SET | FS_TRANS_EXCL, 0, NULL, 0, right, MACH_MSG_TYPE_COPY_SEND);
        mach_port_deallocate(mach_task_self(), right);
    }
    mach_port_deallocate(mach_task_self(), node);
    return err;
}

/* Whether anybody has the terminal or its master open. */
static bool is_used(void)
{
    pthread_mutex_lock(&node_terminal.lock);
    bool used = node_terminal.opens > 0 || node_pty.open;
    pthread_mutex_unlock(&node_terminal.lock);
    return used;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .count = 0 };
    struct ports_bucket *bucket;
    struct trivfs_control *control, *peer = NULL;
    mach_port_t bootstrap;
    error_t err;

    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    task_get_bootstrap_port(mach_task_self(), &bootstrap);
    if (bootstrap == MACH_PORT_NULL)
        error(1, 0, "%s: must be started as a translator", arguments.words[0]);

    /* 1. The terminal. */
    err = ports_bucket_create(&bucket);
    if (!err)
        err = terminal_make(&arguments, bucket);
    if (err)
        error(1, err, "%s", arguments.words[0]);

    /* 2. A pty's other node. */
    if (is_pty(&arguments))
        err = attach(arguments.words[2], is_master(&arguments) ? &node_ops : &node_master_ops, bucket, &peer);
    if (err)
        error(1, err, "%s: attaching to %s", arguments.words[0], arguments.words[2]);

    /* 3. We are there: the parent gets the control port, we the node below. */
    err = trivfs_startup(is_master(&arguments) ? &node_master_ops : &node_ops, bucket, bootstrap, 0, NULL, &control);
    if (err)
        error(1, err, "%s: starting as a translator", arguments.words[0]);
    mach_port_deallocate(mach_task_self(), bootstrap);
    task_set_bootstrap_port(mach_task_self(), MACH_PORT_NULL);
    node_cttyid->control = is_master(&arguments) ? peer : control;

    /* 4. Serve. */
    do
        err = ports_bucket_serve(bucket, &(struct ports_serve_options){ .exit_ms = is_pty(&arguments) ? IDLE_MS : 0 });
    while (!err && is_used());
    if (err)
        error(1, err, "%s: serving", arguments.words[0]);
    exit(0);
}
