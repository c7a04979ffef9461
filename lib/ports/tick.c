/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread that looks after something once in a while, and sleeps while there is nothing (ports.h).  */

#include "ports.h"

#include <mach/gnumach.h>

#ifndef GSYNC_TIMED
#define GSYNC_TIMED 0x04 /* gsync_wait: at most so many milliseconds (gnumach.defs names it, no header of its does) */
#endif

void ports_tick_wait(atomic_uint *awake, unsigned int ms)
{
    static unsigned int never; /* nobody wakes this */
    while (atomic_load(awake) == 0)
        gsync_wait(mach_task_self(), (vm_address_t)awake, 0, 0, 0, 0);
    gsync_wait(mach_task_self(), (vm_address_t)&never, 0, 0, ms, GSYNC_TIMED);
}

void ports_tick_wake(atomic_uint *awake)
{
    if (atomic_load(awake) == 0 && atomic_exchange(awake, 1) == 0)
        gsync_wake(mach_task_self(), (vm_address_t)awake, 0, 0);
}
