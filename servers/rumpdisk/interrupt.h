/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of adapters as calls of a function. */

#ifndef RUMPDISK_INTERRUPT_H
#define RUMPDISK_INTERRUPT_H

#include <errno.h>
#include <mach.h>
#include <stdbool.h>

struct pci_function;

/* The adapter has asked for attention, or another one on the same line: HANDLER looks and does not block for long.
   Called by one thread of the interrupt's own, for ever. */
typedef void (*interrupt_handler_t)(void *arg);

/* Has HANDLER called with ARG at each interrupt of line LINE (an ISA number, as PCI_INTERRUPT_LINE holds it), which may
   be shared. The kernel keeps the line shut until HANDLER has returned.  The kernel's error. */
error_t interrupt_line_attach(mach_port_t device_master, unsigned int line, interrupt_handler_t handler, void *arg);

/* The same for FUNCTION, whose regions are filled in: by messages where kernel and function have them
   (interface/mach_msi.h), else by its line. *MESSAGES tells which. ENXIO: it has neither. */
struct driver_environment;
error_t interrupt_attach(const struct driver_environment *environment, const struct pci_function *function,
                         interrupt_handler_t handler, void *arg, bool *messages);

#endif
