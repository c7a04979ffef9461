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
    /* Word 106 bit 12: a logical sector is longer than 256 words; their number is in words 117 and 118. */
    if ((word(data, 106) & 0xd000) == 0x5000 && (word(data, 117) | (uint32_t)word(data, 118) << 16) != ATA_SECTOR / 2)
        return false;
    if (word(data, 76) != 0xffff && (word(data, 76) & 0x100))
        identity->queue_depth = (word(data, 75) & 31) + 1;
    identity->write_cache = sets_valid && (word(data, 82) & 0x20) && (word(data, 85) & 0x20);
    return ata_device && dma && lba48 && identity->sectors > 0 && identity->sectors >> 48 == 0;
}

void ata_fis_build(uint8_t *fis, uint8_t command, uint64_t lba, uint32_t count, unsigned int tag)
{
    bool queued = command == ATA_READ_FPDMA_QUEUED || command == ATA_WRITE_FPDMA_QUEUED;
    memset(fis, 0, ATA_FIS_SIZE);
    fis[0] = 0x27; /* register FIS, host to device */
    fis[1] = 0x80; /* a command, not a control change */
    fis[2] = command;
    for (unsigned int i = 0; i < 3; i++) {
        fis[4 + i] = lba >> 8 * i;
        fis[8 + i] = lba >> 8 * (i + 3);
    }
    if (count > 0)
        fis[7] = 0x40; /* the address is a block number */
    if (queued) {
        fis[3] = count; /* the count stands in `features`, the tag in `count` */
        fis[11] = count >> 8;
        fis[12] = tag << 3;
    } else {
        fis[12] = count;
        fis[13] = count >> 8;
    }
}
