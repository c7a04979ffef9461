/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between boot.c and boot-init.c: the two halves of the bootstrap file system's dance.  */

#ifndef DISKFS_BOOT_H
#define DISKFS_BOOT_H

#include "diskfs-internal.h"

/* A send right to the execboot port, not to be deallocated. */
mach_port_t diskfs_execboot_right(void);
/* A send right to our root for root, not to be deallocated. */
mach_port_t diskfs_boot_root(void);
/* The startup program's argument vector (malloc'd) out of the kernel's command line. */
error_t diskfs_startup_words(const char *command_line, char **argz, size_t *length, const char **program);

#endif /* DISKFS_BOOT_H */
