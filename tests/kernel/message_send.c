/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: sending (Mach manual, "Message Send"): the header, its rights, the buffer. */

#include "messages.h"
#include "rights.h"

/* ---- destination and reply port ------------------------------------------------------------- */

/* Sends an empty message to a fresh name of KIND with every disposition and says what is left. */
static void destination_observe(enum kind kind)
{
    for (mach_msg_type_name_t type = 0; type <= 24; type++) {
        struct named named = named_create(kind);
        message_begin(&message_out, named.name, type, 0, 0, 1);
        observe_as(message_send(&message_out), "disposition %u", type);
        observe_as(port_type(named.name) >> 16, "disposition %u: left", type);
        named_destroy(&named);
    }
}

CASE(destination_receive)
{
    destination_observe(KIND_RECEIVE);
}

CASE(destination_send)
{
    destination_observe(KIND_SEND);
}

CASE(destination_both)
{
    destination_observe(KIND_BOTH);
}

CASE(destination_send_once)
{
    destination_observe(KIND_SEND_ONCE);
}

CASE(destination_set)
{
    destination_observe(KIND_SET);
}

CASE(destination_dead)
{
    destination_observe(KIND_DEAD);
}

CASE(destination_none)
{
    destination_observe(KIND_NONE);
    for (mach_msg_type_name_t type = 16; type <= 21; type++) {
        message_begin(&message_out, MACH_PORT_NULL, type, 0, 0, 1);
        observe_as(message_send(&message_out), "null as %u", type);
        message_begin(&message_out, MACH_PORT_DEAD, type, 0, 0, 1);
        observe_as(message_send(&message_out), "~0 as %u", type);
    }
}

/* Sends to a good port with a reply port of KIND in every disposition. */
static void reply_observe(enum kind kind)
{
    for (mach_msg_type_name_t type = 0; type <= 24; type++) {
        struct named named = named_create(kind);
        mach_port_t port = port_create_with_send();
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, named.name, type, 1);
        mach_msg_return_t mr = message_send(&message_out);
        observe_as(mr, "disposition %u", type);
        observe_as(port_type(named.name) >> 16, "disposition %u: left", type);
        EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), 1);
        if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, port, 0) == MACH_MSG_SUCCESS) {
            mach_port_t got = message_in.header.msgh_remote_port;
            observe_as(message_in.header.msgh_bits, "disposition %u: received bits", type);
            observe_as(got == named.name, "disposition %u: same name", type);
            observe_as(port_type(got) >> 16, "disposition %u: received", type);
            if (got != named.name && port_type(got))
                mach_port_destroy(mach_task_self(), got);
        }
        named_destroy(&named);
        port_destroy(port);
    }
}

CASE(reply_receive)
{
    reply_observe(KIND_RECEIVE);
}

CASE(reply_send)
{
    reply_observe(KIND_SEND);
}

CASE(reply_both)
{
    reply_observe(KIND_BOTH);
}

CASE(reply_send_once)
{
    reply_observe(KIND_SEND_ONCE);
}

CASE(reply_set)
{
    reply_observe(KIND_SET);
}

CASE(reply_dead)
{
    reply_observe(KIND_DEAD);
}

CASE(reply_none)
{
    reply_observe(KIND_NONE);
}

CASE(reply_reserved_names)
{
    mach_port_t port = port_create_with_send();
    for (mach_msg_type_name_t type = 0; type <= 24; type++)
        for (int i = 0; i < 2; i++) {
            mach_port_t name = i ? MACH_PORT_DEAD : MACH_PORT_NULL;
            message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, name, type, 1);
            mach_msg_return_t mr = message_send(&message_out);
            observe_as(mr, "%s as %u", i ? "~0" : "null", type);
            if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, port, 0) == MACH_MSG_SUCCESS) {
                observe_as(message_in.header.msgh_bits, "%s as %u: received bits", i ? "~0" : "null", type);
                observe_as((int)message_in.header.msgh_remote_port, "%s as %u: received", i ? "~0" : "null", type);
            }
        }
    port_destroy(port);
}

/* The same name as destination and as reply port, in every pair of dispositions; REFS send references. */
static void pair_observe(enum kind kind, int refs)
{
    for (mach_msg_type_name_t remote = 17; remote <= 21; remote++)
        for (mach_msg_type_name_t local = 17; local <= 21; local++) {
            struct named named = named_create(kind);
            if (refs > 1)
                mach_port_mod_refs(mach_task_self(), named.name, MACH_PORT_RIGHT_SEND, refs - 1);
            message_begin(&message_out, named.name, remote, named.name, local, 1);
            mach_msg_return_t mr = message_send(&message_out);
            observe_as(mr, "%u and %u", remote, local);
            observe_as(port_type(named.name) >> 16, "%u and %u: left", remote, local);
            observe_as(port_refs(named.name, MACH_PORT_RIGHT_SEND), "%u and %u: references", remote, local);
            if (kind != KIND_BOTH) {
                named_destroy(&named);
                continue;
            }
            observe_as(port_status(named.name).mps_srights, "%u and %u: send rights", remote, local);
            observe_as(port_status(named.name).mps_sorights, "%u and %u: send-once rights", remote, local);
            if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, named.name, 0) == MACH_MSG_SUCCESS) {
                observe_as(message_in.header.msgh_bits, "%u and %u: bits", remote, local);
                observe_as(port_type(message_in.header.msgh_remote_port) >> 16, "%u and %u: got", remote, local);
                if (message_in.header.msgh_remote_port != named.name)
                    mach_port_destroy(mach_task_self(), message_in.header.msgh_remote_port);
            }
            named_destroy(&named);
        }
}

CASE(one_name_twice_with_one_reference)
{
    pair_observe(KIND_BOTH, 1);
}

CASE(one_name_twice_with_two_references)
{
    pair_observe(KIND_BOTH, 2);
}

CASE(one_pure_send_right_twice)
{
    pair_observe(KIND_SEND, 1);
}

CASE(two_pure_send_rights_twice)
{
    pair_observe(KIND_SEND, 2);
}

CASE(one_send_once_right_twice)
{
    pair_observe(KIND_SEND_ONCE, 1);
}

CASE(one_dead_name_twice)
{
    pair_observe(KIND_DEAD, 1);
}

CASE(both_names_wrong)
{
    for (enum kind remote = 0; remote < KIND_COUNT; remote++)
        for (enum kind local = 0; local < KIND_COUNT; local++) {
            /* Make-send wants a receive right, move-send-once a send-once right. */
            struct named to = named_create(remote), from = named_create(local);
            message_begin(&message_out, to.name, MACH_MSG_TYPE_COPY_SEND, from.name, MACH_MSG_TYPE_MAKE_SEND_ONCE, 1);
            observe_as(message_send(&message_out), "copy-send of %s, make-send-once of %s", kind_names[remote],
                       kind_names[local]);
            observe_as(port_type(to.name) >> 16, "left of %s", kind_names[remote]);
            observe_as(port_type(from.name) >> 16, "left of %s", kind_names[local]);
            named_destroy(&to);
            named_destroy(&from);
            to = named_create(remote), from = named_create(local);
            message_begin(&message_out, to.name, MACH_MSG_TYPE_MOVE_SEND_ONCE, from.name, MACH_MSG_TYPE_MOVE_SEND, 1);
            observe_as(message_send(&message_out), "move-send-once of %s, move-send of %s", kind_names[remote],
                       kind_names[local]);
            observe_as(port_type(to.name) >> 16, "left of %s", kind_names[remote]);
            observe_as(port_type(from.name) >> 16, "left of %s", kind_names[local]);
            named_destroy(&to);
            named_destroy(&from);
        }
}

CASE(failed_header_leaves_all_references)
{
    mach_port_t port = port_create_with_send();
    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, 3);
    struct named reply = named_create(KIND_SEND);
    message_begin(&message_out, port, MACH_MSG_TYPE_MOVE_SEND, reply.name, MACH_MSG_TYPE_MAKE_SEND, 1);
    OBSERVE(message_send(&message_out));
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
    message_begin(&message_out, reply.name, MACH_MSG_TYPE_MAKE_SEND, port, MACH_MSG_TYPE_MOVE_SEND, 1);
    OBSERVE(message_send(&message_out));
    OBSERVE(port_refs(port, MACH_PORT_RIGHT_SEND));
    OBSERVE(port_refs(reply.name, MACH_PORT_RIGHT_SEND));
    EXPECT(port_status(port).mps_msgcount, 0);
    named_destroy(&reply);
    port_destroy(port);
}

/* ---- header bits --------------------------------------------------------------------------------- */

CASE(unused_header_bits)
{
    mach_port_t port = port_create_with_send();
    for (int bit = 16; bit < 32; bit++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_out.header.msgh_bits |= 1u << bit;
        mach_msg_return_t mr = message_send(&message_out);
        observe_as(mr, "bit %d", bit);
        if (mr == MACH_MSG_SUCCESS && message_receive(&message_in, port, 0) == MACH_MSG_SUCCESS)
            observe_as(message_in.header.msgh_bits, "bit %d: received", bit);
    }
    port_destroy(port);
}

CASE(header_fields_that_are_ignored)
{
    mach_port_t port = port_create_with_send();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, -5);
    message_out.header.msgh_size = 0x7fffffff;
    message_out.header.msgh_seqno = 99;
    EXPECT(mach_msg_trap(&message_out.header, MACH_SEND_MSG, sizeof message_out.header, 0, 0, 0, 0), MACH_MSG_SUCCESS);
    EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
    EXPECT(message_in.header.msgh_size, sizeof message_in.header);
    EXPECT(message_in.header.msgh_seqno, 0);
    EXPECT(message_in.header.msgh_id, -5);
    EXPECT(message_in.header.msgh_remote_port, MACH_PORT_NULL);
    EXPECT(message_in.header.msgh_local_port == port, 1);
    OBSERVE(message_in.header.msgh_bits);
    port_destroy(port);
}

CASE(upper_half_of_the_remote_port_field)
{
    mach_port_t port = port_create_with_send();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    message_out.header.msgh_remote_port_do_not_use |= 0xabcdef01ul << 32;
    OBSERVE(message_send(&message_out));
    OBSERVE(message_receive(&message_in, port, 0));
    OBSERVE(message_in.header.msgh_remote_port_do_not_use);
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, 1);
    message_out.header.msgh_protected_payload |= 0xabcdef01ul << 32;
    OBSERVE(message_send(&message_out));
    OBSERVE(message_receive(&message_in, port, 0));
    OBSERVE(message_in.header.msgh_protected_payload >> 32);
    mach_port_deallocate(mach_task_self(), message_in.header.msgh_remote_port);
    port_destroy(port);
}

/* ---- sizes and buffers ------------------------------------------------------------------------------ */

CASE(send_sizes)
{
    mach_port_t port = port_create_with_send();
    for (mach_msg_size_t size = 0; size <= 72; size++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        memset(message_out.body, 0, sizeof message_out.body);
        mach_msg_return_t mr = mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, size, 0, 0, 0, 0);
        observe_as(mr, "size %u", size);
        if (mr == MACH_MSG_SUCCESS) {
            observe_as(message_receive(&message_in, port, 0), "size %u: received", size);
            observe_as(message_in.header.msgh_size, "size %u: as", size);
        }
    }
    port_destroy(port);
}

CASE_OURS(sizes_no_message_has)
{
    mach_port_t port = port_create_with_send();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    static const mach_msg_size_t sizes[] = {0xffffffff, 0xfffffff8, 0xffffffe0, 0x80000000, 0x7ffffff8};
    for (unsigned int i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mach_msg_return_t mr = mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizes[i], 0, 0, 0,
                                             0);
        observe_as(mr != MACH_MSG_SUCCESS, "size %#x: fails", sizes[i]);
    }
    EXPECT(port_status(port).mps_msgcount, 0);
    EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), 1);
    port_destroy(port);
}

CASE(inline_data_of_many_sizes)
{
    mach_port_t port = port_create_with_send();
    for (unsigned int bytes = 0; bytes <= 8192; bytes = bytes < 64 ? bytes + 8 : bytes * 2) {
        static char data[8192];
        for (unsigned int i = 0; i < bytes; i++)
            data[i] = i * 7 + bytes;
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
        message_add_inline(&message_out, MACH_MSG_TYPE_BYTE, 8, bytes, data);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
        EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
        EXPECT(message_in.header.msgh_size, 40 + bytes);
        EXPECT(memcmp(message_in.body + 8, data, bytes), 0);
    }
    port_destroy(port);
}

CASE(buffer_unmapped)
{
    OBSERVE(mach_msg_trap(memory_hole(), MACH_SEND_MSG, 32, 0, 0, 0, 0));
}

CASE_OURS(buffer_null)
{
    EXPECT(mach_msg_trap(NULL, MACH_SEND_MSG, 32, 0, 0, 0, 0), MACH_SEND_INVALID_DATA);
    EXPECT(mach_msg_trap((mach_msg_header_t *)0x7ffffffffff0, MACH_SEND_MSG, 32, 0, 0, 0, 0), MACH_SEND_INVALID_DATA);
}

CASE(buffer_not_an_address)
{
    OBSERVE(mach_msg_trap((mach_msg_header_t *)0xffffffff80100000, MACH_SEND_MSG, 32, 0, 0, 0, 0));
    OBSERVE(mach_msg_trap((mach_msg_header_t *)0xfffffffffffffff0, MACH_SEND_MSG, 32, 0, 0, 0, 0));
}

CASE(buffer_not_canonical)
{
    EXPECT(mach_msg_trap((mach_msg_header_t *)0x8000000000000000, MACH_SEND_MSG, 32, 0, 0, 0, 0),
           MACH_SEND_INVALID_DATA);
    EXPECT(mach_msg_trap((mach_msg_header_t *)0x123456789abcdef0, MACH_SEND_MSG, 32, 0, 0, 0, 0),
           MACH_SEND_INVALID_DATA);
}

CASE(buffer_partly_mapped)
{
    char *pages = pages_allocate(2);
    pages_free(pages + vm_page_size, 1);
    mach_port_t port = port_create_with_send();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 1);
    for (unsigned int room = 0; room <= 64; room += 8) {
        char *at = pages + vm_page_size - room;
        memcpy(at, &message_out.header, room < 32 ? room : 32);
        observe_as(mach_msg_trap((mach_msg_header_t *)at, MACH_SEND_MSG | MACH_SEND_TIMEOUT, 64, 0, 0, 0, 0),
                   "%u bytes mapped", room);
    }
    EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), 1);
    pages_free(pages, 1);
    port_destroy(port);
}

CASE(buffer_across_pages)
{
    char *pages = pages_allocate(2);
    mach_port_t port = port_create_with_send();
    for (int shift = 8; shift < 32; shift += 8) {
        mach_msg_header_t *at = (mach_msg_header_t *)(pages + vm_page_size - shift);
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, shift);
        memcpy(at, &message_out.header, sizeof *at);
        EXPECT(mach_msg_trap(at, MACH_SEND_MSG | MACH_SEND_TIMEOUT, 32, 0, 0, 0, 0), MACH_MSG_SUCCESS);
        EXPECT(mach_msg_trap(at, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 32, port, 0, 0), MACH_MSG_SUCCESS);
        EXPECT(at->msgh_id, shift);
    }
    pages_free(pages, 2);
    port_destroy(port);
}

CASE(buffer_misaligned)
{
    static char room[128] __attribute__((aligned(16)));
    mach_port_t port = port_create_with_send();
    for (int shift = 1; shift < 8; shift++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, shift);
        memcpy(room + shift, &message_out.header, 32);
        observe_as(mach_msg_trap((void *)(room + shift), MACH_SEND_MSG | MACH_SEND_TIMEOUT, 32, 0, 0, 0, 0), "shift %d",
                   shift);
        observe_as(mach_msg_trap((void *)(room + shift), MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 64, port, 0, 0),
                   "shift %d: back", shift);
    }
    port_destroy(port);
}

CASE(buffer_read_only)
{
    mach_msg_header_t *at = pages_allocate(1);
    mach_port_t port = port_create_with_send();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 7);
    memcpy(at, &message_out.header, sizeof *at);
    EXPECT(vm_protect(mach_task_self(), (vm_address_t)at, vm_page_size, FALSE, VM_PROT_READ), KERN_SUCCESS);
    EXPECT(mach_msg_trap(at, MACH_SEND_MSG | MACH_SEND_TIMEOUT, 32, 0, 0, 0, 0), MACH_MSG_SUCCESS);
    /* Receiving there takes the message and cannot give it. */
    OBSERVE(mach_msg_trap(at, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 64, port, 0, 0));
    OBSERVE(port_status(port).mps_msgcount);
    OBSERVE(port_status(port).mps_seqno);
    pages_free(at, 1);
    port_destroy(port);
}

/* ---- options --------------------------------------------------------------------------------------------- */

CASE(no_option)
{
    OBSERVE(mach_msg_trap(NULL, MACH_MSG_OPTION_NONE, 0, 0, 0, 0, 0));
    OBSERVE(mach_msg_trap(NULL, MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT | MACH_RCV_LARGE, 32, 32, 1, 0, 0));
}

CASE(unknown_options)
{
    mach_port_t port = port_create_with_send();
    for (int bit = 12; bit < 31; bit++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, bit);
        observe_as(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT | 1 << bit, 32, 0, 0, 0, 0),
                   "bit %d", bit);
        observe_as(message_receive(&message_in, port, 0), "bit %d: received", bit);
    }
    port_destroy(port);
}

CASE(send_always_is_not_for_users)
{
    mach_port_t port = port_create_with_send();
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 1), KERN_SUCCESS);
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 2);
    EXPECT(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT | MACH_SEND_ALWAYS, 32, 0, 0, 0, 0),
           MACH_SEND_TIMED_OUT);
    EXPECT(port_status(port).mps_msgcount, 1);
    port_destroy(port);
}

CASE(send_and_receive_in_one)
{
    mach_port_t port = port_create();
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, 9);
    EXPECT(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_RCV_MSG, 32, sizeof message_out, port, 0, 0),
           MACH_MSG_SUCCESS);
    EXPECT(message_out.header.msgh_id, 9);
    OBSERVE(message_out.header.msgh_bits);
    mach_port_deallocate(mach_task_self(), message_out.header.msgh_remote_port);
    port_destroy(port);
}

CASE(send_fails_receive_is_not_tried)
{
    mach_port_t port = port_create_with_send();
    EXPECT(send_empty(port, 1), MACH_MSG_SUCCESS);
    message_begin(&message_out, MACH_PORT_DEAD, MACH_MSG_TYPE_COPY_SEND, 0, 0, 9);
    EXPECT(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_RCV_MSG, 32, sizeof message_out, port, 0, 0),
           MACH_SEND_INVALID_DEST);
    EXPECT(port_status(port).mps_msgcount, 1);
    port_destroy(port);
}

CASE(send_works_receive_fails)
{
    mach_port_t port = port_create_with_send();
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, 0, 0, 9);
    EXPECT(mach_msg_trap(&message_out.header, MACH_SEND_MSG | MACH_RCV_MSG, 32, sizeof message_out, name_fresh(), 0, 0),
           MACH_RCV_INVALID_NAME);
    EXPECT(port_status(port).mps_msgcount, 1);
    port_destroy(port);
}

/* ---- queueing ----------------------------------------------------------------------------------------------- */

CASE(send_once_messages_go_past_the_limit)
{
    mach_port_t port = port_create();
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 0), KERN_SUCCESS);
    for (int i = 0; i < 20; i++) {
        message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, 0, 0, i);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    }
    EXPECT(port_status(port).mps_msgcount, 20);
    EXPECT(port_status(port).mps_sorights, 20);
    message_begin(&message_out, port, MACH_MSG_TYPE_MAKE_SEND, 0, 0, 99);
    EXPECT(message_send(&message_out), MACH_SEND_TIMED_OUT);
    for (int i = 0; i < 20; i++) {
        EXPECT(message_receive(&message_in, port, 0), MACH_MSG_SUCCESS);
        EXPECT(message_in.header.msgh_id, i);
    }
    port_destroy(port);
}

CASE(timed_out_message_comes_back)
{
    mach_port_t port = port_create_with_send();
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 0), KERN_SUCCESS);
    mach_port_t reply = port_create();
    for (mach_msg_type_name_t type = MACH_MSG_TYPE_MOVE_SEND; type <= MACH_MSG_TYPE_MAKE_SEND; type++) {
        if (type == MACH_MSG_TYPE_MOVE_SEND_ONCE)
            continue;
        message_begin(&message_out, port, type, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 4);
        observe_as(message_send(&message_out), "%u", type);
        observe_as(message_out.header.msgh_bits, "%u: bits", type);
        observe_as(message_out.header.msgh_remote_port == port, "%u: remote port is the destination", type);
        observe_as(message_out.header.msgh_local_port == port, "%u: local port is the destination", type);
        observe_as(port_refs(port, MACH_PORT_RIGHT_SEND), "%u: send references", type);
        observe_as(port_type(message_out.header.msgh_local_port) >> 16, "%u: local port", type);
        observe_as(port_type(message_out.header.msgh_remote_port) >> 16, "%u: remote port", type);
        observe_as(port_status(reply).mps_sorights, "%u: send-once rights", type);
        mach_port_t sonce = message_out.header.msgh_local_port == port ? message_out.header.msgh_remote_port
                                                                       : message_out.header.msgh_local_port;
        if (port_type(sonce) & MACH_PORT_TYPE_SEND_ONCE)
            mach_port_deallocate(mach_task_self(), sonce);
    }
    port_destroy(port);
    port_destroy(reply);
}

CASE(timed_out_message_can_be_sent_again)
{
    mach_port_t port = port_create_with_send(), reply = port_create();
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 0), KERN_SUCCESS);
    void *page = pages_allocate(1);
    memset(page, 0x5a, vm_page_size);
    message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, 4);
    message_add_ports(&message_out, &reply, 1, MACH_MSG_TYPE_MAKE_SEND);
    message_add_memory(&message_out, page, vm_page_size, true);
    EXPECT(message_send(&message_out), MACH_SEND_TIMED_OUT);
    OBSERVE(message_item(&message_out, 0)->msgt_name);
    OBSERVE(message_item(&message_out, 1)->msgt_deallocate);
    OBSERVE(port_type(reply) >> 16);
    EXPECT(mach_port_set_qlimit(mach_task_self(), port, 1), KERN_SUCCESS);
    OBSERVE(message_send(&message_out));
    OBSERVE(message_receive(&message_in, port, 0));
    OBSERVE(message_in.header.msgh_id);
    OBSERVE(port_type(message_in.header.msgh_remote_port) >> 16);
    mach_port_deallocate(mach_task_self(), message_in.header.msgh_remote_port);
    unsigned char *got = message_pointer(&message_in, 1);
    if (got) {
        OBSERVE(got[0]);
        pages_free(got, 1);
    }
    port_destroy(reply);
    port_destroy(port);
}

CASE(port_dies_with_messages_of_all_kinds)
{
    mach_port_t port = port_create_with_send(), other = port_create(), page_count = 3;
    for (unsigned int i = 0; i < 5; i++) {
        void *pages = pages_allocate(page_count);
        mach_port_t names[2] = {other, other};
        message_begin(&message_out, port, MACH_MSG_TYPE_COPY_SEND, other, MACH_MSG_TYPE_MAKE_SEND_ONCE, i);
        message_add_ports(&message_out, names, 2, MACH_MSG_TYPE_MAKE_SEND);
        message_add_array(&message_out, names, 2, MACH_MSG_TYPE_MAKE_SEND, false);
        message_add_memory(&message_out, pages, page_count * vm_page_size, true);
        EXPECT(message_send(&message_out), MACH_MSG_SUCCESS);
    }
    status_observe("queued", other);
    EXPECT(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
    status_observe("destroyed", other);
    port_destroy(other);
}
