/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of numbers that cost in proportion to what is in them: a tree whose leaves are words of bits.  For callers that
   lock. */

#ifndef BASE_SPARSE_BITS_H
#define BASE_SPARSE_BITS_H

#include <stdbool.h>
#include <stdint.h>

struct sparse_bits {
    void *root;           /* NULL: empty */
    unsigned int levels;  /* of nodes above the leaves */
};

bool sparse_bits_test(const struct sparse_bits *set, uint64_t number);
/* False: no memory, the set is as it was. */
bool sparse_bits_set(struct sparse_bits *set, uint64_t number);
void sparse_bits_clear(struct sparse_bits *set, uint64_t number);
/* Empties it. */
void sparse_bits_destroy(struct sparse_bits *set);

#endif
