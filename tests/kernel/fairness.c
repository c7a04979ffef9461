/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets the processor: threads of one priority all go on, whatever the others do (Mach manual, "Scheduling"). */

#include "frame.h"

static volatile bool stop;
static volatile unsigned long turns;

static void answer_all(void *argument)
{
    mach_port_t port = *(mach_port_t *)argument;
    union {
        mach_msg_header_t header;
        char room[256];
    } message;
    if (mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof message, port, 0, MACH_PORT_NULL))
        return;
    for (;;) {
        message.header = (mach_msg_header_t){.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0),
                                             .msgh_size = sizeof message.header,
                                             .msgh_remote_port = message.header.msgh_remote_port};
        if (mach_msg(&message.header, MACH_SEND_MSG | MACH_RCV_MSG, sizeof message.header, sizeof message, port, 0,
                     MACH_PORT_NULL))
            return;
    }
}

static void call_always(void *argument)
{
    mach_port_t port = *(mach_port_t *)argument;
    union {
        mach_msg_header_t header;
        char room[256];
    } message;
    while (!stop) {
        message.header = (mach_msg_header_t){.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
                                                                         MACH_MSG_TYPE_MAKE_SEND_ONCE),
                                             .msgh_size = sizeof message.header,
                                             .msgh_remote_port = port,
                                             .msgh_local_port = mig_get_reply_port()};
        mach_msg(&message.header, MACH_SEND_MSG | MACH_RCV_MSG, sizeof message.header, sizeof message,
                 mig_get_reply_port(), 0, MACH_PORT_NULL);
    }
}

static void count_turns(void *unused)
{
    (void)unused;
    while (!stop)
        turns++;
}

/* The case ends only if the third thread gets turns, and the frame's own thread after its wait, while two call each
   other without end. */
CASE(callers_leave_time_for_others)
{
    mach_port_t port = port_create_with_send();
    struct helper server = {0}, client = {0}, third = {0};
    stop = false;
    turns = 0;
    helper_start(&server, answer_all, &port);
    helper_start(&client, call_always, &port);
    helper_start(&third, count_turns, NULL);
    for (unsigned long seen = 0; seen < 3; seen++) {
        unsigned long before = turns;
        while (turns == before)
            pause_ms(20);
    }
    stop = true;
    CHECK(helper_join(&client));
    CHECK(helper_join(&third));
    helper_kill(&server);
    port_destroy(port);
}
