/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec: plans of ELF files good and damaged, placement, `#!` lines. */

#include "../../../servers/exec/elf_plan.h"
#include "../../../servers/exec/script.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define LIMIT 0x7fff00000000ull

struct file {
    Elf64_Ehdr header;
    Elf64_Phdr programs[4];
};

static struct file usual_file(void)
{
    struct file file = { .header = {
        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_entry = 0x401020,
        .e_phoff = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 4 } };
    file.programs[0] = (Elf64_Phdr) { PT_LOAD, PF_R, 0, 0x400000, 0x400000, 0x500, 0x500, 0x1000 };
    file.programs[1] = (Elf64_Phdr) { PT_LOAD, PF_R | PF_X, 0x1000, 0x401000, 0x401000, 0x1234, 0x1234, 0x1000 };
    file.programs[2] = (Elf64_Phdr) { PT_LOAD, PF_R | PF_W, 0x2e10, 0x404e10, 0x404e10, 0x300, 0x3000, 0x1000 };
    file.programs[3] = (Elf64_Phdr) { PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16 };
    return file;
}

static error_t plan(const struct file *file, struct elf_plan **result)
{
    struct elf_headers headers;
    error_t err = elf_plan_headers(file, sizeof *file, &headers);
    if (err)
        return err;
    if (headers.offset + headers.size > sizeof *file)
        return EFBIG;
    return elf_plan_create(file, &headers, (const char *) file + headers.offset, LIMIT, result);
}

UNIT_TEST(usual)
{
    struct file file = usual_file();
    struct elf_plan *p = NULL;
    CHECK(plan(&file, &p) == 0);
    CHECK(!p->movable && p->segment_count == 3 && p->low == 0x400000 && p->high == 0x408000);
    CHECK(p->headers_address == 0x400040 && p->headers_size == 4 * sizeof(Elf64_Phdr));
    CHECK(p->interpreter_size == 0 && !p->executable_stack && p->entry == 0x401020);
    CHECK(p->segments[1].map_address == 0x401000 && p->segments[1].map_size == 0x2000 && p->segments[1].zero_size == 0);
    CHECK(p->segments[1].protection == (ELF_PLAN_READ | ELF_PLAN_EXECUTE));
    const struct elf_segment *data = &p->segments[2];
    CHECK(data->map_address == 0x404000 && data->map_offset == 0x2000 && data->map_size == 0x1000);
    CHECK(data->zero_address == 0x405000 && data->zero_size == 0x3000);
    CHECK(data->copy_address == 0x405000 && data->copy_offset == 0x3000 && data->copy_size == 0x110);
    free(p);
}

UNIT_TEST(pieces)
{
    struct file file = usual_file();
    struct elf_plan *p = NULL;
    /* Data that end at a page border need no copy; bss alone maps nothing. */
    file.programs[2] = (Elf64_Phdr) { PT_LOAD, PF_R | PF_W, 0x3000, 0x405000, 0, 0x1000, 0x1800, 0x1000 };
    CHECK(plan(&file, &p) == 0 && p->segments[2].copy_size == 0 && p->segments[2].map_size == 0x1000);
    CHECK(p->segments[2].zero_address == 0x406000 && p->segments[2].zero_size == 0x1000);
    free(p);
    file.programs[2] = (Elf64_Phdr) { PT_LOAD, PF_R | PF_W, 0x3010, 0x405010, 0, 0, 0x1800, 0x1000 };
    CHECK(plan(&file, &p) == 0 && p->segments[2].map_size == 0 && p->segments[2].zero_address == 0x405000);
    CHECK(p->segments[2].zero_size == 0x2000 && p->segments[2].copy_size == 0);
    free(p);
    /* File and memory disagree inside the page: everything is copied. */
    file.programs[2] = (Elf64_Phdr) { PT_LOAD, PF_R | PF_W, 0x3000, 0x405010, 0, 0x2000, 0x2000, 16 };
    CHECK(plan(&file, &p) == 0 && p->segments[2].map_size == 0 && p->segments[2].copy_address == 0x405010);
    CHECK(p->segments[2].copy_size == 0x2000 && p->segments[2].copy_offset == 0x3000 &&
          p->segments[2].zero_size == 0x3000);
    free(p);
    /* Small data inside one page. */
    file.programs[2] = (Elf64_Phdr) { PT_LOAD, PF_R | PF_W, 0x3020, 0x405020, 0, 0x10, 0x20, 0x1000 };
    CHECK(plan(&file, &p) == 0 && p->segments[2].map_size == 0 && p->segments[2].copy_address == 0x405020);
    CHECK(p->segments[2].copy_size == 0x10 && p->segments[2].copy_offset == 0x3020 &&
          p->segments[2].zero_address == 0x405000);
    free(p);
}

static void expect_bad(const char *what, const struct file *file)
{
    struct elf_plan *p = NULL;
    error_t err = plan(file, &p);
    if (err != ENOEXEC)
        printf("%s: gives %d\n", what, err);
    CHECK(err == ENOEXEC);
    if (!err)
        free(p);
}

UNIT_TEST(damaged)
{
    struct file good = usual_file(), bad;
#define BAD(WHAT) do { bad = good; WHAT; expect_bad(#WHAT, &bad); } while (0)
    BAD(bad.header.e_ident[EI_CLASS] = ELFCLASS32);
    BAD(bad.header.e_ident[EI_DATA] = ELFDATA2MSB);
    BAD(bad.header.e_machine = EM_386);
    BAD(bad.header.e_type = ET_REL);
    BAD(bad.header.e_phnum = 0);
    BAD(bad.header.e_phnum = 0xffff);
    BAD(bad.header.e_phentsize = 32);
    BAD(bad.header.e_phoff = UINT64_MAX - 8);
    BAD(bad.header.e_entry = 0x400010);
    BAD(bad.header.e_entry = 0);
    BAD(bad.programs[2].p_filesz = 0x4000);
    BAD(bad.programs[2].p_memsz = UINT64_MAX);
    BAD(bad.programs[2].p_memsz = LIMIT);
    BAD(bad.programs[2].p_vaddr = UINT64_MAX - 0x1000);
    BAD(bad.programs[2].p_vaddr = 0x402000);
    BAD(bad.programs[2].p_align = 0x1001);
    BAD(bad.programs[2].p_offset = UINT64_MAX - 0xfff);
    BAD(bad.programs[3].p_type = PT_INTERP);
    BAD((bad.programs[3].p_type = PT_INTERP, bad.programs[3].p_filesz = 1u << 20));
#undef BAD
    struct elf_headers headers;
    for (size_t length = 0; length < sizeof good.header; length++)
        CHECK(elf_plan_headers(&good, length, &headers) == ENOEXEC);
}

/* Is what a plan says consistent, and what elf_plan.h promises? */
static bool plan_sane(const struct elf_plan *p)
{
    uint64_t last = 0, base;
    bool sane = p->segment_count > 0;
    for (unsigned int i = 0; i < p->segment_count; i++) {
        const struct elf_segment *s = &p->segments[i];
        uint64_t start = s->map_size ? s->map_address : s->zero_address;
        sane &= start >= last && start >= p->low && (s->map_size | s->zero_size | start | s->map_offset) % 4096 == 0;
        sane &= s->map_size == 0 || s->zero_size == 0 || s->zero_address == s->map_address + s->map_size;
        last = start + s->map_size + s->zero_size;
        sane &= last <= p->high && p->high <= LIMIT;
        sane &= s->copy_size == 0 || (s->copy_address >= s->zero_address
                                      && s->copy_address + s->copy_size <= s->zero_address + s->zero_size);
    }
    if (elf_plan_place(p, 0x08000000, 0, 0, 0, LIMIT, &base) == 0)
        sane &= p->high + base <= LIMIT && (p->movable || base == 0);
    return sane;
}

/* Random damage must never get past the checks with nonsense (the sanitizers watch the rest). */
UNIT_TEST(random)
{
    unsigned int seed = 1, accepted = 0;
    bool sane = true;
    for (int round = 0; round < 200000; round++) {
        struct file file = usual_file();
        for (int n = rand_r(&seed) % 3; n >= 0; n--) {
            size_t at = 16 + rand_r(&seed) % (sizeof file - 16);
            ((unsigned char *) &file)[at] = (unsigned char) (rand_r(&seed) % 5 ? rand_r(&seed) : 0xff);
        }
        struct elf_plan *p = NULL;
        if (plan(&file, &p))
            continue;
        accepted++;
        sane &= plan_sane(p);
        free(p);
    }
    CHECK(sane);
    CHECK(accepted > 1000);
}

/* Every field of every header, alone and with each of its program header's others, takes every value that is at the
   edge of something. */
UNIT_TEST(systematic)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     3,
                                     7,
                                     56,
                                     64,
                                     0xfff,
                                     0x1000,
                                     0x1001,
                                     0x1fff,
                                     0x2000,
                                     0x400000,
                                     0x401000,
                                     0x402000,
                                     0x404e10,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     LIMIT - 0x1000,
                                     LIMIT - 1,
                                     LIMIT,
                                     LIMIT + 1,
                                     INT64_MAX - 0x1000,
                                     INT64_MAX,
                                     1ull << 63,
                                     UINT64_MAX - 0xfff,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
    enum { EDGES = sizeof edges / sizeof *edges, WORDS = sizeof(struct file) / 8, WORDS_PHDR = sizeof(Elf64_Phdr) / 8 };
    unsigned int accepted = 0, refused = 0, wrong = 0;
    for (size_t first = 2; first < WORDS; first++) {
        size_t group = first < sizeof(Elf64_Ehdr) / 8
                           ? WORDS
                           : first + WORDS_PHDR - (first - sizeof(Elf64_Ehdr) / 8) % WORDS_PHDR;
        for (size_t second = first; second < (group < WORDS ? group : first + 1); second++)
            for (size_t i = 0; i < EDGES * EDGES; i++) {
                struct file file = usual_file();
                struct elf_plan *p = NULL;
                memcpy((char *) &file + 8 * first, &edges[i / EDGES], 8);
                if (second != first)
                    memcpy((char *) &file + 8 * second, &edges[i % EDGES], 8);
                else if (i % EDGES)
                    continue;
                error_t err = plan(&file, &p);
                accepted += !err;
                refused += err == ENOEXEC;
                wrong += err ? err != ENOEXEC && err != EFBIG : !plan_sane(p);
                free(p);
            }
    }
    CHECK_EQ(wrong, 0);
    CHECK(accepted > 500 && refused > 5000);
}

UNIT_TEST(place)
{
    struct file file = usual_file();
    struct elf_plan *p = NULL;
    uint64_t base;
    CHECK(plan(&file, &p) == 0);
    CHECK(elf_plan_place(p, 0x10000, 0, 0, 0, LIMIT, &base) == 0 && base == 0);
    CHECK(elf_plan_place(p, 0x10000, 0x404000, 0x500000, 0, LIMIT, &base) == ENOEXEC);
    p->movable = true;
    CHECK(elf_plan_place(p, 0x10000, 0x404000, 0x500000, 0x1000, LIMIT, &base) == 0 && base + p->low == 0x10000);
    CHECK(elf_plan_place(p, 0x10000, 0x12000, 0x500000, 0x1000, LIMIT, &base) == 0 && base + p->low == 0x501000);
    CHECK(elf_plan_place(p, 0x10000, 0x12000, LIMIT - 0x1000, 0x1000, LIMIT, &base) == ENOEXEC);
    p->align = 0x200000;
    CHECK(elf_plan_place(p, 0x10000, 0, 0, 0, LIMIT, &base) == 0 && base % 0x200000 == 0);
    free(p);
}

static void expect_script(const char *text, bool whole, const char *want_interpreter, const char *want_argument)
{
    char bytes[256], *interpreter, *argument;
    size_t length = strlen(text);
    memcpy(bytes, text, length);
    error_t err = script_parse(bytes, length, whole, &interpreter, &argument);
    CHECK(err == (want_interpreter ? 0 : ENOEXEC));
    if (err || !want_interpreter)
        return;
    CHECK(strcmp(interpreter, want_interpreter) == 0);
    CHECK(want_argument ? argument && strcmp(argument, want_argument) == 0 : argument == NULL);
}

UNIT_TEST(script)
{
    CHECK(script_is_script("#!/bin/sh", 9) && !script_is_script("#", 1) && !script_is_script("\177ELF", 4));
    expect_script("#!/bin/sh\necho\n", true, "/bin/sh", NULL);
    expect_script("#! \t/bin/sh \t\n", true, "/bin/sh", NULL);
    expect_script("#!/bin/sh -e -x  \r\nfoo", false, "/bin/sh", "-e -x");
    expect_script("#!/bin/sh", true, "/bin/sh", NULL);
    expect_script("#!/bin/sh", false, NULL, NULL);
    expect_script("#!\n", true, NULL, NULL);
    expect_script("#!   \t \n/bin/sh\n", true, NULL, NULL);

    char *result;
    size_t length;
    CHECK(script_arguments("/bin/sh", "-e", "./s", "s\0a\0b", 6, &result, &length) == 0);
    CHECK(length == 19 && memcmp(result, "/bin/sh\0-e\0./s\0a\0b", 19) == 0);
    free(result);
    CHECK(script_arguments("/bin/sh", NULL, "./s", "", 0, &result, &length) == 0);
    CHECK(length == 12 && memcmp(result, "/bin/sh\0./s", 12) == 0);
    free(result);
    CHECK(script_arguments("/i", NULL, "s", "noend", 5, &result, &length) == 0 && length == 5);
    free(result);
}

UNIT_MAIN
