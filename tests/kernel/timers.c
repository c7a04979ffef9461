/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for a time: never too short.  */

#include "objects.h"

static long now_ms(void)
{
    time_value64_t now = {0, 0};
    mach_port_t host = (mach_host_self)();
    CHECK(host_get_uptime64(host, &now) == KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), host);
    return now.seconds * 1000 + now.nanoseconds / 1000000;
}

CASE(receive_waits_long_enough)
{
    static const unsigned int times[] = {0, 1, 10, 11, 35, 100};
    mach_port_t port = port_create();
    for (unsigned int i = 0; i < sizeof times / sizeof times[0]; i++) {
        long before = now_ms();
        EXPECT(receive_within(port, times[i]), MACH_RCV_TIMED_OUT);
        /* a tick is 10 ms, and the first is not whole */
        EXPECT(now_ms() - before >= (long)times[i] - 10, true);
    }
    port_destroy(port);
}

CASE(send_waits_long_enough)
{
    mach_port_t port = port_create_with_send();
    while (send_empty(port, 1) == MACH_MSG_SUCCESS)
        ;
    mach_msg_header_t header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), .msgh_size = sizeof header, .msgh_remote_port = port};
    long before = now_ms();
    EXPECT(mach_msg(&header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof header, 0, MACH_PORT_NULL, 60, MACH_PORT_NULL), MACH_SEND_TIMED_OUT);
    EXPECT(now_ms() - before >= 50, true);
    port_destroy(port);
}

CASE(switch_waits_long_enough)
{
    long before = now_ms();
    EXPECT(TRAP_3(-61, MACH_PORT_NULL, SWITCH_OPTION_WAIT, 60), KERN_SUCCESS);
    EXPECT(now_ms() - before >= 50, true);
}

CASE(gsync_waits_long_enough)
{
    unsigned int word = 0;
    long before = now_ms();
    EXPECT(gsync_wait(mach_task_self(), (vm_address_t)&word, 0, 0, 60, 4), KERN_TIMEDOUT);
    EXPECT(now_ms() - before >= 50, true);
}

static void wait_some(void *port)
{
    receive_within(*(mach_port_t *)port, 200);
}

/* The longest possible times are not taken for the shortest. */
CASE(huge_times)
{
    static const unsigned int times[] = {0x7fffffff, 0x80000000, 0xffffffff, 0x10000000};
    mach_port_t port = port_create_with_send();
    struct helper helper = {0};
    for (unsigned int i = 0; i < sizeof times / sizeof times[0]; i++) {
        mach_msg_header_t header;
        mach_port_t set = port_create();
        helper_start(&helper, wait_some, &set);
        send_empty(port, 3);
        EXPECT(mach_msg(&header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof header, port, times[i], MACH_PORT_NULL), MACH_MSG_SUCCESS);
        CHECK(helper_join(&helper));
        port_destroy(set);
    }
    port_destroy(port);
}

struct timed {
    mach_port_t port;
    unsigned int ms;
    volatile long result;
};

static void timed_run(void *argument)
{
    struct timed *timed = argument;
    mach_msg_header_t header;
    timed->result = mach_msg(&header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof header, timed->port, timed->ms, MACH_PORT_NULL);
}

CASE_DIFFERS(huge_times_wait)
{
    static const unsigned int times[] = {0x7fffffff, 0x80000000, 0xffffffff, 0x10000000, 50000000};
    for (unsigned int i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct timed timed = {port_create_with_send(), times[i], -1};
        struct helper helper = {0};
        helper_start(&helper, timed_run, &timed);
        CHECK(thread_waits(helper.thread));
        pause_ms(20);
        OBSERVE(timed.result);
        send_empty(timed.port, 1);
        CHECK(helper_join(&helper));
        OBSERVE(timed.result);
        port_destroy(timed.port);
    }
}

CASE(many_at_once)
{
    enum { MANY = 24 };
    struct timed timed[MANY];
    struct helper helper[MANY] = {0};
    for (int i = 0; i < MANY; i++) {
        timed[i] = (struct timed){port_create(), 10 + (unsigned int)(i * 37 % 100), -1};
        helper_start(&helper[i], timed_run, &timed[i]);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK(helper_join(&helper[i]));
        EXPECT(timed[i].result, MACH_RCV_TIMED_OUT);
        port_destroy(timed[i].port);
    }
}
