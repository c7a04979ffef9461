/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gsync between tasks and mappings: a word that several map is one word, wherever it is mapped (gnumach.defs,
   gsync_wait, gsync_wake, gsync_requeue). */

#include "memory_help.h"
#include "objects.h"

#define SELF mach_task_self()

enum { SHARED = 1, QUAD = 2, TIMED = 4, BROADCAST = 8, MUTATE = 16, PENDING = -999, CHILDREN = 3 };

/* In memory that the children share. */
struct joint {
    vm_address_t address[CHILDREN];
    int flags;
    unsigned int ms;
    volatile long result[CHILDREN];
    unsigned int words[8] __attribute__((aligned(8)));
};

static struct joint *joint_new(int flags)
{
    vm_address_t page = 0;
    CHECK(vm_allocate(SELF, &page, PAGE, TRUE) == KERN_SUCCESS);
    CHECK(vm_inherit(SELF, page, PAGE, VM_INHERIT_SHARE) == KERN_SUCCESS);
    struct joint *joint = (struct joint *)page;
    joint->flags = flags;
    for (int i = 0; i < CHILDREN; i++) {
        joint->address[i] = (vm_address_t)&joint->words[0];
        joint->result[i] = PENDING;
    }
    return joint;
}

static void joint_wait(struct joint *joint, int i)
{
    joint->result[i] = gsync_wait(mach_task_self(), joint->address[i], 0, 0, joint->ms, joint->flags);
}

static void joint_wait_0(void *joint) { joint_wait(joint, 0); }
static void joint_wait_1(void *joint) { joint_wait(joint, 1); }
static void joint_wait_2(void *joint) { joint_wait(joint, 2); }

static void children_start(struct child *children, int count, struct joint *joint)
{
    static void (*const entries[CHILDREN])(void *) = {joint_wait_0, joint_wait_1, joint_wait_2};
    for (int i = 0; i < count; i++) {
        child_create(&children[i], entries[i], joint);
        child_start(&children[i]);
        CHECK(thread_waits(children[i].thread));
    }
}

static int woken(const struct joint *joint)
{
    int count = 0;
    for (int i = 0; i < CHILDREN; i++)
        count += joint->result[i] == KERN_SUCCESS;
    return count;
}

static void children_end(struct child *children, int count, struct joint *joint)
{
    for (int i = 0; i < count; i++)
        CHECK(child_join(&children[i]));
    vm_deallocate(SELF, (vm_address_t)joint, PAGE);
}

/* A pager's object mapped twice, the second mapping shared with children; both pages are zeros. */
static void object_twice(struct object *object, char **one, char **two, vm_prot_t protection)
{
    *one = object_map(object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(object, 0, 2, 0, VM_PROT_NONE, false, false);
    memset(*one, 0, 2 * PAGE);
    CHECK(object_map_more(object, PAGE, PAGE, false, protection, two) == KERN_SUCCESS);
    CHECK(vm_inherit(SELF, (vm_address_t)*two, PAGE, VM_INHERIT_SHARE) == KERN_SUCCESS);
}

static void object_twice_end(struct object *object, char *one, char *two)
{
    pages_drop(one, 2);
    if (two)
        pages_drop(two, 1);
    object_terminate_expect(object);
}

/* ---- who is woken --------------------------------------------------------------------------------- */

CASE(object_mapped_in_two_tasks)
{
    struct object object;
    struct child child;
    char *one, *two;
    object_twice(&object, &one, &two, VM_PROT_READ | VM_PROT_WRITE);
    struct joint *joint = joint_new(SHARED);
    joint->address[0] = (vm_address_t)two + 16;
    children_start(&child, 1, joint);
    /* the other page */
    EXPECT(gsync_wake(SELF, (vm_address_t)one + 16, 0, SHARED | BROADCAST), KERN_SUCCESS);
    EXPECT(gsync_wake(SELF, (vm_address_t)one + PAGE + 16, 0, BROADCAST), KERN_SUCCESS);             /* not shared */
    /* the word beside */
    EXPECT(gsync_wake(SELF, (vm_address_t)one + PAGE + 20, 0, SHARED | BROADCAST), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(woken(joint), 0);
    EXPECT(gsync_wake(SELF, (vm_address_t)one + PAGE + 16, 7, SHARED | MUTATE), KERN_SUCCESS);
    CHECK(child_join(&child));
    EXPECT(joint->result[0], KERN_SUCCESS);
    EXPECT(*(volatile unsigned int *)(two + 16), 7);
    vm_deallocate(SELF, (vm_address_t)joint, PAGE);
    object_twice_end(&object, one, two);
}

static struct {
    vm_address_t address;
    int flags;
    volatile long result;
} own;

static void own_wait(void *unused)
{
    (void)unused;
    own.result = gsync_wait(SELF, own.address, 0, 0, 0, own.flags);
}

static void own_start(struct helper *helper, const void *address, int flags)
{
    own.address = (vm_address_t)address;
    own.flags = flags;
    own.result = PENDING;
    helper_start(helper, own_wait, NULL);
    CHECK(helper_waits(helper));
    EXPECT(own.result, PENDING);
}

CASE(object_mapped_twice_in_one_task)
{
    struct object object;
    struct helper helper = {0};
    char *one, *two;
    object_twice(&object, &one, &two, VM_PROT_READ | VM_PROT_WRITE);
    own_start(&helper, one + PAGE, SHARED);
    EXPECT(gsync_wake(SELF, (vm_address_t)two, 0, SHARED), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(own.result, KERN_SUCCESS);
    own_start(&helper, one + PAGE, 0);
    EXPECT(gsync_wake(SELF, (vm_address_t)two, 0, 0), KERN_SUCCESS);
    CHECK(helper_waits(&helper));
    EXPECT(own.result, PENDING);
    EXPECT(gsync_wake(SELF, (vm_address_t)one + PAGE, 0, 0), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    object_twice_end(&object, one, two);
}

/* A child that has a copy waits for the copy. */
CASE(copies_are_other_words)
{
    struct child child;
    struct joint *joint = joint_new(SHARED);
    char *copied = pages(1);
    *(volatile int *)copied = 0;
    joint->address[0] = (vm_address_t)copied;
    children_start(&child, 1, joint);
    EXPECT(gsync_wake(SELF, (vm_address_t)copied, 0, SHARED | BROADCAST), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(woken(joint), 0);
    EXPECT(gsync_wake(child.task, (vm_address_t)copied, 5, SHARED | MUTATE), KERN_SUCCESS);
    children_end(&child, 1, joint);
    EXPECT(*(volatile int *)copied, 0);
    pages_drop(copied, 1);
}

CASE(one_by_one_over_tasks)
{
    struct child children[CHILDREN];
    struct joint *joint = joint_new(SHARED);
    children_start(children, CHILDREN, joint);
    for (int i = 1; i <= CHILDREN; i++) {
        EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 0, SHARED), KERN_SUCCESS);
        WAIT_FOR(woken(joint) == i);
        EXPECT(woken(joint), i);
    }
    children_end(children, CHILDREN, joint);
}

CASE(all_at_once_over_tasks)
{
    struct child children[CHILDREN];
    struct joint *joint = joint_new(SHARED);
    children_start(children, CHILDREN, joint);
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 3, SHARED | BROADCAST | MUTATE), KERN_SUCCESS);
    EXPECT(*(volatile unsigned int *)joint->words, 3);
    WAIT_FOR(woken(joint) == CHILDREN);
    children_end(children, CHILDREN, joint);
}

CASE(two_words_in_another_task)
{
    struct child child;
    struct joint *joint = joint_new(SHARED | QUAD);
    children_start(&child, 1, joint);
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words + 4, 0, SHARED | QUAD), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(woken(joint), 0);
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 9, SHARED | QUAD | MUTATE), KERN_SUCCESS);
    OBSERVE(*(volatile unsigned int *)&joint->words[0]);
    OBSERVE(*(volatile unsigned int *)&joint->words[1]);
    children_end(&child, 1, joint);
}

CASE(time_runs_out_in_another_task)
{
    struct child child;
    struct joint *joint = joint_new(SHARED | TIMED);
    joint->ms = 40;
    child_create(&child, joint_wait_0, joint);
    child_start(&child);
    CHECK(child_join(&child));
    EXPECT(joint->result[0], KERN_TIMEDOUT);
    /* Nobody waits any more, and the word is as good as before. */
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 0, SHARED | BROADCAST), KERN_SUCCESS);
    joint->ms = 10000000;
    joint->result[0] = PENDING;
    children_start(&child, 1, joint);
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 0, SHARED), KERN_SUCCESS);
    children_end(&child, 1, joint);
}

/* ---- moved ------------------------------------------------------------------------------------------ */

static void requeue_over_tasks(boolean_t wake_one, int flags)
{
    struct child children[CHILDREN];
    struct joint *joint = joint_new(SHARED);
    children_start(children, CHILDREN, joint);
    EXPECT(gsync_requeue(SELF, (vm_address_t)&joint->words[0], (vm_address_t)&joint->words[4], wake_one,
                         SHARED | flags),
           KERN_SUCCESS);
    if (wake_one)
        WAIT_FOR(woken(joint) == 1);
    pause_ms(30);
    EXPECT(woken(joint), wake_one);
    EXPECT(gsync_wake(SELF, (vm_address_t)&joint->words[4], 0, SHARED), KERN_SUCCESS);
    WAIT_FOR(woken(joint) == 1 + wake_one);
    EXPECT(gsync_wake(SELF, (vm_address_t)&joint->words[0], 0, SHARED | BROADCAST), KERN_SUCCESS);
    if (!(flags & BROADCAST))
        WAIT_FOR(woken(joint) == CHILDREN);
    pause_ms(30);
    OBSERVE(woken(joint));
    EXPECT(gsync_wake(SELF, (vm_address_t)&joint->words[4], 0, SHARED | BROADCAST), KERN_SUCCESS);
    children_end(children, CHILDREN, joint);
}

CASE(one_moved_over_tasks) { requeue_over_tasks(FALSE, 0); }
CASE(all_moved_over_tasks) { requeue_over_tasks(FALSE, BROADCAST); }
CASE(one_woken_all_moved_over_tasks) { requeue_over_tasks(TRUE, BROADCAST); }

/* Moved to a word in other memory, and from there by who maps that alone. */
CASE_OURS(moved_to_another_object)
{
    struct child child;
    struct joint *joint = joint_new(SHARED), *other = joint_new(SHARED);
    children_start(&child, 1, joint);
    OBSERVE(gsync_requeue(SELF, (vm_address_t)joint->words, (vm_address_t)other->words, FALSE, SHARED | BROADCAST));
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 0, SHARED | BROADCAST), KERN_SUCCESS);
    pause_ms(30);
    OBSERVE(woken(joint));
    EXPECT(gsync_wake(SELF, (vm_address_t)other->words, 0, SHARED | BROADCAST), KERN_SUCCESS);
    children_end(&child, 1, joint);
    vm_deallocate(SELF, (vm_address_t)other, PAGE);
}

/* Another task's own words are reached through its port. */
CASE_OURS(moved_through_its_task)
{
    struct child child;
    struct joint *joint = joint_new(0);
    children_start(&child, 1, joint);
    EXPECT(gsync_requeue(SELF, (vm_address_t)&joint->words[0], (vm_address_t)&joint->words[2], FALSE, BROADCAST),
           KERN_SUCCESS);
    EXPECT(gsync_requeue(child.task, (vm_address_t)&joint->words[0], (vm_address_t)&joint->words[2], FALSE, BROADCAST),
           KERN_SUCCESS);
    EXPECT(gsync_wake(child.task, (vm_address_t)&joint->words[0], 0, BROADCAST), KERN_SUCCESS);
    EXPECT(gsync_wake(SELF, (vm_address_t)&joint->words[2], 0, BROADCAST), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(woken(joint), 0);
    EXPECT(gsync_wake(child.task, (vm_address_t)&joint->words[2], 0, BROADCAST), KERN_SUCCESS);
    children_end(&child, 1, joint);
}

/* ---- addresses --------------------------------------------------------------------------------------- */

static void bad_addresses(int flags)
{
    static const vm_address_t addresses[] = {0, 4, 0x7ffffffff000, 0x800000000000, 0xffffffff81000000, ~3ul};
    vm_address_t page = (vm_address_t)pages(1);
    for (unsigned int i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        OBSERVE(gsync_wake(SELF, addresses[i], 1, flags));
        OBSERVE(gsync_requeue(SELF, page, addresses[i], FALSE, flags & SHARED));
        OBSERVE(gsync_requeue(SELF, addresses[i], page, FALSE, flags & SHARED));
    }
    for (unsigned int off = 1; off < 4; off++) {
        OBSERVE(gsync_wake(SELF, page + off, 1, flags));
        OBSERVE(gsync_wake(SELF, page + PAGE - off, 1, flags));
    }
    EXPECT(*(volatile unsigned int *)(page + 4), 0);
    pages_drop((void *)page, 1);
}

CASE_OURS(wake_at_bad_addresses) { bad_addresses(0); }
CASE_OURS(wake_at_bad_addresses_shared) { bad_addresses(SHARED); }
CASE_OURS(wake_at_bad_addresses_and_write)
{
    bad_addresses(MUTATE);
    bad_addresses(MUTATE | SHARED);
}

static void protected_wake(vm_prot_t protection)
{
    vm_address_t page = (vm_address_t)pages(1);
    *(volatile unsigned int *)page = 0;
    EXPECT(vm_protect(SELF, page, PAGE, FALSE, protection), KERN_SUCCESS);
    for (int flags = 0; flags < 2; flags++) {
        OBSERVE(gsync_wake(SELF, page, 0, flags));
        OBSERVE(gsync_wait(SELF, page, 0, 0, 1, flags | TIMED));
        OBSERVE(gsync_wait(SELF, page, 1, 0, 1, flags | TIMED));
    }
    pages_drop((void *)page, 1);
}

CASE(memory_that_is_read_only) { protected_wake(VM_PROT_READ); }

CASE(of_nobody)
{
    vm_address_t page = (vm_address_t)pages(1);
    mach_port_t dead = task_dead(), empty = task_empty(), thread = mach_thread_self();
    OBSERVE(gsync_wake(dead, page, 0, 0));
    OBSERVE(gsync_requeue(dead, page, page + 4, FALSE, 0));
    OBSERVE(gsync_requeue(thread, page, page + 4, FALSE, 0));
    OBSERVE(gsync_wait(thread, page, 0, 0, 1, TIMED));
    OBSERVE(gsync_wake(empty, page, 0, 0));
    OBSERVE(gsync_wake(empty, page, 0, MUTATE));
    OBSERVE(gsync_requeue(empty, page, page + 4, FALSE, 0));
    task_end(empty);
    mach_port_deallocate(SELF, dead);
    mach_port_deallocate(SELF, thread);
    pages_drop((void *)page, 1);
}

/* ---- meanwhile ------------------------------------------------------------------------------------- */

/* The mapping through which a thread waits goes; the object stays, and the thread is woken through another. */
CASE(mapping_goes_while_it_waits)
{
    struct object object;
    struct helper helper = {0};
    char *one, *two;
    object_twice(&object, &one, &two, VM_PROT_READ | VM_PROT_WRITE);
    own_start(&helper, two + 8, SHARED);
    pages_drop(two, 1);
    EXPECT(gsync_wake(SELF, (vm_address_t)two + 8, 0, SHARED), KERN_SUCCESS); /* it was sent; there is no answer */
    CHECK(helper_waits(&helper));
    EXPECT(own.result, PENDING);
    EXPECT(gsync_wake(SELF, (vm_address_t)one + PAGE + 8, 0, SHARED), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(own.result, KERN_SUCCESS);
    object_twice_end(&object, one, NULL);
}

/* All mappings go: the thread waits on, and new memory there is another word. */
CASE(memory_is_replaced_while_it_waits)
{
    vm_address_t page = (vm_address_t)pages(1);
    for (int flags = 0; flags < 2; flags++) {
        struct helper helper = {0};
        own_start(&helper, (void *)page, flags);
        EXPECT(vm_deallocate(SELF, page, PAGE), KERN_SUCCESS);
        EXPECT(vm_allocate(SELF, &page, PAGE, FALSE), KERN_SUCCESS);
        EXPECT(gsync_wake(SELF, page, 0, flags | BROADCAST), KERN_SUCCESS);
        CHECK(helper_waits(&helper));
        OBSERVE(own.result);
        helper_kill(&helper);
    }
    pages_drop((void *)page, 1);
}

CASE(children_end_while_they_wait)
{
    struct child children[CHILDREN];
    struct joint *joint = joint_new(SHARED);
    children_start(children, CHILDREN, joint);
    EXPECT(task_terminate(children[1].task), KERN_SUCCESS);
    CHECK(child_join(&children[1]));
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 0, SHARED), KERN_SUCCESS);
    WAIT_FOR(woken(joint) == 1);
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 0, SHARED), KERN_SUCCESS);
    WAIT_FOR(woken(joint) == 2);
    EXPECT(joint->result[1], PENDING);
    CHECK(child_join(&children[0]));
    children_end(&children[2], 1, joint);
}

CASE(child_is_interrupted)
{
    struct child child;
    struct joint *joint = joint_new(SHARED);
    children_start(&child, 1, joint);
    EXPECT(thread_abort(child.thread), KERN_SUCCESS);
    CHECK(child_join(&child));
    OBSERVE(joint->result[0]);
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 0, SHARED | BROADCAST), KERN_SUCCESS);
    vm_deallocate(SELF, (vm_address_t)joint, PAGE);
}

/* Woken while it is stopped: it has been woken when it goes on. */
CASE(child_is_stopped_when_it_is_woken)
{
    struct child children[2];
    struct joint *joint = joint_new(SHARED);
    children_start(children, 2, joint);
    EXPECT(thread_suspend(children[0].thread), KERN_SUCCESS);
    EXPECT(task_suspend(children[1].task), KERN_SUCCESS);
    EXPECT(gsync_wake(SELF, (vm_address_t)joint->words, 0, SHARED | BROADCAST), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(woken(joint), 0);
    EXPECT(thread_resume(children[0].thread), KERN_SUCCESS);
    EXPECT(task_resume(children[1].task), KERN_SUCCESS);
    WAIT_FOR(woken(joint) == 2);
    children_end(children, 2, joint);
}

/* The word is at a pager: its value is compared when the page has come. */
CASE_OURS(word_at_a_pager)
{
    struct object object;
    struct helper helper = {0};
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    own_start(&helper, at, SHARED);
    object_request_expect(&object, 0);
    object_supply(&object, 0, 1, 1, VM_PROT_NONE, false, false); /* 0x01010101, not 0 */
    CHECK(helper_join(&helper));
    EXPECT(own.result, KERN_INVALID_ARGUMENT);
    memset(at, 0, 8);
    own_start(&helper, at, SHARED);
    EXPECT(gsync_wake(SELF, (vm_address_t)at, 0, SHARED), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(own.result, KERN_SUCCESS);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE_OURS(word_that_a_pager_refuses)
{
    struct object object;
    struct helper helper = {0};
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    own_start(&helper, at, 0);
    object_request_expect(&object, 0);
    EXPECT(memory_object_data_error(object.control, 0, PAGE, KERN_FAILURE), KERN_SUCCESS);
    CHECK(helper_join(&helper));
    OBSERVE(own.result);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}
