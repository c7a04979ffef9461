/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ps: the columns. */

#include "ps.h"

#include <hurd/hurd_types.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER(NAME, FORMAT, VALUE)                                                           \
    static void format_##NAME(const struct ps_process *p, char *text, size_t size)           \
    { snprintf(text, size, FORMAT, VALUE); }

NUMBER(pid, "%d", p->pid)
NUMBER(ppid, "%d", p->ppid)
NUMBER(pgrp, "%d", p->pgrp)
NUMBER(sess, "%d", p->session)
NUMBER(nth, "%u", p->threads)
NUMBER(vsz, "%lu", p->virtual_kb)
NUMBER(rss, "%lu", p->resident_kb)
NUMBER(args, "%s", p->args ? p->args : "-")

/* Every process has a thread for signals beside its own. */
static void format_stat(const struct ps_process *p, char *text, size_t size)
{
    snprintf(text, size, "%c%s%s", p->letter, p->state & PI_SESSLD ? "s" : "", p->threads > 2 ? "l" : "");
}

static void format_uid(const struct ps_process *p, char *text, size_t size)
{
    if (p->state & PI_NOTOWNED)
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%u", p->owner);
}

static void format_user(const struct ps_process *p, char *text, size_t size)
{
    const struct passwd *entry = p->state & PI_NOTOWNED ? NULL : getpwuid(p->owner);
    if (entry != NULL)
        snprintf(text, size, "%s", entry->pw_name);
    else
        format_uid(p, text, size);
}

static void format_time(const struct ps_process *p, char *text, size_t size)
{
    unsigned long seconds = p->milliseconds / 1000;
    snprintf(text, size, "%lu:%02lu.%02lu", seconds / 60, seconds % 60, p->milliseconds % 1000 / 10);
}

/* The program's name without its folder. */
static void format_comm(const struct ps_process *p, char *text, size_t size)
{
    const char *slash = p->comm ? strrchr(p->comm, '/') : NULL;
    snprintf(text, size, "%s", slash && slash[1] ? slash + 1 : p->comm ? p->comm : p->args);
}

static const struct ps_column all_columns[] = {
    {"pid", "PID", 5, format_pid},         {"ppid", "PPID", 5, format_ppid},    {"pgrp", "PGRP", 5, format_pgrp},
    {"pgid", "PGID", 5, format_pgrp},      {"sess", "SESS", 5, format_sess},    {"sid", "SID", 5, format_sess},
    {"uid", "UID", 5, format_uid},         {"user", "USER", -8, format_user},   {"stat", "STAT", -4, format_stat},
    {"state", "STAT", -4, format_stat},    {"nth", "NTH", 3, format_nth},       {"nlwp", "NLWP", 4, format_nth},
    {"vsz", "VSZ", 8, format_vsz},         {"rss", "RSS", 6, format_rss},       {"time", "TIME", 8, format_time},
    {"comm", "COMMAND", -15, format_comm}, {"args", "COMMAND", 0, format_args}, {"command", "COMMAND", 0, format_args},
    {"cmd", "CMD", 0, format_args},
};

static const struct ps_column *column_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof all_columns / sizeof all_columns[0]; i++)
        if (strlen(all_columns[i].name) == length && memcmp(all_columns[i].name, name, length) == 0)
            return &all_columns[i];
    return NULL;
}

const char *ps_columns_parse(const char *list, struct ps_column **columns, unsigned int *count)
{
    *columns = NULL;
    *count = 0;
    for (;;) {
        size_t length = strcspn(list, ", ");
        /* `-o pid=` means without a header */
        size_t name_length = memchr(list, '=', length) ? (size_t)((const char *)memchr(list, '=', length) - list)
                                                       : length;
        const struct ps_column *column = column_find(list, name_length);
        if (column == NULL)
            return list;
        *columns = realloc(*columns, (*count + 1) * sizeof **columns);
        if (*columns == NULL)
            abort();
        (*columns)[*count] = *column;
        if (name_length < length)
            (*columns)[*count].header = "";
        (*count)++;
        if (list[length] == '\0')
            return NULL;
        list += length + 1;
    }
}

static void print_cell(const char *text, int width, bool first, bool last)
{
    if (!first)
        putchar(' ');
    /* Nothing follows the last column, so it is not filled up or cut. */
    if (last && width <= 0)
        fputs(text, stdout);
    else
        printf("%*s", width, text);
}

void ps_print_headers(const struct ps_column *columns, unsigned int count)
{
    bool any = false;
    for (unsigned int i = 0; i < count; i++)
        any |= columns[i].header[0] != '\0';
    if (!any)
        return;
    for (unsigned int i = 0; i < count; i++)
        print_cell(columns[i].header, columns[i].width, i == 0, i + 1 == count);
    putchar('\n');
}

void ps_print(const struct ps_column *columns, unsigned int count, struct ps_process *process)
{
    size_t size = (process->args ? strlen(process->args) : 0) + 64;
    char *text = malloc(size);

    for (unsigned int i = 0; i < count && text != NULL; i++) {
        columns[i].format(process, text, size);
        print_cell(text, columns[i].width, i == 0, i + 1 == count);
    }
    putchar('\n');
    free(text);
    free(process->args);
    free(process->comm);
}
