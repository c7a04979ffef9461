/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest: what file systems and translators keep of ports that have died: nothing.  Watchers of changes who took no
   notice more, watchers of what never changes, one port in several parts. */

#include "fstest.h"

#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/process.h>
#include <mach/mig_support.h>
#include <mach/task_info.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A server's names that come and go with its threads and other clients. */
enum { SLACK = 40, TRIES = 2400, FILES = 50, WATCHERS = 100 };

pid_t process_with(const char *word)
{
    pid_t room[128], *pids = room, found = 0;
    mach_msg_type_number_t count = 128;
    CHECK(proc_getallpids(getproc(), &pids, &count) == 0);
    for (unsigned int i = 0; i < count && found == 0; i++) {
        char words[512], *at = words;
        mach_msg_type_number_t length = sizeof words;
        if (proc_getprocargs(getproc(), pids[i], &at, &length) != 0)
            continue;
        if (pids[i] != getpid() && memmem(at, length, word, strlen(word)) != NULL)
            found = pids[i];
        if (at != words)
            vm_deallocate(mach_task_self(), (vm_address_t)at, length);
    }
    if (pids != room)
        vm_deallocate(mach_task_self(), (vm_address_t)pids, count * sizeof *pids);
    return found;
}

unsigned int names_of(const char *word)
{
    mach_port_name_array_t names;
    mach_port_type_array_t types;
    mach_msg_type_number_t count = 0, types_count;
    task_t task;
    pid_t pid = process_with(word);
    if (pid == 0 || proc_pid2task(getproc(), pid, &task) != 0)
        return 0;
    CHECK(mach_port_names(task, &names, &count, &types, &types_count) == 0);
    vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t)types, types_count * sizeof *types);
    mach_port_deallocate(mach_task_self(), task);
    return count;
}

/* WORD's server has no more names than BEFORE, but for others' doings, or soon will. */
static void falls_to(const char *word, unsigned int before)
{
    unsigned int now = names_of(word);
    for (unsigned int i = 0; i < TRIES && now > before + SLACK; i++, now = names_of(word))
        usleep(50000);
    if (now > before + SLACK)
        printf("names of %s: %u, then %u\n", word, before, now);
    CHECK(before > 0 && now <= before + SLACK);
}

static mach_port_t make(void)
{
    mach_port_t port;
    CHECK(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) == 0);
    return port;
}

static void die(mach_port_t port)
{
    CHECK(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1) == 0);
}

static error_t watch(int fd, mach_port_t port)
{
    file_t file = getdport(fd);
    error_t err = file_notice_changes(file, port, MACH_MSG_TYPE_MAKE_SEND);
    mach_port_deallocate(mach_task_self(), file);
    return err;
}

/* Fills PORT's queue. */
static void fill(mach_port_t port)
{
    mach_msg_header_t head = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0), .msgh_size = sizeof head};
    mach_msg_return_t err;
    do {
        head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0);
        head.msgh_remote_port = port;
        err = mach_msg(&head, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof head, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
    } while (err == 0);
    CHECK(err == MACH_SEND_TIMED_OUT);
    mach_port_deallocate(mach_task_self(), port);   /* what came back */
}

/* Watchers of FD, a file of WORD's server: those whose queue is full when they ask, and those who let it become full,
   do not stay, and leave nothing when they die. */
static void full(int fd, const char *word)
{
    mach_port_t ports[WATCHERS];
    unsigned int before = names_of(word);
    for (unsigned int i = 0; i < WATCHERS; i++) {
        ports[i] = make();
        if (i % 2)
            fill(ports[i]);
        CHECK(watch(fd, ports[i]) == (i % 2 ? MACH_SEND_TIMED_OUT : 0));
    }
    for (unsigned int i = 0; i < 8; i++)
        CHECK(pwrite(fd, "0123456789", 10, 0) == 10);
    for (unsigned int i = 0; i < WATCHERS; i++)
        die(ports[i]);
    falls_to(word, before);
}

/* Three watchers at each of many files where nothing changes. */
static void unchanged(void)
{
    mach_port_t ports[3 * FILES];
    char name[32];
    unsigned int before = names_of("ext2fs");
    for (unsigned int i = 0; i < 3 * FILES; i++) {
        snprintf(name, sizeof name, "still-%u", i / 3);
        int fd = open(name, O_CREAT | O_RDWR, 0644);
        ports[i] = make();
        CHECK(watch(fd, ports[i]) == 0 && close(fd) == 0);
    }
    CHECK(names_of("ext2fs") >= before + 3 * FILES);
    for (unsigned int i = 0; i < 3 * FILES; i++)
        die(ports[i]);
    falls_to("ext2fs", before);
    CHECK(shell("rm still-*") == 0);
}

static error_t lock(int fd, short type, mach_port_t owner)
{
    struct flock64 all = {.l_type = type};
    file_t file = getdport(fd);
    error_t err = file_record_lock(file, F_SETLK64, &all, owner,
                                   owner != MACH_PORT_NULL ? MACH_MSG_TYPE_MAKE_SEND : MACH_MSG_TYPE_COPY_SEND);
    mach_port_deallocate(mach_task_self(), file);
    return err;
}

static bool translated(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_mode & S_IATRANS);
}

/* One port that watches two files, owns locks of a third and is a fourth's translator: each part hears of its death,
   in whatever order they asked. */
static void of_many_parts(void)
{
    unsigned int before = names_of("ext2fs"), tries = 0;
    int fds[4];
    for (unsigned int i = 0; i < 4; i++) {
        char name[] = {'p', 'a', 'r', 't', (char)('0' + i), 0};
        fds[i] = open(name, O_CREAT | O_RDWR | O_NOTRANS, 0644);
        CHECK(fds[i] >= 0);
    }
    for (unsigned int round = 0; round < 4; round++) {
        mach_port_t port = make();
        file_t node = getdport(fds[3]);
        for (unsigned int part = round; part < round + 4; part++) {
            if (part % 4 < 2)
                CHECK(watch(fds[part % 4], port) == 0);
            else if (part % 4 == 2)
                CHECK(lock(fds[2], F_WRLCK, port) == 0);
            else
                CHECK(file_set_translator(node, 0, FS_TRANS_SET, 0, NULL, 0, port, MACH_MSG_TYPE_MAKE_SEND) == 0);
        }
        mach_port_deallocate(mach_task_self(), node);
        CHECK(translated(fds[3]) && lock(fds[2], F_WRLCK, MACH_PORT_NULL) == EAGAIN);
        die(port);
        while ((translated(fds[3]) || lock(fds[2], F_WRLCK, MACH_PORT_NULL) != 0) && tries++ < TRIES)
            usleep(20000);
        CHECK(tries < TRIES && lock(fds[2], F_UNLCK, MACH_PORT_NULL) == 0);
    }
    for (unsigned int i = 0; i < 4; i++)
        CHECK(close(fds[i]) == 0);
    CHECK(shell("rm part?") == 0);
    falls_to("ext2fs", before);
}

/* A translator's task as a watcher: its file system, which waits for its death to take its status, hears of it. */
static void of_translators_task(void)
{
    task_t task;
    CHECK(shell("head -c 2048 /dev/zero > sunk && settrans -c sink /hurd/storeio file:/tmp/fstest/sunk") == 0);
    int fd = open("sink", O_RDWR), other = open("other", O_CREAT | O_RDWR, 0644);
    pid_t pid = process_with("fstest/sunk");
    CHECK(fd >= 0 && pid > 0 && proc_pid2task(getproc(), pid, &task) == 0);
    file_t file = getdport(other);
    (void)file_notice_changes(file, task, MACH_MSG_TYPE_COPY_SEND); /* a task does not know notices, and is dropped */
    CHECK(file_notice_changes(file, MACH_PORT_DEAD, MACH_MSG_TYPE_COPY_SEND) != 0);
    CHECK(pwrite(other, "x", 1, 0) == 1);
    CHECK(task_terminate(task) == 0 && close(fd) == 0);
    unsigned int tries = 0;
    while (kill(pid, 0) == 0 && tries++ < TRIES)
        usleep(50000);
    CHECK(tries < TRIES);
    mach_port_deallocate(mach_task_self(), task);
    mach_port_deallocate(mach_task_self(), file);
    CHECK(close(other) == 0 && shell("settrans sink; rm sink sunk other") == 0);
}

void deaths_tests(void)
{
    int fd = open("watched", O_CREAT | O_RDWR, 0644);
    SECTION(full(fd, "ext2fs"));
    CHECK(close(fd) == 0 && unlink("watched") == 0);
    SECTION(unchanged());
    SECTION(of_many_parts());
    SECTION(of_translators_task());
    CHECK(shell("head -c 2048 /dev/zero > backing && settrans -a -c device /hurd/storeio file:/tmp/fstest/backing") ==
          0);
    fd = open("device", O_RDWR);
    SECTION(full(fd, "/tmp/fstest/backing"));
    CHECK(close(fd) == 0 && shell("settrans -a -f device; rm device backing") == 0);
}
