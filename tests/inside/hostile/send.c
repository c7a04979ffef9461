/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send: one message on its way, and the answer. */

#include "hostile.h"

#include <mach/mach_port.h>
#include <mach/thread_switch.h>
#include <string.h>

enum { PATIENCE_MS = 40, BORED_MS = 3, BORED_AFTER = 3, ROUTINES_MAX = 64, INTERRUPT_OPERATION = 33000 };

static union { mach_msg_header_t head; char bytes[MESSAGE_MAX]; } answer;
static mach_port_t reply_port;
/* How often a routine did not answer in time: most that wait would wait for ever. */
static struct { mach_msg_id_t id; unsigned int count; } bored[ROUTINES_MAX];

static unsigned int *bored_count(mach_msg_id_t id)
{
    unsigned int at = (unsigned int) id % ROUTINES_MAX;
    if (bored[at].id != id) {
        bored[at].id = id;
        bored[at].count = 0;
    }
    return &bored[at].count;
}

static mach_port_t reply_obtain(void)
{
    if (!MACH_PORT_VALID(reply_port) && mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &reply_port) != 0)
        reply_port = MACH_PORT_NULL;
    return reply_port;
}

void send_renew(void)
{
    reply_port = MACH_PORT_NULL;
    pool.own = MACH_PORT_NULL;
    pool_own_renew();
}

static void reply_forget(void)
{
    mach_port_mod_refs(mach_task_self(), reply_port, MACH_PORT_RIGHT_RECEIVE, -1);
    reply_port = MACH_PORT_NULL;
}

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

/* Waits for the answer; gives up after a while and destroys the port, so that the server's answer goes nowhere. */
static enum outcome answer_wait(mach_msg_id_t id)
{
    unsigned int *misses = bored_count(id);
    mach_msg_return_t err = mach_msg(&answer.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_INTERRUPT, 0, sizeof answer, reply_port,
                                     *misses >= BORED_AFTER ? BORED_MS : PATIENCE_MS, MACH_PORT_NULL);
    if (err) {
        ++*misses;
        reply_forget();
        return UNANSWERED;
    }
    const int *code = (const void *) (answer.bytes + sizeof answer.head + sizeof(mach_msg_type_t));
    enum outcome outcome = answer.head.msgh_size >= sizeof answer.head + 16 && *code == 0 ? ANSWERED : ERROR;
    answer_take();
    return outcome;
}

/* The reply port and its type, as KIND wants it. */
static mach_port_t reply_choose(enum kind kind, mach_port_t victim, bool simple, unsigned int *type)
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
    return reply_obtain();
}

static void interrupt(mach_port_t victim)
{
    mach_msg_header_t head = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), .msgh_size = sizeof head,
                               .msgh_remote_port = victim, .msgh_id = INTERRUPT_OPERATION };
    mach_msg(&head, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof head, 0, MACH_PORT_NULL, 5, MACH_PORT_NULL);
}

enum outcome message_send(struct message *m, mach_port_t victim, enum kind kind)
{
    unsigned int type;
    mach_port_t reply = reply_choose(kind, victim, m->simple, &type);
    m->head.msgh_remote_port = victim;
    m->head.msgh_local_port = reply;
    m->head.msgh_bits = (m->head.msgh_bits & MACH_MSGH_BITS_COMPLEX) | MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, type);
    mach_msg_id_t id = m->head.msgh_id;
    mach_msg_return_t err = mach_msg(&m->head, MACH_SEND_MSG | MACH_SEND_TIMEOUT | MACH_SEND_INTERRUPT, m->head.msgh_size, 0, MACH_PORT_NULL, 1000,
                                     MACH_PORT_NULL);
    if (err)
        return REFUSED;
    if (kind == INTERRUPT)
        for (unsigned int i = below(3); i; i--)
            interrupt(victim);
    if (kind == ABANDON && reply == reply_port && !m->simple) {
        if (once_in(2))
            thread_switch(MACH_PORT_NULL, SWITCH_OPTION_DEPRESS, 1);
        reply_forget();
        return UNANSWERED;
    }
    if (reply != reply_port || (m->simple && kind != REPLY))
        return SENT;
    return answer_wait(id);
}
