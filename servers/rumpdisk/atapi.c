/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks and optical drives; see atapi.h. */

#include "atapi.h"

#include <string.h>
#include <unistd.h>

#define TEST_UNIT_READY 0x00
#define REQUEST_SENSE 0x03
#define READ_CAPACITY 0x25
#define READ_10 0x28

#define KEY_NOT_READY 2
#define KEY_ILLEGAL_REQUEST 5
#define KEY_UNIT_ATTENTION 6
#define CODE_BECOMING_READY 0x04
#define SENSE_SIZE 18u
/* A disc that spins up takes that many seconds at most. */
#define READY_TRIES 20u

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void put_big32(uint8_t *p, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        p[i] = value;
}

error_t ata_unit_identified(struct ata_unit *unit, const void *data)
{
    struct ata_identity identity;
    if (!ata_identity_parse(data, &identity))
        return ENOTSUP;
    struct block_unit *block = &unit->block;
    strcpy(block->model, identity.model);
    block->sectors = identity.sectors;
    block->sector_log = identity.sector_log;
    block->write_cache = identity.write_cache;
    block->fua = identity.fua;
    return 0;
}

error_t atapi_unit_identified(struct ata_unit *unit, const void *data)
{
    void *page;
    struct block_unit *block = &unit->block;
    unit->packet = true;
    if (!atapi_identity_parse(data, block->model))
        return ENOTSUP;
    error_t err = block_memory_allocate(&block->limits, BLOCK_PAGE, &page, &unit->page_physical);
    if (err)
        return err;
    unit->page = page;
    pthread_mutex_init(&unit->lock, NULL);
    block->optical = block->readonly = true;
    block->sectors = 0;
    block->sector_log = 11;
    block->medium_check = atapi_medium_check;
    return 0;
}

void atapi_packet_build(const struct block_request *request, size_t length, uint8_t packet[ATAPI_PACKET_SIZE])
{
    if (request->kind == BLOCK_SPECIAL) {
        memcpy(packet, request->special, ATAPI_PACKET_SIZE);
        return;
    }
    size_t count = length >> request->unit->sector_log;
    memset(packet, 0, ATAPI_PACKET_SIZE);
    packet[0] = READ_10;
    put_big32(packet + 2, block_request_lba(request));
    packet[7] = count >> 8;
    packet[8] = count;
}

error_t atapi_error(uint8_t error)
{
    switch (error >> 4) {
    case KEY_NOT_READY:
        return ENXIO;
    case KEY_ILLEGAL_REQUEST:
        return EINVAL;
    case KEY_UNIT_ATTENTION:
        return ESTALE;
    default:
        return EIO;
    }
}

/* Sends a packet whose first bytes are OPCODE and, at byte 4, LENGTH; its answer of LENGTH bytes goes to the page.
   Unit lock held. */
static error_t command(struct ata_unit *unit, uint8_t opcode, uint8_t length, size_t answer)
{
    uint8_t packet[ATAPI_PACKET_SIZE] = {[0] = opcode, [4] = length};
    struct block_request request = {.unit = &unit->block, .kind = BLOCK_SPECIAL, .length = answer, .special = packet,
                                    .memory = {.base = unit->page_physical}};
    memset(unit->page, 0, BLOCK_PAGE);
    return block_submit_wait(&request);
}

/* Waits until the drive is ready.  What it has to tell (medium changed, reset) it tells once. Unit lock held. */
static error_t ready_wait(struct ata_unit *unit)
{
    error_t err = EIO;
    for (unsigned int tries = 0; tries < READY_TRIES; tries++) {
        err = command(unit, TEST_UNIT_READY, 0, 0);
        if (!err || command(unit, REQUEST_SENSE, SENSE_SIZE, SENSE_SIZE))
            return err;
        unsigned int key = unit->page[2] & 15, code = unit->page[12], qualifier = unit->page[13];
        if (key == KEY_UNIT_ATTENTION) {
            unit->block.medium++;
            continue;
        }
        if (key != KEY_NOT_READY || code != CODE_BECOMING_READY || qualifier != 1)
            return key == KEY_NOT_READY ? ENXIO : err;
        sleep(1);
    }
    return err;
}

/* Fills the size of the medium from the answer to READ CAPACITY: last block, bytes a block. */
static error_t capacity_fill(struct block_unit *block, const uint8_t *answer)
{
    uint32_t last = big32(answer), size = big32(answer + 4);
    /* Old drives say 2352 for what is read in 2048s. */
    unsigned int log = size == 2352 ? 11 : size ? (unsigned int)__builtin_ctz(size) : 0;
    if (log < 9 || log > BLOCK_PAGE_LOG || (size != 2352 && size != 1u << log) || last == UINT32_MAX)
        return EIO;
    block->sector_log = log;
    block->sectors = (uint64_t)last + 1;
    return 0;
}

error_t atapi_medium_check(struct block_unit *block)
{
    struct ata_unit *unit = (struct ata_unit *)block;
    pthread_mutex_lock(&unit->lock);
    error_t err = ready_wait(unit);
    if (!err)
        err = command(unit, READ_CAPACITY, 0, 8);
    if (!err)
        err = capacity_fill(block, unit->page);
    if (err) {
        block->sectors = 0;
        block->medium++;
    }
    pthread_mutex_unlock(&unit->lock);
    return err;
}
