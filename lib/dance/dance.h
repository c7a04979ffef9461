/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dance.h: telling the steps of the boot.

   With --trace-boot each of the eight says one line a step, `NAME: step N: words`, when the step is taken and before
   the message that leads to another server's step is sent: so the merged log on the console shows who waited for
   whom.  The numbers are those of docs/bootstrap.md; tests/boot/dance.py holds the log against the order that the
   seed demands.  Without the option a step costs a test of one variable. */

#ifndef DANCE_DANCE_H
#define DANCE_DANCE_H

#include <mach/mach_types.h>
#include <stdbool.h>

#define DANCE_OPTION "--trace-boot"    /* on the command lines of the servers */
#define DANCE_WORD "trace-boot"        /* on the kernel's, from where startup learns of it */

/* From here on the steps are told, as NAME's (kept).  Where to: the Mach console, opened by DEVICE_MASTER (a send
   right, stays the caller's); MACH_PORT_NULL: standard error, which the bootstrap file system passes on to the
   console. */
void dance_start(const char *name, mach_port_t device_master);

/* dance_start, to standard error, if one of the words of ARGV is DANCE_OPTION or DANCE_WORD. */
void dance_start_if_asked(const char *name, char **argv);

/* For tests, after dance_start: if WORDS contain DANCE_HOLD "NAME:STEP:MS", who takes that step rests for so many
   milliseconds then: others may be that much faster. */
#define DANCE_HOLD "hold-boot="
void dance_hold(const char *words);

/* True after dance_start. */
bool dance_told(void);

/* Step NUMBER is taken now.  A line is one message, so lines of several servers do not mix.  errno stays. */
void dance_step(unsigned int number, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* DANCE_DANCE_H */
