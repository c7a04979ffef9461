/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hooks for socket.defs: the domain and the sockets are trivfs nodes, addresses are objects of their own. */

#ifndef PFLOCAL_HOOKS_H
#define PFLOCAL_HOOKS_H

#include "sock.h"

#include <trivfs/mig-hooks.h>

typedef struct addr *addr_object_t;
PORTS_MIG_HOOKS(addr_object, struct addr, &addr_class)

#endif /* PFLOCAL_HOOKS_H */
