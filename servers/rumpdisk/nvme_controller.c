/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controller as a whole: enabling, its queues, what it and its namespaces are (NVM Express 1.4, 7.6.1, 5.15). */

#include "nvme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADMIN_ENTRIES 32u
#define IO_ENTRIES 128u
#define NAMESPACES_MAX 256u /* of one controller: more are a damaged list */

/* ---- enabling ----------------------------------------------------------------------------- */

/* Waits until READY is as wanted, for as long as the controller says that it takes. */
static error_t ready_wait(const struct nvme *nvme, uint32_t wanted)
{
    unsigned int most = NVME_CAP_TIMEOUT_MS(nvme->cap) + 500;
    for (unsigned int slept = 0;; slept += 10) {
        for (unsigned int look = 0; look < 200; look++) {
            uint32_t status = nvme_read32(nvme, NVME_CSTS);
            if (status == ~0u)
                return ENODEV;
            if ((status & NVME_CSTS_READY) == wanted)
                return 0;
            if (wanted && (status & NVME_CSTS_FATAL))
                return EIO;
        }
        if (slept > most)
            return ETIMEDOUT;
        usleep(10000); /* the kernel's tick */
    }
}

/* What is in flight ends when it is not ready any more. */
static error_t controller_disable(const struct nvme *nvme)
{
    uint32_t control = nvme_read32(nvme, NVME_CC);
    if (control & NVME_CC_ENABLE) {
        /* It must have become ready before it may be disabled (3.1.5). */
        ready_wait(nvme, NVME_CSTS_READY);
        nvme_write32(nvme, NVME_CC, control & ~NVME_CC_ENABLE);
    }
    return ready_wait(nvme, 0);
}

static void write64(const struct nvme *nvme, unsigned int offset, uint64_t value)
{
    nvme_write32(nvme, offset, value);
    nvme_write32(nvme, offset + 4, value >> 32);
}

static error_t controller_enable(struct nvme *nvme)
{
    nvme_rings_clear(nvme);
    nvme_write32(nvme, NVME_AQA, (nvme->admin_sq.count - 1) | (nvme->admin_cq.count - 1) << 16);
    write64(nvme, NVME_ASQ, nvme->admin_sq.physical);
    write64(nvme, NVME_ACQ, nvme->admin_cq.physical);
    nvme_write32(nvme, NVME_CC, NVME_CC_SIZES);
    nvme_write32(nvme, NVME_CC, NVME_CC_SIZES | NVME_CC_ENABLE);
    return ready_wait(nvme, NVME_CSTS_READY);
}

static error_t queues_create(struct nvme *nvme)
{
    struct nvme_command queues = {.opcode = NVME_ADMIN_SET_FEATURES, .words = {NVME_FEATURE_QUEUES, 0}};
    struct nvme_command cq = {.opcode = NVME_ADMIN_CREATE_CQ, .prp1 = nvme->cq.physical,
                              .words = {1 | (nvme->cq.count - 1) << 16, 3}}; /* in one piece, interrupt 0 */
    struct nvme_command sq = {.opcode = NVME_ADMIN_CREATE_SQ, .prp1 = nvme->sq.physical,
                              .words = {1 | (nvme->sq.count - 1) << 16, 1 | 1 << 16}};
    error_t err = nvme_admin(nvme, &queues, NULL);
    if (!err)
        err = nvme_admin(nvme, &cq, NULL);
    return err ? err : nvme_admin(nvme, &sq, NULL);
}

/* Whether the device may reach memory; one that does not stop when told must not. */
static void mastering_set(const struct nvme *nvme, bool on)
{
    if (nvme->bus)
        pci_function_command(nvme->bus, &nvme->function, on ? PCI_COMMAND_MASTER : 0,
                             on ? 0 : PCI_COMMAND_MASTER);
}

error_t nvme_controller_reset(struct nvme *nvme)
{
    error_t err = controller_disable(nvme);
    if (err) {
        mastering_set(nvme, false);
        return err;
    }
    mastering_set(nvme, true);
    err = controller_enable(nvme);
    if (!err)
        err = queues_create(nvme);
    if (err && controller_disable(nvme))
        mastering_set(nvme, false);
    return err;
}

/* ---- starting ------------------------------------------------------------------------------ */

static error_t ring_create(struct nvme *nvme, struct nvme_ring *ring, unsigned int count, size_t entry,
                           unsigned int doorbell)
{
    ring->count = count;
    ring->doorbell = nvme->regs + (NVME_DOORBELLS + doorbell * (4u << NVME_CAP_STRIDE(nvme->cap))) / 4;
    return block_memory_allocate(&nvme->limits, count * entry, &ring->entries, &ring->physical);
}

static error_t memory_create(struct nvme *nvme)
{
    unsigned int entries = NVME_CAP_ENTRIES(nvme->cap) < IO_ENTRIES ? NVME_CAP_ENTRIES(nvme->cap) : IO_ENTRIES;
    void *lists, *scratch;
    error_t err = ring_create(nvme, &nvme->admin_sq, ADMIN_ENTRIES, sizeof(struct nvme_command), 0);
    if (!err)
        err = ring_create(nvme, &nvme->admin_cq, ADMIN_ENTRIES, sizeof(struct nvme_completion), 1);
    if (!err)
        err = ring_create(nvme, &nvme->sq, entries, sizeof(struct nvme_command), 2);
    if (!err)
        err = ring_create(nvme, &nvme->cq, entries, sizeof(struct nvme_completion), 3);
    if (!err)
        err = block_memory_allocate(&nvme->limits, BLOCK_SLOTS * BLOCK_PAGE, &lists, &nvme->lists_physical);
    if (!err)
        err = block_memory_allocate(&nvme->limits, BLOCK_PAGE, &scratch, &nvme->scratch_physical);
    if (err)
        return err;
    nvme->lists = lists;
    nvme->scratch = scratch;
    block_queue_init(&nvme->queue, &nvme_queue_ops, entries - 1, "NVMe %s", nvme->place);
    return 0;
}

/* Identify into scratch. */
static error_t identify(struct nvme *nvme, uint32_t what, uint32_t namespace)
{
    struct nvme_command command = {.opcode = NVME_ADMIN_IDENTIFY, .namespace = namespace,
                                   .prp1 = nvme->scratch_physical, .words = {what}};
    return nvme_admin(nvme, &command, NULL);
}

error_t nvme_controller_start(struct nvme *nvme)
{
    nvme->cap = nvme_read32(nvme, NVME_CAP) | (uint64_t)nvme_read32(nvme, NVME_CAP + 4) << 32;
    if (nvme->cap == UINT64_MAX)
        return ENODEV;
    /* Its doorbells must be where we have mapped its registers, and its pages as ours. */
    if (!NVME_CAP_CSS_NVM(nvme->cap) || NVME_CAP_PAGE_MIN(nvme->cap) != 0 || NVME_CAP_ENTRIES(nvme->cap) < 2
        || (4u << NVME_CAP_STRIDE(nvme->cap)) > 0x400)
        return ENOTSUP;
    error_t err = memory_create(nvme);
    if (!err)
        err = nvme_controller_reset(nvme);
    if (!err)
        err = identify(nvme, NVME_IDENTIFY_CONTROLLER, 0);
    if (!err)
        nvme_controller_parse(nvme->scratch, &nvme->identity);
    return err;
}

/* ---- namespaces ------------------------------------------------------------------------------ */

static void namespace_add(struct nvme *nvme, uint32_t number)
{
    struct nvme_namespace *namespace = calloc(1, sizeof *namespace);
    const char *why = "no memory";
    if (namespace) {
        struct block_unit *unit = &namespace->unit;
        *unit = (struct block_unit){.queue = &nvme->queue, .write_cache = nvme->identity.write_cache, .fua = true,
                                    .limits = nvme->limits};
        memcpy(unit->model, nvme->identity.model, sizeof unit->model);
        namespace->number = number;
        why = identify(nvme, NVME_IDENTIFY_NAMESPACE, number) ? "it cannot be identified"
                                                              : nvme_namespace_parse(nvme->scratch, unit);
        if (!why && block_unit_add(unit) == 0)
            return;
    }
    if (why)
        fprintf(stderr, "rumpdisk: %s namespace %u cannot be used: %s\n", nvme->queue.name, number, why);
    free(namespace);
}

void nvme_namespaces_add(struct nvme *nvme)
{
    uint32_t numbers[NAMESPACES_MAX], count = 0, number;
    if (identify(nvme, NVME_IDENTIFY_LIST, 0) == 0) {
        for (; count < NAMESPACES_MAX; count++) {
            memcpy(&number, nvme->scratch + 4 * count, 4);
            if (number == 0 || (count > 0 && number <= numbers[count - 1]))
                break;
            numbers[count] = number;
        }
    } else {
        /* Version 1.0 has no list: all numbers are namespaces. */
        for (; count < NAMESPACES_MAX && count < nvme->identity.namespaces; count++)
            numbers[count] = count + 1;
    }
    for (uint32_t i = 0; i < count; i++)
        namespace_add(nvme, numbers[i]);
}
