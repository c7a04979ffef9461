/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ps: what is shown of a process, and how. */

#ifndef UTILS_PS_H
#define UTILS_PS_H

#include <stdbool.h>
#include <sys/types.h>

struct ps_process {
    pid_t pid, ppid, pgrp, session;
    uid_t owner;
    int state;                    /* PI_* */
    char letter;                  /* R S D T Z */
    unsigned int threads;
    unsigned long virtual_kb, resident_kb, milliseconds;
    char *args, *comm;            /* comm may be NULL */
};

#define PS_COLUMNS_USUAL "pid,stat,time,args"
#define PS_COLUMNS_FULL "user,pid,ppid,pgrp,sess,stat,time,args"
#define PS_COLUMNS_LONG "user,pid,ppid,nth,vsz,rss,stat,time,args"

struct ps_column {
    const char *name, *header;
    int width;                    /* negative: to the left; 0: the last one, as long as it is */
    void (*format)(const struct ps_process *process, char *text, size_t size);
};

/* The columns of a list such as "pid,ppid". NULL, or the first word that is none. */
const char *ps_columns_parse(const char *list, struct ps_column **columns, unsigned int *count);
void ps_print_headers(const struct ps_column *columns, unsigned int count);
/* Prints one line and frees what PROCESS has. */
void ps_print(const struct ps_column *columns, unsigned int count, struct ps_process *process);

#endif
