/* SPDX-License-Identifier: GPL-2.0-or-later */
/* victims: the ports that an interface's messages go to. */

#include "hostile.h"

#include <fcntl.h>
#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/exec.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <hurd/paths.h>
#include <hurd/process.h>
#include <hurd/socket.h>
#include <mach/mach_port.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct list { mach_port_t *ports; unsigned int count; };

static void add(struct list *list, mach_port_t port)
{
    if (!MACH_PORT_VALID(port))
        return;
    if (list->count < VICTIMS_MAX) {
        right_hoard(port);
        list->ports[list->count++] = port;
    } else
        mach_port_deallocate(mach_task_self(), port);
}

static void add_file(struct list *list, const char *name, int flags)
{
    add(list, file_name_lookup(name, flags, 0644));
}

static void add_in(struct list *list, const char *folder, const char *name, int flags)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    add_file(list, path, flags);
}

/* Files of our own: what a request does to them hurts nobody. */
static void folder_prepare(const char *folder)
{
    char path[256], other[256];
    mkdir(folder, 0755);
    chmod(folder, 0755);
    snprintf(path, sizeof path, "%s/dir", folder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/link", folder);
    symlink("file", path);
    snprintf(path, sizeof path, "%s/fifo", folder);
    mkfifo(path, 0644);
    snprintf(path, sizeof path, "%s/file", folder);
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    if (fd >= 0) {
        for (unsigned int i = 0; i < 40; i++)
            write(fd, folder, strlen(folder));
        close(fd);
    }
    snprintf(other, sizeof other, "%s/program", folder);
    fd = open(other, O_RDWR | O_CREAT, 0755);
    if (fd >= 0) {
        write(fd, "#!/bin/true\n", 12);
        close(fd);
    }
}

static void add_sockets(struct list *list)
{
    int pair[2];
    add_file(list, "/servers/socket/1", 0);
    for (unsigned int i = 0; i < 2; i++)
        if (socketpair(AF_LOCAL, i ? SOCK_DGRAM : SOCK_STREAM, 0, pair) == 0) {
            add(list, getdport(pair[0]));
            add(list, getdport(pair[1]));
            close(pair[0]);
            close(pair[1]);
        }
    int lone = socket(AF_LOCAL, SOCK_STREAM, 0);
    if (lone >= 0) {
        add(list, getdport(lone));
        close(lone);
    }
    if (pipe(pair) == 0) {
        add(list, getdport(pair[0]));
        add(list, getdport(pair[1]));
        close(pair[0]);
        close(pair[1]);
    }
}

static void add_files(struct list *list, const char *folder)
{
    folder_prepare(folder);
    add_file(list, folder, O_READ);
    add_in(list, folder, "dir", O_READ);
    add_in(list, folder, "file", O_RDWR);
    add_in(list, folder, "file", O_READ | O_EXEC);
    add_in(list, folder, "new", O_RDWR | O_CREAT);
    add_in(list, folder, "program", O_EXEC);
    add_in(list, folder, "link", O_NOLINK);
    add_in(list, folder, "fifo", O_RDWR | O_NONBLOCK);
    add_in(list, folder, "fifo", O_NOTRANS);
    add_file(list, folder, O_NOTRANS);
    static const char *const common[] = {"/dev/null",      "/dev/zero",        "/dev/full",   "/dev/random",
                                         "/dev/urandom",   "/dev/fd",          "/dev/tty",    _SERVERS_EXEC,
                                         _SERVERS_STARTUP, "/servers/bus/pci", "/etc/passwd", "/dev/disk"};
    for (unsigned int i = 0; i < sizeof common / sizeof common[0]; i++) {
        add_file(list, common[i], 0);
        add_file(list, common[i], i < 5 ? O_RDWR : O_READ);
    }
    if (geteuid() != 0) {
        add_file(list, "/", O_READ);
        add_file(list, "/bin/sh", O_READ | O_EXEC);
    }
    add_sockets(list);
}

static void add_control(struct list *list, const char *name)
{
    mach_port_t control, file = file_name_lookup(name, 0, 0);
    if (!MACH_PORT_VALID(file))
        return;
    if (file_getcontrol(file, &control) == 0)
        add(list, control);
    mach_port_deallocate(mach_task_self(), file);
}

/* A translator of the user's own, on a new node: earlier messages may have ended it, or changed its node. */
static void add_own_translator(struct list *list, const char *folder)
{
    char path[256];
    unsigned int before = list->count;
    snprintf(path, sizeof path, "%s/null", folder);
    add_control(list, path);
    if (list->count > before)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        unlink(path);
        execl("/bin/settrans", "settrans", "-a", "-c", path, "/hurd/null", NULL);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
    add_control(list, path);
}

/* Control ports: root's of all file systems; a user only has those of translators that he started. */
static void add_controls(struct list *list, const char *folder)
{
    static const char *const names[] = {"/",        "/dev/null",         "/dev/zero",        "/dev/random", "/dev/fd",
                                        "/dev/tty", "/servers/socket/1", "/servers/bus/pci", "/dev/disk"};
    folder_prepare(folder);
    for (unsigned int i = 0; i < sizeof names / sizeof names[0]; i++)
        add_control(list, names[i]);
    add_own_translator(list, folder);
}

/* exec, and among what messages carry a program and a script. */
static void add_exec(struct list *list, const char *folder)
{
    char path[256];
    folder_prepare(folder);
    snprintf(path, sizeof path, "%s/program", folder);
    const char *const programs[] = { "/bin/true", path };
    add_file(list, _SERVERS_EXEC, 0);
    for (unsigned int i = 0; i < FOUND; i += 4) {
        if (MACH_PORT_VALID(pool.found[i]))
            mach_port_deallocate(mach_task_self(), pool.found[i]);
        pool.found[i] = file_name_lookup(programs[i / 4 % 2], O_READ | O_EXEC, 0);
    }
}

/* The bootstrap port of a program that has not begun yet: TASK, suspended, executes one.  It needs a root directory,
   for the dynamic linker. */
static mach_port_t startup_obtain(task_t task)
{
    mach_port_t ports[INIT_PORT_MAX] = { 0 }, startup = MACH_PORT_NULL, file = file_name_lookup("/bin/true", O_EXEC, 0);
    if (!MACH_PORT_VALID(file))
        return MACH_PORT_NULL;
    ports[INIT_PORT_CRDIR] = getcrdir();
    ports[INIT_PORT_CWDIR] = getcwdir();
    ports[INIT_PORT_AUTH] = getauth();
    proc_task2proc(getproc(), task, &ports[INIT_PORT_PROC]);
    error_t err = file_exec_paths(file, task, 0, "/bin/true", "/bin/true", "true", 5, "", 0, NULL,
                                  MACH_MSG_TYPE_COPY_SEND, 0, ports, MACH_MSG_TYPE_COPY_SEND, INIT_PORT_MAX, NULL, 0,
                                  NULL, 0, NULL, 0);
    if (!err)
        task_get_bootstrap_port(task, &startup);
    for (unsigned int i = 0; i < INIT_PORT_MAX; i++)
        if (MACH_PORT_VALID(ports[i]))
            mach_port_deallocate(mach_task_self(), ports[i]);
    mach_port_deallocate(mach_task_self(), file);
    return startup;
}

static void add_startups(struct list *list)
{
    for (unsigned int i = 0; i < TASKS; i++) {
        task_t task;
        if (task_create(mach_task_self(), 0, &task) != 0)
            return;
        task_suspend(task);
        proc_child(getproc(), task);
        add(list, startup_obtain(task));
        task_terminate(pool.tasks[i]); /* the new one stays suspended; ended with the others */
        right_unhoard(pool.tasks[i]);
        pool.tasks[i] = task;
        right_hoard(task);
    }
}

static void add_processes(struct list *list)
{
    for (unsigned int i = 0; i < TASKS; i++) {
        process_t process;
        if (MACH_PORT_VALID(pool.tasks[i]) && proc_task2proc(getproc(), pool.tasks[i], &process) == 0)
            add(list, process);
    }
}

static void add_auths(struct list *list)
{
    uid_t uids[2] = { geteuid(), geteuid() }, gids[2] = { getegid(), getegid() };
    for (unsigned int i = 0; i < 4; i++) {
        auth_t handle;
        if (auth_makeauth(getauth(), NULL, MACH_MSG_TYPE_COPY_SEND, 0, uids, i % 2, uids, 2, gids, i % 2, gids, 2,
                          &handle) == 0)
            add(list, handle);
    }
}

/* Those of the servers of the boot; the others belong to the C library. */
static void add_message_ports(struct list *list)
{
    for (pid_t pid = 2; pid < 10; pid++) {
        mach_port_t port;
        if (proc_getmsgport(getproc(), pid, &port) == 0)
            add(list, port);
    }
}

static void add_terminals(struct list *list)
{
    add_file(list, "/dev/ptyp0", O_RDWR);
    add_file(list, "/dev/ttyp0", O_RDWR);
    add_file(list, "/dev/ttyp0", 0);
}

/* No kernel's port is among them: GNU Mach panics when a memory_object_lock_completed comes to one of its own. */
unsigned int victims_find(const char *interface, const char *folder, mach_port_t ports[VICTIMS_MAX])
{
    struct list list = { ports, 0 };
    if (!strncmp(interface, "fsys", 4))
        add_controls(&list, folder);
    else if (!strcmp(interface, "exec"))
        add_exec(&list, folder);
    else if (!strcmp(interface, "exec_startup"))
        add_startups(&list);
    else if (!strncmp(interface, "process", 7))
        add_processes(&list);
    else if (!strncmp(interface, "auth", 4))
        add_auths(&list);
    else if (!strcmp(interface, "pci"))
        add_file(&list, "/servers/bus/pci", geteuid() == 0 ? O_READ : 0);
    else if (!strncmp(interface, "startup", 7))
        add_file(&list, _SERVERS_STARTUP, 0);
    else if (!strcmp(interface, "socket"))
        add_sockets(&list);
    else if (!strcmp(interface, "device"))
        add_file(&list, "/dev/disk", 0), add_file(&list, "/dev/disk", O_READ);
    else if (!strcmp(interface, "msg"))
        add_message_ports(&list);
    else if (!strcmp(interface, "term") || !strcmp(interface, "tioctl"))
        add_terminals(&list);
    else
        add_files(&list, folder);
    /* What every server has been handed before is also sent to it: notifications, replies, interruptions,
       exceptions. */
    if (!strcmp(interface, "interrupt") || !strcmp(interface, "notify") || !strcmp(interface, "exc") ||
        !strcmp(interface, "task_notify")) {
        add_processes(&list);
        add_auths(&list);
    }
    return list.count;
}

void victims_release(mach_port_t *ports, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        right_unhoard(ports[i]);
}

bool routine_excluded(const char *name)
{
    static const char *const roots[] = {
        "startup_reboot",                       /* ends the machine */
        "startup_request_notification",         /* root's stay as long as their ports: no quota (users: lists.h) */
        "fsys_set_options", "fsys_init",        /* makes the root file system read-only, or begins its life anew */
        "device_write", "device_write_inband",  /* spoils the disk */
        "io_revoke",                            /* takes the terminal away from the tester and the shell */
    };
    for (unsigned int i = 0; i < sizeof roots / sizeof roots[0]; i++)
        if (geteuid() == 0 && !strcmp(name, roots[i]))
            return true;
    return !strcmp(name, "fsys_goaway"); /* ends the translator that is attacked */
}
