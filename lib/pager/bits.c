/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bits: see bits.h.  Leaves are found by a look at the last one; where it is if the file is used without gaps; or by a
   binary search.  */

#include "bits.h"

#include <stdlib.h>
#include <string.h>

/* Where the first leaf with at least INDEX is.  */
static uint32_t leaf_place(struct bits *b, uint64_t index)
{
    uint32_t hint = b->hint;
    if (hint <= b->count && (hint == b->count || b->leaves[hint]->index >= index)
        && (hint == 0 || b->leaves[hint - 1]->index < index))
        return hint;
    uint64_t gapless = b->count ? index - b->leaves[0]->index : UINT64_MAX;
    if (gapless < b->count && b->leaves[gapless]->index == index)
        return b->hint = (uint32_t)gapless;
    uint32_t low = 0, high = b->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (b->leaves[middle]->index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return b->hint = low;
}

static struct bits_leaf *leaf_find(struct bits *b, uint64_t index)
{
    uint32_t at = leaf_place(b, index);
    return at < b->count && b->leaves[at]->index == index ? b->leaves[at] : NULL;
}

static bool leaf_insert(struct bits *b, uint32_t at, uint64_t index)
{
    if (b->count == b->room) {
        uint32_t room = b->room ? 2 * b->room : 4;
        struct bits_leaf **leaves = realloc(b->leaves, room * sizeof *leaves);
        if (!leaves)
            return false;
        b->leaves = leaves;
        b->room = room;
    }
    struct bits_leaf *leaf = calloc(1, sizeof *leaf);
    if (!leaf)
        return false;
    leaf->index = index;
    memmove(b->leaves + at + 1, b->leaves + at, (b->count - at) * sizeof *b->leaves);
    b->leaves[at] = leaf;
    b->count++;
    return true;
}

void bits_free(struct bits *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        free(b->leaves[i]);
    free(b->leaves);
    *b = (struct bits){ NULL, 0, 0, 0 };
}

bool bits_make_room(struct bits *b, uint64_t start, uint64_t end)
{
    if (start >= end)
        return true;
    for (uint64_t index = start / BITS_LEAF; index <= (end - 1) / BITS_LEAF; index++) {
        uint32_t at = leaf_place(b, index);
        if ((at == b->count || b->leaves[at]->index != index) && !leaf_insert(b, at, index))
            return false;
    }
    return true;
}

/* The bits of [START, END) in the word that holds START, all of which are of one leaf.  */
static uint64_t word_mask(uint64_t start, uint64_t end)
{
    uint64_t mask = ~0ull << (start % 64);
    return end / 64 == start / 64 ? mask & ~(~0ull << (end % 64)) : mask;
}

/* How far a walk from START towards END stays in START's leaf.  */
static uint64_t leaf_stop(uint64_t start, uint64_t end)
{
    uint64_t stop = (start / BITS_LEAF + 1) * BITS_LEAF;
    return stop < end && stop > start ? stop : end;
}

static uint64_t *word_of(struct bits_leaf *leaf, uint64_t bit)
{
    return &leaf->words[bit % BITS_LEAF / 64];
}

uint64_t bits_set(struct bits *b, uint64_t start, uint64_t end)
{
    uint64_t changed = 0;
    while (start < end) {
        uint64_t stop = leaf_stop(start, end);
        struct bits_leaf *leaf = leaf_find(b, start / BITS_LEAF);
        for (; start < stop; start = (start / 64 + 1) * 64) {
            uint64_t *word = word_of(leaf, start), mask = word_mask(start, stop);
            changed += (uint64_t)__builtin_popcountll(mask & ~*word);
            *word |= mask;
        }
        start = stop;
    }
    return changed;
}

static uint64_t leaf_clear(struct bits_leaf *leaf, uint64_t start, uint64_t stop)
{
    uint64_t changed = 0;
    for (; start < stop; start = (start / 64 + 1) * 64) {
        uint64_t *word = word_of(leaf, start), mask = word_mask(start, stop);
        changed += (uint64_t)__builtin_popcountll(mask & *word);
        *word &= ~mask;
    }
    return changed;
}

static bool leaf_is_clear(const struct bits_leaf *leaf)
{
    for (unsigned int i = 0; i < BITS_LEAF / 64; i++)
        if (leaf->words[i])
            return false;
    return true;
}

uint64_t bits_clear(struct bits *b, uint64_t start, uint64_t end)
{
    uint32_t at = leaf_place(b, start / BITS_LEAF), kept = at;
    uint64_t changed = 0;
    for (; at < b->count && b->leaves[at]->index * BITS_LEAF < end; at++) {
        struct bits_leaf *leaf = b->leaves[at];
        uint64_t first = leaf->index * BITS_LEAF;
        if (first < start)
            first = start;
        changed += leaf_clear(leaf, first, leaf_stop(first, end));
        if (b->count > 1 && leaf_is_clear(leaf))        /* a small file's only one will be wanted again */
            free(leaf);
        else
            b->leaves[kept++] = leaf;
    }
    if (kept < at) {
        memmove(b->leaves + kept, b->leaves + at, (b->count - at) * sizeof *b->leaves);
        b->count -= at - kept;
    }
    return changed;
}

bool bits_test_elsewhere(struct bits *b, uint64_t i)
{
    struct bits_leaf *leaf = leaf_find(b, i / BITS_LEAF);
    return leaf && *word_of(leaf, i) >> (i % 64) & 1;
}

uint64_t bits_next(struct bits *b, uint64_t start, uint64_t end)
{
    if (b->count == 0 || start >= end)
        return end;
    for (uint32_t at = leaf_place(b, start / BITS_LEAF); at < b->count; at++) {
        struct bits_leaf *leaf = b->leaves[at];
        uint64_t first = leaf->index * BITS_LEAF;
        if (first < start)
            first = start;
        if (first >= end)
            break;
        for (uint64_t stop = leaf_stop(first, end); first < stop; first = (first / 64 + 1) * 64) {
            uint64_t word = *word_of(leaf, first) & word_mask(first, stop);
            if (word)
                return first / 64 * 64 + (uint64_t)__builtin_ctzll(word);
        }
    }
    return end;
}

bool bits_any(struct bits *b, uint64_t start, uint64_t end)
{
    return start < end && bits_next(b, start, end) < end;
}

uint64_t bits_next_clear(struct bits *b, uint64_t start, uint64_t end)
{
    while (start < end) {
        struct bits_leaf *leaf = leaf_find(b, start / BITS_LEAF);
        if (!leaf)
            return start;
        for (uint64_t stop = leaf_stop(start, end); start < stop; start = (start / 64 + 1) * 64) {
            uint64_t word = ~*word_of(leaf, start) & word_mask(start, stop);
            if (word)
                return start / 64 * 64 + (uint64_t)__builtin_ctzll(word);
        }
    }
    return end;
}

uint64_t bits_end(const struct bits *b)
{
    return b->count ? (b->leaves[b->count - 1]->index + 1) * BITS_LEAF : 0;
}
