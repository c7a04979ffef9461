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

/* A processor as its users see it: constant once processors_init has made it. */
struct processor {
    struct ipc_port *self;
    uint32_t number;       /* of the struct cpu */
};

/* There is one set, and it has all processors, tasks and threads. */
struct processor_set {
    struct ipc_port *self, *name;
    int max_priority;      /* what processor_set_max_priority said */
    int policies;          /* bits POLICY_…: what thread_policy may ask for */
};

extern struct host realhost;
extern struct processor_set default_set;

/* How busy the processors were (load.c).  Once a tick, or less often: */
void load_tick(void);
struct host_load_info;
void load_get(struct host_load_info *info);

void host_init(void);
/* Ports for all processors that run, and the set; panics without memory for them. */
void processors_init(void);

#endif
