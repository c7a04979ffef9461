/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk over buses, sizing of regions and the capability list, on a configuration space made of bytes. */

#include "unit.h"

#include <pci/pci.h>

struct fake_function {
    struct pci_address address;
    uint8_t bytes[256];
    uint32_t masks[6]; /* bits of each base address register that can be set */
    uint32_t rom_mask;
};

struct fake {
    struct pci_bus bus;
    struct fake_function *functions;
    unsigned int count;
    unsigned int decoding_while_sizing;
};

static struct fake_function *fake_find(struct pci_bus *bus, struct pci_address address)
{
    struct fake *fake = (struct fake *)bus;
    for (unsigned int i = 0; i < fake->count; i++)
        if (memcmp(&fake->functions[i].address, &address, sizeof address) == 0)
            return &fake->functions[i];
    return NULL;
}

static error_t fake_read(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t *value,
                         unsigned int size)
{
    struct fake_function *function = fake_find(bus, address);
    *value = 0xffffffffu >> (32 - 8 * size);
    if (function) {
        *value = 0;
        memcpy(value, function->bytes + reg, size);
    }
    return 0;
}

static error_t fake_write(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t value,
                          unsigned int size)
{
    struct fake_function *function = fake_find(bus, address);
    if (!function)
        return 0;
    bool bar = reg >= 0x10 && reg < 0x28 && size == 4, rom = reg == 0x30 && size == 4;
    if ((bar || rom) && (function->bytes[4] & 3) && value >= 0xfffff800)
        ((struct fake *)bus)->decoding_while_sizing++;
    uint32_t old;
    memcpy(&old, function->bytes + reg, size);
    if (bar)
        value = (value & function->masks[(reg - 0x10) / 4]) | (old & ~function->masks[(reg - 0x10) / 4]);
    if (rom)
        value = (value & function->rom_mask) | (old & ~function->rom_mask);
    memcpy(function->bytes + reg, &value, size);
    return 0;
}

static const struct pci_bus_ops fake_ops = {.name = "fake", .read = fake_read, .write = fake_write};

static void put(struct fake_function *function, unsigned int reg, uint32_t value, unsigned int size)
{
    memcpy(function->bytes + reg, &value, size);
}

static void fake_function(struct fake_function *function, uint8_t bus, uint8_t device, uint8_t number, uint32_t id,
                          uint32_t class_code, uint8_t header)
{
    memset(function, 0, sizeof *function);
    function->address = (struct pci_address){.bus = bus, .device = device, .function = number};
    put(function, 0, id, 4);
    put(function, 8, class_code << 8 | 2, 4);
    put(function, 0xe, header, 1);
}

struct visited { struct pci_function list[32]; unsigned int count; };

static error_t collect(struct pci_bus *bus, const struct pci_function *function, void *arg)
{
    struct visited *visited = arg;
    (void)bus;
    visited->list[visited->count++] = *function;
    return visited->count == 32 ? E2BIG : 0;
}

/* Host bridge, bridge to bus 1 which claims to lead back to bus 0 behind it, a two-function device and one whose second
   function must not be seen. */
static unsigned int sample(struct fake_function *functions)
{
    fake_function(&functions[0], 0, 0, 0, 0x29c08086, 0x060000, 0);
    fake_function(&functions[1], 0, 2, 0, 0x12345678, 0x060400, 1);
    put(&functions[1], 0x19, 1, 1);
    fake_function(&functions[2], 0, 31, 0, 0x29188086, 0x060100, 0x80);
    fake_function(&functions[3], 0, 31, 2, 0x29228086, 0x010601, 0);
    put(&functions[3], 0x3c, 0x010a, 2);
    fake_function(&functions[4], 1, 0, 0, 0x1, 0x060400, 1);
    put(&functions[4], 0x19, 0, 1);
    fake_function(&functions[5], 1, 3, 0, 0x77778888, 0x020000, 0);
    fake_function(&functions[6], 1, 3, 1, 0x77778888, 0x020000, 0);
    return 7;
}

UNIT_TEST(walk_enters_each_bus_once)
{
    struct fake_function functions[7];
    struct fake fake = {.bus.ops = &fake_ops, .functions = functions, .count = sample(functions)};
    struct visited visited = {0};
    CHECK_EQ(pci_bus_walk(&fake.bus, collect, &visited), 0);
    CHECK_EQ(visited.count, 6);
    CHECK_EQ(visited.list[2].address.bus, 1);
    CHECK_EQ(visited.list[3].vendor_id, 0x8888);
    CHECK_EQ(visited.list[5].class_code, 0x010601);
    CHECK_EQ(visited.list[5].class_code >> 8, PCI_CLASS_SATA);
    CHECK_EQ(visited.list[5].irq_line, 10);
    CHECK_EQ(visited.list[5].irq_pin, 1);
}

UNIT_TEST(walk_ends_with_the_visitor)
{
    struct fake_function functions[7];
    struct fake fake = {.bus.ops = &fake_ops, .functions = functions, .count = sample(functions)};
    struct visited visited = {.count = 30};
    CHECK_EQ(pci_bus_walk(&fake.bus, collect, &visited), E2BIG);
}

UNIT_TEST(regions_are_sized_and_put_back)
{
    struct fake_function function;
    fake_function(&function, 0, 1, 0, 0x1, 0x010601, 0);
    put(&function, 4, 7, 2);
    function.masks[0] = 0xffffffe0;
    put(&function, 0x10, 0xc041, 4);
    function.masks[1] = 0xfffff000;
    put(&function, 0x14, 0xfebd1000, 4);
    function.masks[2] = 0xffe00000;
    put(&function, 0x18, 0xe000000c, 4);
    function.masks[3] = 0xffffffff;
    put(&function, 0x1c, 0x12, 4);
    function.masks[5] = 0xfffffffc; /* last register, says 64 bits: nothing follows */
    put(&function, 0x24, 0x4, 4);
    function.rom_mask = 0xffff0001;
    put(&function, 0x30, 0xfeb00000, 4);
    struct fake fake = {.bus.ops = &fake_ops, .functions = &function, .count = 1};
    struct pci_function probed;
    uint8_t before[256];
    memcpy(before, function.bytes, 256);
    CHECK_EQ(pci_function_probe(&fake.bus, function.address, &probed), 0);
    CHECK_EQ(pci_function_regions(&fake.bus, &probed), 0);
    CHECK(memcmp(before, function.bytes, 256) == 0);
    CHECK_EQ(fake.decoding_while_sizing, 0);
    CHECK(probed.regions[0].is_io);
    CHECK_EQ(probed.regions[0].base, 0xc040);
    CHECK_EQ(probed.regions[0].size, 32);
    CHECK_EQ(probed.regions[1].size, 4096);
    CHECK(probed.regions[2].is_64 && probed.regions[2].is_prefetchable);
    CHECK_EQ(probed.regions[2].base, 0x12e0000000);
    CHECK_EQ(probed.regions[2].size, 0x200000);
    CHECK_EQ(probed.regions[3].size, 0);
    CHECK(!probed.regions[5].is_64);
    CHECK_EQ(probed.rom_size, 0x10000);
    CHECK_EQ(probed.rom_base, 0xfeb00000);
}

UNIT_TEST(capabilities_are_found_and_loops_end)
{
    struct fake_function function;
    fake_function(&function, 0, 1, 0, 0x1, 0x010601, 0);
    put(&function, 6, 0x10, 2);
    put(&function, 0x34, 0x80, 1);
    put(&function, 0x80, 0xa805, 2);
    put(&function, 0xa8, 0x8012, 2);
    struct fake fake = {.bus.ops = &fake_ops, .functions = &function, .count = 1};
    struct pci_function probed;
    CHECK_EQ(pci_function_probe(&fake.bus, function.address, &probed), 0);
    CHECK_EQ(pci_function_capability(&fake.bus, &probed, 0x05), 0x80);
    CHECK_EQ(pci_function_capability(&fake.bus, &probed, 0x12), 0xa8);
    CHECK_EQ(pci_function_capability(&fake.bus, &probed, 0x10), 0);
    put(&function, 6, 0, 2);
    CHECK_EQ(pci_function_capability(&fake.bus, &probed, 0x05), 0);
}

UNIT_TEST(bytes_in_the_largest_steps_and_inside_the_space)
{
    struct fake_function function;
    fake_function(&function, 0, 1, 0, 0x12345678, 0x010601, 0);
    struct fake fake = {.bus.ops = &fake_ops, .functions = &function, .count = 1};
    uint8_t data[300];
    CHECK_EQ(pci_config_read_bytes(&fake.bus, function.address, 1, data, 10), 0);
    CHECK(memcmp(data, function.bytes + 1, 10) == 0);
    CHECK_EQ(pci_config_read_bytes(&fake.bus, function.address, 4000, data, 97), EINVAL);
    CHECK_EQ(pci_config_read_bytes(&fake.bus, function.address, 0xffffffff, data, 2), EINVAL);
    CHECK_EQ(pci_config_write_bytes(&fake.bus, function.address, 0x41, "hello", 5), 0);
    CHECK(memcmp(function.bytes + 0x41, "hello", 5) == 0);
    uint32_t value;
    CHECK_EQ(pci_config_read(&fake.bus, function.address, 2, &value, 4), EINVAL);
    CHECK_EQ(pci_config_read(&fake.bus, function.address, 4096, &value, 1), EINVAL);
    CHECK_EQ(pci_config_read(&fake.bus, function.address, 0, &value, 8), EINVAL);
}

/* ---- more root buses, more domains -------------------------------------------------- */

UNIT_TEST(walk_finds_root_buses_behind_more_host_bridges)
{
    struct fake_function functions[4];
    fake_function(&functions[0], 0, 0, 0, 0x29c08086, 0x060000, 0);
    fake_function(&functions[1], 0, 4, 0, 0x000b1b36, 0x060000, 0);
    fake_function(&functions[2], 128, 3, 0, 0x1, 0x060400, 1);
    put(&functions[2], 0x19, 129, 1);
    fake_function(&functions[3], 129, 0, 0, 0x77778888, 0x020000, 0);
    struct fake fake = {.bus.ops = &fake_ops, .functions = functions, .count = 4};
    struct visited visited = {0};
    CHECK_EQ(pci_bus_walk(&fake.bus, collect, &visited), 0);
    CHECK_EQ(visited.count, 4);
    CHECK_EQ(visited.list[3].address.bus, 129);
    put(&functions[1], 8, 0xff000000, 4); /* no host bridge: nobody looks there */
    visited.count = 0;
    CHECK_EQ(pci_bus_walk(&fake.bus, collect, &visited), 0);
    CHECK_EQ(visited.count, 2);
}

UNIT_TEST(walk_enters_other_domains_and_extends_express_functions)
{
    struct fake_function functions[2];
    fake_function(&functions[0], 0, 0, 0, 0x29c08086, 0x060000, 0);
    fake_function(&functions[1], 0x10, 2, 0, 0x77778888, 0x010802, 0);
    functions[1].address.domain = 3;
    put(&functions[1], 6, 0x10, 2);
    put(&functions[1], 0x34, 0x40, 1);
    put(&functions[1], 0x40, 0x0010, 2);
    static const struct pci_segment segments[] = {{.base = 1 << 20, .domain = 0, .last = 0xff},
                                                  {.base = 1 << 30, .domain = 3, .first = 0x10, .last = 0x1f}};
    struct fake fake = {.bus = {&fake_ops, segments, 2}, .functions = functions, .count = 2};
    struct visited visited = {0};
    CHECK_EQ(pci_bus_walk(&fake.bus, collect, &visited), 0);
    CHECK_EQ(visited.count, 2);
    CHECK_EQ(visited.list[1].address.domain, 3);
    CHECK_EQ(visited.list[1].config_size, 256);
    pci_function_extend(&fake.bus, &visited.list[1]);
    CHECK_EQ(visited.list[1].config_size, 4096);
    pci_function_extend(&fake.bus, &visited.list[0]);
    CHECK_EQ(visited.list[0].config_size, 256);
}

/* ---- ACPI ------------------------------------------------------------------------------ */

/* The first megabyte and what is above it, as firmware fills it. */
struct memory { uint8_t bytes[0x200000]; };

static error_t memory_read(void *arg, uint64_t address, void *data, size_t length)
{
    struct memory *memory = arg;
    if (address >= sizeof memory->bytes || length > sizeof memory->bytes - address)
        return EIO;
    memcpy(data, memory->bytes + address, length);
    return 0;
}

static void sum_set(uint8_t *bytes, size_t length, size_t place)
{
    uint8_t sum = 0;
    bytes[place] = 0;
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    bytes[place] = -sum;
}

static void table_put(struct memory *memory, size_t at, const char *name, uint32_t length)
{
    memcpy(memory->bytes + at, name, 4);
    memcpy(memory->bytes + at + 4, &length, 4);
    sum_set(memory->bytes + at, length, 9);
}

static struct memory *firmware(void)
{
    struct memory *memory = calloc(1, sizeof *memory);
    uint8_t *rsdp = memory->bytes + 0xf5a40, *rsdt = memory->bytes + 0x100000, *mcfg = memory->bytes + 0x101000;
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 16, &(uint32_t){0x100000}, 4);
    sum_set(rsdp, 20, 8);
    memcpy(rsdt + 36, &(uint32_t){0x102000}, 4); /* some other table */
    memcpy(rsdt + 40, &(uint32_t){0x101000}, 4);
    table_put(memory, 0x102000, "FACP", 36);
    table_put(memory, 0x100000, "RSDT", 44);
    static const struct { uint64_t base; uint16_t domain; uint8_t first, last; uint32_t reserved; } entries[] = {
        {0xe0000000, 1, 0, 0x3f, 0}, {0xb0000000, 0, 0, 0xff, 0}, {0xb0000001, 2, 0, 1, 0}, {0xc0000000, 4, 9, 8, 0}};
    memcpy(mcfg + 44, entries, sizeof entries);
    table_put(memory, 0x101000, "MCFG", 44 + sizeof entries);
    return memory;
}

UNIT_TEST(segments_are_found_and_damage_is_seen)
{
    struct memory *memory = firmware();
    struct pci_segment *segments;
    unsigned int count;
    CHECK_EQ(pci_segments_find(memory_read, memory, &segments, &count), 0);
    CHECK_EQ(count, 2); /* the crooked ones are left out */
    CHECK_EQ(segments[0].base, 0xb0000000);
    CHECK_EQ(segments[1].domain, 1);
    free(segments);
    static const size_t places[] = {0xf5a42, 0xf5a50, 0x100000, 0x100025, 0x10102c, 0x101004};
    for (unsigned int i = 0; i < sizeof places / sizeof *places; i++) {
        memory->bytes[places[i]] ^= 0x10;
        CHECK_EQ(pci_segments_find(memory_read, memory, &segments, &count), ENOENT);
        memory->bytes[places[i]] ^= 0x10;
    }
    memset(memory->bytes + 0x101004, 0xff, 4);
    CHECK_EQ(pci_segments_find(memory_read, memory, &segments, &count), ENOENT);
    free(memory);
}

/* ---- interrupts as messages ---------------------------------------------------------------- */

/* A function with both kinds; what the contract of interface/mach_msi.h gives. */
static const struct pci_msi_message message = {.address = 0xfee01000, .data = 0x51};

static struct pci_function message_function(struct fake_function *function)
{
    fake_function(function, 0, 1, 0, 0x1, 0x010802, 0);
    put(function, 6, 0x10, 2);
    put(function, 0x34, 0x50, 1);
    put(function, 0x50, 0x6005, 2); /* MSI */
    put(function, 0x52, 0x01b0, 2); /* 64 bits, masks, vectors enabled */
    put(function, 0x60, 0x0011, 2); /* MSI-X */
    put(function, 0x62, 3, 2);      /* 4 entries */
    put(function, 0x64, 0x2001, 4); /* region 1 */
    return (struct pci_function){.address = function->address,
                                 .regions = {[1] = {.base = 0xfe000000, .size = 0x4000}}};
}

UNIT_TEST(msix_has_one_entry_open)
{
    struct fake_function function;
    struct pci_function found = message_function(&function);
    struct fake fake = {.bus.ops = &fake_ops, .functions = &function, .count = 1};
    struct pci_msi msi;
    uint32_t table[16];
    memset(table, 0xff, sizeof table);
    CHECK_EQ(pci_msi_find(&fake.bus, &found, &msi), 0);
    CHECK(msi.entries == 4 && msi.region == 1 && msi.offset == 0x2000);
    CHECK_EQ(pci_msi_enable(&fake.bus, &found, &msi, &message, table), 0);
    CHECK(table[0] == 0xfee01000 && table[1] == 0 && table[2] == 0x51 && table[3] == 0);
    CHECK(table[7] == 1 && table[15] == 1);
    CHECK_EQ(function.bytes[0x63], 0x80);
    CHECK_EQ(function.bytes[5], 0x04); /* the line is off */
    pci_msi_disable(&fake.bus, &found, &msi);
    CHECK_EQ(function.bytes[0x63], 0);
    CHECK_EQ(function.bytes[5], 0);
}

UNIT_TEST(msi_where_the_table_of_msix_is_nowhere)
{
    struct fake_function function;
    struct pci_function found = message_function(&function);
    struct fake fake = {.bus.ops = &fake_ops, .functions = &function, .count = 1};
    struct pci_msi msi;
    found.regions[1].size = 0x2020;
    CHECK_EQ(pci_msi_find(&fake.bus, &found, &msi), 0);
    CHECK_EQ(msi.capability, 0x50);
    CHECK_EQ(pci_msi_enable(&fake.bus, &found, &msi, &message, NULL), 0);
    uint32_t words[4];
    memcpy(words, function.bytes + 0x54, 16);
    CHECK(words[0] == 0xfee01000 && words[1] == 0 && (words[2] & 0xffff) == 0x51 && words[3] == 0);
    CHECK(function.bytes[0x52] == 0x81);
    put(&function, 0x52, 0, 2); /* no 64 bits */
    struct pci_msi_message high = {.address = 1ull << 32 | 0xfee00000, .data = 1};
    CHECK_EQ(pci_msi_find(&fake.bus, &found, &msi), 0);
    CHECK_EQ(pci_msi_enable(&fake.bus, &found, &msi, &high, NULL), ENOTSUP);
    CHECK_EQ(pci_msi_enable(&fake.bus, &found, &msi, &message, NULL), 0);
    CHECK(function.bytes[0x5c] == 0x51 || function.bytes[0x5c - 4] == 0x51);
    put(&function, 0x34, 0, 1);
    CHECK_EQ(pci_msi_find(&fake.bus, &found, &msi), ENOENT);
}

UNIT_TEST(capabilities_that_come_several_times)
{
    struct fake_function function;
    fake_function(&function, 0, 1, 0, 0x1, 0x010000, 0);
    put(&function, 6, 0x10, 2);
    put(&function, 0x34, 0x40, 1);
    put(&function, 0x40, 0x5009, 2);
    put(&function, 0x50, 0x6011, 2);
    put(&function, 0x60, 0x7009, 2);
    put(&function, 0x70, 0x4009, 2); /* and round again */
    struct fake fake = {.bus.ops = &fake_ops, .functions = &function, .count = 1};
    struct pci_function probed = {.address = function.address};
    unsigned int reg = pci_function_capability(&fake.bus, &probed, PCI_CAP_VENDOR);
    CHECK_EQ(reg, 0x40);
    reg = pci_function_capability_next(&fake.bus, &probed, PCI_CAP_VENDOR, reg);
    CHECK_EQ(reg, 0x60);
    reg = pci_function_capability_next(&fake.bus, &probed, PCI_CAP_VENDOR, reg);
    CHECK_EQ(reg, 0x70);
    CHECK_EQ(pci_function_capability_next(&fake.bus, &probed, PCI_CAP_VENDOR, reg), 0);
    CHECK_EQ(pci_function_capability_next(&fake.bus, &probed, PCI_CAP_VENDOR, 0x44), 0);
}

UNIT_MAIN
