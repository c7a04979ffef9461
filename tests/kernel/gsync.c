/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gsync: waiting for a word of memory (gnumach.defs).  */

#include "objects.h"

enum { SHARED = 1, QUAD = 2, TIMED = 4, BROADCAST = 8, MUTATE = 16 };

static vm_address_t pages_new(unsigned int count)
{
    vm_address_t page = 0;
    CHECK(vm_allocate(mach_task_self(), &page, 4096 * count, TRUE) == KERN_SUCCESS);
    return page;
}

static kern_return_t wait_for(vm_address_t address, unsigned int low, unsigned int high, unsigned int ms, int flags)
{
    return gsync_wait(mach_task_self(), address, low, high, ms, flags);
}

CASE(other_value)
{
    unsigned int words[2] __attribute__((aligned(8))) = {1, 2};
    vm_address_t at = (vm_address_t)words;
    EXPECT(wait_for(at, 0, 0, 0, 0), KERN_INVALID_ARGUMENT);
    EXPECT(wait_for(at, 1, 3, 0, QUAD), KERN_INVALID_ARGUMENT);
    EXPECT(wait_for(at, 2, 2, 0, QUAD), KERN_INVALID_ARGUMENT);
    EXPECT(wait_for(at, 0, 0, 0, SHARED), KERN_INVALID_ARGUMENT);
    EXPECT(wait_for(at, 1, 0, 10, TIMED), KERN_TIMEDOUT);
    EXPECT(wait_for(at, 1, 2, 10, TIMED | QUAD), KERN_TIMEDOUT);
    EXPECT(wait_for(at, 1, 2, 10, TIMED | QUAD | SHARED), KERN_TIMEDOUT);
}

CASE(no_time_at_all)
{
    unsigned int word = 0;
    OBSERVE(wait_for((vm_address_t)&word, 0, 0, 0, TIMED));
    OBSERVE(wait_for((vm_address_t)&word, 0, 0, 1, TIMED));
}

CASE(misaligned)
{
    char bytes[32] __attribute__((aligned(16))) = {0};
    vm_address_t at = (vm_address_t)bytes;
    OBSERVE(wait_for(at + 1, 0, 0, 1, TIMED));
    OBSERVE(wait_for(at + 2, 0, 0, 1, TIMED));
    OBSERVE(wait_for(at + 3, 0, 0, 1, TIMED));
    OBSERVE(wait_for(at + 4, 0, 0, 1, TIMED | QUAD));
    OBSERVE(wait_for(at + 8, 0, 0, 1, TIMED | QUAD));
}

CASE(across_pages)
{
    vm_address_t pages = pages_new(2);
    OBSERVE(wait_for(pages + 4092, 0, 0, 1, TIMED));
    OBSERVE(wait_for(pages + 4092, 0, 0, 1, TIMED | QUAD));
    OBSERVE(wait_for(pages + 4094, 0, 0, 1, TIMED));
    vm_deallocate(mach_task_self(), pages, 8192);
}

CASE(unmapped)
{
    vm_address_t page = pages_new(1);
    vm_deallocate(mach_task_self(), page, 4096);
    EXPECT(wait_for(page, 0, 0, 1, TIMED), KERN_INVALID_ADDRESS);
    EXPECT(wait_for(page, 0, 0, 1, TIMED | SHARED), KERN_INVALID_ADDRESS);
    EXPECT(wait_for(0, 0, 0, 1, TIMED), KERN_INVALID_ADDRESS);
    OBSERVE(wait_for(0xffffffff81000000, 0, 0, 1, TIMED));
    OBSERVE(wait_for(0x800000000000, 0, 0, 1, TIMED));
    OBSERVE(wait_for(~3ul, 0, 0, 1, TIMED));
}

CASE(protected)
{
    vm_address_t page = pages_new(1);
    EXPECT(vm_protect(mach_task_self(), page, 4096, FALSE, VM_PROT_READ), KERN_SUCCESS);
    OBSERVE(wait_for(page, 0, 0, 1, TIMED));
    OBSERVE(wait_for(page, 0, 0, 1, TIMED | SHARED));
    EXPECT(gsync_wake(mach_task_self(), page, 5, MUTATE), KERN_SUCCESS);
    EXPECT(*(volatile unsigned int *)page, 0);
    EXPECT(vm_protect(mach_task_self(), page, 4096, FALSE, VM_PROT_NONE), KERN_SUCCESS);
    OBSERVE(wait_for(page, 0, 0, 1, TIMED));
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(of_no_task)
{
    unsigned int word = 0;
    mach_port_t host = (mach_host_self)(), dead = task_dead(), other = task_empty();
    EXPECT(gsync_wait(host, (vm_address_t)&word, 0, 0, 1, TIMED), KERN_INVALID_TASK);
    EXPECT(gsync_wait(dead, (vm_address_t)&word, 0, 0, 1, TIMED), MACH_SEND_INVALID_DEST);
    OBSERVE(gsync_wait(other, (vm_address_t)&word, 0, 0, 1, TIMED));
    EXPECT(gsync_wake(host, (vm_address_t)&word, 0, 0), KERN_SUCCESS);
    task_end(other);
    mach_port_deallocate(mach_task_self(), dead);
    mach_port_deallocate(mach_task_self(), host);
}

/* ---- several threads ------------------------------------------------------------------------------ */

enum { WAITERS = 4 };
struct waiter {
    struct helper helper;
    vm_address_t address;
    int flags;
    volatile long result;
};
enum { PENDING = -999 };

static void waiter_run(void *argument)
{
    struct waiter *waiter = argument;
    waiter->result = wait_for(waiter->address, 0, 0, 1000000, waiter->flags);
}

static void waiters_start(struct waiter *waiters, vm_address_t address, int flags)
{
    memset(waiters, 0, WAITERS * sizeof *waiters);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i].address = address;
        waiters[i].flags = flags;
        waiters[i].result = PENDING;
        helper_start(&waiters[i].helper, waiter_run, &waiters[i]);
        CHECK(thread_waits(waiters[i].helper.thread));
    }
}

static int waiters_woken(const struct waiter *waiters)
{
    int woken = 0;
    for (int i = 0; i < WAITERS; i++)
        woken += waiters[i].result == KERN_SUCCESS;
    return woken;
}

/* How many have been woken, when those that are have come back. */
static int waiters_settled(struct waiter *waiters)
{
    for (int i = 0; i < WAITERS; i++)
        CHECK(helper_waits(&waiters[i].helper));
    return waiters_woken(waiters);
}

static void waiters_end(struct waiter *waiters)
{
    for (int i = 0; i < WAITERS; i++)
        helper_kill(&waiters[i].helper);
}

static void wake_each(int flags)
{
    vm_address_t page = pages_new(1);
    struct waiter waiters[WAITERS];
    waiters_start(waiters, page, flags);
    EXPECT(gsync_wake(mach_task_self(), page + 4, 0, flags & SHARED), KERN_SUCCESS);
    for (int i = 1; i <= WAITERS; i++) {
        EXPECT(gsync_wake(mach_task_self(), page, 0, flags & SHARED), KERN_SUCCESS);
        WAIT_FOR(waiters_woken(waiters) == i);
    }
    EXPECT(gsync_wake(mach_task_self(), page, 0, flags & SHARED), KERN_SUCCESS);
    waiters_end(waiters);
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(wake_one_by_one) { wake_each(0); }
CASE(wake_one_by_one_shared) { wake_each(SHARED); }
CASE(wake_one_by_one_timed) { wake_each(TIMED); }

CASE(wake_in_order)
{
    vm_address_t page = pages_new(1);
    struct waiter waiters[WAITERS];
    waiters_start(waiters, page, 0);
    for (int i = 0; i < WAITERS; i++) {
        gsync_wake(mach_task_self(), page, 0, 0);
        WAIT_FOR(waiters_woken(waiters) == i + 1);
        for (int j = 0; j < WAITERS; j++)
            OBSERVE(waiters[j].result);
    }
    waiters_end(waiters);
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(wake_all)
{
    vm_address_t page = pages_new(1);
    struct waiter waiters[WAITERS];
    waiters_start(waiters, page, 0);
    EXPECT(gsync_wake(mach_task_self(), page, 77, BROADCAST | MUTATE), KERN_SUCCESS);
    WAIT_FOR(waiters_woken(waiters) == WAITERS);
    EXPECT(*(volatile unsigned int *)page, 77);
    waiters_end(waiters);
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(wake_private_is_not_shared)
{
    vm_address_t page = pages_new(1);
    struct waiter waiters[WAITERS];
    waiters_start(waiters, page, 0);
    EXPECT(gsync_wake(mach_task_self(), page, 0, BROADCAST | SHARED), KERN_SUCCESS);
    observe("waiters_woken(waiters)", waiters_settled(waiters));
    EXPECT(gsync_wake(mach_task_self(), page, 0, BROADCAST), KERN_SUCCESS);
    WAIT_FOR(waiters_woken(waiters) == WAITERS);
    waiters_end(waiters);
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(mutate_writes)
{
    unsigned int words[2] __attribute__((aligned(8))) = {0, 0};
    EXPECT(gsync_wake(mach_task_self(), (vm_address_t)words, 5, MUTATE), KERN_SUCCESS);
    EXPECT(*(volatile unsigned int *)&words[0], 5);
    EXPECT(*(volatile unsigned int *)&words[1], 0);
    EXPECT(gsync_wake(mach_task_self(), (vm_address_t)words, 6, 0), KERN_SUCCESS);
    EXPECT(*(volatile unsigned int *)&words[0], 5);
    EXPECT(gsync_wake(mach_task_self(), (vm_address_t)words, 7, MUTATE | QUAD), KERN_SUCCESS);
    OBSERVE(*(volatile unsigned int *)&words[0]);
    OBSERVE(*(volatile unsigned int *)&words[1]);
}

CASE(requeue_all)
{
    vm_address_t page = pages_new(1);
    struct waiter waiters[WAITERS];
    waiters_start(waiters, page, 0);
    EXPECT(gsync_requeue(mach_task_self(), page, page + 8, FALSE, BROADCAST), KERN_SUCCESS);
    EXPECT(gsync_wake(mach_task_self(), page, 0, BROADCAST), KERN_SUCCESS);
    EXPECT(waiters_settled(waiters), 0);
    EXPECT(gsync_wake(mach_task_self(), page + 8, 0, BROADCAST), KERN_SUCCESS);
    WAIT_FOR(waiters_woken(waiters) == WAITERS);
    waiters_end(waiters);
    vm_deallocate(mach_task_self(), page, 4096);
}

static void requeue_with(boolean_t wake_one, int flags)
{
    vm_address_t page = pages_new(1);
    struct waiter waiters[WAITERS];
    waiters_start(waiters, page, 0);
    EXPECT(gsync_requeue(mach_task_self(), page, page + 8, wake_one, flags), KERN_SUCCESS);
    observe("waiters_woken(waiters)", waiters_settled(waiters));
    EXPECT(gsync_wake(mach_task_self(), page + 8, 0, BROADCAST), KERN_SUCCESS);
    observe("waiters_woken(waiters)", waiters_settled(waiters));
    EXPECT(gsync_wake(mach_task_self(), page, 0, BROADCAST), KERN_SUCCESS);
    WAIT_FOR(waiters_woken(waiters) == WAITERS);
    waiters_end(waiters);
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(requeue_one) { requeue_with(FALSE, 0); }
CASE(requeue_and_wake_one) { requeue_with(TRUE, 0); }
CASE(requeue_all_and_wake_one) { requeue_with(TRUE, BROADCAST); }

CASE_OURS(requeue_to_itself)
{
    vm_address_t page = pages_new(1);
    struct waiter waiters[WAITERS];
    waiters_start(waiters, page, 0);
    EXPECT(gsync_requeue(mach_task_self(), page, page, TRUE, BROADCAST), KERN_SUCCESS);
    observe("waiters_woken(waiters)", waiters_settled(waiters));
    EXPECT(gsync_requeue(mach_task_self(), page, 0x10, TRUE, BROADCAST), KERN_SUCCESS);
    EXPECT(gsync_requeue(mach_task_self(), page, page + 9, TRUE, BROADCAST), KERN_SUCCESS);
    observe("waiters_woken(waiters)", waiters_settled(waiters));
    EXPECT(gsync_wake(mach_task_self(), page, 0, BROADCAST), KERN_SUCCESS);
    EXPECT(gsync_wake(mach_task_self(), page + 8, 0, BROADCAST), KERN_SUCCESS);
    waiters_end(waiters);
    vm_deallocate(mach_task_self(), page, 4096);
}

/* ---- several tasks -------------------------------------------------------------------------------- */

struct joint {
    volatile long result;
    unsigned int word;
};

static void joint_wait_shared(void *argument)
{
    struct joint *joint = argument;
    joint->result = gsync_wait(mach_task_self(), (vm_address_t)&joint->word, 0, 0, 0, SHARED);
}

static void joint_wait_private(void *argument)
{
    struct joint *joint = argument;
    joint->result = gsync_wait(mach_task_self(), (vm_address_t)&joint->word, 0, 0, 0, 0);
}

static struct joint *joint_new(void)
{
    vm_address_t page = pages_new(1);
    CHECK(vm_inherit(mach_task_self(), page, 4096, VM_INHERIT_SHARE) == KERN_SUCCESS);
    struct joint *joint = (struct joint *)page;
    joint->result = PENDING;
    return joint;
}

CASE(shared_between_tasks)
{
    struct joint *joint = joint_new();
    struct child child;
    child_create(&child, joint_wait_shared, joint);
    child_start(&child);
    CHECK(thread_waits(child.thread));
    EXPECT(gsync_wake(mach_task_self(), (vm_address_t)&joint->word, 0, 0), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(joint->result, PENDING);
    EXPECT(gsync_wake(mach_task_self(), (vm_address_t)&joint->word, 0, SHARED), KERN_SUCCESS);
    CHECK(child_join(&child));
    EXPECT(joint->result, KERN_SUCCESS);
    vm_deallocate(mach_task_self(), (vm_address_t)joint, 4096);
}

CASE(woken_through_its_task)
{
    struct joint *joint = joint_new();
    struct child child;
    child_create(&child, joint_wait_private, joint);
    child_start(&child);
    CHECK(thread_waits(child.thread));
    EXPECT(gsync_wake(mach_task_self(), (vm_address_t)&joint->word, 0, BROADCAST), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(joint->result, PENDING);
    EXPECT(gsync_wake(child.task, (vm_address_t)&joint->word, 9, MUTATE), KERN_SUCCESS);
    CHECK(child_join(&child));
    EXPECT(joint->result, KERN_SUCCESS);
    EXPECT(joint->word, 9);
    vm_deallocate(mach_task_self(), (vm_address_t)joint, 4096);
}

CASE(task_ends_while_it_waits)
{
    struct joint *joint = joint_new();
    struct child child;
    child_create(&child, joint_wait_shared, joint);
    child_start(&child);
    CHECK(thread_waits(child.thread));
    EXPECT(task_terminate(child.task), KERN_SUCCESS);
    CHECK(child_join(&child));
    EXPECT(gsync_wake(mach_task_self(), (vm_address_t)&joint->word, 0, SHARED | BROADCAST), KERN_SUCCESS);
    EXPECT(joint->result, PENDING);
    vm_deallocate(mach_task_self(), (vm_address_t)joint, 4096);
}

/* The memory goes while a thread waits for it. */
CASE(memory_goes_while_it_waits)
{
    vm_address_t page = pages_new(1);
    struct waiter waiters[WAITERS];
    waiters_start(waiters, page, SHARED);
    EXPECT(vm_deallocate(mach_task_self(), page, 4096), KERN_SUCCESS);
    EXPECT(gsync_wake(mach_task_self(), page, 0, SHARED | BROADCAST), KERN_SUCCESS);
    observe("waiters_woken(waiters)", waiters_settled(waiters));
    waiters_end(waiters);
}
