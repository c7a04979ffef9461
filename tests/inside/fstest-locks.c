/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest: advisory locks: records, split and joined, from all places they are counted from; waits, deadlocks,
   interruptions; owners that are ports; flock. */

#include "fstest.h"

#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
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

/* What keeps somebody else from an exclusive lock on LENGTH bytes from START: first byte and length of it, or
   "free". */
static const char *holder(int fd, off_t start, off_t length)
{
    static char text[64];
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
    if (fcntl(fd, F_GETLK, &lock) < 0)
        return "error";
    if (lock.l_type == F_UNLCK)
        return "free";
    snprintf(text, sizeof text, "%c%lld+%lld", lock.l_type == F_WRLCK ? 'w' : 'r', (long long)lock.l_start,
             (long long)lock.l_len);
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
    /* a device stays as long as it is */
    CHECK(ftruncate(a, 1000) == 0 && fstat(a, &st) == 0 && lseek(a, 100, SEEK_SET) == 100);
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
    for (int i = 0; i < 20; i++) {                                      /* gets nothing, however late its thread runs */
        HELD(a, 0, 0, "free");
        usleep(1000);
    }
}

/* ---- owners that are ports ------------------------------------------------------------------ */

static mach_port_t owner_make(void)
{
    mach_port_t port = MACH_PORT_NULL;
    CHECK(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) == 0);
    return port;
}

static void owner_die(mach_port_t port)
{
    CHECK(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1) == 0);
}

/* A record lock of the owner that is the port OWNER. */
static error_t owned(int fd, mach_port_t owner, int cmd, short type, off_t start, off_t length)
{
    struct flock64 lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
    file_t file = getdport(fd);
    error_t err = file_record_lock(file, cmd, &lock, owner, MACH_MSG_TYPE_MAKE_SEND);
    mach_port_deallocate(mach_task_self(), file);
    return err;
}

static void owners(int a, int b, const char *name)
{
    struct flock64 lock = { .l_type = F_WRLCK, .l_len = 1 };
    mach_port_t x = owner_make(), y = owner_make();
    file_t file = getdport(a);
    /* whatever open: one owner */
    CHECK(owned(a, x, F_SETLK64, F_WRLCK, 0, 10) == 0 && owned(b, x, F_SETLK64, F_WRLCK, 5, 10) == 0);
    HELD(a, 0, 0, "w0+15");
    HELD(b, 0, 0, "w0+15");
    CHECK(owned(a, y, F_SETLK64, F_RDLCK, 14, 1) == EAGAIN);
    FAILS(record(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 1), EAGAIN);             /* the opens are owners of their own */
    CHECK(owned(b, y, F_SETLK64, F_WRLCK, 15, 5) == 0 && owned(b, x, F_SETLK64, F_UNLCK, 0, 15) == 0);
    HELD(a, 0, 0, "w15+5");
    CHECK(owned(a, y, F_SETLK64, F_UNLCK, 0, 0) == 0);
    HELD(b, 0, 0, "free");
    int c = open(name, O_RDWR);                                             /* no open keeps them, but the port does */
    CHECK(owned(c, x, F_SETLK64, F_WRLCK, 0, 10) == 0 && close(c) == 0);
    usleep(100000);
    HELD(a, 0, 0, "w0+10");
    CHECK(file_record_lock(file, F_SETLK64, &lock, MACH_PORT_DEAD, MACH_MSG_TYPE_COPY_SEND) != 0);
    /* the server's own */
    CHECK(file_record_lock(file, F_SETLK64, &lock, file, MACH_MSG_TYPE_COPY_SEND) == EINVAL);
    mach_port_deallocate(mach_task_self(), file);
    owner_die(x);
    CHECK(becomes_free(a, 0, 0));
    owner_die(y);
}

struct owned_waiter { int fd, other; mach_port_t owner; error_t err; pthread_t thread; };

static void *owned_main(void *arg)
{
    struct owned_waiter *w = arg;
    w->err = owned(w->fd, w->owner, F_SETLKW64, F_WRLCK, 0, 10);
    if (w->err == EDEADLK)              /* gives way */
        owned(w->other, w->owner, F_SETLK64, F_UNLCK, 0, 0);
    return NULL;
}

/* Two owners, two files, each waits for what the other has: one of them is told. And the other's wait ends with an
   owner's death. */
static void deadlock_of_files(void)
{
    int one = open("one", O_CREAT | O_RDWR, 0666), two = open("two", O_CREAT | O_RDWR, 0666);
    mach_port_t x = owner_make(), y = owner_make();
    CHECK(owned(one, x, F_SETLK64, F_WRLCK, 0, 10) == 0 && owned(two, y, F_SETLK64, F_WRLCK, 0, 0) == 0);
    struct owned_waiter w = { .fd = one, .other = two, .owner = y };
    CHECK(pthread_create(&w.thread, NULL, owned_main, &w) == 0);
    usleep(100000);
    /* As above, whoever comes second is told. Who is told dies, so that the other one has his lock. */
    error_t mine = owned(two, x, F_SETLKW64, F_WRLCK, 0, 10);
    CHECK(mine == EDEADLK || mine == 0);
    if (mine == EDEADLK)
        owner_die(x);
    CHECK(pthread_join(w.thread, NULL) == 0 && w.err == (mine == EDEADLK ? 0 : EDEADLK));
    if (mine == 0)
        owner_die(x);
    owner_die(y);
    CHECK(becomes_free(one, 0, 10) && becomes_free(two, 0, 0));
    CHECK(close(one) == 0 && close(two) == 0 && unlink("one") == 0 && unlink("two") == 0);
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
    CHECK(record(reader, F_SETLK, F_RDLCK, SEEK_SET, 0, 1) == 0 &&
          record(writer, F_SETLK, F_WRLCK, SEEK_SET, 1, 1) == 0);
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
    SECTION(owners(a, b, name));
    SECTION(whole(name));
    SECTION(modes(name));
    CHECK(close(a) == 0 && close(b) == 0);
}

void locks_tests(void)
{
    locks_on("locked");
    CHECK(unlink("locked") == 0);
    SECTION(deadlock_of_files());
    /* The same of a translator of one node. */
    CHECK(shell("head -c 2048 /dev/zero > backing && settrans -a -c device /hurd/storeio file:/tmp/fstest/backing") ==
          0);
    locks_on("device");
    CHECK(shell("settrans -a -f device; rm device backing") == 0);
}
