/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts by the kernel's "irq" and "msi" devices; see interrupt.h. */

#include "interrupt.h"

#include <device/device.h>
#include <device/notify.h>
#include <errno.h>
#include <mach_msi.h>
#include <ports/ports.h>
#include <pthread.h>
#include <stdlib.h>

#include "driver.h"

struct interrupt {
    mach_port_t device, port;    /* constant: the kernel's device, where its messages come */
    interrupt_handler_t handler; /* constant */
    void *arg;                   /* constant */
    bool acknowledged;           /* constant: each is to be acknowledged (lines) */
};

/* device_intr_ack without an answer, so that acknowledging an interrupt and waiting for the next is one call of the
   kernel. */
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

/* The kernel sends one message an interrupt, and keeps a line shut until it is acknowledged. */
static void *interrupt_thread(void *arg)
{
    struct interrupt *interrupt = arg;
    bool pending = false; /* an interrupt that is not acknowledged */
    ports_pageout_thread();
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
            ports_message_destroy(header, true);
        pending = pending && interrupt->acknowledged;
    }
    return NULL;
}

/* The kernel's device NAME, a port for its messages, and the arguments of the thread that takes them, in *RESULT. */
static error_t interrupt_create(mach_port_t device_master, const char *name, interrupt_handler_t handler, void *arg,
                                struct interrupt **result)
{
    struct interrupt *interrupt = malloc(sizeof *interrupt);
    if (!interrupt)
        return ENOMEM;
    *interrupt = (struct interrupt){.handler = handler, .arg = arg};
    error_t err = device_open(device_master, D_READ | D_WRITE, (char *)name, &interrupt->device);
    if (!err) {
        err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &interrupt->port);
        if (err)
            mach_port_deallocate(mach_task_self(), interrupt->device);
    }
    if (err)
        free(interrupt);
    else
        *result = interrupt;
    return err;
}

/* Only before its thread runs. */
static void interrupt_destroy(struct interrupt *interrupt)
{
    mach_port_mod_refs(mach_task_self(), interrupt->port, MACH_PORT_RIGHT_RECEIVE, -1);
    mach_port_deallocate(mach_task_self(), interrupt->device);
    free(interrupt);
}

static error_t interrupt_start(struct interrupt *interrupt, int id)
{
    pthread_t thread;
    error_t err = device_intr_register(interrupt->device, id, 0, interrupt->port, MACH_MSG_TYPE_MAKE_SEND);
    if (!err)
        err = pthread_create(&thread, NULL, interrupt_thread, interrupt);
    if (!err)
        pthread_detach(thread);
    return err;
}

error_t interrupt_line_attach(mach_port_t device_master, unsigned int line, interrupt_handler_t handler, void *arg)
{
    struct interrupt *interrupt;
    error_t err = interrupt_create(device_master, "irq", handler, arg, &interrupt);
    if (err)
        return err;
    interrupt->acknowledged = true;
    err = interrupt_start(interrupt, line);
    if (err)
        interrupt_destroy(interrupt);
    return err;
}

/* ---- messages ---------------------------------------------------------------------------- */

static error_t vector_allocate(mach_port_t device, int *vector, struct pci_msi_message *message)
{
    int status[DEV_STATUS_MAX];
    mach_msg_type_number_t count = MSI_ALLOCATE_COUNT;
    error_t err = device_get_status(device, MSI_ALLOCATE, status, &count);
    if (!err && count != MSI_ALLOCATE_COUNT)
        err = EGRATUITOUS;
    if (err)
        return err;
    *vector = status[MSI_ALLOCATE_VECTOR];
    message->address = (uint32_t)status[MSI_ALLOCATE_ADDRESS_LOW]
                       | (uint64_t)(uint32_t)status[MSI_ALLOCATE_ADDRESS_HIGH] << 32;
    message->data = status[MSI_ALLOCATE_DATA];
    return 0;
}

static error_t message_attach(const struct driver_environment *environment, const struct pci_function *function,
                              interrupt_handler_t handler, void *arg)
{
    struct interrupt *interrupt;
    struct pci_msi_message message;
    struct pci_msi msi;
    void *table = NULL;
    int vector;
    error_t err = interrupt_create(environment->device_master, MACH_MSI_DEVICE, handler, arg, &interrupt);
    if (err)
        return err;
    err = pci_msi_find(environment->bus, function, &msi);
    if (!err)
        err = vector_allocate(interrupt->device, &vector, &message);
    if (!err && msi.entries > 0)
        err = pci_map_physical(environment->device_master, function->regions[msi.region].base + msi.offset,
                               16 * msi.entries, VM_PROT_READ | VM_PROT_WRITE, &table);
    if (!err)
        err = pci_msi_enable(environment->bus, function, &msi, &message, table);
    if (!err) {
        err = interrupt_start(interrupt, vector);
        if (err)
            pci_msi_disable(environment->bus, function, &msi);
    }
    if (err)
        interrupt_destroy(interrupt);
    return err;
}

error_t interrupt_attach(const struct driver_environment *environment, const struct pci_function *function,
                         interrupt_handler_t handler, void *arg, bool *messages)
{
    *messages = message_attach(environment, function, handler, arg) == 0;
    if (*messages)
        return 0;
    if (function->irq_pin == 0 || function->irq_line == 0xff)
        return ENXIO;
    error_t err = pci_function_command(environment->bus, function, 0, PCI_COMMAND_INTX_DISABLE);
    return err ? err : interrupt_line_attach(environment->device_master, function->irq_line, handler, arg);
}
