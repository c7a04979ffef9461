/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manager.h: a default memory manager: a task, all of whose memory is wired, that keeps anonymous memory for the kernel
   (store.h). */

#ifndef TESTS_KERNEL_PAGING_MANAGER_H
#define TESTS_KERNEL_PAGING_MANAGER_H

#include "../frame.h"

/* What the manager tells and is told, in memory that both have. */
struct manager_board {
    volatile long objects, pages;             /* that it has */
    volatile long returned, requested;        /* pages since the start */
    volatile long ended;                      /* objects that the kernel has ended */
    volatile bool ready;                      /* it is the kernel's default memory manager */
    volatile bool succeeds;                   /* there was another one before */
    volatile bool deaf;                       /* takes no messages meanwhile */
    volatile bool forget;                     /* says that it has no page that it is asked for */
    volatile bool refuse;                     /* answers each request by an error */
    volatile int complaint;                   /* a line of manager.c; 0: all went well */
};

struct manager {
    struct child child;
    struct manager_board *board;
};

/* Makes one, which becomes the kernel's.  False: no memory. */
bool manager_start(struct manager *manager);
/* Ends its task, wherever it is. */
void manager_kill(struct manager *manager);

#endif /* TESTS_KERNEL_PAGING_MANAGER_H */
