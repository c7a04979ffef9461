/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exceptions.h: where a signal thread's exceptions arrive. */

#ifndef PROC_EXCEPTIONS_H
#define PROC_EXCEPTIONS_H

#include "server.h"

struct exceptions {
    struct ports_object port;
    struct process *process;        /* NULL: gone; proc_lock */
    mach_port_t forward;            /* send right, owned; proc_lock */
    int flavor;                     /* constant */
    mach_msg_type_number_t count;   /* constant */
    natural_t *state;               /* constant: the thread's state after an exception */
};
typedef struct exceptions *exceptions_object_t;
PORTS_MIG_HOOKS(exceptions, struct exceptions, &exceptions_class)

#endif
