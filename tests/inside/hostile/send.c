/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send: messages on their way, and the answers.

   Up to FLIGHTS requests are under way at a time, each with a reply port of its own in one port set: a server that lets
   its client wait costs one wait for all of them.  Who has had no answer when nothing comes any more, or much later
   than others have theirs, is given up: the reply port is destroyed, and the answer goes nowhere.  One thread at a
   time.  */

#include "hostile.h"

#include <mach/mach_port.h>
#include <mach/thread_switch.h>
#include <string.h>

enum { FLIGHTS = 32, PATIENCE_MS = 40, BORED_MS = 10, OVERDUE = 8 * FLIGHTS, INTERRUPT_OPERATION = 33000 };

static union { mach_msg_header_t head; char bytes[MESSAGE_MAX]; } answer;

struct flight {
    mach_port_t port;      /* receive right, in the set; null before the first use and after it was given up */
    bool under_way;
    uint64_t since;        /* the value of `departures` when it left */
};
static struct flight flights[FLIGHTS];
static mach_port_t airspace;    /* the set */
static uint64_t departures;
static bool bored;              /* the last wait brought nothing */
static unsigned int window = FLIGHTS;

void send_window(unsigned int size)
{
    window = size == 0 ? 1 : size > FLIGHTS ? FLIGHTS : size;
}

/* ---- reply ports ------------------------------------------------------------------- */

void send_renew(void)
{
    memset(flights, 0, sizeof flights);
    airspace = MACH_PORT_NULL;
    pool.own = MACH_PORT_NULL;
    pool_own_renew();
}

static bool port_make(struct flight *flight)
{
    mach_port_type_t type;
    bool there = MACH_PORT_VALID(airspace) && mach_port_type(mach_task_self(), airspace, &type) == 0 &&
                 (type & MACH_PORT_TYPE_PORT_SET);
    if (!there && mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &airspace) != 0)
        return false;
    if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &flight->port) != 0)
        return false;
    return mach_port_move_member(mach_task_self(), flight->port, airspace) == 0;
}

static void flight_forget(struct flight *flight)
{
    if (MACH_PORT_VALID(flight->port))
        mach_port_mod_refs(mach_task_self(), flight->port, MACH_PORT_RIGHT_RECEIVE, -1);
    *flight = (struct flight) { 0 };
}

static struct flight *flight_lookup(mach_port_t port)
{
    for (unsigned int i = 0; i < FLIGHTS; i++)
        if (flights[i].port == port)
            return &flights[i];
    return NULL;
}

/* ---- answers ----------------------------------------------------------------------- */

static void found_keep(mach_port_t name)
{
    mach_port_t *place = &pool.found[pool.found_next++ % FOUND];
    if (MACH_PORT_VALID(*place))
        mach_port_deallocate(mach_task_self(), *place);
    *place = name;
}

/* Keeps send rights that the answer brought as new material, and releases the rest. */
static void answer_take(void)
{
    if (!(answer.head.msgh_bits & MACH_MSGH_BITS_COMPLEX))
        return;
    for (size_t at = sizeof answer.head; at + sizeof(mach_msg_type_t) <= answer.head.msgh_size;) {
        mach_msg_type_t *type = (void *) (answer.bytes + at);
        size_t bytes = (size_t) type->msgt_number * type->msgt_size / 8;
        at += sizeof *type;
        if (type->msgt_name == MACH_MSG_TYPE_PORT_SEND && type->msgt_inline)
            for (unsigned int i = 0; i < type->msgt_number; i++) {
                mach_port_name_inlined_t *name = (void *) (answer.bytes + at + i * sizeof *name);
                if (MACH_PORT_VALID(name->name))
                    found_keep(name->name);
            }
        if (!type->msgt_inline && bytes)
            vm_deallocate(mach_task_self(), *(vm_address_t *) (answer.bytes + at), bytes);
        at += type->msgt_inline ? (bytes + 7) & ~7ul : sizeof(vm_address_t);
    }
}

/* Takes one answer that comes within MILLISECONDS. */
static bool answer_receive(unsigned int milliseconds)
{
    if (mach_msg(&answer.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_INTERRUPT, 0, sizeof answer, airspace,
                 milliseconds, MACH_PORT_NULL))
        return false;
    struct flight *flight = flight_lookup(answer.head.msgh_local_port);
    const int *code = (const void *) (answer.bytes + sizeof answer.head + sizeof(mach_msg_type_t));
    if (flight && flight->under_way) {
        outcome_count(UNANSWERED, -1);
        outcome_count(answer.head.msgh_size >= sizeof answer.head + 16 && *code == 0 ? ANSWERED : ERROR, 1);
        flight->under_way = false;
    }
    answer_take();
    return true;
}

/* Waits until something comes, and takes all that is there; gives up all that is under way if nothing does, else what
   is overdue. */
static void answers_gather(void)
{
    bool some = answer_receive(bored ? BORED_MS : PATIENCE_MS);
    bored = !some;
    while (some && answer_receive(0))
        ;
    for (unsigned int i = 0; i < FLIGHTS; i++)
        if (flights[i].under_way && (!some || departures - flights[i].since > OVERDUE))
            flight_forget(&flights[i]);
}

static struct flight *flight_idle(unsigned int *under_way)
{
    struct flight *idle = NULL;
    *under_way = 0;
    for (unsigned int i = 0; i < FLIGHTS; i++)
        if (flights[i].under_way)
            ++*under_way;
        else if (!idle || MACH_PORT_VALID(flights[i].port))
            idle = &flights[i];
    return idle;
}

void send_finish(void)
{
    for (unsigned int under_way; flight_idle(&under_way), under_way;)
        answers_gather();
}

/* One that has a port and is not under way; NULL if there are no ports. */
static struct flight *flight_obtain(void)
{
    unsigned int under_way;
    struct flight *flight = flight_idle(&under_way);
    for (; under_way >= window; flight = flight_idle(&under_way))
        answers_gather();
    return MACH_PORT_VALID(flight->port) || port_make(flight) ? flight : NULL;
}

/* ---- requests ---------------------------------------------------------------------- */

/* The reply port and its type, as KIND wants it; OWN is an honest one. */
static mach_port_t reply_choose(enum kind kind, mach_port_t victim, bool simple, mach_port_t own, unsigned int *type)
{
    *type = MACH_MSG_TYPE_MAKE_SEND_ONCE;
    if (kind == REPLY || kind == NOISE) {
        switch (below(6)) {
        case 0: *type = 0; return MACH_PORT_NULL;
        case 1: *type = MACH_MSG_TYPE_COPY_SEND; return victim;
        case 2: *type = MACH_MSG_TYPE_COPY_SEND; return pool.tasks[below(TASKS)];
        case 3: *type = MACH_MSG_TYPE_MAKE_SEND; return pool.own; /* nobody empties its queue */
        case 4: *type = MACH_MSG_TYPE_COPY_SEND; return pool.victims[below(pool.victim_count)];
        default: break;
        }
    }
    if (simple && !once_in(8)) {
        *type = 0;
        return MACH_PORT_NULL;
    }
    return own;
}

static void interrupt(mach_port_t victim)
{
    mach_msg_header_t head = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), .msgh_size = sizeof head,
                               .msgh_remote_port = victim, .msgh_id = INTERRUPT_OPERATION };
    mach_msg(&head, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof head, 0, MACH_PORT_NULL, 5, MACH_PORT_NULL);
}

void message_send(struct message *m, mach_port_t victim, enum kind kind)
{
    unsigned int type;
    struct flight *flight = flight_obtain();
    mach_port_t own = flight ? flight->port : MACH_PORT_NULL, reply = reply_choose(kind, victim, m->simple, own, &type);
    m->head.msgh_remote_port = victim;
    m->head.msgh_local_port = reply;
    m->head.msgh_bits = (m->head.msgh_bits & MACH_MSGH_BITS_COMPLEX) |
                        MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_PORT_VALID(reply) ? type : 0);
    mach_msg_return_t err = mach_msg(&m->head, MACH_SEND_MSG | MACH_SEND_TIMEOUT | MACH_SEND_INTERRUPT,
                                     m->head.msgh_size, 0, MACH_PORT_NULL, 1000, MACH_PORT_NULL);
    if (err == MACH_SEND_INVALID_REPLY && flight && reply == own)
        flight_forget(flight); /* an earlier message hit it */
    if (err || !flight || reply != own) {
        outcome_count(err ? REFUSED : SENT, 1);
        return;
    }
    outcome_count(m->simple ? SENT : UNANSWERED, 1);
    flight->under_way = !m->simple; /* what comes to a simple one's reply port is only taken away */
    flight->since = departures++;
    if (kind == INTERRUPT && once_in(2))
        thread_switch(MACH_PORT_NULL, SWITCH_OPTION_NONE, 0);
    if (kind == INTERRUPT)
        for (unsigned int i = below(3); i; i--)
            interrupt(victim);
    if (kind == ABANDON) {
        if (once_in(2))
            thread_switch(MACH_PORT_NULL, once_in(16) ? SWITCH_OPTION_DEPRESS : SWITCH_OPTION_NONE, 1);
        flight_forget(flight);
    }
}
