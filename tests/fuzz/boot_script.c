/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: any text as the line of a boot module.  Parsing must end, stay in its buffer, and name a column
   that the line has.

   Sources: kernel/boot/script.c
   Max: 4096
   The first byte is the room for arguments, in units of eight bytes; the rest is the line.  */

#include "../../kernel/boot/script.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *call(void *cookie, unsigned int module, enum script_function function, const char *name,
                        size_t length)
{
    (void)cookie, (void)module;
    for (size_t i = 0; i < length; i++)
        if (name[i] == 0)
            abort();
    return function != SCRIPT_RAMDISK_CREATE || length < 8 ? NULL : "too long";
}

static int variable(void *cookie, unsigned int module, const char *name, size_t length, char *to, size_t size)
{
    (void)cookie, (void)module;
    if (length > 16)
        return -1;
    size_t wanted = length * 3;
    if (wanted < size)
        for (size_t i = 0; i < wanted; i++)
            to[i] = name[i / 3];
    return (int)wanted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct script_actions actions = {call, variable};
    struct script_error error = {0, 1, ""};
    if (size == 0)
        return 0;
    size_t room = (size_t)data[0] * 8, used = 0, length;
    unsigned int count;
    char *line = malloc(size), *to = malloc(room ? room : 1);
    memcpy(line, data + 1, size - 1);
    line[size - 1] = 0;
    for (enum script_pass pass = SCRIPT_CREATE; pass <= SCRIPT_RESUME; pass++)
        if (!script_run(line, 0, pass, &actions, NULL, &error) && error.column > strlen(line) + 1)
            abort();
    if (!script_arguments(line, 0, &actions, NULL, to, room, &count, &used, &error)) {
        if (error.column > strlen(line) + 1)
            abort();
    } else {
        size_t at = 0;
        for (unsigned int i = 0; i < count; i++)
            at += strlen(to + at) + 1;
        if (at != used || used > room)
            abort();
    }
    script_word_value(line, "root", 4, &length);
    free(line);
    free(to);
    return 0;
}
