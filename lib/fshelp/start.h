/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start: a translator that is being started, as its bootstrap port sees it; between translator.c and the stubs of
   bootstrap.defs. */

#ifndef FSHELP_START_H
#define FSHELP_START_H

#include <ports/ports.h>

/* One start. The child's send rights to the port are the only ones: when they go before it has called, it never
   will. */
struct fshelp_start {
    struct ports_object port;
    error_t (*underlying)(void *cookie, int flags, mach_port_t *port); /* constant */
    void *cookie;                                                      /* constant */
    mach_port_t control;   /* what the child gave; start_lock */
    error_t result;        /* start_lock; valid when done */
    bool done, abandoned;  /* start_lock */
};

/* Takes the exit status of the child with TASK (send right, still the caller's) when it dies.  BUCKET is served. */
void fshelp_child_watch(struct ports_bucket *bucket, task_t task);

typedef struct fshelp_start *struct_fshelp_start_t;
extern struct ports_class fshelp_start_class;
PORTS_MIG_HOOKS(fshelp_start, struct fshelp_start, &fshelp_start_class)

#endif /* FSHELP_START_H */
