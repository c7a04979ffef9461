/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: out-of-line memory in messages (Mach manual, "Memory"). */

#include "messages.h"
#include "rights.h"

static unsigned char pattern(unsigned int at)
{
    return at * 13 + (at >> 12);
}

/* Sends SIZE bytes at DATA to CARRIER and receives them; NULL if that fails. */
static unsigned char *memory_cycle(mach_port_t carrier, void *data, size_t size, bool deallocate)
{
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_memory(&message_out, data, size, deallocate);
    if (!CHECK(message_send(&message_out) == MACH_MSG_SUCCESS) ||
        !CHECK(message_receive(&message_in, carrier, 0) == MACH_MSG_SUCCESS))
        return NULL;
    return message_pointer(&message_in, 0);
}

CASE(memory_of_many_sizes)
{
    static const size_t sizes[] = {1,    7,    8,    100,  511,  512,   1023,  1024,   1025,
                                   2048, 4095, 4096, 4097, 8192, 12289, 65536, 1 << 20};
    mach_port_t carrier = port_create_with_send();
    for (unsigned int i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int shift = 0; shift < 3000; shift += 1481) {
            size_t size = sizes[i], bad = 0;
            unsigned int pages = (shift + size + vm_page_size - 1) / vm_page_size;
            unsigned char *from = pages_allocate(pages);
            for (size_t k = 0; k < size; k++)
                from[shift + k] = pattern(k);
            unsigned char *got = memory_cycle(carrier, from + shift, size, false);
            if (got == NULL)
                break;
            for (size_t k = 0; k < size; k++)
                bad += got[k] != pattern(k) || from[shift + k] != pattern(k);
            observe_as(bad, "%zu bytes at %d", size, shift);
            /* Both sides may write theirs. */
            got[0] ^= 0xff;
            from[shift + size - 1] ^= 0xff;
            CHECK(from[shift] == pattern(0) || size == 1);
            CHECK(got[size - 1] == pattern(size - 1) || size == 1);
            vm_deallocate(mach_task_self(), (vm_address_t)got, size);
            pages_free(from, pages);
        }
    port_destroy(carrier);
}

CASE(memory_item_as_received)
{
    mach_port_t carrier = port_create_with_send();
    unsigned char *from = pages_allocate(2);
    for (int dealloc = 0; dealloc < 2; dealloc++) {
        unsigned char *got = memory_cycle(carrier, from, 5000, dealloc);
        mach_msg_type_t *item = message_item(&message_in, 0);
        OBSERVE(item->msgt_name);
        OBSERVE(item->msgt_size);
        OBSERVE(item->msgt_number);
        OBSERVE(item->msgt_inline);
        OBSERVE(item->msgt_longform);
        OBSERVE(item->msgt_deallocate);
        OBSERVE(message_in.header.msgh_bits);
        OBSERVE(((uintptr_t)got & (vm_page_size - 1)) == 0);
        vm_deallocate(mach_task_self(), (vm_address_t)got, 5000);
    }
    OBSERVE(memory_mapped(from));
    OBSERVE(memory_mapped(from + vm_page_size));
    port_destroy(carrier);
}

CASE(memory_of_no_size)
{
    mach_port_t carrier = port_create_with_send();
    void *page = pages_allocate(1);
    OBSERVE((long)memory_cycle(carrier, page, 0, false));
    OBSERVE((long)memory_cycle(carrier, page, 0, true));
    OBSERVE(memory_mapped(page));
    OBSERVE((long)memory_cycle(carrier, memory_hole(), 0, true));
    OBSERVE((long)memory_cycle(carrier, NULL, 0, false));
    OBSERVE((long)memory_cycle(carrier, (void *)~0ul, 0, false));
    OBSERVE(message_in.header.msgh_bits);
    pages_free(page, 1);
    port_destroy(carrier);
}

struct part {
    unsigned int offset, size;
};

/* Sends each of PARTS of three pages away. */
static void deallocated_observe(const struct part *parts, unsigned int count)
{
    mach_port_t carrier = port_create_with_send();
    for (unsigned int i = 0; i < count; i++) {
        unsigned char *from = pages_allocate(3);
        memset(from, 0x77, 3 * vm_page_size);
        unsigned char *got = memory_cycle(carrier, from + parts[i].offset, parts[i].size, true);
        for (int page = 0; page < 3; page++)
            observe_as(memory_mapped(from + page * vm_page_size), "%u bytes at %u: page %d stays", parts[i].size,
                       parts[i].offset, page);
        OBSERVE(got[0]);
        OBSERVE(got[parts[i].size - 1]);
        vm_deallocate(mach_task_self(), (vm_address_t)got, parts[i].size);
        pages_free(from, 3);
    }
    port_destroy(carrier);
}

CASE(memory_deallocated_by_the_page)
{
    static const struct part parts[] = {{0, 4096}, {0, 100}, {100, 100}, {100, 4096}, {0, 8192}, {1, 12287}};
    deallocated_observe(parts, 6);
}

CASE_DIFFERS(memory_deallocated_across_pages)
{
    static const struct part parts[] = {{4000, 200}, {4095, 2}};
    deallocated_observe(parts, 2);
}

CASE(memory_unmapped)
{
    mach_port_t carrier = port_create_with_send();
    static const size_t sizes[] = {1, 1000, 4096, 100000};
    for (unsigned int i = 0; i < 4; i++)
        for (int dealloc = 0; dealloc < 2; dealloc++) {
            message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
            message_add_memory(&message_out, memory_hole(), sizes[i], dealloc);
            observe_as(message_send(&message_out), "%zu bytes, deallocate %d", sizes[i], dealloc);
        }
    EXPECT(port_status(carrier).mps_msgcount, 0);
    EXPECT(port_refs(carrier, MACH_PORT_RIGHT_SEND), 1);
    port_destroy(carrier);
}

CASE(memory_partly_unmapped)
{
    mach_port_t carrier = port_create_with_send();
    for (int hole = 0; hole < 3; hole++)
        for (int dealloc = 0; dealloc < 2; dealloc++) {
            char *from = pages_allocate(3);
            pages_free(from + hole * vm_page_size, 1);
            message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
            message_add_memory(&message_out, from, 3 * vm_page_size, dealloc);
            observe_as(message_send(&message_out), "hole %d, deallocate %d", hole, dealloc);
            for (int page = 0; page < 3; page++)
                observe_as(memory_mapped(from + page * vm_page_size), "hole %d, deallocate %d: page %d", hole, dealloc,
                           page);
            pages_free(from, 3);
        }
    port_destroy(carrier);
}

CASE(memory_protected)
{
    static const vm_prot_t protections[] = {VM_PROT_NONE, VM_PROT_READ, VM_PROT_READ | VM_PROT_WRITE};
    mach_port_t carrier = port_create_with_send();
    for (int i = 0; i < 3; i++)
        for (int small = 0; small < 2; small++)
            for (int dealloc = 0; dealloc < 2; dealloc++) {
                char *from = pages_allocate(2);
                from[0] = 5;
                vm_protect(mach_task_self(), (vm_address_t)from, 2 * vm_page_size, FALSE, protections[i]);
                message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
                message_add_memory(&message_out, from, small ? 64 : 2 * vm_page_size, dealloc);
                mach_msg_return_t mr = message_send(&message_out);
                observe_as(mr, "protection %d, small %d, deallocate %d", protections[i], small, dealloc);
                if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, carrier, 0) == MACH_MSG_SUCCESS) {
                    char *got = message_pointer(&message_in, 0);
                    OBSERVE(got[0]);
                    got[0] = 6;
                    OBSERVE(got[0]);
                    vm_deallocate(mach_task_self(), (vm_address_t)got, small ? 64 : 2 * vm_page_size);
                }
                pages_free(from, 2);
            }
    port_destroy(carrier);
}

CASE(memory_beyond_the_address_space)
{
    static const struct {
        unsigned long address;
        mach_msg_type_number_t number;
    } parts[] = {{0, 4096},
                 {8, 16},
                 {0x7ffffffff000, 8192},
                 {0xffffffff80100000, 4096},
                 {~0ul, 1},
                 {~0ul - 4095, 4096},
                 {0x10000, 0xffffffff}};
    mach_port_t carrier = port_create_with_send();
    for (unsigned int i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int dealloc = 0; dealloc < 2; dealloc++) {
            message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
            message_add_memory(&message_out, (void *)parts[i].address, parts[i].number, dealloc);
            observe_as(message_send(&message_out), "%u bytes at %#lx, deallocate %d", parts[i].number, parts[i].address,
                       dealloc);
        }
    EXPECT(port_refs(carrier, MACH_PORT_RIGHT_SEND), 1);
    port_destroy(carrier);
}

CASE(memory_with_element_sizes)
{
    static const unsigned int bits[] = {0, 1, 4, 7, 8, 9, 16, 31, 32, 64, 128, 65535};
    mach_port_t carrier = port_create_with_send();
    char *page = pages_allocate(1);
    for (unsigned int i = 0; i < sizeof bits / sizeof *bits; i++)
        for (unsigned int number = 0; number < 4; number++) {
            message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
            mach_msg_type_t *item = message_add_memory(&message_out, page, number, false);
            item->msgt_size = bits[i];
            item->msgt_name = MACH_MSG_TYPE_BIT;
            mach_msg_return_t mr = message_send(&message_out);
            observe_as(mr, "%u of %u bits", number, bits[i]);
            if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, carrier, 0) == MACH_MSG_SUCCESS) {
                void *got = message_pointer(&message_in, 0);
                observe_as(got != NULL, "%u of %u bits: memory", number, bits[i]);
                observe_as(message_item(&message_in, 0)->msgt_size, "%u of %u bits: size", number, bits[i]);
                if (got)
                    pages_free(got, 7);
            }
        }
    pages_free(page, 1);
    port_destroy(carrier);
}

CASE(memory_shared_by_several_items)
{
    mach_port_t carrier = port_create_with_send();
    char *page = pages_allocate(1);
    page[5] = 'x';
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    for (int i = 0; i < 4; i++)
        message_add_memory(&message_out, page, vm_page_size, i == 3);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(memory_mapped(page), 0);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    for (int i = 0; i < 4; i++) {
        char *got = message_pointer(&message_in, i);
        EXPECT(got[5], 'x');
        got[5] = i;
    }
    for (int i = 0; i < 4; i++) {
        char *got = message_pointer(&message_in, i);
        EXPECT(got[5], i);
        pages_free(got, 1);
    }
    port_destroy(carrier);
}

CASE(memory_deallocated_twice)
{
    mach_port_t carrier = port_create_with_send();
    char *page = pages_allocate(1);
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_memory(&message_out, page, vm_page_size, true);
    message_add_memory(&message_out, page, vm_page_size, true);
    OBSERVE(message_send(&message_out));
    OBSERVE(memory_mapped(page));
    OBSERVE(port_status(carrier).mps_msgcount);
    port_destroy(carrier);
}

CASE(memory_that_holds_the_message)
{
    mach_port_t carrier = port_create_with_send();
    struct message *message = pages_allocate(5);
    message_begin(message, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 44);
    message_add_memory(message, message, vm_page_size, true);
    EXPECT(message_send(message), MACH_MSG_SUCCESS);
    EXPECT(memory_mapped(message), 0);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    mach_msg_header_t *got = message_pointer(&message_in, 0);
    EXPECT(got->msgh_id, 44);
    pages_free(got, 1);
    pages_free(message, 5);
    port_destroy(carrier);
}

CASE(memory_written_after_sending)
{
    mach_port_t carrier = port_create_with_send();
    char *from = pages_allocate(4);
    memset(from, 'a', 4 * vm_page_size);
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_memory(&message_out, from, 4 * vm_page_size, false);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    memset(from, 'b', 2 * vm_page_size);
    vm_deallocate(mach_task_self(), (vm_address_t)from + 2 * vm_page_size, vm_page_size);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    char *got = message_pointer(&message_in, 0);
    for (int page = 0; page < 4; page++)
        EXPECT(got[page * vm_page_size + 9], 'a');
    pages_free(got, 4);
    pages_free(from, 4);
    port_destroy(carrier);
}

CASE(memory_sent_on_and_on)
{
    mach_port_t carrier = port_create_with_send();
    char *data = pages_allocate(3);
    for (int i = 0; i < 20; i++) {
        data[i * 500] = i;
        char *got = (char *)memory_cycle(carrier, data, 3 * vm_page_size, i % 2);
        if (i % 2 == 0)
            pages_free(data, 3);
        data = got;
    }
    int bad = 0;
    for (int i = 0; i < 20; i++)
        bad += data[i * 500] != i;
    EXPECT(bad, 0);
    pages_free(data, 3);
    port_destroy(carrier);
}

CASE(memory_is_its_own_when_the_port_dies)
{
    mach_port_t carrier = port_create_with_send();
    char *from = pages_allocate(64);
    from[0] = 'q';
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_memory(&message_out, from, 64 * vm_page_size, false);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    port_destroy(carrier);
    EXPECT(from[0], 'q');
    from[0] = 'r';
    EXPECT(from[0], 'r');
    pages_free(from, 64);
}

CASE(memory_in_a_simple_message)
{
    /* Without the complex bit nobody looks at the items. */
    mach_port_t carrier = port_create_with_send();
    char *page = pages_allocate(1);
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_memory(&message_out, page, vm_page_size, true);
    message_out.header.msgh_bits &= ~MACH_MSGH_BITS_COMPLEX;
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(memory_mapped(page), 1);
    EXPECT(message_receive(&message_in, carrier, 0), MACH_MSG_SUCCESS);
    EXPECT(message_pointer(&message_in, 0) == page, 1);
    pages_free(page, 1);
    port_destroy(carrier);
}

static void memory_echo(void *argument)
{
    static struct message message;
    mach_port_t port = *(mach_port_t *)argument;
    if (message_receive(&message, port, 20000))
        return;
    unsigned char *data = message_pointer(&message, 0);
    for (unsigned int at = 0; at < 1 << 20; at++)
        data[at] ^= 0xff;
    message.header.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(message.header.msgh_bits), 0) |
                               MACH_MSGH_BITS_COMPLEX;
    message.header.msgh_local_port = MACH_PORT_NULL;
    message_send_within(&message, NO_LIMIT);
}

CASE(memory_there_and_back)
{
    struct child child;
    mach_port_t theirs = name_fresh(), reply = port_create(), server = port_create_with_send();
    unsigned char *from = pages_allocate(256);
    for (unsigned int at = 0; at < 1 << 20; at++)
        from[at] = pattern(at);
    child_create(&child, memory_echo, &theirs);
    REQUIRE(mach_port_insert_right(child.task, theirs, server, MACH_MSG_TYPE_MOVE_RECEIVE), KERN_SUCCESS);
    child_start(&child);
    message_begin(&message_out, server, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 1);
    message_add_memory(&message_out, from, 1 << 20, false);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, reply, 30000), MACH_MSG_SUCCESS);
    unsigned char *got = message_pointer(&message_in, 0);
    unsigned int bad = 0;
    for (unsigned int at = 0; got && at < 1 << 20; at++)
        bad += got[at] != (pattern(at) ^ 0xff) || from[at] != pattern(at);
    EXPECT(bad, 0);
    CHECK(child_join(&child));
    pages_free(got, 256);
    pages_free(from, 256);
    mach_port_deallocate(mach_task_self(), server);
    port_destroy(reply);
}
