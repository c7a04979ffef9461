/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for addresses of the kernel's code.  The table is made from a first link of the image (symbols.py) and put into
   the second. */

#ifndef TRACE_SYMBOLS_H
#define TRACE_SYMBOLS_H

#include <stdint.h>

/* A function: its address less IMAGE_BASE, and where its name begins in symbol_names.  In the order of addresses. */
struct symbol {
    uint32_t address, name;
};

/* The function that ADDRESS lies in or behind; NULL: not in the kernel's code.  *OFFSET: from its beginning. */
const char *symbol_lookup(uint64_t address, uint64_t *offset);

/* Prints "address function+offset" and the end of the line. */
void symbol_print(uint64_t address);

/* Prints the calls on a kernel stack from the frame pointer FRAME on, innermost first. */
void backtrace_print(const uint64_t *frame);

#endif
