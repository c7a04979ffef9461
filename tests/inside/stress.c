/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stress: several processes change the same directory at the same time.

       stress DIRECTORY PROCESSES ROUNDS

   DIRECTORY must be empty.  Each process makes, renames, links and removes names that all of them use, where only
   errors that another's doing explains may come; and files of its own, which must always be what it made of them.  When
   all are done, the directory must hold what can be found by name, with the right number of links, and nothing is left
   after everything was removed.  The last line is "stress: N operations, 0 failed". */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHARED = 12, PROCESSES_MAX = 32 };
static unsigned int state;
static int self;

static void fail(const char *format, ...)
{
    int error = errno;
    va_list list;
    va_start(list, format);
    printf("stress: process %d: ", self);
    vprintf(format, list);
    printf(": %s\n", strerror(error));
    fflush(stdout);
    _exit(1);
}

static unsigned int any(unsigned int below)
{
    state = state * 1103515245 + 12345;
    return (state >> 8) % below;
}

static const char *shared_name(char *name)
{
    sprintf(name, "shared-%u", any(SHARED));
    return name;
}

/* RESULT of a call that others may have spoiled. */
static void tolerate(int result, const char *what)
{
    if (result < 0 && errno != ENOENT && errno != EEXIST && errno != ENOTEMPTY && errno != EISDIR && errno != ENOTDIR &&
        errno != EPERM && errno != EINVAL)
        fail("%s", what);
}

static void shared_change(void)
{
    char a[32], b[32];
    int fd;
    shared_name(a);
    shared_name(b);
    switch (any(8)) {
    case 0: case 1:
        fd = open(a, O_RDWR | O_CREAT, 0600);
        tolerate(fd, "open");
        if (fd >= 0) {
            if (write(fd, a, sizeof a) != sizeof a)
                fail("write to %s", a);
            close(fd);
        }
        break;
    case 2: tolerate(unlink(a), "unlink"); break;
    case 3: tolerate(rename(a, b), "rename"); break;
    case 4: tolerate(link(a, b), "link"); break;
    case 5: tolerate(mkdir(a, 0700), "mkdir"); break;
    case 6: tolerate(rmdir(a), "rmdir"); break;
    case 7: tolerate(symlink("nowhere", a), "symlink"); break;
    }
}

/* A file of our own goes through its life: made, written, renamed, linked, read back. */
static void own_change(unsigned int round)
{
    char first[32], second[32], data[16], got[16] = "";
    snprintf(first, sizeof first, "own-%d-%u", self, round % 3);
    snprintf(second, sizeof second, "new-%d-%u", self, round % 3);
    snprintf(data, sizeof data, "%d-%u", self, round);
    int fd = open(first, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, sizeof data) != sizeof data)
        fail("making %s", first);
    if (rename(first, second) < 0 || link(second, first) < 0 || unlink(second) < 0)
        fail("moving %s", first);
    if (pread(fd, got, sizeof got, 0) != sizeof got || strcmp(got, data))
        fail("%s holds %s, not %s", first, got, data);
    close(fd);
}

static void child_run(unsigned int rounds)
{
    state = 77 * (unsigned int)self + 1;
    for (unsigned int i = 0; i < rounds; i++) {
        shared_change();
        if (i % 4 == 0)
            own_change(i);
    }
    _exit(0);
}

/* Every name leads to something; how many directories there are; REMOVE: takes everything away. */
static unsigned int names_check(bool remove)
{
    unsigned int folders = 0;
    struct dirent *d;
    struct stat st;
    DIR *dir = opendir(".");
    if (!dir)
        fail("opendir");
    while ((d = readdir(dir))) {
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        if (lstat(d->d_name, &st) < 0)
            fail("lstat(%s)", d->d_name);
        folders += S_ISDIR(st.st_mode);
        if (remove && (S_ISDIR(st.st_mode) ? rmdir(d->d_name) : unlink(d->d_name)) < 0)
            fail("removing %s", d->d_name);
    }
    closedir(dir);
    return folders;
}

int main(int argc, char **argv)
{
    struct stat st;
    int bad = 0, status;
    if (argc != 4 || chdir(argv[1]) < 0) {
        fprintf(stderr, "usage: stress DIRECTORY PROCESSES ROUNDS\n");
        return 2;
    }
    int processes = atoi(argv[2]);
    unsigned int rounds = (unsigned int)atoi(argv[3]);
    for (self = 1; self <= processes && self <= PROCESSES_MAX; self++) {
        pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0)
            child_run(rounds);
    }
    self = 0;
    while (wait(&status) > 0)
        bad += status != 0;
    unsigned int folders = names_check(false);
    if (stat(".", &st) < 0 || st.st_nlink != 2 + folders)
        fail("%u links, with %u directories", (unsigned)st.st_nlink, folders);
    while (names_check(true) > 0)
        continue;
    if (names_check(false) > 0 || stat(".", &st) < 0 || st.st_nlink != 2)
        fail("not empty in the end");
    printf("stress: %u operations, %d failed\n", (unsigned)processes * rounds, bad);
    return bad != 0;
}
