/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ChaCha20 against the vectors of RFC 8439, and the generator's habits.  */

#include "unit.h"

#include "generator.h"

UNIT_TEST(chacha_rfc8439_2_3_2)
{
    static const uint8_t nonce[CHACHA_NONCE] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
    static const uint8_t wanted[CHACHA_BLOCK] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4,
        0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e,
        0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2,
        0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
    uint8_t key[CHACHA_KEY], block[CHACHA_BLOCK];
    for (int i = 0; i < CHACHA_KEY; i++)
        key[i] = i;
    chacha_block(key, nonce, 1, block);
    CHECK(memcmp(block, wanted, sizeof block) == 0);
}

UNIT_TEST(chacha_rfc8439_a_1_zero)
{
    static const uint8_t zero[CHACHA_KEY];
    static const uint8_t wanted[CHACHA_BLOCK] = {
        0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
        0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7,
        0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37,
        0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86};
    uint8_t block[CHACHA_BLOCK];
    chacha_block(zero, zero, 0, block);
    CHECK(memcmp(block, wanted, sizeof block) == 0);
}

UNIT_TEST(generator_never_repeats)
{
    struct generator g;
    uint8_t a[200], b[200];
    generator_init(&g);
    generator_stir(&g, "seed", 4);
    generator_read(&g, a, sizeof a);
    generator_read(&g, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(memcmp(a, a + 32, 32) != 0);
}

UNIT_TEST(generator_is_a_function_of_what_was_stirred_in)
{
    struct generator g, h;
    uint8_t a[64], b[64];
    generator_init(&g);
    generator_init(&h);
    generator_stir(&g, "a long seed that takes more than one step of the mixing", 55);
    generator_stir(&h, "a long seed that takes more than one step of the mixing", 55);
    generator_read(&g, a, sizeof a);
    generator_read(&h, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    generator_stir(&g, "x", 1);
    generator_stir(&h, "y", 1);
    generator_read(&g, a, sizeof a);
    generator_read(&h, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    generator_stir(&g, NULL, 0); /* nothing, but not no effect */
    generator_read(&g, a, sizeof a);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

UNIT_TEST(generator_erases_its_key)
{
    struct generator g;
    uint8_t before[CHACHA_KEY], out[8];
    generator_init(&g);
    generator_stir(&g, "seed", 4);
    memcpy(before, g.key, sizeof before);
    generator_read(&g, out, sizeof out);
    CHECK(memcmp(before, g.key, sizeof before) != 0);
    generator_read(&g, out, 0);
    generator_erase(&g);
    for (int i = 0; i < CHACHA_KEY; i++)
        CHECK_EQ(g.key[i], 0);
}

UNIT_TEST(generator_forks_apart)
{
    struct generator g, child;
    uint8_t a[64], b[64];
    generator_init(&g);
    generator_stir(&g, "seed", 4);
    generator_fork(&g, &child);
    generator_read(&g, a, sizeof a);
    generator_read(&child, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

UNIT_TEST(generator_bits_are_balanced)
{
    struct generator g;
    static uint8_t data[100000];
    long ones = 0;
    generator_init(&g);
    generator_read(&g, data, sizeof data);
    for (size_t i = 0; i < sizeof data; i++)
        ones += __builtin_popcount(data[i]);
    CHECK(ones > 398000 && ones < 402000);
}

UNIT_MAIN
