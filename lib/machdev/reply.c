/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to reads and writes that are sent when the device is done, by whatever thread saw it.  Written out instead of
   MIG's because that thread must never wait for a client: a reply port may be a plain send right with a full queue. */

#include <machdev/machdev.h>

#include <string.h>

#define DEVICE_READ_INBAND_REPLY 2905

static const mach_msg_type_t code_type = {
    .msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE};

struct code_reply {
    mach_msg_header_t header;
    mach_msg_type_t code_type;
    kern_return_t code;
    int pad;
};

struct write_reply {
    struct code_reply code;
    mach_msg_type_t written_type;
    int written;
    int pad;
};

struct read_reply {
    struct code_reply code;
    mach_msg_type_t data_type; /* the long form is the same on x86_64 */
    void *data;
};

struct inband_reply {
    struct code_reply code;
    mach_msg_type_t data_type;
    char data[IO_INBAND_MAX];
};

/* What the message moves has gone in any case. */
static void reply_send(const struct machdev_request *request, struct code_reply *reply, size_t size, bool complex,
                       io_return_t code)
{
    reply->header = (mach_msg_header_t){
        .msgh_bits = MACH_MSGH_BITS(request->reply_type, 0) | (complex ? MACH_MSGH_BITS_COMPLEX : 0),
        .msgh_size = size,
        .msgh_remote_port = request->reply,
        .msgh_id = request->reply_id,
    };
    reply->code_type = code_type;
    reply->code = code;
    reply->pad = 0;
    (void)ports_message_send_now(&reply->header);
}

static void reply_code(const struct machdev_request *request, io_return_t code)
{
    struct code_reply reply;
    reply_send(request, &reply, sizeof reply, false, code);
}

static void reply_inband(const struct machdev_request *request, void *data, size_t count)
{
    struct inband_reply reply;
    if (count > sizeof reply.data)
        count = sizeof reply.data;
    reply.data_type = (mach_msg_type_t){
        .msgt_name = MACH_MSG_TYPE_CHAR, .msgt_size = 8, .msgt_number = count, .msgt_inline = TRUE};
    memset(reply.data, 0, sizeof reply.data);
    memcpy(reply.data, data, count);
    size_t size = offsetof(struct inband_reply, data) + ((count + 7) & ~(size_t)7);
    reply_send(request, &reply.code, size, false, D_SUCCESS);
}

void machdev_read_done(const struct machdev_request *request, io_return_t code, void *data, size_t count)
{
    if (code != D_SUCCESS) {
        reply_code(request, code);
    } else if (request->reply_id == DEVICE_READ_INBAND_REPLY) {
        reply_inband(request, data, count);
    } else {
        /* The client gets whole pages: nothing of ours may stand behind the data. */
        if (count % vm_page_size)
            memset((char *)data + count, 0, vm_page_size - count % vm_page_size);
        struct read_reply reply = {
            .data_type = {.msgt_name = MACH_MSG_TYPE_INTEGER_8, .msgt_size = 8, .msgt_number = count,
                          .msgt_longform = TRUE, .msgt_deallocate = TRUE},
            .data = data,
        };
        reply_send(request, &reply.code, sizeof reply, true, D_SUCCESS);
        return;
    }
    if (data)
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
}

void machdev_write_done(const struct machdev_request *request, io_return_t code, size_t written)
{
    if (code != D_SUCCESS) {
        reply_code(request, code);
        return;
    }
    struct write_reply reply = {
        .written_type = {.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE},
        .written = written,
    };
    reply_send(request, &reply.code, sizeof reply, false, D_SUCCESS);
}
