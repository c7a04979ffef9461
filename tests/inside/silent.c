/* SPDX-License-Identifier: GPL-2.0-or-later */
/* silent: asks startup COUNT times to be told of the end, as `silent 1`, `silent 2`..., and never answers. */

#include <hurd.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    mach_port_t startup;
    string_t name;

    if (proc_getmsgport(getproc(), HURD_PID_STARTUP, &startup))
        return 1;
    for (int i = 1; i <= (argc > 1 ? atoi(argv[1]) : 1); i++) {
        mach_port_t port = mach_reply_port();
        snprintf(name, sizeof name, "silent %d", i);
        if (startup_request_notification(startup, port, MACH_MSG_TYPE_MAKE_SEND, name))
            return 1;
    }
    for (;;)
        pause();
}
