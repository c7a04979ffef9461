/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Units of ATA adapters (AHCI ports, IDE drives): disks, and packet devices, which are optical drives here, read
   only. No system call.

   Sources: ATA/ATAPI Command Set 3 (ACS-3) 7.17 IDENTIFY PACKET DEVICE, 7.23 PACKET; MMC-5: 6.21 READ(10), 6.26
   READ CAPACITY; SPC-3: 6.4 INQUIRY is not needed (IDENTIFY tells the model), 6.27 REQUEST SENSE, 6.33 TEST UNIT
   READY; sense keys: SPC-3 table 27. Left out: audio, writing, multiple sessions, locking the tray, devices of the
   packet kind that are not optical.

   A drive's medium may be changed: the next open finds the new one. What was opened before stays with the old one
   and so fails for ever: the drive tells of the change and keeps telling until it is asked for its sense data,
   which only opening does, and that gives the unit's `medium' another number. */

#ifndef RUMPDISK_ATAPI_H
#define RUMPDISK_ATAPI_H

#include "ata.h"
#include "block.h"

#define ATAPI_PACKET_SIZE 16u
#define ATAPI_SECTORS_MAX 65535u

/* A disk or an optical drive. */
struct ata_unit {
    struct block_unit block;     /* first */
    bool packet;                 /* constant: it takes packets */
    /* Packet devices: a page for answers, and the lock of those who look at the medium. */
    pthread_mutex_t lock;        /* held while commands are on their way; taken before the queue's */
    uint8_t *page;               /* contents: lock */
    uint64_t page_physical;      /* constant */
};

/* Fills what a disk's IDENTIFY data tells of it.  ENOTSUP: of a kind that cannot be used. */
error_t ata_unit_identified(struct ata_unit *unit, const void *data);

/* The same for a packet device's; then medium_check works, and nothing is known of the medium before. ENOTSUP,
   ENOMEM. */
error_t atapi_unit_identified(struct ata_unit *unit, const void *data);

/* Looks at the medium: struct block_unit's medium_check. */
error_t atapi_medium_check(struct block_unit *unit);

/* The packet for the next piece, of LENGTH bytes, of a REQUEST of a packet device. Reads, and specials whose
   `special' is the packet. */
void atapi_packet_build(const struct block_request *request, size_t length, uint8_t packet[ATAPI_PACKET_SIZE]);

/* What the error register means after a packet has failed: ENXIO no medium, ESTALE the medium has changed, EINVAL
   not a sector of it, EIO the rest. */
error_t atapi_error(uint8_t error);

#endif
