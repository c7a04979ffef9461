/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sparse sets of numbers: leaves of 512 bits below nodes of 64 pointers.  The tree grows at its root when a number does
   not fit; it is taken down as a whole. */

#include "sparse_bits.h"

#include "base.h"

#define LEAF_BITS 9
#define NODE_BITS 6
#define LEAF_SIZE (1u << LEAF_BITS >> 3)
#define NODE_FANOUT (1u << NODE_BITS)

struct node {
    void *below[NODE_FANOUT];
};

/* How many numbers a tree of LEVELS holds, as a power of two. */
static inline unsigned int capacity_log(unsigned int levels)
{
    return LEAF_BITS + NODE_BITS * levels;
}

static inline bool fits(unsigned int levels, uint64_t number)
{
    return capacity_log(levels) >= 64 || number >> capacity_log(levels) == 0;
}

static inline unsigned int slot_of(uint64_t number, unsigned int level)
{
    return number >> capacity_log(level - 1) & (NODE_FANOUT - 1);
}

/* The leaf's word for NUMBER, or NULL. */
static uint64_t *word_find(const struct sparse_bits *set, uint64_t number)
{
    void *at = set->root;
    if (at == NULL || !fits(set->levels, number))
        return NULL;
    for (unsigned int level = set->levels; level > 0 && at; level--)
        at = ((struct node *)at)->below[slot_of(number, level)];
    return at ? (uint64_t *)at + (number >> 6 & ((1u << LEAF_BITS >> 6) - 1)) : NULL;
}

static void *zeroed(size_t size)
{
    void *memory = kalloc(size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

bool sparse_bits_test(const struct sparse_bits *set, uint64_t number)
{
    const uint64_t *word = word_find(set, number);
    return word && *word >> (number & 63) & 1;
}

bool sparse_bits_set(struct sparse_bits *set, uint64_t number)
{
    while (set->root && !fits(set->levels, number)) {
        struct node *node = zeroed(sizeof *node);
        if (node == NULL)
            return false;
        node->below[0] = set->root;
        set->root = node;
        set->levels++;
    }
    if (set->root == NULL)
        while (!fits(set->levels, number))
            set->levels++;
    void **at = &set->root;
    for (unsigned int level = set->levels; level > 0; level--) {
        if (*at == NULL && (*at = zeroed(sizeof(struct node))) == NULL)
            return false;
        at = &((struct node *)*at)->below[slot_of(number, level)];
    }
    if (*at == NULL && (*at = zeroed(LEAF_SIZE)) == NULL)
        return false;
    *word_find(set, number) |= 1ul << (number & 63);
    return true;
}

void sparse_bits_clear(struct sparse_bits *set, uint64_t number)
{
    uint64_t *word = word_find(set, number);
    if (word)
        *word &= ~(1ul << (number & 63));
}

static void tree_free(void *at, unsigned int level)
{
    if (at == NULL)
        return;
    if (level == 0) {
        kfree(at, LEAF_SIZE);
        return;
    }
    struct node *node = at;
    for (unsigned int i = 0; i < NODE_FANOUT; i++)
        tree_free(node->below[i], level - 1);
    kfree(node, sizeof *node);
}

void sparse_bits_destroy(struct sparse_bits *set)
{
    tree_free(set->root, set->levels);
    *set = (struct sparse_bits){0};
}
