/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exectest: the exec server from inside, with requests that are wrong and programs that are damaged.

       exectest PROGRAM    PROGRAM is a good static ELF program that ends with status 0

   Prints a line for each check that fails, and last `N passed, N failed`. */

#include <errno.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/exec.h>
#include <hurd/io.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned int passed, failed;
#define CHECK(CONDITION) ((CONDITION) ? (void) passed++ : (void) (failed++, printf("line %d: %s\n", __LINE__, #CONDITION)))

static file_t server;

/* exec_exec with the given arrays, into TASK. */
static error_t request(file_t file, task_t task, int flags, unsigned int fds, unsigned int ports, unsigned int ints, size_t bytes)
{
    mach_port_t *array = calloc(fds + ports + 1, sizeof *array);
    int *numbers = calloc(ints + 1, sizeof *numbers);
    char *data = calloc(bytes + 1, 1);
    memset(data, 'x', bytes);
    for (unsigned int i = 0; i < fds; i++)
        array[i] = server;
    error_t err = exec_exec(server, file, MACH_MSG_TYPE_COPY_SEND, task, flags, data, bytes, data, bytes, array, MACH_MSG_TYPE_COPY_SEND,
                            fds, array + fds, MACH_MSG_TYPE_COPY_SEND, ports, numbers, ints, NULL, 0, NULL, 0);
    free(array);
    free(numbers);
    free(data);
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
    CHECK(exec_init(server, getauth(), getproc(), MACH_MSG_TYPE_COPY_SEND) == EPERM);
    exec_setexecdata(server, NULL, MACH_MSG_TYPE_COPY_SEND, 0, NULL, 0);
    mach_port_deallocate(mach_task_self(), file);
    mach_port_deallocate(mach_task_self(), directory);
}

/* Runs PATH; its status, or -errno when it could not be executed. */
static int run(const char *path)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(5);
        execl(path, path, "--exit", NULL);
        _exit(errno == ENOEXEC ? 120 : 121);
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
        refused += WIFEXITED(status) && WEXITSTATUS(status) == 120;
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

int main(int argc, char **argv)
{
    const char *program = argc > 1 ? argv[1] : argv[0];

    if (argc > 1 && strcmp(argv[1], "--exit") == 0)
        return 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    server = file_name_lookup("/servers/exec", 0, 0);
    CHECK(server != MACH_PORT_NULL);
    test_requests(program);
    test_damage(program, "/tmp/exectest-damaged");
    printf("exectest: %u passed, %u failed\n", passed, failed);
    return failed != 0;
}
