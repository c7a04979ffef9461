/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash: the hashes of names that a directory's index (dir_index) is sorted by.

   Three kinds, each in a form that takes the bytes of a name as signed and one that takes them as unsigned numbers:
   `legacy`, a multiplicative one; `half_md4`, the first eight steps of each of MD4's three rounds (RFC 1320) over words
   packed from the name; and `tea`, sixteen rounds of the Tiny Encryption Algorithm (Wheeler and Needham).  The last two
   start from the file system's seed.  The lowest bit of a hash is always 0: in the index it marks that names with this
   hash began in the block before.  */

#include "dir.h"

#include <string.h>

#define LAST_HASH 0xfffffffcu            /* one less than the value that means "the end" */

static uint32_t byte_value(char c, bool is_unsigned)
{
    return is_unsigned ? (uint8_t)c : (uint32_t)(int32_t)(signed char)c;
}

/* Packs up to 4 * WORDS bytes of the name, first byte highest; what is missing is filled with the length.  */
static void name_pack(const char *name, size_t length, bool is_unsigned, unsigned int words, uint32_t *out)
{
    uint32_t fill = (uint32_t)length | (uint32_t)length << 8;
    fill |= fill << 16;
    if (length > words * 4)
        length = words * 4;
    for (unsigned int w = 0; w < words; w++) {
        uint32_t value = fill;
        for (unsigned int i = w * 4; i < w * 4 + 4 && i < length; i++)
            value = (value << 8) + byte_value(name[i], is_unsigned);
        out[w] = value;
    }
}

static uint32_t hash_legacy(const char *name, size_t length, bool is_unsigned)
{
    uint32_t now = 0x12a3fe2d, before = 0x37abe8f9;
    for (size_t i = 0; i < length; i++) {
        uint32_t next = before + (now ^ byte_value(name[i], is_unsigned) * 7152373);
        if (next & 0x80000000)
            next -= 0x7fffffff;
        before = now;
        now = next;
    }
    return now << 1;
}

static uint32_t rotate(uint32_t x, unsigned int n)
{
    return x << n | x >> (32 - n);
}

/* One round of MD4: eight steps; ORDER says which word each adds, SHIFT how far it turns.  */
static void md4_round(uint32_t s[4], const uint32_t *in, unsigned int round)
{
    static const uint8_t order[3][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 7, 2, 6, 1, 5, 0, 4}};
    static const uint8_t shift[3][4] = { { 3, 7, 11, 19 }, { 3, 5, 9, 13 }, { 3, 9, 11, 15 } };
    static const uint32_t add[3] = { 0, 0x5a827999, 0x6ed9eba1 };
    for (unsigned int i = 0; i < 8; i++) {
        uint32_t *a = &s[(0u - i) & 3], b = s[(1u - i) & 3], c = s[(2u - i) & 3], d = s[(3u - i) & 3], f;
        if (round == 0)
            f = d ^ (b & (c ^ d));
        else if (round == 1)
            f = (b & c) + ((b ^ c) & d);
        else
            f = b ^ c ^ d;
        *a = rotate(*a + f + in[order[round][i]] + add[round], shift[round][i & 3]);
    }
}

static void half_md4_mix(uint32_t state[4], const uint32_t in[8])
{
    uint32_t s[4];
    memcpy(s, state, sizeof s);
    for (unsigned int round = 0; round < 3; round++)
        md4_round(s, in, round);
    for (unsigned int i = 0; i < 4; i++)
        state[i] += s[i];
}

static void tea_mix(uint32_t state[4], const uint32_t in[4])
{
    uint32_t sum = 0, x = state[0], y = state[1];
    for (unsigned int round = 0; round < 16; round++) {
        sum += 0x9e3779b9;
        x += ((y << 4) + in[0]) ^ (y + sum) ^ ((y >> 5) + in[1]);
        y += ((x << 4) + in[2]) ^ (x + sum) ^ ((x >> 5) + in[3]);
    }
    state[0] += x;
    state[1] += y;
}

uint32_t ext2_dir_hash(unsigned int version, const uint32_t seed[4], const char *name, size_t length)
{
    uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 }, in[8], hash;
    bool is_unsigned = version >= HASH_UNSIGNED, md4 = version % HASH_UNSIGNED == HASH_HALF_MD4;
    if (version % HASH_UNSIGNED == HASH_LEGACY) {
        hash = hash_legacy(name, length, is_unsigned);
    } else {
        if (seed[0] | seed[1] | seed[2] | seed[3])
            memcpy(state, seed, sizeof state);
        size_t step = md4 ? 32 : 16;
        for (size_t at = 0; at < length; at += step) {
            name_pack(name + at, length - at, is_unsigned, md4 ? 8 : 4, in);
            if (md4)
                half_md4_mix(state, in);
            else
                tea_mix(state, in);
        }
        hash = md4 ? state[1] : state[0];
    }
    hash &= ~1u;
    return hash > LAST_HASH ? LAST_HASH : hash;
}
