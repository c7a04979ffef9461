/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit test of lib/pager's maps of pages, against a plain array.  */
#include "../../../lib/pager/bits.h"
#include "unit.h"

UNIT_TEST(bits_are_what_an_array_says)
{
    struct bits b = { NULL, 0 };
    bool model[700] = { 0 }, same = true;
    uint64_t seed = 99;
    CHECK(!bits_test(&b, 1000) && !bits_any(&b, 0, 5000));
    bits_clear(&b, 0, UINT64_MAX);
    for (int i = 0; i < 50000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t s = (seed >> 33) % 700, e = s + (seed >> 44) % (701 - s);
        bool set = seed >> 63, any = false;
        if (set)
            CHECK(bits_grow(&b, e));
        uint64_t changed = set ? bits_set(&b, s, e) : bits_clear(&b, s, e), expected = 0;
        for (uint64_t j = s; j < e; j++) {
            expected += model[j] != set;
            model[j] = set;
        }
        same &= changed == expected;
        uint64_t at = (seed >> 20) % 700, to = at + (seed >> 10) % (701 - at);
        for (uint64_t j = at; j < to; j++)
            any |= model[j];
        same &= at == 700 || bits_test(&b, at) == model[at];
        same &= bits_any(&b, at, to) == any;
        uint64_t next = at;
        while (next < to && !model[next])
            next++;
        same &= bits_next(&b, at, to) == next;
        same &= bits_next(&b, 699, 100000) == (model[699] ? 699 : 100000);
    }
    CHECK(same);
    free(b.words);
}

UNIT_MAIN
