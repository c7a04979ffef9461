/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for a time: never too short.  */

#include "objects.h"

static long now_ms(void)
{
    time_value64_t now = {0, 0};
    mach_port_t host = (mach_host_self)();
    CHECK(host_get_uptime64(host, &now) == KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), host);
    return time_microseconds(now) / 1000;
}

/* Runs WAIT, which takes MS milliseconds at least, up to ten times: when the clock's interrupts come late and all at
   once, as on an emulator that its host does not run, the kernel's count of them and the time are not of one moment,
   and a wait may seem short.  Not always. */
#define WAITS_LONG_ENOUGH(WAIT, RESULT, MS)                                     \
    do {                                                                        \
        bool enough_ = false;                                                   \
        for (int try_ = 0; try_ < 10 && !enough_; try_++) {                     \
            long before_ = now_ms();                                            \
            if (!CHECK((long)(WAIT) == (long)(RESULT)))                         \
                break;                                                          \
            enough_ = now_ms() - before_ >= (long)(MS) - TICK_MS;               \
        }                                                                       \
        CHECK(enough_);                                                         \
    } while (0)
enum { TICK_MS = 10 }; /* the first is not whole */

CASE(receive_waits_long_enough)
{
    static const unsigned int times[] = {0, 1, 10, 11, 35, 100};
    mach_port_t port = port_create();
    for (unsigned int i = 0; i < sizeof times / sizeof times[0]; i++)
        WAITS_LONG_ENOUGH(receive_within(port, times[i]), MACH_RCV_TIMED_OUT, times[i]);
    port_destroy(port);
}

CASE(send_waits_long_enough)
{
    mach_port_t port = port_create_with_send();
    while (send_empty(port, 1) == MACH_MSG_SUCCESS)
        ;
    mach_msg_header_t header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
                                .msgh_size = sizeof header,
                                .msgh_remote_port = port};
    WAITS_LONG_ENOUGH(mach_msg(&header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof header, 0, MACH_PORT_NULL, 60,
                               MACH_PORT_NULL),
                      MACH_SEND_TIMED_OUT, 60);
    port_destroy(port);
}

CASE(switch_waits_long_enough)
{
    WAITS_LONG_ENOUGH(TRAP_3(-61, MACH_PORT_NULL, SWITCH_OPTION_WAIT, 60), KERN_SUCCESS, 60);
}

CASE(gsync_waits_long_enough)
{
    unsigned int word = 0;
    WAITS_LONG_ENOUGH(gsync_wait(mach_task_self(), (vm_address_t)&word, 0, 0, 60, 4), KERN_TIMEDOUT, 60);
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
        EXPECT(mach_msg(&header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof header, port, times[i], MACH_PORT_NULL),
               MACH_MSG_SUCCESS);
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
    timed->result = mach_msg(&header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof header, timed->port, timed->ms,
                             MACH_PORT_NULL);
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
