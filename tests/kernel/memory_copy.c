/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading, writing and copying memory, and memory in messages (Mach manual, "Data Transfer"). */

#include "memory_help.h"

#define SELF mach_task_self()
#define TOP ((vm_address_t)1 << 47)

static kern_return_t read_range(mach_port_t task, vm_address_t at, vm_size_t size, vm_offset_t *data,
                                mach_msg_type_number_t *count)
{
    *data = 0;
    *count = 0;
    return vm_read(task, at, size, data, count);
}

CASE(read_errors)
{
    vm_offset_t data;
    mach_msg_type_number_t count;
    char *at = pages(3);
    pages_drop(at + PAGE, 1);
    vm_address_t start = (vm_address_t)at;
    OBSERVE(read_range(SELF, start + PAGE, PAGE, &data, &count));
    OBSERVE(read_range(SELF, start, 2 * PAGE, &data, &count));
    OBSERVE(read_range(SELF, TOP, PAGE, &data, &count));
    OBSERVE(read_range(SELF, ~(vm_address_t)0 - PAGE, 3 * PAGE, &data, &count));
    OBSERVE(read_range(SELF, start, (vm_size_t)1 << 33, &data, &count));
    OBSERVE(read_range(host_priv, start, PAGE, &data, &count));
    EXPECT(vm_protect(SELF, start, PAGE, 0, VM_PROT_NONE), KERN_SUCCESS);
    OBSERVE(read_range(SELF, start, PAGE, &data, &count));
    pages_drop(at, 1);
    pages_drop(at + 2 * PAGE, 1);
}

CASE(read_parts)
{
    vm_offset_t data;
    mach_msg_type_number_t count;
    char *at = pages(2);
    for (unsigned int i = 0; i < 2 * PAGE; i++)
        at[i] = (char)(i / 100);
    static const struct {
        vm_size_t offset, size;
    } parts[] = {{0, 0}, {10, 1}, {100, 300}, {0, PAGE}, {4000, 200}, {1, 2 * PAGE - 1}};
    for (unsigned int i = 0; i < sizeof parts / sizeof *parts; i++) {
        EXPECT(read_range(SELF, (vm_address_t)at + parts[i].offset, parts[i].size, &data, &count), KERN_SUCCESS);
        EXPECT(count, parts[i].size);
        if (count) {
            CHECK(memcmp((char *)data, at + parts[i].offset, count) == 0);
            vm_deallocate(SELF, data, count);
        }
    }
    pages_drop(at, 2);
}

CASE(read_is_a_snapshot)
{
    vm_offset_t data;
    mach_msg_type_number_t count;
    char *at = pages(64);
    memset(at, 1, 64 * PAGE);
    EXPECT(read_range(SELF, (vm_address_t)at, 64 * PAGE, &data, &count), KERN_SUCCESS);
    memset(at, 2, 64 * PAGE);
    for (unsigned int i = 0; i < 64; i++)
        if (((char *)data)[i * PAGE] != 1)
            CHECK(((char *)data)[i * PAGE] == 1);
    ((char *)data)[0] = 3;
    CHECK(at[0] == 2);
    pages_drop((char *)data, 64);
    pages_drop(at, 64);
}

CASE(write_errors)
{
    char *at = pages(3), *data = pages(2);
    memset(data, 9, 2 * PAGE);
    pages_drop(at + PAGE, 1);
    vm_address_t start = (vm_address_t)at;
    vm_offset_t from = (vm_offset_t)data;
    OBSERVE(vm_write(SELF, start + PAGE, from, PAGE));
    OBSERVE(vm_write(SELF, start, from, 2 * PAGE));
    OBSERVE(vm_write(SELF, TOP, from, PAGE));
    OBSERVE(vm_write(SELF, ~(vm_address_t)0 - PAGE + 1, from, PAGE));
    OBSERVE(vm_write(SELF, start, from, 0));
    OBSERVE(vm_write(host_priv, start, from, PAGE));
    EXPECT(vm_protect(SELF, start, PAGE, 0, VM_PROT_READ), KERN_SUCCESS);
    OBSERVE(vm_write(SELF, start, from, PAGE));
    EXPECT(vm_protect(SELF, start, PAGE, 1, VM_PROT_READ), KERN_SUCCESS);
    OBSERVE(vm_write(SELF, start, from, 10));
    pages_drop(at, 1);
    pages_drop(at + 2 * PAGE, 1);
    pages_drop(data, 2);
}

CASE(write_parts)
{
    static const struct {
        vm_size_t offset, size;
    } parts[] = {{10, 1}, {100, 300}, {0, PAGE}, {4000, 200}, {1, 2 * PAGE - 1}, {PAGE, PAGE}};
    char *data = pages(2);
    memset(data, 9, 2 * PAGE);
    for (unsigned int i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *at = pages(2);
        memset(at, 1, 2 * PAGE);
        OBSERVE(vm_write(SELF, (vm_address_t)at + parts[i].offset, (vm_offset_t)data,
                         (mach_msg_type_number_t)parts[i].size));
        unsigned int changed = 0;
        for (unsigned int byte = 0; byte < 2 * PAGE; byte++)
            changed += at[byte] == 9;
        OBSERVE(changed);
        pages_drop(at, 2);
    }
    pages_drop(data, 2);
}

CASE(copy_errors)
{
    char *at = pages(4);
    pages_drop(at + 2 * PAGE, 1);
    vm_address_t start = (vm_address_t)at;
    OBSERVE(vm_copy(SELF, start + 2 * PAGE, PAGE, start));
    OBSERVE(vm_copy(SELF, start, PAGE, start + 2 * PAGE));
    OBSERVE(vm_copy(SELF, start + PAGE, 2 * PAGE, start));
    OBSERVE(vm_copy(SELF, start, 2 * PAGE, start + PAGE));
    OBSERVE(vm_copy(SELF, start, 0, start + PAGE));
    OBSERVE(vm_copy(SELF, TOP, PAGE, start));
    OBSERVE(vm_copy(SELF, start, PAGE, TOP));
    OBSERVE(vm_copy(SELF, start, ~(vm_size_t)0, start + PAGE));
    EXPECT(vm_protect(SELF, start, PAGE, 0, VM_PROT_READ), KERN_SUCCESS);
    OBSERVE(vm_copy(SELF, start + PAGE, PAGE, start));
    EXPECT(vm_protect(SELF, start, PAGE, 0, VM_PROT_NONE), KERN_SUCCESS);
    OBSERVE(vm_copy(SELF, start, PAGE, start + PAGE));
    pages_drop(at, 2);
    pages_drop(at + 3 * PAGE, 1);
}

CASE(copy_overlapping)
{
    for (int direction = -1; direction <= 1; direction += 2) {
        char *at = pages(9);
        for (unsigned int i = 0; i < 9; i++)
            memset(at + i * PAGE, (int)i, PAGE);
        long from = direction > 0 ? 0 : 1, to = direction > 0 ? 1 : 0;
        EXPECT(vm_copy(SELF, (vm_address_t)at + from * PAGE, 8 * PAGE, (vm_address_t)at + to * PAGE), KERN_SUCCESS);
        for (unsigned int i = 0; i < 8; i++)
            CHECK(at[(i + to) * PAGE + 77] == (char)(i + from));
        pages_drop(at, 9);
    }
}

CASE(copy_bytes)
{
    char *at = pages(2);
    for (unsigned int i = 0; i < PAGE; i++)
        at[i] = (char)i;
    OBSERVE(vm_copy(SELF, (vm_address_t)at + 3, 700, (vm_address_t)at + PAGE + 11));
    OBSERVE(memcmp(at + 3, at + PAGE + 11, 700) == 0);
    OBSERVE(at[PAGE + 10] == 0 && at[PAGE + 711] == 0);
    pages_drop(at, 2);
}

CASE(copies_of_copies)
{
    vm_offset_t first, second, third;
    mach_msg_type_number_t count;
    char *at = pages(4);
    memset(at, 1, 4 * PAGE);
    EXPECT(read_range(SELF, (vm_address_t)at, 4 * PAGE, &first, &count), KERN_SUCCESS);
    memset(at, 2, PAGE);
    EXPECT(read_range(SELF, (vm_address_t)at, 4 * PAGE, &second, &count), KERN_SUCCESS);
    memset((char *)first + PAGE, 3, PAGE);
    EXPECT(read_range(SELF, first, 4 * PAGE, &third, &count), KERN_SUCCESS);
    memset((char *)second + 2 * PAGE, 4, PAGE);
    pages_drop(at, 4);
    CHECK(*(char *)first == 1 && ((char *)first)[PAGE] == 3 && ((char *)first)[2 * PAGE] == 1);
    CHECK(*(char *)second == 2 && ((char *)second)[PAGE] == 1 && ((char *)second)[2 * PAGE] == 4);
    pages_drop((char *)first, 4);
    CHECK(*(char *)third == 1 && ((char *)third)[PAGE] == 3 && ((char *)third)[3 * PAGE] == 1);
    pages_drop((char *)third, 4);
    pages_drop((char *)second, 4);
}

/* ---- in messages -------------------------------------------------------------------------------- */

struct data_message {
    mach_msg_header_t header;
    mach_msg_type_t type;
    char *data;
};

static mach_msg_return_t data_send(mach_port_t port, char *data, vm_size_t size, bool deallocate)
{
    struct data_message message = {.header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0) |
                                                           MACH_MSGH_BITS_COMPLEX,
                                              .msgh_size = sizeof message,
                                              .msgh_remote_port = port,
                                              .msgh_id = 7},
                                   .type = {.msgt_name = MACH_MSG_TYPE_BYTE,
                                            .msgt_size = 8,
                                            .msgt_number = (unsigned int)size,
                                            .msgt_deallocate = deallocate},
                                   .data = data};
    return mach_msg(&message.header, MACH_SEND_MSG, sizeof message, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
}

static char *data_receive(mach_port_t port)
{
    return receive_within(port, LONG_WAIT) ? NULL : ((struct data_message *)received())->data;
}

CASE(message_takes_memory)
{
    mach_port_t port = port_create();
    char *at = pages(3), *got;
    memset(at, 5, 3 * PAGE);
    EXPECT(data_send(port, at, 3 * PAGE, true), MACH_MSG_SUCCESS);
    CHECK(!mapped(at) && !mapped(at + 2 * PAGE));
    got = data_receive(port);
    REQUIRE(got != NULL, 1);
    CHECK(got[0] == 5 && got[3 * PAGE - 1] == 5);
    got[0] = 6;
    pages_drop(got, 3);
    port_destroy(port);
}

CASE(message_takes_part_of_a_region)
{
    mach_port_t port = port_create();
    char *at = pages(4), *got;
    memset(at, 5, 4 * PAGE);
    EXPECT(data_send(port, at + PAGE, 2 * PAGE, true), MACH_MSG_SUCCESS);
    CHECK(mapped(at) && !mapped(at + PAGE) && !mapped(at + 2 * PAGE) && mapped(at + 3 * PAGE));
    got = data_receive(port);
    REQUIRE(got != NULL, 1);
    memset(got, 6, 2 * PAGE);
    CHECK(at[PAGE - 1] == 5 && at[3 * PAGE] == 5);
    pages_drop(got, 2);
    pages_drop(at, 1);
    pages_drop(at + 3 * PAGE, 1);
    port_destroy(port);
}

CASE(message_copies_memory)
{
    mach_port_t port = port_create();
    char *at = pages(3), *got;
    memset(at, 5, 3 * PAGE);
    EXPECT(data_send(port, at, 3 * PAGE, false), MACH_MSG_SUCCESS);
    at[PAGE] = 6;
    got = data_receive(port);
    REQUIRE(got != NULL, 1);
    CHECK(got[PAGE] == 5);
    got[0] = 7;
    CHECK(at[0] == 5 && at[PAGE] == 6);
    pages_drop(got, 3);
    pages_drop(at, 3);
    port_destroy(port);
}

CASE(message_copies_unaligned_memory)
{
    mach_port_t port = port_create();
    char *at = pages(3), *got;
    for (unsigned int i = 0; i < 3 * PAGE; i++)
        at[i] = (char)(i / 64);
    static const struct { vm_size_t offset, size; } parts[] = {{1, 1}, {4095, 2}, {100, 2 * PAGE}, {17, 5000}};
    for (unsigned int i = 0; i < sizeof parts / sizeof *parts; i++) {
        EXPECT(data_send(port, at + parts[i].offset, parts[i].size, false), MACH_MSG_SUCCESS);
        got = data_receive(port);
        REQUIRE(got != NULL, 1);
        CHECK(memcmp(got, at + parts[i].offset, parts[i].size) == 0);
        vm_deallocate(SELF, (vm_address_t)got, parts[i].size);
    }
    pages_drop(at, 3);
    port_destroy(port);
}

CASE(message_with_memory_that_is_not_there)
{
    mach_port_t port = port_create();
    char *at = pages(3);
    pages_drop(at + PAGE, 1);
    OBSERVE(data_send(port, at + PAGE, PAGE, false));
    OBSERVE(data_send(port, at, 3 * PAGE, false));
    OBSERVE(data_send(port, at, 3 * PAGE, true));
    CHECK(mapped(at) && mapped(at + 2 * PAGE));
    EXPECT(vm_protect(SELF, (vm_address_t)at, PAGE, 0, VM_PROT_NONE), KERN_SUCCESS);
    OBSERVE(data_send(port, at, PAGE, false));
    OBSERVE(data_send(port, (char *)TOP, PAGE, false));
    OBSERVE(data_send(port, NULL, PAGE, false));
    EXPECT(receive_within(port, 0), MACH_RCV_TIMED_OUT);
    pages_drop(at, 1);
    pages_drop(at + 2 * PAGE, 1);
    port_destroy(port);
}

CASE(message_with_wired_memory)
{
    mach_port_t port = port_create();
    char *at = pages(2), *got;
    memset(at, 5, 2 * PAGE);
    EXPECT(vm_wire(host_priv, SELF, (vm_address_t)at, 2 * PAGE, VM_PROT_READ | VM_PROT_WRITE), KERN_SUCCESS);
    EXPECT(data_send(port, at, 2 * PAGE, false), MACH_MSG_SUCCESS);
    at[0] = 6;
    got = data_receive(port);
    REQUIRE(got != NULL, 1);
    CHECK(got[0] == 5 && got[PAGE] == 5);
    pages_drop(got, 2);
    EXPECT(data_send(port, at, 2 * PAGE, true), MACH_MSG_SUCCESS);
    CHECK(!mapped(at));
    got = data_receive(port);
    REQUIRE(got != NULL, 1);
    CHECK(got[0] == 6 && got[PAGE] == 5);
    got[1] = 1;
    pages_drop(got, 2);
    port_destroy(port);
}

/* ---- copies of memory objects whose original nobody else maps ------------------------------------------- */

/* A private copy of an object is all that is left of it: the original's mapping has gone. */
static char *copy_alone(struct object *object, unsigned int count)
{
    char *copy = NULL, *at = object_map(object, 0, count * PAGE, TRUE, MEMORY_OBJECT_COPY_DELAY);
    EXPECT(object_map_more(object, 0, count * PAGE, true, VM_PROT_READ | VM_PROT_WRITE, &copy), KERN_SUCCESS);
    vm_deallocate(SELF, (vm_address_t)at, count * PAGE);
    return copy;
}

/* Writes VALUE to a page of COPY that only the pager has, which is full of FILL. */
static void write_through_pager(struct object *object, char *copy, vm_offset_t offset, char fill, char value)
{
    struct toucher toucher;
    touch_start(&toucher, copy + offset, true, value);
    object_request_expect(object, offset);
    object_supply(object, offset, 1, fill, VM_PROT_NONE, false, false);
    EXPECT(touch_end(&toucher), 0);
    CHECK(copy[offset] == value && copy[offset + 1] == fill);
}

CASE(copy_written_when_the_original_is_unmapped)
{
    struct object object;
    char *copy = copy_alone(&object, 2);
    write_through_pager(&object, copy, 0, 1, 9);
    pages_drop(copy, 2);
    object_drop(&object);
}

/* The copy is copied to a child and written by both; the child ends; it is written again, and the object is copied
   anew: what is written to the first copy is not in the second. */
CASE(copy_of_an_object_after_a_child)
{
    struct object object;
    char *copy = copy_alone(&object, 4), *second = NULL, *third = NULL;
    mach_port_t task;
    REQUIRE(task_create(SELF, TRUE, &task), KERN_SUCCESS);
    write_through_pager(&object, copy, 0, 1, 9);
    task_terminate(task);
    mach_port_deallocate(SELF, task);
    write_through_pager(&object, copy, PAGE, 2, 8);
    EXPECT(object_map_more(&object, 0, 4 * PAGE, true, VM_PROT_READ | VM_PROT_WRITE, &second), KERN_SUCCESS);
    CHECK(second[0] == 1 && second[PAGE] == 2);
    second[0] = 7;
    EXPECT(object_map_more(&object, 0, 4 * PAGE, true, VM_PROT_READ | VM_PROT_WRITE, &third), KERN_SUCCESS);
    CHECK(third[0] == 1 && third[PAGE] == 2);
    CHECK(copy[0] == 9 && copy[PAGE] == 8 && second[0] == 7);
    pages_drop(third, 4);
    pages_drop(copy, 4);
    pages_drop(second, 4);
    object_drop(&object);
}
