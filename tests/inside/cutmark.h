/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs have in common whose writes are cut off by a power cut (cutwriter.c, cutmoves.c): contents that say
   which file they are.  */
#ifndef CUTMARK_H
#define CUTMARK_H

#include <stdio.h>
#include <string.h>

#define BLOCK 4096

/* Block INDEX of the contents of file NUMBER; tests/lib/powercut.py has the same.  */
static inline void block_fill(char *block, int number, int index)
{
    char mark[32];
    int length = snprintf(mark, sizeof mark, "CUT:%d:%d;", number, index);
    for (int at = 0; at < BLOCK; at += length)
        memcpy(block + at, mark, at + length <= BLOCK ? (size_t)length : (size_t)(BLOCK - at));
}

#endif /* CUTMARK_H */
