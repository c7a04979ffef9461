/* SPDX-License-Identifier: GPL-2.0-or-later */
/* processes: see processes.h. */

#include "processes.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option options[] = {
    { "summary", no_argument, NULL, 's' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static pid_t parse_pid(const char *word)
{
    char *end;
    long pid = strtol(word, &end, 10);

    if (end == word || *end != '\0' || pid != (pid_t) pid)
        usage_error("`%s' is no process id", word);
    return (pid_t) pid;
}

int processes_main(int argc, char **argv, error_t (*show)(pid_t pid, bool summary))
{
    bool summary = false;
    int option, status = 0;

    while ((option = getopt_long(argc, argv, "s", options, NULL)) != -1)
        switch (option) {
        case 's': summary = true; break;
        case 'h': usage_help();
        default: exit(2);
        }
    if (optind == argc)
        usage_error("no process id given");
    for (; optind < argc; optind++)
        if (show(parse_pid(argv[optind]), summary))
            status = 1;
    return fflush(stdout) == 0 ? status : 1;
}
