/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check: see check.h. */

#include "check.h"

unsigned int passed, failed;

int check_end(const char *name)
{
    printf("%s: %u passed, %u failed\n", name, passed, failed);
    return failed != 0;
}
