/* SPDX-License-Identifier: GPL-2.0-or-later */
/* common: see common.h. */

#include "common.h"

#include <argz.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void usage_help(void)
{
    printf("Usage: %s", program_help);
    exit(fflush(stdout) == 0 ? 0 : 1);
}

void usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, args);
    fprintf(stderr, " (try `%s --help')\n", program_name);
    exit(2);
}

static void complain_list(error_t err, const char *format, va_list args)
{
    fflush(stdout);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, args);
    fprintf(stderr, ": %s\n", strerror(err));
}

void complain(error_t err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain_list(err, format, args);
    va_end(args);
}

void fail(error_t err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain_list(err, format, args);
    va_end(args);
    exit(1);
}

void print_argz(const char *argz, size_t length)
{
    const char *word = NULL;
    while ((word = argz_next(argz, length, word)) != NULL) {
        if (word != argz)
            putchar(' ');
        if (*word != '\0' &&
            word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")] == '\0') {
            fputs(word, stdout);
            continue;
        }
        putchar('\'');
        for (const char *c = word; *c != '\0'; c++)
            if (*c == '\'')
                fputs("'\\''", stdout);
            else
                putchar(*c);
        putchar('\'');
    }
    putchar('\n');
}
