/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hogs.h: programs that use more memory than there is, each in a task of its own; they tell by a report how it went. */

#ifndef TESTS_KERNEL_PAGING_HOGS_H
#define TESTS_KERNEL_PAGING_HOGS_H

#include "../frame.h"

/* In memory that all tasks have. */
struct report {
    volatile int failed;      /* the line of hogs.c where a check did not hold; 0: none */
    volatile long page;       /* and the page concerned */
    volatile long progress;   /* how far it is, in hundredths */
    volatile int ended;       /* tasks that came to their end */
    volatile bool go;         /* for those that wait for it */
};

extern struct report *report;
extern long hog_pages;        /* pages that a hog takes: more than are free */

/* What a task may run: ARGUMENT is a number of its own. */
void hog_fill(void *argument);        /* writes all, reads it in two orders, changes every third page */
void hog_fork(void *argument);        /* its copy and it write different pages of what both have */
void hog_children(void *argument);    /* has many children, one after the other, and writes while they live */
void hog_generations(void *argument); /* has one child and ends, as the child does, ARGUMENT times */
void hog_share(void *argument);       /* shares memory with a child; copies of it stay what they were */
void hog_map(void *argument);         /* wires, frees, protects, reads, writes and sends memory that is paged out */
void hog_wait(void *argument);        /* writes all, waits for `go`, and reads it */
void hog_forgotten(void *argument);   /* writes all, waits for `go`, and finds zeros in some, its pattern in the
                                         others */
enum { GENERATIONS = 12 };

#endif /* TESTS_KERNEL_PAGING_HOGS_H */
