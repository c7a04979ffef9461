/* SPDX-License-Identifier: GPL-2.0-or-later */
/* play.c: a run of operations on two spaces from any bytes (host.h). */

#include "host.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../../kernel/vm/map.h"

#define MUST(CONDITION) \
    do { \
        if (!(CONDITION)) \
            panic("%s:%d: %s does not hold\n", __FILE__, __LINE__, #CONDITION); \
    } while (0)

struct input {
    const uint8_t *at, *end;
};

static uint8_t byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* A name: mostly one of the first, at times a far or an impossible one. */
static mach_port_name_t name(struct input *input)
{
    static const mach_port_name_t odd[] = {MACH_PORT_NAME_NULL, MACH_PORT_NAME_DEAD, 127,       128, 4000,
                                           DENSE_NAMES,         DENSE_NAMES + 7,     0xfffffffe};
    uint8_t value = byte(input);
    return value >= 248 ? odd[value - 248] : value % 24;
}

static int32_t delta(struct input *input)
{
    static const int32_t deltas[] = {0, 1, -1, 2, -2, 65533, 65534, 65535, -65535, INT32_MAX, INT32_MIN};
    return deltas[byte(input) % countof(deltas)];
}

/* ---- messages ----------------------------------------------------------------------------------- */

static mach_msg_header_t *message_at(void)
{
    return (mach_msg_header_t *)host_user;
}

static void append(const void *data, uint32_t size)
{
    mach_msg_header_t *header = message_at();
    if (header->msgh_size + size <= HOST_USER_SIZE / 2) {
        memcpy(host_user + header->msgh_size, data, size);
        header->msgh_size += size;
    }
}

static void item_append(struct input *input)
{
    uint8_t what = byte(input), count = byte(input) % 5;
    mach_msg_type_t type = {.msgt_name = 15 + what % 8, .msgt_size = 64, .msgt_number = count, .msgt_inline = 1};
    uint64_t slots[5];
    for (int i = 0; i < 5; i++)
        slots[i] = name(input);
    switch (what / 64) {
    case 0: /* rights inline */
        append(&type, sizeof type);
        append(slots, count * sizeof *slots);
        break;
    case 1: { /* an array of rights out of line, in the upper half of the user's memory */
        mach_port_name_t *names = (mach_port_name_t *)(host_user + HOST_USER_SIZE - 64);
        uint64_t pointer = HOST_USER + HOST_USER_SIZE - 64;
        for (int i = 0; i < 5; i++)
            names[i] = (mach_port_name_t)slots[i];
        type.msgt_size = 32;
        type.msgt_inline = 0;
        append(&type, sizeof type);
        append(&pointer, sizeof pointer);
        break;
    }
    case 2: { /* memory */
        uint64_t pointer = what & 8 ? HOST_USER : 8;
        type = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_BYTE,
                                 .msgt_size = 8,
                                 .msgt_number = count * 1000,
                                 .msgt_deallocate = what & 1};
        append(&type, sizeof type);
        append(&pointer, sizeof pointer);
        break;
    }
    default: { /* anything */
        uint64_t word = 0;
        for (int i = 0; i < 8; i++)
            word = word << 8 | byte(input);
        append(&word, sizeof word);
    }
    }
}

static void send(struct input *input)
{
    mach_msg_header_t *header = message_at();
    uint8_t bits = byte(input), items = byte(input);
    *header = (mach_msg_header_t){.msgh_size = sizeof *header,
                                  .msgh_bits = MACH_MSGH_BITS(15 + bits % 8, bits & 64 ? 15 + bits / 8 % 8 : 0)};
    header->msgh_remote_port = name(input);
    header->msgh_local_port = bits & 64 ? name(input) : 0;
    if (bits & 128) {
        header->msgh_bits |= MACH_MSGH_BITS_COMPLEX;
        for (int i = 0; i < items % 6; i++)
            item_append(input);
    }
    struct receive_call call = {HOST_USER, MACH_SEND_MSG | MACH_SEND_TIMEOUT, 0, 0, 0};
    msg_general(&call, items >= 250 ? header->msgh_size - 8 : header->msgh_size);
}

static void receive(struct input *input)
{
    uint8_t options = byte(input);
    struct receive_call call = {options & 1 ? HOST_USER : HOST_USER + HOST_USER_SIZE - 40,
                                      MACH_RCV_MSG | MACH_RCV_TIMEOUT | (options & 2 ? MACH_RCV_LARGE : 0),
                                      options & 4 ? 64 : HOST_USER_SIZE, name(input), 0};
    msg_general(&call, 0);
}

/* ---- ports ----------------------------------------------------------------------------------------- */

static void insert(struct ipc_space *from, struct ipc_space *to, struct input *input)
{
    struct ipc_port *right = IP_NULL;
    mach_msg_type_name_t type;
    if (rpc_mach_port_extract_right(from, name(input), 16 + byte(input) % 6, &right, &type) == KERN_SUCCESS &&
        rpc_mach_port_insert_right(to, name(input), right, type))
        right_release(right, type);
}

static void notification(struct ipc_space *space, struct input *input)
{
    static const mach_msg_id_t ids[] = {MACH_NOTIFY_PORT_DESTROYED, MACH_NOTIFY_NO_SENDERS, MACH_NOTIFY_DEAD_NAME, 5};
    mach_port_name_t about = name(input), told = name(input);
    uint8_t what = byte(input);
    struct ipc_port *notify = IP_NULL, *previous = IP_NULL;
    if (what < 200)
        right_copyin(space, told, MACH_MSG_TYPE_MAKE_SEND_ONCE, true, &notify);
    if (rpc_mach_port_request_notification(space, about, ids[what % 4], what / 4 % 3, notify, &previous))
        right_release(notify, MACH_MSG_TYPE_PORT_SEND_ONCE);
    else
        right_release(previous, MACH_MSG_TYPE_PORT_SEND_ONCE);
}

static void lists(struct ipc_space *space, struct input *input)
{
    mach_port_name_array_t names;
    mach_port_type_array_t types;
    mach_msg_type_number_t count, types_count;
    if (byte(input) & 1) {
        if (rpc_mach_port_names(space, &names, &count, &types, &types_count) == KERN_SUCCESS && count) {
            vm_copy_discard((struct vm_copy *)names);
            vm_copy_discard((struct vm_copy *)types);
        }
    } else if (rpc_mach_port_get_set_status(space, name(input), &names, &count) == KERN_SUCCESS && count) {
        vm_copy_discard((struct vm_copy *)names);
    }
}

static void step(struct ipc_space *space, struct ipc_space *other, uint8_t what, struct input *input)
{
    mach_port_name_t got;
    mach_port_type_t type;
    mach_port_urefs_t refs;
    mach_port_status_t status;
    switch (what % 20) {
    case 0: case 1: rpc_mach_port_allocate(space, byte(input) % 6, &got); break;
    case 2: got = name(input); rpc_mach_port_allocate_name(space, byte(input) % 6, got); break;
    case 3: rpc_mach_port_deallocate(space, name(input)); break;
    case 4: rpc_mach_port_destroy(space, name(input)); break;
    case 5: got = name(input); type = byte(input) % 6; rpc_mach_port_mod_refs(space, got, type, delta(input)); break;
    case 6: got = name(input); rpc_mach_port_rename(space, got, name(input)); break;
    case 7: got = name(input); rpc_mach_port_move_member(space, got, name(input)); break;
    case 8: insert(space, space, input); break;
    case 9: insert(space, other, input); break;
    case 10: notification(space, input); break;
    case 11: got = name(input); rpc_mach_port_set_qlimit(space, got, byte(input) % 18); break;
    case 12: got = name(input); rpc_mach_port_get_refs(space, got, byte(input) % 6, &refs); break;
    case 13: rpc_mach_port_type(space, name(input), &type); break;
    case 14: rpc_mach_port_get_receive_status(space, name(input), &status); break;
    case 15: lists(space, input); break;
    case 16: case 17: case 18: send(input); break;
    default: receive(input);
    }
}

/* ---- what always holds -------------------------------------------------------------------------------- */

static void entry_check(struct ipc_space *space, struct ipc_entry *entry, void *used)
{
    uint32_t types = entry->bits & ENTRY_TYPES, urefs = entry->bits & ENTRY_UREFS;
    ++*(uint32_t *)used;
    MUST(space_lookup(space, entry->name) == entry);
    if (types == MACH_PORT_TYPE_PORT_SET) {
        MUST(entry->pset->active && entry->pset->name == entry->name && entry->pset->space == space && !entry->request);
        list_for_each(link, &entry->pset->members)
            MUST(list_entry(link, struct ipc_port, pset_link)->receiver == space);
        return;
    }
    if (types == MACH_PORT_TYPE_DEAD_NAME) {
        MUST(urefs > 0 && !entry->request);
        return;
    }
    MUST(entry->port->refs > 0);
    if (types & MACH_PORT_TYPE_RECEIVE) {
        MUST(entry->port->active && entry->port->receiver == space && entry->port->receiver_name == entry->name);
        MUST(space_reverse(space, entry->port) == entry);
    }
    if (types & MACH_PORT_TYPE_SEND) {
        MUST(entry->port->srights > 0 && urefs > 0 && urefs <= SEND_UREFS_MAX);
        MUST(!entry->port->active || space_reverse(space, entry->port) == entry);
    }
    if (types == MACH_PORT_TYPE_SEND_ONCE)
        MUST(entry->port->sorights > 0 && urefs == 1);
    MUST(!entry->request || (entry->request->name == entry->name && entry->request->space == space));
}

static void space_check(struct ipc_space *space)
{
    uint32_t used = 0;
    space_walk(space, entry_check, &used);
    MUST(used == space_used(space));
}

void ipc_play(const uint8_t *data, size_t size)
{
    host_init();
    host_fail = 0;
    struct ipc_space *spaces[2] = {space_create(NULL), space_create(NULL)};
    struct input input = {data, data + size};
    while (input.at < input.end) {
        uint8_t what = byte(&input);
        struct ipc_space *space = spaces[what / 20 % 2];
        host_space_use(space);
        if (what >= 240)
            host_fail = what - 239; /* memory runs out soon, once */
        step(space, spaces[what / 20 % 2 ^ 1], what, &input);
        host_fail = 0;
        space_check(spaces[0]);
        space_check(spaces[1]);
    }
    for (int i = 0; i < 2; i++) {
        host_space_use(ipc_space_dead);
        space_destroy(spaces[i]);
    }
    if (host_objects())
        panic("%zu objects are left\n", host_objects());
}
