/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory objects: what the kernel gives back, and how objects end (Mach manual, "Memory Object Locking", "…
   Termination", "… Attributes"). */

#include "memory_help.h"

#include <mach/vm_sync.h>

#define SELF mach_task_self()
#define RW (VM_PROT_READ | VM_PROT_WRITE)

/* Messages for the object until none comes within a while, in the transcript. */
static void messages_observe(struct object *object)
{
    struct pager_message message;
    char data = 0;
    while ((message = object_receive(object, SHORT_WAIT, &data)).id) {
        message_observe(&message);
        if (message.id == MSG_RETURN)
            OBSERVE(data);
    }
}

static void locked_expect(struct object *object)
{
    struct pager_message message = pager_receive(object->replies, LONG_WAIT);
    EXPECT(message.id, MSG_LOCKED);
    message_observe(&message);
}

CASE(return_dirty)
{
    struct object object;
    char *at = object_map(&object, 0, 4 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 4, 1, VM_PROT_NONE, false, false);
    EXPECT(touch_read(at, NULL), 0);
    EXPECT(touch_write(at + 2 * PAGE, 77), 0);
    object_lock(&object, 0, 4 * PAGE, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    /* Once only. */
    object_lock(&object, 0, 4 * PAGE, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    EXPECT(touch_write(at + 2 * PAGE, 78), 0);
    object_lock(&object, 0, 4 * PAGE, MEMORY_OBJECT_RETURN_ALL, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    pages_drop(at, 4);
    object_terminate_expect(&object);
}

CASE(return_dirty_and_flush)
{
    struct object object;
    char *at = object_map(&object, 0, 3 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 3, 1, VM_PROT_NONE, false, false);
    EXPECT(touch_write(at + PAGE, 77), 0);
    EXPECT(touch_read(at, NULL), 0);
    object_lock(&object, 0, 3 * PAGE, MEMORY_OBJECT_RETURN_DIRTY, true, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    object_fill(&object, at, 0, 21, VM_PROT_NONE, false);
    object_fill(&object, at + PAGE, PAGE, 22, VM_PROT_NONE, false);
    pages_drop(at, 3);
    object_terminate_expect(&object);
}

CASE(flush_without_return)
{
    struct object object;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 2, 1, VM_PROT_NONE, false, false);
    EXPECT(touch_write(at, 77), 0);
    object_lock(&object, 0, 2 * PAGE, MEMORY_OBJECT_RETURN_NONE, true, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    object_fill(&object, at, 0, 21, VM_PROT_NONE, false);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE(return_neighbours_together)
{
    struct object object;
    char *at = object_map(&object, 0, 16 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 16, 1, VM_PROT_NONE, false, false);
    for (unsigned int i = 0; i < 16; i++)
        if (i != 3)
            at[i * PAGE] = 99;
    object_lock(&object, 0, 16 * PAGE, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    pages_drop(at, 16);
    object_terminate_expect(&object);
}

CASE(lock_request_of_parts)
{
    struct object object;
    char *at = object_map(&object, 0, 4 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 4, 1, VM_PROT_NONE, false, false);
    for (unsigned int i = 0; i < 4; i++)
        at[i * PAGE] = 99;
    object_lock(&object, PAGE, PAGE, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    object_lock(&object, 0, 0, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    object_lock(&object, 3 * PAGE, (vm_size_t)1 << 40, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    pages_drop(at, 4);
    object_terminate_expect(&object);
}

CASE(lock_request_nonsense)
{
    struct object object;
    struct pager_message message;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 1, 1, VM_PROT_NONE, false, false);
    at[0] = 5;
    OBSERVE(object_lock(&object, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, false, 0x80));
    message = pager_receive(object.replies, SHORT_WAIT);
    message_observe(&message);
    OBSERVE(object_lock(&object, 0, PAGE, 17, false, VM_PROT_NO_CHANGE));
    message = pager_receive(object.replies, SHORT_WAIT);
    message_observe(&message);
    messages_observe(&object);
    OBSERVE(memory_object_lock_request(object.name, 0, PAGE, MEMORY_OBJECT_RETURN_DIRTY, 0, VM_PROT_NO_CHANGE,
                                       object.replies));
    message = pager_receive(object.replies, SHORT_WAIT);
    message_observe(&message);
    OBSERVE(memory_object_lock_request(object.control, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, 0, VM_PROT_NO_CHANGE,
                                       MACH_PORT_NULL));
    messages_observe(&object);
    pages_drop(at, 1);
    object_drop(&object); /* GNU Mach keeps it for good after such requests */
}

CASE(lock_what_is_there)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_fill(&object, at, 0, 1, VM_PROT_NONE, false);
    EXPECT(touch_write(at, 2), 0);
    object_lock(&object, 0, 2 * PAGE, MEMORY_OBJECT_RETURN_NONE, false, VM_PROT_WRITE);
    locked_expect(&object);
    EXPECT(touch_read(at, NULL), 0);
    touch_start(&toucher, at, true, 3);
    struct pager_message message = object_receive(&object, LONG_WAIT, NULL);
    message_observe(&message);
    object_lock(&object, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, false, VM_PROT_NONE);
    EXPECT(touch_end(&toucher), 0);
    /* What was not there at that time is not locked. */
    EXPECT(at[0], 3);
    touch_start(&toucher, at + PAGE, true, 3);
    object_request_expect(&object, PAGE);
    object_supply(&object, PAGE, 1, 1, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE(precious_pages)
{
    struct object object;
    char *at = object_map(&object, 0, 4 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 2, 1, VM_PROT_NONE, true, false);
    object_supply(&object, 2 * PAGE, 2, 11, VM_PROT_NONE, false, false);
    at[PAGE] = 50;
    object_lock(&object, 0, 4 * PAGE, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    object_lock(&object, 0, 4 * PAGE, MEMORY_OBJECT_RETURN_ALL, false, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    /* Precious still, as the kernel kept them. */
    object_lock(&object, 0, 4 * PAGE, MEMORY_OBJECT_RETURN_ALL, true, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    pages_drop(at, 4);
    object_terminate_expect(&object);
}

CASE(end_returns_dirty_and_precious)
{
    struct object object;
    char *at = object_map(&object, 0, 4 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 1, 1, VM_PROT_NONE, true, false);
    object_supply(&object, PAGE, 3, 11, VM_PROT_NONE, false, false);
    at[2 * PAGE] = 50;
    pages_drop(at, 4);
    object_terminate_expect(&object);
}

CASE(terminate_message)
{
    struct object object;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    pages_drop(at, 1);
    struct pager_message message = object_receive(&object, LONG_WAIT, NULL);
    EXPECT(message.id, MSG_TERMINATE);
    CHECK(message.item[0].value == object.control);
    CHECK(message.item[1].value == object.name);
    EXPECT(port_type(object.control), MACH_PORT_TYPE_SEND_RECEIVE);
    EXPECT(port_type(object.name), MACH_PORT_TYPE_SEND_RECEIVE);
    object_drop(&object);
}

CASE(map_after_the_end)
{
    struct object object;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    pages_drop(at, 1);
    EXPECT(object_receive(&object, LONG_WAIT, NULL).id, MSG_TERMINATE);
    port_destroy(object.control);
    port_destroy(object.name);
    REQUIRE(object_map_more(&object, 0, PAGE, false, RW, &at), KERN_SUCCESS);
    object_init_expect(&object);
    memory_object_ready(object.control, 0, MEMORY_OBJECT_COPY_DELAY);
    object_fill(&object, at, 0, 8, VM_PROT_NONE, false);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(cached_object_stays)
{
    struct object object;
    char *at = object_map(&object, 0, 2 * PAGE, true, MEMORY_OBJECT_COPY_DELAY), value;
    object_fill(&object, at, 0, 8, VM_PROT_NONE, false);
    at[1] = 9;
    pages_drop(at, 2);
    messages_observe(&object);
    REQUIRE(object_map_more(&object, 0, PAGE, false, RW, &at), KERN_SUCCESS);
    EXPECT(touch_read(at, &value), 0);
    EXPECT(value, 8);
    CHECK(at[1] == 9);
    messages_observe(&object);
    pages_drop(at, 1);
    /* No longer wanted in the cache: it ends. */
    EXPECT(memory_object_change_attributes(object.control, 0, MEMORY_OBJECT_COPY_DELAY, object.replies), KERN_SUCCESS);
    struct pager_message message = pager_receive(object.replies, SHORT_WAIT);
    observe("message", message.id);
    object_terminate_expect(&object);
}

CASE(cached_object_without_pages)
{
    struct object object;
    char *at = object_map(&object, 0, PAGE, true, MEMORY_OBJECT_COPY_DELAY);
    pages_drop(at, 1);
    OBSERVE(object_receive(&object, SHORT_WAIT, NULL).id);
    memory_object_change_attributes(object.control, 0, MEMORY_OBJECT_COPY_DELAY, MACH_PORT_NULL);
    OBSERVE(object_receive(&object, SHORT_WAIT, NULL).id);
    object_drop(&object);
}

CASE(attributes)
{
    struct object object;
    boolean_t ready, cache;
    memory_object_copy_strategy_t strategy;
    char *at;
    object_create(&object);
    REQUIRE(object_map_more(&object, 0, PAGE, false, RW, &at), KERN_SUCCESS);
    object_init_expect(&object);
    OBSERVE(memory_object_get_attributes(object.control, &ready, &cache, &strategy));
    OBSERVE(ready);
    OBSERVE(cache);
    OBSERVE(strategy);
    for (int wanted = MEMORY_OBJECT_COPY_NONE; wanted <= MEMORY_OBJECT_COPY_TEMPORARY + 1; wanted++) {
        /* GNU Mach uses the reply's right twice when the strategy is none that it knows, and panics. */
        OBSERVE(
            memory_object_change_attributes(object.control, wanted & 1, wanted,
                                            wanted <= MEMORY_OBJECT_COPY_TEMPORARY ? object.replies : MACH_PORT_NULL));
        struct pager_message message = pager_receive(object.replies, SHORT_WAIT);
        observe("message", message.id);
        for (unsigned int i = 0; i < message.count; i++)
            observe("value", (long)message.item[i].value);
        OBSERVE(memory_object_get_attributes(object.control, &ready, &cache, &strategy));
        OBSERVE(ready);
        OBSERVE(cache);
        OBSERVE(strategy);
    }
    OBSERVE(memory_object_get_attributes(object.name, &ready, &cache, &strategy));
    OBSERVE(memory_object_get_attributes(SELF, &ready, &cache, &strategy));
    memory_object_change_attributes(object.control, 0, MEMORY_OBJECT_COPY_DELAY, MACH_PORT_NULL);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(destroy_with_pages)
{
    struct object object;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_fill(&object, at, 0, 8, VM_PROT_NONE, false);
    at[1] = 9;
    EXPECT(memory_object_destroy(object.control, 5), KERN_SUCCESS);
    messages_observe(&object);
    OBSERVE(touch_read(at, NULL));
    OBSERVE(touch_write(at, 1));
    OBSERVE(touch_read(at + PAGE, NULL));
    pages_drop(at, 2);
    messages_observe(&object);
    object_drop(&object);
}

/* GNU Mach does not end it while a page is asked for, and the thread waits for good. */
CASE_OURS(destroy_while_asked)
{
    struct object object;
    struct toucher toucher;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&toucher, at, false, 0);
    object_request_expect(&object, 0);
    EXPECT(memory_object_destroy(object.control, 5), KERN_SUCCESS);
    OBSERVE(touch_end(&toucher));
    messages_observe(&object);
    pages_drop(at, 1);
    object_drop(&object);
}

CASE(temporary_object)
{
    struct object object;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_TEMPORARY);
    object_supply(&object, 0, 2, 1, VM_PROT_NONE, false, false);
    at[0] = 50;
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE(sync_by_name)
{
    struct object object;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 2, 1, VM_PROT_NONE, false, false);
    at[0] = 50;
    OBSERVE(vm_object_sync(object.name, 0, 2 * PAGE, 0, 0, 0));
    messages_observe(&object);
    OBSERVE(vm_object_sync(object.name, 0, 2 * PAGE, 0, 1, 0));
    messages_observe(&object);
    at[PAGE] = 51;
    OBSERVE(vm_object_sync(object.name, 0, 2 * PAGE, 1, 1, 1));
    messages_observe(&object);
    OBSERVE(vm_object_sync(object.control, 0, PAGE, 0, 1, 0));
    OBSERVE(vm_object_sync(SELF, 0, PAGE, 0, 1, 0));
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

static void msync_all(void *argument)
{
    struct { char *at; vm_sync_t flags; kern_return_t kr; } *call = argument;
    call->kr = vm_msync(SELF, (vm_address_t)call->at, 2 * PAGE, call->flags);
}

/* GNU Mach answers KERN_INVALID_ARGUMENT to whatever vm_msync is asked for; glibc does not use it. */
CASE_DIFFERS(msync)
{
    struct object object;
    char *at = object_map(&object, 0, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 2, 1, VM_PROT_NONE, false, false);
    static const vm_sync_t flags[] = {0, VM_SYNC_ASYNCHRONOUS, VM_SYNC_SYNCHRONOUS,
                                      VM_SYNC_SYNCHRONOUS | VM_SYNC_INVALIDATE};
    for (unsigned int i = 0; i < sizeof flags / sizeof *flags; i++) {
        struct helper helper = {0};
        struct { char *at; vm_sync_t flags; kern_return_t kr; } call = {at, flags[i], -1};
        at[0] = (char)(50 + i);
        helper_start(&helper, msync_all, &call);
        CHECK(helper_waits(&helper)); /* done, or waiting for the pager */
        messages_observe(&object);
        CHECK(helper_join(&helper));
        OBSERVE(call.kr);
    }
    pages_drop(at, 2);
    object_terminate_expect(&object);
}

CASE_DIFFERS(msync_errors)
{
    char *at = pages(3);
    at[0] = 1;
    pages_drop(at + PAGE, 1);
    vm_address_t start = (vm_address_t)at;
    OBSERVE(vm_msync(SELF, start, PAGE, VM_SYNC_SYNCHRONOUS));
    OBSERVE(vm_msync(SELF, start + 5, 100, VM_SYNC_SYNCHRONOUS));
    OBSERVE(vm_msync(SELF, start + PAGE, PAGE, VM_SYNC_SYNCHRONOUS));
    OBSERVE(vm_msync(SELF, start, 3 * PAGE, VM_SYNC_SYNCHRONOUS));
    OBSERVE(vm_msync(SELF, start, PAGE, VM_SYNC_SYNCHRONOUS | VM_SYNC_ASYNCHRONOUS));
    OBSERVE(vm_msync(SELF, start, PAGE, 0x1000));
    OBSERVE(vm_msync(SELF, start, 0, VM_SYNC_SYNCHRONOUS));
    OBSERVE(vm_msync(SELF, ~(vm_address_t)0 - PAGE, 3 * PAGE, VM_SYNC_SYNCHRONOUS));
    OBSERVE(vm_msync(host_priv, start, PAGE, VM_SYNC_SYNCHRONOUS));
    CHECK(at[0] == 1);
    pages_drop(at, 1);
    pages_drop(at + 2 * PAGE, 1);
}

/* GNU Mach does not return from the request. */
CASE_OURS(wired_pages_are_not_flushed)
{
    struct object object;
    char *at = object_map(&object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    object_supply(&object, 0, 1, 1, VM_PROT_NONE, false, false);
    EXPECT(vm_wire(host_priv, SELF, (vm_address_t)at, PAGE, RW), KERN_SUCCESS);
    at[0] = 9;
    object_lock(&object, 0, PAGE, MEMORY_OBJECT_RETURN_NONE, true, VM_PROT_NO_CHANGE);
    locked_expect(&object);
    messages_observe(&object);
    CHECK(at[0] == 9);
    messages_observe(&object);
    EXPECT(vm_wire(host_priv, SELF, (vm_address_t)at, PAGE, VM_PROT_NONE), KERN_SUCCESS);
    pages_drop(at, 1);
    object_terminate_expect(&object);
}

CASE(region_names_the_object)
{
    struct object object;
    char *at = object_map(&object, 5 * PAGE, 2 * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    struct region region;
    EXPECT(region_at(SELF, at, &region), KERN_SUCCESS);
    EXPECT(region.size, 2 * PAGE);
    EXPECT(region.offset, 5 * PAGE);
    OBSERVE(region.shared);
    OBSERVE(region.protection);
    OBSERVE(region.max_protection);
    CHECK(region.name == object.name);
    pages_drop(at, 2);
    object_terminate_expect(&object);
}
