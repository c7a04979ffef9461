/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit test of lib/pager's maps of pages, against a plain array.  */
#include "../../../lib/pager/bits.h"
#include "unit.h"

enum { MODEL = 3 * BITS_LEAF + 100 };

UNIT_TEST(bits_are_what_an_array_says)
{
    struct bits b = { NULL, 0, 0, 0 };
    static bool model[MODEL];
    bool same = true;
    uint64_t seed = 99;
    CHECK(!bits_test(&b, 1000) && !bits_any(&b, 0, 5000));
    bits_clear(&b, 0, UINT64_MAX);
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t s = (seed >> 33) % MODEL, e = s + (seed >> 44) % (MODEL + 1 - s);
        bool set = seed >> 63, any = false;
        if (set)
            CHECK(bits_make_room(&b, s, e));
        uint64_t changed = set ? bits_set(&b, s, e) : bits_clear(&b, s, e), expected = 0;
        for (uint64_t j = s; j < e; j++) {
            expected += model[j] != set;
            model[j] = set;
        }
        same &= changed == expected;
        uint64_t at = (seed >> 20) % MODEL, to = at + (seed >> 10) % (MODEL + 1 - at);
        for (uint64_t j = at; j < to; j++)
            any |= model[j];
        same &= bits_test(&b, at) == model[at];
        same &= bits_any(&b, at, to) == any;
        uint64_t next = at;
        while (next < to && !model[next])
            next++;
        same &= bits_next(&b, at, to) == next;
        for (next = at; next < to && model[next]; next++)
            ;
        same &= bits_next_clear(&b, at, to) == next;
        same &= bits_next(&b, MODEL - 1, 100000) == (model[MODEL - 1] ? MODEL - 1 : 100000);
    }
    CHECK(same);
    bits_free(&b);
}

/* Bits that are far from each other cost no more than others; and those that are clear nothing.  */
UNIT_TEST(bits_far_apart)
{
    struct bits b = { NULL, 0, 0, 0 };
    const uint64_t far = 1ull << 42;
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t at = (i * 77 % 200) * far + i;
        CHECK(bits_make_room(&b, at, at + 2));
        CHECK_EQ(bits_set(&b, at, at + 2), 2);
    }
    CHECK_EQ(b.count, 200);
    CHECK_EQ(bits_next(&b, 1, UINT64_MAX), 1);
    CHECK_EQ(bits_next(&b, 2, UINT64_MAX), far + 13);
    CHECK_EQ(bits_next_clear(&b, far + 13, UINT64_MAX), far + 15);
    CHECK(bits_end(&b) > 199 * far && bits_end(&b) <= 200 * far);
    CHECK_EQ(bits_clear(&b, 1, 100 * far), 199);
    CHECK_EQ(b.count, 101);
    CHECK_EQ(bits_clear(&b, 0, UINT64_MAX), 201);
    CHECK_EQ(b.count, 0);
    CHECK(!bits_any(&b, 0, UINT64_MAX) && bits_end(&b) == 0);
    bits_free(&b);
}

UNIT_MAIN
