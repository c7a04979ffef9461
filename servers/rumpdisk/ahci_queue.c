/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of a request through a port: pending list, slots, completion, retries, watchdog.  States in ahci.h.

   Rules of the hardware (AHCI 1.3.1, 5.3, 5.6.4): queued and other commands are never in flight together; the bit of a
   queued command is set in SACT before CI and is cleared in SACT when the disk says so; that of another command is cleared in CI.  */

#include "ahci.h"

#include <stdio.h>
#include <string.h>

#include "ahci_regs.h"

/* ---- lists: port lock held, or a list of our own ------------------------------------ */

static void pending_append(struct ahci_port *port, struct ahci_request *request)
{
    request->next = NULL;
    *port->pending_end = request;
    port->pending_end = &request->next;
}

static void pending_prepend(struct ahci_port *port, struct ahci_request *request)
{
    request->next = port->pending;
    port->pending = request;
    if (!request->next)
        port->pending_end = &request->next;
}

static struct ahci_request *pending_remove(struct ahci_port *port)
{
    struct ahci_request *request = port->pending;
    port->pending = request->next;
    if (!port->pending)
        port->pending_end = &port->pending;
    return request;
}

/* Requests that are over, with their results, told to their owners when the lock is released. */
struct finished {
    struct ahci_request *good, *bad;
};

static void finished_add(struct ahci_request **list, struct ahci_request *request)
{
    request->next = *list;
    *list = request;
}

static void finished_tell(struct finished *finished)
{
    for (struct ahci_request *request = finished->good, *next; request; request = next) {
        next = request->next;
        request->done(request, 0);
    }
    for (struct ahci_request *request = finished->bad, *next; request; request = next) {
        next = request->next;
        request->done(request, EIO);
    }
}

/* ---- issuing -------------------------------------------------------------------------- */

static uint8_t command_for(enum ahci_kind kind, bool queued)
{
    switch (kind) {
    case AHCI_READ:
        return queued ? ATA_READ_FPDMA_QUEUED : ATA_READ_DMA_EXT;
    case AHCI_WRITE:
        return queued ? ATA_WRITE_FPDMA_QUEUED : ATA_WRITE_DMA_EXT;
    case AHCI_FLUSH:
        return ATA_FLUSH_CACHE_EXT;
    default:
        return ATA_IDENTIFY_DEVICE;
    }
}

/* Builds the next piece of REQUEST in SLOT and hands it to the hardware. */
static void slot_issue(struct ahci_port *port, unsigned int slot, struct ahci_request *request, bool queued)
{
    struct ahci_table *table = &port->tables[slot];
    uint32_t left = request->sectors - request->sectors_done;
    unsigned int prds = 0;
    if (left > ATA_SECTORS_MAX)
        left = ATA_SECTORS_MAX;
    if (left > 0)
        left = ahci_prds_fill(table, &request->memory, vm_page_size, (size_t)request->sectors_done * ATA_SECTOR,
                              (size_t)left * ATA_SECTOR, &prds)
               / ATA_SECTOR;
    bool transfer = request->kind == AHCI_READ || request->kind == AHCI_WRITE;
    ata_fis_build(table->fis, command_for(request->kind, queued), transfer ? request->lba + request->sectors_done : 0,
                  transfer ? left : 0, slot);
    ahci_header_fill(&port->list[slot], port->tables_physical + slot * sizeof *table, request->kind == AHCI_WRITE, prds);

    request->sectors_issued = left;
    request->deadline = port->hba->clock + AHCI_TIMEOUT_S + 1;
    port->slots[slot] = request;
    port->busy |= 1u << slot;
    port->commands++;
    port->bytes += (uint64_t)left * ATA_SECTOR;
    /* The processor keeps its stores in order; the compiler must too. */
    __asm__ volatile("" : : : "memory");
    if (queued) {
        port->busy_queued |= 1u << slot;
        ahci_write32(port->regs, PORT_SACT, 1u << slot);
    }
    ahci_write32(port->regs, PORT_CI, 1u << slot);
}

/* Moves requests from the list into slots as far as the rules allow. */
static void port_issue(struct ahci_port *port, struct finished *finished)
{
    while (port->pending) {
        if (port->dead) {
            finished_add(&finished->bad, pending_remove(port));
            continue;
        }
        struct ahci_request *request = port->pending;
        bool transfer = request->kind == AHCI_READ || request->kind == AHCI_WRITE;
        bool queued = port->queuing && transfer && port->solo == 0;
        if (port->busy && (port->solo > 0 || queued != (port->busy_queued != 0)))
            break;
        uint32_t usable = port->depth >= 32 ? ~0u : (1u << port->depth) - 1;
        uint32_t free_slots = usable & ~port->busy;
        if (!free_slots)
            break;
        slot_issue(port, __builtin_ctz(free_slots), pending_remove(port), queued);
    }
}

/* ---- errors ----------------------------------------------------------------------------- */

/* Takes everything out of the slots, resets the port, and puts the requests back to be tried one by one. */
static void port_recover(struct ahci_port *port, const char *cause, struct finished *finished)
{
    fprintf(stderr, "rumpdisk: AHCI port %u: %s (status 0x%x, SERR 0x%x): resetting the port\n", port->number, cause,
            ahci_read32(port->regs, PORT_TFD) & 0xffff, ahci_read32(port->regs, PORT_SERR));
    uint32_t busy = port->busy;
    port->busy = port->busy_queued = 0;
    port->solo = 0;
    if (ahci_port_reset(port)) {
        fprintf(stderr, "rumpdisk: AHCI port %u: the disk does not come back\n", port->number);
        port->dead = true;
    }
    for (; busy; busy &= busy - 1) {
        struct ahci_request *request = port->slots[__builtin_ctz(busy)];
        if (port->dead || ++request->tries >= AHCI_TRIES) {
            finished_add(&finished->bad, request);
            continue;
        }
        pending_prepend(port, request);
    }
    for (struct ahci_request *request = port->pending; request && request->tries > 0; request = request->next)
        port->solo++;
}

/* ---- completion --------------------------------------------------------------------------- */

static void slot_complete(struct ahci_port *port, unsigned int slot, struct finished *finished)
{
    struct ahci_request *request = port->slots[slot];
    port->busy &= ~(1u << slot);
    port->busy_queued &= ~(1u << slot);
    request->sectors_done += request->sectors_issued;
    if (request->sectors_done < request->sectors) {
        pending_prepend(port, request); /* its next piece, before others; still counted in `solo` */
        return;
    }
    if (port->solo > 0)
        port->solo--;
    finished_add(&finished->good, request);
}

static void port_complete(struct ahci_port *port, struct finished *finished)
{
    uint32_t status = ahci_read32(port->regs, PORT_IS);
    ahci_write32(port->regs, PORT_IS, status);
    if (!port->busy)
        return;
    uint32_t running = ahci_read32(port->regs, PORT_CI) | (port->busy_queued ? ahci_read32(port->regs, PORT_SACT) : 0);
    if (status & PORT_INT_ERRORS) {
        port_recover(port, "error", finished);
        return;
    }
    for (uint32_t done = port->busy & ~running; done; done &= done - 1)
        slot_complete(port, __builtin_ctz(done), finished);
}

void ahci_port_service(struct ahci_port *port)
{
    struct finished finished = {0};
    pthread_mutex_lock(&port->lock);
    port_complete(port, &finished);
    port_issue(port, &finished);
    pthread_mutex_unlock(&port->lock);
    finished_tell(&finished);
}

void ahci_port_watch(struct ahci_port *port, uint64_t now, bool *active)
{
    struct finished finished = {0};
    pthread_mutex_lock(&port->lock);
    if (port->busy) {
        *active = true;
        port_complete(port, &finished); /* in case an interrupt was lost */
        bool late = false;
        for (uint32_t busy = port->busy; busy; busy &= busy - 1)
            late = late || port->slots[__builtin_ctz(busy)]->deadline <= now;
        if (late)
            port_recover(port, "timeout", &finished);
        port_issue(port, &finished);
    }
    pthread_mutex_unlock(&port->lock);
    finished_tell(&finished);
}

/* ---- submitting ----------------------------------------------------------------------------- */

static void watchdog_wake(struct ahci_hba *hba)
{
    pthread_mutex_lock(&hba->watch_lock);
    hba->watch_asleep = false;
    pthread_cond_signal(&hba->watch_wakeup);
    pthread_mutex_unlock(&hba->watch_lock);
}

void ahci_submit(struct ahci_port *port, struct ahci_request *request)
{
    struct finished finished = {0};
    request->sectors_done = request->sectors_issued = 0;
    request->tries = 0;
    pthread_mutex_lock(&port->lock);
    pending_append(port, request);
    port_issue(port, &finished);
    pthread_mutex_unlock(&port->lock);
    if (port->hba->watch_asleep)
        watchdog_wake(port->hba);
    finished_tell(&finished);
}

struct waiter {
    struct ahci_request request;
    pthread_mutex_t lock;
    pthread_cond_t wakeup;
    bool over;      /* lock */
    error_t result; /* lock */
};

static void waiter_done(struct ahci_request *request, error_t err)
{
    struct waiter *waiter = (struct waiter *)request;
    pthread_mutex_lock(&waiter->lock);
    waiter->over = true;
    waiter->result = err;
    pthread_cond_signal(&waiter->wakeup);
    pthread_mutex_unlock(&waiter->lock);
}

error_t ahci_submit_wait(struct ahci_port *port, struct ahci_request *request)
{
    struct waiter waiter = {.request = *request, .lock = PTHREAD_MUTEX_INITIALIZER, .wakeup = PTHREAD_COND_INITIALIZER};
    waiter.request.done = waiter_done;
    ahci_submit(port, &waiter.request);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.over)
        pthread_cond_wait(&waiter.wakeup, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    return waiter.result;
}
