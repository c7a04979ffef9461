/* SPDX-License-Identifier: GPL-2.0-or-later */
/* common: how every utility here speaks to people. */

#ifndef UTILS_COMMON_H
#define UTILS_COMMON_H

#include <stddef.h>
#include <errno.h>

/* Name and help text of the program; each main.c defines them. HELP begins with the usage line, without "Usage: ". */
extern const char program_name[], program_help[];

/* Prints the help on standard output and exits with 0. */
void usage_help(void) __attribute__((noreturn));
/* "Try --help", exit status 2. */
void usage_error(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* "NAME: what: strerror(ERR)" on standard error. */
void complain(error_t err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, and exit with 1. */
void fail(error_t err, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* Prints the words of ARGZ on one line, those quoted that a shell would take apart. */
void print_argz(const char *argz, size_t length);

#endif
