/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How busy the processors are: averages of the last 5, 30 and 60 seconds, as host_info and processor_set_info give them
   (Mach manual, "Host Information": load, and the resources that one more thread would have).  Lock: the kernel
   lock. */

#include "../arch/x86_64/cpu.h"
#include "host.h"
#include "sched.h"

#include <mach/host_info.h>
#include <mach/processor_info.h>

#define SECONDS_COUNT 3

/* What stays of an average after a second, in thousandths: (n - 1) / n for n seconds. */
static const uint32_t stays[SECONDS_COUNT] = {800, 966, 983};
static uint32_t load[SECONDS_COUNT], factor[SECONDS_COUNT];
static uint64_t sampled; /* clock_ticks */

static uint32_t average(uint32_t old, uint32_t now, uint32_t stay)
{
    return (old * stay + now * (LOAD_SCALE - stay)) / LOAD_SCALE;
}

void load_tick(void)
{
    if (clock_ticks < sampled + HZ)
        return;
    sampled = clock_ticks;
    uint32_t threads = sched_runnable();
    uint32_t load_now = min(threads, 100000u) * LOAD_SCALE / cpu_count;
    uint32_t factor_now = threads >= cpu_count ? cpu_count * LOAD_SCALE / (threads + 1)
                                               : (cpu_count - threads) * LOAD_SCALE;
    for (unsigned int i = 0; i < SECONDS_COUNT; i++) {
        load[i] = average(load[i], load_now, stays[i]);
        factor[i] = average(factor[i], factor_now, stays[i]);
    }
}

void load_get(struct host_load_info *info)
{
    for (unsigned int i = 0; i < SECONDS_COUNT; i++) {
        info->avenrun[i] = (integer_t)load[i];
        info->mach_factor[i] = (integer_t)factor[i];
    }
}
