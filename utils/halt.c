/* SPDX-License-Identifier: GPL-2.0-or-later */
/* halt and reboot, one source: ask startup, who lets the servers write what they have to, to stop the machine. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>

#include "common.h"

#ifdef UTILS_REBOOT
#define NAME "reboot"
#define DOES "Stops the system and starts the machine again.\n\n"
#define HOW RB_AUTOBOOT
#else
#define NAME "halt"
#define DOES "Stops the system.\n\n"
#define HOW RB_HALT
#endif

const char program_name[] = NAME;
const char program_help[] =
    NAME " [OPTION...]\n" DOES
    "      --help  this text\n";

static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };

int main(int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (option == 'h')
            usage_help();
        else
            exit(2);
    if (optind < argc)
        usage_error("what is `%s'?", argv[optind]);
    if (reboot(HOW) != 0)
        fail(errno, "/servers/startup");
    /* The answer comes when all is under way; our own end comes with everybody's. */
    return 0;
}
