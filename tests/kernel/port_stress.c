/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: many ports, many threads that wait; the kernel's memory is the same before and after. */

#include "messages.h"
#include "rights.h"

static unsigned int pages_free_now(void)
{
    struct vm_statistics statistics = {0};
    CHECK(vm_statistics(mach_task_self(), &statistics) == KERN_SUCCESS);
    return statistics.free_count;
}

/* ROUND is run twice: the kernel may keep what the first one made it get, the second one costs nothing. */
static void memory_compare(void (*round)(void))
{
    round();
    unsigned int before = pages_free_now();
    round();
    unsigned int after = 0;
    for (int tries = 0; tries < 500 && after + 16 < before; tries++) {
        pause_ms(20);
        after = pages_free_now();
    }
    remark("%u pages free before, %u after", before, after);
    CHECK(after + 16 >= before);
}

/* ---- ports ------------------------------------------------------------------------------------ */

enum { PORTS = 10000 };
static mach_port_t ports[PORTS];

static void ports_round(void)
{
    int wrong = 0;
    mach_port_t set = set_create(), notify = port_create();
    for (int i = 0; i < PORTS; i++) {
        wrong += mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &ports[i]) != 0;
        wrong += mach_port_insert_right(mach_task_self(), ports[i], ports[i], MACH_MSG_TYPE_MAKE_SEND) != 0;
        if (i % 10 == 0)
            wrong += send_empty(ports[i], i) != 0;
        if (i % 5 == 0)
            wrong += mach_port_move_member(mach_task_self(), ports[i], set) != 0;
        if (i % 100 == 0)
            wrong += notification_request(ports[i], MACH_NOTIFY_DEAD_NAME, 0, notify, NULL) != 0;
    }
    CHECK(port_names() >= PORTS);
    int received = 0;
    while (receive_within(set, 0) == MACH_MSG_SUCCESS)
        received++;
    CHECK(received == PORTS / 10);
    for (int i = 0; i < PORTS; i++)
        wrong += mach_port_destroy(mach_task_self(), ports[i]) != 0;
    int told = 0;
    while (notification_next(notify) == MACH_NOTIFY_PORT_DELETED)
        told++;
    CHECK(told == PORTS / 100);
    CHECK(wrong == 0);
    port_destroy(set);
    port_destroy(notify);
}

CASE_OURS(ten_thousand_ports)
{
    memory_compare(ports_round);
}

/* Pure send rights are found by their ports: a child has the receive rights. */
CASE_OURS(ten_thousand_send_rights)
{
    struct child child;
    int wrong = 0;
    unsigned int before = port_names();
    child_create(&child, NULL, NULL);
    for (int i = 0; i < PORTS; i++) {
        mach_port_t port = port_create_with_send();
        wrong += mach_port_insert_right(child.task, 100 + i, port, MACH_MSG_TYPE_MOVE_RECEIVE) != 0;
        ports[i] = port;
    }
    for (int i = 0; i < PORTS; i++) {
        mach_port_t again = 0;
        mach_msg_type_name_t type;
        wrong += mach_port_extract_right(child.task, 100 + i, MACH_MSG_TYPE_MAKE_SEND, &again, &type) != 0 ||
                 again != ports[i];
    }
    child_kill(&child);
    for (int i = 0; i < PORTS; i++) {
        for (int tries = 0; tries < 500 && port_type(ports[i]) != MACH_PORT_TYPE_DEAD_NAME; tries++)
            pause_ms(10);
        wrong += port_refs(ports[i], MACH_PORT_RIGHT_DEAD_NAME) != 2;
        mach_port_destroy(mach_task_self(), ports[i]);
    }
    CHECK(wrong == 0);
    CHECK(port_names() - before <= 1);
}

/* ---- threads --------------------------------------------------------------------------------------- */

enum { THREADS = 1000, SETS = 10 };
static struct helper *helpers;
static mach_port_t waited[SETS];
static unsigned int woken;

static void waiter(void *argument)
{
    struct {
        mach_msg_header_t header;
        char room[64];
    } message;
    if (mach_msg_trap(&message.header, MACH_RCV_MSG, 0, sizeof message, *(mach_port_t *)argument, 0, 0) ==
        MACH_MSG_SUCCESS)
        __atomic_add_fetch(&woken, 1, __ATOMIC_RELAXED);
}

static void threads_round(void)
{
    helpers = pages_allocate(THREADS * sizeof *helpers / vm_page_size + 1);
    woken = 0;
    for (int i = 0; i < SETS; i++)
        waited[i] = port_create_with_send();
    for (int i = 0; i < THREADS; i++)
        helper_start(&helpers[i], waiter, &waited[i % SETS]);
    for (int i = 0; i < THREADS; i++)
        CHECK(helper_waits(&helpers[i]));
    for (int i = 0; i < THREADS; i++) {
        message_begin(&message_out, waited[i % SETS], MACH_MSG_TYPE_COPY_SEND, 0, 0, i);
        CHECK(message_send_within(&message_out, NO_LIMIT) == MACH_MSG_SUCCESS);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(helper_join(&helpers[i]));
    CHECK(woken == THREADS);
    for (int i = 0; i < SETS; i++)
        port_destroy(waited[i]);
    pages_free(helpers, THREADS * sizeof *helpers / vm_page_size + 1);
}

CASE_OURS(thousand_threads_in_receive)
{
    memory_compare(threads_round);
}

static void killed_round(void)
{
    helpers = pages_allocate(THREADS * sizeof *helpers / vm_page_size + 1);
    waited[0] = port_create_with_send();
    for (int i = 0; i < THREADS; i++)
        helper_start(&helpers[i], waiter, &waited[0]);
    for (int i = 0; i < THREADS; i++)
        CHECK(helper_waits(&helpers[i]));
    /* Half are ended as they wait, the port dies under the others. */
    for (int i = 0; i < THREADS; i += 2)
        helper_kill(&helpers[i]);
    mach_port_destroy(mach_task_self(), waited[0]);
    for (int i = 1; i < THREADS; i += 2)
        CHECK(helper_join(&helpers[i]));
    pages_free(helpers, THREADS * sizeof *helpers / vm_page_size + 1);
}

CASE_OURS(thousand_threads_whose_port_dies)
{
    memory_compare(killed_round);
}
