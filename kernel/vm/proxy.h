/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proxy memory objects: a window on another one, with less protection (mach4.defs, memory_object_create_proxy,
   vm_region_create_proxy). */

#ifndef VM_PROXY_H
#define VM_PROXY_H

#include <mach/vm_prot.h>

#include "../base/base.h"

struct ipc_port;
struct vm_object;

struct proxy {
    struct ipc_port *object;     /* a send right to the memory object; NULL: it is */
    struct vm_object *direct;    /* an object of the kernel's, a reference */
    vm_prot_t max_protection;
    uint64_t start, size;        /* the window's place in the object */
    struct proxy *ended_next;    /* of those that have no senders any more (proxy.c) */
};

/* The proxy that PORT stands for, or NULL. */
struct proxy *proxy_lookup(struct ipc_port *port);
void proxy_no_senders(struct ipc_port *port);

#endif
