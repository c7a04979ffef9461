/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt lines, and who hears of them: the kernel's own clock, keyboard and serial line, and drivers in user
   space. */

#ifndef DEVICE_INTERRUPT_H
#define DEVICE_INTERRUPT_H

#include <mach/kern_return.h>
#include <stdbool.h>

struct ipc_port;
struct cpu;
struct thread;
struct task;

#define INTERRUPT_LINES 16

void interrupt_init(void);
/* The other processors run: each edge-triggered line that an I/O APIC has goes to one of them. */
void interrupt_lines_spread(void);
/* The kernel handles LINE itself; USER: it came in user mode. */
void interrupt_attach(unsigned int line, void (*handler)(bool user));
/* An interrupt came on VECTOR. */
void interrupt_taken(unsigned int vector, bool user);

/* Drivers in user space: the device "irq".  Each port that is registered for a line hears of each interrupt; the line
   stays masked until all who were told have acknowledged. */

/* Tells PORT (a send right, which stays) of interrupt ID. */
void interrupt_notify(struct ipc_port *port, int id);
/* For the debugger: who hears of interrupts, and how many came. */
void interrupt_dump(void);

/* Once a tick: lines that wait for drivers who have died. */
void interrupt_tick(void);
/* Once a tick: the adjustment of the wall clock. */
void host_tick(void);

/* ---- I/O ports of a task (io_perm.c) ---------------------------------------------------- */

void io_bitmap_load(struct cpu *cpu, struct thread *next);
/* The first SIZE bytes of TASK's map: a bit a port, 1: forbidden. */
void io_bitmap_read(const struct task *task, void *bits, size_t size);
void io_bitmap_inherit(struct task *task, struct task *parent);
void io_bitmap_drop(struct task *task);
void io_perm_no_senders(struct ipc_port *port);

#endif
