/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hooks of io.defs' stubs for the console object (console.c).  */

#ifndef DISKFS_CONSOLE_HOOKS_H
#define DISKFS_CONSOLE_HOOKS_H

#include <ports/ports.h>

struct diskfs_console { struct ports_object port; };
typedef struct diskfs_console *diskfs_console_t;
extern struct ports_class diskfs_console_class;
PORTS_MIG_HOOKS(diskfs_console, struct diskfs_console, &diskfs_console_class)

#endif /* DISKFS_CONSOLE_HOOKS_H */
