/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI function of an IDE controller: its ports, its lines, its drives in the order of channels and master
   before slave; see ide.h. */

#include <mach.h>
#include <mach/machine/mach_i386.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "ide.h"
#include "interrupt.h"

#define CHANNELS 2u
#define MASTER_REGION 4u
#define MASTER_PORTS 8u /* a channel's */

/* Where channels in legacy mode are. */
static const struct {
    uint16_t command, control;
    unsigned int line;
} legacy[CHANNELS] = {{0x1f0, 0x3f6, 14}, {0x170, 0x376, 15}};

/* Bit in the programming interface: the channel is in native mode. */
static bool is_native(const struct pci_function *function, unsigned int number)
{
    return function->class_code >> 2 * number & 1;
}

static error_t ports_get(const struct driver_environment *environment, uint16_t first, unsigned int count)
{
    mach_port_t permission;
    error_t err = i386_io_perm_create(environment->device_master, first, first + count - 1, &permission);
    return err ? err : i386_io_perm_modify(mach_task_self(), permission, TRUE);
}

/* Fills the channel's ports and gets them. ENXIO: the firmware has given it none. */
static error_t channel_ports(const struct driver_environment *environment, const struct pci_function *function,
                             unsigned int number, struct ide_channel *channel)
{
    const struct pci_region *regions = function->regions;
    channel->command = legacy[number].command;
    channel->control = legacy[number].control;
    if (is_native(function, number)) {
        if (!regions[2 * number].is_io || !regions[2 * number].base || !regions[2 * number + 1].base)
            return ENXIO;
        channel->command = regions[2 * number].base;
        channel->control = regions[2 * number + 1].base + 2;
    }
    channel->master = regions[MASTER_REGION].base + MASTER_PORTS * number;
    error_t err = ports_get(environment, channel->command, 8);
    if (!err)
        err = ports_get(environment, channel->control, 1);
    return err ? err : ports_get(environment, channel->master, MASTER_PORTS);
}

static void channel_interrupt(void *arg)
{
    block_queue_service(arg);
}

static void drives_attach(struct ide_channel *channel, bool *found)
{
    for (unsigned int i = 0; i < IDE_DRIVES; i++) {
        error_t err = ide_drive_identify(channel, i);
        found[i] = !err;
        if (err && err != ENXIO)
            fprintf(stderr, "rumpdisk: %s %s: cannot be used: %s\n", channel->queue.name, i ? "slave" : "master",
                    strerror(err));
    }
}

static error_t channel_attach(const struct driver_environment *environment, const struct pci_function *function,
                              const char *place, unsigned int number)
{
    bool found[IDE_DRIVES];
    struct ide_channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return ENOMEM;
    error_t err = channel_ports(environment, function, number, channel);
    if (err) {
        free(channel);
        return err;
    }
    if (ide_channel_reset(channel))
        return 0; /* nothing there */
    err = ide_channel_create(channel, place, number);
    if (err)
        return err;
    drives_attach(channel, found);
    if (!found[0] && !found[1])
        return 0;
    unsigned int line = is_native(function, number) ? function->irq_line : legacy[number].line;
    err = interrupt_line_attach(environment->device_master, line, channel_interrupt, channel);
    if (err)
        return err;
    ide_channel_enable(channel);
    for (unsigned int i = 0; i < IDE_DRIVES; i++) {
        struct block_unit *unit = &channel->drives[i].unit.block;
        if (!found[i])
            continue;
        if (unit->medium_check)
            unit->medium_check(unit); /* for the announcement */
        err = block_unit_add(unit);
        if (err)
            return err;
    }
    return 0;
}

static error_t ide_attach(const struct driver_environment *environment, const struct pci_function *given)
{
    char place[16];
    struct pci_function function = *given;
    error_t err = pci_function_regions(environment->bus, &function);
    if (err)
        return err;
    const struct pci_region *master = &function.regions[MASTER_REGION];
    if (!master->is_io || master->base == 0 || master->size < MASTER_PORTS * CHANNELS)
        return ENOTSUP; /* no bus mastering */
    err = pci_function_command(environment->bus, &function, PCI_COMMAND_IO | PCI_COMMAND_MASTER,
                               PCI_COMMAND_INTX_DISABLE);
    if (err)
        return err;
    snprintf(place, sizeof place, "%02x:%02x.%x", function.address.bus, function.address.device,
             function.address.function);
    for (unsigned int number = 0; number < CHANNELS; number++) {
        err = channel_attach(environment, &function, place, number);
        if (err)
            fprintf(stderr, "rumpdisk: IDE %s channel %u cannot be used: %s\n", place, number, strerror(err));
    }
    return 0;
}

/* Class IDE; bit 7 of the programming interface: it can master the bus. */
const struct driver ide_driver = {
    .name = "IDE", .class_code = 0x010180, .class_mask = 0xffff80, .attach = ide_attach,
};
