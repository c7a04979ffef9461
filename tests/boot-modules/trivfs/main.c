/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boot module: lib/trivfs on a running Mach, with the nodes of servers/null, client and server in one task.  What
   glibc asks of a node is asked as glibc asks it (its own stubs).  Prints failed checks, instruction counts and
   `N passed, N failed`.  */

#include <device/device.h>
#include <errno.h>
#include <fcntl.h>
#include <hurd/fs.h>
#include <hurd/fsys.h>
#include <hurd/io.h>
#include <mach.h>
#include <mach/mig_support.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../../../servers/null/null.h"
#include "../module.h"

static void pause_ms(unsigned int ms)
{
    mach_port_t set;
    mach_msg_header_t message;
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set);
    mach_msg(&message, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, set, ms, MACH_PORT_NULL);
    mach_port_mod_refs(mach_task_self(), set, MACH_PORT_RIGHT_PORT_SET, -1);
}

static struct ports_bucket *bucket;

/* A control for OPS and a send right to it. */
static struct trivfs_control *make(const struct trivfs_ops *ops, mach_port_t *right)
{
    struct trivfs_control *control = NULL;
    CHECK(trivfs_control_create(ops, bucket, MACH_PORT_NULL, NULL, &control) == 0);
    *right = ports_object_send_right(control);
    return control;
}

static error_t root_open(mach_port_t control, uid_t uid, int flags, mach_port_t *root)
{
    retry_type retry = 77;
    string_t name = "x";
    gid_t gid = uid;
    error_t err = fsys_getroot(control, mig_get_reply_port(), MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND, &uid, 1, &gid, 1,
                               flags, &retry, name, root);
    if (err == 0)
        CHECK(retry == FS_RETRY_NORMAL && name[0] == '\0' && *root != MACH_PORT_NULL);
    return err;
}

static error_t read_some(mach_port_t node, loff_t offset, size_t amount, char *out, size_t *length)
{
    char *data = out;
    mach_msg_type_number_t count = 2048;
    error_t err = io_read(node, &data, &count, offset, amount);
    *length = err ? 0 : count;
    if (err == 0 && data != out) {
        size_t bad = 0;
        for (size_t i = 0; i < count; i++)
            bad += data[i] != 0;
        CHECK(bad == 0);
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    }
    return err;
}

static void check_null(mach_port_t node)
{
    static char data[100000];
    char buffer[2048];
    size_t length;
    vm_size_t amount = 0;
    CHECK(read_some(node, -1, 100, buffer, &length) == 0 && length == 0);
    CHECK(io_write(node, data, 10, -1, &amount) == 0 && amount == 10);
    CHECK(io_write(node, data, sizeof data, -1, &amount) == 0 && amount == sizeof data);
    CHECK(io_readable(node, &amount) == 0 && amount == 0);
}

static void check_zero(mach_port_t node)
{
    char buffer[2048];
    size_t length;
    mach_port_t read = 1, write = 1;
    memset(buffer, 1, sizeof buffer);
    CHECK(read_some(node, -1, 100, buffer, &length) == 0 && length == 100 && buffer[0] == 0 && buffer[99] == 0);
    CHECK(buffer[100] == 1);
    CHECK(read_some(node, -1, 100001, buffer, &length) == 0 && length == 100001);
    CHECK(io_map(node, &read, &write) == 0 && read == MACH_PORT_NULL && write == MACH_PORT_NULL);
}

static void check_positions(mach_port_t node)
{
    loff_t at = -1;
    vm_size_t amount;
    CHECK(io_seek(node, 0, SEEK_SET, &at) == 0 && at == 0);
    CHECK(io_write(node, "hello", 5, -1, &amount) == 0);
    CHECK(io_seek(node, 0, SEEK_CUR, &at) == 0 && at == 5);
    CHECK(io_write(node, "hello", 5, 100, &amount) == 0);
    CHECK(io_seek(node, 2, SEEK_CUR, &at) == 0 && at == 7);
    CHECK(io_seek(node, -8, SEEK_CUR, &at) == EINVAL);
    CHECK(io_seek(node, 0, 77, &at) == EINVAL);
    CHECK(io_seek(node, 0, SEEK_END, &at) == 0 && at == 0);
}

static void check_modes(mach_port_t control, mach_port_t node)
{
    int bits = 0;
    mach_port_t other;
    char byte;
    size_t length;
    vm_size_t amount;
    CHECK(io_get_openmodes(node, &bits) == 0 && bits == (O_READ | O_WRITE));
    CHECK(io_set_some_openmodes(node, O_NONBLOCK | O_EXEC) == 0);
    CHECK(io_get_openmodes(node, &bits) == 0 && bits == (O_READ | O_WRITE | O_NONBLOCK));
    CHECK(io_clear_some_openmodes(node, O_NONBLOCK | O_READ) == 0);
    CHECK(io_set_all_openmodes(node, O_APPEND) == 0);
    CHECK(io_get_openmodes(node, &bits) == 0 && bits == (O_READ | O_WRITE | O_APPEND));
    CHECK(io_set_all_openmodes(node, 0) == 0);
    CHECK(root_open(control, 0, O_READ, &other) == 0);
    CHECK(io_write(other, "x", 1, -1, &amount) == EBADF);
    mach_port_deallocate(mach_task_self(), other);
    CHECK(root_open(control, 0, O_WRITE, &other) == 0);
    CHECK(read_some(other, -1, 1, &byte, &length) == EBADF);
    mach_port_deallocate(mach_task_self(), other);
}

static void check_attributes(mach_port_t node)
{
    io_statbuf_t st;
    int allowed = 0, value = 0;
    fsys_statfsbuf_t fs;
    string_t name;
    int major, minor, edit;
    struct timespec time = {12345, 6789};
    CHECK(io_stat(node, &st) == 0);
    CHECK(S_ISCHR(st.st_mode) && (st.st_mode & 07777) == 0600 && st.st_uid == 0 && st.st_nlink == 1);
    CHECK(st.st_fstype == FSTYPE_DEV && st.st_size == 0);
    CHECK(file_check_access(node, &allowed) == 0 && allowed == (O_READ | O_WRITE));
    CHECK(file_chmod(node, 0644) == 0 && io_stat(node, &st) == 0 && (st.st_mode & 07777) == 0644 &&
          S_ISCHR(st.st_mode));
    CHECK(file_chown(node, 5, 6) == 0 && io_stat(node, &st) == 0 && st.st_uid == 5 && st.st_gid == 6);
    CHECK(file_utimens(node, time, time) == 0 && io_stat(node, &st) == 0 && st.st_mtim.tv_nsec == 6789);
    CHECK(file_chown(node, 0, 0) == 0);
    CHECK(file_set_size(node, 0) == 0);
    CHECK(file_sync(node, 1, 0) == 0);
    CHECK(file_statfs(node, &fs) == 0);
    CHECK(io_pathconf(node, _PC_NAME_MAX, &value) == 0 && value == 255);
    CHECK(io_pathconf(node, 9999, &value) == EINVAL);
    CHECK(io_server_version(node, name, &major, &minor, &edit) == 0 && strcmp(name, "null") == 0);
    CHECK(dir_mkdir(node, "x", 0700) == ENOTDIR);
    CHECK(file_exec(node, mach_task_self(), 0, NULL, 0, NULL, 0, NULL, MACH_MSG_TYPE_COPY_SEND, 0, NULL,
                    MACH_MSG_TYPE_COPY_SEND, 0, NULL, 0, NULL, 0, NULL, 0) == EACCES);
}

static void check_identity(mach_port_t control, mach_port_t node)
{
    mach_port_t id[2], fs[2], other, retry_node;
    ino64_t fileno;
    retry_type retry;
    string_t name;
    CHECK(io_duplicate(node, &other) == 0 && other != node);
    CHECK(io_identity(node, &id[0], &fs[0], &fileno) == 0 && io_identity(other, &id[1], &fs[1], &fileno) == 0);
    CHECK(id[0] == id[1] && fs[0] == fs[1] && id[0] != fs[0]);
    mach_port_deallocate(mach_task_self(), other);
    CHECK(dir_lookup(node, "", O_READ, 0, &retry, name, &retry_node) == 0 && retry == FS_RETRY_NORMAL);
    mach_port_deallocate(mach_task_self(), retry_node);
    CHECK(dir_lookup(node, "x", O_READ, 0, &retry, name, &retry_node) == ENOTDIR);
    (void)control;
}

static void check_users(mach_port_t control, mach_port_t node)
{
    uid_t uid = 1000;
    gid_t gid = 1000;
    mach_port_t narrow, other;
    int allowed = -1;
    CHECK(root_open(control, 1000, O_READ, &other) == 0); /* 0644 by now */
    mach_port_deallocate(mach_task_self(), other);
    CHECK(root_open(control, 1000, O_WRITE, &other) == EACCES);
    CHECK(io_restrict_auth(node, &narrow, &uid, 1, &gid, 1) == 0);
    CHECK(file_check_access(narrow, &allowed) == 0 && allowed == O_READ);
    CHECK(file_chmod(narrow, 0666) == EPERM);
    CHECK(file_getcontrol(narrow, &other) == EPERM);
    CHECK(file_getcontrol(node, &other) == 0 && other == control);
    mach_port_deallocate(mach_task_self(), other);
    uid = 0;
    CHECK(io_restrict_auth(narrow, &other, &uid, 1, &gid, 1) == 0);
    CHECK(file_chmod(other, 0666) == EPERM); /* no way back to root */
    mach_port_deallocate(mach_task_self(), other);
    mach_port_deallocate(mach_task_self(), narrow);
}

static void check_select_and_locks(mach_port_t control, mach_port_t node)
{
    int type = SELECT_READ, mine, others;
    struct timespec until = {0};
    mach_port_t other;
    CHECK(io_select(node, mig_get_reply_port(), 1000, &type) == 0 && type == SELECT_READ);
    type = SELECT_WRITE | SELECT_READ;
    CHECK(io_select_timeout(node, mig_get_reply_port(), until, &type) == 0 && type == (SELECT_WRITE | SELECT_READ));
    CHECK(root_open(control, 0, O_READ, &other) == 0);
    CHECK(file_lock(node, LOCK_EX) == 0);
    CHECK(file_lock(other, LOCK_SH | LOCK_NB) == EWOULDBLOCK);
    CHECK(file_lock_stat(other, &mine, &others) == 0 && mine == LOCK_UN && others == LOCK_EX);
    CHECK(file_lock(node, LOCK_UN) == 0);
    CHECK(file_lock(other, LOCK_SH | LOCK_NB) == 0);
    mach_port_deallocate(mach_task_self(), other);
    for (int i = 0; i < 100 && file_lock(node, LOCK_EX | LOCK_NB) != 0; i++)
        pause_ms(10); /* closing has dropped the other's */
    CHECK(file_lock_stat(node, &mine, &others) == 0 && mine == LOCK_EX);
}

static void check_options(mach_port_t control)
{
    char buffer[2048], *data = buffer;
    mach_msg_type_number_t count = sizeof buffer;
    CHECK(fsys_get_options(control, &data, &count) == 0 && count > 1 && data[count - 1] == '\0');
    CHECK(fsys_set_options(control, "--huge", 7, 0) == EINVAL);
    CHECK(fsys_syncfs(control, 1, 0) == 0);
}

static void measure(mach_port_t control, mach_port_t node)
{
    enum { ROUNDS = 2000 };
    vm_size_t amount;
    io_statbuf_t st;
    mach_port_t other;
    unsigned long begin = stamp();
    for (int i = 0; i < ROUNDS; i++)
        io_write(node, "x", 1, -1, &amount);
    say("io_write of a byte: %lu\n", (stamp() - begin) / ROUNDS);
    begin = stamp();
    for (int i = 0; i < ROUNDS; i++)
        io_stat(node, &st);
    say("io_stat: %lu\n", (stamp() - begin) / ROUNDS);
    begin = stamp();
    for (int i = 0; i < ROUNDS; i++)
        if (root_open(control, 0, O_READ, &other) == 0)
            mach_port_deallocate(mach_task_self(), other);
    say("getroot and close: %lu\n", (stamp() - begin) / ROUNDS);
}

int main(int argc, char **argv)
{
    mach_port_t null_control, zero_control, full_control, node;
    vm_size_t amount;
    module_begin(argc, argv);
    CHECK(ports_bucket_create(&bucket) == 0);
    CHECK(ports_bucket_serve_detached(bucket, NULL) == 0);

    struct trivfs_control *null_object = make(&null_ops, &null_control);
    make(&zero_ops, &zero_control);
    make(&full_ops, &full_control);

    CHECK(root_open(null_control, 1000, O_READ, &node) == EACCES);
    CHECK(root_open(null_control, 0, O_EXEC, &node) == EACCES);
    CHECK(root_open(null_control, 0, O_READ | O_WRITE, &node) == 0);
    check_null(node);
    check_positions(node);
    check_modes(null_control, node);
    check_attributes(node);
    check_identity(null_control, node);
    check_users(null_control, node);
    check_select_and_locks(null_control, node);
    check_options(null_control);
    measure(null_control, node);
    CHECK(fsys_goaway(null_control, 0) == EBUSY);
    mach_port_deallocate(mach_task_self(), node);
    for (int i = 0; i < 100 && null_object->peropens != 0; i++)
        pause_ms(10);
    CHECK(null_object->peropens == 0);

    CHECK(root_open(zero_control, 0, O_READ | O_WRITE, &node) == 0);
    check_zero(node);
    mach_port_deallocate(mach_task_self(), node);
    CHECK(root_open(full_control, 0, O_READ | O_WRITE, &node) == 0);
    CHECK(io_write(node, "x", 1, -1, &amount) == ENOSPC);
    (void)io_revoke(node);
    module_end();
}
