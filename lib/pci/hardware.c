/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hardware itself: configuration mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2), and physical memory through the kernel's
   "mem" device.  An access is a write of the address register and an access of the data register, so two users of the
   ports would disturb each other: the kernel gives them to one task, and the lock below keeps its threads apart. */

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

struct hardware {
    struct pci_bus bus;
    pthread_mutex_t lock;  /* the two registers; no lock is taken while it is held */
    mach_port_t io_perm;
};

static void address_select(struct pci_address address, unsigned int reg)
{
    port_out32(CONFIG_ADDRESS, 0x80000000u | (uint32_t)address.bus << 16 | (uint32_t)address.device << 11
                                   | (uint32_t)address.function << 8 | (reg & 0xfcu));
}

static error_t hardware_read(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t *value,
                             unsigned int size)
{
    struct hardware *hardware = (struct hardware *)bus;
    unsigned short port = CONFIG_DATA + (reg & 3);
    if (address.domain != 0) {
        *value = 0xffffffffu >> (32 - 8 * size);
        return 0;
    }
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
    if (address.domain != 0)
        return 0;
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

static void hardware_destroy(struct pci_bus *bus)
{
    struct hardware *hardware = (struct hardware *)bus;
    i386_io_perm_modify(mach_task_self(), hardware->io_perm, FALSE);
    mach_port_deallocate(mach_task_self(), hardware->io_perm);
    pthread_mutex_destroy(&hardware->lock);
    free(hardware);
}

static const struct pci_bus_ops hardware_ops = {
    .name = "configuration ports",
    .read = hardware_read,
    .write = hardware_write,
    .destroy = hardware_destroy,
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
