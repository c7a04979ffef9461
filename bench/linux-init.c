/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux-init: the first and only program of the Linux that `make bench` compares with: a static program for Linux.

   It loads the modules that /modules/order names, mounts the root partition of our image, goes into it, and runs the
   lines of /workloads there, each by a fresh /libexec/bench/qbench.linux with these words.  Then it turns the machine
   off. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 32, PATIENCE_MS = 20000 };
static const char *const disks[] = { "/dev/sda1", "/dev/vda1", "/dev/nvme0n1p1" };

static void finish(const char *what)
{
    if (what)
        printf("linux-init: %s: %s\n", what, strerror(errno));
    printf("linux-init: the end\n");
    sync();
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

static void modules_load(void)
{
    char name[128], path[160];
    FILE *order = fopen("/modules/order", "r");

    while (order && fscanf(order, "%127s", name) == 1) {
        snprintf(path, sizeof path, "/modules/%s", name);
        int fd = open(path, O_RDONLY);
        /* Several do the same (crc32c), so one that has nothing to do here is no failure. */
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
            printf("linux-init: %s: %s\n", name, strerror(errno));
        close(fd);
    }
}

static void root_mount(void)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        for (size_t i = 0; i < sizeof disks / sizeof *disks; i++) {
            if (access(disks[i], F_OK) == 0) {
                if (mount(disks[i], "/root", "ext2", 0, NULL) < 0 && mount(disks[i], "/root", "ext4", 0, NULL) < 0)
                    finish(disks[i]);
                return;
            }
        }
        usleep(10000);
    }
    finish("no disk");
}

static void workload_run(char *line)
{
    char *words[WORDS_MAX] = { "qbench", "/tmp" };
    int count = 2, status;

    for (char *word = strtok(line, " \n"); word && count < WORDS_MAX - 1; word = strtok(NULL, " \n"))
        words[count++] = word;
    pid_t child = fork();
    if (child == 0) {
        execv("/libexec/bench/qbench.linux", words);
        _exit(127);
    }
    waitpid(child, &status, 0);
    if (status)
        printf("linux-init: qbench ended with 0x%x\n", (unsigned) status);
}

int main(void)
{
    char line[512];

    setvbuf(stdout, NULL, _IONBF, 0);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    modules_load();
    root_mount();
    FILE *workloads = fopen("/workloads", "r");
    if (!workloads || chroot("/root") < 0 || chdir("/") < 0)
        finish("/root");
    while (fgets(line, sizeof line, workloads))
        workload_run(line);
    finish(NULL);
}
