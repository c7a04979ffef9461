/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pci interface, on every node of the tree.  Which function is meant is said by the node: its directory, or a file
   in it.  The directories above have no device: pci_get_ndevs is theirs, and counts all functions; the others answer
   EINVAL there. */

#include "arbiter.h"

#include <fcntl.h>
#include <hurd/hurd_types.h>
#include <stdlib.h>
#include <string.h>
#include <trivfs/mig-hooks.h>

#include "pci_S.h"

/* The function of PROTID's node, if PROTID was opened with MODE. */
static error_t function_check(const struct trivfs_protid *protid, int mode, struct pci_function **function)
{
    if (!protid)
        return EOPNOTSUPP;
    if (!(protid->peropen->flags & mode))
        return EBADF;
    *function = protid_node(protid)->function;
    return *function ? 0 : EINVAL;
}

/* Puts SIZE bytes into an answer: into the message if they fit, else into memory that goes with it. */
static error_t data_answer(const void *bytes, size_t size, data_t *data, mach_msg_type_number_t *count)
{
    if (size > *count) {
        vm_address_t memory = 0;
        error_t err = vm_allocate(mach_task_self(), &memory, size, TRUE);
        if (err)
            return err;
        *data = (data_t)memory;
    }
    memcpy(*data, bytes, size);
    *count = size;
    return 0;
}

kern_return_t S_pci_conf_read(trivfs_protid_t protid, int reg, data_t *data, mach_msg_type_number_t *count,
                              vm_size_t amount)
{
    struct pci_function *function;
    uint8_t bytes[PCI_CONFIG_EXTENDED];
    error_t err = function_check(protid, O_READ, &function);
    if (!err && (reg < 0 || amount > function->config_size || (unsigned int)reg > function->config_size - amount))
        err = EINVAL;
    if (!err)
        err = pci_config_read_bytes(arbiter.bus, function->address, reg, bytes, amount);
    return err ? err : data_answer(bytes, amount, data, count);
}

kern_return_t S_pci_conf_write(trivfs_protid_t protid, int reg, const_data_t data, mach_msg_type_number_t count,
                               vm_size_t *amount)
{
    struct pci_function *function;
    uint8_t bytes[PCI_CONFIG_EXTENDED];
    error_t err = function_check(protid, O_WRITE, &function);
    if (!err && (reg < 0 || count > function->config_size || (unsigned int)reg > function->config_size - count))
        err = EINVAL;
    if (!err)
        err = claim_check(protid);
    if (!err)
        err = ports_copy_guarded(bytes, data, count);
    if (!err)
        err = pci_config_write_bytes(arbiter.bus, function->address, reg, bytes, count);
    *amount = err ? 0 : count;
    return err;
}

kern_return_t S_pci_get_ndevs(trivfs_protid_t protid, mach_msg_type_number_t *count)
{
    if (!protid)
        return EOPNOTSUPP;
    if (protid_node(protid)->function)
        return EINVAL;
    *count = arbiter.tree.functions;
    return 0;
}

kern_return_t S_pci_get_dev_regions(trivfs_protid_t protid, data_t *data, mach_msg_type_number_t *count)
{
    struct pci_function *function;
    struct pci_bar bars[PCI_BARS];
    error_t err = function_check(protid, O_READ, &function);
    if (err)
        return err;
    memset(bars, 0, sizeof bars);
    for (unsigned int i = 0; i < PCI_BARS; i++) {
        const struct pci_region *region = &function->regions[i];
        bars[i].base_addr = region->base;
        bars[i].size = region->size;
        bars[i].is_IO = region->is_io;
        bars[i].is_prefetchable = region->is_prefetchable;
        bars[i].is_64 = region->is_64;
    }
    return data_answer(bars, sizeof bars, data, count);
}

/* May PROTID have the contents of the ROM?  Who could open the file for reading, or the function for writing. */
static bool rom_allowed(const struct trivfs_protid *protid)
{
    return (protid->peropen->flags & O_WRITE) || protid_node(protid)->kind == TREE_ROM;
}

/* The ROM's place, and after it what is in it, if there is any and he may. */
kern_return_t S_pci_get_dev_rom(trivfs_protid_t protid, data_t *data, mach_msg_type_number_t *count)
{
    struct pci_function *function;
    void *rom = NULL;
    size_t size = 0;
    error_t err = function_check(protid, O_READ, &function);
    if (err)
        return err;
    if (rom_allowed(protid)) {
        err = claim_check(protid);
        if (!err)
            err = pci_function_rom(arbiter.bus, function, arbiter.device_master, &rom, &size);
        if (err && err != ENOENT)
            return err;
    }
    struct pci_xrom_bar place = {.base_addr = function->rom_base, .size = function->rom_size};
    char *answer = malloc(sizeof place + size);
    if (answer) {
        memcpy(answer, &place, sizeof place);
        if (size > 0)
            memcpy(answer + sizeof place, rom, size);
        err = data_answer(answer, sizeof place + size, data, count);
    } else {
        err = ENOMEM;
    }
    free(answer);
    free(rom);
    return err;
}
