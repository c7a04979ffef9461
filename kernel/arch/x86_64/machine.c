/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Battery-backed clock (MC146818), reset by the keyboard controller (8042) and the PCI reset register. */

#include "machine.h"

#include "../base/base.h"
#include "../device/console.h"
#include "cpu.h"
#include "firmware.h"
#include "smp.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define RB_HALT 0x08

const char machine_version[] = "Quadrille 0.1 (GNU-Mach 1.8 compatible, x86_64)";

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
    unsigned int second = from_bcd(first[0], bcd), minute = from_bcd(first[1], bcd),
                 hour = from_bcd(first[2] & 0x7f, bcd);
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
