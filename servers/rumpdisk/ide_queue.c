/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of a channel: DMA transfers, packets, flushes, and their ends; see ide.h. */

#include "ide.h"

#include <stdio.h>

#include "ide_io.h"

/* Looks at a register; one takes about a microsecond on the ISA bus of old. */
#define READY_SPINS 1000u
#define PACKET_SPINS 3000u
#define BOUNDARY 0x10000u

unsigned int ide_prds_fill(struct ide_prd *prds, const struct block_memory *memory, size_t from, size_t length)
{
    unsigned int used = 0;
    for (size_t done = 0, run; done < length; done += run) {
        uint64_t address = block_memory_at(memory, from + done, &run);
        if (run > length - done)
            run = length - done;
        if (run > BOUNDARY - address % BOUNDARY)
            run = BOUNDARY - address % BOUNDARY;
        struct ide_prd *last = used ? &prds[used - 1] : NULL;
        if (last && last->address + last->count == address && address % BOUNDARY != 0) {
            last->count += run; /* 64 KiB become 0, as it should be */
            continue;
        }
        prds[used++] = (struct ide_prd){.address = address, .count = run};
    }
    prds[used - 1].flags = IDE_PRD_LAST;
    return used;
}

/* Waits until the drive is neither busy nor wants data. */
static bool ready_spin(const struct ide_channel *channel)
{
    for (unsigned int i = 0; i < READY_SPINS; i++)
        if (!(ide_in8(channel->control) & (ATA_STATUS_BSY | ATA_STATUS_DRQ)))
            return true;
    return false;
}

/* The bus master's side of a transfer, up to its start. */
static void master_prepare(struct ide_channel *channel, const struct block_request *request, size_t length,
                           bool to_memory)
{
    ide_prds_fill(channel->prds, &request->memory, request->finished, length);
    __asm__ volatile("" : : : "memory");
    ide_out32(channel->master + IDE_BM_TABLE, channel->prds_physical);
    ide_out8(channel->master + IDE_BM_COMMAND, to_memory ? IDE_BM_TO_MEMORY : 0);
    ide_out8(channel->master + IDE_BM_STATUS,
             ide_in8(channel->master + IDE_BM_STATUS) | IDE_BM_ERROR | IDE_BM_INTERRUPT);
}

static void master_start(struct ide_channel *channel, bool to_memory)
{
    ide_out8(channel->master + IDE_BM_COMMAND, IDE_BM_START | (to_memory ? IDE_BM_TO_MEMORY : 0));
}

/* READ DMA EXT and WRITE DMA EXT: the upper halves of the registers first. */
static void disk_transfer(struct ide_channel *channel, const struct block_request *request, size_t length)
{
    uint64_t lba = block_request_lba(request);
    uint32_t count = length >> request->unit->sector_log;
    bool write = request->kind == BLOCK_WRITE;
    uint16_t base = channel->command;
    master_prepare(channel, request, length, !write);
    for (int high = 1; high >= 0; high--) {
        ide_out8(base + IDE_COUNT, count >> 8 * high);
        ide_out8(base + IDE_LBA_LOW, lba >> 24 * high);
        ide_out8(base + IDE_LBA_MID, lba >> (24 * high + 8));
        ide_out8(base + IDE_LBA_HIGH, lba >> (24 * high + 16));
    }
    ide_out8(base + IDE_COMMAND, !write ? ATA_READ_DMA_EXT : request->fua ? ATA_WRITE_DMA_FUA_EXT : ATA_WRITE_DMA_EXT);
    master_start(channel, !write);
}

/* PACKET: the drive takes the command, asks for the packet, then it is as for a disk. False: it does not ask. */
static bool packet_transfer(struct ide_channel *channel, const struct block_request *request, size_t length)
{
    uint8_t packet[ATAPI_PACKET_SIZE], status = 0;
    atapi_packet_build(request, length, packet);
    if (length)
        master_prepare(channel, request, length, true);
    ide_out8(channel->command + IDE_FEATURES, length ? 1 : 0); /* by DMA */
    ide_out8(channel->command + IDE_LBA_MID, 0xfe);
    ide_out8(channel->command + IDE_LBA_HIGH, 0xff);
    ide_out8(channel->command + IDE_COMMAND, ATA_PACKET);
    ide_settle(channel);
    for (unsigned int i = 0; i < PACKET_SPINS; i++) {
        status = ide_in8(channel->control);
        if (!(status & ATA_STATUS_BSY))
            break;
    }
    if ((status & (ATA_STATUS_BSY | ATA_STATUS_DRQ)) != ATA_STATUS_DRQ)
        return !(status & ATA_STATUS_BSY); /* it has failed at once: `collect` sees that */
    for (unsigned int i = 0; i < ATAPI_PACKET_BYTES; i += 2)
        ide_out16(channel->command + IDE_DATA, packet[i] | packet[i + 1] << 8);
    if (length)
        master_start(channel, true);
    return true;
}

static size_t ide_issue(struct block_queue *queue, unsigned int slot, struct block_request *request, bool alone)
{
    struct ide_channel *channel = (struct ide_channel *)queue;
    const struct ide_drive *drive = (const struct ide_drive *)request->unit;
    size_t length = request->length - request->finished;
    (void)slot;
    (void)alone;
    if (length > IDE_PIECE_MAX)
        length = IDE_PIECE_MAX;
    channel->transfer = length > 0;
    channel->stuck = !ready_spin(channel);
    if (channel->stuck)
        return length;
    ide_select(channel, drive->number, IDE_DEVICE_LBA);
    channel->stuck = !ready_spin(channel);
    if (channel->stuck)
        return length;
    if (drive->unit.packet)
        channel->stuck = !packet_transfer(channel, request, length);
    else if (request->kind == BLOCK_FLUSH)
        ide_out8(channel->command + IDE_COMMAND, ATA_FLUSH_CACHE_EXT);
    else
        disk_transfer(channel, request, length);
    ide_settle(channel);
    return length;
}

/* Stops the bus master and gives its status. */
static uint8_t master_stop(struct ide_channel *channel)
{
    uint8_t status = ide_in8(channel->master + IDE_BM_STATUS);
    ide_out8(channel->master + IDE_BM_COMMAND, 0);
    ide_out8(channel->master + IDE_BM_STATUS, status | IDE_BM_ERROR | IDE_BM_INTERRUPT);
    return status;
}

static error_t ending_error(const struct ide_channel *channel, uint8_t status, uint8_t master)
{
    const struct ide_drive *drive = (const struct ide_drive *)channel->queue.slots[0]->unit;
    if (status & (ATA_STATUS_ERR | ATA_STATUS_DF))
        return drive->unit.packet ? atapi_error(ide_in8(channel->command + IDE_ERROR)) : EIO;
    return channel->transfer && (master & IDE_BM_ERROR) ? EIO : 0;
}

static const char *ide_collect(struct block_queue *queue)
{
    struct ide_channel *channel = (struct ide_channel *)queue;
    if (!queue->busy) {
        /* Its interrupt must go even if nobody knows what it was for. */
        if (ide_in8(channel->master + IDE_BM_STATUS) & IDE_BM_INTERRUPT) {
            ide_in8(channel->command + IDE_STATUS);
            master_stop(channel);
        }
        return NULL;
    }
    if (channel->stuck)
        return "the drive does not get ready for a command";
    uint8_t master = ide_in8(channel->master + IDE_BM_STATUS);
    uint8_t status = ide_in8(channel->control);
    if (status & ATA_STATUS_BSY)
        return NULL;
    /* A command that fails before its transfer may not reach the bus master's bit on all controllers. */
    if (channel->transfer && !(master & IDE_BM_INTERRUPT) && !(status & ATA_STATUS_ERR))
        return NULL;
    status = ide_in8(channel->command + IDE_STATUS); /* takes the interrupt away */
    master = master_stop(channel);
    block_queue_ended(queue, 0, ending_error(channel, status, master));
    return NULL;
}

static error_t ide_reset(struct block_queue *queue)
{
    struct ide_channel *channel = (struct ide_channel *)queue;
    master_stop(channel);
    error_t err = ide_channel_reset(channel);
    ide_channel_enable(channel);
    return err;
}

const struct block_queue_ops ide_queue_ops = {.issue = ide_issue, .collect = ide_collect, .reset = ide_reset};
