/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The adapter as a whole: taking it over from the firmware, reset, its interrupt and its watchdog (AHCI 1.3.1, 10.1.2, 10.4.3,
   10.6, 10.7.2.1). */

#include "ahci.h"

#include <device/device.h>
#include <device/notify.h>
#include <mach/gnumach.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ahci_regs.h"

#define REGION 5u
#define FOUR_GIB 0x100000000ull
/* Seconds without anything in flight until the watchdog stops counting. */
#define WATCH_IDLE_S 5u

error_t ahci_wait(volatile uint32_t *regs, unsigned int offset, uint32_t mask, uint32_t value, unsigned int milliseconds)
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

uint64_t ahci_hba_reach(const struct ahci_hba *hba)
{
    return hba->cap & HBA_CAP_S64A ? UINT64_MAX : FOUR_GIB;
}

error_t ahci_memory_allocate(struct ahci_hba *hba, size_t size, void **where, uint64_t *physical)
{
    vm_address_t address;
    rpc_phys_addr_t start;
    error_t err = vm_allocate_contiguous(hba->host_priv, mach_task_self(), &address, &start, size, 0,
                                         ahci_hba_reach(hba), vm_page_size);
    if (err)
        return err;
    memset((void *)address, 0, size);
    *where = (void *)address;
    *physical = start;
    return 0;
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

static void hba_interrupt(struct ahci_hba *hba)
{
    uint32_t status = ahci_read32(hba->regs, HBA_IS);
    for (uint32_t left = status; left; left &= left - 1) {
        unsigned int number = __builtin_ctz(left);
        if (hba->ports[number])
            ahci_port_service(hba->ports[number]);
    }
    /* The ports' own bits come first: this one is set again while one of them is (10.7.2.1). */
    ahci_write32(hba->regs, HBA_IS, status);
}

/* device_intr_ack without an answer, so that acknowledging an interrupt and waiting for the next is one call of the kernel. */
struct acknowledgement {
    mach_msg_header_t header;
    mach_msg_type_t type;
    mach_port_name_inlined_t port;
};
#define DEVICE_INTR_ACK 2814

static void acknowledgement_fill(const struct ahci_hba *hba, struct acknowledgement *ack)
{
    *ack = (struct acknowledgement){
        .header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX,
                   .msgh_size = sizeof *ack,
                   .msgh_remote_port = hba->irq_device,
                   .msgh_id = DEVICE_INTR_ACK},
        .type = {.msgt_name = MACH_MSG_TYPE_MAKE_SEND, .msgt_size = 64, .msgt_number = 1, .msgt_inline = TRUE},
    };
    ack->port.name = hba->irq_port;
}

/* The kernel sends one message an interrupt and keeps the line shut until it is acknowledged; the line may be shared,
   so there may be nothing to do. */
static void *interrupt_thread(void *arg)
{
    struct ahci_hba *hba = arg;
    bool pending = false; /* an interrupt that is not acknowledged */
    for (;;) {
        union {
            device_intr_notification_t notification;
            struct acknowledgement ack;
            char room[256];
        } message;
        mach_msg_header_t *header = &message.notification.intr_header;
        if (pending)
            acknowledgement_fill(hba, &message.ack);
        mach_msg_return_t err = mach_msg(header, MACH_RCV_MSG | (pending ? MACH_SEND_MSG : 0), sizeof message.ack,
                                         sizeof message, hba->irq_port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL);
        if (err) {
            /* An error of sending: it is still to be acknowledged. */
            pending = pending && err < MACH_RCV_IN_PROGRESS;
            continue;
        }
        pending = header->msgh_id == DEVICE_INTR_NOTIFY;
        if (pending)
            hba_interrupt(hba);
        else
            mach_msg_destroy(header);
    }
    return NULL;
}

static error_t interrupt_setup(struct ahci_hba *hba, mach_port_t device_master)
{
    error_t err = device_open(device_master, D_READ | D_WRITE, (char *)"irq", &hba->irq_device);
    if (err)
        return err;
    err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &hba->irq_port);
    if (err)
        goto no_port;
    err = device_intr_register(hba->irq_device, hba->function.irq_line, 0, hba->irq_port, MACH_MSG_TYPE_MAKE_SEND);
    if (err)
        goto no_line;
    pthread_t thread;
    err = pthread_create(&thread, NULL, interrupt_thread, hba);
    if (err)
        goto no_line;
    pthread_detach(thread);
    return 0;

no_line:
    mach_port_mod_refs(mach_task_self(), hba->irq_port, MACH_PORT_RIGHT_RECEIVE, -1);
no_port:
    mach_port_deallocate(mach_task_self(), hba->irq_device);
    return err;
}

/* ---- watchdog ----------------------------------------------------------------------- */

/* Looks once a second at what is in flight, so an interrupt that never comes costs a second and a command that never
   ends a reset.  It sleeps for good when nothing was in flight for a while; ahci_submit wakes it then. */
static bool ports_watch(struct ahci_hba *hba)
{
    bool active = false;
    for (unsigned int i = 0; i < AHCI_PORTS; i++)
        if (hba->ports[i])
            ahci_port_watch(hba->ports[i], hba->clock, &active);
    return active;
}

/* The flag is up before the last look, so a command that is issued meanwhile is seen by one side or the other. */
static void watchdog_rest(struct ahci_hba *hba)
{
    hba->watch_asleep = true;
    if (ports_watch(hba))
        hba->watch_asleep = false;
    pthread_mutex_lock(&hba->watch_lock);
    while (hba->watch_asleep)
        pthread_cond_wait(&hba->watch_wakeup, &hba->watch_lock);
    pthread_mutex_unlock(&hba->watch_lock);
}

static void *watchdog_thread(void *arg)
{
    struct ahci_hba *hba = arg;
    for (unsigned int idle = 0;;) {
        if (idle >= WATCH_IDLE_S) {
            watchdog_rest(hba);
            idle = 0;
        }
        sleep(1);
        hba->clock++;
        idle = ports_watch(hba) ? 0 : idle + 1;
    }
    return NULL;
}

static error_t watchdog_setup(struct ahci_hba *hba)
{
    pthread_t thread;
    pthread_mutex_init(&hba->watch_lock, NULL);
    pthread_cond_init(&hba->watch_wakeup, NULL);
    error_t err = pthread_create(&thread, NULL, watchdog_thread, hba);
    if (!err)
        pthread_detach(thread);
    return err;
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
            fprintf(stderr, "rumpdisk: AHCI port %u: no memory for DMA: %s\n", number, strerror(err));
    }
    ports_spin_up(hba, present);
    for (unsigned int number = 0; number < AHCI_PORTS; number++) {
        struct ahci_port *port = hba->ports[number];
        if (!port)
            continue;
        err = ahci_port_start(port);
        if (!err)
            err = ahci_port_identify(port);
        if (err) {
            if (err != ENXIO)
                fprintf(stderr, "rumpdisk: AHCI port %u: disk cannot be used: %s\n", number, strerror(err));
            hba->ports[number] = NULL; /* the structure stays: the hardware may know its memory */
            ahci_write32(port->regs, PORT_IE, 0);
        }
    }
}

error_t ahci_hba_attach(struct pci_bus *bus, const struct pci_function *function, mach_port_t host_priv,
                        mach_port_t device_master, struct ahci_hba **result)
{
    struct ahci_hba *hba = calloc(1, sizeof *hba);
    if (!hba)
        return ENOMEM;
    hba->function = *function;
    hba->host_priv = host_priv;
    error_t err = pci_function_regions(bus, &hba->function);
    if (!err)
        err = pci_function_command(bus, function, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, PCI_COMMAND_INTX_DISABLE);
    if (!err)
        err = pci_function_map(&hba->function, device_master, REGION, (void **)&hba->regs);
    if (err) {
        free(hba);
        return err;
    }
    firmware_handoff(hba);
    hba->cap = ahci_read32(hba->regs, HBA_CAP);
    err = hba_reset(hba);
    if (!err)
        err = watchdog_setup(hba);
    if (!err)
        err = interrupt_setup(hba, device_master);
    if (err)
        return err; /* its threads may know the structure */
    ahci_write32(hba->regs, HBA_IS, ~0u);
    ahci_write32(hba->regs, HBA_GHC, HBA_GHC_AE | HBA_GHC_IE);
    ports_attach(hba);
    *result = hba;
    return 0;
}
