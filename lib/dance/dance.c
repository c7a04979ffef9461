/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See dance.h. */

#include "dance.h"

#include <device/device.h>
#include <errno.h>
#include <mach.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *dance_name;  /* NULL: nothing is told; constant, like dance_console, once set by main's thread */
static mach_port_t dance_console;
static unsigned int hold_step, hold_ms; /* 0: none; likewise */

void dance_start(const char *name, mach_port_t device_master)
{
    if (device_master == MACH_PORT_NULL || device_open(device_master, D_WRITE, (char *)"console", &dance_console))
        dance_console = MACH_PORT_NULL;
    dance_name = name;
}

void dance_start_if_asked(const char *name, char **argv)
{
    for (; *argv; argv++)
        if (!strcmp(*argv, DANCE_OPTION) || !strcmp(*argv, DANCE_WORD)) {
            dance_start(name, MACH_PORT_NULL);
            return;
        }
}

void dance_hold(const char *words)
{
    const char *at = dance_name ? strstr(words, DANCE_HOLD) : NULL;
    size_t length = dance_name ? strlen(dance_name) : 0;
    unsigned int step, ms;
    if (at == NULL || strncmp(at + strlen(DANCE_HOLD), dance_name, length))
        return;
    if (sscanf(at + strlen(DANCE_HOLD) + length, ":%u:%u", &step, &ms) == 2) {
        hold_step = step;
        hold_ms = ms;
    }
}

bool dance_told(void)
{
    return dance_name != NULL;
}

/* The console itself wants a carriage return before the end of a line; behind standard error somebody adds it. */
static void line_write(char *line, size_t length)
{
    int written;
    if (dance_console == MACH_PORT_NULL) {
        line[length++] = '\n';
        if (write(STDERR_FILENO, line, length) < 0)
            return; /* nobody to tell */
    } else {
        line[length++] = '\r';
        line[length++] = '\n';
        device_write_inband(dance_console, 0, 0, line, (mach_msg_type_number_t)length, &written);
    }
}

static void rest(void)
{
    mach_port_t port = mach_reply_port();
    mach_msg(NULL, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 0, port, hold_ms, MACH_PORT_NULL);
    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
}

void dance_step(unsigned int number, const char *format, ...)
{
    char line[IO_INBAND_MAX];
    va_list args;
    if (!dance_name)
        return;
    int saved = errno, room = sizeof line - 2;
    int length = snprintf(line, room, "%s: step %u: ", dance_name, number);
    va_start(args, format);
    length += vsnprintf(line + length, room - length, format, args);
    va_end(args);
    line_write(line, (size_t)(length < room ? length : room - 1));
    if (number == hold_step && hold_ms > 0)
        rest();
    errno = saved;
}
