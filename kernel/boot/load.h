/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading a boot module's program into its task. */

#ifndef BOOT_LOAD_H
#define BOOT_LOAD_H

#include <stddef.h>
#include <stdint.h>

struct task;

/* Maps the ELF file IMAGE (SIZE bytes) into TASK, which is suspended, and makes its first thread, with COUNT arguments
   (USED bytes of strings, each with a NUL) on its stack.  NULL, or why it cannot. */
const char *load_program(struct task *task, const void *image, size_t size, const char *arguments, unsigned int count,
                         size_t used);

#endif
