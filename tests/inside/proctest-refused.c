/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What proc, and the message ports of servers, refuse: requests of users who may not, and such as no sane program
   makes. */

#include <hurd.h>
#include <hurd/hurd_types.h>
#include <hurd/msg.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "badmem.h"
#include "check.h"
#include "proctest.h"

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

void refused_tests(void)
{
    test_bad_arguments();
    test_user();
    test_strange();
}
