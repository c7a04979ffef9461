/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks as devices: names, sizes, and reads and writes that are started by the thread which took the request and
   answered by the one which saw the interrupt: nobody waits in between. */

#include "disk.h"

#include <device/disk_status.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ahci.h"
#include "dma.h"

/* More in one read is answered in part, as the interface allows: it is the server's memory. */
#define READ_MAX (16u << 20)

/* A transfer from device_read or device_write to its answer. */
struct transfer {
    struct ahci_request ahci; /* first */
    struct machdev_request request;
    struct dma dma;
    struct ahci_port *port;
    void *data;      /* write: the client's bytes */
    size_t bytes;    /* that the client asked for */
};

/* All disks in order of their numbers: constant after disk_find_all. */
static struct ahci_port **disks;
static unsigned int disk_count;
static struct dma_limits limits;

/* ---- names ------------------------------------------------------------------------- */

static io_return_t disk_open(const char *name, dev_mode_t mode, void **device)
{
    (void)mode;
    char *end;
    if (strncmp(name, "wd", 2) != 0 || name[2] < '0' || name[2] > '9' || (name[2] == '0' && name[3] != '\0'))
        return D_NO_SUCH_DEVICE;
    unsigned long number = strtoul(name + 2, &end, 10);
    if (*end != '\0' || number >= disk_count)
        return D_NO_SUCH_DEVICE;
    *device = disks[number];
    return D_SUCCESS;
}

/* ---- transfers ---------------------------------------------------------------------- */

static void error_tell(const struct transfer *transfer, const char *what)
{
    unsigned int number = 0;
    while (number + 1 < disk_count && disks[number] != transfer->port)
        number++;
    fprintf(stderr, "rumpdisk: wd%u: %s error in sectors %llu to %llu\n", number, what,
            (unsigned long long)transfer->ahci.lba,
            (unsigned long long)(transfer->ahci.lba + transfer->ahci.sectors - 1));
}

static void read_done(struct ahci_request *request, error_t err)
{
    struct transfer *transfer = (struct transfer *)request;
    if (err) {
        error_tell(transfer, "read");
        dma_read_cancel(&limits, &transfer->dma);
        machdev_read_done(&transfer->request, D_IO_ERROR, NULL, 0);
    } else {
        dma_read_end(&limits, &transfer->dma);
        machdev_read_done(&transfer->request, D_SUCCESS, transfer->dma.address, transfer->bytes);
    }
    free(transfer);
}

static io_return_t disk_read(void *device, const struct machdev_request *request, recnum_t record, size_t wanted)
{
    struct ahci_port *port = device;
    size_t bytes;
    io_return_t result = machdev_range_check(port->identity.sectors, ATA_SECTOR, false, record, wanted, &bytes);
    if (result)
        return result;
    if (bytes > READ_MAX)
        bytes = READ_MAX;
    struct transfer *transfer = malloc(sizeof *transfer);
    if (!transfer)
        return D_NO_MEMORY;
    uint32_t sectors = (bytes + ATA_SECTOR - 1) / ATA_SECTOR;
    if (dma_read_begin(&limits, (size_t)sectors * ATA_SECTOR, &transfer->dma)) {
        free(transfer);
        return D_NO_MEMORY;
    }
    transfer->ahci = (struct ahci_request){
        .kind = AHCI_READ, .lba = record, .sectors = sectors, .memory = transfer->dma.memory, .done = read_done};
    transfer->request = *request;
    transfer->port = port;
    transfer->bytes = bytes;
    ahci_submit(port, &transfer->ahci);
    return D_SUCCESS;
}

static void write_done(struct ahci_request *request, error_t err)
{
    struct transfer *transfer = (struct transfer *)request;
    dma_write_end(&limits, &transfer->dma);
    if (err)
        error_tell(transfer, "write");
    machdev_write_done(&transfer->request, err ? D_IO_ERROR : D_SUCCESS, transfer->bytes);
    vm_address_t first = trunc_page((vm_address_t)transfer->data);
    vm_deallocate(mach_task_self(), first, round_page((vm_address_t)transfer->data + transfer->bytes) - first);
    free(transfer);
}

static io_return_t disk_write(void *device, const struct machdev_request *request, recnum_t record, void *data,
                              size_t wanted)
{
    struct ahci_port *port = device;
    size_t bytes;
    io_return_t result = machdev_range_check(port->identity.sectors, ATA_SECTOR, true, record, wanted, &bytes);
    if (result)
        return result;
    struct transfer *transfer = malloc(sizeof *transfer);
    if (!transfer)
        return D_NO_MEMORY;
    if (dma_write_begin(&limits, data, bytes, &transfer->dma)) {
        free(transfer);
        return D_NO_MEMORY;
    }
    transfer->ahci = (struct ahci_request){.kind = AHCI_WRITE, .lba = record, .sectors = bytes / ATA_SECTOR,
                                           .memory = transfer->dma.memory, .done = write_done};
    transfer->request = *request;
    transfer->data = data;
    transfer->port = port;
    transfer->bytes = bytes;
    ahci_submit(port, &transfer->ahci);
    return D_SUCCESS;
}

/* ---- status --------------------------------------------------------------------------- */

static io_return_t disk_get_status(void *device, dev_flavor_t flavor, dev_status_t status, mach_msg_type_number_t *count)
{
    const struct ahci_port *port = device;
    uint64_t sectors = port->identity.sectors;
    if (flavor != DEV_GET_SIZE && flavor != DEV_GET_RECORDS)
        return D_INVALID_OPERATION;
    if (*count < DEV_GET_SIZE_COUNT)
        return D_INVALID_SIZE;
    /* 0 is "unknown": what a word cannot hold. */
    uint64_t size = flavor == DEV_GET_SIZE ? sectors * ATA_SECTOR : sectors;
    uint64_t most = flavor == DEV_GET_SIZE ? INT32_MAX : UINT32_MAX;
    status[DEV_GET_SIZE_DEVICE_SIZE] = size > most ? 0 : (int)size;
    status[DEV_GET_SIZE_RECORD_SIZE] = ATA_SECTOR;
    *count = DEV_GET_SIZE_COUNT;
    return D_SUCCESS;
}

static error_t disk_flush(struct ahci_port *port)
{
    struct ahci_request request = {.kind = AHCI_FLUSH};
    return port->identity.write_cache ? ahci_submit_wait(port, &request) : 0;
}

static io_return_t disk_set_status(void *device, dev_flavor_t flavor, const int *status, mach_msg_type_number_t count)
{
    (void)status;
    (void)count;
    if (flavor != MACHDEV_SYNC)
        return D_INVALID_OPERATION;
    return disk_flush(device) ? D_IO_ERROR : D_SUCCESS;
}

static io_return_t disk_sync(void)
{
    io_return_t result = D_SUCCESS;
    for (unsigned int i = 0; i < disk_count; i++) {
        if (disk_flush(disks[i])) {
            fprintf(stderr, "rumpdisk: wd%u: flushing the cache failed\n", i);
            result = D_IO_ERROR;
        }
        machdev_trace("wd%u: %llu commands, %llu KiB, %llu resets", i, (unsigned long long)disks[i]->commands,
                      (unsigned long long)disks[i]->bytes / 1024, (unsigned long long)disks[i]->resets);
    }
    return result;
}

const struct machdev_driver disk_driver = {
    .open = disk_open,
    .read = disk_read,
    .write = disk_write,
    .get_status = disk_get_status,
    .set_status = disk_set_status,
    .sync = disk_sync,
};

/* ---- finding them ------------------------------------------------------------------------ */

struct search {
    mach_port_t host_priv, device_master;
    unsigned int adapters;
};

static void disk_add(struct ahci_port *port)
{
    struct ahci_port **more = realloc(disks, (disk_count + 1) * sizeof *disks);
    if (!more) {
        fprintf(stderr, "rumpdisk: wd%u: no memory\n", disk_count);
        return;
    }
    disks = more;
    disks[disk_count] = port;
    fprintf(stderr, "rumpdisk: wd%u: %s, %llu MiB\n", disk_count, port->identity.model,
            (unsigned long long)(port->identity.sectors / (1048576 / ATA_SECTOR)));
    disk_count++;
}

static error_t adapter_found(struct pci_bus *bus, const struct pci_function *function, void *arg)
{
    struct search *search = arg;
    /* Class SATA, programming interface AHCI. */
    if (function->class_code != (PCI_CLASS_SATA << 8 | 1))
        return 0;
    struct ahci_hba *hba;
    search->adapters++;
    error_t err = ahci_hba_attach(bus, function, search->host_priv, search->device_master, &hba);
    if (err) {
        fprintf(stderr, "rumpdisk: AHCI controller at %02x:%02x.%x cannot be used: %s\n", function->address.bus,
                function->address.device, function->address.function, strerror(err));
        return 0;
    }
    uint64_t end = ahci_hba_reach(hba);
    if (end < limits.end)
        limits.end = end;
    for (unsigned int i = 0; i < AHCI_PORTS; i++)
        if (hba->ports[i])
            disk_add(hba->ports[i]);
    return 0;
}

void disk_find_all(struct pci_bus *bus, mach_port_t host_priv, mach_port_t device_master)
{
    struct search search = {.host_priv = host_priv, .device_master = device_master};
    limits = (struct dma_limits){.host_priv = host_priv, .end = UINT64_MAX};
    error_t err = pci_bus_walk(bus, adapter_found, &search);
    if (err)
        fprintf(stderr, "rumpdisk: looking for AHCI controllers by %s: %s\n", bus->ops->name, strerror(err));
    else if (search.adapters == 0)
        fprintf(stderr, "rumpdisk: no AHCI controller found on the PCI bus: there are no disks\n");
    else if (disk_count == 0)
        fprintf(stderr, "rumpdisk: no disk found on %u AHCI controller(s)\n", search.adapters);
}
