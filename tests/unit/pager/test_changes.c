/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No change of a page is lost: what was written before a sync began is on the disk when the sync is done, whatever
   syncs, evictions and requests come in between.  lib/pager as it is, on a kernel of the test's (kernel.h).  */
#include "kernel.h"
#include "unit.h"

enum { STEPS = 60000 };

static uint64_t seed = 4;
static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % n;
}

static void sync_all(struct pager *pager)
{
    CHECK_EQ(pager_sync(pager, 0, UINT64_MAX, false), 0);
}

/* A program writes to page 0 as soon as it may, and somebody syncs: before it, and after it.  */
static bool synced_late;
static void sync_and_write(struct pager *pager)
{
    if (kernel_pages[0].here && !kernel_pages[0].locked && !kernel_pages[0].dirty) {
        kernel_pages[0].value = 9;
        kernel_pages[0].dirty = true;
        synced_late = true;
    }
    sync_all(pager);
}

/* Each message of the pager's that lets a page be changed: a sync right before or after the kernel takes it in must not
   make the pager believe that the page cannot have changed.  (It did: 256 KiB of a file were lost that way.)  */
static void race_case(bool unlock)
{
    struct pager *pager = kernel_start();
    if (unlock) {
        CHECK_EQ(kernel_read(pager, 0), 0);
        CHECK(kernel_pages[0].locked);
    }
    synced_late = false;
    kernel_between = sync_and_write;
    kernel_write(pager, 0, 9);
    kernel_between = NULL;
    if (synced_late) {
        kernel_drain(pager);
        CHECK_EQ(kernel_disk[0], 9);
    }
    sync_all(pager);
    kernel_drain(pager);
    CHECK_EQ(kernel_disk[0], 9);
    kernel_end(pager);
}

UNIT_TEST(sync_while_pages_are_supplied)
{
    race_case(false);
}

UNIT_TEST(sync_while_pages_are_unlocked)
{
    race_case(true);
}

static void sync_sometimes(struct pager *pager)
{
    if (rnd(2))
        sync_all(pager);
    if (rnd(8) == 0)
        kernel_evict(rnd(PAGES));
}

UNIT_TEST(any_order_of_writes_syncs_and_evictions)
{
    struct pager *pager = kernel_start();
    uint8_t model[PAGES] = { 0 };
    unsigned int wrong_reads = 0, lost = 0;
    kernel_between = sync_sometimes;
    for (int i = 0; i < STEPS; i++) {
        unsigned int page = rnd(PAGES), what = rnd(100);
        kernel_memory = rnd(10) ? MEMORY_ENOUGH : MEMORY_SHORT;
        if (what < 40) {
            model[page] = (uint8_t)rnd(256);
            kernel_write(pager, page, model[page]);
        } else if (what < 60) {
            wrong_reads += kernel_read(pager, page) != model[page];
        } else if (what < 80) {
            kernel_evict(page);
        } else if (what < 90) {
            kernel_step(pager);
        } else {
            sync_all(pager);
            kernel_drain(pager);
            for (unsigned int n = 0; n < PAGES; n++)
                lost += kernel_disk[n] != model[n];
        }
    }
    CHECK_EQ(wrong_reads, 0);
    CHECK_EQ(lost, 0);
    kernel_end(pager);
}

UNIT_MAIN
