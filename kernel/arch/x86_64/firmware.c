/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding firmware's tables, and ACPI's way to switch off (ACPI specification, 4.8.3 "PM1 Control Registers", 7.4.2
   "Sleep states"). */

#include "firmware.h"

#include "../../base/base.h"
#include "../../boot/multiboot.h"
#include "../../vm/page.h"
#include "acpi.h"
#include "cpu.h"
#include "machine.h"

#define CONTROL_ENABLED 0x0001u /* of a PM1 control register: the operating system has it */
#define CONTROL_TYPE_SHIFT 10
#define CONTROL_TYPE_MASK 0x1c00u
#define CONTROL_SLEEP 0x2000u
#define ENABLE_LIMIT_MS 300

static const void *memory_map(uint64_t physical, size_t size)
{
    uint64_t limit = max(page_limit, 4ul << 30); /* what the direct map surely has */
    return physical < limit && size <= limit - physical ? phys_to_virt(physical) : NULL;
}

const struct acpi_header *firmware_table(const char signature[4])
{
    const void *root = boot_info.acpi_rsdp ? memory_map(boot_info.acpi_rsdp, boot_info.acpi_rsdp_size) : NULL;
    if (root == NULL || !acpi_root_check(root, boot_info.acpi_rsdp_size))
        root = boot_info.efi ? NULL : acpi_root_search(memory_map);
    return root ? acpi_table_find(memory_map, root, signature) : NULL;
}

uint16_t firmware_timer(unsigned int *bits)
{
    const struct acpi_header *fadt = firmware_table("FACP");
    return fadt ? acpi_timer_find(fadt, bits) : 0;
}

static uint16_t in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void sleep_begin(uint16_t port, uint8_t type)
{
    if (port)
        out16(port,
              (uint16_t)((in16(port) & ~CONTROL_TYPE_MASK) | (unsigned int)type << CONTROL_TYPE_SHIFT | CONTROL_SLEEP));
}

void firmware_power_off(void)
{
    struct acpi_power power;
    const struct acpi_header *fadt = firmware_table("FACP");
    if (fadt == NULL || !acpi_power_find(memory_map, fadt, &power))
        return;
    if (power.enable_port && !(in16(power.control_a) & CONTROL_ENABLED)) {
        out8(power.enable_port, power.enable_value);
        for (unsigned int i = 0; i < ENABLE_LIMIT_MS && !(in16(power.control_a) & CONTROL_ENABLED); i++)
            machine_delay(1000);
    }
    sleep_begin(power.control_a, power.type_a);
    sleep_begin(power.control_b, power.type_b);
    machine_delay(100000);
}
