/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.h: what the plugin (count.c) knows of programs and libraries: the code in their files, and its functions. */

#ifndef BENCH_IMAGE_H
#define BENCH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMAGE_NAME_SIZE = 64, IMAGE_SEGMENTS_MAX = 8 };

struct function {
    uint64_t address;
    void *data;                  /* the caller's */
    char name[IMAGE_NAME_SIZE];
};

/* Functions in the order of their addresses.  Each reaches to the next. */
struct functions {
    struct function *functions;
    size_t count;
};

/* An ELF file's code. */
struct image {
    char name[IMAGE_NAME_SIZE];
    uint8_t *file;
    size_t size;
    struct { uint64_t address, size; const uint8_t *bytes; } segments[IMAGE_SEGMENTS_MAX];
    unsigned int nsegments;
    struct functions functions;  /* of the symbol table, if asked for */
    uint64_t base;               /* where image_find found it last */
};

/* Reads "NAME:ELF", with its FUNCTIONS if wanted.  False, and a line on stderr, if there is no such file or it is no
   ELF. */
bool image_load(struct image *image, const char *words, bool functions);
/* SIZE bytes at ADDRESS of the file are the same as BYTES. */
bool image_has(const struct image *image, uint64_t address, const uint8_t *bytes, size_t size);
/* The same for a library that may be anywhere, at a page's boundary: *INSIDE is the address in the file.  The place
   where it was found last comes first. */
bool image_find(struct image *image, uint64_t address, const uint8_t *bytes, size_t size, uint64_t *inside);

/* Reads lines "ADDRESS LETTER NAME", those of code, as `nm` writes them. */
bool functions_load(struct functions *list, const char *path);
/* The function that ADDRESS is in (the first, for what lies before it), or NULL if there is none. */
struct function *functions_find(const struct functions *list, uint64_t address);

#endif /* BENCH_IMAGE_H */
