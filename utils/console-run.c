/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console-run: keeps a shell on a terminal, for ever; the last thing that runsystem becomes, hence process 1.

   Each shell leads a session of its own with the terminal as the controlling one, so that ^C and job control work in
   it. When it ends, another starts; one that ends at once, again and again, is not started more often than every few
   seconds.  One that cannot be executed, or is killed at once each time, is given up with one line: whoever started us
   then goes on to something else (startup tries other shells, and halts when there is none).  As process 1 it also
   takes in the children that have lost their parents. */

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
const char program_help[] = "console-run TERMINAL PROGRAM [ARG...]\n"
                            "Runs PROGRAM on TERMINAL in a session of its own, and again whenever it ends; if TERMINAL "
                            "cannot be opened, on the\n"
                            "kernel's console, with -i as further argument.  Ends with status 127 when PROGRAM cannot "
                            "be executed, 126 when it is\n"
                            "killed each time as soon as it has begun.\n\n"
                            "      --help  this text\n";

/* A run shorter than this counts as a failure; after so many in a row there is a pause, and after so many that ended by
   a signal, or could not begin for want of memory, the program is given up. */
#define SHORT_RUN 2
#define FAILURES_MAX 3
#define PAUSE 5
#define KILLED_MAX 6

static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };

/* Without a terminal the kernel's console, which we were started with, will do for repairs; a shell there has to be
   told that somebody types at it. */
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

/* In the child: everything from here on is PROGRAM's.  Returns only if it cannot be executed. */
static error_t become(const char *terminal, char **words)
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
    return errno;
}

/* Starts PROGRAM. Its process in *CHILD; or why there is none: fork's error, or that of the exec, told through a pipe
   that it closes. */
static error_t start(const char *terminal, char **words, pid_t *child)
{
    int ends[2];
    error_t err = 0;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    *child = fork();
    if (*child == 0) {
        err = become(terminal, words);
        _exit(write(ends[1], &err, sizeof err) == sizeof err ? 127 : 126);
    }
    if (*child < 0)
        err = errno;
    close(ends[1]);
    if (*child > 0 && read(ends[0], &err, sizeof err) != sizeof err)
        err = 0;
    close(ends[0]);
    if (err && *child > 0)
        waitpid(*child, NULL, 0);
    return err;
}

/* Waits for CHILD, and for whoever else ends meanwhile; gives CHILD's status. */
static int wait_for(pid_t child)
{
    pid_t pid;
    int status = 0;
    do
        pid = wait(&status);
    while (pid != child && !(pid < 0 && errno == ECHILD));
    return status;
}

static bool is_passing(error_t err)
{
    return err == EAGAIN || err == ENOMEM || err == EINTR || err == ENFILE || err == EMFILE;
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
    for (int killed = 0; killed < KILLED_MAX;) {
        time_t begun = time(NULL);
        pid_t child = -1;
        error_t err = start(argv[optind], argv + optind + 1, &child);
        int status = err ? 0 : wait_for(child);
        if (err)
            complain(err, "%s", argv[optind + 1]);
        if (err && !is_passing(err))
            return 127;
        bool short_run = err || time(NULL) - begun < SHORT_RUN;
        failures = short_run ? failures + 1 : 0;
        killed = short_run && (err || WIFSIGNALED(status)) ? killed + 1 : 0;
        if (failures >= FAILURES_MAX)
            sleep(PAUSE);
    }
    fprintf(stderr, "%s: %s: given up: it has failed %d times in a row\n", program_name, argv[optind + 1], KILLED_MAX);
    return 126;
}
