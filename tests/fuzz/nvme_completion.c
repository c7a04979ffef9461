/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target: any bytes as what an NVMe controller says: registers, identities, completions.  The driver must
   stay inside its memory, end each request at most once, and not hang.

   Sources: lib/pci/scan.c servers/rumpdisk/block_queue.c servers/rumpdisk/nvme_command.c
       servers/rumpdisk/nvme_controller.c servers/rumpdisk/nvme_queue.c
   Max: 8192 */

#include "../unit/block/fake_watch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../servers/rumpdisk/nvme.h"

#define REQUESTS 80u

static const uint8_t *input;
static size_t left;
static struct nvme_namespace namespace;
static volatile uint32_t regs[0x2000 / 4];
static unsigned int done[REQUESTS];
static struct block_request requests[REQUESTS];

/* The driver waits: the time goes by at once. */
int usleep(useconds_t useconds)
{
    (void)useconds;
    return 0;
}

error_t block_unit_add(struct block_unit *unit)
{
    (void)unit;
    return 0;
}

static void take(void *to, size_t length)
{
    size_t bytes = length < left ? length : left;
    memset(to, 0, length);
    if (bytes > 0)
        memcpy(to, input, bytes);
    input += bytes;
    left -= bytes;
}

static void request_done(struct block_request *request, error_t err)
{
    (void)err;
    if (done[request - requests]++ > 0)
        abort();
}

static void identities_parse(void)
{
    static uint8_t page[4096];
    struct nvme_identity identity;
    take(page, sizeof page);
    nvme_controller_parse(page, &identity);
    if (strnlen(identity.model, sizeof identity.model) == sizeof identity.model)
        abort();
    namespace.unit = (struct block_unit){.sector_log = 9};
    if (nvme_namespace_parse(page, &namespace.unit) == NULL
        && (namespace.unit.sector_log < 9 || namespace.unit.sector_log > 12 || namespace.unit.sectors == 0))
        abort();
}

/* A running driver with REQUESTS on their way. */
static void driver_start(struct nvme *nvme)
{
    static uint64_t pages[64];
    fake_ram_used = 0;
    memset((void *)regs, 0, sizeof regs);
    memset(done, 0, sizeof done);
    regs[0] = 127;
    regs[1] = 1 << 5;
    *nvme = (struct nvme){.regs = regs, .limits.end = UINT64_MAX};
    nvme_controller_start(nvme); /* it never gets ready; its memory is there then */
    nvme_rings_clear(nvme);
    nvme->identity = (struct nvme_identity){.transfer_max = 1 << 16, .aborts = 4};
    nvme->queue.dead = false;
    namespace.unit = (struct block_unit){.queue = &nvme->queue, .sector_log = 9, .sectors = 1 << 20};
    namespace.number = 1;
    for (unsigned int i = 0; i < 64; i++)
        pages[i] = FAKE_RAM_BASE + 4096 * (i * 5 % 64);
    for (unsigned int i = 0; i < REQUESTS; i++) {
        requests[i] = (struct block_request){.unit = &namespace.unit, .kind = i % 3, .lba = i, .done = request_done,
                                             .length = i % 3 == BLOCK_FLUSH ? 0 : 512 << i % 9,
                                             .memory = {.pages = pages, .offset = 4 * i}};
        block_submit(&requests[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static struct nvme nvme;
    input = data;
    left = length;
    driver_start(&nvme);
    while (left > 0) {
        struct { uint8_t what, at; uint16_t extra; } step;
        take(&step, sizeof step);
        struct nvme_completion completion;
        switch (step.what % 8) {
        case 0:
            regs[NVME_CSTS / 4] = step.extra;
            break;
        case 1:
            fake_clock += step.at;
            block_queue_watch(&nvme.queue, fake_clock);
            break;
        case 2:
            take(&completion, sizeof completion);
            ((struct nvme_completion *)nvme.admin_cq.entries)[step.at % nvme.admin_cq.count] = completion;
            break;
        case 3: /* a good one for the slot, at the ring's position */
            completion = (struct nvme_completion){.status = nvme.ids[step.at % BLOCK_SLOTS] | nvme.cq.phase << 16
                                                            | (uint32_t)step.extra << 17};
            ((struct nvme_completion *)nvme.cq.entries)[nvme.cq.position] = completion;
            block_queue_service(&nvme.queue);
            break;
        default:
            take(&completion, sizeof completion);
            ((struct nvme_completion *)nvme.cq.entries)[step.at % nvme.cq.count] = completion;
            block_queue_service(&nvme.queue);
        }
    }
    pthread_mutex_destroy(&nvme.queue.lock);
    input = data;
    left = length;
    identities_parse();
    return 0;
}
