/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The I/O APIC (Intel 82093AA; ACPI specification, 5.2.12 "MADT").

   Only lines of the old kind, edge-triggered and active high, are routed through it.  PCI's, which are level-triggered,
   firmware has routed to the old controllers; at which input of an I/O APIC they arrive is said by AML alone, which
   this kernel does not run.  Lock: the kernel lock. */

#include "ioapic.h"

#include "../../base/base.h"
#include "../../device/interrupt.h"
#include "../../vm/page.h"
#include "acpi.h"
#include "cpu.h"
#include "firmware.h"

#define REGISTER_SELECT 0x00
#define REGISTER_WINDOW 0x10
#define REGISTER_VERSION 1u
#define REGISTER_ENTRY 0x10u   /* the first of two words for each input */
#define ENTRY_MASKED 0x10000u  /* fixed delivery to one processor, edge-triggered, active high */
#define DESTINATION_MAX 254

static struct {
    volatile uint32_t *registers;
    uint32_t entry; /* number of its register's low word */
    uint32_t low;
} lines[INTERRUPT_LINES]; /* registers NULL: not routed */

static void register_write(volatile uint32_t *registers, uint32_t number, uint32_t value)
{
    registers[REGISTER_SELECT / 4] = number;
    registers[REGISTER_WINDOW / 4] = value;
}

static uint32_t inputs(volatile uint32_t *registers)
{
    registers[REGISTER_SELECT / 4] = REGISTER_VERSION;
    return (registers[REGISTER_WINDOW / 4] >> 16 & 0xff) + 1;
}

bool ioapic_line_route(unsigned int line, unsigned int vector, const struct cpu *cpu)
{
    struct acpi_line found;
    const struct acpi_header *madt = firmware_table("APIC");
    if (madt == NULL || !acpi_line_find(madt, line, &found) || found.level || found.low ||
        cpu->apic_id > DESTINATION_MAX)
        return false;
    volatile uint32_t *registers = phys_to_virt(found.controller);
    if (found.input >= inputs(registers))
        return false;
    lines[line].registers = registers;
    lines[line].entry = REGISTER_ENTRY + 2 * found.input;
    lines[line].low = ENTRY_MASKED | vector;
    register_write(registers, lines[line].entry, lines[line].low);
    register_write(registers, lines[line].entry + 1, cpu->apic_id << 24);
    return true;
}

void ioapic_line_open(unsigned int line, bool open)
{
    uint32_t low = (lines[line].low & ~ENTRY_MASKED) | (open ? 0 : ENTRY_MASKED);
    if (low == lines[line].low)
        return;
    lines[line].low = low;
    register_write(lines[line].registers, lines[line].entry, low);
}
