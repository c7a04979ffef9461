/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bodies of complex messages (body.c), for who copies headers in and out (kmsg.c).  Lock: the kernel lock. */

#ifndef IPC_BODY_H
#define IPC_BODY_H

#include "ipc.h"

/* The body of KMSG, whose header is copied in: names to rights, user's memory to the message's; the complex bit stays
   if it carries something. On failure nothing of the body is left in the kernel. */
mach_msg_return_t body_copyin(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map);
/* Gives up what the items before LIMIT, copied in, carry. */
void body_clean(struct kmsg *kmsg, uint64_t limit);
/* Bytes of memory that the message carries out of line, at most. */
uint64_t body_memory(struct kmsg *kmsg);
/* The other way; the bits of MACH_MSG_MASK in the result tell of shortages. */
mach_msg_return_t body_copyout(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map);

/* What the kernel's stubs wrote, with port pointers and types as users give them: becomes as if it had been copied
   in. */
void body_make(struct kmsg *kmsg);
/* This, and copied out at once. */
mach_msg_return_t body_make_copyout(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map);
/* A right that the kernel makes of a port pointer, as a user would of a name; the result's type is a naked one. */
struct ipc_port *kernel_right(struct ipc_port *port, mach_msg_type_name_t type);

/* A name for a naked right; MACH_MSG_IPC_SPACE or _IPC_KERNEL when there is none to be had: the right is given up. */
mach_msg_return_t port_put(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t type,
                           mach_port_name_t *name);

#endif
