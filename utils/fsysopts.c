/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fsysopts: shows or changes the options of a running translator. */

#include <argz.h>
#include <getopt.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/fsys.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

const char program_name[] = "fsysopts";
const char program_help[] =
    "fsysopts [OPTION...] FILESYS [FS_OPTION...]\n"
    "Shows the options of the translator that serves FILESYS, or sets FS_OPTIONs, such as --writable or --readonly.\n\n"
    "  -L, --dereference  FILESYS may be a symbolic link\n"
    "  -R, --recursive    also the translators below\n"
    "      --help         this text\n";

static const struct option options[] = {
    {"dereference", no_argument, NULL, 'L'},
    {"recursive", no_argument, NULL, 'R'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void show(file_t node, const char *name)
{
    char buffer[1024], *argz = buffer;
    mach_msg_type_number_t length = sizeof buffer;
    error_t err = file_get_fs_options(node, &argz, &length);

    if (err)
        fail(err, "%s", name);
    print_argz(argz, length);
}

static void change(file_t node, const char *name, char **words, bool recursive)
{
    char *argz;
    size_t length;
    fsys_t control;
    error_t err = argz_create(words, &argz, &length);

    if (!err)
        err = file_getcontrol(node, &control);
    if (err)
        fail(err, "%s", name);
    err = fsys_set_options(control, argz, (mach_msg_type_number_t) length, recursive);
    if (err)
        fail(err, "%s: %s", name, words[0]);
}

int main(int argc, char **argv)
{
    bool follow = false, recursive = false;
    int option;

    while ((option = getopt_long(argc, argv, "+LR", options, NULL)) != -1)
        switch (option) {
        case 'L': follow = true; break;
        case 'R': recursive = true; break;
        case 'h': usage_help();
        default: exit(2);
        }
    if (optind == argc)
        usage_error("no file system given");
    const char *name = argv[optind++];
    file_t node = file_name_lookup(name, follow ? 0 : O_NOLINK, 0);
    if (node == MACH_PORT_NULL)
        fail(errno, "%s", name);
    if (optind < argc)
        change(node, name, argv + optind, recursive);
    else
        show(node, name);
    return fflush(stdout) == 0 ? 0 : 1;
}
