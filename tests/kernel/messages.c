/* SPDX-License-Identifier: GPL-2.0-or-later */
/* messages.c: messages made and read item by item (messages.h). */

#include "messages.h"

struct message message_out, message_in;

void message_begin(struct message *message, mach_port_t remote, mach_msg_type_name_t remote_type, mach_port_t local,
                   mach_msg_type_name_t local_type, mach_msg_id_t id)
{
    message->header = (mach_msg_header_t){.msgh_bits = MACH_MSGH_BITS(remote_type, local_type),
                                          .msgh_size = sizeof message->header,
                                          .msgh_remote_port = remote,
                                          .msgh_local_port = local,
                                          .msgh_id = id};
}

mach_msg_type_t *message_add(struct message *message, mach_msg_type_t type, const void *data, size_t bytes)
{
    mach_msg_type_t *item = (mach_msg_type_t *)((char *)&message->header + message->header.msgh_size);
    *item = type;
    memset(item + 1, 0, (bytes + 7) & ~7ul);
    memcpy(item + 1, data, bytes);
    message->header.msgh_size += sizeof type + ((bytes + 7) & ~7ul);
    return item;
}

mach_msg_type_t *message_add_inline(struct message *message, mach_msg_type_name_t name, unsigned int bits,
                                    unsigned int number, const void *data)
{
    mach_msg_type_t type = {.msgt_name = name, .msgt_size = bits, .msgt_number = number, .msgt_inline = 1};
    return message_add(message, type, data, (size_t)number * bits / 8);
}

void message_add_integers(struct message *message, const int *values, unsigned int number)
{
    message_add_inline(message, MACH_MSG_TYPE_INTEGER_32, 32, number, values);
}

mach_msg_type_t *message_add_ports(struct message *message, const mach_port_t *names, unsigned int count,
                                   mach_msg_type_name_t type)
{
    uint64_t slots[256];
    for (unsigned int i = 0; i < count; i++)
        slots[i] = names[i];
    message->header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
    return message_add_inline(message, type, 64, count, slots);
}

mach_msg_type_t *message_add_memory(struct message *message, const void *address, size_t size, bool deallocate)
{
    message->header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
    return message_add(message, (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_BYTE, .msgt_size = 8, .msgt_number = size,
                                                  .msgt_deallocate = deallocate}, &address, sizeof address);
}

mach_msg_type_t *message_add_array(struct message *message, const mach_port_t *names, unsigned int count,
                                   mach_msg_type_name_t type, bool deallocate)
{
    message->header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
    return message_add(message, (mach_msg_type_t){.msgt_name = type, .msgt_size = 32, .msgt_number = count,
                                                  .msgt_deallocate = deallocate}, &names, sizeof names);
}

mach_msg_return_t message_send_within(struct message *message, int ms)
{
    return mach_msg_trap(&message->header, MACH_SEND_MSG | (ms == NO_LIMIT ? 0 : MACH_SEND_TIMEOUT),
                         message->header.msgh_size, 0, 0, ms == NO_LIMIT ? 0 : ms, MACH_PORT_NULL);
}

mach_msg_return_t message_send(struct message *message)
{
    return message_send_within(message, 0);
}

mach_msg_return_t message_receive(struct message *message, mach_port_t name, int ms)
{
    return mach_msg_trap(&message->header, MACH_RCV_MSG | (ms == NO_LIMIT ? 0 : MACH_RCV_TIMEOUT), 0, sizeof *message,
                         name, ms == NO_LIMIT ? 0 : ms, MACH_PORT_NULL);
}

long message_call(mach_port_t reply)
{
    enum { ANSWER_MS = 100000 }; /* the machine may be slow */
    mach_msg_return_t result = message_send(&message_out);
    if (result == MACH_MSG_SUCCESS)
        result = message_receive(&message_in, reply, ANSWER_MS);
    return result == MACH_MSG_SUCCESS ? (int)message_port(&message_in, 0, 0) : result;
}

mach_msg_type_t *message_item(struct message *message, unsigned int index)
{
    size_t at = sizeof message->header;
    while (at < message->header.msgh_size) {
        mach_msg_type_t *item = (mach_msg_type_t *)((char *)&message->header + at);
        if (index-- == 0)
            return item;
        size_t size = item->msgt_inline ? ((uint64_t)item->msgt_number * item->msgt_size + 7) / 8 : 8;
        at += sizeof *item + ((size + 7) & ~7ul);
    }
    return NULL;
}

mach_port_t message_port(struct message *message, unsigned int index, unsigned int at)
{
    mach_msg_type_t *item = message_item(message, index);
    mach_port_t name = MACH_PORT_NULL;
    if (item)
        memcpy(&name, (uint64_t *)(item + 1) + at, sizeof name);
    return name;
}

void *message_pointer(struct message *message, unsigned int index)
{
    mach_msg_type_t *item = message_item(message, index);
    return item ? *(void **)(item + 1) : NULL;
}

void *pages_allocate(unsigned int count)
{
    vm_address_t address = 0;
    CHECK(vm_allocate(mach_task_self(), &address, count * vm_page_size, TRUE) == KERN_SUCCESS);
    return (void *)address;
}

void pages_free(void *address, unsigned int count)
{
    vm_deallocate(mach_task_self(), (vm_address_t)address, count * vm_page_size);
}

bool memory_mapped(const void *address)
{
    vm_offset_t data;
    mach_msg_type_number_t size;
    if (vm_read(mach_task_self(), (vm_address_t)address & -vm_page_size, vm_page_size, &data, &size))
        return false;
    vm_deallocate(mach_task_self(), data, size);
    return true;
}

void *memory_hole(void)
{
    void *pages = pages_allocate(4);
    pages_free(pages, 4);
    return pages;
}
