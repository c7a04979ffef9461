/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pflocal: what main.c and routines.c share. */

#ifndef PFLOCAL_PFLOCAL_H
#define PFLOCAL_PFLOCAL_H

#include "sock.h"
#include "socket_S.h"

#include <sys/socket.h>
#include <trivfs/mig-hooks.h>

extern struct trivfs_control *socket_control;        /* the sockets', as opposed to the domain's */
extern const struct trivfs_ops *const pflocal_domain_ops;

/* A new port for SOCK, which gains a reference. The caller's send right in *PORT. */
error_t socket_port(struct sock *sock, mach_port_t *port);

#endif /* PFLOCAL_PFLOCAL_H */
