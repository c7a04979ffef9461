/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the memory-mapped configuration space is: RSDP -> XSDT or RSDT -> MCFG.  Nothing the firmware wrote is believed
   beyond its own length and checksum; see pci.h. */

#include <pci/pci.h>

#include <stdlib.h>
#include <string.h>

#define EBDA_POINTER 0x40eu    /* a real-mode segment */
#define EBDA_SIZE 1024u        /* of it are searched */
#define BIOS_AREA 0xe0000u
#define BIOS_SIZE 0x20000u
#define RSDP_STEP 16u
#define RSDP_SIZE_1 20u        /* revision 0 */
#define RSDP_SIZE_2 36u
#define TABLE_HEADER 36u
#define TABLE_MAX (1u << 20)   /* a longer one is damaged: real ones have kilobytes */
#define MCFG_ENTRIES 44u       /* header and 8 reserved bytes */
#define MCFG_ENTRY 16u

struct reader {
    pci_physical_read_t read;
    void *arg;
};

static uint32_t word32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, 4);
    return value;
}

static uint64_t word64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
    return value;
}

static bool checksum_good(const uint8_t *bytes, size_t length)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    return sum == 0;
}

/* The RSDP in LENGTH bytes at AREA, or NULL. */
static const uint8_t *rsdp_search(const uint8_t *area, size_t length)
{
    for (size_t at = 0; at + RSDP_SIZE_2 <= length; at += RSDP_STEP)
        if (memcmp(area + at, "RSD PTR ", 8) == 0 && checksum_good(area + at, RSDP_SIZE_1))
            return area + at;
    return NULL;
}

static error_t rsdp_read(const struct reader *reader, uint64_t address, size_t length, uint8_t *rsdp)
{
    uint8_t *area = malloc(length);
    if (!area)
        return ENOMEM;
    error_t err = reader->read(reader->arg, address, area, length);
    const uint8_t *found = err ? NULL : rsdp_search(area, length);
    if (found)
        memcpy(rsdp, found, RSDP_SIZE_2);
    free(area);
    return err ? err : found ? 0 : ENOENT;
}

static error_t rsdp_find(const struct reader *reader, uint8_t *rsdp)
{
    error_t err = rsdp_read(reader, BIOS_AREA, BIOS_SIZE, rsdp);
    uint16_t segment;
    if (err && reader->read(reader->arg, EBDA_POINTER, &segment, sizeof segment) == 0 && segment >= 0x8000)
        err = rsdp_read(reader, (uint64_t)segment << 4, EBDA_SIZE, rsdp);
    return err;
}

/* The table at ADDRESS, malloc'd, if its name is SIGNATURE and it is undamaged. */
static error_t table_read(const struct reader *reader, uint64_t address, const char *signature, uint8_t **table,
                          size_t *length)
{
    uint8_t header[TABLE_HEADER];
    error_t err = reader->read(reader->arg, address, header, sizeof header);
    if (err)
        return err;
    *length = word32(header + 4);
    if (memcmp(header, signature, 4) != 0 || *length < TABLE_HEADER || *length > TABLE_MAX)
        return ENOENT;
    *table = malloc(*length);
    if (!*table)
        return ENOMEM;
    err = reader->read(reader->arg, address, *table, *length);
    if (!err && !checksum_good(*table, *length))
        err = ENOENT;
    if (err)
        free(*table);
    return err;
}

/* MCFG among the tables that LIST, whose entries are of SIZE bytes, points to. */
static error_t mcfg_find(const struct reader *reader, const uint8_t *list, size_t length, size_t size, uint8_t **mcfg,
                         size_t *mcfg_length)
{
    for (size_t at = TABLE_HEADER; at + size <= length; at += size) {
        uint64_t address = size == 8 ? word64(list + at) : word32(list + at);
        if (address != 0 && table_read(reader, address, "MCFG", mcfg, mcfg_length) == 0)
            return 0;
    }
    return ENOENT;
}

static int segment_compare(const void *a, const void *b)
{
    const struct pci_segment *x = a, *y = b;
    return x->domain != y->domain ? x->domain - y->domain : x->first - y->first;
}

static error_t segments_read(const uint8_t *mcfg, size_t length, struct pci_segment **result, unsigned int *count)
{
    size_t most = length < MCFG_ENTRIES ? 0 : (length - MCFG_ENTRIES) / MCFG_ENTRY;
    struct pci_segment *segments = calloc(most + 1, sizeof *segments);
    if (!segments)
        return ENOMEM;
    unsigned int used = 0;
    for (size_t i = 0; i < most; i++) {
        const uint8_t *entry = mcfg + MCFG_ENTRIES + i * MCFG_ENTRY;
        struct pci_segment segment = {.base = word64(entry), .domain = entry[8] | entry[9] << 8, .first = entry[10],
                                      .last = entry[11]};
        if (segment.base != 0 && segment.base % (1u << 20) == 0 && segment.base < (uint64_t)1 << 52
            && segment.first <= segment.last)
            segments[used++] = segment;
    }
    if (used == 0) {
        free(segments);
        return ENOENT;
    }
    qsort(segments, used, sizeof *segments, segment_compare);
    *result = segments;
    *count = used;
    return 0;
}

error_t pci_segments_find(pci_physical_read_t read, void *arg, struct pci_segment **segments, unsigned int *count)
{
    const struct reader reader = {read, arg};
    uint8_t rsdp[RSDP_SIZE_2], *list, *mcfg;
    size_t list_length, mcfg_length;
    error_t err = rsdp_find(&reader, rsdp);
    if (err)
        return ENOENT;
    bool wide = rsdp[15] >= 2 && checksum_good(rsdp, RSDP_SIZE_2) && word64(rsdp + 24) != 0;
    err = wide ? table_read(&reader, word64(rsdp + 24), "XSDT", &list, &list_length)
               : table_read(&reader, word32(rsdp + 16), "RSDT", &list, &list_length);
    if (err)
        return ENOENT;
    err = mcfg_find(&reader, list, list_length, wide ? 8 : 4, &mcfg, &mcfg_length);
    free(list);
    if (err)
        return ENOENT;
    err = segments_read(mcfg, mcfg_length, segments, count);
    free(mcfg);
    return err;
}
