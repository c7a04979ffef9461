/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hardware itself: configuration mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2), the memory-mapped space of PCI Express
   (PCI Express Base 3.0, 7.2.2), and physical memory through the kernel's "mem" device.  An access of mechanism 1 is a
   write of the address register and an access of the data register, so two users of the ports would disturb each other:
   one task should have them (pci_bus_reserve), and the lock below keeps its threads apart. */

#include <pci/pci.h>

#include <device/device.h>
#include <mach/machine/mach_i386.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "portio.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_LAST 0xcff

#define BUS_WINDOW (1u << 20) /* memory-mapped space of one bus: 32 devices of 8 functions of 4096 bytes */

/* The memory-mapped space of one bus that was needed; stays for the life of the bus. */
struct window {
    struct window *next;
    uint16_t domain;
    uint8_t bus;
    volatile uint8_t *base;
};

struct hardware {
    struct pci_bus bus;
    pthread_mutex_t lock;    /* the two registers, and the list of windows; no lock is taken while it is held */
    mach_port_t io_perm;
    mach_port_t device_master; /* constant */
    struct window *windows;  /* lock */
};

static void address_select(struct pci_address address, unsigned int reg)
{
    port_out32(CONFIG_ADDRESS, 0x80000000u | (uint32_t)address.bus << 16 | (uint32_t)address.device << 11
                                   | (uint32_t)address.function << 8 | (reg & 0xfcu));
}

/* ---- the memory-mapped space ----------------------------------------------------------- */

static error_t window_map(struct hardware *hardware, struct pci_address address, volatile uint8_t **base)
{
    for (unsigned int i = 0; i < hardware->bus.segment_count; i++) {
        const struct pci_segment *segment = &hardware->bus.segments[i];
        if (segment->domain == address.domain && segment->first <= address.bus && address.bus <= segment->last)
            return pci_map_physical(hardware->device_master, segment->base + (uint64_t)address.bus * BUS_WINDOW,
                                    BUS_WINDOW, VM_PROT_READ | VM_PROT_WRITE, (void **)base);
    }
    return ENXIO;
}

/* Where REG of ADDRESS is in memory.  ENXIO: no segment covers it.  Lock held. */
static error_t window_place(struct hardware *hardware, struct pci_address address, unsigned int reg,
                            volatile void **place)
{
    struct window *window = hardware->windows;
    while (window && (window->domain != address.domain || window->bus != address.bus))
        window = window->next;
    if (!window) {
        window = malloc(sizeof *window);
        error_t err = window ? window_map(hardware, address, &window->base) : ENOMEM;
        if (err) {
            free(window);
            return err;
        }
        window->domain = address.domain;
        window->bus = address.bus;
        window->next = hardware->windows;
        hardware->windows = window;
    }
    *place = window->base + ((unsigned int)address.device << 15 | (unsigned int)address.function << 12 | reg);
    return 0;
}

static error_t extended_access(struct hardware *hardware, struct pci_address address, unsigned int reg,
                               uint32_t *value, unsigned int size, bool write)
{
    volatile void *place;
    pthread_mutex_lock(&hardware->lock);
    error_t err = window_place(hardware, address, reg, &place);
    pthread_mutex_unlock(&hardware->lock);
    if (err == ENXIO && !write)
        *value = 0xffffffffu >> (32 - 8 * size);
    if (err)
        return err == ENXIO ? 0 : err;
    if (size == 4)
        write ? (void)(*(volatile uint32_t *)place = *value) : (void)(*value = *(volatile uint32_t *)place);
    else if (size == 2)
        write ? (void)(*(volatile uint16_t *)place = *value) : (void)(*value = *(volatile uint16_t *)place);
    else
        write ? (void)(*(volatile uint8_t *)place = *value) : (void)(*value = *(volatile uint8_t *)place);
    return 0;
}

/* ---- the ports --------------------------------------------------------------------------- */

static error_t hardware_read(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t *value,
                             unsigned int size)
{
    struct hardware *hardware = (struct hardware *)bus;
    unsigned short port = CONFIG_DATA + (reg & 3);
    if (address.domain != 0 || reg >= PCI_CONFIG_SIZE)
        return extended_access(hardware, address, reg, value, size, false);
    pthread_mutex_lock(&hardware->lock);
    address_select(address, reg);
    *value = size == 4 ? port_in32(port) : size == 2 ? port_in16(port) : port_in8(port);
    pthread_mutex_unlock(&hardware->lock);
    return 0;
}

static error_t hardware_write(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t value,
                              unsigned int size)
{
    struct hardware *hardware = (struct hardware *)bus;
    unsigned short port = CONFIG_DATA + (reg & 3);
    if (address.domain != 0 || reg >= PCI_CONFIG_SIZE)
        return extended_access(hardware, address, reg, &value, size, true);
    pthread_mutex_lock(&hardware->lock);
    address_select(address, reg);
    if (size == 4)
        port_out32(port, value);
    else if (size == 2)
        port_out16(port, value);
    else
        port_out8(port, value);
    pthread_mutex_unlock(&hardware->lock);
    return 0;
}

static const struct pci_bus_ops hardware_ops = {
    .name = "configuration ports",
    .read = hardware_read,
    .write = hardware_write,
};

/* Mechanism 1 is there if the address register keeps what is written to it. */
static bool hardware_present(void)
{
    uint32_t before = port_in32(CONFIG_ADDRESS);
    port_out32(CONFIG_ADDRESS, 0x80000000u);
    bool present = port_in32(CONFIG_ADDRESS) == 0x80000000u;
    port_out32(CONFIG_ADDRESS, before);
    return present;
}

error_t pci_hardware_open(mach_port_t device_master, struct pci_bus **bus)
{
    struct hardware *hardware = calloc(1, sizeof *hardware);
    if (!hardware)
        return ENOMEM;
    hardware->bus.ops = &hardware_ops;
    hardware->device_master = device_master;
    pthread_mutex_init(&hardware->lock, NULL);
    error_t err = i386_io_perm_create(device_master, CONFIG_ADDRESS, CONFIG_LAST, &hardware->io_perm);
    if (err)
        goto no_ports;
    err = i386_io_perm_modify(mach_task_self(), hardware->io_perm, TRUE);
    if (err)
        goto no_permission;
    if (!hardware_present()) {
        err = ENODEV;
        goto no_bus;
    }
    *bus = &hardware->bus;
    return 0;

no_bus:
    i386_io_perm_modify(mach_task_self(), hardware->io_perm, FALSE);
no_permission:
    mach_port_deallocate(mach_task_self(), hardware->io_perm);
no_ports:
    pthread_mutex_destroy(&hardware->lock);
    free(hardware);
    return err;
}

static error_t physical_read(void *arg, uint64_t address, void *data, size_t length)
{
    const struct hardware *hardware = arg;
    void *where;
    error_t err = pci_map_physical(hardware->device_master, address, length, VM_PROT_READ, &where);
    if (err)
        return err;
    memcpy(data, where, length);
    vm_address_t first = trunc_page((vm_address_t)where);
    vm_deallocate(mach_task_self(), first, round_page((vm_address_t)where + length) - first);
    return 0;
}

/* The first function that both ways show must look the same by both: firmware has been known to tell a wrong place. */
static bool segments_true(struct hardware *hardware)
{
    struct pci_address address = {.bus = hardware->bus.segments[0].first};
    uint32_t by_port, by_memory;
    if (hardware->bus.segments[0].domain != 0)
        return true;
    return hardware_read(&hardware->bus, address, PCI_VENDOR_ID, &by_port, 4) == 0
           && extended_access(hardware, address, PCI_VENDOR_ID, &by_memory, 4, false) == 0 && by_port == by_memory;
}

bool pci_bus_is_hardware(const struct pci_bus *bus)
{
    return bus->ops == &hardware_ops;
}

error_t pci_hardware_extend(struct pci_bus *bus)
{
    struct hardware *hardware = (struct hardware *)bus;
    struct pci_segment *segments;
    unsigned int count;
    if (bus->ops != &hardware_ops || bus->segment_count > 0)
        return EINVAL;
    error_t err = pci_segments_find(physical_read, hardware, &segments, &count);
    if (err)
        return err;
    bus->segments = segments;
    bus->segment_count = count;
    if (segments_true(hardware))
        return 0;
    bus->segment_count = 0;
    return ENOENT;
}

/* ---- physical memory -------------------------------------------------------------- */

error_t pci_map_physical(mach_port_t device_master, uint64_t address, size_t size, vm_prot_t prot, void **where)
{
    uint64_t first = address & ~(uint64_t)(vm_page_size - 1);
    if (size == 0 || address + size - 1 < address)
        return EINVAL;
    size_t length = round_page(address + size - first);
    mach_port_t device, object;
    error_t err = device_open(device_master, D_READ | (prot & VM_PROT_WRITE ? D_WRITE : 0), (char *)"mem", &device);
    if (err)
        return err;
    err = device_map(device, prot, first, length, &object, 0);
    if (!err) {
        vm_address_t at = 0;
        err = vm_map(mach_task_self(), &at, length, 0, TRUE, object, 0, FALSE, prot, prot, VM_INHERIT_NONE);
        mach_port_deallocate(mach_task_self(), object);
        if (!err)
            *where = (char *)at + (address - first);
    }
    device_close(device);
    mach_port_deallocate(mach_task_self(), device);
    return err;
}

error_t pci_function_map(const struct pci_function *function, mach_port_t device_master, unsigned int region,
                         void **where)
{
    if (region >= PCI_BARS || function->regions[region].size == 0 || function->regions[region].base == 0)
        return ENXIO;
    if (function->regions[region].is_io)
        return EINVAL;
    return pci_map_physical(device_master, function->regions[region].base, function->regions[region].size,
                            VM_PROT_READ | VM_PROT_WRITE, where);
}

/* Reads the ROM through its window, which is opened for the time being: its first bit is the enable bit. */
static error_t rom_copy(struct pci_bus *bus, const struct pci_function *function, const void *window, void *data)
{
    unsigned int reg = function->header_type == 1 ? PCI_ROM_BRIDGE : PCI_ROM;
    uint32_t value, command;
    error_t err = pci_config_read(bus, function->address, reg, &value, 4);
    if (!err)
        err = pci_config_read(bus, function->address, PCI_COMMAND, &command, 2);
    if (!err)
        err = pci_config_write(bus, function->address, PCI_COMMAND, command | PCI_COMMAND_MEMORY, 2);
    if (!err)
        err = pci_config_write(bus, function->address, reg, value | 1, 4);
    if (err)
        return err;
    memcpy(data, window, function->rom_size);
    err = pci_config_write(bus, function->address, reg, value, 4);
    error_t restored = pci_config_write(bus, function->address, PCI_COMMAND, command, 2);
    return err ? err : restored;
}

error_t pci_function_rom(struct pci_bus *bus, const struct pci_function *function, mach_port_t device_master,
                         void **data, size_t *size)
{
    if (bus->ops->rom)
        return bus->ops->rom(bus, function, data, size);
    if (function->rom_size == 0 || function->rom_base == 0)
        return ENOENT;
    void *window, *copy = malloc(function->rom_size);
    if (!copy)
        return ENOMEM;
    error_t err = pci_map_physical(device_master, function->rom_base, function->rom_size, VM_PROT_READ, &window);
    if (!err) {
        err = rom_copy(bus, function, window, copy);
        vm_deallocate(mach_task_self(), trunc_page((vm_address_t)window), round_page(function->rom_size));
    }
    if (err) {
        free(copy);
        return err;
    }
    *data = copy;
    *size = function->rom_size;
    return 0;
}
