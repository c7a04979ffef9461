/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware's tables as the kernel reads them: root pointer, lists, processors, switching off; every length cut short,
   every byte changed. */

#include "../../../kernel/arch/x86_64/acpi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { ROOT = 0x1000, LIST = 0x2000, MADT = 0x3000, FADT = 0x4000, DSDT = 0x5000, FADT_LENGTH = 116 };

/* Physical memory: some tables, each malloc'd, so that the sanitizer sees a read behind it. */
static struct {
    uint64_t physical;
    size_t size;
    uint8_t *data;
} pieces[8];
static unsigned int piece_count;

static const void *map(uint64_t physical, size_t size)
{
    for (unsigned int i = 0; i < piece_count; i++)
        if (physical >= pieces[i].physical && physical - pieces[i].physical <= pieces[i].size &&
            size <= pieces[i].size - (physical - pieces[i].physical))
            return pieces[i].data + (physical - pieces[i].physical);
    return NULL;
}

static void begin(void)
{
    while (piece_count > 0)
        free(pieces[--piece_count].data);
}

static uint8_t *piece(uint64_t physical, size_t size)
{
    uint8_t *data = calloc(1, size);
    pieces[piece_count].physical = physical;
    pieces[piece_count].size = size;
    pieces[piece_count++].data = data;
    return data;
}

static void sum(uint8_t *data, size_t size, size_t where)
{
    uint8_t total = 0;
    data[where] = 0;
    for (size_t i = 0; i < size; i++)
        total = (uint8_t)(total + data[i]);
    data[where] = (uint8_t)-total;
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static uint8_t *table(uint64_t physical, const char *signature, const void *body, size_t body_size)
{
    size_t size = sizeof(struct acpi_header) + body_size;
    uint8_t *data = piece(physical, size);
    memcpy(data, signature, 4);
    put32(data + 4, (uint32_t)size);
    memcpy(data + sizeof(struct acpi_header), body, body_size);
    sum(data, size, 9);
    return data;
}

/* A machine with the four processors of QEMU's kind, and S5 as BODY (AML) says. */
static const struct acpi_root *machine(const void *aml, size_t aml_size)
{
    static const uint8_t madt[] = {0, 0, 0xe0, 0xfe, 1, 0, 0, 0, /* address, flags */
                                   /* processor 0, an I/O APIC */
                                   0, 8, 0, 0, 1, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
                                   0, 8, 1, 7, 1, 0, 0, 0, 0, 8, 2, 9, 0, 0, 0, 0}; /* 7 may be used, 9 may not */
    uint8_t list[8], fadt[FADT_LENGTH - sizeof(struct acpi_header)] = {0};
    begin();
    uint8_t *root = piece(ROOT, 20);
    memcpy(root, "RSD PTR ", 8);
    put32(root + 16, LIST);
    sum(root, 20, 8);
    put32(list, MADT);
    put32(list + 4, FADT);
    table(LIST, "RSDT", list, sizeof list);
    table(MADT, "APIC", madt, sizeof madt);
    put32(fadt + 40 - sizeof(struct acpi_header), DSDT);
    put32(fadt + 48 - sizeof(struct acpi_header), 0xb2);
    fadt[52 - sizeof(struct acpi_header)] = 2;
    put32(fadt + 64 - sizeof(struct acpi_header), 0x604);
    table(FADT, "FACP", fadt, sizeof fadt);
    table(DSDT, "DSDT", aml, aml_size);
    return (const struct acpi_root *)root;
}

static const uint8_t s5[] = {0x5b, 0x80, 0x08, '_',  'S',  '5',  '_',  0x12, 0x06,
                             0x04, 0x0a, 5,    0x01, 0x00, 0x00, 0xa4, 0x00};

static void visit(uint32_t apic_id, void *cookie)
{
    char *text = cookie;
    sprintf(text + strlen(text), "%u ", apic_id);
}

UNIT_TEST(tables)
{
    const struct acpi_root *root = machine(s5, sizeof s5);
    CHECK(acpi_root_check(root, 20));
    CHECK(!acpi_root_check(root, 19));
    CHECK(acpi_table_find(map, root, "APIC") == map(MADT, 44));
    CHECK(acpi_table_find(map, root, "HPET") == NULL);
}

UNIT_TEST(processors)
{
    char text[64] = "";
    CHECK(acpi_processors_visit(acpi_table_find(map, machine(s5, sizeof s5), "APIC"), visit, text));
    CHECK_STR(text, "0 7 ");
}

static bool power(const void *aml, size_t size, struct acpi_power *result)
{
    const struct acpi_header *fadt = acpi_table_find(map, machine(aml, size), "FACP");
    return fadt && acpi_power_find(map, fadt, result);
}

static const struct acpi_header *madt_with(const uint8_t *entries, size_t size)
{
    static uint8_t body[200];
    memset(body, 0, 8);
    memcpy(body + 8, entries, size);
    begin();
    return (const struct acpi_header *)table(MADT, "APIC", body, 8 + size);
}

UNIT_TEST(lines)
{
    struct acpi_line line;
    const struct acpi_header *madt = acpi_table_find(map, machine(s5, sizeof s5), "APIC");
    CHECK(acpi_line_find(madt, 4, &line) && line.controller == 0xfec00000 && line.input == 4 && !line.level &&
          !line.low);
    /* Two I/O APICs, the second first; line 0 at input 2, line 9 level-triggered and low at the second's input 1; one
       of another bus. */
    static const uint8_t entries[] = {1,    12,   1,  0, 0, 0, 0xd0, 0xfe, 24, 0,  0, 0, 1, 12, 0, 0, 0, 0,
                                      0xc0, 0xfe, 0,  0, 0, 0, 2,    10,   0,  0,  2, 0, 0, 0,  0, 0, 2, 10,
                                      0,    9,    25, 0, 0, 0, 0x0f, 0,    2,  10, 1, 5, 7, 0,  0, 0, 0, 0};
    madt = madt_with(entries, sizeof entries);
    CHECK(acpi_line_find(madt, 0, &line) && line.input == 2 && line.controller == 0xfec00000);
    CHECK(acpi_line_find(madt, 9, &line) && line.input == 1 && line.controller == 0xfed00000 && line.level && line.low);
    CHECK(acpi_line_find(madt, 5, &line) && line.input == 5 && !line.level);
    static const uint8_t none[] = {1, 12, 1, 0, 0, 0, 0xd0, 0xfe, 24, 0, 0, 0, 0, 1};
    CHECK(!acpi_line_find(madt_with(none, sizeof none), 4, &line));
    begin();
}

UNIT_TEST(timer)
{
    unsigned int bits = 0;
    const struct acpi_header *fadt = acpi_table_find(map, machine(s5, sizeof s5), "FACP");
    CHECK(acpi_timer_find(fadt, &bits) == 0); /* its length is 0 */
    uint8_t *data = pieces[3].data;
    put32(data + 76, 0x608);
    data[91] = 4;
    CHECK(acpi_timer_find((const struct acpi_header *)data, &bits) == 0x608 && bits == 24);
    data[113] = 1;
    CHECK(acpi_timer_find((const struct acpi_header *)data, &bits) == 0x608 && bits == 32);
    put32(data + 76, 0x10000);
    CHECK(acpi_timer_find((const struct acpi_header *)data, &bits) == 0);
    put32(data + 76, 0x608);
    put32(data + 4, FADT_LENGTH - 1);
    CHECK(acpi_timer_find((const struct acpi_header *)data, &bits) == 0);
}

UNIT_TEST(switching_off)
{
    struct acpi_power result;
    CHECK(power(s5, sizeof s5, &result));
    CHECK(result.control_a == 0x604 && result.control_b == 0 && result.type_a == 5 && result.type_b == 1);
    CHECK(result.enable_port == 0xb2 && result.enable_value == 2);
    static const uint8_t rooted[] = {0,    0,    0x08, '\\', '_',  'S', '5', '_', 0x12, 0x06,
                                     0x02, 0x0b, 7,    0,    0x0c, 6,   0,   0,   0};
    CHECK(power(rooted, sizeof rooted, &result));
    CHECK(result.type_a == 7 && result.type_b == 6);
}

UNIT_TEST(no_way_to_switch_off)
{
    struct acpi_power result;
    static const uint8_t method[] = {0, 0, 0x14, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 5, 0x0a, 5, 0, 0, 0};
    static const uint8_t one[] = {0, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x03, 0x01, 0x0a, 5, 0, 0, 0, 0, 0};
    CHECK(!power(method, sizeof method, &result));
    CHECK(!power(one, sizeof one, &result));
    CHECK(!power("", 0, &result));
    for (size_t size = 0; size < 12; size++)
        CHECK(!power(s5, size, &result));
}

/* A changed byte is found by the sum; with the sum made right again nothing is read that is not there. */
UNIT_TEST(damage)
{
    struct acpi_power result;
    char text[4096];
    for (unsigned int number = 1; number < 5; number++)
        for (size_t at = 0;; at++) {
            const struct acpi_root *root = machine(s5, sizeof s5);
            if (at >= pieces[number].size)
                break;
            for (unsigned int value = 0; value < 256; value += 5) {
                pieces[number].data[at] = (uint8_t)value;
                if (at < 4 || at > 7)
                    sum(pieces[number].data, pieces[number].size, 9);
                const struct acpi_header *fadt = acpi_table_find(map, root, "FACP"),
                                         *madt = acpi_table_find(map, root, "APIC");
                text[0] = 0;
                if (fadt)
                    (void)acpi_power_find(map, fadt, &result);
                struct acpi_line line;
                if (madt)
                    (void)acpi_processors_visit(madt, visit, text);
                for (unsigned int i = 0; madt && i < 16; i++)
                    (void)acpi_line_find(madt, i, &line);
            }
        }
    begin();
}

UNIT_MAIN
