/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ATA commands as a SATA disk takes them: what goes into a command FIS, and what IDENTIFY DEVICE tells. No system
   call.

   Sources: ATA/ATAPI Command Set 3 (ACS-3) 7.12 IDENTIFY DEVICE, 7.21 READ DMA EXT, 7.22 READ FPDMA QUEUED, 7.9
   FLUSH CACHE EXT; Serial ATA 3.2, 10.5.5 Register FIS host to device. Left out: disks of less than 48-bit
   addresses (before 2003), security, trim. */

#ifndef RUMPDISK_ATA_H
#define RUMPDISK_ATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATA_READ_DMA_EXT 0x25
#define ATA_WRITE_DMA_EXT 0x35
#define ATA_WRITE_DMA_FUA_EXT 0x3d
#define ATA_READ_FPDMA_QUEUED 0x60
#define ATA_WRITE_FPDMA_QUEUED 0x61
#define ATA_PACKET 0xa0
#define ATA_IDENTIFY_PACKET_DEVICE 0xa1
#define ATA_FLUSH_CACHE_EXT 0xea
#define ATA_IDENTIFY_DEVICE 0xec
#define ATA_SET_FEATURES 0xef

#define ATA_STATUS_ERR 0x01
#define ATA_STATUS_DRQ 0x08
#define ATA_STATUS_DF 0x20
#define ATA_STATUS_BSY 0x80

#define ATA_SECTOR 512u
/* A count of 0 in a command means this many sectors. */
#define ATA_SECTORS_MAX 65536u
#define ATA_FIS_SIZE 20u
#define ATAPI_PACKET_BYTES 12u
#define ATA_MODEL_SIZE 41u

/* What a disk says of itself. */
struct ata_identity {
    char model[ATA_MODEL_SIZE]; /* without trailing blanks */
    uint64_t sectors;
    unsigned int sector_log;    /* 9 to 12: sectors of 512 to 4096 bytes */
    unsigned int queue_depth;   /* native command queuing: 1 to 32; 0: has none */
    bool write_cache;           /* there is one, and it is on: a flush means something */
    bool fua;                   /* writes can go through it */
};

/* Reads the 512 bytes of IDENTIFY DEVICE.  False when the device cannot be used: no 48-bit addresses, no DMA, sectors
   that are no power of two from 512 to 4096, or no sectors at all. */
bool ata_identity_parse(const void *data, struct ata_identity *identity);

/* The same for IDENTIFY PACKET DEVICE: MODEL gets the name. False: not an optical drive with packets of 12 bytes
   and DMA. */
bool atapi_identity_parse(const void *data, char model[ATA_MODEL_SIZE]);

/* From either's data: no DMA mode is selected, and the multiword DMA mode *MODE is the best that the device has. */
bool ata_mode_wanted(const void *data, unsigned int *mode);

/* A command FIS for a transfer of COUNT sectors (at most ATA_SECTORS_MAX) from LBA on; QUEUED, with TAG the slot,
   or not. FUA: a write that is over when it is on the medium. Fills ATA_FIS_SIZE bytes. */
void ata_fis_transfer(uint8_t *fis, bool write, bool queued, bool fua, uint64_t lba, uint32_t count, unsigned int tag);

/* One for a PACKET; DMA: it has data. */
void ata_fis_packet(uint8_t *fis, bool dma);

/* One for a COMMAND without address and count. */
void ata_fis_command(uint8_t *fis, uint8_t command);

#endif
