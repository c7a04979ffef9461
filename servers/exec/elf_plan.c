/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elf_plan: checks ELF headers and plans the mappings.  See elf_plan.h. */

#include "elf_plan.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

static uint64_t page_down(uint64_t address)
{
    return address & ~(uint64_t) (ELF_PLAN_PAGE - 1);
}

/* The caller knows that ADDRESS is no more than a page below the end of what 64 bits hold. */
static uint64_t page_up(uint64_t address)
{
    return page_down(address + ELF_PLAN_PAGE - 1);
}

bool elf_plan_is_elf(const void *bytes, size_t length)
{
    return length >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

error_t elf_plan_headers(const void *bytes, size_t length, struct elf_headers *headers)
{
    Elf64_Ehdr header;

    if (length < sizeof header || !elf_plan_is_elf(bytes, length))
        return ENOEXEC;
    memcpy(&header, bytes, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB
        || header.e_ident[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT
        || header.e_machine != EM_X86_64 || (header.e_type != ET_EXEC && header.e_type != ET_DYN))
        return ENOEXEC;
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0
        || header.e_phnum > ELF_PLAN_HEADERS_MAX / sizeof(Elf64_Phdr))
        return ENOEXEC;
    if (header.e_phoff > INT64_MAX - ELF_PLAN_HEADERS_MAX)
        return ENOEXEC;
    headers->offset = header.e_phoff;
    headers->size = header.e_phnum * (uint32_t) sizeof(Elf64_Phdr);
    return 0;
}

static int segment_protection(uint32_t flags)
{
    return (flags & PF_R ? ELF_PLAN_READ : 0) | (flags & PF_W ? ELF_PLAN_WRITE : 0)
           | (flags & PF_X ? ELF_PLAN_EXECUTE : 0);
}

/* Numbers that a later sum could overflow are refused here, once for all. */
static bool segment_sane(const Elf64_Phdr *header, uint64_t limit)
{
    return header->p_filesz <= header->p_memsz && header->p_memsz <= limit && header->p_vaddr <= limit
           && header->p_vaddr + header->p_memsz <= page_down(limit)
           && header->p_offset <= (uint64_t) INT64_MAX - ELF_PLAN_PAGE
           && header->p_filesz <= (uint64_t) INT64_MAX - ELF_PLAN_PAGE - header->p_offset
           && (header->p_align & (header->p_align - 1)) == 0;
}

/* Cuts one PT_LOAD with p_memsz > 0.  Where memory and file do not agree inside the page, everything is copied. */
static void segment_cut(const Elf64_Phdr *header, struct elf_segment *segment)
{
    uint64_t file_end = header->p_vaddr + header->p_filesz;
    uint64_t start = page_down(header->p_vaddr), end = page_up(header->p_vaddr + header->p_memsz);
    uint64_t map_end = header->p_filesz < header->p_memsz ? page_down(file_end) : end;

    *segment = (struct elf_segment) { .protection = segment_protection(header->p_flags) };
    if ((header->p_vaddr ^ header->p_offset) % ELF_PLAN_PAGE != 0 || header->p_filesz == 0)
        map_end = start;
    if (map_end > start) {
        segment->map_address = start;
        segment->map_offset = page_down(header->p_offset);
        segment->map_size = map_end - start;
    }
    if (map_end < end) {
        segment->zero_address = map_end;
        segment->zero_size = end - map_end;
    }
    if (header->p_filesz > 0 && file_end > map_end) {
        segment->copy_address = map_end > header->p_vaddr ? map_end : header->p_vaddr;
        segment->copy_offset = header->p_offset + (segment->copy_address - header->p_vaddr);
        segment->copy_size = file_end - segment->copy_address;
    }
}

/* Adds one PT_LOAD to PLAN; its pages must lie above all those before. */
static error_t plan_add(struct elf_plan *plan, const Elf64_Phdr *header, const struct elf_headers *headers,
                        uint64_t limit)
{
    if (!segment_sane(header, limit))
        return ENOEXEC;
    if (header->p_memsz == 0)
        return 0;
    uint64_t start = page_down(header->p_vaddr);
    if (plan->segment_count > 0 && start < plan->high)
        return ENOEXEC;
    if (plan->segment_count == 0)
        plan->low = start;
    plan->high = page_up(header->p_vaddr + header->p_memsz);
    if (header->p_align > plan->align)
        plan->align = header->p_align;
    if (headers->offset >= header->p_offset
        && headers->offset + headers->size <= header->p_offset + header->p_filesz) {
        plan->headers_address = header->p_vaddr + (headers->offset - header->p_offset);
        plan->headers_size = headers->size;
    }
    segment_cut(header, &plan->segments[plan->segment_count++]);
    return 0;
}

static error_t plan_header(struct elf_plan *plan, const Elf64_Phdr *header, const struct elf_headers *headers,
                           uint64_t limit)
{
    switch (header->p_type) {
    case PT_LOAD:
        return plan_add(plan, header, headers, limit);
    case PT_INTERP:
        if (plan->interpreter_size != 0)
            return 0;
        if (header->p_filesz < 2 || header->p_filesz > ELF_PLAN_PAGE || header->p_offset > INT64_MAX - ELF_PLAN_PAGE)
            return ENOEXEC;
        plan->interpreter_offset = header->p_offset;
        plan->interpreter_size = (uint32_t) header->p_filesz;
        return 0;
    case PT_GNU_STACK:
        plan->executable_stack = (header->p_flags & PF_X) != 0;
        plan->stack_size = header->p_memsz;
        return 0;
    default:
        return 0;
    }
}

/* The entry point must be in a page that may be executed. */
static bool plan_entry_sane(const struct elf_plan *plan)
{
    for (unsigned int i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        uint64_t start = segment->map_size ? segment->map_address : segment->zero_address;
        if (plan->entry >= start && plan->entry - start < segment->map_size + segment->zero_size)
            return (segment->protection & ELF_PLAN_EXECUTE) != 0;
    }
    return false;
}

error_t elf_plan_create(const void *bytes, const struct elf_headers *headers, const void *table, uint64_t limit,
                        struct elf_plan **result)
{
    unsigned int count = headers->size / sizeof(Elf64_Phdr);
    struct elf_plan *plan = calloc(1, sizeof *plan + count * sizeof plan->segments[0]);
    error_t err = 0;
    Elf64_Ehdr header;

    if (plan == NULL)
        return ENOMEM;
    memcpy(&header, bytes, sizeof header);
    plan->movable = header.e_type == ET_DYN;
    plan->entry = header.e_entry;
    plan->align = ELF_PLAN_PAGE;
    for (unsigned int i = 0; i < count && err == 0; i++) {
        Elf64_Phdr program;
        memcpy(&program, (const char *) table + i * sizeof program, sizeof program);
        err = plan_header(plan, &program, headers, limit);
    }
    if (err == 0 && (plan->segment_count == 0 || !plan_entry_sane(plan)))
        err = ENOEXEC;
    if (err) {
        free(plan);
        return err;
    }
    *result = plan;
    return 0;
}

error_t elf_plan_place(const struct elf_plan *plan, uint64_t preferred, uint64_t taken_low, uint64_t taken_high,
                       uint64_t gap, uint64_t limit, uint64_t *base)
{
    uint64_t size = plan->high - plan->low, start;

    if (!plan->movable) {
        *base = 0;
        return plan->low < taken_high && taken_low < plan->high ? ENOEXEC : 0;
    }
    if (plan->align > limit || size > limit)
        return ENOEXEC;
    start = (preferred + plan->align - 1) & ~(plan->align - 1);
    if (start < taken_high && taken_low < start + size)
        start = (taken_high + gap + plan->align - 1) & ~(plan->align - 1);
    if (start > limit || size > limit - start)
        return ENOEXEC;
    /* Segments keep their distance to multiples of the alignment. */
    *base = start - (plan->low & ~(plan->align - 1));
    if (plan->high + *base > limit)
        return ENOEXEC;
    return 0;
}
