/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread_abort of who waits for something else than a message (abort.c): a page, memory to send from, a depression's
   end, a gsync address. */

#include "memory_help.h"
#include "messages.h"
#include "objects.h"
#include "rights.h"

#define SELF mach_task_self()

enum { PENDING = -999, LONG_MS = 10000000 };

/* Maps a page of OBJECT, a new one, and starts TOUCHER, which waits for it: the pager has been asked. */
static char *touch_block(struct toucher *toucher, struct object *object)
{
    char *at = object_map(object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(toucher, at, false, 0);
    object_request_expect(object, 0);
    CHECK(thread_waits(toucher->helper.thread));
    return at;
}

/* Waiting for a page that a pager has been asked for: the access is made again, and the pager is not asked twice. */
CASE(page_fault_at_a_pager)
{
    struct object object;
    struct toucher toucher;
    char *at = touch_block(&toucher, &object);
    for (int i = 0; i < 3; i++)
        EXPECT(thread_abort(toucher.helper.thread), KERN_SUCCESS);
    EXPECT(object_receive(&object, SHORT_WAIT, NULL).id, 0);
    EXPECT(toucher.done, false);
    object_supply(&object, 0, 1, 6, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, 6);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

/* The same before the pager has said that it is ready. */
CASE(page_fault_before_the_pager_is_ready)
{
    struct object object;
    struct toucher toucher;
    char *at;
    object_create(&object);
    REQUIRE(object_map_more(&object, 0, PAGE, false, VM_PROT_READ, &at), KERN_SUCCESS);
    object_init_expect(&object);
    touch_start(&toucher, at, false, 0);
    CHECK(thread_waits(toucher.helper.thread));
    EXPECT(thread_abort(toucher.helper.thread), KERN_SUCCESS);
    memory_object_ready(object.control, 0, MEMORY_OBJECT_COPY_DELAY);
    object_request_expect(&object, 0);
    object_supply(&object, 0, 1, 4, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

/* A thread that is stopped in a page fault and interrupted can be sent elsewhere while the pager is still silent. */
CASE(page_fault_stopped_and_sent_elsewhere)
{
    struct object object;
    struct toucher toucher;
    char *at = touch_block(&toucher, &object);
    struct i386_thread_state before = detour_through_count(toucher.helper.thread);
    EXPECT(registers_set(toucher.helper.thread, &before), KERN_SUCCESS);
    EXPECT(thread_resume(toucher.helper.thread), KERN_SUCCESS);
    object_supply(&object, 0, 1, 8, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, 8);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

static volatile mach_msg_return_t sent;

static void send_from(void *at)
{
    sent = mach_msg_trap(at, MACH_SEND_MSG, sizeof(mach_msg_header_t), 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
}

/* The kernel itself reads the memory of a pager that is silent: the message lies there.  Zeros are no message. */
CASE_OURS(send_from_memory_at_a_pager)
{
    struct object object;
    struct helper helper = {0};
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    sent = PENDING;
    helper_start(&helper, send_from, at);
    object_request_expect(&object, 0);
    CHECK(helper_waits(&helper));
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    object_supply(&object, 0, 1, 0, VM_PROT_NONE, false, false);
    CHECK(helper_join(&helper));
    OBSERVE(sent);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

/* A thread that waits in RUN(ARGUMENT) is stopped, interrupted and goes on: what the call gave already stands in rax
   while it is stopped. */
static void abort_stopped(void (*run)(void *), void *argument)
{
    struct helper helper = {0};
    helper_start(&helper, run, argument);
    CHECK(helper_waits(&helper));
    EXPECT(thread_suspend(helper.thread), KERN_SUCCESS);
    EXPECT(thread_abort(helper.thread), KERN_SUCCESS);
    OBSERVE((int)registers_get(helper.thread).rax);
    EXPECT(thread_resume(helper.thread), KERN_SUCCESS);
    CHECK(helper_join(&helper));
}

static void switch_wait(void *result)
{
    *(volatile long *)result = TRAP_3(-61, MACH_PORT_NULL, SWITCH_OPTION_WAIT, LONG_MS);
}

CASE(thread_switch_stopped)
{
    volatile long result = PENDING;
    abort_stopped(switch_wait, (void *)&result);
    OBSERVE(result);
}

STUB(stub_depress_long,
     "mov %rdi, %rbx\n mov $-61, %rax\n xor %edi, %edi\n mov $1, %esi\n mov $10000000, %edx\n syscall\n"
     "1: incq (%rbx)\n jmp 1b");

/* A depression goes on until thread_depress_abort, or its time is over: an abort does not end it, other than for a
   thread that is running at last. */
CASE(depressed)
{
    static volatile long counter, spins;
    enum { PROCESSORS = 16 };
    unsigned int processors = processors_available();
    struct bare bare, others[PROCESSORS];
    REQUIRE(processors <= PROCESSORS, true);
    counter = spins = 0;
    for (unsigned int i = 0; i < processors; i++) {
        bare_create(&others[i], SELF, stub_count, (long)&spins);
        thread_resume(others[i].thread);
    }
    bare_create(&bare, SELF, stub_depress_long, (long)&counter);
    thread_resume(bare.thread);
    WAIT_FOR(thread_sched(bare.thread).depressed || counter);
    EXPECT(thread_suspend(bare.thread), KERN_SUCCESS);
    EXPECT(thread_abort(bare.thread), KERN_SUCCESS);
    OBSERVE((int)registers_get(bare.thread).rax);
    EXPECT(thread_depress_abort(bare.thread), KERN_SUCCESS);
    EXPECT(thread_sched(bare.thread).depressed, 0);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(counter > 0);
    for (unsigned int i = 0; i < processors; i++)
        bare_end(&others[i]);
    bare_end(&bare);
}

struct gsync_call {
    unsigned int word;
    int flags;
    volatile long result;
};

static void gsync_run(void *argument)
{
    struct gsync_call *wait = argument;
    wait->result = gsync_wait(SELF, (vm_address_t)&wait->word, 0, 0, LONG_MS, wait->flags);
}

/* A call of the kernel that waits there: its answer says that it was interrupted, and the client has its reply port as
   before. */
CASE(gsync_stopped)
{
    for (int flags = 0; flags < 8; flags++) {
        if (flags & 2)
            continue;
        struct gsync_call wait = {.flags = flags, .result = PENDING};
        abort_stopped(gsync_run, &wait);
        OBSERVE(wait.result);
    }
}
