/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console-run: keeps a shell on a terminal, for ever; the last thing that runsystem becomes, hence process 1.

   Each shell leads a session of its own with the terminal as the controlling one, so that ^C and job control work in it. When it
   ends, another starts; one that ends at once, again and again, is not started more often than every few seconds.  As process 1
   it also takes in the children that have lost their parents. */

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include "common.h"

const char program_name[] = "console-run";
const char program_help[] =
    "console-run TERMINAL PROGRAM [ARG...]\n"
    "Runs PROGRAM on TERMINAL in a session of its own, and again whenever it ends; if TERMINAL cannot be opened, on the\n"
    "kernel's console, with -i as further argument.\n\n"
    "      --help  this text\n";

/* A run shorter than this counts as a failure; after so many in a row there is a pause. */
#define SHORT_RUN 2
#define FAILURES_MAX 3
#define PAUSE 5

static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };

/* Without a terminal the kernel's console, which we were started with, will do for repairs; a shell there has to be told that
   somebody types at it. */
static void become_repair_shell(char **words)
{
    int count = 0;

    while (words[count] != NULL)
        count++;
    char **longer = calloc((size_t) count + 2, sizeof *longer);
    if (longer == NULL)
        return;
    memcpy(longer, words, (size_t) count * sizeof *longer);
    longer[count] = strdup("-i");
    setsid();
    execvp(longer[0], longer);
}

/* In the child: everything from here on is PROGRAM's. */
static void become(const char *terminal, char **words)
{
    int fd = open(terminal, O_RDWR);
    bool repair = fd < 0 || login_tty(fd) != 0;

    if (repair)
        complain(errno, "%s", terminal);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGTSTP, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    const char *home = getenv("HOME");
    if (home != NULL && chdir(home) != 0)
        complain(errno, "%s", home);
    if (repair)
        become_repair_shell(words);
    execvp(words[0], words);
    complain(errno, "%s", words[0]);
    _exit(127);
}

/* Waits for CHILD, and for whoever else ends meanwhile. */
static void wait_for(pid_t child)
{
    pid_t pid;
    do
        pid = wait(NULL);
    while (pid != child && !(pid < 0 && errno == ECHILD));
}

int main(int argc, char **argv)
{
    int option, failures = 0;

    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
        if (option == 'h')
            usage_help();
        else
            exit(2);
    if (argc - optind < 2)
        usage_error("terminal and program are needed");
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGTSTP, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (;;) {
        time_t start = time(NULL);
        pid_t child = fork();
        if (child == 0)
            become(argv[optind], argv + optind + 1);
        if (child > 0)
            wait_for(child);
        else
            complain(errno, "fork");
        failures = child > 0 && time(NULL) - start >= SHORT_RUN ? 0 : failures + 1;
        if (failures >= FAILURES_MAX)
            sleep(PAUSE);
    }
}
