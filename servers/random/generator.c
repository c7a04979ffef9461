/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generator of generator.h.  */

#include "generator.h"

#include <string.h>

/* memset that no compiler takes away. */
static void erase(void *data, size_t length)
{
    volatile uint8_t *p = data;
    while (length-- != 0)
        *p++ = 0;
}

static void nonce_make(uint8_t nonce[CHACHA_NONCE], uint64_t number, uint8_t purpose)
{
    memset(nonce, 0, CHACHA_NONCE);
    nonce[0] = purpose;
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = number >> (8 * i);
}

void generator_init(struct generator *generator)
{
    memset(generator, 0, sizeof *generator);
}

void generator_stir(struct generator *generator, const void *data, size_t length)
{
    const uint8_t *in = data;
    uint8_t nonce[CHACHA_NONCE], block[CHACHA_BLOCK];
    do {
        size_t step = length < CHACHA_KEY ? length : CHACHA_KEY;
        for (size_t i = 0; i < step; i++)
            generator->key[i] ^= in[i];
        nonce_make(nonce, ++generator->stirred, 's');
        chacha_block(generator->key, nonce, (uint32_t)step, block);
        memcpy(generator->key, block, CHACHA_KEY);
        in += step;
        length -= step;
    } while (length != 0);
    erase(block, sizeof block);
}

void generator_read(struct generator *generator, void *data, size_t length)
{
    uint8_t *out = data;
    uint8_t nonce[CHACHA_NONCE], block[CHACHA_BLOCK], key[CHACHA_KEY];
    nonce_make(nonce, generator->stirred, 'r');
    memcpy(key, generator->key, CHACHA_KEY);

    /* Block 0: the next key, and the first bytes. */
    chacha_block(key, nonce, 0, block);
    memcpy(generator->key, block, CHACHA_KEY);
    size_t step = length < CHACHA_BLOCK - CHACHA_KEY ? length : CHACHA_BLOCK - CHACHA_KEY;
    memcpy(out, block + CHACHA_KEY, step);
    for (uint32_t counter = 1; (length -= step) != 0; counter++) {
        out += step;
        step = length < CHACHA_BLOCK ? length : CHACHA_BLOCK;
        chacha_block(key, nonce, counter, block);
        memcpy(out, block, step);
    }
    erase(key, sizeof key);
    erase(block, sizeof block);
}

void generator_fork(struct generator *generator, struct generator *child)
{
    generator_init(child);
    generator_read(generator, child->key, CHACHA_KEY);
}

void generator_erase(struct generator *generator)
{
    erase(generator, sizeof *generator);
}
