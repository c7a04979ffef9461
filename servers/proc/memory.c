/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c: reading vectors of strings out of another task's memory, page by page, trusting nothing in it. */

#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct text {
    char *data;
    size_t length, size;
};

static error_t text_add(struct text *text, const char *bytes, size_t count)
{
    if (text->length + count > text->size) {
        size_t size = text->size ? text->size * 2 : 512;
        while (size < text->length + count)
            size *= 2;
        char *data = realloc(text->data, size);
        if (!data)
            return ENOMEM;
        text->data = data;
        text->size = size;
    }
    memcpy(text->data + text->length, bytes, count);
    text->length += count;
    return 0;
}

static error_t word_get(memory_reader_t read, void *context, uint64_t address, uint64_t *word)
{
    char bytes[sizeof *word];
    for (size_t done = 0; done < sizeof bytes;) {
        const char *page;
        size_t offset = (address + done) % MEMORY_PAGE, part = MEMORY_PAGE - offset;
        error_t err = read(context, 0, address + done - offset, &page);
        if (err)
            return err;
        if (part > sizeof bytes - done)
            part = sizeof bytes - done;
        memcpy(bytes + done, page + offset, part);
        done += part;
    }
    memcpy(word, bytes, sizeof *word);
    return 0;
}

/* Adds the string at ADDRESS with its NUL.  EFBIG: too much. */
static error_t string_get(memory_reader_t read, void *context, uint64_t address, struct text *text)
{
    for (;;) {
        const char *page;
        size_t offset = address % MEMORY_PAGE, part = MEMORY_PAGE - offset;
        error_t err = read(context, 1, address - offset, &page);
        if (err)
            return err;
        const char *end = memchr(page + offset, 0, part);
        if (end)
            part = end + 1 - (page + offset);
        if (text->length + part > MEMORY_MOST)
            return EFBIG;
        err = text_add(text, page + offset, part);
        if (err || end)
            return err;
        address += part;
    }
}

error_t memory_collect(memory_reader_t read, void *context, uint64_t address, char **data, size_t *length)
{
    struct text text = {0};
    error_t err = 0;
    for (size_t i = 0; address && i < MEMORY_MOST; i++) {
        uint64_t string;
        size_t before = text.length;
        err = word_get(read, context, address + i * sizeof string, &string);
        if (err || !string)
            break;
        err = string_get(read, context, string, &text);
        if (err) {
            text.length = before;
            break;
        }
    }
    if (err == ENOMEM || (err && !text.length)) {
        free(text.data);
        return err;
    }
    *data = text.data;
    *length = text.length;
    return 0;
}
