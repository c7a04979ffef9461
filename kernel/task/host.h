/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host, its processors and its one processor set, as objects behind ports. */

#ifndef TASK_HOST_H
#define TASK_HOST_H

#include "../base/base.h"

struct ipc_port;

struct host {
    struct ipc_port *self, *priv;        /* host name and host control ports */
    struct ipc_port *new_task;           /* register_new_task_notification: a send right */
};

struct processor {
    struct ipc_port *self;
    uint32_t number;
};

struct processor_set {
    struct ipc_port *self, *name;
    int max_priority;
};

extern struct host realhost;
extern struct processor processors[1];
extern struct processor_set default_set;

void host_init(void);

#endif
