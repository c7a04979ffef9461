/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exectest: the exec server from inside, with requests that are wrong and programs that are damaged.

       exectest

   Beside it in / are what tests/inside/meson.build makes for it: exechello (dynamic), exechello-pie (the same,
   position-independent) and exectest-bare (position-independent, without interpreter or C library).

   Prints a line for each check that fails, and last `N passed, N failed`. */

#include <errno.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/exec.h>
#include <hurd/io.h>
#include <mach/notify.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "badmem.h"
#include "check.h"
#include "fullport.h"

static file_t server;

/* exec_exec with the given arrays, into TASK. */
static error_t request(file_t file, task_t task, int flags, unsigned int fds, unsigned int ports, unsigned int ints,
                       size_t bytes)
{
    mach_port_t *array = calloc(fds + ports + 1, sizeof *array);
    int *numbers = calloc(ints + 1, sizeof *numbers);
    char *data = calloc(bytes + 1, 1);
    memset(data, 'x', bytes);
    for (unsigned int i = 0; i < fds; i++)
        array[i] = server;
    error_t err = exec_exec(server, file, MACH_MSG_TYPE_COPY_SEND, task, flags, data, bytes, data, bytes, array,
                            MACH_MSG_TYPE_COPY_SEND, fds, array + fds, MACH_MSG_TYPE_COPY_SEND, ports, numbers, ints,
                            NULL, 0, NULL, 0);
    free(array);
    free(numbers);
    free(data);
    return err;
}

/* A program in a task that is nobody's, asked to stop before it begins: nobody could let it go on, so it does not, and
   what it was given is given up when it ends. */
static bool nobodys_ends(file_t file)
{
    union { mach_msg_header_t head; char room[4096]; } message;
    mach_port_t given = mach_reply_port(), previous;
    error_t err = exec_exec(server, file, MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL, EXEC_NEWTASK | EXEC_SIGTRAP, "x", 1,
                            "x", 1, &given, MACH_MSG_TYPE_MAKE_SEND, 1, NULL, MACH_MSG_TYPE_COPY_SEND, 0, NULL, 0, NULL,
                            0, NULL, 0);
    if (!err)
        err = mach_port_request_notification(mach_task_self(), given, MACH_NOTIFY_NO_SENDERS, 1, given,
                                             MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous);
    message.head.msgh_id = 0;
    while (!err && message.head.msgh_id != MACH_NOTIFY_NO_SENDERS) {
        err = mach_msg(&message.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, given, 60000, MACH_PORT_NULL);
        if (!err && message.head.msgh_id != MACH_NOTIFY_NO_SENDERS)
            mach_msg_destroy(&message.head);
    }
    mach_port_mod_refs(mach_task_self(), given, MACH_PORT_RIGHT_RECEIVE, -1);
    return err == 0;
}

static void *request_main(void *arg)
{
    return (void *)(intptr_t)request(*(file_t *)arg, MACH_PORT_NULL, 0, 0, 0, 0, 0);
}

/* A file whose server takes no messages any more: exec waits for room there, is interrupted, and lives. */
static void test_full_file(void)
{
    mach_port_t file = fullport_create();
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, request_main, &file) == 0);
    usleep(500000);
    CHECK(interrupt_send(server) == 0);
    CHECK(pthread_join(thread, &result) == 0 && (intptr_t)result == EINTR);
    fullport_destroy(file);
}

/* A program with more rights, whose process is said to be PROC, in the place of TASK. */
static error_t secure_request(file_t file, task_t task, mach_port_t proc)
{
    mach_port_t ports[INIT_PORT_MAX] = { [INIT_PORT_AUTH] = getauth(), [INIT_PORT_PROC] = proc };
    error_t err = exec_exec(server, file, MACH_MSG_TYPE_COPY_SEND, task, EXEC_NEWTASK | EXEC_SECURE, "x", 1, "x", 1,
                            NULL, MACH_MSG_TYPE_COPY_SEND, 0, ports, MACH_MSG_TYPE_COPY_SEND, INIT_PORT_MAX, NULL, 0,
                            NULL, 0, NULL, 0);
    mach_port_deallocate(mach_task_self(), ports[INIT_PORT_AUTH]);
    return err;
}

static void test_requests(const char *program)
{
    file_t file = file_name_lookup(program, O_READ | O_EXEC, 0), directory = file_name_lookup("/", O_READ, 0);
    task_t task;

    CHECK(request(MACH_PORT_NULL, MACH_PORT_NULL, 0, 0, 0, 0, 0) == EINVAL);
    CHECK(request(mach_task_self(), MACH_PORT_NULL, 0, 0, 0, 0, 0) != 0);
    CHECK(request(server, MACH_PORT_NULL, 0, 0, 0, 0, 0) != 0);
    CHECK(request(directory, MACH_PORT_NULL, 0, 0, 0, 0, 0) != 0);
    /* No task: a new one is made; without a process port it dies of its own. */
    CHECK(request(file, MACH_PORT_NULL, EXEC_NEWTASK, 0, 0, 0, 0) == 0);
    CHECK(nobodys_ends(file));
    for (unsigned int n = 0; n < 8; n++) {
        CHECK(task_create(mach_task_self(), FALSE, &task) == 0);
        CHECK(request(file, task, 0, 300 * (n & 1), n, n & 2 ? 1000 : n, n & 4 ? 100000 : n) == 0);
        task_terminate(task);
        mach_port_deallocate(mach_task_self(), task);
    }
    CHECK(task_create(mach_task_self(), FALSE, &task) == 0);
    task_terminate(task);
    CHECK(request(file, task, 0, 3, 6, 5, 10) == ESRCH);
    CHECK(request(file, directory, 0, 3, 6, 5, 10) != 0);
    /* Ports that are not the process's: they never come to the rendezvous. */
    CHECK(task_create(mach_task_self(), FALSE, &task) == 0);
    CHECK(secure_request(file, task, server) == EINVAL);
    CHECK(secure_request(file, task, directory) == EINVAL);
    CHECK(secure_request(file, task, getproc()) == EINVAL);
    task_terminate(task);
    mach_port_deallocate(mach_task_self(), task);
    CHECK(exec_init(server, getauth(), getproc(), MACH_MSG_TYPE_COPY_SEND) == EPERM);
    exec_setexecdata(server, NULL, MACH_MSG_TYPE_COPY_SEND, 0, NULL, 0);
    mach_port_deallocate(mach_task_self(), file);
    mach_port_deallocate(mach_task_self(), directory);
}

/* Runs PATH; its status, which is the low byte of the error when it could not be executed. */
static int run(const char *path)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        execl(path, path, "--exit", NULL);
        _exit(errno & 0xff);
    }
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static char *whole_file(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY);
    off_t end = lseek(fd, 0, SEEK_END);
    char *bytes = malloc((size_t) end + 1);
    lseek(fd, 0, SEEK_SET);
    *size = 0;
    for (ssize_t got; *size < (size_t) end && (got = read(fd, bytes + *size, (size_t) end - *size)) > 0;)
        *size += (size_t) got;
    close(fd);
    return bytes;
}

static void put_file(const char *path, const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    while (size > 0) {
        ssize_t put = write(fd, bytes, size);
        if (put <= 0)
            break;
        bytes += put;
        size -= (size_t) put;
    }
    close(fd);
}

/* Damage in the headers: the program may run, be killed or be refused, but the server must live. */
static void test_damage(const char *program, const char *scratch)
{
    unsigned int seed = 7, refused = 0;
    size_t size;
    char *good = whole_file(program, &size), *bad = malloc(size);

    CHECK(run(program) == 0);
    for (int round = 0; round < 60; round++) {
        memcpy(bad, good, size);
        for (int n = 1 + rand_r(&seed) % 3; n > 0; n--)
            bad[16 + rand_r(&seed) % 400] = (char) rand_r(&seed);
        put_file(scratch, bad, size);
        int status = run(scratch);
        refused += WIFEXITED(status) && WEXITSTATUS(status) == (ENOEXEC & 0xff);
        CHECK(status != -1);
    }
    /* Too short for what its headers promise. */
    for (size_t length = 0; length < 9000; length += 700) {
        put_file(scratch, good, length);
        CHECK(run(scratch) != 0);
    }
    CHECK(refused > 0);
    CHECK(run(program) == 0);
    unlink(scratch);
    free(good);
    free(bad);
}

/* ---- position-independent programs and interpreters ---- */

static bool refused(const char *path, error_t err)
{
    int status = run(path);
    return WIFEXITED(status) && WEXITSTATUS(status) == (err & 0xff);
}

static void test_movable(void)
{
    int status = 0;
    CHECK(run("/exechello") == 0);
    CHECK(run("/exechello-pie") == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/exectest-bare", "bare", NULL);
        _exit(1);
    }
    /* It loops if it finds itself where it should be, and dies else. */
    usleep(500000);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A copy of PROGRAM at SCRATCH that asks for INTERPRETER, which is not longer than the usual one. */
static void put_interpreter(const char *program, const char *scratch, const char *interpreter)
{
    static const char usual[] = "/lib/ld-x86-64.so.1";
    size_t size;
    char *bytes = whole_file(program, &size), *at = memmem(bytes, size, usual, sizeof usual);
    CHECK(at != NULL && strlen(interpreter) < sizeof usual);
    if (at != NULL)
        strncpy(at, interpreter, sizeof usual);
    put_file(scratch, bytes, size);
    free(bytes);
}

static void test_interpreters(const char *scratch)
{
    put_interpreter("/exechello", scratch, "/lib/ld-x86-64.so.1");
    CHECK(run(scratch) == 0);
    put_interpreter("/exechello", scratch, "/lib/missing");
    CHECK(refused(scratch, ENOENT));
    put_interpreter("/exechello", scratch, "/tmp");
    CHECK(!WIFEXITED(run(scratch)) || WEXITSTATUS(run(scratch)) != 0);
    put_interpreter("/exechello", scratch, "/etc/motd");
    CHECK(run(scratch) != 0);
    put_interpreter("/exechello", scratch, "");
    CHECK(run(scratch) != 0);
    /* Both want the same place. */
    put_interpreter("/exechello", scratch, "/exechello");
    CHECK(refused(scratch, ENOEXEC));
    /* A program as interpreter that does not expect it: whatever it does, the next works. */
    put_interpreter("/exechello", scratch, "/exechello-pie");
    (void) run(scratch);
    CHECK(run("/exechello") == 0);
    unlink(scratch);
}

/* ---- limits ---- */

/* Executes ourselves with COUNT words of LENGTH bytes more; the status, or the low byte of the error. */
static int run_words(const char *self, unsigned int count, size_t length)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char number[16], *word = malloc(length + 1), **argv = calloc(count + 4, sizeof *argv);
        memset(word, 'w', length);
        word[length] = '\0';
        snprintf(number, sizeof number, "%u", count);
        argv[0] = (char *) self;
        argv[1] = (char *) "--words";
        argv[2] = number;
        for (unsigned int i = 0; i < count; i++)
            argv[3 + i] = word;
        execv(self, argv);
        _exit(errno & 0xff);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_limits(const char *self)
{
    CHECK(run_words(self, 100, 10) == 0);
    CHECK(run_words(self, 100000, 10) == 0);
    CHECK(run_words(self, 1, 4 << 20) == 0);
    CHECK(run_words(self, 600000, 1) == (E2BIG & 0xff));
    CHECK(run_words(self, 1, 17 << 20) == (E2BIG & 0xff));
    CHECK(run_words(self, 100, 10) == 0);
}

/* ---- memory, files and tasks that do not keep what they promise ---- */

static error_t request_bytes(file_t file, const char *argv, size_t argv_length, int *ints, unsigned int int_count,
                             mach_port_name_t *names, unsigned int name_count)
{
    task_t task;
    error_t err = task_create(mach_task_self(), FALSE, &task);
    if (err)
        return err;
    err = exec_exec_paths(server, file, MACH_MSG_TYPE_COPY_SEND, task, 0, "/tmp/script", "", argv, argv_length, NULL, 0,
                          NULL, MACH_MSG_TYPE_COPY_SEND, 0, NULL, MACH_MSG_TYPE_COPY_SEND, 0, ints, int_count, names,
                          name_count, names, name_count);
    task_terminate(task);
    mach_port_deallocate(mach_task_self(), task);
    return err;
}

/* exec_exec as no stub sends it: few bytes of arguments, but out of line. */
struct small_request {
    mach_msg_header_t head;
    mach_msg_type_t file_type;
    mach_port_name_inlined_t file;
    mach_msg_type_t task_type;
    mach_port_name_inlined_t task;
    mach_msg_type_t flags_type;
    int flags, pad;
    mach_msg_type_t argv_type;
    const void *argv;
    mach_msg_type_t empty[6];   /* environment, descriptors, ports, integers, names to drop and to destroy */
};

#define ARRAY(NAME, SIZE) {.msgt_name = NAME, .msgt_size = SIZE, .msgt_inline = TRUE, .msgt_longform = TRUE}
#define ONE(NAME, SIZE) {.msgt_name = NAME, .msgt_size = SIZE, .msgt_number = 1, .msgt_inline = TRUE}

/* The program's own question for its arguments must not make exec read them. */
static void test_small_bad_memory(file_t file, const void *bad)
{
    enum { TRIES = 2400 };
    struct { mig_reply_header_t head; char rest[256]; } reply;
    task_t task;
    CHECK(task_create(mach_task_self(), FALSE, &task) == 0);
    struct small_request r = {
        .head = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE) |
                              MACH_MSGH_BITS_COMPLEX,
                 .msgh_size = sizeof r, .msgh_remote_port = server, .msgh_local_port = mach_reply_port(),
                 .msgh_id = 30000},
        .file_type = ONE(MACH_MSG_TYPE_COPY_SEND, 64), .file.name = file,
        .task_type = ONE(MACH_MSG_TYPE_COPY_SEND, 64), .task.name = task,
        .flags_type = ONE(MACH_MSG_TYPE_INTEGER_32, 32),
        .argv_type = {.msgt_name = MACH_MSG_TYPE_CHAR, .msgt_size = 8, .msgt_number = 100, .msgt_longform = TRUE},
        .argv = bad,
        .empty = {ARRAY(MACH_MSG_TYPE_CHAR, 8), ARRAY(MACH_MSG_TYPE_COPY_SEND, 64), ARRAY(MACH_MSG_TYPE_COPY_SEND, 64),
                  ARRAY(MACH_MSG_TYPE_INTEGER_32, 32), ARRAY(MACH_MSG_TYPE_PORT_NAME, 32),
                  ARRAY(MACH_MSG_TYPE_PORT_NAME, 32)},
    };
    CHECK(mach_msg(&r.head, MACH_SEND_MSG, sizeof r, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) == 0);
    CHECK(mach_msg(&reply.head.Head, MACH_RCV_MSG, 0, sizeof reply, r.head.msgh_local_port, 0, MACH_PORT_NULL) == 0);
    CHECK(reply.head.RetCode == 0);
    mach_port_type_t type = 0;
    for (unsigned int i = 0; i < TRIES; i++) {      /* it reads them, and ends */
        if (mach_port_type(mach_task_self(), task, &type) != 0 || (type & MACH_PORT_TYPE_DEAD_NAME))
            break;
        usleep(50000);
    }
    CHECK(type & MACH_PORT_TYPE_DEAD_NAME);
    task_terminate(task);
    mach_port_deallocate(mach_task_self(), task);
    mach_port_mod_refs(mach_task_self(), r.head.msgh_local_port, MACH_PORT_RIGHT_RECEIVE, -1);
}

static void test_bad_memory(const char *program)
{
    enum { SIZE = 64 << 10 };
    static const char script[] = "#!/bin/sh\n";
    char *bad = badmem_create(SIZE, true);
    file_t file = file_name_lookup(program, O_READ | O_EXEC, 0), text;
    put_file("/tmp/exectest-script", script, sizeof script - 1);
    text = file_name_lookup("/tmp/exectest-script", O_READ | O_EXEC, 0);
    CHECK(bad != NULL && file != MACH_PORT_NULL && text != MACH_PORT_NULL);
    CHECK(request_bytes(text, bad, SIZE, NULL, 0, NULL, 0) == EFAULT);
    CHECK(request_bytes(file, NULL, 0, (int *) bad, 1024, NULL, 0) == EFAULT);
    CHECK(request_bytes(file, NULL, 0, (int *) bad, SIZE / 4, NULL, 0) == E2BIG);
    /* Names to drop that cannot be read drop nothing; arguments that nobody looks at are the new program's trouble. */
    CHECK(request_bytes(file, NULL, 0, NULL, 0, (mach_port_name_t *) bad, 4096) == 0);
    CHECK(request_bytes(file, bad, SIZE, NULL, 0, NULL, 0) == 0);
    CHECK(run(program) == 0);
    test_small_bad_memory(file, bad);
    CHECK(run(program) == 0);
    unlink("/tmp/exectest-script");
    mach_port_deallocate(mach_task_self(), file);
    mach_port_deallocate(mach_task_self(), text);
}

struct dying {
    mach_port_t port;
    bool is_task;
    file_t file;
    error_t err;
};

static void *dying_main(void *arg)
{
    struct dying *d = arg;
    d->err = d->is_task ? request(d->file, d->port, 0, 0, 0, 0, 10)
                        : request(d->port, MACH_PORT_NULL, EXEC_NEWTASK, 0, 0, 0, 10);
    return NULL;
}

/* A file, and a task, that are only ports: after the first question they die. */
static void test_dying(const char *program, bool is_task)
{
    struct { mach_msg_header_t head; char rest[8192]; } message;
    struct dying d = { mach_reply_port(), is_task, file_name_lookup(program, O_READ | O_EXEC, 0), 0 };
    pthread_t thread;
    mach_port_insert_right(mach_task_self(), d.port, d.port, MACH_MSG_TYPE_MAKE_SEND);
    pthread_create(&thread, NULL, dying_main, &d);
    CHECK(mach_msg(&message.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, d.port, 60000, MACH_PORT_NULL) ==
          0);
    mach_port_mod_refs(mach_task_self(), d.port, MACH_PORT_RIGHT_RECEIVE, -1);
    mach_msg_destroy(&message.head);
    pthread_join(thread, NULL);
    CHECK(d.err != 0);
    mach_port_deallocate(mach_task_self(), d.port);
    mach_port_deallocate(mach_task_self(), d.file);
    CHECK(run(program) == 0);
}

/* After an exec that was refused everything is as it was. */
static void test_refused_leaves_all(const char *scratch)
{
    static const char nonsense[] = "\177ELF and nothing else";
    int status, fd = open("/etc/motd", O_RDONLY);
    put_file(scratch, nonsense, sizeof nonsense);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        pid_t self = getpid();
        execl(scratch, scratch, NULL);
        bool same = errno == ENOEXEC && getpid() == self && read(fd, &byte, 1) == 1;
        pid_t child = fork();
        if (child == 0)
            _exit(3);
        same = same && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3;
        execl("/exechello", "exechello", NULL);
        _exit(same ? 1 : 2);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(fd);
    unlink(scratch);
}

int main(int argc, char **argv)
{
    const char *program = "/exectest";

    if (argc > 1 && strcmp(argv[1], "--exit") == 0)
        return 0;
    if (argc > 2 && strcmp(argv[1], "--words") == 0)
        return atoi(argv[2]) != argc - 3;
    setvbuf(stdout, NULL, _IOLBF, 0);
    server = file_name_lookup("/servers/exec", 0, 0);
    CHECK(server != MACH_PORT_NULL);
    test_requests(program);
    test_full_file();
    test_movable();
    test_interpreters("/tmp/exectest-interpreter");
    test_limits(program);
    test_bad_memory(program);
    test_dying(program, false);
    test_dying(program, true);
    test_refused_leaves_all("/tmp/exectest-nonsense");
    test_damage(program, "/tmp/exectest-damaged");
    return check_end("exectest");
}
