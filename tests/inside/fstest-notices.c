/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest: notices of change, of files and directories of the disk and of translators' nodes. */

#include "fstest.h"
#include "fs_notify_S.h"

#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <mach/mig_support.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* The last notice, and how many there were. */
static struct {
    unsigned int count, tick;
    bool dir;
    int change;
    loff_t start, end;
    char name[1024];
} heard;

kern_return_t S_dir_changed(mach_port_t port, natural_t tick, dir_changed_type_t change, const_string_t name)
{
    (void) port;
    heard.count++;
    heard.tick = tick;
    heard.dir = true;
    heard.change = (int) change;
    strncpy(heard.name, name, sizeof heard.name - 1);
    return 0;
}

kern_return_t S_file_changed(mach_port_t port, natural_t tick, file_changed_type_t change, loff_t start, loff_t end)
{
    (void) port;
    heard.count++;
    heard.tick = tick;
    heard.dir = false;
    heard.change = (int) change;
    heard.start = start;
    heard.end = end;
    return 0;
}

/* What HEAD said is answered as a server of MIG's does, or the right to answer thrown away: both mean that it was
   understood. */
static void answer(mach_msg_header_t *head, mig_reply_header_t *reply)
{
    static unsigned int count;
    reply->Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(head->msgh_bits), 0);
    reply->Head.msgh_remote_port = head->msgh_remote_port;
    reply->Head.msgh_local_port = MACH_PORT_NULL;
    reply->Head.msgh_id = head->msgh_id + 100;
    reply->Head.msgh_size = sizeof *reply;
    reply->RetCodeType = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1,
                                           .msgt_inline = TRUE};
    if (count++ % 2)
        CHECK(mach_port_deallocate(mach_task_self(), head->msgh_remote_port) == 0);
    else
        CHECK(mach_msg(&reply->Head, MACH_SEND_MSG, sizeof *reply, 0, 0, 0, 0) == 0);
}

/* Takes the next notice that comes to PORT; false if none comes. */
static bool hear(mach_port_t port)
{
    union { mach_msg_header_t head; char room[4096]; } message;
    mig_reply_header_t reply;
    if (mach_msg(&message.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, port, 20000, MACH_PORT_NULL) != 0)
        return false;
    mig_routine_t routine = fs_notify_server_routine(&message.head);
    if (routine == NULL)
        return false;
    routine(&message.head, &reply.Head);
    if (MACH_PORT_VALID(message.head.msgh_remote_port))
        answer(&message.head, &reply);
    return true;
}

static bool hear_file(mach_port_t port, unsigned int tick, int change, loff_t start, loff_t end)
{
    return hear(port) && !heard.dir && heard.tick == tick && heard.change == change && heard.start == start &&
           heard.end == end;
}

static bool hear_dir(mach_port_t port, unsigned int tick, int change, const char *name)
{
    return hear(port) && heard.dir && heard.tick == tick && heard.change == change && strcmp(heard.name, name) == 0;
}

/* Asks for notices of the node of FD, its entries if DIR; the port that they come to, in *PORT. */
static error_t ask(int fd, bool dir, mach_port_t *port)
{
    file_t file = getdport(fd);
    CHECK(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, port) == 0);
    error_t err = (dir ? dir_notice_changes : file_notice_changes)(file, *port, MACH_MSG_TYPE_MAKE_SEND);
    mach_port_deallocate(mach_task_self(), file);
    return err;
}

static void forget(mach_port_t port)
{
    CHECK(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1) == 0);
}

static void of_file(void)
{
    mach_port_t port, other;
    int fd = open("watched", O_CREAT | O_RDWR, 0644);
    CHECK(ask(fd, false, &port) == 0 && hear_file(port, 0, FILE_CHANGED_NULL, 0, 0));
    CHECK(write(fd, "0123456789", 10) == 10 && hear_file(port, 1, FILE_CHANGED_EXTEND, 0, 10));
    CHECK(pwrite(fd, "ab", 2, 3) == 2 && hear_file(port, 2, FILE_CHANGED_WRITE, 3, 5));
    CHECK(truncate("watched", 4) == 0 && hear_file(port, 3, FILE_CHANGED_TRUNCATE, 0, 4));
    CHECK(chmod("watched", 0600) == 0 && hear_file(port, 4, FILE_CHANGED_META, 0, 0));
    CHECK(ask(fd, true, &other) == ENOTDIR);
    forget(other);
    forget(port);
    CHECK(pwrite(fd, "x", 1, 0) == 1 && pwrite(fd, "y", 1, 0) == 1 && close(fd) == 0 && unlink("watched") == 0);
}

/* Ports of servers that know no notices are not kept, though they live. */
static void of_strangers(void)
{
    enum { STRANGERS = 300, SLACK = 60, TRIES = 1200 };
    mach_port_t strangers[STRANGERS];
    CHECK(mkdir("watched", 0755) == 0);
    file_t dir = file_name_lookup("watched", O_READ, 0);
    unsigned int before = names_of("ext2fs"), now = 0;
    CHECK(before > 0);
    for (unsigned int i = 0; i < STRANGERS; i++) {
        strangers[i] = file_name_lookup("/dev/null", O_READ, 0);
        CHECK(dir_notice_changes(dir, strangers[i], MACH_MSG_TYPE_COPY_SEND) == 0);
        CHECK(dir_notice_changes(dir, strangers[i], MACH_MSG_TYPE_COPY_SEND) == 0);
    }
    for (unsigned int i = 0; i < TRIES && (now = names_of("ext2fs")) > before + SLACK; i++)
        usleep(50000);
    if (now > before + SLACK)
        printf("names of the file system: %u, then %u\n", before, now);
    CHECK(now <= before + SLACK);
    for (unsigned int i = 0; i < STRANGERS; i++)
        mach_port_deallocate(mach_task_self(), strangers[i]);
    mach_port_deallocate(mach_task_self(), dir);
    CHECK(rmdir("watched") == 0);
}

/* A port that asks again hears it again, and each change once. */
static void of_twice(void)
{
    mach_port_t port;
    int fd = open("watched", O_CREAT | O_RDWR, 0644);
    file_t file = getdport(fd);
    CHECK(ask(fd, false, &port) == 0 && hear_file(port, 0, FILE_CHANGED_NULL, 0, 0));
    CHECK(file_notice_changes(file, port, MACH_MSG_TYPE_MAKE_SEND) == 0);
    CHECK(hear_file(port, 1, FILE_CHANGED_NULL, 0, 0));
    CHECK(write(fd, "a", 1) == 1 && hear_file(port, 2, FILE_CHANGED_EXTEND, 0, 1));
    CHECK(write(fd, "b", 1) == 1 && hear_file(port, 3, FILE_CHANGED_EXTEND, 1, 2));
    mach_port_deallocate(mach_task_self(), file);
    forget(port);
    CHECK(close(fd) == 0 && unlink("watched") == 0);
}

static unsigned long blocks_free(void)
{
    struct statfs st;
    return statfs(".", &st) == 0 ? st.f_bfree : 0;
}

/* Nobody can change a file that has neither a name nor somebody who has it open: its watchers do not keep it. */
static void of_deleted(void)
{
    enum { SIZE = 4 << 20, TRIES = 1200 };
    static char page[4096];
    mach_port_t port;
    sync();
    unsigned long before = blocks_free(), least;
    int fd = open("watched", O_CREAT | O_RDWR, 0644);
    CHECK(ask(fd, false, &port) == 0 && hear_file(port, 0, FILE_CHANGED_NULL, 0, 0));
    for (unsigned int at = 0; at < SIZE; at += sizeof page) {
        CHECK(write(fd, page, sizeof page) == sizeof page);
        CHECK(hear_file(port, 1 + at / sizeof page, FILE_CHANGED_EXTEND, at, at + sizeof page));
    }
    least = before - SIZE / 2 / 4096;
    CHECK(fsync(fd) == 0 && blocks_free() < least);
    CHECK(unlink("watched") == 0 && blocks_free() < least);
    CHECK(pwrite(fd, "x", 1, 0) == 1 && hear(port));
    CHECK(close(fd) == 0);
    unsigned int tries = 0;
    while (blocks_free() < least && ++tries < TRIES)
        usleep(50000);
    CHECK(tries < TRIES);
    forget(port);
}

static void of_directory(void)
{
    mach_port_t port, other;
    CHECK(mkdir("watched", 0755) == 0);
    int fd = open("watched", O_RDONLY | O_DIRECTORY);
    CHECK(ask(fd, true, &port) == 0 && hear_dir(port, 0, DIR_CHANGED_NULL, ""));
    put("watched/new", "x", 0644);
    CHECK(hear_dir(port, 1, DIR_CHANGED_NEW, "new"));
    CHECK(unlink("watched/new") == 0 && hear_dir(port, 2, DIR_CHANGED_UNLINK, "new"));
    CHECK(ask(fd, false, &other) == EISDIR);
    forget(other);
    forget(port);
    CHECK(close(fd) == 0 && rmdir("watched") == 0);
}

/* FD is a translator's node. */
static void of_node(int fd)
{
    mach_port_t port, second, other;
    struct stat st;
    CHECK(ask(fd, false, &port) == 0 && hear_file(port, 0, FILE_CHANGED_NULL, 0, 0));
    CHECK(pwrite(fd, "abcde", 5, 10) == 5 && hear_file(port, 1, FILE_CHANGED_WRITE, 10, 15));
    CHECK(ask(fd, false, &second) == 0 && hear_file(second, 0, FILE_CHANGED_NULL, 0, 0));
    CHECK(fstat(fd, &st) == 0 && fchmod(fd, st.st_mode & 07777) == 0);
    CHECK(hear_file(port, 2, FILE_CHANGED_META, 0, 0) && hear_file(second, 1, FILE_CHANGED_META, 0, 0));
    forget(second);
    CHECK(pwrite(fd, "ab", 2, 10) == 2 && hear_file(port, 3, FILE_CHANGED_WRITE, 10, 12));
    CHECK(ask(fd, true, &other) == ENOTDIR);
    forget(other);
    file_t file = getdport(fd);
    CHECK(file_notice_changes(file, file, MACH_MSG_TYPE_COPY_SEND) == EINVAL);      /* the server's own port */
    mach_port_deallocate(mach_task_self(), file);
    forget(port);
}

static void of_nodes(void)
{
    mach_port_t port;
    CHECK(shell("head -c 2048 /dev/zero > backing && settrans -a -c device /hurd/storeio file:/tmp/fstest/backing") ==
          0);
    int fd = open("device", O_RDWR);
    of_node(fd);
    CHECK(close(fd) == 0 && shell("settrans -a -f device; rm device backing") == 0);
    CHECK(shell("settrans -a -c sink /hurd/null") == 0);
    fd = open("sink", O_RDWR);
    of_node(fd);
    CHECK(close(fd) == 0 && shell("settrans -a -f sink; rm sink") == 0);
    /* a tree: it says that it hears, and never changes */
    fd = open("/servers/bus/pci", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && ask(fd, true, &port) == 0 && hear_dir(port, 0, DIR_CHANGED_NULL, ""));
    forget(port);
    CHECK(ask(fd, false, &port) == EISDIR && close(fd) == 0);
    forget(port);
}

void notices_tests(void)
{
    SECTION(of_file());
    SECTION(of_directory());
    SECTION(of_twice());
    SECTION(of_strangers());
    SECTION(of_deleted());
    SECTION(of_nodes());
}
