/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proxy memory objects: a window on another one, with less protection (mach4.defs, memory_object_create_proxy). */

#ifndef VM_PROXY_H
#define VM_PROXY_H

#include <mach/vm_prot.h>

#include "../base/base.h"

struct ipc_port;

struct proxy {
    struct ipc_port *object;     /* a send right */
    vm_prot_t max_protection;
    uint64_t offset, start, size; /* what is at `offset` of the proxy is at `start` of the object */
};

/* The proxy that PORT stands for, or NULL. */
struct proxy *proxy_lookup(struct ipc_port *port);
void proxy_no_senders(struct ipc_port *port);

#endif
