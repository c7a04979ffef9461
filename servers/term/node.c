/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.c: see node.h; trivfs's operations, each one step to the terminal. */

#include <fcntl.h>
#include <hurd/hurd_types.h>
#include "node.h"
#include "term_S.h"
#include "tioctl_S.h"

struct terminal node_terminal;
struct pty node_pty;
const char *node_peer_name;
struct cttyid *node_cttyid;

static struct caller node_caller(const struct trivfs_protid *protid)
{
    return (struct caller){
        .pgrp = (pid_t)(uint32_t)protid->tag,
        .nonblocking = protid->peropen->flags & O_NONBLOCK,
    };
}

error_t node_check(const struct trivfs_protid *protid, int modes)
{
    if (!protid)
        return EOPNOTSUPP;
    return protid->peropen->flags & modes ? 0 : EBADF;
}

error_t node_check_change(const struct trivfs_protid *protid)
{
    error_t err = node_check(protid, O_READ | O_WRITE);

    return err ? err : terminal_check_foreground(&node_terminal, node_caller(protid));
}

/* Opens that look at nothing (stat, settrans) need no device. */
static bool is_for_data(int flags)
{
    return flags & (O_READ | O_WRITE);
}

static error_t node_open(struct trivfs_peropen *peropen, struct fshelp_user *user)
{
    if (!is_for_data(peropen->flags))
        return 0;
    error_t err = terminal_open(&node_terminal, fshelp_user_is_root(user));
    if (!err)
        peropen->hook = &node_terminal; /* to be closed */
    return err;
}

static void node_close(struct trivfs_peropen *peropen)
{
    if (peropen->hook)
        terminal_close(&node_terminal);
}

static void node_stat(struct trivfs_protid *protid, struct stat *st)
{
    (void)protid;
    st->st_size = 0;
    st->st_blocks = 0;
    st->st_blksize = 4096;
}

/* Room in BUFFER for a read of *AMOUNT bytes when there are so many THERE: what is more than BUFFER has and more than
   there is will not be read. */
static error_t read_prepare(struct trivfs_buffer *buffer, size_t there, size_t *amount)
{
    error_t err = 0;
    if (*amount > buffer->capacity && there > buffer->capacity)
        err = trivfs_buffer_reserve(buffer, *amount < there ? *amount : there);
    if (*amount > buffer->capacity)
        *amount = buffer->capacity;
    return err;
}

static error_t node_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    (void)offset;
    error_t err = amount > buffer->capacity ? read_prepare(buffer, terminal_available(&node_terminal), &amount) : 0;
    if (err)
        return err;
    return terminal_read(&node_terminal, node_caller(protid), buffer->data, amount, &buffer->length);
}

static error_t node_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    (void)offset;
    return terminal_write(&node_terminal, node_caller(protid), data, length, amount);
}

static error_t node_readable(struct trivfs_protid *protid, size_t *amount)
{
    (void)protid;
    *amount = terminal_available(&node_terminal);
    return 0;
}

static error_t node_select(struct trivfs_protid *protid, int *type, const struct timespec *until)
{
    (void)protid;
    return terminal_select(&node_terminal, type, until);
}

static error_t node_owner(struct trivfs_protid *protid, bool set, pid_t *owner)
{
    (void)protid;
    if (set)
        terminal_set_owner(&node_terminal, *owner);
    else
        *owner = terminal_owner(&node_terminal);
    return 0;
}

static error_t node_async_id(struct trivfs_protid *protid, mach_port_t *id)
{
    (void)protid;
    *id = ports_object_send_right(node_cttyid);
    return *id == MACH_PORT_NULL ? ENOMEM : 0;
}

static const ports_interface_t node_interfaces[] = { term_server_routine, tioctl_server_routine, NULL };

const struct trivfs_ops node_ops = {
    .name = "term",
    .fstype = FSTYPE_TERM,
    .modes = O_READ | O_WRITE,
    .node_type = S_IFCHR,
    .open = node_open,
    .close = node_close,
    .stat = node_stat,
    .read = node_read,
    .write = node_write,
    .readable = node_readable,
    .select = node_select,
    .owner = node_owner,
    .async_id = node_async_id,
    .node_interfaces = node_interfaces,
};

/* ---- a pty's master ---------------------------------------------------------------------------- */

static error_t master_open(struct trivfs_peropen *peropen, struct fshelp_user *user)
{
    (void)user;
    if (!is_for_data(peropen->flags))
        return 0;
    error_t err = pty_open(&node_pty);
    if (!err)
        peropen->hook = &node_pty; /* to be closed */
    return err;
}

static void master_close(struct trivfs_peropen *peropen)
{
    if (peropen->hook)
        pty_close(&node_pty);
}

static error_t master_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    (void)offset;
    error_t err = amount > buffer->capacity ? read_prepare(buffer, pty_readable(&node_pty), &amount) : 0;
    if (err)
        return err;
    return pty_read(&node_pty, protid->peropen->flags & O_NONBLOCK, buffer->data, amount, &buffer->length);
}

static error_t master_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    (void)offset;
    return pty_write(&node_pty, protid->peropen->flags & O_NONBLOCK, data, length, amount);
}

static error_t master_readable(struct trivfs_protid *protid, size_t *amount)
{
    (void)protid;
    *amount = pty_readable(&node_pty);
    return 0;
}

static error_t master_select(struct trivfs_protid *protid, int *type, const struct timespec *until)
{
    (void)protid;
    return pty_select(&node_pty, type, until);
}

const struct trivfs_ops node_master_ops = {
    .name = "term",
    .fstype = FSTYPE_TERM,
    .modes = O_READ | O_WRITE,
    .node_type = S_IFCHR,
    .open = master_open,
    .close = master_close,
    .stat = node_stat,
    .read = master_read,
    .write = master_write,
    .readable = master_readable,
    .select = master_select,
    .node_interfaces = node_interfaces,
};

/* ---- the id port ------------------------------------------------------------------------ */

static const ports_interface_t cttyid_interfaces[] = { term_server_routine, NULL };

static const struct ports_class_ops cttyid_ops = {
    .name = "terminal id",
    .size = sizeof(struct cttyid),
    .interfaces = cttyid_interfaces,
};

struct ports_class node_cttyid_class = PORTS_CLASS(cttyid_ops);
