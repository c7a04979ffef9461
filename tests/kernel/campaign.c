/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the long-running modules share (campaign.h). */

#include "campaign.h"

#include <device/device.h>
#include <mach/mach_host.h>
#include <mach/processor_info.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frame.h"

mach_port_t host_priv, device_master, set_name;
static mach_port_t console;

/* objects.c and help.c want a frame. */
bool check(const char *file, int line, const char *text, bool holds)
{
    (void)file, (void)line, (void)text;
    return holds;
}

bool campaign_open(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        sscanf(argv[i], "--host-priv-port=%u", &host_priv);
        sscanf(argv[i], "--device-master-port=%u", &device_master);
    }
    return device_open(device_master, D_WRITE | D_READ, "console", &console) == 0 &&
           processor_set_default(host_priv, &set_name) == 0;
}

void say(const char *format, ...)
{
    char line[240];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (int done = 0; done < length && done < (int)sizeof line;) {
        int wrote = 0;
        if (device_write_inband(console, 0, 0, line + done, length - done > 120 ? 120 : length - done, &wrote) ||
            wrote <= 0)
            return;
        done += wrote;
    }
}

struct figures figures_take(void)
{
    struct processor_set_basic_info set = {0};
    struct vm_statistics vm = {0};
    mach_msg_type_number_t count = PROCESSOR_SET_BASIC_INFO_COUNT;
    mach_port_t host = MACH_PORT_NULL;
    processor_set_info(set_name, PROCESSOR_SET_BASIC_INFO, &host, (processor_set_info_t)&set, &count);
    mach_port_deallocate(mach_task_self(), host);
    vm_statistics(mach_task_self(), &vm);
    return (struct figures){set.task_count, set.thread_count, (int)port_names(), vm.free_count};
}

bool part_chosen(const char *name, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
        any |= argv[i][0] != '-';
    }
    return !any;
}
