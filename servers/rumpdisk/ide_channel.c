/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A channel and its drives: reset, identification; see ide.h. */

#include "ide.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ide_io.h"

#define FEATURE_TRANSFER_MODE 0x03
#define MODE_MULTIWORD_DMA 0x20
/* A reset takes up to 31 s when drives have to spin up (9.3). */
#define RESET_S 31u

uint8_t ide_settle(const struct ide_channel *channel)
{
    uint8_t status = 0;
    for (unsigned int i = 0; i < 4; i++)
        status = ide_in8(channel->control);
    return status;
}

void ide_select(const struct ide_channel *channel, unsigned int number, uint8_t more)
{
    ide_out8(channel->command + IDE_DEVICE, 0xa0 | more | (number ? IDE_DEVICE_SLAVE : 0));
    ide_settle(channel);
}

/* Waits until (alternate status & MASK) == VALUE; ETIMEDOUT. */
static error_t status_wait(const struct ide_channel *channel, uint8_t mask, uint8_t value, unsigned int milliseconds)
{
    for (unsigned int i = 0; i < 200; i++)
        if ((ide_in8(channel->control) & mask) == value)
            return 0;
    /* The kernel sleeps in ticks of 10 ms. */
    for (unsigned int slept = 0; slept <= milliseconds; slept += 10) {
        usleep(10000);
        if ((ide_in8(channel->control) & mask) == value)
            return 0;
    }
    return ETIMEDOUT;
}

error_t ide_channel_create(struct ide_channel *channel, const char *place, unsigned int number)
{
    static const struct block_limits limits = {.end = BLOCK_REACH_32};
    void *page;
    error_t err = block_memory_allocate(&limits, BLOCK_PAGE, &page, &channel->prds_physical);
    if (err)
        return err;
    channel->prds = page;
    for (unsigned int i = 0; i < IDE_DRIVES; i++) {
        channel->drives[i].number = i;
        channel->drives[i].unit.block = (struct block_unit){.queue = &channel->queue,
                                                            .sector_log = 9,
                                                            .limits = limits};
    }
    block_queue_init(&channel->queue, &ide_queue_ops, 1, "IDE %s channel %u", place, number);
    return 0;
}

error_t ide_channel_reset(struct ide_channel *channel)
{
    const struct timespec five_milliseconds = {.tv_nsec = 5000000};
    ide_out8(channel->control, IDE_CONTROL_SRST | IDE_CONTROL_NIEN);
    nanosleep(&five_milliseconds, NULL);
    ide_out8(channel->control, IDE_CONTROL_NIEN);
    nanosleep(&five_milliseconds, NULL);
    ide_select(channel, 0, 0);
    /* Nothing drives the lines of an empty channel. */
    if (ide_in8(channel->control) == 0xff)
        return ENXIO;
    return status_wait(channel, ATA_STATUS_BSY, 0, 1000 * RESET_S);
}

void ide_channel_enable(struct ide_channel *channel)
{
    ide_in8(channel->command + IDE_STATUS);
    ide_out8(channel->control, 0);
}

/* A command that answers with 512 bytes by programmed I/O, or (DATA null) with its status only. */
static error_t command_poll(const struct ide_channel *channel, uint8_t command, uint8_t features, uint8_t count,
                            uint8_t *data)
{
    ide_out8(channel->command + IDE_FEATURES, features);
    ide_out8(channel->command + IDE_COUNT, count);
    ide_out8(channel->command + IDE_COMMAND, command);
    if (ide_settle(channel) == 0)
        return ENXIO;
    error_t err = status_wait(channel, ATA_STATUS_BSY, 0, 10000);
    if (err)
        return err;
    uint8_t status = ide_in8(channel->command + IDE_STATUS);
    if (status & (ATA_STATUS_ERR | ATA_STATUS_DF))
        return EIO;
    if (!data)
        return 0;
    if (!(status & ATA_STATUS_DRQ))
        return EIO;
    for (unsigned int i = 0; i < ATA_SECTOR; i += 2) {
        uint16_t word = ide_in16(channel->command + IDE_DATA);
        data[i] = word;
        data[i + 1] = word >> 8;
    }
    return 0;
}

/* A drive that has no DMA mode selected is given its best multiword one: that is in every controller's timing. */
static error_t mode_select(const struct ide_channel *channel, const uint8_t *identity)
{
    unsigned int mode;
    if (!ata_mode_wanted(identity, &mode))
        return 0;
    return command_poll(channel, ATA_SET_FEATURES, FEATURE_TRANSFER_MODE, MODE_MULTIWORD_DMA | mode, NULL);
}

error_t ide_drive_identify(struct ide_channel *channel, unsigned int number)
{
    struct ata_unit *unit = &channel->drives[number].unit;
    uint8_t data[ATA_SECTOR];
    ide_select(channel, number, 0);
    uint8_t status = ide_in8(channel->control);
    if (status == 0xff || status == 0x7f)
        return ENXIO;
    error_t err = status_wait(channel, ATA_STATUS_BSY, 0, 1000);
    if (err)
        return ENXIO;
    bool packet = ide_in8(channel->command + IDE_LBA_MID) == 0x14 && ide_in8(channel->command + IDE_LBA_HIGH) == 0xeb;
    err = command_poll(channel, packet ? ATA_IDENTIFY_PACKET_DEVICE : ATA_IDENTIFY_DEVICE, 0, 0, data);
    /* The master answers for a slave that is not there, with an error. */
    if (err == EIO && !packet)
        return ENXIO;
    if (!err)
        err = packet ? atapi_unit_identified(unit, data) : ata_unit_identified(unit, data);
    return err ? err : mode_select(channel, data);
}
