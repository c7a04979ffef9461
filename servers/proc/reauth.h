/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reauth.h: a process that changes its ids. */

#ifndef PROC_REAUTH_H
#define PROC_REAUTH_H

#include "server.h"

struct reauth {
    struct ports_object port;       /* where auth's answer arrives */
    struct process *process;        /* NULL: given up; proc_lock */
    mach_port_t right;              /* receive right of the new process port, until auth has answered; proc_lock */
    struct proc_port *new_port;     /* the object it became, with a reference; proc_lock */
    struct ids *ids;                /* what auth said; proc_lock */
    mach_port_t new_task;           /* send right: the task that the process goes over to; MACH_PORT_NULL: none;
                                       constant */
};
typedef struct reauth *reauth_object_t;
PORTS_MIG_HOOKS(reauth, struct reauth, &reauth_class)

#endif
