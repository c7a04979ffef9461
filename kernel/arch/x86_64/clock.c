/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What time it is: the interval timer (Intel 8254) interrupts HZ times a second, and ACPI's timer counts.

   An interrupt may be lost: a virtual processor that does not run for longer than a tick sees one where there were
   several.  So each one reads how far ACPI's timer (ACPI specification, 4.8.3.3) has come, and all the ticks that have
   passed are counted.  That timer has 24 bits in most machines and begins again every 4.7 s; the time stamp counter
   tells how often it did.  Within a tick the time stamp counter goes on from the last interrupt.  A machine without
   ACPI's timer counts interrupts.

   Lock: the kernel lock. */

#include "../../base/base.h"
#include "../../device/device.h"
#include "../../device/interrupt.h"
#include "../../task/sched.h"
#include "cpu.h"
#include "firmware.h"
#include "machine.h"

#define TIMER_HZ 1193182u
#define TIMER_DATA 0x40
#define TIMER_COMMAND 0x43
#define TIMER_LATCH 0x00    /* channel 0: keep the count to be read */
#define TIMER_PERIODIC 0x34 /* channel 0, low and high byte, rate generator */
#define TIMER_DIVISOR ((TIMER_HZ + HZ / 2) / HZ)
#define ACPI_TIMER_HZ 3579545u
#define TICK_MICROS (1000000 / HZ)
#define GUESS_MAX 1000000u  /* microseconds that the time stamp counter alone is believed */

static uint64_t tsc_at_tick;   /* of the last tick */
static uint64_t tsc_per_tick;  /* smoothed */
static bool sharp;             /* tsc_at_tick and micros_at_tick are of the same moment */
static uint64_t micros_at_tick;
static uint64_t micros_given;  /* the last answer: time does not go back */

/* ACPI's timer. */
static uint16_t counter_port;  /* 0: there is none */
static unsigned int counter_bits;
static uint32_t counter_last;
static uint64_t seconds, counts; /* since it was found: seconds, and counts below ACPI_TIMER_HZ */

static uint32_t counter_read(void)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(counter_port));
    return value;
}

/* Counts of ACPI's timer since the last call; TSC_PASSED counts of the time stamp counter are about as much. */
static uint64_t counter_passed(uint64_t tsc_passed)
{
    uint64_t now = counter_read(), size = 1ul << counter_bits;
    uint64_t passed = (now - counter_last) & (size - 1);
    counter_last = (uint32_t)now;
    if (tsc_per_tick && tsc_passed > tsc_per_tick * HZ) {
        uint64_t expected = tsc_passed / max(tsc_per_tick * HZ / 1024, 1ul) * ACPI_TIMER_HZ / 1024;
        if (expected > passed)
            passed += (expected - passed + size / 2) >> counter_bits << counter_bits;
    }
    return passed;
}

/* A processor that stood still between the two readings of the clocks, now or last time, would make nonsense of the
   rate. */
static void rate_update(uint64_t tsc_passed, uint64_t micros, bool sharp_before)
{
    if (!sharp || !sharp_before || micros < TICK_MICROS / 2 || micros > GUESS_MAX)
        return; /* too little to measure, or an unusual time */
    uint64_t rate = tsc_passed * TICK_MICROS / micros;
    tsc_per_tick = tsc_per_tick ? tsc_per_tick - tsc_per_tick / 8 + rate / 8 : rate;
}

/* Microseconds since boot at this interrupt, TSC_PASSED after the last one. */
static uint64_t micros_now(uint64_t tsc_passed)
{
    if (counter_port == 0)
        return micros_at_tick + TICK_MICROS;
    counts += counter_passed(tsc_passed);
    seconds += counts / ACPI_TIMER_HZ;
    counts %= ACPI_TIMER_HZ;
    return seconds * 1000000 + counts * 1000000 / ACPI_TIMER_HZ;
}

static void clock_interrupt(bool user)
{
    uint64_t tsc = rdtsc(), passed = tsc - tsc_at_tick, micros = micros_now(passed);
    bool sharp_before = sharp;
    sharp = (rdtsc() - tsc) < tsc_per_tick / 16 || tsc_per_tick == 0;
    rate_update(passed, micros - micros_at_tick, sharp_before);
    tsc_at_tick = tsc;
    micros_at_tick = micros;
    while (clock_ticks < micros / TICK_MICROS) {
        timer_tick();
        host_tick();
    }
    device_time_update();
    device_tick();
    interrupt_tick();
    sched_tick(user);
}

void machine_clock_init(void)
{
    out8(TIMER_COMMAND, TIMER_PERIODIC);
    out8(TIMER_DATA, (uint8_t)TIMER_DIVISOR);
    out8(TIMER_DATA, (uint8_t)(TIMER_DIVISOR >> 8));
    counter_port = firmware_timer(&counter_bits);
    if (counter_port)
        counter_last = counter_read();
    else
        kprintf("clock: firmware names no timer of ACPI's: interrupts that are lost are lost time\n");
    tsc_at_tick = rdtsc();
    sharp = true;
    interrupt_attach(0, clock_interrupt);
}

static uint32_t timer_count(void)
{
    out8(TIMER_COMMAND, TIMER_LATCH);
    uint32_t low = in8(TIMER_DATA);
    return low | (uint32_t)in8(TIMER_DATA) << 8;
}

void machine_delay(uint32_t micros)
{
    uint64_t wanted = (uint64_t)micros * TIMER_HZ / 1000000 + 1;
    uint32_t last = timer_count();
    for (uint64_t passed = 0; passed < wanted;) {
        uint32_t now = timer_count(); /* counts down to 1 and begins again */
        passed += now <= last ? last - now : last + TIMER_DIVISOR - now;
        last = now;
    }
}

uint64_t machine_uptime_micros(void)
{
    uint64_t tsc = rdtsc(), micros = micros_at_tick;
    if (tsc_per_tick && tsc > tsc_at_tick) /* another processor's counter may lag a little */
        micros += min((tsc - tsc_at_tick) * TICK_MICROS / tsc_per_tick, counter_port ? GUESS_MAX : TICK_MICROS - 1ul);
    return micros_given = max(micros_given, micros);
}
