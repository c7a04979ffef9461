/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: requests, well-formed first, then spoilt. */

#include "hostile.h"

#include <mach/message.h>
#include <mach/notify.h>
#include <string.h>

enum { OUT_OF_LINE_MAX = 64 * 1024, INLINE_BYTES = 2048 };

static bool type_is_right(unsigned int type)
{
    return type == 255 || MACH_MSG_TYPE_PORT_ANY(type);
}

static mach_msg_type_t *slot_type(struct message *m, const struct slot *slot)
{
    return (void *) (m->bytes + slot->type_at);
}

/* SIZE bytes of memory for out-of-line data, freed with the message. */
static void *memory_new(struct message *m, size_t size)
{
    vm_address_t address = 0;
    if (m->memory_count == SLOTS_MAX || vm_allocate(mach_task_self(), &address, size ? size : 1, TRUE) != 0)
        return NULL;
    m->memory[m->memory_count] = (void *) address;
    m->memory_size[m->memory_count++] = size ? size : 1;
    return (void *) address;
}

void message_release(struct message *m)
{
    for (unsigned int i = 0; i < m->memory_count; i++)
        vm_deallocate(mach_task_self(), (vm_address_t) m->memory[i], m->memory_size[i]);
    m->memory_count = 0;
}

/* How many elements an argument gets. */
static size_t elements_choose(const struct argument *a)
{
    if (a->kind == FIXED)
        return a->number;
    switch (below(8)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return a->number;
    case 3: return a->kind == VARIABLE ? a->number : a->number + 1 + below(400);
    default: return below(a->number < 40 ? a->number : 40);
    }
}

/* Rights: NUMBER of one type, in line as 8 bytes, out of line as names. */
static void rights_fill(const struct argument *a, mach_msg_type_t *type, void *data, size_t number)
{
    unsigned int chosen = a->type, first;
    for (size_t i = 0; i < number; i++) {
        mach_port_t name = right_choose(a->name, i == 0 ? a->type : chosen, &first);
        chosen = first;
        if (type->msgt_inline)
            ((uint64_t *) data)[i] = name;
        else
            ((mach_port_t *) data)[i] = name;
    }
    if (number == 0 && chosen == 255)
        chosen = MACH_MSG_TYPE_COPY_SEND;
    type->msgt_name = chosen;
}

static void argument_add(struct message *m, const struct argument *a, enum kind kind)
{
    struct slot *slot = &m->slots[m->slot_count++];
    size_t number = elements_choose(a), bytes = number * a->bits / 8;
    bool right = type_is_right(a->type);
    mach_msg_type_t *type = (void *) (m->bytes + m->head.msgh_size);
    slot->type_at = m->head.msgh_size;
    slot->data_at = slot->type_at + sizeof *type;
    slot->inlined = a->kind != OUT_OF_LINE &&
                    (a->kind != ARRAY || (bytes <= INLINE_BYTES && !once_in(kind == PAGER ? 2 : 16)));
    *type = (mach_msg_type_t){.msgt_name = a->type,
                              .msgt_size = a->bits,
                              .msgt_number = number,
                              .msgt_inline = slot->inlined,
                              .msgt_longform = a->kind != FIXED};
    void *data = m->bytes + slot->data_at;
    if (!slot->inlined) {
        if (right)
            type->msgt_size = 8 * sizeof(mach_port_t);
        bytes = number * type->msgt_size / 8;
        data = kind == PAGER && !right ? pager_memory(bytes) : memory_new(m, bytes);
        if (data == NULL)
            number = bytes = type->msgt_number = 0;
        memcpy(m->bytes + slot->data_at, &data, sizeof data);
        m->head.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
    }
    slot->size = slot->inlined ? (bytes + 7) & ~7ul : sizeof data;
    if (right) {
        m->head.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
        rights_fill(a, type, data, number);
    } else if (slot->inlined || kind != PAGER) {
        value_fill(a, data, bytes);
    }
    m->head.msgh_size = slot->data_at + slot->size;
}

void message_build(struct message *m, const struct routine *routine, enum kind kind)
{
    m->head = (mach_msg_header_t) { .msgh_size = sizeof m->head, .msgh_id = routine->id };
    m->slot_count = m->memory_count = 0;
    m->simple = routine->simple;
    m->routine = routine;
    for (unsigned int i = 0; i < routine->argument_count && i < SLOTS_MAX; i++)
        argument_add(m, &routine->arguments[i], kind);
}

/* ---- spoiling --------------------------------------------------------------------- */

static void size_spoil(struct message *m)
{
    size_t body = m->head.msgh_size - sizeof m->head;
    switch (below(4)) {
    case 0: /* ends early, at a descriptor or anywhere */
        m->head.msgh_size = sizeof m->head + below(body + 1);
        break;
    case 1:
        if (m->slot_count)
            m->head.msgh_size = m->slots[below(m->slot_count)].data_at;
        break;
    case 2: /* longer by some, or by more than any server takes */
        body = once_in(6) ? MESSAGE_MAX - m->head.msgh_size : 8 * below(40);
        if (m->head.msgh_size + body > MESSAGE_MAX)
            body = MESSAGE_MAX - m->head.msgh_size;
        memset(m->bytes + m->head.msgh_size, once_in(2) ? 0 : 0x41, body);
        m->head.msgh_size += body;
        m->head.msgh_bits &= once_in(2) ? ~0u : ~MACH_MSGH_BITS_COMPLEX;
        break;
    default:
        m->head.msgh_bits ^= MACH_MSGH_BITS_COMPLEX;
    }
}

static void type_spoil(struct message *m)
{
    static const unsigned char names[] = { 0, 1, 2, 8, 9, 10, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 255 };
    static const unsigned short sizes[] = { 0, 1, 8, 16, 32, 64, 128, 4096, 65535 };
    if (!m->slot_count)
        return;
    mach_msg_type_t *type = slot_type(m, &m->slots[below(m->slot_count)]);
    switch (below(6)) {
    case 0: type->msgt_name = names[below(sizeof names)]; break;
    case 1: type->msgt_size = sizes[below(sizeof sizes / sizeof sizes[0])]; break;
    case 2: type->msgt_inline ^= 1; m->head.msgh_bits |= MACH_MSGH_BITS_COMPLEX; break;
    case 3: type->msgt_longform ^= 1; break;
    case 4: type->msgt_deallocate = 1; break;
    default: type->msgt_unused = 1 + below(31);
    }
}

static void count_spoil(struct message *m)
{
    static const uint32_t counts[] = {0,          1,          2,          255,        256,       512,     1023,
                                      1024,       2048,       2049,       4095,       4096,      0x10000, 0x7fffffff,
                                      0x80000000, 0xffffffff, 0x20000000, 0x1fffffff, 0x10000000};
    if (!m->slot_count)
        return;
    struct slot *slot = &m->slots[below(m->slot_count)];
    mach_msg_type_t *type = slot_type(m, slot);
    if (once_in(2) || !slot->inlined) {
        type->msgt_number = once_in(3) ? type->msgt_number + 1 - 2 * below(2)
                                       : counts[below(sizeof counts / sizeof counts[0])];
        return;
    }
    /* As the kernel wants it, but not as the stub does: more or fewer elements really are there. */
    size_t number = below(3000), bytes = (number * type->msgt_size / 8 + 7) & ~7ul,
           tail = m->head.msgh_size - slot->data_at - slot->size;
    if (type_is_right(type->msgt_name) || slot->data_at + bytes + tail > MESSAGE_MAX)
        return;
    memmove(m->bytes + slot->data_at + bytes, m->bytes + slot->data_at + slot->size, tail);
    if (bytes > slot->size)
        memset(m->bytes + slot->data_at + slot->size, 0x2f, bytes - slot->size);
    type->msgt_number = number;
    m->head.msgh_size = slot->data_at + bytes + tail;
}

/* Makes one argument out of line and very large: memory that exists but was never touched. */
static void huge_spoil(struct message *m)
{
    static const size_t sizes[] = { 1 << 20, 5 << 20, 16 << 20, 256 << 20, 1 << 30 };
    for (unsigned int try = 0; try < 8 && m->slot_count; try++) {
        struct slot *slot = &m->slots[below(m->slot_count)];
        mach_msg_type_t *type = slot_type(m, slot);
        if (slot->inlined && !type->msgt_longform)
            continue;
        size_t size = sizes[below(sizeof sizes / sizeof sizes[0])], bits = type->msgt_size;
        bool right = type_is_right(type->msgt_name);
        if (right) /* the kernel touches these itself */
            size = 64 << 10, bits = 8 * sizeof(mach_port_t);
        void *memory = memory_new(m, size);
        if (!memory || !bits)
            return;
        size_t tail = m->head.msgh_size - slot->data_at - slot->size;
        memmove(m->bytes + slot->data_at + sizeof memory, m->bytes + slot->data_at + slot->size, tail);
        memcpy(m->bytes + slot->data_at, &memory, sizeof memory);
        m->head.msgh_size = slot->data_at + sizeof memory + tail;
        m->head.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
        type->msgt_inline = FALSE;
        type->msgt_size = bits;
        type->msgt_number = size * 8 / bits;
        if (right)
            type->msgt_name = MACH_MSG_TYPE_COPY_SEND;
        return;
    }
}

static void right_spoil(struct message *m)
{
    for (unsigned int i = 0; i < m->slot_count; i++) {
        mach_msg_type_t *type = slot_type(m, &m->slots[i]);
        if (!type_is_right(type->msgt_name) || once_in(3))
            continue;
        type->msgt_name = MACH_MSG_TYPE_MOVE_RECEIVE + below(6);
        if (m->slots[i].inlined && type->msgt_number > 0 && once_in(2)) {
            uint64_t name = name_choose();
            memcpy(m->bytes + m->slots[i].data_at, &name, sizeof name);
        } else if (m->slots[i].inlined && type->msgt_number > 0) {
            unsigned int chosen;
            uint64_t name = right_choose("", type->msgt_name, &chosen);
            memcpy(m->bytes + m->slots[i].data_at, &name, sizeof name);
        }
    }
}

/* A number that has become a right must not be one that the sender lives by (right_is_vital): that would hit nobody
   else. */
static void vital_spare(struct message *m)
{
    for (unsigned int i = 0; i < m->slot_count; i++) {
        mach_msg_type_t *type = slot_type(m, &m->slots[i]);
        uint64_t *names = (void *) (m->bytes + m->slots[i].data_at);
        if (!type_is_right(type->msgt_name) || !m->slots[i].inlined)
            continue;
        for (size_t j = 0; j < m->slots[i].size / sizeof *names; j++)
            if (right_is_vital((mach_port_t) names[j]))
                names[j] = pool.name_only;
    }
}

void message_spoil(struct message *m, enum kind kind)
{
    switch (kind) {
    case SIZE: size_spoil(m); break;
    case TYPE: type_spoil(m); vital_spare(m); break;
    case COUNT: count_spoil(m); break;
    case HUGE: huge_spoil(m); break;
    case RIGHT: right_spoil(m); break;
    default: break;
    }
}

/* ---- not from the table -------------------------------------------------------------- */

void message_noise(struct message *m, const struct interface *interface)
{
    static const int more[] = {0,     64,    72,    2200,  2400,  2800,  20000, 21000, 22000,
                               23000, 24000, 25000, 26000, 28000, 29000, 30000, 33000, -1};
    m->slot_count = m->memory_count = 0;
    m->simple = false;
    m->routine = NULL;
    size_t words = once_in(8) ? below(2000) : below(40);
    m->head = (mach_msg_header_t) { .msgh_size = sizeof m->head + 8 * words };
    m->head.msgh_id = once_in(2) ? interface->routines[0].id + (int)below(160)
                                 : more[below(sizeof more / sizeof more[0])] + (int)below(128);
    for (size_t i = 0; i < words; i++) {
        uint64_t word = random_next();
        memcpy(m->bytes + sizeof m->head + 8 * i, &word, sizeof word);
    }
}

/* A notification that only the kernel would send, as the kernel would send it. */
void message_notification(struct message *m)
{
    struct { mach_msg_type_t type; uint64_t value; } *body = (void *) (m->bytes + sizeof m->head);
    static const int ids[] = {MACH_NOTIFY_PORT_DELETED, MACH_NOTIFY_MSG_ACCEPTED, MACH_NOTIFY_PORT_DESTROYED,
                              MACH_NOTIFY_NO_SENDERS,   MACH_NOTIFY_SEND_ONCE,    MACH_NOTIFY_DEAD_NAME};
    m->slot_count = m->memory_count = 0;
    m->simple = true;
    m->routine = NULL;
    m->head = (mach_msg_header_t) { .msgh_id = ids[below(6)], .msgh_size = sizeof m->head + sizeof *body };
    unsigned int type = MACH_MSG_TYPE_PORT_NAME;
    body->value = once_in(2) ? below(200) : name_choose();
    switch (m->head.msgh_id) {
    case MACH_NOTIFY_SEND_ONCE:
        m->head.msgh_size = sizeof m->head;
        return;
    case MACH_NOTIFY_NO_SENDERS:
        type = MACH_MSG_TYPE_INTEGER_32;
        body->value = below(5);
        break;
    case MACH_NOTIFY_PORT_DESTROYED:
        m->head.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
        body->value = right_choose("", MACH_MSG_TYPE_MOVE_RECEIVE, &type);
    }
    bool right = type == MACH_MSG_TYPE_MOVE_RECEIVE;
    body->type = (mach_msg_type_t){.msgt_name = type,
                                   .msgt_size = right ? 64 : 32,
                                   .msgt_number = 1,
                                   .msgt_inline = TRUE};
}
