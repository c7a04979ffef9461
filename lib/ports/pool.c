/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread counts of pool.h.  */

#include "pool.h"

void ports_pool_init(struct ports_pool *pool, bool single, unsigned int idle_ms)
{
    *pool = (struct ports_pool){.single = single,
                                .threads = 1,
                                .waiting = 1,
                                .low = 1,
                                .idle_low = 1,
                                .idle_ms = idle_ms};
}

bool ports_pool_grow(struct ports_pool *pool)
{
    if (pool->single)
        return false;
    pool->threads++;
    pool->waiting++;
    pool->starved = false;
    return true;
}

void ports_pool_failed(struct ports_pool *pool)
{
    pool->threads--;
    pool->waiting--;
    pool->starved = true;
}

bool ports_pool_refill(struct ports_pool *pool)
{
    bool wanted = pool->starved && pool->waiting == 0;
    pool->starved = false;
    return wanted && ports_pool_grow(pool);
}

enum ports_pool_next ports_pool_review(struct ports_pool *pool, bool first)
{
    bool leave = false;
    if (pool->retire != 0 && !first) {
        pool->retire--;
        leave = pool->waiting > POOL_SPARES;
    }
    if (pool->rounds % POOL_ROUNDS == 0) {
        leave |= pool->low > POOL_SPARES && !first;
        pool->low = pool->waiting;
    }
    if (!leave)
        return POOL_WAIT;
    pool->threads--;
    pool->waiting--;
    return POOL_RETIRE;
}

unsigned int ports_pool_tick(struct ports_pool *pool, unsigned int ms)
{
    pool->idle_age += ms;
    if (pool->idle_age < pool->idle_ms / 2)
        return 0;
    unsigned int surplus = pool->idle_low > POOL_SPARES ? pool->idle_low - POOL_SPARES : 0;
    pool->idle_age = 0;
    pool->idle_low = pool->waiting;
    pool->retire = surplus;
    return surplus;
}
