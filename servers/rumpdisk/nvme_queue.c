/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands on their way: rings, doorbells, completions (NVM Express 1.4, 4.1, 4.6, 7.2). */

#include "nvme.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ADMIN_TIMEOUT_MS 10000u

/* The processor keeps its stores in order, and its loads; the compiler must too. */
static inline void order(void)
{
    __asm__ volatile("" : : : "memory");
}

/* ---- rings ------------------------------------------------------------------------------ */

static void ring_clear(struct nvme_ring *ring, size_t entry)
{
    memset(ring->entries, 0, ring->count * entry);
    ring->position = 0;
    ring->phase = 1;
}

void nvme_rings_clear(struct nvme *nvme)
{
    ring_clear(&nvme->admin_sq, sizeof(struct nvme_command));
    ring_clear(&nvme->admin_cq, sizeof(struct nvme_completion));
    ring_clear(&nvme->sq, sizeof(struct nvme_command));
    ring_clear(&nvme->cq, sizeof(struct nvme_completion));
    nvme->aborting = 0;
}

/* The next entry of a submission queue is COMMAND. */
static void ring_put(struct nvme_ring *ring, const struct nvme_command *command)
{
    ((struct nvme_command *)ring->entries)[ring->position] = *command;
    if (++ring->position == ring->count)
        ring->position = 0;
}

static void ring_kick(struct nvme_ring *ring)
{
    order();
    *ring->doorbell = ring->position;
}

/* The next completion that is there; the doorbell is the caller's, once for all that he takes. */
static bool ring_take(struct nvme_ring *ring, struct nvme_completion *completion)
{
    const volatile struct nvme_completion *entry = (struct nvme_completion *)ring->entries + ring->position;
    uint32_t status = entry->status;
    if (NVME_STATUS_PHASE(status) != ring->phase)
        return false;
    order();
    *completion = (struct nvme_completion){.result = entry->result, .queue = entry->queue, .status = status};
    if (++ring->position == ring->count) {
        ring->position = 0;
        ring->phase ^= 1;
    }
    return true;
}

/* ---- admin commands ----------------------------------------------------------------------- */

static bool admin_take(struct nvme *nvme, struct nvme_completion *completion)
{
    if (!ring_take(&nvme->admin_cq, completion))
        return false;
    *nvme->admin_cq.doorbell = nvme->admin_cq.position;
    return true;
}

/* A line that nobody listens to yet would be raised without end; MSI-X has masks of its own (7.5.1). */
static void line_open(const struct nvme *nvme, bool on)
{
    if (!nvme->messages)
        nvme_write32(nvme, on ? NVME_INTMC : NVME_INTMS, 1);
}

void nvme_listen(struct nvme *nvme)
{
    nvme->listening = true;
    line_open(nvme, true);
}

static error_t admin_wait(struct nvme *nvme, struct nvme_command *command, uint32_t *result)
{
    struct nvme_completion completion;
    command->opcode = (command->opcode & 0xffff) | (uint32_t)++nvme->generation << 16;
    ring_put(&nvme->admin_sq, command);
    ring_kick(&nvme->admin_sq);
    unsigned int looks = 0, slept = 0;
    for (;;) {
        if (admin_take(nvme, &completion)) {
            if (NVME_STATUS_ID(completion.status) == command->opcode >> 16)
                break;
            continue; /* of an Abort */
        }
        /* Most answers come within microseconds; the kernel sleeps in ticks of 10 ms. */
        if (++looks < 1000)
            continue;
        if (slept >= ADMIN_TIMEOUT_MS)
            return ETIMEDOUT;
        usleep(10000);
        slept += 10;
    }
    if (result)
        *result = completion.result;
    return NVME_STATUS_CODE(completion.status) ? EIO : 0;
}

/* The completion is waited for by looking, so it is not to be announced. */
error_t nvme_admin(struct nvme *nvme, struct nvme_command *command, uint32_t *result)
{
    line_open(nvme, false);
    error_t err = admin_wait(nvme, command, result);
    if (nvme->listening)
        line_open(nvme, true);
    return err;
}

/* ---- the queue ------------------------------------------------------------------------------ */

static size_t nvme_issue(struct block_queue *queue, unsigned int slot, struct block_request *request, bool alone)
{
    struct nvme *nvme = (struct nvme *)queue;
    const struct nvme_namespace *namespace = (struct nvme_namespace *)request->unit;
    struct nvme_command command = {0};
    size_t most = (size_t)65536 << request->unit->sector_log, left = request->length - request->finished;
    (void)alone;
    if (most > nvme->identity.transfer_max)
        most = nvme->identity.transfer_max;
    if (left > most)
        left = most;
    if (left > 0)
        left = nvme_prps_fill(&command, nvme->lists + slot * NVME_LIST_ENTRIES,
                              nvme->lists_physical + slot * BLOCK_PAGE, &request->memory, request->finished, left,
                              request->unit->sector_log);
    nvme_transfer_fill(&command, request, left, namespace->number);
    nvme->ids[slot] = (uint16_t)(++nvme->generation * BLOCK_SLOTS) | slot;
    command.opcode |= (uint32_t)nvme->ids[slot] << 16;
    ring_put(&nvme->sq, &command);
    return left;
}

static void nvme_kick(struct block_queue *queue)
{
    ring_kick(&((struct nvme *)queue)->sq);
}

static void completion_handle(struct nvme *nvme, const struct nvme_completion *completion)
{
    unsigned int id = NVME_STATUS_ID(completion->status), slot = id % BLOCK_SLOTS;
    unsigned int code = NVME_STATUS_CODE(completion->status);
    if (!(nvme->queue.busy >> slot & 1) || nvme->ids[slot] != id)
        return; /* of no command that is in flight */
    if (code)
        fprintf(stderr, "rumpdisk: %s: status 0x%x\n", nvme->queue.name, code);
    block_queue_ended(&nvme->queue, slot, code ? nvme_status_error(completion->status) : 0);
}

static const char *nvme_collect(struct block_queue *queue)
{
    struct nvme *nvme = (struct nvme *)queue;
    struct nvme_completion completion;
    bool any = false;
    /* A ring's worth at most: a controller that goes mad does not keep us here. */
    for (unsigned int i = 0; i < nvme->cq.count && ring_take(&nvme->cq, &completion); i++) {
        any = true;
        completion_handle(nvme, &completion);
    }
    if (any)
        *nvme->cq.doorbell = nvme->cq.position;
    if (nvme->aborting > 0 && admin_take(nvme, &completion)) {
        nvme->aborting--;
        any = true;
    }
    if (any || !queue->busy)
        return NULL;
    uint32_t status = nvme_read32(nvme, NVME_CSTS);
    return status & NVME_CSTS_FATAL ? status == ~0u ? "the controller is gone" : "fatal error" : NULL;
}

static bool nvme_abort(struct block_queue *queue, unsigned int slot)
{
    struct nvme *nvme = (struct nvme *)queue;
    if (nvme->aborting >= nvme->identity.aborts || nvme->aborting + 1 >= nvme->admin_sq.count)
        return false;
    struct nvme_command command = {.opcode = NVME_ADMIN_ABORT | (uint32_t)++nvme->generation << 16,
                                   .words = {1 | (uint32_t)nvme->ids[slot] << 16}};
    nvme->aborting++;
    ring_put(&nvme->admin_sq, &command);
    ring_kick(&nvme->admin_sq);
    return true;
}

static error_t nvme_reset(struct block_queue *queue)
{
    return nvme_controller_reset((struct nvme *)queue);
}

const struct block_queue_ops nvme_queue_ops = {
    .issue = nvme_issue, .kick = nvme_kick, .collect = nvme_collect, .abort = nvme_abort, .reset = nvme_reset,
};
