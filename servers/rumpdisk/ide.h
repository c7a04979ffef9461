/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks and optical drives behind PCI IDE controllers with bus-master DMA, such as the PIIX3 of a PC of 1996.

   Specifications: ATA/ATAPI-7 volume 2 (registers: 5; reset and power-on: 9.3; DMA commands: 9.12; PACKET with DMA:
   9.11); SFF-8038i / "Programming Interface for Bus Master IDE Controller" 1.0; "PCI IDE Controller Specification"
   1.0 (legacy and native mode). Left out: transfer modes' timing (the firmware has set it), transfers without DMA
   but for IDENTIFY, disks without 48-bit addresses.

   A channel is a block_queue that takes one command at a time, with up to two drives.

       absent (registers read as ones or zeros) --reset, IDENTIFY by polling--> running (the rest is the queue's, see
       block.h)

   Waiting: before a command until the drive is not busy, which it is not after its interrupt; before a packet until
   the drive asks for it, 3 ms at most (9.11): PACKET_SPINS looks. Everything else is an interrupt.

   The interrupt: on a line of its own (14 and 15, legacy mode) or on the function's, shared by both channels and
   others (native): a transfer is over when the bus master's interrupt bit is set, another command when the drive is
   not busy.

   Costs: a request takes 8,000 instructions of GNU Mach more than AHCI's, whose registers are memory; most likely the
   bitmap of I/O ports (6 KiB, up to the bus master's), which the kernel loads when it switches to this task.

   Limits and their reasons: 1 MiB a piece, so that its memory, however scattered, fits into one page of PRD entries
   (at most 257 pages and 16 crossings of 64 KiB, of 512 entries). */

#ifndef RUMPDISK_IDE_H
#define RUMPDISK_IDE_H

#include "atapi.h"
#include "block.h"

#define IDE_PIECE_MAX (1u << 20)
#define IDE_DRIVES 2u

/* Task file, from the command block's first port on. */
#define IDE_DATA 0
#define IDE_ERROR 1
#define IDE_FEATURES 1
#define IDE_COUNT 2
#define IDE_LBA_LOW 3
#define IDE_LBA_MID 4
#define IDE_LBA_HIGH 5
#define IDE_DEVICE 6
#define IDE_DEVICE_LBA 0x40
#define IDE_DEVICE_SLAVE 0x10
#define IDE_STATUS 7
#define IDE_COMMAND 7
/* The control block's only register. */
#define IDE_CONTROL_NIEN 0x02
#define IDE_CONTROL_SRST 0x04
/* Bus master, from the channel's first port on. */
#define IDE_BM_COMMAND 0
#define IDE_BM_START 0x01
#define IDE_BM_TO_MEMORY 0x08
#define IDE_BM_STATUS 2
#define IDE_BM_ERROR 0x02
#define IDE_BM_INTERRUPT 0x04
#define IDE_BM_TABLE 4

struct ide_prd {
    uint32_t address;
    uint16_t count; /* bytes; 0: 64 KiB */
    uint16_t flags;
};
#define IDE_PRD_LAST 0x8000u
#define IDE_PRDS (BLOCK_PAGE / sizeof(struct ide_prd))

struct ide_drive {
    struct ata_unit unit;        /* first */
    unsigned int number;         /* constant: 0 master, 1 slave */
};

struct ide_channel {
    struct block_queue queue;    /* first */
    uint16_t command, control, master; /* constant: first ports of the three register blocks */
    struct ide_prd *prds;        /* constant; contents: queue lock, and the hardware */
    uint64_t prds_physical;      /* constant */
    struct ide_drive drives[IDE_DRIVES]; /* constant after attaching */
    /* Queue lock: what the command in flight is. */
    bool transfer;               /* the bus master moves data */
    bool stuck;                  /* it was not issued, since the drive did not get ready for it */
};

/* ide_channel.c. Prepares a channel whose three ports are filled; the function's address and its number are for
   messages. ENOMEM. */
error_t ide_channel_create(struct ide_channel *channel, const char *place, unsigned int number);
/* Resets the channel and identifies drive NUMBER by polling, without interrupts. ENXIO: none there. */
error_t ide_channel_reset(struct ide_channel *channel);
error_t ide_drive_identify(struct ide_channel *channel, unsigned int number);
/* From now on the drives may interrupt. */
void ide_channel_enable(struct ide_channel *channel);

/* ide_queue.c. */
extern const struct block_queue_ops ide_queue_ops;

/* Reads the alternate status four times: 400 ns, and gives the last. */
uint8_t ide_settle(const struct ide_channel *channel);
/* Selects drive NUMBER, with MORE bits for the device register. */
void ide_select(const struct ide_channel *channel, unsigned int number, uint8_t more);

/* Fills the table for LENGTH bytes (at most IDE_PIECE_MAX, even) from byte FROM of MEMORY; gives the number of
   entries. */
unsigned int ide_prds_fill(struct ide_prd *prds, const struct block_memory *memory, size_t from, size_t length);

#endif
