/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: experimental.defs, what drivers used before the device `irq` and vm_allocate_contiguous of gnumach.defs came.
   The C library has no stubs of it: the messages are made here. */

#include "messages.h"
#include "rights.h"

enum { EXPERIMENTAL_REGISTER = 424243, EXPERIMENTAL_ENABLE = 424244, EXPERIMENTAL_CONTIGUOUS = 424245 };

#define LINE 5 /* nobody has it */

/* Begins a call of HOST's routine ID in message_out; experimental_end sends it and gives its result. */
static mach_port_t experimental_begin(mach_port_t host, mach_msg_id_t id)
{
    mach_port_t reply = port_create();
    message_begin(&message_out, host, MACH_MSG_TYPE_COPY_SEND, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, id);
    return reply;
}

static long experimental_end(mach_port_t reply)
{
    long result = message_call(reply);
    port_destroy(reply);
    return result;
}

/* device_intr_register and device_intr_enable of HOST; the port is given by TYPE. */
static void lines_try(mach_port_t host, mach_msg_type_name_t type)
{
    mach_port_t target = port_create_with_send(), reply = experimental_begin(host, EXPERIMENTAL_REGISTER);
    for (int i = 0; i < 3; i++)
        message_add_integers(&message_out, &(int){LINE}, 1);
    message_add_ports(&message_out, &target, 1, type);
    OBSERVE(experimental_end(reply));
    OBSERVE(port_status(target).mps_srights);
    port_destroy(target);
    reply = experimental_begin(host, EXPERIMENTAL_ENABLE);
    message_add_integers(&message_out, &(int){LINE}, 1);
    message_add_inline(&message_out, MACH_MSG_TYPE_CHAR, 8, 1, "\1");
    OBSERVE(experimental_end(reply));
}

CASE(interrupts)
{
    lines_try(device_master, MACH_MSG_TYPE_MAKE_SEND);
    lines_try(device_master, MACH_MSG_TYPE_COPY_SEND);
    lines_try(host_priv, MACH_MSG_TYPE_MAKE_SEND);
    lines_try(mach_task_self(), MACH_MSG_TYPE_MAKE_SEND);
}

/* vm_allocate_contiguous of HOST: SIZE bytes for TASK. */
static void contiguous_try(mach_port_t host, mach_port_t task, uint64_t size)
{
    mach_port_t reply = experimental_begin(host, EXPERIMENTAL_CONTIGUOUS);
    message_add_ports(&message_out, &task, 1, MACH_MSG_TYPE_COPY_SEND);
    message_add_inline(&message_out, MACH_MSG_TYPE_INTEGER_64, 64, 1, &size);
    long result = experimental_end(reply);
    OBSERVE(result);
    if (result == KERN_SUCCESS) {
        vm_address_t at = 0;
        memcpy(&at, message_item(&message_in, 1) + 1, sizeof at);
        EXPECT(vm_deallocate(mach_task_self(), at, (size + 4095) & -4096ul), KERN_SUCCESS);
    }
}

CASE(contiguous_memory)
{
    contiguous_try(host_priv, mach_task_self(), 8192);
    contiguous_try(host_priv, mach_task_self(), 0);
    contiguous_try(host_priv, host_priv, 4096);
    contiguous_try(mach_host_self(), mach_task_self(), 4096);
    contiguous_try(mach_task_self(), mach_task_self(), 4096);
}
