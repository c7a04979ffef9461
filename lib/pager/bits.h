/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bits: a growing map of bits, one a page.  Bits beyond the map's end are clear.  */
#ifndef PAGER_BITS_H
#define PAGER_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bits { uint64_t *words; uint64_t count; /* words */ };

static inline bool bits_test(const struct bits *b, uint64_t i)
{
    return i / 64 < b->count && b->words[i / 64] >> (i % 64) & 1;
}

/* Makes room for bits up to END.  False: no memory.  */
static inline bool bits_grow(struct bits *b, uint64_t end)
{
    uint64_t count = (end + 63) / 64;
    if (count <= b->count)
        return true;
    if (count < b->count * 2)
        count = b->count * 2;
    uint64_t *words = realloc(b->words, count * sizeof *words);
    if (!words)
        return false;
    memset(words + b->count, 0, (count - b->count) * sizeof *words);
    b->words = words;
    b->count = count;
    return true;
}

/* The bits of [START, END) in the word that holds START.  */
static inline uint64_t bits_mask(uint64_t start, uint64_t end)
{
    uint64_t mask = ~0ull << (start % 64);
    return end / 64 == start / 64 ? mask & ~(~0ull << (end % 64)) : mask;
}

/* Sets [START, END); room must be there.  How many were clear.  */
static inline uint64_t bits_set(struct bits *b, uint64_t start, uint64_t end)
{
    uint64_t changed = 0;
    for (; start < end; start = (start / 64 + 1) * 64) {
        uint64_t *word = &b->words[start / 64], mask = bits_mask(start, end);
        changed += (uint64_t)__builtin_popcountll(mask & ~*word);
        *word |= mask;
    }
    return changed;
}

/* Clears [START, END).  How many were set.  */
static inline uint64_t bits_clear(struct bits *b, uint64_t start, uint64_t end)
{
    uint64_t changed = 0;
    if (end > b->count * 64)
        end = b->count * 64;
    for (; start < end; start = (start / 64 + 1) * 64) {
        uint64_t *word = &b->words[start / 64], mask = bits_mask(start, end);
        changed += (uint64_t)__builtin_popcountll(mask & *word);
        *word &= ~mask;
    }
    return changed;
}

static inline bool bits_any(const struct bits *b, uint64_t start, uint64_t end)
{
    if (end > b->count * 64)
        end = b->count * 64;
    for (; start < end; start = (start / 64 + 1) * 64)
        if (b->words[start / 64] & bits_mask(start, end))
            return true;
    return false;
}

/* The first bit from START on that is set; END if there is none before.  */
static inline uint64_t bits_next(const struct bits *b, uint64_t start, uint64_t end)
{
    uint64_t limit = end > b->count * 64 ? b->count * 64 : end;
    while (start < limit) {
        uint64_t word = b->words[start / 64] & bits_mask(start, limit);
        if (word)
            return start / 64 * 64 + (uint64_t)__builtin_ctzll(word);
        start = (start / 64 + 1) * 64;
    }
    return end;
}

#endif /* PAGER_BITS_H */
