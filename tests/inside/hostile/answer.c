/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer: whether the servers are what they were. */

#include "hostile.h"

#include <fcntl.h>
#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <hurd/paths.h>
#include <hurd/process.h>
#include <mach/mach_port.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- asking ------------------------------------------------------------------------- */

static bool ask_files(const char *folder)
{
    char path[256], text[16] = "";
    snprintf(path, sizeof path, "%s.answer", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    bool good = fd >= 0 && write(fd, "quadrille", 9) == 9 && lseek(fd, 0, SEEK_SET) == 0 &&
                read(fd, text, sizeof text) == 9 && !strcmp(text, "quadrille");
    if (good) {
        char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        good = map != MAP_FAILED && !memcmp(map, "quadrille", 9);
        if (map != MAP_FAILED)
            munmap(map, 4096);
    }
    if (fd >= 0)
        close(fd);
    return good && unlink(path) == 0;
}

static bool ask_exec(const char *folder)
{
    (void) folder;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/true", "true", NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool ask_auth(const char *folder)
{
    (void) folder;
    uid_t uid = geteuid();
    auth_t handle;
    error_t err = auth_makeauth(getauth(), NULL, MACH_MSG_TYPE_COPY_SEND, 0, &uid, 1, &uid, 1, NULL, 0, NULL, 0,
                                &handle);
    if (!err)
        mach_port_deallocate(mach_task_self(), handle);
    return !err;
}

static bool ask_proc(const char *folder)
{
    (void) folder;
    pid_t pid, parent;
    int orphaned;
    return proc_getpids(getproc(), &pid, &parent, &orphaned) == 0 && pid == getpid();
}

static bool ask_socket(const char *folder)
{
    (void) folder;
    int pair[2];
    char byte = 0;
    if (socketpair(AF_LOCAL, SOCK_STREAM, 0, pair) != 0)
        return false;
    bool good = write(pair[0], "q", 1) == 1 && read(pair[1], &byte, 1) == 1 && byte == 'q';
    close(pair[0]);
    close(pair[1]);
    return good;
}

static bool ask_nodes(const char *folder)
{
    static const char *const names[] =
        {"/",           "/etc/passwd",    "/dev/null",         "/dev/zero",    "/dev/full",
         "/dev/random", "/dev/urandom",   "/dev/fd",           "/dev/console", "/servers/bus/pci",
         _SERVERS_EXEC, _SERVERS_STARTUP, "/servers/socket/1", "/dev/disk"};
    struct stat st;
    bool good = true;
    (void) folder;
    for (unsigned int i = 0; i < sizeof names / sizeof names[0]; i++)
        if (stat(names[i], &st) != 0) {
            printf("FAILED: stat %s: %s\n", names[i], strerror(errno));
            good = false;
        }
    return good;
}

static bool ask_random(const char *folder)
{
    (void) folder;
    char bytes[16], zero[16] = { 0 };
    int fd = open("/dev/urandom", O_RDONLY);
    bool good = fd >= 0 && read(fd, bytes, 16) == 16 && memcmp(bytes, zero, 16) != 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* What was opened for reading cannot be mapped for writing, nor can its object be spoken to as its pager's kernel
   would. */
static bool ask_map(const char *folder)
{
    (void) folder;
    mach_port_t reading = MACH_PORT_NULL, writing = MACH_PORT_NULL, file = file_name_lookup("/bin/sh", O_READ, 0);
    vm_address_t address = 0;
    error_t err = io_map(file, &reading, &writing);
    mach_port_deallocate(mach_task_self(), file);
    if (err || writing != MACH_PORT_NULL)
        return false;
    vm_prot_t both = VM_PROT_READ | VM_PROT_WRITE;
    err = vm_map(mach_task_self(), &address, vm_page_size, 0, TRUE, reading, 0, FALSE, both, both, VM_INHERIT_NONE);
    bool good = err != 0;
    if (!err) { /* the kernel may have taken the protection back */
        good = vm_protect(mach_task_self(), address, vm_page_size, FALSE, both) != 0;
        vm_deallocate(mach_task_self(), address, vm_page_size);
    }
    mach_port_deallocate(mach_task_self(), reading);
    return good;
}

unsigned int servers_ask(const char *folder)
{
    static const struct { const char *name; bool (*ask)(const char *);
    } calls[] = {
        {"files", ask_files},    {"exec", ask_exec},   {"auth", ask_auth},     {"proc", ask_proc},
        {"sockets", ask_socket}, {"nodes", ask_nodes}, {"random", ask_random}, {"maps", ask_map},
    };
    unsigned int failed = 0;
    for (unsigned int i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (!calls[i].ask(folder)) {
            printf("FAILED: %s do not answer any more: %s\n", calls[i].name, strerror(errno));
            failed++;
        }
    return failed;
}

/* ---- counting ----------------------------------------------------------------------- */

enum { FIRST_USER = 12 }; /* below are the processes of the boot */
struct census { unsigned int names, threads, regions; unsigned long mapped, resident; };

static error_t regions_count(task_t task, struct census *census)
{
    for (vm_address_t address = 0;;) {
        vm_prot_t protection, maximum;
        vm_inherit_t inheritance;
        boolean_t shared;
        mach_port_t object = MACH_PORT_NULL;
        vm_offset_t offset;
        vm_size_t size;
        kern_return_t err = vm_region(task, &address, &size, &protection, &maximum, &inheritance, &shared, &object,
                                      &offset);
        if (err)
            return err == KERN_NO_SPACE ? 0 : err;
        if (MACH_PORT_VALID(object))
            mach_port_deallocate(mach_task_self(), object);
        census->regions++;
        census->mapped += size / 1024;
        address += size;
    }
}

static error_t task_count(task_t task, struct census *census)
{
    mach_port_name_array_t names;
    mach_port_type_array_t types;
    thread_array_t threads;
    mach_msg_type_number_t count, type_count;
    task_basic_info_data_t info;
    error_t err = mach_port_names(task, &names, &count, &types, &type_count);
    if (err)
        return err;
    census->names = count;
    vm_deallocate(mach_task_self(), (vm_address_t) names, count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t) types, type_count * sizeof *types);
    err = task_threads(task, &threads, &count);
    if (err)
        return err;
    census->threads = count;
    for (unsigned int i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), threads[i]);
    vm_deallocate(mach_task_self(), (vm_address_t) threads, count * sizeof *threads);
    count = TASK_BASIC_INFO_COUNT;
    if (task_info(task, TASK_BASIC_INFO, (task_info_t) &info, &count) == 0)
        census->resident = info.resident_size / 1024;
    return regions_count(task, census);
}

static void process_count(pid_t pid)
{
    char room[256], *words = room;
    mach_msg_type_number_t length = sizeof room - 1;
    struct census census = { 0 };
    task_t task;
    if (pid == getpid() || proc_pid2task(getproc(), pid, &task) != 0 || !MACH_PORT_VALID(task))
        return;
    if (proc_getprocargs(getproc(), pid, &words, &length) != 0)
        words = room, length = 0;
    const char *name = length ? words : "?";
    if (task_count(task, &census) == 0 && task != mach_task_self())
        printf("census %d %.*s names %u threads %u regions %u mapped %lu resident %lu\n", pid, (int)length, name,
               census.names, census.threads, census.regions, census.mapped, census.resident);
    if (words != room)
        vm_deallocate(mach_task_self(), (vm_address_t) words, length);
    mach_port_deallocate(mach_task_self(), task);
}

/* A process of a user's, or one that is nobody's: a program that a hostile client had executed, and that may wait for
   ever, or was made to stop before its first instruction (EXEC_SIGTRAP).  proc takes a task without a parent that exec
   made for one of root's. */
static bool process_is_left(pid_t pid)
{
    struct procinfo *info = NULL;
    mach_msg_type_number_t length = 0, waits_length = 0;
    char *waits = NULL;
    int flags = 0;
    if (proc_getprocinfo(getproc(), pid, &flags, (procinfo_t *) &info, &length, &waits, &waits_length) != 0)
        return false;
    bool left = length * sizeof(int) >= sizeof *info
                && (info->owner != 0 || (info->state & (PI_NOPARENT | PI_NOMSG)) == (PI_NOPARENT | PI_NOMSG));
    vm_deallocate(mach_task_self(), (vm_address_t) info, length * sizeof(int));
    if (waits_length)
        vm_deallocate(mach_task_self(), (vm_address_t) waits, waits_length);
    return left;
}

error_t left_end(void)
{
    pid_t room[256], *pids = room;
    mach_msg_type_number_t count = 256, ended = 0;
    error_t err = proc_getallpids(getproc(), &pids, &count);
    if (err)
        return err;
    for (unsigned int i = 0; i < count; i++) {
        task_t task;
        if (pids[i] < FIRST_USER || !process_is_left(pids[i]) || proc_pid2task(getproc(), pids[i], &task) != 0 ||
            !MACH_PORT_VALID(task))
            continue;
        ended += task_terminate(task) == 0;
        mach_port_deallocate(mach_task_self(), task);
    }
    printf("%u processes left behind were ended\n", ended);
    return 0;
}

error_t census_print(void)
{
    pid_t room[256], *pids = room;
    mach_msg_type_number_t count = 256;
    error_t err = proc_getallpids(getproc(), &pids, &count);
    if (err)
        return err;
    for (unsigned int i = 0; i < count; i++)
        process_count(pids[i]);
    struct vm_statistics vm;
    if (vm_statistics(mach_task_self(), &vm) == 0)
        printf("census of %u processes, KiB free %lu active %lu inactive %lu wired %lu\n", count,
               vm.free_count * (vm_page_size / 1024), vm.active_count * (vm_page_size / 1024),
               vm.inactive_count * (vm_page_size / 1024), vm.wire_count * (vm_page_size / 1024));
    return 0;
}
