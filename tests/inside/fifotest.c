/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fifotest: named pipes from inside: opens that wait for each other, those that do not, ends that come and go, atomic
   writes, select, interrupted and abandoned opens.  Prints a line for each check that fails, and last `fifotest: N
   passed, N failed`. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define PATH "/tmp/fifotest"

static volatile sig_atomic_t seen[NSIG];
static void note(int signal)
{
    seen[signal]++;
}

static bool readable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN);
}

static bool writable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT);
}

/* The server hears of a close only when the kernel tells it: waits until nobody writes any more. */
static void no_writers(void)
{
    char byte;
    ssize_t n;
    do {
        int fd = open(PATH, O_RDONLY | O_NONBLOCK);
        n = read(fd, &byte, 1);
        close(fd);
        if (n)
            usleep(10000);
    } while (n);
}

/* Nobody has either end, what these questions have opened themselves included. */
static void all_closed(void)
{
    for (;;) {
        no_writers();
        usleep(20000);
        int fd = open(PATH, O_WRONLY | O_NONBLOCK);
        if (fd < 0)
            break;
        close(fd);
    }
    CHECK(errno == ENXIO);
}

/* A child that does WORK, whose result is its exit status. */
static pid_t child_runs(int (*work)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(work());
    return pid;
}

static int child_result(pid_t pid)
{
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int work_write(void)
{
    int fd = open(PATH, O_WRONLY);
    return fd >= 0 && write(fd, "hello", 5) == 5 ? 0 : 1;
}

static int work_read(void)
{
    char got[16];
    int fd = open(PATH, O_RDONLY);
    return fd >= 0 && read(fd, got, sizeof got) == 5 && read(fd, got, sizeof got) == 0 ? 0 : 1;
}

static void test_open(void)
{
    struct stat st;
    char got[16];
    CHECK(stat(PATH, &st) == 0 && S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0640);
    CHECK(open(PATH, O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO);
    pid_t child = child_runs(work_write);
    int fd = open(PATH, O_RDONLY);
    CHECK(fd >= 0 && read(fd, got, sizeof got) == 5 && !memcmp(got, "hello", 5));
    CHECK(read(fd, got, sizeof got) == 0);
    CHECK(child_result(child) == 0);
    close(fd);
    all_closed();
    child = child_runs(work_read);
    fd = open(PATH, O_WRONLY);
    CHECK(fd >= 0 && write(fd, "12345", 5) == 5);
    CHECK(fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode));
    close(fd);
    CHECK(child_result(child) == 0);
}

static void test_nonblocking(void)
{
    char got[16];
    no_writers();
    int reader = open(PATH, O_RDONLY | O_NONBLOCK);
    CHECK(reader >= 0 && read(reader, got, sizeof got) == 0);       /* nobody writes */
    int writer = open(PATH, O_WRONLY | O_NONBLOCK);
    CHECK(writer >= 0);
    CHECK(read(reader, got, sizeof got) == -1 && errno == EWOULDBLOCK);
    CHECK(!readable(reader) && writable(writer));
    CHECK(write(writer, "abc", 3) == 3 && readable(reader));
    close(writer);
    CHECK(read(reader, got, sizeof got) == 3);
    while (read(reader, got, sizeof got) == -1 && errno == EWOULDBLOCK)
        ;                                                           /* until the server has heard that the writer is
                                                                       gone */
    CHECK(read(reader, got, sizeof got) == 0 && readable(reader));
    writer = open(PATH, O_WRONLY | O_NONBLOCK);
    static char much[200000];
    ssize_t n = write(writer, much, sizeof much);
    CHECK(n >= 4096 && n < (ssize_t)sizeof much);
    CHECK(!writable(writer) && write(writer, much, 10) == -1 && errno == EWOULDBLOCK);
    ssize_t back = 0;
    for (ssize_t m; back < n && (m = read(reader, much, sizeof much)) > 0;)
        back += m;
    CHECK(back == n && writable(writer));
    close(writer);
    close(reader);
}

static void test_ends(void)
{
    char got[16];
    struct sigaction action = { .sa_handler = note };
    sigaction(SIGPIPE, &action, NULL);
    int both = open(PATH, O_RDWR);                                  /* waits for nobody */
    CHECK(both >= 0 && write(both, "self", 4) == 4 && read(both, got, sizeof got) == 4);
    int writer = open(PATH, O_WRONLY);
    CHECK(writer >= 0 && write(writer, "kept", 4) == 4);
    close(both);
    int reader = open(PATH, O_RDONLY);                              /* what was written is still there */
    CHECK(reader >= 0 && read(reader, got, sizeof got) == 4 && !memcmp(got, "kept", 4));
    close(reader);
    for (int i = 0; i < 100000 && write(writer, "x", 1) == 1; i++)
        ;
    CHECK(errno == EPIPE && seen[SIGPIPE] > 0);
    close(writer);
    all_closed();
    reader = open(PATH, O_RDONLY | O_NONBLOCK);
    CHECK(read(reader, got, sizeof got) == 0);                      /* and with the last end it went */
    close(reader);
}

static int work_blocks(void)
{
    char block[4096];
    memset(block, 'a' + getpid() % 20, sizeof block);
    int fd = open(PATH, O_WRONLY);
    for (int i = 0; i < 50; i++)
        if (write(fd, block, sizeof block) != sizeof block)
            return 1;
    return 0;
}

/* Writes of PIPE_BUF bytes never mix. */
static void test_atomic(void)
{
    enum { WRITERS = 4, BLOCKS = 50 * WRITERS };
    static char got[4096];
    unsigned int mixed = 0, blocks = 0;
    pid_t children[WRITERS];
    all_closed();
    for (int i = 0; i < WRITERS; i++)
        children[i] = child_runs(work_blocks);
    int fd = open(PATH, O_RDWR);
    while (blocks < BLOCKS) {
        size_t length = 0;
        for (ssize_t n; length < sizeof got && (n = read(fd, got + length, sizeof got - length)) > 0;)
            length += n;
        if (length < sizeof got)
            break;
        blocks++;
        for (size_t i = 1; i < sizeof got; i++)
            mixed += got[i] != got[0];
    }
    CHECK(blocks == BLOCKS && mixed == 0);
    close(fd);
    for (int i = 0; i < WRITERS; i++)
        CHECK(child_result(children[i]) == 0);
}

static int work_open(void)
{
    return open(PATH, O_RDONLY) >= 0 ? 0 : 1;
}

/* Opens that are given up, by a signal or by death, leave nothing open. */
static void test_given_up(void)
{
    struct sigaction action = { .sa_handler = note };
    sigaction(SIGALRM, &action, NULL);
    all_closed();
    for (int i = 0; i < 3; i++) {
        ualarm(200000, 0);
        CHECK(open(PATH, O_RDONLY) == -1 && errno == EINTR);
    }
    all_closed();
    pid_t child = child_runs(work_open);
    usleep(300000);
    kill(child, SIGKILL);
    CHECK(child_result(child) == -1);
    all_closed();
    pid_t children[20];
    for (int i = 0; i < 20; i++)
        children[i] = child_runs(work_open);
    usleep(300000);
    int fd = open(PATH, O_WRONLY);                                  /* lets all of them in */
    CHECK(fd >= 0);
    for (int i = 0; i < 20; i++)
        CHECK(child_result(children[i]) == 0);
    close(fd);
}

static int work_wait(void)
{
    char byte;
    int fd = open(PATH, O_RDONLY);
    return fd >= 0 && read(fd, &byte, 1) == 0 ? 0 : 1;
}

/* A read that waits is all that is left of its open when the reader dies; then the last writer goes, which ends both:
   the server hears of the reader's death by itself only half a second later. */
static void test_reader_dies(void)
{
    pid_t child = child_runs(work_wait);
    int fd = open(PATH, O_WRONLY);
    CHECK(fd >= 0);
    usleep(100000);
    kill(child, SIGKILL);
    CHECK(child_result(child) == -1);
    close(fd);
    all_closed();
}

static void test_names(void)
{
    char got[8];
    CHECK(open(PATH "/x", O_RDONLY) == -1 && errno == ENOTDIR);
    CHECK(open(PATH, O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
    CHECK(open(PATH "/fifo", O_RDWR) == -1 && errno == ENOTDIR);
    CHECK(mkfifo(PATH, 0600) == -1 && errno == EEXIST);
    int fd = open(PATH, O_RDWR);
    CHECK(lseek(fd, 0, SEEK_SET) == -1 && errno == ESPIPE);
    CHECK(unlink(PATH) == 0);
    CHECK(write(fd, "on", 2) == 2 && read(fd, got, sizeof got) == 2);
    close(fd);
    CHECK(open(PATH, O_RDONLY) == -1 && errno == ENOENT);
}

int main(void)
{
    umask(0);
    unlink(PATH);
    CHECK(mkfifo(PATH, 0640) == 0);
    static void (*const tests[])(void) = {test_open,     test_nonblocking,  test_ends, test_atomic,
                                          test_given_up, test_reader_dies,  test_names};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        printf("%zu...\n", i + 1);
        fflush(stdout);
        tests[i]();
    }
    return check_end("fifotest");
}
