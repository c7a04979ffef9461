/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware's tables in this machine's memory, and what they are good for beside processors: switching off. */

#ifndef X86_64_FIRMWARE_H
#define X86_64_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

struct acpi_header;

/* ACPI's table SIGNATURE, checked; NULL: there is none, or nothing to find it by. */
const struct acpi_header *firmware_table(const char signature[4]);
/* The I/O port of ACPI's timer, which counts 3,579,545 times a second with so many BITS; 0: there is none. */
uint16_t firmware_timer(unsigned int *bits);
/* Switches the machine off (ACPI's sleep state S5).  Comes back if firmware's tables do not say how, or it does not
   help. */
void firmware_power_off(void);

#endif
