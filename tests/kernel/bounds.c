/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: numbers that a user chooses: rows of proxies, ports and shadows, pages far apart, huge ranges, names far up.
   What the kernel does with them costs in proportion to what is there, and its stack does not grow with them: one that
   goes through all that could be there does not end within a case's time.  */

#include <mach/vm_wire.h>

#include "memory_help.h"
#include "messages.h"
#include "objects.h"
#include "rights.h"

#define SELF mach_task_self()
#define RW (VM_PROT_READ | VM_PROT_WRITE)
#define HUGE_SIZE ((vm_size_t)120 << 40) /* most of the address space */

/* ---- rows -------------------------------------------------------------------------------------------- */

/* Each proxy has the only right to the one before. */
CASE_OURS(proxies_in_a_row)
{
    mach_port_t last = port_create_with_send(), first = last;
    mach_port_mod_refs(SELF, last, MACH_PORT_RIGHT_SEND, 1);
    for (int i = 0; i < 2000; i++) {
        rpc_vm_offset_t offset = 0, start = 0;
        rpc_vm_size_t size = PAGE;
        mach_port_t proxy = MACH_PORT_NULL;
        CHECK(memory_object_create_proxy(SELF, RW, &last, MACH_MSG_TYPE_MOVE_SEND, 1, &offset, 1, &start, 1, &size, 1,
                                         &proxy) == KERN_SUCCESS);
        last = proxy;
    }
    EXPECT(mach_port_deallocate(SELF, last), KERN_SUCCESS);
    EXPECT(port_refs(first, MACH_PORT_RIGHT_SEND), 1);
    EXPECT(notification_request(first, MACH_NOTIFY_NO_SENDERS, 0, first, NULL), KERN_SUCCESS);
    EXPECT(mach_port_deallocate(SELF, first), KERN_SUCCESS);
    EXPECT(notification_next(first), MACH_NOTIFY_NO_SENDERS);
    port_destroy(first);
}

/* Each copy of a task keeps what its parent had then: the parent's memory is a row of shadows. */
CASE(shadows_in_a_row)
{
    enum { COPIES = 1500 };
    static mach_port_t copies[COPIES];
    mach_port_t task = task_empty();
    vm_address_t at = 0x100000;
    char *page = pages(1);
    EXPECT(vm_allocate(task, &at, PAGE, FALSE), KERN_SUCCESS);
    int wrong = 0;
    for (int i = 0; i < COPIES; i++) {
        memset(page, i, PAGE);
        wrong += vm_write(task, at, (vm_offset_t)page, PAGE) != KERN_SUCCESS;
        wrong += task_create(task, TRUE, &copies[i]) != KERN_SUCCESS;
    }
    EXPECT(wrong, 0);
    for (int i = 0; i < COPIES; i++)
        task_end(copies[i]);
    char *data;
    mach_msg_type_number_t count;
    REQUIRE(vm_read(task, at, PAGE, (vm_offset_t *)&data, &count), KERN_SUCCESS);
    EXPECT(data[0], (char)(COPIES - 1));
    pages_drop(data, 1);
    task_end(task);
    pages_drop(page, 1);
}

enum { ROW = 300 };

/* Moves the receive right PORT into a message to DESTINATION. */
static void receive_right_send(mach_port_t port, mach_port_t destination)
{
    message_begin(&message_out, destination, MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL, 0, 1);
    message_add_ports(&message_out, &port, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    CHECK(message_send(&message_out) == MACH_MSG_SUCCESS);
}

/* Receive rights that wait in messages to each other's ports, and a message with many more to the first.  The last port
   of the row is among those: the message would wait for itself. */
static void rights_through_a_row(bool circle)
{
    static mach_port_t row[ROW], cargo[ROW];
    for (int i = 0; i < ROW; i++) {
        row[i] = port_create_with_send();
        cargo[i] = port_create_with_send();
        if (i > 0)
            receive_right_send(row[i - 1], row[i]);
    }
    mach_port_t own = cargo[ROW / 2];
    if (circle)
        cargo[ROW / 2] = row[ROW - 1];
    message_begin(&message_out, row[0], MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL, 0, 2);
    message_add_array(&message_out, cargo, ROW, MACH_MSG_TYPE_MOVE_RECEIVE, false);
    OBSERVE(message_send(&message_out));
    OBSERVE(port_type(cargo[0]));
    OBSERVE(port_type(cargo[ROW / 2]));
    OBSERVE(port_type(row[ROW - 1]));
    cargo[ROW / 2] = own;
    for (int i = ROW - 1; i >= 0; i--)
        port_destroy(row[i]);
    for (int i = 0; i < ROW; i++)
        port_destroy(cargo[i]);
}

CASE(many_rights_through_a_row)
{
    rights_through_a_row(false);
}

CASE(many_rights_that_close_a_circle)
{
    rights_through_a_row(true);
}

/* ---- sets ------------------------------------------------------------------------------------------------ */

/* The set goes: each member has its own messages, in their order. */
CASE(members_get_their_messages_back)
{
    enum { MEMBERS = 500, EACH = 4 };
    static mach_port_t members[MEMBERS];
    mach_port_t set = set_create();
    int wrong = 0;
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = port_create_with_send();
        wrong += mach_port_move_member(SELF, members[i], set) != KERN_SUCCESS;
    }
    for (int round = 0; round < EACH; round++)
        for (int i = 0; i < MEMBERS; i++)
            wrong += send_empty(members[i], round) != MACH_MSG_SUCCESS;
    /* One leaves, one dies: the others' messages stay where they are. */
    EXPECT(mach_port_move_member(SELF, members[MEMBERS - 1], MACH_PORT_NULL), KERN_SUCCESS);
    port_destroy(members[0]);
    EXPECT(receive_within(set, 0), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_local_port == members[1], true);
    port_destroy(set);
    for (int i = 1; i < MEMBERS; i++) {
        for (int round = i == 1; round < EACH; round++)
            wrong += receive_within(members[i], 0) != MACH_MSG_SUCCESS || received()->msgh_id != round;
        wrong += receive_within(members[i], 0) != MACH_RCV_TIMED_OUT;
        port_destroy(members[i]);
    }
    EXPECT(wrong, 0);
}

/* ---- names --------------------------------------------------------------------------------------------- */

/* A port with many send-once rights under names far up, each with a request: all are told when it dies. */
CASE_OURS(far_names_of_a_port_that_dies)
{
    enum { RIGHTS = 20000, FAR = 0x2000000 };
    mach_port_t port = port_create(), notify = port_create();
    int wrong = 0;
    for (mach_port_t i = 0; i < RIGHTS; i++) {
        wrong += mach_port_insert_right(SELF, FAR + 64 * i, port, MACH_MSG_TYPE_MAKE_SEND_ONCE) != KERN_SUCCESS;
        wrong += notification_request(FAR + 64 * i, MACH_NOTIFY_DEAD_NAME, 0, notify, NULL) != KERN_SUCCESS;
    }
    EXPECT(wrong, 0);
    CHECK(port_names() >= RIGHTS);
    port_destroy(port);
    int told = 0;
    while (notification_next(notify) == MACH_NOTIFY_DEAD_NAME)
        told++;
    EXPECT(told, RIGHTS);
    for (mach_port_t i = 0; i < RIGHTS; i++) {
        wrong += port_refs(FAR + 64 * i, MACH_PORT_RIGHT_DEAD_NAME) != 2; /* one came with the notification */
        port_destroy(FAR + 64 * i);
    }
    EXPECT(wrong, 0);
    port_destroy(notify);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

/* Two pages of an object, the second one at a far end of it. */
#define FAR_END ((vm_offset_t)1 << 60)
static char *far_pages_map(struct object *object, char **far)
{
    char *near = object_map(object, 0, PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    EXPECT(object_map_more(object, FAR_END, PAGE, false, RW, far), KERN_SUCCESS);
    object_fill(object, near, 0, 'n', VM_PROT_NONE, false);
    object_fill(object, *far, FAR_END, 'f', VM_PROT_NONE, false);
    return near;
}

/* All of the object is cleaned; then it ends, with changed pages. */
CASE_OURS(pages_far_apart)
{
    struct object object;
    char *far, *near = far_pages_map(&object, &far), data = 0;
    *near = 'N';
    *far = 'F';
    EXPECT(object_lock(&object, 0, ~(vm_size_t)0 & ~(PAGE - 1), MEMORY_OBJECT_RETURN_ALL, false, VM_PROT_NO_CHANGE),
           KERN_SUCCESS);
    bool got[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        struct pager_message message = object_receive(&object, LONG_WAIT, &data);
        EXPECT(message.id, MSG_RETURN);
        EXPECT(message.item[2].number, PAGE);
        got[message.item[1].value == FAR_END] = data == (message.item[1].value == FAR_END ? 'F' : 'N');
    }
    CHECK(got[0] && got[1]);
    *near = 'x';
    *far = 'y';
    pages_drop(near, 1);
    pages_drop(far, 1);
    object_terminate_expect(&object);
}

/* Of a range that is as large as the address space, one page is being wired when it goes. */
struct wiring {
    mach_port_t task;
    vm_address_t at;
    volatile kern_return_t result;
};

static void wire_run(void *argument)
{
    struct wiring *wiring = argument;
    wiring->result = vm_wire(host_priv, wiring->task, wiring->at, HUGE_SIZE, VM_PROT_READ);
}

static void huge_wiring(bool task_ends)
{
    struct object object;
    struct helper helper = {0};
    struct wiring wiring = {.task = task_empty(), .at = 0x100000, .result = -1};
    object_create(&object);
    REQUIRE(vm_map(wiring.task, &wiring.at, HUGE_SIZE, 0, FALSE, object.port, 0, FALSE, VM_PROT_READ, VM_PROT_READ,
                   VM_INHERIT_COPY),
            KERN_SUCCESS);
    object_init_expect(&object);
    EXPECT(memory_object_ready(object.control, false, MEMORY_OBJECT_COPY_DELAY), KERN_SUCCESS);
    helper_start(&helper, wire_run, &wiring);
    object_request_expect(&object, 0);
    if (task_ends)
        EXPECT(task_terminate(wiring.task), KERN_SUCCESS);
    else
        EXPECT(vm_deallocate(wiring.task, wiring.at, HUGE_SIZE), KERN_SUCCESS);
    object_supply(&object, 0, 1, 'w', VM_PROT_NONE, false, false);
    CHECK(helper_join(&helper));
    CHECK(wiring.result != KERN_SUCCESS);
    if (task_ends)
        mach_port_deallocate(SELF, wiring.task);
    else
        task_end(wiring.task);
    object_terminate_expect(&object);
}

CASE_OURS(huge_range_deallocated_while_it_is_wired)
{
    huge_wiring(false);
}

CASE_OURS(huge_range_ends_with_its_task_while_it_is_wired)
{
    huge_wiring(true);
}

/* Copies of a task share most of an address space that nobody has touched. */
CASE(huge_range_shared_again_and_again)
{
    mach_port_t task = task_empty(), copy;
    vm_address_t used = 0x100000, at = 0x200000;
    char *page = pages(1);
    REQUIRE(vm_allocate(task, &used, PAGE, FALSE), KERN_SUCCESS);
    EXPECT(vm_write(task, used, (vm_offset_t)page, PAGE), KERN_SUCCESS);
    REQUIRE(vm_allocate(task, &at, HUGE_SIZE, FALSE), KERN_SUCCESS);
    EXPECT(vm_inherit(task, at, HUGE_SIZE, VM_INHERIT_SHARE), KERN_SUCCESS);
    int wrong = 0;
    for (int i = 0; i < 200; i++) {
        wrong += task_create(task, TRUE, &copy) != KERN_SUCCESS;
        task_end(copy);
    }
    EXPECT(wrong, 0);
    task_end(task);
    pages_drop(page, 1);
}
