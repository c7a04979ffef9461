/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h: what the test programs that run inside share: a line for each check that fails, and a count at the end. */

#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <errno.h>
#include <stdio.h>

static unsigned int passed, failed;
#define CHECK(CONDITION) \
    ((CONDITION) ? (void)passed++ : (void)(failed++, printf("line %d: %s (errno %d)\n", __LINE__, #CONDITION, errno)))

/* The last line, and main's result. */
static inline int check_end(const char *name)
{
    printf("%s: %u passed, %u failed\n", name, passed, failed);
    return failed != 0;
}

#endif /* TESTS_CHECK_H */
