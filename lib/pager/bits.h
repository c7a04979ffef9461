/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bits: a map of bits, one a page of a file, which may be far longer than what is used of it: memory is taken for the
   parts only (leaves) in which bits are, or were lately, set.  Other bits are clear.

   No lock of its own: whoever looks, too, needs the pager's.  */
#ifndef PAGER_BITS_H
#define PAGER_BITS_H

#include <stdbool.h>
#include <stdint.h>

enum { BITS_LEAF = 1024 };         /* bits of a leaf: 4 MiB of a file */

struct bits_leaf {
    uint64_t index;                /* its first bit is number index * BITS_LEAF */
    uint64_t words[BITS_LEAF / 64];
};

/* All zero: empty.  */
struct bits {
    struct bits_leaf **leaves;     /* in order of index */
    uint32_t count, room;
    uint32_t hint;                 /* where the last search ended */
};

void bits_free(struct bits *b);
/* Makes room for the bits [START, END), until bits are cleared the next time.  False: no memory.  */
bool bits_make_room(struct bits *b, uint64_t start, uint64_t end);
/* Sets [START, END); room must be there.  How many were clear.  */
uint64_t bits_set(struct bits *b, uint64_t start, uint64_t end);
/* Clears [START, END), and gives up leaves that are all clear then.  How many were set.  */
uint64_t bits_clear(struct bits *b, uint64_t start, uint64_t end);
bool bits_test_elsewhere(struct bits *b, uint64_t i);   /* not where the last search ended */
static inline bool bits_test(struct bits *b, uint64_t i)
{
    if (b->hint >= b->count || b->leaves[b->hint]->index != i / BITS_LEAF)
        return b->count > 0 && bits_test_elsewhere(b, i);
    return b->leaves[b->hint]->words[i % BITS_LEAF / 64] >> (i % 64) & 1;
}
bool bits_any(struct bits *b, uint64_t start, uint64_t end);
/* The first bit from START on that is set, or clear; END if there is none before.  */
uint64_t bits_next(struct bits *b, uint64_t start, uint64_t end);
uint64_t bits_next_clear(struct bits *b, uint64_t start, uint64_t end);
/* No bit from there on is set.  */
uint64_t bits_end(const struct bits *b);

#endif /* PAGER_BITS_H */
