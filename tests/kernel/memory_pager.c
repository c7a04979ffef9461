/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory objects whose pager is the case: how they begin, how pages are asked for and supplied (Mach manual, "Memory
   Object Creation", "Memory Objects and Data"). */

#include "memory_help.h"

#define SELF mach_task_self()
#define RW (VM_PROT_READ | VM_PROT_WRITE)

static void map_later(void *argument)
{
    char *at;
    struct object *object = argument;
    object_map_more(object, 0, PAGE, false, RW, &at);
}

CASE(init_message)
{
    struct object object;
    struct helper helper = {0};
    object_create(&object);
    helper_start(&helper, map_later, &object);
    struct pager_message message = pager_receive(object.port, LONG_WAIT);
    EXPECT(message.id, MSG_INIT);
    EXPECT(message.count, 3);
    EXPECT(message.item[2].value, PAGE);
    object.control = (mach_port_t)message.item[0].value;
    object.name = (mach_port_t)message.item[1].value;
    EXPECT(port_type(object.control), MACH_PORT_TYPE_SEND);
    EXPECT(port_type(object.name), MACH_PORT_TYPE_SEND);
    CHECK(helper_join(&helper)); /* mapping does not wait for the pager */
    memory_object_ready(object.control, 0, MEMORY_OBJECT_COPY_DELAY);
    object_drop(&object);
}

CASE(no_request_before_ready)
{
    struct object object;
    struct toucher toucher;
    char *at;
    object_create(&object);
    REQUIRE(object_map_more(&object, 0, PAGE, false, RW, &at), KERN_SUCCESS);
    object_init_expect(&object);
    touch_start(&toucher, at, false, 0);
    EXPECT(object_receive(&object, SHORT_WAIT, NULL).id, 0);
    memory_object_ready(object.control, 0, MEMORY_OBJECT_COPY_DELAY);
    object_request_expect(&object, 0);
    object_supply(&object, 0, 1, 4, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, 4);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(map_again_without_init)
{
    struct object object;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY), *more, value;
    object_fill(&object, at, 0, 1, VM_PROT_NONE, false);
    REQUIRE(object_map_more(&object, 0, 4 * PAGE, false, RW, &more), KERN_SUCCESS);
    EXPECT(touch_read(more, &value), 0);
    EXPECT(value, 1);
    EXPECT(object_receive(&object, SHORT_WAIT, NULL).id, 0);
    object_fill(&object, more + 3 * PAGE, 3 * PAGE, 2, VM_PROT_NONE, false);
    more[5] = 9;
    CHECK(at[5] == 9);
    pages_drop(at, 2);
    EXPECT(object_receive(&object, SHORT_WAIT, NULL).id, 0);
    pages_drop(more, 4);
    object_terminate_expect(&object);
}

CASE(request_message)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0x10000, 4 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    for (unsigned int i = 0; i < 2; i++) {
        touch_start(&toucher, at + (i + 1) * PAGE + 17, i, 1);
        struct pager_message message = object_receive(&object, LONG_WAIT, NULL);
        message_observe(&message);
        object_supply(&object, message.item[1].value, 1, 4, VM_PROT_NONE, false, false);
        EXPECT(touch_end(&toucher), 0);
    }
    pages_drop(at, 4);
    object_terminate_expect(&object);
}

CASE(two_threads_one_request)
{
    struct object object;
    struct toucher first, second;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&first, at, false, 0);
    object_request_expect(&object, 0);
    touch_start(&second, at + 5, false, 0);
    EXPECT(object_receive(&object, SHORT_WAIT, NULL).id, 0);
    object_supply(&object, 0, 1, 3, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&first), 0);
    EXPECT(touch_end(&second), 0);
    CHECK(first.value == 3 && second.value == 3);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(supply_more_than_asked)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, 8 * PAGE, false, MEMORY_OBJECT_COPY_DELAY), value;
    touch_start(&toucher, at + 2 * PAGE, false, 0);
    object_request_expect(&object, 2 * PAGE);
    object_supply(&object, 0, 8, 10, VM_PROT_NONE, false, true);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, 12);
    for (unsigned int i = 0; i < 8; i++) {
        EXPECT(touch_read(at + i * PAGE, &value), 0);
        EXPECT(value, 10 + (int)i);
    }
    struct pager_message message = pager_receive(object.replies, LONG_WAIT);
    EXPECT(message.id, MSG_SUPPLIED);
    message_observe(&message);
    EXPECT(object_receive(&object, SHORT_WAIT, NULL).id, 0);
    pages_drop(at, 8);
    object_terminate_expect(&object);
}

CASE(supply_what_is_there)
{
    struct object object;
    char *at = object_map(&object, 0, 4 * PAGE, false, MEMORY_OBJECT_COPY_DELAY), value;
    object_fill(&object, at + PAGE, PAGE, 1, VM_PROT_NONE, false);
    object_supply(&object, 0, 4, 50, VM_PROT_NONE, false, false);
    EXPECT(touch_read(at, &value), 0);
    EXPECT(value, 50);
    EXPECT(touch_read(at + PAGE, &value), 0);
    EXPECT(value, 1);
    /* What came after the page that was there is not taken. */
    object_fill(&object, at + 2 * PAGE, 2 * PAGE, 60, VM_PROT_NONE, false);
    pages_drop(at, 4);
    object_terminate_expect(&object);
}

/* GNU Mach uses the reply's right twice and panics when the second message is received. */
CASE_OURS(supply_what_is_there_with_reply)
{
    struct object object;
    char *at = object_map(&object, 0, 4 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_fill(&object, at + PAGE, PAGE, 1, VM_PROT_NONE, false);
    object_supply(&object, 0, 4, 50, VM_PROT_NONE, false, true);
    struct pager_message message = pager_receive(object.replies, LONG_WAIT);
    EXPECT(message.id, MSG_SUPPLIED);
    EXPECT(message.item[1].value, 0);
    EXPECT(message.item[2].value, 4 * PAGE);
    EXPECT(message.item[3].value, KERN_MEMORY_PRESENT);
    EXPECT(message.item[4].value, PAGE);
    pages_drop(at, 4);
    object_terminate_expect(&object);
}

CASE(supply_unasked)
{
    struct object object;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY), value;
    object_supply(&object, 0, 2, 5, VM_PROT_NONE, false, true);
    struct pager_message message = pager_receive(object.replies, LONG_WAIT);
    message_observe(&message);
    EXPECT(touch_read(at, &value), 0);
    EXPECT(value, 5);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

/* GNU Mach takes a page at an offset within a page and panics when it is supplied nothing. */
CASE_OURS(supply_nonsense)
{
    struct object object;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY), *data = pages(2);
    memset(data, 1, 2 * PAGE);
    vm_offset_t from = (vm_offset_t)data;
    OBSERVE(memory_object_data_supply(object.control, 100, from, PAGE, 0, VM_PROT_NONE, 0, MACH_PORT_NULL));
    OBSERVE(memory_object_data_supply(object.control, 0, from, PAGE, 0, 0x80, 0, MACH_PORT_NULL));
    OBSERVE(memory_object_data_supply(object.control, 0, from, 0, 0, VM_PROT_NONE, 0, MACH_PORT_NULL));
    OBSERVE(memory_object_data_supply(object.name, 0, from, PAGE, 0, VM_PROT_NONE, 0, MACH_PORT_NULL));
    object_fill(&object, at, 0, 3, VM_PROT_NONE, false);
    pages_drop(data, 2);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE(supply_part_of_a_page)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY), *data = pages(2);
    memset(data, 7, 2 * PAGE);
    touch_start(&toucher, at, false, 0);
    object_request_expect(&object, 0);
    EXPECT(memory_object_data_supply(object.control, 0, (vm_offset_t)data, 100, 0, VM_PROT_NONE, 0, object.replies),
           KERN_SUCCESS);
    struct pager_message message = pager_receive(object.replies, 300);
    message_observe(&message);
    OBSERVE(touch_wait(&toucher, 100));
    object_supply(&object, 0, 1, 8, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    OBSERVE(toucher.value);
    pages_drop(data, 2);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE(supply_keeps_the_data_of_the_pager)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY), *data = pages(1);
    memset(data, 7, PAGE);
    touch_start(&toucher, at, true, 1);
    object_request_expect(&object, 0);
    EXPECT(memory_object_data_supply(object.control, 0, (vm_offset_t)data, PAGE, 0, VM_PROT_NONE, 0, MACH_PORT_NULL),
           KERN_SUCCESS);
    EXPECT(touch_end(&toucher), 0);
    CHECK(data[0] == 7 && at[0] == 1 && at[1] == 7);
    data[1] = 9;
    CHECK(at[1] == 7);
    pages_drop(data, 1);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(data_error)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&toucher, at, false, 0);
    object_request_expect(&object, 0);
    EXPECT(memory_object_data_error(object.control, 0, PAGE, 5), KERN_SUCCESS);
    EXPECT(touch_end(&toucher), KERN_MEMORY_ERROR);
    /* The next one asks again. */
    object_fill(&object, at, 0, 6, VM_PROT_NONE, false);
    EXPECT(memory_object_data_error(object.control, 0, PAGE, 5), KERN_SUCCESS);
    EXPECT(touch_read(at, NULL), 0);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE(data_error_wide)
{
    struct object object;
    struct toucher first, second;
    char *at = object_map(&object, 0, 4 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&first, at, false, 0);
    object_request_expect(&object, 0);
    touch_start(&second, at + 3 * PAGE, false, 0);
    object_request_expect(&object, 3 * PAGE);
    EXPECT(memory_object_data_error(object.control, 0, 4 * PAGE, 5), KERN_SUCCESS);
    EXPECT(touch_end(&first), KERN_MEMORY_ERROR);
    EXPECT(touch_end(&second), KERN_MEMORY_ERROR);
    pages_drop(at, 4);
    object_terminate_expect(&object);
}

CASE(data_unavailable)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&toucher, at, false, 0);
    object_request_expect(&object, 0);
    EXPECT(memory_object_data_unavailable(object.control, 0, PAGE), KERN_SUCCESS);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, 0);
    for (unsigned int i = 0; i < PAGE; i++)
        if (at[i])
            CHECK(at[i] == 0);
    EXPECT(touch_write(at, 1), 0);
    EXPECT(object_receive(&object, SHORT_WAIT, NULL).id, 0);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE(supply_locked_against_writing)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_fill(&object, at, 0, 5, VM_PROT_WRITE, false);
    EXPECT(touch_read(at + 1, NULL), 0);
    touch_start(&toucher, at, true, 9);
    struct pager_message message = object_receive(&object, LONG_WAIT, NULL);
    EXPECT(message.id, MSG_UNLOCK);
    message_observe(&message);
    EXPECT(touch_wait(&toucher, SHORT_WAIT), TOUCH_WAITS);
    EXPECT(object_lock(&object, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, false, VM_PROT_NONE), KERN_SUCCESS);
    EXPECT(touch_end(&toucher), 0);
    CHECK(at[0] == 9 && at[1] == 5);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(supply_locked_against_everything)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&toucher, at, false, 0);
    object_request_expect(&object, 0);
    object_supply(&object, 0, 1, 5, VM_PROT_ALL, false, false);
    struct pager_message message = object_receive(&object, LONG_WAIT, NULL);
    message_observe(&message);
    EXPECT(object_lock(&object, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, false, VM_PROT_WRITE), KERN_SUCCESS);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, 5);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(write_request_supplied_locked)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&toucher, at, true, 2);
    object_request_expect(&object, 0);
    object_supply(&object, 0, 1, 5, VM_PROT_WRITE, false, false);
    struct pager_message message = object_receive(&object, LONG_WAIT, NULL);
    message_observe(&message);
    EXPECT(object_lock(&object, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, false, VM_PROT_NONE), KERN_SUCCESS);
    EXPECT(touch_end(&toucher), 0);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(flush_instead_of_unlock)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_fill(&object, at, 0, 5, VM_PROT_WRITE, false);
    touch_start(&toucher, at, true, 9);
    EXPECT(object_receive(&object, LONG_WAIT, NULL).id, MSG_UNLOCK);
    EXPECT(object_lock(&object, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, true, VM_PROT_NO_CHANGE), KERN_SUCCESS);
    object_request_expect(&object, 0);
    object_supply(&object, 0, 1, 6, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    CHECK(at[0] == 9 && at[1] == 6);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(pager_dies_while_asked)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_fill(&object, at, 0, 5, VM_PROT_NONE, false);
    touch_start(&toucher, at + PAGE, false, 0);
    object_request_expect(&object, PAGE);
    EXPECT(mach_port_mod_refs(SELF, object.port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    OBSERVE(touch_end(&toucher));
    OBSERVE(touch_read(at + PAGE, NULL));
    OBSERVE(touch_read(at, NULL));
    OBSERVE(touch_write(at, 1));
    pages_drop(at, 2);
    object_drop(&object);
}

CASE(pager_dies_before_ready)
{
    struct object object;
    struct toucher toucher;
    char *at;
    object_create(&object);
    REQUIRE(object_map_more(&object, 0, PAGE, false, RW, &at), KERN_SUCCESS);
    object_init_expect(&object);
    touch_start(&toucher, at, false, 0);
    EXPECT(touch_wait(&toucher, SHORT_WAIT), TOUCH_WAITS);
    EXPECT(mach_port_mod_refs(SELF, object.port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    OBSERVE(touch_end(&toucher));
    pages_drop(at, 1);
    object_drop(&object);
}

CASE(range_goes_while_waiting)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&toucher, at, false, 0);
    object_request_expect(&object, 0);
    pages_drop(at, 1);
    object_supply(&object, 0, 1, 5, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), KERN_INVALID_ADDRESS);
    pages_drop(at + PAGE, 1);
    object_terminate_expect(&object);
}

CASE(protection_changes_while_waiting)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&toucher, at, true, 1);
    object_request_expect(&object, 0);
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_READ), KERN_SUCCESS);
    object_supply(&object, 0, 1, 5, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), KERN_PROTECTION_FAILURE);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(thread_killed_while_waiting)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY), value;
    touch_start(&toucher, at, false, 0);
    object_request_expect(&object, 0);
    helper_kill(&toucher.helper);
    port_destroy(toucher.exceptions);
    object_supply(&object, 0, 1, 5, VM_PROT_NONE, false, false);
    EXPECT(touch_read(at, &value), 0);
    EXPECT(value, 5);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(kernel_reads_and_writes_it)
{
    struct object object;
    vm_offset_t data;
    mach_msg_type_number_t count;
    char *at = object_map(&object, 0, 3 * PAGE, false, MEMORY_OBJECT_COPY_DELAY), *source = pages(1), value;
    memset(source, 8, PAGE);
    object_supply(&object, 0, 2, 5, VM_PROT_NONE, false, false);
    EXPECT(vm_read(SELF, (vm_address_t)at, PAGE, &data, &count), KERN_SUCCESS);
    CHECK(*(char *)data == 5);
    pages_drop((char *)data, 1);
    EXPECT(vm_write(SELF, (vm_address_t)at, (vm_offset_t)source, PAGE), KERN_SUCCESS);
    EXPECT(touch_read(at, &value), 0);
    EXPECT(value, 8);
    EXPECT(vm_copy(SELF, (vm_address_t)at + PAGE, PAGE, (vm_address_t)at), KERN_SUCCESS);
    EXPECT(touch_read(at, &value), 0);
    EXPECT(value, 6);
    object_lock(&object, 0, 3 * PAGE, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE);
    struct pager_message message = object_receive(&object, LONG_WAIT, &value);
    message_observe(&message);
    OBSERVE(value);
    pages_drop(source, 1);
    pages_drop(at, 3);
    object_terminate_expect(&object);
}
