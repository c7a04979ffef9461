/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Before there is a terminal, what a server says goes to the Mach console, a line at a time. */

#include "machdev-internal.h"

#include <device/device.h>
#include <hurd.h>
#include <hurd/fd.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* A stream on the console; the C library's streams for devices know how. */
static FILE *console_stream(mach_port_t console)
{
    FILE *stream = mach_open_devstream(console, "w");
    if (stream)
        setvbuf(stream, NULL, _IOLBF, 256);
    return stream;
}

error_t machdev_console_open(mach_port_t device_master)
{
    /* A server that somebody has started has its own. */
    if (_hurd_ports && getdport(STDERR_FILENO) != MACH_PORT_NULL)
        return 0;
    mach_port_t console;
    error_t err = device_open(device_master, D_READ | D_WRITE, (char *)"console", &console);
    if (err)
        return err;
    FILE *stream = console_stream(console);
    mach_port_deallocate(mach_task_self(), console);
    if (!stream)
        return ENOMEM;
    stdout = stderr = stream;
    return 0;
}

void machdev_trace(const char *format, ...)
{
    if (!machdev_only || !machdev_only->options.trace_boot)
        return;
    va_list args;
    va_start(args, format);
    flockfile(stderr);
    fprintf(stderr, "%s: ", machdev_only->options.name);
    vfprintf(stderr, format, args);
    putc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
}
