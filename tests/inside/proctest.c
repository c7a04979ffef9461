/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proctest: processes from inside: waiting in all ways, stops, signals during calls, groups, sessions, orphans, usage, permissions, many
   children, and requests that no sane program makes.  Prints a line for each check that fails, and last `N passed, N failed`. */

#include <errno.h>
#include <hurd.h>
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

static unsigned int passed, failed;
#define CHECK(CONDITION) \
    ((CONDITION) ? (void) passed++ : (void) (failed++, printf("line %d: %s (errno %d)\n", __LINE__, #CONDITION, errno)))

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
        bool ok = setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid() && setsid() == -1 && errno == EPERM &&
                  setpgid(0, 0) == -1 && errno == EPERM;
        byte = ok;
        _exit(write(ready[1], &byte, 1) != 1);
    }
    CHECK(read(ready[0], &byte, 1) == 1 && byte == 1);
    waitpid(pid, &status, 0);
    close(ready[0]);
    close(ready[1]);
}

/* A grandchild stopped in a group of its own, whose parent ends, gets SIGHUP and SIGCONT; its new parent is number 1. */
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
    CHECK(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec > before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec);
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

/* What a user without privileges may not do to others. */
static void test_user(void)
{
    int status, ends[2];
    unsigned int counts[2] = { 0, 0 };
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        mach_port_t task, priv;
        passed = failed = 0;
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK(kill(getppid(), SIGTERM) == -1 && errno == EPERM);
        CHECK(kill(2, SIGKILL) == -1 && errno == EPERM);
        CHECK(kill(4, SIGTERM) == -1);
        CHECK(proc_pid2task(getproc(), 3, &task) != 0);
        CHECK(proc_pid2task(getproc(), getppid(), &task) == EPERM);
        CHECK(proc_pid2proc(getproc(), 4, &task) == EPERM);
        CHECK(proc_getprivports(getproc(), &task, &priv) == EPERM);
        CHECK(proc_setlogin(getproc(), "root") == EPERM);
        CHECK(proc_setowner(getproc(), 0, 0) == EPERM);
        CHECK(proc_set_init_task(getproc(), mach_task_self()) == EPERM);
        CHECK(setuid(0) == -1 && errno == EPERM);
        pid_t own = fork();
        if (own == 0)
            for (;;)
                pause();
        CHECK(kill(own, SIGKILL) == 0);
        CHECK(waitpid(own, &status, 0) == own && WTERMSIG(status) == SIGKILL);
        counts[0] = passed;
        counts[1] = failed;
        fflush(stdout);
        _exit(write(ends[1], counts, sizeof counts) != sizeof counts);
    }
    CHECK(read(ends[0], counts, sizeof counts) == sizeof counts);
    passed += counts[0];
    failed += counts[1];
    waitpid(pid, &status, 0);
    close(ends[0]);
    close(ends[1]);
}

/* Requests that no sane program makes must be refused, and proc must live on. */
static void test_strange(void)
{
    process_t proc = getproc();
    mach_port_t other, port = mach_reply_port(), old;
    pid_t pid;
    int flags = -1, value, sigcode;
    struct rusage usage;
    string_t name;
    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
    CHECK(proc_task2proc(proc, port, &other) == ESRCH);
    CHECK(proc_child(proc, mach_task_self()) == EBUSY);
    CHECK(proc_child(proc, port) == ESRCH);
    CHECK(proc_reassign(proc, mach_task_self()) != 0);
    CHECK(proc_mark_stop(proc, -5, 0) == EINVAL && proc_mark_stop(proc, 4711, 0) == EINVAL);
    CHECK(proc_mark_exit(proc, W_STOPCODE(5), 0) == EINVAL);
    CHECK(proc_wait(proc, -2147483647 - 1, 0, &value, &sigcode, &usage, &pid) == ECHILD);
    CHECK(proc_waitid(proc, -1, 0, &value, &sigcode, &usage, &pid) == EINVAL);
    CHECK(proc_getsid(proc, -1, &pid) == ESRCH);
    CHECK(proc_setpgrp(proc, -1, -1) == EINVAL);
    CHECK(proc_get_tty(proc, 0, &other) == EOPNOTSUPP);
    CHECK(proc_reauthenticate_complete(proc) == 0);         /* no answer to that: it is ignored */
    CHECK(proc_execdata_notify(proc, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND) == EINVAL);
    /* Arguments that lie nowhere. */
    vm_address_t argv, envp;
    char room[512], *args = room;
    mach_msg_type_number_t count = sizeof room;
    CHECK(proc_get_arg_locations(proc, &argv, &envp) == 0);
    CHECK(proc_set_arg_locations(proc, 0xdeadbeef0, ~0ul) == 0);
    CHECK(proc_getprocargs(proc, getpid(), &args, &count) != 0);
    count = sizeof room;
    CHECK(proc_getprocenv(proc, getpid(), &args, &count) != 0);
    CHECK(proc_set_arg_locations(proc, argv, envp) == 0);
    count = sizeof room;
    CHECK(proc_getprocargs(proc, getpid(), &args, &count) == 0 && count > 0 && strstr(args, "proctest"));
    /* All that can be told. */
    int info_room[256], *info = info_room;
    mach_msg_type_number_t info_count = 256;
    count = sizeof room;
    args = room;
    CHECK(proc_getprocinfo(proc, getpid(), &flags, &info, &info_count, &args, &count) == 0);
    CHECK(((struct procinfo *) info)->ppid == getppid());
    CHECK(proc_getlogin(proc, name) != 0 || name[0]);
    CHECK(proc_setmsgport(proc, MACH_PORT_NULL, &old) == 0);
    CHECK(proc_setmsgport(proc, old, &other) == 0 && other == MACH_PORT_NULL);
    mach_port_destroy(mach_task_self(), port);
}

static void test_uname(void)
{
    struct utsname name;
    CHECK(uname(&name) == 0);
    CHECK(!strcmp(name.sysname, "GNU") && !strcmp(name.machine, "x86_64") && name.version[0]);
}

int main(void)
{
    test_wait();
    test_waitid();
    test_stop();
    test_interrupted_wait();
    test_child_signal();
    test_groups();
    test_orphan();
    test_usage();
    test_many();
    test_threads();
    test_user();
    test_strange();
    test_uname();
    printf("proctest: %u passed, %u failed\n", passed, failed);
    return failed != 0;
}
