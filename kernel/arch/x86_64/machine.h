/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine around the processor: clock, wall clock, halting. */

#ifndef X86_64_MACHINE_H
#define X86_64_MACHINE_H

#include <stdint.h>

extern const char machine_version[];

/* Starts the clock (clock.c). */
void machine_clock_init(void);
/* Waits, without the clock's interrupt, at least so many microseconds; after machine_clock_init. */
void machine_delay(uint32_t micros);
/* Since boot. */
uint64_t machine_uptime_micros(void);
/* Seconds since 1970 by the battery-backed clock. */
uint64_t machine_wall_clock(void);
/* Stops, restarts (OPTIONS 0) or switches off, as host_reboot's options say: RB_HALT 8, RB_DEBUGGER 0x1000. */
_Noreturn void machine_halt(int options);

#endif
