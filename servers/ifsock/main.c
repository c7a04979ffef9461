/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ifsock: gives a node in the file system an address in the local domain; the translator of every S_IFSOCK node.

   bind() makes the node, connect() finds it, and both ask it for its address port (ifsock_getsockaddr), which is one
   of pflocal's. */

#include "ifsock_S.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <hurd/paths.h>
#include <hurd/socket.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <trivfs/mig-hooks.h>

static mach_port_t address; /* constant after main has begun to serve */

/* Whoever could look the node up may have its address: connecting is what permissions on the node are for. */
kern_return_t S_ifsock_getsockaddr(struct trivfs_protid *protid, mach_port_t *addr)
{
    if (!protid)
        return EOPNOTSUPP;
    *addr = address;
    return 0;
}

static const ports_interface_t node_interfaces[] = { ifsock_server_routine, NULL };

/* bind(2) makes a node without a name, and gives it one last of all: if it could not, nobody ever comes here again,
   and our port to the node and its port to us would keep both for ever. */
static void node_close(struct trivfs_peropen *peropen)
{
    struct trivfs_control *control = peropen->control;
    struct stat st;

    pthread_mutex_lock(&control->lock);
    bool last = control->peropens <= 1;
    pthread_mutex_unlock(&control->lock);
    struct trivfs_right *node = last ? trivfs_control_underlying(control) : NULL;
    if (node != NULL && io_stat(node->port, (io_statbuf_t *) &st) == 0 && st.st_nlink == 0) {
        file_set_translator(node->port, 0, FS_TRANS_SET | FS_TRANS_ORPHAN, 0, NULL, 0, MACH_PORT_NULL,
                            MACH_MSG_TYPE_COPY_SEND);
        exit(0);
    }
    trivfs_right_deref(node);
}

static const struct trivfs_ops ops = {
    .name = "ifsock", .fstype = FSTYPE_IFSOCK, .modes = O_READ | O_WRITE, .node_type = S_IFSOCK,
    .close = node_close, .node_interfaces = node_interfaces,
};

int main(int argc, char **argv)
{
    const char *domain = _SERVERS_SOCKET "/1"; /* PF_LOCAL */
    mach_port_t server;
    error_t err;

    if (argc != 1)
        error(2, 0, "usage: settrans NODE %s", argv[0]);
    server = file_name_lookup(domain, 0, 0);
    if (server == MACH_PORT_NULL)
        error(1, errno, "%s", domain);
    err = socket_fabricate_address(server, AF_LOCAL, &address);
    if (err)
        error(1, err, "%s: no address", domain);
    trivfs_main(&ops, NULL, 0);
}
