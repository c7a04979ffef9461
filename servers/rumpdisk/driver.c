/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding adapters and naming their disks; see driver.h. */

#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of their PCI class codes. */
static const struct driver *const drivers[] = {
    &virtio_driver,
    &ide_driver,
    &ahci_driver,
    &nvme_driver,
};
#define DRIVERS (sizeof drivers / sizeof *drivers)

struct block_unit **block_units;
unsigned int block_unit_count;

error_t block_unit_add(struct block_unit *unit)
{
    unsigned int number = 0;
    for (unsigned int i = 0; i < block_unit_count; i++)
        number += block_units[i]->optical == unit->optical;
    snprintf(unit->name, sizeof unit->name, "%s%u", unit->optical ? "cd" : "wd", number);
    struct block_unit **more = realloc(block_units, (block_unit_count + 1) * sizeof *block_units);
    if (!more) {
        fprintf(stderr, "rumpdisk: %s: no memory\n", unit->name);
        return ENOMEM;
    }
    block_units = more;
    block_units[block_unit_count++] = unit;
    if (unit->sectors)
        fprintf(stderr, "rumpdisk: %s: %s, %llu MiB\n", unit->name, unit->model,
                (unsigned long long)(unit->sectors >> (20 - unit->sector_log)));
    else
        fprintf(stderr, "rumpdisk: %s: %s, no medium\n", unit->name, unit->model);
    return 0;
}

static bool device_matches(const struct driver *driver, const struct pci_function *function)
{
    const uint16_t *id = driver->device_ids;
    for (unsigned int i = 0; i < sizeof driver->device_ids / sizeof *id && id[i]; i++)
        if (id[i] == function->device_id)
            return true;
    return id[0] == 0;
}

static const struct driver *driver_lookup(const struct pci_function *function)
{
    for (unsigned int i = 0; i < DRIVERS; i++)
        if ((function->class_code & drivers[i]->class_mask) == drivers[i]->class_code
            && (!drivers[i]->vendor_id || drivers[i]->vendor_id == function->vendor_id)
            && device_matches(drivers[i], function))
            return drivers[i];
    return NULL;
}

struct search {
    const struct driver_environment *environment;
    unsigned int adapters;
};

static error_t function_visit(struct pci_bus *bus, const struct pci_function *function, void *arg)
{
    struct search *search = arg;
    const struct driver *driver = driver_lookup(function);
    if (!driver)
        return 0;
    search->adapters++;
    error_t err = pci_function_claim(bus, function);
    const char *why = err == EBUSY ? "another driver has it" : NULL;
    if (!err)
        err = driver->attach(search->environment, function);
    if (err)
        fprintf(stderr, "rumpdisk: %s controller at %02x:%02x.%x cannot be used: %s\n", driver->name,
                function->address.bus, function->address.device, function->address.function, why ? why : strerror(err));
    return 0;
}

void driver_attach_all(const struct driver_environment *environment)
{
    struct search search = {.environment = environment};
    error_t err = block_watch_start();
    if (!err)
        err = pci_bus_walk(environment->bus, function_visit, &search);
    if (err)
        fprintf(stderr, "rumpdisk: looking for disk controllers by %s: %s\n", environment->bus->ops->name,
                strerror(err));
    else if (search.adapters == 0)
        fprintf(stderr, "rumpdisk: no disk controller found on the PCI bus: there are no disks\n");
    else if (block_unit_count == 0)
        fprintf(stderr, "rumpdisk: no disk found on %u disk controller(s)\n", search.adapters);
}
