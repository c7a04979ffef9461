/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proctest: processes from inside: waiting in all ways, stops, signals during calls, groups, sessions, orphans, usage,
   permissions, many children, and requests that no sane program makes.  Prints a line for each check that fails, and
   last `N passed, N failed`. */

#include <errno.h>
#include <hurd.h>
#include <hurd/hurd_types.h>
#include <hurd/msg.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "badmem.h"

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

/* Arguments in memory that is an error or never comes: who asks gets an error in time, and proc lives. */
static void test_bad_arguments(void)
{
    int ends[2];
    char byte;
    for (int answers = 1; answers >= 0; answers--) {
        CHECK(pipe(ends) == 0);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            char *bad = badmem_create(64 << 10, answers);
            proc_set_arg_locations(getproc(), (vm_address_t) bad, (vm_address_t) bad);
            byte = bad != NULL;
            if (write(ends[1], &byte, 1) == 1)
                for (;;)
                    pause();
            _exit(1);
        }
        CHECK(read(ends[0], &byte, 1) == 1 && byte == 1);
        for (int i = 0; i < 2; i++) {
            char room[512], *args = room;
            mach_msg_type_number_t count = sizeof room;
            error_t err = proc_getprocargs(getproc(), pid, &args, &count);
            CHECK(answers ? err == EFAULT : err == (i == 0 ? ETIMEDOUT : EBUSY));
            CHECK(getpgid(0) == getpgrp());
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(ends[0]);
        close(ends[1]);
    }
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

/* Exceptions that proc would pass on to itself, for ever. */
static error_t exceptions_in_a_circle(void)
{
    natural_t state[4] = { 0 };
    mach_port_t port = mach_reply_port();
    error_t err = mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
    return err ? err : proc_handle_exceptions(getproc(), port, port, MACH_MSG_TYPE_COPY_SEND, 1, state, 4);
}

/* Sends requests to MESSAGE that are to be answered to a port with a send right and a queue that nobody empties. */
static void answer_to_full_queue(mach_port_t message)
{
    mach_port_t full = mach_reply_port();
    for (unsigned int i = 0; i < 12; i++) {
        mach_msg_header_t head = {
            .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND), .msgh_size = sizeof head,
            .msgh_remote_port = message, .msgh_local_port = full, .msgh_id = 23016 /* msg_get_environment */,
        };
        CHECK(mach_msg(&head, MACH_SEND_MSG, sizeof head, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) == 0);
    }
    char *data = NULL;
    mach_msg_type_number_t length = 0;
    CHECK(msg_get_environment(message, &data, &length) == 0);
    if (length)
        vm_deallocate(mach_task_self(), (vm_address_t)data, length);
    CHECK(mach_port_mod_refs(mach_task_self(), full, MACH_PORT_RIGHT_RECEIVE, -1) == 0);
}

/* Who shows a server's message port no right at all is nobody, also where the server itself has none of that kind. */
static void nobody_is_obeyed(void)
{
    for (pid_t pid = HURD_PID_PROC; pid < 10; pid++) {
        mach_port_t message, got;
        if (proc_getmsgport(getproc(), pid, &message) != 0 || !MACH_PORT_VALID(message))
            continue;
        CHECK(msg_get_init_port(message, MACH_PORT_NULL, INIT_PORT_CRDIR, &got) == EPERM);
        CHECK(msg_set_init_int(message, MACH_PORT_NULL, INIT_UMASK, 0) == EPERM);
        CHECK(msg_set_environment(message, MACH_PORT_NULL, "x", 1) == EPERM);
        CHECK(msg_sig_post(message, SIGHUP, 0, MACH_PORT_NULL) == EPERM);
        CHECK(msg_sig_post(message, SIGINT, 0, MACH_PORT_DEAD) == EPERM);
        /* nor does it wait for anybody */
        mach_port_t mute = mach_reply_port();
        CHECK(mach_port_insert_right(mach_task_self(), mute, mute, MACH_MSG_TYPE_MAKE_SEND) == 0);
        CHECK(msg_add_auth(message, mute) == EPERM);
        CHECK(mach_port_mod_refs(mach_task_self(), mute, MACH_PORT_RIGHT_RECEIVE, -1) == 0);
        CHECK(mach_port_deallocate(mach_task_self(), mute) == 0);
        answer_to_full_queue(message);
        CHECK(mach_port_deallocate(mach_task_self(), message) == 0);
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
        CHECK(proc_execdata_notify(getproc(), mach_task_self(), MACH_MSG_TYPE_COPY_SEND) == EPERM);
        CHECK(proc_setexecdata(getproc(), NULL, MACH_MSG_TYPE_COPY_SEND, 0, NULL, 0) == EPERM);
        CHECK(proc_mark_important(getproc()) == EPERM);
        CHECK(proc_setowner(getproc(), 0, 1) == 0 && proc_mark_important(getproc()) == EPERM);
        CHECK(proc_setowner(getproc(), 1000, 0) == 0 && exceptions_in_a_circle() == EINVAL);
        CHECK(proc_register_version(getproc(), mach_task_self(), "x", "y", "z") == EPERM);
        CHECK(reboot(RB_HALT) == -1 && errno == EPERM);
        mach_port_t startup;
        CHECK(proc_getmsgport(getproc(), HURD_PID_STARTUP, &startup) == 0);
        CHECK(startup_reboot(startup, mach_task_self(), RB_HALT) == EPERM);
        CHECK(startup_essential_task(startup, mach_task_self(), MACH_PORT_NULL, "me", mach_task_self()) == EPERM);
        CHECK(startup_procinit(startup, getproc(), &task, &priv, &task, &priv) == EPERM);
        CHECK(setuid(0) == -1 && errno == EPERM);
        nobody_is_obeyed();
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
    test_bad_arguments();
    test_namespace();
    test_threads();
    test_user();
    test_strange();
    test_uname();
    printf("proctest: %u passed, %u failed\n", passed, failed);
    return failed != 0;
}
