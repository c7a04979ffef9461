/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console: the serial line or the screen and keyboard; what the kernel says, and the device "console". */

#ifndef DEVICE_CONSOLE_H
#define DEVICE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

/* SERIAL: the first serial line ("console=com0" on the kernel's command line), else the screen.  May be called twice:
   first for early messages. */
void console_init(bool serial);
/* The device takes input from now on. */
void console_start(void);
/* Prints a character of the kernel's at once, and keeps it for the device "kmsg". */
void console_put(char c);
/* Prints what a user wrote; may wait for room.  How much: less than SIZE when the wait was interrupted. */
size_t console_write(const char *text, size_t size);
/* Prints what users wrote and the line has not taken yet, before the machine stops. */
void console_drain(void);
/* Waits for a key, for $(prompt-task-resume). */
void console_wait_key(void);

/* The next character from the keyboard or line itself, without interrupts, for the debugger; -1: none has come. */
int console_poll(void);

/* What the kernel has said: copies up to SIZE characters from *POSITION on (0: the oldest that are kept) and moves it
   behind them; gives how many. */
size_t console_log_read(size_t *position, char *to, size_t size);
/* Has it said more since this was asked last? */
bool console_log_grown(void);

/* Characters that came in: up to SIZE into TO. */
size_t console_input_read(char *to, size_t size);
/* Called, with the kernel lock, when some have come. */
extern void (*console_input_arrived)(void);

#endif
