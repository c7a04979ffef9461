/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proctest: processes from inside: waiting in all ways, stops, signals during calls, groups, sessions, orphans, usage,
   permissions, many children, and requests that no sane program makes.  Prints a line for each check that fails, and
   last `N passed, N failed`. */

#include <hurd.h>
#include <hurd/hurd_types.h>
#include <hurd/process.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "proctest.h"


static volatile sig_atomic_t seen[NSIG];
static void note(int signo)
{
    seen[signo]++;
}

static void handle(int signo, int flags)
{
    struct sigaction action = { .sa_handler = note, .sa_flags = flags };
    sigaction(signo, &action, NULL);
}

static pid_t child_exits(int status)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(status);
    return pid;
}

static pid_t child_sleeps(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void test_wait(void)
{
    int status;
    CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
    CHECK(waitpid(1, &status, 0) == -1 && errno == ECHILD);
    pid_t a = child_exits(3), b = child_exits(4);
    CHECK(waitpid(b, &status, 0) == b && WIFEXITED(status) && WEXITSTATUS(status) == 4);
    CHECK(waitpid(-1, &status, 0) == a && WEXITSTATUS(status) == 3);
    pid_t c = child_sleeps();
    CHECK(waitpid(c, &status, WNOHANG) == 0);
    CHECK(kill(c, SIGKILL) == 0);
    CHECK(waitpid(c, &status, 0) == c && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(kill(c, 0) == -1 && errno == ESRCH);
    c = child_sleeps();
    CHECK(kill(c, SIGTERM) == 0);
    CHECK(waitpid(0, &status, 0) == c && WTERMSIG(status) == SIGTERM);
    c = child_exits(0);
    CHECK(waitpid(-c, &status, WNOHANG) == -1 && errno == ECHILD); /* no such group */
    CHECK(waitpid(-getpgrp(), &status, 0) == c);
}

static void test_waitid(void)
{
    siginfo_t info;
    pid_t pid = child_exits(9);
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid && info.si_status == 9);
    CHECK(waitid(P_ALL, 0, &info, WEXITED) == 0 && info.si_pid == pid && info.si_code == CLD_EXITED);
    CHECK(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD);
    pid = child_sleeps();
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOHANG) == 0 && info.si_signo == 0);
    kill(pid, SIGSTOP);
    CHECK(waitid(P_PID, pid, &info, WSTOPPED) == 0 && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
    kill(pid, SIGCONT);
    CHECK(waitid(P_PID, pid, &info, WCONTINUED) == 0 && info.si_code == CLD_CONTINUED);
    kill(pid, SIGKILL);
    CHECK(waitid(P_PID, pid, &info, WEXITED) == 0 && info.si_code == CLD_KILLED && info.si_status == SIGKILL);
    /* By group; and the same child, looked at twice and then taken. */
    pid_t a = child_sleeps(), b = child_sleeps();
    CHECK(setpgid(a, 0) == 0 && setpgid(b, a) == 0);
    kill(b, SIGKILL);
    for (int i = 0; i < 2; i++)
        CHECK(waitid(P_PGID, (id_t) a, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == b);
    CHECK(waitid(P_PGID, (id_t) a, &info, WEXITED) == 0 && info.si_pid == b);
    CHECK(waitid(P_PGID, (id_t) a, &info, WEXITED | WNOHANG) == 0);
    kill(a, SIGKILL);
    CHECK(waitid(P_PGID, (id_t) a, &info, WEXITED) == 0 && info.si_pid == a);
    CHECK(waitid(P_PGID, (id_t) a, &info, WEXITED) == -1 && errno == ECHILD);
    CHECK(waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL);
}

static void test_stop(void)
{
    int status;
    pid_t pid = child_sleeps();
    kill(pid, SIGSTOP);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
    kill(pid, SIGTERM);                     /* pends until it goes on */
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    kill(pid, SIGCONT);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* A signal ends a wait, or does not, as sigaction said. */
static void test_interrupted_wait(void)
{
    int status;
    struct itimerval soon = { .it_value = { 0, 200000 } }, never = { .it_value = { 0, 0 } };
    pid_t pid = child_sleeps();
    handle(SIGALRM, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    CHECK(waitpid(pid, &status, 0) == -1 && errno == EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK(seen[SIGALRM] == 1);
    handle(SIGALRM, SA_RESTART);
    setitimer(ITIMER_REAL, &soon, NULL);
    pid_t killer = fork();
    if (killer == 0) {
        usleep(700000);
        kill(pid, SIGKILL);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK(seen[SIGALRM] >= 2);
    CHECK(waitpid(killer, &status, 0) == killer);
    signal(SIGALRM, SIG_DFL);
}

static void test_child_signal(void)
{
    int status;
    usleep(100000);                         /* what was before is over */
    handle(SIGCHLD, SA_RESTART);
    seen[SIGCHLD] = 0;
    pid_t pid = child_exits(0);
    while (waitpid(pid, &status, 0) < 0)
        ;
    CHECK(seen[SIGCHLD] == 1);              /* at once: the handler runs before wait returns */
    handle(SIGCHLD, SA_RESTART | SA_NOCLDSTOP);
    seen[SIGCHLD] = 0;
    pid = child_sleeps();
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    usleep(100000);
    CHECK(seen[SIGCHLD] == 0);
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        ;
    signal(SIGCHLD, SIG_DFL);
}

static void test_groups(void)
{
    int status, ready[2];
    char byte;
    CHECK(getpgid(0) == getpgrp() && getpgid(getpid()) == getpgrp());
    CHECK(getpgid(99999) == -1 && errno == ESRCH);
    CHECK(setpgid(0, 99999) == -1 && errno == EPERM);
    CHECK(setpgid(1, 0) == -1 && errno == ESRCH);
    pid_t a = child_sleeps(), b = child_sleeps();
    CHECK(setpgid(a, 0) == 0 && getpgid(a) == a);
    CHECK(setpgid(b, a) == 0 && getpgid(b) == a);
    CHECK(kill(-a, SIGTERM) == 0);
    CHECK(waitpid(-a, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
    CHECK(waitpid(-a, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
    CHECK(kill(-a, SIGTERM) == -1 && errno == ESRCH);

    CHECK(pipe(ready) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        bool ok = setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid() && setsid() == -1 &&
                  errno == EPERM && setpgid(0, 0) == -1 && errno == EPERM;
        byte = ok;
        _exit(write(ready[1], &byte, 1) != 1);
    }
    CHECK(read(ready[0], &byte, 1) == 1 && byte == 1);
    waitpid(pid, &status, 0);
    close(ready[0]);
    close(ready[1]);
}

/* A grandchild stopped in a group of its own, whose parent ends, gets SIGHUP and SIGCONT; its new parent is number
   1. */
static void test_orphan(void)
{
    int ends[2], status;
    struct { pid_t parent; int hup, cont; } told = { 0 };
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t shell = fork();
    if (shell == 0) {
        setsid();
        pid_t mid = fork();
        if (mid == 0) {
            setpgid(0, 0);
            pid_t job = fork();
            if (job == 0) {
                handle(SIGHUP, 0);
                handle(SIGCONT, 0);
                setpgid(0, 0);
                raise(SIGSTOP);
                usleep(300000);
                told.parent = getppid();
                told.hup = seen[SIGHUP];
                told.cont = seen[SIGCONT];
                _exit(write(ends[1], &told, sizeof told) != sizeof told);
            }
            waitpid(job, &status, WUNTRACED);
            _exit(0);
        }
        waitpid(mid, &status, 0);
        sleep(2);
        _exit(0);
    }
    CHECK(read(ends[0], &told, sizeof told) == sizeof told);
    CHECK(told.parent == 1);
    CHECK(told.hup == 1);
    CHECK(told.cont == 1);
    waitpid(shell, &status, 0);
    close(ends[0]);
    close(ends[1]);
}

static void test_usage(void)
{
    struct rusage before, after;
    int status;
    getrusage(RUSAGE_CHILDREN, &before);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        for (volatile unsigned long i = 0; i < 60000000; i++)
            ;
        _exit(0);
    }
    CHECK(wait4(pid, &status, 0, &after) == pid);
    CHECK(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec > 0);
    getrusage(RUSAGE_CHILDREN, &after);
    CHECK(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec >
          before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec);
}

static void test_many(void)
{
    enum { MANY = 60 };
    int status, sum = 0, count = 0;
    for (int i = 0; i < MANY; i++)
        CHECK(child_exits(i) > 0);
    while (waitpid(-1, &status, 0) > 0) {
        count++;
        sum += WEXITSTATUS(status);
    }
    CHECK(count == MANY && sum == MANY * (MANY - 1) / 2);
}

/* A thousand living children at once: tasks without memory, as a fork bomb without the fork.  All have numbers of their
   own, are told of, and end one by one. */
static void test_thousand(void)
{
    enum { MANY = 1000 };
    static task_t tasks[MANY];
    pid_t *pids = NULL, last = 0;
    mach_msg_type_number_t count = 0;
    int status, made = 0, reaped = 0, ours = 0;
    while (made < MANY && !task_create(mach_task_self(), FALSE, &tasks[made]) && !proc_child(getproc(), tasks[made]))
        made++;
    CHECK(made == MANY);
    CHECK(proc_getallpids(getproc(), &pids, &count) == 0 && count > MANY);
    bool rising = true;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        rising = rising && pids[i] > last;
        last = pids[i];
        ours += last > getpid();
    }
    CHECK(rising && ours >= MANY);
    vm_deallocate(mach_task_self(), (vm_address_t) pids, count * sizeof *pids);
    for (int i = 0; i < made; i++)
        task_terminate(tasks[i]);
    while (waitpid(-1, &status, 0) > 0)
        reaped += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    CHECK(reaped == made);
    for (int i = 0; i < made; i++)
        mach_port_deallocate(mach_task_self(), tasks[i]);
}

/* Real ones, as many at once as the memory of a small machine holds, while proc answers others. */
static void test_bomb(void)
{
    enum { MANY = 200 };
    int ends[2], status, made = 0, reaped = 0;
    char byte;
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    for (int i = 0; i < MANY; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[1]);
            _exit(read(ends[0], &byte, 1) != 0);
        }
        made += pid > 0;
        if (i % 50 == 0)
            CHECK(getpgid(0) == getpgrp());
    }
    close(ends[0]);
    close(ends[1]);
    while (waitpid(-1, &status, 0) > 0)
        reaped += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    CHECK(made == MANY && reaped == made);
}

/* A message port that nobody receives from: proc goes on, notes each signal once, and tells the rest when there is room
   again. */
static void test_full_port(void)
{
    int status, ends[2];
    struct { int before, after; } told = { 0, 0 };
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct { mach_msg_header_t head; char rest[256]; } message;
        mach_port_t full = mach_reply_port(), old;
        task_t task;
        mach_port_insert_right(mach_task_self(), full, full, MACH_MSG_TYPE_MAKE_SEND);
        proc_setmsgport(getproc(), full, &old);
        for (int i = 0; i < 100; i++)
            if (!task_create(mach_task_self(), FALSE, &task)) {
                proc_child(getproc(), task);
                task_terminate(task);
                mach_port_deallocate(mach_task_self(), task);
            }
        int wait_status, sigcode;
        struct rusage usage;
        pid_t child;
        for (int i = 0; i < 100; i++)
            proc_wait(getproc(), -1, 0, &wait_status, &sigcode, &usage, &child);
        mach_port_status_t port;
        mach_port_get_receive_status(mach_task_self(), full, &port);
        told.before = (int) port.mps_msgcount;
        while (
            !mach_msg(&message.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, full, 3000, MACH_PORT_NULL)) {
            told.after += message.head.msgh_id == 23000;
            mach_msg_destroy(&message.head);
        }
        proc_setmsgport(getproc(), old, &old);
        _exit(write(ends[1], &told, sizeof told) != sizeof told);
    }
    CHECK(read(ends[0], &told, sizeof told) == sizeof told);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    /* The queue and the one message over; then one more that stands for all the others. */
    CHECK(told.before >= 2 && told.before < 100);
    CHECK(told.after == told.before + 1);
    close(ends[0]);
    close(ends[1]);
}

/* Who keeps a namespace of tasks hears of each new one, and holds nobody up when he does not listen. */
static void test_namespace(void)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct { mach_msg_header_t head; char rest[256]; } message;
        mach_port_t notify = mach_reply_port();
        task_t tasks[40];
        int told = 0, made = 0;
        mach_port_insert_right(mach_task_self(), notify, notify, MACH_MSG_TYPE_MAKE_SEND);
        if (proc_make_task_namespace(getproc(), notify, MACH_MSG_TYPE_COPY_SEND)
            || proc_make_task_namespace(getproc(), notify, MACH_MSG_TYPE_COPY_SEND) != EBUSY)
            _exit(1);
        for (int i = 0; i < 40; i++)
            made += !task_create(mach_task_self(), FALSE, &tasks[made]);
        while (!mach_msg(&message.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, notify, 1000,
                         MACH_PORT_NULL)) {
            told++;
            mach_msg_destroy(&message.head);
        }
        while (made > 0) { /* only now: nobody is told of one that has died already */
            task_terminate(tasks[--made]);
            mach_port_deallocate(mach_task_self(), tasks[made]);
        }
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        _exit(told < 1 || waitpid(child, &status, 0) != child);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void *forker(void *arg)
{
    int status;
    long good = 0;
    (void) arg;
    for (int i = 0; i < 15; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(i);
        good += pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == i;
    }
    return (void *) good;
}

static void test_threads(void)
{
    pthread_t threads[3];
    void *good;
    fflush(stdout);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, forker, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &good);
        CHECK((long) good == 15);
    }
}

static void test_uname(void)
{
    struct utsname name;
    CHECK(uname(&name) == 0);
    CHECK(!strcmp(name.sysname, "GNU") && !strcmp(name.machine, "x86_64") && name.version[0]);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    test_wait();
    test_waitid();
    test_stop();
    test_interrupted_wait();
    test_child_signal();
    test_groups();
    test_orphan();
    test_usage();
    test_many();
    test_thousand();
    test_bomb();
    test_full_port();
    test_namespace();
    test_threads();
    test_uname();
    refused_tests();
    return check_end("proctest");
}
