/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: any bytes as a program file, as exec looks at it: headers, plan of the mappings, place, alone and
   as an interpreter beside a usual program.  Whatever is accepted must keep what elf_plan.h promises.

   Sources: servers/exec/elf_plan.c
   Max: 8192  */

#include "../../servers/exec/elf_plan.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT 0x200000000000ull
#define REQUIRE(CONDITION) do { if (!(CONDITION)) abort(); } while (0)

static void segment_check(const struct elf_plan *plan, const struct elf_segment *s, uint64_t *last)
{
    uint64_t start = s->map_size ? s->map_address : s->zero_address, size = s->map_size + s->zero_size;
    REQUIRE(size > 0 && (start | s->map_size | s->zero_size | s->map_offset) % ELF_PLAN_PAGE == 0);
    REQUIRE(start >= *last && start >= plan->low && size <= plan->high - start);
    REQUIRE(!s->map_size || !s->zero_size || s->zero_address == s->map_address + s->map_size);
    REQUIRE(s->map_offset <= (uint64_t) INT64_MAX && s->map_size <= (uint64_t) INT64_MAX - s->map_offset);
    REQUIRE(!s->copy_size || (s->copy_address >= s->zero_address && s->copy_size <= s->zero_size
                              && s->copy_address - s->zero_address <= s->zero_size - s->copy_size));
    REQUIRE(s->copy_offset <= (uint64_t) INT64_MAX && s->copy_size <= (uint64_t) INT64_MAX - s->copy_offset);
    *last = start + size;
}

static void place_check(const struct elf_plan *plan, uint64_t preferred, uint64_t low, uint64_t high)
{
    uint64_t base;
    if (elf_plan_place(plan, preferred, low, high, 256u << 20, LIMIT, &base))
        return;
    REQUIRE(plan->movable || base == 0);
    REQUIRE(plan->high + base <= LIMIT && plan->low + base <= plan->high + base && base % ELF_PLAN_PAGE == 0);
    REQUIRE(plan->high + base <= low || high <= plan->low + base || low == high);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_headers headers;
    struct elf_plan *plan;
    uint64_t last = 0;

    if (elf_plan_headers(data, size, &headers))
        return 0;
    REQUIRE(elf_plan_is_elf(data, size) && headers.size <= ELF_PLAN_HEADERS_MAX);
    if (headers.offset > size || headers.size > size - headers.offset)
        return 0;
    /* Of its own, so that reading beyond is seen. */
    char *table = malloc(headers.size);
    memcpy(table, data + headers.offset, headers.size);
    if (elf_plan_create(data, &headers, table, LIMIT, &plan) == 0) {
        REQUIRE(plan->low < plan->high && plan->high <= LIMIT && plan->segment_count > 0);
        for (unsigned int i = 0; i < plan->segment_count; i++)
            segment_check(plan, &plan->segments[i], &last);
        REQUIRE(plan->interpreter_size != 1 && plan->interpreter_size <= ELF_PLAN_PAGE);
        place_check(plan, 0x08000000, 0, 0);
        place_check(plan, 0x00010000, 0x400000, 0x500000);
        place_check(plan, 0x00010000, 0x10000, LIMIT - 0x1000);
        free(plan);
    }
    free(table);
    return 0;
}
