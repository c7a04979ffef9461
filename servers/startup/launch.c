/* SPDX-License-Identifier: GPL-2.0-or-later */
/* launch.c: number 1: /libexec/runsystem, and when that cannot run or comes to an end, a shell with which somebody can
   mend things. */

#include <dance/dance.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/process.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "startup.h"

enum { UMASK = 022, STDIO = 3, SOON = 2 /* seconds: a program that ends sooner is not tried again */,
       UNABLE = 126 /* nor is one that says by this status or a higher one that it could not run what it is for */ };

/* What to try, in order: each a path and, if it is more than that, its argument vector. The bare shells have no job
   control. */
#define SHELL_ON_CONSOLE "/bin/console-run\0/dev/console\0/bin/sh\0-l"
static const struct {
    const char *path;
    const char *argz;
    size_t length;
    bool terminal;  /* its standard ports are the terminal's, for it makes none of its own */
} programs[] = {
    {"/libexec/runsystem", "/libexec/runsystem", sizeof "/libexec/runsystem", false},
    {"/bin/console-run", SHELL_ON_CONSOLE, sizeof SHELL_ON_CONSOLE, false},
    {"/bin/sh", "/bin/sh", sizeof "/bin/sh", true},
    {"/bin/dash", "/bin/dash", sizeof "/bin/dash", true},
};
enum { PROGRAMS = sizeof programs / sizeof *programs };
static const char environment[] = "PATH=/bin:/sbin:/usr/bin:/usr/sbin\0HOME=/root\0TERM=mach-gnu-color";

static unsigned program;      /* the one to try next; main's thread only */
static time_t started;        /* main's thread only */

/* A shell of last resort wants a terminal; runsystem makes its own. */
static void stdio_ports(mach_port_t ports[STDIO], bool terminal)
{
    mach_port_t console = terminal ? file_name_lookup("/dev/console", O_RDWR, 0) : MACH_PORT_NULL;
    if (terminal && console == MACH_PORT_NULL)
        complain(errno, "/dev/console: a shell reads the kernel's console, without a prompt");
    for (int fd = 0; fd < STDIO; fd++) {
        ports[fd] = console;
        if (console == MACH_PORT_NULL)
            ports[fd] = getdport(fd);
        else if (fd)
            mach_port_mod_refs(mach_task_self(), console, MACH_PORT_RIGHT_SEND, 1);
    }
}

/* Number 1 is TASK: fills its ports. */
static error_t init_ports(mach_port_t task, mach_port_t ports[INIT_PORT_MAX])
{
    mach_port_t proc = startup_state.proc;
    error_t err = proc_set_init_task(proc, task);
    if (!err)
        err = proc_task2proc(proc, task, &ports[INIT_PORT_PROC]);
    if (err)
        return err;
    ports[INIT_PORT_CRDIR] = getcrdir();
    ports[INIT_PORT_CWDIR] = getcwdir();
    ports[INIT_PORT_AUTH] = getauth();
    return 0;
}

static void ports_drop(mach_port_t *ports, int count)
{
    for (int i = 0; i < count; i++)
        if (MACH_PORT_VALID(ports[i]))
            mach_port_deallocate(mach_task_self(), ports[i]);
}

/* Starts the program WHICH as number 1. */
static error_t init_start(unsigned which)
{
    const char *path = programs[which].path;
    mach_port_t ports[INIT_PORT_MAX] = {0}, stdio[STDIO], task;
    static const int ints[INIT_INT_MAX] = {[INIT_UMASK] = UMASK};
    mach_port_t file = file_name_lookup(path, O_EXEC, 0);
    if (file == MACH_PORT_NULL)
        return errno;
    error_t err = task_create(mach_task_self(), 0, &task);
    if (err)
        goto no_task;
    err = init_ports(task, ports);
    if (err)
        goto no_ports;
    pthread_mutex_lock(&startup_lock);
    startup_state.init_task = task;
    startup_state.init_died = false;
    pthread_mutex_unlock(&startup_lock);
    ports_object_notify_dead(startup_object, task);
    stdio_ports(stdio, programs[which].terminal);
    dance_step(17, "launch_something: %s", path);
    err = file_exec_paths(file, task, 0, path, path, programs[which].argz, programs[which].length, environment,
                          sizeof environment, stdio, MACH_MSG_TYPE_COPY_SEND, STDIO, ports, MACH_MSG_TYPE_COPY_SEND,
                          INIT_PORT_MAX, ints, INIT_INT_MAX, NULL, 0, NULL, 0);
    if (!err)
        proc_mark_exec(ports[INIT_PORT_PROC]);
    ports_drop(stdio, STDIO);
no_ports:
    ports_drop(ports, INIT_PORT_MAX);
    if (err)
        task_terminate(task);
    if (err && startup_state.init_task == MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), task);
no_task:
    mach_port_deallocate(mach_task_self(), file);
    return err;
}

void init_reap(void)
{
    int status, sigcode;
    struct rusage usage;
    pid_t pid;
    pthread_mutex_lock(&startup_lock);
    mach_port_t task = startup_state.init_task;
    startup_state.init_task = MACH_PORT_NULL;
    startup_state.init_died = false;
    pthread_mutex_unlock(&startup_lock);
    mach_port_deallocate(mach_task_self(), task);
    if (proc_wait(startup_state.proc, HURD_PID_INIT, 0, &status, &sigcode, &usage, &pid))
        return;
    if (WIFSIGNALED(status))
        complain(0, "%s was killed by signal %d (%s)", programs[program].path, WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        complain(0, "%s ended with status %d", programs[program].path, WEXITSTATUS(status));
    bool unable = WIFEXITED(status) && WEXITSTATUS(status) >= UNABLE;
    if (time(NULL) - started < SOON || program == 0 || unable)
        program++;
}

/* Waits until a task that could not execute anything is dead, so that number 1 is free again. */
static void init_discard(void)
{
    int status, sigcode;
    struct rusage usage;
    pid_t pid;
    pthread_mutex_lock(&startup_lock);
    mach_port_t task = startup_state.init_task;
    startup_state.init_task = MACH_PORT_NULL;
    startup_state.init_died = false;
    pthread_mutex_unlock(&startup_lock);
    if (task == MACH_PORT_NULL)
        return;
    mach_port_deallocate(mach_task_self(), task);
    proc_wait(startup_state.proc, HURD_PID_INIT, 0, &status, &sigcode, &usage, &pid);
}

bool launch_something(void)
{
    for (; program < PROGRAMS; program++) {
        started = time(NULL);
        error_t err = init_start(program);
        if (!err)
            return true;
        init_discard();
        complain(err, "%s", programs[program].path);
    }
    return false;
}
