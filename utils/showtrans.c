/* SPDX-License-Identifier: GPL-2.0-or-later */
/* showtrans: shows the passive translators of nodes. */

#include <fcntl.h>
#include <getopt.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common.h"

const char program_name[] = "showtrans";
const char program_help[] =
    "showtrans [OPTION...] NODE...\n"
    "Shows the passive translator of each NODE.  Exit status: 0 if all have one, 1 otherwise.\n\n"
    "  -p, --prefix      \"NODE: \" before each (as with more than one NODE)\n"
    "  -P, --no-prefix   never\n"
    "  -s, --silent      no output, only the exit status\n"
    "  -t, --translated  do not speak of nodes without a translator\n"
    "      --help        this text\n";

static const struct option options[] = {
    { "prefix", no_argument, NULL, 'p' }, { "no-prefix", no_argument, NULL, 'P' }, { "silent", no_argument, NULL, 's' },
    { "translated", no_argument, NULL, 't' }, { "help", no_argument, NULL, 'h' }, { 0 },
};

struct wishes {
    bool prefix, silent, translated_only;
};

static error_t show(const char *name, const struct wishes *wishes)
{
    char buffer[1024], *argz = buffer;
    mach_msg_type_number_t length = sizeof buffer;
    file_t node = file_name_lookup(name, O_NOTRANS, 0);
    error_t err;

    if (node == MACH_PORT_NULL) {
        err = errno;
        complain(err, "%s", name);
        return err;
    }
    err = file_get_translator(node, &argz, &length);
    mach_port_deallocate(mach_task_self(), node);
    if (err == EINVAL) {
        if (!wishes->translated_only && !wishes->silent)
            fprintf(stderr, "%s: %s: no passive translator\n", program_name, name);
        return wishes->translated_only ? 0 : err;
    }
    if (err) {
        complain(err, "%s", name);
        return err;
    }
    if (!wishes->silent) {
        if (wishes->prefix)
            printf("%s: ", name);
        print_argz(argz, length);
    }
    if (argz != buffer)
        vm_deallocate(mach_task_self(), (vm_address_t) argz, length);
    return 0;
}

int main(int argc, char **argv)
{
    struct wishes wishes = { 0 };
    int option, status = 0, prefix = -1;

    while ((option = getopt_long(argc, argv, "pPst", options, NULL)) != -1)
        switch (option) {
        case 'p': prefix = 1; break;
        case 'P': prefix = 0; break;
        case 's': wishes.silent = true; break;
        case 't': wishes.translated_only = true; break;
        case 'h': usage_help();
        default: exit(2);
        }
    if (optind == argc)
        usage_error("no node given");
    wishes.prefix = prefix >= 0 ? prefix : argc - optind > 1;
    for (; optind < argc; optind++)
        if (show(argv[optind], &wishes))
            status = 1;
    return fflush(stdout) == 0 ? status : 1;
}
