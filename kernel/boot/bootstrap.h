/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Carrying out the boot script: the modules become tasks and RAM disks (seeds/bootstrap.txt, "State at the
   beginning"). */

#ifndef BOOT_BOOTSTRAP_H
#define BOOT_BOOTSTRAP_H

/* Makes all tasks, loads each with its arguments, then resumes; needs threads, and is the first kernel thread's body,
   which then sleeps for ever.  What cannot be done stops the machine with one line that names the module, the column
   and the reason. */
void bootstrap_run(void *unused);

#endif
