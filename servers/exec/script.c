/* SPDX-License-Identifier: GPL-2.0-or-later */
/* script: see script.h. */

#include "script.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool script_is_script(const char *bytes, size_t length)
{
    return length >= 2 && bytes[0] == '#' && bytes[1] == '!';
}

error_t script_parse(char *bytes, size_t length, bool whole, char **interpreter, char **argument)
{
    char *end = memchr(bytes, '\n', length), *word = bytes + 2;

    if (end == NULL) {
        if (!whole)
            return ENOEXEC;
        end = bytes + length;
    }
    if (memchr(bytes, '\0', (size_t) (end - bytes)) != NULL)
        return ENOEXEC;
    while (end > word && (is_blank(end[-1]) || end[-1] == '\r'))
        end--;
    *end = '\0';
    while (is_blank(*word))
        word++;
    if (*word == '\0')
        return ENOEXEC;
    *interpreter = word;
    while (*word != '\0' && !is_blank(*word))
        word++;
    if (*word != '\0')
        *word++ = '\0';
    while (is_blank(*word))
        word++;
    *argument = *word != '\0' ? word : NULL;
    return 0;
}

/* Bytes of the first word of an argz with its NUL; the last word may lack it. */
static size_t first_word(const char *argv, size_t length)
{
    const char *nul = length ? memchr(argv, '\0', length) : NULL;
    return nul ? (size_t) (nul + 1 - argv) : length;
}

error_t script_arguments(const char *interpreter, const char *argument, const char *script, const char *argv,
                         size_t length, char **result, size_t *result_length)
{
    size_t skip = first_word(argv, length), interpreter_size = strlen(interpreter) + 1;
    size_t argument_size = argument ? strlen(argument) + 1 : 0, script_size = strlen(script) + 1;
    char *to = malloc(interpreter_size + argument_size + script_size + (length - skip));

    if (to == NULL)
        return ENOMEM;
    *result = to;
    to = (char *) memcpy(to, interpreter, interpreter_size) + interpreter_size;
    if (argument)
        to = (char *) memcpy(to, argument, argument_size) + argument_size;
    to = (char *) memcpy(to, script, script_size) + script_size;
    if (length > skip)
        memcpy(to, argv + skip, length - skip);
    *result_length = (size_t) (to - *result) + (length - skip);
    return 0;
}
