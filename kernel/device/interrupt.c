/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt lines and messages to user-space drivers (device_intr_register).

   Lines come from the two controllers of a PC (Intel 8259A) to the boot processor.  With more processors and an I/O
   APIC the edge-triggered ones, but for the clock's, come from that, each to a processor of its own.

   Lines may be shared: every port registered for a line is told of each interrupt, and hears no more of it until each
   of them has acknowledged, or died: the old controllers mask the line and keep an edge meanwhile; the I/O APIC would
   lose it, so the line stays open there, and what comes is remembered.  Lock: the kernel lock. */

#include "interrupt.h"

#include "device.h"

#include "../arch/x86_64/apic.h"
#include "../arch/x86_64/cpu.h"
#include "../arch/x86_64/ioapic.h"
#include "../ipc/ipc.h"
#include "msi.h"

#include <device/device_types.h>
#include <device/notify.h>

#define PIC1 0x20
#define PIC2 0xa0
#define PIC_END 0x20
#define VECTOR_BASE 0x20
#define CLOCK_LINE 0
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
    unsigned int pending;  /* listeners that were told and have not acknowledged */
    bool routed;           /* by the I/O APIC */
    bool again;            /* of such a line: it came while listeners were pending */
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
    if (lines[line].routed) {
        ioapic_line_open(line, true);
        return;
    }
    mask &= (uint16_t)~(1u << line);
    mask_write();
}

static void line_disable(unsigned int line)
{
    if (lines[line].routed) {
        ioapic_line_open(line, false);
        return;
    }
    mask |= (uint16_t)(1u << line);
    mask_write();
}

/* Where the edge/level register says "level" the line is PCI's. */
static bool line_is_level(unsigned int line)
{
    return in8((uint16_t)(ELCR1 + line / 8)) & 1u << line % 8;
}

void interrupt_lines_spread(void)
{
    const struct cpu *cpu = &boot_cpu;
    for (unsigned int line = 0; line < INTERRUPT_LINES && cpu_count > 1; line++) {
        if (line == CLOCK_LINE || line == CASCADE_LINE || line_is_level(line) ||
            !ioapic_line_route(line, VECTOR_LINES + line, cpu))
            continue;
        bool open = !(mask & 1u << line);
        line_disable(line);
        lines[line].routed = true;
        if (open)
            line_enable(line);
        if (lines[line].handler)
            lines[line].handler(false); /* the old controller may have kept an edge: there is no other before somebody
                                           looks */
        cpu = cpu->next ? cpu->next : &boot_cpu;
    }
}

void interrupt_init(void)
{
    static const uint8_t sequence[2][4] = {{0x11, VECTOR_BASE, 1u << CASCADE_LINE, 0x01},
                                           {0x11, VECTOR_BASE + 8, CASCADE_LINE, 0x01}};
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
    device_intr_notification_t message =
        {.intr_header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
                         .msgh_size = align_up(sizeof message, 8ul),
                         .msgh_remote_port = (mach_port_t)port,
                         .msgh_id = DEVICE_INTR_NOTIFY},
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

/* The old controllers may raise others; LINE stays masked while drivers are at it. */
static void old_end(unsigned int line)
{
    if (!list_empty(&lines[line].listeners))
        line_disable(line);
    if (line >= 8)
        out8(PIC2, PIC_END);
    out8(PIC1, PIC_END);
}

void interrupt_taken(unsigned int vector, bool user)
{
    unsigned int line = vector - VECTOR_BASE;
    if (vector >= MSI_VECTOR_FIRST && vector <= MSI_VECTOR_LAST)
        msi_taken(vector);
    if (line >= INTERRUPT_LINES || (!lines[line].routed && spurious(line)))
        return;
    lines[line].taken++;
    if (lines[line].routed)
        apic_eoi();
    else
        old_end(line);
    if (lines[line].handler)
        lines[line].handler(user);
    if (list_empty(&lines[line].listeners))
        return;
    if (lines[line].routed && lines[line].pending)
        lines[line].again = true;
    else
        listeners_tell(line);
}

/* LINE is pending no more: what came meanwhile is told now. */
static void tell_again(unsigned int line)
{
    if (likely(!lines[line].again))
        return;
    lines[line].again = false;
    listeners_tell(line);
}

/* Who died without acknowledging does not keep the line from others. */
void interrupt_tick(void)
{
    for (unsigned int line = 0; line < INTERRUPT_LINES; line++) {
        if (likely(lines[line].pending == 0)) {
            tell_again(line);
            continue;
        }
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
            if (--lines[line].pending == 0) {
                line_enable(line);
                tell_again(line);
            }
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
            kprintf("  line %u%s: %lu interrupts%s, %u drivers%s\n", line, lines[line].routed ? " (I/O APIC)" : "",
                    lines[line].taken, lines[line].handler ? ", the kernel's" : "", listeners,
                    lines[line].pending ? ", waits to be acknowledged" : "");
    }
    msi_dump();
}
