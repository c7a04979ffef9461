/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A processor's local interrupt controller: its timer, and interrupts from one processor to another. */

#ifndef X86_64_APIC_H
#define X86_64_APIC_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

/* There is one, and apic_init has set it up. */
extern bool apic_present;

/* Finds the boot processor's controller and sets it up, in x2APIC mode if it has that: the lines of the old interrupt
   controllers go through it.  Without one apic_present stays false and the kernel says so. */
void apic_init(void);
/* Measures the local timers' clock; waits about 30 ms. */
void apic_timer_measure(void);
/* Sets up this processor's own, and starts its timer: VECTOR_TICK, HZ times a second. */
void apic_start_here(void);

/* The highest number that a processor can have to be sent interrupts: above 254 only in x2APIC mode. */
uint32_t apic_id_max(void);

/* The interrupt that came through the controller is done with. */
void apic_eoi(void);
/* VECTOR_APIC or above came; the kernel lock is held. */
void apic_interrupt(unsigned int vector, bool user);

/* Sends VECTOR to CPU. */
void apic_send(const struct cpu *cpu, unsigned int vector);
/* Sends a non-maskable interrupt to all the others. */
void apic_send_nmi_others(void);
/* The start sequence for the processor APIC_ID: it begins in real mode at the physical address START, a page below 1
   MiB. */
void apic_send_start(uint32_t apic_id, uint64_t start);

#endif
