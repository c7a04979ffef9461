/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fresh: the set of a file's blocks whose contents on the disk mean nothing yet, as sorted runs that neither overlap
   nor touch.  Files are written in order as a rule, so there is one run, or none.  */

#include "ext2.h"

#include <stdlib.h>
#include <string.h>

/* The first run that ends behind LBLOCK.  */
static unsigned int fresh_find(const struct ext2_inode *inode, uint64_t lblock)
{
    unsigned int low = 0, high = inode->fresh_count;
    while (low < high) {
        unsigned int mid = (low + high) / 2;
        if (inode->fresh[mid].end > lblock)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static error_t fresh_insert(struct ext2_inode *inode, unsigned int at, uint64_t start, uint64_t end)
{
    if (inode->fresh_count == inode->fresh_room) {
        unsigned int room = inode->fresh_room ? inode->fresh_room * 2 : 2;
        struct ext2_range *fresh = realloc(inode->fresh, room * sizeof *fresh);
        if (!fresh)
            return ENOMEM;
        inode->fresh = fresh;
        inode->fresh_room = room;
    }
    memmove(inode->fresh + at + 1, inode->fresh + at, (inode->fresh_count - at) * sizeof *inode->fresh);
    inode->fresh[at] = (struct ext2_range){ start, end };
    inode->fresh_count++;
    return 0;
}

static void fresh_erase(struct ext2_inode *inode, unsigned int from, unsigned int to)
{
    memmove(inode->fresh + from, inode->fresh + to, (inode->fresh_count - to) * sizeof *inode->fresh);
    inode->fresh_count -= to - from;
}

error_t ext2_fresh_add(struct ext2_inode *inode, uint64_t start, uint64_t end)
{
    unsigned int first = fresh_find(inode, start ? start - 1 : 0), last = first;
    while (last < inode->fresh_count && inode->fresh[last].start <= end)
        last++;
    if (first == last)
        return fresh_insert(inode, first, start, end);
    if (inode->fresh[first].start > start)
        inode->fresh[first].start = start;
    inode->fresh[first].end = inode->fresh[last - 1].end > end ? inode->fresh[last - 1].end : end;
    fresh_erase(inode, first + 1, last);
    return 0;
}

void ext2_fresh_remove(struct ext2_inode *inode, uint64_t start, uint64_t end)
{
    for (unsigned int i = fresh_find(inode, start); i < inode->fresh_count && inode->fresh[i].start < end;) {
        struct ext2_range *r = &inode->fresh[i];
        if (r->start >= start && r->end <= end) {
            fresh_erase(inode, i, i + 1);
        } else if (r->start >= start) {
            r->start = end;
        } else if (r->end <= end) {
            r->end = start;
            i++;
        } else {
            /* A hole in the middle.  Without memory for the second half it stays fresh in the map only up to START, and
               the blocks behind END lose their mark; they are in memory, dirty, and will be written.  */
            uint64_t old_end = r->end;
            r->end = start;
            (void)fresh_insert(inode, i + 1, end, old_end);
            return;
        }
    }
}

bool ext2_fresh_test(const struct ext2_inode *inode, uint64_t lblock, uint32_t max, uint32_t *run)
{
    unsigned int i = inode->fresh_count ? fresh_find(inode, lblock) : 0;
    bool inside = i < inode->fresh_count && inode->fresh[i].start <= lblock;
    uint64_t end = inside ? inode->fresh[i].end : i < inode->fresh_count ? inode->fresh[i].start : UINT64_MAX;
    *run = end - lblock < max ? (uint32_t)(end - lblock) : max;
    return inside;
}
