/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.c: startup's voice: lines on the Mach console, which need no file system and no terminal server. */

#include <device/device.h>
#include <mach.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>

#include "startup.h"

static mach_port_t console;  /* MACH_PORT_NULL: not open; constant after console_open */
static atomic_bool line_open; /* what was said last has not ended its line: the list of servers */

void console_open(mach_port_t device_master)
{
    if (device_open(device_master, D_WRITE, "console", &console))
        console = MACH_PORT_NULL;
}

/* Writes at most what goes into one message; gives the number of bytes, 0 if none. */
static size_t console_put(const char *text, size_t length)
{
    char part[IO_INBAND_MAX];
    int written;
    if (length > sizeof part)
        length = sizeof part;
    memcpy(part, text, length);
    if (device_write_inband(console, 0, 0, part, length, &written) || written <= 0)
        return 0;
    return (size_t)written;
}

/* The console takes a carriage return before each line's end. */
static void console_write(const char *text)
{
    char line[2048];
    size_t length = 0, done, part;
    for (; *text && length < sizeof line - 2; text++) {
        if (*text == '\n')
            line[length++] = '\r';
        line[length++] = *text;
    }
    for (done = 0; console != MACH_PORT_NULL && done < length; done += part) {
        part = console_put(line + done, length - done);
        if (!part)
            return;
    }
}

void say(const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    console_write(text);
    line_open = *text && text[strlen(text) - 1] != '\n';
}

static void complain_list(const char *prefix, error_t err, const char *format, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, ap);
    say("%sstartup: %s%s%s%s\n", line_open ? "\n" : "", prefix, text, err ? ": " : "", err ? strerror(err) : "");
}

void complain(error_t err, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    complain_list("", err, format, ap);
    va_end(ap);
}

void give_up(error_t err, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    complain_list("boot failed: ", err, format, ap);
    va_end(ap);
    shut_down(RB_HALT);
    thread_rest();
}
