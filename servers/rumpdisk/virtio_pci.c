/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtio block devices on PCI: where their registers are, how they are reached (VIRTIO 1.1, 4.1). */

#include <stdio.h>
#include <stdlib.h>

#include "driver.h"
#include "interrupt.h"
#include "virtio.h"

/* A capability that says where registers are (4.1.4): offsets into it. */
#define CAP_TYPE 3u
#define CAP_REGION 4u
#define CAP_OFFSET 8u
#define CAP_LENGTH 12u
#define CAP_MULTIPLIER 16u
enum { TYPE_COMMON = 1, TYPE_NOTIFY, TYPE_ISR, TYPE_DEVICE };

struct virtio_pci {
    struct virtio virtio;                         /* first */
    const struct driver_environment *environment; /* constant */
    struct pci_function function;                 /* constant */
    volatile uint8_t *common, *isr, *device;      /* constant */
    volatile uint16_t *notify;                    /* constant: of queue 0 */
    volatile uint8_t *notify_base;                /* constant */
    uint32_t notify_multiplier, notify_length;    /* constant */
};

/* ---- registers --------------------------------------------------------------------------------- */

static uint32_t place_read(const volatile uint8_t *place, unsigned int size)
{
    return size == 4 ? *(const volatile uint32_t *)place : size == 2 ? *(const volatile uint16_t *)place : *place;
}

static uint32_t pci_read(struct virtio *virtio, unsigned int offset, unsigned int size)
{
    return place_read(((struct virtio_pci *)virtio)->common + offset, size);
}

static void pci_write(struct virtio *virtio, unsigned int offset, unsigned int size, uint32_t value)
{
    volatile uint8_t *place = ((struct virtio_pci *)virtio)->common + offset;
    if (size == 4)
        *(volatile uint32_t *)place = value;
    else if (size == 2)
        *(volatile uint16_t *)place = value;
    else
        *place = value;
}

static uint32_t pci_config(struct virtio *virtio, unsigned int offset, unsigned int size)
{
    return place_read(((struct virtio_pci *)virtio)->device + offset, size);
}

static unsigned int pci_interrupt_status(struct virtio *virtio)
{
    return *((struct virtio_pci *)virtio)->isr;
}

static void pci_notify(struct virtio *virtio)
{
    *((struct virtio_pci *)virtio)->notify = 0;
}

static void pci_mastering(struct virtio *virtio, bool on)
{
    struct virtio_pci *device = (struct virtio_pci *)virtio;
    pci_function_command(device->environment->bus, &device->function, on ? PCI_COMMAND_MASTER : 0,
                         on ? 0 : PCI_COMMAND_MASTER);
}

static const struct virtio_transport transport = {
    .read = pci_read, .write = pci_write, .config = pci_config, .interrupt_status = pci_interrupt_status,
    .notify = pci_notify, .mastering = pci_mastering,
};

/* ---- finding them ------------------------------------------------------------------------------ */

struct place {
    uint32_t region, offset, length;
    unsigned int capability;
};

/* The first place of TYPE that is inside its region and at least LENGTH long. */
static error_t place_find(struct virtio_pci *device, unsigned int type, uint32_t length, struct place *place)
{
    struct pci_bus *bus = device->environment->bus;
    const struct pci_function *function = &device->function;
    unsigned int reg = 0;
    while ((reg = pci_function_capability_next(bus, function, PCI_CAP_VENDOR, reg)) != 0) {
        uint32_t found;
        error_t err = pci_config_read(bus, function->address, reg + CAP_TYPE, &found, 1);
        if (err || found != type)
            continue;
        if (pci_config_read(bus, function->address, reg + CAP_REGION, &place->region, 1)
            || pci_config_read(bus, function->address, reg + CAP_OFFSET, &place->offset, 4)
            || pci_config_read(bus, function->address, reg + CAP_LENGTH, &place->length, 4))
            return EIO;
        place->capability = reg;
        const struct pci_region *region = place->region < PCI_BARS ? &function->regions[place->region] : NULL;
        if (region && !region->is_io && region->base != 0 && place->length >= length && place->offset <= region->size
            && place->length <= region->size - place->offset)
            return 0;
    }
    return ENOENT;
}

static error_t place_map(struct virtio_pci *device, unsigned int type, uint32_t length, volatile uint8_t **where,
                         struct place *place)
{
    error_t err = place_find(device, type, length, place);
    void *mapped = NULL;
    if (!err)
        err = pci_map_physical(device->environment->device_master,
                               device->function.regions[place->region].base + place->offset, place->length,
                               VM_PROT_READ | VM_PROT_WRITE, &mapped);
    *where = mapped;
    return err;
}

static error_t registers_map(struct virtio_pci *device)
{
    struct place place;
    error_t err = place_map(device, TYPE_COMMON, VIRTIO_COMMON_SIZE, &device->common, &place);
    if (err == ENOENT) {
        fprintf(stderr, "rumpdisk: virtio device at %02x:%02x.%x is a legacy one, of before virtio 1.0\n",
                device->function.address.bus, device->function.address.device, device->function.address.function);
        return ENOTSUP;
    }
    if (!err)
        err = place_map(device, TYPE_ISR, 1, &device->isr, &place);
    if (!err)
        err = place_map(device, TYPE_DEVICE, VIRTIO_BLK_CONFIG_LENGTH, &device->device, &place);
    if (!err)
        err = place_map(device, TYPE_NOTIFY, 2, &device->notify_base, &place);
    device->notify_length = place.length;
    if (!err)
        err = pci_config_read(device->environment->bus, device->function.address, place.capability + CAP_MULTIPLIER,
                              &device->notify_multiplier, 4);
    return err;
}

static error_t notify_find(struct virtio_pci *device)
{
    pci_write(&device->virtio, VIRTIO_QUEUE_SELECT, 2, 0);
    uint64_t place = (uint64_t)pci_read(&device->virtio, VIRTIO_QUEUE_NOTIFY, 2) * device->notify_multiplier;
    if (place % 2 || place + 2 > device->notify_length)
        return EIO;
    device->notify = (volatile uint16_t *)(device->notify_base + place);
    return 0;
}

static void virtio_interrupt(void *arg)
{
    struct virtio *virtio = arg;
    block_queue_service(&virtio->queue);
}

static error_t device_start(struct virtio_pci *device)
{
    struct virtio *virtio = &device->virtio;
    const struct pci_address *address = &device->function.address;
    block_queue_init(&virtio->queue, &virtio_queue_ops, 1, "virtio %02x:%02x.%x", address->bus, address->device,
                     address->function);
    error_t err = virtio_start(virtio);
    if (!err)
        err = notify_find(device);
    if (!err)
        err = interrupt_attach(device->environment, &device->function, virtio_interrupt, virtio, &virtio->messages);
    if (!err)
        err = virtio_run(virtio);
    return err ? err : block_unit_add(&virtio->unit);
}

static error_t virtio_attach(const struct driver_environment *environment, const struct pci_function *given)
{
    struct virtio_pci *device = calloc(1, sizeof *device);
    if (!device)
        return ENOMEM;
    device->environment = environment;
    device->function = *given;
    device->virtio.transport = &transport;
    device->virtio.limits.end = UINT64_MAX;
    error_t err = pci_function_regions(environment->bus, &device->function);
    if (!err)
        err = pci_function_command(environment->bus, given, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
    if (!err)
        err = registers_map(device);
    return err ? err : device_start(device); /* from here on others may know the structure */
}

/* Class mass storage, subclass SCSI; transitional and modern block devices. */
const struct driver virtio_driver = {
    .name = "virtio", .class_code = 0x010000, .class_mask = 0xffff00, .vendor_id = 0x1af4,
    .device_ids = {0x1001, 0x1042}, .attach = virtio_attach,
};
