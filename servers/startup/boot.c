/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.c: startup's steps with proc, auth and the file system: running them, and telling each of the others. */

#include <argz.h>
#include <dance/dance.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/exec.h>
#include <hurd/fs.h>
#include <hurd/fsys.h>
#include <hurd/io.h>
#include <hurd/msg.h>
#include <hurd/paths.h>
#include <hurd/process.h>
#include <mach/mach_host.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "startup.h"
#include "startup_reply_U.h"

enum { UMASK = 022, STDIO = 3, PATH_LENGTH = 64 /* more than our servers need */ };

/* The Mach console, as ext2fs gave it to us. */
static void stdio_ports(mach_port_t ports[STDIO])
{
    for (int fd = 0; fd < STDIO; fd++)
        ports[fd] = getdport(fd);
}

static void ports_drop(mach_port_t *ports, int count)
{
    for (int i = 0; i < count; i++)
        if (MACH_PORT_VALID(ports[i]))
            mach_port_deallocate(mach_task_self(), ports[i]);
}

/* The servers that have been run, to be able to name the dead; written before main waits for any. */
static struct {
    mach_port_t task;
    const char *path;
} servers[2];
static unsigned server_count;

void startup_dead_server(mach_port_t name)
{
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].task == name)
            crash(servers[i].path, 0);
}

error_t server_run(const char *path, mach_port_t *task)
{
    mach_port_t ports[INIT_PORT_MAX] = {0}, stdio[STDIO];
    static const int ints[INIT_INT_MAX] = {[INIT_UMASK] = UMASK};
    mach_port_t file = file_name_lookup(path, O_EXEC, 0);
    if (file == MACH_PORT_NULL)
        return errno;
    error_t err = task_create(mach_task_self(), 0, task);
    if (err)
        goto no_task;
    stdio_ports(stdio);
    ports[INIT_PORT_CRDIR] = getcrdir();
    ports[INIT_PORT_CWDIR] = getcwdir();
    ports[INIT_PORT_BOOTSTRAP] = ports_object_send_right(startup_object);
    /* Who tells the steps asks its servers to do so too. */
    char words[PATH_LENGTH + sizeof DANCE_OPTION];
    size_t length = stpcpy(words, path) - words + 1;
    if (dance_told())
        length = stpcpy(words + length, DANCE_OPTION) - words + 1;
    dance_step(6, "running %s with the startup port as bootstrap port", path);
    err = file_exec_paths(file, *task, 0, path, path, words, length, NULL, 0, stdio, MACH_MSG_TYPE_COPY_SEND,
                          STDIO, ports, MACH_MSG_TYPE_COPY_SEND, INIT_PORT_MAX, ints, INIT_INT_MAX, NULL, 0, NULL, 0);
    ports_drop(ports, INIT_PORT_MAX);
    ports_drop(stdio, STDIO);
    if (!err)
        err = ports_object_notify_dead(startup_object, *task);
    if (err) {
        task_terminate(*task);
        mach_port_deallocate(mach_task_self(), *task);
    } else {
        if (!dance_told())
            say(" %s", strrchr(path, '/') + 1);
        servers[server_count].path = path;
        servers[server_count++].task = *task;
    }
no_task:
    mach_port_deallocate(mach_task_self(), file);
    return err;
}

/* TASK is our child, important, and PATH (if not NULL) is its program. Its process port in *RESULT if that is
   wanted. */
static void relate(mach_port_t proc, mach_port_t task, const char *path, mach_port_t *result)
{
    mach_port_t child;
    error_t err = proc_child(proc, task);
    if (err && err != EBUSY)
        complain(err, "proc_child of %s", path ? path : "a boot module");
    err = proc_task2proc(proc, task, &child);
    if (err)
        give_up(err, "proc_task2proc of %s", path ? path : "a boot module");
    proc_mark_important(child);
    proc_mark_exec(child);
    if (path)
        proc_set_exe(child, path);
    if (result)
        *result = child;
    else
        mach_port_deallocate(mach_task_self(), child);
}

/* The tasks that exist by now are those of the boot: pci-arbiter, rumpdisk, ext2fs, exec. */
static void relate_modules(mach_port_t proc)
{
    pid_t some[32], *pids = some;
    mach_msg_type_number_t count = sizeof some / sizeof *some;
    mach_port_t task;
    error_t err = proc_getallpids(proc, &pids, &count);
    if (err)
        give_up(err, "proc_getallpids");
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        if (pids[i] <= HURD_PID_PROC || proc_pid2task(proc, pids[i], &task) || !MACH_PORT_VALID(task))
            continue;
        relate(proc, task, NULL, NULL);
        mach_port_deallocate(mach_task_self(), task);
    }
    if (pids != some)
        vm_deallocate(mach_task_self(), (vm_address_t)pids, count * sizeof *pids);
}

/* A task in which something of ours can be found by name: the message port of number 2 is ours. */
static void register_self(mach_port_t proc)
{
    mach_port_t old, port = ports_object_send_right(startup_message);
    error_t err = proc_setmsgport(proc, port, &old);
    if (err)
        give_up(err, "proc_setmsgport");
    if (MACH_PORT_VALID(old))
        mach_port_deallocate(mach_task_self(), old);
    mach_port_deallocate(mach_task_self(), port);
    proc_mark_important(proc);
    proc_mark_exec(proc);
    proc_set_exe(proc, _HURD_STARTUP);
    proc_set_arg_locations(proc, (vm_address_t)startup_argv, (vm_address_t)environ);
    proc_register_version(proc, startup_host_priv, "startup", QUADRILLE_VERSION, QUADRILLE_VERSION);
}

void launch_core_servers(mach_port_t proc_task, mach_port_t auth_task)
{
    mach_port_t auth_proc, fs_proc;
    pthread_mutex_lock(&startup_lock);
    mach_port_t proc = startup_state.proc, auth = startup_state.auth;
    struct owed_reply procinit = startup_state.procinit, authinit = startup_state.authinit;
    startup_state.procinit.port = startup_state.authinit.port = MACH_PORT_NULL;
    pthread_mutex_unlock(&startup_lock);

    /* proc goes on, with auth. */
    dance_step(8, "startup_procinit_reply");
    error_t err = startup_procinit_reply(procinit.port, procinit.type, 0, mach_task_self(), auth, startup_host_priv,
                                         MACH_MSG_TYPE_COPY_SEND, startup_device_master, MACH_MSG_TYPE_COPY_SEND);
    if (err)
        give_up(err, "cannot answer proc");

    /* proc hears that these are important, and whose children they are. */
    dance_step(9, "telling proc of the bootstrap processes");
    register_self(proc);
    relate(proc, startup_fs_task, "/hurd/ext2fs", &fs_proc);
    relate(proc, proc_task, _HURD_PROC, NULL);
    relate(proc, auth_task, _HURD_AUTH, &auth_proc);
    relate_modules(proc);

    install_as_translator();

    /* auth goes on, with proc. */
    dance_step(11, "startup_authinit_reply");
    err = startup_authinit_reply(authinit.port, authinit.type, 0, auth_proc, MACH_MSG_TYPE_MOVE_SEND);
    if (err)
        give_up(err, "cannot answer auth");

    /* They are ours too. */
    mach_port_mod_refs(mach_task_self(), auth, MACH_PORT_RIGHT_SEND, 1);
    _hurd_port_set(&_hurd_ports[INIT_PORT_AUTH], auth);
    mach_port_mod_refs(mach_task_self(), proc, MACH_PORT_RIGHT_SEND, 1);
    _hurd_port_set(&_hurd_ports[INIT_PORT_PROC], proc);

    /* And ext2fs'. */
    dance_step(12, "fsys_init on the root file system's control port");
    err = fsys_init(startup_fs_control, fs_proc, MACH_MSG_TYPE_MOVE_SEND, auth);
    if (err)
        give_up(err, "fsys_init of the file system");
}

void release_core_servers(void)
{
    pthread_mutex_lock(&startup_lock);
    startup_state.running = true;
    for (struct essential *e = startup_state.essentials.first; e; e = e->next) {
        if (e->reply && startup_essential_task_reply(e->reply, e->reply_type, 0))
            mach_port_deallocate(mach_task_self(), e->reply);
        e->reply = MACH_PORT_NULL;
    }
    pthread_mutex_unlock(&startup_lock);
}

void find_essential_pids(void)
{
    struct essential *e;
    pthread_mutex_lock(&startup_lock);
    /* They are never removed, but others may be added and looked for meanwhile. */
    while (startup_state.running && (e = essential_without_pid(&startup_state.essentials))) {
        mach_port_t task = e->task, proc = startup_state.proc;
        pid_t pid;
        e->pid = -1;
        pthread_mutex_unlock(&startup_lock);
        error_t err = proc_task2pid(proc, task, &pid);
        pthread_mutex_lock(&startup_lock);
        if (!err)
            e->pid = pid;
    }
    pthread_mutex_unlock(&startup_lock);
}

/* What a program gets that was started without these: directories, and an auth handle, of nobody. */
void init_stdarrays(void)
{
    mach_port_t ports[INIT_PORT_MAX] = {0}, nobody, dir;
    static const int ints[INIT_INT_MAX] = {[INIT_UMASK] = UMASK};
    error_t err = auth_makeauth(startup_state.auth, NULL, MACH_MSG_TYPE_COPY_SEND, 0, NULL, 0, NULL, 0, NULL, 0, NULL,
                                0, &nobody);
    if (!err) {
        ports[INIT_PORT_AUTH] = nobody;
        dir = getcrdir();
        err = io_restrict_auth(dir, &ports[INIT_PORT_CRDIR], NULL, 0, NULL, 0);
        mach_port_deallocate(mach_task_self(), dir);
    }
    if (!err) {
        dir = getcwdir();
        err = io_restrict_auth(dir, &ports[INIT_PORT_CWDIR], NULL, 0, NULL, 0);
        mach_port_deallocate(mach_task_self(), dir);
    }
    if (!err)
        dance_step(15, "init_stdarrays");
    if (!err)
        err = proc_setexecdata(startup_state.proc, ports, MACH_MSG_TYPE_COPY_SEND, INIT_PORT_MAX, ints, INIT_INT_MAX);
    if (err)
        complain(err, "cannot set the standard arrays");
    ports_drop(ports, INIT_PORT_MAX);
}

/* The words that the kernel was booted with, behind its name. */
static error_t kernel_words(char **argv, char **argz, size_t *length)
{
    kernel_version_t version = "";
    host_get_kernel_version(mach_host_self(), version);
    error_t err = argz_add(argz, length, strncmp(version, "GNU Mach", 8) ? "quadrille" : "gnumach");
    for (char **word = argv + 1; !err && *word; word++)
        err = argz_add(argz, length, *word);
    return err;
}

/* Puts ARGZ at ADDRESS in TASK, behind a vector of pointers to its words. SIZE: whole pages, enough for that. */
static error_t vector_write(mach_port_t task, vm_address_t address, vm_size_t size, char *argz, size_t length)
{
    vm_address_t copy;
    error_t err = vm_allocate(mach_task_self(), &copy, size, 1);
    if (err)
        return err;
    uint64_t *vector = (uint64_t *)copy;
    size_t offset = (argz_count(argz, length) + 1) * sizeof *vector;
    memcpy((char *)copy + offset, argz, length);
    for (char *word = NULL; (word = argz_next(argz, length, word));)
        *vector++ = address + offset + (word - argz);
    err = vm_write(task, address, copy, size);
    vm_deallocate(mach_task_self(), copy, size);
    return err;
}

/* Writes the arguments into the kernel's task, where ps will look for them. */
static error_t kernel_arguments_write(mach_port_t task, mach_port_t proc, char **argv)
{
    char *argz = NULL;
    size_t length = 0;
    vm_address_t address = 0;
    error_t err = kernel_words(argv, &argz, &length);
    if (err)
        return err;
    size_t words = argz_count(argz, length);
    vm_size_t size = round_page((words + 1) * sizeof(uint64_t) + length);
    err = vm_allocate(task, &address, size, 1);
    if (!err)
        err = vector_write(task, address, size, argz, length);
    if (!err)
        err = proc_set_arg_locations(proc, address, address + words * sizeof(uint64_t));
    free(argz);
    return err;
}

/* Puts the kernel's task into the picture: essential, important, and with its command line. */
void frob_kernel_process(char **argv)
{
    mach_port_t task, proc;
    struct essential *e;
    bool known;
    error_t err = proc_pid2task(startup_state.proc, HURD_PID_KERNEL, &task);
    if (!err)
        err = proc_task2proc(startup_state.proc, task, &proc);
    if (err) {
        complain(err, "cannot find the kernel's task");
        return;
    }
    pthread_mutex_lock(&startup_lock);
    err = essential_add(&startup_state.essentials, task, "kernel", &e, &known);
    pthread_mutex_unlock(&startup_lock);
    if (!err)
        err = proc_child(startup_state.proc, task);
    proc_mark_important(proc);
    proc_mark_exec(proc);
    if (!err)
        err = kernel_arguments_write(task, proc, argv);
    if (err)
        complain(err, "cannot describe the kernel's process");
    dance_step(16, "frob_kernel_process");
    mach_port_deallocate(mach_task_self(), proc);
}
