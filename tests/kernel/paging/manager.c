/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The default memory manager (manager.h).  The kernel tells of an anonymous object by memory_object_create when its
   first page goes, returns pages by data_return (data_initialize), asks for them by data_request, and ends with
   memory_object_terminate. */

#include "manager.h"

#include "memory_object_S.h"
#include "memory_object_default_S.h"
#include "pattern.h"
#include "store.h"

enum { OBJECTS_MAX = 2048 };

static struct known_object {
    mach_port_t port; /* the receive right; MACH_PORT_NULL: a free place */
    struct stored_object stored;
} *objects;
static struct manager_board *board;
static mach_port_t port_set, default_port;
static uint64_t last_id;

static void complain(int line)
{
    if (board->complaint == 0)
        board->complaint = line;
}
#define MUST(COND) ((COND) ? (void)0 : complain(__LINE__))

static struct known_object *object_of(mach_port_t port)
{
    for (int i = 0; i < OBJECTS_MAX; i++)
        if (objects[i].port == port)
            return &objects[i];
    return NULL;
}

static void right_drop(mach_port_t right)
{
    if (MACH_PORT_VALID(right))
        mach_port_deallocate(mach_task_self(), right);
}

/* ---- what the kernel says ------------------------------------------------------------------- */

kern_return_t manager_memory_object_create(mach_port_t manager, mach_port_t port, vm_size_t size, mach_port_t control,
                                           mach_port_t name, vm_size_t page_size)
{
    struct known_object *object = object_of(MACH_PORT_NULL);
    MUST(manager == default_port && size % PAGE_BYTES == 0 && size > 0 && page_size == PAGE_BYTES && object);
    if (object == NULL)
        return KERN_RESOURCE_SHORTAGE;
    *object = (struct known_object){.port = port, .stored.id = ++last_id};
    MUST(mach_port_move_member(mach_task_self(), port, port_set) == 0);
    MUST(MACH_PORT_VALID(control) && MACH_PORT_VALID(name)); /* kept until the end */
    board->objects++;
    return KERN_SUCCESS;
}

kern_return_t manager_memory_object_init(mach_port_t port, mach_port_t control, mach_port_t name, vm_size_t page_size)
{
    (void)port, (void)control, (void)name, (void)page_size;
    complain(__LINE__); /* nobody maps these objects */
    return KERN_SUCCESS;
}

static void data_keep(mach_port_t port, mach_port_t control, vm_offset_t offset, vm_offset_t data,
                      mach_msg_type_number_t size)
{
    struct known_object *object = object_of(port);
    MUST(object && offset % PAGE_BYTES == 0 && size % PAGE_BYTES == 0 && size > 0);
    for (vm_offset_t done = 0; object && done < size; done += PAGE_BYTES)
        MUST(store_put(&object->stored, offset + done, (const uint64_t *)(data + done)));
    MUST(vm_deallocate(mach_task_self(), data, size) == 0);
    right_drop(control);
    board->returned += size / PAGE_BYTES;
    board->pages = store_count();
}

kern_return_t manager_memory_object_data_initialize(mach_port_t port, mach_port_t control, vm_offset_t offset,
                                                    vm_offset_t data, mach_msg_type_number_t size)
{
    data_keep(port, control, offset, data, size);
    return KERN_SUCCESS;
}

kern_return_t manager_memory_object_data_return(mach_port_t port, mach_port_t control, vm_offset_t offset,
                                                vm_offset_t data, mach_msg_type_number_t size, boolean_t dirty,
                                                boolean_t kernel_copy)
{
    MUST(dirty && !kernel_copy);
    data_keep(port, control, offset, data, size);
    return KERN_SUCCESS;
}

/* Pages of a program's own text and stack are no pattern. */
static bool is_pattern(const uint64_t *page)
{
    return page[0] && page[1] == pattern_next(page[0]) && page[PAGE_WORDS - 1] == pattern_next(page[PAGE_WORDS - 2]);
}

/* The page at OFFSET goes to the kernel, or why it does not. */
static kern_return_t page_answer(const struct known_object *object, mach_port_t control, vm_offset_t offset)
{
    vm_address_t page = 0;
    if (board->refuse)
        return memory_object_data_error(control, offset, PAGE_BYTES, KERN_FAILURE);
    MUST(vm_allocate(mach_task_self(), &page, PAGE_BYTES, TRUE) == 0);
    bool have = page && object && store_get(&object->stored, offset, (uint64_t *)page);
    MUST(have); /* it was returned once */
    if (have && !(board->forget && is_pattern((const uint64_t *)page)))
        return memory_object_data_supply(control, offset, page, PAGE_BYTES, TRUE, VM_PROT_NONE, FALSE, MACH_PORT_NULL);
    vm_deallocate(mach_task_self(), page, PAGE_BYTES);
    return memory_object_data_unavailable(control, offset, PAGE_BYTES);
}

kern_return_t manager_memory_object_data_request(mach_port_t port, mach_port_t control, vm_offset_t offset,
                                                 vm_size_t length, vm_prot_t access)
{
    struct known_object *object = object_of(port);
    (void)access;
    MUST(object && offset % PAGE_BYTES == 0 && length % PAGE_BYTES == 0);
    for (vm_offset_t done = 0; done < length; done += PAGE_BYTES, board->requested++)
        MUST(page_answer(object, control, offset + done) == 0);
    right_drop(control);
    return KERN_SUCCESS;
}

kern_return_t manager_memory_object_terminate(mach_port_t port, mach_port_t control, mach_port_t name)
{
    struct known_object *object = object_of(port);
    MUST(object);
    if (object) {
        store_drop(&object->stored);
        object->port = MACH_PORT_NULL;
        board->objects--;
    }
    board->pages = store_count();
    board->ended++;
    /* The receive rights of both come back, and with them what was held of them. */
    mach_port_destroy(mach_task_self(), control);
    mach_port_destroy(mach_task_self(), name);
    MUST(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1) == 0);
    return KERN_SUCCESS;
}

/* What these objects never see. */
kern_return_t manager_memory_object_copy(mach_port_t port, mach_port_t control, vm_offset_t offset, vm_size_t length,
                                         mach_port_t new_port)
{
    (void)port, (void)control, (void)offset, (void)length, (void)new_port;
    complain(__LINE__);
    return KERN_FAILURE;
}

kern_return_t manager_memory_object_data_unlock(mach_port_t port, mach_port_t control, vm_offset_t offset,
                                                vm_size_t length, vm_prot_t access)
{
    (void)port, (void)control, (void)offset, (void)length, (void)access;
    complain(__LINE__);
    return KERN_FAILURE;
}

kern_return_t manager_memory_object_lock_completed(mach_port_t port, mach_port_t control, vm_offset_t offset,
                                                   vm_size_t length)
{
    (void)port, (void)control, (void)offset, (void)length;
    complain(__LINE__);
    return KERN_FAILURE;
}

kern_return_t manager_memory_object_supply_completed(mach_port_t port, mach_port_t control, vm_offset_t offset,
                                                     vm_size_t length, kern_return_t result, vm_offset_t error_offset)
{
    (void)port, (void)control, (void)offset, (void)length, (void)result, (void)error_offset;
    complain(__LINE__);
    return KERN_FAILURE;
}

kern_return_t manager_memory_object_change_completed(mach_port_t port, boolean_t may_cache,
                                                     memory_object_copy_strategy_t strategy)
{
    (void)port, (void)may_cache, (void)strategy;
    complain(__LINE__);
    return KERN_FAILURE;
}

/* ---- the task ---------------------------------------------------------------------------------- */

static void manager_main(void *unused)
{
    static union {
        mach_msg_header_t header;
        char room[4096];
    } message, reply;
    (void)unused;
    vm_address_t memory = 0;
    MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &port_set) == 0);
    default_port = port_create();
    MUST(mach_port_move_member(mach_task_self(), default_port, port_set) == 0);
    MUST(vm_allocate(mach_task_self(), &memory, OBJECTS_MAX * sizeof *objects, TRUE) == 0);
    objects = (struct known_object *)memory;
    MUST(store_open());
    MUST(vm_wire_all(host_priv, mach_task_self(), VM_WIRE_ALL) == 0);
    MUST(thread_wire(host_priv, mach_thread_self(), TRUE) == 0); /* also when another manager has taken over */
    mach_port_t port = default_port;
    MUST(vm_set_default_memory_manager(host_priv, &port) == 0);
    board->succeeds = MACH_PORT_VALID(port);
    board->ready = board->complaint == 0;
    for (;;) {
        while (board->deaf)
            pause_ms(10);
        if (mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, port_set, 50, MACH_PORT_NULL))
            continue;
        mig_routine_t routine = memory_object_server_routine(&message.header);
        if (routine == NULL)
            routine = memory_object_default_server_routine(&message.header);
        MUST(routine);
        if (routine)
            routine(&message.header, &reply.header);
    }
}

bool manager_start(struct manager *manager)
{
    vm_address_t memory = 0;
    if (vm_allocate(mach_task_self(), &memory, PAGE_BYTES, TRUE) ||
        vm_inherit(mach_task_self(), memory, PAGE_BYTES, VM_INHERIT_SHARE))
        return false;
    manager->board = board = (struct manager_board *)memory;
    *board = (struct manager_board){.ready = false};
    child_create(&manager->child, manager_main, NULL);
    if (mach_port_insert_right(manager->child.task, host_priv, host_priv, MACH_MSG_TYPE_COPY_SEND))
        return false;
    child_start(&manager->child);
    while (!board->ready && !board->complaint)
        pause_ms(10);
    return board->ready;
}

void manager_kill(struct manager *manager)
{
    child_kill(&manager->child);
    vm_deallocate(mach_task_self(), (vm_address_t)manager->board, PAGE_BYTES);
}
