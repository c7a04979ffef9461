/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The structures in memory that an AHCI port reads: command list, command tables, scatter-gather entries. No system
   call.

   Source: Serial ATA AHCI 1.3.1, chapter 4 (4.2.2 command list, 4.2.3 command table). */

#ifndef RUMPDISK_AHCI_COMMAND_H
#define RUMPDISK_AHCI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block.h"

#define AHCI_SLOTS 32u
/* A table is a page: 128 bytes of command, then as many entries as fit. */
#define AHCI_TABLE_SIZE 4096u
#define AHCI_PRDS ((AHCI_TABLE_SIZE - 128u) / 16u)
/* An entry holds at most 4 MiB (22 bits of count). */
#define AHCI_PRD_BYTES (4u << 20)

/* Command header: one of the 32 of the command list. */
struct ahci_header {
    uint32_t flags;    /* length of the FIS in words, direction; number of entries in the upper half */
    uint32_t done;     /* bytes transferred, by the HBA */
    uint32_t table;    /* physical address of the table, 128-byte aligned */
    uint32_t table_high;
    uint32_t reserved[4];
};
#define AHCI_HEADER_PACKET 0x20u
#define AHCI_HEADER_WRITE 0x40u

struct ahci_prd {
    uint32_t address; /* even */
    uint32_t address_high;
    uint32_t reserved;
    uint32_t count; /* bytes - 1: odd */
};

struct ahci_table {
    uint8_t fis[64];
    uint8_t packet[16];
    uint8_t reserved[48];
    struct ahci_prd prds[AHCI_PRDS];
};

/* Fills entries for at most LENGTH bytes (even) from FROM bytes into MEMORY, putting neighbours together; *COUNT
   entries are used. Gives the bytes they hold: fewer than LENGTH when the table is full, and then a multiple of
   SECTOR (a power of two). */
size_t ahci_prds_fill(struct ahci_table *table, const struct block_memory *memory, size_t sector, size_t from,
                      size_t length,
                      unsigned int *count);

/* The header of a command with COUNT entries whose table is at PHYSICAL; KIND: 0, AHCI_HEADER_WRITE or
   AHCI_HEADER_PACKET. */
void ahci_header_fill(struct ahci_header *header, uint64_t physical, uint32_t kind, unsigned int count);

#endif
