/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware's tables (ACPI specification, chapter 5): finding one by its name, and the processors that the MADT lists.

   Pure: memory is read through a function of the caller, so a unit test runs it on the host.  Every pointer, length and
   checksum is checked before it is believed. */

#ifndef X86_64_ACPI_H
#define X86_64_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SIZE bytes at a physical address; NULL: they cannot be read. */
typedef const void *acpi_map(uint64_t physical, size_t size);

/* What every table begins with. */
struct acpi_header {
    char signature[4];
    uint32_t length; /* with this */
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

/* The root pointer: 20 bytes of version 1 or 36 of version 2. */
struct acpi_root {
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;  /* from here on version 2 */
    uint64_t xsdt;
    uint8_t checksum_all, reserved[3];
} __attribute__((packed));

/* Is ROOT, of which SIZE bytes can be read, a root pointer? */
bool acpi_root_check(const void *root, size_t size);
/* Looks for it where a BIOS has it: the extended BIOS data area, and 0xe0000 to 0xfffff.  NULL: not there. */
const struct acpi_root *acpi_root_search(acpi_map *map);
/* The table SIGNATURE, whole and with a right checksum; NULL: none. */
const struct acpi_header *acpi_table_find(acpi_map *map, const struct acpi_root *root, const char signature[4]);

/* Calls VISIT with the local interrupt controller's number of each processor in MADT that may be used.  False: an
   entry's length is not possible; those before it were visited. */
bool acpi_processors_visit(const struct acpi_header *madt, void (*visit)(uint32_t apic_id, void *cookie), void *cookie);

/* Where an interrupt line of the old kind (ISA) comes out. */
struct acpi_line {
    uint32_t controller; /* physical address of the I/O APIC */
    uint32_t input;      /* which of its inputs; how many it has it says itself */
    bool level, low;     /* level-triggered, active low */
};
/* LINE (0 to 15) by MADT's overrides; without one at the input of its own number, edge-triggered and active high.
   False: no I/O APIC has it. */
bool acpi_line_find(const struct acpi_header *madt, unsigned int line, struct acpi_line *result);

/* The I/O port of the timer that FADT (the table "FACP") names, and how many bits it counts; 0: none. */
uint16_t acpi_timer_find(const struct acpi_header *fadt, unsigned int *bits);

/* How the machine is switched off. */
struct acpi_power {
    uint16_t control_a, control_b; /* I/O ports of the PM1 control registers; control_b may be 0 */
    uint8_t type_a, type_b;        /* what goes into them for the sleep state S5 */
    uint16_t enable_port;          /* 0: ACPI is on from the start; else ENABLE_VALUE there turns it on */
    uint8_t enable_value;
};
/* What FADT (the table "FACP") and the DSDT that it names say of it.  False: they do not. */
bool acpi_power_find(acpi_map *map, const struct acpi_header *fadt, struct acpi_power *power);

#endif
