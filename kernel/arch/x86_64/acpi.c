/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading firmware's tables. */

#include "acpi.h"

#include "../../base/base.h"

#define ROOT_SIZE_1 20
#define TABLE_MAX (1u << 20) /* longer ones are rubbish */
#define EBDA_SEGMENT 0x40e
#define EBDA_SEARCHED 1024
#define BIOS_START 0xe0000ul
#define BIOS_END 0x100000ul

#define MADT_ENTRIES 44      /* where they begin */
#define MADT_LOCAL_APIC 0
#define MADT_LOCAL_X2APIC 9
#define MADT_IO_APIC 1
#define MADT_OVERRIDE 2
#define OVERRIDE_POLARITY 3u   /* bits of an override's flags: 0 as the bus, which is high */
#define OVERRIDE_LOW 3u
#define OVERRIDE_TRIGGER 0xcu  /* 0 as the bus, which is edges */
#define OVERRIDE_LEVEL 0xcu
#define APIC_ENABLED 1u

static bool sum_is_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

bool acpi_root_check(const void *data, size_t size)
{
    const struct acpi_root *root = data;
    return size >= ROOT_SIZE_1 && memcmp(root->signature, "RSD PTR ", 8) == 0 && sum_is_zero(root, ROOT_SIZE_1);
}

/* The root pointer in [START, START + SIZE), at a multiple of 16. */
static const struct acpi_root *search(acpi_map *map, uint64_t start, size_t size)
{
    const char *area = map(start, size);
    for (size_t at = 0; area && at + sizeof(struct acpi_root) <= size; at += 16)
        if (acpi_root_check(area + at, size - at))
            return (const struct acpi_root *)(area + at);
    return NULL;
}

const struct acpi_root *acpi_root_search(acpi_map *map)
{
    const uint8_t *segment = map(EBDA_SEGMENT, 2);
    uint64_t area = segment ? (uint64_t)(segment[0] | segment[1] << 8) << 4 : 0;
    const struct acpi_root *root = area ? search(map, area, EBDA_SEARCHED) : NULL;
    return root ? root : search(map, BIOS_START, BIOS_END - BIOS_START);
}

/* The whole table at PHYSICAL, if it is one and is named SIGNATURE. */
static const struct acpi_header *table_map(acpi_map *map, uint64_t physical, const char signature[4])
{
    const struct acpi_header *header = physical ? map(physical, sizeof *header) : NULL;
    if (header == NULL || memcmp(header->signature, signature, 4))
        return NULL;
    uint32_t length = header->length;
    if (length < sizeof *header || length > TABLE_MAX)
        return NULL;
    header = map(physical, length);
    return header && sum_is_zero(header, length) ? header : NULL;
}

/* Looks through the tables that LIST points to, by pointers of WIDTH bytes. */
static const struct acpi_header *list_search(acpi_map *map, const struct acpi_header *list, size_t width,
                                             const char signature[4])
{
    const uint8_t *pointers = (const uint8_t *)(list + 1), *end = (const uint8_t *)list + list->length;
    for (; pointers + width <= end; pointers += width) {
        const struct acpi_header *table = table_map(map, width == 8 ? get64(pointers) : get32(pointers), signature);
        if (table)
            return table;
    }
    return NULL;
}

const struct acpi_header *acpi_table_find(acpi_map *map, const struct acpi_root *root, const char signature[4])
{
    const struct acpi_header *list = NULL;
    if (root->revision >= 2 && root->length >= sizeof *root && root->length <= 4096 && sum_is_zero(root, sizeof *root))
        list = table_map(map, root->xsdt, "XSDT");
    if (list)
        return list_search(map, list, 8, signature);
    list = table_map(map, root->rsdt, "RSDT");
    return list ? list_search(map, list, 4, signature) : NULL;
}

/* The entry of MADT behind the one at AT (0: the first); 0: there is none, or its length is not possible. */
static uint32_t entry_next(const struct acpi_header *madt, uint32_t at)
{
    const uint8_t *table = (const uint8_t *)madt;
    uint32_t next = at ? at + table[at + 1] : MADT_ENTRIES;
    return next + 2 <= madt->length && table[next + 1] >= 2 && table[next + 1] <= madt->length - next ? next : 0;
}

bool acpi_line_find(const struct acpi_header *madt, unsigned int line, struct acpi_line *result)
{
    uint32_t input = line, flags = 0, base = 0;
    bool found = false;
    for (uint32_t at = 0; (at = entry_next(madt, at));) {
        const uint8_t *entry = (const uint8_t *)madt + at;
        if (entry[0] == MADT_OVERRIDE && entry[1] >= 10 && entry[2] == 0 && entry[3] == line) {
            input = get32(entry + 4);
            flags = entry[8];
        }
    }
    for (uint32_t at = 0; (at = entry_next(madt, at));) {
        const uint8_t *entry = (const uint8_t *)madt + at;
        if (entry[0] != MADT_IO_APIC || entry[1] < 12 || get32(entry + 8) > input || (found && get32(entry + 8) < base))
            continue;
        found = true;
        base = get32(entry + 8);
        *result = (struct acpi_line){.controller = get32(entry + 4),
                                     .input = input - base,
                                     .level = (flags & OVERRIDE_TRIGGER) == OVERRIDE_LEVEL,
                                     .low = (flags & OVERRIDE_POLARITY) == OVERRIDE_LOW};
    }
    return found;
}

bool acpi_processors_visit(const struct acpi_header *madt, void (*visit)(uint32_t apic_id, void *cookie), void *cookie)
{
    const uint8_t *table = (const uint8_t *)madt;
    uint32_t at = MADT_ENTRIES;
    while (at + 2 <= madt->length) {
        const uint8_t *entry = table + at;
        uint32_t size = entry[1];
        if (size < 2 || size > madt->length - at)
            return false;
        if (entry[0] == MADT_LOCAL_APIC && size >= 8 && (get32(entry + 4) & APIC_ENABLED))
            visit(entry[3], cookie);
        else if (entry[0] == MADT_LOCAL_X2APIC && size >= 16 && (get32(entry + 8) & APIC_ENABLED))
            visit(get32(entry + 4), cookie);
        at += size;
    }
    return true;
}

/* ---- the timer ------------------------------------------------------------------------------ */

#define FADT_TIMER 76        /* offsets in the table */
#define FADT_TIMER_LENGTH 91
#define FADT_FLAGS 112
#define FADT_SIZE_1 116      /* of version 1 */
#define FLAG_TIMER_32 0x100u /* it counts 32 bits, not 24 */

uint16_t acpi_timer_find(const struct acpi_header *fadt, unsigned int *bits)
{
    const uint8_t *bytes = (const uint8_t *)fadt;
    if (fadt->length < FADT_SIZE_1 || bytes[FADT_TIMER_LENGTH] != 4 || get32(bytes + FADT_TIMER) > UINT16_MAX)
        return 0;
    *bits = get32(bytes + FADT_FLAGS) & FLAG_TIMER_32 ? 32 : 24;
    return (uint16_t)get32(bytes + FADT_TIMER);
}

/* ---- switching off ------------------------------------------------------------------------- */

#define FADT_DSDT 40         /* offsets in the table */
#define FADT_SMI_COMMAND 48
#define FADT_ACPI_ENABLE 52
#define FADT_CONTROL_A 64
#define FADT_CONTROL_B 68
#define FADT_DSDT_64 140

/* AML's encoding (ACPI specification, chapter 20). */
enum {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_NAME = 0x08,
    AML_BYTE = 0x0a,
    AML_WORD = 0x0b,
    AML_DWORD = 0x0c,
    AML_PACKAGE = 0x12
};

/* The integer constant at *AT, less than END; moves behind it. */
static bool aml_integer(const uint8_t **at, const uint8_t *end, uint8_t *value)
{
    const uint8_t *a = *at;
    size_t size = a < end ? (*a == AML_BYTE ? 2 : *a == AML_WORD ? 3 : *a == AML_DWORD ? 5 : *a <= AML_ONE ? 1 : 0) : 0;
    if (size == 0 || (size_t)(end - a) < size)
        return false;
    *value = size == 1 ? *a : a[1];
    *at = a + size;
    return true;
}

/* The package behind the name \_S5: its first two elements. */
static bool sleep_types(const uint8_t *at, const uint8_t *end, uint8_t *type_a, uint8_t *type_b)
{
    if (end - at < 3 || *at != AML_PACKAGE)
        return false;
    size_t length_bytes = (at[1] >> 6) + 1u; /* the package's length, then the number of its elements */
    if ((size_t)(end - at) < 2 + length_bytes)
        return false;
    uint8_t count = at[1 + length_bytes];
    at += 2 + length_bytes;
    return count >= 2 && aml_integer(&at, end, type_a) && aml_integer(&at, end, type_b);
}

bool acpi_power_find(acpi_map *map, const struct acpi_header *fadt, struct acpi_power *power)
{
    const uint8_t *bytes = (const uint8_t *)fadt;
    if (fadt->length < FADT_SIZE_1)
        return false;
    *power = (struct acpi_power){.control_a = (uint16_t)get32(bytes + FADT_CONTROL_A),
                                 .control_b = (uint16_t)get32(bytes + FADT_CONTROL_B),
                                 .enable_port = (uint16_t)get32(bytes + FADT_SMI_COMMAND),
                                 .enable_value = bytes[FADT_ACPI_ENABLE]};
    if (power->enable_value == 0)
        power->enable_port = 0;
    const struct acpi_header *dsdt = fadt->length >= FADT_DSDT_64 + 8
                                         ? table_map(map, get64(bytes + FADT_DSDT_64), "DSDT")
                                         : NULL;
    if (dsdt == NULL)
        dsdt = table_map(map, get32(bytes + FADT_DSDT), "DSDT");
    if (dsdt == NULL || power->control_a == 0)
        return false;
    const uint8_t *start = (const uint8_t *)(dsdt + 1), *end = (const uint8_t *)dsdt + dsdt->length;
    for (const uint8_t *at = start + 2; end - at > 8; at++)
        if (memcmp(at, "_S5_", 4) == 0 && (at[-1] == AML_NAME || (at[-1] == '\\' && at[-2] == AML_NAME)) &&
            sleep_types(at + 4, end, &power->type_a, &power->type_b))
            return true;
    return false;
}
