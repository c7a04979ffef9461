/* SPDX-License-Identifier: GPL-2.0-or-later */
/* processes: the command line of the utilities that look into processes: NAME [-s] PID... */

#ifndef UTILS_PROCESSES_H
#define UTILS_PROCESSES_H

#include "common.h"

#include <stdbool.h>
#include <sys/types.h>

/* Calls SHOW for each process named, with SUMMARY as -s (--summary) says; --help and wrong usage as everywhere.  The
   result is main's: 1 if SHOW failed for one, having said so, or standard output did. */
int processes_main(int argc, char **argv, error_t (*show)(pid_t pid, bool summary));

#endif /* UTILS_PROCESSES_H */
