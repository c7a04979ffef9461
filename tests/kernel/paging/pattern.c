/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contents of pages (pattern.h). */

#include "pattern.h"

#include "store.h"

static uint64_t first_word(long number, unsigned int generation)
{
    return ((uint64_t)number << 20 | generation) * 0x9e3779b97f4a7c15 | 1;
}

void pattern_write(void *memory, long number, unsigned int generation)
{
    uint64_t *page = (uint64_t *)memory + number * PAGE_WORDS, word = first_word(number, generation);
    for (int i = 0; i < PAGE_WORDS; i++, word = pattern_next(word))
        page[i] = word;
}

long pattern_check(const void *memory, long first, long last, unsigned int generation)
{
    for (long number = first; number < last; number++) {
        const volatile uint64_t *page = (const uint64_t *)memory + number * PAGE_WORDS;
        uint64_t word = first_word(number, generation);
        for (int i = 0; i < PAGE_WORDS; i++, word = pattern_next(word))
            if (page[i] != word)
                return number;
    }
    return -1;
}
