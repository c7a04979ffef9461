/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors of message-signalled interrupts.  The message goes to the boot processor's local interrupt controller (Intel
   SDM volume 3, "Message Signalled Interrupts": fixed delivery, edge-triggered).  Lock of everything here: the kernel
   lock. */

#include "msi.h"

#include "../../interface/mach_msi.h"
#include "../arch/x86_64/apic.h"
#include "../arch/x86_64/cpu.h"
#include "../ipc/ipc.h"
#include "interrupt.h"

#include <device/notify.h>

#define MESSAGE_ADDRESS 0xfee00000u
#define MESSAGE_DESTINATION_SHIFT 12
#define MESSAGE_DESTINATION_MAX 254

struct msi {
    struct device device;
    unsigned int vector;   /* 0: none yet */
    struct ipc_port *port; /* a send right: where notifications go; or NULL */
    uint64_t taken, sent;
};

static struct msi *vectors[MSI_VECTOR_LAST - MSI_VECTOR_FIRST + 1];
static uint64_t strays; /* interrupts of vectors that are nobody's */

static struct msi *msi_of(struct device *device)
{
    return (struct msi *)device;
}

static kern_return_t msi_open(struct device *device, struct device **instance)
{
    (void)device;
    if (!apic_present || boot_cpu.apic_id > MESSAGE_DESTINATION_MAX)
        return D_NO_SUCH_DEVICE;
    struct msi *msi = kalloc(sizeof *msi);
    if (msi == NULL)
        return D_NO_MEMORY;
    *msi = (struct msi){.vector = 0};
    if (!device_instance_init(&msi->device, "msi", &msi_ops)) {
        kfree(msi, sizeof *msi);
        return D_NO_MEMORY;
    }
    *instance = &msi->device;
    return D_SUCCESS;
}

static void port_drop(struct msi *msi)
{
    struct ipc_port *port = msi->port;
    msi->port = NULL;
    if (port)
        port_release_send(port);
}

static void msi_end(struct device *device)
{
    struct msi *msi = msi_of(device);
    if (msi->vector)
        vectors[msi->vector - MSI_VECTOR_FIRST] = NULL;
    port_drop(msi);
    kfree(msi, sizeof *msi);
}

static bool vector_allocate(struct msi *msi)
{
    for (unsigned int i = 0; i < countof(vectors) && msi->vector == 0; i++)
        if (vectors[i] == NULL) {
            vectors[i] = msi;
            msi->vector = MSI_VECTOR_FIRST + i;
        }
    return msi->vector != 0;
}

static kern_return_t msi_get_status(struct device *device, dev_flavor_t flavor, dev_status_t status,
                                    mach_msg_type_number_t *count)
{
    struct msi *msi = msi_of(device);
    if (flavor != MSI_ALLOCATE)
        return D_INVALID_OPERATION;
    if (*count < MSI_ALLOCATE_COUNT)
        return D_INVALID_SIZE;
    if (!vector_allocate(msi))
        return D_NO_MEMORY;
    status[MSI_ALLOCATE_VECTOR] = (int)msi->vector;
    status[MSI_ALLOCATE_ADDRESS_LOW] = (int)(MESSAGE_ADDRESS | boot_cpu.apic_id << MESSAGE_DESTINATION_SHIFT);
    status[MSI_ALLOCATE_ADDRESS_HIGH] = 0;
    status[MSI_ALLOCATE_DATA] = (int)msi->vector;
    *count = MSI_ALLOCATE_COUNT;
    return D_SUCCESS;
}

static kern_return_t msi_intr_register(struct device *device, int id, int flags, struct ipc_port *port)
{
    struct msi *msi = msi_of(device);
    if (msi->vector == 0 || (unsigned int)id != msi->vector || flags != 0 || !IP_VALID(port) || !port->active)
        return D_INVALID_OPERATION;
    if (msi->port && msi->port->active)
        return D_ALREADY_OPEN;
    port_drop(msi);
    msi->port = port;
    return D_SUCCESS;
}

static kern_return_t msi_intr_ack(struct device *device, struct ipc_port *port)
{
    (void)device, (void)port;
    return D_SUCCESS;
}

const struct device_ops msi_ops = {.open = msi_open,
                                   .end = msi_end,
                                   .get_status = msi_get_status,
                                   .intr_register = msi_intr_register,
                                   .intr_ack = msi_intr_ack};

/* Is a notification of VECTOR still in PORT's queue?  It stands for the one that came now. */
static bool notification_waits(struct ipc_port *port, unsigned int vector)
{
    if (port->msgcount == 0)
        return false;
    list_for_each(link, &port_queue(port)->messages) {
        const struct kmsg *kmsg = list_entry(link, struct kmsg, link);
        const device_intr_notification_t *message = (const device_intr_notification_t *)&kmsg->header;
        if (kmsg_remote(kmsg) == port && kmsg->header.msgh_id == DEVICE_INTR_NOTIFY &&
            kmsg->header.msgh_size >= sizeof *message && message->id == (int)vector)
            return true;
    }
    return false;
}

void msi_taken(unsigned int vector)
{
    struct msi *msi = vectors[vector - MSI_VECTOR_FIRST];
    apic_eoi();
    if (msi == NULL || msi->port == NULL) {
        strays++;
        return;
    }
    msi->taken++;
    if (!msi->port->active) {
        port_drop(msi);
    } else if (!notification_waits(msi->port, vector)) {
        msi->sent++;
        interrupt_notify(msi->port, (int)vector);
    }
}

void msi_dump(void)
{
    for (unsigned int i = 0; i < countof(vectors); i++)
        if (vectors[i])
            kprintf("  message %x: %lu interrupts, %lu notifications to the port %lx\n", MSI_VECTOR_FIRST + i,
                    vectors[i]->taken, vectors[i]->sent, (uint64_t)vectors[i]->port);
    if (strays)
        kprintf("  messages of nobody's vectors: %lu\n", strays);
}
