/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two interrupt controllers of a PC (Intel 8259A) and messages to user-space drivers (device_intr_register).

   Lines may be shared: every port registered for a line is told of each interrupt, and the line is masked from then on until
   each of them has acknowledged, or died.  */

#include "interrupt.h"

#include "device.h"

#include "../arch/x86_64/cpu.h"
#include "../ipc/ipc.h"
#include "msi.h"

#include <device/device_types.h>
#include <device/notify.h>

#define PIC1 0x20
#define PIC2 0xa0
#define PIC_END 0x20
#define VECTOR_BASE 0x20
#define CASCADE_LINE 2
#define ELCR1 0x4d0 /* edge/level control: PCI's lines are level-triggered as the firmware set them */

struct listener {
    struct list link;
    struct ipc_port *port; /* a send right */
    bool pending;          /* told, and has not acknowledged */
};

static struct {
    void (*handler)(bool user);
    struct list listeners;
    unsigned int pending;
    uint64_t taken;
} lines[INTERRUPT_LINES];

static uint16_t mask = 0xffff;

static void mask_write(void)
{
    out8(PIC1 + 1, (uint8_t)mask);
    out8(PIC2 + 1, (uint8_t)(mask >> 8));
}

static void line_enable(unsigned int line)
{
    mask &= (uint16_t)~(1u << line);
    mask_write();
}

static void line_disable(unsigned int line)
{
    mask |= (uint16_t)(1u << line);
    mask_write();
}

void interrupt_init(void)
{
    static const uint8_t sequence[2][4] = {{0x11, VECTOR_BASE, 1u << CASCADE_LINE, 0x01}, {0x11, VECTOR_BASE + 8, CASCADE_LINE, 0x01}};
    for (unsigned int i = 0; i < INTERRUPT_LINES; i++)
        list_init(&lines[i].listeners);
    for (unsigned int i = 0; i < 4; i++) {
        out8((uint16_t)(PIC1 + (i > 0)), sequence[0][i]);
        out8((uint16_t)(PIC2 + (i > 0)), sequence[1][i]);
    }
    mask = (uint16_t)~(1u << CASCADE_LINE);
    mask_write();
}

void interrupt_attach(unsigned int line, void (*handler)(bool user))
{
    lines[line].handler = handler;
    line_enable(line);
}

static bool spurious(unsigned int line)
{
    if (line != 7 && line != 15)
        return false;
    uint16_t pic = line == 7 ? PIC1 : PIC2;
    out8(pic, 0x0b); /* read the in-service register */
    if (in8(pic) & 0x80)
        return false;
    if (line == 15)
        out8(PIC1, PIC_END);
    return true;
}

static void listener_drop(unsigned int line, struct listener *listener)
{
    if (listener->pending && --lines[line].pending == 0)
        line_enable(line);
    list_remove(&listener->link);
    port_release_send(listener->port);
    kfree(listener, sizeof *listener);
}

void interrupt_notify(struct ipc_port *port, int id)
{
    device_intr_notification_t message = {
        .intr_header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), .msgh_size = align_up(sizeof message, 8ul),
                        .msgh_remote_port = (mach_port_t)port, .msgh_id = DEVICE_INTR_NOTIFY},
        .intr_type = {.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = 1},
        .id = id};
    mach_msg_send_from_kernel(&message.intr_header, message.intr_header.msgh_size);
}

static void listeners_tell(unsigned int line)
{
    list_for_each_safe(link, after, &lines[line].listeners) {
        struct listener *listener = list_entry(link, struct listener, link);
        if (!listener->port->active) {
            listener_drop(line, listener);
            continue;
        }
        if (!listener->pending) {
            listener->pending = true;
            lines[line].pending++;
        }
        interrupt_notify(listener->port, (int)line);
    }
    if (lines[line].pending == 0 && lines[line].handler == NULL)
        line_disable(line); /* nobody is there any more */
}

void interrupt_taken(unsigned int vector, bool user)
{
    unsigned int line = vector - VECTOR_BASE;
    if (vector >= MSI_VECTOR_FIRST && vector <= MSI_VECTOR_LAST)
        msi_taken(vector);
    if (line >= INTERRUPT_LINES || spurious(line))
        return;
    lines[line].taken++;
    if (!list_empty(&lines[line].listeners))
        line_disable(line);
    if (line >= 8)
        out8(PIC2, PIC_END);
    out8(PIC1, PIC_END);
    if (lines[line].handler)
        lines[line].handler(user);
    if (!list_empty(&lines[line].listeners))
        listeners_tell(line);
}

/* Who died without acknowledging does not keep the line from others. */
void interrupt_tick(void)
{
    for (unsigned int line = 0; line < INTERRUPT_LINES; line++) {
        if (likely(lines[line].pending == 0))
            continue;
        list_for_each_safe(link, after, &lines[line].listeners) {
            struct listener *listener = list_entry(link, struct listener, link);
            if (!listener->port->active)
                listener_drop(line, listener);
        }
    }
}

static kern_return_t irq_register(struct device *device, int id, int flags, struct ipc_port *port)
{
    (void)device, (void)flags;
    unsigned int line = (unsigned int)id;
    if (line >= INTERRUPT_LINES || line == CASCADE_LINE || line == 0)
        return D_INVALID_OPERATION;
    if (!IP_VALID(port) || !port->active)
        return D_INVALID_OPERATION;
    list_for_each_safe(link, after, &lines[line].listeners) {
        struct listener *old = list_entry(link, struct listener, link);
        if (!old->port->active)
            listener_drop(line, old);
    }
    struct listener *listener = kalloc(sizeof *listener);
    if (listener == NULL)
        return D_NO_MEMORY;
    *listener = (struct listener){.port = port};
    list_append(&lines[line].listeners, &listener->link);
    if (lines[line].pending == 0)
        line_enable(line);
    return D_SUCCESS;
}

static kern_return_t irq_acknowledge(struct device *device, struct ipc_port *port)
{
    (void)device;
    bool registered = false;
    for (unsigned int line = 0; line < INTERRUPT_LINES; line++)
        list_for_each(link, &lines[line].listeners) {
            struct listener *listener = list_entry(link, struct listener, link);
            if (listener->port != port)
                continue;
            registered = true;
            if (!listener->pending)
                continue;
            listener->pending = false;
            if (--lines[line].pending == 0)
                line_enable(line);
            return D_SUCCESS;
        }
    return registered ? D_INVALID_OPERATION : KERN_INVALID_ARGUMENT;
}

const struct device_ops irq_ops = {.intr_register = irq_register, .intr_ack = irq_acknowledge};

void interrupt_dump(void)
{
    for (unsigned int line = 0; line < INTERRUPT_LINES; line++) {
        unsigned int listeners = 0;
        list_for_each(link, &lines[line].listeners)
            listeners++;
        if (lines[line].taken || listeners || lines[line].handler)
            kprintf("  line %u: %lu interrupts%s, %u drivers%s\n", line, lines[line].taken, lines[line].handler ? ", the kernel's" : "", listeners,
                    lines[line].pending ? ", waits to be acknowledged" : "");
    }
    msi_dump();
}
