/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module.h: the little that a test needs which is the kernel's only program: a console to write on, checks that count, a clock.  A module's
   main sets `console` (device_open) before it says or checks anything, and ends with `N passed, N failed`. */

#ifndef BOOT_MODULES_MODULE_H
#define BOOT_MODULES_MODULE_H

#include <device/device.h>
#include <mach.h>
#include <stdarg.h>
#include <stdio.h>

static mach_port_t console;
static unsigned int passed, failed;

/* What printf does where there is a standard output; at most 255 bytes. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (int done = 0; done < length;) {
        int wrote = 0;
        if (device_write_inband(console, 0, 0, line + done, length - done > 120 ? 120 : length - done, &wrote) || wrote <= 0)
            break;
        done += wrote;
    }
}

#define CHECK(COND) \
    do { \
        if (COND) \
            passed++; \
        else { \
            failed++; \
            say("%s:%d: failed: %s\n", __FILE__, __LINE__, #COND); \
        } \
    } while (0)

/* The time stamp counter: instructions, under `-icount shift=0,sleep=off`. */
__attribute__((unused)) static unsigned long stamp(void)
{
    unsigned int low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (unsigned long)high << 32 | low;
}

#endif /* BOOT_MODULES_MODULE_H */
