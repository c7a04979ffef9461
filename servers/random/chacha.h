/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ChaCha20 block function (RFC 8439, section 2.3).  Knows no message and no state.  */

#ifndef RANDOM_CHACHA_H
#define RANDOM_CHACHA_H

#include <stdint.h>

enum { CHACHA_KEY = 32, CHACHA_NONCE = 12, CHACHA_BLOCK = 64 };

/* The block number COUNTER of the key stream of KEY and NONCE. */
void chacha_block(const uint8_t key[CHACHA_KEY], const uint8_t nonce[CHACHA_NONCE], uint32_t counter,
                  uint8_t block[CHACHA_BLOCK]);

#endif /* RANDOM_CHACHA_H */
