/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h: vectors of strings (argv, envp) in another task's memory. */

#ifndef PROC_MEMORY_H
#define PROC_MEMORY_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMORY_PAGE = 4096 };

/* Gives the page at ADDRESS (a multiple of MEMORY_PAGE) in *PAGE, valid until the next call with the same CONTEXT and
   SIDE (0 or 1). An error if there is none. */
typedef error_t (*memory_reader_t)(void *context, int side, uint64_t address, const char **page);

/* Collects the strings of the NULL-terminated vector at ADDRESS, one behind the other with their NULs, in *DATA
   (malloc, the caller's) and *LENGTH.  The task may change or spoil its memory as it likes: what can be read before the
   first page that is missing is given, and never more than MEMORY_MOST bytes or strings.  ENOMEM; the reader's error if
   not even the vector's first word can be read. */
enum { MEMORY_MOST = 4 << 20 };
error_t memory_collect(memory_reader_t read, void *context, uint64_t address, char **data, size_t *length);

#endif
