/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command FISes and the identity of a disk; see ata.h. */

#include "ata.h"

#include <string.h>

static uint16_t word(const uint8_t *data, unsigned int index)
{
    return data[2 * index] | data[2 * index + 1] << 8;
}

/* Text is stored in words with the bytes swapped, padded with blanks. */
static void model_parse(const uint8_t *data, char *model)
{
    size_t length = ATA_MODEL_SIZE - 1;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = data[2 * 27 + (i ^ 1)];
        model[i] = byte >= 0x20 && byte < 0x7f ? byte : ' ';
    }
    while (length > 0 && model[length - 1] == ' ')
        length--;
    model[length] = '\0';
}

/* Word 106 bit 12: a logical sector is longer than 256 words; their number is in words 117 and 118.  0: unusable. */
static unsigned int sector_log_parse(const uint8_t *data)
{
    if ((word(data, 106) & 0xd000) != 0x5000)
        return 9;
    uint32_t words = word(data, 117) | (uint32_t)word(data, 118) << 16;
    for (unsigned int log = 9; log <= 12; log++)
        if (words == 1u << (log - 1))
            return log;
    return 0;
}

bool ata_identity_parse(const void *bytes, struct ata_identity *identity)
{
    const uint8_t *data = bytes;
    memset(identity, 0, sizeof *identity);
    model_parse(data, identity->model);
    bool ata_device = !(word(data, 0) & 0x8000);
    bool dma = word(data, 49) & 0x100;
    bool sets_valid = (word(data, 83) & 0xc000) == 0x4000;
    bool lba48 = sets_valid && (word(data, 83) & 0x400);
    for (unsigned int i = 0; i < 4; i++)
        identity->sectors |= (uint64_t)word(data, 100 + i) << 16 * i;
    identity->sector_log = sector_log_parse(data);
    if (word(data, 76) != 0xffff && (word(data, 76) & 0x100))
        identity->queue_depth = (word(data, 75) & 31) + 1;
    identity->write_cache = sets_valid && (word(data, 82) & 0x20) && (word(data, 85) & 0x20);
    /* Queued writes know it anyhow, but what failed once is tried again unqueued. */
    identity->fua = (word(data, 84) & 0xc000) == 0x4000 && (word(data, 84) & 0x40);
    return ata_device && dma && lba48 && identity->sector_log && identity->sectors > 0 && identity->sectors >> 48 == 0;
}

bool atapi_identity_parse(const void *bytes, char model[ATA_MODEL_SIZE])
{
    const uint8_t *data = bytes;
    model_parse(data, model);
    /* Bits 15:14 packet device, 12:8 its kind (5: optical), 1:0 length of packets (0: 12 bytes). */
    return (word(data, 0) & 0xdf03) == 0x8500 && (word(data, 49) & 0x100);
}

bool ata_mode_wanted(const void *bytes, unsigned int *mode)
{
    const uint8_t *data = bytes;
    bool ultra = (word(data, 53) & 4) && (word(data, 88) & 0xff00);
    unsigned int modes = word(data, 63) & 7;
    if (ultra || (word(data, 63) & 0x700) || modes == 0)
        return false;
    *mode = 31 - (unsigned int)__builtin_clz(modes);
    return true;
}

void ata_fis_packet(uint8_t *fis, bool dma)
{
    ata_fis_command(fis, ATA_PACKET);
    fis[3] = dma;
}

void ata_fis_command(uint8_t *fis, uint8_t command)
{
    memset(fis, 0, ATA_FIS_SIZE);
    fis[0] = 0x27; /* register FIS, host to device */
    fis[1] = 0x80; /* a command, not a control change */
    fis[2] = command;
}

void ata_fis_transfer(uint8_t *fis, bool write, bool queued, bool fua, uint64_t lba, uint32_t count, unsigned int tag)
{
    ata_fis_command(fis, queued ? (write ? ATA_WRITE_FPDMA_QUEUED : ATA_READ_FPDMA_QUEUED)
                         : !write ? ATA_READ_DMA_EXT : fua ? ATA_WRITE_DMA_FUA_EXT : ATA_WRITE_DMA_EXT);
    for (unsigned int i = 0; i < 3; i++) {
        fis[4 + i] = lba >> 8 * i;
        fis[8 + i] = lba >> 8 * (i + 3);
    }
    fis[7] = 0x40 | (queued && write && fua ? 0x80 : 0); /* the address is a block number; FUA */
    if (queued) {
        fis[3] = count; /* the count stands in `features`, the tag in `count` */
        fis[11] = count >> 8;
        fis[12] = tag << 3;
    } else {
        fis[12] = count;
        fis[13] = count >> 8;
    }
}
