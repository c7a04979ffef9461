/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF files of boot modules: static programs, and position-independent ones such as the dynamic loader. */

#include "load.h"

#include "../task/task.h"
#include "../vm/map.h"

#define STACK_TOP 0x7ffffffff000ul
#define STACK_SIZE (1ul << 20)
#define DYNAMIC_BASE 0x40000000ul /* where a file that may lie anywhere lies */
#define ARGUMENTS_MAX 512

struct elf_header {
    unsigned char ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, program_size, program_count, section_size, section_count, names;
};

struct elf_program {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_size, memory_size, align;
};

enum {
    ELF_EXECUTABLE = 2,
    ELF_SHARED = 3,
    ELF_X86_64 = 62,
    PROGRAM_LOAD = 1,
    FLAG_EXECUTE = 1,
    FLAG_WRITE = 2,
    FLAG_READ = 4
};

/* Writes kernel memory into TASK at ADDRESS, which is mapped. */
static bool put(struct task *task, uint64_t address, const void *data, size_t size)
{
    struct vm_copy *copy = size ? vm_copy_from_kernel(data, size) : NULL;
    if (size == 0)
        return true;
    if (copy == NULL)
        return false;
    if (vm_map_copy_overwrite(task->map, address, copy)) {
        vm_copy_discard(copy);
        return false;
    }
    return true;
}

static const char *segment_load(struct task *task, const struct elf_program *segment, const char *image, size_t size,
                                uint64_t base)
{
    if (segment->file_size > segment->memory_size || segment->offset > size ||
        segment->file_size > size - segment->offset)
        return "a segment lies outside the file";
    uint64_t start = align_down(base + segment->address, PAGE_SIZE);
    uint64_t end = align_up(base + segment->address + segment->memory_size, PAGE_SIZE);
    if (end <= start || end > MAP_MAX || base + segment->address < segment->address)
        return "a segment lies outside the address space";
    if (vm_map_allocate(task->map, &start, end - start, false))
        return "two segments overlap, or there is no memory";
    if (!put(task, base + segment->address, image + segment->offset, segment->file_size))
        return "no memory for a segment";
    vm_prot_t protection = (segment->flags & FLAG_READ ? VM_PROT_READ : 0) |
                           (segment->flags & FLAG_WRITE ? VM_PROT_WRITE : 0) |
                           (segment->flags & FLAG_EXECUTE ? VM_PROT_EXECUTE : 0);
    vm_map_protect(task->map, start, end, protection, false);
    return NULL;
}

static const char *segments_load(struct task *task, const struct elf_header *elf, const char *image, size_t size,
                                 uint64_t *entry)
{
    if (size < sizeof *elf || memcmp(elf->ident, "\177ELF\2\1\1", 7) || elf->machine != ELF_X86_64)
        return "not a 64-bit x86 ELF file";
    if (elf->type != ELF_EXECUTABLE && elf->type != ELF_SHARED)
        return "not a program";
    if (elf->program_size != sizeof(struct elf_program) || elf->program_offset > size ||
        (uint64_t)elf->program_count * sizeof(struct elf_program) > size - elf->program_offset)
        return "the program headers lie outside the file";
    uint64_t base = elf->type == ELF_SHARED ? DYNAMIC_BASE : 0;
    for (unsigned int i = 0; i < elf->program_count; i++) {
        struct elf_program segment;
        memcpy(&segment, image + elf->program_offset + i * sizeof segment, sizeof segment);
        const char *why = segment.type == PROGRAM_LOAD && segment.memory_size
                              ? segment_load(task, &segment, image, size, base)
                              : NULL;
        if (why)
            return why;
    }
    *entry = base + elf->entry;
    return NULL;
}

/* argc, the argument pointers, NULL, an empty environment, and the strings at the top. */
static const char *stack_make(struct task *task, const char *arguments, unsigned int count, size_t used,
                              uint64_t *pointer)
{
    uint64_t words[ARGUMENTS_MAX + 3], bottom = STACK_TOP - STACK_SIZE;
    if (count > ARGUMENTS_MAX)
        return "too many arguments";
    if (vm_map_allocate(task->map, &bottom, STACK_SIZE, false))
        return "no memory for a stack";
    /* The C library takes what lies between the environment and the strings for other data: they follow at once. */
    uint64_t size = (count + 3) * sizeof *words;
    *pointer = align_down(STACK_TOP - size - used, 16ul);
    uint64_t strings = *pointer + size;
    size_t at = 0;
    words[0] = count;
    for (unsigned int i = 0; i < count; i++) {
        words[1 + i] = strings + at;
        at += strlen(arguments + at) + 1;
    }
    words[1 + count] = words[2 + count] = 0;
    return put(task, strings, arguments, used) && put(task, *pointer, words, size) ? NULL : "no memory for a stack";
}

const char *load_program(struct task *task, const void *image, size_t size, const char *arguments, unsigned int count,
                         size_t used)
{
    uint64_t entry, stack;
    struct thread *thread;
    const char *why = segments_load(task, image, image, size, &entry);
    if (why == NULL)
        why = stack_make(task, arguments, count, used, &stack);
    if (why == NULL && thread_make(task, &thread))
        why = "no memory for a thread";
    if (why)
        return why;
    struct trap_frame *frame = thread_frame(thread);
    frame->rip = entry;
    frame->rsp = stack;
    thread_unhold(thread);
    thread_deref(thread);
    return NULL;
}
