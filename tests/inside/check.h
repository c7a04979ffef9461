/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h: what the test programs that run inside share: a line for each check that fails, and a count at the end. */

#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <errno.h>
#include <stdio.h>

extern unsigned int passed, failed; /* checks of this process */
#define CHECK(CONDITION) \
    ((CONDITION) ? (void)passed++ \
                 : (void)(failed++, printf("%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #CONDITION, errno)))

/* The last line, and main's result. */
int check_end(const char *name);

#endif /* TESTS_CHECK_H */
