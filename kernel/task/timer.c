/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timers: a wheel of one list a tick; one that is more than a turn away is passed over until its turn.  Lock: the
   kernel lock. */

#include "sched.h"

#include "../arch/x86_64/machine.h"

#define WHEEL 512

uint64_t clock_ticks;
static struct list wheel[WHEEL];
static bool wheel_ready;

static void wheel_init(void)
{
    for (unsigned int i = 0; i < WHEEL; i++)
        list_init(&wheel[i]);
    wheel_ready = true;
}

void timer_start(struct timer *timer, uint32_t milliseconds)
{
    if (!wheel_ready)
        wheel_init();
    /* The tick that is under way does not count, nor those that the clock's interrupt has still to catch up with. */
    uint64_t now = max(clock_ticks, machine_uptime_micros() / (1000000 / HZ));
    timer->when = now + 1 + ((uint64_t)milliseconds * HZ + 999) / 1000;
    list_append(&wheel[timer->when % WHEEL], &timer->link);
}

void timer_stop(struct timer *timer)
{
    list_remove(&timer->link);
}

void timer_tick(void)
{
    clock_ticks++;
    if (!wheel_ready)
        return;
    struct list *slot = &wheel[clock_ticks % WHEEL];
    struct list due = LIST_INIT(due);
    list_for_each_safe(link, after, slot) {
        struct timer *timer = list_entry(link, struct timer, link);
        if (timer->when <= clock_ticks) {
            list_remove(link);
            list_append(&due, link);
        }
    }
    struct list *link;
    while ((link = list_pop(&due))) {
        struct timer *timer = list_entry(link, struct timer, link);
        timer->expire(timer);
    }
}
