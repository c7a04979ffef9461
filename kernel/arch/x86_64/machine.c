/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interval timer (Intel 8254), battery-backed clock (MC146818), reset by the keyboard controller (8042) and the PCI reset register. */

#include "machine.h"

#include "../base/base.h"
#include "../device/console.h"
#include "../device/interrupt.h"
#include "../task/sched.h"
#include "cpu.h"
#include "firmware.h"
#include "smp.h"

#define TIMER_HZ 1193182u
#define TIMER_DATA 0x40
#define TIMER_COMMAND 0x43
#define TIMER_LATCH 0x00 /* channel 0: keep the count to be read */
#define TIMER_PERIODIC 0x34 /* channel 0, low and high byte, rate generator */
#define TIMER_DIVISOR ((TIMER_HZ + HZ / 2) / HZ)
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define RB_HALT 0x08

const char machine_version[] = "Quadrille 0.1 (GNU-Mach 1.8 compatible, x86_64)";

static uint64_t tsc_at_tick;   /* of the last tick */
static uint64_t tsc_per_tick;  /* smoothed */

static void clock_interrupt(bool user)
{
    uint64_t now = rdtsc();
    if (tsc_at_tick) {
        uint64_t passed = now - tsc_at_tick;
        tsc_per_tick = tsc_per_tick ? tsc_per_tick - tsc_per_tick / 8 + passed / 8 : passed;
    }
    tsc_at_tick = now;
    timer_tick();
    host_tick();
    interrupt_tick();
    sched_tick(user);
}

void machine_clock_init(void)
{
    out8(TIMER_COMMAND, TIMER_PERIODIC);
    out8(TIMER_DATA, (uint8_t)TIMER_DIVISOR);
    out8(TIMER_DATA, (uint8_t)(TIMER_DIVISOR >> 8));
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
    uint64_t micros = clock_ticks * (1000000 / HZ);
    if (tsc_per_tick == 0)
        return micros;
    uint64_t now = rdtsc();
    if (now <= tsc_at_tick)
        return micros; /* another processor's counter may lag a little */
    return micros + min((now - tsc_at_tick) * (1000000 / HZ) / tsc_per_tick, 1000000ul / HZ - 1);
}

static unsigned int cmos_read(unsigned int index)
{
    out8(CMOS_INDEX, (uint8_t)index);
    return in8(CMOS_DATA);
}

static unsigned int from_bcd(unsigned int value, bool bcd)
{
    return bcd ? (value >> 4) * 10 + (value & 15) : value;
}

uint64_t machine_wall_clock(void)
{
    unsigned int first[6], again[6];
    static const uint8_t registers[6] = {0, 2, 4, 7, 8, 9};
    bool bcd = !(cmos_read(11) & 4);
    do {
        while (cmos_read(10) & 0x80) /* an update is under way: at most 2 ms */
            ;
        for (unsigned int i = 0; i < 6; i++)
            first[i] = cmos_read(registers[i]);
        for (unsigned int i = 0; i < 6; i++)
            again[i] = cmos_read(registers[i]);
    } while (memcmp(first, again, sizeof first));
    unsigned int second = from_bcd(first[0], bcd), minute = from_bcd(first[1], bcd), hour = from_bcd(first[2] & 0x7f, bcd);
    unsigned int day = from_bcd(first[3], bcd), month = from_bcd(first[4], bcd), year = 2000 + from_bcd(first[5], bcd);
    /* Days since 1970 in the Gregorian calendar, years counted from March. */
    unsigned int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    uint64_t days = 365ul * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

_Noreturn void machine_halt(int options)
{
    smp_stop_others();
    console_drain();
    if (options & RB_HALT) {
        kprintf("Shutdown completed successfully, now in tight loop.\n"
                "You can safely power off the system or hit ctl-alt-del to reboot.\n");
        firmware_power_off();
    } else {
        out8(0xcf9, 0x06);     /* the chip set's reset register */
        for (unsigned int i = 0; i < 100000 && (in8(0x64) & 2); i++)
            ;
        out8(0x64, 0xfe);
    }
    for (;;)
        __asm__ volatile("cli; hlt");
}
