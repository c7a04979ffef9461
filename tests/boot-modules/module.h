/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module.h: the little that a test needs which is the kernel's only program: a console to write on, checks that count,
   a clock.  A module's main begins with module_begin and ends with module_end. */

#ifndef BOOT_MODULES_MODULE_H
#define BOOT_MODULES_MODULE_H

#include <device/device.h>
#include <mach.h>
#include <mach/mach_host.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static mach_port_t host_priv = 1, device_master = 2; /* as the boot script's options say */
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
        if (device_write_inband(console, 0, 0, line + done, length - done > 120 ? 120 : length - done, &wrote) ||
            wrote <= 0)
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

/* Takes the kernel's ports out of the options and opens the console. */
__attribute__((unused)) static void module_begin(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        sscanf(argv[i], "--host-priv-port=%u", &host_priv);
        sscanf(argv[i], "--device-master-port=%u", &device_master);
    }
    device_open(device_master, D_READ | D_WRITE, "console", &console);
}

/* Says `= N passed, N failed`, which ends the test (tests/lib/kernelmodule.py), and the machine. */
__attribute__((unused)) static _Noreturn void module_end(void)
{
    say("= %u passed, %u failed\n", passed, failed);
    host_reboot(host_priv, 0);
    for (;;)
        pause();
}

/* The time stamp counter: instructions, under `-icount shift=0,sleep=off`. */
__attribute__((unused)) static unsigned long stamp(void)
{
    unsigned int low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (unsigned long)high << 32 | low;
}

#endif /* BOOT_MODULES_MODULE_H */
