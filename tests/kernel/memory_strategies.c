/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: copies of memory objects by each strategy that a pager may choose, and what vm_object_sync does with each of
   its flags (Mach manual, "Memory Objects and Data"; gnumach.defs). */

#include "memory_help.h"
#include "messages.h"
#include "objects.h"

#define SELF mach_task_self()
#define RW (VM_PROT_READ | VM_PROT_WRITE)
enum { FILL = 20 };

/* An object of four pages that are there, by STRATEGY. */
static char *object_by(struct object *object, memory_object_copy_strategy_t strategy)
{
    char *at = object_map(object, 0, 4 * PAGE, false, strategy);
    object_supply(object, 0, 4, FILL, VM_PROT_NONE, false, false);
    return at;
}

/* The end, whatever is returned before: by TEMPORARY nothing need be. */
static void object_by_end(struct object *object, char *at)
{
    pages_drop(at, 4);
    object_terminate_expect(object);
}

/* ---- copies ------------------------------------------------------------------------------------------ */

static void copied_by_read(memory_object_copy_strategy_t strategy)
{
    struct object object;
    char *at = object_by(&object, strategy), *copy;
    mach_msg_type_number_t size;
    at[PAGE] = 50; /* changed before */
    EXPECT(vm_read(SELF, (vm_address_t)at, 4 * PAGE, (vm_offset_t *)&copy, &size), KERN_SUCCESS);
    at[0] = 60; /* and after */
    EXPECT(copy[0], FILL);
    EXPECT(copy[PAGE], 50);
    copy[2 * PAGE] = 70;
    EXPECT(at[2 * PAGE], FILL + 2);
    EXPECT(copy[3 * PAGE], FILL + 3);
    pages_drop(copy, 4);
    EXPECT(at[0], 60);
    object_by_end(&object, at);
}

CASE(none_by_read) { copied_by_read(MEMORY_OBJECT_COPY_NONE); }
CASE(delay_by_read) { copied_by_read(MEMORY_OBJECT_COPY_DELAY); }
CASE_OURS(temporary_by_read) { copied_by_read(MEMORY_OBJECT_COPY_TEMPORARY); }

static void copied_by_map(memory_object_copy_strategy_t strategy)
{
    struct object object;
    char *at = object_by(&object, strategy), *copy, *second;
    EXPECT(object_map_more(&object, PAGE, 2 * PAGE, true, RW, &copy), KERN_SUCCESS);
    at[PAGE] = 60;
    EXPECT(copy[0], FILL + 1);
    copy[PAGE] = 70;
    EXPECT(at[2 * PAGE], FILL + 2);
    EXPECT(object_map_more(&object, PAGE, 2 * PAGE, true, RW, &second), KERN_SUCCESS);
    EXPECT(second[0], 60);
    at[PAGE] = 61;
    EXPECT(second[0], 60);
    EXPECT(copy[0], FILL + 1);
    pages_drop(copy, 2);
    pages_drop(second, 2);
    object_by_end(&object, at);
}

CASE(none_by_map) { copied_by_map(MEMORY_OBJECT_COPY_NONE); }
CASE(delay_by_map) { copied_by_map(MEMORY_OBJECT_COPY_DELAY); }
CASE(temporary_by_map) { copied_by_map(MEMORY_OBJECT_COPY_TEMPORARY); }

static void copied_by_child(memory_object_copy_strategy_t strategy)
{
    struct object object;
    char *at = object_by(&object, strategy), *copy;
    mach_port_t task;
    mach_msg_type_number_t size;
    EXPECT(vm_inherit(SELF, (vm_address_t)at, 4 * PAGE, VM_INHERIT_COPY), KERN_SUCCESS);
    REQUIRE(task_create(SELF, TRUE, &task), KERN_SUCCESS);
    at[0] = 60;
    char byte = 70;
    vm_address_t page = (vm_address_t)pages(1);
    *(char *)page = byte;
    EXPECT(vm_write(task, (vm_address_t)at + PAGE, page, PAGE), KERN_SUCCESS);
    EXPECT(at[PAGE], FILL + 1);
    EXPECT(vm_read(task, (vm_address_t)at, 4 * PAGE, (vm_offset_t *)&copy, &size), KERN_SUCCESS);
    EXPECT(copy[0], FILL);
    EXPECT(copy[PAGE], 70);
    EXPECT(copy[3 * PAGE], FILL + 3);
    pages_drop(copy, 4);
    task_end(task);
    pages_drop((void *)page, 1);
    object_by_end(&object, at);
}

CASE(none_by_child) { copied_by_child(MEMORY_OBJECT_COPY_NONE); }
CASE(delay_by_child) { copied_by_child(MEMORY_OBJECT_COPY_DELAY); }
CASE_OURS(temporary_by_child) { copied_by_child(MEMORY_OBJECT_COPY_TEMPORARY); }

static void copied_by_message(memory_object_copy_strategy_t strategy, bool deallocate)
{
    struct object object;
    char *at = object_by(&object, strategy), *window, *copy;
    mach_port_t port = port_create_with_send();
    EXPECT(object_map_more(&object, 0, 4 * PAGE, false, RW, &window), KERN_SUCCESS);
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_memory(&message_out, window, 4 * PAGE, deallocate);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(mapped(window), !deallocate);
    at[0] = 60;
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    copy = message_pointer(&message_in, 0);
    OBSERVE(copy[0]);
    EXPECT(copy[PAGE], FILL + 1);
    copy[PAGE] = 70;
    OBSERVE(at[PAGE]);
    pages_drop(copy, 4);
    if (!deallocate)
        pages_drop(window, 4);
    port_destroy(port);
    object_by_end(&object, at);
}

CASE(none_by_message) { copied_by_message(MEMORY_OBJECT_COPY_NONE, false); }
CASE(delay_by_message) { copied_by_message(MEMORY_OBJECT_COPY_DELAY, false); }
CASE_OURS(temporary_by_message) { copied_by_message(MEMORY_OBJECT_COPY_TEMPORARY, false); }
CASE(none_by_message_that_takes) { copied_by_message(MEMORY_OBJECT_COPY_NONE, true); }
CASE(delay_by_message_that_takes) { copied_by_message(MEMORY_OBJECT_COPY_DELAY, true); }
CASE_OURS(temporary_by_message_that_takes) { copied_by_message(MEMORY_OBJECT_COPY_TEMPORARY, true); }

/* Pages that are not there are asked of the pager for a copy, too. */
static void touched_in_the_copy(memory_object_copy_strategy_t strategy)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, 2 * PAGE, false, strategy), *copy;
    EXPECT(object_map_more(&object, 0, 2 * PAGE, true, RW, &copy), KERN_SUCCESS);
    touch_start(&toucher, copy + PAGE, false, 0);
    object_request_expect(&object, PAGE);
    object_supply(&object, PAGE, 1, FILL, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, FILL);
    at[PAGE] = 66; /* it is there now, and pushed to the copy */
    EXPECT(copy[PAGE], FILL);
    pages_drop(copy, 2);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE(delay_before_supply) { touched_in_the_copy(MEMORY_OBJECT_COPY_DELAY); }
CASE(temporary_before_supply) { touched_in_the_copy(MEMORY_OBJECT_COPY_TEMPORARY); }

/* Writing what a copy has not got yet: the pager is asked once, the old contents are the copy's. */
static void written_before_the_copy(memory_object_copy_strategy_t strategy)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, strategy), *copy;
    EXPECT(object_map_more(&object, 0, PAGE, true, RW, &copy), KERN_SUCCESS);
    touch_start(&toucher, at, true, 66);
    object_request_expect(&object, 0);
    object_supply(&object, 0, 1, FILL, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(at[0], 66);
    EXPECT(at[1], FILL);
    EXPECT(copy[0], FILL);
    pages_drop(copy, 1);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(delay_written_first) { written_before_the_copy(MEMORY_OBJECT_COPY_DELAY); }
CASE(temporary_written_first) { written_before_the_copy(MEMORY_OBJECT_COPY_TEMPORARY); }

/* The strategy is changed while there are copies. */
CASE(strategy_changes)
{
    struct object object;
    char *at = object_by(&object, MEMORY_OBJECT_COPY_DELAY), *first, *second;
    EXPECT(object_map_more(&object, 0, PAGE, true, RW, &first), KERN_SUCCESS);
    EXPECT(memory_object_change_attributes(object.control, 0, MEMORY_OBJECT_COPY_NONE, MACH_PORT_NULL), KERN_SUCCESS);
    EXPECT(object_map_more(&object, 0, PAGE, true, RW, &second), KERN_SUCCESS);
    at[0] = 60;
    EXPECT(first[0], FILL);
    EXPECT(second[0], FILL);
    EXPECT(memory_object_change_attributes(object.control, 0, MEMORY_OBJECT_COPY_DELAY, MACH_PORT_NULL), KERN_SUCCESS);
    at[0] = 61;
    EXPECT(first[0], FILL);
    EXPECT(second[0], FILL);
    pages_drop(first, 1);
    pages_drop(second, 1);
    object_by_end(&object, at);
}

/* ---- the pager makes the copy ------------------------------------------------------------------------------ */

static struct {
    struct object *object;
    char *at, *copy;
    volatile kern_return_t result;
} calling;

static void call_copy(void *unused)
{
    (void)unused;
    calling.result = object_map_more(calling.object, 0, 2 * PAGE, true, RW, &calling.copy);
}

/* A copy by CALL: what the kernel says to the pager first, whatever it is, the copy's pages are asked of somebody. */
CASE_DIFFERS(call_by_map)
{
    struct object object;
    struct helper helper = {0};
    calling.at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_CALL);
    calling.object = &object;
    object_supply(&object, 0, 2, FILL, VM_PROT_NONE, false, false);
    helper_start(&helper, call_copy, NULL);
    CHECK(helper_waits(&helper));
    struct pager_message message = pager_receive(object.port, SHORT_WAIT);
    observe("message", message.id);
    for (unsigned int i = 0; i < message.count; i++)
        if (message.item[i].value)
            remark("item %u: %#lx", i, (unsigned long)message.item[i].value);
    CHECK(helper_join(&helper));
    EXPECT(calling.result, KERN_SUCCESS);
    pages_drop(calling.copy, 2);
    for (unsigned int i = 0; i < message.count; i++)
        if ((i == 0 || i == 3) && port_type((mach_port_t)message.item[i].value))
            mach_port_destroy(SELF, (mach_port_t)message.item[i].value);
    object_drop(&object);
    pages_drop(calling.at, 2);
}

/* ---- vm_object_sync ------------------------------------------------------------------------------------------ */

struct syncing {
    mach_port_t name;
    vm_offset_t offset;
    vm_size_t size;
    boolean_t flush, give, wait;
    volatile kern_return_t result;
};

static void sync_run(void *argument)
{
    struct syncing *s = argument;
    s->result = vm_object_sync(s->name, s->offset, s->size, s->flush, s->give, s->wait);
}

/* What comes to the pager when the page at offset PAGE has been changed, the one at 0 read. */
static void sync_observe(boolean_t flush, boolean_t give, boolean_t wait)
{
    struct object object;
    struct helper helper = {0};
    char data = 0, *at = object_map(&object, 0, 3 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 3, FILL, VM_PROT_NONE, false, false);
    EXPECT(at[0], FILL);
    at[PAGE] = 90;
    struct syncing sync = {object.name, 0, 3 * PAGE, flush, give, wait, -1};
    helper_start(&helper, sync_run, &sync);
    CHECK(helper_waits(&helper));
    for (struct pager_message message; (message = object_receive(&object, SHORT_WAIT, &data)).id;) {
        message_observe(&message);
        if (message.id == MSG_RETURN)
            OBSERVE(data);
    }
    CHECK(helper_join(&helper));
    OBSERVE(sync.result);
    /* Is the page still there? */
    struct toucher toucher;
    touch_start(&toucher, at + PAGE, false, 0);
    CHECK(helper_waits(&toucher.helper));
    bool asked = !toucher.done && object_receive(&object, LONG_WAIT, NULL).id == MSG_REQUEST;
    OBSERVE(asked);
    if (asked)
        object_supply(&object, PAGE, 1, 33, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    OBSERVE(toucher.value);
    pages_drop(at, 3);
    object_terminate_expect(&object);
}

CASE(sync_nothing) { sync_observe(FALSE, FALSE, FALSE); }
CASE(sync_return) { sync_observe(FALSE, TRUE, FALSE); }
CASE(sync_return_and_wait) { sync_observe(FALSE, TRUE, TRUE); }
CASE(sync_flush) { sync_observe(TRUE, FALSE, FALSE); }
CASE(sync_flush_and_return) { sync_observe(TRUE, TRUE, FALSE); }
CASE(sync_wait_alone) { sync_observe(FALSE, FALSE, TRUE); }
CASE(sync_all) { sync_observe(TRUE, TRUE, TRUE); }

CASE(sync_ranges)
{
    struct object object;
    char *at = object_map(&object, 0, 3 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    static const vm_offset_t offsets[] = {0, 1, 5, PAGE, 100 * PAGE, 0};
    static const vm_size_t sizes[] = {0, PAGE, 10, PAGE + 1, PAGE, ~(vm_size_t)0};
    object_supply(&object, 0, 3, FILL, VM_PROT_NONE, false, false);
    for (unsigned int i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        OBSERVE(i);
        at[0] = at[PAGE] = at[2 * PAGE] = 90;
        OBSERVE(vm_object_sync(object.name, offsets[i], sizes[i], FALSE, TRUE, FALSE));
        long bytes = 0;
        for (struct pager_message message; (message = object_receive(&object, SHORT_WAIT, NULL)).id;)
            bytes += message.id == MSG_RETURN ? message.item[2].number : 0;
        OBSERVE(bytes);
    }
    pages_drop(at, 3);
    object_terminate_expect(&object);
}

CASE(sync_of_nothing_known)
{
    mach_port_t port = port_create_with_send(), dead = port_create_dead();
    OBSERVE(vm_object_sync(SELF, 0, PAGE, FALSE, TRUE, FALSE));
    OBSERVE(vm_object_sync(host_priv, 0, PAGE, FALSE, TRUE, FALSE));
    OBSERVE(vm_object_sync(dead, 0, PAGE, FALSE, TRUE, FALSE));
    OBSERVE(vm_object_sync(MACH_PORT_NULL, 0, PAGE, FALSE, TRUE, FALSE));
    port_destroy(port);
    port_destroy(dead);
}
