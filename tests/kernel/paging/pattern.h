/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern.h: what the tests write into pages: words each of which follows from the one before, the first from the
   page's number and a generation. */

#ifndef TESTS_KERNEL_PAGING_PATTERN_H
#define TESTS_KERNEL_PAGING_PATTERN_H

#include <stdint.h>

/* The word behind WORD; zeros are followed by zeros. */
static inline uint64_t pattern_next(uint64_t word)
{
    return word ? (word * 6364136223846793005 + 1442695040888963407) | 1 : 0;
}

/* Fills page NUMBER of MEMORY as GENERATION (not 0) says. */
void pattern_write(void *memory, long number, unsigned int generation);
/* The first page of [FIRST, LAST) of MEMORY that is not as GENERATION says, or -1. */
long pattern_check(const void *memory, long first, long last, unsigned int generation);

#endif /* TESTS_KERNEL_PAGING_PATTERN_H */
