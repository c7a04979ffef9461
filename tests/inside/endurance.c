/* SPDX-License-Identifier: GPL-2.0-or-later */
/* endurance: much of the same, so that a server that keeps a little each time is found out.

       endurance DIRECTORY PROGRAMS FILES

   Forks and executes itself PROGRAMS times, makes, writes and removes FILES files in DIRECTORY (a hundred at a time),
   and sends a byte through as many pipes as programs.  Prints "endurance: 0 failed" in the end; what the servers hold
   then is for others to compare. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 100 };

static void die(const char *what, long number)
{
    printf("endurance: %s %ld: %s\nendurance: 1 failed\n", what, number, strerror(errno));
    exit(1);
}

static void program_run(const char *self, long number)
{
    int status = 0, pipes[2];
    char byte = 'x';
    if (pipe(pipes) < 0)
        die("pipe", number);
    pid_t child = fork();
    if (child < 0)
        die("fork", number);
    if (child == 0) {
        dup2(pipes[1], 1);
        execl(self, self, "--child", NULL);
        _exit(127);
    }
    close(pipes[1]);
    if (read(pipes[0], &byte, 1) != 1 || byte != '!')
        die("byte from program", number);
    close(pipes[0]);
    if (waitpid(child, &status, 0) != child || status)
        die("program", number);
}

static void files_run(const char *directory, long count)
{
    char path[512];
    for (long first = 0; first < count; first += BATCH) {
        for (long i = first; i < first + BATCH && i < count; i++) {
            snprintf(path, sizeof path, "%s/file-%ld", directory, i);
            int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
            if (fd < 0 || write(fd, path, sizeof path) != sizeof path || close(fd) < 0)
                die("making file", i);
        }
        for (long i = first; i < first + BATCH && i < count; i++) {
            snprintf(path, sizeof path, "%s/file-%ld", directory, i);
            if (unlink(path) < 0)
                die("removing file", i);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--child"))
        return write(1, "!", 1) != 1;
    if (argc != 4) {
        fprintf(stderr, "usage: endurance DIRECTORY PROGRAMS FILES\n");
        return 2;
    }
    for (long i = 0, count = atol(argv[2]); i < count; i++)
        program_run(argv[0], i);
    files_run(argv[1], atol(argv[3]));
    printf("endurance: 0 failed\n");
    return 0;
}
