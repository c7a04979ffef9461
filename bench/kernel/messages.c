/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages: remote procedure calls between tasks and within one, with data inline and out of line, and to the
   kernel. */

#include <mach/mach_traps.h>
#include <mach/message.h>
#include <string.h>

#include "bench.h"

#define INLINE_MAX 4096

enum request {
    ECHO = 500,      /* the same message comes back */
    TAKE,            /* memory that the server gives back to the kernel */
    RETURN           /* memory that the server sends back */
};

struct message {
    mach_msg_header_t head;
    mach_msg_type_t type;
    union {
        char data[INLINE_MAX];
        void *address;
    };
};

struct server {
    mach_port_t port;
    struct message message; /* the server's buffer */
};
static struct server near, far; /* in this task, in the other */
static mach_port_t near_port, far_port, reply_port;
static struct message call;

/* Turns the request into its reply: how many bytes to send. */
static mach_msg_size_t answer(struct message *message, task_t self)
{
    message->head.msgh_local_port = MACH_PORT_NULL;
    if (message->head.msgh_id == ECHO) {
        message->head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
        return message->head.msgh_size;
    }
    message->head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0) |
                              (message->head.msgh_bits & MACH_MSGH_BITS_COMPLEX);
    if (message->head.msgh_id == TAKE) {
        vm_deallocate(self, (vm_address_t)message->address, message->type.msgt_number);
        message->head.msgh_bits &= ~MACH_MSGH_BITS_COMPLEX;
        return sizeof message->head;
    }
    message->type.msgt_deallocate = message->head.msgh_id == RETURN;
    return message->head.msgh_size;
}

static void serve(void *argument)
{
    struct server *server = argument;
    struct message *message = &server->message;
    task_t self = (mach_task_self)();
    mach_msg_return_t mr = mach_msg_trap(&message->head, MACH_RCV_MSG, 0, sizeof *message, server->port, 0,
                                         MACH_PORT_NULL);
    while (mr == MACH_MSG_SUCCESS)
        mr = mach_msg_trap(&message->head, MACH_SEND_MSG | MACH_RCV_MSG, answer(message, self), sizeof *message,
                           server->port, 0, MACH_PORT_NULL);
    for (;;)
        swtch_pri(0);
}

/* A call with SIZE bytes behind the header. */
static void call_prepare(mach_port_t port, enum request id, mach_msg_size_t size)
{
    call.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE) |
                          (id == ECHO ? 0 : MACH_MSGH_BITS_COMPLEX);
    call.head.msgh_size = sizeof call.head + size;
    call.head.msgh_remote_port = port;
    call.head.msgh_local_port = reply_port;
    call.head.msgh_id = id;
}

static uint64_t echo(const struct operation *operation, unsigned int rounds)
{
    mach_msg_size_t size = (mach_msg_size_t)(operation->size ? sizeof call.type + operation->size : 0);
    call.type = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_BYTE,
                                  .msgt_size = 8,
                                  .msgt_inline = 1,
                                  .msgt_number = (unsigned int)operation->size};
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        call_prepare(*operation->port, ECHO, size);
        mach_msg_return_t mr = mach_msg_trap(&call.head, MACH_SEND_MSG | MACH_RCV_MSG, call.head.msgh_size, sizeof call,
                                             reply_port, 0, 0);
        if (mr)
            must(mr, "mach_msg");
    }
    return instructions() - start;
}

/* Memory that the kernel copies (as far as it must) and the server gives back to the kernel. */
static uint64_t copied(const struct operation *operation, unsigned int rounds)
{
    vm_address_t memory = 0;
    must(vm_allocate(mach_task_self(), &memory, operation->size, TRUE), "vm_allocate");
    memset((void *)memory, 1, operation->size);
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        call_prepare(*operation->port, TAKE, sizeof call.type + sizeof call.address);
        call.type = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_BYTE,
                                      .msgt_size = 8,
                                      .msgt_number = (unsigned int)operation->size};
        call.address = (void *)memory;
        must(mach_msg_trap(&call.head, MACH_SEND_MSG | MACH_RCV_MSG, call.head.msgh_size, sizeof call, reply_port, 0,
                           0),
             "mach_msg");
    }
    uint64_t spent = instructions() - start;
    must(vm_deallocate(mach_task_self(), memory, operation->size), "vm_deallocate");
    return spent;
}

/* Memory that is given away and comes back. */
static uint64_t moved(const struct operation *operation, unsigned int rounds)
{
    vm_address_t memory = 0;
    must(vm_allocate(mach_task_self(), &memory, operation->size, TRUE), "vm_allocate");
    memset((void *)memory, 1, operation->size);
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        call_prepare(*operation->port, RETURN, sizeof call.type + sizeof call.address);
        call.type = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_BYTE,
                                      .msgt_size = 8,
                                      .msgt_number = (unsigned int)operation->size,
                                      .msgt_deallocate = 1};
        call.address = (void *)memory;
        must(mach_msg_trap(&call.head, MACH_SEND_MSG | MACH_RCV_MSG, call.head.msgh_size, sizeof call, reply_port, 0,
                           0),
             "mach_msg");
        memory = (vm_address_t)call.address;
    }
    uint64_t spent = instructions() - start;
    must(vm_deallocate(mach_task_self(), memory, operation->size), "vm_deallocate");
    return spent;
}

static uint64_t send_to_self(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        call_prepare(reply_port, ECHO, 0);
        call.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND_ONCE, 0);
        call.head.msgh_local_port = MACH_PORT_NULL;
        must(mach_msg_trap(&call.head, MACH_SEND_MSG | MACH_RCV_MSG, call.head.msgh_size, sizeof call, reply_port, 0,
                           0),
             "mach_msg");
    }
    return instructions() - start;
}

static uint64_t null_trap(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++)
        swtch_pri(0);
    return instructions() - start;
}

static uint64_t empty_trap(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++)
        mach_msg_trap(&call.head, MACH_MSG_OPTION_NONE, 0, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
    return instructions() - start;
}

static uint64_t kernel_call(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        mach_port_type_t type;
        kern_return_t kr = mach_port_type(mach_task_self(), reply_port, &type);
        if (kr)
            must(kr, "mach_port_type");
    }
    return instructions() - start;
}

static uint64_t ports(const struct operation *operation, unsigned int rounds)
{
    (void)operation;
    uint64_t start = instructions();
    for (unsigned int i = 0; i < rounds; i++) {
        mach_port_t port;
        must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port), "mach_port_allocate");
        must(mach_port_destroy(mach_task_self(), port), "mach_port_destroy");
    }
    return instructions() - start;
}

void messages_prepare(void)
{
    near.port = near_port = partner_port(mach_task_self());
    must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &reply_port), "mach_port_allocate");
}

void messages_start(void)
{
    far_port = partner_port(partner_task);
    far.port = far_port;
    partner_copy(&far, sizeof far);
    partner_start(mach_task_self(), serve, &near);
    partner_start(partner_task, serve, &far);
}

const struct operation message_operations[] = {
    {"null trap (mach_msg without options)", 20000, empty_trap, 0, NULL},
    {"null trap (swtch_pri)", 20000, null_trap, 0, NULL},
    {"null RPC between tasks", 20000, echo, 0, &far_port},
    {"null RPC within a task", 20000, echo, 0, &near_port},
    {"RPC, 1 KiB inline each way", 10000, echo, 1024 - 8, &far_port},
    {"RPC, 4 KiB inline each way", 5000, echo, 4096 - 8, &far_port},
    {"RPC, 64 KiB out of line, copied", 2000, copied, 64 << 10, &far_port},
    {"RPC, 1 MiB out of line, copied", 500, copied, 1 << 20, &far_port},
    {"RPC, 64 KiB out of line, moved both ways", 2000, moved, 64 << 10, &far_port},
    {"RPC, 1 MiB out of line, moved both ways", 500, moved, 1 << 20, &far_port},
    {"send to oneself and receive", 20000, send_to_self, 0, NULL},
    {"kernel RPC (mach_port_type)", 20000, kernel_call, 0, NULL},
    {"port allocate and destroy", 10000, ports, 0, NULL},
    {NULL, 0, NULL, 0, NULL},
};
