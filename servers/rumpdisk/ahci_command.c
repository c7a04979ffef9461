/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command tables and scatter-gather lists; see ahci_command.h. */

#include "ahci_command.h"

#include "ata.h"

static void prd_set(struct ahci_prd *prd, uint64_t address, size_t bytes)
{
    prd->address = address;
    prd->address_high = address >> 32;
    prd->reserved = 0;
    prd->count = bytes - 1;
}

size_t ahci_prds_fill(struct ahci_table *table, const struct block_memory *memory, size_t sector, size_t from,
                      size_t length,
                      unsigned int *count)
{
    unsigned int used = 0;
    size_t done = 0;
    uint64_t start = 0;
    size_t bytes = 0; /* of the entry being gathered, from START */
    while (done < length) {
        size_t run;
        uint64_t address = block_memory_at(memory, from + done, &run);
        if (run > length - done)
            run = length - done;
        if (bytes == 0 || address != start + bytes || bytes == AHCI_PRD_BYTES) {
            if (bytes > 0)
                prd_set(&table->prds[used++], start, bytes);
            start = address;
            bytes = 0;
            if (used == AHCI_PRDS)
                break;
        }
        if (run > AHCI_PRD_BYTES - bytes)
            run = AHCI_PRD_BYTES - bytes;
        bytes += run;
        done += run;
    }
    if (bytes > 0)
        prd_set(&table->prds[used++], start, bytes);
    /* A full table may end inside a sector: take its bytes back. */
    for (size_t excess = done < length ? done % sector : 0; excess > 0;) {
        struct ahci_prd *last = &table->prds[used - 1];
        size_t take = excess < last->count + 1u ? excess : last->count + 1u;
        if (take == last->count + 1u)
            used--;
        else
            last->count -= take;
        excess -= take;
        done -= take;
    }
    *count = used;
    return done;
}

void ahci_header_fill(struct ahci_header *header, uint64_t physical, uint32_t kind, unsigned int count)
{
    header->flags = ATA_FIS_SIZE / 4 | kind | count << 16;
    header->done = 0;
    header->table = physical;
    header->table_high = physical >> 32;
}
