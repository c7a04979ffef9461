/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is behind the files: device memory, I/O ports, ROMs. */

#include "arbiter.h"

#include <device/device.h>
#include <mach/mach4.h>
#include <mach/machine/mach_i386.h>
#include <pci/portio.h>
#include <stdlib.h>
#include <string.h>

/* Width of the accesses for LENGTH bytes at PLACE: registers want whole ones. */
static unsigned int access_width(uint64_t place, size_t length)
{
    return (place | length) % 4 == 0 ? 4 : (place | length) % 2 == 0 ? 2 : 1;
}

/* ---- memory ------------------------------------------------------------------------- */

static void memory_read(uint8_t *to, const volatile uint8_t *from, size_t length)
{
    unsigned int width = access_width((uintptr_t)from, length);
    for (size_t at = 0; at < length; at += width) {
        uint32_t value = width == 4   ? *(const volatile uint32_t *)(from + at)
                         : width == 2 ? *(const volatile uint16_t *)(from + at)
                                      : from[at];
        memcpy(to + at, &value, width);
    }
}

static void memory_write(volatile uint8_t *to, const uint8_t *from, size_t length)
{
    unsigned int width = access_width((uintptr_t)to, length);
    for (size_t at = 0; at < length; at += width) {
        uint32_t value = 0;
        memcpy(&value, from + at, width);
        if (width == 4)
            *(volatile uint32_t *)(to + at) = value;
        else if (width == 2)
            *(volatile uint16_t *)(to + at) = value;
        else
            to[at] = value;
    }
}

static error_t memory_access(const struct pci_region *region, off_t offset, size_t length, void *data, bool write)
{
    void *window;
    vm_prot_t prot = VM_PROT_READ | (write ? VM_PROT_WRITE : 0);
    error_t err = pci_map_physical(arbiter.device_master, region->base + offset, length, prot, &window);
    if (err)
        return err;
    if (write)
        memory_write(window, data, length);
    else
        memory_read(data, window, length);
    vm_address_t first = trunc_page((vm_address_t)window);
    vm_deallocate(mach_task_self(), first, round_page((vm_address_t)window + length) - first);
    return 0;
}

/* ---- I/O ports ------------------------------------------------------------------------ */

static void ports_read(uint8_t *to, uint16_t port, size_t length)
{
    unsigned int width = access_width(port, length);
    for (size_t at = 0; at < length; at += width) {
        uint32_t value = width == 4 ? port_in32(port + at) : width == 2 ? port_in16(port + at) : port_in8(port + at);
        memcpy(to + at, &value, width);
    }
}

static void ports_write(uint16_t port, const uint8_t *from, size_t length)
{
    unsigned int width = access_width(port, length);
    for (size_t at = 0; at < length; at += width) {
        uint32_t value = 0;
        memcpy(&value, from + at, width);
        if (width == 4)
            port_out32(port + at, value);
        else if (width == 2)
            port_out16(port + at, value);
        else
            port_out8(port + at, value);
    }
}

/* The permission is the whole task's, so one access has it at a time. */
static error_t ports_access(const struct pci_region *region, off_t offset, size_t length, void *data, bool write)
{
    mach_port_t permission;
    if (region->base == 0 || region->base + region->size > 0x10000)
        return EIO;
    pthread_mutex_lock(&arbiter.ports_lock);
    error_t err = i386_io_perm_create(arbiter.device_master, region->base, region->base + region->size - 1,
                                      &permission);
    if (err) {
        pthread_mutex_unlock(&arbiter.ports_lock);
        return err;
    }
    err = i386_io_perm_modify(mach_task_self(), permission, TRUE);
    if (!err) {
        if (write)
            ports_write(region->base + offset, data, length);
        else
            ports_read(data, region->base + offset, length);
        i386_io_perm_modify(mach_task_self(), permission, FALSE);
    }
    mach_port_deallocate(mach_task_self(), permission);
    pthread_mutex_unlock(&arbiter.ports_lock);
    return err;
}

error_t region_access(const struct tree_node *node, off_t offset, size_t length, void *data, bool write)
{
    const struct pci_region *region = &node->function->regions[node->number];
    if (length == 0)
        return 0;
    if (region->is_io)
        return ports_access(region, offset, length, data, write);
    return region->base == 0 ? EIO : memory_access(region, offset, length, data, write);
}

/* ---- mapping ---------------------------------------------------------------------------- */

/* The kernel's object of a device knows neither an end nor a protection: the proxy in front of it does. */
error_t region_object(const struct tree_node *node, vm_prot_t prot, mach_port_t *object)
{
    const struct pci_region *region = &node->function->regions[node->number];
    mach_port_t device, whole;
    if (!tree_region_has_pages(&arbiter.tree, node->function, node->number, vm_page_size))
        return EOPNOTSUPP;
    error_t err = device_open(arbiter.device_master, D_READ | D_WRITE, (char *)"mem", &device);
    if (err)
        return err;
    vm_size_t size = round_page(region->size);
    err = device_map(device, prot, region->base, size, &whole, 0);
    mach_port_deallocate(mach_task_self(), device);
    if (err)
        return err;
    rpc_vm_offset_t offset = 0, start = 0;
    rpc_vm_size_t length = size;
    err = memory_object_create_proxy(mach_task_self(), prot, &whole, MACH_MSG_TYPE_COPY_SEND, 1, &offset, 1, &start, 1,
                                     &length, 1, object);
    mach_port_deallocate(mach_task_self(), whole);
    return err;
}

/* ---- ROMs ---------------------------------------------------------------------------------- */

error_t rom_read(const struct tree_node *node, off_t offset, size_t length, void *data)
{
    void *rom;
    size_t size;
    error_t err = pci_function_rom(arbiter.bus, node->function, arbiter.device_master, &rom, &size);
    if (err)
        return err == ENOENT ? EIO : err;
    memcpy(data, (char *)rom + offset, length);
    free(rom);
    return 0;
}
