/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration space by any back end: accesses, the walk over buses and bridges, base addresses, capabilities. */

#include <pci/pci.h>

#include <string.h>

#define BUSES 256

/* ---- accesses ---------------------------------------------------------------- */

static bool access_valid(struct pci_address address, unsigned int reg, unsigned int size)
{
    if (size != 1 && size != 2 && size != 4)
        return false;
    return address.device < 32 && address.function < 8 && reg % size == 0 && reg + size <= PCI_CONFIG_SIZE;
}

error_t pci_config_read(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t *value,
                        unsigned int size)
{
    if (!access_valid(address, reg, size))
        return EINVAL;
    return bus->ops->read(bus, address, reg, value, size);
}

error_t pci_config_write(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t value,
                         unsigned int size)
{
    if (!access_valid(address, reg, size))
        return EINVAL;
    return bus->ops->write(bus, address, reg, value, size);
}

/* The largest access at REG that is aligned and not longer than LEFT bytes. */
static unsigned int step_size(unsigned int reg, size_t left)
{
    if (reg % 4 == 0 && left >= 4)
        return 4;
    return reg % 2 == 0 && left >= 2 ? 2 : 1;
}

error_t pci_config_read_bytes(struct pci_bus *bus, struct pci_address address, unsigned int reg, void *data,
                              size_t length)
{
    if (reg > PCI_CONFIG_SIZE || length > PCI_CONFIG_SIZE - reg)
        return EINVAL;
    for (uint8_t *to = data; length > 0;) {
        unsigned int size = step_size(reg, length);
        uint32_t value;
        error_t err = pci_config_read(bus, address, reg, &value, size);
        if (err)
            return err;
        memcpy(to, &value, size);
        to += size;
        reg += size;
        length -= size;
    }
    return 0;
}

error_t pci_config_write_bytes(struct pci_bus *bus, struct pci_address address, unsigned int reg, const void *data,
                               size_t length)
{
    if (reg > PCI_CONFIG_SIZE || length > PCI_CONFIG_SIZE - reg)
        return EINVAL;
    for (const uint8_t *from = data; length > 0;) {
        unsigned int size = step_size(reg, length);
        uint32_t value = 0;
        memcpy(&value, from, size);
        error_t err = pci_config_write(bus, address, reg, value, size);
        if (err)
            return err;
        from += size;
        reg += size;
        length -= size;
    }
    return 0;
}

/* ---- functions ---------------------------------------------------------------- */

error_t pci_function_probe(struct pci_bus *bus, struct pci_address address, struct pci_function *function)
{
    uint32_t id, class_code, header;
    error_t err = pci_config_read(bus, address, PCI_VENDOR_ID, &id, 4);
    if (err)
        return err;
    if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
        return ENXIO;
    err = pci_config_read(bus, address, PCI_REVISION, &class_code, 4);
    if (!err)
        err = pci_config_read(bus, address, PCI_HEADER_TYPE, &header, 1);
    uint32_t irq = 0, secondary = 0;
    if (!err)
        err = pci_config_read(bus, address, PCI_INTERRUPT_LINE, &irq, 2);
    if (!err && (header & 0x7f) == 1)
        err = pci_config_read(bus, address, PCI_SECONDARY_BUS, &secondary, 1);
    if (err)
        return err;
    *function = (struct pci_function){
        .address = address,
        .vendor_id = id & 0xffff,
        .device_id = id >> 16,
        .class_code = class_code >> 8,
        .revision = class_code & 0xff,
        .header_type = header & 0x7f,
        .secondary = secondary,
        .irq_line = irq & 0xff,
        .irq_pin = irq >> 8,
    };
    return 0;
}

struct walk {
    struct pci_bus *bus;
    pci_visit_t visit;
    void *arg;
    bool seen[BUSES]; /* each bus is entered once: a bridge may claim any number */
};

static error_t walk_bus(struct walk *walk, uint16_t domain, uint8_t number);

static error_t walk_function(struct walk *walk, struct pci_address address, bool *present)
{
    struct pci_function function;
    error_t err = pci_function_probe(walk->bus, address, &function);
    *present = err == 0;
    if (err)
        return err == ENXIO ? 0 : err;
    err = walk->visit(walk->bus, &function, walk->arg);
    if (!err && function.header_type == 1 && function.class_code >> 8 == PCI_CLASS_BRIDGE_PCI)
        err = walk_bus(walk, address.domain, function.secondary);
    return err;
}

static error_t walk_device(struct walk *walk, struct pci_address address)
{
    bool present;
    error_t err = walk_function(walk, address, &present);
    if (err || !present)
        return err;
    uint32_t header;
    err = pci_config_read(walk->bus, address, PCI_HEADER_TYPE, &header, 1);
    if (err || !(header & PCI_HEADER_MULTI))
        return err;
    for (address.function = 1; !err && address.function < 8; address.function++)
        err = walk_function(walk, address, &present);
    return err;
}

/* Depth is bounded by the number of buses, each entered once. */
static error_t walk_bus(struct walk *walk, uint16_t domain, uint8_t number)
{
    if (walk->seen[number])
        return 0;
    walk->seen[number] = true;
    error_t err = 0;
    for (unsigned int device = 0; !err && device < 32; device++)
        err = walk_device(walk, (struct pci_address){.domain = domain, .bus = number, .device = device});
    return err;
}

error_t pci_bus_walk(struct pci_bus *bus, pci_visit_t visit, void *arg)
{
    if (bus->ops->walk)
        return bus->ops->walk(bus, visit, arg);
    struct walk walk = {.bus = bus, .visit = visit, .arg = arg};
    error_t err = walk_bus(&walk, 0, 0);
    /* A host bridge with several functions has one root bus behind each of them. */
    uint32_t header = 0;
    if (!err)
        err = pci_config_read(bus, (struct pci_address){0}, PCI_HEADER_TYPE, &header, 1);
    for (uint8_t root = 1; !err && header != 0xff && (header & PCI_HEADER_MULTI) && root < 8; root++) {
        uint32_t id;
        err = pci_config_read(bus, (struct pci_address){.function = root}, PCI_VENDOR_ID, &id, 2);
        if (!err && id != 0xffff)
            err = walk_bus(&walk, 0, root);
    }
    return err;
}

/* ---- regions ------------------------------------------------------------------- */

/* Writes ones to a base address register and puts its value back: *VALUE as it was, *MASK what stuck. */
static error_t register_size(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t ones,
                             uint32_t *value, uint32_t *mask)
{
    error_t err = pci_config_read(bus, address, reg, value, 4);
    if (!err)
        err = pci_config_write(bus, address, reg, ones, 4);
    if (err)
        return err;
    err = pci_config_read(bus, address, reg, mask, 4);
    error_t restored = pci_config_write(bus, address, reg, *value, 4);
    return err ? err : restored;
}

/* Size that a register with MASK stuck decodes: its lowest address bit. */
static uint64_t mask_size(uint64_t mask)
{
    return mask & -mask;
}

/* Fills regions[INDEX]; *USED: how many registers it takes. */
static error_t region_read(struct pci_bus *bus, struct pci_function *function, unsigned int index, unsigned int count,
                           unsigned int *used)
{
    struct pci_region *region = &function->regions[index];
    uint32_t value, mask;
    *used = 1;
    error_t err = register_size(bus, function->address, PCI_BAR0 + 4 * index, 0xffffffff, &value, &mask);
    if (err || mask == 0 || mask == 0xffffffff)
        return err;
    if (value & 1) {
        /* I/O: the upper half may be hard-wired to zero. */
        region->is_io = true;
        region->base = value & ~3u;
        region->size = mask_size(mask & 0xfffc);
        return 0;
    }
    region->is_prefetchable = value & 8;
    region->is_64 = (value & 6) == 4 && index + 1 < count;
    uint64_t base = value & ~15u, bits = mask & ~15u;
    if (region->is_64) {
        uint32_t high, high_mask;
        *used = 2;
        err = register_size(bus, function->address, PCI_BAR0 + 4 * (index + 1), 0xffffffff, &high, &high_mask);
        if (err)
            return err;
        base |= (uint64_t)high << 32;
        bits |= (uint64_t)high_mask << 32;
    }
    region->base = base;
    region->size = mask_size(bits);
    return 0;
}

static error_t rom_read(struct pci_bus *bus, struct pci_function *function)
{
    if (function->header_type > 1)
        return 0;
    uint32_t value, mask;
    unsigned int reg = function->header_type == 1 ? PCI_ROM_BRIDGE : PCI_ROM;
    error_t err = register_size(bus, function->address, reg, 0xfffff800, &value, &mask);
    if (err)
        return err;
    function->rom_base = value & 0xfffff800;
    function->rom_size = mask_size(mask & 0xfffff800);
    return 0;
}

error_t pci_function_regions(struct pci_bus *bus, struct pci_function *function)
{
    if (bus->ops->regions)
        return bus->ops->regions(bus, function);
    unsigned int count = function->header_type == 0 ? 6 : function->header_type == 1 ? 2 : 1;
    uint32_t command;
    memset(function->regions, 0, sizeof function->regions);
    error_t err = pci_config_read(bus, function->address, PCI_COMMAND, &command, 2);
    if (err)
        return err;
    /* Nothing may decode the ones that are about to be written. A bridge goes on: what is behind it is in use. */
    if (function->header_type == 0)
        err = pci_config_write(bus, function->address, PCI_COMMAND,
                               command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY), 2);
    for (unsigned int index = 0, used; !err && index < count; index += used)
        err = region_read(bus, function, index, count, &used);
    if (!err)
        err = rom_read(bus, function);
    error_t restored = pci_config_write(bus, function->address, PCI_COMMAND, command, 2);
    return err ? err : restored;
}

unsigned int pci_function_capability(struct pci_bus *bus, const struct pci_function *function, uint8_t id)
{
    uint32_t status, entry;
    if (pci_config_read(bus, function->address, PCI_STATUS, &status, 2) || !(status & PCI_STATUS_CAPABILITIES)
        || pci_config_read(bus, function->address, PCI_CAPABILITIES, &entry, 1))
        return 0;
    /* 48 entries fill configuration space: a longer list loops. */
    for (unsigned int reg = entry & ~3u, count = 0; reg >= 0x40 && count < 48; reg = entry >> 8 & ~3u, count++) {
        if (pci_config_read(bus, function->address, reg, &entry, 2))
            return 0;
        if ((entry & 0xff) == id)
            return reg;
    }
    return 0;
}

error_t pci_function_command(struct pci_bus *bus, const struct pci_function *function, uint16_t set, uint16_t clear)
{
    uint32_t command;
    error_t err = pci_config_read(bus, function->address, PCI_COMMAND, &command, 2);
    uint32_t wanted = (command | set) & ~(uint32_t)clear & 0xffff;
    if (!err && wanted != command)
        err = pci_config_write(bus, function->address, PCI_COMMAND, wanted, 2);
    return err;
}

void pci_bus_destroy(struct pci_bus *bus)
{
    if (bus && bus->ops->destroy)
        bus->ops->destroy(bus);
}
