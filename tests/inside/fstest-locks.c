/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest: advisory locks: records, split and joined, from all places they are counted from; waits, deadlocks, interruptions; flock. */

#include "fstest.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* fcntl CMD on FD with a lock of TYPE on LENGTH bytes from START as WHENCE says. */
static int record(int fd, int cmd, short type, short whence, off_t start, off_t length)
{
    struct flock lock = { .l_type = type, .l_whence = whence, .l_start = start, .l_len = length };
    return fcntl(fd, cmd, &lock);
}

/* What keeps somebody else from an exclusive lock on LENGTH bytes from START: first byte and length of it, or "free". */
static const char *holder(int fd, off_t start, off_t length)
{
    static char text[64];
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
    if (fcntl(fd, F_GETLK, &lock) < 0)
        return "error";
    if (lock.l_type == F_UNLCK)
        return "free";
    snprintf(text, sizeof text, "%c%lld+%lld", lock.l_type == F_WRLCK ? 'w' : 'r', (long long) lock.l_start, (long long) lock.l_len);
    return text;
}
#define HELD(FD, START, LENGTH, TEXT) CHECK(strcmp(holder(FD, START, LENGTH), TEXT) == 0)

/* The same, a moment later: a file that is closed is told of by a message. */
static bool becomes_free(int fd, off_t start, off_t length)
{
    for (int i = 0; i < 250 && strcmp(holder(fd, start, length), "free") != 0; i++)
        usleep(20000);
    return strcmp(holder(fd, start, length), "free") == 0;
}

static void split_and_join(int a, int b)
{
    CHECK(record(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 100) == 0);
    HELD(b, 0, 0, "w0+100");
    HELD(a, 0, 0, "free");
    CHECK(record(a, F_SETLK, F_UNLCK, SEEK_SET, 40, 20) == 0);          /* a hole in the middle: two locks */
    HELD(b, 0, 0, "w0+40");
    HELD(b, 40, 20, "free");
    HELD(b, 50, 20, "w60+40");
    CHECK(record(b, F_SETLK, F_WRLCK, SEEK_SET, 40, 20) == 0);
    FAILS(record(b, F_SETLK, F_WRLCK, SEEK_SET, 59, 2), EAGAIN);
    CHECK(record(b, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0);
    CHECK(record(a, F_SETLK, F_WRLCK, SEEK_SET, 40, 20) == 0);          /* filled: one again */
    HELD(b, 0, 0, "w0+100");
    CHECK(record(a, F_SETLK, F_RDLCK, SEEK_SET, 20, 30) == 0);          /* weaker in the middle: three */
    HELD(b, 0, 0, "w0+20");
    HELD(b, 20, 1, "r20+30");
    HELD(b, 50, 0, "w50+50");
    CHECK(record(b, F_SETLK, F_RDLCK, SEEK_SET, 25, 5) == 0);           /* readers share */
    FAILS(record(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 100), EAGAIN);
    HELD(b, 20, 1, "r20+30");                                           /* what failed changed nothing */
    CHECK(record(b, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0 && record(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 0) == 0);
    HELD(b, 1 << 30, 1, "w0+0");
    CHECK(record(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0);
    HELD(b, 0, 0, "free");
}

static void whence(int a, int b)
{
    struct stat st;
    char text[64];
    CHECK(ftruncate(a, 1000) == 0 && fstat(a, &st) == 0 && lseek(a, 100, SEEK_SET) == 100);  /* a device stays as long as it is */
    snprintf(text, sizeof text, "w%lld+0", (long long) st.st_size - 10);
    CHECK(record(a, F_SETLK, F_WRLCK, SEEK_CUR, -50, 10) == 0);
    HELD(b, 0, 0, "w50+10");
    CHECK(record(a, F_SETLK, F_WRLCK, SEEK_END, -10, 0) == 0);
    HELD(b, 100, 0, text);
    CHECK(record(a, F_SETLK, F_WRLCK, SEEK_CUR, 0, -20) == 0);          /* the bytes before the position */
    HELD(b, 70, 20, "w80+20");
    FAILS(record(a, F_SETLK, F_WRLCK, SEEK_CUR, -200, 10), EINVAL);
    FAILS(record(a, F_SETLK, F_WRLCK, 77, 0, 10), EINVAL);
    FAILS(record(a, F_SETLK, 77, SEEK_SET, 0, 10), EINVAL);
    CHECK(record(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0);
}

/* ---- waiting ---------------------------------------------------------------------------- */

struct waiter { int fd; off_t start; int result, error; pthread_t thread; };

static void *wait_main(void *arg)
{
    struct waiter *w = arg;
    w->result = record(w->fd, F_SETLKW, F_WRLCK, SEEK_SET, w->start, 10);
    w->error = errno;
    if (w->result == -1 && w->error == EDEADLK)         /* gives way */
        record(w->fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0);
    return NULL;
}

static void wait_start(struct waiter *w, int fd, off_t start)
{
    *w = (struct waiter) { .fd = fd, .start = start };
    CHECK(pthread_create(&w->thread, NULL, wait_main, w) == 0);
}

static void waits(int a, int b)
{
    struct waiter w;
    CHECK(record(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 10) == 0);
    wait_start(&w, b, 0);
    usleep(100000);
    CHECK(record(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 10) == 0 && pthread_join(w.thread, NULL) == 0 && w.result == 0);
    HELD(a, 0, 0, "w0+10");
    CHECK(record(b, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0);
}

static void deadlock(int a, int b)
{
    struct waiter w;
    CHECK(record(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 10) == 0 && record(b, F_SETLK, F_WRLCK, SEEK_SET, 20, 10) == 0);
    wait_start(&w, b, 0);
    /* One of the two is told, whoever comes second; the other has his lock then. */
    int mine = record(a, F_SETLKW, F_WRLCK, SEEK_SET, 20, 10), error = errno;
    if (mine == -1) {
        CHECK(error == EDEADLK && record(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0);
        CHECK(pthread_join(w.thread, NULL) == 0 && w.result == 0);
    } else {
        CHECK(pthread_join(w.thread, NULL) == 0 && w.result == -1 && w.error == EDEADLK);
    }
    CHECK(record(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0 && record(b, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0);
}

static void on_alarm(int signo)
{
    (void) signo;
}

/* A signal ends the wait, and nothing of it stays: neither a lock nor a waiter that would make a deadlock. */
static int interrupted_child(const char *name)
{
    struct sigaction action = { .sa_handler = on_alarm };
    int fd = open(name, O_RDWR);
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    int result = record(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 10);
    return result == -1 && errno == EINTR && record(fd, F_SETLK, F_WRLCK, SEEK_SET, 50, 10) == 0 ? 0 : 1;
}

static int sleeping_child(const char *name)
{
    int fd = open(name, O_RDWR);
    return record(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 10) == 0 ? 0 : 1;
}

static void interruptions(int a, const char *name)
{
    CHECK(record(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 10) == 0);
    CHECK(in_child(0, 0, interrupted_child, name) == 0);
    CHECK(becomes_free(a, 50, 10));                                     /* the child's went with it */
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(sleeping_child(name));
    usleep(200000);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);     /* a waiter that is killed */
    CHECK(record(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) == 0);
    CHECK(becomes_free(a, 0, 0));
}

/* ---- flock, modes, closing ---------------------------------------------------------------- */

static void whole(const char *name)
{
    int a = open(name, O_RDWR), b = open(name, O_RDWR), c = dup(a);
    CHECK(flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH | LOCK_NB) == 0);
    FAILS(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(b, LOCK_UN) == 0 && flock(c, LOCK_EX | LOCK_NB) == 0); /* one open: raised */
    FAILS(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(record(b, F_SETLK, F_WRLCK, SEEK_SET, 0, 0) == 0);            /* records are another matter */
    CHECK(close(a) == 0);
    FAILS(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);                    /* it is still open by its other descriptor */
    CHECK(close(c) == 0);
    for (int i = 0; i < 50 && flock(b, LOCK_EX | LOCK_NB) != 0; i++)    /* the last port's death is told by a message */
        usleep(20000);
    CHECK(flock(b, LOCK_EX | LOCK_NB) == 0 && close(b) == 0);
}

static void modes(const char *name)
{
    int reader = open(name, O_RDONLY), writer = open(name, O_WRONLY);
    CHECK(becomes_free(reader, 0, 0));
    FAILS(record(reader, F_SETLK, F_WRLCK, SEEK_SET, 0, 1), EBADF);
    FAILS(record(writer, F_SETLK, F_RDLCK, SEEK_SET, 0, 1), EBADF);
    CHECK(record(reader, F_SETLK, F_RDLCK, SEEK_SET, 0, 1) == 0 && record(writer, F_SETLK, F_WRLCK, SEEK_SET, 1, 1) == 0);
    CHECK(close(reader) == 0 && close(writer) == 0);
}

static void locks_on(const char *name)
{
    int a = open(name, O_CREAT | O_RDWR, 0666), b = open(name, O_RDWR);
    CHECK(a >= 0 && b >= 0);
    SECTION(split_and_join(a, b));
    SECTION(whence(a, b));
    SECTION(waits(a, b));
    SECTION(deadlock(a, b));
    SECTION(interruptions(a, name));
    SECTION(whole(name));
    SECTION(modes(name));
    CHECK(close(a) == 0 && close(b) == 0);
}

void locks_tests(void)
{
    locks_on("locked");
    CHECK(unlink("locked") == 0);
    /* The same of a translator of one node. */
    CHECK(shell("head -c 2048 /dev/zero > backing && settrans -a -c device /hurd/storeio file:/tmp/fstest/backing") == 0);
    locks_on("device");
    CHECK(shell("settrans -a -f device; rm device backing") == 0);
}
