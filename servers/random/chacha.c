/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ChaCha20's block function, written from RFC 8439.

   The state is a square of four rows of words, and a row is a vector: the quarter rounds on the four columns are one
   on rows, and so are those on the diagonals once the rows are turned so that the diagonals are columns. */

#include "chacha.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the RFC's words are little-endian");

typedef uint32_t row_t __attribute__((vector_size(16)));

/* Each word, BITS to the left. */
static inline row_t rotate(row_t row, int bits)
{
    return row << bits | row >> (32 - bits);
}

/* RFC 8439, 2.1, on all four columns. */
static inline void quarter_rounds(row_t *a, row_t *b, row_t *c, row_t *d)
{
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

void chacha_block(const uint8_t key[CHACHA_KEY], const uint8_t nonce[CHACHA_NONCE], uint32_t counter,
                  uint8_t block[CHACHA_BLOCK])
{
    row_t first[4] = {{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}};
    memcpy(&first[1], key, CHACHA_KEY);
    first[3][0] = counter;
    memcpy((uint8_t *)&first[3] + sizeof counter, nonce, CHACHA_NONCE);

    row_t a = first[0], b = first[1], c = first[2], d = first[3];
    for (int i = 0; i < 10; i++) {
        quarter_rounds(&a, &b, &c, &d);
        b = __builtin_shufflevector(b, b, 1, 2, 3, 0);
        c = __builtin_shufflevector(c, c, 2, 3, 0, 1);
        d = __builtin_shufflevector(d, d, 3, 0, 1, 2);
        quarter_rounds(&a, &b, &c, &d);
        b = __builtin_shufflevector(b, b, 3, 0, 1, 2);
        c = __builtin_shufflevector(c, c, 2, 3, 0, 1);
        d = __builtin_shufflevector(d, d, 1, 2, 3, 0);
    }
    const row_t last[4] = {a + first[0], b + first[1], c + first[2], d + first[3]};
    memcpy(block, last, sizeof last);
}
