/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rumpdisk's virtio driver with the block layer's queue, on a device made of memory (fake_virtio.h). */

#include "unit.h"

#include "../block/job.h"
#include "fake_virtio.h"

#define BUFFER (2u << 20)
#define JOBS 200u

static struct virtio virtio;
static uint8_t *buffer;
static uint64_t buffer_physical;

static error_t begin(void)
{
    void *where;
    memset(&virtio, 0, sizeof virtio);
    virtio.transport = &fake_transport;
    virtio.limits.end = UINT64_MAX;
    fake_clock = 100;
    block_queue_init(&virtio.queue, &virtio_queue_ops, 1, "fake");
    CHECK_EQ(block_memory_allocate(&virtio.limits, BUFFER, &where, &buffer_physical), 0);
    buffer = where;
    error_t err = virtio_start(&virtio);
    return err ? err : virtio_run(&virtio);
}

static void job_submit(struct job *job, enum block_kind kind, uint64_t lba, size_t length, struct block_memory memory)
{
    *job = (struct job){.request = {.unit = &virtio.unit, .kind = kind, .lba = lba, .length = length, .memory = memory,
                                    .done = job_done}};
    block_submit(&job->request);
}

static error_t job_wait(struct job *job)
{
    for (unsigned int i = 0; i < 1000 && !job->done; i++) {
        fake_work();
        block_queue_service(&virtio.queue);
    }
    CHECK_EQ(job->done, 1);
    return job->result;
}

static error_t io(enum block_kind kind, uint64_t lba, size_t length, struct block_memory memory)
{
    struct job job;
    job_submit(&job, kind, lba, length, memory);
    return job_wait(&job);
}

/* Writes and reads pieces of many shapes, from pages in disorder. */
static void shapes_check(void)
{
    static uint64_t pages[512];
    static const struct { size_t offset, length;
    } cases[] = {{0, 4096},      {4, 4096},      {2048, 8192},       {0, 131072},
                 {1020, 131072}, {0, 900 << 10}, {3000, 1000 << 10}, {4092, 4096}};
    for (unsigned int i = 0; i < 512; i++)
        pages[i] = buffer_physical + (uint64_t)(i * 7 % 512) * 4096;
    srand(1);
    for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct block_memory memory = {.pages = pages, .offset = cases[i].offset};
        uint64_t lba = 3 + i, place = lba << virtio.unit.sector_log;
        bool same = true;
        for (size_t at = 0; at < BUFFER; at++)
            buffer[at] = rand();
        for (unsigned int pass = 0; pass < 2; pass++) {
            CHECK_EQ(io(pass ? BLOCK_READ : BLOCK_WRITE, lba, cases[i].length, memory), 0);
            for (size_t at = 0; at < cases[i].length; at++) {
                size_t byte = cases[i].offset + at;
                same = same && fake.disk[place + at] == buffer[pages[byte / 4096] - buffer_physical + byte % 4096];
            }
            memset(buffer, 0, pass ? 0 : BUFFER);
        }
        CHECK(same);
    }
    CHECK_EQ(fake.complaints, 0);
}

UNIT_TEST(everything_offered)
{
    fake_begin();
    CHECK_EQ(begin(), 0);
    CHECK_EQ(virtio.unit.sectors, FAKE_SECTORS);
    CHECK(virtio.unit.write_cache && virtio.unit.readonly && !virtio.unit.fua);
    CHECK_EQ(virtio.queue.depth, 64);
    CHECK_EQ(virtio.size, 128);
    CHECK_EQ(virtio.data_most, 126);
    CHECK_EQ(fake.accepted, VIRTIO_WANTED);
    shapes_check();
    CHECK_EQ(io(BLOCK_FLUSH, 0, 0, (struct block_memory){0}), 0);
    CHECK_EQ(fake.flushes, 1);
    CHECK(fake.pieces_most <= 126 && fake.pieces_most > 100);
}

UNIT_TEST(nothing_offered)
{
    fake_begin();
    fake.offered = VIRTIO_VERSION_1;
    CHECK_EQ(begin(), 0);
    CHECK(!virtio.unit.write_cache && !virtio.unit.readonly);
    CHECK_EQ(virtio.queue.depth, 8); /* shares of a ring of 128 */
    CHECK_EQ(virtio.data_most, 1);
    CHECK_EQ(io(BLOCK_READ, 5, 512, (struct block_memory){.base = buffer_physical}), 0);
    CHECK_EQ(io(BLOCK_READ, 5, 64 << 10, (struct block_memory){.base = buffer_physical}), 0);
    CHECK_EQ(fake.complaints, 0);
}

UNIT_TEST(shares_of_the_ring)
{
    fake_begin();
    fake.offered = VIRTIO_VERSION_1 | VIRTIO_BLK_SEG_MAX | VIRTIO_EVENT_IDX;
    CHECK_EQ(begin(), 0);
    CHECK_EQ(virtio.data_most, 14);
    shapes_check();
}

UNIT_TEST(blocks_of_4096_and_small_pieces)
{
    fake_begin();
    fake.blk_size = 4096;
    fake.size_max = 5000;
    fake.seg_max = 3;
    CHECK_EQ(begin(), 0);
    CHECK_EQ(virtio.unit.sector_log, 12);
    CHECK_EQ(virtio.unit.sectors, FAKE_SECTORS / 8);
    shapes_check();
}

UNIT_TEST(devices_that_cannot_be_used)
{
    fake_begin();
    fake.offered &= ~VIRTIO_VERSION_1;
    CHECK_EQ(begin(), ENOTSUP);
    fake_begin();
    fake.refuses_features = true;
    CHECK_EQ(begin(), ENOTSUP);
    static const uint32_t sizes[] = {0, 100, 256, 513, 8192, 1u << 31};
    for (unsigned int i = 0; i < 6; i++) {
        fake_begin();
        fake.blk_size = sizes[i];
        CHECK_EQ(begin(), ENOTSUP);
    }
    fake_begin();
    fake.queue_size = 0;
    CHECK_EQ(begin(), ENOTSUP);
    fake_begin();
    fake.size_max = 100;
    CHECK_EQ(begin(), ENOTSUP);
}

UNIT_TEST(many_in_flight_and_few_notifications)
{
    static struct job jobs[JOBS];
    fake_begin();
    CHECK_EQ(begin(), 0);
    for (unsigned int i = 0; i < sizeof fake.disk; i += 512)
        fake.disk[i] = i / 512;
    fake.hold = true;
    for (unsigned int i = 0; i < JOBS; i++)
        job_submit(&jobs[i], BLOCK_READ, i, 512, (struct block_memory){.base = buffer_physical + i * 512});
    CHECK_EQ(fake.notifications, 1); /* the device said that it wants to hear of the first only */
    fake.hold = false;
    for (unsigned int i = 0; i < JOBS; i++)
        CHECK_EQ(job_wait(&jobs[i]), 0);
    for (unsigned int i = 0; i < JOBS; i++)
        CHECK_EQ(buffer[i * 512], i & 0xff);
    CHECK_EQ(fake.requests, JOBS);
    CHECK(fake.interrupts < JOBS / 10);
    /* Around the 16 bits of the indices. */
    for (unsigned int i = 0; i < 66000; i++)
        if (io(BLOCK_READ, i % 100, 512, (struct block_memory){.base = buffer_physical}))
            break;
    CHECK_EQ(fake.requests, JOBS + 66000);
    CHECK_EQ(fake.complaints, 0);
}

UNIT_TEST(errors_are_that_request_s_alone)
{
    struct job bad, good;
    fake_begin();
    CHECK_EQ(begin(), 0);
    fake.fail_sector = 9;
    fake.failures = 2;
    fake.fail_status = 1;
    CHECK_EQ(io(BLOCK_READ, 9, 512, (struct block_memory){.base = buffer_physical}), 0);
    fake.failures = 100;
    job_submit(&bad, BLOCK_READ, 9, 512, (struct block_memory){.base = buffer_physical});
    job_submit(&good, BLOCK_READ, 10, 512, (struct block_memory){.base = buffer_physical});
    CHECK_EQ(job_wait(&bad), EIO);
    CHECK_EQ(job_wait(&good), 0);
    CHECK_EQ(fake.failures, 97);
    fake.fail_status = 2;
    CHECK_EQ(io(BLOCK_READ, 9, 512, (struct block_memory){.base = buffer_physical}), ENOTSUP);
    CHECK_EQ(virtio.queue.resets, 0);
}

UNIT_TEST(late_requests_and_a_device_that_asks_reset_it)
{
    struct job job;
    fake_begin();
    CHECK_EQ(begin(), 0);
    unsigned int resets = fake.resets;
    fake.hold = true;
    job_submit(&job, BLOCK_READ, 9, 512, (struct block_memory){.base = buffer_physical});
    fake_clock += BLOCK_TIMEOUT_S + 2;
    block_queue_watch(&virtio.queue, fake_clock);
    CHECK_EQ(fake.resets, resets + 1);
    fake.hold = false;
    CHECK_EQ(job_wait(&job), 0);
    fake.hold = true;
    job_submit(&job, BLOCK_READ, 9, 512, (struct block_memory){.base = buffer_physical});
    fake.status |= VIRTIO_NEEDS_RESET;
    fake.isr |= VIRTIO_ISR_CONFIG;
    fake.hold = false;
    CHECK_EQ(job_wait(&job), 0);
    CHECK_EQ(fake.resets, resets + 2);
    CHECK_EQ(fake.complaints, 0);
}

UNIT_TEST(a_damaged_queue_is_seen)
{
    struct job job;
    fake_begin();
    CHECK_EQ(begin(), 0);
    unsigned int resets = fake.resets;
    fake.hold = true;
    job_submit(&job, BLOCK_READ, 9, 512, (struct block_memory){.base = buffer_physical});
    /* Numbers that are in no slot, too high, or of an idle slot. */
    used_put(5);
    used_put(127);
    used_put(0xffffffff);
    block_queue_service(&virtio.queue);
    CHECK_EQ(job.done, 0);
    CHECK_EQ(fake.resets, resets);
    ((struct virtio_used *)must(fake.used, 4))->index += 1000;
    block_queue_service(&virtio.queue);
    CHECK_EQ(fake.resets, resets + 1);
    fake.hold = false;
    CHECK_EQ(job_wait(&job), 0);
    /* It says that it is done with what it has not looked at. */
    fake.hold = true;
    job_submit(&job, BLOCK_READ, 9, 512, (struct block_memory){.base = buffer_physical});
    for (unsigned int i = 0; i < BLOCK_TRIES; i++) {
        used_put(0);
        block_queue_service(&virtio.queue);
    }
    CHECK_EQ(job.done, 1);
    CHECK_EQ(job.result, EIO);
}

UNIT_MAIN
