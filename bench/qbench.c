/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qbench: the operations that `make bench` measures, run inside the system.

       qbench DIRECTORY [NAME...]      all, or those named; files are made in DIRECTORY

   Each operation runs once to warm up and then ROUNDS times between two marks (mark.h: start = 2*index, end =
   2*index+1), and prints
       bench INDEX NAME ROUNDS BYTES MICROSECONDS
   with the wall time of all rounds; BYTES is what one round moves, 0 where it moves nothing.  bench/run puts the
   instruction counts of the plugin beside that.  The program re-executes itself: "qbench --exit" and its dynamic twin
   "qbench-dynamic --exit" only exit.

   The same source, compiled for Linux with SELF set (bench/linux.py), is what Linux is measured with. */

#include "mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SELF
#define SELF "/libexec/bench/qbench"
#endif

enum { READ_CHUNK = 64 * 1024, BIG_MIB = 64, RECORD = 4096 };

static char directory[512];
static char path[600];
static char chunk[READ_CHUNK];
static int some_fd;

static void die(const char *what)
{
    fprintf(stderr, "qbench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static const char *in_directory(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void spawn(const char *program)
{
    int status;
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0) {
        if (!program)
            _exit(0);
        execl(program, program, "--exit", NULL);
        _exit(127);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        errno = status ? ENOEXEC : errno;
        die(program ? program : "fork+exit");
    }
}

static void op_fork_exit(void) { spawn(NULL); }
static void op_exec_static(void) { spawn(SELF); }
static void op_exec_dynamic(void) { spawn(SELF "-dynamic"); }
static void op_getpgid(void) { if (getpgid(1) < 0) die("getpgid(1)"); }

static void op_fstat(void)
{
    struct stat st;
    if (fstat(some_fd, &st) < 0)
        die("fstat");
}

static void op_stat(void)
{
    struct stat st;
    if (stat("/etc/passwd", &st) < 0)
        die("stat");
}

static void op_open_close(void)
{
    int fd = open("/etc/passwd", O_RDONLY);
    if (fd < 0)
        die("open");
    close(fd);
}

static void op_create(void)
{
    const char *name = in_directory("qbench-create");
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, chunk, 100) != 100)
        die(name);
    close(fd);
    if (unlink(name) < 0)
        die(name);
}

/* Records of a file in an order that repeats from run to run and looks like none. */
static int random_fd;
static uint64_t random_state;

static void random_start(void)
{
    random_state = 1;
    random_fd = open("/libexec/bench/random", O_RDONLY);
    if (random_fd < 0)
        die("/libexec/bench/random");
}

static void op_random_read(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    off_t record = (off_t) (random_state >> 33) % ((BIG_MIB << 20) / RECORD);
    if (pread(random_fd, chunk, RECORD, record * RECORD) != RECORD)
        die("pread");
}

/* /libexec/bench/big was put there by the host and nobody has read it since the boot. */
static void op_read_big(void)
{
    int fd = open("/libexec/bench/big", O_RDONLY);
    ssize_t n;
    long long total = 0;

    if (fd < 0)
        die("/libexec/bench/big");
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        total += n;
    if (n < 0 || total != (long long) BIG_MIB << 20) {
        errno = n < 0 ? errno : EIO;
        die("reading /libexec/bench/big");
    }
    close(fd);
}

static void op_write_big(void)
{
    const char *name = in_directory("qbench-big");
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0)
        die(name);
    for (int i = 0; i < 16 * 1024 * 1024 / READ_CHUNK; i++)
        if (write(fd, chunk, sizeof chunk) != sizeof chunk)
            die(name);
    if (fsync(fd) < 0)
        die("fsync");
    close(fd);
    unlink(name);
}

static unsigned file_number;

static void files_start(void) { file_number = 0; }

static const char *file_next(void)
{
    char name[32];

    snprintf(name, sizeof name, "qbench-%u", file_number++);
    return in_directory(name);
}

static void op_create_4k(void)
{
    const char *name = file_next();
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, chunk, RECORD) != RECORD)
        die(name);
    close(fd);
}

static void op_unlink(void)
{
    const char *name = file_next();
    if (unlink(name) < 0)
        die(name);
}

static int to_child[2], from_child[2];

static void op_pipe(void)
{
    char c = 0;
    if (write(to_child[1], &c, 1) != 1 || read(from_child[0], &c, 1) != 1)
        die("pipe");
}

static void pipe_start(void)
{
    char c;

    if (pipe(to_child) < 0 || pipe(from_child) < 0)
        die("pipe");
    if (fork() == 0) {
        close(to_child[1]);
        while (read(to_child[0], &c, 1) == 1)
            if (write(from_child[1], &c, 1) != 1)
                break;
        _exit(0);
    }
}

static const struct op {
    const char *name;
    void (*prepare)(void);
    void (*run)(void);
    int rounds;
    long bytes;
    int warm; /* run once unmeasured before */
} ops[] = {
    { "read-cold", NULL, op_read_big, 1, (long) BIG_MIB << 20, 0 },
    { "read-cached", NULL, op_read_big, 1, (long) BIG_MIB << 20, 0 },
    { "fork-exit-wait", NULL, op_fork_exit, 30, 0, 1 },
    { "exec-static", NULL, op_exec_static, 30, 0, 1 },
    { "exec-dynamic", NULL, op_exec_dynamic, 30, 0, 1 },
    { "getpgid", NULL, op_getpgid, 1000, 0, 1 },
    { "fstat", NULL, op_fstat, 1000, 0, 1 },
    { "stat", NULL, op_stat, 500, 0, 1 },
    { "open-close", NULL, op_open_close, 500, 0, 1 },
    { "create-write-unlink", NULL, op_create, 50, 0, 1 },
    { "write-16m-fsync", NULL, op_write_big, 1, 16L << 20, 0 },
    { "pipe", pipe_start, op_pipe, 300, 0, 1 },
    { "random-read-cold", random_start, op_random_read, 2000, 0, 0 },
    { "random-read-cached", random_start, op_random_read, 2000, 0, 0 },
    { "create-4k", files_start, op_create_4k, 200, 0, 0 },
    { "unlink", files_start, op_unlink, 200, 0, 0 },
};

static long long now_us(void)
{
    struct timeval tv;
    gettimeofday(&tv, NULL);
    return tv.tv_sec * 1000000LL + tv.tv_usec;
}

/* The mark's number is part of the instruction, so there is a pair for each operation. */
static void mark(unsigned number)
{
#define CASE(N) case N: MARK(N); break;
#define CASES(N) CASE(N) CASE(N + 1) CASE(N + 2) CASE(N + 3) CASE(N + 4) CASE(N + 5) CASE(N + 6) CASE(N + 7)
    switch (number) { CASES(0) CASES(8) CASES(16) CASES(24) }
}

static void measure(unsigned index, const struct op *op)
{
    long long start;

    if (op->prepare)
        op->prepare();
    if (op->warm)
        op->run();
    start = now_us();
    mark(2 * index);
    for (int i = 0; i < op->rounds; i++)
        op->run();
    mark(2 * index + 1);
    printf("bench %u %s %d %ld %lld\n", index, op->name, op->rounds, op->bytes, now_us() - start);
    fflush(stdout);
}

static int wanted(const char *name, char **names)
{
    if (!*names)
        return 1;
    for (; *names; names++)
        if (!strcmp(*names, name))
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--exit"))
        _exit(0);
    if (argc < 2) {
        fprintf(stderr, "usage: qbench DIRECTORY [NAME...]\n");
        return 2;
    }
    snprintf(directory, sizeof directory, "%s", argv[1]);
    some_fd = open("/etc/passwd", O_RDONLY);
    if (some_fd < 0)
        die("/etc/passwd");
    for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++)
        if (wanted(ops[i].name, argv + 2))
            measure(i, &ops[i]);
    printf("bench done\n");
    return 0;
}
