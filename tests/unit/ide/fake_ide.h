/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PIIX3's channel with a disk and an optical drive, made of bytes: what servers/rumpdisk/ide_io.h reaches in the unit
   test.  Commands are over when they are started, and `fake.interrupt' tells that the line is up. */

#ifndef FAKE_IDE_H
#define FAKE_IDE_H

#include "../block/fake_watch.h"

#include "../../../servers/rumpdisk/ide.h"
#include "../../../servers/rumpdisk/ide_io.h"

#define COMMAND_BASE 0x1f0
#define CONTROL_BASE 0x3f6
#define MASTER_BASE 0xc000
#define DISK_SECTORS 4096u
#define DISC_BLOCKS 512u

struct fake_drive {
    bool present, packet;
    bool medium, attention;      /* optical: a disc is in; it has been changed */
    uint8_t *data;
    uint64_t bad;                /* sector that cannot be transferred */
    uint8_t sense, code;
};

static struct fake_drive drives[2];
static struct {
    uint8_t now[8], before[8];   /* the task file, and what was written before */
    uint8_t status, error, control, bm_command, bm_status;
    uint32_t table;
    uint8_t packet[12];
    unsigned int packet_at;
    uint8_t *transfer;           /* data of the command that waits for the bus master */
    size_t transfer_size;
    bool to_memory;
    uint16_t identity[256];
    unsigned int identity_at;
    bool interrupt, hung;        /* hung: the next command never ends */
    unsigned int commands, resets;
    uint8_t answer[64];
} fake;

static struct fake_drive *selected(void)
{
    return &drives[fake.now[IDE_DEVICE] >> 4 & 1];
}

static void command_over(uint8_t status, uint8_t error)
{
    fake.status = status;
    fake.error = error;
    if (!(fake.control & IDE_CONTROL_NIEN)) {
        fake.interrupt = true;
        fake.bm_status |= IDE_BM_INTERRUPT;
    }
}

static void identity_make(const struct fake_drive *drive)
{
    memset(fake.identity, 0, sizeof fake.identity);
    for (unsigned int i = 27; i < 47; i++)
        fake.identity[i] = 0x4141;
    fake.identity[0] = drive->packet ? 0x8580 : 0x0040;
    fake.identity[49] = 0x300;
    fake.identity[63] = 0x0007;
    fake.identity[83] = 0x4400;
    fake.identity[82] = fake.identity[85] = 0x20;
    fake.identity[100] = DISK_SECTORS;
    fake.identity_at = 0;
}

static void transfer_begin(uint8_t *data, size_t size, bool to_memory)
{
    fake.transfer = data;
    fake.transfer_size = size;
    fake.to_memory = to_memory;
    fake.status = 0x58;
}

static void disk_command(struct fake_drive *drive, bool write)
{
    uint64_t lba = 0;
    for (unsigned int i = 0; i < 3; i++)
        lba |= (uint64_t)fake.now[IDE_LBA_LOW + i] << 8 * i | (uint64_t)fake.before[IDE_LBA_LOW + i] << 8 * (i + 3);
    uint32_t count = fake.now[IDE_COUNT] | fake.before[IDE_COUNT] << 8;
    if (count == 0)
        count = 65536;
    if (lba >= DISK_SECTORS || count > DISK_SECTORS - lba)
        command_over(0x51, 0x10);
    else if (drive->bad >= lba && drive->bad < lba + count)
        command_over(0x51, 0x40);
    else
        transfer_begin(drive->data + lba * 512, (size_t)count * 512, !write);
}

static void sense_set(struct fake_drive *drive, uint8_t key, uint8_t code)
{
    drive->sense = key;
    drive->code = code;
    command_over(0x51, key << 4 | 4);
}

static void packet_execute(struct fake_drive *drive)
{
    const uint8_t *p = fake.packet;
    uint32_t lba = (uint32_t)p[2] << 24 | p[3] << 16 | p[4] << 8 | p[5], count = p[7] << 8 | p[8];
    memset(fake.answer, 0, sizeof fake.answer);
    if (p[0] == 0x03) {
        fake.answer[2] = drive->sense;
        fake.answer[12] = drive->code;
        drive->attention = false;
        drive->sense = 0;
        transfer_begin(fake.answer, p[4], true);
    } else if (drive->attention) {
        sense_set(drive, 6, 0x28);
    } else if (!drive->medium) {
        sense_set(drive, 2, 0x3a);
    } else if (p[0] == 0x00) {
        command_over(0x50, 0);
    } else if (p[0] == 0x25) {
        fake.answer[2] = (DISC_BLOCKS - 1) >> 8;
        fake.answer[3] = (DISC_BLOCKS - 1) & 0xff;
        fake.answer[6] = 0x08;
        transfer_begin(fake.answer, 8, true);
    } else if (p[0] == 0x28 && lba + count <= DISC_BLOCKS) {
        if (drive->bad >= lba && drive->bad < lba + count)
            sense_set(drive, 3, 0x11);
        else
            transfer_begin(drive->data + (size_t)lba * 2048, (size_t)count * 2048, true);
    } else {
        sense_set(drive, 5, 0x21);
    }
}

static void command_execute(uint8_t command)
{
    struct fake_drive *drive = selected();
    fake.commands++;
    if (!drive->present) {
        fake.status = 0;
        return;
    }
    fake.status = 0x80;
    if (fake.hung)
        return;
    if (command == (drive->packet ? ATA_IDENTIFY_PACKET_DEVICE : ATA_IDENTIFY_DEVICE)) {
        identity_make(drive);
        command_over(0x58, 0);
    } else if (command == ATA_SET_FEATURES) {
        command_over(fake.now[IDE_FEATURES] == 3 && fake.now[IDE_COUNT] == 0x22 ? 0x50 : 0x51, 4);
    } else if (command == ATA_PACKET && drive->packet) {
        fake.packet_at = 0;
        fake.status = 0x58;
    } else if ((command == ATA_READ_DMA_EXT || command == ATA_WRITE_DMA_EXT) && !drive->packet) {
        disk_command(drive, command == ATA_WRITE_DMA_EXT);
    } else {
        command_over(command == ATA_FLUSH_CACHE_EXT ? 0x50 : 0x51, 4);
    }
}

/* The bus master moves what the table says. */
static void master_run(void)
{
    size_t done = 0;
    const struct ide_prd *prd = (const struct ide_prd *)fake_ram_at(fake.table, sizeof *prd);
    if (!fake.transfer)
        return;
    for (;; prd++) {
        size_t size = prd->count ? prd->count : 0x10000;
        uint8_t *memory = fake_ram_at(prd->address, size);
        CHECK(memory != NULL && (prd->address & 0xffff) + size <= 0x10000);
        if (size > fake.transfer_size - done)
            size = fake.transfer_size - done;
        memcpy(fake.to_memory ? memory : fake.transfer + done, fake.to_memory ? fake.transfer + done : memory, size);
        done += size;
        if (done == fake.transfer_size || (prd->flags & IDE_PRD_LAST))
            break;
    }
    CHECK_EQ(done, fake.transfer_size);
    fake.transfer = NULL;
    command_over(0x50, 0);
}

static void channel_reset(void)
{
    fake.resets++;
    fake.hung = false;
    fake.status = drives[0].present ? 0x50 : 0;
    fake.transfer = NULL;
}

uint8_t ide_in8(uint16_t port)
{
    struct fake_drive *drive = selected();
    bool none = !drives[0].present && !drives[1].present;
    switch (port) {
    case COMMAND_BASE + IDE_STATUS:
        fake.interrupt = false;
        /* fall through */
    case CONTROL_BASE:
        return none ? 0xff : drive->present ? fake.status : 0;
    case COMMAND_BASE + IDE_ERROR:
        return fake.error;
    case COMMAND_BASE + IDE_LBA_MID:
        return drive->packet ? 0x14 : 0;
    case COMMAND_BASE + IDE_LBA_HIGH:
        return drive->packet ? 0xeb : 0;
    case MASTER_BASE + IDE_BM_STATUS:
        return fake.bm_status;
    default:
        return 0;
    }
}

uint16_t ide_in16(uint16_t port)
{
    CHECK_EQ(port, COMMAND_BASE + IDE_DATA);
    uint16_t word = fake.identity[fake.identity_at++ & 255];
    if (fake.identity_at == 256)
        fake.status = 0x50;
    return word;
}

void ide_out8(uint16_t port, uint8_t value)
{
    if (port == COMMAND_BASE + IDE_COMMAND) {
        command_execute(value);
    } else if (port > COMMAND_BASE && port < COMMAND_BASE + 7) {
        fake.before[port - COMMAND_BASE] = fake.now[port - COMMAND_BASE];
        fake.now[port - COMMAND_BASE] = value;
    } else if (port == CONTROL_BASE) {
        if ((fake.control & IDE_CONTROL_SRST) && !(value & IDE_CONTROL_SRST))
            channel_reset();
        fake.control = value;
    } else if (port == MASTER_BASE + IDE_BM_COMMAND) {
        bool start = !(fake.bm_command & IDE_BM_START) && (value & IDE_BM_START);
        fake.bm_command = value;
        if (start)
            master_run();
    } else if (port == MASTER_BASE + IDE_BM_STATUS) {
        fake.bm_status &= ~(value & 6);
    }
}

void ide_out16(uint16_t port, uint16_t value)
{
    CHECK_EQ(port, COMMAND_BASE + IDE_DATA);
    if (fake.packet_at >= 12)
        return;
    fake.packet[fake.packet_at++] = value;
    fake.packet[fake.packet_at++] = value >> 8;
    if (fake.packet_at == 12)
        packet_execute(selected());
}

void ide_out32(uint16_t port, uint32_t value)
{
    CHECK_EQ(port, MASTER_BASE + IDE_BM_TABLE);
    fake.table = value;
}

#endif
