/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Message-signalled interrupts for drivers in user space: the device "msi" (interface/mach_msi.h says what a driver
   sees).

   Each device_open makes a device of its own, which gets a vector when device_get_status asks for it and lives as long
   as somebody has a right to it.  Its interrupt becomes one message in the driver's port, which stands for all that
   come until it is received. */

#ifndef DEVICE_MSI_H
#define DEVICE_MSI_H

#include "device.h"

#define MSI_VECTOR_FIRST 0x30
#define MSI_VECTOR_LAST 0xdf

extern const struct device_ops msi_ops;

/* VECTOR, from MSI_VECTOR_FIRST to MSI_VECTOR_LAST, came. */
void msi_taken(unsigned int vector);
/* For the debugger: each vector in use, and how many interrupts came by it. */
void msi_dump(void);

#endif
