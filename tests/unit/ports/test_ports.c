/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of lib/ports that need no kernel: the hash table and the thread counts.  */

#include "unit.h"

#include <ports/pool.h>
#include <ports/table.h>

struct thing {
    int value;
    struct ports_link link;
};

enum { THINGS = 10000 };
static struct thing things[THINGS];

static void put(struct ports_table *table, struct thing *thing, uint64_t key)
{
    CHECK_EQ(ports_table_reserve(table), 0);
    thing->link.key = key;
    ports_table_insert(table, &thing->link);
}

UNIT_TEST(table_empty_finds_nothing)
{
    struct ports_table table = {0};
    struct ports_link link = {.key = 5};
    CHECK(ports_table_find(&table, 5) == NULL);
    ports_table_remove(&table, &link);
    CHECK_EQ(table.count, 0);
    ports_table_clear(&table);
}

UNIT_TEST(table_grows_and_finds_all)
{
    struct ports_table table = {0};
    for (int i = 0; i < THINGS; i++)
        put(&table, &things[i], 16 + i);
    CHECK_EQ(table.count, THINGS);
    CHECK(table.mask + 1 >= THINGS);
    for (int i = 0; i < THINGS; i++) {
        struct ports_link *link = ports_table_find(&table, 16 + i);
        CHECK(link != NULL && PORTS_LINK_OWNER(link, struct thing, link) == &things[i]);
    }
    CHECK(ports_table_find(&table, 15) == NULL);
    CHECK(ports_table_find(&table, 16 + THINGS) == NULL);
    ports_table_clear(&table);
}

UNIT_TEST(table_removes_exactly_one)
{
    struct ports_table table = {0};
    for (int i = 0; i < THINGS; i++)
        put(&table, &things[i], (uint64_t)i << 20); /* all alike in the low bits */
    for (int i = 0; i < THINGS; i += 2)
        ports_table_remove(&table, &things[i].link);
    CHECK_EQ(table.count, THINGS / 2);
    for (int i = 0; i < THINGS; i++)
        CHECK((ports_table_find(&table, (uint64_t)i << 20) != NULL) == (i % 2 == 1));
    ports_table_remove(&table, &things[0].link);
    CHECK_EQ(table.count, THINGS / 2);
    ports_table_clear(&table);
}

UNIT_TEST(table_spreads_dense_keys)
{
    struct ports_table table = {0};
    size_t longest = 0;
    for (int i = 0; i < 4096; i++)
        put(&table, &things[i], 1000000 + i);
    for (size_t s = 0; s <= table.mask; s++) {
        size_t length = 0;
        for (struct ports_link *l = table.slots[s]; l != NULL; l = l->next)
            length++;
        longest = length > longest ? length : longest;
    }
    CHECK(longest <= 2);
    ports_table_clear(&table);
}

UNIT_TEST(pool_makes_a_thread_when_all_are_busy)
{
    struct ports_pool pool;
    ports_pool_init(&pool, false, 1000);
    CHECK(ports_pool_take(&pool));
    CHECK_EQ(pool.threads, 2);
    CHECK_EQ(pool.waiting, 1);
    CHECK_EQ(ports_pool_give(&pool, true), POOL_WAIT);
    CHECK(!ports_pool_take(&pool)); /* the second one still waits */
    CHECK(ports_pool_take(&pool));
    CHECK_EQ(pool.threads, 3);
    ports_pool_failed(&pool); /* it could not be made */
    CHECK_EQ(pool.threads, 2);
    CHECK_EQ(pool.waiting, 0);
}

/* All threads may be kept by clients who wait for each other: who wanted a thread and got none must try again while
   nobody waits. */
UNIT_TEST(pool_is_refilled_when_starved)
{
    struct ports_pool pool;
    ports_pool_init(&pool, false, 1000);
    CHECK(!ports_pool_refill(&pool));
    CHECK(ports_pool_take(&pool));
    ports_pool_failed(&pool);
    CHECK(pool.starved);
    CHECK(ports_pool_refill(&pool));
    CHECK_EQ(pool.threads, 2);
    CHECK_EQ(pool.waiting, 1);
    ports_pool_failed(&pool); /* still no memory */
    CHECK(pool.starved);
    CHECK_EQ(ports_pool_give(&pool, true), POOL_WAIT);
    CHECK(!ports_pool_refill(&pool)); /* somebody waits again, and makes a thread when he gets a message */
    CHECK(!pool.starved);
    CHECK(ports_pool_take(&pool));
}

UNIT_TEST(pool_single_stays_single)
{
    struct ports_pool pool;
    ports_pool_init(&pool, true, 1000);
    for (int i = 0; i < 5000; i++) {
        CHECK(!ports_pool_take(&pool));
        CHECK_EQ(ports_pool_give(&pool, true), POOL_WAIT);
    }
    CHECK_EQ(pool.threads, 1);
}

static void pool_burst(struct ports_pool *pool, unsigned int width)
{
    for (unsigned int i = 0; i < width; i++)
        ports_pool_take(pool);
    for (unsigned int i = 0; i < width; i++)
        ports_pool_give(pool, false);
}

UNIT_TEST(pool_shrinks_by_idling)
{
    struct ports_pool pool;
    ports_pool_init(&pool, false, 1000);
    pool_burst(&pool, 20);
    CHECK_EQ(pool.threads, 21);
    CHECK(ports_pool_quiet(&pool));
    ports_pool_take(&pool);
    CHECK(!ports_pool_quiet(&pool));
    CHECK_EQ(ports_pool_give(&pool, false), POOL_WAIT);
    CHECK(ports_pool_surplus(&pool));
    CHECK_EQ(ports_pool_tick(&pool, 250), 0);
    CHECK_EQ(ports_pool_tick(&pool, 250), 0);       /* all were busy in this time */
    CHECK_EQ(ports_pool_tick(&pool, 250), 0);
    ports_pool_take(&pool);                         /* one message in a while needs one of them */
    CHECK_EQ(ports_pool_give(&pool, true), POOL_WAIT);
    unsigned int surplus = ports_pool_tick(&pool, 250);     /* a second after the last of them became idle */
    CHECK_EQ(surplus, 20 - POOL_SPARES);
    ports_pool_take(&pool);
    CHECK_EQ(ports_pool_give(&pool, true), POOL_WAIT);  /* the first one stays, whoever asks */
    for (unsigned int i = 0; i < surplus; i++) {
        ports_pool_take(&pool);
        CHECK_EQ(ports_pool_give(&pool, false), POOL_RETIRE);
    }
    ports_pool_take(&pool);
    CHECK_EQ(ports_pool_give(&pool, false), POOL_WAIT);
    CHECK(!ports_pool_surplus(&pool));
    CHECK_EQ(pool.threads, POOL_SPARES + 1);
    CHECK_EQ(pool.waiting, POOL_SPARES + 1);
}

UNIT_TEST(pool_shrinks_under_light_load)
{
    struct ports_pool pool;
    ports_pool_init(&pool, false, 1000);
    pool_burst(&pool, 20);
    for (int i = 0; i < 40 * POOL_ROUNDS; i++) {
        CHECK(!ports_pool_take(&pool));
        ports_pool_give(&pool, false);
    }
    CHECK(pool.threads <= POOL_SPARES + 1);
    CHECK(ports_pool_quiet(&pool));
}

UNIT_TEST(pool_keeps_what_is_needed)
{
    struct ports_pool pool;
    ports_pool_init(&pool, false, 1000);
    for (int i = 0; i < 1000; i++)
        pool_burst(&pool, 20); /* 20 at once, again and again */
    CHECK_EQ(pool.threads, 21);
}

UNIT_MAIN
