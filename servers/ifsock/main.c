/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ifsock: gives a node in the file system an address in the local domain; the translator of every S_IFSOCK node.

   bind() makes the node, connect() finds it, and both ask it for its address port (ifsock_getsockaddr), which is one of pflocal's. */

#include "ifsock_S.h"

#include <errno.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <hurd.h>
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

static const struct trivfs_ops ops = {
    .name = "ifsock", .fstype = FSTYPE_IFSOCK, .modes = O_READ | O_WRITE, .node_type = S_IFSOCK,
    .node_interfaces = node_interfaces,
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
