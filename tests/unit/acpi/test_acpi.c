/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware's tables: found by the root pointer of either version, by search, and not believed when a length or a
   checksum is wrong. */

#include "unit.h"

#include "../../../kernel/arch/x86_64/acpi.h"

enum {
    MEMORY = 1 << 20,
    EBDA = 0x9fc00,
    BIOS = 0xf5a40,
    RSDT = 0x50000,
    XSDT = 0x51000,
    MADT = 0x52000,
    OTHER = 0x53000
};

static uint8_t memory[MEMORY];
static unsigned int visited[16], visited_count;

/* The table's end is poisoned memory for the sanitizer only as the array's; lengths are checked by what is read. */
static const void *map(uint64_t physical, size_t size)
{
    return physical < MEMORY && size <= MEMORY - physical ? memory + physical : NULL;
}

static void visit(uint32_t apic_id, void *cookie)
{
    (void)cookie;
    if (visited_count < 16)
        visited[visited_count++] = apic_id;
}

static uint8_t sum(const void *data, size_t size)
{
    uint8_t total = 0;
    for (size_t i = 0; i < size; i++)
        total = (uint8_t)(total + ((const uint8_t *)data)[i]);
    return total;
}

static struct acpi_header *table_make(uint64_t at, const char *signature, const void *body, uint32_t size)
{
    struct acpi_header *header = (struct acpi_header *)(memory + at);
    *header = (struct acpi_header){.length = (uint32_t)sizeof *header + size, .revision = 1};
    memcpy(header->signature, signature, 4);
    memcpy(header + 1, body, size);
    header->checksum = (uint8_t)-sum(header, header->length);
    return header;
}

static struct acpi_root *root_make(uint64_t at, uint8_t revision)
{
    struct acpi_root *root = (struct acpi_root *)(memory + at);
    *root = (struct acpi_root){.revision = revision, .rsdt = RSDT, .length = sizeof *root, .xsdt = XSDT};
    memcpy(root->signature, "RSD PTR ", 8);
    root->checksum = (uint8_t)-sum(root, 20);
    root->checksum_all = (uint8_t)-sum(root, sizeof *root);
    return root;
}

/* Two processors, one that is off, an interrupt controller, and one with a large number. */
static const uint8_t processors[] = {0, 0, 0xe0, 0xfe, 1, 0, 0, 0,               /* address, flags */
                                     0, 8, 0, 0, 1, 0, 0, 0,                     /* processor 0 */
                                     1, 12, 9, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,  /* I/O APIC */
                                     0, 8, 1, 4, 1, 0, 0, 0,                     /* processor with number 4 */
                                     0, 8, 2, 5, 0, 0, 0, 0,                     /* off */
                                     9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0}; /* number 300 */

static void tables_make(void)
{
    memset(memory, 0, sizeof memory);
    visited_count = 0;
    uint32_t narrow[] = {OTHER, MADT};
    uint64_t wide[] = {0, 1ull << 40, OTHER, MADT};
    table_make(OTHER, "FACP", "x", 1);
    table_make(MADT, "APIC", processors, sizeof processors);
    table_make(RSDT, "RSDT", narrow, sizeof narrow);
    table_make(XSDT, "XSDT", wide, sizeof wide);
}

static void processors_check(const struct acpi_header *madt)
{
    CHECK(madt != NULL);
    if (madt == NULL)
        return;
    CHECK(acpi_processors_visit(madt, visit, NULL));
    CHECK_EQ(visited_count, 3);
    CHECK_EQ(visited[0], 0);
    CHECK_EQ(visited[1], 4);
    CHECK_EQ(visited[2], 300);
}

UNIT_TEST(by_the_old_root)
{
    tables_make();
    struct acpi_root *root = root_make(BIOS & ~15, 0);
    memset(memory + XSDT, 0, 64);
    CHECK(acpi_root_check(root, 20));
    processors_check(acpi_table_find(map, root, "APIC"));
}

UNIT_TEST(by_the_new_root)
{
    tables_make();
    struct acpi_root *root = root_make(BIOS & ~15, 2);
    memset(memory + RSDT, 0, 64);
    processors_check(acpi_table_find(map, root, "APIC"));
}

UNIT_TEST(damaged_xsdt_falls_back)
{
    tables_make();
    struct acpi_root *root = root_make(BIOS & ~15, 2);
    memory[XSDT + 40]++;
    processors_check(acpi_table_find(map, root, "APIC"));
}

UNIT_TEST(searched_in_both_places)
{
    tables_make();
    CHECK(acpi_root_search(map) == NULL);
    root_make(BIOS & ~15, 0);
    CHECK(acpi_root_search(map) == (void *)(memory + (BIOS & ~15)));
    memory[0x40e] = (uint8_t)(EBDA >> 4);
    memory[0x40f] = (uint8_t)(EBDA >> 12);
    CHECK(acpi_root_search(map) == (void *)(memory + (BIOS & ~15)));
    root_make(EBDA + 0x40, 0);
    CHECK(acpi_root_search(map) == (void *)(memory + EBDA + 0x40));
    memory[EBDA + 0x40 + 9]++;
    CHECK(acpi_root_search(map) == (void *)(memory + (BIOS & ~15)));
}

UNIT_TEST(wrong_checksums)
{
    tables_make();
    struct acpi_root *root = root_make(BIOS & ~15, 0);
    root->checksum++;
    CHECK(!acpi_root_check(root, sizeof *root));
    CHECK(!acpi_root_check(root, 19));
    root = root_make(BIOS & ~15, 0);
    memory[MADT + 50]++;
    CHECK(acpi_table_find(map, root, "APIC") == NULL);
    CHECK(acpi_table_find(map, root, "FACP") != NULL);
    memory[RSDT + 9]++;
    CHECK(acpi_table_find(map, root, "FACP") == NULL);
}

UNIT_TEST(wrong_lengths)
{
    tables_make();
    struct acpi_root *root = root_make(BIOS & ~15, 0);
    struct acpi_header *madt = (struct acpi_header *)(memory + MADT);
    static const uint32_t lengths[] = {0, 1, sizeof *madt - 1, MEMORY, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        madt->length = lengths[i];
        CHECK(acpi_table_find(map, root, "APIC") == NULL);
    }
    root->rsdt = MEMORY - 8;
    CHECK(acpi_table_find(map, root, "APIC") == NULL);
    root->rsdt = 0;
    CHECK(acpi_table_find(map, root, "APIC") == NULL);
}

UNIT_TEST(damaged_entries)
{
    tables_make();
    uint8_t body[64];
    for (unsigned int size = 0; size < 256; size++) {
        memcpy(body, processors, sizeof processors < sizeof body ? sizeof processors : sizeof body);
        body[9] = (uint8_t)size; /* of the first entry */
        struct acpi_header *madt = table_make(MADT, "APIC", body, 40);
        bool possible = size >= 2 && size <= 32;
        if (!possible)
            CHECK(!acpi_processors_visit(madt, visit, NULL));
        else
            acpi_processors_visit(madt, visit, NULL);
    }
    visited_count = 0;
    CHECK(acpi_processors_visit(table_make(MADT, "APIC", processors, 8), visit, NULL));  /* no entries */
    CHECK(acpi_processors_visit(table_make(MADT, "APIC", processors, 9), visit, NULL));  /* half a head: ignored */
    CHECK_EQ(visited_count, 0);
}

UNIT_MAIN
