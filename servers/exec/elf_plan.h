/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elf_plan: from the headers of an ELF64 file for x86_64 to the list of mappings that make it run.

   Pure functions: they see bytes and answer with numbers, know no message and no file, and run in unit tests and
   fuzzers on the host.  Whatever is damaged gives ENOEXEC; nothing that a file says is believed without a check.

   Source: System V ABI, generic part (ELF-64 object file format) and its AMD64 supplement.  */

#ifndef EXEC_ELF_PLAN_H
#define EXEC_ELF_PLAN_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_PLAN_PAGE 4096u

/* The program headers of one file may be that large together; Linux has the same limit. */
#define ELF_PLAN_HEADERS_MAX 65536u

#define ELF_PLAN_READ 1
#define ELF_PLAN_WRITE 2
#define ELF_PLAN_EXECUTE 4

/* One PT_LOAD, cut at page borders.  Addresses are those of the file: a movable program adds its base.  The three parts
   do not overlap, except that the copied bytes lie inside the zero pages. */
struct elf_segment {
    uint64_t map_address, map_offset, map_size;    /* whole pages mapped from the file; size 0: none */
    uint64_t zero_address, zero_size;              /* whole pages of fresh zeroed memory; size 0: none */
    uint64_t copy_address, copy_offset, copy_size; /* bytes of the file that belong into the zero pages; size 0: none */
    int protection;                                /* or of ELF_PLAN_* */
};

struct elf_plan {
    bool movable;              /* ET_DYN: any base will do that is a multiple of `align` */
    bool executable_stack;     /* PT_GNU_STACK asks for it */
    uint64_t align;            /* the largest alignment of a segment, at least a page */
    uint64_t entry;            /* address of the first instruction */
    uint64_t low, high;        /* all segments lie between these two page borders */
    uint64_t headers_address;  /* where the program headers are in memory; 0: they are not */
    uint64_t headers_size;     /* their bytes */
    uint64_t stack_size;       /* PT_GNU_STACK's wish in bytes; 0: none */
    uint64_t interpreter_offset; /* the name of the program interpreter in the file */
    uint32_t interpreter_size;   /* its bytes with the NUL; 0: the program needs none */
    unsigned int segment_count;
    struct elf_segment segments[]; /* ascending */
};

/* Where the program headers are in the file. */
struct elf_headers {
    uint64_t offset;
    uint32_t size;   /* bytes, at most ELF_PLAN_HEADERS_MAX */
};

/* Is BYTES, the first LENGTH bytes of a file, the beginning of an ELF file at all (good or bad)? */
bool elf_plan_is_elf(const void *bytes, size_t length);

/* Checks the ELF header in BYTES, the first LENGTH bytes of the file, and says where the program headers are.
   ENOEXEC: no program for this machine. */
error_t elf_plan_headers(const void *bytes, size_t length, struct elf_headers *headers);

/* Makes the plan of a program from its ELF header (as checked by elf_plan_headers) and its program headers,
   HEADERS->size bytes at TABLE (alignment does not matter).  No address of it will be LIMIT or above.  *PLAN is
   malloc'd, the caller's. ENOEXEC, ENOMEM. */
error_t elf_plan_create(const void *bytes, const struct elf_headers *headers, const void *table, uint64_t limit,
                        struct elf_plan **plan);

/* A base for PLAN: PREFERRED rounded up to its alignment, or, where that would touch [TAKEN_LOW, TAKEN_HIGH), the first
   one after TAKEN_HIGH + GAP; what is added to the plan's addresses in *BASE.  0 for a plan that is not movable.
   ENOEXEC when it does not fit below LIMIT or a fixed one touches what is taken. */
error_t elf_plan_place(const struct elf_plan *plan, uint64_t preferred, uint64_t taken_low, uint64_t taken_high,
                       uint64_t gap, uint64_t limit, uint64_t *base);

#endif
