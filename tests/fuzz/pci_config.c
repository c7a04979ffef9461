/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: any bytes as the configuration space of a machine, and as its ACPI tables.  Each 256 bytes of the
   input are a function, and a byte before them says where it is; the walk, the sizing of regions, capabilities, message
   interrupts and the arbiter's tree must end, inside their memory.

   Sources: lib/pci/scan.c lib/pci/acpi.c lib/pci/msi.c servers/pci-arbiter/tree.c servers/pci-arbiter/scope.c
   Max: 8192 */

#include <stdlib.h>
#include <string.h>

#include "../../servers/pci-arbiter/scope.h"
#include "../../servers/pci-arbiter/tree.h"

#define FUNCTION_BYTES 257u
#define VISITS_MAX 4096u /* addresses may alias, but are 65,536 at most */

static uint8_t *bytes;
static size_t size;
static unsigned int visits;

/* Where a function is: bus in the upper bits, device in the lower; function 0 or 7. */
static uint8_t *places[256];

static void places_fill(void)
{
    memset(places, 0, sizeof places);
    for (size_t at = 0; at + FUNCTION_BYTES <= size; at += FUNCTION_BYTES)
        if (!places[bytes[at]])
            places[bytes[at]] = bytes + at + 1;
}

static uint8_t *function_find(struct pci_address address)
{
    if (address.domain != 0 || address.bus >= 8 || address.device >= 16 || address.function % 7 != 0)
        return NULL;
    return places[address.bus << 5 | address.device << 1 | address.function / 7];
}

static error_t fuzz_read(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t *value,
                         unsigned int length)
{
    uint8_t *function = function_find(address);
    (void)bus;
    *value = 0xffffffffu >> (32 - 8 * length);
    if (function && reg + length <= 256) {
        *value = 0;
        memcpy(value, function + reg, length);
    }
    return 0;
}

static error_t fuzz_write(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t value,
                          unsigned int length)
{
    uint8_t *function = function_find(address);
    (void)bus;
    if (function && reg + length <= 256)
        memcpy(function + reg, &value, length);
    return 0;
}

static const struct pci_bus_ops ops = {.name = "fuzz", .read = fuzz_read, .write = fuzz_write};

static error_t visit(struct pci_bus *bus, const struct pci_function *found, void *arg)
{
    struct pci_function function = *found;
    struct pci_msi msi;
    uint32_t table[4 * 2048];
    pci_function_extend(bus, &function);
    pci_function_regions(bus, &function);
    if (pci_msi_find(bus, &function, &msi) == 0)
        pci_msi_enable(bus, &function, &msi, &(struct pci_msi_message){.address = 0xfee00000, .data = 1}, table);
    unsigned int reg = 0;
    while ((reg = pci_function_capability_next(bus, &function, PCI_CAP_VENDOR, reg)) != 0)
        ;
    error_t err = tree_add(arg, &function);
    return err && err != EEXIST ? err : visits++ > VISITS_MAX ? E2BIG : 0;
}

/* The input is where the RSDP is looked for and where that may point to; there is nothing else. */
static error_t physical_read(void *arg, uint64_t address, void *data, size_t length)
{
    (void)arg;
    memset(data, 0, length);
    if (address >= 1u << 21 || length > (1u << 21) - address)
        return EIO;
    if (address >= 0xe0000 && address - 0xe0000 < size)
        memcpy(data, bytes + (address - 0xe0000),
               length < size - (address - 0xe0000) ? length : size - (address - 0xe0000));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    struct pci_segment *segments = NULL;
    struct tree tree;
    struct tree_node *node;
    struct scopes scopes;
    const char *above;
    unsigned int count = 0;
    bytes = malloc(length + 1);
    size = length;
    visits = 0;
    memcpy(bytes, data, length);
    bytes[length] = 0;
    /* A word in front says what the rest is. */
    if (length > 0 && data[0] == '-' && scopes_parse((char *)bytes, length + 1, &scopes) == 0)
        scopes_destroy(&scopes);
    if (length < 8 || data[0] != 'R' || pci_segments_find(physical_read, NULL, &segments, &count))
        count = 0;
    places_fill();
    struct pci_bus bus = {.ops = &ops, .segments = segments, .segment_count = count < 4 ? count : 4};
    if (tree_create(&tree) == 0) {
        pci_bus_walk(&bus, visit, &tree);
        tree_lookup(tree.root, (char *)bytes, &node, &above);
        tree_destroy(&tree);
    }
    free(segments);
    free(bytes);
    return 0;
}
