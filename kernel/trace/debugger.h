/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel debugger: a prompt on the console that shows what the kernel has.  With the word "kdb" on the kernel's
   command line a BREAK on the serial line, or Ctrl-] typed three times in a row, stops the system for it, and a panic
   ends in it. */

#ifndef TRACE_DEBUGGER_H
#define TRACE_DEBUGGER_H

#include <stdbool.h>

/* "kdb" was said; constant once the kernel has started. */
extern bool debugger_enabled;

/* Says WHY, shows what is asked for, and returns when it is told to go on.  Interrupts are off and the kernel lock is
   held.  Only if debugger_enabled. */
void debugger_enter(const char *why);

#endif
