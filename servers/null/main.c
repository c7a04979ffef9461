/* SPDX-License-Identifier: GPL-2.0-or-later */
/* null: the translator of /dev/null, /dev/zero and /dev/full.

       null [--null|--zero|--full]

   null: reading is at the end at once, writing loses everything.  zero: reading gives zeros without end, writing loses
   everything, mapping gives zero-filled memory.  full: reads as zero, writing finds no space.  Without an option the
   name it is called by decides (zero, full; anything else is null). */

#include "null.h"

#include <error.h>
#include <string.h>

/* The operations that NAME (an option without dashes, or the program's name) means, or NULL. */
static const struct trivfs_ops *ops_by_name(const char *name)
{
    if (strcmp(name, "null") == 0)
        return &null_ops;
    if (strcmp(name, "zero") == 0)
        return &zero_ops;
    if (strcmp(name, "full") == 0)
        return &full_ops;
    return NULL;
}

int main(int argc, char **argv)
{
    const struct trivfs_ops *ops = ops_by_name(program_invocation_short_name);
    if (ops == NULL)
        ops = &null_ops;
    for (int i = 1; i < argc; i++) {
        ops = strncmp(argv[i], "--", 2) == 0 ? ops_by_name(argv[i] + 2) : NULL;
        if (ops == NULL)
            error(2, 0, "unknown argument: %s (try --null, --zero or --full)", argv[i]);
    }
    trivfs_main(ops, NULL, 0);
}
