/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file behind the pager of this boot module: 16 MiB of a pattern in memory, with places that are missing, broken or
   full on demand, and a count of everything that the pager asked for.  */

#ifndef PAGER_MODULE_FILE_H
#define PAGER_MODULE_FILE_H

#include <pager/pager.h>
#include <stdbool.h>

#define FILE_SIZE ((uint64_t)16 << 20)

struct file {
    char *data;
    uint64_t hole_from; /* zeros from here on */
    uint64_t bad;       /* a page that cannot be read; UINT64_MAX for none */
    uint64_t full_from; /* no room for what is written from here on */
    unsigned int fetches, writes, unlocks, acquired, released;
    uint64_t fetch_max; /* the most bytes that were fetched at once */
};

/* The operations of a pager whose hook is a struct file. */
extern const struct pager_ops file_ops;

/* Gives FILE its pattern. */
void file_fill(struct file *file);

/* Whether the LENGTH bytes at DATA are the pattern from OFFSET on. */
bool file_is_pattern(const char *data, uint64_t offset, size_t length);

#endif /* PAGER_MODULE_FILE_H */
