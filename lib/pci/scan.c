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
    return address.device < 32 && address.function < 8 && reg % size == 0 && reg <= PCI_CONFIG_EXTENDED - size;
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
    if (reg > PCI_CONFIG_EXTENDED || length > PCI_CONFIG_EXTENDED - reg)
        return EINVAL;
    if (bus->ops->read_bytes)
        return bus->ops->read_bytes(bus, address, reg, data, length);
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
    if (reg > PCI_CONFIG_EXTENDED || length > PCI_CONFIG_EXTENDED - reg)
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

/* The parts of the header that pci_function_probe looks at, in their places in HEADER: one request where the bus is
   another task's, else few accesses, since nearly every address that a walk asks has nothing behind it. ENXIO for that.
   */
static error_t header_read(struct pci_bus *bus, struct pci_address address, uint8_t *header)
{
    static const uint8_t registers[] = {PCI_REVISION, PCI_HEADER_TYPE & ~3, PCI_SECONDARY_BUS & ~3, PCI_INTERRUPT_LINE};
    uint32_t id, value;
    error_t err = bus->ops->read_bytes ? pci_config_read_bytes(bus, address, 0, header, PCI_HEADER_SIZE)
                                       : pci_config_read(bus, address, PCI_VENDOR_ID, (uint32_t *)header, 4);
    if (err)
        return err;
    memcpy(&id, header, 4);
    if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
        return ENXIO;
    for (unsigned int i = 0; !err && !bus->ops->read_bytes && i < sizeof registers; i++) {
        err = pci_config_read(bus, address, registers[i], &value, 4);
        memcpy(header + registers[i], &value, 4);
    }
    return err;
}

static bool segment_covers(const struct pci_bus *bus, struct pci_address address)
{
    for (unsigned int i = 0; i < bus->segment_count; i++) {
        const struct pci_segment *segment = &bus->segments[i];
        if (segment->domain == address.domain && segment->first <= address.bus && address.bus <= segment->last)
            return true;
    }
    return false;
}

error_t pci_function_probe(struct pci_bus *bus, struct pci_address address, struct pci_function *function)
{
    _Alignas(uint32_t) uint8_t header[PCI_HEADER_SIZE] = {0};
    error_t err = header_read(bus, address, header);
    if (err)
        return err;
    *function = (struct pci_function){
        .address = address,
        .vendor_id = header[PCI_VENDOR_ID] | header[PCI_VENDOR_ID + 1] << 8,
        .device_id = header[PCI_DEVICE_ID] | header[PCI_DEVICE_ID + 1] << 8,
        .class_code = header[PCI_REVISION + 1] | header[PCI_REVISION + 2] << 8 | header[PCI_REVISION + 3] << 16,
        .revision = header[PCI_REVISION],
        .header_type = header[PCI_HEADER_TYPE] & 0x7f,
        .irq_line = header[PCI_INTERRUPT_LINE],
        .irq_pin = header[PCI_INTERRUPT_PIN],
        .config_size = PCI_CONFIG_SIZE,
    };
    if (function->header_type == 1)
        function->secondary = header[PCI_SECONDARY_BUS];
    return 0;
}

void pci_function_extend(struct pci_bus *bus, struct pci_function *function)
{
    if (segment_covers(bus, function->address) && pci_function_capability(bus, function, PCI_CAP_EXPRESS) != 0)
        function->config_size = PCI_CONFIG_EXTENDED;
}

struct walk {
    struct pci_bus *bus;
    pci_visit_t visit;
    void *arg;
    bool seen[BUSES];  /* of this domain: each bus is entered once, a bridge may claim any number */
    bool more_roots;   /* another host bridge than the first was seen: behind it is a root bus whose number no register
                          tells */
};

static error_t walk_bus(struct walk *walk, uint16_t domain, uint8_t number);

static error_t walk_function(struct walk *walk, struct pci_address address, bool *present, bool *multi)
{
    struct pci_function function;
    error_t err = pci_function_probe(walk->bus, address, &function);
    *present = err == 0;
    if (err)
        return err == ENXIO ? 0 : err;
    if (multi) {
        uint32_t header;
        err = pci_config_read(walk->bus, address, PCI_HEADER_TYPE, &header, 1);
        *multi = !err && (header & PCI_HEADER_MULTI);
    }
    if (!err)
        err = walk->visit(walk->bus, &function, walk->arg);
    if (function.class_code >> 8 == PCI_CLASS_BRIDGE_HOST && (address.bus | address.device | address.function) != 0)
        walk->more_roots = true;
    if (!err && function.header_type == 1 && function.class_code >> 8 == PCI_CLASS_BRIDGE_PCI)
        err = walk_bus(walk, address.domain, function.secondary);
    return err;
}

static error_t walk_device(struct walk *walk, struct pci_address address)
{
    bool present, multi = false;
    error_t err = walk_function(walk, address, &present, &multi);
    if (err || !present || !multi)
        return err;
    for (address.function = 1; !err && address.function < 8; address.function++)
        err = walk_function(walk, address, &present, NULL);
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

/* Root buses of a domain whose buses go from FIRST to LAST: the first, those behind the functions of a host bridge,
   and, where there are more host bridges, any that has something on it and is behind no bridge. */
static error_t walk_roots(struct walk *walk, uint16_t domain, uint8_t first, uint8_t last)
{
    struct pci_address host = {.domain = domain, .bus = first};
    uint32_t header = 0;
    error_t err = walk_bus(walk, domain, first);
    if (!err)
        err = pci_config_read(walk->bus, host, PCI_HEADER_TYPE, &header, 1);
    for (uint8_t root = 1; !err && header != 0xff && (header & PCI_HEADER_MULTI) && root < 8; root++) {
        uint32_t id;
        host.function = root;
        err = pci_config_read(walk->bus, host, PCI_VENDOR_ID, &id, 2);
        if (!err && id != 0xffff && first + root <= last)
            err = walk_bus(walk, domain, first + root);
    }
    for (unsigned int root = first; !err && walk->more_roots && root <= last; root++)
        err = walk_bus(walk, domain, root);
    return err;
}

error_t pci_bus_walk(struct pci_bus *bus, pci_visit_t visit, void *arg)
{
    if (bus->ops->walk)
        return bus->ops->walk(bus, visit, arg);
    struct walk walk = {.bus = bus, .visit = visit, .arg = arg};
    /* Domain 0 is there by the ports, whatever the segments say. */
    error_t err = walk_roots(&walk, 0, 0, BUSES - 1);
    unsigned int domain = 0;
    for (unsigned int i = 0; !err && i < bus->segment_count; i++) {
        const struct pci_segment *segment = &bus->segments[i];
        if (segment->domain == 0)
            continue;
        if (segment->domain != domain)
            walk = (struct walk){.bus = bus, .visit = visit, .arg = arg};
        domain = segment->domain;
        err = walk_roots(&walk, domain, segment->first, segment->last);
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

unsigned int pci_function_capability_next(struct pci_bus *bus, const struct pci_function *function, uint8_t id,
                                          unsigned int after)
{
    uint32_t status, entry;
    if (pci_config_read(bus, function->address, PCI_STATUS, &status, 2) || !(status & PCI_STATUS_CAPABILITIES)
        || pci_config_read(bus, function->address, PCI_CAPABILITIES, &entry, 1))
        return 0;
    bool passed = after == 0;
    uint64_t seen = 0; /* a list that loops ends where it began to */
    for (unsigned int reg = entry & 0xfc; reg >= 0x40 && !(seen >> reg / 4 & 1); reg = entry >> 8 & 0xfc) {
        seen |= 1ull << reg / 4;
        if (pci_config_read(bus, function->address, reg, &entry, 2))
            return 0;
        if (passed && (entry & 0xff) == id)
            return reg;
        passed = passed || reg == after;
    }
    return 0;
}

unsigned int pci_function_capability(struct pci_bus *bus, const struct pci_function *function, uint8_t id)
{
    return pci_function_capability_next(bus, function, id, 0);
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

error_t pci_function_claim(struct pci_bus *bus, const struct pci_function *function)
{
    return bus->ops->claim ? bus->ops->claim(bus, function->address) : 0;
}
