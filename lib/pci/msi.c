/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turning a function's interrupts into messages and back (PCI Local Bus 3.0, 6.8); see pci.h. */

#include <pci/pci.h>

#define CONTROL 2u
#define MSI_ENABLE 0x0001u
#define MSI_VECTORS 0x0070u /* how many are enabled, as a power of two */
#define MSI_64 0x0080u
#define MSI_MASKS 0x0100u
#define MSIX_MASK_ALL 0x4000u
#define MSIX_ENABLE 0x8000u
#define MSIX_ENTRIES(CONTROL) (((CONTROL) & 0x7ffu) + 1)
#define MSIX_TABLE 4u
#define MSIX_ENTRY_WORDS 4u
#define MSIX_MASKED 1u

error_t pci_msi_find(struct pci_bus *bus, const struct pci_function *function, struct pci_msi *msi)
{
    uint32_t table;
    *msi = (struct pci_msi){.capability = pci_function_capability(bus, function, PCI_CAP_MSIX)};
    if (msi->capability != 0) {
        error_t err = pci_config_read(bus, function->address, msi->capability + CONTROL, &msi->control, 2);
        if (!err)
            err = pci_config_read(bus, function->address, msi->capability + MSIX_TABLE, &table, 4);
        msi->entries = MSIX_ENTRIES(msi->control);
        msi->region = table & 7;
        msi->offset = table & ~7u;
        const struct pci_region *region = msi->region < PCI_BARS ? &function->regions[msi->region] : NULL;
        if (!err && region && !region->is_io && region->size >= (uint64_t)msi->offset + 16 * msi->entries)
            return 0;
    }
    *msi = (struct pci_msi){.capability = pci_function_capability(bus, function, PCI_CAP_MSI)};
    return msi->capability == 0 ? ENOENT
                                : pci_config_read(bus, function->address, msi->capability + CONTROL, &msi->control, 2);
}

/* All entries but the first stay masked. */
static error_t msix_enable(struct pci_bus *bus, const struct pci_function *function, const struct pci_msi *msi,
                           const struct pci_msi_message *message, volatile uint32_t *table)
{
    unsigned int reg = msi->capability + CONTROL;
    error_t err = pci_config_write(bus, function->address, reg, msi->control | MSIX_MASK_ALL | MSIX_ENABLE, 2);
    if (err)
        return err;
    for (unsigned int i = 0; i < msi->entries; i++) {
        table[MSIX_ENTRY_WORDS * i] = message->address;
        table[MSIX_ENTRY_WORDS * i + 1] = message->address >> 32;
        table[MSIX_ENTRY_WORDS * i + 2] = message->data;
        table[MSIX_ENTRY_WORDS * i + 3] = i == 0 ? 0 : MSIX_MASKED;
    }
    return pci_config_write(bus, function->address, reg, (msi->control & ~MSIX_MASK_ALL) | MSIX_ENABLE, 2);
}

static error_t plain_enable(struct pci_bus *bus, const struct pci_function *function, const struct pci_msi *msi,
                            const struct pci_msi_message *message)
{
    unsigned int reg = msi->capability, data = msi->control & MSI_64 ? 12 : 8;
    if (message->address >> 32 && !(msi->control & MSI_64))
        return ENOTSUP;
    error_t err = pci_config_write(bus, function->address, reg + 4, message->address, 4);
    if (!err && (msi->control & MSI_64))
        err = pci_config_write(bus, function->address, reg + 8, message->address >> 32, 4);
    if (!err)
        err = pci_config_write(bus, function->address, reg + data, message->data & 0xffff, 2);
    if (!err && (msi->control & MSI_MASKS))
        err = pci_config_write(bus, function->address, reg + data + 4, 0, 4);
    if (!err)
        err = pci_config_write(bus, function->address, reg + CONTROL, (msi->control & ~MSI_VECTORS) | MSI_ENABLE, 2);
    return err;
}

error_t pci_msi_enable(struct pci_bus *bus, const struct pci_function *function, const struct pci_msi *msi,
                       const struct pci_msi_message *message, volatile uint32_t *table)
{
    error_t err = msi->entries > 0 ? msix_enable(bus, function, msi, message, table)
                                   : plain_enable(bus, function, msi, message);
    if (!err)
        err = pci_function_command(bus, function, PCI_COMMAND_INTX_DISABLE, 0);
    if (err)
        pci_msi_disable(bus, function, msi);
    return err;
}

void pci_msi_disable(struct pci_bus *bus, const struct pci_function *function, const struct pci_msi *msi)
{
    uint32_t control = msi->control & ~(msi->entries > 0 ? MSIX_ENABLE : MSI_ENABLE);
    pci_config_write(bus, function->address, msi->capability + CONTROL, control, 2);
    pci_function_command(bus, function, 0, PCI_COMMAND_INTX_DISABLE);
}
