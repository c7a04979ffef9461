/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rumpdisk's IDE channel and optical drives against hardware made of bytes. */

#include "unit.h"

#include "../block/job.h"
#include "fake_ide.h"

static struct ide_channel channel;
static uint8_t disk_data[DISK_SECTORS * 512], disc_data[DISC_BLOCKS * 2048];

static void begin(bool disk, bool disc)
{
    fake_ram_used = 0;
    fake_clock = 50;
    memset(&fake, 0, sizeof fake);
    memset(&channel, 0, sizeof channel);
    for (size_t i = 0; i < sizeof disk_data; i++)
        disk_data[i] = i / 512 + i;
    for (size_t i = 0; i < sizeof disc_data; i++)
        disc_data[i] = i / 2048 * 7 + i;
    drives[0] = (struct fake_drive){.present = disk, .data = disk_data, .bad = UINT64_MAX};
    drives[1] = (struct fake_drive){.present = disc,
                                    .packet = true,
                                    .medium = true,
                                    .attention = true,
                                    .data = disc_data,
                                    .bad = UINT64_MAX};
    channel.command = COMMAND_BASE;
    channel.control = CONTROL_BASE;
    channel.master = MASTER_BASE;
}

static void begin_running(void)
{
    begin(true, true);
    CHECK_EQ(ide_channel_reset(&channel), 0);
    CHECK_EQ(ide_channel_create(&channel, "00:01.1", 0), 0);
    CHECK_EQ(ide_drive_identify(&channel, 0), 0);
    CHECK_EQ(ide_drive_identify(&channel, 1), 0);
    ide_channel_enable(&channel);
}

/* What the interrupt thread would do. */
static void interrupts(void)
{
    for (unsigned int i = 0; i < 100 && (fake.interrupt || fake.bm_status & IDE_BM_INTERRUPT); i++)
        block_queue_service(&channel.queue);
}

static void job_run(struct job *job, unsigned int drive, enum block_kind kind, uint64_t lba, size_t length,
                    struct block_memory memory)
{
    *job = (struct job){.request = {.unit = &channel.drives[drive].unit.block,
                                    .kind = kind,
                                    .lba = lba,
                                    .length = length,
                                    .memory = memory,
                                    .done = job_done}};
    block_submit(&job->request);
    interrupts();
}

/* medium_check waits: another thread sees the interrupts. */
static _Atomic bool stop;
static void *interrupt_thread(void *arg)
{
    (void)arg;
    while (!stop) {
        pthread_mutex_lock(&channel.queue.lock);
        bool up = fake.interrupt || (fake.bm_status & IDE_BM_INTERRUPT);
        pthread_mutex_unlock(&channel.queue.lock);
        if (up)
            block_queue_service(&channel.queue);
    }
    return NULL;
}

static error_t medium_check(void)
{
    pthread_t thread;
    stop = false;
    pthread_create(&thread, NULL, interrupt_thread, NULL);
    error_t err = atapi_medium_check(&channel.drives[1].unit.block);
    stop = true;
    pthread_join(thread, NULL);
    return err;
}

UNIT_TEST(nothing_there)
{
    begin(false, false);
    CHECK_EQ(ide_channel_reset(&channel), ENXIO);
    begin(true, false);
    CHECK_EQ(ide_channel_reset(&channel), 0);
    CHECK_EQ(ide_channel_create(&channel, "00:01.1", 0), 0);
    CHECK_EQ(ide_drive_identify(&channel, 0), 0);
    CHECK_EQ(ide_drive_identify(&channel, 1), ENXIO);
}

UNIT_TEST(identities)
{
    begin_running();
    const struct block_unit *disk = &channel.drives[0].unit.block, *disc = &channel.drives[1].unit.block;
    CHECK_EQ(disk->sectors, DISK_SECTORS);
    CHECK(disk->write_cache && !disk->optical && !disk->readonly && !disk->medium_check);
    CHECK(disc->optical && disc->readonly && disc->sectors == 0);
    CHECK_EQ(disk->limits.end, BLOCK_REACH_32);
}

UNIT_TEST(reads_and_writes)
{
    static uint64_t pages[300];
    struct job job;
    void *memory;
    uint64_t physical;
    begin_running();
    CHECK_EQ(block_memory_allocate(NULL, 4 << 20, &memory, &physical), 0);
    job_run(&job, 0, BLOCK_READ, 5, 512, (struct block_memory){.base = physical});
    CHECK(job.done == 1 && job.result == 0 && memcmp(memory, disk_data + 5 * 512, 512) == 0);
    /* Scattered, badly placed, and more than a piece: pages from the last to the first. */
    for (unsigned int i = 0; i < 300; i++)
        pages[i] = physical + (299 - i) * 4096ull;
    job_run(&job, 0, BLOCK_READ, 7, 1100 * 1024, (struct block_memory){.pages = pages, .offset = 1028});
    CHECK(job.done == 1 && job.result == 0);
    bool same = true;
    for (size_t i = 0; i < 1100 * 1024; i++)
        same = same && *fake_ram_at(pages[(i + 1028) / 4096] + (i + 1028) % 4096, 1) == disk_data[7 * 512 + i];
    CHECK(same);
    memset(memory, 0x5a, 8192);
    job_run(&job, 0, BLOCK_WRITE, 100, 8192, (struct block_memory){.base = physical});
    CHECK(job.done == 1 && job.result == 0 && disk_data[100 * 512] == 0x5a && disk_data[116 * 512 - 1] == 0x5a);
    CHECK(disk_data[116 * 512] == (uint8_t)116);
    job_run(&job, 0, BLOCK_FLUSH, 0, 0, (struct block_memory){0});
    CHECK(job.done == 1 && job.result == 0);
}

UNIT_TEST(a_bad_sector_is_tried_three_times)
{
    struct job job;
    begin_running();
    drives[0].bad = 9;
    fake.commands = 0;
    job_run(&job, 0, BLOCK_READ, 8, 1024, (struct block_memory){.base = FAKE_RAM_BASE + 0x10000});
    CHECK(job.done == 1 && job.result == EIO);
    CHECK_EQ(fake.commands, BLOCK_TRIES);
    job_run(&job, 0, BLOCK_READ, 10, 1024, (struct block_memory){.base = FAKE_RAM_BASE + 0x10000});
    CHECK(job.done == 1 && job.result == 0);
}

UNIT_TEST(a_command_that_never_ends)
{
    struct job job;
    begin_running();
    fake.hung = true;
    unsigned int resets = fake.resets;
    job_run(&job, 0, BLOCK_READ, 8, 1024, (struct block_memory){.base = FAKE_RAM_BASE + 0x10000});
    CHECK_EQ(job.done, 0);
    fake_clock += BLOCK_TIMEOUT_S + 1;
    block_queue_watch(&channel.queue, fake_clock);
    interrupts();
    CHECK(job.done == 1 && job.result == 0 && fake.resets == resets + 1);
}

UNIT_TEST(a_drive_that_is_not_ready)
{
    struct job job;
    begin_running();
    fake.status = 0x80;
    job_run(&job, 0, BLOCK_READ, 8, 1024, (struct block_memory){.base = FAKE_RAM_BASE + 0x10000});
    CHECK_EQ(job.done, 0);
    block_queue_watch(&channel.queue, fake_clock); /* a second later */
    interrupts();
    CHECK(job.done == 1 && job.result == 0);
}

/* Interrupts of others, and none at all. */
UNIT_TEST(shared_and_lost_interrupts)
{
    struct job job = {.request = {.unit = &channel.drives[0].unit.block, .kind = BLOCK_READ, .length = 512,
                                  .memory = {.base = FAKE_RAM_BASE + 0x10000}, .done = job_done}};
    begin_running();
    block_queue_service(&channel.queue);
    block_submit(&job.request);
    CHECK_EQ(job.done, 0);
    CHECK(block_queue_watch(&channel.queue, fake_clock));
    CHECK_EQ(job.done, 1);
    block_queue_service(&channel.queue);
}

UNIT_TEST(discs)
{
    struct job job;
    begin_running();
    const struct block_unit *disc = &channel.drives[1].unit.block;
    CHECK_EQ(medium_check(), 0);
    CHECK(disc->sectors == DISC_BLOCKS && disc->sector_log == 11);
    struct block_memory memory = {.base = FAKE_RAM_BASE + 0x10000};
    job_run(&job, 1, BLOCK_READ, 3, 8192, memory);
    CHECK(job.done == 1 && job.result == 0);
    CHECK(memcmp(fake_ram_at(memory.base, 8192), disc_data + 3 * 2048, 8192) == 0);
    drives[1].bad = 4;
    job_run(&job, 1, BLOCK_READ, 3, 8192, memory);
    CHECK_EQ(job.result, EIO);
    job_run(&job, 1, BLOCK_READ, DISC_BLOCKS, 2048, memory);
    CHECK_EQ(job.result, EINVAL);
    unsigned int before = disc->medium;
    /* Taken out while open, another one put in: every read fails until it is opened again. */
    drives[1].medium = false;
    job_run(&job, 1, BLOCK_READ, 9, 2048, memory);
    CHECK_EQ(job.result, ENXIO);
    drives[1].medium = drives[1].attention = true;
    job_run(&job, 1, BLOCK_READ, 9, 2048, memory);
    CHECK_EQ(job.result, ESTALE);
    job_run(&job, 1, BLOCK_READ, 9, 2048, memory);
    CHECK_EQ(job.result, ESTALE);
    CHECK_EQ(medium_check(), 0);
    CHECK(disc->medium != before);
    before = disc->medium;
    CHECK_EQ(medium_check(), 0);
    CHECK_EQ(disc->medium, before);
    job_run(&job, 1, BLOCK_READ, 9, 2048, memory);
    CHECK_EQ(job.result, 0);
    drives[1].medium = false;
    CHECK_EQ(medium_check(), ENXIO);
    CHECK_EQ(disc->sectors, 0);
}

/* Entries never cross 64 KiB, however the memory lies. */
UNIT_TEST(prds)
{
    static struct ide_prd prds[IDE_PRDS];
    struct block_memory memory = {.base = 0x1fff0};
    CHECK_EQ(ide_prds_fill(prds, &memory, 0, 0x20000), 3);
    CHECK(prds[0].address == 0x1fff0 && prds[0].count == 0x10 && prds[0].flags == 0);
    CHECK(prds[1].address == 0x20000 && prds[1].count == 0 && prds[1].flags == 0);
    CHECK(prds[2].address == 0x30000 && prds[2].count == 0xfff0 && prds[2].flags == IDE_PRD_LAST);
    static uint64_t pages[257];
    for (unsigned int i = 0; i < 257; i++)
        pages[i] = 0x1000000 + i * 0x2000ull;
    memory = (struct block_memory){.pages = pages, .offset = 4};
    CHECK_EQ(ide_prds_fill(prds, &memory, 0, IDE_PIECE_MAX), 257);
}

UNIT_MAIN
