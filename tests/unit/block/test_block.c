/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue of rumpdisk's block layer with a driver that only takes notes. */

#include "unit.h"

#include "fake_watch.h"
#include "job.h"

#define MAX_PIECE 8192u

static struct block_queue queue;
static struct block_unit unit;
static struct {
    unsigned int slot;
    struct block_request *request;
    uint64_t lba;
    size_t length;
    bool alone;
} issued[256];
static unsigned int issued_count, kicks, resets, aborts;
static bool reset_fails, can_abort;
static const char *cause;
static uint64_t finishing, failing; /* slots that `collect' ends, well or with `error' */
static error_t error;

static size_t fake_issue(struct block_queue *q, unsigned int slot, struct block_request *request, bool alone)
{
    (void)q;
    size_t length = request->length - request->finished;
    if (length > MAX_PIECE)
        length = MAX_PIECE;
    issued[issued_count].slot = slot;
    issued[issued_count].request = request;
    issued[issued_count].lba = block_request_lba(request);
    issued[issued_count].length = length;
    issued[issued_count++].alone = alone;
    return length;
}

static void fake_kick(struct block_queue *q)
{
    (void)q;
    kicks++;
}

static const char *fake_collect(struct block_queue *q)
{
    const char *result = cause;
    cause = NULL;
    for (uint64_t left = result ? 0 : finishing | failing; left; left &= left - 1)
        block_queue_ended(q, __builtin_ctzll(left), failing >> __builtin_ctzll(left) & 1 ? error : 0);
    finishing = failing = 0;
    return result;
}

static bool fake_abort(struct block_queue *q, unsigned int slot)
{
    (void)q;
    (void)slot;
    aborts++;
    return can_abort;
}

static error_t fake_reset(struct block_queue *q)
{
    CHECK_EQ(q->busy, 0);
    resets++;
    return reset_fails ? EIO : 0;
}

static const struct block_queue_ops ops = {
    .issue = fake_issue, .kick = fake_kick, .collect = fake_collect, .abort = fake_abort, .reset = fake_reset};

static void begin(unsigned int depth)
{
    memset(&queue, 0, sizeof queue);
    unit = (struct block_unit){.queue = &queue, .sector_log = 9, .sectors = 1000};
    issued_count = kicks = resets = aborts = 0;
    reset_fails = can_abort = false;
    finishing = failing = 0;
    error = EIO;
    fake_clock = 100;
    block_queue_init(&queue, &ops, depth, "fake %d", 1);
}

static void job_submit(struct job *job, uint64_t lba, size_t length)
{
    *job = (struct job){.request = {.unit = &unit, .kind = BLOCK_READ, .lba = lba, .length = length, .done = job_done}};
    block_submit(&job->request);
}

static void finish(uint64_t good, uint64_t bad)
{
    finishing = good;
    failing = bad;
    block_queue_service(&queue);
}

UNIT_TEST(pieces_one_after_the_other)
{
    struct job job;
    begin(4);
    CHECK_STR(queue.name, "fake 1");
    job_submit(&job, 10, 20480);
    CHECK_EQ(issued_count, 1);
    finish(1, 0);
    CHECK_EQ(issued_count, 2);
    CHECK_EQ(issued[1].lba, 26);
    finish(1, 0);
    CHECK_EQ(issued[2].lba, 42);
    CHECK_EQ(issued[2].length, 4096);
    CHECK_EQ(job.done, 0);
    finish(1, 0);
    CHECK_EQ(job.done, 1);
    CHECK_EQ(job.result, 0);
    CHECK_EQ(queue.busy, 0);
    CHECK_EQ(queue.bytes, 20480);
}

UNIT_TEST(sectors_of_4096)
{
    struct job job;
    begin(4);
    unit.sector_log = 12;
    job_submit(&job, 10, 16384);
    finish(1, 0);
    CHECK_EQ(issued[1].lba, 12);
    finish(1, 0);
    CHECK_EQ(job.done, 1);
}

UNIT_TEST(slots_are_a_limit)
{
    struct job jobs[5];
    begin(3);
    for (unsigned int i = 0; i < 5; i++)
        job_submit(&jobs[i], i, 512);
    CHECK_EQ(issued_count, 3);
    finish(2, 0);
    CHECK_EQ(issued_count, 4);
    CHECK_EQ(issued[3].slot, 1);
    CHECK(issued[3].request == &jobs[3].request);
    finish(7, 0);
    finish(7, 0);
    for (unsigned int i = 0; i < 5; i++)
        CHECK_EQ(jobs[i].done, 1);
    CHECK_EQ(kicks, 5);
}

UNIT_TEST(sixty_four_slots)
{
    static struct job jobs[70];
    begin(1000);
    for (unsigned int i = 0; i < 70; i++)
        job_submit(&jobs[i], i, 512);
    CHECK_EQ(issued_count, 64);
    finish(~0ull, 0);
    finish(~0ull, 0);
    CHECK(jobs[69].done == 1 && queue.busy == 0);
}

/* Errors whose request is known: tried three times, alone; the others do not notice. */
UNIT_TEST(one_request_fails)
{
    struct job jobs[3];
    begin(4);
    for (unsigned int i = 0; i < 3; i++)
        job_submit(&jobs[i], i, 512);
    finish(0, 2);
    CHECK_EQ(issued_count, 3); /* waits until the others are over */
    finish(5, 0);
    CHECK(issued_count == 4 && issued[3].alone && issued[3].request == &jobs[1].request);
    struct job other;
    job_submit(&other, 9, 512);
    CHECK_EQ(issued_count, 4);
    finish(0, 1);
    CHECK_EQ(issued_count, 5);
    finish(0, 1);
    CHECK_EQ(jobs[1].done, 1);
    CHECK_EQ(jobs[1].result, EIO);
    CHECK(issued_count == 6 && !issued[5].alone);
    finish(1, 0);
    CHECK(jobs[0].result == 0 && jobs[2].result == 0 && other.done == 1 && resets == 0);
}

UNIT_TEST(other_errors_are_told_at_once)
{
    struct job job;
    begin(4);
    error = ENXIO;
    job_submit(&job, 1, 512);
    finish(0, 1);
    CHECK(job.done == 1 && job.result == ENXIO && issued_count == 1);
}

/* Nobody knows which failed: a reset, then each by itself. */
UNIT_TEST(reset_and_one_by_one)
{
    struct job jobs[3];
    begin(4);
    for (unsigned int i = 0; i < 3; i++)
        job_submit(&jobs[i], i, 512);
    cause = "test";
    block_queue_service(&queue);
    CHECK_EQ(resets, 1);
    CHECK_EQ(issued_count, 4);
    for (unsigned int i = 0; i < 8 && (!jobs[0].done || !jobs[1].done || !jobs[2].done); i++) {
        CHECK(issued[issued_count - 1].alone);
        if (issued[issued_count - 1].request == &jobs[1].request)
            finish(0, 1);
        else
            finish(1, 0);
    }
    CHECK(jobs[0].result == 0 && jobs[1].result == EIO && jobs[2].result == 0);
    CHECK(jobs[0].done == 1 && jobs[1].done == 1 && jobs[2].done == 1);
}

UNIT_TEST(dead_and_back)
{
    struct job jobs[2], late, later;
    begin(1);
    job_submit(&jobs[0], 0, 512);
    job_submit(&jobs[1], 1, 512);
    cause = "test";
    reset_fails = true;
    block_queue_service(&queue);
    CHECK(jobs[0].result == EIO && jobs[1].result == EIO && jobs[1].done == 1);
    job_submit(&late, 0, 512);
    CHECK(late.done == 1 && late.result == EIO && resets == 1);
    fake_clock += BLOCK_REVIVE_S;
    reset_fails = false;
    job_submit(&later, 0, 512);
    CHECK_EQ(resets, 2);
    finish(1, 0);
    CHECK(later.done == 1 && later.result == 0);
}

UNIT_TEST(timeouts)
{
    struct job job;
    begin(2);
    can_abort = true;
    job_submit(&job, 0, 512);
    fake_clock += BLOCK_TIMEOUT_S;
    CHECK(block_queue_watch(&queue, fake_clock));
    CHECK_EQ(aborts, 0);
    fake_clock += 1;
    block_queue_watch(&queue, fake_clock);
    CHECK(aborts == 1 && resets == 0);
    fake_clock += 5;
    block_queue_watch(&queue, fake_clock);
    CHECK(aborts == 1 && resets == 1 && issued_count == 2);
    finishing = 1;
    block_queue_watch(&queue, fake_clock); /* an interrupt was lost */
    CHECK(job.done == 1 && job.result == 0);
    CHECK(!block_queue_watch(&queue, fake_clock));
}

/* Slots that hold nothing, as a driver's damaged hardware may tell. */
UNIT_TEST(endings_of_nothing)
{
    struct job job;
    begin(2);
    finish(~0ull, 0);
    job_submit(&job, 0, 512);
    finish(~1ull, 0);
    CHECK_EQ(job.done, 0);
    finish(1, 0);
    CHECK_EQ(job.done, 1);
}

UNIT_MAIN
