/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attack: one message or system call after the other (kernel_fuzz.h). */

#include "kernel_fuzz.h"

#include <mach/mach_traps.h>
#include <string.h>

#include "../frame.h"
#include "../objects.h"

enum { RENEW_EVERY = 100 };

const char *const kind_names[KINDS] = {"well-formed", "size",  "type",   "count",     "huge",    "right", "class",
                                       "reply",       "noise", "notify", "interrupt", "abandon", "pager"};

/* What ends the machine or the test as it should, gives the attacker the watcher, or prints. */
static bool excluded(const char *name)
{
    static const char *const names[] = {"host_reboot", "task_set_essential", "processor_set_tasks",
                                        "processor_set_threads", "processor_set_max_priority"};
    for (unsigned int i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

void *pager_memory(size_t size)
{
    (void)size;
    return NULL; /* memory whose pager never answers is a target's, not a message's */
}

static const struct interface *interface_choose(void)
{
    unsigned int count = 0;
    while (interfaces[count].name)
        count++;
    return &interfaces[below(count)];
}

static struct progress *progress;   /* of the attacker, which has its task for itself */

void outcome_count(enum outcome outcome, int change)
{
    progress->outcomes[outcome] += (uint64_t)(int64_t)change;
}

static void message_attack(void)
{
    static struct message message;
    enum kind kind = once_in(2) ? WELL_FORMED : (enum kind)below(KINDS);
    const struct interface *interface = interface_choose();
    const struct routine *routine = &interface->routines[below(interface->routine_count)];
    if (excluded(routine->name))
        return;
    if (kind == NOISE) {
        message_noise(&message, interface);
        for (unsigned int i = 0; i < interface->routine_count; i++)
            if (interface->routines[i].id == message.head.msgh_id && excluded(interface->routines[i].name))
                return;
    } else if (kind == NOTIFY) {
        message_notification(&message);
    } else {
        message_build(&message, routine, kind);
        message_spoil(&message, kind);
    }
    message_send(&message, target_choose(routine->name), kind);
    send_finish();
    message_release(&message);
}

/* ---- system calls ------------------------------------------------------------------------------ */

static char scratch[4096] __attribute__((aligned(4096)));

static long argument_choose(void)
{
    switch (below(10)) {
    case 0: return (long)random_next();
    case 1: return (long)(scratch + below(sizeof scratch));
    case 2: return (long)(1ull << below(64));
    case 3: return (long)(0xffff800000000000 + below(1 << 30));
    case 4: return (long)(0x7fffffffffff - below(16));
    case 5: return (long)below(5);
    case 6: return -(long)below(5);
    case 7: return (long)pool.own;
    default: return (long)name_choose();
    }
}

/* mach_msg itself: a header of which little is true; it does not wait for ever, mostly. */
static void mach_msg_attack(void)
{
    static struct message message;
    message_noise(&message, interface_choose());
    message.head.msgh_bits = once_in(2)
                                 ? (unsigned int)random_next()
                                 : MACH_MSGH_BITS(below(32), below(32)) | (once_in(2) ? MACH_MSGH_BITS_COMPLEX : 0);
    message.head.msgh_remote_port = once_in(2) ? name_choose() : pool.own;
    message.head.msgh_local_port = once_in(2) ? name_choose() : pool.own;
    long option = (long)below(0x2000) | (once_in(32) ? 0 : MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT);
    long at = once_in(8) ? argument_choose() : (long)&message;
    trap_call(-25, at, option, once_in(4) ? argument_choose() : (long)message.head.msgh_size,
              once_in(4) ? argument_choose() : MESSAGE_MAX, once_in(4) ? argument_choose() : (long)pool.own,
              (long)below(3));
}

static void call_attack(void)
{
    static const int known[] = {-25, -26, -27, -28, -29, -59, -60, -61, -64, -65, -66,
                                -68, -69, -70, -71, -72, -73, -74, -75, -76, -77};
    int number = once_in(400) ? (int)random_next() : known[below(sizeof known / sizeof known[0])];
    long first = once_in(2) ? (long)mach_task_self() : argument_choose(), second = argument_choose(),
         third = argument_choose();
    if (once_in(4)) {
        mach_msg_attack();
        return;
    }
    if (number == -30)
        return; /* prints */
    if (number == -61)
        third &= 15; /* milliseconds to wait */
    if ((number == -69 || number == -70 || number == -66 || number == -77) && !once_in(32))
        first = (long)pool.tasks[below(TASKS)]; /* not itself all the time */
    if (number == -77 && !once_in(32))
        return;
    trap_call(number, first, second, third, argument_choose(), argument_choose(), argument_choose());
}

void attack_run(void *argument)
{
    struct attack *attack = argument;
    progress = attack->progress;
    random_start(attack->seed, "kernel", 0, attack->first);
    if (pool_fill())
        return;
    pool_tasks_renew();
    targets_find();
    for (uint64_t i = 0; i < attack->count; i++) {
        progress->number = attack->first + i;
        random_start(attack->seed, "kernel", 1, attack->first + i);
        if (i % RENEW_EVERY == RENEW_EVERY - 1) {
            pool_own_renew();
            pool_tasks_renew();
            targets_find();
        }
        if (once_in(3)) {
            progress->calls++;
            call_attack();
        } else {
            message_attack();
        }
    }
    progress->ended = true;
}
