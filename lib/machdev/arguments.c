/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of pci-arbiter and rumpdisk; see arguments.h. */

#include "arguments.h"

#include <errno.h>
#include <stdlib.h>

enum { OPT_CHILD_TASK = 256, OPT_HOST_PRIV, OPT_DEVICE_MASTER, OPT_TRACE_BOOT };

/* A port's name: a decimal number that fits.  argp_error does not return. */
static mach_port_t parse_port(const char *arg, struct argp_state *state)
{
    char *end;
    unsigned long name;

    errno = 0;
    name = strtoul(arg, &end, 10);
    if (errno || end == arg || *end || name != (mach_port_t) name)
        argp_error(state, "%s: not the name of a port", arg);
    return name;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct machdev_arguments *arguments = state->input;

    switch (key) {
    case OPT_CHILD_TASK:
        arguments->child_task = parse_port(arg, state);
        return 0;
    case OPT_HOST_PRIV:
        arguments->host_priv = parse_port(arg, state);
        return 0;
    case OPT_DEVICE_MASTER:
        arguments->device_master = parse_port(arg, state);
        return 0;
    case OPT_TRACE_BOOT:
        arguments->trace_boot = true;
        return 0;
    case ARGP_KEY_INIT:
        if (arguments->more)
            state->child_inputs[0] = arguments->more;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: unexpected argument", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void machdev_arguments_parse(int argc, char **argv, const char *child_option, const char *child_doc, const char *doc,
                             const struct argp_child *more, void *input, struct machdev_arguments *arguments)
{
    const struct argp_option options[] = {
        { child_option, OPT_CHILD_TASK, "PORT", 0, child_doc, 0 },
        { "host-priv-port", OPT_HOST_PRIV, "PORT", 0, "The host's privileged port", 0 },
        { "device-master-port", OPT_DEVICE_MASTER, "PORT", 0, "The kernel's device master port", 0 },
        { "trace-boot", OPT_TRACE_BOOT, NULL, 0, "Say each step of the boot on the console", 0 },
        { 0 },
    };
    const struct argp argp = { .options = options, .parser = parse_option, .doc = doc, .children = more };

    *arguments = (struct machdev_arguments) { .more = input };
    argp_parse(&argp, argc, argv, 0, NULL, arguments);
}
