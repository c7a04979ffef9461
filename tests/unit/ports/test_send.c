/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send: what is left of a message that could not be sent, with a kernel that gives it back as Mach does. */

#include "hurd_host.h"
#include "unit.h"

#include <ports/ports.h>

enum { NAMES = 32, TARGET = 1, ANSWER = 2, MOVED = 3, COPIED = 4, MADE = 20 };
static int refs[NAMES];
static mach_msg_return_t result;
static unsigned int freed, sent;

mach_port_t mach_task_self_, __mach_task_self_;
kern_return_t mach_port_deallocate(mach_port_t task, mach_port_t name)
{
    (void)task;
    CHECK(name < NAMES && refs[name] > 0);
    refs[name]--;
    return 0;
}
kern_return_t mach_port_mod_refs(mach_port_t task, mach_port_t name, mach_port_right_t right, mach_port_delta_t delta)
{
    (void)task, (void)right;
    refs[name] += delta;
    return 0;
}
kern_return_t mach_port_insert_right(mach_port_t task, mach_port_t name, mach_port_t right, mach_msg_type_name_t type)
{
    (void)task, (void)right, (void)type;
    refs[name]++;
    return 0;
}
kern_return_t vm_deallocate(mach_port_t task, vm_address_t address, vm_size_t size)
{
    (void)task, (void)address, (void)size;
    freed++;
    return 0;
}
kern_return_t vm_allocate(mach_port_t task, vm_address_t *address, vm_size_t size, boolean_t anywhere)
{
    (void)task, (void)address, (void)size, (void)anywhere;
    return KERN_FAILURE;
}
error_t ports_copy_guarded(void *to, const void *from, size_t length)
{
    (void)to, (void)from, (void)length;
    return EFAULT;
}
vm_size_t vm_page_size = 4096, __vm_page_size = 4096;

struct message {
    mach_msg_header_t head;
    mach_msg_type_t moved_type;
    mach_port_name_inlined_t moved;
    mach_msg_type_t copied_type;
    mach_port_name_inlined_t copied;
    mach_msg_type_t data_type;
    void *data;
};

/* As the kernel gives a message back: what was copied or made is the sender's now, under a name of its own. */
static void give_back(struct message *message)
{
    mach_msg_bits_t bits = message->head.msgh_bits;
    if (MACH_MSGH_BITS_REMOTE(bits) == MACH_MSG_TYPE_COPY_SEND)
        refs[message->head.msgh_remote_port]++;
    mach_msg_type_name_t local = 0;
    if (MACH_MSGH_BITS_LOCAL(bits) == MACH_MSG_TYPE_MAKE_SEND_ONCE) {
        message->head.msgh_local_port = MADE;
        refs[MADE]++;
        local = MACH_MSG_TYPE_MOVE_SEND_ONCE;
    }
    message->head.msgh_bits = (bits & MACH_MSGH_BITS_COMPLEX) | MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND, local);
    message->copied_type.msgt_name = MACH_MSG_TYPE_MOVE_SEND;
    refs[COPIED]++;
}

mach_msg_return_t mach_msg(mach_msg_header_t *head, mach_msg_option_t option, mach_msg_size_t send_size,
                           mach_msg_size_t receive_size, mach_port_t receive, mach_msg_timeout_t timeout,
                           mach_port_t notify)
{
    (void)receive_size, (void)receive, (void)timeout, (void)notify;
    CHECK((option & MACH_SEND_MSG) && send_size == head->msgh_size);
    mach_msg_return_t err = result & ~MACH_MSG_MASK;
    if (err == MACH_SEND_TIMED_OUT || err == MACH_SEND_INTERRUPTED)
        give_back((struct message *)head);
    if (err == 0) {
        sent++;
        refs[MOVED]--;
    }
    return result;
}

static struct message prepare(mach_port_t answer)
{
    static char data[8];
    refs[TARGET] = refs[MOVED] = refs[COPIED] = 1;
    refs[MADE] = refs[ANSWER] = 0;
    freed = sent = 0;
    mach_msg_type_t type = {.msgt_name = MACH_MSG_TYPE_MOVE_SEND, .msgt_size = 64, .msgt_number = 1,
                            .msgt_inline = TRUE};
    struct message message = {
        .head = {.msgh_bits = MACH_MSGH_BITS_COMPLEX |
                              MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, answer ? MACH_MSG_TYPE_MAKE_SEND_ONCE : 0),
                 .msgh_size = sizeof message},
        .moved_type = type, .moved.name = MOVED, .copied_type = type, .copied.name = COPIED,
        .data_type = {.msgt_name = MACH_MSG_TYPE_CHAR, .msgt_size = 8, .msgt_number = sizeof data}, .data = data,
    };
    message.copied_type.msgt_name = MACH_MSG_TYPE_COPY_SEND;
    message.head.msgh_remote_port = TARGET;
    message.head.msgh_local_port = answer;
    return message;
}

UNIT_TEST(sent)
{
    struct message message = prepare(ANSWER);
    result = 0;
    CHECK_EQ(ports_message_send_now(&message.head), 0);
    CHECK(sent == 1 && refs[TARGET] == 1 && refs[COPIED] == 1 && refs[MOVED] == 0 && freed == 0);
}

UNIT_TEST(not_sent_leaves_nothing)
{
    static const mach_msg_return_t errors[] = {
        MACH_SEND_TIMED_OUT, MACH_SEND_INTERRUPTED, MACH_SEND_INVALID_DEST, MACH_SEND_NO_BUFFER,
        MACH_SEND_TIMED_OUT | MACH_MSG_IPC_SPACE, MACH_SEND_INVALID_REPLY,
    };
    for (unsigned int i = 0; i < 2 * sizeof errors / sizeof errors[0]; i++) {
        struct message message = prepare(i % 2 ? ANSWER : MACH_PORT_NULL);
        result = errors[i / 2];
        CHECK_EQ(ports_message_send_now(&message.head), errors[i / 2]);
        CHECK(refs[TARGET] == 1 && refs[COPIED] == 1 && refs[MOVED] == 0 && refs[MADE] == 0 && freed == 1);
        CHECK(message.head.msgh_remote_port == MACH_PORT_NULL && message.head.msgh_local_port == MACH_PORT_NULL);
    }
}

/* A call: MIG's stub gives up the reply port that it finds in the message, which must be its own. */
UNIT_TEST(a_call_keeps_its_reply_port)
{
    struct message message = prepare(ANSWER);
    result = MACH_SEND_TIMED_OUT;
    CHECK_EQ(ports_msg_send(&message.head, MACH_SEND_MSG | MACH_RCV_MSG | MACH_SEND_TIMEOUT, sizeof message,
                            sizeof message, ANSWER, 0, MACH_PORT_NULL), MACH_SEND_TIMED_OUT);
    CHECK(refs[TARGET] == 1 && refs[COPIED] == 1 && refs[MOVED] == 0 && refs[MADE] == 0);
    CHECK_EQ(message.head.msgh_local_port, ANSWER);
}

/* What went wrong then is nothing that the message says. */
UNIT_TEST(other_errors_change_nothing)
{
    static const mach_msg_return_t errors[] = {MACH_RCV_TIMED_OUT, MACH_SEND_INVALID_RIGHT, MACH_RCV_INTERRUPTED};
    for (unsigned int i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct message message = prepare(ANSWER);
        result = errors[i];
        CHECK_EQ(ports_msg_send(&message.head, MACH_SEND_MSG | MACH_RCV_MSG, sizeof message, sizeof message, ANSWER, 0,
                                MACH_PORT_NULL), errors[i]);
        CHECK(refs[TARGET] == 1 && refs[MOVED] == 1 && freed == 0 && message.head.msgh_remote_port == TARGET);
    }
}

UNIT_MAIN
