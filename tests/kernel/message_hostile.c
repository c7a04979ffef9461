/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: messages whose items are wrong (mach/message.h), and requests to the kernel that are no requests. */

#include "memory_help.h"
#include "messages.h"
#include "rights.h"

#include <mach/mig_errors.h>

/* Sends a message with one item TYPE and BYTES of body behind it to CARRIER; what arrives is destroyed. */
static mach_msg_return_t item_send(mach_port_t carrier, mach_msg_type_t type, size_t bytes)
{
    static const char zeros[4096];
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add(&message_out, type, zeros, bytes);
    message_out.header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
    mach_msg_return_t mr = message_send(&message_out);
    if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, carrier, 0))
        return -1;
    return mr;
}

CASE(item_every_type_name)
{
    mach_port_t carrier = port_create_with_send();
    for (unsigned int name = 0; name < 256; name++) {
        mach_msg_type_t type = {.msgt_name = name, .msgt_size = 64, .msgt_number = 1, .msgt_inline = 1};
        observe_as(item_send(carrier, type, 8), "name %u", name);
    }
    port_destroy(carrier);
}

CASE(item_every_bit)
{
    mach_port_t carrier = port_create_with_send();
    for (int bit = 0; bit < 64; bit++) {
        union {
            mach_msg_type_t type;
            uint64_t word;
        } item = {.type = {.msgt_name = MACH_MSG_TYPE_INTEGER_64, .msgt_size = 64, .msgt_number = 1, .msgt_inline = 1}};
        item.word ^= 1ul << bit;
        observe_as(item_send(carrier, item.type, 8), "bit %d", bit);
        if (message_item(&message_in, 0) && !message_item(&message_in, 0)->msgt_inline)
            vm_deallocate(mach_task_self(), (vm_address_t)message_pointer(&message_in, 0), 8);
    }
    port_destroy(carrier);
}

CASE(item_every_bit_of_a_right)
{
    mach_port_t carrier = port_create_with_send();
    for (int bit = 8; bit < 64; bit++) {
        union {
            mach_msg_type_t type;
            uint64_t word;
        } item = {.type = {.msgt_name = MACH_MSG_TYPE_COPY_SEND, .msgt_size = 64, .msgt_number = 1, .msgt_inline = 1}};
        item.word ^= 1ul << bit;
        observe_as(item_send(carrier, item.type, 8), "bit %d", bit);
    }
    port_destroy(carrier);
}

CASE(item_sizes_of_rights)
{
    static const unsigned int sizes[] = {0, 8, 16, 31, 32, 33, 63, 64, 65, 128, 65535};
    mach_port_t carrier = port_create_with_send(), names[4] = {0};
    for (unsigned int i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mach_msg_type_t type = {.msgt_name = MACH_MSG_TYPE_COPY_SEND,
                                .msgt_size = sizes[i],
                                .msgt_number = 1,
                                .msgt_inline = 1};
        observe_as(item_send(carrier, type, 8), "inline, %u bits", sizes[i]);
        message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_add_array(&message_out, names, 1, MACH_MSG_TYPE_COPY_SEND, false)->msgt_size = sizes[i];
        mach_msg_return_t mr = message_send(&message_out);
        observe_as(mr, "out of line, %u bits", sizes[i]);
        if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, carrier, 0) == MACH_MSG_SUCCESS)
            vm_deallocate(mach_task_self(), (vm_address_t)message_pointer(&message_in, 0), 4);
    }
    port_destroy(carrier);
}

CASE(item_beyond_the_message)
{
    static const struct {
        unsigned int size, number, bytes;
    } items[] = {{64, 1, 0},          {64, 2, 8},
                 {8, 9, 8},           {8, 17, 16},
                 {32, 3, 8},          {65535, 1, 8},
                 {64, 0xffffffff, 8}, {8, 0xffffffff, 8},
                 {64, 0x20000000, 8}, {65535, 0xffffffff, 64},
                 {32, 0x80000001, 8}, {16, 0x10000000, 16}};
    mach_port_t carrier = port_create_with_send();
    for (unsigned int i = 0; i < sizeof items / sizeof *items; i++)
        for (int rights = 0; rights < 2; rights++) {
            mach_msg_type_t type = {.msgt_name = rights ? MACH_MSG_TYPE_COPY_SEND : MACH_MSG_TYPE_BYTE,
                                    .msgt_size = items[i].size,
                                    .msgt_number = items[i].number,
                                    .msgt_inline = 1};
            observe_as(item_send(carrier, type, items[i].bytes), "%u of %u bits in %u bytes, rights %d",
                       items[i].number, items[i].size, items[i].bytes, rights);
        }
    EXPECT(port_status(carrier).mps_msgcount, 0);
    EXPECT(port_refs(carrier, MACH_PORT_RIGHT_SEND), 1);
    port_destroy(carrier);
}

CASE(item_counts_of_arrays)
{
    static const unsigned int counts[] = {0xffffffff, 0x80000000, 0x40000000, 0x20000001, 0x1000000};
    mach_port_t carrier = port_create_with_send(), *names = pages_allocate(1);
    for (unsigned int i = 0; i < sizeof counts / sizeof *counts; i++) {
        message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_add_array(&message_out, names, counts[i], MACH_MSG_TYPE_COPY_SEND, false);
        observe_as(message_send(&message_out) != MACH_MSG_SUCCESS, "%#x", counts[i]);
    }
    EXPECT(port_status(carrier).mps_msgcount, 0);
    pages_free(names, 1);
    port_destroy(carrier);
}

CASE(item_cut_short)
{
    /* A message of which the end is missing, eight bytes at a time. */
    mach_port_t carrier = port_create_with_send(), names[3] = {0};
    char *page = pages_allocate(1);
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_ports(&message_out, names, 3, MACH_MSG_TYPE_COPY_SEND);
    message_add_memory(&message_out, page, 64, false);
    message_add_array(&message_out, names, 3, MACH_MSG_TYPE_COPY_SEND, false);
    for (mach_msg_size_t size = message_out.header.msgh_size; size >= 24; size -= 8) {
        mach_msg_return_t mr = mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, size, 0, 0, 0, 0);
        observe_as(mr, "%u bytes", size);
        if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, carrier, 0) == MACH_MSG_SUCCESS)
            for (int i = 1; i < 3; i++)
                if (message_item(&message_in, i))
                    vm_deallocate(mach_task_self(), (vm_address_t)message_pointer(&message_in, i), 64);
    }
    EXPECT(port_refs(carrier, MACH_PORT_RIGHT_SEND), 1);
    pages_free(page, 1);
    port_destroy(carrier);
}

CASE(item_of_no_elements)
{
    static const unsigned int sizes[] = {0, 1, 8, 32, 64, 65535};
    mach_port_t carrier = port_create_with_send();
    for (unsigned int i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int out_of_line = 0; out_of_line < 2; out_of_line++) {
            mach_msg_type_t type = {.msgt_name = MACH_MSG_TYPE_BYTE,
                                    .msgt_size = sizes[i],
                                    .msgt_inline = !out_of_line};
            observe_as(item_send(carrier, type, out_of_line ? 8 : 0), "%u bits, out of line %d", sizes[i], out_of_line);
        }
    port_destroy(carrier);
}

CASE(item_long_form)
{
    mach_port_t carrier = port_create_with_send(), names[2] = {0};
    mach_msg_type_t type = {.msgt_name = MACH_MSG_TYPE_INTEGER_64,
                            .msgt_size = 64,
                            .msgt_number = 1,
                            .msgt_inline = 1,
                            .msgt_longform = 1};
    OBSERVE(item_send(carrier, type, 8));
    OBSERVE(message_item(&message_in, 0)->msgt_longform);
    type.msgt_name = MACH_MSG_TYPE_COPY_SEND;
    OBSERVE(item_send(carrier, type, 8));
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_add_array(&message_out, names, 2, MACH_MSG_TYPE_COPY_SEND, false)->msgt_longform = 1;
    OBSERVE(message_send(&message_out));
    if (message_receive(&message_in, carrier, 0) == MACH_MSG_SUCCESS) {
        OBSERVE(message_item(&message_in, 0)->msgt_longform);
        OBSERVE(message_item(&message_in, 0)->msgt_number);
        vm_deallocate(mach_task_self(), (vm_address_t)message_pointer(&message_in, 0), 8);
    }
    port_destroy(carrier);
}

CASE(many_items)
{
    mach_port_t carrier = port_create_with_send(), port = port_create();
    message_begin(&message_out, carrier, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    for (int i = 0; i < 1000; i++)
        message_add_ports(&message_out, &port, 1, i % 2 ? MACH_MSG_TYPE_MAKE_SEND : MACH_MSG_TYPE_MAKE_SEND_ONCE);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    OBSERVE(port_status(port).mps_sorights);
    port_destroy(carrier);
    OBSERVE(port_status(port).mps_srights);
    OBSERVE(port_status(port).mps_msgcount);
    port_destroy(port);
}

/* ---- to the kernel ------------------------------------------------------------------------------- */

/* A request with ID and the message's items to REMOTE; the reply's return code, or the error of mach_msg. */
static long request(mach_port_t remote, mach_msg_id_t id, mach_port_t reply)
{
    message_out.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE)
                                   | (message_out.header.msgh_bits & MACH_MSGH_BITS_COMPLEX);
    message_out.header.msgh_remote_port = remote;
    message_out.header.msgh_local_port = reply;
    message_out.header.msgh_id = id;
    mach_msg_return_t mr = message_send(&message_out);
    if (mr)
        return mr;
    mr = message_receive(&message_in, reply, 1000);
    if (mr)
        return mr;
    OBSERVE(message_in.header.msgh_id - id);
    return ((mig_reply_header_t *)&message_in.header)->RetCode;
}

CASE(kernel_unknown_ids)
{
    static const mach_msg_id_t ids[] =
        {0, 1, -1, 100, 1999, 2099, 2199, 2999, 3299, 3399, 5000, 0x7fffffff, -0x7fffffff - 1, 64, 72};
    mach_port_t reply = port_create();
    for (unsigned int i = 0; i < sizeof ids / sizeof *ids; i++) {
        message_begin(&message_out, 0, 0, 0, 0, 0);
        observe_as(request(mach_task_self(), ids[i], reply), "%d", ids[i]);
    }
    port_destroy(reply);
}

CASE(kernel_wrong_bodies)
{
    enum { MACH_PORT_TYPE_ID = 3201 };
    mach_port_t reply = port_create();
    const int value = reply;
    message_begin(&message_out, 0, 0, 0, 0, 0);
    observe_as(request(mach_task_self(), MACH_PORT_TYPE_ID, reply), "nothing");
    message_begin(&message_out, 0, 0, 0, 0, 0);
    message_add_inline(&message_out, MACH_MSG_TYPE_PORT_NAME, 32, 1, &value);
    observe_as(request(mach_task_self(), MACH_PORT_TYPE_ID, reply), "as it should be");
    message_begin(&message_out, 0, 0, 0, 0, 0);
    message_add_integers(&message_out, &value, 1);
    observe_as(request(mach_task_self(), MACH_PORT_TYPE_ID, reply), "an integer");
    message_begin(&message_out, 0, 0, 0, 0, 0);
    message_add_ports(&message_out, &reply, 1, MACH_MSG_TYPE_MAKE_SEND);
    observe_as(request(mach_task_self(), MACH_PORT_TYPE_ID, reply), "a right");
    message_begin(&message_out, 0, 0, 0, 0, 0);
    message_add_inline(&message_out, MACH_MSG_TYPE_PORT_NAME, 32, 2, (int[]){value, value});
    observe_as(request(mach_task_self(), MACH_PORT_TYPE_ID, reply), "two names");
    message_begin(&message_out, 0, 0, 0, 0, 0);
    message_add_integers(&message_out, &value, 1);
    message_add_integers(&message_out, &value, 1);
    observe_as(request(mach_task_self(), MACH_PORT_TYPE_ID, reply), "two items");
    message_begin(&message_out, 0, 0, 0, 0, 0);
    message_add_memory(&message_out, &value, 4, false);
    observe_as(request(mach_task_self(), MACH_PORT_TYPE_ID, reply), "out of line");
    OBSERVE(port_status(reply).mps_srights);
    OBSERVE(port_status(reply).mps_sorights);
    OBSERVE(port_type(reply));
    port_destroy(reply);
}

CASE(kernel_keeps_nothing_of_what_it_refuses)
{
    mach_port_t reply = port_create(), port = port_create();
    struct named moved = named_create(KIND_SEND), receive = named_create(KIND_RECEIVE);
    char *page = pages_allocate(1);
    message_begin(&message_out, 0, 0, 0, 0, 0);
    message_add_ports(&message_out, &moved.name, 1, MACH_MSG_TYPE_MOVE_SEND);
    message_add_ports(&message_out, &receive.name, 1, MACH_MSG_TYPE_MOVE_RECEIVE);
    message_add_array(&message_out, &port, 1, MACH_MSG_TYPE_MAKE_SEND_ONCE, false);
    message_add_memory(&message_out, page, vm_page_size, true);
    OBSERVE(request(mach_task_self(), 3201, reply));
    OBSERVE(port_type(moved.name));
    OBSERVE(port_type(receive.name));
    OBSERVE(notification_next(port));
    OBSERVE(memory_mapped(page));
    mach_port_t back = receive_right_back(moved.keeper);
    OBSERVE(port_status(back).mps_srights);
    port_destroy(back);
    port_destroy(port);
    port_destroy(reply);
}

CASE(kernel_without_a_reply_port)
{
    message_begin(&message_out, mach_task_self(), MACH_MSG_TYPE_COPY_SEND, 0, 0, 3201);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    message_begin(&message_out, mach_task_self(), MACH_MSG_TYPE_COPY_SEND, MACH_PORT_DEAD, MACH_MSG_TYPE_COPY_SEND,
                  3201);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    /* mach_port_allocate_name: nobody hears of it, but the name is made. */
    mach_port_t name = name_fresh();
    message_begin(&message_out, mach_task_self(), MACH_MSG_TYPE_COPY_SEND, 0, 0, 3203);
    message_add_integers(&message_out, (int[]){MACH_PORT_RIGHT_DEAD_NAME}, 1);
    message_add_inline(&message_out, MACH_MSG_TYPE_PORT_NAME, 32, 1, &name);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(port_type(name), MACH_PORT_TYPE_DEAD_NAME);
    mach_port_deallocate(mach_task_self(), name);
}

CASE(kernel_replies_to_a_send_right)
{
    mach_port_t reply = port_create();
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_COPY_SEND; type <= MACH_MSG_TYPE_MAKE_SEND_ONCE; type++) {
        mach_port_t port = port_create_with_send();
        message_begin(&message_out, mach_task_self(), MACH_MSG_TYPE_COPY_SEND, port, type, 3201);
        message_add_inline(&message_out, MACH_MSG_TYPE_PORT_NAME, 32, 1, &reply);
        observe_as(message_send(&message_out), "%u", type);
        observe_as(message_receive(&message_in, port, 1000), "%u: received", type);
        observe_as(message_in.header.msgh_bits, "%u: bits", type);
        observe_as(((mig_reply_header_t *)&message_in.header)->RetCode, "%u: result", type);
        observe_as(message_port(&message_in, 1, 0) >> 16, "%u: answer", type);
        port_destroy(port);
    }
    port_destroy(reply);
}

CASE(kernel_replies_past_the_queue_limit)
{
    mach_port_t reply = port_create_with_send();
    EXPECT(mach_port_set_qlimit(mach_task_self(), reply, 1), KERN_SUCCESS);
    for (int i = 0; i < 4; i++) {
        message_begin(&message_out, mach_task_self(), MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_COPY_SEND, 3201);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
        OBSERVE(port_status(reply).mps_msgcount);
    }
    port_destroy(reply);
}

CASE(kernel_reply_too_large)
{
    mach_port_t reply = port_create(), name = reply;
    for (mach_msg_size_t room = 0; room <= 64; room += 8)
        for (int keep = 0; keep < 2; keep++) {
            message_begin(&message_out, mach_task_self(), MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE,
                          3201);
            message_add_inline(&message_out, MACH_MSG_TYPE_PORT_NAME, 32, 1, &name);
            observe_as(mach_msg_trap(&message_out.header,
                                     MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_TIMEOUT | (keep ? MACH_RCV_LARGE : 0),
                                     message_out.header.msgh_size, room, reply, 1000, 0),
                       "room %u, keep %d", room, keep);
            observe_as(message_out.header.msgh_size, "room %u, keep %d: size", room, keep);
            observe_as(port_status(reply).mps_msgcount, "room %u, keep %d: queued", room, keep);
            while (message_receive(&message_in, reply, 0) == MACH_MSG_SUCCESS)
                ;
        }
    port_destroy(reply);
}

CASE(kernel_request_and_wrong_receive)
{
    mach_port_t reply = port_create(), other = port_create();
    static const int wait = 0;
    message_begin(&message_out, mach_task_self(), MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 3201);
    OBSERVE(
        mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_TIMEOUT, 32, 64, other, wait, 0));
    OBSERVE(port_status(reply).mps_msgcount);
    message_begin(&message_out, mach_task_self(), MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 3201);
    OBSERVE(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_TIMEOUT, 32, 64, name_fresh(),
                          wait, 0));
    OBSERVE(port_status(reply).mps_msgcount);
    port_destroy(reply);
    port_destroy(other);
}

CASE(kernel_moved_send_right)
{
    /* The request takes the only reference that this task has of another's port. */
    mach_port_t reply = port_create();
    struct child child;
    child_create(&child, NULL, NULL);
    mach_port_mod_refs(mach_task_self(), child.task, MACH_PORT_RIGHT_SEND, 1);
    message_begin(&message_out, child.task, MACH_MSG_TYPE_MOVE_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 3201);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, reply, 1000), MACH_MSG_SUCCESS);
    OBSERVE(((mig_reply_header_t *)&message_in.header)->RetCode);
    EXPECT(port_refs(child.task, MACH_PORT_RIGHT_SEND), 1);
    child_kill(&child);
    port_destroy(reply);
}

/* ---- where a right is wanted and a number comes --------------------------------------------------------------- */

/* A pager's request to the kernel's CONTROL port: what comes before the place for the answer is COUNT words; there is a
   number. */
static void pager_answer_spoil(mach_port_t control, mach_msg_id_t id, const uint64_t *words, unsigned int count,
                               uint64_t number)
{
    message_begin(&message_out, control, MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL, 0, id);
    for (unsigned int i = 0; i < count; i++) {
        unsigned int name = words[i] & 0x8000 ? MACH_MSG_TYPE_BOOLEAN : MACH_MSG_TYPE_INTEGER_32;
        if (words[i] > 0xffff)
            message_add_inline(&message_out, MACH_MSG_TYPE_INTEGER_64, 64, 1, &(uint64_t){words[i] & 0xffff});
        else
            message_add_inline(&message_out, name, 32, 1, &(int){(int)(words[i] & 0x7fff)});
    }
    message_add_inline(&message_out, MACH_MSG_TYPE_INTEGER_64, 64, 1, &number);
    EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
}

CASE_OURS(pagers_answers_go_to_no_right)
{
    enum { LOCK_REQUEST = 2044, CHANGE_ATTRIBUTES = 2095, LONG = 0x10000, TRUTH = 0x8000 };
    static const uint64_t lock[] = {LONG, LONG | 4096, 0, TRUTH, 0}, attributes[] = {TRUTH, 2};
    static const uint64_t numbers[] = {7, 0xffff800000001000, 0x1234567890, 0xffffffffffffff00};
    struct object object;
    char *at = object_map(&object, 0, 4096, TRUE, MEMORY_OBJECT_COPY_DELAY);
    for (unsigned int i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        pager_answer_spoil(object.control, LOCK_REQUEST, lock, 5, numbers[i]);
        pager_answer_spoil(object.control, CHANGE_ATTRIBUTES, attributes, 2, numbers[i]);
    }
    object_fill(&object, at, 0, 3, VM_PROT_NONE, false);
    vm_deallocate(mach_task_self(), (vm_address_t)at, 4096);
    object_drop(&object);
}
