/* SPDX-License-Identifier: GPL-2.0-or-later */
/* silent: asks startup COUNT times to be told of the end, as `NAME 1`, `NAME 2`..., and never answers, unless NAME is
   "polite".  By /servers/startup, as root or as the user UID; or by its message port.  Ends when it has asked; a child
   stays.

   silent [COUNT [UID | message [NAME]]] */

#include <hurd.h>
#include <hurd/paths.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <mach/mig_errors.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mach_port_t startup_find(const char *how)
{
    mach_port_t startup = MACH_PORT_NULL;
    if (!strcmp(how, "message")) {
        proc_getmsgport(getproc(), HURD_PID_STARTUP, &startup);
        return startup;
    }
    uid_t uid = (uid_t)atoi(how);
    if (uid && (setgid(uid) || setuid(uid)))
        return MACH_PORT_NULL;
    return file_name_lookup(_SERVERS_STARTUP, 0, 0);
}

/* Answers what comes to PORTS. */
static void answer(mach_port_t ports)
{
    mig_reply_header_t message;
    while (mach_msg(&message.Head, MACH_RCV_MSG, 0, sizeof message, ports, 0, MACH_PORT_NULL) == 0) {
        message.Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(message.Head.msgh_bits), 0);
        message.Head.msgh_id += 100;
        message.Head.msgh_local_port = MACH_PORT_NULL;
        message.RetCodeType = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32,
                                                .msgt_number = 1, .msgt_inline = TRUE};
        message.RetCode = 0;
        mach_msg(&message.Head, MACH_SEND_MSG, sizeof message, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
    }
}

static int ask(int count, const char *how, const char *what, mach_port_t *ports)
{
    mach_port_t startup = startup_find(how);
    string_t name;
    if (!MACH_PORT_VALID(startup) || mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, ports))
        return 1;
    for (int i = 1; i <= count; i++) {
        mach_port_t port = mach_reply_port();
        mach_port_move_member(mach_task_self(), port, *ports);
        snprintf(name, sizeof name, "%s %d", what, i);
        if (startup_request_notification(startup, port, MACH_MSG_TYPE_MAKE_SEND, name))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[3] : "silent";
    mach_port_t ports;
    char status = 1;
    int pipes[2];
    if (pipe(pipes))
        return 1;
    if (fork()) {
        close(pipes[1]);
        return read(pipes[0], &status, 1) == 1 ? status : 1;
    }
    status = ask(argc > 1 ? atoi(argv[1]) : 1, argc > 2 ? argv[2] : "0", what, &ports);
    if (write(pipes[1], &status, 1) != 1 || status)
        return 1;
    if (!strcmp(what, "polite"))
        answer(ports);
    for (;;)
        pause();
}
