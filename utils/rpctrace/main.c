/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpctrace: command line, the start of the program (rpctrace.h). */

#include "rpctrace.h"

#include <argz.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <hurd.h>
#include <hurd/fd.h>
#include <hurd/fs.h>
#include <hurd/hurd_types.h>
#include <hurd/process.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"

const char program_name[] = "rpctrace";
const char program_help[] =
    "rpctrace [OPTION...] PROGRAM [ARG...]\n"
    "Runs PROGRAM and shows its remote procedure calls and those of its children, one a line:\n"
    "    port->routine (arguments) = result results\n\n"
    "  -o, --output=FILE  lines go to FILE, not to standard error\n"
    "  -s, --string=N     shows at most N bytes of a string and N elements of an array (80)\n"
    "      --help         this text\n"
    "Exits as PROGRAM does.\n";

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'},
    {"string", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

enum { DESCRIPTORS = 3 };

static unsigned int number_parse(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || number > 1u << 20)
        usage_error("--string=%s: no number of bytes", text);
    return number;
}

static void options_parse(int argc, char **argv)
{
    FILE *output = stderr;
    unsigned int limit = 80;
    int option;
    while ((option = getopt_long(argc, argv, "+o:s:h", options, NULL)) != -1)
        switch (option) {
        case 'o':
            output = fopen(optarg, "we");
            if (output == NULL)
                fail(errno, "%s", optarg);
            setvbuf(output, NULL, _IOLBF, 0);
            break;
        case 's': limit = number_parse(optarg); break;
        case 'h': usage_help();
        default: exit(2);
        }
    if (optind == argc)
        usage_error("no program given");
    print_init(output, limit);
}

/* The program's file, found as the shell finds it, and its whole name in *PATH. */
static file_t program_open(const char *name, char **path)
{
    file_t file = MACH_PORT_NULL;
    if (strchr(name, '/')) {
        *path = strdup(name);
        file = file_name_lookup(name, O_EXEC, 0);
    } else {
        char *prefixes = strdup(getenv("PATH") ?: "/bin:/sbin"), *rest = prefixes, *prefix;
        while (file == MACH_PORT_NULL && (prefix = strsep(&rest, ":")) != NULL) {
            if (asprintf(path, "%s/%s", *prefix ? prefix : ".", name) < 0)
                fail(ENOMEM, "%s", name);
            file = file_name_lookup(*path, O_EXEC, 0);
        }
        free(prefixes);
    }
    if (file == MACH_PORT_NULL)
        fail(errno, "%s", name);
    return file;
}

/* A send right for the wrapper of PORT, which is taken over. */
static mach_port_t wrapped(mach_port_t port, const char *label)
{
    struct wrapper *wrapper = MACH_PORT_VALID(port) ? wrap_send(port, label) : NULL;
    return wrapper ? wrap_make_send(wrapper) : MACH_PORT_NULL;
}

/* The ports that the program begins with. */
static void ports_fill(task_t task, mach_port_t ports[INIT_PORT_MAX], mach_port_t descriptors[DESCRIPTORS])
{
    mach_port_t proc = MACH_PORT_NULL;
    error_t err = proc_task2proc(getproc(), task, &proc);
    if (err)
        fail(err, "process of the program");
    memset(ports, 0, INIT_PORT_MAX * sizeof *ports);
    ports[INIT_PORT_PROC] = wrapped(proc, "proc");
    ports[INIT_PORT_AUTH] = wrapped(getauth(), "auth");
    ports[INIT_PORT_CWDIR] = wrapped(getcwdir(), "cwdir");
    ports[INIT_PORT_CRDIR] = wrapped(getcrdir(), "crdir");
    ports[INIT_PORT_CTTYID] = wrapped(getcttyid(), "cttyid");
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        char label[8];
        snprintf(label, sizeof label, "fd%d", fd);
        descriptors[fd] = wrapped(getdport(fd), label);
    }
}

static void *forward(void *unused)
{
    (void)unused;
    forward_loop();
}

/* From here on the wrappers are the thread's. */
static void forward_start(void)
{
    pthread_t thread;
    error_t err = pthread_create(&thread, NULL, forward, NULL);
    if (err)
        fail(err, "thread");
}

/* Starts the program in a new task, a child of ours; gives its process id. */
static pid_t program_start(char **argv)
{
    char *path, *arguments, *environment;
    size_t arguments_length, environment_length;
    mach_port_t ports[INIT_PORT_MAX], descriptors[DESCRIPTORS];
    int ints[INIT_INT_MAX] = {0};
    task_t task;
    file_t file = program_open(argv[0], &path);
    if (argz_create(argv, &arguments, &arguments_length) || argz_create(environ, &environment, &environment_length))
        fail(ENOMEM, "%s", argv[0]);
    error_t err = task_create(mach_task_self(), FALSE, &task);
    if (!err)
        err = proc_child(getproc(), task);
    if (err)
        fail(err, "task of the program");
    pid_t pid = task2pid(task);
    ports_fill(task, ports, descriptors);

    mach_port_mod_refs(mach_task_self(), task, MACH_PORT_RIGHT_SEND, 1);
    struct wrapper *wrapper = wrap_send(task, NULL);
    if (wrapper == NULL)
        fail(EINVAL, "task of the program");
    forward_task(wrapper);
    ints[INIT_UMASK] = umask(0);
    umask(ints[INIT_UMASK]);
    forward_start(); /* the exec server asks the process server through what it is given */
    err = file_exec_paths(file, task, 0, path, path, arguments, arguments_length, environment, environment_length,
                          descriptors, MACH_MSG_TYPE_MOVE_SEND, DESCRIPTORS, ports, MACH_MSG_TYPE_MOVE_SEND,
                          INIT_PORT_MAX, ints, INIT_INT_MAX, NULL, 0, NULL, 0);
    if (err) {
        task_terminate(task);
        fail(err, "%s", path);
    }
    mach_port_deallocate(mach_task_self(), task);
    mach_port_deallocate(mach_task_self(), file);
    return pid;
}

int main(int argc, char **argv)
{
    int status;
    options_parse(argc, argv);
    wrap_init();
    signal(SIGINT, SIG_IGN); /* what is typed is for the program */
    signal(SIGQUIT, SIG_IGN);
    pid_t pid = program_start(argv + optind);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            fail(errno, "waiting for %d", pid);
    print_end();
    if (WIFSIGNALED(status)) {
        print_note("killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return 128 + WTERMSIG(status);
    }
    return WEXITSTATUS(status);
}
