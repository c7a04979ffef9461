/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FISes, identities and scatter-gather lists of rumpdisk. */

#include "unit.h"

#include "../../../servers/rumpdisk/ahci_command.h"
#include "../../../servers/rumpdisk/ata.h"

static void word_set(uint8_t *data, unsigned int index, uint16_t value)
{
    data[2 * index] = value;
    data[2 * index + 1] = value >> 8;
}

static void identity_sample(uint8_t *data)
{
    memset(data, 0, 512);
    memset(data + 54, ' ', 40);
    memcpy(data + 54, "EQUMH RADDSI K", 14); /* bytes swapped */
    word_set(data, 49, 0x300);
    word_set(data, 82, 0x20);
    word_set(data, 85, 0x20);
    word_set(data, 83, 0x4400);
    word_set(data, 100, 0x1234);
    word_set(data, 101, 0x1);
    word_set(data, 75, 31);
    word_set(data, 76, 0x100);
}

UNIT_TEST(identity_is_read)
{
    uint8_t data[512];
    struct ata_identity identity;
    identity_sample(data);
    CHECK(ata_identity_parse(data, &identity));
    CHECK_STR(identity.model, "QEMU HARDDISK");
    CHECK_EQ(identity.sectors, 0x11234);
    CHECK_EQ(identity.queue_depth, 32);
    CHECK(identity.write_cache);
}

UNIT_TEST(identity_refuses_what_cannot_be_used)
{
    uint8_t data[512];
    struct ata_identity identity;
    identity_sample(data);
    word_set(data, 83, 0x4000);
    CHECK(!ata_identity_parse(data, &identity));
    identity_sample(data);
    word_set(data, 106, 0x5000);
    word_set(data, 117, 2048);
    CHECK(ata_identity_parse(data, &identity));
    CHECK_EQ(identity.sector_log, 12);
    word_set(data, 117, 2049);
    CHECK(!ata_identity_parse(data, &identity));
    identity_sample(data);
    word_set(data, 103, 1);
    CHECK(!ata_identity_parse(data, &identity) || identity.sectors >> 48 == 0);
    memset(data, 0xff, 512);
    CHECK(!ata_identity_parse(data, &identity));
    memset(data, 0, 512);
    CHECK(!ata_identity_parse(data, &identity));
    CHECK_EQ(identity.queue_depth, 0);
}

UNIT_TEST(fis_of_dma_and_queued)
{
    uint8_t fis[ATA_FIS_SIZE];
    ata_fis_transfer(fis, false, false, false, 0x665544332211, 0x1234, 7);
    CHECK_EQ(fis[0], 0x27);
    CHECK_EQ(fis[1], 0x80);
    CHECK_EQ(fis[2], 0x25);
    static const uint8_t lba[] = {0x11, 0x22, 0x33, 0x40, 0x44, 0x55, 0x66};
    CHECK(memcmp(fis + 4, lba, 7) == 0);
    CHECK_EQ(fis[12], 0x34);
    CHECK_EQ(fis[13], 0x12);
    ata_fis_transfer(fis, true, true, true, 1, ATA_SECTORS_MAX, 7);
    CHECK_EQ(fis[3], 0);
    CHECK_EQ(fis[11], 0);
    CHECK_EQ(fis[12], 7 << 3);
    CHECK_EQ(fis[7], 0xc0);
    ata_fis_transfer(fis, true, false, true, 1, 1, 0);
    CHECK_EQ(fis[2], ATA_WRITE_DMA_FUA_EXT);
    CHECK_EQ(fis[7], 0x40);
    ata_fis_command(fis, ATA_FLUSH_CACHE_EXT);
    CHECK_EQ(fis[7], 0);
}

static uint64_t prd_address(const struct ahci_prd *prd)
{
    return prd->address | (uint64_t)prd->address_high << 32;
}

UNIT_TEST(prds_join_neighbours)
{
    static struct ahci_table table;
    static const uint64_t pages[] = {0x5000, 0x6000, 0x100000000, 0x9000};
    struct block_memory memory = {.pages = pages, .offset = 0x10};
    unsigned int count;
    CHECK_EQ(ahci_prds_fill(&table, &memory, 512, 0, 0x3000, &count), 0x3000);
    CHECK_EQ(count, 3);
    CHECK_EQ(prd_address(&table.prds[0]), 0x5010);
    CHECK_EQ(table.prds[0].count, 0x1ff0 - 1);
    CHECK_EQ(prd_address(&table.prds[1]), 0x100000000);
    CHECK_EQ(table.prds[1].count, 0xfff);
    CHECK_EQ(prd_address(&table.prds[2]), 0x9000);
    CHECK_EQ(table.prds[2].count, 0xf);
}

UNIT_TEST(prds_of_one_long_piece)
{
    static struct ahci_table table;
    struct block_memory memory = {.base = 0x40000000};
    unsigned int count;
    CHECK_EQ(ahci_prds_fill(&table, &memory, 512, 0, 9 << 20, &count), 9 << 20);
    CHECK_EQ(count, 3);
    CHECK_EQ(table.prds[0].count, (4 << 20) - 1);
    CHECK_EQ(prd_address(&table.prds[2]), 0x40000000 + (8 << 20));
    CHECK_EQ(table.prds[2].count, (1 << 20) - 1);
    CHECK_EQ(ahci_prds_fill(&table, &memory, 512, 512, 512, &count), 512);
    CHECK_EQ(prd_address(&table.prds[0]), 0x40000200);
}

/* Pages that never touch: the table fills up, and what it holds ends at a sector. */
UNIT_TEST(prds_full_table_ends_at_a_sector)
{
    static struct ahci_table table;
    static uint64_t pages[300];
    for (unsigned int i = 0; i < 300; i++)
        pages[i] = 0x100000 + 0x2000 * (uint64_t)i;
    for (size_t offset = 0; offset < 4096; offset += 6) {
        struct block_memory memory = {.pages = pages, .offset = offset};
        size_t total = 299 * 4096, done = 0;
        while (done < total) {
            unsigned int count;
            size_t piece = ahci_prds_fill(&table, &memory, 512, done, total - done, &count);
            size_t sum = 0;
            CHECK(piece > 0 && piece % 512 == 0 && count <= AHCI_PRDS);
            for (unsigned int i = 0; i < count; i++) {
                size_t place = offset + done + sum;
                CHECK_EQ(prd_address(&table.prds[i]), pages[place / 4096] + place % 4096);
                sum += table.prds[i].count + 1;
            }
            CHECK_EQ(sum, piece);
            done += piece;
        }
    }
}

UNIT_TEST(header_counts_and_directs)
{
    struct ahci_header header;
    CHECK_EQ(sizeof header, 32);
    CHECK_EQ(sizeof(struct ahci_table), AHCI_TABLE_SIZE);
    ahci_header_fill(&header, 0x123456789a80, AHCI_HEADER_WRITE, 3);
    CHECK_EQ(header.flags, 5 | 0x40 | 3 << 16);
    CHECK_EQ(header.table_high, 0x1234);
}

UNIT_MAIN
