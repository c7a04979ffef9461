/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_fuzz: the kernel's only program.

   Arguments: --host-priv-port=N --device-master-port=N [--seed=N] [--rounds=N] [--count=N] [--first=N]
   ROUNDS attackers send COUNT messages and calls each.  A line a round: its number, the first of its messages, how it
   ended, what became of the messages, and the figures.  At the end `= N messages, N calls, N passed, N failed`: failed
   are rounds after which tasks, threads, names or pages are missing.  */

#include "kernel_fuzz.h"

#include <mach/mach_host.h>
#include <stdio.h>
#include <string.h>

#include "../campaign.h"
#include "../frame.h"

enum { POLL_MS = 10, STALLED_POLLS = 8, SETTLE_POLLS = 300, TASKS_MAX = 256 };
/* Pages that the kernel may keep after a round: buffers and caches grow to what was used at once. */
enum { PAGES_SLACK = 512 };

static mach_port_t set_control;
static mach_port_t known[TASKS_MAX];
static unsigned int known_count;

/* All tasks of the host; those that were not there at the beginning are ended. */
static void tasks_look(bool remember)
{
    mach_port_t *list;
    mach_msg_type_number_t count = 0;
    if (processor_set_tasks(set_control, &list, &count))
        return;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        bool old = false;
        for (unsigned int j = 0; j < known_count; j++)
            old |= known[j] == list[i];
        if (remember && known_count < TASKS_MAX) {
            known[known_count++] = list[i];
            continue; /* and its name stays */
        }
        if (!old)
            task_terminate(list[i]);
        mach_port_deallocate(mach_task_self(), list[i]);
    }
    vm_deallocate(mach_task_self(), (vm_address_t)list, count * sizeof *list);
}

/* ---- rounds ------------------------------------------------------------------------------------ */

/* Watches the attacker until it is done, dead or stuck; says which. */
static const char *attacker_watch(struct child *child, struct progress *progress)
{
    uint64_t last = 0;
    unsigned int stalled = 0;
    while (!progress->ended) {
        if (port_type(child->task) & MACH_PORT_TYPE_DEAD_NAME)
            return "died";
        if (progress->number != last) {
            last = progress->number;
            stalled = 0;
        } else if (++stalled % STALLED_POLLS == 0) {
            if (stalled > 3 * STALLED_POLLS)
                return "stuck";
            thread_resume(child->thread);
            task_resume(child->task);
            thread_abort(child->thread);
        }
        pause_ms(POLL_MS);
    }
    return "done";
}

static bool figures_are(void *before)
{
    const struct figures *wanted = before;
    tasks_look(false);
    struct figures now = figures_take();
    return now.tasks == wanted->tasks && now.threads == wanted->threads && now.names == wanted->names;
}

static bool round_run(struct attack *attack, struct figures before)
{
    struct child child;
    struct progress *progress = attack->progress;
    *progress = (struct progress){.number = attack->first};
    say("@ %lu\n", (unsigned long)attack->first);
    child_create(&child, attack_run, attack);
    mach_port_insert_right(child.task, host_priv, host_priv, MACH_MSG_TYPE_COPY_SEND);
    mach_port_insert_right(child.task, device_master, device_master, MACH_MSG_TYPE_COPY_SEND);
    child_start(&child);
    const char *end = attacker_watch(&child, progress);
    child_kill(&child);
    bool good = settle(figures_are, &before, SETTLE_POLLS);
    struct figures after = figures_take();
    if (after.pages + PAGES_SLACK < before.pages)
        good = false;
    say("%s %lu..%lu %s: answered %lu, error %lu, refused %lu, unanswered %lu, sent %lu, calls %lu; tasks %d, threads "
        "%d, names %d, pages free %ld\n",
        good ? "." : "!", (unsigned long)attack->first, (unsigned long)progress->number, end,
        (unsigned long)progress->outcomes[ANSWERED], (unsigned long)progress->outcomes[ERROR],
        (unsigned long)progress->outcomes[REFUSED], (unsigned long)progress->outcomes[UNANSWERED],
        (unsigned long)progress->outcomes[SENT], (unsigned long)progress->calls, after.tasks - before.tasks,
        after.threads - before.threads, after.names - before.names, after.pages);
    return good;
}

int main(int argc, char **argv)
{
    unsigned long seed = 1, rounds = 10, count = 1000, first = 0, messages = 0, calls = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        sscanf(argv[i], "--seed=%lu", &seed);
        sscanf(argv[i], "--rounds=%lu", &rounds);
        sscanf(argv[i], "--count=%lu", &count);
        sscanf(argv[i], "--first=%lu", &first);
    }
    vm_address_t page = 0;
    if (!campaign_open(argc, argv) || host_processor_set_priv(host_priv, set_name, &set_control) ||
        vm_allocate(mach_task_self(), &page, 4096, TRUE) || vm_inherit(mach_task_self(), page, 4096, VM_INHERIT_SHARE))
        return 1;
    struct attack attack = {.seed = seed, .first = first, .count = count, .progress = (struct progress *)page};
    say("kernel_fuzz: seed %lu, %lu rounds of %lu from %lu on\n", seed, rounds, count, first);
    tasks_look(true);
    struct figures start = figures_take();
    for (unsigned long round = 0; round < rounds; round++) {
        failed += !round_run(&attack, start);
        for (unsigned int i = 0; i < OUTCOMES; i++) /* the attacker may have written there what it liked */
            messages += attack.progress->outcomes[i] <= count ? attack.progress->outcomes[i] : 0;
        calls += attack.progress->calls <= count ? attack.progress->calls : 0;
        attack.first += count;
        if (round == 0)
            start = figures_take(); /* the kernel's buffers have grown by now */
    }
    say("= %lu messages, %lu calls, %lu passed, %lu failed\n", messages, calls, rounds - failed, failed);
    for (;;)
        pause_ms(1000000);
}
