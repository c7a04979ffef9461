/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding an NVMe controller on the bus: registers, interrupt. */

#include <stdio.h>
#include <stdlib.h>

#include "driver.h"
#include "interrupt.h"
#include "nvme.h"

#define REGION 0u

static void nvme_interrupt(void *arg)
{
    struct nvme *nvme = arg;
    block_queue_service(&nvme->queue);
}

static error_t nvme_attach(const struct driver_environment *environment, const struct pci_function *given)
{
    struct nvme *nvme = calloc(1, sizeof *nvme);
    if (!nvme)
        return ENOMEM;
    nvme->bus = environment->bus;
    nvme->function = *given;
    nvme->limits.end = UINT64_MAX;
    snprintf(nvme->place, sizeof nvme->place, "%02x:%02x.%x", given->address.bus, given->address.device,
             given->address.function);
    error_t err = pci_function_regions(environment->bus, &nvme->function);
    if (!err && nvme->function.regions[REGION].size < NVME_REGISTERS_MIN)
        err = ENXIO;
    if (!err)
        err = pci_function_command(environment->bus, given, PCI_COMMAND_MEMORY, PCI_COMMAND_MASTER);
    if (!err)
        err = pci_function_map(&nvme->function, environment->device_master, REGION, (void **)&nvme->regs);
    if (err) {
        free(nvme);
        return err;
    }
    err = nvme_controller_start(nvme);
    if (!err)
        err = interrupt_attach(environment, &nvme->function, nvme_interrupt, nvme, &nvme->messages);
    /* Queues keep the kind of interrupts that there was when they were made, and masks of lines are none of messages:
       made anew. */
    if (!err && nvme->messages)
        err = nvme_controller_reset(nvme);
    if (err)
        return err; /* the hardware may know the structure */
    nvme_listen(nvme);
    nvme_namespaces_add(nvme);
    return 0;
}

/* Class non-volatile memory, programming interface NVMe. */
const struct driver nvme_driver = {
    .name = "NVMe", .class_code = PCI_CLASS_NVM << 8 | 2, .class_mask = 0xffffff, .attach = nvme_attach,
};
