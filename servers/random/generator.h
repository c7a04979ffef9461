/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The random generator: ChaCha20 with key erasure.

   Its whole state is a key.  Whatever is given out comes from a key stream whose first half block has already become
   the next key, so who reads the state later learns nothing of what was given out before; what is stirred in changes
   all that comes after.  Knows no message and takes no lock. */

#ifndef RANDOM_GENERATOR_H
#define RANDOM_GENERATOR_H

#include "chacha.h"

#include <stddef.h>

struct generator {
    uint8_t key[CHACHA_KEY];
    uint64_t stirred; /* numbers the inputs, so that equal ones differ */
};

/* A generator that knows nothing yet: give it something unknown before use. */
void generator_init(struct generator *generator);

/* Mixes LENGTH bytes in.  Nobody can make the state more predictable by this, whatever the bytes are. */
void generator_stir(struct generator *generator, const void *data, size_t length);

/* LENGTH random bytes. */
void generator_read(struct generator *generator, void *data, size_t length);

/* A generator of its own for one reader, who then needs no lock. */
void generator_fork(struct generator *generator, struct generator *child);

/* Makes the state unreadable. */
void generator_erase(struct generator *generator);

#endif /* RANDOM_GENERATOR_H */
