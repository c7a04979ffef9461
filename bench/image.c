/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image: see image.h. */

#include "image.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

/* ---- functions -------------------------------------------------------------------------------------- */

static void functions_add(struct functions *list, uint64_t address, const char *name)
{
    size_t room = list->count;

    if ((room & (room - 1)) == 0) {
        list->functions = realloc(list->functions, (room ? 2 * room : 1) * sizeof *list->functions);
        if (!list->functions)
            abort();
    }
    struct function *function = &list->functions[list->count++];
    *function = (struct function) { .address = address };
    snprintf(function->name, sizeof function->name, "%s", name);
}

static int function_compare(const void *a, const void *b)
{
    uint64_t left = ((const struct function *) a)->address, right = ((const struct function *) b)->address;

    return left < right ? -1 : left > right;
}

static void functions_sort(struct functions *list)
{
    if (list->count)
        qsort(list->functions, list->count, sizeof *list->functions, function_compare);
}

bool functions_load(struct functions *list, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512], letter, name[IMAGE_NAME_SIZE];
    uint64_t address;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%" SCNx64 " %c %63s", &address, &letter, name) == 3 && strchr("tTwW", letter))
            functions_add(list, address, name);
    if (!file)
        perror(path);
    else
        fclose(file);
    functions_sort(list);
    return list->count > 0;
}

struct function *functions_find(const struct functions *list, uint64_t address)
{
    size_t low = 0, high = list->count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (list->functions[middle].address <= address)
            low = middle;
        else
            high = middle;
    }
    return list->count ? &list->functions[low] : NULL;
}

/* ---- ELF files ---------------------------------------------------------------------------------------- */

static uint8_t *file_load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long length;

    if (file && fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) > 0 && (data = malloc((size_t) length))) {
        rewind(file);
        *size = fread(data, 1, (size_t) length, file);
    }
    if (file)
        fclose(file);
    if (!data)
        perror(path);
    return data;
}

/* True if COUNT things of SIZE bytes at OFFSET are in the file. */
static bool image_reaches(const struct image *image, uint64_t offset, uint64_t count, uint64_t size)
{
    return offset <= image->size && count <= (image->size - offset) / size;
}

static bool segments_read(struct image *image, const Elf64_Ehdr *header)
{
    if (!image_reaches(image, header->e_phoff, header->e_phnum, sizeof(Elf64_Phdr)))
        return false;
    for (unsigned int i = 0; i < header->e_phnum && image->nsegments < IMAGE_SEGMENTS_MAX; i++) {
        Elf64_Phdr segment;

        memcpy(&segment, image->file + header->e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X) ||
            !image_reaches(image, segment.p_offset, segment.p_filesz, 1))
            continue;
        image->segments[image->nsegments].address = segment.p_vaddr;
        image->segments[image->nsegments].size = segment.p_filesz;
        image->segments[image->nsegments++].bytes = image->file + segment.p_offset;
    }
    return true;
}

/* The functions of TABLE, whose names are in NAMES. */
static void symbols_read(struct image *image, const Elf64_Shdr *table, const Elf64_Shdr *names)
{
    if (!image_reaches(image, table->sh_offset, table->sh_size, 1) ||
        !image_reaches(image, names->sh_offset, names->sh_size, 1))
        return;
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table->sh_size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        char name[IMAGE_NAME_SIZE];

        memcpy(&symbol, image->file + table->sh_offset + at, sizeof symbol);
        if ((ELF64_ST_TYPE(symbol.st_info) != STT_FUNC && ELF64_ST_TYPE(symbol.st_info) != STT_NOTYPE) ||
            symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE || symbol.st_name >= names->sh_size)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(names->sh_size - symbol.st_name),
                 (char *)image->file + names->sh_offset + symbol.st_name);
        if (name[0])
            functions_add(&image->functions, symbol.st_value, name);
    }
}

/* Of .symtab if the file has it, else of .dynsym. */
static void image_read_functions(struct image *image, const Elf64_Ehdr *header)
{
    if (header->e_shentsize != sizeof(Elf64_Shdr) ||
        !image_reaches(image, header->e_shoff, header->e_shnum, sizeof(Elf64_Shdr)))
        return;
    for (int pass = 0; pass < 2 && image->functions.count == 0; pass++)
        for (unsigned int i = 0; i < header->e_shnum; i++) {
            Elf64_Shdr table, names;

            memcpy(&table, image->file + header->e_shoff + i * sizeof table, sizeof table);
            if (table.sh_type != (pass == 0 ? SHT_SYMTAB : SHT_DYNSYM) || table.sh_link >= header->e_shnum)
                continue;
            memcpy(&names, image->file + header->e_shoff + table.sh_link * sizeof names, sizeof names);
            symbols_read(image, &table, &names);
        }
    functions_sort(&image->functions);
}

bool image_load(struct image *image, const char *words, bool functions)
{
    const char *colon = strchr(words, ':');
    Elf64_Ehdr header;

    if (!colon || (size_t) (colon - words) >= sizeof image->name || !(image->file = file_load(colon + 1, &image->size)))
        return false;
    memcpy(image->name, words, (size_t) (colon - words));
    if (image->size < sizeof header || memcmp(image->file, ELFMAG, SELFMAG)) {
        fprintf(stderr, "%s: no ELF file\n", colon + 1);
        return false;
    }
    memcpy(&header, image->file, sizeof header);
    if (!segments_read(image, &header))
        return false;
    if (functions)
        image_read_functions(image, &header);
    return true;
}

bool image_has(const struct image *image, uint64_t address, const uint8_t *bytes, size_t size)
{
    bool same = false;

    for (unsigned int k = 0; k < image->nsegments; k++) {
        uint64_t inside = address - image->segments[k].address, room = image->segments[k].size;

        if (inside < room && size <= room - inside)
            same = !memcmp(image->segments[k].bytes + inside, bytes, size);
    }
    return same;
}

bool image_find(struct image *image, uint64_t address, const uint8_t *bytes, size_t size, uint64_t *inside)
{
    *inside = address - image->base;
    if (image_has(image, *inside, bytes, size))
        return true;
    for (unsigned int k = 0; k < image->nsegments; k++) {
        uint64_t first = image->segments[k].address, end = first + image->segments[k].size;

        for (*inside = first / PAGE * PAGE + address % PAGE; *inside < end; *inside += PAGE)
            if (image_has(image, *inside, bytes, size)) {
                image->base = address - *inside;
                return true;
            }
    }
    return false;
}
