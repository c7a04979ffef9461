/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: argument vectors: the `#!` line and arguments of a script, as exec makes them for its interpreter,
   and a vector of strings in the memory of a task, as proc reads it for ps.

   Sources: servers/exec/script.c servers/proc/memory.c
   Max: 16384
   The first byte says where the input is cut into a script and its arguments; the whole input is also the task's
   memory.  */

#include "../../servers/exec/script.h"
#include "../../servers/proc/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 2048, PAGES = 4 };
#define BASE 0x10000ull
#define REQUIRE(CONDITION) do { if (!(CONDITION)) abort(); } while (0)

static size_t words(const char *argz, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += argz[i] == '\0';
    return count + (length > 0 && argz[length - 1] != '\0');
}

static void script_try(const char *script, size_t script_length, const char *argv, size_t argv_length)
{
    size_t length = script_length < HEADER ? script_length : HEADER, result_length;
    char *bytes = malloc(length + 1), *interpreter, *argument, *result;

    memcpy(bytes, script, length);
    if (script_is_script(bytes, length) && script_parse(bytes, length, length < HEADER, &interpreter, &argument) == 0) {
        REQUIRE(interpreter[0] != '\0' && interpreter >= bytes && interpreter + strlen(interpreter) <= bytes + length);
        REQUIRE(argument == NULL || (argument[0] != '\0' && argument + strlen(argument) <= bytes + length));
        REQUIRE(script_arguments(interpreter, argument, "./script", argv, argv_length, &result, &result_length) == 0);
        size_t given = words(argv, argv_length), made = words(result, result_length);
        REQUIRE(strcmp(result, interpreter) == 0);
        REQUIRE(made == (argument ? 3 : 2) + (given ? given - 1 : 0));
        free(result);
    }
    free(bytes);
}

struct memory { const uint8_t *data; size_t size; char page[2][MEMORY_PAGE]; };

static error_t page_read(void *context, int side, uint64_t address, const char **page)
{
    struct memory *m = context;
    if (address % MEMORY_PAGE || address < BASE || address - BASE >= m->size)
        return EFAULT;
    size_t at = address - BASE, part = m->size - at < MEMORY_PAGE ? m->size - at : MEMORY_PAGE;
    memset(m->page[side], 0, MEMORY_PAGE);
    memcpy(m->page[side], m->data + at, part);
    *page = m->page[side];
    return 0;
}

/* Pointers are taken modulo the memory, so that some of them hit. */
static void vector_try(const uint8_t *data, size_t size)
{
    struct memory memory = { data, size, { { 0 } } };
    uint8_t *copy = malloc(size + 1);
    char *strings = NULL;
    size_t length = 0;

    memcpy(copy, data, size);
    for (size_t i = 0; i + 8 <= size && i < 256; i += 8) {
        uint64_t word;
        memcpy(&word, copy + i, 8);
        if (word != 0 && word % 5 != 0)
            word = BASE + word % size;
        memcpy(copy + i, &word, 8);
    }
    memory.data = copy;
    if (memory_collect(page_read, &memory, BASE + data[0] % 16, &strings, &length) == 0) {
        REQUIRE(length <= MEMORY_MOST && (length == 0 || strings[length - 1] == '\0'));
        free(strings);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cut = 1 + data[0] * (size - 1) / 256;
    script_try((const char *) data + 1, cut - 1, (const char *) data + cut, size - cut);
    vector_try(data, size);
    return 0;
}
