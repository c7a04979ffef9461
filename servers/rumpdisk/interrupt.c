/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts by the kernel's "irq" device; see interrupt.h. */

#include "interrupt.h"

#include <device/device.h>
#include <device/notify.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct interrupt {
    mach_port_t device, port;    /* constant: the kernel's device, where its messages come */
    interrupt_handler_t handler; /* constant */
    void *arg;                   /* constant */
};

/* device_intr_ack without an answer, so that acknowledging an interrupt and waiting for the next is one call of the kernel. */
struct acknowledgement {
    mach_msg_header_t header;
    mach_msg_type_t type;
    mach_port_name_inlined_t port;
};
#define DEVICE_INTR_ACK 2814

static void acknowledgement_fill(const struct interrupt *interrupt, struct acknowledgement *ack)
{
    *ack = (struct acknowledgement){
        .header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX,
                   .msgh_size = sizeof *ack,
                   .msgh_remote_port = interrupt->device,
                   .msgh_id = DEVICE_INTR_ACK},
        .type = {.msgt_name = MACH_MSG_TYPE_MAKE_SEND, .msgt_size = 64, .msgt_number = 1, .msgt_inline = TRUE},
    };
    ack->port.name = interrupt->port;
}

/* The kernel sends one message an interrupt and keeps the line shut until it is acknowledged. */
static void *interrupt_thread(void *arg)
{
    struct interrupt *interrupt = arg;
    bool pending = false; /* an interrupt that is not acknowledged */
    for (;;) {
        union {
            device_intr_notification_t notification;
            struct acknowledgement ack;
            char room[256];
        } message;
        mach_msg_header_t *header = &message.notification.intr_header;
        if (pending)
            acknowledgement_fill(interrupt, &message.ack);
        mach_msg_return_t err = mach_msg(header, MACH_RCV_MSG | (pending ? MACH_SEND_MSG : 0), sizeof message.ack,
                                         sizeof message, interrupt->port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL);
        if (err) {
            /* An error of sending: it is still to be acknowledged. */
            pending = pending && err < MACH_RCV_IN_PROGRESS;
            continue;
        }
        pending = header->msgh_id == DEVICE_INTR_NOTIFY;
        if (pending)
            interrupt->handler(interrupt->arg);
        else
            mach_msg_destroy(header);
    }
    return NULL;
}

error_t interrupt_line_attach(mach_port_t device_master, unsigned int line, interrupt_handler_t handler, void *arg)
{
    struct interrupt *interrupt = malloc(sizeof *interrupt);
    if (!interrupt)
        return ENOMEM;
    *interrupt = (struct interrupt){.handler = handler, .arg = arg};
    error_t err = device_open(device_master, D_READ | D_WRITE, (char *)"irq", &interrupt->device);
    if (err)
        goto no_device;
    err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &interrupt->port);
    if (err)
        goto no_port;
    err = device_intr_register(interrupt->device, line, 0, interrupt->port, MACH_MSG_TYPE_MAKE_SEND);
    if (err)
        goto no_line;
    pthread_t thread;
    err = pthread_create(&thread, NULL, interrupt_thread, interrupt);
    if (err)
        goto no_line;
    pthread_detach(thread);
    return 0;

no_line:
    mach_port_mod_refs(mach_task_self(), interrupt->port, MACH_PORT_RIGHT_RECEIVE, -1);
no_port:
    mach_port_deallocate(mach_task_self(), interrupt->device);
no_device:
    free(interrupt);
    return err;
}
