/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first serial line: a 16550 at 0x3f8, 115200 bits a second, 8 bits, no parity. */

#ifndef DEVICE_SERIAL_H
#define DEVICE_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

#define SERIAL_LINE 4   /* its interrupt */
#define SERIAL_NONE -1  /* nothing has come */
#define SERIAL_BREAK -2 /* the line was broken off for a moment */

void serial_init(void);
/* Waits for room in the transmitter's FIFO, which takes 16 characters at once. */
void serial_put(char c);
/* Puts what the transmitter has room for of the SIZE characters at TEXT, without waiting; gives how many. */
size_t serial_put_some(const char *text, size_t size);
/* The next character that has come, or SERIAL_NONE or SERIAL_BREAK. */
int serial_get(void);
/* From now on it interrupts when something comes, and, if OUTPUT, when the transmitter has room. */
void serial_interrupts_set(bool output);

#endif
