/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arguments: limits of what a program can be given, and copies of what came out of line. */

#include "exec.h"

#include <stdlib.h>
#include <string.h>

/* No more words fit into so many bytes than the limit, whatever they are; nearly all requests need not be read to
   know. */
#define UNREAD_MAX (128u << 10)

/* Adds the number of strings in LENGTH bytes of argz to *WORDS. */
static error_t words_count(const char *argz, size_t length, size_t *words)
{
    char part[4096];

    for (size_t done = 0; done < length;) {
        size_t size = length - done < sizeof part ? length - done : sizeof part;
        error_t err = ports_copy_guarded(part, argz + done, size);
        if (err)
            return err;
        for (const char *at = part; (at = memchr(at, '\0', (size_t) (part + size - at))) != NULL; at++)
            ++*words;
        done += size;
    }
    return 0;
}

error_t exec_arguments_check(const struct exec_request *request)
{
    size_t bytes = request->argv_length + request->envp_length, words = 2;  /* the last of each may lack its NUL */
    error_t err;

    if (bytes > EXEC_ARGUMENTS_MAX || request->dtable_count > EXEC_DESCRIPTORS_MAX ||
        request->portarray_count > EXEC_ARRAY_MAX || request->intarray_count > EXEC_ARRAY_MAX)
        return E2BIG;
    if (bytes <= UNREAD_MAX)
        return 0;
    err = words_count(request->argv, request->argv_length, &words);
    if (!err)
        err = words_count(request->envp, request->envp_length, &words);
    return err ? err : words > EXEC_WORDS_MAX ? E2BIG : 0;
}

error_t exec_arguments_copy(const struct exec_request *request, char **argv)
{
    *argv = malloc(request->argv_length + 1);
    if (*argv == NULL)
        return ENOMEM;
    error_t err = request->argv_length > 0 ? ports_copy_guarded(*argv, request->argv, request->argv_length) : 0;
    if (err) {
        free(*argv);
        *argv = NULL;
    }
    return err;
}
