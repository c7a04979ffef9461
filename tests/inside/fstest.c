/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest [IMAGE]: what files and directories do, from inside: names, modes, locks, holes, translators, options.  Works
   in /tmp/fstest, as root. IMAGE is a file with an ext2 file system to be mounted in several ways.  Prints a line for
   each check that fails, and last `N passed, N failed`. */

#include "fstest.h"

#include <fcntl.h>
#include <grp.h>
#include <hurd.h>
#include <hurd/process.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>


int in_child(uid_t uid, gid_t gid, int (*body)(const char *), const char *arg)
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if ((gid && (setgroups(1, &gid) < 0 || setgid(gid) < 0)) || (uid && setuid(uid) < 0))
            _exit(255);
        _exit(body(arg));
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void put(const char *name, const char *text, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text) && fchmod(fd, mode) == 0);
    if (fd >= 0)
        close(fd);
}

bool holds(const char *name, const char *text)
{
    char buffer[256];
    int fd = open(name, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, buffer, sizeof buffer) : -1;
    if (fd >= 0)
        close(fd);
    return n == (ssize_t) strlen(text) && memcmp(buffer, text, (size_t) n) == 0;
}

bool exists(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0;
}

int shell(const char *command)
{
    fflush(stdout);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* As the translator of a user's node: tells in the file REPORT what it may do, and ends. */
static int report_rights(const char *report)
{
    mach_port_t host_priv, device_master;
    error_t err = proc_getprivports(getproc(), &host_priv, &device_master);
    int fd = open(report, O_CREAT | O_WRONLY, 0666);
    return fd < 0 || dprintf(fd, "%s %d", err == EPERM ? "refused" : "privileged", (int) geteuid()) < 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--report-rights") == 0)
        return report_rights(argv[2]);
    umask(0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (shell("rm -rf /tmp/fstest; mkdir -m 777 /tmp/fstest") != 0 || chdir("/tmp/fstest") < 0) {
        perror("/tmp/fstest");
        return 1;
    }
    posix_tests();
    locks_tests();
    hurd_tests();
    notices_tests();
    deaths_tests();
    if (argc > 1)
        mount_tests(argv[1]);
    if (chdir("/") == 0)
        shell("rm -rf /tmp/fstest");
    return check_end("fstest");
}
