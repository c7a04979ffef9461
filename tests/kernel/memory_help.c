/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cases about memory share (memory_help.h). */

#include "memory_help.h"

#include <mach/thread_switch.h>

char *pages(unsigned int count)
{
    vm_address_t at = 0;
    if (vm_allocate(mach_task_self(), &at, count * PAGE, 1))
        __builtin_trap();
    return (char *)at;
}

void pages_drop(const void *at, unsigned int count)
{
    vm_deallocate(mach_task_self(), (vm_address_t)at, count * PAGE);
}

kern_return_t region_at(mach_port_t task, const void *at, struct region *region)
{
    *region = (struct region){.start = (vm_address_t)at};
    kern_return_t kr = vm_region(task, &region->start, &region->size, &region->protection, &region->max_protection,
                                 &region->inheritance, &region->shared, &region->name, &region->offset);
    if (kr == KERN_SUCCESS && region->name)
        mach_port_deallocate(mach_task_self(), region->name);
    return kr;
}

bool mapped(const void *at)
{
    struct region region;
    return region_at(mach_task_self(), at, &region) == KERN_SUCCESS && region.start <= (vm_address_t)at;
}

/* ---- touching --------------------------------------------------------------------------------- */

static void touch_main(void *argument)
{
    struct toucher *toucher = argument;
    while (!toucher->go)
        thread_switch(MACH_PORT_NULL, SWITCH_OPTION_WAIT, 1);
    if (toucher->write)
        *toucher->at = toucher->value;
    else
        toucher->value = *toucher->at;
    toucher->done = true;
}

void touch_start(struct toucher *toucher, void *at, bool write, char value)
{
    *toucher = (struct toucher){.at = at, .write = write, .value = value, .exceptions = port_create_with_send()};
    helper_start(&toucher->helper, touch_main, toucher);
    thread_set_special_port(toucher->helper.thread, THREAD_EXCEPTION_PORT, toucher->exceptions);
    toucher->go = true;
}

/* exception_raise: thread, task, exception, code, subcode. */
static long exception_code(struct toucher *toucher)
{
    char *body = (char *)(received() + 1);
    mach_port_deallocate(mach_task_self(), *(mach_port_t *)(body + 8));
    mach_port_deallocate(mach_task_self(), *(mach_port_t *)(body + 24));
    toucher->reply = received()->msgh_remote_port; /* without an answer the task's port would be asked */
    return *(int *)(body + 56);
}

long touch_wait(struct toucher *toucher, unsigned int ms)
{
    for (unsigned int waited = 0; waited <= ms; waited += 5) {
        if (toucher->done)
            return 0;
        if (receive_within(toucher->exceptions, 5) == MACH_MSG_SUCCESS)
            return exception_code(toucher);
    }
    return TOUCH_WAITS;
}

long touch_end(struct toucher *toucher)
{
    long result = touch_wait(toucher, LONG_WAIT);
    if (result == 0)
        helper_join(&toucher->helper);
    else
        helper_kill(&toucher->helper);
    if (toucher->reply)
        mach_port_deallocate(mach_task_self(), toucher->reply);
    port_destroy(toucher->exceptions);
    return result;
}

long touch_read(const void *at, char *value)
{
    struct toucher toucher;
    touch_start(&toucher, (void *)at, false, 0);
    long result = touch_end(&toucher);
    if (value)
        *value = toucher.value;
    return result;
}

long touch_write(void *at, char value)
{
    struct toucher toucher;
    touch_start(&toucher, at, true, value);
    return touch_end(&toucher);
}

/* ---- messages ----------------------------------------------------------------------------------- */

struct pager_message pager_receive(mach_port_t port, unsigned int ms)
{
    struct pager_message message = {0};
    if (receive_within(port, ms))
        return message;
    const char *at = (const char *)(received() + 1), *end = (const char *)received() + received()->msgh_size;
    message.id = received()->msgh_id;
    while (at + sizeof(mach_msg_type_t) < end && message.count < ITEMS_MAX) {
        const mach_msg_type_t *type = (const mach_msg_type_t *)at;
        at += sizeof *type;
        uint64_t value = type->msgt_inline && type->msgt_size == 32 ? *(const uint32_t *)at : *(const uint64_t *)at;
        message.item[message.count].value = value;
        message.item[message.count].number = type->msgt_number;
        message.item[message.count++].memory = !type->msgt_inline;
        at += type->msgt_inline ? (type->msgt_number * (size_t)type->msgt_size / 8 + 7) / 8 * 8 : 8;
    }
    return message;
}

void message_observe(const struct pager_message *message)
{
    observe("message", message->id);
    for (unsigned int i = 0; i < message->count; i++) {
        if (i == 0 || (i == 1 && (message->id == MSG_INIT || message->id == MSG_TERMINATE)))
            continue;
        if (message->item[i].memory)
            observe("bytes", message->item[i].number);
        else if (message->id != MSG_COPY || i < 3)
            observe("value", (long)message->item[i].value);
    }
}

/* ---- objects ---------------------------------------------------------------------------------------- */

void object_create(struct object *object)
{
    *object = (struct object){.port = port_create_with_send(), .replies = port_create_with_send()};
}

kern_return_t object_map_more(struct object *object, vm_offset_t offset, vm_size_t size, bool copy,
                              vm_prot_t protection, char **at)
{
    vm_address_t address = 0;
    kern_return_t kr = vm_map(mach_task_self(), &address, size, 0, 1, object->port, offset, copy, protection,
                              VM_PROT_ALL, VM_INHERIT_DEFAULT);
    *at = (char *)address;
    return kr;
}

void object_init_expect(struct object *object)
{
    struct pager_message message = pager_receive(object->port, LONG_WAIT);
    EXPECT(message.id, MSG_INIT);
    object->control = (mach_port_t)message.item[0].value;
    object->name = (mach_port_t)message.item[1].value;
}

/* vm_map by another thread: it may wait for the pager. */
struct mapper {
    struct object *object;
    vm_offset_t offset;
    vm_size_t size;
    char *at;
    kern_return_t kr;
};

static void map_main(void *argument)
{
    struct mapper *mapper = argument;
    mapper->kr = object_map_more(mapper->object, mapper->offset, mapper->size, false, VM_PROT_READ | VM_PROT_WRITE,
                                 &mapper->at);
}

char *object_map(struct object *object, vm_offset_t offset, vm_size_t size, bool may_cache,
                 memory_object_copy_strategy_t strategy)
{
    struct helper helper = {0};
    object_create(object);
    struct mapper mapper = {.object = object, .offset = offset, .size = size};
    helper_start(&helper, map_main, &mapper);
    object_init_expect(object);
    CHECK(memory_object_ready(object->control, may_cache, strategy) == KERN_SUCCESS);
    CHECK(helper_join(&helper));
    EXPECT(mapper.kr, KERN_SUCCESS);
    return mapper.at;
}

struct pager_message object_receive(struct object *object, unsigned int ms, char *data)
{
    struct pager_message message = pager_receive(object->port, ms);
    if (message.id && message.id != MSG_INIT && message.id != MSG_TERMINATE)
        mach_port_deallocate(mach_task_self(), (mach_port_t)message.item[0].value);
    for (unsigned int i = 0; i < message.count; i++)
        if (message.item[i].memory && message.item[i].number) {
            if (data)
                *data = *(char *)message.item[i].value;
            vm_deallocate(mach_task_self(), message.item[i].value, message.item[i].number);
        }
    return message;
}

void object_request_expect(struct object *object, vm_offset_t offset)
{
    struct pager_message message = object_receive(object, LONG_WAIT, NULL);
    EXPECT(message.id, MSG_REQUEST);
    EXPECT(message.item[1].value, offset);
    EXPECT(message.item[2].value, PAGE);
}

void object_supply(struct object *object, vm_offset_t offset, unsigned int count, char fill, vm_prot_t lock,
                   bool precious, bool reply)
{
    char *data = pages(count);
    for (unsigned int i = 0; i < count; i++)
        memset(data + i * PAGE, fill + (char)i, PAGE);
    EXPECT(memory_object_data_supply(object->control, offset, (vm_offset_t)data, (mach_msg_type_number_t)(count * PAGE),
                                     1, lock, precious, reply ? object->replies : MACH_PORT_NULL),
           KERN_SUCCESS);
}

void object_fill(struct object *object, char *at, vm_offset_t offset, char fill, vm_prot_t lock, bool precious)
{
    struct toucher toucher;
    touch_start(&toucher, at, false, 0);
    object_request_expect(object, offset);
    object_supply(object, offset, 1, fill, lock, precious, false);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, fill);
}

kern_return_t object_lock(struct object *object, vm_offset_t offset, vm_size_t size, memory_object_return_t how,
                          bool flush, vm_prot_t lock)
{
    return memory_object_lock_request(object->control, offset, size, how, flush, lock, object->replies);
}

void object_terminate_expect(struct object *object)
{
    struct pager_message message;
    long bytes[2] = {0, 0};
    while ((message = object_receive(object, LONG_WAIT, NULL)).id && message.id != MSG_TERMINATE) {
        CHECK(message.id == MSG_RETURN && message.item[4].value == 0);
        bytes[message.item[3].value != 0] += message.item[2].number;
    }
    EXPECT(message.id, MSG_TERMINATE);
    observe("bytes returned unchanged", bytes[0]);
    observe("bytes returned changed", bytes[1]);
    object_drop(object);
}

void object_drop(struct object *object)
{
    struct pager_message message;
    while ((message = object_receive(object, 0, NULL)).id)
        ;
    while ((message = pager_receive(object->replies, 0)).id)
        port_destroy((mach_port_t)message.item[0].value);
    port_destroy(object->control);
    port_destroy(object->name);
    port_destroy(object->port);
    port_destroy(object->replies);
}
