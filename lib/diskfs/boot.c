/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bootstrap file system's part of the dance, up to startup: seed, "libdiskfs bootstrap" and "libdiskfs taking back
   control".

   boot_lock protects diskfs_exec_control and exec_task_dead; it is a leaf. */

#include "diskfs-internal.h"
#include "exec_startup_S.h"
#include "fsys_S.h"

#include <argz.h>
#include <dance/dance.h>
#include <hurd.h>
#include <hurd/exec.h>
#include <hurd/fs.h>
#include <hurd/fsys.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EXEC_WAIT 30    /* seconds until we say that we are still waiting for exec */

mach_port_t diskfs_exec_control;        /* the seed's diskfs_exec_ctl; boot_lock */

static pthread_mutex_t boot_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t execstarted = PTHREAD_COND_INITIALIZER;
static bool exec_task_dead;             /* boot_lock */

static mach_port_t root_port;           /* a port to our root: everybody's root and current directory */
static mach_port_t console_port;        /* everybody's descriptors; null without a console */
static struct ports_object *execboot;   /* the bootstrap port of exec */

/* ---- the execboot port: what exec asks while it starts -------------------------------------- */

static mig_routine_t execboot_server_routine(const mach_msg_header_t *header)
{
    return header->msgh_id == 22000 ? fsys_server_routine(header) : NULL;
}

static void execboot_dead_name(struct ports_object *object, mach_port_t name)
{
    (void) object, (void) name;
    pthread_mutex_lock(&boot_lock);
    exec_task_dead = true;
    pthread_cond_broadcast(&execstarted);
    pthread_mutex_unlock(&boot_lock);
}

static const ports_interface_t execboot_interfaces[] = { exec_startup_server_routine, execboot_server_routine, NULL };
static const struct ports_class_ops execboot_class_ops = {
    .name = "execboot",
    .size = sizeof(struct ports_object),
    .interfaces = execboot_interfaces,
    .dead_name = execboot_dead_name,
};
static struct ports_class diskfs_execboot_class = PORTS_CLASS(execboot_class_ops);

/* COUNT ports in the answer's own room at *ARRAY. */
static void answer_ports(portarray_t *array, mach_msg_type_number_t *count, mach_msg_type_name_t *type,
                         const mach_port_t *ports, mach_msg_type_number_t n)
{
    memcpy(*array, ports, n * sizeof *ports);
    *count = n;
    *type = MACH_MSG_TYPE_COPY_SEND;
}

/* A name of ours of a send right to the execboot port, which lives as long as we do. */
static mach_port_t execboot_right(void)
{
    static _Atomic(mach_port_t) right;
    mach_port_t have = atomic_load(&right), none = MACH_PORT_NULL;
    if (have != MACH_PORT_NULL)
        return have;
    have = ports_object_send_right(execboot);
    if (!atomic_compare_exchange_strong(&right, &none, have)) {
        mach_port_deallocate(mach_task_self(), have);
        have = none;
    }
    return have;
}

/* Asked by the C library's start-up code in exec, or by ld.so which is to load exec: its arguments are on its stack,
   but it must be able to open its libraries, to write, and to find its bootstrap port again (this one). */
kern_return_t diskfs_S_exec_startup_get_info(
    exec_startup_t bootstrap, vm_address_t *user_entry, vm_address_t *phdr_data, vm_size_t *phdr_size,
    vm_address_t *stack_base, vm_size_t *stack_size, int *flags, data_t *argv, mach_msg_type_number_t *argvCnt,
    data_t *envp, mach_msg_type_number_t *envpCnt, portarray_t *dtable, mach_msg_type_name_t *dtablePoly,
    mach_msg_type_number_t *dtableCnt, portarray_t *portarray, mach_msg_type_name_t *portarrayPoly,
    mach_msg_type_number_t *portarrayCnt, intarray_t *intarray, mach_msg_type_number_t *intarrayCnt)
{
    (void) bootstrap, (void) argv, (void) envp;
    mach_port_t console[3] = { console_port, console_port, console_port };
    mach_port_t ports[INIT_PORT_MAX] = { [INIT_PORT_CRDIR] = root_port, [INIT_PORT_CWDIR] = root_port };
    const int ints[INIT_INT_MAX] = { [INIT_UMASK] = 022 };

    ports[INIT_PORT_BOOTSTRAP] = execboot_right();
    *user_entry = *phdr_data = *stack_base = 0;
    *phdr_size = *stack_size = 0;
    *flags = EXEC_STACK_ARGS;
    *argvCnt = *envpCnt = 0;
    answer_ports(dtable, dtableCnt, dtablePoly, console, console_port != MACH_PORT_NULL ? 3 : 0);
    answer_ports(portarray, portarrayCnt, portarrayPoly, ports, INIT_PORT_MAX);
    memcpy(*intarray, ints, sizeof ints);
    *intarrayCnt = INIT_INT_MAX;
    return 0;
}

/* Opens PATH from our root as everybody would, following what links and translators say. Where: the seed's
   dir_lookup. */
static error_t boot_lookup(const char *path, int flags, mach_port_t *result)
{
    retry_type retry = FS_RETRY_MAGICAL;
    string_t name;
    mach_port_t dir = MACH_PORT_NULL;

    snprintf(name, sizeof name, "/%s", path);
    for (int i = 0; i < SYMLINKS_MAX; i++) {
        string_t next;
        mach_port_t start = root_port;
        const char *rest = name;
        if (retry == FS_RETRY_MAGICAL) {
            if (name[0] != '/')
                return ENOENT;
            while (*rest == '/')
                rest++;
        } else if (retry == FS_RETRY_NORMAL) {
            if (name[0] == '\0') {
                *result = dir;
                return 0;
            }
            start = dir;
        } else {
            return EACCES;      /* nobody to authenticate with yet */
        }
        error_t err = dir_lookup(start, (char *) rest, flags, 0, &retry, next, result);
        if (MACH_PORT_VALID(dir))
            mach_port_deallocate(mach_task_self(), dir);
        if (err)
            return err;
        dir = *result;
        memcpy(name, next, sizeof name);
    }
    if (MACH_PORT_VALID(dir))
        mach_port_deallocate(mach_task_self(), dir);
    return ELOOP;
}

/* Seed: "diskfs_execboot_fsys_startup is thus called. It calls dir_lookup on /servers/exec to return the underlying
   node for the exec translator, and stores the exec control port in diskfs_exec_ctl. It can then signal
   execstarted." */
kern_return_t diskfs_S_fsys_startup(mach_port_t bootstrap, mach_port_t reply_port, mach_msg_type_name_t reply_portPoly,
                                    int openflags, mach_port_t control_port, mach_port_t *realnode,
                                    mach_msg_type_name_t *realnodePoly)
{
    (void) bootstrap, (void) reply_port, (void) reply_portPoly;
    if (!MACH_PORT_VALID(control_port))
        return EINVAL;
    error_t err = boot_lookup(_SERVERS_EXEC, openflags | O_NOTRANS, realnode);
    if (err) {
        /* exec can serve without its node; everybody else will miss it. */
        diskfs_warn("%s: %s: exec will not be found there", _SERVERS_EXEC, strerror(err));
        *realnode = MACH_PORT_NULL;
    }
    *realnodePoly = MACH_MSG_TYPE_MOVE_SEND;
    dance_step(10, "fsys_startup from exec: %s looked up, control port stored, execstarted signalled", _SERVERS_EXEC);
    pthread_mutex_lock(&boot_lock);
    bool again = diskfs_exec_control != MACH_PORT_NULL;
    if (!again)
        diskfs_exec_control = control_port;
    pthread_cond_broadcast(&execstarted);
    pthread_mutex_unlock(&boot_lock);
    if (again && MACH_PORT_VALID(*realnode))
        mach_port_deallocate(mach_task_self(), *realnode);
    return again ? EBUSY : 0;
}

/* ---- the steps of diskfs_start_bootstrap --------------------------------------------------------- */

/* A word of the line that grows on the console as the servers come up; told steps take its place. */
static void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void progress(const char *format, ...)
{
    va_list args;
    if (dance_told())
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    fflush(stdout);
}

/* "diskfs_start_bootstrap starts by creating a open port on itself for the current and root directory, all other
   processes will inherit it." */
static void make_root_port(void)
{
    struct fshelp_user *root = fshelp_user_create_root();
    error_t err = root == NULL ? ENOMEM : 0;
    diskfs_node_ref(diskfs_root);
    if (!err)
        err = diskfs_open_right(diskfs_root, O_READ | O_EXEC, diskfs_origin_boot, root, &root_port);
    if (err)
        diskfs_die("cannot open the root directory: %s", strerror(err));
    fshelp_user_deref(root);
    if (diskfs_console != MACH_PORT_NULL && diskfs_console_right(diskfs_console, &console_port))
        console_port = MACH_PORT_NULL;
    dance_step(7, "open port on ourselves for root and current directory");
}

/* "It calls start_execserver that sets the bootstrap port of the exec task to a port of the diskfs_execboot_class, and
   resumes the exec task." */
static void start_execserver(void)
{
    mach_port_t task = diskfs_arguments.exec_server_task;
    if (task == MACH_PORT_NULL)
        diskfs_die("no exec server: --exec-server-task is missing on the command line");
    error_t err = ports_object_create(&diskfs_execboot_class, diskfs_bucket, &execboot);
    mach_port_t right = err ? MACH_PORT_NULL : execboot_right();
    if (!err && right == MACH_PORT_NULL)
        err = ENOMEM;
    if (!err)
        err = ports_object_notify_dead(execboot, task);
    if (!err)
        err = task_set_special_port(task, TASK_BOOTSTRAP_PORT, right);
    dance_step(8, "start_execserver: bootstrap port of exec set, exec resumed");
    if (!err)
        err = task_resume(task);
    if (err)
        diskfs_die("cannot start the exec server (task port %u): %s", task, strerror(err));
}

/* "diskfs_start_bootstrap then waits for execstarted." */
static void wait_for_execstarted(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += EXEC_WAIT;
    dance_step(9, "waiting for execstarted");
    pthread_mutex_lock(&boot_lock);
    while (diskfs_exec_control == MACH_PORT_NULL && !exec_task_dead) {
        if (pthread_cond_timedwait(&execstarted, &boot_lock, &until) != ETIMEDOUT)
            continue;
        diskfs_warn("still waiting for the exec server to call fsys_startup");
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += EXEC_WAIT;
    }
    bool started = diskfs_exec_control != MACH_PORT_NULL;
    pthread_mutex_unlock(&boot_lock);
    if (!started)
        diskfs_die("the exec server died before it called fsys_startup");
    ports_object_cancel_dead(execboot, diskfs_arguments.exec_server_task);
}

/* "It calls fsys_getroot on the control port of exec, and uses dir_lookup and file_set_translator to attach it to
   /servers/exec." */
static void attach_exec(void)
{
    static uid_t root_ids[1] = { 0 };
    retry_type retry;
    string_t retry_name;
    mach_port_t node;

    error_t err = fsys_getroot(diskfs_exec_control, mig_get_reply_port(), root_port, MACH_MSG_TYPE_COPY_SEND, root_ids,
                               1, root_ids, 1, 0, &retry, retry_name, &diskfs_exec_server);
    if (err)
        diskfs_die("fsys_getroot of the exec server: %s", strerror(err));
    err = boot_lookup(_SERVERS_EXEC, O_NOTRANS, &node);
    if (!err) {
        err = file_set_translator(node, 0, FS_TRANS_SET, 0, NULL, 0, diskfs_exec_control, MACH_MSG_TYPE_COPY_SEND);
        mach_port_deallocate(mach_task_self(), node);
    }
    if (err)
        diskfs_warn("cannot attach the exec server to %s: %s", _SERVERS_EXEC, strerror(err));
    else
        dance_step(11, "exec's root got by fsys_getroot, attached to %s", _SERVERS_EXEC);
}

/* "diskfs_start_bootstrap then looks for which startup process to run. It may be specified on the multiboot command
   line, but otherwise it will default to /hurd/startup." ARGZ: its words, the kernel's behind it. */
static error_t startup_words(const char *command_line, char **argz, size_t *length, const char **program)
{
    char *words;
    size_t words_length;
    error_t err = argz_create_sep(command_line, ' ', &words, &words_length);
    const char *name = _HURD_STARTUP;
    *argz = NULL;
    *length = 0;
    for (char *word = NULL; !err && (word = argz_next(words, words_length, word)) != NULL;) {
        if (strncmp(word, "init=", 5) == 0 && word[5] == '/')
            name = word + 5;
        else if (strncmp(word, "startup=", 8) == 0 && word[8] == '/')
            name = word + 8;
    }
    if (!err)
        err = argz_add(argz, length, name);
    for (char *word = NULL; !err && (word = argz_next(words, words_length, word)) != NULL;)
        err = argz_add(argz, length, word);
    free(words);
    *program = *argz;
    return err;
}

/* "It is passed as bootstrap port a port from the diskfs_control_class." */
static mach_port_t make_startup_control(void)
{
    struct diskfs_control *control;
    if (ports_object_create(&diskfs_control_class, diskfs_bucket, &control))
        return MACH_PORT_NULL;
    mach_port_t right = ports_object_send_right(control);
    ports_object_deref(control);
    return right;
}

/* "Now that exec is up and running, the startup process can be created with exec_exec. [...] it notably inherits the
   root directory and current working directory initialized above, it gets stdin/out/err on the mach console." */
static void run_startup(void)
{
    char *argz;
    size_t length;
    const char *program;
    mach_port_t file, task = MACH_PORT_NULL;
    error_t err = startup_words(diskfs_arguments.multiboot_command_line, &argz, &length, &program);
    if (err)
        diskfs_die("multiboot command line: %s", strerror(err));
    dance_step(12, "startup program: %s", program);
    err = boot_lookup(program, O_READ | O_EXEC, &file);
    if (err)
        diskfs_die("%s: %s: cannot start the system", program, strerror(err));
    err = task_create(mach_task_self(), 0, &task);
    if (err)
        diskfs_die("cannot make a task for %s: %s", program, strerror(err));

    progress(" startup");
    mach_port_t control = make_startup_control();
    mach_port_t ports[INIT_PORT_MAX] = {
        [INIT_PORT_CRDIR] = root_port, [INIT_PORT_CWDIR] = root_port, [INIT_PORT_BOOTSTRAP] = control,
    };
    mach_port_t fds[3] = { console_port, console_port, console_port };
    const int ints[INIT_INT_MAX] = { [INIT_UMASK] = 022 };
    dance_step(13, "exec_exec of %s, with a port of the control class as its bootstrap port", program);
    err = exec_exec(diskfs_exec_server, file, MACH_MSG_TYPE_COPY_SEND, task, 0, argz, (mach_msg_type_number_t) length,
                    NULL, 0, fds, MACH_MSG_TYPE_COPY_SEND, console_port != MACH_PORT_NULL ? 3 : 0, ports,
                    MACH_MSG_TYPE_COPY_SEND, INIT_PORT_MAX, ints, INIT_INT_MAX, NULL, 0, NULL, 0);
    if (err)
        diskfs_die("%s: exec: %s", program, strerror(err));
    mach_port_deallocate(mach_task_self(), file);
    mach_port_deallocate(mach_task_self(), task);
    if (MACH_PORT_VALID(control))
        mach_port_deallocate(mach_task_self(), control);
    free(argz);
}

void diskfs_start_bootstrap(void)
{
    progress("Hurd server bootstrap: %s[%s]", diskfs_ops->name, diskfs_arguments.stores[0]);
    make_root_port();           /* 7. what everybody inherits */
    start_execserver();         /* 8. exec's bootstrap port; let it run */
    wait_for_execstarted();     /* 9. and 10. until it has called fsys_startup */
    progress(" exec");
    attach_exec();              /* 11. /servers/exec */
    run_startup();              /* 12. and 13. which calls fsys_getpriv, and fsys_init (boot-init.c) */
}

mach_port_t diskfs_boot_root(void)
{
    return root_port;
}
