/* SPDX-License-Identifier: GPL-2.0-or-later */
/* script: the `#!` line of a script, and the argument vector of its interpreter.  Pure functions. */

#ifndef EXEC_SCRIPT_H
#define EXEC_SCRIPT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* How deep scripts may be interpreted by scripts; ELOOP beyond. */
#define SCRIPT_DEPTH_MAX 5

/* Does the file that begins with BYTES ask for an interpreter? */
bool script_is_script(const char *bytes, size_t length);

/* Takes the first line of a script apart, in place: BYTES, the first LENGTH bytes of it, has room for one byte more.
   WHOLE: the file has no more than these bytes, so that the line may end without a newline.  *INTERPRETER and *ARGUMENT
   (NULL: none) are strings inside BYTES; the argument is one word with its inner blanks, as everywhere.  ENOEXEC when
   there is no interpreter or no end of the line. */
error_t script_parse(char *bytes, size_t length, bool whole, char **interpreter, char **argument);

/* The interpreter's arguments (argz): INTERPRETER, ARGUMENT (may be NULL), SCRIPT, then ARGV (LENGTH bytes, argz)
   without its first word. *RESULT is malloc'd.  ENOMEM. */
error_t script_arguments(const char *interpreter, const char *argument, const char *script, const char *argv,
                         size_t length, char **result, size_t *result_length);

#endif
