/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mtab: the text of /etc/mtab, a line for each file system that one can go into: source, directory, type, options
   (getmntent(3)). */

#ifndef MTAB_MTAB_H
#define MTAB_MTAB_H

#include <errno.h>
#include <mach.h>
#include <stddef.h>

/* ---- mounts.c ------------------------------------------------------------- */

/* The table as it is now: the root's file system, whose control port is CONTROL (stays the caller's), and those below
   it whose roots are directories. *TEXT (NULL before) is malloc'ed, *LENGTH (0 before) bytes. What a file system does
   not answer within ten seconds is left out. ENOMEM. */
error_t mounts_list(mach_port_t control, char **text, size_t *length);

/* ---- text.c: no message ----------------------------------------------------- */

/* Adds the line of one file system to *TEXT (malloc'ed or NULL, *LENGTH bytes). SOURCE is its own word for where its
   contents are ("" if it has none), PATH its directory, OPTIONS its command line (argz). Its type is the program's name
   without folder and ".static"; --readonly and --writable become ro and rw (rw where nothing is said), other options
   lose their dashes, arguments without are left out.  Characters that would end a field are written in octal.
   ENOMEM. */
error_t mount_line_add(char **text, size_t *length, const char *source, const char *path, const char *options,
                       size_t options_length);

#endif /* MTAB_MTAB_H */
