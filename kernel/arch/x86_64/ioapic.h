/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The I/O APIC: interrupt lines to any processor. */

#ifndef X86_64_IOAPIC_H
#define X86_64_IOAPIC_H

#include <stdbool.h>

struct cpu;

/* From now on LINE raises VECTOR on CPU, once it is opened; false: firmware's tables name no I/O APIC that has it, or
   it is not edge-triggered there. */
bool ioapic_line_route(unsigned int line, unsigned int vector, const struct cpu *cpu);
/* Lets the routed LINE through, or not.  What comes while it does not is lost. */
void ioapic_line_open(unsigned int line, bool open);

#endif
