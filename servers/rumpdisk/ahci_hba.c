/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The adapter as a whole: taking it over from the firmware, reset, its interrupt (AHCI 1.3.1, 10.1.2, 10.4.3, 10.6,
   10.7.2.1). */

#include "ahci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ahci_regs.h"
#include "driver.h"
#include "interrupt.h"

#define REGION 5u

error_t ahci_wait(volatile uint32_t *regs, unsigned int offset, uint32_t mask, uint32_t value,
                  unsigned int milliseconds)
{
    /* Most answers come within microseconds: look a few times before sleeping. */
    for (unsigned int i = 0; i < 200; i++)
        if ((ahci_read32(regs, offset) & mask) == value)
            return 0;
    /* The kernel sleeps in ticks of 10 ms. */
    for (unsigned int slept = 0; slept <= milliseconds; slept += 10) {
        usleep(10000);
        if ((ahci_read32(regs, offset) & mask) == value)
            return 0;
    }
    return ETIMEDOUT;
}

/* ---- taking over ----------------------------------------------------------------- */

static void firmware_handoff(struct ahci_hba *hba)
{
    if (!(ahci_read32(hba->regs, HBA_CAP2) & HBA_CAP2_BOH))
        return;
    ahci_write32(hba->regs, HBA_BOHC, ahci_read32(hba->regs, HBA_BOHC) | HBA_BOHC_OS);
    /* 25 ms, and 2 s when it says that it is busy; then it is ours anyhow. */
    if (ahci_wait(hba->regs, HBA_BOHC, HBA_BOHC_BIOS, 0, 25)
        && (ahci_read32(hba->regs, HBA_BOHC) & HBA_BOHC_BUSY))
        ahci_wait(hba->regs, HBA_BOHC, HBA_BOHC_BIOS, 0, 2000);
}

static error_t hba_reset(struct ahci_hba *hba)
{
    ahci_write32(hba->regs, HBA_GHC, HBA_GHC_AE);
    ahci_write32(hba->regs, HBA_GHC, HBA_GHC_AE | HBA_GHC_RESET);
    error_t err = ahci_wait(hba->regs, HBA_GHC, HBA_GHC_RESET, 0, 1000);
    ahci_write32(hba->regs, HBA_GHC, HBA_GHC_AE);
    return err;
}

/* ---- interrupts -------------------------------------------------------------------- */

/* The line may be shared, so there may be nothing to do. */
static void hba_interrupt(void *arg)
{
    struct ahci_hba *hba = arg;
    uint32_t status = ahci_read32(hba->regs, HBA_IS);
    for (uint32_t left = status; left; left &= left - 1) {
        unsigned int number = __builtin_ctz(left);
        if (hba->ports[number])
            block_queue_service(&hba->ports[number]->queue);
    }
    /* The ports' own bits come first: this one is set again while one of them is (10.7.2.1). */
    ahci_write32(hba->regs, HBA_IS, status);
}

/* ---- attaching ------------------------------------------------------------------------ */

/* All ports come up at the same time; a port without a link after 10 ms has no device (Serial ATA 3.2, 8.4.1). */
static void ports_spin_up(struct ahci_hba *hba, uint32_t present)
{
    for (uint32_t left = present; left; left &= left - 1) {
        struct ahci_port *port = hba->ports[__builtin_ctz(left)];
        if (port)
            ahci_write32(port->regs, PORT_CMD, ahci_read32(port->regs, PORT_CMD) | PORT_CMD_SUD | PORT_CMD_POD);
    }
    usleep(10000);
}

static void ports_attach(struct ahci_hba *hba)
{
    uint32_t present = ahci_read32(hba->regs, HBA_PI);
    error_t err;
    for (uint32_t left = present; left; left &= left - 1) {
        unsigned int number = __builtin_ctz(left);
        err = ahci_port_create(hba, number, &hba->ports[number]);
        if (err)
            fprintf(stderr, "rumpdisk: AHCI %s port %u: %s\n", hba->place, number, strerror(err));
    }
    ports_spin_up(hba, present);
    for (unsigned int number = 0; number < AHCI_PORTS; number++) {
        struct ahci_port *port = hba->ports[number];
        if (!port)
            continue;
        err = ahci_port_start(port);
        if (!err)
            err = ahci_port_identify(port);
        if (!err && port->unit.packet)
            atapi_medium_check(&port->unit.block); /* for the announcement */
        if (!err)
            err = block_unit_add(&port->unit.block);
        if (err) {
            if (err != ENXIO)
                fprintf(stderr, "rumpdisk: %s: disk cannot be used: %s\n", port->queue.name, strerror(err));
            hba->ports[number] = NULL; /* the structure stays: the hardware may know its memory */
            ahci_write32(port->regs, PORT_IE, 0);
        }
    }
}

static error_t ahci_attach(const struct driver_environment *environment, const struct pci_function *given)
{
    struct pci_function function = *given;
    struct ahci_hba *hba = calloc(1, sizeof *hba);
    bool messages; /* all the same to us */
    if (!hba)
        return ENOMEM;
    snprintf(hba->place, sizeof hba->place, "%02x:%02x.%x", function.address.bus, function.address.device,
             function.address.function);
    error_t err = pci_function_regions(environment->bus, &function);
    if (!err)
        err = pci_function_command(environment->bus, &function, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
                                   PCI_COMMAND_INTX_DISABLE);
    if (!err)
        err = pci_function_map(&function, environment->device_master, REGION, (void **)&hba->regs);
    if (err) {
        free(hba);
        return err;
    }
    firmware_handoff(hba);
    hba->cap = ahci_read32(hba->regs, HBA_CAP);
    hba->limits.end = hba->cap & HBA_CAP_S64A ? UINT64_MAX : BLOCK_REACH_32;
    err = hba_reset(hba);
    if (!err)
        err = interrupt_attach(environment, &function, hba_interrupt, hba, &messages);
    if (err)
        return err; /* the hardware may know the structure */
    ahci_write32(hba->regs, HBA_IS, ~0u);
    ahci_write32(hba->regs, HBA_GHC, HBA_GHC_AE | HBA_GHC_IE);
    ports_attach(hba);
    return 0;
}

/* Class SATA, programming interface AHCI. */
const struct driver ahci_driver = {
    .name = "AHCI", .class_code = PCI_CLASS_SATA << 8 | 1, .class_mask = 0xffffff, .attach = ahci_attach,
};
