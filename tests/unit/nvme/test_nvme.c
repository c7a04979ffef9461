/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rumpdisk's NVMe driver with the block layer's queue, on a controller that is a thread (fake_nvme.h). */

#include "unit.h"

#include "fake_nvme.h"

#define JOBS 200u

static struct nvme nvme;
static struct block_unit *units[8];
static unsigned int unit_count;

error_t block_unit_add(struct block_unit *unit)
{
    units[unit_count++] = unit;
    return 0;
}

struct job {
    struct block_request request;
    _Atomic unsigned int done;
    error_t result;
};

static void job_done(struct block_request *request, error_t err)
{
    struct job *job = (struct job *)request;
    job->result = err;
    job->done++;
}

static void job_submit(struct job *job, struct block_unit *unit, enum block_kind kind, uint64_t lba, size_t length,
                       struct block_memory memory)
{
    *job = (struct job){.request = {.unit = unit, .kind = kind, .lba = lba, .length = length, .memory = memory,
                                    .done = job_done}};
    block_submit(&job->request);
}

/* What the interrupt thread does, until JOB is over; 10 s at most. */
static error_t job_wait(struct job *job)
{
    for (unsigned int i = 0; i < 100000 && !job->done; i++) {
        block_queue_service(&nvme.queue);
        usleep(100);
    }
    CHECK_EQ(job->done, 1);
    return job->result;
}

static error_t io(struct block_unit *unit, enum block_kind kind, uint64_t lba, size_t length,
                  struct block_memory memory)
{
    struct job job;
    job_submit(&job, unit, kind, lba, length, memory);
    return job_wait(&job);
}

static uint8_t *buffer;
static uint64_t buffer_physical;
#define BUFFER (1u << 20)

UNIT_TEST(start_and_namespaces)
{
    fake_start();
    nvme.regs = fake.regs;
    nvme.limits.end = UINT64_MAX;
    CHECK_EQ(nvme_controller_start(&nvme), 0);
    nvme_listen(&nvme);
    CHECK_STR(nvme.identity.model, "Fake NVMe disk");
    CHECK_EQ(nvme.identity.transfer_max, 128 << 10);
    CHECK(nvme.identity.write_cache);
    nvme_namespaces_add(&nvme);
    CHECK_EQ(unit_count, 2); /* one has metadata, one is empty */
    CHECK_EQ(units[0]->sectors, FAKE_SECTORS);
    CHECK_EQ(units[0]->sector_log, 9);
    CHECK_EQ(units[1]->sector_log, 12);
    CHECK(units[1]->readonly && !units[0]->readonly && units[0]->fua);
    CHECK_EQ(nvme.queue.depth, 64);
    void *where;
    CHECK_EQ(block_memory_allocate(&nvme.limits, BUFFER, &where, &buffer_physical), 0);
    buffer = where;
}

/* Pages in disorder: page N of the transfer is page (N * 7) mod 256 of the buffer. */
static void pages_fill(uint64_t *pages, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        pages[i] = buffer_physical + (uint64_t)(i * 7 % 256) * 4096;
}

UNIT_TEST(bytes_go_where_they_belong)
{
    static uint64_t pages[256];
    static const struct { size_t offset, length;
    } cases[] = {{0, 512},    {512, 4096},    {4, 4096},        {3584, 1024},    {0, 8192},  {2048, 8192},
                 {0, 131072}, {1020, 131072}, {512, 400 << 10}, {0, 1000 << 10}, {4092, 512}};
    pages_fill(pages, 256);
    srand(1);
    for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct block_memory memory = {.pages = pages, .offset = cases[i].offset};
        uint64_t lba = 17 + i;
        for (size_t at = 0; at < BUFFER; at++)
            buffer[at] = rand();
        CHECK_EQ(io(units[0], BLOCK_WRITE, lba, cases[i].length, memory), 0);
        bool same = true;
        for (size_t at = 0; at < cases[i].length; at++) {
            size_t place = cases[i].offset + at;
            same = same && fake.disk[lba * 512 + at] == buffer[pages[place / 4096] - buffer_physical + place % 4096];
        }
        CHECK(same);
        memset(buffer, 0, BUFFER);
        CHECK_EQ(io(units[0], BLOCK_READ, lba, cases[i].length, memory), 0);
        for (size_t at = 0; at < cases[i].length; at++) {
            size_t place = cases[i].offset + at;
            same = same && fake.disk[lba * 512 + at] == buffer[pages[place / 4096] - buffer_physical + place % 4096];
        }
        CHECK(same);
    }
    struct block_memory base = {.base = buffer_physical, .offset = 256};
    CHECK_EQ(io(units[1], BLOCK_READ, 3, 512 << 10, base), 0);
    CHECK(memcmp(buffer + 256, fake.disk + 3 * 4096, 512 << 10) == 0);
    CHECK_EQ(fake.complaints, 0);
}

UNIT_TEST(flush_and_write_through)
{
    struct job job = {.request = {.unit = units[0], .kind = BLOCK_WRITE, .fua = true, .lba = 1, .length = 512,
                                  .memory = {.base = buffer_physical}, .done = job_done}};
    block_submit(&job.request);
    CHECK_EQ(job_wait(&job), 0);
    CHECK_EQ(fake.fuas, 1);
    CHECK_EQ(io(units[0], BLOCK_FLUSH, 0, 0, (struct block_memory){0}), 0);
    CHECK_EQ(fake.flushes, 1);
}

/* Waits until the controller has seen COUNT of what COUNTER counts; 10 s at most. */
static void seen_wait(_Atomic unsigned int *counter, unsigned int count)
{
    for (unsigned int i = 0; i < 100000 && *counter < count; i++)
        usleep(100);
    CHECK(*counter >= count);
}

UNIT_TEST(many_in_flight)
{
    static struct job jobs[JOBS];
    unsigned int before = fake.commands;
    fake.hold = true;
    for (unsigned int i = 0; i < JOBS; i++)
        job_submit(&jobs[i], units[i % 2], BLOCK_READ, i, 4096,
                   (struct block_memory){.base = buffer_physical + i * 4096});
    seen_wait(&fake.commands, before + 64);
    CHECK_EQ(fake.commands, before + 64);
    fake.hold = false;
    for (unsigned int i = 0; i < JOBS; i++)
        CHECK_EQ(job_wait(&jobs[i]), 0);
    CHECK(memcmp(buffer + 12 * 4096, fake.disk + 12 * 512, 4096) == 0);
    CHECK(memcmp(buffer + 13 * 4096, fake.disk + 13 * 4096, 4096) == 0);
}

UNIT_TEST(errors_are_that_request_s_alone)
{
    struct job bad, good;
    fake.fail_lba = 100;
    fake.failures = 1;
    fake.fail_status = 0x281; /* unrecovered read error */
    CHECK_EQ(io(units[0], BLOCK_READ, 100, 512, (struct block_memory){.base = buffer_physical}), 0);
    fake.failures = 1000;
    job_submit(&bad, units[0], BLOCK_READ, 100, 512, (struct block_memory){.base = buffer_physical});
    job_submit(&good, units[0], BLOCK_READ, 101, 512, (struct block_memory){.base = buffer_physical + 4096});
    CHECK_EQ(job_wait(&bad), EIO);
    CHECK_EQ(job_wait(&good), 0);
    CHECK_EQ(fake.failures, 997);
    fake.fail_status = 0x4281; /* and no use in trying again */
    CHECK(io(units[0], BLOCK_READ, 100, 512, (struct block_memory){.base = buffer_physical}) != 0);
    CHECK_EQ(fake.failures, 996);
    fake.fail_lba = UINT64_MAX;
    CHECK_EQ(nvme.queue.resets, 0);
}

/* SECONDS go by at once, and the watchdog looks. */
static void watch_after(unsigned int seconds)
{
    fake_clock += seconds;
    block_queue_watch(&nvme.queue, fake_clock);
}

UNIT_TEST(late_commands_are_aborted_then_the_controller_is_reset)
{
    struct job late, other;
    unsigned int enables = fake.enables;
    fake.held_lba = 200;
    job_submit(&late, units[0], BLOCK_READ, 200, 512, (struct block_memory){.base = buffer_physical});
    job_submit(&other, units[0], BLOCK_READ, 201, 512, (struct block_memory){.base = buffer_physical + 4096});
    CHECK_EQ(job_wait(&other), 0);
    watch_after(BLOCK_TIMEOUT_S + 2);
    seen_wait(&fake.aborts, 1);
    fake.held_lba = UINT64_MAX;
    CHECK_EQ(job_wait(&late), 0); /* tried again */
    CHECK_EQ(fake.enables, enables);

    fake.abort_works = false;
    fake.held_lba = 200;
    job_submit(&late, units[0], BLOCK_READ, 200, 512, (struct block_memory){.base = buffer_physical});
    watch_after(BLOCK_TIMEOUT_S + 2);
    seen_wait(&fake.aborts, 2);
    watch_after(6); /* the reset waits for the controller */
    CHECK_EQ(fake.enables, enables + 1);
    fake.held_lba = UINT64_MAX;
    CHECK_EQ(job_wait(&late), 0);
    CHECK_EQ(nvme.queue.resets, 1);
    CHECK_EQ(io(units[0], BLOCK_READ, 5, 512, (struct block_memory){.base = buffer_physical}), 0);
}

UNIT_TEST(completions_of_nothing_are_dropped)
{
    /* A second completion of a command that is over, and one of a number that never was. */
    fake.hold = true;
    struct job job;
    unsigned int seen = fake.commands;
    job_submit(&job, units[0], BLOCK_READ, 7, 512, (struct block_memory){.base = buffer_physical});
    seen_wait(&fake.commands, seen + 1);
    complete(fake.cq, fake.cq_size, &fake.tail, &fake.phase, (uint32_t)(nvme.ids[0] - 64) << 16, 0, 0);
    complete(fake.cq, fake.cq_size, &fake.tail, &fake.phase, 0xffff0000u, 0, 0);
    block_queue_service(&nvme.queue);
    CHECK_EQ(job.done, 0);
    fake.hold = false;
    CHECK_EQ(job_wait(&job), 0);
}

UNIT_TEST(fatal_status_resets_and_a_dead_one_says_so)
{
    struct job job;
    unsigned int resets = nvme.queue.resets;
    fake.hold = true;
    unsigned int seen = fake.commands;
    job_submit(&job, units[0], BLOCK_READ, 7, 512, (struct block_memory){.base = buffer_physical});
    seen_wait(&fake.commands, seen + 1);
    fake.regs[NVME_CSTS / 4] |= NVME_CSTS_FATAL;
    block_queue_service(&nvme.queue);
    CHECK_EQ(nvme.queue.resets, resets + 1);
    fake.hold = false;
    CHECK_EQ(job_wait(&job), 0);

    fake.hold = fake.never_ready = true;
    job_submit(&job, units[0], BLOCK_READ, 7, 512, (struct block_memory){.base = buffer_physical});
    seen_wait(&fake.commands, seen + 3); /* the first came again after the reset */
    fake.regs[NVME_CSTS / 4] |= NVME_CSTS_FATAL;
    CHECK_EQ(job_wait(&job), EIO);
    CHECK(nvme.queue.dead);
    CHECK_EQ(io(units[0], BLOCK_READ, 7, 512, (struct block_memory){.base = buffer_physical}), EIO);
    fake.hold = fake.never_ready = false;
    fake_clock += BLOCK_REVIVE_S;
    CHECK_EQ(io(units[0], BLOCK_READ, 7, 512, (struct block_memory){.base = buffer_physical}), 0);
    CHECK_EQ(fake.complaints, 0);
    fake_end();
}

UNIT_TEST(controllers_that_cannot_be_used)
{
    static _Alignas(8) volatile uint32_t regs[0x2000 / 4];
    struct nvme other = {.regs = regs, .limits.end = UINT64_MAX};
    memset((void *)regs, 0xff, sizeof regs);
    CHECK_EQ(nvme_controller_start(&other), ENODEV);
    memset((void *)regs, 0, sizeof regs);
    CHECK_EQ(nvme_controller_start(&other), ENOTSUP); /* no NVM commands */
    regs[0] = 255;
    regs[1] = 1 << 5 | 1 << 16;
    CHECK_EQ(nvme_controller_start(&other), ENOTSUP); /* pages of 8192 */
    regs[1] = 1 << 5 | 9;
    CHECK_EQ(nvme_controller_start(&other), ENOTSUP); /* doorbells far apart */
}

UNIT_MAIN
