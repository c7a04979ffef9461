/* SPDX-License-Identifier: GPL-2.0-or-later */
/* campaign.h: what the long-running modules (fuzz/, paging/, stress/) share: the console, and what the kernel holds.
   Their main programs are no frame (frame.c); the helpers' CHECK does nothing in them. */

#ifndef TESTS_KERNEL_CAMPAIGN_H
#define TESTS_KERNEL_CAMPAIGN_H

#include <mach.h>
#include <stdbool.h>

/* What the kernel holds: tasks and threads of the host, names of this task, free pages. */
struct figures {
    int tasks, threads, names;
    long pages;
};

extern mach_port_t set_name; /* of the default processor set, from campaign_open on */

/* Takes --host-priv-port=N and --device-master-port=N from the arguments and opens the console.  False: it cannot be
   had. */
bool campaign_open(int argc, char **argv);
/* Writes on the console, at most 239 bytes. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct figures figures_take(void);
/* Whether the arguments ask for the part NAME: it is among them, or no part is. */
bool part_chosen(const char *name, int argc, char **argv);

#endif /* TESTS_KERNEL_CAMPAIGN_H */
