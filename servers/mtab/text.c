/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of the table of mounted file systems. */

#include "mtab.h"

#include <argz.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A field: no blank, tab, newline or backslash in it, and never empty. */
static void field_put(FILE *out, const char *value)
{
    if (*value == '\0')
        fputs("none", out);
    for (; *value != '\0'; value++) {
        if (strchr(" \t\n\\", *value) != NULL)
            fprintf(out, "\\%03o", (unsigned char)*value);
        else
            fputc(*value, out);
    }
}

/* "/hurd/ext2fs.static" is of the type ext2fs. */
static void type_put(FILE *out, const char *program)
{
    const char *name = strrchr(program, '/') != NULL ? strrchr(program, '/') + 1 : program;
    char *type = strdup(name);
    if (type == NULL)
        return;
    char *suffix = strstr(type, ".static");
    if (suffix != NULL)
        *suffix = '\0';
    field_put(out, type);
    free(type);
}

static void options_put(FILE *out, const char *options, size_t length)
{
    const char *option = NULL, *access = "rw";
    while ((option = argz_next(options, length, option)) != NULL)
        if (strcmp(option, "--readonly") == 0)
            access = "ro";
    fputs(access, out);
    option = argz_next(options, length, NULL); /* the program */
    while (option != NULL && (option = argz_next(options, length, option)) != NULL) {
        if (strncmp(option, "--", 2) != 0 || strcmp(option, "--readonly") == 0 || strcmp(option, "--writable") == 0)
            continue;
        fputc(',', out);
        field_put(out, option + 2);
    }
}

error_t mount_line_add(char **text, size_t *length, const char *source, const char *path, const char *options,
                       size_t options_length)
{
    char *line = NULL;
    size_t line_length = 0;
    FILE *out = open_memstream(&line, &line_length);
    if (out == NULL)
        return ENOMEM;
    const char *program = argz_next(options, options_length, NULL);
    field_put(out, source);
    fputc(' ', out);
    field_put(out, path);
    fputc(' ', out);
    type_put(out, program != NULL ? program : "");
    fputc(' ', out);
    options_put(out, options, options_length);
    fputs(" 0 0\n", out);
    char *longer = fclose(out) == 0 ? realloc(*text, *length + line_length) : NULL;
    if (longer != NULL) {
        memcpy(longer + *length, line, line_length);
        *text = longer;
        *length += line_length;
    }
    free(line);
    return longer != NULL ? 0 : ENOMEM;
}
