/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cutwriter FOLDER COUNT: writes files that a power cut must not lose, each synced with its folder before the next is
   begun, with work in between that nobody has synced.  Prints `synced N` after each; tests/lib/powercut.py cuts the
   power afterwards.

   File FOLDER/fN holds N's content: blocks of 4096 bytes that begin with "CUT:N:BLOCK;" and repeat it; N % 7 * 3 + 1 of
   them, and N % 4096 bytes.  Work in between: files u1, u2, ... made, renamed, cut and removed; file `over' rewritten
   in place. */

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cutmark.h"

static void write_all(int fd, const char *data, size_t length, const char *name)
{
    if (write(fd, data, length) != (ssize_t)length)
        err(1, "write %s", name);
}

static int file_write(const char *name, int number)
{
    char block[BLOCK];
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644), blocks = number % 7 * 3 + 1;
    if (fd < 0)
        err(1, "open %s", name);
    for (int i = 0; i <= blocks; i++) {
        block_fill(block, number, i);
        write_all(fd, block, i < blocks ? BLOCK : number % BLOCK, name);
    }
    return fd;
}

static void noise(int number)
{
    char name[32], other[32];
    snprintf(name, sizeof name, "u%d", number % 5);
    snprintf(other, sizeof other, "u%d", (number + 2) % 5);
    close(file_write(name, 100000 + number));
    if (number % 3 == 0)
        rename(name, other);
    if (number % 3 == 1 && truncate(other, 5000) == 0)
        rename(other, "moved");
    if (number % 4 == 3)
        unlink(name);
    close(file_write("over", 200000));
}

int main(int argc, char **argv)
{
    char name[32];
    if (argc != 3 || chdir(argv[1]))
        err(1, "cutwriter FOLDER COUNT");
    int folder = open(".", O_RDONLY);
    for (int number = 1; number <= atoi(argv[2]); number++) {
        snprintf(name, sizeof name, "f%d", number);
        int fd = file_write(name, number);
        if (fsync(fd) || fsync(folder))
            err(1, "fsync %s", name);
        close(fd);
        printf("synced %d\n", number);
        fflush(stdout);
        noise(number);
    }
    return 0;
}
