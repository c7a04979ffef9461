/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts for drivers (device_intr_register, device_intr_ack on the device "irq") and I/O ports (mach_i386.defs,
   i386_io_perm_*). */

#include <device/device.h>
#include <device/notify.h>
#include <mach/machine/mach_i386.h>

#include "messages.h"
#include "rights.h"

#include "../../interface/mach_msi.h"

#define LINE 5 /* nobody has it */

static mach_port_t irq_open(void)
{
    mach_port_t device = MACH_PORT_NULL;
    EXPECT(device_open(device_master, D_READ | D_WRITE, (char *)"irq", &device), D_SUCCESS);
    return device;
}

static kern_return_t register_line(mach_port_t irq, int line, mach_port_t port)
{
    return device_intr_register(irq, line, 0, port, MACH_MSG_TYPE_MAKE_SEND);
}

CASE(register_lines_that_are_none)
{
    mach_port_t irq = irq_open(), port = port_create();
    OBSERVE(register_line(irq, -1, port));
    OBSERVE(register_line(irq, 1000, port));
    OBSERVE(register_line(irq, 0x7fffffff, port));
    mach_port_deallocate(mach_task_self(), irq);
    port_destroy(port);
}

CASE_OURS(register_no_port)
{
    mach_port_t irq = irq_open(), dead = port_create_dead();
    OBSERVE(device_intr_register(irq, LINE, 0, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND));
    OBSERVE(device_intr_register(irq, LINE, 0, dead, MACH_MSG_TYPE_COPY_SEND));
    mach_port_deallocate(mach_task_self(), irq);
    port_destroy(dead);
}

CASE(register_on_another_device)
{
    mach_port_t time = MACH_PORT_NULL, port = port_create();
    EXPECT(device_open(device_master, D_READ, (char *)"time", &time), D_SUCCESS);
    OBSERVE(register_line(time, LINE, port));
    OBSERVE(device_intr_ack(time, port, MACH_MSG_TYPE_MAKE_SEND));
    mach_port_deallocate(mach_task_self(), time);
    port_destroy(port);
}

CASE(register_and_die)
{
    mach_port_t irq = irq_open(), port = port_create();
    EXPECT(register_line(irq, LINE, port), D_SUCCESS);
    OBSERVE(receive_within(port, 20));
    port_destroy(port);
    port = port_create();
    EXPECT(register_line(irq, LINE, port), D_SUCCESS);
    port_destroy(port);
    mach_port_deallocate(mach_task_self(), irq);
}

CASE(acknowledge_what_did_not_come)
{
    mach_port_t irq = irq_open(), port = port_create();
    OBSERVE(device_intr_ack(irq, port, MACH_MSG_TYPE_MAKE_SEND));
    EXPECT(register_line(irq, LINE, port), D_SUCCESS);
    OBSERVE(device_intr_ack(irq, port, MACH_MSG_TYPE_MAKE_SEND));
    port_destroy(port);
    mach_port_deallocate(mach_task_self(), irq);
}

CASE(acknowledge_no_port)
{
    mach_port_t irq = irq_open();
    OBSERVE(device_intr_ack(irq, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND));
    mach_port_deallocate(mach_task_self(), irq);
}

/* ---- interrupts that come: the battery-backed clock's periodic ones ------------------------------- */

#define CLOCK_LINE 8
#define CLOCK_INDEX 0x70
#define CLOCK_DATA 0x71
enum { CLOCK_A = 10, CLOCK_B = 11, CLOCK_C = 12 };
#define CLOCK_RATE_64 0x2a     /* in register A: 64 a second */
#define CLOCK_PERIODIC 0x40    /* in register B */

static inline void clock_write(uint8_t index, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(index), "Nd"((uint16_t)CLOCK_INDEX));
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"((uint16_t)CLOCK_DATA));
}

static inline uint8_t clock_read(uint8_t index)
{
    uint8_t value;
    __asm__ volatile("outb %0, %1" : : "a"(index), "Nd"((uint16_t)CLOCK_INDEX));
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"((uint16_t)CLOCK_DATA));
    return value;
}

/* Rights to the clock's ports, and its interrupts on; clock_end gives up both. */
static mach_port_t clock_begin(void)
{
    mach_port_t permission = MACH_PORT_NULL;
    if (!EXPECT(i386_io_perm_create(device_master, CLOCK_INDEX, CLOCK_DATA, &permission), KERN_SUCCESS))
        return MACH_PORT_NULL;
    EXPECT(i386_io_perm_modify(mach_task_self(), permission, TRUE), KERN_SUCCESS);
    clock_write(CLOCK_A, CLOCK_RATE_64);
    clock_write(CLOCK_B, clock_read(CLOCK_B) | CLOCK_PERIODIC);
    clock_read(CLOCK_C);
    return permission;
}

static void clock_end(mach_port_t permission)
{
    clock_write(CLOCK_B, clock_read(CLOCK_B) & ~CLOCK_PERIODIC);
    clock_read(CLOCK_C);
    EXPECT(i386_io_perm_modify(mach_task_self(), permission, FALSE), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), permission);
}

/* The clock has been seen to, and PORT's owner is ready for the next. */
static kern_return_t seen(mach_port_t irq, mach_port_t port)
{
    clock_read(CLOCK_C);
    return device_intr_ack(irq, port, MACH_MSG_TYPE_MAKE_SEND);
}

/* The next interrupt's notification.  The clock raises its line again only when its register C has been read: should an
   edge have been lost, as on a machine that runs by fits and starts, reading it makes another. */
static mach_msg_return_t interrupt_receive(mach_port_t port)
{
    mach_msg_return_t mr = MACH_RCV_TIMED_OUT;
    for (int tries = 0; tries < 100 && mr == MACH_RCV_TIMED_OUT; tries++) {
        mr = receive_within(port, 1000);
        if (mr == MACH_RCV_TIMED_OUT)
            clock_read(CLOCK_C);
    }
    return mr;
}

CASE(interrupt_notification)
{
    mach_port_t irq = irq_open(), port = port_create(), clock = clock_begin();
    EXPECT(register_line(irq, CLOCK_LINE, port), D_SUCCESS);
    EXPECT(interrupt_receive(port), MACH_MSG_SUCCESS);
    const device_intr_notification_t *message = (device_intr_notification_t *)received();
    EXPECT(message->intr_header.msgh_id, DEVICE_INTR_NOTIFY);
    EXPECT(message->id, CLOCK_LINE);
    OBSERVE(message->intr_header.msgh_size);
    OBSERVE(message->intr_header.msgh_bits);
    OBSERVE(message->intr_header.msgh_remote_port);
    EXPECT(seen(irq, port), D_SUCCESS);
    clock_end(clock);
    port_destroy(port);
    mach_port_deallocate(mach_task_self(), irq);
}

CASE(interrupt_comes_again_after_acknowledgement_only)
{
    mach_port_t irq = irq_open(), port = port_create(), clock = clock_begin();
    EXPECT(register_line(irq, CLOCK_LINE, port), D_SUCCESS);
    EXPECT(interrupt_receive(port), MACH_MSG_SUCCESS);
    EXPECT(receive_within(port, 200), MACH_RCV_TIMED_OUT);
    for (int i = 0; i < 5; i++) {
        EXPECT(seen(irq, port), D_SUCCESS);
        EXPECT(interrupt_receive(port), MACH_MSG_SUCCESS);
    }
    EXPECT(seen(irq, port), D_SUCCESS);
    clock_end(clock);
    port_destroy(port);
    mach_port_deallocate(mach_task_self(), irq);
}

CASE(interrupt_of_two_listeners)
{
    mach_port_t irq = irq_open(), one = port_create(), two = port_create();
    EXPECT(register_line(irq, CLOCK_LINE, one), D_SUCCESS);
    EXPECT(register_line(irq, CLOCK_LINE, two), D_SUCCESS);
    mach_port_t clock = clock_begin(); /* now: an interrupt between the two would be of one alone */
    for (int i = 0; i < 3; i++) {
        EXPECT(interrupt_receive(one), MACH_MSG_SUCCESS);
        EXPECT(interrupt_receive(two), MACH_MSG_SUCCESS);
        EXPECT(seen(irq, one), D_SUCCESS);
        /* Not before both have. */
        EXPECT(receive_within(one, 100), MACH_RCV_TIMED_OUT);
        EXPECT(seen(irq, two), D_SUCCESS);
    }
    clock_end(clock);
    port_destroy(one);
    port_destroy(two);
    mach_port_deallocate(mach_task_self(), irq);
}

CASE(interrupt_of_one_who_dies_unacknowledged)
{
    mach_port_t irq = irq_open(), one = port_create(), two = port_create();
    EXPECT(register_line(irq, CLOCK_LINE, one), D_SUCCESS);
    EXPECT(register_line(irq, CLOCK_LINE, two), D_SUCCESS);
    mach_port_t clock = clock_begin(); /* now: an interrupt between the two would be of one alone */
    EXPECT(interrupt_receive(two), MACH_MSG_SUCCESS);
    EXPECT(seen(irq, two), D_SUCCESS);
    port_destroy(one);
    clock_read(CLOCK_C);
    EXPECT(interrupt_receive(two), MACH_MSG_SUCCESS);
    seen(irq, two);
    clock_end(clock);
    port_destroy(two);
    mach_port_deallocate(mach_task_self(), irq);
}

/* ---- I/O ports -------------------------------------------------------------------------------- */

#define DELAY_PORT 0x80 /* of the firmware's progress codes: harmless */

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

CASE(io_perm_is_given_and_taken)
{
    mach_port_t permission = MACH_PORT_NULL;
    REQUIRE(i386_io_perm_create(device_master, DELAY_PORT, DELAY_PORT, &permission), KERN_SUCCESS);
    EXPECT(i386_io_perm_modify(mach_task_self(), permission, TRUE), KERN_SUCCESS);
    out8(DELAY_PORT, 0);
    EXPECT(i386_io_perm_modify(mach_task_self(), permission, FALSE), KERN_SUCCESS);
    EXPECT(i386_io_perm_modify(mach_task_self(), permission, FALSE), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), permission);
}

CASE(io_perm_of_a_turned_range)
{
    mach_port_t permission = MACH_PORT_NULL;
    OBSERVE(i386_io_perm_create(device_master, 0x81, 0x80, &permission));
}

CASE(io_perm_without_privilege)
{
    mach_port_t permission = MACH_PORT_NULL;
    OBSERVE(i386_io_perm_create(mach_host_self(), DELAY_PORT, DELAY_PORT, &permission));
    OBSERVE(i386_io_perm_create(host_priv, DELAY_PORT, DELAY_PORT, &permission));
    OBSERVE(i386_io_perm_create(mach_task_self(), DELAY_PORT, DELAY_PORT, &permission));
}

CASE(io_perm_of_pci_configuration)
{
    mach_port_t first = MACH_PORT_NULL, second = MACH_PORT_NULL;
    REQUIRE(i386_io_perm_create(device_master, 0xcf8, 0xcff, &first), KERN_SUCCESS);
    mach_port_t kept = first;
    EXPECT(i386_io_perm_create(device_master, 0xcf8, 0xcff, &second), KERN_PROTECTION_FAILURE);
    EXPECT(i386_io_perm_create(device_master, 0xcfc, 0xcfc, &second), KERN_PROTECTION_FAILURE);
    EXPECT(i386_io_perm_create(device_master, 0, 0xffff, &second), KERN_PROTECTION_FAILURE);
    OBSERVE(i386_io_perm_create(device_master, 0xcf0, 0xcf7, &second));
    mach_port_deallocate(mach_task_self(), second);
    OBSERVE(i386_io_perm_create(device_master, 0xd00, 0xd00, &second));
    mach_port_deallocate(mach_task_self(), second);
    mach_port_deallocate(mach_task_self(), kept);
}

CASE_OURS(io_perm_of_pci_configuration_again)
{
    mach_port_t permission = MACH_PORT_NULL;
    pause_ms(20);
    REQUIRE(i386_io_perm_create(device_master, 0xcf8, 0xcff, &permission), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), permission);
}

CASE(io_perm_of_one_port)
{
    mach_port_t permission = MACH_PORT_NULL;
    EXPECT(i386_io_perm_create(device_master, 0xffff, 0xffff, &permission), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), permission);
    EXPECT(i386_io_perm_create(device_master, 0, 0, &permission), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), permission);
}

CASE_OURS(io_perm_modify_errors)
{
    mach_port_t permission = MACH_PORT_NULL;
    REQUIRE(i386_io_perm_create(device_master, DELAY_PORT, DELAY_PORT, &permission), KERN_SUCCESS);
    OBSERVE(i386_io_perm_modify(permission, permission, TRUE));
    OBSERVE(i386_io_perm_modify(mach_task_self(), mach_task_self(), TRUE));
    OBSERVE(i386_io_perm_modify(mach_task_self(), MACH_PORT_NULL, TRUE));
    OBSERVE(i386_io_perm_modify(mach_thread_self(), permission, TRUE));
    mach_port_deallocate(mach_task_self(), permission);
}

static void touch(void *argument)
{
    out8(DELAY_PORT, 0);
    send_empty(*(mach_port_t *)argument, 42);
}

CASE(io_port_with_permission)
{
    mach_port_t port = port_create_with_send(), permission = MACH_PORT_NULL;
    struct child child;
    child_create(&child, touch, &port);
    EXPECT(mach_port_insert_right(child.task, port, port, MACH_MSG_TYPE_COPY_SEND), KERN_SUCCESS);
    if (EXPECT(i386_io_perm_create(device_master, DELAY_PORT, DELAY_PORT, &permission), KERN_SUCCESS)) {
        EXPECT(i386_io_perm_modify(child.task, permission, TRUE), KERN_SUCCESS);
        mach_port_deallocate(mach_task_self(), permission);
    }
    child_start(&child);
    EXPECT(receive_within(port, 10000), MACH_MSG_SUCCESS);
    CHECK(child_join(&child));
    port_destroy(port);
}

/* A message-signalled vector (interface/mach_msi.h): nothing raises it here. */
CASE_OURS(message_vectors)
{
    mach_port_t first = MACH_PORT_NULL, second = MACH_PORT_NULL, port = port_create();
    int status[MSI_ALLOCATE_COUNT], again[MSI_ALLOCATE_COUNT];
    mach_msg_type_number_t count = MSI_ALLOCATE_COUNT - 1;
    REQUIRE(device_open(device_master, D_READ | D_WRITE, (char *)MACH_MSI_DEVICE, &first), D_SUCCESS);
    REQUIRE(device_open(device_master, D_READ | D_WRITE, (char *)MACH_MSI_DEVICE, &second), D_SUCCESS);
    CHECK(first != second);
    EXPECT(device_get_status(first, MSI_ALLOCATE, status, &count), D_INVALID_SIZE);
    EXPECT(device_get_status(first, DEV_GET_SIZE, status, &count), D_INVALID_OPERATION);
    EXPECT(device_intr_register(first, 0, 0, port, MACH_MSG_TYPE_MAKE_SEND), D_INVALID_OPERATION);
    count = MSI_ALLOCATE_COUNT;
    EXPECT(device_get_status(first, MSI_ALLOCATE, status, &count), D_SUCCESS);
    EXPECT(device_get_status(first, MSI_ALLOCATE, again, &count), D_SUCCESS);
    CHECK(status[MSI_ALLOCATE_VECTOR] == again[MSI_ALLOCATE_VECTOR]);
    EXPECT(device_get_status(second, MSI_ALLOCATE, again, &count), D_SUCCESS);
    CHECK(status[MSI_ALLOCATE_VECTOR] != again[MSI_ALLOCATE_VECTOR]);
    EXPECT((unsigned int)status[MSI_ALLOCATE_DATA] >> 16, 0);
    EXPECT(device_intr_register(first, again[MSI_ALLOCATE_VECTOR], 0, port, MACH_MSG_TYPE_MAKE_SEND),
           D_INVALID_OPERATION);
    EXPECT(device_intr_register(first, status[MSI_ALLOCATE_VECTOR], 0, port, MACH_MSG_TYPE_MAKE_SEND), D_SUCCESS);
    EXPECT(device_intr_register(first, status[MSI_ALLOCATE_VECTOR], 0, port, MACH_MSG_TYPE_MAKE_SEND), D_ALREADY_OPEN);
    EXPECT(device_intr_ack(first, port, MACH_MSG_TYPE_MAKE_SEND), D_SUCCESS);
    mach_port_deallocate(mach_task_self(), first);
    mach_port_deallocate(mach_task_self(), second);
    port_destroy(port);
}

/* More than there are, and all free again. */
CASE_OURS(message_vectors_run_out)
{
    enum { MOST = 300 };
    static mach_port_t devices[MOST];
    for (int round = 0; round < 2; round++) {
        int got = 0, status[MSI_ALLOCATE_COUNT];
        kern_return_t kr = D_SUCCESS;
        for (; kr == D_SUCCESS && got < MOST; got++) {
            mach_msg_type_number_t count = MSI_ALLOCATE_COUNT;
            REQUIRE(device_open(device_master, D_READ | D_WRITE, (char *)MACH_MSI_DEVICE, &devices[got]), D_SUCCESS);
            kr = device_get_status(devices[got], MSI_ALLOCATE, status, &count);
        }
        EXPECT(kr, D_NO_MEMORY);
        EXPECT(got, 177);
        while (got > 0)
            mach_port_deallocate(mach_task_self(), devices[--got]);
    }
}
